/* conn.c: the life of a connection, and the bytes that go in and out. */
#include "conn/step.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "context/hosts.h"
#include "context/resume.h"

#include <string.h>

/* Room lent at first, and at most while data flows in quickly. */
#define IN_FIRST ((size_t)16709)
#define IN_LARGEST ((size_t)128 * 1024)

static void opening_free(cinch_opening *opening)
{
    if (opening == NULL)
        return;
    cinch_release(opening->hello);
    cinch_release(opening);
}

void cinch_conn_opened(cinch_conn *conn)
{
    opening_free(conn->opening);
    conn->opening = NULL;
    conn->link.hello = NULL;
}

void cinch_conn_free(cinch_conn *conn)
{
    if (conn == NULL)
        return;
    cinch_step_give_up(conn);
    /* An end without close_notify does not spoil the session (RFC 5246, 7.2.1); a failure does. */
    if (conn->ssl != NULL && conn->state != CINCH_STATE_FAILED)
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(conn->ssl);
    cinch_openssl_clear();
    cinch_tap_free(conn->tap);
    sk_X509_pop_free(conn->link.sent, X509_free);
    cinch_resume_release(&conn->link);
    cinch_hosts_release(&conn->link);
    cinch_derived_unref(conn->link.derived);
    cinch_buffer_free(&conn->in);
    cinch_buffer_free(&conn->out);
    opening_free(conn->opening);
    cinch_release(conn->failure);
    cinch_release(conn);
}

/* Whom the server must be, and the name to ask it for. */
static cinch_status set_host(cinch_conn *conn, const char *host, cinch_error *err)
{
    const cinch_settings *settings = conn->link.derived->settings;

    if (settings->is_server) {
        if (host == NULL)
            return CINCH_OK;
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a host (\"%s\") was given for a server's connection", host);
    }
    if (host == NULL && settings->skip_name)
        return CINCH_OK;
    cinch_status status = cinch_host_parse(&conn->link.host, host, err);
    if (status != CINCH_OK || !settings->send_server_name || conn->link.host.ip_size != 0)
        return status;
    /* Addresses are not sent: RFC 6066, 3. */
    if (SSL_set_tlsext_host_name(conn->ssl, conn->link.host.text) != 1)
        return cinch_fail_crypto(err, "setting the server name");
    return CINCH_OK;
}

static cinch_status set_up(cinch_conn *conn, const char *host, cinch_error *err)
{
    conn->ssl = SSL_new(conn->link.derived->ssl_ctx);
    if (conn->ssl == NULL || !cinch_link_attach(&conn->link, conn->ssl))
        return cinch_fail_crypto(err, "making a connection");
    BIO *bio = cinch_bio_new(conn);
    if (bio == NULL)
        return cinch_fail_memory(err, "making a connection");
    SSL_set_bio(conn->ssl, bio, bio);
    cinch_conn_watch(conn);
    if (conn->link.derived->settings->is_server)
        SSL_set_accept_state(conn->ssl);
    else
        SSL_set_connect_state(conn->ssl);
    cinch_status status = set_host(conn, host, err);
    if (status == CINCH_OK && !conn->link.derived->settings->is_server)
        status = cinch_resume_key(&conn->link, "", -1, err);
    return status;
}

cinch_conn *cinch_conn_new(cinch_context *ctx, const char *host, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    cinch_derived *derived = cinch_context_derive(ctx, err);
    if (derived == NULL)
        return NULL;
    cinch_conn *conn = cinch_alloc(sizeof *conn);
    if (conn == NULL) {
        cinch_derived_unref(derived);
        (void)cinch_fail_memory(err, "making a connection");
        return NULL;
    }
    conn->link.derived = derived;
    if (ctx->sessions != NULL && derived->settings->resumption)
        conn->link.sessions = cinch_session_cache_ref(ctx->sessions);
    conn->in_want = IN_FIRST;
    conn->started_at = cinch_clock_us();
    conn->opening = cinch_alloc(sizeof *conn->opening);
    cinch_status status = conn->opening == NULL ? cinch_fail_memory(err, "making a connection")
                                                : set_up(conn, host, err);
    cinch_openssl_clear();
    if (status != CINCH_OK) {
        cinch_conn_free(conn);
        return NULL;
    }
    return conn;
}

cinch_conn_state cinch_conn_state_now(const cinch_conn *conn)
{
    return conn == NULL ? CINCH_STATE_FAILED : conn->state;
}

SSL *cinch_conn_openssl(const cinch_conn *conn)
{
    return conn == NULL ? NULL : conn->ssl;
}

