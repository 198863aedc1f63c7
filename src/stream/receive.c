/* receive.c: how a read that may wait gets its bytes with as few calls to the system as can be. */
#include "stream/stream.h"

#include <sys/socket.h>

/* The most receives that are not tried first. */
#define WAIT_FIRST_MOST 63

/* The limit for a receive that waits by itself; NO_LIMIT takes it away. */
#define NO_LIMIT 0

static int put_limit(const cinch_stream *stream, const struct timeval *limit)
{
    return setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, limit, sizeof *limit) == 0;
}

static int set_limit(cinch_stream *stream, int milliseconds)
{
    struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000L};
    socklen_t size = sizeof stream->limit_before;

    if (stream->recv_limit_ms == milliseconds)
        return 1;
    if (!stream->limit_is_ours &&
        getsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &stream->limit_before, &size) != 0)
        return 0;
    stream->limit_is_ours = 1;
    if (!put_limit(stream, &limit))
        return 0;
    stream->recv_limit_ms = milliseconds;
    return 1;
}

void cinch_stream_give_back(cinch_stream *stream)
{
    if (stream->limit_is_ours)
        (void)put_limit(stream, &stream->limit_before);
    stream->own = 0;
}

/*
 * Whether recv() may wait by itself, which spares a poll(): for ever, or on a descriptor of the stream's own
 * until the limit of the system's. What is left of a limit that has begun, poll() knows better.
 */
static int may_wait_itself(cinch_stream *stream, const cinch_waiting *waiting)
{
    if (stream->never_blocks || stream->deadline != CINCH_NEVER)
        return 0;
    if (waiting->limit_ms == CINCH_FOREVER)
        return set_limit(stream, NO_LIMIT);
    return stream->own && waiting->since == 0 && set_limit(stream, waiting->limit_ms);
}

/*
 * Where the peer takes its time, as with questions and answers, trying first costs a call to the system for
 * nothing: so the next times that is left out, and tried again later on.
 */
static cinch_status try_at_times(cinch_stream *stream, cinch_error *err)
{
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

cinch_status cinch_stream_try_receive(cinch_stream *stream, int may_wait, cinch_waiting *waiting,
                                      cinch_error *err)
{
    if (!may_wait || !may_wait_itself(stream, waiting))
        return try_at_times(stream, err);
    cinch_stream_begin_waiting(stream, waiting);
    cinch_status status = cinch_stream_receive(stream, 0, err);
    /* A signal came, or the limit did; or it is a descriptor of the caller's that never blocks. */
    if (status == CINCH_WANT_READ && !stream->was_interrupted)
        stream->never_blocks = 1;
    return status;
}
