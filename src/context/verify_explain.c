#define _GNU_SOURCE /* strcasestr */
/* verify_explain.c: why a chain was refused, in words, with what shows it. */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "context/link.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define TEXT 512

/* Everything that an explanation is made from. */
typedef struct refusal {
    X509_STORE_CTX *store_ctx;
    const cinch_link *link;
    int64_t now;
    int code;
    int depth;
    X509 *leaf;
    X509 *subject; /* the certificate that the refusal is about */
    cinch_error *err;
} refusal;

static const char *peer(const refusal *r)
{
    return r->link->derived->settings->is_server ? "client" : "server";
}

/* "server's certificate" or "certificate of an issuer". */
static const char *whose(const refusal *r)
{
    if (r->depth > 0)
        return "certificate of an issuer in the chain";
    return r->link->derived->settings->is_server ? "client's certificate" : "server's certificate";
}

static void show_certificate(const refusal *r, const X509 *x)
{
    char subject[TEXT], issuer[TEXT];

    cinch_fail_evidence(r->err, "certificate: %s\nissued by: %s",
                        cinch_x509_subject(x, subject, TEXT), cinch_x509_issuer(x, issuer, TEXT));
}

static void explain_time(const refusal *r, cinch_cause cause)
{
    int64_t not_before, not_after;
    char from[32], to[32], now[32];
    int readable = cinch_x509_times(r->subject, &not_before, &not_after);
    int64_t off = cause == CINCH_CAUSE_EXPIRED ? r->now - not_after : not_before - r->now;
    const char *verb = cause == CINCH_CAUSE_EXPIRED ? "has expired" : "is not valid yet";

    if (!readable) {
        (void)cinch_fail(r->err, CINCH_CAUSE_BAD_CERTIFICATE,
                         "the %s has dates that cannot be read", whose(r));
        show_certificate(r, r->subject);
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
    show_certificate(r, r->subject);
}

static void explain_name(const refusal *r)
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

static void explain_self_signed(const refusal *r)
{
    (void)cinch_fail(r->err, CINCH_CAUSE_SELF_SIGNED,
                     "the %s's certificate is signed by itself and is not one that is trusted",
                     peer(r));
    show_certificate(r, r->leaf);
}

static const char *organization(const X509_NAME *name, int *size)
{
    int at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);

    if (at < 0)
        return NULL;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    *size = ASN1_STRING_length(value);
    return (const char *)ASN1_STRING_get0_data(value);
}

/* The name of the issuer's own issuer, if the authority key identifier tells (RFC 5280, 4.2.1.1). */
static int authority_is_anchor(const refusal *r, const X509 *x)
{
    AUTHORITY_KEYID *id = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
    int known = 0;

    for (int i = 0; id != NULL && i < sk_GENERAL_NAME_num(id->issuer); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(id->issuer, i);

        if (name->type != GEN_DIRNAME ||
            X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(x)) == 0)
            continue;
        STACK_OF(X509) *anchors =
            cinch_trust_by_subject(r->link->derived->settings->trust, name->d.directoryName);
        known |= sk_X509_num(anchors) > 0;
        sk_X509_pop_free(anchors, X509_free);
    }
    AUTHORITY_KEYID_free(id);
    return known;
}

/* An anchor of the same organization as the issuer of X. */
static int family_is_known(const refusal *r, const X509 *x)
{
    int size = 0, other_size = 0, known = 0;
    const char *name = organization(X509_get_issuer_name(x), &size);
    STACK_OF(X509) *anchors =
        name == NULL ? NULL : cinch_trust_all(r->link->derived->settings->trust, NULL);

    for (int i = 0; !known && i < sk_X509_num(anchors); i++) {
        const char *other =
            organization(X509_get_subject_name(sk_X509_value(anchors, i)), &other_size);

        known = other != NULL && size == other_size && memcmp(name, other, (size_t)size) == 0;
    }
    sk_X509_pop_free(anchors, X509_free);
    return known;
}

static int calls_itself_intermediate(const X509 *x)
{
    static const char *const words[] = {"intermediate", "issuing", "subordinate", "sub ca",
                                        "sub-ca"};
    char issuer[TEXT];

    cinch_x509_issuer(x, issuer, sizeof issuer);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(issuer, words[i]) != NULL)
            return 1;
    return 0;
}

/*
 * Nobody can tell from a certificate alone whether its issuer is a root that is not trusted or an
 * intermediate that was not sent. These are the signs for the latter; each is named in the evidence.
 */
