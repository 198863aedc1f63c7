/* data.c: the handshake, what the two sides write to each other, and the end. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "conn/step.h"
#include "context/extras.h"
#include "context/psk.h"
#include "context/resume.h"
#include "context/revocation.h"

#include <limits.h>
#include <string.h>

cinch_status cinch_conn_check(cinch_conn *conn, cinch_error *local)
{
    const cinch_settings *settings = conn->link.derived->settings;
    const X509 *theirs = SSL_get0_peer_certificate(conn->ssl);
    const unsigned char *alpn;
    unsigned alpn_size;
    int must = settings->is_server ? settings->client_auth == CINCH_CLIENT_AUTH_REQUIRED
                                   : !settings->skip_verification;

    /* A resumed session stands for the checks that were made when it began. */
    int secret = cinch_psk_proved(&conn->link, conn->ssl);
    int resumed = SSL_session_reused(conn->ssl) == 1 && !secret;
    if (resumed && !(settings->is_server ? cinch_resume_accept_server(&conn->link, conn->ssl)
                                         : cinch_resume_accept(&conn->link, conn->ssl)))
        return cinch_fail(local, CINCH_CAUSE_INTERNAL,
                          "a session was resumed that does not belong to these settings");
    if (secret ? theirs != NULL : cinch_psk_only(settings))
        return cinch_fail(local, CINCH_CAUSE_INTERNAL,
                          "the handshake ended without the pre-shared key having been proved");
    if (!secret)
        conn->link.psk_identity = NULL;
    if (!secret && (must || (settings->is_server && theirs != NULL)) &&
        (!conn->link.verified || theirs == NULL || SSL_get_verify_result(conn->ssl) != X509_V_OK))
        return cinch_fail(local, CINCH_CAUSE_INTERNAL,
                          "the handshake ended without the peer having been verified");
    if (!settings->is_server && !resumed && theirs != NULL && !cinch_revocation_passed(&conn->link))
        return cinch_fail(local, CINCH_CAUSE_INTERNAL,
                          "the handshake ended without the OCSP response having been checked");
    if (settings->is_server && theirs == NULL)
        conn->link.verified = 0;
    if (secret) {
        conn->link.verified = 1;
        conn->link.verified_at = cinch_clock_us();
    }
    if (settings->is_server && cinch_npn_check(settings, conn->ssl, local) != CINCH_OK)
        return CINCH_FAILED;
    SSL_get0_alpn_selected(conn->ssl, &alpn, &alpn_size);
    if (settings->alpn != NULL && settings->alpn_rule == CINCH_ALPN_REQUIRED && alpn_size == 0) {
        char ours[256];

        (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_ALPN,
                         "the server does not agree on an application protocol (ALPN)");
        cinch_fail_evidence(
            local, "this side speaks: %s",
            cinch_alpn_text(settings->alpn, settings->alpn_size, ours, sizeof ours));
        return CINCH_FAILED;
    }
    return CINCH_OK;
}

static void keep_server_name(cinch_conn *conn)
{
    const char *name = conn->link.derived->settings->is_server
                           ? conn->link.asked
                           : SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);
    size_t size = name == NULL ? 0 : strlen(name);

    if (size < sizeof conn->server_name && size > 0)
        memcpy(conn->server_name, name, size + 1);
}

/*
 * Whether libssl waits for bytes of the peer. Where memory ran out without a word in the error queue it
 * says so as well, but has told the peer already that it gave up.
 */
static int waits(const cinch_conn *conn, int reason)
{
    return reason == SSL_ERROR_WANT_READ && !conn->lost_bytes && conn->alert_sent == 0;
}

static cinch_status take_step(cinch_conn *conn, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;

    if (!conn->begun) {
        conn->begun = 1;
        if (!conn->link.derived->settings->is_server)
            cinch_resume_offer(&conn->link, conn->ssl);
    }
    int result = cinch_step_handshake(conn, &local);
    if (result == CINCH_STEP_WAITS)
        return CINCH_WANT_SIGNATURE;
    conn->link.report = &local;
    int open = result == 1 && cinch_conn_check(conn, &local) == CINCH_OK;
    conn->link.report = NULL;
    if (open) {
        conn->finished_at = cinch_clock_us();
        conn->state = CINCH_STATE_OPEN;
        conn->handshake_done = 1;
        keep_server_name(conn);
        cinch_resume_commit(&conn->link);
        cinch_conn_opened(conn);
        cinch_openssl_clear();
        return CINCH_OK;
    }
    if (result != 1) {
        int reason = SSL_get_error(conn->ssl, result);

        if (waits(conn, reason) && !cinch_error_is_set(&local))
            return CINCH_WANT_READ;
        cinch_conn_explain(conn, reason, &local);
    }
    return cinch_conn_fail(conn, &local, err);
}

