/*
 * stream.h: how do I use a socket?
 *
 * A stream is a TLS connection on a connected socket. Calls wait until they are done or their
 * deadline has passed; with cinch_stream_nonblocking() they return CINCH_WANT_READ or
 * CINCH_WANT_WRITE instead, and the program waits for its descriptor in its own loop. The handshake
 * is done by the first read or write if it was not asked for before.
 *
 * No call raises SIGPIPE. An interrupted system call goes on. Nothing ever leaves a stream
 * unprotected, also not after it was closed.
 *
 * Threads: a stream is used by one thread at a time.
 */
#ifndef CINCH_STREAM_H
#define CINCH_STREAM_H

#include <cinch/conn.h>
#include <cinch/peer.h>
#include <sys/types.h>
#include <sys/uio.h>

CINCH_BEGIN_DECLS

typedef struct cinch_stream cinch_stream;

/* A deadline that never comes. */
#define CINCH_FOREVER (-1)

/*
 * How long each kind of call may wait in all, in milliseconds; CINCH_FOREVER for no limit, 0 for
 * what is said beside it. A non-blocking stream does not wait, but handshake_ms counts there as well,
 * from the first call on: the first one after that fails with CINCH_TIMEOUT.
 */
typedef struct cinch_timeouts {
    int connect_ms;   /* DNS and TCP together; 0 means 15,000 */
    int handshake_ms; /* 0 means 15,000 */
    int read_ms;      /* one read; 0 means 300,000 */
    int write_ms;     /* each 64 KiB of a write, and the sending of close_notify; 0 means 60,000 */
} cinch_timeouts;

/*
 * cinch_dial connects to PORT (a number or a service name) of HOST, does the handshake and verifies
 * that the server is HOST. HOST is a name, in Unicode or ASCII, or an IP address, with or without
 * brackets. All addresses of a name are tried as RFC 8305 has it (Happy Eyeballs 2). Returns NULL
 * and sets ERR on failure. Free it with cinch_stream_free().
 */
CINCH_API cinch_stream *cinch_dial(cinch_context *ctx, const char *host, const char *port,
                                   cinch_error *err);

/* What may be wished for in cinch_dial_with(). Leave the rest 0. */
typedef struct cinch_dial_options {
    const cinch_timeouts *timeouts; /* for this call and the stream; NULL: the ones above */
    const char *server_name;        /* verify and ask for this name; NULL: the host dialled */
    int no_handshake; /* not 0: leave the handshake to cinch_stream_handshake() or the first call */
    cinch_peer **evidence; /* not NULL: set to what is known of the peer if the handshake fails */
} cinch_dial_options;

/* cinch_dial_with is cinch_dial() with OPTIONS, which may be NULL. */
CINCH_API cinch_stream *cinch_dial_with(cinch_context *ctx, const char *host, const char *port,
                                        const cinch_dial_options *options, cinch_error *err);

/*
 * cinch_stream_wrap puts TLS on the connected socket FD, which stays the caller's: it is neither
 * closed nor are its flags changed. HOST as in cinch_conn_new(): whom a client expects, NULL for a
 * server. The handshake is done by cinch_stream_handshake() or the first read or write. Returns
 * NULL and sets ERR on failure.
 */
CINCH_API cinch_stream *cinch_stream_wrap(cinch_context *ctx, int fd, const char *host,
                                          cinch_error *err);

/*
 * cinch_stream_wrap_adopt is cinch_stream_wrap(), but FD is the stream's, which sets its SO_RCVTIMEO
 * (until it is unwrapped), and is closed with it, and also when this call fails.
 */
CINCH_API cinch_stream *cinch_stream_wrap_adopt(cinch_context *ctx, int fd, const char *host,
                                                cinch_error *err);

/*
 * cinch_stream_free says close_notify if the connection is open and the socket takes it at once,
 * closes the descriptor if it is the stream's own, and frees STREAM. NULL is fine.
 */
CINCH_API void cinch_stream_free(cinch_stream *stream);

/* cinch_stream_fd gives the descriptor to wait for in a loop; -1 for NULL. */
CINCH_API int cinch_stream_fd(const cinch_stream *stream);

/*
 * cinch_stream_nonblocking makes the calls on STREAM return CINCH_WANT_READ or CINCH_WANT_WRITE
 * where they would wait (ON not 0), or wait again (0). CINCH_WANT_SIGNATURE is for programs whose
 * signers answer later (signer.h): call again after the answer.
 */
CINCH_API cinch_status cinch_stream_nonblocking(cinch_stream *stream, int on, cinch_error *err);

/* cinch_stream_timeouts sets how long calls on STREAM may wait; NULL for the standard ones. */
CINCH_API cinch_status cinch_stream_timeouts(cinch_stream *stream, const cinch_timeouts *timeouts,
                                             cinch_error *err);

