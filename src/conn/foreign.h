/*
 * foreign.h: connections that another library makes, from an SSL_CTX that a context was applied to.
 * Each SSL gets a cinch_conn that only watches: it has the link that the callbacks of the context need,
 * sees the alerts, and can explain. It moves no bytes.
 */
#ifndef CINCH_CONN_FOREIGN_H
#define CINCH_CONN_FOREIGN_H

#include "conn/conn.h"

/* What hangs on an SSL_CTX, until that is freed. */
typedef struct cinch_foreign {
    cinch_derived *derived;
    cinch_host host;         /* client: text "" if each SSL says whom it expects */
    int ready;               /* all is in place; before, no handshake gets anywhere */
    const void *_Atomic key; /* failures are kept under it; NULL: they are not */
    void (*see_next)(const SSL *ssl, int where, int value); /* the library's own info callback */
} cinch_foreign;

/* foreign.c: what was applied to the SSL_CTX of SSL, NULL for nothing. */
cinch_foreign *cinch_foreign_of(const SSL *ssl);

/* ---- foreign_watch.c ---- */

/* cinch_foreign_watch puts the callbacks that watch into CTX, which F hangs on. 1 or 0. */
int cinch_foreign_watch(SSL_CTX *ctx, cinch_foreign *f);

/* cinch_foreign_stay puts our info callback into the SSL of WATCHER, in front of the library's. */
void cinch_foreign_stay(cinch_conn *watcher);

/* cinch_foreign_leave puts the library's back. */
void cinch_foreign_leave(const cinch_conn *watcher);

/* cinch_foreign_insist makes the verification ours, whatever was put in since. */
void cinch_foreign_insist(SSL_CTX *ctx);

/* ---- foreign_begin.c ---- */

/*
 * cinch_foreign_begin gives the watcher of SSL, and makes it at the start of a handshake. NULL: the
 * handshake must fail.
 */
cinch_conn *cinch_foreign_begin(SSL *ssl);

/* cinch_foreign_watcher gives the watcher if there is one. */
cinch_conn *cinch_foreign_watcher(const SSL *ssl);

/* cinch_foreign_is_new tells whether somebody else is expected by now: the handshake is another one. */
int cinch_foreign_is_new(const cinch_conn *watcher);

/* cinch_foreign_again drops the watcher of an SSL that begins anew. */
void cinch_foreign_again(SSL *ssl);

/* ---- foreign_session.c: what a client resumes ---- */

/* cinch_foreign_mark is called with a CHAIN that was just verified: its session is ours. */
void cinch_foreign_mark(const cinch_conn *watcher, const STACK_OF(X509) * chain);

/*
 * cinch_foreign_look takes SESSION, which the library has put into WATCHER's SSL, for the one that may be
 * resumed, if it was marked for this host under these settings.
 */
void cinch_foreign_look(cinch_conn *watcher, SSL_SESSION *session);

/* cinch_foreign_offers_ours tells whether no other session is being offered. */
int cinch_foreign_offers_ours(const cinch_conn *watcher);

#endif
