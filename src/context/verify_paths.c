/* verify_paths.c: what has one good path is accepted, whatever else was sent along. */
#include "context/verify_paths.h"
#include "base/certificate.h"
#include "context/profile.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* A peer chooses what it sends, and so how much work this is. */
#define MOST_ATTEMPTS 24
#define MOST_SENT 64

typedef struct search {
    cinch_trust *trust;
    cinch_path_try try_path;
    void *arg;
    int left;
    STACK_OF(X509) * found;
} search;

static int same_subject(const X509 *a, const X509 *b)
{
    return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0;
}

/* An anchor needs no issuer, whatever its peer sends along (RFC 5280, 6.1.1 d). */
static int is_anchor(const search *s, const X509 *x)
{
    STACK_OF(X509) *anchors = cinch_trust_by_subject(s->trust, X509_get_subject_name(x));
    int found = 0;

    for (int i = 0; i < sk_X509_num(anchors); i++)
        found |= X509_cmp(sk_X509_value(anchors, i), x) == 0;
    sk_X509_pop_free(anchors, X509_free);
    return found;
}

/* Another certificate of the same name takes its place, or an anchor does. */
static int has_alternative(const search *s, const STACK_OF(X509) * sent, const X509 *x)
{
    int found = 0;

    for (int i = 0; i < sk_X509_num(sent) && !found; i++)
        found = same_subject(sk_X509_value(sent, i), x) && X509_cmp(sk_X509_value(sent, i), x) != 0;
    if (found)
        return 1;
    STACK_OF(X509) *anchors = cinch_trust_by_subject(s->trust, X509_get_subject_name(x));
    for (int i = 0; i < sk_X509_num(anchors); i++)
        found |= X509_cmp(sk_X509_value(anchors, i), x) != 0;
    sk_X509_pop_free(anchors, X509_free);
    return found;
}

/* SENT but X and its copies, borrowed. NULL without memory, or if X is not there. */
static STACK_OF(X509) * without(const STACK_OF(X509) * sent, const X509 *x)
{
    STACK_OF(X509) *rest = sk_X509_new_null();

    for (int i = 0; rest != NULL && i < sk_X509_num(sent); i++)
        if (X509_cmp(sk_X509_value(sent, i), x) != 0 &&
            sk_X509_push(rest, sk_X509_value(sent, i)) <= 0) {
            sk_X509_free(rest);
            return NULL;
        }
    if (rest != NULL && sk_X509_num(rest) == sk_X509_num(sent)) {
        sk_X509_free(rest);
        return NULL;
    }
    return rest;
}

static int branch(search *s, const STACK_OF(X509) * sent, const STACK_OF(X509) * failed);

/* 1: found, 0: go on, -1: no more. */
static int attempt(search *s, STACK_OF(X509) * sent)
{
    STACK_OF(X509) *chain = NULL;

    if (s->left-- <= 0)
        return -1;
    int result = s->try_path(sent, &chain, s->arg);
    if (result == 1 && chain != NULL) {
        s->found = chain;
        return 1;
    }
    if (result == 0)
        result = branch(s, sent, chain);
    sk_X509_pop_free(chain, X509_free);
    return result == 1 && s->found == NULL ? -1 : result;
}

/* The leaf is an anchor itself, and was not taken as one because it has issuers. */
static int leaf_alone(search *s, const STACK_OF(X509) * failed)
{
    if (sk_X509_num(failed) < 2 || !is_anchor(s, sk_X509_value(failed, 0)))
        return 0;
    STACK_OF(X509) *nothing = sk_X509_new_null();
    int result = nothing == NULL ? -1 : attempt(s, nothing);
    sk_X509_free(nothing);
    return result;
}

/* Any other path does without at least one issuer of this one. The depth is that of MOST_ATTEMPTS. */
static int branch(search *s, const STACK_OF(X509) * sent, const STACK_OF(X509) * failed)
{
    int result = 0;

    for (int i = 1; i < sk_X509_num(failed) && result == 0; i++) {
        const X509 *x = sk_X509_value(failed, i);
        STACK_OF(X509) *rest = has_alternative(s, sent, x) ? without(sent, x) : NULL;

        if (rest != NULL)
            result = attempt(s, rest);
        sk_X509_free(rest);
    }
    return result;
}

/* OpenSSL's measure of a signature (SSL_CTX_set_security_level(3)); what is unknown it finds out. */
static int is_signed_weakly(X509 *x, int level)
{
    static const int least[] = {0, 80, 112, 128, 192, 256};
    int bits;

    if (level < 1 || X509_get_signature_info(x, NULL, NULL, &bits, NULL) != 1)
        return 0;
    return bits < least[level > 5 ? 5 : level];
}

/* X has no name constraints that rule LEAF out, whatever stands between them. */
static int allows(const X509 *x, X509 *leaf)
{
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(x, NID_name_constraints, NULL, NULL);
    int code = nc == NULL || leaf == NULL ? X509_V_OK : NAME_CONSTRAINTS_check(leaf, nc);

    NAME_CONSTRAINTS_free(nc);
    return code == X509_V_OK || code == X509_V_ERR_OUT_OF_MEM;
}

/* X can be an issuer above LEAF. Without memory it can: what matters is looked at again. */
static int is_usable(const cinch_settings *settings, X509 *x, X509 *leaf, int64_t now)
{
    int64_t not_before, not_after;
    cinch_finding finding = {0};

    if (cinch_x509_times(x, &not_before, &not_after) && (now < not_before || now > not_after))
        return 0;
    return !is_signed_weakly(x, settings->policy->level) && allows(x, leaf) &&
           (!cinch_profile_suspect(settings, x, 1, 0, &finding) || finding.no_memory);
}

/* SENT without the issuers that no chain can have, borrowed. NULL without memory. */
static STACK_OF(X509) *
    usable(const cinch_settings *settings, const STACK_OF(X509) * sent, X509 *leaf, int64_t now)
{
    STACK_OF(X509) *rest = sk_X509_new_null();

    for (int i = 0; rest != NULL && i < sk_X509_num(sent); i++)
        if (is_usable(settings, sk_X509_value(sent, i), leaf, now) &&
            sk_X509_push(rest, sk_X509_value(sent, i)) <= 0) {
            sk_X509_free(rest);
            return NULL;
        }
    return rest;
}

STACK_OF(X509) * cinch_paths_search(const cinch_settings *settings, const STACK_OF(X509) * sent,
                                    const STACK_OF(X509) * failed, int64_t now,
                                    cinch_path_try try_path, void *arg)
{
    search s = {.trust = settings->trust, .try_path = try_path, .arg = arg, .left = MOST_ATTEMPTS};

    if (s.trust == NULL)
        return NULL;
    int result = leaf_alone(&s, failed);
    if (result != 0 || sk_X509_num(sent) < 2 || sk_X509_num(sent) > MOST_SENT)
        return result == 1 ? s.found : NULL;
    STACK_OF(X509) *rest = usable(settings, sent, sk_X509_value(failed, 0), now);
    if (rest == NULL)
        return NULL;
    result = sk_X509_num(rest) < sk_X509_num(sent) ? attempt(&s, rest) : branch(&s, sent, failed);
    sk_X509_free(rest);
    return result == 1 ? s.found : NULL;
}
