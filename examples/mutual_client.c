/* mutual_client.c IDENTITY CA HOST PORT: the other end of mutual_server.c, as restrictive. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    char buf[4096];
    size_t n;

    if (argc < 5) {
        fprintf(stderr, "usage: mutual_client IDENTITY CA HOST PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    cinch_context_trust_file(ctx, argv[2], &err); /* not the system's anchors: this CA alone */
    cinch_context_policy_named(ctx, "modern", &err);
    cinch_context_alpn(ctx, "orders/1", &err);
    cinch_context_alpn_rule(ctx, CINCH_ALPN_REQUIRED, &err);

    /* With TLS 1.3 a server that refuses us says so only now: it is the first read that fails. */
    cinch_stream *s = cinch_dial(ctx, argv[3], argv[4], &err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
        fwrite(buf, 1, n, stdout);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
