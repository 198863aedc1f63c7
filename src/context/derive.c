/* derive.c: from settings to an SSL_CTX, made once for all the contexts that say the same. */
#include "accel/accel.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "context/access.h"
#include "context/context.h"
#include "context/extras.h"
#include "context/hosts.h"
#include "context/link.h"
#include "context/psk.h"
#include "context/resume.h"
#include "context/revocation.h"

#include <string.h>

/* More anchors than these are not named to clients: the list costs bytes in every handshake. */
#define LARGEST_CA_LIST 64

/*
 * All that are in use. The list has no references of its own: the last user takes its entry out.
 * A process has few different settings, but one with thousands of hosts has as many, by the first
 * bytes of the digest.
 */
#define ALL_LISTS 1024
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_derived *all[ALL_LISTS];

static cinch_derived **list_of(const unsigned char digest[32])
{
    return &all[(digest[0] | digest[1] << 8) % ALL_LISTS];
}

static void set_options(SSL_CTX *ctx)
{
    /* Whatever openssl.cnf switched on for other programs, such as reading truncation as an end. */
    SSL_CTX_clear_options(ctx, SSL_CTX_get_options(ctx));
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
                              SSL_MODE_NO_AUTO_CHAIN);
    /* Where data ends must stay visible: libssl takes exactly one record at a time. */
    SSL_CTX_set_read_ahead(ctx, 0);
}

/* The names of the issuers that clients may choose their certificate by (RFC 8446, 4.2.4). */
static cinch_status name_issuers(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    STACK_OF(X509) *anchors = cinch_trust_all(settings->trust, err);
    cinch_status status = CINCH_OK;

    if (anchors == NULL)
        return CINCH_FAILED;
    for (int i = 0; i < sk_X509_num(anchors) && sk_X509_num(anchors) <= LARGEST_CA_LIST; i++)
        if (SSL_CTX_add_client_CA(ctx, sk_X509_value(anchors, i)) != 1)
            status = cinch_fail_crypto(err, "naming the issuers of client certificates");
    sk_X509_pop_free(anchors, X509_free);
    return status;
}

static cinch_status install_trust(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    if (settings->trust == NULL)
        return CINCH_OK;
    X509_STORE *store = cinch_trust_store(settings->trust, err);
    if (store == NULL)
        return CINCH_FAILED;
    SSL_CTX_set_cert_store(ctx, store);
    if (settings->client_auth == CINCH_CLIENT_AUTH_NONE)
        return CINCH_OK;
    return name_issuers(settings, ctx, err);
}

