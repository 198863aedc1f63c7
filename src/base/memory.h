/*
 * memory.h: all of libcinch's allocations. They go through OpenSSL's allocator, so that one hook
 * (CRYPTO_set_mem_functions) sees every allocation that a connection makes.
 */
#ifndef CINCH_BASE_MEMORY_H
#define CINCH_BASE_MEMORY_H

#include <stddef.h>

/* cinch_alloc gives SIZE zeroed bytes, NULL if there are none. */
void *cinch_alloc(size_t size);

/* cinch_alloc_array gives COUNT * SIZE zeroed bytes, NULL if there are none or it overflows. */
void *cinch_alloc_array(size_t count, size_t size);

/* cinch_grow makes OLD (or NULL) SIZE bytes large; new bytes are not zeroed; OLD stays on failure. */
void *cinch_grow(void *old, size_t size);

/* cinch_copy_text and cinch_copy_bytes give a copy, NULL if there is no memory or TEXT is NULL. */
char *cinch_copy_text(const char *text);
void *cinch_copy_bytes(const void *bytes, size_t size);

/* cinch_release frees what the functions above gave. NULL is fine. */
void cinch_release(void *memory);

/*
 * cinch_secret_alloc gives SIZE zeroed bytes in pages of their own: locked where the limits allow
 * it, left out of core dumps, and wiped by cinch_secret_free(). NULL if there are none.
 */
void *cinch_secret_alloc(size_t size);
void cinch_secret_free(void *memory, size_t size);

#endif
