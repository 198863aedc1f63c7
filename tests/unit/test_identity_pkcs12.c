/* Every cause that reading PKCS#12 can end with, by causing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cinch/identity.h>

#include "pki.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
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

static void fails(const cinch_identity_source *source, cinch_cause cause, const char *text)
{
    cinch_error err = CINCH_ERROR_INIT;
    char all[4096];

    assert_null(cinch_identity_load(source, &err));
    cinch_error_print(&err, all, sizeof all);
    if (err.cause != cause || strstr(all, text) == NULL)
        fail_msg("wanted %s with \"%s\", got %s:\n%s", cinch_cause_name(cause), text,
                 cinch_cause_name(err.cause), all);
    assert_true(ERR_peek_error() == 0);
}

static void bytes_fail(const void *bytes, size_t size, const char *password, cinch_cause cause,
                       const char *text)
{
    fails(&(cinch_identity_source){.pkcs12 = bytes, .pkcs12_size = size, .password = password},
          cause, text);
}

static unsigned char *good(size_t *size)
{
    return pki_pkcs12(family->good, (const pki_cert *[]){family->intermediate}, 1, "secret", size);
}

/* As pki_pkcs12(), with the parts and the numbers of the caller's choice. */
static unsigned char *make(const pki_cert *key, const pki_cert *cert, const pki_cert *other,
                           int cipher, int iterations, int mac, size_t *size)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    unsigned char *der = NULL;

    if (other != NULL)
        assert_true(sk_X509_push(others, other->cert) > 0);
    PKCS12 *p12 =
        PKCS12_create("secret", NULL, key == NULL ? NULL : key->key,
                      cert == NULL ? NULL : cert->cert, others, cipher, cipher, iterations, mac, 0);
    assert_non_null(p12);
    int length = i2d_PKCS12(p12, &der);
    assert_true(length > 0);
    *size = (size_t)length;
    PKCS12_free(p12);
    sk_X509_free(others);
    return der;
}

static void passwords(void **state)
{
    size_t size;
    unsigned char *p12 = good(&size);

    (void)state;
    bytes_fail(p12, size, NULL, CINCH_CAUSE_PASSWORD_MISSING, "no password was given");
    bytes_fail(p12, size, "", CINCH_CAUSE_PASSWORD_WRONG, "the integrity check does not fit");
    bytes_fail(p12, size, "wrong", CINCH_CAUSE_PASSWORD_WRONG,
               "a damaged file would look the same");
    free(p12);
    /* Without a MAC, the decryption has to tell. */
    p12 = make(family->good, family->good, NULL, NID_aes_256_cbc, 2048, -1, &size);
    bytes_fail(p12, size, NULL, CINCH_CAUSE_PASSWORD_MISSING, "no password was given");
    bytes_fail(p12, size, "wrong", CINCH_CAUSE_PASSWORD_WRONG, "makes no sense");
    cinch_identity_free(cinch_identity_pkcs12(p12, size, "secret", NULL));
    OPENSSL_free(p12);
}

static int calls;

static int give(char *buf, size_t size, const char *what, void *arg)
{
    (void)arg;
    calls++;
    assert_true(size >= 6);
    assert_string_equal(what, "the PKCS#12 in memory");
    memcpy(buf, "secret", 6);
    return 6;
}

static void asks_once_and_only_if_needed(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;
    unsigned char *p12 = good(&size);
    cinch_identity_source source = {.pkcs12 = p12, .pkcs12_size = size, .ask = give};
    cinch_identity *identity = cinch_identity_load(&source, &err);

    (void)state;
    assert_non_null(identity);
    assert_int_equal(calls, 1);
    cinch_identity_free(identity);
    free(p12);
    p12 = pki_pkcs12(family->good, NULL, 0, "", &size);
    source.pkcs12 = p12;
    source.pkcs12_size = size;
    identity = cinch_identity_load(&source, &err);
    assert_non_null(identity);
    assert_int_equal(calls, 1);
    cinch_identity_free(identity);
    free(p12);
}

static void not_pkcs12(void **state)
{
    size_t size;
    unsigned char *p12 = good(&size);
    char *pem = pki_pem_cert(family->good);

    (void)state;
    bytes_fail(pem, strlen(pem), NULL, CINCH_CAUSE_BAD_CERTIFICATE, "is PEM, not PKCS#12");
    bytes_fail("hello", 5, NULL, CINCH_CAUSE_BAD_CERTIFICATE, "is not PKCS#12");
    bytes_fail("", 0, NULL, CINCH_CAUSE_BAD_CERTIFICATE, "is not PKCS#12");
    bytes_fail(p12, size - 1, "secret", CINCH_CAUSE_BAD_CERTIFICATE, "cut short");
    fails(&(cinch_identity_source){.pkcs12_file = "/nonexistent/a.p12"},
          CINCH_CAUSE_FILE_UNREADABLE, "/nonexistent/a.p12");
    free(pem);
    free(p12);
}

static void parts_missing(void **state)
{
    size_t size;
    unsigned char *p12 = make(NULL, NULL, family->good, NID_aes_256_cbc, 1, 1, &size);

    (void)state;
    bytes_fail(p12, size, "secret", CINCH_CAUSE_NO_KEY, "only certificates");
    OPENSSL_free(p12);
    p12 = make(family->good, NULL, NULL, NID_aes_256_cbc, 1, 1, &size);
    bytes_fail(p12, size, "secret", CINCH_CAUSE_NO_CERTIFICATE, "only a private key");
    OPENSSL_free(p12);
    p12 = make(family->good, NULL, family->under_root, NID_aes_256_cbc, 1, 1, &size);
    bytes_fail(p12, size, "secret", CINCH_CAUSE_KEY_MISMATCH, "does not belong");
    OPENSSL_free(p12);
    p12 = make(family->good, family->good, family->under_root, NID_aes_256_cbc, 1, 1, &size);
    bytes_fail(p12, size, "secret", CINCH_CAUSE_CHAIN_GAP, "left over");
    OPENSSL_free(p12);
}

