/* What a set of lists says of one certificate. */
#include "base/clock.h"
#include "base/x509_text.h"
#include "revocation/lists.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_TOLERANCE_S 300

typedef struct crl_search {
    X509 *x;
    X509 *issuer;
    int64_t now;
    int is_held;        /* a list has X on hold */
    int64_t held_since; /* the newest such list's thisUpdate */
    int is_good;        /* a current list that would have X does not, */
    int64_t good_since; /* and the newest such list's thisUpdate */
    cinch_crl_finding *finding;
} crl_search;

const char *cinch_crl_reason(int reason)
{
    static const char *const words[] = {
        "no reason is given",
        "its key was compromised",
        "the key of its issuer was compromised",
        "what it says of its holder is not true any more",
        "another certificate takes its place",
        "it is not needed any more",
        "it is on hold",
        "no reason is given",
        "it was to be taken off the list",
        "its holder has lost a privilege",
        "the key of an attribute authority was compromised",
    };

    return reason < 0 || (size_t)reason >= sizeof words / sizeof words[0] ? words[0]
                                                                          : words[reason];
}

/* Says for people why a list is no proof that X is good. */
static void note(crl_search *search, const cinch_crl_file *file, const char *format, ...)
    CINCH_PRINTF(3, 4);

static void note(crl_search *search, const cinch_crl_file *file, const char *format, ...)
{
    char *buf = search->finding->why_not;
    size_t size = sizeof search->finding->why_not, used = strlen(buf);
    va_list args;

    if (size - used < 64)
        return;
    int n = snprintf(buf + used, size - used, "%sthe list in %s ", used > 0 ? "; " : "",
                     file->path == NULL ? "memory" : file->path);
    used = n < 0 || (size_t)n >= size - used ? size - 1 : used + (size_t)n;
    va_start(args, format);
    (void)vsnprintf(buf + used, size - used, format, args);
    va_end(args);
}

static int same_names(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(a); i++)
        for (int k = 0; k < sk_GENERAL_NAME_num(b); k++) {
            GENERAL_NAME *one = sk_GENERAL_NAME_value(a, i), *other = sk_GENERAL_NAME_value(b, k);

            if (one->type == other->type && GENERAL_NAME_cmp(one, other) == 0)
                return 1;
        }
    return 0;
}

/* Whether X says that the list with SCOPE is where it would be (RFC 5280, 6.3.3 (b)(2)(i)). */
static int is_its_point(const X509 *x, const ISSUING_DIST_POINT *scope)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    int found = 0;

    for (int i = 0; scope->distpoint->type == 0 && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT *point = sk_DIST_POINT_value(points, i);

        /* What has an issuer of lists of its own is not meant for this one. */
        if (point->distpoint != NULL && point->distpoint->type == 0 && point->CRLissuer == NULL)
            found |= same_names(point->distpoint->name.fullname, scope->distpoint->name.fullname);
    }
    CRL_DIST_POINTS_free(points);
    return found;
}

/* Why a list with SCOPE could leave X out although X is revoked; NULL if it could not. */
static const char *not_covered(X509 *x, const ISSUING_DIST_POINT *scope)
{
    int is_ca = cinch_x509_is_ca(x);

    if (scope == NULL)
        return NULL;
    if (scope->onlyuser > 0 && is_ca)
        return "is for certificates of end entities only";
    if (scope->onlyCA > 0 && !is_ca)
        return "is for certificates of CAs only";
    if (scope->onlysomereasons != NULL)
        return "is for some reasons only";
    if (scope->distpoint != NULL && !is_its_point(x, scope))
        return "is for another distribution point";
    return NULL;
}

static int reason_of(const X509_REVOKED *entry)
{
    ASN1_ENUMERATED *value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    int reason = value == NULL ? -1 : (int)ASN1_ENUMERATED_get(value);

    ASN1_ENUMERATED_free(value);
    return reason;
}

static void keep(crl_search *search, const cinch_crl *crl, const cinch_crl_file *file,
                 const X509_REVOKED *entry, int reason)
{
    cinch_crl_finding *finding = search->finding;

    finding->reason = reason;
    if (!cinch_asn1_seconds(X509_REVOKED_get0_revocationDate(entry), &finding->revoked_at))
        finding->revoked_at = 0;
    finding->this_update = crl->this_update;
    finding->next_update = crl->next_update;
    snprintf(finding->where, sizeof finding->where, "%s",
             file->path == NULL ? "memory" : file->path);
}

