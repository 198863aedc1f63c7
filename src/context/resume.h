/*
 * resume.h: resumption on both sides. A session exists only after every check has passed, and is
 * bound to what it was made under: on a client to the derived settings, the host, port and name; on
 * a server to the session digest of the settings, from which the ticket keys are derived as well.
 */
#ifndef CINCH_CONTEXT_RESUME_H
#define CINCH_CONTEXT_RESUME_H

#include "context/link.h"

/* Both sides, when an SSL_CTX is made. */
cinch_status cinch_resume_install(const cinch_settings *settings,
                                  const unsigned char session_digest[32], SSL_CTX *ctx,
                                  cinch_error *err);

/*
 * cinch_resume_digest says what sessions of a server are bound to: the names it answers for, whether
 * and how clients are checked, and the policy. A renewed certificate leaves them alone.
 */
cinch_status cinch_resume_digest(const cinch_settings *settings, unsigned char digest[32],
                                 cinch_error *err);

/* ---- resume_client.c ---- */

/*
 * cinch_resume_key sets what LINK keeps its sessions under: beside its settings and the name that is
 * verified, the PLACE dialled (at most 255 bytes count; "" if not known) and its PORT, -1 if not known.
 */
cinch_status cinch_resume_key(cinch_link *link, const char *place, int port, cinch_error *err);

/* cinch_resume_offer makes SSL offer a session, before the handshake begins. */
void cinch_resume_offer(cinch_link *link, SSL *ssl);

/*
 * cinch_resume_accept is for a handshake that resumed what was offered: 1 if the peer counts as
 * verified by it, as it was when the session began; else 0.
 */
int cinch_resume_accept(cinch_link *link, SSL *ssl);

/* cinch_resume_commit keeps what the server gave before the last check had passed. */
void cinch_resume_commit(cinch_link *link);

/* cinch_resume_forget drops the sessions of a connection that failed. */
void cinch_resume_forget(cinch_link *link);

/* cinch_resume_release frees what LINK holds. */
void cinch_resume_release(cinch_link *link);

int cinch_resume_new_session(SSL *ssl, SSL_SESSION *session);

/* ---- resume_server.c ---- */

/* cinch_resume_accept_server is cinch_resume_accept() for a server. */
int cinch_resume_accept_server(cinch_link *link, SSL *ssl);

/*
 * cinch_resume_remember hangs the CHAIN that was just verified on the session, for session ids. 0 if
 * there is no memory: then the session must not come about.
 */
int cinch_resume_remember(const cinch_link *link, SSL *ssl, STACK_OF(X509) * chain);

/*
 * cinch_resume_prepare is for the connection whose ClientHello is here and whose host is chosen: it
 * keeps TLS 1.2 from tickets and says which sessions can be resumed. 0: the handshake must fail.
 */
int cinch_resume_prepare(cinch_link *link, SSL *ssl);

/*
 * cinch_resume_give is called before the first data is written: a server's tickets leave with it. In
 * the handshake, as libssl would send them, they reach clients that only write and then close without
 * reading: the system answers such a close with a reset, and the server loses the data.
 */
void cinch_resume_give(cinch_link *link, SSL *ssl);

int cinch_resume_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
                            EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing);
int cinch_resume_ticket_data(SSL *ssl, void *arg);
SSL_TICKET_RETURN cinch_resume_ticket_opened(SSL *ssl, SSL_SESSION *session,
                                             const unsigned char *name, size_t name_size,
                                             SSL_TICKET_STATUS status, void *arg);

#endif
