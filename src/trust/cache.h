/*
 * cache.h: what the process has read of trust anchors. Equal content is one index, whatever file or
 * memory it came from; a file that stays the same is not read again. Everything here may be called
 * by any thread.
 */
#ifndef CINCH_TRUST_CACHE_H
#define CINCH_TRUST_CACHE_H

#include "trust/index.h"

/* A file that is in use. */
typedef struct cinch_cached cinch_cached;

typedef enum cinch_cached_state {
    CINCH_CACHED_NOW,  /* this is what the file holds */
    CINCH_CACHED_KEPT, /* the file cannot be used now; this is its last good content */
    CINCH_CACHED_GONE  /* the same, because there is no such file */
} cinch_cached_state;

/*
 * cinch_cached_open reads the file PATH, or finds that it has been read, and gives its content in
 * *INDEX, a reference. With KEEP it stays in memory when nobody uses it any more. NULL and ERR set
 * on failure. What is no regular file is read once and is NULL in *FILE, without being a failure.
 */
cinch_status cinch_cached_open(const char *path, int keep, cinch_cached **file, cinch_index **index,
                               cinch_error *err);
void cinch_cached_close(cinch_cached *file);

/* cinch_cached_ref counts one user more. */
cinch_cached *cinch_cached_ref(cinch_cached *file);

/* cinch_cached_look reads the file again if it has changed, and gives a reference in *INDEX. */
cinch_cached_state cinch_cached_look(cinch_cached *file, cinch_index **index);

/* cinch_cached_bytes gives a reference to the index of SIZE bytes; WHERE as in cinch_index_build. */
cinch_index *cinch_cached_bytes(const unsigned char *bytes, size_t size, const char *where,
                                cinch_error *err);

cinch_index *cinch_index_ref(cinch_index *index);
void cinch_index_unref(cinch_index *index);

/*
 * cinch_cached_settled tells whether a file whose inode had last changed at CHANGED_S when it was
 * looked at, at the time NOW, shows any later change in its mark: not if that could happen in the
 * same tick of the file system's clock.
 */
int cinch_cached_settled(int64_t changed_s, int64_t now);

/* cinch_cached_forget lets go of what is kept. For tests that count memory. */
void cinch_cached_forget(void);

#endif
