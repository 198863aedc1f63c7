#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *host = argc > 1 ? argv[1] : "example.com";
    const char *port = argc > 2 ? argv[2] : "443";
    char text[4096];
    size_t n;

    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);
    cinch_stream *s = cinch_dial(ctx, host, port, &err);

    snprintf(text, sizeof text, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", host);
    cinch_stream_write_all(s, text, strlen(text), &err);
    while (cinch_stream_read(s, text, sizeof text, &n, &err) == CINCH_OK)
        fwrite(text, 1, n, stdout);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr); /* 0 when nothing went wrong */
}
