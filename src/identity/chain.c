/* chain.c: which certificate is ours, and in what order the others lead away from it. */
#include "identity/parts.h"

#include "base/certificate.h"
#include "base/fail.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define TEXT_SIZE 160

/* The certificates while they are sorted. */
typedef struct sorter {
    STACK_OF(X509) * all;
    int count;
    unsigned char taken[CINCH_IDENTITY_CERTIFICATES];
    STACK_OF(X509) * path; /* borrowed; the leaf first */
    const char *name;
} sorter;

static X509 *certificate(const sorter *s, int i)
{
    return sk_X509_value(s->all, i);
}

static int issued(X509 *issuer, X509 *subject)
{
    return X509_check_issued(issuer, subject) == X509_V_OK;
}

static int has_key(const X509 *x, const EVP_PKEY *key)
{
    EVP_PKEY *own = X509_get0_pubkey(x);

    return own != NULL && EVP_PKEY_eq(own, key) == 1;
}

static int matches(STACK_OF(X509) * all, const EVP_PKEY *key)
{
    for (int i = 0; i < sk_X509_num(all); i++)
        if (has_key(sk_X509_value(all, i), key))
            return 1;
    return 0;
}

/* Tells whether X issued another one, as the certificate of an authority would. */
static int is_issuer(STACK_OF(X509) * all, X509 *x)
{
    for (int i = 0; i < sk_X509_num(all); i++)
        if (sk_X509_value(all, i) != x && issued(x, sk_X509_value(all, i)))
            return 1;
    return 0;
}

static cinch_status mismatch(cinch_error *err, const cinch_material *material, const char *name,
                             const char *key_name)
{
    STACK_OF(X509) *all = material->certificates;
    X509 *likely = sk_X509_value(all, 0);
    char subject[TEXT_SIZE], ours[TEXT_SIZE], theirs[TEXT_SIZE];

    for (int i = sk_X509_num(all); i-- > 0;)
        if (!is_issuer(all, sk_X509_value(all, i)))
            likely = sk_X509_value(all, i);
    cinch_x509_subject(likely, subject, sizeof subject);
    cinch_fail(err, CINCH_CAUSE_KEY_MISMATCH,
               "the private key in %s does not belong to the certificate \"%s\"", key_name,
               subject);
    cinch_fail_evidence(err, "public key of the certificate in %s: %s\nof the private key: %s",
                        name, cinch_key_describe(X509_get0_pubkey(likely), theirs, sizeof theirs),
                        cinch_key_describe(material->keys[0], ours, sizeof ours));
    if (material->key_count > 1)
        cinch_fail_evidence(err, "\nand %zu more keys that belong to none of the certificates",
                            material->key_count - 1);
    ERR_clear_error();
    return CINCH_FAILED;
}

static cinch_status ambiguous(cinch_error *err, const EVP_PKEY *one, const EVP_PKEY *other,
                              const char *key_name)
{
    char first[TEXT_SIZE], second[TEXT_SIZE];

    cinch_fail(err, CINCH_CAUSE_KEY_MISMATCH,
               "%s holds several private keys, and more than one belongs to a certificate",
               key_name);
    cinch_fail_evidence(err, "%s\n%s", cinch_key_describe(one, first, sizeof first),
                        cinch_key_describe(other, second, sizeof second));
    cinch_fail_remedy(err, "put each certificate with its own key into a file of its own");
    return CINCH_FAILED;
}

cinch_status cinch_chain_key(const cinch_material *material, const char *name, const char *key_name,
                             EVP_PKEY **key, cinch_error *err)
{
    *key = NULL;
    for (size_t i = 0; i < material->key_count; i++) {
        if (!matches(material->certificates, material->keys[i]))
            continue;
        if (*key != NULL)
            return ambiguous(err, *key, material->keys[i], key_name);
        *key = material->keys[i];
    }
    if (*key == NULL && cinch_openssl_memory())
        return cinch_fail_memory(err, "comparing keys");
    return *key == NULL ? mismatch(err, material, name, key_name) : CINCH_OK;
}

/* The one that issued no other, and of several such (a renewal keeps the key) the latest to end. */
static int choose_leaf(const sorter *s, const EVP_PKEY *key)
{
    int best = -1, best_issues = 0;

    for (int i = 0; i < s->count; i++) {
        if (!has_key(certificate(s, i), key))
            continue;
        int issues = is_issuer(s->all, certificate(s, i));
        if (best < 0 || issues < best_issues ||
            (issues == best_issues &&
             ASN1_TIME_compare(X509_get0_notAfter(certificate(s, i)),
                               X509_get0_notAfter(certificate(s, best))) == 1)) {
            best = i;
            best_issues = issues;
        }
    }
    return best;
}

static int take(sorter *s, int i)
{
    s->taken[i] = 1;
    return sk_X509_push(s->path, certificate(s, i)) > 0;
}

