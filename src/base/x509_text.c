#define _DEFAULT_SOURCE /* timegm */
#include "base/x509_text.h"

#include "base/certificate.h"
#include "base/openssl.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void clean_bio(BIO *bio, char *buf, size_t size)
{
    char *text = NULL;
    long length = BIO_get_mem_data(bio, &text);

    if (length > 0)
        cinch_text_clean(buf, size, text, (size_t)length, 0);
}

char *cinch_name_text(const X509_NAME *name, char *buf, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());

    buf[0] = 0;
    /* OpenSSL 3.0 does not say so itself, and a name that is lost must not look like an empty one. */
    if (bio == NULL)
        ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
    /* Not XN_FLAG_RFC2253 as it is: UTF-8 is for people to read, control characters are escaped. */
    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0, (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)) >= 0)
        clean_bio(bio, buf, size);
    BIO_free(bio);
    return buf;
}

static void clean_string(const ASN1_STRING *string, char *buf, size_t size)
{
    unsigned char *text = NULL;
    int length = ASN1_STRING_to_UTF8(&text, string);

    buf[0] = 0;
    if (length > 0)
        cinch_text_clean(buf, size, text, (size_t)length, 0);
    OPENSSL_free(text);
}

char *cinch_name_common(const X509_NAME *name, char *buf, size_t size)
{
    int last = -1;

    buf[0] = 0;
    for (int at; (at = X509_NAME_get_index_by_NID(name, NID_commonName, last)) >= 0;)
        last = at;
    if (last >= 0)
        clean_string(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)), buf, size);
    return buf;
}

static void address_text(const ASN1_STRING *address, char *buf, size_t size)
{
    int length = ASN1_STRING_length(address);
    const unsigned char *bytes = ASN1_STRING_get0_data(address);
    int family = length == 4 ? AF_INET : AF_INET6;

    if ((length != 4 && length != 16) || inet_ntop(family, bytes, buf, (socklen_t)size) == NULL)
        snprintf(buf, size, "address of %d bytes", length);
}

cinch_name_kind cinch_general_name_text(const GENERAL_NAME *name, char *buf, size_t size)
{
    const ASN1_STRING *string = NULL;
    cinch_name_kind kind = CINCH_NAME_OTHER;

    buf[0] = 0;
    switch (name->type) {
    case GEN_DNS:
        kind = CINCH_NAME_DNS;
        string = name->d.dNSName;
        break;
    case GEN_EMAIL:
        kind = CINCH_NAME_EMAIL;
        string = name->d.rfc822Name;
        break;
    case GEN_URI:
        kind = CINCH_NAME_URI;
        string = name->d.uniformResourceIdentifier;
        break;
    case GEN_IPADD:
        address_text(name->d.iPAddress, buf, size);
        return CINCH_NAME_IP;
    case GEN_DIRNAME:
        cinch_name_text(name->d.directoryName, buf, size);
        return CINCH_NAME_OTHER;
    case GEN_OTHERNAME:
        OBJ_obj2txt(buf, (int)size, name->d.otherName->type_id, 0);
        return CINCH_NAME_OTHER;
    case GEN_RID:
        OBJ_obj2txt(buf, (int)size, name->d.registeredID, 0);
        return CINCH_NAME_OTHER;
    default:
        snprintf(buf, size, "name of type %d", name->type);
        return CINCH_NAME_OTHER;
    }
    /* The bytes as they are: a NUL inside shows as \x00. */
    if (ASN1_STRING_length(string) > 0)
        cinch_text_clean(buf, size, ASN1_STRING_get0_data(string),
                         (size_t)ASN1_STRING_length(string), 0);
    return kind;
}

char *cinch_x509_subject(const X509 *x, char *buf, size_t size)
{
    return cinch_name_text(X509_get_subject_name(x), buf, size);
}

char *cinch_x509_issuer(const X509 *x, char *buf, size_t size)
{
    return cinch_name_text(X509_get_issuer_name(x), buf, size);
}

char *cinch_x509_serial(const X509 *x, char *buf, size_t size)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int negative = ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER;

    buf[0] = 0;
    if (negative && size > 1)
        buf[0] = '-';
    cinch_text_hex(buf + negative, size - (size_t)negative, ASN1_STRING_get0_data(serial),
                   (size_t)ASN1_STRING_length(serial), 0);
    return buf;
}

