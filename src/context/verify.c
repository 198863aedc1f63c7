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
#include "base/openssl.h"
#include "context/access.h"
#include "context/link.h"
#include "context/profile.h"
#include "context/psk.h"
#include "context/resume.h"
#include "context/revocation.h"
#include "context/verify_paths.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

static atomic_int link_place = -1;

/* A link is of one SSL: what SSL_dup() makes of that, in a library that a context was applied to, has none. */
static int leave_out(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **link, int index,
                     long number, void *pointer)
{
    (void)to;
    (void)from;
    (void)index;
    (void)number;
    (void)pointer;
    *link = NULL;
    return 1;
}

int cinch_link_attach(cinch_link *link, SSL *ssl)
{
    int place = cinch_ex_place(&link_place, CRYPTO_EX_INDEX_SSL, leave_out, NULL);

    return place >= 0 && SSL_set_ex_data(ssl, place, link) == 1;
}

void cinch_link_detach(SSL *ssl)
{
    int place = atomic_load(&link_place);

    if (place >= 0)
        (void)SSL_set_ex_data(ssl, place, NULL);
}

cinch_link *cinch_link_of(const SSL *ssl)
{
    int place = atomic_load(&link_place);

    return ssl == NULL || place < 0 ? NULL : SSL_get_ex_data(ssl, place);
}

/* The last second of a certificate belongs to it (RFC 5280, 4.1.2.5); OpenSSL takes it away. */
static int keep_last_second(int ok, X509_STORE_CTX *store_ctx)
{
    int64_t not_before, not_after;
    int64_t now = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(store_ctx));
    X509 *x = X509_STORE_CTX_get_current_cert(store_ctx);

    if (ok || X509_STORE_CTX_get_error(store_ctx) != X509_V_ERR_CERT_HAS_EXPIRED)
        return ok;
    if (x == NULL || !cinch_x509_times(x, &not_before, &not_after) || now != not_after)
        return 0;
    X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
    return 1;
}

/* Any policy will do (RFC 5280, 6.1.1 c). OpenSSL takes an empty set for "none" when one is required. */
static int set_policies(X509_VERIFY_PARAM *param)
{
    STACK_OF(ASN1_OBJECT) *policies = sk_ASN1_OBJECT_new_null();
    int set = policies != NULL && sk_ASN1_OBJECT_push(policies, OBJ_nid2obj(NID_any_policy)) > 0 &&
              X509_VERIFY_PARAM_set1_policies(param, policies) == 1;

    sk_ASN1_OBJECT_free(policies);
    return set;
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
    X509_STORE_CTX_set_verify_cb(store_ctx, keep_last_second);
    /* An anchor is believed without proof, so it need not be self-signed (RFC 5280, 6.1.1 d). */
    unsigned long partial = settings->roots_only ? 0 : X509_V_FLAG_PARTIAL_CHAIN;
    if (settings->roots_only &&
        X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_PARTIAL_CHAIN) != 1)
        return 0;
    return set_policies(param) && X509_VERIFY_PARAM_set_purpose(param, purpose) == 1 &&
           X509_VERIFY_PARAM_set_trust(param, trust) == 1 &&
           X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_TRUSTED_FIRST | partial |
                                                  X509_V_FLAG_POLICY_CHECK) == 1 &&
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

/* The rules of the profile on a chain that OpenSSL has passed. */
static int check_profile(X509_STORE_CTX *store_ctx, cinch_link *link, cinch_finding *finding)
{
    if (cinch_profile_check(link->derived->settings, X509_STORE_CTX_get0_chain(store_ctx), finding))
        return 1;
    return refuse(store_ctx,
                  finding->no_memory ? X509_V_ERR_OUT_OF_MEM : X509_V_ERR_APPLICATION_VERIFICATION,
                  finding->depth, finding->x);
}

/* OpenSSL says little of a certificate that it cannot make sense of. */
static int is_vague(int code)
{
    return code == X509_V_ERR_UNSPECIFIED || code == X509_V_ERR_INVALID_EXTENSION ||
           code == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION ||
           code == X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX ||
           code == X509_V_ERR_UNSUPPORTED_NAME_SYNTAX || code == X509_V_ERR_SUBTREE_MINMAX;
}

