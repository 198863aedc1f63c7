/*
 * event_server.c IDENTITY PORT [SECONDS]: gives everybody back what they say, on a loop of libevent.
 *
 * libevent tells when a socket is ready and a stream does the rest, so this goes with every loop that
 * can wait for a descriptor. What a stream has read it hands out before it says CINCH_WANT_READ: to wait
 * for the descriptor then never waits for what is here already.
 */
#include <cinch/cinch.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct client {
    cinch_stream *stream;
    struct event *readable, *writable;
    char echo[4096];
    size_t start, end; /* of what is to be said */
    struct client *next, **place;
} client;

typedef struct server {
    cinch_listener *listener;
    struct event_base *base;
    struct event *arriving, *ending;
    client *clients;
    struct timeval patience; /* the handshake as well as anything between two bytes */
} server;

static server here = {.patience = {30, 0}};

static void drop(client *c)
{
    *c->place = c->next;
    if (c->next != NULL)
        c->next->place = c->place;
    if (c->readable != NULL)
        event_free(c->readable);
    if (c->writable != NULL)
        event_free(c->writable);
    cinch_stream_free(c->stream);
    free(c);
}

/* As far as it goes without waiting. The handshake is done by the first read. */
static cinch_status talk(client *c, cinch_error *err)
{
    cinch_status status = CINCH_OK;
    size_t n;

    while (status == CINCH_OK) {
        if (c->start < c->end) {
            status = cinch_stream_write(c->stream, c->echo + c->start, c->end - c->start, &n, err);
            c->start += n;
        } else if ((status = cinch_stream_flush(c->stream, err)) == CINCH_OK) {
            status = cinch_stream_read(c->stream, c->echo, sizeof c->echo, &c->end, err);
            c->start = 0;
        }
    }
    /* After its close_notify a client can still read: all that it sent has been answered. */
    return status == CINCH_EOF ? cinch_stream_close_write(c->stream, err) : status;
}

static void go_on(evutil_socket_t fd, short what, void *arg)
{
    cinch_error err = CINCH_ERROR_INIT;
    client *c = arg;

    (void)fd;
    if ((what & EV_TIMEOUT) != 0) {
        fprintf(stderr, "nothing moved for %ld seconds\n", (long)here.patience.tv_sec);
        drop(c);
        return;
    }
    cinch_status status = talk(c, &err);
    if (status == CINCH_WANT_READ && event_add(c->readable, &here.patience) == 0)
        return;
    if (status == CINCH_WANT_WRITE && event_add(c->writable, &here.patience) == 0)
        return;
    (void)cinch_error_report(&err, stderr);
    drop(c);
}

static void arrived(evutil_socket_t fd, short what, void *arg)
{
    cinch_error err = CINCH_ERROR_INIT;
    client *c = calloc(1, sizeof *c);

    (void)fd;
    (void)what;
    (void)arg;
    /* Nobody came, after all: CINCH_TIMEOUT, and no error. */
    if (c == NULL || cinch_listener_accept_within(here.listener, 0, &c->stream, &err) != CINCH_OK) {
        (void)cinch_error_report(&err, stderr);
        free(c);
        return;
    }
    c->next = here.clients;
    c->place = &here.clients;
    if (c->next != NULL)
        c->next->place = &c->next;
    here.clients = c;
    int socket = cinch_stream_fd(c->stream);
    c->readable = event_new(here.base, socket, EV_READ, go_on, c);
    c->writable = event_new(here.base, socket, EV_WRITE, go_on, c);
    if (c->readable == NULL || c->writable == NULL ||
        cinch_stream_nonblocking(c->stream, 1, &err) != CINCH_OK) {
        (void)cinch_error_report(&err, stderr);
        drop(c);
        return;
    }
    go_on(socket, EV_READ, c);
}

static void told_to_end(evutil_socket_t number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    event_base_loopbreak(here.base);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: event_server IDENTITY PORT [SECONDS]\n");
        return 2;
    }
    if (argc > 3)
        here.patience.tv_sec = strtol(argv[3], NULL, 10);
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    here.listener = cinch_listen(ctx, "localhost", argv[2], &err);
    here.base = event_base_new();
    if (here.listener == NULL || here.base == NULL)
        return cinch_error_report(&err, stderr);
    here.arriving =
        event_new(here.base, cinch_listener_fd(here.listener), EV_READ | EV_PERSIST, arrived, NULL);
    here.ending = evsignal_new(here.base, SIGTERM, told_to_end, NULL);
    event_add(here.arriving, NULL);
    event_add(here.ending, NULL);
    printf("listening on localhost:%d\n", cinch_listener_port(here.listener));
    fflush(stdout);
    event_base_dispatch(here.base);

    while (here.clients != NULL)
        drop(here.clients);
    event_free(here.arriving);
    event_free(here.ending);
    event_base_free(here.base);
    cinch_listener_free(here.listener);
    cinch_context_free(ctx);
    return 0;
}
