/* profile.c: the rules of the profile "strict", in the order in which they are looked at. */
#include "context/profile.h"

#include "base/certificate.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>

/* Names times constraints of all that may be compared. OpenSSL's own limit is per pair. */
#define MOST_COMPARISONS 250000

static const struct {
    cinch_rule rule;
    const char *name;
    int (*holds)(const cinch_suspect *s);
    int spares_system; /* old public roots break it */
} rules[] = {
    {CINCH_RULE_VERSION, "version", cinch_rule_version, 0},
    {CINCH_RULE_ENCODING, "encoding", cinch_rule_encoding, 1},
    {CINCH_RULE_SIGNATURE, "signature", cinch_rule_signature, 0},
    {CINCH_RULE_SERIAL, "serial", cinch_rule_serial, 0},
    {CINCH_RULE_NAMES, "names", cinch_rule_names, 0},
    {CINCH_RULE_DATES, "dates", cinch_rule_dates, 0},
    {CINCH_RULE_KEY_KIND, "key-kind", cinch_rule_key_kind, 0},
    {CINCH_RULE_LEAF_NOT_CA, "leaf-not-ca", cinch_rule_leaf_not_ca, 0},
    {CINCH_RULE_BASIC_CONSTRAINTS, "basic-constraints", cinch_rule_basic_constraints, 1},
    {CINCH_RULE_EKU_REQUIRED, "eku-required", cinch_rule_eku_required, 0},
    {CINCH_RULE_EKU_PURE, "eku-pure", cinch_rule_eku_pure, 1},
    {CINCH_RULE_KEY_USAGE, "key-usage", cinch_rule_key_usage, 0},
    {CINCH_RULE_SUBJECT_ALT_NAME, "subject-alt-name", cinch_rule_subject_alt_name, 0},
    {CINCH_RULE_NAME_CONSTRAINTS, "name-constraints", cinch_rule_name_constraints, 0},
    {CINCH_RULE_CRITICAL_EXTENSIONS, "critical-extensions", cinch_rule_critical, 0},
    {CINCH_RULE_KEY_IDENTIFIERS, "key-identifiers", cinch_rule_key_identifiers, 1},
};

#define RULES (sizeof rules / sizeof rules[0])

_Static_assert(RULES == CINCH_RULE_COUNT, "each rule has its entry");

const char *cinch_rule_name(cinch_rule rule)
{
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].rule == rule)
            return rules[i].name;
    return "unknown";
}

int cinch_broken(const cinch_suspect *s, cinch_rule rule, const char *section, const char *format,
                 ...)
{
    cinch_finding *finding = s->finding;
    va_list args;

    finding->found = 1;
    finding->no_memory = cinch_openssl_out_of_memory(ERR_peek_error()) ||
                         cinch_openssl_out_of_memory(ERR_peek_last_error());
    finding->rule = rule;
    finding->depth = s->depth;
    finding->x = s->x;
    finding->section = section;
    va_start(args, format);
    vsnprintf(finding->what, sizeof finding->what, format, args);
    va_end(args);
    return 0;
}

void *cinch_extension(const X509 *x, int nid, int *there, int *critical)
{
    int is_critical = -1;
    void *value = X509_get_ext_d2i(x, nid, &is_critical, NULL);

    /* -1: none; -2: more than one. NULL beside anything else: it cannot be read. */
    *there = value != NULL || is_critical != -1;
    if (critical != NULL)
        *critical = is_critical == 1;
    return value;
}

static int examine(const cinch_suspect *s)
{
    const cinch_settings *settings = s->settings;
    int spared = s->is_anchor && !s->is_leaf && settings->trust != NULL &&
                 cinch_trust_has_system(settings->trust);

    for (size_t i = 0; i < RULES; i++) {
        if (settings->relaxed & 1u << rules[i].rule || (spared && rules[i].spares_system))
            continue;
        cinch_openssl_clear();
        if (!rules[i].holds(s))
            return 0;
    }
    return 1;
}

static cinch_suspect suspect(const cinch_settings *settings, X509 *x, int depth,
                             cinch_finding *finding)
{
    return (cinch_suspect){
        .settings = settings,
        .x = x,
        .depth = depth,
        .is_leaf = depth == 0,
        .is_self_issued = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0,
        .finding = finding,
    };
}

int cinch_profile_check(const cinch_settings *settings, const STACK_OF(X509) * chain,
                        cinch_finding *finding)
{
    int count = sk_X509_num(chain);

    for (int i = 0; i < count; i++) {
        cinch_suspect s = suspect(settings, sk_X509_value(chain, i), i, finding);

        s.chain = chain;
        s.is_anchor = i == count - 1;
        if (!examine(&s))
            return 0;
    }
    cinch_openssl_clear();
    return count > 0;
}

int cinch_profile_suspect(const cinch_settings *settings, X509 *x, int depth, int is_anchor,
                          cinch_finding *finding)
{
    cinch_suspect s = suspect(settings, x, depth, finding);

    s.is_anchor = is_anchor;
    int broken = !examine(&s);
    cinch_openssl_clear();
    return broken;
}

static int count_names(const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = names == NULL ? 0 : sk_GENERAL_NAME_num(names);

    GENERAL_NAMES_free(names);
    return count + X509_NAME_entry_count(X509_get_subject_name(x)) + 1;
}

static int count_subtrees(const X509 *x)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(x, NID_name_constraints, NULL, NULL);
    int count = 0;

    if (nc != NULL && nc->permittedSubtrees != NULL)
        count += sk_GENERAL_SUBTREE_num(nc->permittedSubtrees);
    if (nc != NULL && nc->excludedSubtrees != NULL)
        count += sk_GENERAL_SUBTREE_num(nc->excludedSubtrees);
    NAME_CONSTRAINTS_free(nc);
    return count;
}

/* Those of the anchors that have the name of X's issuer: one of them may head the chain. */
static int count_anchored(cinch_trust *trust, const X509 *x)
{
    STACK_OF(X509) *anchors =
        trust == NULL ? NULL : cinch_trust_by_subject(trust, X509_get_issuer_name(x));
    int most = 0;

    for (int i = 0; i < sk_X509_num(anchors); i++) {
        int count = count_subtrees(sk_X509_value(anchors, i));

        most = count > most ? count : most;
    }
    sk_X509_pop_free(anchors, X509_free);
    return most;
}

int cinch_profile_fits(cinch_trust *trust, X509 *leaf, const STACK_OF(X509) * untrusted,
                       cinch_finding *finding)
{
    int64_t names = count_names(leaf), subtrees = count_subtrees(leaf);
    int anchored = count_anchored(trust, leaf);

    for (int i = 0; i < sk_X509_num(untrusted); i++) {
        X509 *x = sk_X509_value(untrusted, i);
        int count;

        if (x == leaf)
            continue;
        names += count_names(x);
        subtrees += count_subtrees(x);
        count = count_anchored(trust, x);
        anchored = count > anchored ? count : anchored;
    }
    subtrees += anchored;
    cinch_openssl_clear();
    if (names * subtrees <= MOST_COMPARISONS)
        return 1;
    cinch_suspect s = {.x = leaf, .finding = finding};
    return cinch_broken(&s, CINCH_RULE_NAME_CONSTRAINTS, "RFC 5280, 8",
                        "the chain has %lld names and %lld name constraints, too many to compare",
                        (long long)names, (long long)subtrees);
}