/* Makes the MAC of P12 ask for ROUNDS and fails with it. */
static void costly_mac(const unsigned char *p12, size_t size, long rounds, cinch_cause cause,
                       const char *text)
{
    PKCS12 *parsed = d2i_PKCS12(NULL, &p12, (long)size);
    const ASN1_INTEGER *iterations = NULL;
    ASN1_INTEGER *changed = NULL;
    unsigned char *der = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, parsed);
    assert_non_null(iterations);
    memcpy(&changed, &iterations, sizeof changed); /* there is no setter */
    assert_int_equal(ASN1_INTEGER_set(changed, rounds), 1);
    int length = i2d_PKCS12(parsed, &der);
    assert_true(length > 0);
    bytes_fail(der, (size_t)length, "secret", cause, text);
    OPENSSL_free(der);
    PKCS12_free(parsed);
}

static void work_is_bounded(void **state)
{
    size_t size;
    unsigned char *p12 = make(family->good, family->good, NULL, NID_aes_256_cbc, 1, 2, &size);

    (void)state;
    costly_mac(p12, size, 10000001, CINCH_CAUSE_BAD_KEY, "10000001 rounds");
    costly_mac(p12, size, 0x7fffffff, CINCH_CAUSE_BAD_KEY, "2147483647 rounds");
    costly_mac(p12, size, -5, CINCH_CAUSE_BAD_CERTIFICATE, "makes no sense");
    costly_mac(p12, size, 0, CINCH_CAUSE_BAD_CERTIFICATE, "makes no sense");
    OPENSSL_free(p12);
    /* Nor may the parts: without a MAC, they come first. */
    p12 = make(family->good, family->good, NULL, NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2000, -1,
               &size);
    for (size_t i = 0; i + 4 <= size; i++)
        if (memcmp(p12 + i, "\x02\x02\x07\xd0", 4) == 0)
            memcpy(p12 + i, "\x02\x02\xff\xff", 4);
    bytes_fail(p12, size, "secret", CINCH_CAUSE_BAD_KEY, "not known here");
    OPENSSL_free(p12);
}

/* As Windows and OpenSSL 1.1 wrote it: the key with 3DES, which OpenSSL 3 still has. */
static void old_cipher_for_the_key(void **state)
{
    size_t size;
    unsigned char *p12 = make(family->good, family->good, NULL,
                              NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048, 2048, &size);
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = cinch_identity_pkcs12(p12, size, "secret", &err);

    (void)state;
    assert_non_null(identity);
    cinch_identity_free(identity);
    OPENSSL_free(p12);
}

/* And the certificates with RC2, which it has in the legacy provider only. */
static void old_cipher_for_the_certificates(void **state)
{
    OSSL_LIB_CTX *apart = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *legacy = OSSL_PROVIDER_load(apart, "legacy");
    OSSL_PROVIDER *standard = OSSL_PROVIDER_load(apart, "default");
    unsigned char *der = NULL;

    (void)state;
    assert_non_null(standard);
    if (legacy != NULL) {
        PKCS12 *p12 = PKCS12_create_ex("secret", NULL, family->good->key, family->good->cert, NULL,
                                       NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                                       NID_pbe_WithSHA1And40BitRC2_CBC, 2048, 2048, 0, apart, NULL);

        assert_non_null(p12);
        int length = i2d_PKCS12(p12, &der);
        assert_true(length > 0);
        PKCS12_free(p12);
        bytes_fail(der, (size_t)length, "wrong", CINCH_CAUSE_PASSWORD_WRONG, "integrity");
        bytes_fail(der, (size_t)length, "secret", CINCH_CAUSE_BAD_KEY, "RC2-40-CBC");
        bytes_fail(der, (size_t)length, "secret", CINCH_CAUSE_BAD_KEY, "openssl pkcs12 -legacy");
        OPENSSL_free(der);
    }
    OSSL_PROVIDER_unload(standard);
    OSSL_PROVIDER_unload(legacy);
    OSSL_LIB_CTX_free(apart);
    if (legacy == NULL)
        skip();
}

/* Nothing that is done to the bytes may do more than fail. */
static void every_byte_changed(void **state)
{
    size_t size;
    unsigned char *p12 =
        pki_pkcs12(family->good, (const pki_cert *[]){family->intermediate}, 1, NULL, &size);

    (void)state;
    for (size_t i = 0; i < size; i++) {
        p12[i] ^= 0x41;
        cinch_identity *identity = cinch_identity_pkcs12(p12, size, NULL, NULL);
        cinch_identity_free(identity);
        assert_true(ERR_peek_error() == 0);
        p12[i] ^= 0x41;
    }
    free(p12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords),
        cmocka_unit_test(asks_once_and_only_if_needed),
        cmocka_unit_test(not_pkcs12),
        cmocka_unit_test(parts_missing),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(old_cipher_for_the_key),
        cmocka_unit_test(old_cipher_for_the_certificates),
        cmocka_unit_test(every_byte_changed),
    };

    return cmocka_run_group_tests_name("identity_pkcs12", tests, set_up, tear_down);
}