/* A list that does not have X: does that mean anything? */
static void see_unlisted(crl_search *search, const cinch_crl *crl, const cinch_crl_file *file)
{
    const char *gap = not_covered(search->x, crl->scope);
    char text[32];

    if (gap != NULL) {
        note(search, file, "%s", gap);
    } else if (crl->is_weak) {
        note(search, file, "is signed with a digest that is too weak");
    } else if (crl->next_update == 0) {
        note(search, file, "does not say until when it holds (nextUpdate)");
    } else if (crl->next_update < search->now) {
        note(search, file, "ran out on %s", cinch_clock_text(crl->next_update, text));
    } else if (crl->this_update > search->now + CLOCK_TOLERANCE_S) {
        note(search, file, "begins on %s", cinch_clock_text(crl->this_update, text));
    } else {
        if (!search->is_good || crl->this_update > search->good_since)
            search->good_since = crl->this_update;
        search->is_good = 1;
    }
}

/* CINCH_CRL_REVOKED or _FAILED end the search. */
static cinch_crl_verdict see_list(crl_search *search, cinch_crl *crl, const cinch_crl_file *file)
{
    X509_REVOKED *entry = NULL;
    int differs = X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_issuer_name(search->x));

    if (differs == -2)
        return CINCH_CRL_FAILED;
    if (differs != 0)
        return CINCH_CRL_UNKNOWN;
    int is_signed = cinch_crl_signed(crl, search->issuer);
    if (is_signed < 0)
        return CINCH_CRL_FAILED;
    if (is_signed == 0) {
        note(search, file, "is not signed by this issuer, or the issuer may not sign lists");
        return CINCH_CRL_UNKNOWN;
    }
    /* 2 stands for removeFromCRL, which only a delta may say: on a full list it is an entry. */
    if (X509_CRL_get0_by_serial(crl->crl, &entry, X509_get0_serialNumber(search->x)) == 0) {
        see_unlisted(search, crl, file);
        return CINCH_CRL_UNKNOWN;
    }
    if (entry == NULL)
        return CINCH_CRL_FAILED;
    int reason = reason_of(entry);
    int is_hold = reason == CRL_REASON_CERTIFICATE_HOLD;
    if (!is_hold || !search->is_held || crl->this_update > search->held_since)
        keep(search, crl, file, entry, reason);
    if (!is_hold)
        return CINCH_CRL_REVOKED;
    if (!search->is_held || crl->this_update > search->held_since)
        search->held_since = crl->this_update;
    search->is_held = 1;
    return CINCH_CRL_UNKNOWN;
}

static cinch_crl_verdict search_all(crl_search *search, cinch_crls *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->sources[i].count; k++) {
            const cinch_crl_file *file = &set->sources[i].files[k];

            for (size_t n = 0; file->lists != NULL && n < file->lists->count; n++) {
                cinch_crl_verdict verdict = see_list(search, &file->lists->items[n], file);

                if (verdict != CINCH_CRL_UNKNOWN)
                    return verdict;
            }
        }
    if (search->is_held && !(search->is_good && search->good_since > search->held_since))
        return CINCH_CRL_REVOKED;
    return search->is_good ? CINCH_CRL_GOOD : CINCH_CRL_UNKNOWN;
}

cinch_crl_verdict cinch_crls_check(cinch_crls *set, X509 *x, X509 *issuer, int64_t now,
                                   cinch_crl_finding *finding)
{
    cinch_crl_finding unseen = {0};
    crl_search search = {.x = x, .issuer = issuer, .now = now};

    search.finding = finding == NULL ? &unseen : finding;
    memset(search.finding, 0, sizeof *search.finding);
    search.finding->reason = -1;
    if (x == NULL || issuer == NULL || now <= 0)
        return CINCH_CRL_FAILED;
    cinch_crl_verdict verdict = search_all(&search, set);
    ERR_clear_error();
    return verdict;
}
