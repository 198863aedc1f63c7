#include "alloc.h"

#include "trust/proved.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <openssl/crypto.h>

/* In front of every piece: who asked for it. */
typedef union head {
    bool ours;
    max_align_t align;
} head;

static size_t counted;
static size_t fail_at; /* 0: never */
static bool fail_on;
static bool spared;
static bool reached;
static long held;

/* One more allocation; whether it is to fail. */
static bool fails(void)
{
    if (spared)
        return false;
    counted++;
    if (fail_at == 0 || counted < fail_at || (counted > fail_at && !fail_on))
        return false;
    reached = true;
    return true;
}

static bool is_from(const char *file, const char *ending)
{
    size_t size = file == NULL ? 0 : strlen(file), least = strlen(ending);

    return size >= least && strcmp(file + size - least, ending) == 0;
}

/*
 * A name that OpenSSL 3.0 cannot look up for want of memory it takes for a new one, and loses the old entry. It looks
 * them up each time that our provider is asked.
 */
static bool is_spared(const char *file)
{
    return is_from(file, "core_namemap.c");
}

static void *take(size_t size, const char *file, int line)
{
    (void)line;
    if (size == 0 || (!is_spared(file) && fails()))
        return NULL;
    head *h = malloc(sizeof *h + size);
    if (h == NULL)
        abort();
    h->ours = is_from(file, "base/memory.c");
    held += h->ours;
    return h + 1;
}

static void give(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    if (memory == NULL)
        return;
    head *h = (head *)memory - 1;
    held -= h->ours;
    free(h);
}

static void *change(void *memory, size_t size, const char *file, int line)
{
    if (memory == NULL && size > 0) {
        void *taken = take(size, file, line);
        return taken == NULL ? alloc_refuse(memory, file, line) : taken;
    }
    if (size == 0) {
        give(memory, file, line);
        return NULL;
    }
    if (fails())
        return NULL;
    head *h = realloc((head *)memory - 1, sizeof *h + size);
    if (h == NULL)
        abort();
    return h + 1;
}

void alloc_install(void)
{
    if (CRYPTO_set_mem_functions(take, change, give) == 1)
        return;
    fprintf(stderr, "libcrypto has allocated something before main()\n");
    abort();
}

void alloc_fail_at(size_t nth, bool on)
{
    /* Else only the first trial would get to the allocations of signatures. */
    cinch_proved_forget();
    counted = 0;
    fail_at = nth;
    fail_on = on;
    reached = false;
}

void alloc_spare(bool spare)
{
    spared = spare;
}

bool alloc_stop(void)
{
    fail_at = 0;
    return reached;
}

size_t alloc_count(void)
{
    return counted;
}

long alloc_ours(void)
{
    return held;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Steps are primes, so that what comes every so many allocations is not always stepped over. */
#define SANITIZED_STRIDE 7
#define ALL_STRIDE 11
#define RECOVERY_STRIDE 17

static char complaint[700];

static const char *blame(const alloc_trial *trial, size_t n, bool on, const char *what)
{
    (void)snprintf(complaint, sizeof complaint, "%s, allocation %zu%s: %s", trial->name, n,
                   on ? " and all after it" : "", what);
    return complaint;
}

static const char *run_whole(const alloc_trial *trial, size_t n, bool on, size_t *count)
{
    bool complete = false;

    alloc_fail_at(0, false);
    const char *wrong = trial->run(trial->arg, &complete);
    *count = alloc_count();
    if (wrong != NULL)
        return blame(trial, n, on, wrong);
    return complete ? NULL : blame(trial, n, on, "it does not work any more, with memory enough");
}

static const char *sweep(const alloc_trial *trial, bool on, size_t stride, size_t *runs)
{
    size_t count;
    const char *wrong = run_whole(trial, 0, on, &count);
    long before = alloc_ours();

    for (size_t n = 1; wrong == NULL; n += stride) {
        bool complete = false;

        alloc_fail_at(n, on);
        wrong = trial->run(trial->arg, &complete);
        bool failed = alloc_stop();
        ++*runs;
        if (wrong != NULL)
            return blame(trial, n, on, wrong);
        if (!failed && !complete)
            return blame(trial, n, on, "it failed though nothing was refused");
        if (alloc_ours() != before)
            return blame(trial, n, on, "memory of libcinch's is left over");
        if (!failed || *runs % RECOVERY_STRIDE == 0)
            wrong = run_whole(trial, n, on, &count);
        if (!failed)
            break;
    }
    return wrong;
}

const char *alloc_sweep(const alloc_trial *trial)
{
    size_t factor = SANITIZED ? SANITIZED_STRIDE : 1, count = 0, runs = 0;
    size_t stride = (trial->stride == 0 ? 1 : trial->stride) * factor;

    if (getenv("CINCH_FAULT_FULL") != NULL)
        stride = 1;
    const char *wrong = run_whole(trial, 0, false, &count);

    if (wrong == NULL)
        wrong = sweep(trial, false, stride, &runs);
    if (wrong == NULL)
        wrong = sweep(trial, true, stride * ALL_STRIDE, &runs);
    printf("%s: %zu allocations, %zu runs\n", trial->name, count, runs);
    return wrong;
}

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fails())
        return MAP_FAILED;
    return __real_mmap(address, size, protection, flags, fd, offset);
}
