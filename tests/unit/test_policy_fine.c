/* The finer settings of a policy: levels, Diffie-Hellman, preference, and that each is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/openssl.h"
#include "pair.h"
#include "policy/policy.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static pki_family *family;
static pki_cert *rsa;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    rsa = pki_make(&(pki_spec){.cn = "localhost", .key_type = PKI_KEY_RSA}, family->root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(rsa);
    pki_family_free(family);
    return 0;
}

static char *parameters_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    assert_int_equal(PEM_write_bio_Parameters(bio, key), 1);
    long size = BIO_get_mem_data(bio, &data);
    char *pem = calloc(1, (size_t)size + 1);

    memcpy(pem, data, (size_t)size);
    BIO_free(bio);
    return pem;
}

static EVP_PKEY *from_params(OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);

    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEY_PARAMETERS, params), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static char *dh_group(const char *name)
{
    char text[32];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("group", text, 0),
                           OSSL_PARAM_construct_end()};

    snprintf(text, sizeof text, "%s", name);
    EVP_PKEY *key = from_params(params);
    char *pem = parameters_pem(key);
    EVP_PKEY_free(key);
    return pem;
}

/* 2048 bits and no prime: what is exchanged with it can be computed. */
static char *composite(void)
{
    BIGNUM *p = BN_new(), *g = BN_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

    BN_set_word(g, 2);
    BN_set_bit(p, 2047);
    BN_add_word(p, 15);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, "p", p), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, "g", g), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *key = from_params(params);
    char *pem = parameters_pem(key);
    EVP_PKEY_free(key);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(p);
    BN_free(g);
    return pem;
}

static void failed(cinch_error *err, const char *text)
{
    char all[4096];

    cinch_error_print(err, all, sizeof all);
    if (err->cause != CINCH_CAUSE_BAD_SETTING || strstr(all, text) == NULL)
        fail_msg("wanted \"%s\", got:\n%s", text, all);
    assert_true(ERR_peek_error() == 0);
    cinch_error_clear(err);
}

static void levels(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *p = cinch_policy_new(NULL, &err);

    (void)state;
    for (int level = -1; level <= 6; level++) {
        if (level >= 2 && level <= 5) {
            assert_int_equal(cinch_policy_security_level(p, level, &err), CINCH_OK);
            assert_int_equal(p->level, level);
            assert_string_equal(p->name, "custom");
        } else {
            int before = p->level;
            assert_int_equal(cinch_policy_security_level(p, level, &err), CINCH_FAILED);
            failed(&err, level == 0 || level == 1 ? "cinch_policy_insecure_security_level()"
                                                  : "2 to 5 are allowed");
            assert_int_equal(p->level, before);
        }
        if (level >= 0 && level <= 5) {
            assert_int_equal(cinch_policy_insecure_security_level(p, level, &err), CINCH_OK);
            assert_int_equal(p->level, level);
        } else {
            assert_int_equal(cinch_policy_insecure_security_level(p, level, &err), CINCH_FAILED);
            failed(&err, "0 to 5 are allowed");
        }
    }
    cinch_policy_free(p);
}

/* TLS 1.0 needs level 0; what was wished before is in force again afterwards. */
static void levels_and_versions(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *p = cinch_policy_new(NULL, &err);

    (void)state;
    assert_int_equal(cinch_policy_security_level(p, 3, &err), CINCH_OK);
    assert_int_equal(cinch_policy_insecure_versions(p, CINCH_TLS_1_0, CINCH_TLS_1_3, &err),
                     CINCH_OK);
    assert_int_equal(p->level, 0);
    assert_int_equal(cinch_policy_security_level(p, 3, &err), CINCH_FAILED);
    failed(&err, "TLS 1.0, which needs security level 0");
    assert_int_equal(cinch_policy_insecure_security_level(p, 1, &err), CINCH_FAILED);
    failed(&err, "needs security level 0");
    assert_int_equal(cinch_policy_versions(p, CINCH_TLS_1_2, CINCH_TLS_1_3, &err), CINCH_OK);
    assert_int_equal(p->level, 3);
    cinch_policy_free(p);
}

