/* The profile on certificates that the factory does not make, on anchors that are leaves, on the
 * system's anchors, and the call that asks without a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static cinch_context *client_of(const X509 *anchor)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);
    pki_cert holder = {.cert = X509_dup(anchor)};
    char *pem = pki_pem_cert(&holder);

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), &err), CINCH_OK);
    free(pem);
    X509_free(holder.cert);
    return ctx;
}

static cinch_status ask(cinch_context *ctx, const X509 *const chain[], size_t count,
                        const char *host, int64_t when, cinch_error *err)
{
    unsigned char *der[4] = {NULL};
    const unsigned char *borrowed[4];
    size_t sizes[4];

    for (size_t i = 0; i < count; i++) {
        int size = i2d_X509(chain[i], &der[i]);

        assert_true(size > 0);
        sizes[i] = (size_t)size;
        borrowed[i] = der[i];
    }
    cinch_error_clear(err);
    cinch_status status = cinch_context_verify_chain(ctx, borrowed, sizes, count, host, when, err);
    for (size_t i = 0; i < count; i++)
        OPENSSL_free(der[i]);
    assert_int_equal(ERR_peek_error(), 0);
    return status;
}

/* The leaf breaks RULE, and passes when that alone is relaxed. */
static void expect_rule(const X509 *anchor, const X509 *intermediate, const X509 *leaf,
                        cinch_rule rule)
{
    const X509 *const chain[] = {leaf, intermediate};
    size_t count = intermediate == NULL ? 1 : 2;
    cinch_context *ctx = client_of(anchor);
    cinch_error err = CINCH_ERROR_INIT;
    char name[64];

    assert_int_equal(ask(ctx, chain, count, "localhost", -1, &err), CINCH_FAILED);
    snprintf(name, sizeof name, "\"%s\"", cinch_rule_name(rule));
    if (strstr(err.what, name) == NULL)
        fail_msg("%s and not %s", err.what, name);
    assert_int_equal(cinch_context_insecure_relax(ctx, rule, 1, NULL), CINCH_OK);
    if (ask(ctx, chain, count, "localhost", -1, &err) != CINCH_OK)
        fail_msg("%s", err.what);
    assert_int_equal(cinch_context_insecure_relax(ctx, rule, 0, NULL), CINCH_OK);
    assert_int_equal(ask(ctx, chain, count, "localhost", -1, &err), CINCH_FAILED);
    cinch_context_free(ctx);
}

