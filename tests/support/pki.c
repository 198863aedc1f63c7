/* The core of the certificate factory: keys, names, and putting a certificate together. */
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#define HOUR 3600L
#define DAY (24 * HOUR)

void pki_die(const char *what)
{
    fprintf(stderr, "pki: cannot make the test certificate: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

static EVP_PKEY *generate(EVP_PKEY_CTX *context, const OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;

    pki_need(context != NULL, "key context");
    pki_need(EVP_PKEY_keygen_init(context) == 1, "key generation");
    pki_need(params == NULL || EVP_PKEY_CTX_set_params(context, params) == 1, "key parameters");
    pki_need(EVP_PKEY_generate(context, &key) == 1, "key generation");
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *make_ec_key(const char *group)
{
    char name[32];
    OSSL_PARAM params[2];

    snprintf(name, sizeof(name), "%s", group);
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0);
    params[1] = OSSL_PARAM_construct_end();
    return generate(EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL), params);
}

static EVP_PKEY *make_rsa_key(int bits)
{
    size_t count = bits > 0 ? (size_t)bits : 2048;
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &count);
    params[1] = OSSL_PARAM_construct_end();
    return generate(EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL), params);
}

static EVP_PKEY *make_dsa_key(int bits)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    size_t count = bits > 0 ? (size_t)bits : 1024;
    EVP_PKEY *group = NULL;
    EVP_PKEY *key;
    OSSL_PARAM params[2];

    params[0] = OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_FFC_PBITS, &count);
    params[1] = OSSL_PARAM_construct_end();
    pki_need(context != NULL && EVP_PKEY_paramgen_init(context) == 1, "DSA parameters");
    pki_need(EVP_PKEY_CTX_set_params(context, params) == 1, "DSA parameter size");
    pki_need(EVP_PKEY_generate(context, &group) == 1, "DSA parameters");
    EVP_PKEY_CTX_free(context);
    key = generate(EVP_PKEY_CTX_new_from_pkey(NULL, group, NULL), NULL);
    EVP_PKEY_free(group);
    return key;
}

static EVP_PKEY *make_key(const pki_spec *spec)
{
    if (spec->key_of != NULL) {
        pki_need(EVP_PKEY_up_ref(spec->key_of->key) == 1, "key reference");
        return spec->key_of->key;
    }
    switch (spec->key_type) {
    case PKI_KEY_P256:
        return make_ec_key("P-256");
    case PKI_KEY_P384:
        return make_ec_key("P-384");
    case PKI_KEY_RSA:
        return make_rsa_key(spec->key_bits);
    case PKI_KEY_ED25519:
        return generate(EVP_PKEY_CTX_new_from_name(NULL, "ED25519", NULL), NULL);
    case PKI_KEY_DSA:
        return make_dsa_key(spec->key_bits);
    }
    pki_die("unknown key type");
}

static void add_entry(X509_NAME *name, const char *type, const char *value, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)value;

    pki_need(X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, bytes, (int)len, -1, 0) == 1,
             type);
}

/* Copies up to an unescaped `stop` or the end, and returns the position behind what it used. */
static const char *take_until(const char *in, char stop, char *out, size_t size)
{
    size_t used = 0;

    while (*in != '\0' && *in != stop) {
        if (*in == '\\' && in[1] != '\0')
            in++;
        pki_need(used + 1 < size, "subject too long");
        out[used++] = *in++;
    }
    out[used] = '\0';
    return in;
}

static void set_subject_text(X509_NAME *name, const char *subject)
{
    char type[64];
    char value[512];

    while (*subject != '\0') {
        pki_need(*subject == '/', "a subject is written /TYPE=value/TYPE=value");
        subject = take_until(subject + 1, '=', type, sizeof(type));
        pki_need(*subject == '=', "a subject is written /TYPE=value/TYPE=value");
        subject = take_until(subject + 1, '/', value, sizeof(value));
        add_entry(name, type, value, strlen(value));
    }
}

static void set_subject(X509 *cert, const pki_spec *spec)
{
    X509_NAME *name = X509_NAME_new();
    const char *cn = spec->cn;

    pki_need(name != NULL, "subject");
    if (cn == NULL)
        cn = spec->is_ca ? "Cinch Test CA" : "Cinch Test Leaf";
    if (spec->subject != NULL)
        set_subject_text(name, spec->subject);
    else if (!spec->empty_subject)
        add_entry(name, "CN", cn, spec->cn_len > 0 ? spec->cn_len : strlen(cn));
    pki_need(X509_set_subject_name(cert, name) == 1, "subject");
    X509_NAME_free(name);
}

