/* Identities that are fine: every kind of key in every wrapping, and how they are installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/openssl.h"
#include "identity/identity.h"

#include "pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pki_cert *root, *intermediate;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    intermediate = pki_make(&(pki_spec){.cn = "Intermediate", .is_ca = true}, root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(intermediate);
    pki_free(root);
    return 0;
}

static void loads_from(const char *pem, const char *password, const pki_cert *leaf)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), password, &err);

    if (identity == NULL)
        cinch_error_report(&err, stderr);
    assert_non_null(identity);
    assert_int_equal(X509_cmp(identity->leaf, leaf->cert), 0);
    assert_int_equal(EVP_PKEY_eq(identity->key, leaf->key), 1);
    assert_int_equal(sk_X509_num(identity->chain), 1);
    assert_true(ERR_peek_error() == 0);
    cinch_identity_free(identity);
}

/* The text with every "\n" as "\r\n", a byte order mark in front and remarks in between. */
static char *as_on_other_systems(const char *pem)
{
    size_t size = strlen(pem), used = 0;
    char *text = malloc(size * 2 + 64);

    assert_non_null(text);
    used += (size_t)snprintf(text, 64, "\xef\xbb\xbfsubject=CN = x\r\n\r\n");
    for (size_t i = 0; i < size; i++) {
        if (pem[i] == '\n')
            text[used++] = '\r';
        text[used++] = pem[i];
    }
    text[used] = 0;
    return text;
}

static void every_kind_in_every_wrapping(void **state)
{
    static const pki_spec kinds[] = {
        {.cn = "p256", .key_type = PKI_KEY_P256},
        {.cn = "p384", .key_type = PKI_KEY_P384},
        {.cn = "rsa", .key_type = PKI_KEY_RSA},
        {.cn = "ed25519", .key_type = PKI_KEY_ED25519},
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        pki_cert *leaf = pki_make(&kinds[i], intermediate);
        int has_traditional = kinds[i].key_type != PKI_KEY_ED25519;
        char *certs = pki_pem_chain((const pki_cert *[]){intermediate, leaf}, 2);
        char *keys[] = {
            pki_pem_key(leaf, NULL),
            pki_pem_key(leaf, "pass \xc3\xa9"),
            has_traditional ? pki_pem_key_traditional(leaf, NULL) : NULL,
            has_traditional ? pki_pem_key_traditional(leaf, "pass \xc3\xa9") : NULL,
        };

        for (size_t k = 0; k < 4 && keys[k] != NULL; k++) {
            char *pem = pki_pem_concat(certs, "a remark\n", keys[k], (char *)NULL);
            char *other = as_on_other_systems(pem);

            loads_from(pem, k % 2 == 1 ? "pass \xc3\xa9" : NULL, leaf);
            loads_from(other, k % 2 == 1 ? "pass \xc3\xa9" : NULL, leaf);
            free(other);
            free(pem);
            free(keys[k]);
        }
        free(certs);
        pki_free(leaf);
    }
}

static void every_kind_in_pkcs12(void **state)
{
    static const char *const passwords[] = {"secret", "", NULL};

    (void)state;
    for (pki_key_type type = PKI_KEY_P256; type <= PKI_KEY_ED25519; type++) {
        pki_cert *leaf = pki_make(&(pki_spec){.cn = "leaf", .key_type = type}, intermediate);

        for (size_t i = 0; i < 3; i++) {
            cinch_error err = CINCH_ERROR_INIT;
            size_t size;
            unsigned char *p12 =
                pki_pkcs12(leaf, (const pki_cert *[]){root, intermediate}, 2, passwords[i], &size);
            cinch_identity *identity = cinch_identity_pkcs12(p12, size, passwords[i], &err);

            if (identity == NULL)
                cinch_error_report(&err, stderr);
            assert_non_null(identity);
            assert_string_equal(cinch_identity_certificate(identity, 0)->common_name, "leaf");
            assert_string_equal(cinch_identity_certificate(identity, 1)->common_name,
                                "Intermediate");
            assert_string_equal(cinch_identity_certificate(identity, 2)->common_name, "Root");
            cinch_identity_free(identity);
            /* An empty password and none are the same to whoever has neither. */
            identity = cinch_identity_pkcs12(p12, size, i == 0 ? "secret" : NULL, &err);
            assert_non_null(identity);
            cinch_identity_free(identity);
            free(p12);
        }
        pki_free(leaf);
    }
}

static void trusted_certificate_label(void **state)
{
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "leaf"}, intermediate);
    BIO *bio = BIO_new(BIO_s_mem());
    char *key = pki_pem_key(leaf, NULL), *text = NULL;

    (void)state;
    assert_int_equal(X509_alias_set1(leaf->cert, (const unsigned char *)"alias", 5), 1);
    assert_int_equal(PEM_write_bio_X509_AUX(bio, leaf->cert), 1);
    assert_int_equal(PEM_write_bio_X509(bio, intermediate->cert), 1);
    assert_int_equal(BIO_write(bio, "", 1), 1);
    assert_true(BIO_get_mem_data(bio, &text) > 0);
    assert_non_null(strstr(text, "TRUSTED CERTIFICATE"));
    char *pem = pki_pem_concat(key, text, (char *)NULL);
    loads_from(pem, NULL, leaf);
    free(pem);
    free(key);
    BIO_free(bio);
    pki_free(leaf);
}

static SSL_CTX *context(int level)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_server_method());

    assert_non_null(ctx);
    SSL_CTX_set_security_level(ctx, level);
    return ctx;
}

