/* stream.c: how a stream begins and ends, and its settings. */
#include "stream/stream.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "conn/conn.h"

#include <cinch/wire.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

cinch_stream *cinch_stream_around(cinch_conn *conn, int fd, int own, const char *address,
                                  cinch_error *err)
{
    cinch_stream *stream = cinch_alloc(sizeof *stream);

    if (stream == NULL) {
        cinch_fail_memory(err, "making a stream");
        return NULL;
    }
    stream->conn = conn;
    stream->fd = fd;
    stream->own = own;
    stream->deadline = CINCH_NEVER;
    stream->handshake_deadline = CINCH_NEVER;
    stream->resolved_us = -1;
    stream->connected_us = -1;
    (void)cinch_timeouts_fill(&stream->timeouts, NULL, NULL);
    (void)snprintf(stream->address, sizeof stream->address, "%s", address);
    return stream;
}

static cinch_status refuse_fd(int fd, const char *why, int number, cinch_error *err)
{
    cinch_fail(err, CINCH_CAUSE_MISUSE, "descriptor %d %s", fd, why);
    cinch_fail_remedy(err, "give a connected stream socket: TCP, or a UNIX socket of type "
                           "SOCK_STREAM");
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

/* Not connected: the program's mistake, or a peer that was quicker than the program? */
static cinch_status refuse_unconnected(int fd, cinch_error *err)
{
    int error = 0;
    socklen_t size = sizeof error;
    char text[128];

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0)
        return refuse_fd(fd, "is not connected, or not any more", ENOTCONN, err);
    cinch_fail(err, error == ECONNRESET ? CINCH_CAUSE_RESET : CINCH_CAUSE_NETWORK,
               "the connection on descriptor %d broke before TLS began: %s", fd,
               cinch_system_text(error, text, sizeof text));
    cinch_fail_system(err, error);
    return CINCH_FAILED;
}

cinch_status cinch_stream_check_fd(int fd, char address[static CINCH_ADDRESS_TEXT],
                                   cinch_error *err)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    int type = 0;
    socklen_t type_size = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) != 0)
        return refuse_fd(fd, errno == EBADF ? "is not open" : "is not a socket", errno, err);
    if (type != SOCK_STREAM)
        return refuse_fd(fd, "is not a stream socket", 0, err);
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return errno == ENOTCONN
                   ? refuse_unconnected(fd, err)
                   : refuse_fd(fd, "does not tell whom it is connected to", errno, err);
    cinch_address_text((const struct sockaddr *)&peer, size, address);
    return CINCH_OK;
}

static cinch_stream *wrap(cinch_context *ctx, int fd, int own, const char *host, cinch_error *err)
{
    char address[CINCH_ADDRESS_TEXT];

    if (!cinch_enter(err))
        return NULL;
    if (ctx == NULL) {
        cinch_fail_null(err, "context");
        return NULL;
    }
    if (cinch_stream_check_fd(fd, address, err) != CINCH_OK)
        return NULL;
    cinch_conn *conn = cinch_conn_new(ctx, host, err);
    if (conn == NULL)
        return NULL;
    cinch_stream *stream = cinch_stream_around(conn, fd, own, address, err);
    if (stream == NULL)
        cinch_conn_free(conn);
    return stream;
}

cinch_stream *cinch_stream_wrap(cinch_context *ctx, int fd, const char *host, cinch_error *err)
{
    return wrap(ctx, fd, 0, host, err);
}

cinch_stream *cinch_stream_wrap_adopt(cinch_context *ctx, int fd, const char *host,
                                      cinch_error *err)
{
    cinch_stream *stream = wrap(ctx, fd, 1, host, err);

    if (stream == NULL && fd >= 0)
        close(fd);
    return stream;
}

/*
 * A socket that is closed with unread data in it makes the system send a reset, which destroys what
 * the peer has not read yet: our last data, or the alert that tells it why.
 */
static void close_gently(int fd)
{
    char scratch[4096];

    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < 64; i++)
        if (recv(fd, scratch, sizeof scratch, MSG_DONTWAIT) <= 0)
            break;
    close(fd);
}

