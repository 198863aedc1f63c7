/* Sessions as bytes: what is taken in can be written out again, and is the same then. */
#include "conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_session *session = cinch_session_import(data, size, &err);

    must((session == NULL) == cinch_error_is_set(&err));
    must(ERR_peek_error() == 0);
    if (session == NULL)
        return 0;
    size_t n = 0, again = 0;
    must(cinch_session_export(session, NULL, 0, &n, NULL) == CINCH_OK);
    unsigned char *bytes = malloc(n);
    must(cinch_session_export(session, bytes, n, &again, NULL) == CINCH_OK && again == n);
    cinch_session *second = cinch_session_import(bytes, n, NULL);
    must(second != NULL);
    cinch_session_free(second);
    free(bytes);

    /* Made elsewhere, it belongs to no connection here. */
    cinch_conn *conn = cinch_conn_new(contexts()->client, "localhost", NULL);
    must(conn != NULL && cinch_conn_resume(conn, session, NULL) == CINCH_FAILED);
    cinch_conn_free(conn);
    cinch_session_free(session);
    return 0;
}
