#include "conn/step.h"

#include "base/fail.h"
#include "base/openssl.h"

/* The RESULT of a call of libssl, unless something that it had to send got lost on the way. */
static int whole(const cinch_conn *conn, int result, cinch_error *local)
{
    if (!conn->lost_bytes)
        return result;
    (void)cinch_fail_memory(local, "sending");
    return -1;
}

/*
 * From here to leave() callbacks know where to explain what they do; and what is found in the error queue
 * afterwards belongs to this step.
 */
static cinch_signer_turn *enter(cinch_conn *conn, cinch_error *local)
{
    cinch_openssl_clear();
    conn->link.report = local;
    conn->turn.report = local;
    return cinch_signer_enter(&conn->turn);
}

static void leave(cinch_conn *conn, cinch_signer_turn *outer)
{
    (void)cinch_signer_enter(outer);
    conn->link.report = NULL;
    conn->turn.report = NULL;
}

/* ---- on a fiber ---- */

/* Contexts that other names lead to are known only when the client has said its name. */
static int may_wait(const cinch_conn *conn)
{
    const cinch_settings *settings = conn->link.derived->settings;

    if (!cinch_signers_later())
        return 0;
    return (settings->identity != NULL && settings->identity->signs_later) ||
           settings->hosts != NULL || settings->choose != NULL;
}

/* An open connection signs nothing but the answer of a client that is asked for its certificate. */
static int may_wait_open(const cinch_conn *conn)
{
    const cinch_settings *settings = conn->link.derived->settings;

    return !settings->is_server && settings->late_certificate && may_wait(conn);
}

static void work(void *arg)
{
    cinch_conn *conn = arg;
    unsigned char byte;
    size_t n;

    conn->work_result = conn->work == CINCH_WORK_LOOK ? SSL_peek_ex(conn->ssl, &byte, 1, &n)
                                                      : SSL_do_handshake(conn->ssl);
}

int cinch_step_waits(const cinch_conn *conn)
{
    return conn->turn.asks != NULL;
}

/* Lets the fiber go on until its work is done, or until it waits for what is not there. */
static int go_on(cinch_conn *conn, cinch_error *local)
{
    cinch_signer_turn *outer = enter(conn, local);
    int paused = 1;

    while (!cinch_step_waits(conn) || cinch_request_answered(conn->turn.asks)) {
        cinch_openssl_clear();
        paused = cinch_fiber_go(conn->turn.fiber);
        if (!paused) {
            conn->turn.fiber = NULL;
            break;
        }
        cinch_openssl_clear();
        /* What has failed already signs nothing. Callbacks have the thread's own stack. */
        if (cinch_error_is_set(local))
            cinch_signature_refuse(conn->turn.asks, NULL);
        else
            cinch_request_put(conn->turn.asks);
        cinch_openssl_clear();
        (void)cinch_signer_enter(&conn->turn);
    }
    leave(conn, outer);
    return paused ? CINCH_STEP_WAITS : whole(conn, conn->work_result, local);
}

static int on_fiber(cinch_conn *conn, cinch_work wanted, cinch_error *local)
{
    /* A read that waits may be followed by a write, and the other way round. */
    if (conn->turn.fiber != NULL && conn->work != wanted) {
        int result = go_on(conn, local);

        if (result == CINCH_STEP_WAITS ||
            (result != 1 && SSL_get_error(conn->ssl, result) != SSL_ERROR_WANT_READ))
            return result;
    }
    if (conn->turn.fiber == NULL) {
        conn->turn.fiber = cinch_fiber_new(work, conn);
        conn->work = wanted;
    }
    if (conn->turn.fiber == NULL) {
        (void)cinch_fail_memory(local, "making a stack for a handshake");
        return -1;
    }
    return go_on(conn, local);
}

void cinch_step_give_up(cinch_conn *conn)
{
    if (!cinch_step_waits(conn))
        return;
    /* Without an answer the signature fails, and the handshake with it. */
    cinch_signer_turn *outer = enter(conn, NULL);
    cinch_openssl_clear();
    while (cinch_fiber_go(conn->turn.fiber))
        ;
    conn->turn.fiber = NULL;
    leave(conn, outer);
    cinch_openssl_clear();
}

/* ---- the steps ---- */

int cinch_step_handshake(cinch_conn *conn, cinch_error *local)
{
    if (conn->turn.fiber != NULL || (conn->handshake_done ? may_wait_open(conn) : may_wait(conn)))
        return on_fiber(conn, CINCH_WORK_HANDSHAKE, local);
    cinch_signer_turn *outer = enter(conn, local);
    int result = whole(conn, SSL_do_handshake(conn->ssl), local);

    leave(conn, outer);
    return result;
}

int cinch_step_read(cinch_conn *conn, void *buf, size_t size, size_t *n, cinch_error *local)
{
    if (may_wait_open(conn)) {
        int result = on_fiber(conn, CINCH_WORK_LOOK, local);

        if (result != 1)
            return result;
    }
    cinch_signer_turn *outer = enter(conn, local);
    int result = whole(conn, SSL_read_ex(conn->ssl, buf, size, n), local);

    leave(conn, outer);
    return result;
}

int cinch_step_write(cinch_conn *conn, const void *data, size_t size, size_t *n, cinch_error *local)
{
    /* It would first go on with what the peer has begun. */
    if (may_wait_open(conn) && (conn->turn.fiber != NULL || SSL_in_init(conn->ssl))) {
        int result = on_fiber(conn, CINCH_WORK_HANDSHAKE, local);

        if (result != 1)
            return result;
    }
    cinch_signer_turn *outer = enter(conn, local);
    int result = whole(conn, SSL_write_ex(conn->ssl, data, size, n), local);

    leave(conn, outer);
    return result;
}

int cinch_step_shutdown(cinch_conn *conn, cinch_error *local)
{
    cinch_signer_turn *outer = enter(conn, local);
    int result = whole(conn, SSL_shutdown(conn->ssl), local);

    leave(conn, outer);
    return result;
}
