/*
 * pair.h: a client and a server in memory, for tests. Bytes move between them in pieces of a size
 * that the test chooses.
 */
#ifndef CINCH_TESTS_PAIR_H
#define CINCH_TESTS_PAIR_H

#include "pki.h"

#include <cinch/cinch.h>

/* One end and what its last call said. */
typedef struct pair_end {
    cinch_conn *conn;
    cinch_status status;
    cinch_error err;
} pair_end;

typedef struct pair {
    pair_end client;
    pair_end server;
    size_t piece;        /* at most so many bytes are moved at once; 0: all there are */
    size_t moved_to[2];  /* how many bytes have gone to the client, to the server */
    size_t cut_after[2]; /* the wire to that end is cut after so many bytes; 0: never */
    size_t flip_at[2];   /* this byte (counted from 1) to that end has a bit flipped; 0: none */
} pair;

/* Contexts, ready for use; they abort the test when they cannot be made. */
cinch_context *pair_client_context(const pki_cert *anchor);
cinch_context *pair_server_context(const pki_cert *leaf, const pki_cert *intermediate);
cinch_identity *pair_identity(const pki_cert *leaf, const pki_cert *intermediate);
void pair_trust(cinch_context *ctx, const pki_cert *anchor);

/* pair_start makes both ends. HOST is whom the client expects. */
void pair_start(pair *p, cinch_context *client, cinch_context *server, const char *host);

/* pair_stop frees both ends. */
void pair_stop(pair *p);

/* pair_move moves bytes both ways until neither end has any. Returns how many. */
size_t pair_move(pair *p);

/*
 * pair_handshake goes on at both ends until each is open or has failed, and nothing moves any more.
 * The results are in `status` and `err` of each end.
 */
void pair_handshake(pair *p);

/* pair_send writes SIZE bytes at FROM and reads them at TO; 1 if they all arrive unchanged. */
int pair_send(pair *p, pair_end *from, pair_end *to, const void *bytes, size_t size);

#endif
