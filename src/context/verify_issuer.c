/*
 * verify_issuer.c: an issuer is not known. Nobody can tell from a certificate alone whether its issuer
 * is a root that is not trusted or an intermediate that was not sent; these are the signs.
 */
#define _GNU_SOURCE /* strcasestr */
#include "base/certificate.h"
#include "base/fail.h"
#include "context/refusal.h"

#include <ctype.h>
#include <openssl/x509v3.h>
#include <string.h>

#define TEXT 512

static cinch_trust *trust_of(const cinch_refusal *r)
{
    return r->link->derived->settings->trust;
}

static int says(const X509_NAME *name, const char *word)
{
    char text[TEXT];

    return strcasestr(X509_NAME_oneline(name, text, sizeof text), word) != NULL;
}

static const ASN1_STRING *organization(const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);

    return at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
}

/* The name of the issuer's own issuer, if the authority key identifier tells (RFC 5280, 4.2.1.1). */
static int authority_is_anchor(const cinch_refusal *r, const X509 *x)
{
    AUTHORITY_KEYID *id = X509_get_ext_d2i(x, NID_authority_key_identifier, NULL, NULL);
    int known = 0;

    for (int i = 0; id != NULL && i < sk_GENERAL_NAME_num(id->issuer); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(id->issuer, i);

        if (name->type != GEN_DIRNAME ||
            X509_NAME_cmp(name->d.directoryName, X509_get_issuer_name(x)) == 0)
            continue;
        STACK_OF(X509) *anchors = cinch_trust_by_subject(trust_of(r), name->d.directoryName);
        known |= sk_X509_num(anchors) > 0;
        sk_X509_pop_free(anchors, X509_free);
    }
    AUTHORITY_KEYID_free(id);
    return known;
}

/* A root of the same organization as the issuer of X, which does not call itself a root. */
static int family_is_known(const cinch_refusal *r, const X509 *x)
{
    const X509_NAME *issuer = X509_get_issuer_name(x);
    const ASN1_STRING *name = organization(issuer);
    int known = 0;

    if (name == NULL || says(issuer, "root"))
        return 0;
    STACK_OF(X509) *anchors = cinch_trust_all(trust_of(r), NULL);
    for (int i = 0; !known && i < sk_X509_num(anchors); i++) {
        const X509_NAME *anchor = X509_get_subject_name(sk_X509_value(anchors, i));
        const ASN1_STRING *other = organization(anchor);

        known = other != NULL && ASN1_STRING_cmp(name, other) == 0 && says(anchor, "root");
    }
    sk_X509_pop_free(anchors, X509_free);
    return known;
}

static int calls_itself_intermediate(const X509 *x)
{
    static const char *const words[] = {"intermediate", "issuing", "subordinate", "sub ca",
                                        "sub-ca",       "subca",   " int ca"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (says(X509_get_issuer_name(x), words[i]))
            return 1;
    return 0;
}

/* Something else was sent that does not continue the chain: there is a hole in it. */
static int sent_more(const cinch_refusal *r, const X509 *top)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(r->store_ctx);

    for (int i = 0; i < sk_X509_num(sent); i++) {
        X509 *x = sk_X509_value(sent, i);
        STACK_OF(X509) *anchors = NULL;
        int leads_home = 0;

        if (x == r->leaf || X509_cmp(x, top) == 0)
            continue;
        anchors = cinch_trust_by_subject(trust_of(r), X509_get_issuer_name(x));
        leads_home = sk_X509_num(anchors) > 0;
        sk_X509_pop_free(anchors, X509_free);
        if (leads_home)
            return 1;
    }
    return 0;
}

static const char *sign_of_gap(const cinch_refusal *r, const X509 *x)
{
    char url[TEXT];

    if (sent_more(r, x))
        return "another certificate that was sent does lead to a trusted anchor";
    if (authority_is_anchor(r, x))
        return "its authority key identifier says that a trusted anchor issued its issuer";
    if (cinch_x509_issuer_url(x, url, sizeof url))
        return "it names a place to get its issuer's certificate from, as roots need not";
    if (calls_itself_intermediate(x))
        return "its issuer calls itself an intermediate";
    if (family_is_known(r, x))
        return "a root of the same organization is trusted";
    return NULL;
}

