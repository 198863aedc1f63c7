/*
 * ca_make.c: keys and certificates by the profile of RFC 5280 and the Web PKI, so that the strict
 * checks of browsers and of libcinch pass.
 */
#include "ca.h"

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOT_DAYS 3650
#define CLOCK_SKEW 300 /* clocks differ: a new certificate is valid at once everywhere */
#define DAY 86400
#define SERIAL_BITS 128
#define KEY_ID_BYTES 20
#define LONGEST_CN 64 /* ub-common-name (RFC 5280, appendix A) */
#define ORGANIZATION "Cinch development CA"
#define FLAG_CRITICAL 1

/* Unpredictable (Baseline Requirements, 7.1), and never zero or negative: the top bit is a 1. */
static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool ok = number != NULL &&
              BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;

    BN_free(number);
    return ok;
}

static bool add_text(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

/* RFC 7093, 2, method 1: needs no SHA-1. */
static bool add_key_id(X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    bool ok = id != NULL && X509_pubkey_digest(cert, EVP_sha256(), digest, NULL) == 1 &&
              ASN1_OCTET_STRING_set(id, digest, KEY_ID_BYTES) == 1 &&
              X509_add1_ext_i2d(cert, NID_subject_key_identifier, id, 0, X509V3_ADD_DEFAULT) == 1;

    ASN1_OCTET_STRING_free(id);
    return ok;
}

static bool add_issuer_key_id(X509 *cert, X509 *issuer)
{
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(issuer);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool ok = false;

    if (authority != NULL && id != NULL) {
        authority->keyid = ASN1_OCTET_STRING_dup(id);
        ok = authority->keyid != NULL && X509_add1_ext_i2d(cert, NID_authority_key_identifier,
                                                           authority, 0, X509V3_ADD_DEFAULT) == 1;
    }
    AUTHORITY_KEYID_free(authority);
    return ok;
}

static bool add_basic_constraints(X509 *cert, bool is_ca)
{
    BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
    bool ok = constraints != NULL;

    if (ok && is_ca) {
        /* As DER has TRUE (X.690, 11.1): programs in Go take no other. */
        constraints->ca = 0xff;
        /* It issues leaves only: pathLenConstraint 0. */
        constraints->pathlen = ASN1_INTEGER_new();
        ok = constraints->pathlen != NULL && ASN1_INTEGER_set(constraints->pathlen, 0) == 1;
    }
    ok = ok && X509_add1_ext_i2d(cert, NID_basic_constraints, constraints, FLAG_CRITICAL,
                                 X509V3_ADD_DEFAULT) == 1;
    BASIC_CONSTRAINTS_free(constraints);
    return ok;
}

/* The numbers of the bits as in RFC 5280, 4.2.1.3; -1 ends them. */
static bool add_key_usage(X509 *cert, const int *bits)
{
    ASN1_BIT_STRING *usage = ASN1_BIT_STRING_new();
    bool ok = usage != NULL;

    for (; ok && *bits >= 0; bits++)
        ok = ASN1_BIT_STRING_set_bit(usage, *bits, 1) == 1;
    ok =
        ok && X509_add1_ext_i2d(cert, NID_key_usage, usage, FLAG_CRITICAL, X509V3_ADD_DEFAULT) == 1;
    ASN1_BIT_STRING_free(usage);
    return ok;
}

static bool add_purposes(X509 *cert, bool client)
{
    EXTENDED_KEY_USAGE *purposes = sk_ASN1_OBJECT_new_null();
    bool ok = purposes != NULL;

    /* Objects by number are constants of libcrypto: freeing them does nothing. */
    if (ok && !client)
        ok = sk_ASN1_OBJECT_push(purposes, OBJ_nid2obj(NID_server_auth)) > 0;
    ok = ok && sk_ASN1_OBJECT_push(purposes, OBJ_nid2obj(NID_client_auth)) > 0;
    ok = ok && X509_add1_ext_i2d(cert, NID_ext_key_usage, purposes, 0, X509V3_ADD_DEFAULT) == 1;
    sk_ASN1_OBJECT_free(purposes);
    return ok;
}

/* ASN1_TIME_adj() writes GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
static bool set_times(X509 *cert, int64_t from, int64_t until)
{
    return ASN1_TIME_adj(X509_getm_notBefore(cert), (time_t)from, 0, 0) != NULL &&
           ASN1_TIME_adj(X509_getm_notAfter(cert), (time_t)until, 0, 0) != NULL;
}

static X509 *start(EVP_PKEY *key)
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
        X509_set_pubkey(cert, key) == 1)
        return cert;
    X509_free(cert);
    return NULL;
}

/* Every root has a name of its own: one never stands in for an earlier one with another key. */
static bool set_root_name(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);
    unsigned char random[4];
    char text[LONGEST_CN + 1];

    if (RAND_bytes(random, sizeof(random)) != 1)
        return false;
    snprintf(text, sizeof(text), "Cinch development CA %02x%02x%02x%02x", random[0], random[1],
             random[2], random[3]);
    return add_text(name, "CN", text) && X509_set_issuer_name(cert, name) == 1;
}

