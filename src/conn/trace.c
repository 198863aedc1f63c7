/* trace.c: libssl shows every message that passes by; what explanations and timing need is kept. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "conn/conn.h"
#include "wire/messages.h"

#include <string.h>

#define ALERT_FATAL 2

static void see_alert(cinch_conn *conn, int sent, const unsigned char *bytes, size_t size)
{
    /* A close_notify is a warning in TLS 1.2 and earlier; the number 0 means "none" here. */
    if (size < 2 || bytes[1] == SSL_AD_CLOSE_NOTIFY ||
        (bytes[0] != ALERT_FATAL && bytes[1] != SSL_AD_USER_CANCELLED))
        return;
    if (sent)
        conn->alert_sent = bytes[1];
    else
        conn->alert_received = bytes[1];
}

static void keep_hello(cinch_link *link, cinch_opening *opening, const unsigned char *bytes,
                       size_t size)
{
    /* After a HelloRetryRequest the second one tells what counts. */
    unsigned char *copy = cinch_copy_bytes(bytes, size);

    link->hello = NULL;
    if (copy == NULL)
        return;
    cinch_release(opening->hello);
    opening->hello = copy;
    opening->hello_size = size;
    link->hello = copy;
    link->hello_size = size;
}

static void see_server_hello(cinch_opening *opening, const unsigned char *m, size_t size)
{
    cinch_server_hello hello;

    if (!cinch_server_hello_read(&hello, m, size))
        return;
    opening->answered_version = hello.version;
    opening->answered_cipher = (int)hello.suite;
}

/* What the peer sends while the connection is open. */
static void see_late(cinch_conn *conn, int type)
{
    if (type == SSL3_MT_KEY_UPDATE)
        conn->key_updates++;
    else if (type == SSL3_MT_CERTIFICATE_REQUEST)
        conn->peer_asked = 1;
    else if (type == SSL3_MT_FINISHED && conn->late == CINCH_LATE_ASKED)
        conn->late = CINCH_LATE_FINISHED;
}

static void see_handshake(cinch_conn *conn, int sent, const unsigned char *bytes, size_t size)
{
    if (size >= 4 && conn->handshake_done && !sent)
        see_late(conn, bytes[0]);
    if (size < 4 || conn->opening == NULL)
        return;
    switch (bytes[0]) {
    case SSL3_MT_CLIENT_HELLO:
        keep_hello(&conn->link, conn->opening, bytes, size);
        break;
    case SSL3_MT_SERVER_HELLO:
        if (!sent)
            see_server_hello(conn->opening, bytes, size);
        break;
    case SSL3_MT_CERTIFICATE_REQUEST:
        if (!sent)
            conn->peer_asked = 1;
        break;
    default:
        break;
    }
    if (!sent && !conn->answered &&
        (bytes[0] == SSL3_MT_CLIENT_HELLO || bytes[0] == SSL3_MT_SERVER_HELLO)) {
        conn->answered = 1;
        conn->hello_at = cinch_clock_us();
    }
}

static void see(int sent, int version, int type, const void *bytes, size_t size, SSL *ssl,
                void *arg)
{
    cinch_conn *conn = arg;

    (void)ssl;
    if (type == SSL3_RT_ALERT)
        see_alert(conn, sent, bytes, size);
    else if (type == SSL3_RT_HANDSHAKE)
        see_handshake(conn, sent, bytes, size);
    if (conn->tap != NULL)
        cinch_tap_message(conn->tap, sent, type, bytes, size);
    if (conn->on_message != NULL)
        conn->on_message(sent, version, type, bytes, size, conn->on_message_arg);
}

void cinch_conn_watch(cinch_conn *conn)
{
    SSL_set_msg_callback(conn->ssl, see);
    SSL_set_msg_callback_arg(conn->ssl, conn);
}

cinch_status cinch_conn_messages(cinch_conn *conn, cinch_message_callback callback, void *arg,
                                 cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    conn->on_message = callback;
    conn->on_message_arg = arg;
    return CINCH_OK;
}
