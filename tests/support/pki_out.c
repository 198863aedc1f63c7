/* The factory's products as PEM, DER, PKCS#12 and revocation lists. */
#include "pki.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

static BIO *new_buffer(void)
{
    BIO *buffer = BIO_new(BIO_s_mem());

    pki_need(buffer != NULL, "memory");
    return buffer;
}

/* Frees the buffer. The result has a NUL behind its end, so it serves as text and as bytes. */
static unsigned char *take_buffer(BIO *buffer, size_t *len)
{
    char *data = NULL;
    long size = BIO_get_mem_data(buffer, &data);
    unsigned char *copy;

    pki_need(size >= 0, "buffer");
    copy = malloc((size_t)size + 1);
    pki_need(copy != NULL, "memory");
    if (size > 0)
        memcpy(copy, data, (size_t)size);
    copy[size] = '\0';
    if (len != NULL)
        *len = (size_t)size;
    BIO_free(buffer);
    return copy;
}

char *pki_pem_chain(const pki_cert *const chain[], size_t n)
{
    BIO *buffer = new_buffer();

    for (size_t i = 0; i < n; i++)
        pki_need(PEM_write_bio_X509(buffer, chain[i]->cert) == 1, "certificate as PEM");
    return (char *)take_buffer(buffer, NULL);
}

char *pki_pem_cert(const pki_cert *cert)
{
    return pki_pem_chain(&cert, 1);
}

char *pki_pem_key(const pki_cert *cert, const char *password)
{
    const EVP_CIPHER *cipher = password != NULL ? EVP_aes_256_cbc() : NULL;
    int len = password != NULL ? (int)strlen(password) : 0;
    BIO *buffer = new_buffer();

    pki_need(PEM_write_bio_PKCS8PrivateKey(buffer, cert->key, cipher, password, len, NULL, NULL) ==
                 1,
             "key as PEM");
    return (char *)take_buffer(buffer, NULL);
}

char *pki_pem_key_traditional(const pki_cert *cert, const char *password)
{
    const EVP_CIPHER *cipher = password != NULL ? EVP_aes_256_cbc() : NULL;
    int len = password != NULL ? (int)strlen(password) : 0;
    BIO *buffer = new_buffer();

    pki_need(PEM_write_bio_PrivateKey_traditional(
                 buffer, cert->key, cipher, (const unsigned char *)password, len, NULL, NULL) == 1,
             "key as traditional PEM");
    return (char *)take_buffer(buffer, NULL);
}

char *pki_pem_concat(const char *first, ...)
{
    BIO *buffer = new_buffer();
    va_list rest;

    va_start(rest, first);
    for (const char *text = first; text != NULL; text = va_arg(rest, const char *))
        pki_need(*text == '\0' || BIO_puts(buffer, text) > 0, "memory");
    va_end(rest);
    return (char *)take_buffer(buffer, NULL);
}

unsigned char *pki_der_cert(const pki_cert *cert, size_t *len)
{
    BIO *buffer = new_buffer();

    pki_need(i2d_X509_bio(buffer, cert->cert) == 1, "certificate as DER");
    return take_buffer(buffer, len);
}

unsigned char *pki_pkcs12(const pki_cert *cert, const pki_cert *const chain[], size_t n,
                          const char *password, size_t *len)
{
    int cipher = password != NULL ? 0 : -1; /* 0: libcrypto's default, -1: none */
    STACK_OF(X509) *others = sk_X509_new_null();
    BIO *buffer = new_buffer();
    PKCS12 *bundle;

    pki_need(others != NULL, "memory");
    for (size_t i = 0; i < n; i++)
        pki_need(sk_X509_push(others, chain[i]->cert) > 0, "memory");
    bundle = PKCS12_create(password, "cinch test", cert->key, cert->cert, others, cipher, cipher, 0,
                           0, 0);
    pki_need(bundle != NULL, "PKCS#12");
    pki_need(i2d_PKCS12_bio(buffer, bundle) == 1, "PKCS#12 as DER");
    PKCS12_free(bundle);
    sk_X509_free(others);
    return take_buffer(buffer, len);
}

static void add_entry_extensions(X509_REVOKED *entry, const pki_crl_spec *spec)
{
    if (spec->reason != 0) {
        ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();

        pki_need(reason != NULL && ASN1_ENUMERATED_set(reason, spec->reason - 1) == 1, "reason");
        pki_need(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1, "reason");
        ASN1_ENUMERATED_free(reason);
    }
    if (spec->indirect_entry) {
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_DNS, "other.test", 0);

        pki_need(names != NULL && name != NULL && sk_GENERAL_NAME_push(names, name) > 0, "names");
        pki_need(X509_REVOKED_add1_ext_i2d(entry, NID_certificate_issuer, names, 1, 0) == 1,
                 "certificate issuer");
        GENERAL_NAMES_free(names);
    }
}

