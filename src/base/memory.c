#define _GNU_SOURCE
#include "base/memory.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *cinch_alloc(size_t size)
{
    return OPENSSL_zalloc(size);
}

void *cinch_alloc_array(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return OPENSSL_zalloc(count * size);
}

void *cinch_grow(void *old, size_t size)
{
    return OPENSSL_realloc(old, size);
}

char *cinch_copy_text(const char *text)
{
    return text == NULL ? NULL : cinch_copy_bytes(text, strlen(text) + 1);
}

void *cinch_copy_bytes(const void *bytes, size_t size)
{
    /* One byte at least, so that NULL always means "no memory". */
    void *copy = OPENSSL_malloc(size == 0 ? 1 : size);

    if (copy != NULL && size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

void cinch_release(void *memory)
{
    OPENSSL_free(memory);
}

static size_t whole_pages(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (size == 0)
        size = 1;
    if (size > SIZE_MAX - page)
        return 0;
    return (size + page - 1) / page * page;
}

void *cinch_secret_alloc(size_t size)
{
    size_t length = whole_pages(size);

    if (length == 0)
        return NULL;
    void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    /* Both may be refused by the limits of the process; the wiping below still holds. */
    (void)mlock(memory, length);
    (void)madvise(memory, length, MADV_DONTDUMP);
    return memory;
}

void cinch_secret_free(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    OPENSSL_cleanse(memory, size);
    (void)munmap(memory, whole_pages(size));
}
