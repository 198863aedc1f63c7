/*
 * foreign.h: one end of a connection as another library makes it, with libssl alone, and the other with
 * Cinch, in memory.
 */
#ifndef CINCH_TESTS_FOREIGN_H
#define CINCH_TESTS_FOREIGN_H

#include "pair.h"

#include <cinch/openssl.h>

typedef struct foreign {
    SSL_CTX *ctx;
    SSL *ssl;
    int result;           /* what SSL_do_handshake() said last */
    int error;            /* and SSL_get_error(), 0 when it succeeded */
    unsigned long queued; /* what stood in OpenSSL's error queue then */
    pair_end ours;
} foreign;

/* Called around what is not the library's, where memory is to run out there only: alloc_spare(). */
extern void (*foreign_spare)(bool spare);

/* foreign_ctx makes an SSL_CTX as programs do that do not think of verification. */
SSL_CTX *foreign_ctx(int is_server);

/* foreign_apply makes one and applies CTX to it, which aborts the test if it fails. */
SSL_CTX *foreign_apply(cinch_context *ctx, int is_server, const char *host);

/* foreign_start makes both ends: an SSL of CTX, whose reference it takes over, and a conn of OURS. */
void foreign_start(foreign *f, SSL_CTX *ctx, int is_server, cinch_context *ours);

/* foreign_handshake goes on at both ends until nothing moves any more. 1 if both are open. */
int foreign_handshake(foreign *f);

/* foreign_move moves bytes both ways until neither end has any. */
void foreign_move(foreign *f);

/* foreign_talk sends a little both ways: 1 if it arrives. */
int foreign_talk(foreign *f);

void foreign_stop(foreign *f);

#endif
