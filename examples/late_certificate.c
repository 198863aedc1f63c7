/* late_certificate.c IDENTITY CLIENT-CA PORT: asks for a certificate when a secret is asked for. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

static void say(cinch_stream *s, const char *text, cinch_error *err)
{
    cinch_stream_write_all(s, text, strlen(text), err);
}

/* Anybody may talk here; the word "secret" is for those with a certificate. */
static void serve(cinch_stream *s)
{
    cinch_error err = CINCH_ERROR_INIT;
    char line[256];
    size_t n;

    cinch_stream_deadline(s, 5000, &err);
    while (cinch_stream_read(s, line, sizeof line, &n, &err) == CINCH_OK) {
        cinch_peer *peer = cinch_stream_peer(s, &err);
        int known = peer != NULL && peer->verified;

        if (n >= 6 && memcmp(line, "secret", 6) == 0 && !known) {
            cinch_stream_ask_certificate(s, &err); /* the answer comes before the next line */
            say(s, "who are you?\n", &err);
        } else if (known) {
            say(s, "welcome, ", &err);
            say(s, peer->chain[0]->subject, &err);
            say(s, "\n", &err);
        } else {
            say(s, "hello\n", &err);
        }
        cinch_peer_free(peer);
    }
    cinch_stream_close_write(s, &err);
    cinch_error_report(&err, stderr);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 4) {
        fprintf(stderr, "usage: late_certificate IDENTITY CLIENT-CA PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    cinch_context_trust_file(ctx, argv[2],
                             &err); /* for client certificates; none in the handshake */
    cinch_listener *l = cinch_listen(ctx, "localhost", argv[3], &err);
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        serve(s);
    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