void cinch_stream_free(cinch_stream *stream)
{
    if (stream == NULL)
        return;
    if (!stream->unwrapped) {
        cinch_conn_state state = cinch_conn_state_now(stream->conn);

        if (state == CINCH_STATE_OPEN || state == CINCH_STATE_PEER_CLOSED)
            (void)cinch_conn_close(stream->conn, NULL);
        cinch_stream_say_last(stream);
    }
    cinch_conn_free(stream->conn);
    if (stream->own)
        close_gently(stream->fd);
    cinch_release(stream);
}

/* A non-blocking stream was not waiting in a call of ours when the time for its handshake ran out. */
static int handshake_lasts_too_long(const cinch_stream *stream)
{
    return stream->nonblocking && stream->started &&
           cinch_conn_state_now(stream->conn) == CINCH_STATE_HANDSHAKING &&
           cinch_deadline_passed(stream->handshake_deadline);
}

cinch_status cinch_stream_enter(cinch_stream *stream, cinch_error *err)
{
    if (!cinch_enter_plain(err))
        return CINCH_FAILED;
    if (stream == NULL)
        return cinch_fail_null(err, "stream");
    if (stream->unwrapped) {
        cinch_fail(err, CINCH_CAUSE_MISUSE, "the stream was unwrapped: it has no TLS any more");
        cinch_fail_remedy(err, "use the descriptor itself, from cinch_stream_fd()");
        return CINCH_FAILED;
    }
    if (cinch_deadline_passed(stream->deadline))
        return cinch_stream_too_late(stream, err);
    if (handshake_lasts_too_long(stream)) {
        cinch_waiting waiting = cinch_stream_handshake_waiting(stream);

        return cinch_stream_timed_out(stream, &waiting, err);
    }
    return CINCH_OK;
}

int cinch_stream_fd(const cinch_stream *stream)
{
    return stream != NULL ? stream->fd : -1;
}

cinch_status cinch_stream_nonblocking(cinch_stream *stream, int on, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (stream == NULL)
        return cinch_fail_null(err, "stream");
    stream->nonblocking = on != 0;
    return CINCH_OK;
}

cinch_status cinch_stream_timeouts(cinch_stream *stream, const cinch_timeouts *timeouts,
                                   cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (stream == NULL)
        return cinch_fail_null(err, "stream");
    return cinch_timeouts_fill(&stream->timeouts, timeouts, err);
}

cinch_status cinch_stream_deadline(cinch_stream *stream, int milliseconds, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (stream == NULL)
        return cinch_fail_null(err, "stream");
    if (milliseconds < CINCH_FOREVER)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the deadline is in %d milliseconds",
                          milliseconds);
    stream->deadline = cinch_deadline_in(milliseconds);
    return CINCH_OK;
}

size_t cinch_stream_pending(const cinch_stream *stream)
{
    return stream != NULL && !stream->unwrapped ? cinch_conn_pending(stream->conn) : 0;
}

static cinch_peer *add_times(const cinch_stream *stream, cinch_peer *peer)
{
    if (peer != NULL) {
        peer->timing.resolved_us = stream->resolved_us;
        peer->timing.connected_us = stream->connected_us;
    }
    return peer;
}

cinch_peer *cinch_stream_peer(const cinch_stream *stream, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (stream == NULL) {
        cinch_fail_null(err, "stream");
        return NULL;
    }
    return add_times(stream, cinch_conn_peer(stream->conn, err));
}

cinch_peer *cinch_stream_evidence(const cinch_stream *stream, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (stream == NULL) {
        cinch_fail_null(err, "stream");
        return NULL;
    }
    return add_times(stream, cinch_conn_evidence(stream->conn, err));
}

const char *cinch_stream_address(const cinch_stream *stream)
{
    return stream != NULL ? stream->address : "";
}

cinch_status cinch_stream_wire(cinch_stream *stream, cinch_wire_callback callback, void *arg,
                               int flags, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (stream == NULL)
        return cinch_fail_null(err, "stream");
    return cinch_conn_wire(stream->conn, callback, arg, flags, err);
}

const cinch_conn *cinch_stream_conn(const cinch_stream *stream)
{
    return stream != NULL ? stream->conn : NULL;
}
