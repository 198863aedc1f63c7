/* read.c: the handshake, and reading. */
#include "stream/stream.h"

#include "base/clock.h"
#include "base/fail.h"
#include "conn/conn.h"

#include <poll.h>
#include <sys/socket.h>

cinch_waiting cinch_stream_handshake_waiting(cinch_stream *stream)
{
    if (!stream->started) {
        stream->started = 1;
        stream->handshake_began = cinch_clock_us();
        stream->handshake_deadline = cinch_deadline_in(stream->timeouts.handshake_ms);
        /* The conn may be older: dialling made it before it looked for the address. */
        stream->conn->started_at = stream->handshake_began;
    }
    return (cinch_waiting){
        .since = stream->handshake_began,
        .deadline = cinch_deadline_first(stream->handshake_deadline, stream->deadline),
        .what = "doing the handshake",
        .fatal = 1,
    };
}

/*
 * One step of the handshake. CINCH_OK complete and sent; else what it waits for, in *EVENTS as far as
 * that is the socket.
 */
static cinch_status step(cinch_stream *stream, short *events, cinch_error *err)
{
    cinch_status status = cinch_conn_handshake(stream->conn, err);

    *events = 0;
    if (!cinch_goes_on(status)) {
        /* The alert tells the peer why; whether it gets there changes nothing here. */
        cinch_stream_say_last(stream);
        return status;
    }
    cinch_status sent = cinch_stream_send(stream, err);
    if (sent > CINCH_WANT_WRITE)
        return sent;
    if (status == CINCH_WANT_SIGNATURE || (status == CINCH_OK && sent == CINCH_OK))
        return status;
    if (sent == CINCH_WANT_WRITE)
        *events |= POLLOUT;
    if (status == CINCH_WANT_READ) {
        cinch_status got = cinch_stream_receive(stream, MSG_DONTWAIT, err);

        if (got != CINCH_WANT_READ) {
            *events = 0;
            return got == CINCH_OK ? CINCH_WANT_READ : got;
        }
        *events |= POLLIN;
    }
    return sent == CINCH_WANT_WRITE ? CINCH_WANT_WRITE : CINCH_WANT_READ;
}

cinch_status cinch_stream_ready(cinch_stream *stream, cinch_error *err)
{
    if (stream->started && cinch_conn_state_now(stream->conn) != CINCH_STATE_HANDSHAKING)
        return CINCH_OK;
    cinch_waiting waiting = cinch_stream_handshake_waiting(stream);

    for (;;) {
        short events;
        cinch_status status = step(stream, &events, err);

        if (status == CINCH_WANT_SIGNATURE && !stream->nonblocking) {
            status = cinch_stream_await_signature(stream, &waiting, err);
            if (status == CINCH_OK)
                continue;
        }
        if (status != CINCH_WANT_READ && status != CINCH_WANT_WRITE)
            return status;
        if (events == 0) {
            /* A peer that sends a byte now and then must not hold us up for ever. */
            if (cinch_deadline_passed(waiting.deadline))
                return cinch_stream_timed_out(stream, &waiting, err);
            continue;
        }
        if (stream->nonblocking)
            return status;
        status = cinch_stream_wait(stream, events, &waiting, err);
        if (status != CINCH_OK)
            return status;
    }
}

cinch_status cinch_stream_handshake(cinch_stream *stream, cinch_error *err)
{
    cinch_status status = cinch_stream_enter(stream, err);

    if (status == CINCH_OK)
        status = cinch_stream_ready(stream, err);
    if (status != CINCH_OK)
        return status;
    status = cinch_conn_handshake(stream->conn, err);
    if (status != CINCH_OK)
        return status;
    /* A non-blocking handshake is complete for the peer only when our last part has left. */
    cinch_waiting waiting = cinch_stream_handshake_waiting(stream);
    return cinch_stream_send_all(stream, &waiting, err);
}

/* The most receives that are not tried first. */
#define WAIT_FIRST_MOST 63