int cinch_settings_verify_mode(const cinch_settings *settings)
{
    int mode = SSL_VERIFY_PEER;

    if (settings->is_server && settings->client_auth == CINCH_CLIENT_AUTH_NONE)
        mode = SSL_VERIFY_NONE;
    if (settings->is_server && settings->client_auth == CINCH_CLIENT_AUTH_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    return mode;
}

static void install_verification(const cinch_settings *settings, SSL_CTX *ctx)
{
    SSL_CTX_set_verify(ctx, cinch_settings_verify_mode(settings), NULL);
    SSL_CTX_set_verify_depth(ctx, settings->verify_depth);
    SSL_CTX_set_cert_verify_callback(ctx, cinch_verify_callback, NULL);
}

static cinch_status install_names(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    if (settings->is_server) {
        SSL_CTX_set_tlsext_servername_callback(ctx, cinch_server_name_callback);
        SSL_CTX_set_client_hello_cb(ctx, cinch_client_hello_callback, NULL);
    }
    if (settings->alpn == NULL)
        return CINCH_OK;
    if (settings->is_server)
        SSL_CTX_set_alpn_select_cb(ctx, cinch_alpn_callback, NULL);
    else if (SSL_CTX_set_alpn_protos(ctx, settings->alpn, (unsigned)settings->alpn_size) != 0)
        return cinch_fail_crypto(err, "setting ALPN");
    return CINCH_OK;
}

cinch_status cinch_settings_install(const cinch_settings *settings,
                                    const unsigned char session_digest[32], SSL_CTX *ctx,
                                    cinch_error *err)
{
    install_verification(settings, ctx);
    if (cinch_policy_install(settings->policy, ctx, err) == CINCH_OK &&
        (settings->identity == NULL || cinch_psk_only(settings) ||
         cinch_identity_install(settings->identity, ctx, err) == CINCH_OK) &&
        install_trust(settings, ctx, err) == CINCH_OK &&
        install_names(settings, ctx, err) == CINCH_OK &&
        cinch_revocation_install(settings, ctx, err) == CINCH_OK &&
        cinch_resume_install(settings, session_digest, ctx, err) == CINCH_OK &&
        cinch_extras_install(settings, ctx, err) == CINCH_OK)
        return CINCH_OK;
    return cinch_error_is_set(err) ? CINCH_FAILED
                                   : cinch_fail_crypto(err, "putting settings into an SSL_CTX");
}

static SSL_CTX *make(const cinch_settings *settings, const unsigned char session_digest[32],
                     cinch_error *err)
{
    SSL_CTX *ctx = cinch_accel_ssl_ctx(
        settings->is_server ? TLS_server_method() : TLS_client_method(), !cinch_psk_only(settings));

    if (ctx == NULL) {
        (void)cinch_fail_crypto(err, "making an SSL_CTX");
        return NULL;
    }
    set_options(ctx);
    if (cinch_settings_install(settings, session_digest, ctx, err) == CINCH_OK)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

cinch_status cinch_settings_check(const cinch_settings *settings, cinch_error *err)
{
    unsigned char session_digest[32];

    if (cinch_resume_digest(settings, session_digest, err) != CINCH_OK)
        return CINCH_FAILED;
    SSL_CTX *ctx = make(settings, session_digest, err);
    SSL_CTX_free(ctx);
    return ctx == NULL ? CINCH_FAILED : CINCH_OK;
}

cinch_status cinch_settings_check_all(const cinch_settings *settings, cinch_error *err)
{
    cinch_status status = CINCH_OK;
    SSL_CTX *scratch = NULL;

    if (settings->hosts != NULL) {
        scratch = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_server_method());
        if (scratch == NULL)
            return cinch_fail_crypto(err, "making an SSL_CTX");
        status = cinch_policy_install(settings->policy, scratch, err);
        if (status == CINCH_OK)
            status = cinch_hosts_check(settings, scratch, err);
        SSL_CTX_free(scratch);
    }
    return status == CINCH_OK ? cinch_settings_check(settings, err) : status;
}

cinch_derived *cinch_derived_ref(cinch_derived *derived)
{
    atomic_fetch_add(&derived->references, 1);
    return derived;
}

static void derived_free(cinch_derived *derived)
{
    if (derived == NULL)
        return;
    cinch_host_cache_free(derived->host_cache);
    SSL_CTX_free(derived->ssl_ctx);
    cinch_settings_free(derived->settings);
    cinch_release(derived);
}

void cinch_derived_unref(cinch_derived *derived)
{
    if (derived == NULL)
        return;
    unsigned now = atomic_load(&derived->references);
    while (now > 1)
        if (atomic_compare_exchange_weak(&derived->references, &now, now - 1))
            return;
    /* Perhaps the last one: under the lock nobody can find it in the list and take a reference. */
    pthread_mutex_lock(&all_lock);
    int last = atomic_fetch_sub(&derived->references, 1) == 1;
    for (cinch_derived **at = list_of(derived->digest); last && *at != NULL; at = &(*at)->next)
        if (*at == derived) {
            *at = derived->next;
            break;
        }
    pthread_mutex_unlock(&all_lock);
    if (last)
        derived_free(derived);
}

/* The lock is held by the caller. */
static cinch_derived *find(const unsigned char digest[32])
{
    for (cinch_derived *at = *list_of(digest); at != NULL; at = at->next)
        if (memcmp(at->digest, digest, sizeof at->digest) == 0)
            return cinch_derived_ref(at);
    return NULL;
}

cinch_derived *cinch_derive_settings(cinch_settings *settings, cinch_error *err)
{
    cinch_derived *derived = NULL, *fresh = NULL;
    unsigned char digest[32];

    if (settings == NULL || cinch_settings_digest(settings, digest, err) != CINCH_OK)
        goto out;
    pthread_mutex_lock(&all_lock);
    derived = find(digest);
    pthread_mutex_unlock(&all_lock);
    if (derived != NULL)
        goto out;

    fresh = cinch_alloc(sizeof *fresh);
    if (fresh == NULL) {
        (void)cinch_fail_memory(err, "deriving an SSL_CTX");
        goto out;
    }
    if (cinch_resume_digest(settings, fresh->session_digest, err) != CINCH_OK)
        goto out;
    fresh->ssl_ctx = make(settings, fresh->session_digest, err);
    if (fresh->ssl_ctx == NULL)
        goto out;
    if (settings->hosts != NULL && (fresh->host_cache = cinch_host_cache_new()) == NULL) {
        (void)cinch_fail_memory(err, "deriving an SSL_CTX");
        goto out;
    }
    fresh->settings = settings;
    settings = NULL;
    memcpy(fresh->digest, digest, sizeof digest);
    atomic_init(&fresh->references, 1);

    pthread_mutex_lock(&all_lock);
    derived = find(digest);
    if (derived == NULL) {
        fresh->next = *list_of(digest);
        *list_of(digest) = fresh;
        derived = fresh;
        fresh = NULL;
    }
    pthread_mutex_unlock(&all_lock);
out:
    derived_free(fresh);
    cinch_settings_free(settings);
    return derived;
}

/*
 * The settings to derive from. SYSTEM is the system's trust as it is now if that is known. What a
 * client that named nothing trusts is looked up here, so that making a context costs nothing and
 * cannot fail.
 */
static cinch_settings *settings_now(const cinch_settings *settings, cinch_trust *system,
                                    cinch_error *err)
{
    cinch_settings *copy = cinch_settings_copy(settings, err);

    if (copy == NULL)
        return NULL;
    int failed = 0;
    /* A session would outlive the secret; a new handshake with one is cheap. */
    if (copy->psk != NULL)
        copy->resumption = 0;
    /* Without one of its own all that it can do is to hand over to the context that is chosen. */
    if (copy->is_server && copy->identity == NULL && copy->choose == NULL &&
        !cinch_psk_only(copy)) {
        (void)cinch_fail(err, CINCH_CAUSE_NO_IDENTITY, "the server's context has no identity");
        failed = 1;
    } else if (copy->trusts_system && !copy->skip_verification && !cinch_psk_only(copy)) {
        copy->trust = system != NULL ? cinch_trust_ref(system) : cinch_trust_with_system(NULL, err);
        failed = copy->trust == NULL;
    }
    if (failed || cinch_access_check(copy, err) != CINCH_OK) {
        cinch_settings_free(copy);
        return NULL;
    }
    return copy;
}

cinch_status cinch_settings_try(const cinch_settings *settings, cinch_error *err)
{
    cinch_derived *derived = cinch_derive_settings(settings_now(settings, NULL, err), err);

    if (derived == NULL)
        return CINCH_FAILED;
    cinch_derived_unref(derived);
    return CINCH_OK;
}

/*
 * Brings the trust of CTX up to date. The refreshed set takes the place of the one before, so that
 * an anchor that was taken out of a file stays out even if the file cannot be read later. Returns
 * the system's set if that is what is trusted and known. The lock is held by the caller.
 */
static cinch_trust *refresh(cinch_context *ctx, cinch_derived **stale)
{
    int named = ctx->settings->trust != NULL;
    cinch_trust *now = NULL;
    cinch_trust *before = named                  ? ctx->settings->trust
                          : ctx->derived != NULL ? ctx->derived->settings->trust
                                                 : NULL;

    if (before == NULL)
        return NULL;
    now = cinch_trust_refresh(before);
    if (now != before) {
        *stale = ctx->derived;
        ctx->derived = NULL;
    }
    if (!named)
        return now;
    ctx->settings->trust = now;
    cinch_trust_unref(before);
    return NULL;
}

/* A server that was given no ring of ticket secrets makes one of its own, once. */
static void make_ring(cinch_settings *settings, cinch_error *err)
{
    if (settings->is_server && settings->resumption && settings->tickets == NULL)
        settings->tickets = cinch_tickets_new(NULL, err);
}

cinch_derived *cinch_context_derive(cinch_context *ctx, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    cinch_derived *derived = NULL, *stale = NULL;

    if (ctx == NULL) {
        (void)cinch_fail_null(err, "context");
        return NULL;
    }
    pthread_mutex_lock(&ctx->lock);
    cinch_trust *system = refresh(ctx, &stale);
    make_ring(ctx->settings, &local);
    if (cinch_revocation_refresh(ctx->settings) && ctx->derived != NULL) {
        cinch_derived_unref(stale);
        stale = ctx->derived;
        ctx->derived = NULL;
    }
    if (ctx->derived == NULL && !cinch_error_is_set(&local))
        ctx->derived = cinch_derive_settings(settings_now(ctx->settings, system, &local), &local);
    if (ctx->derived != NULL)
        derived = cinch_derived_ref(ctx->derived);
    pthread_mutex_unlock(&ctx->lock);
    if (system != NULL)
        cinch_trust_unref(system);
    cinch_derived_unref(stale);
    if (derived == NULL)
        (void)cinch_fail_keep(err, &local);
    cinch_openssl_clear();
    return derived;
}
