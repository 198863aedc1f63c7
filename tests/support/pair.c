#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int ok, const cinch_error *err, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s failed\n", what);
    (void)cinch_error_report(err, stderr);
    abort();
}

void pair_trust(cinch_context *ctx, const pki_cert *anchor)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *pem = pki_pem_cert(anchor);

    must(cinch_context_trust_pem(ctx, pem, strlen(pem), &err) == CINCH_OK, &err, "trust");
    free(pem);
}

cinch_context *pair_client_context(const pki_cert *anchor)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);

    must(ctx != NULL, &err, "making a client context");
    pair_trust(ctx, anchor);
    return ctx;
}

cinch_identity *pair_identity(const pki_cert *leaf, const pki_cert *intermediate)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *key = pki_pem_key(leaf, NULL);
    char *cert = pki_pem_cert(leaf);
    char *more = intermediate == NULL ? strdup("") : pki_pem_cert(intermediate);
    char *all = pki_pem_concat(key, cert, more, (char *)NULL);
    cinch_identity *identity = cinch_identity_pem(all, strlen(all), NULL, &err);

    must(identity != NULL, &err, "making an identity");
    free(key);
    free(cert);
    free(more);
    free(all);
    return identity;
}

cinch_context *pair_server_context(const pki_cert *leaf, const pki_cert *intermediate)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_server(&err);
    cinch_identity *identity = pair_identity(leaf, intermediate);

    must(ctx != NULL && cinch_context_identity(ctx, identity, &err) == CINCH_OK, &err,
         "making a server context");
    cinch_identity_free(identity);
    return ctx;
}

void pair_start(pair *p, cinch_context *client, cinch_context *server, const char *host)
{
    p->client = (pair_end){.err = CINCH_ERROR_INIT};
    p->server = (pair_end){.err = CINCH_ERROR_INIT};
    p->client.conn = cinch_conn_new(client, host, &p->client.err);
    must(p->client.conn != NULL, &p->client.err, "making the client");
    p->server.conn = cinch_conn_new(server, NULL, &p->server.err);
    must(p->server.conn != NULL, &p->server.err, "making the server");
}

void pair_stop(pair *p)
{
    cinch_conn_free(p->client.conn);
    cinch_conn_free(p->server.conn);
    p->client.conn = p->server.conn = NULL;
}

/* One piece from FROM to TO, which is number WHICH in the arrays. Returns its size. */
static size_t move_piece(pair *p, cinch_conn *from, cinch_conn *to, int which)
{
    const void *bytes;
    void *space;
    size_t size, room;

    if (cinch_conn_send_bytes(from, &bytes, &size, NULL) != CINCH_OK || size == 0)
        return 0;
    if (p->piece != 0 && size > p->piece)
        size = p->piece;
    size_t left = p->cut_after[which] == 0 ? size : p->cut_after[which] - p->moved_to[which];
    if (left == 0) {
        /* What goes into a cut wire is gone. */
        must(cinch_conn_recv_end(to, NULL) == CINCH_OK, NULL, "ending");
        must(cinch_conn_send_consume(from, size, NULL) == CINCH_OK, NULL, "consuming");
        return size;
    }
    if (size > left)
        size = left;
    if (cinch_conn_recv_space(to, &space, &room, NULL) != CINCH_OK || room == 0)
        return 0;
    if (size > room)
        size = room;
    memcpy(space, bytes, size);
    size_t flip = p->flip_at[which];
    if (flip > p->moved_to[which] && flip <= p->moved_to[which] + size)
        ((unsigned char *)space)[flip - p->moved_to[which] - 1] ^= 0x10;
    must(cinch_conn_recv_commit(to, size, NULL) == CINCH_OK, NULL, "committing");
    must(cinch_conn_send_consume(from, size, NULL) == CINCH_OK, NULL, "consuming");
    p->moved_to[which] += size;
    return size;
}

size_t pair_move(pair *p)
{
    size_t all = 0;

    for (size_t now = 1; now > 0; all += now)
        now = move_piece(p, p->client.conn, p->server.conn, 1) +
              move_piece(p, p->server.conn, p->client.conn, 0);
    return all;
}

static void step(pair_end *end)
{
    cinch_conn_state state = cinch_conn_state_now(end->conn);

    if (state == CINCH_STATE_HANDSHAKING)
        end->status = cinch_conn_handshake(end->conn, &end->err);
}

void pair_handshake(pair *p)
{
    do {
        step(&p->client);
        step(&p->server);
        /* In pieces: each end sees every prefix of what the other says. */
        size_t moved = move_piece(p, p->client.conn, p->server.conn, 1);
        moved += move_piece(p, p->server.conn, p->client.conn, 0);
        if (moved == 0)
            break;
    } while (1);
}

int pair_send(pair *p, pair_end *from, pair_end *to, const void *bytes, size_t size)
{
    size_t written = 0, got = 0, n;
    unsigned char *copy = malloc(size + 1);
    int same = 0;

    while (got < size) {
        size_t before = written + got;

        if (written < size) {
            cinch_status st = cinch_conn_write(from->conn, (const char *)bytes + written,
                                               size - written, &n, &from->err);
            written += n;
            if (st != CINCH_OK && st != CINCH_WANT_WRITE && st != CINCH_WANT_READ)
                goto out;
        }
        size_t moved = pair_move(p);
        cinch_status st = cinch_conn_read(to->conn, copy + got, size - got, &n, &to->err);
        got += n;
        if (st != CINCH_OK && st != CINCH_WANT_READ)
            goto out;
        if (moved == 0 && written + got == before)
            goto out;
    }
    same = memcmp(copy, bytes, size) == 0;
out:
    free(copy);
    return same;
}