static void show_sent(const cinch_refusal *r)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(r->store_ctx);
    int count = sk_X509_num(sent);
    char subject[TEXT];

    if (count <= 1) {
        cinch_fail_evidence(r->err, "\nthe %s sent this one certificate only",
                            cinch_refusal_peer(r));
        return;
    }
    cinch_fail_evidence(r->err, "\nthe %s sent %d certificates:", cinch_refusal_peer(r), count);
    for (int i = 0; i < count && i < 6; i++)
        cinch_fail_evidence(r->err, "\n  %d %s", i,
                            cinch_x509_subject(sk_X509_value(sent, i), subject, 160));
}

/* The name is trusted and the key is another: the CA was made anew, or somebody poses as it. */
static int explain_other_key(const cinch_refusal *r, X509 *top, const char *issuer)
{
    STACK_OF(X509) *anchors = cinch_trust_by_subject(trust_of(r), X509_get_issuer_name(top));
    int known = sk_X509_num(anchors) > 0;

    sk_X509_pop_free(anchors, X509_free);
    if (!known)
        return 0;
    (void)cinch_fail(r->err, CINCH_CAUSE_UNKNOWN_ISSUER,
                     "the %s's certificate comes from an issuer \"%s\" with another key than the "
                     "one of that name that is trusted",
                     cinch_refusal_peer(r), issuer);
    cinch_fail_remedy(r->err, "if that CA was made anew, trust its new certificate; else somebody "
                              "poses as it: do not go on");
    return 1;
}

static void explain_gap(const cinch_refusal *r, X509 *top, const char *issuer)
{
    char url[TEXT];

    (void)cinch_fail(r->err, CINCH_CAUSE_MISSING_INTERMEDIATE,
                     "the %s did not send the intermediate certificate \"%s\"",
                     cinch_refusal_peer(r), issuer);
    if (cinch_x509_issuer_url(top, url, sizeof url))
        cinch_fail_remedy(r->err,
                          "configure the %s to send the intermediate certificate after its own "
                          "(often called \"fullchain\"); it can be had from %s",
                          cinch_refusal_peer(r), url);
    else
        cinch_fail_remedy(r->err,
                          "configure the %s to send the intermediate certificate after its own "
                          "(often called \"fullchain\")",
                          cinch_refusal_peer(r));
}

void cinch_explain_issuer(const cinch_refusal *r)
{
    char url[TEXT], issuer[TEXT], where[TEXT];
    X509 *top = r->subject;
    int self_issued = X509_NAME_cmp(X509_get_subject_name(top), X509_get_issuer_name(top)) == 0;
    const char *sign = NULL;

    cinch_x509_issuer(top, issuer, sizeof issuer);
    if (!explain_other_key(r, top, issuer)) {
        sign = self_issued ? NULL : sign_of_gap(r, top);
        if (sign != NULL)
            explain_gap(r, top, issuer);
        else
            (void)cinch_fail(r->err, CINCH_CAUSE_UNKNOWN_ISSUER,
                             "the %s's certificate comes from an issuer that is not trusted: "
                             "\"%s\"",
                             cinch_refusal_peer(r), issuer);
    }
    cinch_refusal_show(r, top);
    show_sent(r);
    if (sign != NULL)
        cinch_fail_evidence(r->err, "\nan intermediate is missing: %s", sign);
    else if (!self_issued)
        cinch_fail_evidence(r->err,
                            "\nif that issuer is an intermediate of a trusted one, the %s "
                            "has to send its certificate too",
                            cinch_refusal_peer(r));
    if (cinch_x509_issuer_url(top, url, sizeof url))
        cinch_fail_evidence(r->err, "\nthe issuer's certificate should be at %s", url);
    if (r->link->derived->settings->roots_only)
        cinch_fail_evidence(r->err, "\nonly roots count as anchors here "
                                    "(cinch_context_partial_chain() is off)");
    if (trust_of(r) != NULL)
        cinch_fail_evidence(r->err, "\ntrusted: %s",
                            cinch_trust_describe(trust_of(r), where, sizeof where));
}
