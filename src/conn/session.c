/* session.c: the session of one connection. */
#include "base/fail.h"
#include "conn/conn.h"
#include "context/resume.h"

#include <openssl/err.h>
#include <string.h>

static cinch_status check_begun(const cinch_conn *conn, cinch_error *err)
{
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if (conn->link.derived->settings->is_server)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "this is for a client's connection only");
    if (conn->begun)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the handshake has begun: it is too late to choose a session");
    return CINCH_OK;
}

cinch_status cinch_conn_session_port(cinch_conn *conn, int port, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = check_begun(conn, err);
    if (status != CINCH_OK)
        return status;
    if (port < 0 || port > 65535)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%d is not a port: 0 to 65535", port);
    return cinch_resume_key(&conn->link, "", port, err);
}

cinch_session *cinch_conn_session(cinch_conn *conn, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (conn == NULL) {
        (void)cinch_fail_null(err, "connection");
        return NULL;
    }
    if (!conn->link.open || conn->link.fresh == NULL)
        return NULL;
    return cinch_session_ref(conn->link.fresh);
}

cinch_status cinch_conn_resume(cinch_conn *conn, cinch_session *session, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = check_begun(conn, err);
    if (status != CINCH_OK)
        return status;
    if (session == NULL)
        return cinch_fail_null(err, "session");
    if (!conn->link.derived->settings->resumption)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "resumption is turned off in this context");
    if (memcmp(session->settings, conn->link.derived->digest, 32) != 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the session was made under other settings than these");
    if (memcmp(session->key, conn->link.session_key, 32) != 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the session was made with another host, port or name");
    cinch_session_free(conn->link.offered);
    conn->link.offered = cinch_session_ref(session);
    return CINCH_OK;
}