/*
 * cinch_stream_deadline sets a point in time, MILLISECONDS from now, after which every call on
 * STREAM fails with CINCH_TIMEOUT, beside the limits of cinch_stream_timeouts(): for "the whole
 * request within 5 seconds". CINCH_FOREVER lifts it. After a timeout in reading the connection is
 * still good; in the handshake or half way through a write it is not.
 */
CINCH_API cinch_status cinch_stream_deadline(cinch_stream *stream, int milliseconds,
                                             cinch_error *err);

/* cinch_stream_handshake completes the handshake. CINCH_OK also if it was complete already. */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_handshake(cinch_stream *stream,
                                                             cinch_error *err);

/*
 * cinch_stream_read reads at least 1 and at most SIZE bytes into BUF and sets *N. CINCH_EOF after
 * the peer's close_notify; CINCH_TRUNCATED if the connection ended without one. *N is 0 unless it
 * returns CINCH_OK.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_read(cinch_stream *stream, void *buf,
                                                        size_t size, size_t *n, cinch_error *err);

/*
 * cinch_stream_write writes at least 1 and at most SIZE bytes of DATA and sets *N. CINCH_OK means
 * that the bytes are protected and in order, and with the operating system unless STREAM is
 * non-blocking: there some may still wait to be sent by the next call, see cinch_stream_flush().
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_write(cinch_stream *stream, const void *data,
                                                         size_t size, size_t *n, cinch_error *err);

/* cinch_stream_write_all writes SIZE bytes of DATA. Only for blocking streams. */
CINCH_API cinch_status cinch_stream_write_all(cinch_stream *stream, const void *data, size_t size,
                                              cinch_error *err);

/*
 * cinch_stream_writev is cinch_stream_write() for the COUNT pieces of data at PARTS, in their order, as
 * if they were one: a small head and what follows it leave together, in one record if they fit. *N
 * counts bytes, and may end within a piece.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_writev(cinch_stream *stream,
                                                          const struct iovec *parts, int count,
                                                          size_t *n, cinch_error *err);

/* cinch_stream_writev_all writes all of the COUNT pieces at PARTS. Only for blocking streams. */
CINCH_API cinch_status cinch_stream_writev_all(cinch_stream *stream, const struct iovec *parts,
                                               int count, cinch_error *err);

/*
 * cinch_stream_flush hands what a non-blocking stream still has to send to the operating system.
 * CINCH_OK when nothing is left, CINCH_WANT_WRITE when the socket takes no more now.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_flush(cinch_stream *stream, cinch_error *err);

/*
 * cinch_stream_send_file writes COUNT bytes of the file FD, or all up to its end if COUNT is -1,
 * from OFFSET on; the file's own position is neither used nor changed. *SENT, if SENT is not NULL,
 * is how many were written, also on failure. A file that ends before COUNT is an error. Only for
 * blocking streams.
 */
CINCH_API cinch_status cinch_stream_send_file(cinch_stream *stream, int fd, off_t offset,
                                              off_t count, off_t *sent, cinch_error *err);

/*
 * cinch_stream_pending counts the bytes that are here already, decrypted or not: while it is not 0,
 * read before waiting for the descriptor. 0 for NULL.
 */
CINCH_API size_t cinch_stream_pending(const cinch_stream *stream);

/*
 * cinch_stream_close_write says close_notify: nothing more can be written, the peer's answer can
 * still be read until CINCH_EOF.
 */
CINCH_API cinch_status cinch_stream_close_write(cinch_stream *stream, cinch_error *err);

/*
 * cinch_stream_unwrap ends TLS and gives the socket back for plain use: says close_notify, waits for
 * the peer's, and copies what was received after it into BUF, *N bytes of at most SIZE. Data of the
 * peer that was not read is an error, and so is more than SIZE bytes after close_notify: neither is
 * ever lost silently. After CINCH_OK the descriptor is the caller's in any case, from
 * cinch_stream_fd(), and every other call on STREAM but cinch_stream_free() fails.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_stream_unwrap(cinch_stream *stream, void *buf,
                                                          size_t size, size_t *n, cinch_error *err);

/* cinch_stream_peer reports on STREAM as cinch_conn_peer() does, with the times of DNS and TCP. */
CINCH_API cinch_peer *cinch_stream_peer(const cinch_stream *stream, cinch_error *err);

/* cinch_stream_evidence reports as cinch_conn_evidence() does, with the times of DNS and TCP. */
CINCH_API cinch_peer *cinch_stream_evidence(const cinch_stream *stream, cinch_error *err);

/*
 * cinch_stream_address gives the address at the other end, as text: "192.0.2.1:443",
 * "[2001:db8::1]:443", or "" where there is none (a UNIX socket). Borrowed from STREAM.
 */
CINCH_API const char *cinch_stream_address(const cinch_stream *stream);

/* cinch_stream_conn lends the connection inside, for looking at only. NULL for NULL. */
CINCH_API const cinch_conn *cinch_stream_conn(const cinch_stream *stream);

CINCH_END_DECLS

#endif
