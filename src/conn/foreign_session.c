/*
 * foreign_session.c: a library keeps its sessions itself, and may put any into an SSL. One of them
 * resumed is a peer that nobody has verified now; so only those are let through that were marked when
 * their chain was verified, under the same settings and for the same host.
 */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/memory.h"
#include "conn/foreign.h"
#include "context/access.h"

#include <openssl/err.h>
#include <string.h>

typedef struct mark {
    unsigned char settings[32];
    char host[CINCH_HOST_TEXT];
    int64_t began;
    STACK_OF(X509) * chain;
} mark;

static atomic_int mark_place = -1;

static void release(mark *m)
{
    if (m == NULL)
        return;
    sk_X509_pop_free(m->chain, X509_free);
    cinch_release(m);
}

static void free_mark(void *parent, void *m, CRYPTO_EX_DATA *data, int index, long number,
                      void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    release(m);
}

/* The certificates are shared, the rest is copied. */
static mark *copy_of(const mark *from)
{
    mark *m = cinch_copy_bytes(from, sizeof *from);

    if (m == NULL)
        return NULL;
    m->chain = X509_chain_up_ref(from->chain);
    if (m->chain != NULL)
        return m;
    cinch_release(m);
    return NULL;
}

/* Each new ticket makes libssl copy the session. */
static int copy_mark(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **m, int index,
                     long number, void *pointer)
{
    (void)to;
    (void)from;
    (void)index;
    (void)number;
    (void)pointer;
    /* Without memory it is a session without a mark, and not resumed. */
    if (*m != NULL)
        *m = copy_of(*m);
    return 1;
}

static mark *mark_of(const SSL_SESSION *session)
{
    int place = atomic_load(&mark_place);

    return place < 0 ? NULL : SSL_SESSION_get_ex_data(session, place);
}

void cinch_foreign_mark(const cinch_conn *watcher, const STACK_OF(X509) * chain)
{
    const cinch_settings *settings = watcher->link.derived->settings;
    SSL_SESSION *session = SSL_get_session(watcher->ssl);
    int place = cinch_ex_place(&mark_place, CRYPTO_EX_INDEX_SSL_SESSION, copy_mark, free_mark);

    /* What a stapled response says may hold for a shorter time than a session. */
    if (settings->is_server || !settings->resumption || settings->ocsp_required ||
        settings->skip_verification || session == NULL || place < 0 || chain == NULL)
        return;
    mark made = {.began = cinch_clock_wall()};
    union {
        const STACK_OF(X509) * in;
        STACK_OF(X509) * shared;
    } pointer = {chain};
    made.chain = pointer.shared;
    memcpy(made.settings, watcher->link.derived->digest, sizeof made.settings);
    memcpy(made.host, watcher->link.host.text, sizeof made.host);
    mark *m = copy_of(&made), *before = mark_of(session);
    if (m == NULL || SSL_SESSION_set_ex_data(session, place, m) != 1)
        release(m);
    else
        release(before);
    ERR_clear_error();
}

/* What the mark of SESSION says as a session of ours, NULL if it does not fit WATCHER. */
static cinch_session *session_of(const cinch_conn *watcher, SSL_SESSION *session)
{
    static const unsigned char no_key[32];
    const cinch_settings *settings = watcher->link.derived->settings;
    const mark *m = mark_of(session);

    if (m == NULL || !settings->resumption ||
        memcmp(m->settings, watcher->link.derived->digest, sizeof m->settings) != 0 ||
        strcmp(m->host, watcher->link.host.text) != 0 || SSL_SESSION_up_ref(session) != 1)
        return NULL;
    cinch_session *ours = cinch_session_make(session, m->chain, m->settings, no_key, m->began, 1);
    if (ours == NULL) {
        SSL_SESSION_free(session);
        return NULL;
    }
    if (cinch_session_usable(ours, cinch_clock_wall()) &&
        cinch_access_holds(settings, m->chain, NULL))
        return ours;
    cinch_session_free(ours);
    return NULL;
}

void cinch_foreign_look(cinch_conn *watcher, SSL_SESSION *session)
{
    watcher->link.offered = session_of(watcher, session);
}

int cinch_foreign_offers_ours(const cinch_conn *watcher)
{
    const SSL_SESSION *session = SSL_get_session(watcher->ssl);

    return session == NULL || SSL_SESSION_is_resumable(session) != 1 ||
           (watcher->link.offered != NULL && watcher->link.offered->session == session);
}
