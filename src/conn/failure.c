/* failure.c: a failed connection stays failed, and can say why again and again. */
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "conn/step.h"
#include "context/resume.h"

cinch_status cinch_conn_fail(cinch_conn *conn, const cinch_error *local, cinch_error *err)
{
    if (conn->state != CINCH_STATE_FAILED) {
        conn->state = CINCH_STATE_FAILED;
        conn->link.verified = 0;
        /* A cut is no sign that something is wrong with the session; all else is. */
        if (local->cause != CINCH_CAUSE_TRUNCATED && local->category != CINCH_CATEGORY_TIMEOUT)
            cinch_resume_forget(&conn->link);
        conn->failed_cause = local->cause;
        conn->failure = cinch_copy_bytes(local, sizeof *local);
        cinch_step_give_up(conn);
        /* What TLS does not look at any more passed by all the same. */
        if (conn->tap != NULL && cinch_buffer_used(&conn->in) > 0)
            cinch_tap_bytes(conn->tap, 0, cinch_buffer_bytes(&conn->in),
                            cinch_buffer_used(&conn->in));
        if (conn->tap != NULL && (conn->recv_ended || local->cause == CINCH_CAUSE_NOT_TLS))
            cinch_tap_end(conn->tap);
        cinch_buffer_free(&conn->in);
        conn->lent = 0;
    }
    cinch_openssl_clear();
    return cinch_fail_keep(err, local);
}

cinch_status cinch_conn_failed_before(const cinch_conn *conn, cinch_error *err)
{
    if (conn->failure != NULL)
        return cinch_fail_keep(err, conn->failure);
    return cinch_fail(err, conn->failed_cause,
                      "the connection failed before, and there was no memory to keep the reason");
}

void cinch_conn_fail_transport(cinch_conn *conn, const cinch_error *why)
{
    if (conn != NULL)
        (void)cinch_conn_fail(conn, why, NULL);
}

const char *cinch_conn_phase(const cinch_conn *conn)
{
    if (conn == NULL || conn->state == CINCH_STATE_FAILED)
        return "after a failure";
    int server = conn->link.derived->settings->is_server;
    if (cinch_step_waits(conn))
        return "waiting for the signature of our certificate";
    if (conn->state != CINCH_STATE_HANDSHAKING)
        return "with the connection open";
    if (!conn->answered)
        return server ? "waiting for the client's hello" : "waiting for the server's hello";
    if (!server && conn->link.verified_at == 0)
        return "waiting for the server's certificate";
    return server ? "waiting for the client's Finished" : "waiting for the server's Finished";
}

int cinch_conn_await_signature(const cinch_conn *conn, int64_t deadline)
{
    return !cinch_step_waits(conn) || cinch_request_wait(conn->turn.asks, deadline);
}