/* One step of the handshake, if it is not complete. CINCH_OK once the state is OPEN. ERR is clear. */
static cinch_status advance(cinch_conn *conn, cinch_error *err)
{
    return conn->state != CINCH_STATE_HANDSHAKING ? CINCH_OK : take_step(conn, err);
}

/* Common to all the calls below: 1 if CONN may be used. Room that was lent before is gone then. */
static int usable(cinch_conn *conn, cinch_error *err, cinch_status *status)
{
    *status = CINCH_FAILED;
    if (!cinch_enter_plain(err))
        return 0;
    if (conn != NULL)
        conn->lent = 0;
    if (conn == NULL)
        *status = cinch_fail_null(err, "connection");
    else if (conn->state == CINCH_STATE_FAILED)
        *status = cinch_conn_failed_before(conn, err);
    else
        return 1;
    return 0;
}

static int we_closed(const cinch_conn *conn)
{
    return conn->state == CINCH_STATE_CLOSE_SENT || conn->state == CINCH_STATE_CLOSED;
}

cinch_status cinch_conn_handshake(cinch_conn *conn, cinch_error *err)
{
    cinch_status status;

    if (!usable(conn, err, &status))
        return status;
    if (we_closed(conn))
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a handshake was asked for after close");
    return advance(conn, err);
}

static void see_close(cinch_conn *conn)
{
    conn->state =
        conn->state == CINCH_STATE_CLOSE_SENT ? CINCH_STATE_CLOSED : CINCH_STATE_PEER_CLOSED;
}

/* Whether there is nothing that libssl could read, or do. Its asking for more costs as much as a record. */
static int nothing_to_read(const cinch_conn *conn)
{
    return cinch_buffer_used(&conn->in) == 0 && !conn->recv_ended && !conn->lost_bytes &&
           conn->alert_sent == 0 && conn->late != CINCH_LATE_FINISHED && conn->turn.fiber == NULL &&
           !SSL_in_init(conn->ssl) && !SSL_has_pending(conn->ssl);
}

/* One record's data. *N > 0 with CINCH_OK. */
static cinch_status read_once(cinch_conn *conn, void *buf, size_t size, size_t *n, cinch_error *err)
{
    cinch_error local;

    cinch_error_begin(&local);
    int result = cinch_step_read(conn, buf, size, n, &local);
    if (result == CINCH_STEP_WAITS) {
        *n = 0;
        return CINCH_WANT_SIGNATURE;
    }
    int reason = SSL_get_error(conn->ssl, result);
    if (result == 1 || waits(conn, reason)) {
        if (cinch_conn_look_after(conn, result == 1, &local) == CINCH_OK)
            return result == 1 ? CINCH_OK : CINCH_WANT_READ;
        *n = 0;
        return cinch_conn_fail(conn, &local, err);
    }
    *n = 0;
    if (reason == SSL_ERROR_ZERO_RETURN && !conn->lost_bytes) {
        see_close(conn);
        return CINCH_EOF;
    }
    cinch_conn_explain(conn, reason, &local);
    return cinch_conn_fail(conn, &local, err);
}

