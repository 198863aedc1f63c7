/*
 * psk.h: how do two sides with a shared secret do without certificates?
 *
 * A pre-shared key proves both sides to each other (RFC 8446, 2.2; for TLS 1.2 RFC 5489 with the one
 * suite that protects data as it should, RFC 7905's ECDHE-PSK-CHACHA20-POLY1305). Forward secrecy
 * stays: every connection has a key exchange of its own. The secret must be random, at least 16
 * bytes (RFC 9257): a password is not good enough, whoever takes part in one handshake can try all
 * of them. The calls with insecure in their names do not insist on 16, and take the empty name: they
 * are for bindings whose programs bring secrets of their own. A secret is for two sides; of three who
 * know it each can pose as any other.
 *
 * Connections from a context with shared secrets are never resumed, and TLS 1.3 suites with another
 * digest than SHA-256 are left out (RFC 8446, 4.2.11).
 *
 * Threads: as context.h. Callbacks run on the thread that drives the connection.
 */
#ifndef CINCH_PSK_H
#define CINCH_PSK_H

#include <cinch/context.h>
#include <stddef.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_psk gives CTX a shared secret: KEY of SIZE bytes, 16 to 64, with the name IDENTITY, 1
 * to 128 bytes of text, which an observer can read. A client uses the last one set; a server knows
 * all that were set, at most 1,000, the last one for each name. FALLBACK 0, for all secrets of CTX
 * from now on: nothing but a secret counts, a server needs no identity, and a client refuses a
 * certificate. FALLBACK not 0: a peer that does not know the secret may do with a certificate, under
 * the rules that CTX has. A client that proves a secret is asked for no certificate. IDENTITY NULL
 * drops all secrets.
 */
CINCH_API cinch_status cinch_context_psk(cinch_context *ctx, const char *identity, const void *key,
                                         size_t size, int fallback, cinch_error *err);

/*
 * cinch_psk_callback looks up the secret of IDENTITY, which a stranger sent, writes at most SIZE
 * bytes into KEY and returns how many, or 0 if there is none. Fewer than 16 count as none. KEY is
 * wiped after use.
 */
typedef size_t (*cinch_psk_callback)(const char *identity, unsigned char *key, size_t size,
                                     void *arg);

/*
 * cinch_context_psk_lookup makes a server ask CALLBACK for names that it was not given a secret for;
 * NULL: none. FALLBACK as in cinch_context_psk(). A stranger learns from nothing but the time that
 * CALLBACK takes whether a name is known: to an unknown name the server answers as to a wrong secret,
 * unless it falls back to certificates.
 */
CINCH_API cinch_status cinch_context_psk_lookup(cinch_context *ctx, cinch_psk_callback callback,
                                                void *arg, int fallback, cinch_error *err);

/*
 * cinch_context_insecure_psk_lookup does the same with secrets of 1 to 64 bytes, and asks for the empty
 * name as well: for bindings to programs that were not made for libcinch. A short secret can be found
 * out by trying all of them.
 */
CINCH_API cinch_status cinch_context_insecure_psk_lookup(cinch_context *ctx,
                                                         cinch_psk_callback callback, void *arg,
                                                         int fallback, cinch_error *err);

/*
 * cinch_psk_offer_callback chooses a client's secret in a handshake. HINT is what a server of TLS 1.2 says
 * about the names that it knows, which anybody can make up, or NULL. It writes the name with its NUL into
 * IDENTITY of IDENTITY_SIZE bytes, which is empty before, at most SIZE bytes into KEY, and returns how
 * many, or 0 to offer none. It may be asked again for the same connection. KEY is wiped after use.
 */
typedef size_t (*cinch_psk_offer_callback)(const char *hint, char *identity, size_t identity_size,
                                           unsigned char *key, size_t size, void *arg);

/*
 * cinch_context_insecure_psk_offer makes a client that was given no secret ask CALLBACK for one; NULL:
 * none. FALLBACK as in cinch_context_psk(). Secrets and names are as in
 * cinch_context_insecure_psk_lookup().
 */
CINCH_API cinch_status cinch_context_insecure_psk_offer(cinch_context *ctx,
                                                        cinch_psk_offer_callback callback,
                                                        void *arg, int fallback, cinch_error *err);

CINCH_END_DECLS

#endif
