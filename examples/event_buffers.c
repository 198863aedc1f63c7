/*
 * event_buffers.c HOST PORT [CA]: a line to the server, and its answer, with libevent's bufferevents.
 *
 * A program that has bufferevents already keeps them: libevent makes the connections, from an SSL_CTX
 * that a context was applied to. That is all there is to do, and to ask why it failed. What bufferevents
 * cannot do it still cannot: half close, for one. A new program is better off as event_server.c.
 */
#include <cinch/cinch.h>
#include <cinch/openssl.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct talk {
    struct event_base *base;
    SSL *ssl;
    cinch_error err;
} talk;

static void answered(struct bufferevent *buffers, void *arg)
{
    talk *t = arg;
    char *line = evbuffer_readln(bufferevent_get_input(buffers), NULL, EVBUFFER_EOL_LF);

    if (line == NULL)
        return; /* not all of it is here */
    puts(line);
    free(line);
    SSL_shutdown(t->ssl);
    event_base_loopbreak(t->base);
}

static void happened(struct bufferevent *buffers, short what, void *arg)
{
    talk *t = arg;

    (void)buffers;
    if ((what & BEV_EVENT_CONNECTED) != 0)
        return;
    if (cinch_openssl_explain(t->ssl, &t->err) == CINCH_OK)
        cinch_error_set(&t->err,
                        (what & BEV_EVENT_TIMEOUT) != 0 ? CINCH_CAUSE_TIMEOUT : CINCH_CAUSE_NETWORK,
                        "the connection ended before the answer was there", NULL, NULL);
    event_base_loopbreak(t->base);
}

int main(int argc, char **argv)
{
    talk t = {.err = CINCH_ERROR_INIT};
    const struct timeval patience = {10, 0};

    if (argc < 3) {
        fprintf(stderr, "usage: event_buffers HOST PORT [CA]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to sockets as to files */
    cinch_context *ctx = cinch_context_client(&t.err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &t.err);
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_client_method());
    if (cinch_context_openssl_apply(ctx, ssl_ctx, argv[1], &t.err) != CINCH_OK)
        return cinch_error_report(&t.err, stderr);

    t.base = event_base_new();
    t.ssl = SSL_new(ssl_ctx);
    struct bufferevent *buffers = bufferevent_openssl_socket_new(
        t.base, -1, t.ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(buffers, answered, NULL, happened, &t);
    bufferevent_set_timeouts(buffers, &patience, &patience);
    bufferevent_enable(buffers, EV_READ | EV_WRITE);
    evbuffer_add_printf(bufferevent_get_output(buffers), "hello from a buffer\n");
    if (bufferevent_socket_connect_hostname(buffers, NULL, AF_UNSPEC, argv[1],
                                            (int)strtol(argv[2], NULL, 10)) == 0)
        event_base_dispatch(t.base);

    bufferevent_free(buffers); /* and the SSL */
    SSL_CTX_free(ssl_ctx);
    event_base_free(t.base);
    cinch_context_free(ctx);
    return cinch_error_report(&t.err, stderr);
}