/* What the peer sends in these states is of no use to anybody. */
static int ignores_input(const cinch_conn *conn)
{
    return conn->state == CINCH_STATE_FAILED;
}

cinch_status cinch_conn_recv_space(cinch_conn *conn, void **space, size_t *size, cinch_error *err)
{
    if (!cinch_enter_plain(err))
        return CINCH_FAILED;
    if (conn == NULL || space == NULL || size == NULL)
        return cinch_fail_null(err, conn == NULL ? "connection" : "place for the room to receive");
    cinch_tap_tell(conn->tap);
    *space = NULL;
    *size = conn->lent = 0;
    if (conn->recv_ended || (!ignores_input(conn) && cinch_buffer_used(&conn->in) >= conn->in_want))
        return CINCH_OK;
    if (ignores_input(conn))
        cinch_buffer_consume(&conn->in, cinch_buffer_used(&conn->in));
    unsigned char *room = cinch_buffer_space(&conn->in, conn->in_want, size);
    if (room == NULL)
        return cinch_fail_memory(err, "receiving");
    conn->lent = *size;
    *space = room;
    return CINCH_OK;
}

static void keep_first(cinch_opening *opening, const unsigned char *bytes, size_t n)
{
    size_t room = sizeof opening->first - opening->first_size;

    if (n > room)
        n = room;
    memcpy(opening->first + opening->first_size, bytes, n);
    opening->first_size += n;
}

cinch_status cinch_conn_recv_commit(cinch_conn *conn, size_t n, cinch_error *err)
{
    if (!cinch_enter_plain(err))
        return CINCH_FAILED;
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if (n > conn->lent)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "%zu bytes were committed and room for %zu was lent", n, conn->lent);
    /* A peer that fills all the room has more to say: fewer, larger receives. */
    if (n == conn->lent && conn->in_want < IN_LARGEST)
        conn->in_want *= 2;
    conn->lent = 0;
    if (ignores_input(conn))
        return CINCH_OK;
    if (conn->opening != NULL && n > 0)
        keep_first(conn->opening, conn->in.data + conn->in.end, n);
    cinch_buffer_commit(&conn->in, n);
    return CINCH_OK;
}

cinch_status cinch_conn_recv_end(cinch_conn *conn, cinch_error *err)
{
    if (!cinch_enter_plain(err))
        return CINCH_FAILED;
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    conn->recv_ended = 1;
    conn->lent = 0;
    return CINCH_OK;
}

cinch_status cinch_conn_send_bytes(cinch_conn *conn, const void **bytes, size_t *size,
                                   cinch_error *err)
{
    /* Also with an error that is set: the alert that tells the peer has to leave. */
    if (conn == NULL || bytes == NULL || size == NULL)
        return cinch_fail_null(err, conn == NULL ? "connection" : "place for the bytes to send");
    cinch_tap_tell(conn->tap);
    *size = cinch_buffer_used(&conn->out);
    *bytes = *size == 0 ? NULL : cinch_buffer_bytes(&conn->out);
    return CINCH_OK;
}

cinch_status cinch_conn_send_consume(cinch_conn *conn, size_t n, cinch_error *err)
{
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if (n > cinch_buffer_used(&conn->out))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "%zu bytes were consumed and only %zu were there to send", n,
                          cinch_buffer_used(&conn->out));
    cinch_buffer_consume(&conn->out, n);
    cinch_buffer_idle(&conn->out);
    return CINCH_OK;
}

size_t cinch_conn_pending(const cinch_conn *conn)
{
    if (conn == NULL || conn->state == CINCH_STATE_FAILED ||
        conn->state == CINCH_STATE_PEER_CLOSED || conn->state == CINCH_STATE_CLOSED)
        return 0;
    int decrypted = SSL_pending(conn->ssl);
    return (decrypted > 0 ? (size_t)decrypted : 0) + cinch_buffer_used(&conn->in);
}

cinch_status cinch_conn_rest(cinch_conn *conn, void *buf, size_t size, size_t *n, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (conn == NULL || n == NULL || (buf == NULL && size > 0))
        return cinch_fail_null(err, conn == NULL ? "connection" : "buffer");
    *n = 0;
    conn->lent = 0;
    if (conn->state != CINCH_STATE_PEER_CLOSED && conn->state != CINCH_STATE_CLOSED)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "what follows the peer's close_notify was asked for before it came");
    *n = cinch_buffer_used(&conn->in) < size ? cinch_buffer_used(&conn->in) : size;
    if (*n > 0)
        memcpy(buf, cinch_buffer_bytes(&conn->in), *n);
    cinch_buffer_consume(&conn->in, *n);
    cinch_buffer_idle(&conn->in);
    return CINCH_OK;
}
