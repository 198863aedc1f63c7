/*
 * match.c: comparing what is in a client's certificate with a rule. Everything is compared by its
 * length: a NUL in a name ends nothing (CVE-2009-2417).
 */
#include "base/certificate.h"
#include "base/hostname.h"
#include "base/openssl.h"
#include "context/access.h"
#include "context/profile.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SPIFFE_SCHEME "spiffe://"
#define SPIFFE_SIZE (sizeof SPIFFE_SCHEME - 1)
#define SPIFFE_LARGEST 2048

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static int match_dns(const unsigned char *rule, size_t size, const unsigned char *name,
                     size_t name_size)
{
    cinch_host host = {0};

    /* A wildcard in the certificate stands for many hosts and is nobody in particular. */
    if (!cinch_is_dns_name(name, name_size, 0) || name_size >= sizeof host.text)
        return 0;
    memcpy(host.text, name, name_size);
    return cinch_host_covers(&host, (const char *)rule, size);
}

/* RFC 5280, 7.5: the local part counts as it is, the host without regard to case. */
static int match_email(const unsigned char *rule, size_t size, const unsigned char *name,
                       size_t name_size)
{
    int host = 0;

    if (size != name_size || !cinch_is_mailbox(name, name_size))
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (host ? lower(rule[i]) != lower(name[i]) : rule[i] != name[i])
            return 0;
        host |= rule[i] == '@';
    }
    return 1;
}

static int is_label_character(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/*
 * SPIFFE-ID, 2: a trust domain in lower case without user and port, a path of non-empty segments
 * other than "." and "..", no query, no fragment, no escapes, at most 2048 bytes.
 */
int cinch_match_spiffe(const unsigned char *text, size_t size, int prefix)
{
    size_t at = SPIFFE_SIZE, start;

    if (size > SPIFFE_LARGEST || size <= SPIFFE_SIZE ||
        memcmp(text, SPIFFE_SCHEME, SPIFFE_SIZE) != 0)
        return 0;
    while (at < size && text[at] != '/')
        if (!is_label_character(text[at++]))
            return 0;
    if (at == SPIFFE_SIZE || at - SPIFFE_SIZE > 255)
        return 0;
    while (at < size) {
        start = ++at;
        while (at < size && text[at] != '/') {
            if (!is_label_character(lower(text[at])))
                return 0;
            at++;
        }
        if (at == start)
            return prefix && at == size;
        if ((at - start == 1 && text[start] == '.') ||
            (at - start == 2 && text[start] == '.' && text[start + 1] == '.'))
            return 0;
    }
    return !prefix;
}

static int match_uri(const unsigned char *rule, size_t size, const unsigned char *name,
                     size_t name_size, int uris)
{
    if (size < SPIFFE_SIZE || memcmp(rule, SPIFFE_SCHEME, SPIFFE_SIZE) != 0)
        return size == name_size && memcmp(rule, name, size) == 0;
    /* X509-SVID, 2: with a second URI it is no SVID, and which of the two is meant is unclear. */
    if (uris != 1 || !cinch_match_spiffe(name, name_size, 0))
        return 0;
    if (rule[size - 1] == '/')
        return name_size > size && memcmp(rule, name, size) == 0;
    return size == name_size && memcmp(rule, name, size) == 0;
}

static int match_alternative(cinch_match what, const unsigned char *rule, size_t size,
                             const X509 *leaf)
{
    int type = what == CINCH_MATCH_DNS ? GEN_DNS : what == CINCH_MATCH_EMAIL ? GEN_EMAIL : GEN_URI;
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int uris = 0, matches = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        uris += sk_GENERAL_NAME_value(names, i)->type == GEN_URI;
    for (int i = 0; !matches && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != type)
            continue;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(name, NULL);
        const unsigned char *text = ASN1_STRING_get0_data(value);
        size_t length = (size_t)ASN1_STRING_length(value);
        matches = what == CINCH_MATCH_DNS     ? match_dns(rule, size, text, length)
                  : what == CINCH_MATCH_EMAIL ? match_email(rule, size, text, length)
                                              : match_uri(rule, size, text, length, uris);
    }
    GENERAL_NAMES_free(names);
    return matches;
}

/* The only common name: of two, one program would read the first and another the last. */
static int match_common_name(const unsigned char *rule, size_t size, const X509 *leaf)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return 0;
    int length =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    int matches = length >= 0 && (size_t)length == size && memcmp(text, rule, size) == 0;
    OPENSSL_free(text);
    return matches;
}

int cinch_match_holds(cinch_match what, const unsigned char *text, size_t size, const X509 *leaf)
{
    unsigned char digest[32];

    switch (what) {
    case CINCH_MATCH_DNS:
    case CINCH_MATCH_EMAIL:
    case CINCH_MATCH_URI:
        return match_alternative(what, text, size, leaf);
    case CINCH_MATCH_COMMON_NAME:
        return match_common_name(text, size, leaf);
    case CINCH_MATCH_SPKI:
        return size == sizeof digest && cinch_x509_key_digest(leaf, digest) &&
               memcmp(digest, text, size) == 0;
    default:
        return 0;
    }
}
