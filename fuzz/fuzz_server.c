/* What any client may say to a server. */
#include "conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_conn *conn = cinch_conn_new(contexts()->server, NULL, NULL);

    must(conn != NULL);
    feed(conn, data, size);
    cinch_conn_free(conn);
    return 0;
}
