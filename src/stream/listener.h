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
    int stop;           /* an eventfd that is readable for ever once stopped */
    int ready;          /* an epoll set of the sockets, `stop` and `rest` */
    int rest;           /* a timerfd that ends a rest */
    atomic_int resting; /* the sockets are not told of for a while; changes under the lock */
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

/* ---- ready.c ---- */

/* cinch_listener_ready_open makes the descriptors; cinch_listener_ready_close() is due also if it fails. */
cinch_status cinch_listener_ready_open(cinch_listener *listener, cinch_error *err);
void cinch_listener_ready_close(cinch_listener *listener);

/* cinch_listener_ready_add has the socket FD told of, cinch_listener_ready_drop not any more. */
cinch_status cinch_listener_ready_add(cinch_listener *listener, int fd, cinch_error *err);
void cinch_listener_ready_drop(cinch_listener *listener, int fd);

/*
 * cinch_listener_rest keeps the descriptor unreadable for MILLISECONDS: during a shortage clients wait
 * who cannot be accepted, and a loop would do nothing but ask again. cinch_listener_rested ends that.
 */
void cinch_listener_rest(cinch_listener *listener, int milliseconds);
void cinch_listener_rested(cinch_listener *listener);

#endif
