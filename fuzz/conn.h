/* conn.h: what the fuzz targets of connections share: contexts made once, and feeding bytes. */
#ifndef CINCH_FUZZ_CONN_H
#define CINCH_FUZZ_CONN_H

#include "pair.h"

#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_contexts {
    cinch_context *client;
    cinch_context *server;
} fuzz_contexts;

static inline void must(int holds)
{
    if (!holds)
        abort();
}

/* The keys are new in each process: what matters here does not depend on them. */
static inline const fuzz_contexts *contexts(void)
{
    static fuzz_contexts made;

    if (made.client == NULL) {
        pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
        pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost"}, root);

        made.client = pair_client_context(root);
        made.server = pair_server_context(leaf, NULL);
        pair_trust(made.server, root);
        must(cinch_context_client_auth(made.server, CINCH_CLIENT_AUTH_OPTIONAL, NULL) == CINCH_OK);
        must(cinch_context_alpn(made.client, "h2,http/1.1", NULL) == CINCH_OK);
        must(cinch_context_alpn(made.server, "http/1.1", NULL) == CINCH_OK);
        pki_free(root);
        pki_free(leaf);
    }
    return &made;
}

/* Takes what CONN has to send and drops it. */
static inline void drop_sent(cinch_conn *conn)
{
    const void *bytes;
    size_t size;

    must(cinch_conn_send_bytes(conn, &bytes, &size, NULL) == CINCH_OK);
    must(cinch_conn_send_consume(conn, size, NULL) == CINCH_OK);
}

/* A status is one of those that the state allows, and an error goes with a failure. */
static inline void check(const cinch_conn *conn, cinch_status status, const cinch_error *err)
{
    must((status >= CINCH_TRUNCATED) == cinch_error_is_set(err));
    must(status < CINCH_TRUNCATED || cinch_conn_state_now(conn) == CINCH_STATE_FAILED);
    must(!cinch_error_is_set(err) || (err->what[0] != 0 && err->remedy[0] != 0));
    must(ERR_peek_error() == 0);
}

/*
 * Feeds DATA to CONN in pieces: each is as long as its first byte says, and is followed by a step of
 * the handshake or a read. Nobody without the keys gets a connection opened.
 */
static inline void feed(cinch_conn *conn, const uint8_t *data, size_t size)
{
    char buf[256];
    size_t n;

    while (size > 0) {
        cinch_error err = CINCH_ERROR_INIT;
        size_t piece = data[0] == 0 ? size - 1 : data[0] % size, room;
        void *space;

        data++;
        size--;
        must(cinch_conn_recv_space(conn, &space, &room, NULL) == CINCH_OK);
        piece = piece > size ? size : piece;
        piece = piece > room ? room : piece;
        if (piece > 0) {
            memcpy(space, data, piece);
            must(cinch_conn_recv_commit(conn, piece, NULL) == CINCH_OK);
        }
        data += piece;
        size -= piece;
        cinch_status status = size % 2 == 0 ? cinch_conn_handshake(conn, &err)
                                            : cinch_conn_read(conn, buf, sizeof buf, &n, &err);
        check(conn, status, &err);
        must(status != CINCH_OK);
        drop_sent(conn);
    }
    must(cinch_conn_recv_end(conn, NULL) == CINCH_OK);
    cinch_error err = CINCH_ERROR_INIT;
    check(conn, cinch_conn_handshake(conn, &err), &err);
    must(cinch_conn_state_now(conn) == CINCH_STATE_FAILED);
    cinch_peer_free(cinch_conn_evidence(conn, NULL));
    char text[4096];
    (void)cinch_error_json(&err, text, sizeof text);
}

#endif
