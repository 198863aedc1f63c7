/* io.c: bytes between the conn's buffers and the socket, and what to say when that fails. */
#include "stream/stream.h"

#include "base/clock.h"
#include "base/fail.h"
#include "conn/conn.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>

static int in_handshake(const cinch_stream *stream)
{
    return cinch_conn_state_now(stream->conn) == CINCH_STATE_HANDSHAKING;
}

/* Where the connection was when something happened to it. */
static const char *phase(const cinch_stream *stream, const char *otherwise)
{
    if (in_handshake(stream))
        return cinch_conn_phase(stream->conn);
    return otherwise;
}

static void add_address(const cinch_stream *stream, cinch_error *err)
{
    if (stream->address[0] != 0)
        cinch_fail_evidence(err, "connected to %s", stream->address);
}

static const char *line_end(const cinch_error *err)
{
    return err->evidence[0] != 0 ? "\n" : "";
}

/* One recv() into the conn. The count, 0 at the end, -1 with errno; EAGAIN if nothing is there. */
static ssize_t receive_once(cinch_stream *stream, void *space, size_t size, int flags)
{
    ssize_t got;

    do
        got = recv(stream->fd, space, size, flags);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The transport died. While data is being read, that is as good as an end without close_notify. */
static cinch_status transport_broke(cinch_stream *stream, int number, const char *doing,
                                    int receiving, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    char text[128];

    if (number == ECONNRESET || number == EPIPE || number == ECONNABORTED)
        cinch_fail(&local, CINCH_CAUSE_RESET, "the connection was reset by the peer while %s",
                   doing);
    else
        cinch_fail(&local, CINCH_CAUSE_NETWORK, "the connection broke while %s: %s", doing,
                   cinch_system_text(number, text, sizeof text));
    add_address(stream, &local);
    cinch_fail_system(&local, number);
    if (receiving && !in_handshake(stream))
        local.status = CINCH_TRUNCATED;
    cinch_conn_fail_transport(stream->conn, &local);
    return cinch_fail_keep(err, &local);
}

cinch_status cinch_stream_receive(cinch_stream *stream, int flags, cinch_error *err)
{
    void *space = NULL;
    size_t size = 0;
    cinch_status status = cinch_conn_recv_space(stream->conn, &space, &size, err);

    if (status != CINCH_OK)
        return status;
    if (size == 0)
        return cinch_fail(err, CINCH_CAUSE_INTERNAL,
                          "the connection wants more bytes and has no room for them");
    ssize_t got = receive_once(stream, space, size, flags);
    if (got > 0)
        return cinch_conn_recv_commit(stream->conn, (size_t)got, err);
    if (got == 0 && stream->send_error == 0)
        return cinch_conn_recv_end(stream->conn, err);
    /* After a failed send the system reports a reset as an orderly end. */
    int number = got == 0 ? stream->send_error : errno;
    if (number == EAGAIN)
        return CINCH_WANT_READ;
    return transport_broke(stream, number, phase(stream, "waiting for data"), 1, err);
}

/* Takes what the peer had sent before it hung up into the conn, as far as there is room. 1 or 0. */
static int take_last_words(cinch_stream *stream)
{
    void *space = NULL;
    size_t size = 0;
    int something = 0;

    while (cinch_conn_recv_space(stream->conn, &space, &size, NULL) == CINCH_OK && size > 0) {
        ssize_t got = receive_once(stream, space, size, MSG_DONTWAIT);

        if (got <= 0 || cinch_conn_recv_commit(stream->conn, (size_t)got, NULL) != CINCH_OK)
            break;
        something = 1;
    }
    return something;
}

/*
 * Looks for an alert among the peer's last words, behind data that nobody will read any more: the
 * write that failed ends the connection. CINCH_FAILED if there was one and ERR says what it means.
 */
static cinch_status listen_to_last_words(cinch_stream *stream, size_t *unread, cinch_error *err)
{
    unsigned char scratch[2048];
    cinch_status status = CINCH_WANT_READ;
    int something = 1;

    /* A peer that goes on sending after its reset is not listened to for ever. */
    for (int rounds = 0; rounds < 64 && something && status <= CINCH_WANT_READ; rounds++) {
        size_t n = 0;

        something = take_last_words(stream);
        if (in_handshake(stream)) {
            status = cinch_conn_handshake(stream->conn, err);
            continue;
        }
        do {
            status = cinch_conn_read(stream->conn, scratch, sizeof scratch, &n, err);
            *unread += n;
        } while (status == CINCH_OK);
    }
    OPENSSL_cleanse(scratch, sizeof scratch);
    /* Nobody can answer the peer any more: what a signature would come too late for. */
    return status == CINCH_WANT_SIGNATURE ? CINCH_WANT_READ : status;
}

cinch_status cinch_stream_send_broke(cinch_stream *stream, int number, cinch_error *err)
{
    const char *doing = phase(stream, "sending data");
    size_t unread = 0;

    stream->send_error = number;
    cinch_status status = listen_to_last_words(stream, &unread, err);
    if (status >= CINCH_TRUNCATED)
        return status;

    cinch_error local = CINCH_ERROR_INIT;
    cinch_status broke = transport_broke(stream, number, doing, 0, &local);
    if (unread > 0)
        cinch_fail_evidence(&local, "%sthe peer had sent %zu bytes that were not read",
                            line_end(&local), unread);
    if (status == CINCH_EOF)
        cinch_fail_evidence(&local, "%sthe peer had ended its side before, with close_notify",
                            line_end(&local));
    (void)cinch_fail_keep(err, &local);
    return broke;
}

/* Sends once. CINCH_OK: goes on; *LEFT is 0 when nothing was left. Or CINCH_WANT_WRITE, or errno. */
static cinch_status send_once(cinch_stream *stream, size_t *left, int *number)
{
    const void *bytes = NULL;
    ssize_t sent;

    *number = 0;
    cinch_status status = cinch_conn_send_bytes(stream->conn, &bytes, left, NULL);
    if (status != CINCH_OK || *left == 0)
        return status;
    if (stream->send_error != 0) {
        *number = stream->send_error;
        return CINCH_FAILED;
    }
    do
        sent = send(stream->fd, bytes, *left, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return cinch_conn_send_consume(stream->conn, (size_t)sent, NULL);
    if (errno == EAGAIN)
        return CINCH_WANT_WRITE;
    *number = errno;
    return CINCH_FAILED;
}

cinch_status cinch_stream_send(cinch_stream *stream, cinch_error *err)
{
    size_t left = 0;
    int number;

    for (;;) {
        cinch_status status = send_once(stream, &left, &number);

        if (number != 0)
            return cinch_stream_send_broke(stream, number, err);
        if (status != CINCH_OK && status != CINCH_WANT_WRITE)
            return cinch_fail(err, CINCH_CAUSE_INTERNAL, "the bytes to send cannot be had");
        if (status == CINCH_WANT_WRITE || left == 0)
            return status;
    }
}

size_t cinch_stream_unsent(cinch_stream *stream)
{
    const void *bytes = NULL;
    size_t size = 0;

    return cinch_conn_send_bytes(stream->conn, &bytes, &size, NULL) == CINCH_OK ? size : 0;
}

void cinch_stream_say_last(cinch_stream *stream)
{
    size_t left = 0;
    int number;

    while (send_once(stream, &left, &number) == CINCH_OK && left > 0)
        ;
    if (number != 0)
        stream->send_error = number;
}

cinch_waiting cinch_stream_waiting(int limit_ms, const char *what)
{
    return (cinch_waiting){.limit_ms = limit_ms, .what = what};
}

void cinch_stream_begin_waiting(const cinch_stream *stream, cinch_waiting *waiting)
{
    if (waiting->since != 0)
        return;
    waiting->since = cinch_clock_us();
    waiting->deadline = cinch_deadline_first(
        cinch_deadline_after(waiting->since, waiting->limit_ms), stream->deadline);
}

cinch_status cinch_stream_timed_out(cinch_stream *stream, cinch_waiting *waiting, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    char how_long[CINCH_DURATION_TEXT];
    int handshake = in_handshake(stream);

    cinch_stream_begin_waiting(stream, waiting);
    cinch_fail(&local, CINCH_CAUSE_TIMEOUT, "timed out while %s, after %s",
               phase(stream, waiting->what),
               cinch_duration_text(cinch_clock_us() - waiting->since, how_long));
    add_address(stream, &local);
    if (waiting->fatal || handshake)
        cinch_conn_fail_transport(stream->conn, &local);
    return cinch_fail_keep(err, &local);
}

cinch_status cinch_stream_too_late(cinch_stream *stream, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;

    cinch_fail(&local, CINCH_CAUSE_TIMEOUT, "the deadline of the stream passed before this call");
    add_address(stream, &local);
    cinch_fail_remedy(&local,
                      "give more time with cinch_stream_deadline(), or none: CINCH_FOREVER");
    if (in_handshake(stream))
        cinch_conn_fail_transport(stream->conn, &local);
    return cinch_fail_keep(err, &local);
}

cinch_status cinch_stream_wait(cinch_stream *stream, short events, cinch_waiting *waiting,
                               cinch_error *err)
{
    cinch_stream_begin_waiting(stream, waiting);
    int ready = cinch_wait(stream->fd, events, waiting->deadline);

    if (ready > 0)
        return CINCH_OK;
    if (ready == 0)
        return cinch_stream_timed_out(stream, waiting, err);
    return transport_broke(stream, errno, phase(stream, waiting->what), 0, err);
}

cinch_status cinch_stream_await_signature(cinch_stream *stream, cinch_waiting *waiting,
                                          cinch_error *err)
{
    cinch_stream_begin_waiting(stream, waiting);
    if (cinch_conn_await_signature(stream->conn, waiting->deadline))
        return CINCH_OK;
    return cinch_stream_timed_out(stream, waiting, err);
}

cinch_status cinch_stream_send_all(cinch_stream *stream, cinch_waiting *waiting, cinch_error *err)
{
    for (;;) {
        cinch_status status = cinch_stream_send(stream, err);

        if (status != CINCH_WANT_WRITE || stream->nonblocking)
            return status;
        status = cinch_stream_wait(stream, POLLOUT, waiting, err);
        if (status != CINCH_OK)
            return status;
    }
}