char *cinch_x509_access(const X509 *x, int method, char *buf, size_t size)
{
    AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);

    buf[0] = 0;
    for (int i = 0; buf[0] == 0 && i < sk_ACCESS_DESCRIPTION_num(list); i++) {
        const ACCESS_DESCRIPTION *entry = sk_ACCESS_DESCRIPTION_value(list, i);

        if (OBJ_obj2nid(entry->method) == method && entry->location->type == GEN_URI)
            (void)cinch_general_name_text(entry->location, buf, size);
    }
    AUTHORITY_INFO_ACCESS_free(list);
    return buf;
}

int cinch_x509_issuer_url(const X509 *x, char *buf, size_t size)
{
    return *cinch_x509_access(x, NID_ad_ca_issuers, buf, size) != 0;
}

static const char *key_type_name(const EVP_PKEY *key)
{
    const char *name = EVP_PKEY_get0_type_name(key);

    return name == NULL ? "unknown" : name;
}

/* Only a curve that is spelled out has no name; a name that cannot be had otherwise is lost. */
static int is_explicit(const EVP_PKEY *key)
{
    int spelled_out = 0;

    return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                  &spelled_out) == 1 &&
           spelled_out != 0;
}

/* OpenSSL keeps no key, or half of one, that it had no memory for when it read the certificate. */
static EVP_PKEY *read_again(const X509 *x)
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    const unsigned char *at = der;
    EVP_PKEY *key = size > 0 ? d2i_PUBKEY_ex(NULL, &at, size, cinch_library_context(), NULL) : NULL;

    OPENSSL_free(der);
    return key;
}

static void group_text(const EVP_PKEY *key, char *group, size_t size)
{
    char name[64];
    size_t length = 0;

    if (EVP_PKEY_get_group_name(key, name, sizeof name, &length) == 1)
        snprintf(group, size, "%s", cinch_group_usual_name(name));
    else if (!is_explicit(key))
        ERR_raise(ERR_LIB_EC, ERR_R_MALLOC_FAILURE);
}

int cinch_x509_key(const X509 *x, char *type, size_t type_size, char *group, size_t group_size)
{
    EVP_PKEY *key = X509_get0_pubkey(x);
    EVP_PKEY *again = key == NULL || EVP_PKEY_get_bits(key) <= 0 ? read_again(x) : NULL;

    if (again != NULL)
        key = again;
    group[0] = 0;
    snprintf(type, type_size, "%s", key == NULL ? "unreadable" : key_type_name(key));
    /* EVP_PKEY_is_a() allocates, and says no when it cannot. */
    if (key != NULL && strcmp(type, "EC") == 0)
        group_text(key, group, group_size);
    int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);
    EVP_PKEY_free(again);
    return bits;
}

int cinch_x509_is_ca(const X509 *x)
{
    BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(x, NID_basic_constraints, NULL, NULL);
    int is_ca = constraints != NULL && constraints->ca != 0;

    BASIC_CONSTRAINTS_free(constraints);
    return is_ca;
}

int cinch_asn1_seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm parts = {0};

    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return 0;
    *out = (int64_t)timegm(&parts);
    return 1;
}

int cinch_x509_times(const X509 *x, int64_t *not_before, int64_t *not_after)
{
    *not_before = *not_after = 0;
    return cinch_asn1_seconds(X509_get0_notBefore(x), not_before) &&
           cinch_asn1_seconds(X509_get0_notAfter(x), not_after);
}

char *cinch_x509_names(const X509 *x, char *buf, size_t size, size_t most)
{
    char text[CINCH_NAME_TEXT];
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names), shown = 0;
    size_t at = 0;

    buf[0] = 0;
    for (int i = 0; i < count && (size_t)shown < most && at + 1 < size; i++) {
        cinch_name_kind kind =
            cinch_general_name_text(sk_GENERAL_NAME_value(names, i), text, sizeof text);

        if (kind == CINCH_NAME_OTHER)
            continue;
        int n = snprintf(buf + at, size - at, "%s%s", shown > 0 ? ", " : "", text);
        at = n < 0 || (size_t)n >= size - at ? size - 1 : at + (size_t)n;
        shown++;
    }
    if (count > shown && shown > 0 && at + 1 < size)
        snprintf(buf + at, size - at, " and %d more", count - shown);
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    return buf;
}
