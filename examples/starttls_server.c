/* starttls_server.c IDENTITY: a mail server that takes no mail; it begins in the clear, as most do. */
#include <arpa/inet.h>
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define OFFER "250-localhost\r\n250 STARTTLS\r\n"

/* What is read of a client, and where its command ends. */
typedef struct input {
    char text[1024];
    size_t size, command;
} input;

/* One command, with its line end; 0 when the client is gone, or says too much. */
static int read_command(int fd, input *in)
{
    char *end;

    memmove(in->text, in->text + in->command, in->size -= in->command);
    while ((end = memchr(in->text, '\n', in->size)) == NULL) {
        ssize_t got = read(fd, in->text + in->size, sizeof in->text - in->size);

        if (got <= 0)
            return 0;
        in->size += (size_t)got;
    }
    in->command = (size_t)(end - in->text) + 1;
    return 1;
}

/* In the clear: nothing but the way to TLS. */
static int wants_tls(int fd, input *in)
{
    static const char hello[] = "220 localhost ESMTP\r\n", refusal[] = "530 STARTTLS first\r\n";

    if (send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) < 0)
        return 0;
    while (read_command(fd, in)) {
        int ehlo = strncmp(in->text, "EHLO ", 5) == 0;

        if (strncmp(in->text, "STARTTLS\r\n", 10) == 0)
            return 1;
        if (send(fd, ehlo ? OFFER : refusal, strlen(ehlo ? OFFER : refusal), MSG_NOSIGNAL) < 0)
            return 0;
    }
    return 0;
}

static void serve(cinch_context *ctx, int fd)
{
    const struct timeval limit = {.tv_sec = 10};
    cinch_error err = CINCH_ERROR_INIT;
    input in = {.size = 0};
    char buf[1024];
    size_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (!wants_tls(fd, &in))
        return;
    /* What stands behind the command came in the clear. It fails if there is anything. */
    if (cinch_starttls_accept(fd, CINCH_STARTTLS_SMTP, in.text + in.command, in.size - in.command,
                              NULL, &err) == CINCH_OK) {
        cinch_stream *s = cinch_stream_wrap(ctx, fd, NULL, &err);

        /* And what the client said before is forgotten: it says EHLO again. */
        cinch_stream_deadline(s, 10000, &err);
        if (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
            cinch_stream_write_all(s, "250 localhost\r\n221 bye\r\n", 24, &err);
        cinch_stream_close_write(s, &err);
        cinch_stream_free(s);
    }
    cinch_error_report(&err, stderr);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_server(&err);
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    cinch_context_identity_file(ctx, argc > 1 ? argv[1] : "localhost.pem", NULL, &err);
    if (!cinch_error_is_set(&err) && bind(listening, (struct sockaddr *)&address, size) == 0 &&
        listen(listening, 8) == 0 &&
        getsockname(listening, (struct sockaddr *)&address, &size) == 0) {
        printf("listening on localhost:%d\n", ntohs(address.sin_port));
        fflush(stdout);
        for (int fd; (fd = accept(listening, NULL, NULL)) >= 0; close(fd))
            serve(ctx, fd);
    }
    close(listening);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