static void revoke(X509_CRL *crl, const pki_crl_spec *spec, const ASN1_INTEGER *serial,
                   ASN1_TIME *when)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_INTEGER *copy = ASN1_INTEGER_dup(serial);

    pki_need(entry != NULL && copy != NULL, "memory");
    pki_need(X509_REVOKED_set_serialNumber(entry, copy) == 1, "revoked serial number");
    pki_need(X509_REVOKED_set_revocationDate(entry, when) == 1, "revocation date");
    add_entry_extensions(entry, spec);
    pki_need(X509_CRL_add0_revoked(crl, entry) == 1, "revoked certificate");
    ASN1_INTEGER_free(copy);
}

static void revoke_all(X509_CRL *crl, const pki_crl_spec *spec, ASN1_TIME *when)
{
    for (size_t i = 0; i < 8 && spec->serials[i] != NULL; i++) {
        ASN1_INTEGER *serial = pki_serial(spec->serials[i]);

        revoke(crl, spec, serial, when);
        ASN1_INTEGER_free(serial);
    }
    for (size_t i = 0; i < 8 && spec->certs[i] != NULL; i++)
        revoke(crl, spec, X509_get0_serialNumber(spec->certs[i]->cert), when);
    pki_need(X509_CRL_sort(crl) == 1, "sorting the revoked");
}

/* RFC 5280, 5.2.1 and 5.2.3: both are required of a conforming list. */
static void add_crl_extensions(X509_CRL *crl, const pki_cert *issuer, long number, int critical)
{
    ASN1_OCTET_STRING *id = X509_get_ext_d2i(issuer->cert, NID_subject_key_identifier, NULL, NULL);
    ASN1_INTEGER *count = ASN1_INTEGER_new();

    pki_need(count != NULL && ASN1_INTEGER_set(count, number) == 1, "CRL number");
    pki_need(X509_CRL_add1_ext_i2d(crl, NID_crl_number, count, critical, X509V3_ADD_APPEND) == 1,
             "CRL number");
    ASN1_INTEGER_free(count);
    if (id != NULL) {
        AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();

        pki_need(authority != NULL, "memory");
        authority->keyid = id;
        pki_need(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0,
                                       X509V3_ADD_APPEND) == 1,
                 "CRL authority key identifier");
        AUTHORITY_KEYID_free(authority);
    }
}

/* What makes a list another one than usual. */
static void add_crl_oddities(X509_CRL *crl, const pki_crl_spec *spec)
{
    if (spec->scope != NULL) {
        X509_EXTENSION *scope =
            X509V3_EXT_conf_nid(NULL, NULL, NID_issuing_distribution_point, spec->scope);

        pki_need(scope != NULL && X509_CRL_add_ext(crl, scope, -1) == 1, "CRL scope");
        X509_EXTENSION_free(scope);
    }
    if (spec->delta) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();

        pki_need(base != NULL && ASN1_INTEGER_set(base, 1) == 1, "delta");
        pki_need(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0) == 1, "delta");
        ASN1_INTEGER_free(base);
    }
    if (spec->critical != NULL) {
        ASN1_OBJECT *oid = OBJ_txt2obj(spec->critical, 1);
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);

        pki_need(extension != NULL && X509_CRL_add_ext(crl, extension, -1) == 1, "extension");
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(value);
        ASN1_OBJECT_free(oid);
    }
}

static void corrupt_crl(X509_CRL *crl)
{
    const ASN1_BIT_STRING *signature = NULL;

    X509_CRL_get0_signature(crl, &signature, NULL);
    /* The last byte belongs to the number, whatever the key. */
    ((unsigned char *)(uintptr_t)ASN1_STRING_get0_data(
        signature))[ASN1_STRING_length(signature) - 1] ^= 1;
}

static ASN1_TIME *from_now(long seconds)
{
    ASN1_TIME *when = X509_gmtime_adj(NULL, seconds);

    pki_need(when != NULL, "time");
    return when;
}

char *pki_crl(const pki_cert *issuer, const pki_crl_spec *spec)
{
    const pki_crl_spec nothing = {.number = 1};
    const pki_crl_spec *wanted = spec != NULL ? spec : &nothing;
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = from_now(wanted->this_update != 0 ? wanted->this_update : -3600);
    ASN1_TIME *until = from_now(wanted->next_update != 0 ? wanted->next_update : 7 * 86400L);
    BIO *buffer = new_buffer();

    pki_need(crl != NULL && X509_CRL_set_version(crl, 1) == 1, "CRL");
    pki_need(X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert)) == 1, "issuer");
    pki_need(X509_CRL_set1_lastUpdate(crl, from) == 1, "thisUpdate");
    if (!wanted->no_next_update)
        pki_need(X509_CRL_set1_nextUpdate(crl, until) == 1, "nextUpdate");
    revoke_all(crl, wanted, from);
    add_crl_extensions(crl, issuer, wanted->number, wanted->critical_number);
    add_crl_oddities(crl, wanted);
    pki_need(X509_CRL_sign(crl, issuer->key, pki_signing_digest(issuer->key, wanted->digest)) > 0,
             "CRL signature");
    if (wanted->corrupt_signature)
        corrupt_crl(crl);
    pki_need(PEM_write_bio_X509_CRL(buffer, crl) == 1, "CRL as PEM");
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    X509_CRL_free(crl);
    return (char *)take_buffer(buffer, NULL);
}
