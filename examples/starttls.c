/* starttls.c HOST [PORT [CA]]: asks a mail server what it can do, under TLS that begins in the clear. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    const char *port = argc > 2 ? argv[2] : "587"; /* submission; NULL would be SMTP's 25 */
    char buf[4096];
    size_t n;

    if (argc < 2) {
        fprintf(stderr, "usage: starttls HOST [PORT [CA]]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);
    cinch_stream *s = cinch_dial_starttls(ctx, argv[1], port, CINCH_STARTTLS_SMTP, NULL, &err);

    /* What it said before TLS may have been anybody's words: all of it is asked for again. */
    cinch_stream_write_all(s, "EHLO [127.0.0.1]\r\nQUIT\r\n", 24, &err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
        fwrite(buf, 1, n, stdout);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
