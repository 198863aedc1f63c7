/*
 * profile_encoding.c: the rule that a certificate is written in DER. What can be written in two ways
 * can be read in two ways, and then others see another certificate than we do.
 */
#include "context/profile.h"

#include <openssl/x509v3.h>
#include <string.h>

/* Names within names within names; no certificate goes that deep. */
#define DEEPEST 32

/* The extensions that decide about a chain, or that later steps read: all of each must make sense. */
static const int decided_by[] = {
    NID_basic_constraints,
    NID_key_usage,
    NID_ext_key_usage,
    NID_subject_key_identifier,
    NID_authority_key_identifier,
    NID_subject_alt_name,
    NID_issuer_alt_name,
    NID_name_constraints,
    NID_certificate_policies,
    NID_policy_mappings,
    NID_policy_constraints,
    NID_inhibit_any_policy,
    NID_crl_distribution_points,
    NID_freshest_crl,
    NID_info_access,
    NID_sinfo_access,
    NID_tlsfeature,
};

static int is_decided_by(int nid)
{
    for (size_t i = 0; i < sizeof decided_by / sizeof decided_by[0]; i++)
        if (decided_by[i] == nid)
            return 1;
    return 0;
}

size_t cinch_der_header(const unsigned char *der, size_t size, size_t *content)
{
    size_t length, octets;

    *content = 0;
    if (size < 2 || (der[0] & 0x1f) == 0x1f)
        return 0;
    length = der[1];
    if (length < 0x80) {
        *content = length;
        return size - 2 < length ? 0 : 2;
    }
    octets = length & 0x7f; /* 0: the length is open, which DER forbids */
    if (octets < 1 || octets > 3 || size - 2 < octets || der[2] == 0)
        return 0;
    length = 0;
    for (size_t i = 0; i < octets; i++)
        length = length << 8 | der[2 + i];
    *content = length;
    return length < 0x80 || size - 2 - octets < length ? 0 : 2 + octets;
}

/* The unused bits are zero. Zeros behind the last named bit (X.690, 11.2.2) are in use by public CAs. */
static int is_bit_string(const unsigned char *bytes, size_t size)
{
    if (size < 1 || bytes[0] > 7 || (size == 1 && bytes[0] != 0))
        return 0;
    if (size == 1)
        return 1;
    return (bytes[size - 1] & ((1 << bytes[0]) - 1)) == 0;
}

/* A universal type that has no parts. */
static int is_primitive(unsigned char tag, const unsigned char *bytes, size_t size)
{
    switch (tag) {
    case V_ASN1_BOOLEAN: /* each of a certificate is FALSE when it is left out, so it is TRUE */
        return size == 1 && bytes[0] == 0xff;
    case V_ASN1_INTEGER:
    case V_ASN1_ENUMERATED:
        return size == 1 || (size > 1 && !(bytes[0] == 0 && bytes[1] < 0x80) &&
                             !(bytes[0] == 0xff && bytes[1] >= 0x80));
    case V_ASN1_BIT_STRING:
        return is_bit_string(bytes, size);
    case V_ASN1_NULL:
        return size == 0;
    default:
        return 1;
    }
}

/* The elements of a set stand in the order of their bytes (X.690, 11.6). */
static int is_in_order(const unsigned char *one, size_t one_size, const unsigned char *two,
                       size_t two_size)
{
    size_t common = one_size < two_size ? one_size : two_size;
    int order = memcmp(one, two, common);

    return order < 0 || (order == 0 && one_size <= two_size);
}

/* Elements one after the other to the last byte, as DER writes them. */
static int is_der(const unsigned char *der, size_t size, int is_set, int depth)
{
    const unsigned char *before = NULL;
    size_t before_size = 0;

    while (size > 0) {
        size_t content, header = cinch_der_header(der, size, &content);
        int is_universal = (der[0] & 0xc0) == 0, has_parts = der[0] & 0x20;

        if (header == 0 || depth > DEEPEST)
            return 0;
        if (is_universal && has_parts && der[0] != 0x30 && der[0] != 0x31)
            return 0; /* a string in pieces */
        if (has_parts && !is_der(der + header, content, is_universal && der[0] == 0x31, depth + 1))
            return 0;
        if (is_universal && !has_parts && !is_primitive(der[0], der + header, content))
            return 0;
        if (is_set && before != NULL && !is_in_order(before, before_size, der, header + content))
            return 0;
        before = der;
        before_size = header + content;
        der += header + content;
        size -= header + content;
    }
    return 1;
}

