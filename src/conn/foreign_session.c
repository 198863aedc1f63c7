/*
 * foreign_session.c: a library keeps its sessions itself, and may put any into an SSL. One of them
 * resumed is a peer that nobody has verified now; so only those are let through that were marked when
 * their chain was verified, under the same settings and for the same host.
 *
 * The mark is where a server would have data of its own in a ticket (a client never sends it), because
 * that goes along when libssl copies a session, and when the library keeps it as bytes. It counts in
 * this process only.
 */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "conn/foreign.h"
#include "context/access.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

/* Settings, host, when it began; then the chain, each certificate with its size before it; then a MAC. */
#define HEAD (32 + CINCH_HOST_TEXT + 8)
#define SIZE ((size_t)3)
#define MAC ((size_t)32)
#define LARGEST ((size_t)100000)

static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char key[32];
static int key_is_made;

static int make_key(void)
{
    pthread_mutex_lock(&key_lock);
    if (!key_is_made)
        key_is_made = RAND_bytes(key, sizeof key) == 1;
    int made = key_is_made;
    pthread_mutex_unlock(&key_lock);
    return made;
}

static int make_mac(const unsigned char *bytes, size_t size, unsigned char out[32])
{
    size_t n = 0;

    return make_key() &&
           EVP_Q_mac(cinch_library_context(), "HMAC", NULL, "SHA256", NULL, key, sizeof key, bytes,
                     size, out, MAC, &n) != NULL &&
           n == MAC;
}

/* What WATCHER's session is to say before the chain. */
static void put_head(const cinch_conn *watcher, int64_t began, unsigned char *at)
{
    memcpy(at, watcher->link.derived->digest, 32);
    memcpy(at + 32, watcher->link.host.text, CINCH_HOST_TEXT);
    for (int i = 0; i < 8; i++)
        at[32 + CINCH_HOST_TEXT + i] = (unsigned char)((uint64_t)began >> (56 - 8 * i));
}

/* The size of CHAIN as bytes, which go to AT unless that is NULL; 0 if that cannot be. */
static size_t put_chain(const STACK_OF(X509) * chain, unsigned char *at)
{
    size_t all = 0;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        int size = i2d_X509(sk_X509_value(chain, i), NULL);

        if (size <= 0 || (size_t)size > LARGEST)
            return 0;
        if (at != NULL) {
            unsigned char *here = at + all;

            for (size_t j = 0; j < SIZE; j++)
                *here++ = (unsigned char)(size >> (16 - 8 * j));
            if (i2d_X509(sk_X509_value(chain, i), &here) != size)
                return 0;
        }
        all += SIZE + (size_t)size;
    }
    return all <= LARGEST ? all : 0;
}

static STACK_OF(X509) * take_chain(const unsigned char *at, size_t left)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    int ok = chain != NULL;

    while (ok && left > 0) {
        size_t size = left < SIZE ? LARGEST + 1 : (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
        X509 *x = left < SIZE || size > left - SIZE ? NULL : cinch_x509_read(at + SIZE, size);

        ok = x != NULL && sk_X509_push(chain, x) > 0;
        if (!ok) {
            X509_free(x);
            break;
        }
        at += SIZE + size;
        left -= SIZE + size;
    }
    if (ok)
        return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

void cinch_foreign_mark(const cinch_conn *watcher, const STACK_OF(X509) * chain)
{
    const cinch_settings *settings = watcher->link.derived->settings;
    SSL_SESSION *session = SSL_get_session(watcher->ssl);
    size_t size = put_chain(chain, NULL), all = HEAD + size + MAC;

    /* What a stapled response says may hold for a shorter time than a session. */
    if (settings->is_server || !settings->resumption || settings->ocsp_required ||
        settings->skip_verification || session == NULL || size == 0)
        return;
    /* Without memory it is a session without a mark, and not resumed. */
    unsigned char *bytes = cinch_alloc(all);
    if (bytes == NULL)
        return;
    put_head(watcher, cinch_clock_wall(), bytes);
    if (put_chain(chain, bytes + HEAD) == size && make_mac(bytes, HEAD + size, bytes + HEAD + size))
        (void)SSL_SESSION_set1_ticket_appdata(session, bytes, all);
    cinch_release(bytes);
    ERR_clear_error();
}

/* The mark of SESSION with its chain in *CHAIN, if it is for WATCHER; when it all began, else -1. */
static int64_t read_mark(const cinch_conn *watcher, SSL_SESSION *session, STACK_OF(X509) * *chain)
{
    unsigned char head[HEAD], mac[MAC];
    void *data = NULL;
    size_t size = 0;
    int64_t began = 0;

    if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size <= HEAD + MAC ||
        !make_mac(data, size - MAC, mac))
        return -1;
    const unsigned char *bytes = data;
    if (CRYPTO_memcmp(mac, bytes + size - MAC, MAC) != 0)
        return -1;
    for (int i = 0; i < 8; i++)
        began = began << 8 | bytes[32 + CINCH_HOST_TEXT + i];
    put_head(watcher, began, head);
    if (memcmp(head, bytes, HEAD) != 0)
        return -1;
    *chain = take_chain(bytes + HEAD, size - HEAD - MAC);
    return *chain == NULL ? -1 : began;
}

/* What the mark of SESSION says as a session of ours, NULL if it does not fit WATCHER. */
static cinch_session *session_of(const cinch_conn *watcher, SSL_SESSION *session)
{
    static const unsigned char no_key[32];
    const cinch_settings *settings = watcher->link.derived->settings;
    STACK_OF(X509) *chain = NULL;
    cinch_session *ours = NULL;
    int64_t began = settings->resumption ? read_mark(watcher, session, &chain) : -1;

    if (began >= 0 && SSL_SESSION_up_ref(session) == 1) {
        ours = cinch_session_make(session, chain, watcher->link.derived->digest, no_key, began, 1);
        if (ours == NULL)
            SSL_SESSION_free(session);
    }
    if (ours != NULL && (!cinch_session_usable(ours, cinch_clock_wall()) ||
                         !cinch_access_holds(settings, chain, NULL))) {
        cinch_session_free(ours);
        ours = NULL;
    }
    sk_X509_pop_free(chain, X509_free);
    return ours;
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
