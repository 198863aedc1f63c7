/* trust.c [FILE]: lists the trust anchors of the system, or of a file. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);

    if (argc > 1)
        cinch_context_trust_file(ctx, argv[1], &err); /* from now on only this one */

    cinch_anchors *anchors = cinch_context_anchors(ctx, &err);
    for (size_t i = 0; anchors != NULL && i < anchors->count; i++)
        printf("%s\n", anchors->certificates[i]->subject);

    cinch_anchors_free(anchors);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
