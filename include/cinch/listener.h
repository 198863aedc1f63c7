/*
 * listener.h: how do I accept connections?
 *
 * A listener is a bound socket that yields streams. Accepting never waits for a handshake: a client
 * that connects and says nothing holds up nobody else.
 *
 * Threads: cinch_listener_accept() may be called by many threads at once on one listener, and so may
 * cinch_listener_accept_within() and cinch_listener_fd(), and
 * cinch_listener_stop() by any thread (and by a signal handler); the other calls by one.
 */
#ifndef CINCH_LISTENER_H
#define CINCH_LISTENER_H

#include <cinch/stream.h>

CINCH_BEGIN_DECLS

typedef struct cinch_listener cinch_listener;

/*
 * cinch_listen listens on PORT (a number, a service name, or "0" for any that is free) of every
 * address of HOST; NULL for all addresses of the machine. CTX must be a server context with an
 * identity; the streams are made with the settings that it has when they are accepted. The caller
 * may free CTX when nothing is to be changed any more: the listener keeps it. Returns NULL and sets
 * ERR on failure. Free it with cinch_listener_free().
 */
CINCH_API cinch_listener *cinch_listen(cinch_context *ctx, const char *host, const char *port,
                                       cinch_error *err);

/*
 * cinch_listen_adopt makes a listener of the socket FD, which listens already; it is closed with the
 * listener, and also when this call fails.
 */
CINCH_API cinch_listener *cinch_listen_adopt(cinch_context *ctx, int fd, cinch_error *err);

/*
 * cinch_listener_accept waits for a client and returns its stream. The handshake is done by
 * cinch_stream_handshake() or the first read or write on it. A client that is gone again, and a
 * shortage of descriptors or memory, are waited out. Returns NULL on failure, with ERR set, and
 * after cinch_listener_stop(), with ERR not set.
 */
CINCH_API cinch_stream *cinch_listener_accept(cinch_listener *listener, cinch_error *err);

/*
 * cinch_listener_accept_within waits for MILLISECONDS at most (0: not at all; CINCH_FOREVER) and
 * gives the stream in *STREAM. CINCH_TIMEOUT without an error set when nobody came; CINCH_EOF after
 * cinch_listener_stop().
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_listener_accept_within(cinch_listener *listener,
                                                                   int milliseconds,
                                                                   cinch_stream **stream,
                                                                   cinch_error *err);

/*
 * cinch_listener_fd gives a descriptor for a loop of the program's own (select, poll, epoll, libuv): it
 * is readable while a client may be waiting, and for ever after cinch_listener_stop(). Then
 * cinch_listener_accept_within() with 0 milliseconds takes one, CINCH_TIMEOUT if another thread was
 * faster or the client is gone; the stream is the program's to make non-blocking. During a shortage of
 * descriptors or memory it is readable now and then only, so that the loop does not turn for nothing.
 * One descriptor stands for all addresses. Only to be waited for: never read from it, change or close
 * it. Valid as long as LISTENER; -1 for NULL.
 */
CINCH_API int cinch_listener_fd(const cinch_listener *listener);

/*
 * cinch_listener_stop makes every waiting and later cinch_listener_accept() return. NULL is fine.
 */
CINCH_API void cinch_listener_stop(cinch_listener *listener);

/* cinch_listener_port gives the port that LISTENER is bound to; -1 for NULL or a UNIX socket. */
CINCH_API int cinch_listener_port(const cinch_listener *listener);

/*
 * cinch_listener_address gives the address number INDEX that LISTENER is bound to as text,
 * "127.0.0.1:8443"; NULL beyond the last. Borrowed from LISTENER.
 */
CINCH_API const char *cinch_listener_address(const cinch_listener *listener, size_t index);

/*
 * cinch_listener_timeouts sets the limits that the accepted streams start with; NULL for the
 * standard ones.
 */
CINCH_API cinch_status cinch_listener_timeouts(cinch_listener *listener,
                                               const cinch_timeouts *timeouts, cinch_error *err);

/* cinch_listener_free closes LISTENER's sockets and frees it. NULL is fine. */
CINCH_API void cinch_listener_free(cinch_listener *listener);

CINCH_END_DECLS

#endif
