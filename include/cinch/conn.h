/*
 * conn.h: how do I drive a connection from my own loop?
 *
 * A conn is one TLS connection that does no I/O. It has two byte buffers: what came from the peer
 * is put into one, what has to go to the peer is taken from the other. Programs with a socket and
 * no loop of their own use stream.h, which is this and a descriptor.
 *
 *     for (;;) {
 *         cinch_status st = cinch_conn_handshake(conn, &err);     (or _read, _write, _close)
 *         send all of cinch_conn_send_bytes(), then cinch_conn_send_consume();
 *         if (st == CINCH_WANT_READ)
 *             receive into cinch_conn_recv_space(), then cinch_conn_recv_commit() the count,
 *             or cinch_conn_recv_end() when the peer has closed;
 *         else if (st == CINCH_WANT_SIGNATURE)
 *             wait until the program has answered (signer.h; only with such an identity);
 *         else if (st != CINCH_WANT_WRITE)
 *             break;
 *     }
 *
 * After every call there may be bytes to send, also after one that failed: the alert that tells the
 * peer why. Send them before closing.
 *
 * State            handshake   read            write        close       bytes in   bytes out
 * HANDSHAKING      goes on     WANT_READ (1)   WANT_READ(1) ends it (2) yes        yes
 * OPEN             OK          OK, WANT_READ   OK, _WRITE   OK          yes        yes
 * PEER_CLOSED      OK          EOF             OK, _WRITE   OK          kept (3)   yes
 * CLOSE_SENT       FAILED      OK, WANT_READ   FAILED       OK          yes        yes
 * CLOSED           FAILED      EOF             FAILED       OK          kept (3)   yes
 * FAILED           as before   as before       as before    as before   ignored    yes (the alert)
 *
 * (1) They do the handshake first: no byte is ever read or written before it is complete and the
 *     peer is verified. (2) Closing during the handshake gives the connection up: FAILED.
 * (3) What follows the peer's close_notify is not TLS: cinch_conn_rest() hands it back.
 * While a signature is waited for (signer.h) they return WANT_SIGNATURE: in HANDSHAKING all three, and
 * read and write of an open client that is asked for its certificate late. Closing gives up then: as in
 * (2), or with CINCH_FAILED, as close_notify cannot leave an open one. Bytes go in and out as ever.
 * A transport that ends before close_notify makes it FAILED with CINCH_TRUNCATED, after everything
 * that had arrived has been read. Where the table says FAILED in a state that is not FAILED, the
 * caller made a mistake (CINCH_CAUSE_MISUSE) and the state stays; "as before" is the same status and
 * the same error again: a failed connection stays failed.
 *
 * Threads: a conn is used by one thread at a time; different conns of one context by any number.
 */
#ifndef CINCH_CONN_H
#define CINCH_CONN_H

#include <cinch/context.h>
#include <stddef.h>
#include <sys/uio.h>

CINCH_BEGIN_DECLS

typedef struct cinch_conn cinch_conn;

typedef enum cinch_conn_state {
    CINCH_STATE_HANDSHAKING = 0,
    CINCH_STATE_OPEN,
    CINCH_STATE_PEER_CLOSED, /* the peer's close_notify is here, ours is not sent */
    CINCH_STATE_CLOSE_SENT,  /* ours is sent, the peer's is not here */
    CINCH_STATE_CLOSED,      /* both */
    CINCH_STATE_FAILED
} cinch_conn_state;

/*
 * cinch_conn_new starts a connection with the settings that CTX has now. HOST is the name or address
 * that the server's certificate must be for; a client must give one, in Unicode or as an A-label
 * (RFC 5891), and a name is sent as SNI; a server gives NULL. Returns NULL and sets ERR on failure.
 * CTX may be freed before the conn. Free it with cinch_conn_free().
 */
CINCH_API cinch_conn *cinch_conn_new(cinch_context *ctx, const char *host, cinch_error *err);

