/*
 * A policy does not depend on openssl.cnf. The file is read once, when libcrypto is first used, so
 * this is a program of its own: main() sets OPENSSL_CONF before anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/openssl.h"
#include "policy/policy.h"

#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that could weaken TLS or break it, in one file. */
static const char conf[] = "openssl_conf = init\n"
                           "[init]\nssl_conf = ssl\n"
                           "[ssl]\nsystem_default = all\n"
                           "[all]\n"
                           "CipherString = DEFAULT@SECLEVEL=0\n"
                           "Ciphersuites = TLS_AES_256_GCM_SHA384\n"
                           "MinProtocol = TLSv1\n"
                           "MaxProtocol = TLSv1.2\n"
                           "Groups = P-521\n"
                           "SignatureAlgorithms = RSA+SHA1\n"
                           "ClientSignatureAlgorithms = RSA+SHA1\n"
                           "Protocol = -TLSv1.3\n"
                           "Options = UnsafeLegacyRenegotiation,UnsafeLegacyServerConnect,"
                           "ClientRenegotiation,-ServerPreference,Compression\n";

static SSL_CTX *plain(void)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_method());

    assert_non_null(ctx);
    return ctx;
}

/* Without this, the test would pass for a file that is never read. */
static void the_file_is_in_force(void **state)
{
    SSL_CTX *ctx = plain();

    (void)state;
    assert_int_equal(SSL_CTX_get_security_level(ctx), 0);
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_VERSION);
    assert_true((SSL_CTX_get_options(ctx) & SSL_OP_NO_TLSv1_3) != 0);
    SSL_CTX_free(ctx);
}

static void suites_of(SSL_CTX *ctx, char *text, size_t size)
{
    SSL *ssl = SSL_new(ctx);
    STACK_OF(SSL_CIPHER) *suites = SSL_get1_supported_ciphers(ssl);

    text[0] = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        size_t used = strlen(text);

        snprintf(text + used, size - used,
                 "%s:", SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, i)));
    }
    sk_SSL_CIPHER_free(suites);
    SSL_free(ssl);
}

static void the_policy_prevails(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);
    SSL_CTX *ctx = plain();
    char suites[1024];

    (void)state;
    assert_int_equal(cinch_policy_check(policy, &err), CINCH_OK);
    assert_int_equal(cinch_policy_install(policy, ctx, &err), CINCH_OK);
    assert_int_equal(SSL_CTX_get_security_level(ctx), 2);
    assert_int_equal(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_get_max_proto_version(ctx), TLS1_3_VERSION);
    uint64_t options = SSL_CTX_get_options(ctx);
    assert_true((options & (SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3)) == 0);
    assert_true((options & SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION) == 0);
    assert_true((options & SSL_OP_LEGACY_SERVER_CONNECT) == 0);
    assert_true((options & SSL_OP_NO_COMPRESSION) != 0);
    assert_true((options & SSL_OP_NO_RENEGOTIATION) != 0);
    assert_true((options & SSL_OP_CIPHER_SERVER_PREFERENCE) != 0);
    suites_of(ctx, suites, sizeof suites);
    assert_string_equal(
        suites, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:");
    SSL_CTX_free(ctx);
    cinch_policy_free(policy);
}

/* With P-521 and RSA+SHA1 still in force this ECDSA handshake could not come about. */
static void groups_and_signatures_prevail(void **state)
{
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "leaf"}, NULL);
    cinch_policy *policy = cinch_policy_new("modern", NULL);
    SSL_CTX *ctx = plain();
    BIO *left = NULL, *right = NULL;
    int done = 0;

    (void)state;
    assert_int_equal(cinch_policy_install(policy, ctx, NULL), CINCH_OK);
    assert_int_equal(SSL_CTX_use_cert_and_key(ctx, leaf->cert, leaf->key, NULL, 1), 1);
    SSL *client = SSL_new(ctx), *server = SSL_new(ctx);
    assert_int_equal(BIO_new_bio_pair(&left, 0, &right, 0), 1);
    SSL_set_bio(client, left, left);
    SSL_set_bio(server, right, right);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int round = 0; round < 20 && done != 2; round++)
        done = (SSL_do_handshake(client) == 1) + (SSL_do_handshake(server) == 1);
    assert_int_equal(done, 2);
    assert_string_equal(cinch_ssl_group(client),
                        SSL_version(client) == TLS1_3_VERSION ? cinch_ssl_group(server) : "");
    assert_string_not_equal(cinch_ssl_group(client), "P-521");
    assert_string_equal(cinch_ssl_peer_signature(client), "ecdsa_sha256");
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    cinch_policy_free(policy);
    pki_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_in_force),
        cmocka_unit_test(the_policy_prevails),
        cmocka_unit_test(groups_and_signatures_prevail),
    };
    char *dir = pki_tmpdir(), *path = pki_path(dir, "openssl", ".cnf");
    int result = 1;

    if (pki_write(path, conf, 0600) && setenv("OPENSSL_CONF", path, 1) == 0)
        result = cmocka_run_group_tests_name("policy_conf", tests, NULL, NULL);
    free(path);
    pki_rmtree(dir);
    return result;
}
