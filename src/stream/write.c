/* write.c: writing, flushing, and the end of our side. */
#include "stream/stream.h"

#include "base/fail.h"
#include "conn/conn.h"

#include <poll.h>

/*
 * So much is protected and sent at a time: few calls to the system, and what is being worked on stays
 * in the processor's cache.
 */
#define PIECE ((size_t)64 * 1024)

/* What is left over by a little goes along. */
static size_t piece_of(const cinch_parts *parts)
{
    return parts->left <= PIECE + PIECE / 4 ? parts->left : PIECE;
}

/*
 * Writes a piece of PARTS and has the socket take it. *TAKEN counts what the conn took; CINCH_OK when
 * that is at least one byte (or none was left) and all has left.
 */
static cinch_status put_piece(cinch_stream *stream, cinch_parts *parts, size_t *taken,
                              cinch_error *err)
{
    cinch_waiting waiting = cinch_stream_waiting(stream->timeouts.write_ms, "sending data");

    for (;;) {
        cinch_status status =
            cinch_conn_write_parts(stream->conn, parts, piece_of(parts), taken, err);

        if (!cinch_goes_on(status)) {
            cinch_stream_say_last(stream);
            return status;
        }
        /* A record of which only a part has left cannot be taken back. */
        waiting.fatal = *taken > 0;
        cinch_status sent = cinch_stream_send_all(stream, &waiting, err);
        if (sent != CINCH_OK || status == CINCH_OK)
            return sent;
        if (status == CINCH_WANT_SIGNATURE) {
            sent = cinch_stream_await_signature(stream, &waiting, err);
            if (sent != CINCH_OK)
                return sent;
        } else if (status == CINCH_WANT_READ) {
            sent = cinch_stream_wait(stream, POLLIN, &waiting, err);
            if (sent == CINCH_OK)
                sent = cinch_stream_receive(stream, MSG_DONTWAIT, err);
            if (sent > CINCH_WANT_WRITE)
                return sent;
        }
    }
}

cinch_status cinch_stream_put(cinch_stream *stream, cinch_parts *parts, size_t *done,
                              cinch_error *err)
{
    *done = 0;
    while (parts->left > 0) {
        size_t taken = 0;
        cinch_status status = put_piece(stream, parts, &taken, err);

        if (status != CINCH_OK)
            return status;
        *done += taken;
        if (parts->left > 0 && cinch_deadline_passed(stream->deadline)) {
            cinch_waiting over = cinch_stream_waiting(0, "sending data");

            over.fatal = 1;
            return cinch_stream_timed_out(stream, &over, err);
        }
    }
    return CINCH_OK;
}

/*
 * CINCH_OK once the conn took something. What the socket does not take of that leaves later, and until
 * it has the conn is given nothing more: a peer that does not read costs one piece of memory.
 */
static cinch_status put_nonblocking(cinch_stream *stream, cinch_parts *parts, size_t *taken,
                                    cinch_error *err)
{
    int nothing = parts->left == 0;

    *taken = 0;
    for (;;) {
        size_t n = 0;
        cinch_status status = cinch_stream_send(stream, err);

        if (status > CINCH_WANT_WRITE)
            return status;
        if (*taken > 0 && (status == CINCH_WANT_WRITE || parts->left == 0))
            return CINCH_OK;
        if (status == CINCH_WANT_WRITE)
            return status;
        status = cinch_conn_write_parts(stream->conn, parts, piece_of(parts), &n, err);
        *taken += n;
        if (!cinch_goes_on(status)) {
            cinch_stream_say_last(stream);
            return status;
        }
        if (status == CINCH_OK && nothing)
            return CINCH_OK;
        if (status == CINCH_WANT_SIGNATURE)
            return *taken > 0 ? CINCH_OK : status;
        if (status == CINCH_WANT_READ) {
            status = cinch_stream_receive(stream, MSG_DONTWAIT, err);
            if (status != CINCH_OK)
                return status == CINCH_WANT_READ && *taken > 0 ? CINCH_OK : status;
        }
    }
}

/* One buffer as a list of parts, or the parts that are given. */
static cinch_status enter_to_write(cinch_stream *stream, const void *data, size_t size,
                                   cinch_parts *parts, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    *parts = cinch_parts_of(data, size);
    if (status == CINCH_OK && data == NULL && size > 0)
        status = cinch_fail_null(err, "data to write");
    return status;
}

