/* session.h: sessions of clients, and where a context keeps them. */
#ifndef CINCH_SESSION_SESSION_H
#define CINCH_SESSION_SESSION_H

#include <cinch/openssl.h>
#include <cinch/session.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

/* Never changes once made. */
struct cinch_session {
    atomic_uint references;
    SSL_SESSION *session;
    STACK_OF(X509) * chain;     /* as it was verified, leaf first; empty if nothing was */
    unsigned char settings[32]; /* of the derived settings that it was made under */
    unsigned char key[32];      /* settings, host, port and name together */
    int64_t began;              /* seconds since 1970: the full handshake at the start of it all */
    int verified;
};

cinch_session *cinch_session_ref(cinch_session *session);

/* cinch_session_make takes over SESSION and a reference to every certificate of CHAIN. */
cinch_session *cinch_session_make(SSL_SESSION *session, STACK_OF(X509) * chain,
                                  const unsigned char settings[32], const unsigned char key[32],
                                  int64_t began, int verified);

/* cinch_session_usable tells whether SESSION may be offered at NOW: 1 or 0. */
int cinch_session_usable(const cinch_session *session, int64_t now);

/* cinch_session_in_time tells whether SESSION and its certificates are in their time at NOW. */
int cinch_session_in_time(const cinch_session *session, int64_t now);

/* ---- cache.c: threads share it ---- */

typedef struct cinch_session_cache cinch_session_cache;

cinch_session_cache *cinch_session_cache_new(void);
cinch_session_cache *cinch_session_cache_ref(cinch_session_cache *cache);
void cinch_session_cache_unref(cinch_session_cache *cache);
void cinch_session_cache_limit(cinch_session_cache *cache, size_t most);
void cinch_session_cache_clear(cinch_session_cache *cache);
size_t cinch_session_cache_count(cinch_session_cache *cache);

/* cinch_session_cache_put keeps a reference to SESSION; when memory runs out it is not kept. */
void cinch_session_cache_put(cinch_session_cache *cache, cinch_session *session);

/*
 * cinch_session_cache_take gives the newest usable session with KEY, as a reference, NULL if there is
 * none. One of TLS 1.3 is gone from the cache then: it is used once (RFC 8446, C.4).
 */
cinch_session *cinch_session_cache_take(cinch_session_cache *cache, const unsigned char key[32],
                                        int64_t now);

/* cinch_session_cache_drop takes every session with KEY out. */
void cinch_session_cache_drop(cinch_session_cache *cache, const unsigned char key[32]);

#endif
