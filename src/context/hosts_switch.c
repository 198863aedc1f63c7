/*
 * hosts_switch.c: from the rules that a connection began with to those of the host that it is for.
 *
 * SSL_set_SSL_CTX() alone is how servers came to let clients into hosts that want certificates: it
 * changes what libssl looks up in the SSL_CTX each time, and leaves alone what SSL_new() copied from
 * the first one. So everything that SSL_new() copies is set here again, and what has to follow by
 * itself is looked at afterwards. Anything amiss ends the handshake.
 *
 * By itself follow: certificate, key and signature algorithms, the security level and DH parameters
 * (libssl's CERT, which is copied), the store and the callback that verify, the callbacks for names,
 * ALPN and OCSP, cipher suites, the names of the clients' issuers. The callbacks for tickets and the
 * cache for session ids stay those of the first SSL_CTX; they are the same for all of ours and go by
 * the link, and sessions of other hosts differ in the session id context.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "context/hosts.h"
#include "context/psk.h"

#include <pthread.h>
#include <string.h>

/* ---- what identities of a context lead to ---- */

#define CACHE_BUCKETS 256

typedef struct cached {
    struct cached *next;
    const cinch_identity *identity; /* kept alive by the settings of DERIVED */
    cinch_derived *derived;
} cached;

struct cinch_host_cache {
    pthread_mutex_t lock;
    cached *buckets[CACHE_BUCKETS];
};

cinch_host_cache *cinch_host_cache_new(void)
{
    cinch_host_cache *cache = cinch_alloc(sizeof *cache);

    if (cache != NULL && pthread_mutex_init(&cache->lock, NULL) != 0) {
        cinch_release(cache);
        return NULL;
    }
    return cache;
}

void cinch_host_cache_free(cinch_host_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < CACHE_BUCKETS; i++)
        for (cached *next, *at = cache->buckets[i]; at != NULL; at = next) {
            next = at->next;
            cinch_derived_unref(at->derived);
            cinch_release(at);
        }
    pthread_mutex_destroy(&cache->lock);
    cinch_release(cache);
}

static cinch_derived *cached_for(cached *const *bucket, const cinch_identity *identity)
{
    for (cached *at = *bucket; at != NULL; at = at->next)
        if (at->identity == identity)
            return cinch_derived_ref(at->derived);
    return NULL;
}

/* The settings of BASE with IDENTITY, for itself alone. */
static cinch_settings *settings_with(const cinch_settings *base, cinch_identity *identity,
                                     cinch_error *err)
{
    cinch_settings *settings = cinch_settings_copy(base, err);

    if (settings == NULL)
        return NULL;
    cinch_identity_free(settings->identity);
    settings->identity = cinch_identity_ref(identity);
    cinch_hosts_unref(settings->hosts);
    settings->hosts = NULL;
    /* The others are for the certificates of other identities. */
    cinch_staples_unref(settings->staples);
    if (!cinch_staples_of(base->staples, identity->certificates[0]->sha256, &settings->staples)) {
        cinch_settings_free(settings);
        (void)cinch_fail_memory(err, "going on with the rules of a host");
        return NULL;
    }
    settings->first_was_added = 0;
    settings->choose = NULL;
    settings->choose_arg = NULL;
    return settings;
}

cinch_derived *cinch_hosts_derive(cinch_derived *base, cinch_identity *identity, cinch_error *err)
{
    cinch_host_cache *cache = base->host_cache;
    cached **bucket = &cache->buckets[identity->digest[0]];

    pthread_mutex_lock(&cache->lock);
    cinch_derived *derived = cached_for(bucket, identity);
    pthread_mutex_unlock(&cache->lock);
    if (derived != NULL)
        return derived;
    derived = cinch_derive_settings(settings_with(base->settings, identity, err), err);
    cached *entry = derived == NULL ? NULL : cinch_alloc(sizeof *entry);
    /* Without memory to keep it, this connection alone has it. */
    if (entry == NULL)
        return derived;
    pthread_mutex_lock(&cache->lock);
    cinch_derived *other = cached_for(bucket, identity);
    if (other == NULL) {
        *entry = (cached){*bucket, identity, cinch_derived_ref(derived)};
        *bucket = entry;
        entry = NULL;
    }
    pthread_mutex_unlock(&cache->lock);
    cinch_derived_unref(other);
    cinch_release(entry);
    return derived;
}

/* ---- the switch ---- */

