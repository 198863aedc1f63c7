/* Policies on the wire: what a ClientHello carries, and which handshakes come about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/openssl.h"
#include "identity/identity.h"
#include "policy/policy.h"

#include "pki.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pki_family *family;
static cinch_identity *ecdsa, *rsa;

static cinch_identity *identity_of(const pki_cert *cert)
{
    char *key = pki_pem_key(cert, NULL), *text = pki_pem_cert(cert);
    char *pem = pki_pem_concat(key, text, (char *)NULL);
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, NULL);

    assert_non_null(identity);
    free(pem);
    free(text);
    free(key);
    return identity;
}

static int set_up(void **state)
{
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "rsa", .key_type = PKI_KEY_RSA}, NULL);

    (void)state;
    family = pki_family_new();
    ecdsa = identity_of(family->good);
    rsa = identity_of(leaf);
    pki_free(leaf);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_identity_free(ecdsa);
    cinch_identity_free(rsa);
    pki_family_free(family);
    return 0;
}

/* What the client said: extensions 10 (groups) and 13 (signature algorithms), and the suites. */
typedef struct hello {
    unsigned char groups[128], sigalgs[128], suites[128];
    size_t groups_size, sigalgs_size, suites_size;
} hello;

static void copy(unsigned char *to, size_t *to_size, const unsigned char *from, size_t size)
{
    assert_true(size <= 128);
    memcpy(to, from, size);
    *to_size = size;
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
    hello *seen = arg;
    const unsigned char *bytes;
    size_t size = SSL_client_hello_get0_ciphers(ssl, &bytes);

    (void)alert;
    copy(seen->suites, &seen->suites_size, bytes, size);
    if (SSL_client_hello_get0_ext(ssl, 10, &bytes, &size) == 1)
        copy(seen->groups, &seen->groups_size, bytes + 2, size - 2);
    if (SSL_client_hello_get0_ext(ssl, 13, &bytes, &size) == 1)
        copy(seen->sigalgs, &seen->sigalgs_size, bytes + 2, size - 2);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static SSL_CTX *context(const cinch_policy *policy, const cinch_identity *identity, hello *seen)
{
    cinch_error err = CINCH_ERROR_INIT;
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_method());

    assert_non_null(ctx);
    if (cinch_policy_install(policy, ctx, &err) != CINCH_OK ||
        (identity != NULL && cinch_identity_install(identity, ctx, &err) != CINCH_OK)) {
        cinch_error_report(&err, stderr);
        fail();
    }
    if (seen != NULL)
        SSL_CTX_set_client_hello_cb(ctx, on_hello, seen);
    return ctx;
}

/* Runs a handshake in memory and writes "TLSv1.3 SUITE", or "" if there is none. */
static void shake(SSL_CTX *client_ctx, SSL_CTX *server_ctx, char *result, size_t size)
{
    SSL *client = SSL_new(client_ctx), *server = SSL_new(server_ctx);
    BIO *left = NULL, *right = NULL;
    int done_client = 0, done_server = 0;

    assert_int_equal(BIO_new_bio_pair(&left, 0, &right, 0), 1);
    SSL_set_bio(client, left, left);
    SSL_set_bio(server, right, right);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int round = 0; round < 20 && !(done_client && done_server); round++) {
        done_client = SSL_do_handshake(client) == 1;
        done_server = SSL_do_handshake(server) == 1;
    }
    result[0] = 0;
    if (done_client && done_server)
        snprintf(result, size, "%s %s", SSL_get_version(client), SSL_get_cipher_name(client));
    SSL_free(client);
    SSL_free(server);
    ERR_clear_error();
}

static void policies_shake(const cinch_policy *client, const cinch_policy *server,
                           const cinch_identity *identity, const char *wanted)
{
    SSL_CTX *a = context(client, NULL, NULL), *b = context(server, identity, NULL);
    char result[128];

    shake(a, b, result, sizeof result);
    assert_string_equal(result, wanted);
    SSL_CTX_free(a);
    SSL_CTX_free(b);
}

