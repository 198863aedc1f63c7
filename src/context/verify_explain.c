/* verify_explain.c: why a chain was refused, in words, with what shows it. */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "context/profile.h"
#include "context/refusal.h"
#include "context/revocation.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define TEXT 512

const char *cinch_refusal_peer(const cinch_refusal *r)
{
    return r->link->derived->settings->is_server ? "client" : "server";
}

void cinch_refusal_show(const cinch_refusal *r, const X509 *x)
{
    char subject[TEXT], issuer[TEXT];

    cinch_fail_evidence(r->err, "certificate: %s\nissued by: %s",
                        cinch_x509_subject(x, subject, TEXT), cinch_x509_issuer(x, issuer, TEXT));
}

/* "server's certificate" or "certificate of an issuer". */
static const char *whose(const cinch_refusal *r)
{
    if (r->depth > 0)
        return "certificate of an issuer in the chain";
    return r->link->derived->settings->is_server ? "client's certificate" : "server's certificate";
}

static void explain_time(const cinch_refusal *r, cinch_cause cause)
{
    int64_t not_before, not_after;
    char from[32], to[32], now[32];
    int readable = cinch_x509_times(r->subject, &not_before, &not_after);
    int64_t off = cause == CINCH_CAUSE_EXPIRED ? r->now - not_after : not_before - r->now;
    const char *verb = cause == CINCH_CAUSE_EXPIRED ? "has expired" : "is not valid yet";

    if (!readable) {
        (void)cinch_fail(r->err, CINCH_CAUSE_CHAIN_RULE, "the %s has dates that cannot be read",
                         whose(r));
        cinch_refusal_show(r, r->subject);
        return;
    }
    (void)cinch_fail(r->err, cause, "the %s %s", whose(r), verb);
    cinch_fail_evidence(r->err, "valid from %s to %s\nthis machine's clock says %s: %lld %s %s\n",
                        cinch_clock_text(not_before, from), cinch_clock_text(not_after, to),
                        cinch_clock_text(r->now, now),
                        (long long)(off >= 172800 ? off / 86400
                                    : off >= 7200 ? off / 3600
                                                  : off / 60),
                        off >= 172800 ? "days"
                        : off >= 7200 ? "hours"
                                      : "minutes",
                        cause == CINCH_CAUSE_EXPIRED ? "too late" : "too early");
    cinch_refusal_show(r, r->subject);
}

static void explain_name(const cinch_refusal *r)
{
    int is_ip = r->link->host.ip_size != 0;
    char names[TEXT], subject[TEXT];

    (void)cinch_fail(r->err, is_ip ? CINCH_CAUSE_WRONG_IP : CINCH_CAUSE_WRONG_HOST_NAME,
                     "the server's certificate is not for \"%s\"", r->link->host.text);
    cinch_x509_names(r->leaf, names, sizeof names, 12);
    if (names[0] != 0)
        cinch_fail_evidence(r->err, "it is for: %s\n", names);
    else
        cinch_fail_evidence(r->err, "it has no subject alternative names, and the common name of "
                                    "its subject does not count (RFC 9525)\n");
    cinch_fail_evidence(r->err, "certificate: %s", cinch_x509_subject(r->leaf, subject, TEXT));
}

static void explain_self_signed(const cinch_refusal *r)
{
    (void)cinch_fail(r->err, CINCH_CAUSE_SELF_SIGNED,
                     "the %s's certificate is signed by itself and is not one that is trusted",
                     cinch_refusal_peer(r));
    cinch_refusal_show(r, r->leaf);
}

static void explain_purpose(const cinch_refusal *r)
{
    int is_leaf = r->depth == 0;

    (void)cinch_fail(r->err, CINCH_CAUSE_WRONG_PURPOSE, "the %s may not be used for this: %s",
                     whose(r),
                     !is_leaf ? "its issuer may not issue certificates"
                     : r->link->derived->settings->is_server ? "it is not for clients"
                                                             : "it is not for servers");
    cinch_refusal_show(r, r->subject);
    if (is_leaf) {
        uint32_t usage = X509_get_extended_key_usage(r->subject);

        if (usage != UINT32_MAX)
            cinch_fail_evidence(
                r->err, "\nextended key usage:%s%s%s%s%s",
                usage & XKU_SSL_SERVER ? " serverAuth" : "",
                usage & XKU_SSL_CLIENT ? " clientAuth" : "",
                usage & XKU_SMIME ? " emailProtection" : "",
                usage & XKU_CODE_SIGN ? " codeSigning" : "",
                usage & ~(uint32_t)(XKU_SSL_SERVER | XKU_SSL_CLIENT | XKU_SMIME | XKU_CODE_SIGN)
                    ? " others"
                    : "");
    }
}

static void explain_weak(const cinch_refusal *r)
{
    EVP_PKEY *key = X509_get0_pubkey(r->subject);
    int digest = NID_undef;
    int is_key = r->code == X509_V_ERR_EE_KEY_TOO_SMALL || r->code == X509_V_ERR_CA_KEY_TOO_SMALL;

    (void)X509_get_signature_info(r->subject, &digest, NULL, NULL, NULL);
    if (is_key)
        (void)cinch_fail(r->err, CINCH_CAUSE_TOO_WEAK, "the key of the %s is too weak", whose(r));
    else
        (void)cinch_fail(r->err, CINCH_CAUSE_TOO_WEAK,
                         "the %s is signed with a digest that is too weak", whose(r));
    cinch_fail_evidence(
        r->err, "key: %s, %d bits; signed with %s; security level %d asks for more\n",
        key == NULL ? "unknown" : EVP_PKEY_get0_type_name(key),
        key == NULL ? 0 : EVP_PKEY_get_bits(key),
        digest == NID_undef ? OBJ_nid2ln(X509_get_signature_nid(r->subject)) : OBJ_nid2sn(digest),
        r->link->derived->settings->policy->level);
    cinch_refusal_show(r, r->subject);
}

