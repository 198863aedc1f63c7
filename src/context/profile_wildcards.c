/*
 * profile_wildcards.c: a wildcard stands for names, and none of these may be excluded by an issuer.
 * OpenSSL compares the text "*.example.com" itself, which is not below "secret.example.com", though
 * the certificate would do for that host (CVE-2025-61727).
 */
#include "context/profile.h"

#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

/* One label and what is behind the star: "secret.example.com" for "*.example.com". */
static int stands_for(const ASN1_STRING *wildcard, const ASN1_STRING *name)
{
    const char *text = (const char *)ASN1_STRING_get0_data(wildcard);
    const char *other = (const char *)ASN1_STRING_get0_data(name);
    size_t size = (size_t)ASN1_STRING_length(wildcard),
           other_size = (size_t)ASN1_STRING_length(name);

    if (size < 3 || text[0] != '*' || text[1] != '.' || other_size < size)
        return 0;
    const char *dot = memchr(other, '.', other_size);
    size_t rest = dot == NULL ? 0 : (size_t)(other + other_size - dot);
    return rest == size - 1 && strncasecmp(dot, text + 1, rest) == 0;
}

static int check_subtree(const cinch_suspect *s, const GENERAL_NAMES *names,
                         const GENERAL_NAME *base)
{
    if (base->type != GEN_DNS)
        return 1;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS && stands_for(name->d.dNSName, base->d.dNSName))
            return cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, "RFC 5280, 4.2.1.10",
                                "its name %.50s stands for %.50s, which an issuer excludes",
                                (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                (const char *)ASN1_STRING_get0_data(base->d.dNSName));
    }
    return 1;
}

static int check_issuer(const cinch_suspect *s, const GENERAL_NAMES *names, const X509 *issuer)
{
    int there, good = 1;
    NAME_CONSTRAINTS *nc = cinch_extension(issuer, NID_name_constraints, &there, NULL);

    if (there && nc == NULL)
        return cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, "RFC 5280, 4.2.1.10",
                            "the nameConstraints of an issuer cannot be read");
    for (int i = 0; nc != NULL && good && i < sk_GENERAL_SUBTREE_num(nc->excludedSubtrees); i++)
        good = check_subtree(s, names, sk_GENERAL_SUBTREE_value(nc->excludedSubtrees, i)->base);
    NAME_CONSTRAINTS_free(nc);
    return good;
}

int cinch_wildcards_hold(const cinch_suspect *s)
{
    int there, good = 1;

    /* Constraints do not count for self-issued issuers (RFC 5280, 4.2.1.10). */
    if (s->chain == NULL || (s->is_self_issued && !s->is_leaf))
        return 1;
    GENERAL_NAMES *names = cinch_extension(s->x, NID_subject_alt_name, &there, NULL);
    if (there && names == NULL)
        return cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, "RFC 5280, 4.2.1.10",
                            "its subjectAltName cannot be read");
    for (int i = s->depth + 1; names != NULL && good && i < sk_X509_num(s->chain); i++)
        good = check_issuer(s, names, sk_X509_value(s->chain, i));
    GENERAL_NAMES_free(names);
    return good;
}
