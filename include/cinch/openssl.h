/*
 * openssl.h: how do other libraries that use OpenSSL take a context, and how is the OpenSSL underneath
 * reached, for what Cinch has no call for?
 *
 * Programs that have a library make their connections need the first half (for libcurl see curl.h);
 * bindings for other languages need the second, where what is lent is lent for looking at: whoever
 * changes it may undo what Cinch has set up, and what then holds is what OpenSSL makes of it. This
 * header is not part of cinch.h.
 *
 * Threads: what takes a conn as conn.h, what takes a context as context.h.
 */
#ifndef CINCH_OPENSSL_H
#define CINCH_OPENSSL_H

#include <cinch/conn.h>
#include <cinch/session.h>
#include <openssl/ssl.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_openssl_apply puts CTX, as it is now, into the SSL_CTX of another library, so that its
 * connections are what those of Cinch are: anchors, rules on certificates, names, revocation, policy,
 * identity, shared secrets and key log of CTX take the place of whatever was there. SSL_CTX must be
 * fresh: before its first SSL, without a certificate, and for the side that CTX is for. It keeps all
 * that it needs; CTX may be changed or freed, which changes nothing for SSL_CTX.
 *
 * Whom a client expects is HOST, a name or an address, which is then also asked for (SNI) unless the
 * library asks for another name itself. With HOST NULL it is what the library has set in each SSL by
 * SSL_set1_host(3) or, if it has not, the name it asks for; if there is neither the handshake fails. For
 * a server's context HOST is NULL.
 *
 * Sessions: a client resumes those that it made itself with equal settings for the same host; others
 * that the library puts into an SSL are dropped in favour of a full handshake. A server gives tickets
 * from the ring of CTX.
 *
 * What has no place in an SSL_CTX is an error that names it, and nothing is changed: application
 * protocols (ALPN, NPN; the library has to set those that it speaks), signers that answer later,
 * virtual hosts and contexts chosen by callback, records that begin small. If memory runs out half way
 * it fails, and SSL_CTX makes no connections any more.
 */
CINCH_API cinch_status cinch_context_openssl_apply(cinch_context *ctx, SSL_CTX *ssl_ctx,
                                                   const char *host, cinch_error *err);

/*
 * cinch_openssl_explain tells in ERR why the connection of SSL, whose SSL_CTX a context was applied to,
 * has failed, as far as that can be known. Call it where the library's call has failed and SSL still
 * exists, before the error queue of OpenSSL is emptied, which it leaves as it is. Returns CINCH_OK, with
 * ERR as it was, if nothing is known to be wrong; else the failure's status.
 */
CINCH_API cinch_status cinch_openssl_explain(SSL *ssl, cinch_error *err);

/*
 * cinch_openssl_remember has failures of connections of SSL_CTX, which a context was applied to, kept
 * under KEY, for libraries that free an SSL before anybody can ask. The last 64 in the process are kept,
 * one for each KEY: a pointer that is compared and never followed. NULL: they are not kept any more.
 */
CINCH_API cinch_status cinch_openssl_remember(SSL_CTX *ssl_ctx, const void *key, cinch_error *err);

/*
 * cinch_openssl_keep keeps a failure WHY under KEY, as cinch_openssl_remember() has it done: what went
 * wrong before there was a connection. An error that is not set is not kept.
 */
CINCH_API void cinch_openssl_keep(const void *key, const cinch_error *why);

/*
 * cinch_openssl_recall tells in ERR the failure that was kept under KEY, and forgets it. Returns its
 * status; CINCH_OK, with ERR as it was, if there is none. ERR NULL: it is forgotten only. It may be
 * called on any thread.
 */
CINCH_API cinch_status cinch_openssl_recall(const void *key, cinch_error *err);

/* The size of a text that cinch_context_openssl_digest() writes. */
#define CINCH_OPENSSL_DIGEST_TEXT 65

/*
 * cinch_context_openssl_digest writes 64 hexadecimal digits into TEXT (SIZE bytes, at least
 * CINCH_OPENSSL_DIGEST_TEXT) that are the same for contexts whose settings are equal now, and others for
 * others: for libraries that keep connections by the settings that these were made with. They have no
 * meaning in another process.
 */
CINCH_API cinch_status cinch_context_openssl_digest(cinch_context *ctx, char *text, size_t size,
                                                    cinch_error *err);

/*
 * cinch_conn_openssl lends the SSL of CONN, valid as long as CONN; NULL for NULL. Its callbacks, its
 * BIO, its verification and what hangs on it as data are Cinch's. After a call that may have failed
 * empty OpenSSL's error queue with ERR_clear_error().
 */
CINCH_API SSL *cinch_conn_openssl(const cinch_conn *conn);

/*
 * cinch_session_openssl lends the SSL_SESSION of SESSION, valid as long as SESSION; NULL for NULL.
 * It may be in use by others: it must not be changed.
 */
CINCH_API SSL_SESSION *cinch_session_openssl(const cinch_session *session);

/*
 * cinch_adjust_callback changes SSL_CTX, into which everything else has been put already, as the SIZE
 * bytes at DATA say, and returns 1; or 0 with what went wrong in OpenSSL's error queue. It depends on
 * nothing but DATA: equal ones must come to the same. It may be called on any thread.
 */
typedef int (*cinch_adjust_callback)(SSL_CTX *ssl_ctx, const void *data, size_t size);

/*
 * cinch_context_insecure_adjust has CALLBACK change each SSL_CTX that CTX derives from now on, with a
 * copy of SIZE bytes at DATA, at most 65,536; CALLBACK NULL stops it. If it fails no connection can be
 * made, see cinch_context_check(). Contexts share an SSL_CTX only if CALLBACK and DATA are the same,
 * and sessions stay with them. Nothing of what it changes is known to an audit. Peers are verified by
 * Cinch whatever CALLBACK does.
 */
CINCH_API cinch_status cinch_context_insecure_adjust(cinch_context *ctx,
                                                     cinch_adjust_callback callback,
                                                     const void *data, size_t size,
                                                     cinch_error *err);

/*
 * cinch_message_callback sees a message of the protocol pass by, as SSL_CTX_set_msg_callback(3) has
 * it: SENT not 0 for one of this side, TYPE the content type of its record (RFC 8446, 5.1; 256 and
 * 257 are OpenSSL's own), SIZE bytes of it at BYTES. It must not call anything on the conn.
 */
typedef void (*cinch_message_callback)(int sent, int version, int type, const void *bytes,
                                       size_t size, void *arg);

/*
 * cinch_conn_messages has CALLBACK see all messages of CONN from now on, in clear; NULL stops it.
 * SSL_set_msg_callback() would take the place of Cinch's own. ARG must stay valid as long as CONN.
 */
CINCH_API cinch_status cinch_conn_messages(cinch_conn *conn, cinch_message_callback callback,
                                           void *arg, cinch_error *err);

CINCH_END_DECLS

#endif
