#include "net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "net: %s: %s\n", what, strerror(errno));
    abort();
}

typedef union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} any_address;

static socklen_t make_address(any_address *address, const char *ip, uint16_t port)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET6, ip, &address->v6.sin6_addr) == 1) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = htons(port);
        return sizeof address->v6;
    }
    need(inet_pton(AF_INET, ip, &address->v4.sin_addr) == 1, ip);
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons(port);
    return sizeof address->v4;
}

int net_bound(const char *ip, uint16_t *port)
{
    any_address address;
    socklen_t size = make_address(&address, ip, *port);
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    need(fd >= 0, "socket");
    need(bind(fd, &address.any, size) == 0, "bind");
    need(getsockname(fd, &address.any, &size) == 0, "getsockname");
    *port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return fd;
}

int net_listening(const char *ip, uint16_t *port)
{
    int fd = net_bound(ip, port);

    need(listen(fd, 64) == 0, "listen");
    return fd;
}

bool net_has_ipv6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

void net_hole_open(net_hole *hole, const char *ip, uint16_t *port)
{
    any_address address;
    int listener = net_bound(ip, port);
    socklen_t size = make_address(&address, ip, *port);
    bool full = false;

    need(listen(listener, 0) == 0, "listen");
    hole->fds[0] = listener;
    hole->count = 1;
    while (!full && hole->count < sizeof hole->fds / sizeof hole->fds[0]) {
        int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct pollfd one = {.fd = fd, .events = POLLOUT};

        need(fd >= 0, "socket");
        hole->fds[hole->count++] = fd;
        need(connect(fd, &address.any, size) == 0 || errno == EINPROGRESS, "connect");
        /* What is not answered in this time on loopback is not answered at all. */
        full = poll(&one, 1, 100) == 0;
    }
    need(full, "the queue does not fill up");
}

void net_hole_close(net_hole *hole)
{
    while (hole->count > 0)
        close(hole->fds[--hole->count]);
}

void net_pair(int fds[2])
{
    uint16_t port = 0;
    any_address address;
    int listener = net_listening("127.0.0.1", &port);
    socklen_t size = make_address(&address, "127.0.0.1", port);

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(fds[0] >= 0 && connect(fds[0], &address.any, size) == 0, "connect");
    fds[1] = accept(listener, NULL, NULL);
    need(fds[1] >= 0, "accept");
    close(listener);
}

void net_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0, "SO_LINGER");
    close(fd);
}

void net_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int ready;

    do
        ready = poll(&one, 1, 10000);
    while (ready < 0 && errno == EINTR);
    need(ready == 1, "nothing to read");
}

size_t net_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    need(dir != NULL, "/proc/self/fd");
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

int64_t net_ms(void)
{
    struct timespec now;

    need(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock");
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void do_nothing(int number)
{
    (void)number;
}

void net_interruptions(bool on)
{
    struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
    struct itimerval every = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};

    need(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
    need(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
}
