/* tcp.c: no TLS at all, which nothing can be faster than. */
#include "peer.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *about(void)
{
    return "plain TCP";
}

static bool prepare(const peer_settings *settings)
{
    return !settings->resume;
}

static void *open_conn(int fd)
{
    int *conn = malloc(sizeof *conn);

    if (conn == NULL)
        peer_die("out of memory");
    *conn = fd;
    return conn;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    ssize_t n = recv(*(int *)conn, buf, size, 0);

    if (n < 0)
        peer_die("cannot read");
    return (size_t)n;
}

static void write_all(void *conn, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = send(*(int *)conn, at, size, MSG_NOSIGNAL);

        if (n < 0)
            peer_die("cannot write");
        at += n;
        size -= (size_t)n;
    }
}

static const char *agreed(void *conn, bool *resumed)
{
    (void)conn;
    *resumed = false;
    return "nothing";
}

static void close_conn(void *conn)
{
    (void)shutdown(*(int *)conn, SHUT_WR);
    free(conn);
}

const peer_library the_peer = {about,  prepare,    open_conn, read_some, write_all,
                               agreed, close_conn, NULL,      false};