/*
 * Receives what is there, WAITED for or not; or waits itself if it may take FOREVER. Where the peer takes
 * its time, as with questions and answers, trying first costs a call to the system for nothing: so the
 * next times that is left out, and tried again later on.
 */
static cinch_status try_to_receive(cinch_stream *stream, int waited, int forever, cinch_error *err)
{
    if (stream->nonblocking || waited || forever)
        return cinch_stream_receive(stream, forever ? 0 : MSG_DONTWAIT, err);
    if (stream->wait_first > 0) {
        stream->wait_first--;
        return CINCH_WANT_READ;
    }
    cinch_status status = cinch_stream_receive(stream, MSG_DONTWAIT, err);
    if (status != CINCH_WANT_READ) {
        stream->wait_next = 0;
    } else {
        stream->wait_first = stream->wait_next;
        if (stream->wait_next < WAIT_FIRST_MOST)
            stream->wait_next = stream->wait_next * 2 + 1;
    }
    return status;
}

static int is_too_late(const cinch_stream *stream, cinch_waiting *waiting)
{
    cinch_stream_begin_waiting(stream, waiting);
    return cinch_deadline_passed(waiting->deadline);
}

cinch_status cinch_stream_take(cinch_stream *stream, void *buf, size_t size, size_t *n,
                               cinch_waiting *waiting, cinch_error *err)
{
    for (int waited = 0, received = 0;;) {
        short events = POLLIN;
        cinch_status status = cinch_conn_read(stream->conn, buf, size, n, err);

        /*
         * Answers to the peer's key updates, and alerts. They leave when the socket takes them, but
         * reading never waits for that, or two sides that both have much to say would wait for each
         * other; and what the peer has sent is read even if nothing can be sent to it any more.
         */
        cinch_stream_say_last(stream);
        if (status == CINCH_WANT_SIGNATURE && !stream->nonblocking) {
            status = cinch_stream_await_signature(stream, waiting, err);
            if (status == CINCH_OK)
                continue;
        }
        if (status != CINCH_WANT_READ && status != CINCH_WANT_WRITE)
            return status;
        size_t unsent = stream->send_error == 0 ? cinch_stream_unsent(stream) : 0;
        /*
         * Each key update asks for an answer (RFC 8446, 4.6.3). A peer that sends them without end
         * and reads no answer would have us fill our memory: it has to read first.
         */
        if (unsent > CINCH_OUT_HIGH)
            status = CINCH_WANT_WRITE;
        if (status == CINCH_WANT_READ) {
            int forever = !stream->nonblocking && unsent == 0 &&
                          waiting->limit_ms == CINCH_FOREVER && stream->deadline == CINCH_NEVER;

            /* Bits of a record that never ends must not hold us up for ever. */
            if (received && !stream->nonblocking && is_too_late(stream, waiting))
                return cinch_stream_timed_out(stream, waiting, err);
            status = try_to_receive(stream, waited, forever, err);
            waited = 0;
            if (status == CINCH_OK) {
                received = 1;
                continue;
            }
        }
        if (status > CINCH_WANT_WRITE || stream->nonblocking)
            return status;
        if (status == CINCH_WANT_WRITE)
            events = POLLOUT;
        else if (unsent > 0)
            events = POLLIN | POLLOUT;
        status = cinch_stream_wait(stream, events, waiting, err);
        if (status != CINCH_OK)
            return status;
        waited = 1;
    }
}

cinch_status cinch_stream_read(cinch_stream *stream, void *buf, size_t size, size_t *n,
                               cinch_error *err)
{
    size_t unused;

    if (n == NULL)
        n = &unused;
    *n = 0;
    cinch_status status = cinch_stream_enter(stream, err);
    if (status == CINCH_OK)
        status = cinch_stream_ready(stream, err);
    if (status != CINCH_OK)
        return status;
    cinch_waiting waiting =
        cinch_stream_waiting(stream->timeouts.read_ms, "waiting for data");
    return cinch_stream_take(stream, buf, size, n, &waiting, err);
}
