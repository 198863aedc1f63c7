/* The profile on certificates that are written in another way than DER asks, on what stands beside a
 * key or signature, and on fields that belong in no certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static cinch_status ask(cinch_context *ctx, const unsigned char *der, size_t size, cinch_error *err)
{
    size_t sizes[] = {size, 0};
    unsigned char *issuer = pki_der_cert(family->intermediate, &sizes[1]);
    const unsigned char *const chain[] = {der, issuer};

    cinch_error_clear(err);
    cinch_status status = cinch_context_verify_chain(ctx, chain, sizes, 2, "localhost", -1, err);
    free(issuer);
    assert_int_equal(ERR_peek_error(), 0);
    return status;
}

/* The certificate breaks RULE and no other one. */
static void expect_rule(const unsigned char *der, size_t size, cinch_rule rule, const char *what)
{
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_error err = CINCH_ERROR_INIT;
    char *pem = pki_pem_cert(family->root), name[64];

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), &err), CINCH_OK);
    assert_int_equal(ask(ctx, der, size, &err), CINCH_FAILED);
    snprintf(name, sizeof name, "\"%s\"", cinch_rule_name(rule));
    if (strstr(err.what, name) == NULL)
        fail_msg("%s: %s", what, err.what);
    assert_int_equal(cinch_context_insecure_relax(ctx, rule, 1, NULL), CINCH_OK);
    if (ask(ctx, der, size, &err) != CINCH_OK)
        fail_msg("%s: %s", what, err.what);
    cinch_context_free(ctx);
    free(pem);
}

static void expect_of(const pki_spec *spec, cinch_rule rule, const char *what)
{
    pki_cert *leaf = pki_make(spec, family->intermediate);
    size_t size;
    unsigned char *der = pki_der_cert(leaf, &size);

    expect_rule(der, size, rule, what);
    free(der);
    pki_free(leaf);
}

#define LOCALHOST 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't'

static void test_extensions(void **state)
{
    static const unsigned char long_length[] = {0x30, 0x81, 0x0b, 0x82, 9, LOCALHOST};
    static const unsigned char open_length[] = {0x30, 0x80, 0x82, 9, LOCALHOST, 0, 0};
    static const unsigned char in_pieces[] = {0x30, 0x0d, 0xa2, 0x0b, 0x16, 9, LOCALHOST};
    static const unsigned char spare_bit[] = {0x03, 0x02, 0x07, 0x81};
    static const unsigned char written_out[] = {0x30, 0x03, 0x01, 0x01, 0x00};
    static const unsigned char nothing[] = {0x30, 0x00};

    (void)state;
    expect_of(&(pki_spec){.cn = "x",
                          .no_san = true,
                          .raw = {{"subjectAltName", false, long_length, sizeof long_length}}},
              CINCH_RULE_ENCODING, "a length in two bytes");
    expect_of(&(pki_spec){.cn = "x",
                          .no_san = true,
                          .raw = {{"subjectAltName", false, open_length, sizeof open_length}}},
              CINCH_RULE_ENCODING, "an open length");
    expect_of(&(pki_spec){.cn = "x",
                          .no_san = true,
                          .raw = {{"subjectAltName", false, in_pieces, sizeof in_pieces}}},
              CINCH_RULE_ENCODING, "a string in pieces");
    expect_of(&(pki_spec){.cn = "x",
                          .no_key_usage = true,
                          .raw = {{"keyUsage", true, spare_bit, sizeof spare_bit}}},
              CINCH_RULE_ENCODING, "a bit that is not used");
    expect_of(&(pki_spec){.cn = "x",
                          .no_basic_constraints = true,
                          .raw = {{"basicConstraints", true, written_out, sizeof written_out}}},
              CINCH_RULE_ENCODING, "a default that is written out");
    expect_of(&(pki_spec){.cn = "x", .raw = {{"authorityInfoAccess", false, nothing, 2}}},
              CINCH_RULE_ENCODING, "no place to get the issuer from");
    expect_of(&(pki_spec){.cn = "x", .raw = {{"certificatePolicies", false, nothing, 2}}},
              CINCH_RULE_ENCODING, "no policy");
    expect_of(&(pki_spec){.cn = "x", .raw = {{"1.3.6.1.4.1.11129.2.4.3", false, nothing, 2}}},
              CINCH_RULE_CRITICAL_EXTENSIONS, "an announced certificate");
}

