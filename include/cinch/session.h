/*
 * session.h: how is resumption controlled?
 *
 * A session is what lets a later connection to the same peer do without certificates (RFC 8446, 2.2;
 * RFC 5246, 7.3). It exists only after every check was passed, belongs to the settings that it was
 * made under, and is never used under others: not for another host, port, server name or ALPN list,
 * not after a change of trust, identity, policy or rules.
 *
 * Clients resume by themselves: a context keeps the sessions that servers gave to its connections
 * and uses each TLS 1.3 ticket once (RFC 8446, C.4). Servers give tickets: tickets.h.
 *
 * Threads: as context.h; a cinch_session never changes and may be used by any number.
 */
#ifndef CINCH_SESSION_H
#define CINCH_SESSION_H

#include <cinch/conn.h>
#include <cinch/context.h>

CINCH_BEGIN_DECLS

typedef struct cinch_session cinch_session;

/*
 * cinch_context_resumption turns resumption on (ON not 0, the default) or off for the connections
 * made from CTX from now on, on a client and on a server; off drops what a client had kept.
 */
CINCH_API cinch_status cinch_context_resumption(cinch_context *ctx, int on, cinch_error *err);

/*
 * cinch_context_session_limit sets how many sessions a client keeps, 0 to 100,000; the default is
 * 256. The oldest go first. With 0 nothing is resumed but what cinch_conn_resume() is given.
 */
CINCH_API cinch_status cinch_context_session_limit(cinch_context *ctx, size_t most,
                                                   cinch_error *err);

/* cinch_context_session_forget drops all sessions that the client context CTX keeps. */
CINCH_API cinch_status cinch_context_session_forget(cinch_context *ctx, cinch_error *err);

/* cinch_context_session_count tells how many sessions the client context CTX keeps now. */
CINCH_API size_t cinch_context_session_count(cinch_context *ctx);

/*
 * cinch_context_session_ids makes a server remember at most MOST sessions for TLS 1.2 clients
 * (session ids, RFC 5246); 0, the default, none. They live as long as a ticket and in this process
 * only. TLS 1.2 tickets are not given out: who has their key can read recorded traffic.
 */
CINCH_API cinch_status cinch_context_session_ids(cinch_context *ctx, size_t most, cinch_error *err);

/*
 * cinch_context_insecure_tls12_tickets lets a server give tickets to clients of TLS 1.2 and earlier, and
 * a client ask for them (ON not 0). Who gets the secret that opens them, from memory or because a
 * server never changes it, reads all connections that were recorded (RFC 5077, 5.5); TLS 1.3 has a
 * fresh key exchange at each resumption. Those of this server are sealed by its ring (tickets.h).
 */
CINCH_API cinch_status cinch_context_insecure_tls12_tickets(cinch_context *ctx, int on,
                                                            cinch_error *err);

/*
 * cinch_conn_session_port tells CONN, a client that has not begun its handshake, to which port it
 * goes: sessions are kept per host and port. 0 to 65535. cinch_dial() does it by itself.
 */
CINCH_API cinch_status cinch_conn_session_port(cinch_conn *conn, int port, cinch_error *err);

/*
 * cinch_conn_session gives the newest session that the server has given to CONN, for
 * cinch_conn_resume() or cinch_session_export(). With TLS 1.3 it comes with or after the first data.
 * Returns NULL without setting ERR if there is none, NULL with ERR set on failure. Free it with
 * cinch_session_free().
 */
CINCH_API cinch_session *cinch_conn_session(cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_resume makes CONN, a client that has not begun its handshake, offer SESSION instead of
 * one that its context keeps. Refused if SESSION was made under other settings or for another host,
 * port or name. The server may not accept it; cinch_peer tells.
 */
CINCH_API cinch_status cinch_conn_resume(cinch_conn *conn, cinch_session *session,
                                         cinch_error *err);

/*
 * cinch_session_export writes SESSION as bytes into BUF and sets *N to their number; if SIZE is too
 * small, *N is what is needed and CINCH_FAILED with CINCH_CAUSE_MISUSE is returned (BUF NULL and SIZE
 * 0: CINCH_OK). The bytes are secret: who has them can resume the session.
 */
CINCH_API cinch_status cinch_session_export(const cinch_session *session, void *buf, size_t size,
                                            size_t *n, cinch_error *err);

/*
 * cinch_session_import reads what cinch_session_export() wrote, also in another process. Anything
 * else is refused. Returns NULL and sets ERR on failure.
 */
CINCH_API cinch_session *cinch_session_import(const void *bytes, size_t size, cinch_error *err);

/* cinch_session_free drops SESSION and wipes its secrets. NULL is fine. */
CINCH_API void cinch_session_free(cinch_session *session);

CINCH_END_DECLS

#endif