/* The exact numbers that "default" offers (RFC 8446, 4.2.3, 4.2.7 and B.4; RFC 5289; RFC 7905). */
static void default_on_the_wire(void **state)
{
    static const unsigned char suites[] = {0x13, 0x01, 0x13, 0x02, 0x13, 0x03, 0xc0, 0x2b, 0xc0,
                                           0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8};
    static const unsigned char groups[] = {0x11, 0xec, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18};
    static const unsigned char sigalgs[] = {
        0x04, 0x03, 0x08, 0x07, 0x08, 0x04, 0x08, 0x09, 0x04, 0x01, 0x05, 0x03, 0x08, 0x05,
        0x08, 0x0a, 0x05, 0x01, 0x06, 0x03, 0x08, 0x06, 0x08, 0x0b, 0x06, 0x01, 0x08, 0x08};
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    hello seen = {0};
    SSL_CTX *client = context(policy, NULL, NULL), *server = context(policy, ecdsa, &seen);
    char result[128];

    (void)state;
    shake(client, server, result, sizeof result);
    assert_string_equal(result, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    /* 00 ff says that renegotiation would be secure (RFC 5746); it is not a suite. */
    if (seen.suites_size == sizeof suites + 2)
        assert_memory_equal(seen.suites + sizeof suites, "\x00\xff", 2);
    else
        assert_int_equal(seen.suites_size, sizeof suites);
    assert_memory_equal(seen.suites, suites, sizeof suites);
    /* X25519MLKEM768 is there where this OpenSSL has it (3.5). */
    size_t without = seen.groups_size == sizeof groups ? 0 : 2;
    assert_int_equal(seen.groups_size, sizeof groups - without);
    assert_memory_equal(seen.groups, groups + without, seen.groups_size);
    assert_int_equal(seen.sigalgs_size, sizeof sigalgs);
    assert_memory_equal(seen.sigalgs, sigalgs, sizeof sigalgs);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    cinch_policy_free(policy);
}

static cinch_policy *with_range(int insecure, int min, int max)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    cinch_status status = insecure ? cinch_policy_insecure_versions(policy, (cinch_tls_version)min,
                                                                    (cinch_tls_version)max, NULL)
                                   : cinch_policy_versions(policy, (cinch_tls_version)min,
                                                           (cinch_tls_version)max, NULL);

    assert_int_equal(status, CINCH_OK);
    return policy;
}

/* Every version on its own, with both kinds of key; TLS 1.0 and 1.1 need level 0 and SHA-1. */
static void every_version(void **state)
{
    static const struct {
        int version;
        const char *with_ecdsa, *with_rsa;
    } expected[] = {
        {0x0301, "TLSv1 ECDHE-ECDSA-AES128-SHA", "TLSv1 ECDHE-RSA-AES128-SHA"},
        {0x0302, "TLSv1.1 ECDHE-ECDSA-AES128-SHA", "TLSv1.1 ECDHE-RSA-AES128-SHA"},
        {0x0303, "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256"},
        {0x0304, "TLSv1.3 TLS_AES_128_GCM_SHA256", "TLSv1.3 TLS_AES_128_GCM_SHA256"},
    };
    cinch_policy *standard = cinch_policy_new(NULL, NULL);
    cinch_policy *anything = with_range(1, 0x0301, 0x0304);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        cinch_policy *one = with_range(1, expected[i].version, expected[i].version);
        int is_old = expected[i].version < 0x0303;

        policies_shake(one, one, ecdsa, expected[i].with_ecdsa);
        policies_shake(one, one, rsa, expected[i].with_rsa);
        policies_shake(one, anything, rsa, expected[i].with_rsa);
        policies_shake(anything, one, ecdsa, expected[i].with_ecdsa);
        /* Who did not ask for it never gets an old version. */
        policies_shake(standard, one, ecdsa, is_old ? "" : expected[i].with_ecdsa);
        policies_shake(one, standard, rsa, is_old ? "" : expected[i].with_rsa);
        cinch_policy_free(one);
    }
    policies_shake(anything, anything, ecdsa, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    cinch_policy_free(anything);
    cinch_policy_free(standard);
}

static void hand_picked(void **state)
{
    cinch_policy *standard = cinch_policy_new(NULL, NULL),
                 *modern = cinch_policy_new("modern", NULL);
    cinch_policy *picked = with_range(0, 0x0303, 0x0303);

    (void)state;
    policies_shake(modern, standard, rsa, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    policies_shake(modern, picked, rsa, "");
    assert_int_equal(cinch_policy_ciphers(picked, "DHE-RSA-AES128-GCM-SHA256", NULL), CINCH_OK);
    policies_shake(picked, picked, rsa, "TLSv1.2 DHE-RSA-AES128-GCM-SHA256");
    policies_shake(standard, picked, rsa, "");
    /* The server's order counts. */
    assert_int_equal(
        cinch_policy_suites(modern, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", NULL),
        CINCH_OK);
    policies_shake(modern, standard, ecdsa, "TLSv1.3 TLS_AES_128_GCM_SHA256");
    policies_shake(standard, modern, ecdsa, "TLSv1.3 TLS_CHACHA20_POLY1305_SHA256");
    assert_int_equal(cinch_policy_groups(modern, "P-521", NULL), CINCH_OK);
    policies_shake(modern, standard, ecdsa, "");
    cinch_policy_free(standard);
    cinch_policy_free(modern);
    cinch_policy_free(picked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_on_the_wire),
        cmocka_unit_test(every_version),
        cmocka_unit_test(hand_picked),
    };

    return cmocka_run_group_tests_name("policy_handshake", tests, set_up, tear_down);
}
