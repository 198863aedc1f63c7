/* late.c: what binding.h has for a connection that is open, with the socket. */
#include "stream/stream.h"

#include "base/fail.h"

#include <cinch/binding.h>

/* STATUS is what the conn said; its message goes out at once, or with the next call. */
static cinch_status send_now(cinch_stream *stream, cinch_status status, cinch_error *err)
{
    if (status != CINCH_OK) {
        cinch_stream_say_last(stream);
        return status;
    }
    if (stream->nonblocking) {
        status = cinch_stream_send(stream, err);
        return status == CINCH_WANT_WRITE ? CINCH_OK : status;
    }
    cinch_waiting waiting = cinch_stream_waiting(stream->timeouts.write_ms, "sending data");
    return cinch_stream_send_all(stream, &waiting, err);
}

cinch_status cinch_stream_key_update(cinch_stream *stream, int request, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    if (status != CINCH_OK)
        return status;
    return send_now(stream, cinch_conn_key_update(stream->conn, request, err), err);
}

cinch_status cinch_stream_ask_certificate(cinch_stream *stream, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    if (status != CINCH_OK)
        return status;
    return send_now(stream, cinch_conn_ask_certificate(stream->conn, err), err);
}