/* The signed part of a good certificate, with BYTES put in at the first OLD, or in its place. */
static unsigned char *edit(const unsigned char *old, size_t old_size, const unsigned char *bytes,
                           size_t bytes_size, size_t *size)
{
    unsigned char *tbs = NULL, *edited;
    int tbs_size = i2d_re_X509_tbs(family->good->cert, &tbs);
    size_t at = 4, total = (size_t)tbs_size - old_size + bytes_size;

    assert_true(tbs_size > 0 && tbs[1] == 0x82);
    while (at + old_size <= (size_t)tbs_size && memcmp(tbs + at, old, old_size) != 0)
        at++;
    assert_true(at + old_size <= (size_t)tbs_size);
    edited = malloc(total);
    assert_non_null(edited);
    memcpy(edited, tbs, at);
    memcpy(edited + at, bytes, bytes_size);
    memcpy(edited + at + bytes_size, tbs + at + old_size, (size_t)tbs_size - at - old_size);
    edited[2] = (unsigned char)((total - 4) >> 8);
    edited[3] = (unsigned char)(total - 4);
    OPENSSL_free(tbs);
    *size = total;
    return edited;
}

/* The certificate that has TBS, with ALGORITHM beside the intermediate's signature. Frees TBS. */
static unsigned char *sign(unsigned char *tbs, size_t tbs_size, const unsigned char *algorithm,
                           size_t algorithm_size, size_t *size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[256], *der = malloc(tbs_size + 512), *at = der + 4;
    size_t length = sizeof signature;

    assert_true(der != NULL && ctx != NULL);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, family->intermediate->key),
                     1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &length, tbs, tbs_size), 1);
    EVP_MD_CTX_free(ctx);
    assert_true(length < 126);
    memcpy(at, tbs, tbs_size);
    at += tbs_size;
    memcpy(at, algorithm, algorithm_size);
    at += algorithm_size;
    *at++ = 0x03;
    *at++ = (unsigned char)(length + 1);
    *at++ = 0;
    memcpy(at, signature, length);
    at += length;
    der[0] = 0x30;
    der[1] = 0x82;
    der[2] = (unsigned char)((at - der - 4) >> 8);
    der[3] = (unsigned char)(at - der - 4);
    free(tbs);
    *size = (size_t)(at - der);
    return der;
}

static const unsigned char ecdsa[] = {0x30, 0x0a, 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};

static void expect_edited(const unsigned char *old, size_t old_size, const unsigned char *bytes,
                          size_t bytes_size, cinch_rule rule, const char *what)
{
    size_t size;
    unsigned char *tbs = edit(old, old_size, bytes, bytes_size, &size);
    unsigned char *der = sign(tbs, size, ecdsa, sizeof ecdsa, &size);

    expect_rule(der, size, rule, what);
    free(der);
}