static const char *sign_of_gap(const refusal *r, const X509 *x)
{
    char url[TEXT];

    if (authority_is_anchor(r, x))
        return "its authority key identifier says that a trusted anchor issued its issuer";
    if (cinch_x509_issuer_url(x, url, sizeof url))
        return "it names a place to get its issuer's certificate from, as roots need not";
    if (family_is_known(r, x))
        return "an anchor of the same organization is trusted";
    if (calls_itself_intermediate(x))
        return "its issuer calls itself an intermediate";
    return NULL;
}

static void show_sent(const refusal *r)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(r->store_ctx);
    int count = sk_X509_num(sent);
    char subject[TEXT];

    if (count <= 1) {
        cinch_fail_evidence(r->err, "\nthe %s sent this one certificate only", peer(r));
        return;
    }
    cinch_fail_evidence(r->err, "\nthe %s sent %d certificates:", peer(r), count);
    for (int i = 0; i < count && i < 6; i++)
        cinch_fail_evidence(r->err, "\n  %d %s", i,
                            cinch_x509_subject(sk_X509_value(sent, i), subject, 160));
}

static void explain_issuer(const refusal *r)
{
    char url[TEXT], issuer[TEXT], where[TEXT];
    X509 *top = r->subject;
    const cinch_trust *trust = r->link->derived->settings->trust;
    int self_issued = X509_NAME_cmp(X509_get_subject_name(top), X509_get_issuer_name(top)) == 0;
    const char *sign = self_issued ? NULL : sign_of_gap(r, top);

    cinch_x509_issuer(top, issuer, sizeof issuer);
    if (sign != NULL)
        (void)cinch_fail(r->err, CINCH_CAUSE_MISSING_INTERMEDIATE,
                         "the %s did not send the intermediate certificate \"%s\"", peer(r),
                         issuer);
    else
        (void)cinch_fail(r->err, CINCH_CAUSE_UNKNOWN_ISSUER,
                         "the %s's certificate comes from an issuer that is not trusted: \"%s\"",
                         peer(r), issuer);
    show_certificate(r, top);
    show_sent(r);
    if (sign != NULL)
        cinch_fail_evidence(r->err, "\nan intermediate is missing: %s", sign);
    if (cinch_x509_issuer_url(top, url, sizeof url))
        cinch_fail_evidence(r->err, "\nthe issuer's certificate should be at %s", url);
    if (trust != NULL)
        cinch_fail_evidence(r->err, "\ntrusted: %s",
                            cinch_trust_describe(trust, where, sizeof where));
}

static void explain_purpose(const refusal *r)
{
    int is_leaf = r->depth == 0;

    (void)cinch_fail(r->err, CINCH_CAUSE_WRONG_PURPOSE, "the %s may not be used for this: %s",
                     whose(r),
                     !is_leaf ? "its issuer may not issue certificates"
                     : r->link->derived->settings->is_server ? "it is not for clients"
                                                             : "it is not for servers");
    show_certificate(r, r->subject);
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

static void explain_weak(const refusal *r)
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
    show_certificate(r, r->subject);
}

static void explain_other(const refusal *r)
{
    cinch_cause cause = CINCH_CAUSE_CHAIN_RULE;

    if (r->code == X509_V_ERR_CERT_REVOKED)
        cause = CINCH_CAUSE_REVOKED;
    if (r->code == X509_V_ERR_CERT_SIGNATURE_FAILURE)
        cause = CINCH_CAUSE_BAD_SIGNATURE;
    (void)cinch_fail(r->err, cause, "the %s does not pass: %s", whose(r),
                     X509_verify_cert_error_string(r->code));
    if (r->subject != NULL)
        show_certificate(r, r->subject);
}

/* What else is wrong with the leaf, so that nobody has to come back for it. */
static void show_besides(const refusal *r)
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

static void explain(const refusal *r)
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
        explain_issuer(r);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        explain_purpose(r);
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
    refusal r = {.store_ctx = store_ctx,
                 .link = link,
                 .now = now,
                 .code = X509_STORE_CTX_get_error(store_ctx),
                 .depth = X509_STORE_CTX_get_error_depth(store_ctx),
                 .leaf = X509_STORE_CTX_get0_cert(store_ctx),
                 .err = err};

    if (err == NULL)
        return;
    r.subject = find_subject(store_ctx, r.depth);
    if (r.code == X509_V_ERR_OUT_OF_MEM)
        (void)cinch_fail_memory(err, "verifying a certificate");
    else if (r.code == X509_V_ERR_UNSPECIFIED || r.leaf == NULL || r.subject == NULL)
        (void)cinch_fail_crypto(err, "verifying a certificate");
    else
        explain(&r);
    err->verify_code = r.code;
    err->verify_depth = r.depth;
}
