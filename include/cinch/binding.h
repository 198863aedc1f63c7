/*
 * binding.h: how is something else tied to this connection, and what can be done to it while it is
 * open?
 *
 * Channel bindings tie an authentication inside the connection to the connection itself, so that it
 * cannot be relayed (RFC 5056). Exporters give key material that only the two ends know. Then the
 * finer points: new keys, a certificate asked for late, a log of the secrets, the size of records,
 * NPN.
 *
 * Threads: what takes a conn as conn.h, what takes a context as context.h.
 */
#ifndef CINCH_BINDING_H
#define CINCH_BINDING_H

#include <cinch/conn.h>
#include <cinch/stream.h>

CINCH_BEGIN_DECLS

typedef enum cinch_binding {
    CINCH_BINDING_TLS_UNIQUE = 1,       /* RFC 5929, 3: TLS 1.2 and older */
    CINCH_BINDING_SERVER_END_POINT = 2, /* RFC 5929, 4: digest of the server's certificate */
    CINCH_BINDING_EXPORTER = 3          /* tls-exporter (RFC 9266): 32 bytes */
} cinch_binding;

/*
 * cinch_conn_binding writes the channel binding KIND of CONN, whose handshake is complete, into BUF,
 * SIZE bytes at most (64 are always enough), and sets *N. Refused where it would not hold, and the
 * error says what to use instead: tls-unique on TLS 1.3 (RFC 8446, C.5) and on a connection that was
 * resumed without the extended master secret; tls-exporter without that (RFC 9266, 4.2);
 * tls-server-end-point for a certificate whose signature has no digest of its own, such as Ed25519
 * (RFC 5929, 4.1), and where a pre-shared key stands for the certificate. For a stream give
 * cinch_stream_conn().
 */
CINCH_API cinch_status cinch_conn_binding(const cinch_conn *conn, cinch_binding kind, void *buf,
                                          size_t size, size_t *n, cinch_error *err);

/*
 * cinch_conn_export derives SIZE bytes of key material, at most 8,160, into BUF (RFC 8446, 7.5; RFC
 * 5705) for LABEL, which should begin with "EXPORTER-", and CONTEXT of CONTEXT_SIZE bytes (NULL:
 * none; with TLS 1.2 none and empty differ). Refused on TLS 1.2 without the extended master secret
 * (RFC 7627, 5.4): there the key may be another connection's as well.
 */
CINCH_API cinch_status cinch_conn_export(const cinch_conn *conn, const char *label,
                                         const void *context, size_t context_size, void *buf,
                                         size_t size, cinch_error *err);

/*
 * cinch_conn_key_update changes the keys that CONN sends with (RFC 8446, 4.6.3), and asks the peer
 * to do the same if REQUEST is not 0. TLS 1.3 only, between the handshake and the close. The message
 * is among the next bytes to send. OpenSSL changes keys by itself before the limits of the cipher;
 * a peer that changes its own more than 32 times without sending data is cut off.
 */
CINCH_API cinch_status cinch_conn_key_update(cinch_conn *conn, int request, cinch_error *err);

/* cinch_stream_key_update does cinch_conn_key_update() for STREAM, and sends the message. */
CINCH_API cinch_status cinch_stream_key_update(cinch_stream *stream, int request, cinch_error *err);

/*
 * cinch_conn_ask_certificate makes a TLS 1.3 server ask its client for a certificate now (post-
 * handshake authentication, RFC 8446, 4.6.2). Trust must be named (trust.h). The request is among
 * the next bytes to send, the answer comes with a later read, and until it has been verified,
 * cinch_peer says not verified. A bad answer fails the connection, and so does an empty one, unless
 * cinch_context_client_auth() is CINCH_CLIENT_AUTH_OPTIONAL. While the answer is half here, a write
 * gives CINCH_WANT_READ. Refused, with the connection going on, if the client does not offer it, was
 * asked already and has not answered, or has proved a pre-shared key. Tickets are not given any more
 * after it.
 */
CINCH_API cinch_status cinch_conn_ask_certificate(cinch_conn *conn, cinch_error *err);

/*
 * cinch_stream_ask_certificate does cinch_conn_ask_certificate() for STREAM, and sends the request. The
 * answer comes with a later cinch_stream_read().
 */
CINCH_API cinch_status cinch_stream_ask_certificate(cinch_stream *stream, cinch_error *err);

/*
 * cinch_context_late_certificate makes a client offer post-handshake authentication (ON not 0): the
 * server may ask for its certificate at any time. Off by default.
 */
CINCH_API cinch_status cinch_context_late_certificate(cinch_context *ctx, int on, cinch_error *err);

/*
 * cinch_context_insecure_key_log appends the secrets of every connection to the file PATH in the
 * format of NSS, for Wireshark; NULL stops it. Whoever reads the file can read the connections, so it
 * is made with mode 0600, and one that others can read, or a symbolic link, is refused. PATH "" means
 * the file that the environment variable SSLKEYLOGFILE names, if it is set; that is not honoured
 * otherwise, nor in a program with raised privileges.
 */
CINCH_API cinch_status cinch_context_insecure_key_log(cinch_context *ctx, const char *path,
                                                      cinch_error *err);

/*
 * cinch_context_record_size limits the data in each record sent to BYTES, 512 to 16384; the default
 * is 16384. QUICK_START not 0 sends the first 64 KiB of a connection, and the first 64 KiB after a
 * pause of a second, in records that fit one packet (1,300 bytes), so that the peer can begin to
 * read them sooner.
 */
CINCH_API cinch_status cinch_context_record_size(cinch_context *ctx, int bytes, int quick_start,
                                                 cinch_error *err);

/*
 * cinch_context_npn sets the protocols of NPN, the predecessor of ALPN (TLS 1.2 and older, obsolete),
 * in the form that cinch_context_alpn() takes; NULL turns it off, as it is by default. The client
 * chooses the first of its list that the server has; without one the handshake fails. Where ALPN is
 * agreed on, or the peer does not speak NPN, it plays no part.
 */
CINCH_API cinch_status cinch_context_npn(cinch_context *ctx, const char *protocols,
                                         cinch_error *err);

CINCH_END_DECLS

#endif