/* An issuer with damaged extensions is passed over, as if it had not been sent. */
static X509 *find_damaged(const STACK_OF(X509) * sent, int *depth)
{
    for (int i = 0; i < sk_X509_num(sent); i++) {
        X509 *x = sk_X509_value(sent, i);

        *depth = i;
        if (X509_check_purpose(x, -1, 0) != 1 || X509_get_extension_flags(x) & EXFLAG_INVALID)
            return x;
    }
    return NULL;
}

/* Which rule does the certificate break that OpenSSL stumbled over? */
static void make_clear(X509_STORE_CTX *store_ctx, const cinch_settings *settings,
                       cinch_finding *finding)
{
    int code = X509_STORE_CTX_get_error(store_ctx),
        depth = X509_STORE_CTX_get_error_depth(store_ctx);
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store_ctx);
    int count = sk_X509_num(chain);
    X509 *x = X509_STORE_CTX_get_current_cert(store_ctx);

    if (cinch_openssl_out_of_memory(ERR_peek_error()))
        return;
    if (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
        x = find_damaged(X509_STORE_CTX_get0_untrusted(store_ctx), &depth);
    else if (!is_vague(code))
        return;
    int found = x != NULL &&
                cinch_profile_suspect(settings, x, depth, depth > 0 && depth == count - 1, finding);
    /* It names the one whose name it compared, and the fault is in the constraint. */
    for (int i = 0; !found && is_vague(code) && i < count; i++)
        found = cinch_profile_suspect(settings, sk_X509_value(chain, i), i, i > 0 && i == count - 1,
                                      finding);
    if (!found)
        return;
    (void)refuse(store_ctx,
                 finding->no_memory ? X509_V_ERR_OUT_OF_MEM : X509_V_ERR_APPLICATION_VERIFICATION,
                 finding->depth, finding->x);
}

/* What a trial of another path needs to be as strict as the first one. */
typedef struct trial {
    X509_STORE_CTX *store_ctx;
    const cinch_settings *settings;
    int64_t now;
} trial;

static int try_path(STACK_OF(X509) * sent, STACK_OF(X509) * *chain, void *arg)
{
    const trial *t = arg;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(cinch_library_context(), NULL);
    STACK_OF(X509) *ordered = NULL;
    cinch_finding finding = {0};
    int result = -1;

    *chain = NULL;
    if (ctx == NULL || !cinch_order_sent(t->settings->trust, sent, t->now, &ordered) ||
        X509_STORE_CTX_init(ctx, X509_STORE_CTX_get0_store(t->store_ctx),
                            X509_STORE_CTX_get0_cert(t->store_ctx),
                            ordered != NULL ? ordered : sent) != 1 ||
        X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(ctx),
                               X509_STORE_CTX_get0_param(t->store_ctx)) != 1 ||
        !set_expectations(ctx, t->settings, t->now))
        goto out;
    result = X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK &&
             check_chain(ctx, t->settings, t->now) &&
             cinch_profile_check(t->settings, X509_STORE_CTX_get0_chain(ctx), &finding);
    if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM || finding.no_memory)
        result = -1;
    else
        *chain = X509_STORE_CTX_get1_chain(ctx);
out:
    X509_STORE_CTX_free(ctx);
    sk_X509_free(ordered);
    return result;
}

/*
 * Puts a path that holds in place of the one that does not, if there is one. All that is looked at
 * in a chain was looked at in this one, and is looked at again.
 */
static int take_another_path(X509_STORE_CTX *store_ctx, const cinch_settings *settings, int64_t now)
{
    int code = X509_STORE_CTX_get_error(store_ctx);
    trial t = {store_ctx, settings, now};

    if (code == X509_V_ERR_OUT_OF_MEM || code == X509_V_ERR_UNSPECIFIED)
        return 0;
    STACK_OF(X509) *chain =
        cinch_paths_search(settings, X509_STORE_CTX_get0_untrusted(store_ctx),
                           X509_STORE_CTX_get0_chain(store_ctx), now, try_path, &t);
    if (chain == NULL)
        return 0;
    X509_STORE_CTX_set0_verified_chain(store_ctx, chain);
    X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
    return check_chain(store_ctx, settings, now);
}