bool ca_make_root(EVP_PKEY **key, X509 **cert, cinch_error *err)
{
    static const int usage[] = {5, 6, -1}; /* keyCertSign, cRLSign */
    int64_t now = (int64_t)time(NULL);

    *key = EVP_EC_gen("P-256");
    *cert = *key != NULL ? start(*key) : NULL;
    if (*cert != NULL && set_root_name(*cert) &&
        set_times(*cert, now - CLOCK_SKEW, now + (int64_t)ROOT_DAYS * DAY) &&
        add_basic_constraints(*cert, true) && add_key_usage(*cert, usage) && add_key_id(*cert) &&
        X509_sign(*cert, *key, EVP_sha256()) > 0)
        return true;
    return cli_fail_crypto(err, "making a CA certificate");
}

static int64_t seconds_of(const ASN1_TIME *when)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;

    if (epoch != NULL)
        (void)ASN1_TIME_diff(&days, &seconds, epoch, when);
    ASN1_TIME_free(epoch);
    return (int64_t)days * DAY + seconds;
}

static bool set_leaf_times(X509 *cert, const ca_authority *authority, const ca_request *request)
{
    int64_t now = (int64_t)time(NULL);
    int64_t end = seconds_of(X509_get0_notAfter(authority->cert));
    int64_t from = now - CLOCK_SKEW;
    int64_t until = now + (int64_t)request->days * DAY;

    if (request->start != 0) {
        from = now + (int64_t)request->start * DAY;
        until = from + (int64_t)request->days * DAY;
    } else if (request->days < 0) {
        from = until - (int64_t)CA_DAYS_DEFAULT * DAY;
    }
    /* Nothing outlives its issuer. The last second counts (RFC 5280, 4.1.2.5). */
    if (until > end)
        until = end;
    return from < until && set_times(cert, from, until - 1);
}

/* The first name is for people to read; programs go by the alternative names. */
static bool set_leaf_name(X509 *cert, const ca_request *request)
{
    X509_NAME *name = X509_get_subject_name(cert);
    const char *first = request->names[0];

    if (!add_text(name, "O",
                  request->client ? "Cinch development client" : "Cinch development certificate"))
        return false;
    return strlen(first) > LONGEST_CN || add_text(name, "CN", first);
}

static EVP_PKEY *make_key(ca_key kind)
{
    switch (kind) {
    case CA_KEY_P384:
        return EVP_EC_gen("P-384");
    case CA_KEY_RSA2048:
        return EVP_RSA_gen(2048);
    case CA_KEY_RSA3072:
        return EVP_RSA_gen(3072);
    case CA_KEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    default:
        return EVP_EC_gen("P-256");
    }
}

bool ca_make_leaf(const ca_authority *authority, const ca_request *request, EVP_PKEY **key,
                  X509 **cert, cinch_error *err)
{
    static const int usage[] = {0, -1}; /* digitalSignature */

    *key = make_key(request->key);
    *cert = *key != NULL ? start(*key) : NULL;
    if (*cert == NULL || !ca_add_names(*cert, request, err))
        return cli_fail_crypto(err, "making a certificate");
    if (set_leaf_name(*cert, request) && set_leaf_times(*cert, authority, request) &&
        X509_set_issuer_name(*cert, X509_get_subject_name(authority->cert)) == 1 &&
        add_basic_constraints(*cert, false) && add_key_usage(*cert, usage) &&
        add_purposes(*cert, request->client) && add_key_id(*cert) &&
        add_issuer_key_id(*cert, authority->cert) &&
        X509_sign(*cert, authority->key, EVP_sha256()) > 0)
        return true;
    return cli_fail_crypto(err, "making a certificate");
}

BIO *ca_pem(EVP_PKEY *key, X509 *cert, cinch_error *err)
{
    BIO *pem = BIO_new(BIO_s_secmem());

    if (pem != NULL &&
        (key == NULL || PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1) &&
        PEM_write_bio_X509(pem, cert) == 1)
        return pem;
    BIO_free(pem);
    cli_fail_crypto(err, "writing PEM");
    return NULL;
}
