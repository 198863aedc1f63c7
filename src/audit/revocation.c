/* revocation.c: lists and responses that have run out, do not count, or that nobody asks for. */
#include "audit/audit.h"

#include "base/clock.h"
#include "base/memory.h"
#include "context/revocation.h"

#include <cinch/revocation.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY INT64_C(86400)
/* TLS feature 5 is status_request (RFC 7633, 4; RFC 6066, 8). */
#define STATUS_REQUEST 5

/* What runs out soon should have been replaced: a day before its end, or earlier if it is short-lived. */
static int runs_out(int64_t from, int64_t until, int64_t now)
{
    int64_t early = (until - from) / 6;

    return until - now < (early < DAY ? early : DAY);
}

typedef struct lists {
    cinch_audit_work *work;
    cinch_audit_names expired, expiring, endless, weak;
    const cinch_crl_facts *one; /* whose successor is looked for */
    int succeeded;
} lists;

static const ASN1_OCTET_STRING *scope_of(const X509_CRL *crl)
{
    int at = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);

    return at < 0 ? NULL : X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
}

static int same_scope(const X509_CRL *a, const X509_CRL *b)
{
    const ASN1_OCTET_STRING *one = scope_of(a), *other = scope_of(b);

    return one == NULL || other == NULL ? one == other : ASN1_OCTET_STRING_cmp(one, other) == 0;
}

/* A directory may keep the old list beside the new one. */
static void see_successor(const cinch_crl_facts *other, void *arg)
{
    lists *l = arg;

    if (other->next_update < l->work->now || other->this_update <= l->one->this_update)
        return;
    int order = X509_NAME_cmp(X509_CRL_get_issuer(other->crl), X509_CRL_get_issuer(l->one->crl));
    l->work->failed |= order == -2;
    l->succeeded |= order == 0 && same_scope(other->crl, l->one->crl);
}

static void see_list(const cinch_crl_facts *facts, void *arg)
{
    lists *l = arg;
    int64_t now = l->work->now;

    l->one = facts;
    l->succeeded = 0;
    cinch_crls_each(l->work->settings->crls, see_successor, l);
    if (l->succeeded)
        return;
    if (facts->next_update == 0)
        cinch_audit_name(&l->endless, facts->where);
    else if (facts->next_update < now)
        cinch_audit_name(&l->expired, facts->where);
    else if (runs_out(facts->this_update, facts->next_update, now))
        cinch_audit_name(&l->expiring, facts->where);
    if (facts->is_weak)
        cinch_audit_name(&l->weak, facts->where);
}

static void look_at_lists(cinch_audit_work *work, const cinch_settings *s)
{
    lists l = {.work = work};

    if (s->is_server && s->client_auth == CINCH_CLIENT_AUTH_NONE) {
        cinch_audit_add(work, "crl-unused", NULL);
        return;
    }
    cinch_crls_each(s->crls, see_list, &l);
    if (l.expired.count > 0)
        cinch_audit_add_names(work, "crl-expired", &l.expired);
    if (l.expiring.count > 0)
        cinch_audit_add_names(work, "crl-expires", &l.expiring);
    if (l.endless.count > 0)
        cinch_audit_add_names(work, "crl-endless", &l.endless);
    if (l.weak.count > 0)
        cinch_audit_add_names(work, "crl-weak-signature", &l.weak);
    if (s->crl_rule == CINCH_CRL_SOFT)
        cinch_audit_add(work, "crl-soft", NULL);
}

/* Whether one of STAPLES would be sent for LEAF. Twice: want of memory must not look like a no. */
static int is_sent(const cinch_staples *staples, const X509 *leaf, int64_t now)
{
    const unsigned char *bytes;

    for (int i = 0; staples != NULL && i < 2; i++)
        if (cinch_staples_bytes(staples, leaf, now, &bytes) > 0)
            return 1;
    return 0;
}

static int is_shown(const cinch_staple *staple, const cinch_shown_list *shown)
{
    for (size_t i = 0; i < shown->count; i++)
        if (memcmp(shown->list[i].print, cinch_staple_print(staple), 32) == 0)
            return 1;
    return 0;
}

static void look_at_staple(cinch_audit_work *work, const cinch_staple *staple,
                           const cinch_shown_list *shown)
{
    int64_t from, until;
    char text[32];

    cinch_staple_times(staple, &from, &until);
    cinch_clock_text(until, text);
    if (until < work->now)
        cinch_audit_add(work, "ocsp-not-sent", "the stapled OCSP response has run out on %s", text);
    else if (!is_shown(staple, shown))
        cinch_audit_add(work, "ocsp-not-sent",
                        "the stapled OCSP response is for another certificate than the server's");
    else if (runs_out(from, until, work->now))
        cinch_audit_add(work, "ocsp-expires", "the stapled OCSP response runs out on %s", text);
}

static void look_at_staples(cinch_audit_work *work, const cinch_settings *s)
{
    cinch_shown_list shown;
    const cinch_staple *staple;

    if (!cinch_revocation_shown(s, &shown)) {
        work->failed = 1;
        return;
    }
    for (size_t i = 0; (staple = cinch_staples_at(s->staples, i)) != NULL; i++)
        look_at_staple(work, staple, &shown);
    cinch_release(shown.list);
}

/* SEQUENCE OF INTEGER, read as it stands: to decode it would take memory that may not be there. */
static int must_staple(const X509 *leaf)
{
    int at = X509_get_ext_by_NID(leaf, NID_tlsfeature, -1);
    const ASN1_OCTET_STRING *data = at < 0 ? NULL : X509_EXTENSION_get_data(X509_get_ext(leaf, at));
    const unsigned char *der = data == NULL ? NULL : ASN1_STRING_get0_data(data);
    int size = data == NULL ? 0 : ASN1_STRING_length(data);

    if (size < 2 || der[0] != (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED) || der[1] != size - 2)
        return 0;
    for (int i = 2; i + 2 < size; i += 2 + der[i + 1])
        if (der[i] == V_ASN1_INTEGER && der[i + 1] == 1 && der[i + 2] == STATUS_REQUEST)
            return 1;
    return 0;
}

void cinch_audit_must_staple(cinch_audit_work *work, const cinch_identity *identity)
{
    if (work->settings->is_server && must_staple(identity->leaf) &&
        !is_sent(work->settings->staples, identity->leaf, work->now))
        cinch_audit_add(work, "must-staple", NULL);
}

void cinch_audit_revocation(cinch_audit_work *work)
{
    const cinch_settings *s = work->settings;

    if (s->crls != NULL)
        look_at_lists(work, s);
    if (s->staples != NULL)
        look_at_staples(work, s);
}
