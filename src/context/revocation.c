/*
 * revocation.c: revocation in the settings and in the handshake. Lists are looked at after OpenSSL has
 * verified the chain, by code of our own: each certificate below the anchor with its issuer beside it.
 */
#include "context/revocation.h"

#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "context/hosts.h"

#include <cinch/revocation.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define TEXT 256

void cinch_revocation_share(cinch_settings *copy)
{
    copy->crls = cinch_crls_ref(copy->crls);
    copy->staples = cinch_staples_ref(copy->staples);
}

void cinch_revocation_free(cinch_settings *settings)
{
    cinch_crls_unref(settings->crls);
    cinch_staples_unref(settings->staples);
}

int cinch_revocation_bind(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {s->crls != NULL, s->crl_rule};
    unsigned char digest[32] = {0};

    if (s->crls != NULL)
        cinch_crls_digest(s->crls, digest);
    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           EVP_DigestUpdate(md, digest, sizeof digest) == 1;
}

int cinch_revocation_hash(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {s->staples != NULL, s->ocsp_required};
    unsigned char digest[32] = {0};

    if (s->staples != NULL && !cinch_staples_digest(s->staples, digest))
        return 0;
    return cinch_revocation_bind(s, md) && EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           EVP_DigestUpdate(md, digest, sizeof digest) == 1;
}

/* Room for what is counted first, and then filled in. */
typedef struct collection {
    cinch_shown_list shown;
    size_t room;
} collection;

static void collect(collection *c, const cinch_identity *identity)
{
    if (identity == NULL)
        return;
    if (c->shown.count < c->room)
        c->shown.list[c->shown.count] = (cinch_shown){
            .leaf = identity->leaf,
            .issuer = sk_X509_num(identity->chain) > 0 ? sk_X509_value(identity->chain, 0) : NULL,
            .print = identity->certificates[0]->sha256,
        };
    c->shown.count++;
}

static int collect_entry(const cinch_host_entry *entry, void *arg)
{
    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        collect(arg, entry->identities[i]);
    return 1;
}

static void collect_all(collection *c, const cinch_settings *settings)
{
    c->shown.count = 0;
    collect(c, settings->identity);
    (void)cinch_hosts_each(settings->hosts, collect_entry, c);
}

static int order(const void *a, const void *b)
{
    return memcmp(((const cinch_shown *)a)->print, ((const cinch_shown *)b)->print, 32);
}

int cinch_revocation_shown(const cinch_settings *settings, cinch_shown_list *shown)
{
    collection c = {{NULL, 0}, 0};
    size_t kept = 0;

    collect_all(&c, settings);
    c.room = c.shown.count;
    c.shown.list = c.room == 0 ? NULL : cinch_alloc_array(c.room, sizeof *c.shown.list);
    *shown = (cinch_shown_list){NULL, 0};
    if (c.room > 0 && c.shown.list == NULL)
        return 0;
    collect_all(&c, settings);
    if (c.shown.count > 1)
        qsort(c.shown.list + 1, c.shown.count - 1, sizeof *c.shown.list, order);
    /* An identity is there once for every name. */
    for (size_t i = 0; i < c.shown.count; i++)
        if (kept == 0 || (order(&c.shown.list[i], &c.shown.list[0]) != 0 &&
                          order(&c.shown.list[i], &c.shown.list[kept - 1]) != 0))
            c.shown.list[kept++] = c.shown.list[i];
    *shown = (cinch_shown_list){c.shown.list, kept};
    return 1;
}

static int refresh_staples(cinch_settings *settings)
{
    cinch_shown_list shown;

    if (!cinch_staples_are_due(settings->staples) || !cinch_revocation_shown(settings, &shown))
        return 0;
    cinch_staples *before = settings->staples;
    settings->staples = cinch_staples_refresh(before, &shown);
    int changed = settings->staples != before;
    cinch_staples_unref(before);
    cinch_release(shown.list);
    return changed;
}

int cinch_revocation_refresh(cinch_settings *settings)
{
    int changed = 0;

    if (settings->crls != NULL) {
        cinch_crls *crls = cinch_crls_refresh(settings->crls);

        changed |= crls != settings->crls;
        cinch_crls_unref(settings->crls);
        settings->crls = crls;
    }
    changed |= refresh_staples(settings);
    return changed;
}