/*
 * The issuer of CURRENT, -1 if it is not here. Names and key identifiers decide; where they allow
 * several, the first whose key made the signature: an authority may have changed its key.
 */
static int find_issuer(const sorter *s, X509 *current)
{
    int first = -1, several = 0;

    for (int i = 0; i < s->count; i++)
        if (!s->taken[i] && issued(certificate(s, i), current)) {
            several = first >= 0;
            first = first < 0 ? i : first;
        }
    for (int i = first; several && i < s->count; i++)
        if (!s->taken[i] && issued(certificate(s, i), current) &&
            X509_verify(current, X509_get0_pubkey(certificate(s, i))) == 1)
            return i;
    return first;
}

/* Tells whether X stands in for one on the path (same name and key), or issued one. */
static int belongs(const sorter *s, X509 *x)
{
    for (int i = 0; i < sk_X509_num(s->path); i++) {
        X509 *member = sk_X509_value(s->path, i);

        if ((issued(x, member) && X509_verify(member, X509_get0_pubkey(x)) == 1) ||
            (i > 0 && X509_NAME_cmp(X509_get_subject_name(x), X509_get_subject_name(member)) == 0 &&
             has_key(x, X509_get0_pubkey(member))))
            return 1;
    }
    return 0;
}

/* Cross-signed alternatives go behind the path, and what leads on from them. */
static int take_alternatives(sorter *s)
{
    for (int found = 1; found;) {
        found = 0;
        for (int i = 0; i < s->count; i++)
            if (!s->taken[i] && belongs(s, certificate(s, i))) {
                if (!take(s, i))
                    return 0;
                found = 1;
            }
    }
    return 1;
}

static cinch_status gap(cinch_error *err, const sorter *s, X509 *last, int left)
{
    char subject[TEXT_SIZE], issuer[TEXT_SIZE];
    int shown = 0;

    cinch_x509_subject(last, subject, sizeof subject);
    cinch_x509_issuer(last, issuer, sizeof issuer);
    if (issued(last, last)) {
        cinch_fail(err, CINCH_CAUSE_CHAIN_GAP,
                   "%s holds certificates that do not belong to its chain", s->name);
        cinch_fail_evidence(err, "the chain is complete up to the root \"%s\"", subject);
        cinch_fail_remedy(err, "take out the certificates that do not belong to this chain");
    } else {
        cinch_fail(err, CINCH_CAUSE_CHAIN_GAP,
                   "the chain in %s has a gap: the issuer of \"%s\" is missing", s->name, subject);
        cinch_fail_evidence(err, "missing: \"%s\"", issuer);
    }
    cinch_fail_evidence(err, "\nleft over: ");
    for (int i = 0; i < s->count && shown < 3; i++)
        if (!s->taken[i])
            cinch_fail_evidence(err, "%s\"%s\"", shown++ > 0 ? ", " : "",
                                cinch_x509_subject(certificate(s, i), subject, sizeof subject));
    if (left > shown)
        cinch_fail_evidence(err, " and %d more", left - shown);
    return CINCH_FAILED;
}

static cinch_status sort(sorter *s, const EVP_PKEY *key, cinch_error *err)
{
    int at = choose_leaf(s, key), left = 0;
    X509 *last = NULL;

    if (at < 0)
        return cinch_fail_memory(err, "comparing keys");
    for (; at >= 0; at = find_issuer(s, last)) {
        last = certificate(s, at);
        if (!take(s, at))
            return cinch_fail_memory(err, "sorting certificates");
        if (issued(last, last))
            break;
    }
    /* Certificates that the leaf's key had before are of no use to anybody. */
    for (int i = 0; i < s->count; i++)
        s->taken[i] = s->taken[i] || has_key(certificate(s, i), key);
    if (!take_alternatives(s))
        return cinch_fail_memory(err, "sorting certificates");
    for (int i = 0; i < s->count; i++)
        left += !s->taken[i];
    return left > 0 ? gap(err, s, last, left) : CINCH_OK;
}

cinch_status cinch_chain_sort(STACK_OF(X509) * all, const EVP_PKEY *key, const char *name,
                              X509 **leaf, STACK_OF(X509) * *chain, cinch_error *err)
{
    sorter s = {.all = all, .count = sk_X509_num(all), .path = sk_X509_new_null(), .name = name};
    cinch_status status;

    *leaf = NULL;
    *chain = NULL;
    if (s.path == NULL)
        return cinch_fail_memory(err, "sorting certificates");
    status = sort(&s, key, err);
    if (status == CINCH_OK) {
        *leaf = sk_X509_shift(s.path);
        X509_up_ref(*leaf);
        *chain = X509_chain_up_ref(s.path);
        if (*chain == NULL) {
            X509_free(*leaf);
            *leaf = NULL;
            status = cinch_fail_memory(err, "sorting certificates");
        }
    }
    sk_X509_free(s.path);
    return status;
}