static cinch_status enter_with_parts(cinch_stream *stream, const struct iovec *iov, int count,
                                     cinch_parts *parts, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    return status == CINCH_OK ? cinch_parts_take(parts, iov, count, err) : status;
}

static cinch_status write_some(cinch_stream *stream, cinch_parts *parts, size_t *n,
                               cinch_error *err)
{
    size_t taken = 0;
    cinch_status status = cinch_stream_ready(stream, err);

    if (status != CINCH_OK)
        return status;
    if (n == NULL && parts->left > 0)
        return cinch_fail_null(err, "place for the number of bytes written");
    if (stream->nonblocking)
        status = put_nonblocking(stream, parts, &taken, err);
    else
        status = put_piece(stream, parts, &taken, err);
    if (status == CINCH_OK && n != NULL)
        *n = taken;
    return status;
}

static cinch_status write_everything(cinch_stream *stream, cinch_parts *parts, const char *name,
                                     cinch_error *err)
{
    size_t done;

    if (stream->nonblocking)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%s() on a non-blocking stream", name);
    cinch_status status = cinch_stream_ready(stream, err);
    if (status != CINCH_OK)
        return status;
    if (parts->left == 0) /* so that a closed stream is told also when there is nothing to write */
        return cinch_conn_write(stream->conn, NULL, 0, &done, err);
    return cinch_stream_put(stream, parts, &done, err);
}

cinch_status cinch_stream_write(cinch_stream *stream, const void *data, size_t size, size_t *n,
                                cinch_error *err)
{
    cinch_parts parts;

    if (n != NULL)
        *n = 0;
    cinch_status status = enter_to_write(stream, data, size, &parts, err);
    return status == CINCH_OK ? write_some(stream, &parts, n, err) : status;
}

cinch_status cinch_stream_writev(cinch_stream *stream, const struct iovec *parts, int count,
                                 size_t *n, cinch_error *err)
{
    cinch_parts all;

    if (n != NULL)
        *n = 0;
    cinch_status status = enter_with_parts(stream, parts, count, &all, err);
    return status == CINCH_OK ? write_some(stream, &all, n, err) : status;
}

cinch_status cinch_stream_write_all(cinch_stream *stream, const void *data, size_t size,
                                    cinch_error *err)
{
    cinch_parts parts;
    cinch_status status = enter_to_write(stream, data, size, &parts, err);

    return status == CINCH_OK ? write_everything(stream, &parts, "cinch_stream_write_all", err)
                              : status;
}

cinch_status cinch_stream_writev_all(cinch_stream *stream, const struct iovec *parts, int count,
                                     cinch_error *err)
{
    cinch_parts all;
    cinch_status status = enter_with_parts(stream, parts, count, &all, err);

    return status == CINCH_OK ? write_everything(stream, &all, "cinch_stream_writev_all", err)
                              : status;
}

cinch_status cinch_stream_flush(cinch_stream *stream, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    if (status != CINCH_OK)
        return status;
    cinch_waiting waiting = cinch_stream_waiting(stream->timeouts.write_ms, "sending data");
    return cinch_stream_send_all(stream, &waiting, err);
}

cinch_status cinch_stream_say_goodbye(cinch_stream *stream, cinch_error *err)
{
    int answer = cinch_conn_state_now(stream->conn) == CINCH_STATE_PEER_CLOSED &&
                 cinch_stream_unsent(stream) == 0;
    cinch_status status = cinch_conn_close(stream->conn, err);

    if (status != CINCH_OK) {
        cinch_stream_say_last(stream);
        return status;
    }
    if (answer) {
        /* Many close their socket right after their close_notify and do not wait for ours. */
        cinch_stream_say_last(stream);
        if (stream->send_error != 0)
            return CINCH_OK;
    }
    cinch_waiting waiting = cinch_stream_waiting(stream->timeouts.write_ms, "sending close_notify");
    return cinch_stream_send_all(stream, &waiting, err);
}

cinch_status cinch_stream_close_write(cinch_stream *stream, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    if (status == CINCH_OK)
        status = cinch_stream_say_goodbye(stream, err);
    return status;
}
