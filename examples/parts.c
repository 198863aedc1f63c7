/* parts.c HOST PORT [CA]: sends a head and what follows it in one record, and prints the answer. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    char head[64], body[] = "the head was made after the body\n", buf[4096];
    size_t n;

    if (argc < 3) {
        fprintf(stderr, "usage: parts HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);
    cinch_stream *s = cinch_dial(ctx, argv[1], argv[2], &err);

    int length = snprintf(head, sizeof head, "%zu bytes follow\n", strlen(body));
    struct iovec parts[] = {{head, (size_t)length}, {body, strlen(body)}};
    cinch_stream_writev_all(s, parts, 2, &err);
    cinch_stream_close_write(s, &err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
        fwrite(buf, 1, n, stdout);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
