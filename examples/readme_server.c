#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

static void serve(cinch_stream *s)
{
    static const char answer[] = "HTTP/1.0 200 OK\r\n\r\nhello\n";
    cinch_error err = CINCH_ERROR_INIT; /* of its own: one client's failure is not another's */
    char request[4096];
    size_t n;

    cinch_stream_deadline(s, 5000, &err); /* five seconds for all of it */
    if (cinch_stream_read(s, request, sizeof request, &n, &err) == CINCH_OK)
        cinch_stream_write_all(s, answer, strlen(answer), &err);
    cinch_stream_close_write(s, &err); /* tells the client that this was all */
    cinch_error_report(&err, stderr);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_server(&err);

    cinch_context_identity_file(ctx, argc > 1 ? argv[1] : "localhost.pem", NULL, &err);
    cinch_listener *l = cinch_listen(ctx, "localhost", argc > 2 ? argv[2] : "8443", &err);

    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        serve(s);

    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
