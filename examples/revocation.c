/* revocation.c HOST PORT CA LIST: connects to a server that is on no current revocation list. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);

    if (argc != 5) {
        fputs("usage: revocation HOST PORT CA LIST\n", stderr);
        return 2;
    }
    cinch_context_trust_file(ctx, argv[3], &err);
    /* The file is read again when it changes; without a current list nobody is accepted. */
    cinch_context_crl_file(ctx, argv[4], &err);
    cinch_context_crl_rule(ctx, CINCH_CRL_LEAF, &err);

    cinch_stream *stream = cinch_dial(ctx, argv[1], argv[2], &err);
    if (stream != NULL)
        puts("on no list");
    else if (err.cause == CINCH_CAUSE_REVOKED)
        puts("withdrawn by its issuer");
    else if (err.cause == CINCH_CAUSE_NO_CRL)
        puts("nobody can tell");

    cinch_stream_free(stream);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
