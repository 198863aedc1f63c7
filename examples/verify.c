/* verify.c CA SERVER.pem PORT: a server that lets in two services only, and asks who is at the door. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

/* The last word, after every check has passed: nobody whose certificate lives longer than 90 days. */
static int is_short_lived(cinch_certificate *const *chain, size_t count, char *why, size_t size,
                          void *arg)
{
    int64_t days = (chain[0]->not_after - chain[0]->not_before) / 86400;

    (void)count;
    (void)arg;
    if (days <= 91)
        return 1;
    snprintf(why, size, "its certificate is for %lld days", (long long)days);
    return 0;
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 4) {
        fprintf(stderr, "usage: verify CA SERVER.pem PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[2], NULL, &err);
    cinch_context_trust_file(ctx, argv[1], &err);
    cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, &err);

    /* Either of them; without a rule, everybody whom the CA gave a certificate. */
    cinch_context_allow(ctx, CINCH_MATCH_EMAIL, "alice@example.test", &err);
    cinch_context_allow(ctx, CINCH_MATCH_URI, "spiffe://example.test/billing/", &err);
    cinch_context_allow_if(ctx, is_short_lived, NULL, &err);

    cinch_listener *l = cinch_listen(ctx, "localhost", argv[3], &err);
    if (l != NULL)
        printf("listening on %s\n", cinch_listener_address(l, 0));
    fflush(stdout);
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s)) {
        cinch_error why = CINCH_ERROR_INIT;

        cinch_stream_write_all(s, "come in\n", strlen("come in\n"), &why);
        cinch_stream_close_write(s, &why);
        cinch_error_report(&why, stderr); /* who came, and which rules there are */
    }
    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
