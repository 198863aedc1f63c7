/* stream.h: the inside of a stream. */
#ifndef CINCH_STREAM_STREAM_H
#define CINCH_STREAM_STREAM_H

#include "conn/parts.h"
#include "stream/address.h"
#include "stream/deadline.h"

#include <cinch/stream.h>
#include <sys/time.h>

struct cinch_stream {
    cinch_conn *conn;
    int fd;
    int own; /* the descriptor is closed with the stream */
    int nonblocking;
    int started;         /* the handshake has begun */
    int unwrapped;       /* the descriptor is the caller's and speaks plain text again */
    int send_error;      /* errno of the send that failed: nothing more can leave. 0: none */
    int wait_first;      /* so many receives yet are not tried before something is there */
    int wait_next;       /* and so many after the next one that is in vain */
    int never_blocks;    /* the descriptor does not wait by itself */
    int was_interrupted; /* the last receive that waited by itself, by a signal */
    int recv_limit_ms;   /* SO_RCVTIMEO, as set here; 0: none */
    int limit_is_ours;   /* it was set here; what it was before: */
    struct timeval limit_before;
    cinch_timeouts timeouts;
    int64_t deadline;           /* of cinch_stream_deadline() */
    int64_t handshake_deadline; /* from its first step on */
    int64_t handshake_began;
    int64_t resolved_us;  /* -1 unless dialled */
    int64_t connected_us; /* -1 unless dialled */
    char address[CINCH_ADDRESS_TEXT];
};

/*
 * cinch_stream_around makes a stream of CONN and FD, both of which it takes when it succeeds.
 * ADDRESS is the other end's, as text. NULL when memory runs out.
 */
cinch_stream *cinch_stream_around(cinch_conn *conn, int fd, int own, const char *address,
                                  cinch_error *err);

/*
 * cinch_stream_check_fd says early what would otherwise be an odd error in the middle of a handshake:
 * that FD is no connected stream socket. ADDRESS is set to the other end's.
 */
cinch_status cinch_stream_check_fd(int fd, char address[static CINCH_ADDRESS_TEXT],
                                   cinch_error *err);

/*
 * cinch_stream_enter is the first thing that a call on a stream does: CINCH_OK if it may go on, else
 * the status to return. ERR set already, no stream, unwrapped, the deadline passed, or that of a
 * handshake which nobody waits in.
 */
cinch_status cinch_stream_enter(cinch_stream *stream, cinch_error *err);

/* cinch_goes_on tells whether STATUS, of the conn, is no end: a failure, or close_notify. 1 or 0. */
static inline int cinch_goes_on(cinch_status status)
{
    return status <= CINCH_WANT_WRITE || status == CINCH_WANT_SIGNATURE;
}

/* ---- io.c: bytes between the conn and the socket ---- */

/* cinch_stream_send sends what the socket takes at once: CINCH_OK if nothing is left, WANT_WRITE. */
cinch_status cinch_stream_send(cinch_stream *stream, cinch_error *err);

/* cinch_stream_unsent counts the conn's bytes that still have to leave. */
size_t cinch_stream_unsent(cinch_stream *stream);

/* cinch_stream_say_last sends what it can of the last words, an alert, and never fails. */
void cinch_stream_say_last(cinch_stream *stream);

/*
 * cinch_stream_receive receives once: CINCH_OK if something came (the end counts), CINCH_WANT_READ
 * if nothing is there. FLAGS for recv(): MSG_DONTWAIT; or 0 to wait as the descriptor does, until a signal.
 */
cinch_status cinch_stream_receive(cinch_stream *stream, int flags, cinch_error *err);

/* cinch_stream_send_broke explains that sending failed with errno NUMBER, and what the peer said. */
cinch_status cinch_stream_send_broke(cinch_stream *stream, int number, cinch_error *err);

/* cinch_stream_give_back makes the descriptor the caller's, with the limit for receiving that it had. */
void cinch_stream_give_back(cinch_stream *stream);

/* What a call waits for. It begins when there is something to wait for: most calls never ask the clock. */
typedef struct cinch_waiting {
    int64_t since; /* 0: not begun */
    int64_t deadline;
    int limit_ms;
    const char *what; /* "sending data": for the error */
    int fatal;        /* the connection is of no use after a timeout */
} cinch_waiting;

/* cinch_stream_waiting is for waiting for at most LIMIT_MS from when it begins. */
cinch_waiting cinch_stream_waiting(int limit_ms, const char *what);

/* cinch_stream_begin_waiting begins, unless that was before: not beyond the stream's deadline. */
void cinch_stream_begin_waiting(const cinch_stream *stream, cinch_waiting *waiting);

/* cinch_stream_handshake_waiting does so for the handshake, which it begins if it has not begun. */
cinch_waiting cinch_stream_handshake_waiting(cinch_stream *stream);

/* cinch_stream_wait waits for EVENTS on the socket; CINCH_OK, or sets ERR when the time is over. */
cinch_status cinch_stream_wait(cinch_stream *stream, short events, cinch_waiting *waiting,
                               cinch_error *err);

/*
 * cinch_stream_try_receive is cinch_stream_receive() for a read that WAITING is for: if MAY_WAIT it may wait
 * itself, and it may find out nothing, if something is there hardly ever. CINCH_WANT_READ: wait.
 */
cinch_status cinch_stream_try_receive(cinch_stream *stream, int may_wait, cinch_waiting *waiting,
                                      cinch_error *err);

/*
 * cinch_stream_await_signature waits for the answer that the program owes the conn; CINCH_OK, or sets
 * ERR when the time is over. The socket is left alone meanwhile.
 */
cinch_status cinch_stream_await_signature(cinch_stream *stream, cinch_waiting *waiting,
                                          cinch_error *err);

/* cinch_stream_timed_out sets ERR for WAITING. */
cinch_status cinch_stream_timed_out(cinch_stream *stream, cinch_waiting *waiting, cinch_error *err);

/* cinch_stream_too_late sets ERR for a call that came after the stream's deadline. */
cinch_status cinch_stream_too_late(cinch_stream *stream, cinch_error *err);

/* cinch_stream_send_all sends everything, waiting if need be; WANT_WRITE if non-blocking. */
cinch_status cinch_stream_send_all(cinch_stream *stream, cinch_waiting *waiting, cinch_error *err);

/* ---- the calls, without what is the same in all of them ---- */

/* cinch_stream_ready does the handshake if it is not complete. */
cinch_status cinch_stream_ready(cinch_stream *stream, cinch_error *err);

/*
 * cinch_stream_put writes all of PARTS to a blocking stream; *DONE counts what has left, also on
 * failure. The limit for one write counts anew for each piece of 64 KiB.
 */
cinch_status cinch_stream_put(cinch_stream *stream, cinch_parts *parts, size_t *done,
                              cinch_error *err);

/*
 * cinch_stream_say_goodbye sends close_notify. A peer that has said its own and is gone already is no
 * error.
 */
cinch_status cinch_stream_say_goodbye(cinch_stream *stream, cinch_error *err);

/* cinch_stream_take reads into BUF, as cinch_stream_read() after the handshake. */
cinch_status cinch_stream_take(cinch_stream *stream, void *buf, size_t size, size_t *n,
                               cinch_waiting *waiting, cinch_error *err);

#endif
