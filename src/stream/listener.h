/* listener.h: the inside of a listener. */
#ifndef CINCH_STREAM_LISTENER_H
#define CINCH_STREAM_LISTENER_H

#include "stream/resolve.h"

#include <cinch/listener.h>
#include <pthread.h>
#include <stdatomic.h>

struct cinch_listener {
    cinch_context *ctx; /* a reference */
    size_t count;
    int fds[CINCH_ADDRESSES]; /* non-blocking: another thread may be faster */
    char addresses[CINCH_ADDRESSES][CINCH_ADDRESS_TEXT];
    int port;
    int stop; /* an eventfd that is readable for ever once stopped */
    atomic_int stopped;
    atomic_uint turn; /* where to look first, so that no address starves another */
    pthread_mutex_t lock;
    cinch_timeouts timeouts; /* under the lock */
};

/* cinch_bind_all opens and binds sockets of LISTENER for HOST and PORT, and listens on them. */
cinch_status cinch_bind_all(cinch_listener *listener, const char *host, const char *port,
                            cinch_error *err);

/* cinch_listener_note adds the listening socket FD to LISTENER and finds its address. */
cinch_status cinch_listener_note(cinch_listener *listener, int fd, cinch_error *err);

#endif
