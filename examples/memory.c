/* memory.c HOST PORT [CA]: a connection without I/O, driven by a poll loop of the program's own. */
#include <cinch/cinch.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int connect_to(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int fd = -1;

    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

/* Sends all that waits to be sent: also after a failure, for it may be the alert that says why. */
static int send_out(cinch_conn *conn, int fd)
{
    cinch_error err = CINCH_ERROR_INIT; /* not the loop's: sending goes on after an error */
    const void *bytes;
    size_t size;

    while (cinch_conn_send_bytes(conn, &bytes, &size, &err) == CINCH_OK && size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent < 0 || cinch_conn_send_consume(conn, (size_t)sent, &err) != CINCH_OK)
            return 0;
    }
    return 1;
}

static cinch_status take_in(cinch_conn *conn, int fd, cinch_error *err)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    void *space;
    size_t size;
    cinch_status status = cinch_conn_recv_space(conn, &space, &size, err);

    if (status != CINCH_OK)
        return status;
    if (poll(&wait, 1, 10000) != 1)
        return cinch_conn_recv_end(conn, err); /* ten seconds of silence: take it for dead */
    ssize_t got = recv(fd, space, size, 0);
    return got > 0 ? cinch_conn_recv_commit(conn, (size_t)got, err)
                   : cinch_conn_recv_end(conn, err);
}

/* One step is a call on CONN, the bytes out, and if it wants more, bytes in. */
static void talk(cinch_conn *conn, int fd, const char *line, cinch_error *err)
{
    size_t size = strlen(line), done = 0, n;
    char buf[4096];
    cinch_status status;

    do {
        if (done < size) {
            status = cinch_conn_write(conn, line + done, size - done, &n, err);
            done += n;
            if (status == CINCH_OK && done == size)
                status = cinch_conn_close(conn, err); /* no more from us */
        } else {
            status = cinch_conn_read(conn, buf, sizeof buf, &n, err);
            fwrite(buf, 1, n, stdout);
        }
        if (!send_out(conn, fd)) {
            done = size; /* nothing more can be said; what has arrived can still be read */
            status = cinch_conn_recv_end(conn, err);
        } else if (status == CINCH_WANT_READ) {
            status = take_in(conn, fd, err);
        }
    } while (status == CINCH_OK || status == CINCH_WANT_WRITE);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    int fd;

    if (argc < 3 || (fd = connect_to(argv[1], argv[2])) < 0) {
        fprintf(stderr, "usage: memory HOST PORT [CA]; is HOST there?\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);
    cinch_conn *conn = cinch_conn_new(ctx, argv[1], &err);
    if (conn != NULL)
        talk(conn, fd, "hello from a loop\n", &err);

    cinch_conn_free(conn);
    cinch_context_free(ctx);
    close(fd);
    return cinch_error_report(&err, stderr);
}
