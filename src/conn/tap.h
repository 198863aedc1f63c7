/*
 * tap.h: what passes through a conn, for who looks (wire.h). Within libssl it is only noted down:
 * describing a certificate there would empty the error queue that says why a handshake failed, and
 * the callback would run on a fiber. It is told from the calls that move bytes in and out.
 */
#ifndef CINCH_CONN_TAP_H
#define CINCH_CONN_TAP_H

#include "base/buffer.h"

#include <cinch/wire.h>

typedef struct cinch_tap {
    cinch_wire *wire;
    cinch_wire_callback callback;
    void *arg;
    cinch_wire_side side; /* ours */
    int inside;           /* show what is protected as well */
    cinch_buffer notes;   /* what is not told yet */
    cinch_buffer hidden;  /* what is inside of our records that have not come by yet */
    uint64_t heads;       /* of our records, so far */
    int was_protected[2]; /* the last record of each side that was told of */
    size_t last_size;     /* of the last record, with its header */
    int lost;             /* there was no memory */
} cinch_tap;

/* cinch_tap_bytes notes that SIZE BYTES passed, sent by us or not. */
void cinch_tap_bytes(cinch_tap *tap, int sent, const void *bytes, size_t size);

/* cinch_tap_message notes what libssl shows (SSL_CTX_set_msg_callback(3)). */
void cinch_tap_message(cinch_tap *tap, int sent, int type, const void *bytes, size_t size);

/* cinch_tap_end notes that the peer sends nothing more. */
void cinch_tap_end(cinch_tap *tap);

/* cinch_tap_tell tells the callback of all that was noted. TAP may be NULL. */
void cinch_tap_tell(cinch_tap *tap);

/* cinch_tap_free tells the rest and frees TAP. NULL is fine. */
void cinch_tap_free(cinch_tap *tap);

#endif