/* Which rule, where it is written, whose certificate, and what can be done without a new one. */
static void explain_rule(const cinch_refusal *r, const cinch_finding *finding)
{
    char name[40];
    size_t i;

    (void)snprintf(name, sizeof name, "%s", cinch_rule_name(finding->rule));
    (void)cinch_fail(r->err, CINCH_CAUSE_CHAIN_RULE, "the %s breaks the rule \"%s\": %s", whose(r),
                     name, finding->what);
    cinch_fail_evidence(r->err, "the rule stands in: %s\n", finding->section);
    cinch_refusal_show(r, r->subject);
    for (i = 0; name[i] != 0; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    cinch_fail_remedy(r->err,
                      "have the certificate issued again as the rule asks; for a private CA that "
                      "cannot, relax this one rule: cinch_context_insecure_relax(ctx, "
                      "CINCH_RULE_%s, 1, &err)",
                      name);
}

static void explain_other(const cinch_refusal *r)
{
    cinch_cause cause = CINCH_CAUSE_CHAIN_RULE;

    if (r->code == X509_V_ERR_APPLICATION_VERIFICATION && r->link->finding != NULL &&
        r->link->finding->found) {
        explain_rule(r, r->link->finding);
        return;
    }
    /* Pins and rules on who is let in have said it all. */
    if (r->code == X509_V_ERR_APPLICATION_VERIFICATION && cinch_error_is_set(r->err))
        return;
    if (r->code == X509_V_ERR_CERT_REVOKED)
        cause = CINCH_CAUSE_REVOKED;
    if (r->code == X509_V_ERR_CERT_SIGNATURE_FAILURE)
        cause = CINCH_CAUSE_BAD_SIGNATURE;
    (void)cinch_fail(r->err, cause, "the %s does not pass: %s", whose(r),
                     X509_verify_cert_error_string(r->code));
    if (r->subject != NULL)
        cinch_refusal_show(r, r->subject);
}

/* What else is wrong with the leaf, so that nobody has to come back for it. */
static void show_besides(const cinch_refusal *r)
{
    int64_t not_before, not_after;

    if (r->code != X509_V_ERR_CERT_HAS_EXPIRED &&
        cinch_x509_times(r->leaf, &not_before, &not_after) && r->now > not_after)
        cinch_fail_evidence(r->err, "\nbesides, it has expired");
    if (r->code != X509_V_ERR_HOSTNAME_MISMATCH && r->code != X509_V_ERR_IP_ADDRESS_MISMATCH &&
        !r->link->derived->settings->is_server && !r->link->derived->settings->skip_name &&
        !cinch_host_matches(&r->link->host, r->leaf))
        cinch_fail_evidence(r->err, "\nbesides, it is not for \"%s\"", r->link->host.text);
}

static void explain(const cinch_refusal *r)
{
    switch (r->code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        explain_time(r, CINCH_CAUSE_EXPIRED);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        explain_time(r, CINCH_CAUSE_NOT_YET_VALID);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_name(r);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        explain_self_signed(r);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        cinch_explain_issuer(r);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        explain_purpose(r);
        break;
    case X509_V_ERR_CERT_REVOKED:
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        cinch_explain_revocation(r);
        break;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        explain_weak(r);
        break;
    default:
        explain_other(r);
        break;
    }
    show_besides(r);
}

/* The certificate that the refusal is about; OpenSSL does not always say. */
static X509 *find_subject(X509_STORE_CTX *store_ctx, int depth)
{
    X509 *x = X509_STORE_CTX_get_current_cert(store_ctx);
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store_ctx);

    if (x == NULL && depth < sk_X509_num(chain))
        x = sk_X509_value(chain, depth);
    return x == NULL ? X509_STORE_CTX_get0_cert(store_ctx) : x;
}

void cinch_verify_explain(X509_STORE_CTX *store_ctx, const cinch_link *link, int64_t now,
                          cinch_error *err)
{
    cinch_refusal r = {.store_ctx = store_ctx,
                       .link = link,
                       .now = now,
                       .code = X509_STORE_CTX_get_error(store_ctx),
                       .depth = X509_STORE_CTX_get_error_depth(store_ctx),
                       .leaf = X509_STORE_CTX_get0_cert(store_ctx),
                       .err = err};

    if (err == NULL)
        return;
    r.subject = find_subject(store_ctx, r.depth);
    cinch_openssl_errors errors = cinch_openssl_take_errors();
    /* Without memory a certificate looks damaged, or like another one. Our store never fails else. */
    if (errors.out_of_memory || r.code == X509_V_ERR_OUT_OF_MEM ||
        r.code == X509_V_ERR_STORE_LOOKUP)
        (void)cinch_fail_memory(err, "verifying a certificate");
    else if (r.code != X509_V_ERR_UNSPECIFIED && r.leaf != NULL && r.subject != NULL)
        explain(&r);
    else {
        (void)cinch_fail(err, CINCH_CAUSE_INTERNAL, "OpenSSL failed while verifying a certificate");
        cinch_fail_openssl_code(err, errors.last);
    }
    err->verify_code = r.code;
    err->verify_depth = r.depth;
}