static void test_fields(void **state)
{
    static const unsigned char critical[] = {0x01, 0x01, 0xff}, one[] = {0x01, 0x01, 0x01},
                               not_critical[] = {0x01, 0x01, 0x00};
    static const unsigned char unique[] = {0x81, 0x02, 0x00, 0x61};
    X509_PUBKEY *key = X509_get_X509_PUBKEY(family->good->cert);
    unsigned char *spki = NULL, with_id[512];
    int spki_size = i2d_X509_PUBKEY(key, &spki);

    (void)state;
    expect_edited(critical, 3, one, 3, CINCH_RULE_ENCODING, "another TRUE");
    expect_edited(critical, 3, not_critical, 3, CINCH_RULE_ENCODING, "FALSE, written out");
    assert_true(spki_size > 0 && spki_size + 4 < (int)sizeof with_id);
    memcpy(with_id, spki, (size_t)spki_size);
    memcpy(with_id + spki_size, unique, sizeof unique);
    expect_edited(spki, (size_t)spki_size, with_id, (size_t)spki_size + sizeof unique,
                  CINCH_RULE_VERSION, "a unique identifier of the issuer");
    with_id[spki_size] = 0x82;
    expect_edited(spki, (size_t)spki_size, with_id, (size_t)spki_size + sizeof unique,
                  CINCH_RULE_VERSION, "a unique identifier of the subject");
    OPENSSL_free(spki);
}

static void test_parameters_of_a_signature(void **state)
{
    static const unsigned char with_null[] = {0x30, 0x0c, 0x06, 8, 0x2a, 0x86, 0x48,
                                              0xce, 0x3d, 4,    3, 2,    5,    0};
    size_t size;
    unsigned char *tbs = edit(ecdsa, sizeof ecdsa, with_null, sizeof with_null, &size);
    unsigned char *der = sign(tbs, size, with_null, sizeof with_null, &size);

    (void)state;
    expect_rule(der, size, CINCH_RULE_SIGNATURE, "NULL beside ECDSA");
    free(der);
}

/* An RSA key whose SIZE bytes at NUMBERS are written with parameters of KIND. */
static void expect_rsa(const pki_cert *rsa, const unsigned char *numbers, size_t size, int kind,
                       const char *what)
{
    X509 *x = X509_dup(rsa->cert);
    unsigned char *copy = OPENSSL_memdup(numbers, size), *der = NULL;

    assert_int_equal(X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x), OBJ_nid2obj(NID_rsaEncryption),
                                            kind, NULL, copy, (int)size),
                     1);
    assert_true(X509_sign(x, family->intermediate->key, EVP_sha256()) > 0);
    int der_size = i2d_X509(x, &der);
    assert_true(der_size > 0);
    expect_rule(der, (size_t)der_size, CINCH_RULE_KEY_KIND, what);
    OPENSSL_free(der);
    X509_free(x);
}

/* OpenSSL reads these as good keys, or as another one than was written. */
static void test_rsa_keys(void **state)
{
    pki_cert *rsa = pki_make(&(pki_spec){.cn = "x", .key_type = PKI_KEY_RSA}, family->intermediate);
    const unsigned char *numbers;
    unsigned char changed[600];
    int size;

    (void)state;
    assert_int_equal(
        X509_PUBKEY_get0_param(NULL, &numbers, &size, NULL, X509_get_X509_PUBKEY(rsa->cert)), 1);
    expect_rsa(rsa, numbers, (size_t)size, V_ASN1_UNDEF, "no NULL");
    /* 30 82 len len, 02 82 01 01, 00, the modulus of 256 bytes, 02 03 01 00 01 */
    assert_true(size == 270 && numbers[4] == 2 && numbers[8] == 0 && numbers[size - 5] == 2);
    memcpy(changed, numbers, (size_t)size);
    changed[size] = 0;
    expect_rsa(rsa, changed, (size_t)size + 1, V_ASN1_NULL, "a byte behind the key");
    changed[size - 6] ^= 1;
    expect_rsa(rsa, changed, (size_t)size, V_ASN1_NULL, "an even modulus");
    memcpy(changed, numbers, 8);
    memcpy(changed + 8, numbers + 9, (size_t)size - 9);
    changed[3]--;
    changed[7]--;
    expect_rsa(rsa, changed, (size_t)size - 1, V_ASN1_NULL, "a negative modulus");
    pki_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_parameters_of_a_signature),
        cmocka_unit_test(test_rsa_keys),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