cinch_status cinch_conn_read(cinch_conn *conn, void *buf, size_t size, size_t *n, cinch_error *err)
{
    cinch_status status;

    if (n != NULL)
        *n = 0;
    if (!usable(conn, err, &status))
        return status;
    if (buf == NULL || n == NULL)
        return cinch_fail_null(err, "buffer to read into");
    if (size == 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a read into a buffer of 0 bytes");
    if (conn->state == CINCH_STATE_PEER_CLOSED || conn->state == CINCH_STATE_CLOSED)
        return CINCH_EOF;
    if (conn->state != CINCH_STATE_HANDSHAKING && nothing_to_read(conn))
        return CINCH_WANT_READ;
    status = advance(conn, err);
    while (status == CINCH_OK && *n < size && (*n == 0 || !nothing_to_read(conn))) {
        size_t part = 0;

        /* Once there is data, what comes after it is told by the next call: end, fault or nothing. */
        status = read_once(conn, (char *)buf + *n, size - *n, &part, *n == 0 ? err : NULL);
        *n += part;
    }
    cinch_buffer_idle(&conn->in);
    cinch_openssl_clear();
    return *n > 0 ? CINCH_OK : status;
}

static cinch_status write_once(cinch_conn *conn, const void *data, size_t size, size_t *n,
                               cinch_error *err)
{
    cinch_error local;

    cinch_error_begin(&local);
    int result = cinch_step_write(conn, data, size, n, &local);
    if (result == CINCH_STEP_WAITS) {
        *n = 0;
        return CINCH_WANT_SIGNATURE;
    }
    int reason = SSL_get_error(conn->ssl, result);
    /*
     * The buffer takes everything, so all that a write could wait for is the rest of a message that
     * the peer has begun.
     */
    if (result == 1 || waits(conn, reason)) {
        if (cinch_conn_look_after(conn, 0, &local) == CINCH_OK)
            return result == 1 ? CINCH_OK : CINCH_WANT_READ;
        *n = 0;
        return cinch_conn_fail(conn, &local, err);
    }
    *n = 0;
    cinch_conn_explain(conn, reason, &local);
    return cinch_conn_fail(conn, &local, err);
}

/* For all that will be put out at once, so that it need not be moved as it grows. */
static void make_room(cinch_conn *conn, size_t size)
{
    size_t used = cinch_buffer_used(&conn->out),
           left = used < CINCH_OUT_HIGH ? CINCH_OUT_HIGH - used : 0, room;

    /* Each record has up to 29 bytes around it, and the shortest of several is 512 bytes long. */
    if (size > left)
        size = left;
    (void)cinch_buffer_space(&conn->out, size + size / 16 + 64, &room);
}

cinch_status cinch_conn_write(cinch_conn *conn, const void *data, size_t size, size_t *n,
                              cinch_error *err)
{
    cinch_status status;

    if (n != NULL)
        *n = 0;
    if (!usable(conn, err, &status))
        return status;
    if (n == NULL || (data == NULL && size > 0))
        return cinch_fail_null(err, "data to write");
    if (we_closed(conn))
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a write after close");
    status = advance(conn, err);
    if (status == CINCH_OK && size > 0)
        cinch_resume_give(&conn->link, conn->ssl);
    if (status == CINCH_OK)
        make_room(conn, size);
    while (status == CINCH_OK && *n < size) {
        size_t left = size - *n, part = 0;

        if (cinch_buffer_used(&conn->out) >= CINCH_OUT_HIGH) {
            status = CINCH_WANT_WRITE;
            break;
        }
        const cinch_settings *settings = conn->link.derived->settings;
        int64_t now = settings->quick_start ? cinch_clock_us() : 0;
        size_t most =
            cinch_pace_next(&conn->pace, (size_t)settings->record_size, settings->quick_start, now);
        status = write_once(conn, (const char *)data + *n, left < most ? left : most, &part,
                            *n == 0 ? err : NULL);
        if (settings->quick_start)
            cinch_pace_sent(&conn->pace, part, now);
        *n += part;
    }
    cinch_openssl_clear();
    return *n > 0 ? CINCH_OK : status;
}

cinch_status cinch_conn_close(cinch_conn *conn, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    cinch_status status;

    if (!usable(conn, err, &status))
        return status;
    if (we_closed(conn))
        return CINCH_OK;
    if (conn->state == CINCH_STATE_HANDSHAKING) {
        (void)cinch_fail(&local, CINCH_CAUSE_CLOSED_IN_HANDSHAKE,
                         "this side gave the connection up during the handshake, %s",
                         cinch_conn_phase(conn));
        (void)cinch_conn_fail(conn, &local, NULL);
        return CINCH_OK;
    }
    if (cinch_step_waits(conn)) {
        (void)cinch_fail(&local, CINCH_CAUSE_SIGNER,
                         "this side gave the connection up before it had the signature of its "
                         "certificate");
        return cinch_conn_fail(conn, &local, err);
    }
    int result = cinch_step_shutdown(conn, &local);
    if (result < 0) {
        int reason = SSL_get_error(conn->ssl, result);

        if (conn->lost_bytes || (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)) {
            cinch_conn_explain(conn, reason, &local);
            return cinch_conn_fail(conn, &local, err);
        }
    }
    conn->state =
        conn->state == CINCH_STATE_PEER_CLOSED ? CINCH_STATE_CLOSED : CINCH_STATE_CLOSE_SENT;
    cinch_openssl_clear();
    return CINCH_OK;
}
