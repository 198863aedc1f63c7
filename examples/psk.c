/* psk.c listen|connect PORT IDENTITY SECRET: an echo between two that share a secret, in hex. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

/* Two hexadecimal digits for each byte. Returns how many bytes there are. */
static size_t from_hex(const char *text, unsigned char *key, size_t size)
{
    size_t n = 0;
    unsigned byte;

    while (n < size && sscanf(text + 2 * n, "%2x", &byte) == 1)
        key[n++] = (unsigned char)byte;
    return n;
}

static void serve(cinch_context *ctx, const char *port, cinch_error *err)
{
    cinch_listener *l = cinch_listen(ctx, "localhost", port, err);

    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, err)) != NULL; cinch_stream_free(s)) {
        cinch_error one = CINCH_ERROR_INIT;
        char buf[256];
        size_t n;

        cinch_stream_deadline(s, 5000, &one);
        while (cinch_stream_read(s, buf, sizeof buf, &n, &one) == CINCH_OK)
            cinch_stream_write_all(s, buf, n, &one);
        cinch_peer *peer = cinch_stream_peer(s, &one);
        if (peer != NULL)
            printf("%s was here, with %s\n", peer->psk_identity, peer->version);
        fflush(stdout);
        cinch_peer_free(peer);
        cinch_stream_close_write(s, &one);
        cinch_error_report(&one, stderr);
    }
    cinch_listener_free(l);
}

static void ask(cinch_context *ctx, const char *port, cinch_error *err)
{
    cinch_stream *s = cinch_dial(ctx, "localhost", port, err);
    char buf[256];
    size_t n;

    cinch_stream_write_all(s, "hello\n", 6, err);
    cinch_stream_close_write(s, err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, err) == CINCH_OK)
        fwrite(buf, 1, n, stdout);
    cinch_stream_free(s);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    unsigned char key[64];

    if (argc < 5) {
        fprintf(stderr, "usage: psk listen|connect PORT IDENTITY SECRET\n");
        return 2;
    }
    int listens = strcmp(argv[1], "listen") == 0;
    cinch_context *ctx = listens ? cinch_context_server(&err) : cinch_context_client(&err);
    size_t size = from_hex(argv[4], key, sizeof key);
    cinch_context_psk(ctx, argv[3], key, size, 0, &err); /* 0: never a certificate instead */
    cinch_wipe(key, sizeof key);
    if (listens)
        serve(ctx, argv[2], &err);
    else
        ask(ctx, argv[2], &err);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
