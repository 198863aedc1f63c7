/* nonblocking.c HOST PORT [CA]: standard input to the server, and its answers to standard output. */
#include <cinch/cinch.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

typedef struct pipe_end {
    char buf[4096];
    size_t start, end; /* of what is not written yet */
    int ended;         /* standard input has ended, and close_notify is said */
} pipe_end;

/* From standard input to S. */
static cinch_status send_some(cinch_stream *s, pipe_end *in, cinch_error *err)
{
    cinch_status status = CINCH_OK;
    size_t n;

    while (status == CINCH_OK && in->start < in->end) {
        status = cinch_stream_write(s, in->buf + in->start, in->end - in->start, &n, err);
        in->start += n;
    }
    return status == CINCH_OK ? cinch_stream_flush(s, err) : status;
}

/* From S to standard output, until nothing more is here. */
static cinch_status receive_some(cinch_stream *s, cinch_error *err)
{
    cinch_status status;
    char buf[4096];
    size_t n;

    while ((status = cinch_stream_read(s, buf, sizeof buf, &n, err)) == CINCH_OK) {
        fwrite(buf, 1, n, stdout);
        fflush(stdout);
    }
    return status;
}

static void refill(cinch_stream *s, pipe_end *in, cinch_error *err)
{
    ssize_t got = read(STDIN_FILENO, in->buf, sizeof in->buf);

    in->start = 0;
    in->end = got > 0 ? (size_t)got : 0;
    if (got <= 0) {
        in->ended = 1;
        cinch_stream_close_write(s, err);
    }
}

static void loop(cinch_stream *s, cinch_error *err)
{
    pipe_end in = {.start = 0};

    for (;;) {
        cinch_status sent = send_some(s, &in, err);
        cinch_status got = receive_some(s, err);

        if (got != CINCH_WANT_READ && got != CINCH_WANT_WRITE)
            return; /* CINCH_EOF, or an error that ERR holds */
        struct pollfd fds[2] = {
            {.fd = cinch_stream_fd(s), .events = POLLIN},
            {.fd = in.start == in.end && !in.ended ? STDIN_FILENO : -1, .events = POLLIN}};
        if (sent == CINCH_WANT_WRITE || got == CINCH_WANT_WRITE)
            fds[0].events |= POLLOUT;
        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0)
            refill(s, &in, err);
    }
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: nonblocking HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);
    cinch_stream *s = cinch_dial(ctx, argv[1], argv[2], &err);
    if (cinch_stream_nonblocking(s, 1, &err) == CINCH_OK)
        loop(s, &err);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