ASN1_INTEGER *pki_serial(const char *hex)
{
    ASN1_INTEGER *serial;
    BIGNUM *number = NULL;

    if (hex != NULL) {
        int used = BN_hex2bn(&number, hex);

        pki_need(used > 0 && (size_t)used == strlen(hex), "serial number is not hexadecimal");
    } else {
        /* RFC 5280, 4.1.2.2: positive and at most 20 octets; unguessable as CAs must make it. */
        number = BN_new();
        pki_need(number != NULL && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1,
                 "random serial number");
    }
    serial = BN_to_ASN1_INTEGER(number, NULL);
    pki_need(serial != NULL, "serial number");
    BN_free(number);
    return serial;
}

const EVP_MD *pki_signing_digest(const EVP_PKEY *key, const char *name)
{
    const EVP_MD *digest;

    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL;
    digest = EVP_get_digestbyname(name != NULL ? name : "sha256");
    pki_need(digest != NULL, "unknown digest");
    return digest;
}

static void set_fields(X509 *cert, const pki_spec *spec)
{
    long from = spec->not_before != 0 ? spec->not_before : -HOUR;
    long until = spec->not_after != 0 ? spec->not_after : 90 * DAY;
    ASN1_INTEGER *serial = pki_serial(spec->serial);

    pki_need(X509_set_version(cert, spec->version > 0 ? spec->version - 1 : 2) == 1, "version");
    pki_need(X509_set_serialNumber(cert, serial) == 1, "serial number");
    pki_need(X509_gmtime_adj(X509_getm_notBefore(cert), from) != NULL, "notBefore");
    pki_need(X509_gmtime_adj(X509_getm_notAfter(cert), until) != NULL, "notAfter");
    ASN1_INTEGER_free(serial);
    set_subject(cert, spec);
}

/* Signs the certificate as it is now, with the algorithm an earlier signing put in it. */
static void sign_again(X509 *cert, EVP_PKEY *signer, const EVP_MD *digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    /* libcrypto only lends the signature for reading, but it is ours with the certificate. */
    union {
        const ASN1_BIT_STRING *lent;
        ASN1_BIT_STRING *owned;
    } signature = {NULL};
    unsigned char *body = NULL;
    unsigned char bytes[1024];
    size_t len = sizeof(bytes);
    int body_len = i2d_re_X509_tbs(cert, &body);

    pki_need(context != NULL && body_len > 0, "encoding for the signature");
    pki_need(EVP_DigestSignInit(context, NULL, digest, NULL, signer) == 1, "signature");
    pki_need(EVP_DigestSign(context, bytes, &len, body, (size_t)body_len) == 1, "signature");
    X509_get0_signature(&signature.lent, NULL, cert);
    pki_need(ASN1_STRING_set(signature.owned, bytes, (int)len) == 1, "signature");
    EVP_MD_CTX_free(context);
    OPENSSL_free(body);
}

/* Later releases of libcrypto make it version 3 when there are extensions; tests may want less. */
static void sign(X509 *cert, EVP_PKEY *signer, const EVP_MD *digest)
{
    long version = X509_get_version(cert);

    pki_need(X509_sign(cert, signer, digest) > 0, "signature");
    if (X509_get_version(cert) == version)
        return;
    pki_need(X509_set_version(cert, version) == 1, "version");
    sign_again(cert, signer, digest);
}

/*
 * Certificates leave the factory as parsed from their own DER: that is what a peer would see, and
 * there the signature, which comes last, can be damaged without disturbing its encoding.
 */
static X509 *reparse(X509 *cert, bool corrupt)
{
    unsigned char *der = NULL;
    const unsigned char *cursor;
    X509 *parsed;
    int len = i2d_X509(cert, &der);

    pki_need(len > 0, "encoding");
    if (corrupt)
        der[len - 1] ^= 1;
    cursor = der;
    parsed = d2i_X509(NULL, &cursor, len);
    pki_need(parsed != NULL, "parsing what was just made");
    OPENSSL_free(der);
    X509_free(cert);
    return parsed;
}

pki_cert *pki_make(const pki_spec *spec, const pki_cert *issuer)
{
    pki_cert *made = calloc(1, sizeof(*made));
    X509 *cert = X509_new();
    X509 *parent = issuer != NULL ? issuer->cert : cert;
    EVP_PKEY *signer;

    pki_need(made != NULL && cert != NULL, "memory");
    made->key = make_key(spec);
    signer = issuer != NULL ? issuer->key : made->key;
    set_fields(cert, spec);
    pki_need(X509_set_pubkey(cert, made->key) == 1, "public key");
    pki_need(X509_set_issuer_name(cert, X509_get_subject_name(parent)) == 1, "issuer");
    pki_add_extensions(cert, parent, spec);
    sign(cert, signer, pki_signing_digest(signer, spec->digest));
    made->cert = reparse(cert, spec->corrupt_signature);
    return made;
}

void pki_free(pki_cert *cert)
{
    if (cert == NULL)
        return;
    X509_free(cert->cert);
    EVP_PKEY_free(cert->key);
    free(cert);
}
