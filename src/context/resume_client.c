/* resume_client.c: the sessions of a client: when one may be kept, and when it may be used. */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "context/access.h"
#include "context/resume.h"
#include "context/revocation.h"

#include <string.h>

cinch_status cinch_resume_key(cinch_link *link, const char *place, int port, cinch_error *err)
{
    unsigned char bytes[32 + 2 * CINCH_HOST_TEXT + 4];
    size_t at = 0, host_size = strlen(link->host.text) + 1,
           place_size = strnlen(place, CINCH_HOST_TEXT - 1);

    /* The digest of the derived settings holds trust, identity, policy, ALPN and rules. */
    memcpy(bytes, link->derived->digest, 32);
    at += 32;
    memcpy(bytes + at, link->host.text, host_size);
    at += host_size;
    memcpy(bytes + at, place, place_size);
    at += place_size;
    bytes[at++] = 0;
    for (int i = 0; i < 4; i++)
        bytes[at++] = (unsigned char)((unsigned)port >> (8 * i));
    if (!cinch_openssl_sha256(bytes, at, link->session_key))
        return cinch_fail_crypto(err, "naming a session");
    return CINCH_OK;
}

void cinch_resume_offer(cinch_link *link, SSL *ssl)
{
    int64_t now = cinch_clock_wall();

    if (link->offered == NULL && link->sessions != NULL)
        link->offered = cinch_session_cache_take(link->sessions, link->session_key, now);
    if (link->offered == NULL)
        return;
    /* Whatever made it unusable, a full handshake is always right. */
    if (!cinch_session_usable(link->offered, now) ||
        SSL_set_session(ssl, link->offered->session) != 1) {
        cinch_session_free(link->offered);
        link->offered = NULL;
    }
    cinch_openssl_clear();
}

int cinch_resume_accept(cinch_link *link, SSL *ssl)
{
    const cinch_session *session = link->offered;
    const cinch_settings *settings = link->derived->settings;
    const X509 *leaf = SSL_get0_peer_certificate(ssl);

    if (session == NULL || memcmp(session->settings, link->derived->digest, 32) != 0 ||
        /* Not _usable(): libssl marks a session of TLS 1.3 as used up when it was resumed. */
        !cinch_session_in_time(session, cinch_clock_wall()))
        return 0;
    link->began = session->began;
    link->verified_at = cinch_clock_us();
    if (settings->skip_verification)
        return cinch_access_holds_leaf(settings, SSL_get0_peer_certificate(ssl), link->report);
    /* The same certificate as then, and the name once more: it costs little. */
    if (!session->verified || sk_X509_num(session->chain) < 1 || leaf == NULL ||
        X509_cmp(leaf, sk_X509_value(session->chain, 0)) != 0 ||
        (!settings->skip_name && !cinch_host_matches(&link->host, leaf)) ||
        !cinch_access_holds(settings, session->chain, link->report))
        return 0;
    link->resumed_chain = X509_chain_up_ref(session->chain);
    if (link->resumed_chain == NULL)
        return 0;
    link->verified = 1;
    return 1;
}

static STACK_OF(X509) * verified_chain(const cinch_link *link, SSL *ssl)
{
    if (link->resumed_chain != NULL)
        return link->resumed_chain;
    return link->chain_is_verified ? SSL_get0_verified_chain(ssl) : NULL;
}

/* libssl has a new session for us. 1 keeps its reference. */
int cinch_resume_new_session(SSL *ssl, SSL_SESSION *session)
{
    cinch_link *link = cinch_link_of(ssl);

    if (link == NULL || link->derived->settings->is_server ||
        (!link->verified && !link->derived->settings->skip_verification))
        return 0;
    cinch_revocation_limit(link, session);
    int64_t began = link->began != 0 ? link->began : cinch_clock_wall();
    cinch_session *made =
        cinch_session_make(session, verified_chain(link, ssl), link->derived->digest,
                           link->session_key, began, link->verified);
    if (made == NULL)
        return 0;
    cinch_session_free(link->fresh);
    link->fresh = made;
    /* Before the last check has passed nothing goes where other connections find it. */
    if (link->open)
        cinch_resume_commit(link);
    return 1;
}

void cinch_resume_commit(cinch_link *link)
{
    link->open = 1;
    if (link->fresh != NULL && link->sessions != NULL)
        cinch_session_cache_put(link->sessions, link->fresh);
}

void cinch_resume_forget(cinch_link *link)
{
    if (link->sessions != NULL)
        cinch_session_cache_drop(link->sessions, link->session_key);
    cinch_session_free(link->fresh);
    link->fresh = NULL;
}

void cinch_resume_release(cinch_link *link)
{
    cinch_session_free(link->offered);
    cinch_session_free(link->fresh);
    sk_X509_pop_free(link->resumed_chain, X509_free);
    cinch_session_cache_unref(link->sessions);
    link->offered = link->fresh = NULL;
    link->resumed_chain = NULL;
    link->sessions = NULL;
}