static void level_against_lists(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);
    cinch_policy *p = cinch_policy_new("modern", &err);

    (void)state;
    assert_int_equal(cinch_policy_security_level(p, 5, &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_FAILED);
    failed(&err, "no group of the policy reaches security level 5");
    assert_int_equal(cinch_policy_curve(p, "P-521", &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_OK);
    assert_int_equal(cinch_policy_sigalgs(p, "ecdsa_secp384r1_sha384", &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_FAILED);
    failed(&err, "no signature algorithm of the policy reaches");
    assert_int_equal(cinch_policy_security_level(p, 4, &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_OK);
    assert_int_equal(cinch_policy_client_sigalgs(p, "ecdsa_secp256r1_sha256", &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_FAILED);
    failed(&err, "no signature algorithm of the policy reaches");
    assert_int_equal(cinch_policy_client_sigalgs(p, NULL, &err), CINCH_OK);
    assert_int_equal(cinch_policy_suites(p, "TLS_AES_128_GCM_SHA256", &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, p, &err), CINCH_FAILED);
    failed(&err, "no cipher suite");
    cinch_policy_free(p);
    cinch_context_free(ctx);
}

static void bits(void **state)
{
    (void)state;
    assert_int_equal(cinch_policy_group_bits("X25519"), 128);
    assert_int_equal(cinch_policy_group_bits("P-384"), 192);
    assert_int_equal(cinch_policy_group_bits("?secp521r1"), 256);
    assert_int_equal(cinch_policy_group_bits("ffdhe2048"), 112);
    assert_int_equal(cinch_policy_group_bits("nonsense"), 0);
    assert_int_equal(cinch_policy_sigalg_bits("rsa_pss_rsae_sha384"), 192);
    assert_int_equal(cinch_policy_sigalg_bits("ECDSA+SHA1"), 63);
    assert_int_equal(cinch_policy_bits(2), 112);
    assert_true(ERR_peek_error() == 0);
}

static void one_curve(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *p = cinch_policy_new(NULL, &err);

    (void)state;
    assert_int_equal(cinch_policy_curve(p, "prime256v1", &err), CINCH_OK);
    assert_string_equal(p->groups, "prime256v1");
    assert_int_equal(cinch_policy_curve(p, "P-256:P-384", &err), CINCH_FAILED);
    failed(&err, "cinch_policy_groups()");
    assert_int_equal(cinch_policy_curve(p, "?P-256", &err), CINCH_FAILED);
    failed(&err, "not the name of one curve");
    assert_int_equal(cinch_policy_curve(p, "P256", &err), CINCH_FAILED);
    failed(&err, "did you mean \"P-256\"?");
    assert_int_equal(cinch_policy_curve(p, "", &err), CINCH_FAILED);
    failed(&err, "empty");
    assert_string_equal(p->groups, "prime256v1");
    assert_int_equal(cinch_policy_curve(p, NULL, &err), CINCH_FAILED);
    cinch_policy_free(p);
}

static void dh_refused(const char *pem, const char *text)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *p = cinch_policy_new(NULL, &err);

    assert_int_equal(cinch_policy_dh_pem(p, pem, strlen(pem), &err), CINCH_FAILED);
    failed(&err, text);
    assert_null(p->dh);
    assert_string_equal(p->name, "cinch-2026");
    cinch_policy_free(p);
}

/* Logjam (CVE-2015-4000), and CVE-2016-0701: primes that are small, or none. */
static void dh_parameters_are_checked(void **state)
{
    char *small = dh_group("modp_1536"), *good = dh_group("ffdhe2048"), *bad = composite();
    char *key = pki_pem_key(family->good, NULL), *cut = strdup(good);

    (void)state;
    dh_refused(small, "1536 bits: 2048 to 8192");
    dh_refused(bad, "not safe");
    dh_refused("", "0 bytes");
    dh_refused("-----BEGIN DH PARAMETERS-----\n", "no Diffie-Hellman parameters");
    dh_refused("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
               "for EC, not for DH");
    dh_refused(key, "no Diffie-Hellman parameters");
    cut[strlen(cut) / 2] = 0;
    dh_refused(cut, "no Diffie-Hellman parameters");
    free(cut);
    free(key);
    free(bad);
    free(good);
    free(small);
}

static void small_dh_needs_two_words(void **state)
{
    char *small = dh_group("modp_1536");
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *p = cinch_policy_new(NULL, &err);

    (void)state;
    assert_int_equal(cinch_policy_insecure_dh_pem(p, small, strlen(small), &err), CINCH_OK);
    assert_int_equal(cinch_policy_check(p, &err), CINCH_FAILED);
    failed(&err, "not enough for security level 2");
    assert_int_equal(cinch_policy_insecure_security_level(p, 1, &err), CINCH_OK);
    assert_int_equal(cinch_policy_check(p, &err), CINCH_OK);
    /* NULL is the way back. */
    assert_int_equal(cinch_policy_dh_pem(p, NULL, 0, &err), CINCH_OK);
    assert_null(p->dh);
    cinch_policy_free(p);
    free(small);
}

/* What was agreed on between a client and a server with these policies; "" for nothing. */
static void agreed(const cinch_policy *client, const cinch_policy *server, char *suite, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *a = pair_client_context(family->root), *b = pair_server_context(rsa, NULL);
    pair p = {0};

    assert_int_equal(cinch_context_policy(a, client, &err), CINCH_OK);
    assert_int_equal(cinch_context_policy(b, server, &err), CINCH_OK);
    pair_start(&p, a, b, "localhost");
    pair_handshake(&p);
    suite[0] = 0;
    if (p.client.status == CINCH_OK && p.server.status == CINCH_OK) {
        cinch_peer *peer = cinch_conn_peer(p.client.conn, &err);
        snprintf(suite, size, "%s", peer->cipher);
        cinch_peer_free(peer);
    }
    pair_stop(&p);
    cinch_context_free(a);
    cinch_context_free(b);
}

static cinch_policy *with_ciphers(const char *list)
{
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(p, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_ciphers(p, list, NULL), CINCH_OK);
    return p;
}

static void whose_order(void **state)
{
    cinch_policy *client = with_ciphers("ECDHE+CHACHA20:ECDHE+AESGCM");
    cinch_policy *server = with_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20");
    char suite[80];

    (void)state;
    agreed(client, server, suite, sizeof suite);
    assert_non_null(strstr(suite, "GCM"));
    assert_int_equal(cinch_policy_server_preference(server, 0, NULL), CINCH_OK);
    agreed(client, server, suite, sizeof suite);
    assert_non_null(strstr(suite, "CHACHA20"));
    assert_int_equal(cinch_policy_server_preference(server, 1, NULL), CINCH_OK);
    agreed(client, server, suite, sizeof suite);
    assert_non_null(strstr(suite, "GCM"));
    cinch_policy_free(client);
    cinch_policy_free(server);
}

static void dh_on_the_wire(void **state)
{
    char *good = dh_group("modp_2048"), *small = dh_group("modp_1536"), suite[80];
    cinch_policy *client = with_ciphers("DHE-RSA-AES128-GCM-SHA256");
    cinch_policy *server = with_ciphers("DHE-RSA-AES128-GCM-SHA256");

    (void)state;
    agreed(client, server, suite, sizeof suite);
    assert_string_not_equal(suite, "");
    assert_int_equal(cinch_policy_dh_pem(server, good, strlen(good), NULL), CINCH_OK);
    agreed(client, server, suite, sizeof suite);
    assert_string_not_equal(suite, "");
    /* The other side's level refuses what is too small, whatever the server thinks of it. */
    assert_int_equal(cinch_policy_insecure_dh_pem(server, small, strlen(small), NULL), CINCH_OK);
    assert_int_equal(cinch_policy_insecure_security_level(server, 1, NULL), CINCH_OK);
    agreed(client, server, suite, sizeof suite);
    assert_string_equal(suite, "");
    assert_int_equal(cinch_policy_insecure_security_level(client, 1, NULL), CINCH_OK);
    agreed(client, server, suite, sizeof suite);
    assert_string_not_equal(suite, "");
    cinch_policy_free(client);
    cinch_policy_free(server);
    free(good);
    free(small);
}

static void legacy_servers(void **state)
{
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    (void)state;
    for (int on = 0; on < 2; on++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_method());

        /* Whatever was set before, as by openssl.cnf. */
        SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
        assert_int_equal(cinch_policy_insecure_legacy_server(p, on, NULL), CINCH_OK);
        assert_int_equal(cinch_policy_install(p, ctx, NULL), CINCH_OK);
        assert_int_equal((SSL_CTX_get_options(ctx) & SSL_OP_LEGACY_SERVER_CONNECT) != 0, on);
        SSL_CTX_free(ctx);
    }
    cinch_policy_free(p);
}

static void hash_of(const cinch_policy *policy, unsigned char digest[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
    assert_int_equal(cinch_policy_hash(policy, md), 1);
    assert_int_equal(EVP_DigestFinal_ex(md, digest, NULL), 1);
    EVP_MD_CTX_free(md);
}

/* Contexts with equal policies share what is derived from them: a setting left out would leak. */
static void hash_sees_every_setting(void **state)
{
    char *one = dh_group("ffdhe2048"), *two = dh_group("modp_2048");
    unsigned char digests[7][32], again[32];
    cinch_policy *p = cinch_policy_new(NULL, NULL), *copy;

    (void)state;
    hash_of(p, digests[0]);
    assert_int_equal(cinch_policy_server_preference(p, 0, NULL), CINCH_OK);
    hash_of(p, digests[1]);
    assert_int_equal(cinch_policy_insecure_legacy_server(p, 1, NULL), CINCH_OK);
    hash_of(p, digests[2]);
    assert_int_equal(cinch_policy_dh_pem(p, one, strlen(one), NULL), CINCH_OK);
    hash_of(p, digests[3]);
    assert_int_equal(cinch_policy_dh_pem(p, two, strlen(two), NULL), CINCH_OK);
    hash_of(p, digests[4]);
    assert_int_equal(cinch_policy_client_sigalgs(p, p->sigalgs, NULL), CINCH_OK);
    hash_of(p, digests[5]);
    assert_int_equal(cinch_policy_security_level(p, 3, NULL), CINCH_OK);
    hash_of(p, digests[6]);
    for (size_t i = 0; i < 7; i++)
        for (size_t j = i + 1; j < 7; j++)
            assert_memory_not_equal(digests[i], digests[j], 32);
    copy = cinch_policy_copy(p, NULL);
    hash_of(copy, again);
    assert_memory_equal(again, digests[6], 32);
    cinch_policy_free(copy);
    cinch_policy_free(p);
    free(one);
    free(two);
}

static void null_policies(void **state)
{
    (void)state;
    assert_int_equal(cinch_policy_security_level(NULL, 2, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_insecure_security_level(NULL, 2, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_server_preference(NULL, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_insecure_legacy_server(NULL, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_client_sigalgs(NULL, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_curve(NULL, "X25519", NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_dh_pem(NULL, NULL, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_insecure_dh_pem(NULL, NULL, 0, NULL), CINCH_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(levels_and_versions),
        cmocka_unit_test(level_against_lists),
        cmocka_unit_test(bits),
        cmocka_unit_test(one_curve),
        cmocka_unit_test(dh_parameters_are_checked),
        cmocka_unit_test(small_dh_needs_two_words),
        cmocka_unit_test(whose_order),
        cmocka_unit_test(dh_on_the_wire),
        cmocka_unit_test(legacy_servers),
        cmocka_unit_test(hash_sees_every_setting),
        cmocka_unit_test(null_policies),
    };

    return cmocka_run_group_tests_name("policy_fine", tests, set_up, tear_down);
}
