/* wire.h: the inside of a decoder. */
#ifndef CINCH_WIRE_WIRE_H
#define CINCH_WIRE_WIRE_H

#include "base/buffer.h"
#include "wire/messages.h"

/* A handshake message that claims to be longer is not waited for; libssl takes about 100 KiB. */
#define CINCH_WIRE_LARGEST ((size_t)256 * 1024)

/* A handshake message comes in pieces, whose borders are nowhere (RFC 8446, 5.1). */
typedef struct cinch_wire_pieces {
    cinch_buffer bytes;
    int lost; /* one was too long: where the next one begins is not known */
} cinch_wire_pieces;

/* What one side sends. */
typedef struct cinch_wire_way {
    cinch_buffer in;   /* a record that is not complete */
    uint64_t position; /* of what is in there */
    uint64_t records;
    cinch_wire_pieces clear;
    cinch_wire_pieces inside;
    uint64_t last_position; /* of the record told of last */
    int changed;            /* it said change_cipher_spec */
    int lost;               /* what comes is not TLS, and is passed over */
    int ended;
} cinch_wire_way;

struct cinch_wire {
    cinch_wire_callback callback;
    void *arg;
    cinch_wire_build build;
    cinch_wire_agreed agreed;
    cinch_wire_way ways[2];
    int failed; /* memory ran out: an observer that missed something must not seem to see all */
};

/* pieces.c */

/*
 * cinch_wire_gather takes SIZE bytes of handshake messages of SENDER, from the inside or not, and tells of
 * those that are complete. 0 when memory ran out.
 */
int cinch_wire_gather(cinch_wire *wire, cinch_wire_side sender, int inside,
                      const unsigned char *bytes, size_t size);

/* cinch_wire_interrupted tells of a message of SENDER that is not complete when WHAT comes. 0: no memory. */
int cinch_wire_interrupted(cinch_wire *wire, cinch_wire_side sender, int inside, const char *what);

/* cinch_wire_single tells of SIZE bytes of content that is no handshake message. 0: no memory. */
int cinch_wire_single(cinch_wire *wire, cinch_wire_side sender, int inside, int content_type,
                      const unsigned char *bytes, size_t size);

/* wire.c */

/* cinch_wire_emit tells the callback of EVENT, whose fields are in the build. 0: no memory. */
int cinch_wire_emit(cinch_wire *wire, cinch_wire_event *event);

/* cinch_wire_problem tells of a problem of SENDER's. 0: no memory. */
int cinch_wire_problem(cinch_wire *wire, cinch_wire_side sender, const char *text,
                       const char *note);

#endif
