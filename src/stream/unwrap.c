/* unwrap.c: back to a plain socket. */
#include "stream/stream.h"

#include "base/fail.h"
#include "conn/conn.h"

/* Nobody may go on reading behind a byte that was dropped: the connection is over. */
static cinch_status unread_data(cinch_stream *stream, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;

    cinch_fail(&local, CINCH_CAUSE_MISUSE,
               "the peer sent data that was not read before unwrapping");
    cinch_fail_remedy(&local, "read until the protocol has its answer, or until CINCH_EOF, before "
                              "cinch_stream_unwrap()");
    cinch_conn_fail_transport(stream->conn, &local);
    return cinch_fail_keep(err, &local);
}

static cinch_status wait_for_goodbye(cinch_stream *stream, cinch_error *err)
{
    unsigned char byte;
    size_t n = 0;
    cinch_waiting waiting = cinch_stream_waiting(stream->timeouts.read_ms,
                                                 "waiting for the peer's close_notify");
    cinch_status status = cinch_stream_take(stream, &byte, 1, &n, &waiting, err);

    if (status == CINCH_OK)
        return unread_data(stream, err);
    return status == CINCH_EOF ? CINCH_OK : status;
}

static cinch_status hand_back_rest(cinch_stream *stream, void *buf, size_t size, size_t *n,
                                   cinch_error *err)
{
    size_t pending = cinch_buffer_used(&stream->conn->in);

    if (pending > size) {
        cinch_fail(err, CINCH_CAUSE_MISUSE,
                   "%zu bytes were received after close_notify, and the buffer has room for %zu",
                   pending, size);
        cinch_fail_remedy(err, "call cinch_stream_unwrap() again with a larger buffer");
        return CINCH_FAILED;
    }
    if (size == 0)
        return CINCH_OK;
    return cinch_conn_rest(stream->conn, buf, size, n, err);
}

cinch_status cinch_stream_unwrap(cinch_stream *stream, void *buf, size_t size, size_t *n,
                                 cinch_error *err)
{
    size_t unused;

    if (n == NULL)
        n = &unused;
    *n = 0;
    cinch_status status = cinch_stream_enter(stream, err);
    if (status != CINCH_OK)
        return status;
    if (buf == NULL && size > 0)
        return cinch_fail_null(err, "buffer for what follows");
    if (cinch_conn_state_now(stream->conn) == CINCH_STATE_HANDSHAKING)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "there is no TLS to unwrap before the handshake");
    status = cinch_stream_say_goodbye(stream, err);
    if (status == CINCH_OK)
        status = wait_for_goodbye(stream, err);
    if (status == CINCH_OK)
        status = hand_back_rest(stream, buf, size, n, err);
    if (status != CINCH_OK)
        return status;
    stream->unwrapped = 1;
    stream->own = 0;
    return CINCH_OK;
}
