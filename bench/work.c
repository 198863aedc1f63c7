/* work.c: clocks, sockets, and what several works do. */
#include "work.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static double now(clockid_t clock)
{
    struct timespec time = {0};

    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void start(tally *counted)
{
    counted->count = 0;
    counted->wall = -now(CLOCK_MONOTONIC);
    counted->cpu = -now(counted->clock);
}

void stop(tally *counted)
{
    counted->cpu += now(counted->clock);
    counted->wall += now(CLOCK_MONOTONIC);
}

void go_on(tally *counted)
{
    counted->cpu -= now(counted->clock);
    counted->wall -= now(CLOCK_MONOTONIC);
}

bool time_is_over(const tally *counted, double seconds)
{
    return counted->wall + now(CLOCK_MONOTONIC) >= seconds;
}

static int no_delay(int fd)
{
    int on = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        peer_die("no connection");
    return fd;
}

int welcome(const job *j)
{
    int fd = accept(j->listener, NULL, NULL);

    /* Linux says so of a listener that was shut down. */
    if (fd < 0 && errno == EINVAL)
        return -1;
    return no_delay(fd);
}

int reach(const job *j)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)j->port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&there, sizeof there) != 0)
        peer_die("cannot connect");
    return no_delay(fd);
}

void read_all(void *conn, char *buf, size_t size)
{
    while (size > 0) {
        size_t n = the_peer.read(conn, buf, size);

        if (n == 0)
            peer_die("the other end wrote too little");
        buf += n;
        size -= n;
    }
}

void read_end(void *conn)
{
    char byte;

    if (the_peer.read(conn, &byte, 1) != 0)
        peer_die("the other end wrote too much");
}

void check(tally *counted, void *conn, bool resumed)
{
    bool was = false;
    const char *suite = the_peer.agreed(conn, &was);

    snprintf(counted->agreed, sizeof counted->agreed, "%s", suite);
    if (was != resumed)
        peer_die("the handshake was %s", was ? "resumed" : "not resumed");
}

bool serve_once(const job *j, char *byte)
{
    int fd = welcome(j);
    void *conn;

    if (fd < 0)
        return false;
    conn = the_peer.open(fd);
    read_all(conn, byte, 1);
    the_peer.write(conn, byte, 1);
    read_end(conn);
    the_peer.close(conn);
    close(fd);
    return true;
}

void connect_once(const job *j, char byte, bool resumed, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);

    the_peer.write(conn, &byte, 1);
    read_all(conn, &byte, 1);
    /* The server waits for our end by now. */
    stop(counted);
    check(counted, conn, resumed);
    go_on(counted);
    the_peer.close(conn);
    close(fd);
}
