/*
 * connect_join.c: standard input and output on the connection.
 *
 * When the input has ended, an answer may still be on its way, and a server that reads close_notify
 * may stop writing it. So close_notify is said only when the answer seems complete: the server was
 * silent for a while. After it the server's own end is waited for, as long.
 */
#include "connect.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CHUNK = 16384,
    FOREVER = -1
};

typedef struct joint {
    cinch_stream *stream;
    int input;
    int output;
    const connect_patience *patience;
    cinch_error *err;
    char out[CHUNK]; /* read from the input, not yet written */
    size_t out_from;
    size_t out_to;
    bool input_ended;
    bool asked;    /* something was sent */
    bool answered; /* something came back since */
    bool closed;   /* our close_notify is said */
    bool late;     /* something came after that */
    bool ended;    /* nothing more to do */
    bool want_write;
    int64_t since; /* when the last byte moved, in milliseconds */
} joint;

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool put_output(joint *j, const char *data, size_t size)
{
    while (j->output >= 0 && size > 0) {
        ssize_t n = write(j->output, data, size);
        int number = errno;

        if (n < 0 && number == EINTR)
            continue;
        if (n < 0 && number == EAGAIN) {
            struct pollfd fd = {j->output, POLLOUT, 0};

            (void)poll(&fd, 1, -1);
            continue;
        }
        if (n < 0) {
            cli_fail(j->err, CINCH_CAUSE_SYSTEM, "check where the output goes",
                     "cannot write to standard output");
            cli_fail_errno(j->err, number);
            return false;
        }
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* From the server. True if something moved. */
static bool pull(joint *j)
{
    char buf[CHUNK];
    size_t n = 0;
    cinch_status status = cinch_stream_read(j->stream, buf, sizeof(buf), &n, j->err);

    if (status == CINCH_EOF)
        j->ended = true;
    /* Many servers answer close_notify by closing the socket only: nothing can have been lost. */
    if (j->closed && !j->late && j->err->category == CINCH_CATEGORY_CLOSED) {
        cinch_error_clear(j->err);
        j->ended = true;
    }
    if (status == CINCH_WANT_WRITE)
        j->want_write = true;
    if (status != CINCH_OK)
        return false;
    j->answered = true;
    j->late = j->closed;
    return put_output(j, buf, n);
}

/* To the server. True if something moved. */
static bool push(joint *j)
{
    cinch_status status;
    size_t n = 0;

    if (j->out_from == j->out_to) {
        status = cinch_stream_flush(j->stream, j->err);
        j->want_write = status == CINCH_WANT_WRITE;
        return false;
    }
    status =
        cinch_stream_write(j->stream, j->out + j->out_from, j->out_to - j->out_from, &n, j->err);
    if (status == CINCH_WANT_WRITE)
        j->want_write = true;
    if (status != CINCH_OK)
        return false;
    j->out_from += n;
    j->asked = true;
    j->answered = false;
    return true;
}

/* From the input, which poll() said is ready. */
static void take_input(joint *j)
{
    ssize_t n = read(j->input, j->out, sizeof(j->out));

    if (n > 0) {
        j->out_from = 0;
        j->out_to = (size_t)n;
    } else if (n == 0) {
        j->input_ended = true;
    } else if (errno != EINTR && errno != EAGAIN) {
        int number = errno;

        cli_fail(j->err, CINCH_CAUSE_SYSTEM, "check where the input comes from",
                 "cannot read from standard input");
        cli_fail_errno(j->err, number);
    }
}

/* How long the server may be silent from now on before the next step. */
static int patience(const joint *j)
{
    int limit = j->patience->silence;
    int64_t left;

    if (!j->input_ended || j->out_from < j->out_to)
        return FOREVER;
    if (!j->closed && !j->asked)
        limit = j->patience->nothing_asked;
    else if (!j->closed && !j->answered)
        limit = j->patience->answer;
    left = j->since + limit - now_ms();
    return left > 0 ? (int)(left < INT_MAX ? left : INT_MAX) : 0;
}

/* The server was silent for long enough. */
static void next_step(joint *j)
{
    if (j->closed) {
        j->ended = true;
        return;
    }
    if (j->asked && !j->answered)
        fputs("cinch: no answer; ending the connection\n", stderr);
    j->closed = true;
    j->since = now_ms();
    if (cinch_stream_close_write(j->stream, j->err) == CINCH_WANT_WRITE)
        j->want_write = true;
}

static void wait_for_something(joint *j)
{
    bool wants_input = !j->input_ended && !j->closed && j->out_from == j->out_to;
    int events = POLLIN | (j->want_write ? POLLOUT : 0);
    struct pollfd fds[2] = {
        {cinch_stream_fd(j->stream), (short)events, 0},
        {wants_input ? j->input : -1, POLLIN, 0},
    };
    int left = patience(j);
    int ready;

    if (left == 0) {
        next_step(j);
        return;
    }
    ready = poll(fds, 2, left);
    if (ready < 0 && errno != EINTR)
        j->ended = true;
    if (ready > 0 && fds[1].revents != 0)
        take_input(j);
    if (j->input_ended && wants_input)
        j->since = now_ms();
}

bool connect_join(cinch_stream *stream, int input, int output, const connect_patience *limits,
                  cinch_error *err)
{
    joint j = {.stream = stream, .input = input, .output = output, .patience = limits, .err = err};

    j.input_ended = input < 0;
    j.since = now_ms();
    if (cinch_stream_nonblocking(stream, 1, err) != CINCH_OK)
        return false;
    while (!j.ended && !cinch_error_is_set(err)) {
        bool moved;

        j.want_write = false;
        moved = pull(&j);
        if (!j.ended && !cinch_error_is_set(err))
            moved = push(&j) || moved;
        if (moved)
            j.since = now_ms();
        else if (!j.ended && !cinch_error_is_set(err))
            wait_for_something(&j);
    }
    return !cinch_error_is_set(err);
}