/* Only added to by libssl, so emptied first; the verify callback of ours sets more before use. */
static int carry_verification(SSL *ssl, SSL_CTX *ctx)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl), *from = SSL_CTX_get0_param(ctx);

    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx), SSL_CTX_get_verify_callback(ctx));
    if (X509_VERIFY_PARAM_clear_flags(param, X509_VERIFY_PARAM_get_flags(param)) != 1 ||
        X509_VERIFY_PARAM_set1(param, from) != 1 ||
        X509_VERIFY_PARAM_set_flags(param, X509_VERIFY_PARAM_get_flags(from)) != 1)
        return 0;
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));
    return SSL_get_verify_mode(ssl) == SSL_CTX_get_verify_mode(ctx) &&
           SSL_get_verify_depth(ssl) == SSL_CTX_get_verify_depth(ctx) &&
           X509_VERIFY_PARAM_get_flags(param) == X509_VERIFY_PARAM_get_flags(from);
}

/* Both open first: a bound that is there may contradict a new one. */
static int carry_versions(SSL *ssl, SSL_CTX *ctx)
{
    long least = SSL_CTX_get_min_proto_version(ctx), most = SSL_CTX_get_max_proto_version(ctx);

    return SSL_set_min_proto_version(ssl, 0) == 1 && SSL_set_max_proto_version(ssl, 0) == 1 &&
           SSL_set_max_proto_version(ssl, most) == 1 && SSL_set_min_proto_version(ssl, least) == 1;
}

/* SSL_get_* falls back on the SSL_CTX in force where the SSL has nothing of its own. */
static int followed(const SSL *ssl, const SSL_CTX *ctx)
{
    return SSL_get_SSL_CTX(ssl) == ctx && SSL_get_ciphers(ssl) == SSL_CTX_get_ciphers(ctx) &&
           SSL_get_client_CA_list(ssl) == SSL_CTX_get_client_CA_list(ctx) &&
           SSL_get_security_level(ssl) == SSL_CTX_get_security_level(ctx) &&
           SSL_get_options(ssl) == SSL_CTX_get_options(ctx);
}

static int carry_over(SSL *ssl, const cinch_settings *before, const cinch_derived *to)
{
    const cinch_settings *now = to->settings;
    SSL_CTX *ctx = to->ssl_ctx;

    if (SSL_set_SSL_CTX(ssl, ctx) != ctx)
        return 0;
    SSL_clear_options(ssl, SSL_get_options(ssl));
    SSL_set_options(ssl, SSL_CTX_get_options(ctx));
    SSL_clear_mode(ssl, SSL_get_mode(ssl));
    SSL_set_mode(ssl, SSL_CTX_get_mode(ctx));
    SSL_set_read_ahead(ssl, (int)SSL_CTX_get_read_ahead(ctx));
    SSL_set_quiet_shutdown(ssl, SSL_CTX_get_quiet_shutdown(ctx));
    SSL_set_max_cert_list(ssl, SSL_CTX_get_max_cert_list(ctx));
    cinch_psk_carry(now, ssl);
    /* No getter tells the groups of an SSL_CTX; the policy does. Equal ones are there already. */
    return carry_verification(ssl, ctx) && carry_versions(ssl, ctx) &&
           (strcmp(before->policy->groups, now->policy->groups) == 0 ||
            cinch_ssl_set_groups_of(ssl, now->policy->groups)) &&
           SSL_set_max_send_fragment(ssl, now->record_size) == 1 &&
           SSL_set_split_send_fragment(ssl, now->record_size) == 1 &&
           SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(ctx)) == 1 &&
           SSL_set_max_early_data(ssl, SSL_CTX_get_max_early_data(ctx)) == 1 &&
           SSL_set_recv_max_early_data(ssl, SSL_CTX_get_recv_max_early_data(ctx)) == 1 &&
           followed(ssl, ctx);
}

/*
 * Two names may lead to contexts with equal rules and names; their sessions stay apart all the same,
 * so the name that led there counts as well.
 */
static int name_sessions(const cinch_derived *to, const char *name, unsigned char digest[static 32])
{
    unsigned char bytes[32 + CINCH_HOST_TEXT + 2];
    size_t length = strlen(name);

    memcpy(bytes, to->session_digest, 32);
    memcpy(digest, bytes, 32);
    if (length == 0)
        return 1;
    memcpy(bytes + 32, name, length + 1);
    return cinch_openssl_sha256(bytes, 32 + length + 1, digest);
}

int cinch_hosts_switch(cinch_link *link, SSL *ssl, cinch_derived *to, const char *name)
{
    cinch_derived *from = link->derived;
    unsigned char digest[32];

    if (!name_sessions(to, name, digest) || (to != from && !carry_over(ssl, from->settings, to))) {
        cinch_derived_unref(to);
        (void)cinch_fail_crypto(link->report, "going on with the rules of a host");
        return 0;
    }
    memcpy(link->session_digest, digest, 32);
    if (to == from) {
        cinch_derived_unref(to);
        return 1;
    }
    /* libssl still asks the first SSL_CTX for sessions, so what that is made of stays as long. */
    link->first = from;
    link->derived = to;
    return 1;
}