/* cinch_conn_free drops CONN and wipes its keys; nothing more is sent. NULL is fine. */
CINCH_API void cinch_conn_free(cinch_conn *conn);

/* cinch_conn_state_now gives the state of CONN; CINCH_STATE_FAILED for NULL. */
CINCH_API cinch_conn_state cinch_conn_state_now(const cinch_conn *conn);

/*
 * cinch_conn_recv_space lends memory to put bytes from the peer into: *SPACE and *SIZE. *SIZE is 0
 * while enough has been put in that is not yet used; the other calls use it up. The memory is valid
 * until the next call on CONN.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_recv_space(cinch_conn *conn, void **space,
                                                            size_t *size, cinch_error *err);

/*
 * cinch_conn_recv_commit tells that N bytes have been put at the start of the memory that
 * cinch_conn_recv_space() lent. More than was lent is an error.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_recv_commit(cinch_conn *conn, size_t n,
                                                             cinch_error *err);

/* cinch_conn_recv_end tells that the transport has ended: no more bytes come from the peer. */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_recv_end(cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_send_bytes lends the bytes that have to go to the peer: *BYTES and *SIZE, 0 if there
 * are none. They are valid until the next call on CONN.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_send_bytes(cinch_conn *conn, const void **bytes,
                                                            size_t *size, cinch_error *err);

/*
 * cinch_conn_send_consume tells that the first N bytes of what cinch_conn_send_bytes() lent are on
 * their way. More than was lent is an error.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_send_consume(cinch_conn *conn, size_t n,
                                                              cinch_error *err);

/*
 * cinch_conn_handshake goes on with the handshake. CINCH_OK once it is complete and the peer is
 * verified, CINCH_WANT_READ while bytes from the peer are missing, CINCH_WANT_SIGNATURE while the
 * program owes a signature.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_handshake(cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_read reads up to SIZE bytes of what the peer wrote into BUF and sets *N, after the
 * handshake if need be. CINCH_OK with *N > 0; CINCH_WANT_READ if nothing is there; CINCH_EOF after
 * the peer's close_notify; CINCH_TRUNCATED if the transport ended without one. SIZE 0 is an error.
 * *N is 0 unless it returns CINCH_OK.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_read(cinch_conn *conn, void *buf, size_t size,
                                                      size_t *n, cinch_error *err);

/*
 * cinch_conn_write takes up to SIZE bytes of DATA to send to the peer and sets *N to how many it
 * took, after the handshake if need be. CINCH_OK with *N > 0 (or SIZE 0); CINCH_WANT_WRITE when
 * bytes have to leave through cinch_conn_send_bytes() first. What was not taken may be given again
 * from anywhere. *N is 0 unless it returns CINCH_OK.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_write(cinch_conn *conn, const void *data,
                                                       size_t size, size_t *n, cinch_error *err);

/*
 * cinch_conn_writev is cinch_conn_write() for the COUNT pieces of data at PARTS, in their order, as if
 * they were one: records are filled across their borders. It takes and counts bytes, not pieces.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_writev(cinch_conn *conn, const struct iovec *parts,
                                                        int count, size_t *n, cinch_error *err);

/*
 * cinch_conn_close says close_notify to the peer: nothing more can be written, what the peer writes
 * can still be read (RFC 8446, 6.1). It does not wait for the peer's. Again is fine.
 */
CINCH_API cinch_status cinch_conn_close(cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_pending counts the bytes that a read need not wait for: decrypted ones exactly, and
 * received ones that are still wrapped (which may turn out to hold no data). 0 for NULL.
 */
CINCH_API size_t cinch_conn_pending(const cinch_conn *conn);

/*
 * cinch_conn_rest hands back what was received after the peer's close_notify and is not TLS any
 * more: copies up to SIZE bytes into BUF and sets *N. Only in the states PEER_CLOSED and CLOSED.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_conn_rest(cinch_conn *conn, void *buf, size_t size,
                                                      size_t *n, cinch_error *err);

CINCH_END_DECLS

#endif