/* What STORE_CTX's chain lacks. Returns the verdict on the certificate at *DEPTH, GOOD if all is well. */
static cinch_crl_verdict look_up(STACK_OF(X509) * chain, const cinch_settings *settings,
                                 int64_t now, int *depth, cinch_crl_finding *finding)
{
    for (*depth = 0; *depth + 1 < sk_X509_num(chain); ++*depth) {
        int must = settings->crl_rule == CINCH_CRL_CHAIN ||
                   (settings->crl_rule == CINCH_CRL_LEAF && *depth == 0);
        cinch_crl_verdict verdict =
            cinch_crls_check(settings->crls, sk_X509_value(chain, *depth),
                             sk_X509_value(chain, *depth + 1), now, finding);

        if (verdict == CINCH_CRL_FAILED || verdict == CINCH_CRL_REVOKED ||
            (verdict == CINCH_CRL_UNKNOWN && must))
            return verdict;
    }
    return CINCH_CRL_GOOD;
}

int cinch_revocation_check(X509_STORE_CTX *store_ctx, const cinch_link *link, int64_t now)
{
    const cinch_settings *settings = link->derived->settings;
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store_ctx);
    int depth, code;

    if (settings->crls == NULL && settings->crl_rule == CINCH_CRL_SOFT)
        return 1;
    if (settings->crls == NULL) {
        X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    switch (look_up(chain, settings, now, &depth, NULL)) {
    case CINCH_CRL_GOOD:
        return 1;
    case CINCH_CRL_REVOKED:
        code = X509_V_ERR_CERT_REVOKED;
        break;
    case CINCH_CRL_UNKNOWN:
        code = X509_V_ERR_UNABLE_TO_GET_CRL;
        break;
    default:
        code = X509_V_ERR_OUT_OF_MEM;
        break;
    }
    X509_STORE_CTX_set_error(store_ctx, code);
    X509_STORE_CTX_set_error_depth(store_ctx, depth);
    X509_STORE_CTX_set_current_cert(store_ctx, sk_X509_value(chain, depth));
    return 0;
}

static void explain_missing(const cinch_refusal *r, const cinch_crl_finding *finding)
{
    const cinch_settings *settings = r->link->derived->settings;
    char issuer[TEXT], subject[TEXT], places[TEXT];

    (void)cinch_fail(r->err, CINCH_CAUSE_NO_CRL,
                     "no current revocation list says whether the %s of the chain is still good",
                     r->depth == 0 ? "leaf" : "intermediate certificate");
    cinch_fail_evidence(r->err,
                        "whose it is: %s; certificate: %s\nthe list has to come from: %s\n"
                        "lists looked at: %s",
                        cinch_refusal_peer(r), cinch_x509_subject(r->subject, subject, TEXT),
                        cinch_x509_issuer(r->subject, issuer, TEXT),
                        cinch_crls_describe(settings->crls, places, sizeof places));
    if (finding->why_not[0] != 0)
        cinch_fail_evidence(r->err, "\n%s", finding->why_not);
    else
        cinch_fail_evidence(r->err, "\nnone of them is of this issuer");
}

static void explain_revoked(const cinch_refusal *r, const cinch_crl_finding *finding)
{
    char since[32], from[32], until[32];

    (void)cinch_fail(
        r->err, CINCH_CAUSE_REVOKED, "the %s's certificate %s by its issuer", cinch_refusal_peer(r),
        r->depth == 0 ? "has been revoked" : "leads to an intermediate one that has been revoked");
    cinch_fail_evidence(
        r->err, "since %s: %s\nlisted in %s, of %s%s%s\n",
        cinch_clock_text(finding->revoked_at, since), cinch_crl_reason(finding->reason),
        finding->where, cinch_clock_text(finding->this_update, from),
        finding->next_update == 0 ? "" : ", valid until ",
        finding->next_update == 0 ? "" : cinch_clock_text(finding->next_update, until));
    cinch_refusal_show(r, r->subject);
}

static void explain_no_lists(const cinch_refusal *r)
{
    (void)cinch_fail(r->err, CINCH_CAUSE_NO_CRL,
                     "revocation is to be looked up and no revocation list was named");
    cinch_fail_evidence(r->err, "certificate: ");
    cinch_refusal_show(r, r->subject);
}

void cinch_explain_revocation(const cinch_refusal *r)
{
    cinch_crl_finding finding;
    int depth;
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(r->store_ctx);
    const cinch_settings *settings = r->link->derived->settings;

    if (settings->crls == NULL) {
        explain_no_lists(r);
        return;
    }
    cinch_crl_verdict verdict = look_up(chain, settings, r->now, &depth, &finding);
    if (verdict == CINCH_CRL_REVOKED)
        explain_revoked(r, &finding);
    else if (verdict == CINCH_CRL_UNKNOWN)
        explain_missing(r, &finding);
    else
        (void)cinch_fail_memory(r->err, "looking for a revocation");
}
