/* Sockets for tests, on the loopback interface only. Whatever goes wrong aborts the test. */
#ifndef CINCH_TESTS_NET_H
#define CINCH_TESTS_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* net_bound opens a TCP socket bound to `ip` and *port (0: any, which is stored), not listening. */
int net_bound(const char *ip, uint16_t *port);

/* net_listening does so and listens. */
int net_listening(const char *ip, uint16_t *port);

/* net_has_ipv6 tells whether ::1 can be used. */
bool net_has_ipv6(void);

/* An address that answers nobody: it listens, and its queue is full. */
typedef struct net_hole {
    int fds[8];
    size_t count;
} net_hole;

void net_hole_open(net_hole *hole, const char *ip, uint16_t *port);
void net_hole_close(net_hole *hole);

/* net_pair makes two connected TCP sockets. */
void net_pair(int fds[2]);

/* net_reset closes `fd` so that the other side sees a reset. */
void net_reset(int fd);

/* net_readable waits until `fd` has something to read, or its end; at most ten seconds. */
void net_readable(int fd);

/* net_open_fds counts the descriptors of this process. */
size_t net_open_fds(void);

/* net_ms is a clock in milliseconds. */
int64_t net_ms(void);

/* net_interruptions has SIGALRM come every millisecond (its handler does nothing), or stops that. */
void net_interruptions(bool on);

#endif
