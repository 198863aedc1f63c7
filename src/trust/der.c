#include "trust/der.h"

#include "base/openssl.h"

#include <openssl/err.h>

#define TAG_INTEGER 0x02
#define TAG_BIT_STRING 0x03
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_SET 0x31
#define TAG_VERSION 0xa0

/* Bytes still to be read. */
typedef struct span {
    const unsigned char *at;
    size_t size;
} span;

/*
 * Takes one element off the front of IN. Lengths are definite and in range; that they are also as
 * short as possible (X.690, 10.1) is not asked for, as OpenSSL does not.
 */
static int take_any(span *in, unsigned char *tag, span *content)
{
    const unsigned char *p = in->at;
    size_t length, header = 2;

    if (in->size < 2 || (p[0] & 0x1f) == 0x1f)
        return 0;
    length = p[1];
    if (length >= 0x80) {
        size_t count = length & 0x7f;

        if (count == 0 || count > 4 || in->size < 2 + count)
            return 0;
        length = 0;
        for (size_t i = 0; i < count; i++)
            length = length << 8 | p[2 + i];
        header += count;
    }
    if (length > in->size - header)
        return 0;
    *tag = p[0];
    *content = (span){p + header, length};
    in->at += header + length;
    in->size -= header + length;
    return 1;
}

static int take(span *in, unsigned char want, span *content)
{
    unsigned char tag;
    span rest = *in;

    if (!take_any(&rest, &tag, content) || tag != want)
        return 0;
    *in = rest;
    return 1;
}

size_t cinch_der_element(const unsigned char *der, size_t size, unsigned char *tag)
{
    span in = {der, size}, content;

    return take_any(&in, tag, &content) ? size - in.size : 0;
}

int cinch_der_walk(const unsigned char *der, size_t size, cinch_der_certificate *found)
{
    span in = {der, size}, certificate, tbs, part;

    if (!take(&in, TAG_SEQUENCE, &certificate) || !take(&certificate, TAG_SEQUENCE, &tbs))
        return 0;
    if (!take(&certificate, TAG_SEQUENCE, &part) || !take(&certificate, TAG_BIT_STRING, &part) ||
        certificate.size != 0)
        return 0;
    /* The version may be left out in version 1, which some old anchors are. */
    (void)take(&tbs, TAG_VERSION, &part);
    if (!take(&tbs, TAG_INTEGER, &part) || !take(&tbs, TAG_SEQUENCE, &part) || /* signature */
        !take(&tbs, TAG_SEQUENCE, &part) ||                                    /* issuer */
        !take(&tbs, TAG_SEQUENCE, &part))                                      /* validity */
        return 0;
    found->subject = tbs.at;
    if (!take(&tbs, TAG_SEQUENCE, &part))
        return 0;
    found->subject_size = (size_t)(tbs.at - found->subject);
    if (!take(&tbs, TAG_SEQUENCE, &part)) /* the public key */
        return 0;
    found->size = size - in.size;
    return 1;
}

/* How many bytes a character has in a string of TYPE; 0 if it is compared as it stands. */
static size_t character_size(int type)
{
    switch (type) {
    case V_ASN1_UTF8STRING: /* of one byte, as far as ASCII goes */
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_T61STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_VISIBLESTRING:
        return 1;
    case V_ASN1_BMPSTRING:
        return 2;
    case V_ASN1_UNIVERSALSTRING:
        return 4;
    default:
        return 0;
    }
}

static uint64_t stir(uint64_t hash, unsigned char byte)
{
    return (hash ^ byte) * UINT64_C(0x100000001b3);
}

static uint64_t attribute_key(const unsigned char *oid, size_t oid_size, int type,
                              const unsigned char *value, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t step = character_size(type);

    for (size_t i = 0; i < oid_size; i++)
        hash = stir(hash, oid[i]);
    for (size_t i = 0; step > 0 && i + step <= size; i += step) {
        unsigned char c = value[i + step - 1], above = 0;

        for (size_t k = 0; k + 1 < step; k++)
            above |= value[i + k];
        if (above != 0)
            continue;
        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + 'a' - 'A');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            hash = stir(hash, c);
    }
    /* Sums of such hashes must not cancel each other out. */
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* The key of the attributes in one RDN; 0 if there is something that only OpenSSL understands. */
static int rdn_key(span rdn, uint64_t *key)
{
    while (rdn.size > 0) {
        span attribute, oid, value;
        unsigned char tag;

        if (!take(&rdn, TAG_SEQUENCE, &attribute) || !take(&attribute, TAG_OID, &oid) ||
            !take_any(&attribute, &tag, &value) || attribute.size != 0)
            return 0;
        /* A string in pieces (BER, X.690, 8.21): OpenSSL puts it together. */
        if ((tag & 0xe0) == 0x20 && tag != TAG_SEQUENCE && tag != TAG_SET)
            return 0;
        /* Above 0x1f it is no universal type. */
        *key += attribute_key(oid.at, oid.size, tag, value.at, value.size);
    }
    return 1;
}

static int quick_key(const unsigned char *der, size_t size, uint64_t *key)
{
    span in = {der, size}, name, rdn;

    *key = 0;
    if (!take(&in, TAG_SEQUENCE, &name) || in.size != 0)
        return 0;
    while (name.size > 0)
        if (!take(&name, TAG_SET, &rdn) || !rdn_key(rdn, key))
            return 0;
    return 1;
}

int cinch_der_name_key(const unsigned char *der, size_t size, uint64_t *key)
{
    const unsigned char *at = der;
    int result = 0;

    if (quick_key(der, size, key))
        return 1;
    ERR_set_mark();
    unsigned long before = ERR_peek_error();
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)size);
    if (name != NULL && at == der + size) {
        *key = cinch_name_key(name);
        result = 1;
    } else if (name == NULL && cinch_openssl_out_of_memory(before == 0 ? ERR_peek_error()
                                                                       : ERR_peek_last_error())) {
        result = -1;
    }
    X509_NAME_free(name);
    ERR_pop_to_mark();
    return result;
}

uint64_t cinch_name_key(const X509_NAME *name)
{
    uint64_t key = 0;

    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
        const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);

        key += attribute_key(OBJ_get0_data(type), OBJ_length(type), ASN1_STRING_type(value),
                             ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    }
    return key;
}
