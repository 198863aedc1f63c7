/*
 * openssl.h: how is the OpenSSL underneath reached, for what Cinch has no call for?
 *
 * Bindings for other languages and adapters for other libraries need this; programs hardly ever do.
 * What is lent here is lent for looking at: whoever changes it may undo what Cinch has set up, and
 * what then holds is what OpenSSL makes of it. This header is not part of cinch.h.
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
