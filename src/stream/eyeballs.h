/*
 * eyeballs.h: a TCP connection to a host that may have many addresses, some of which do not work:
 * Happy Eyeballs version 2 (RFC 8305).
 */
#ifndef CINCH_STREAM_EYEBALLS_H
#define CINCH_STREAM_EYEBALLS_H

#include "stream/resolve.h"

/* RFC 8305, 8: the values that it recommends. */
#define CINCH_RESOLUTION_DELAY_US 50000
#define CINCH_ATTEMPT_DELAY_US 250000

/* Where to connect to. */
typedef struct cinch_target {
    const char *typed; /* the host as the user wrote it, for errors */
    cinch_host host;
    uint16_t port;
    int connect_ms;                 /* for everything, or CINCH_FOREVER */
    const cinch_resolver *resolver; /* who is asked for the addresses of a name */
} cinch_target;

typedef struct cinch_connected {
    int fd; /* blocking, close-on-exec, TCP_NODELAY; the caller's */
    cinch_address address;
    int64_t resolved_us;  /* from the start to the first address that could be used */
    int64_t connected_us; /* from there on */
} cinch_connected;

/* cinch_connect connects to TARGET. The error lists what was tried. */
cinch_status cinch_connect(const cinch_target *target, cinch_connected *connected,
                           cinch_error *err);

#endif
