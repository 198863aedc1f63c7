/*
 * Allocations that fail on purpose: those of libcrypto and libssl, and those of libcinch, which go
 * the same way; and the pages that secrets live in (mmap(), where the test is linked with
 * -Wl,--wrap=mmap, as tests/meson.build does for every fault/alloc*).
 */
#ifndef CINCH_TESTS_ALLOC_H
#define CINCH_TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* alloc_install comes before anything else in main(). */
void alloc_install(void);

/*
 * alloc_refuse is what a program's own realloc() returns to refuse OLD a new size: NULL. From 3.2 on
 * OpenSSL's malloc() notes what it could not give in the error queue, whoever allocates, but its
 * realloc() only where it allocates by itself: for OLD NULL, by its malloc(). So this does.
 */
void *alloc_refuse(const void *old, const char *file, int line);

/* alloc_fail_at makes the allocation number `nth` from now on fail, and with `on` all after it. */
void alloc_fail_at(size_t nth, bool on);

/* alloc_spare leaves out what is allocated between alloc_spare(true) and alloc_spare(false). */
void alloc_spare(bool spare);

/* alloc_stop ends that: whether the allocation was reached. */
bool alloc_stop(void);

/* alloc_count counts the allocations since alloc_fail_at(). */
size_t alloc_count(void);

/* alloc_ours counts the pieces of memory that libcinch itself holds now. */
long alloc_ours(void);

/* What alloc_sweep() does over and over, with one allocation more that is granted each time. */
typedef struct alloc_trial {
    const char *name;
    /* Returns NULL, or what went wrong. *complete: all was done, as without any shortage. */
    const char *(*run)(void *arg, bool *complete);
    void *arg;
    /*
     * Steps, for tests that should take seconds and not minutes; sanitizers take seven times as
     * large ones. With CINCH_FAULT_FULL in the environment nothing is stepped over.
     */
    size_t stride;
} alloc_trial;

/*
 * alloc_sweep runs the trial with each allocation failing alone, and in larger steps with all from
 * one on failing, until there are no more. Now and then it is run without a shortage in between and
 * has to be complete: what failed once must not be broken for good. Nothing of libcinch's may be
 * left over. Returns NULL, or what went wrong.
 */
const char *alloc_sweep(const alloc_trial *trial);

#endif
