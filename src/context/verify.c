/*
 * verify.c: the check of the peer's certificates. Our callback takes the place of OpenSSL's whole
 * verification and calls it in the middle. libssl copies its expectations (purpose, time, name) into
 * the verification without looking whether that worked: when memory runs out there, a certificate
 * for another name passes. So the expectations are set here, each with a look at the result, and what
 * matters is checked once more by code of our own on the finished chain.
 */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "context/link.h"
#include "context/psk.h"
#include "context/resume.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int link_index = -1;

static void make_index(void)
{
    link_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

int cinch_link_attach(cinch_link *link, SSL *ssl)
{
    (void)pthread_once(&index_once, make_index);
    return link_index >= 0 && SSL_set_ex_data(ssl, link_index, link) == 1;
}

cinch_link *cinch_link_of(const SSL *ssl)
{
    return ssl == NULL || link_index < 0 ? NULL : SSL_get_ex_data(ssl, link_index);
}

/* What is expected of the chain as a whole; 0 if any of it could not be put in force. */
static int set_expectations(X509_STORE_CTX *store_ctx, const cinch_settings *settings, int64_t now)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store_ctx);
    int purpose = settings->is_server ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;
    int trust = settings->is_server ? X509_TRUST_SSL_CLIENT : X509_TRUST_SSL_SERVER;

    if (param == NULL || now <= 0 || settings->trust == NULL)
        return 0;
    X509_VERIFY_PARAM_set_depth(param, settings->verify_depth);
    X509_VERIFY_PARAM_set_auth_level(param, settings->policy->level);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    /* An anchor is believed without proof, so it need not be self-signed (RFC 5280, 6.1.1 d). */
    return X509_VERIFY_PARAM_set_purpose(param, purpose) == 1 &&
           X509_VERIFY_PARAM_set_trust(param, trust) == 1 &&
           X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST |
                                                  X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
           X509_VERIFY_PARAM_get_depth(param) == settings->verify_depth;
}

static int refuse(X509_STORE_CTX *store_ctx, int code, int depth, X509 *certificate)
{
    X509_STORE_CTX_set_error(store_ctx, code);
    X509_STORE_CTX_set_error_depth(store_ctx, depth);
    X509_STORE_CTX_set_current_cert(store_ctx, certificate);
    return 0;
}

/* The finished chain once more: that it ends in an anchor, that every date holds, the purpose. */
static int check_chain(X509_STORE_CTX *store_ctx, const cinch_settings *settings, int64_t now)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store_ctx);
    int count = sk_X509_num(chain), known = 0;
    int purpose = settings->is_server ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER;

    if (count < 1)
        return refuse(store_ctx, X509_V_ERR_UNSPECIFIED, 0, NULL);
    for (int i = 0; i < count; i++) {
        X509 *x = sk_X509_value(chain, i);
        int64_t not_before, not_after;

        if (!cinch_x509_times(x, &not_before, &not_after))
            return refuse(store_ctx, X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, i, x);
        if (now < not_before)
            return refuse(store_ctx, X509_V_ERR_CERT_NOT_YET_VALID, i, x);
        if (now > not_after)
            return refuse(store_ctx, X509_V_ERR_CERT_HAS_EXPIRED, i, x);
    }
    if (X509_check_purpose(sk_X509_value(chain, 0), purpose, 0) != 1)
        return refuse(store_ctx, X509_V_ERR_INVALID_PURPOSE, 0, sk_X509_value(chain, 0));

    X509 *last = sk_X509_value(chain, count - 1);
    STACK_OF(X509) *anchors = cinch_trust_by_subject(settings->trust, X509_get_subject_name(last));
    for (int i = 0; i < sk_X509_num(anchors); i++)
        known |= X509_cmp(sk_X509_value(anchors, i), last) == 0;
    sk_X509_pop_free(anchors, X509_free);
    if (!known)
        return refuse(store_ctx, X509_V_ERR_CERT_UNTRUSTED, count - 1, last);
    return 1;
}

static int check_name(X509_STORE_CTX *store_ctx, const cinch_link *link)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store_ctx);

    if (link->derived->settings->is_server || link->derived->settings->skip_name)
        return 1;
    /* A name that got lost is no reason not to check (CVE-2018-8970). */
    if (leaf != NULL && link->host.text[0] != 0 && cinch_host_matches(&link->host, leaf))
        return 1;
    return refuse(store_ctx,
                  link->host.ip_size != 0 ? X509_V_ERR_IP_ADDRESS_MISMATCH
                                          : X509_V_ERR_HOSTNAME_MISMATCH,
                  0, leaf);
}

static int verify_chain(X509_STORE_CTX *store_ctx, const cinch_settings *settings, int64_t now)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store_ctx), *ordered;

    if (!set_expectations(store_ctx, settings, now))
        return refuse(store_ctx, X509_V_ERR_UNSPECIFIED, 0, NULL);
    if (!cinch_order_sent(settings->trust, sent, now, &ordered))
        return refuse(store_ctx, X509_V_ERR_OUT_OF_MEM, 0, NULL);
    if (ordered != NULL)
        X509_STORE_CTX_set0_untrusted(store_ctx, ordered);
    int verified = X509_verify_cert(store_ctx);
    X509_STORE_CTX_set0_untrusted(store_ctx, sent);
    sk_X509_free(ordered);
    /* One answer is not enough: both must say so. */
    if (verified == 1 && X509_STORE_CTX_get_error(store_ctx) == X509_V_OK)
        return check_chain(store_ctx, settings, now);
    if (X509_STORE_CTX_get_error(store_ctx) == X509_V_OK)
        X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_UNSPECIFIED);
    return 0;
}

int cinch_verify_callback(X509_STORE_CTX *store_ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    cinch_link *link = cinch_link_of(ssl);
    int64_t now = cinch_clock_wall();

    (void)arg;
    if (link == NULL)
        return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, NULL);
    const cinch_settings *settings = link->derived->settings;
    link->verified = 0;
    link->chain_is_verified = 0;
    if (cinch_psk_only(settings)) {
        cinch_psk_refuse(link);
        return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, NULL);
    }
    int passed = settings->skip_verification || verify_chain(store_ctx, settings, now);
    int chain_passed = passed && !settings->skip_verification;
    passed = passed && check_name(store_ctx, link);
    if (chain_passed && passed &&
        !cinch_resume_remember(link, ssl, X509_STORE_CTX_get0_chain(store_ctx)))
        passed = refuse(store_ctx, X509_V_ERR_OUT_OF_MEM, 0, NULL);
    link->verified_at = cinch_clock_us();
    if (!passed) {
        cinch_verify_explain(store_ctx, link, now, link->report);
        sk_X509_pop_free(link->sent, X509_free);
        link->sent = X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(store_ctx));
        ERR_clear_error();
        return 0;
    }
    X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
    ERR_clear_error();
    link->chain_is_verified = chain_passed;
    link->verified = chain_passed;
    return 1;
}