static void installs(void **state)
{
    (void)state;
    for (pki_key_type type = PKI_KEY_P256; type <= PKI_KEY_ED25519; type++) {
        cinch_error err = CINCH_ERROR_INIT;
        pki_cert *leaf = pki_make(&(pki_spec){.cn = "leaf", .key_type = type}, intermediate);
        char *key = pki_pem_key(leaf, NULL);
        char *certs = pki_pem_chain((const pki_cert *[]){leaf, intermediate}, 2);
        char *pem = pki_pem_concat(key, certs, (char *)NULL);
        cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, &err);
        SSL_CTX *ctx = context(2);
        STACK_OF(X509) *chain = NULL;

        assert_int_equal(cinch_identity_install(identity, ctx, &err), CINCH_OK);
        assert_int_equal(X509_cmp(SSL_CTX_get0_certificate(ctx), leaf->cert), 0);
        assert_int_equal(SSL_CTX_get0_chain_certs(ctx, &chain), 1);
        assert_int_equal(sk_X509_num(chain), 1);
        /* Once more is fine, and the identity outlives its first owner in others. */
        assert_int_equal(cinch_identity_install(identity, ctx, &err), CINCH_OK);
        cinch_identity *again = cinch_identity_ref(identity);
        cinch_identity_free(identity);
        assert_string_equal(cinch_identity_certificate(again, 0)->common_name, "leaf");
        cinch_identity_free(again);
        SSL_CTX_free(ctx);
        free(pem);
        free(certs);
        free(key);
        pki_free(leaf);
    }
}

static void install_refuses(const pki_spec *spec, const pki_cert *issuer, const pki_cert *extra,
                            const char *what, const char *evidence)
{
    cinch_error err = CINCH_ERROR_INIT;
    pki_cert *leaf = pki_make(spec, issuer);
    char *key = pki_pem_key(leaf, NULL);
    char *certs = pki_pem_chain((const pki_cert *[]){leaf, extra}, extra == NULL ? 1 : 2);
    char *pem = pki_pem_concat(key, certs, (char *)NULL);
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, &err);
    SSL_CTX *ctx = context(2);

    if (identity == NULL)
        cinch_error_report(&err, stderr);
    assert_non_null(identity);
    assert_int_equal(cinch_identity_install(identity, ctx, &err), CINCH_FAILED);
    if (err.cause != CINCH_CAUSE_WEAK_IDENTITY || strstr(err.what, what) == NULL ||
        strstr(err.evidence, evidence) == NULL) {
        cinch_error_report(&err, stderr);
        fail();
    }
    assert_null(SSL_CTX_get0_certificate(ctx));
    assert_true(ERR_peek_error() == 0);
    SSL_CTX_free(ctx);
    cinch_identity_free(identity);
    free(pem);
    free(certs);
    free(key);
    pki_free(leaf);
}

static void weak_identities(void **state)
{
    const pki_spec weak_ca = {
        .cn = "Weak", .is_ca = true, .key_type = PKI_KEY_RSA, .key_bits = 1024};
    const pki_spec sha1_ca = {.cn = "Old", .is_ca = true, .digest = "sha1"};
    pki_cert *weak = pki_make(&weak_ca, root), *old = pki_make(&sha1_ca, root);

    (void)state;
    install_refuses(&(pki_spec){.cn = "leaf", .key_type = PKI_KEY_RSA, .key_bits = 1024},
                    intermediate, intermediate, "RSA with 1024 bits",
                    "security level 2 asks for 112");
    install_refuses(&(pki_spec){.cn = "leaf", .digest = "sha1"}, intermediate, NULL,
                    "ecdsa-with-SHA1", "SHA-256 or better");
    install_refuses(&(pki_spec){.cn = "leaf"}, weak, weak, "\"CN=Weak\"", "80 bits of security");
    install_refuses(&(pki_spec){.cn = "leaf"}, old, old, "\"CN=Old\"", "SHA1 has");
    install_refuses(&(pki_spec){.cn = "leaf", .key_type = PKI_KEY_DSA, .key_bits = 1024},
                    intermediate, NULL, "DSA cannot be used in TLS", "RFC 9155");
    pki_free(weak);
    pki_free(old);
}

static void digest_follows_the_certificates(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "leaf"}, intermediate);
    char *key = pki_pem_key(leaf, NULL), *cert = pki_pem_cert(leaf),
         *ca = pki_pem_cert(intermediate);
    char *one = pki_pem_concat(key, cert, (char *)NULL);
    char *two = pki_pem_concat(cert, cert, ca, key, (char *)NULL);
    char *three = pki_pem_concat(ca, key, cert, (char *)NULL);
    cinch_identity *a = cinch_identity_pem(one, strlen(one), NULL, &err);
    cinch_identity *b = cinch_identity_pem(two, strlen(two), NULL, &err);
    cinch_identity *c = cinch_identity_pem(three, strlen(three), NULL, &err);

    (void)state;
    assert_int_equal(err.status, CINCH_OK);
    assert_memory_not_equal(a->digest, b->digest, 32);
    assert_memory_equal(b->digest, c->digest, 32);
    cinch_identity_free(a);
    cinch_identity_free(b);
    cinch_identity_free(c);
    free(one);
    free(two);
    free(three);
    free(key);
    free(cert);
    free(ca);
    pki_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_in_every_wrapping),
        cmocka_unit_test(every_kind_in_pkcs12),
        cmocka_unit_test(trusted_certificate_label),
        cmocka_unit_test(installs),
        cmocka_unit_test(weak_identities),
        cmocka_unit_test(digest_follows_the_certificates),
    };

    return cmocka_run_group_tests_name("identity_kinds", tests, set_up, tear_down);
}