static X509 *resign(const pki_cert *cert, EVP_PKEY *key)
{
    X509 *x = X509_dup(cert->cert);

    assert_non_null(x);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static void test_general_time_before_2050(void **state)
{
    X509 *x = X509_dup(family->good->cert);
    ASN1_GENERALIZEDTIME *time = ASN1_GENERALIZEDTIME_set(NULL, 2000000000);

    (void)state;
    assert_int_equal(X509_set1_notAfter(x, time), 1);
    assert_true(X509_sign(x, family->intermediate->key, EVP_sha256()) > 0);
    expect_rule(family->root->cert, family->intermediate->cert, x, CINCH_RULE_DATES);
    /* After 2049 it is as it should be. */
    assert_non_null(ASN1_GENERALIZEDTIME_set(time, 2840140800));
    assert_int_equal(X509_set1_notAfter(x, time), 1);
    assert_true(X509_sign(x, family->intermediate->key, EVP_sha256()) > 0);
    const X509 *const chain[] = {x, family->intermediate->cert};
    cinch_context *ctx = client_of(family->root->cert);
    cinch_error err = CINCH_ERROR_INIT;
    assert_int_equal(ask(ctx, chain, 2, "localhost", -1, &err), CINCH_OK);
    cinch_context_free(ctx);
    ASN1_GENERALIZEDTIME_free(time);
    X509_free(x);
}

/* Nobody checks the signature of an anchor, so nobody else would notice. */
static void test_two_signature_algorithms(void **state)
{
    unsigned char *der = NULL;
    int size = i2d_X509(family->root->cert, &der);
    static const unsigned char sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
    unsigned char *last = NULL;

    (void)state;
    for (int i = 0; i + 8 < size; i++)
        if (memcmp(der + i, sha256, 8) == 0)
            last = der + i;
    assert_non_null(last);
    last[7] = 3;
    const unsigned char *at = der;
    X509 *x = d2i_X509(NULL, &at, size);
    expect_rule(x, NULL, family->under_root->cert, CINCH_RULE_SIGNATURE);
    X509_free(x);
    OPENSSL_free(der);
}

static void test_key_kinds(void **state)
{
    pki_cert holder = {.key = EVP_EC_gen("secp256k1")};
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x", .key_of = &holder}, family->intermediate);

    (void)state;
    expect_rule(family->root->cert, family->intermediate->cert, leaf->cert, CINCH_RULE_KEY_KIND);
    pki_free(leaf);
    EVP_PKEY_free(holder.key);
}

static void test_nameless_issuer(void **state)
{
    pki_cert *root = pki_make(&(pki_spec){.empty_subject = true, .is_ca = true}, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, root);

    (void)state;
    expect_rule(root->cert, NULL, leaf->cert, CINCH_RULE_NAMES);
    pki_free(leaf);
    pki_free(root);
}

/* What "openssl req -x509" and Debian's ssl-cert make, and people name as their anchor. */
static void test_anchor_is_the_leaf(void **state)
{
    const pki_spec specs[] = {
        {.subject = "/CN=localhost", .is_ca = true, .no_key_usage = true, .dns = {"localhost"}},
        {.subject = "/CN=localhost",
         .is_ca = true,
         .key_usage = "digitalSignature,keyCertSign",
         .dns = {"localhost"}},
        {.subject = "/CN=host",
         .no_key_usage = true,
         .no_eku = true,
         .no_ski = true,
         .no_aki = true,
         .toggle_critical = {"basicConstraints"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        pki_cert *self = pki_make(&specs[i], NULL);
        const X509 *const chain[] = {self->cert};
        cinch_context *ctx = client_of(self->cert);
        cinch_error err = CINCH_ERROR_INIT;

        if (ask(ctx, chain, 1, "localhost", -1, &err) != CINCH_OK)
            fail_msg("%zu: %s", i, err.what);
        /* Name, time and key still count. */
        assert_int_equal(ask(ctx, chain, 1, "other.test", -1, &err), CINCH_FAILED);
        assert_int_equal(err.cause, CINCH_CAUSE_WRONG_HOST_NAME);
        assert_int_equal(ask(ctx, chain, 1, "localhost", (int64_t)time(NULL) + 86400 * 4000, &err),
                         CINCH_FAILED);
        assert_int_equal(err.cause, CINCH_CAUSE_EXPIRED);
        cinch_context_free(ctx);
        /* And nobody else may use one like it. */
        ctx = client_of(family->root->cert);
        assert_int_equal(ask(ctx, chain, 1, "localhost", -1, &err), CINCH_FAILED);
        cinch_context_free(ctx);
        pki_free(self);
    }
}

/* Old public roots are as they are; who maintains the system's store has looked at them. */
static void test_system_anchors_are_spared(void **state)
{
    pki_cert *root = pki_make(
        &(pki_spec){.cn = "Old Root", .is_ca = true, .toggle_critical = {"basicConstraints"}},
        NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, root);
    const X509 *const chain[] = {leaf->cert};
    char *dir = pki_tmpdir(), *path = pki_path(dir, "ca", ".pem"), *pem = pki_pem_cert(root);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_true(pki_write(path, pem, 0644));
    assert_int_equal(setenv("SSL_CERT_FILE", path, 1), 0);
    cinch_context *ctx = cinch_context_client(NULL);
    if (ask(ctx, chain, 1, "localhost", -1, &err) != CINCH_OK)
        fail_msg("%s", err.what);
    cinch_context_free(ctx);
    unsetenv("SSL_CERT_FILE");
    expect_rule(root->cert, NULL, leaf->cert, CINCH_RULE_BASIC_CONSTRAINTS);
    pki_rmtree(dir);
    free(path);
    free(pem);
    pki_free(leaf);
    pki_free(root);
}

/*
 * Names times constraints: the attacker signs nothing validly, and the work would be done before any
 * signature is looked at.
 */
static void test_too_many_names(void **state)
{
    enum {
        SUBTREES = 1100,
        NAMES = 1100
    };
    X509 *ca = X509_dup(family->intermediate->cert), *leaf = X509_dup(family->good->cert);
    NAME_CONSTRAINTS *nc = NAME_CONSTRAINTS_new();
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    cinch_context *ctx = client_of(family->root->cert);
    cinch_error err = CINCH_ERROR_INIT;
    char text[32];

    (void)state;
    nc->excludedSubtrees = sk_GENERAL_SUBTREE_new_null();
    for (int i = 0; i < SUBTREES; i++) {
        GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
        ASN1_IA5STRING *value = ASN1_IA5STRING_new();

        snprintf(text, sizeof text, "x%d.test", i);
        ASN1_STRING_set(value, text, -1);
        GENERAL_NAME_set0_value(subtree->base, GEN_DNS, value);
        sk_GENERAL_SUBTREE_push(nc->excludedSubtrees, subtree);
    }
    for (int i = 0; i < NAMES; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *value = ASN1_IA5STRING_new();

        snprintf(text, sizeof text, "y%d.test", i);
        ASN1_STRING_set(value, i == 0 ? "localhost" : text, -1);
        GENERAL_NAME_set0_value(name, GEN_DNS, value);
        sk_GENERAL_NAME_push(names, name);
    }
    assert_int_equal(X509_add1_ext_i2d(ca, NID_name_constraints, nc, 1, 0), 1);
    assert_int_equal(X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE),
                     1);
    assert_true(X509_sign(ca, family->root->key, EVP_sha256()) > 0);
    assert_true(X509_sign(leaf, family->intermediate->key, EVP_sha256()) > 0);
    const X509 *const chain[] = {leaf, ca};
    assert_int_equal(ask(ctx, chain, 2, "localhost", -1, &err), CINCH_FAILED);
    assert_non_null(strstr(err.what, "name-constraints"));
    /* The many names alone are no attack. */
    const X509 *const fine[] = {leaf, family->intermediate->cert};
    assert_int_equal(ask(ctx, fine, 2, "localhost", -1, &err), CINCH_OK);
    NAME_CONSTRAINTS_free(nc);
    GENERAL_NAMES_free(names);
    X509_free(ca);
    X509_free(leaf);
    cinch_context_free(ctx);
}

static void test_asking(void **state)
{
    cinch_context *ctx = client_of(family->root->cert);
    cinch_context *server = cinch_context_server(NULL);
    const X509 *const chain[] = {family->good->cert, family->intermediate->cert};
    const unsigned char junk[] = {0x30, 0}, *der[] = {junk};
    const size_t sizes[] = {sizeof junk};
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(ask(ctx, chain, 2, "localhost", -1, &err), CINCH_OK);
    assert_int_equal(ask(ctx, chain, 2, "127.0.0.1", -1, &err), CINCH_OK);
    assert_int_equal(ask(ctx, chain, 1, "localhost", -1, &err), CINCH_FAILED);
    assert_int_equal(err.category, CINCH_CATEGORY_TRUST);
    assert_int_equal(ask(ctx, chain, 2, NULL, -1, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NO_HOST_NAME);
    assert_int_equal(ask(ctx, chain, 2, "localhost", 0, &err), CINCH_FAILED);
    assert_int_equal(ask(server, chain, 2, NULL, -1, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NO_ANCHORS);
    assert_int_equal(ask(ctx, chain, 0, "localhost", -1, &err), CINCH_FAILED);
    cinch_error_clear(&err);
    assert_int_equal(cinch_context_verify_chain(ctx, der, sizes, 1, "localhost", -1, &err),
                     CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_CERTIFICATE);
    cinch_error_clear(&err);
    assert_int_equal(cinch_context_verify_chain(NULL, der, sizes, 1, "localhost", -1, &err),
                     CINCH_FAILED);
    assert_int_equal(cinch_context_verify_chain(ctx, NULL, sizes, 1, "localhost", -1, NULL),
                     CINCH_FAILED);
    cinch_context_free(ctx);
    cinch_context_free(server);
}

static void test_names_of_rules(void **state)
{
    (void)state;
    for (int i = 0; i < CINCH_RULE_COUNT; i++) {
        assert_string_not_equal(cinch_rule_name((cinch_rule)i), "unknown");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(cinch_rule_name((cinch_rule)i), cinch_rule_name((cinch_rule)k));
    }
    assert_string_equal(cinch_rule_name(CINCH_RULE_COUNT), "unknown");
    assert_string_equal(cinch_rule_name((cinch_rule)-1), "unknown");
}

/* With an exponent of 1 anybody can sign with the key. */
static void test_rsa_exponent(void **state)
{
    pki_cert *rsa = pki_make(&(pki_spec){.cn = "x", .key_type = PKI_KEY_RSA}, family->intermediate);
    static const unsigned char usual[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    unsigned char *der = NULL;
    int size = i2d_X509(rsa->cert, &der), changed = 0;

    (void)state;
    for (int i = 0; !changed && i + 5 < size; i++)
        if (memcmp(der + i, usual, 5) == 0) {
            der[i + 4] = 0; /* 65536 */
            changed = 1;
        }
    assert_true(changed);
    const unsigned char *at = der;
    pki_cert holder = {.cert = d2i_X509(NULL, &at, size)};
    X509 *x = resign(&holder, family->intermediate->key);
    expect_rule(family->root->cert, family->intermediate->cert, x, CINCH_RULE_KEY_KIND);
    X509_free(x);
    X509_free(holder.cert);
    OPENSSL_free(der);
    pki_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_general_time_before_2050),
        cmocka_unit_test(test_two_signature_algorithms),
        cmocka_unit_test(test_key_kinds),
        cmocka_unit_test(test_rsa_exponent),
        cmocka_unit_test(test_nameless_issuer),
        cmocka_unit_test(test_anchor_is_the_leaf),
        cmocka_unit_test(test_system_anchors_are_spared),
        cmocka_unit_test(test_too_many_names),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_names_of_rules),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
