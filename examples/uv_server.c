/*
 * uv_server.c IDENTITY PORT [SECONDS]: gives everybody back what they say, on a loop of libuv.
 *
 * libuv moves the bytes and a conn, which does no I/O, makes TLS of them. What the conn lends is what
 * libuv reads into and writes from: nothing is copied. While bytes leave nothing is read, so a client
 * that does not take its answers is not read from for ever.
 */
#include <cinch/cinch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

typedef struct client {
    uv_tcp_t tcp;
    uv_timer_t timer; /* runs out when nothing has moved for a while, handshake included */
    uv_write_t write;
    cinch_conn *conn;
    char echo[4096];
    size_t start, end; /* of what is to be said */
    size_t leaving;    /* bytes that libuv is sending */
    int done; /* ends once all has left: close_notify, or the alert that says what is wrong */
    int open; /* of the two handles */
    struct client *next, **place;
} client;

static cinch_context *ctx;
static client *clients;
static uint64_t patience = 30000; /* milliseconds */

static void step(client *c);

static void closed(uv_handle_t *handle)
{
    client *c = handle->data;

    if (--c->open > 0)
        return;
    cinch_conn_free(c->conn);
    free(c);
}

static void drop(client *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    *c->place = c->next;
    if (c->next != NULL)
        c->next->place = c->place;
    uv_close((uv_handle_t *)&c->tcp, closed);
    uv_close((uv_handle_t *)&c->timer, closed);
}

static void out_of_time(uv_timer_t *timer)
{
    fprintf(stderr, "a client said nothing for %u seconds\n", (unsigned)(patience / 1000));
    drop(timer->data);
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    client *c = handle->data;
    void *space = NULL;
    size_t size = 0;

    (void)suggested;
    if (cinch_conn_recv_space(c->conn, &space, &size, NULL) == CINCH_OK)
        *buf = uv_buf_init(space, (unsigned)size);
}

static void received(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
    client *c = tcp->data;
    cinch_status status;

    (void)buf;
    (void)uv_timer_again(&c->timer);
    /* The end of TCP is no end of TLS: the conn tells whether close_notify came before it. */
    status = n >= 0 ? cinch_conn_recv_commit(c->conn, (size_t)n, NULL)
                    : cinch_conn_recv_end(c->conn, NULL);
    if (status == CINCH_OK)
        step(c);
    else
        drop(c);
}

static void written(uv_write_t *write, int failed)
{
    client *c = write->handle->data;

    (void)uv_timer_again(&c->timer);
    if (failed != 0 || cinch_conn_send_consume(c->conn, c->leaving, NULL) != CINCH_OK)
        drop(c);
    else
        step(c);
}

/* Lets libuv send what there is; without anything, wait for the client. */
static void move(client *c)
{
    union {
        const void *lent; /* libuv does not write to it */
        char *base;
    } bytes;

    int failed = 0;

    uv_read_stop((uv_stream_t *)&c->tcp);
    c->leaving = 0;
    failed = cinch_conn_send_bytes(c->conn, &bytes.lent, &c->leaving, NULL) != CINCH_OK;
    if (c->leaving > 0) {
        uv_buf_t buf = uv_buf_init(bytes.base, (unsigned)c->leaving);

        failed = uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, written);
    } else if (!failed) {
        failed = c->done || uv_read_start((uv_stream_t *)&c->tcp, lend, received) != 0;
    }
    if (failed)
        drop(c);
}

/* As far as it goes without waiting. The handshake is done by the first read. */
static void step(client *c)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_status status = CINCH_OK;
    size_t n;

    while (status == CINCH_OK && !c->done) {
        if (c->start < c->end) {
            status = cinch_conn_write(c->conn, c->echo + c->start, c->end - c->start, &n, &err);
            c->start += n;
        } else {
            status = cinch_conn_read(c->conn, c->echo, sizeof c->echo, &c->end, &err);
            c->start = 0;
        }
    }
    if (status != CINCH_OK && status != CINCH_WANT_READ && status != CINCH_WANT_WRITE) {
        /* After its close_notify a client can still read: all that it sent has been answered. */
        if (status == CINCH_EOF)
            (void)cinch_conn_close(c->conn, &err);
        (void)cinch_error_report(&err, stderr);
        c->done = 1;
    }
    move(c);
}

static void arrived(uv_stream_t *listener, int failed)
{
    cinch_error err = CINCH_ERROR_INIT;
    client *c = failed != 0 ? NULL : calloc(1, sizeof *c);

    if (c == NULL)
        return;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->open = 2;
    c->next = clients;
    c->place = &clients;
    if (clients != NULL)
        clients->place = &c->next;
    clients = c;
    c->conn = cinch_conn_new(ctx, NULL, &err);
    if (c->conn == NULL || uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        (void)cinch_error_report(&err, stderr);
        drop(c);
        return;
    }
    uv_timer_start(&c->timer, out_of_time, patience, patience);
    step(c);
}

static void told_to_end(uv_signal_t *sig, int number)
{
    (void)number;
    while (clients != NULL)
        drop(clients);
    uv_close((uv_handle_t *)sig->data, NULL);
    uv_close((uv_handle_t *)sig, NULL);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct sockaddr_storage address;
    int size = sizeof address;
    uv_tcp_t listener;
    uv_signal_t ending;

    if (argc < 3) {
        fprintf(stderr, "usage: uv_server IDENTITY PORT [SECONDS]\n");
        return 2;
    }
    if (argc > 3)
        patience = 1000 * (uint64_t)strtoul(argv[3], NULL, 10);
    ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    if (cinch_context_check(ctx, &err) != CINCH_OK)
        return cinch_error_report(&err, stderr);

    uv_loop_t *loop = uv_default_loop();
    uv_tcp_init(loop, &listener);
    uv_ip4_addr("127.0.0.1", (int)strtol(argv[2], NULL, 10), (struct sockaddr_in *)&address);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 128, arrived) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size) != 0) {
        fprintf(stderr, "cannot listen on port %s\n", argv[2]);
        return 3;
    }
    const unsigned char *port = (unsigned char *)&((struct sockaddr_in *)&address)->sin_port;
    printf("listening on 127.0.0.1:%d\n", port[0] << 8 | port[1]);
    fflush(stdout);
    uv_signal_init(loop, &ending);
    ending.data = &listener;
    uv_signal_start(&ending, told_to_end, SIGTERM);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    cinch_context_free(ctx);
    return 0;
}