/* Pins, rules on clients, the program's own callback: on a chain that has passed all else. */
static int check_access(X509_STORE_CTX *store_ctx, const cinch_link *link)
{
    const cinch_settings *settings = link->derived->settings;
    X509 *leaf = X509_STORE_CTX_get0_cert(store_ctx);

    if (settings->skip_verification
            ? cinch_access_holds_leaf(settings, leaf, link->report)
            : cinch_access_holds(settings, X509_STORE_CTX_get0_chain(store_ctx), link->report))
        return 1;
    return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, leaf);
}

/* libssl makes the alert of the code; for ours it knows handshake_failure only, which says nothing. */
static void choose_alert(X509_STORE_CTX *store_ctx, const cinch_finding *finding)
{
    int code = X509_STORE_CTX_get_error(store_ctx);

    if (code != X509_V_ERR_APPLICATION_VERIFICATION)
        return;
    /* certificate_unknown, as for all that libssl does not list. */
    if (!finding->found)
        code = X509_V_ERR_INVALID_NON_CA;
    else if (finding->rule == CINCH_RULE_EKU_REQUIRED || finding->rule == CINCH_RULE_KEY_USAGE)
        code = X509_V_ERR_INVALID_PURPOSE; /* unsupported_certificate */
    else
        code = X509_V_ERR_CERT_REJECTED; /* bad_certificate */
    X509_STORE_CTX_set_error(store_ctx, code);
}

static int check_all(X509_STORE_CTX *store_ctx, cinch_link *link, SSL *ssl, int64_t now,
                     cinch_finding *finding)
{
    const cinch_settings *settings = link->derived->settings;

    if (X509_STORE_CTX_get0_cert(store_ctx) == NULL)
        return refuse(store_ctx, X509_V_ERR_UNSPECIFIED, 0, NULL);
    if (settings->skip_verification)
        return check_name(store_ctx, link) && check_access(store_ctx, link);
    if (!cinch_profile_fits(settings->trust, X509_STORE_CTX_get0_cert(store_ctx),
                            X509_STORE_CTX_get0_untrusted(store_ctx), finding))
        return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, finding->x);
    if (!verify_chain(store_ctx, settings, now) && !take_another_path(store_ctx, settings, now)) {
        make_clear(store_ctx, settings, finding);
        return 0;
    }
    if (!check_name(store_ctx, link))
        return 0;
    int holds = check_profile(store_ctx, link, finding);
    if (!holds && take_another_path(store_ctx, settings, now)) {
        *finding = (cinch_finding){0};
        holds = check_profile(store_ctx, link, finding);
    }
    if (!holds || !cinch_revocation_check(store_ctx, link, now) || !check_access(store_ctx, link))
        return 0;
    if (ssl != NULL && !cinch_resume_remember(link, ssl, X509_STORE_CTX_get0_chain(store_ctx)))
        return refuse(store_ctx, X509_V_ERR_OUT_OF_MEM, 0, NULL);
    return 1;
}

int cinch_verify_peer(X509_STORE_CTX *store_ctx, cinch_link *link, SSL *ssl, int64_t now)
{
    cinch_finding finding = {0};

    link->verified = 0;
    link->chain_is_verified = 0;
    if (!check_all(store_ctx, link, ssl, now, &finding)) {
        link->finding = &finding;
        cinch_verify_explain(store_ctx, link, now, link->report);
        link->finding = NULL;
        choose_alert(store_ctx, &finding);
        cinch_openssl_clear();
        return 0;
    }
    X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
    cinch_openssl_clear();
    link->verified = link->chain_is_verified = !link->derived->settings->skip_verification;
    return 1;
}

int cinch_verify_callback(X509_STORE_CTX *store_ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    cinch_link *link = cinch_link_of(ssl);

    (void)arg;
    if (link == NULL)
        return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, NULL);
    if (cinch_psk_only(link->derived->settings)) {
        link->verified = link->chain_is_verified = 0;
        cinch_psk_refuse(link);
        return refuse(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION, 0, NULL);
    }
    int passed = cinch_verify_peer(store_ctx, link, ssl, cinch_clock_wall());
    link->verified_at = cinch_clock_us();
    if (!passed) {
        sk_X509_pop_free(link->sent, X509_free);
        link->sent = X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(store_ctx));
    }
    return passed;
}
