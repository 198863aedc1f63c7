/* verify_chain.c: would this chain be accepted? Asked without a connection. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "context/link.h"

#include <openssl/err.h>

/* More than any peer sends: libssl stops at 100 KiB. */
#define MOST_CERTIFICATES ((size_t)1000)

static cinch_settings *settings_of(cinch_context *ctx, cinch_error *err)
{
    pthread_mutex_lock(&ctx->lock);
    cinch_settings *copy = cinch_settings_copy(ctx->settings, err);
    pthread_mutex_unlock(&ctx->lock);
    if (copy == NULL)
        return NULL;
    if (copy->trusts_system && copy->trust == NULL && !copy->skip_verification)
        copy->trust = cinch_trust_with_system(NULL, err);
    if (copy->trust == NULL && !copy->skip_verification) {
        (void)cinch_fail(err, CINCH_CAUSE_NO_ANCHORS,
                         "the issuers of the certificates to be checked are not named");
        cinch_settings_free(copy);
        return NULL;
    }
    return copy;
}

static STACK_OF(X509) *
    read_all(const unsigned char *const *der, const size_t *sizes, size_t count, cinch_error *err)
{
    STACK_OF(X509) *all = sk_X509_new_null();

    if (all == NULL) {
        (void)cinch_fail_memory(err, "reading a chain");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        X509 *x = der[i] == NULL ? NULL : cinch_x509_read(der[i], sizes[i]);

        if (x != NULL && sk_X509_push(all, x) > 0)
            continue;
        if (x != NULL || cinch_openssl_out_of_memory(ERR_peek_error()))
            (void)cinch_fail_memory(err, "reading a chain");
        else
            (void)cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                             "certificate number %zu of the chain is not one in DER", i + 1);
        cinch_fail_openssl(err);
        X509_free(x);
        sk_X509_pop_free(all, X509_free);
        return NULL;
    }
    return all;
}

static cinch_status verify(cinch_link *link, STACK_OF(X509) * chain, int64_t now)
{
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new_ex(cinch_library_context(), NULL);
    cinch_trust *trust = link->derived->settings->trust;
    X509_STORE *store = trust == NULL ? X509_STORE_new() : cinch_trust_store(trust, link->report);
    cinch_status status = CINCH_OK;

    if (store_ctx == NULL || store == NULL ||
        X509_STORE_CTX_init(store_ctx, store, sk_X509_value(chain, 0), chain) != 1)
        status = cinch_fail_crypto(link->report, "verifying a chain");
    else if (!cinch_verify_peer(store_ctx, link, NULL, now))
        status = cinch_error_is_set(link->report)
                     ? CINCH_FAILED
                     : cinch_fail_crypto(link->report, "verifying a chain");
    X509_STORE_CTX_free(store_ctx);
    X509_STORE_free(store);
    return status;
}

static cinch_status parse_host(cinch_link *link, const char *host, cinch_error *err)
{
    const cinch_settings *settings = link->derived->settings;

    if (settings->is_server && host != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a host (\"%s\") was given for the check of a client's certificates",
                          host);
    if (settings->is_server || (host == NULL && settings->skip_name))
        return CINCH_OK;
    return cinch_host_parse(&link->host, host, err);
}

cinch_status cinch_context_verify_chain(cinch_context *ctx, const unsigned char *const *der,
                                        const size_t *sizes, size_t count, const char *host,
                                        int64_t when, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    cinch_derived derived = {0};
    cinch_link link = {.derived = &derived, .report = &local};
    STACK_OF(X509) *chain = NULL;
    cinch_status status = CINCH_FAILED;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ctx == NULL || der == NULL || sizes == NULL)
        return cinch_fail_null(err, ctx == NULL ? "context" : "chain");
    if (count < 1 || count > MOST_CERTIFICATES)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a chain of %zu certificates cannot be verified: 1 to %zu are allowed",
                          count, MOST_CERTIFICATES);
    derived.settings = settings_of(ctx, &local);
    if (derived.settings != NULL && parse_host(&link, host, &local) == CINCH_OK)
        chain = read_all(der, sizes, count, &local);
    if (chain != NULL)
        status = verify(&link, chain, when == -1 ? cinch_clock_wall() : when);
    sk_X509_pop_free(chain, X509_free);
    cinch_settings_free(derived.settings);
    cinch_openssl_clear();
    (void)cinch_fail_keep(err, &local);
    return status;
}
