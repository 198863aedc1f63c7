/* What any server, or anybody who poses as one, may say to a client. */
#include "conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_conn *conn = cinch_conn_new(contexts()->client, "localhost", NULL);

    must(conn != NULL);
    must(cinch_conn_handshake(conn, &err) == CINCH_WANT_READ);
    drop_sent(conn);
    feed(conn, data, size);
    cinch_conn_free(conn);
    return 0;
}
