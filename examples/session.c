/* session.c HOST PORT [CA]: connects twice; the second time, the server's ticket saves work. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

static void ask(cinch_context *ctx, const char *host, const char *port, cinch_error *err)
{
    static const char line[] = "hello again\n";
    cinch_stream *s = cinch_dial(ctx, host, port, err);
    cinch_peer *peer = s != NULL ? cinch_stream_peer(s, err) : NULL;
    char buf[4096];
    size_t n;

    if (peer != NULL)
        printf("%s\n", peer->resumed ? "resumed" : "from the beginning");
    cinch_peer_free(peer);

    /* TLS 1.3 tickets come with the server's first data: who never reads never gets one. */
    cinch_stream_write_all(s, line, strlen(line), err);
    cinch_stream_close_write(s, err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, err) == CINCH_OK)
        ;
    cinch_stream_free(s);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: session HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);

    ask(ctx, argv[1], argv[2], &err);
    ask(ctx, argv[1], argv[2], &err); /* the context has kept the ticket; nothing to do */

    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
