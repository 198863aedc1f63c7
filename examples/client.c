/* client.c HOST PORT [CA]: sends one line and prints the answer, all of it within ten seconds. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const char line[] = "hello, is anybody there?\n";
    cinch_error err = CINCH_ERROR_INIT;
    char buf[4096];
    size_t n;

    if (argc < 3) {
        fprintf(stderr, "usage: client HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err); /* this CA and no other */

    cinch_timeouts timeouts = {.connect_ms = 5000, .handshake_ms = 5000};
    cinch_dial_options options = {.timeouts = &timeouts};
    cinch_stream *s = cinch_dial_with(ctx, argv[1], argv[2], &options, &err);

    cinch_stream_deadline(s, 10000, &err);
    cinch_stream_write_all(s, line, strlen(line), &err);
    cinch_stream_close_write(s, &err); /* no more from us; the answer can still be read */

    cinch_status status;
    while ((status = cinch_stream_read(s, buf, sizeof buf, &n, &err)) == CINCH_OK)
        fwrite(buf, 1, n, stdout);
    if (status == CINCH_TRUNCATED)
        fprintf(stderr, "this is not all of it\n"); /* never take it for the whole answer */

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