/* What was read comes out as it came in. */
static int is_same(ASN1_VALUE *value, const ASN1_ITEM *item, const unsigned char *bytes,
                   size_t size)
{
    unsigned char *again = NULL;
    int again_size = ASN1_item_i2d(value, &again, item);
    int same = again_size >= 0 && (size_t)again_size == size && memcmp(again, bytes, size) == 0;

    OPENSSL_free(again);
    return same;
}

/*
 * OpenSSL reads the value in front and does not ask what comes behind it: 0 if it cannot be read to
 * the last byte, -1 if it is not in DER.
 */
static int reads(X509_EXTENSION *extension)
{
    const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
    const ASN1_OCTET_STRING *octets = X509_EXTENSION_get_data(extension);
    const unsigned char *bytes = ASN1_STRING_get0_data(octets), *at = bytes;
    size_t size = (size_t)ASN1_STRING_length(octets);

    if (method == NULL || method->it == NULL)
        return 0;
    const ASN1_ITEM *item = ASN1_ITEM_ptr(method->it);
    ASN1_VALUE *value = ASN1_item_d2i(NULL, &at, (long)size, item);
    int result = value == NULL || at != bytes + size                              ? 0
                 : is_der(bytes, size, 0, 0) && is_same(value, item, bytes, size) ? 1
                                                                                  : -1;
    ASN1_item_free(value, item);
    return result;
}

/* Lists have an element at least: SIZE (1..MAX). One may be empty, three have rules of their own. */
static int is_empty_list(int nid, const ASN1_OCTET_STRING *bytes)
{
    static const unsigned char empty[] = {0x30, 0};

    return nid != NID_basic_constraints && nid != NID_authority_key_identifier &&
           nid != NID_subject_alt_name && nid != NID_name_constraints &&
           ASN1_STRING_length(bytes) == sizeof empty &&
           memcmp(ASN1_STRING_get0_data(bytes), empty, sizeof empty) == 0;
}

static int check_extension(const cinch_suspect *s, X509_EXTENSION *extension, int is_issuing_anchor)
{
    static const char section[] = "RFC 5280, 4.2";
    int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    const ASN1_OCTET_STRING *bytes = X509_EXTENSION_get_data(extension);

    if (!is_decided_by(nid))
        return 1;
    int result = reads(extension);
    if (result == 0)
        return cinch_broken(s, CINCH_RULE_ENCODING, section, "its extension %s cannot be read",
                            OBJ_nid2sn(nid));
    if (is_issuing_anchor)
        return 1;
    if (result < 0)
        return cinch_broken(s, CINCH_RULE_ENCODING, "RFC 5280, 4.2 and X.690, 10",
                            "its extension %s is not written in DER", OBJ_nid2sn(nid));
    if (is_empty_list(nid, bytes))
        return cinch_broken(s, CINCH_RULE_ENCODING, section, "its extension %s is an empty list",
                            OBJ_nid2sn(nid));
    return 1;
}

int cinch_rule_encoding(const cinch_suspect *s)
{
    /* An anchor is believed, so it may be written as it was when it was named. */
    int is_issuing_anchor = s->is_anchor && !s->is_leaf;
    unsigned char *der = NULL;

    for (int i = 0; i < X509_get_ext_count(s->x); i++)
        if (!check_extension(s, X509_get_ext(s->x, i), is_issuing_anchor))
            return 0;
    if (is_issuing_anchor)
        return 1;
    int size = i2d_X509(s->x, &der); /* what is signed comes out as it came in */
    int good = size > 0 && is_der(der, (size_t)size, 0, 0);
    OPENSSL_free(der);
    return good ? 1
                : cinch_broken(s, CINCH_RULE_ENCODING, "RFC 5280, 4.1 and X.690, 10",
                               "it is not written in DER");
}
