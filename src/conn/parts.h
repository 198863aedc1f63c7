/*
 * parts.h: what is to be written, in one part or many. Records are filled across the borders of parts, so
 * that a small head and what follows it leave in one.
 */
#ifndef CINCH_CONN_PARTS_H
#define CINCH_CONN_PARTS_H

#include "base/buffer.h"

#include <cinch/error.h>
#include <sys/uio.h>

typedef struct cinch_parts {
    const unsigned char *now; /* the part that is being written, */
    size_t now_size;          /* and how much of it is left */
    const struct iovec *next;
    size_t next_count;
    size_t left; /* in all of them */
} cinch_parts;

/* cinch_parts_of is one part, of SIZE bytes. */
cinch_parts cinch_parts_of(const void *data, size_t size);

/* cinch_parts_take checks the COUNT parts at IOV, which stay the caller's, and makes PARTS of them. */
cinch_status cinch_parts_take(cinch_parts *parts, const struct iovec *iov, int count,
                              cinch_error *err);

/*
 * cinch_parts_look gives the next bytes of PARTS, *N of at most MOST: where they are, or in SCRATCH if they
 * come from several parts. They are fewer than there could be only when memory runs out. Some must be left.
 */
const void *cinch_parts_look(const cinch_parts *parts, size_t most, cinch_buffer *scratch,
                             size_t *n);

/* cinch_parts_wipe empties SCRATCH, which unlike other buffers has what nobody else may see. */
void cinch_parts_wipe(cinch_buffer *scratch);

/* cinch_parts_skip leaves the next N bytes behind; there must be as many. */
void cinch_parts_skip(cinch_parts *parts, size_t n);

#endif
