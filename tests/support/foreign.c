#include "foreign.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void (*foreign_spare)(bool spare);

static void spare(bool on)
{
    if (foreign_spare != NULL)
        foreign_spare(on);
}

static void must(int ok, const cinch_error *err, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s failed\n", what);
    (void)cinch_error_report(err, stderr);
    abort();
}

SSL_CTX *foreign_ctx(int is_server)
{
    SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());

    must(ctx != NULL, NULL, "making an SSL_CTX");
    return ctx;
}

SSL_CTX *foreign_apply(cinch_context *ctx, int is_server, const char *host)
{
    cinch_error err = CINCH_ERROR_INIT;
    SSL_CTX *made = foreign_ctx(is_server);

    must(cinch_context_openssl_apply(ctx, made, host, &err) == CINCH_OK, &err, "applying");
    return made;
}

void foreign_start(foreign *f, SSL_CTX *ctx, int is_server, cinch_context *ours)
{
    /* Where memory is to run out, it is not here. */
    spare(true);
    *f = (foreign){.ctx = ctx, .ours = {.err = CINCH_ERROR_INIT}};
    f->ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    must(f->ssl != NULL && in != NULL && out != NULL, NULL, "making an SSL");
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(f->ssl, in, out);
    if (is_server)
        SSL_set_accept_state(f->ssl);
    else
        SSL_set_connect_state(f->ssl);
    f->ours.conn = cinch_conn_new(ours, is_server ? "localhost" : NULL, &f->ours.err);
    must(f->ours.conn != NULL, &f->ours.err, "making our end");
    spare(false);
}

static size_t move_to_ours(foreign *f)
{
    void *space;
    size_t room;

    if (cinch_conn_recv_space(f->ours.conn, &space, &room, NULL) != CINCH_OK || room == 0)
        return 0;
    int n = BIO_read(SSL_get_wbio(f->ssl), space, room > 65536 ? 65536 : (int)room);
    size_t got = n > 0 ? (size_t)n : 0;
    must(cinch_conn_recv_commit(f->ours.conn, got, NULL) == CINCH_OK, NULL, "committing");
    return got;
}

static size_t move_to_theirs(foreign *f)
{
    const void *bytes;
    size_t size;

    if (cinch_conn_send_bytes(f->ours.conn, &bytes, &size, NULL) != CINCH_OK || size == 0)
        return 0;
    must(BIO_write(SSL_get_rbio(f->ssl), bytes, (int)size) == (int)size, NULL, "moving");
    must(cinch_conn_send_consume(f->ours.conn, size, NULL) == CINCH_OK, NULL, "consuming");
    return size;
}

void foreign_move(foreign *f)
{
    spare(true);
    while (move_to_ours(f) + move_to_theirs(f) > 0)
        ;
    spare(false);
}

int foreign_handshake(foreign *f)
{
    size_t moved;

    do {
        if (f->result != 1 && (f->error == 0 || f->error == SSL_ERROR_WANT_READ)) {
            ERR_clear_error();
            f->result = SSL_do_handshake(f->ssl);
            f->error = f->result == 1 ? 0 : SSL_get_error(f->ssl, f->result);
            f->queued = ERR_peek_error();
        }
        spare(true);
        if (cinch_conn_state_now(f->ours.conn) == CINCH_STATE_HANDSHAKING)
            f->ours.status = cinch_conn_handshake(f->ours.conn, &f->ours.err);
        moved = move_to_ours(f) + move_to_theirs(f);
        spare(false);
    } while (moved > 0);
    return f->result == 1 && cinch_conn_state_now(f->ours.conn) == CINCH_STATE_OPEN;
}

int foreign_talk(foreign *f)
{
    char got[8];
    size_t n = 0;

    if (SSL_write(f->ssl, "there", 5) != 5)
        return 0;
    foreign_move(f);
    if (cinch_conn_read(f->ours.conn, got, sizeof got, &n, &f->ours.err) != CINCH_OK || n != 5 ||
        memcmp(got, "there", 5) != 0 ||
        cinch_conn_write(f->ours.conn, "back", 4, &n, &f->ours.err) != CINCH_OK)
        return 0;
    foreign_move(f);
    return SSL_read(f->ssl, got, sizeof got) == 4 && memcmp(got, "back", 4) == 0;
}

void foreign_stop(foreign *f)
{
    /* As after SSL_shutdown(): without it libssl spoils the session. */
    if (f->result == 1)
        SSL_set_shutdown(f->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(f->ssl);
    SSL_CTX_free(f->ctx);
    cinch_conn_free(f->ours.conn);
    *f = (foreign){.ours = {.err = CINCH_ERROR_INIT}};
    ERR_clear_error();
}
