/* error.c HOST PORT: what a program may do about each kind of failure. */
#include <cinch/cinch.h>
#include <stdio.h>

static const char *advice(const cinch_error *err)
{
    switch (err->category) {
    case CINCH_CATEGORY_NETWORK:
    case CINCH_CATEGORY_TIMEOUT:
    case CINCH_CATEGORY_CLOSED:
        return "try again later";
    case CINCH_CATEGORY_TRUST:
    case CINCH_CATEGORY_NAME:
    case CINCH_CATEGORY_VALIDITY:
        return "do not go on: this may not be the server that you mean";
    default:
        return "somebody has to look at it";
    }
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    char json[8192];

    if (argc != 3) {
        fprintf(stderr, "usage: error HOST PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    cinch_stream *s = cinch_dial(ctx, argv[1], argv[2], &err);

    if (cinch_error_is_set(&err)) {
        cinch_error_report(&err, stderr); /* for people */
        if (cinch_error_json(&err, json, sizeof json) < sizeof json)
            puts(json); /* for programs; cut off and not JSON if it were longer */
        printf("%s: %s\n", cinch_category_name(err.category), advice(&err));
    }
    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_exit_code(&err);
}
