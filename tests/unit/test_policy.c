/* What each policy allows, and what its setters refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/openssl.h"
#include "policy/policy.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

static SSL_CTX *installed(const cinch_policy *policy)
{
    cinch_error err = CINCH_ERROR_INIT;
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_method());

    assert_non_null(ctx);
    if (cinch_policy_install(policy, ctx, &err) != CINCH_OK) {
        cinch_error_report(&err, stderr);
        fail();
    }
    return ctx;
}

/* The suites in force, in order, separated by colons. */
static void suites_of(SSL_CTX *ctx, char *text, size_t size)
{
    SSL *ssl = SSL_new(ctx);
    STACK_OF(SSL_CIPHER) *suites = SSL_get1_supported_ciphers(ssl);

    text[0] = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        size_t used = strlen(text);

        snprintf(text + used, size - used, "%s%s", i > 0 ? ":" : "",
                 SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, i)));
    }
    sk_SSL_CIPHER_free(suites);
    SSL_free(ssl);
}

#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                  \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define SUITES_OLD                                                                                 \
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"

static void expected_suites(const cinch_policy *policy, const char *wanted)
{
    char text[1024];
    SSL_CTX *ctx = installed(policy);

    suites_of(ctx, text, sizeof text);
    assert_string_equal(text, wanted);
    SSL_CTX_free(ctx);
}

static void named_policies(void **state)
{
    static const struct {
        const char *name, *called;
        int min;
        const char *suites;
    } expected[] = {
        {NULL, "cinch-2026", TLS1_2_VERSION, SUITES_13 ":" SUITES_12},
        {"default", "cinch-2026", TLS1_2_VERSION, SUITES_13 ":" SUITES_12},
        {"cinch-2026", "cinch-2026", TLS1_2_VERSION, SUITES_13 ":" SUITES_12},
        {"modern", "modern", TLS1_3_VERSION, SUITES_13},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_policy *policy = cinch_policy_new(expected[i].name, &err);

        assert_non_null(policy);
        assert_string_equal(policy->name, expected[i].called);
        assert_int_equal(cinch_policy_check(policy, &err), CINCH_OK);
        SSL_CTX *ctx = installed(policy);
        assert_int_equal(SSL_CTX_get_min_proto_version(ctx), expected[i].min);
        assert_int_equal(SSL_CTX_get_max_proto_version(ctx), TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_get_security_level(ctx), 2);
        uint64_t options = SSL_CTX_get_options(ctx);
        assert_true((options & SSL_OP_NO_COMPRESSION) != 0);
        assert_true((options & SSL_OP_NO_RENEGOTIATION) != 0);
        assert_true((options & SSL_OP_CIPHER_SERVER_PREFERENCE) != 0);
        expected_suites(policy, expected[i].suites);
        SSL_CTX_free(ctx);
        cinch_policy_free(policy);
    }
}

static void list_of_policies(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_string_equal(cinch_policy_list(0), "default");
    assert_string_equal(cinch_policy_list(1), "cinch-2026");
    assert_string_equal(cinch_policy_list(2), "modern");
    assert_null(cinch_policy_list(3));
    assert_null(cinch_policy_list((size_t)-1));
    assert_null(cinch_policy_new("defualt", &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    assert_string_equal(err.remedy, "did you mean \"default\"?");
    assert_non_null(strstr(err.evidence, "default, cinch-2026, modern"));
}

typedef cinch_status (*setter)(cinch_policy *, const char *, cinch_error *);

static void refuses(setter set, const char *list, const char *text)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    cinch_policy *before = cinch_policy_copy(policy, NULL);
    cinch_error err = CINCH_ERROR_INIT;
    char all[4096];

    cinch_status status = set(policy, list, &err);
    cinch_error_print(&err, all, sizeof all);
    if (status != CINCH_FAILED || strstr(all, text) == NULL ||
        err.cause != (list == NULL ? CINCH_CAUSE_MISUSE : CINCH_CAUSE_BAD_SETTING))
        fail_msg("\"%s\": wanted \"%s\", got:\n%s", list == NULL ? "(null)" : list, text, all);
    assert_string_equal(policy->name, "cinch-2026");
    assert_string_equal(policy->ciphers, before->ciphers);
    assert_string_equal(policy->suites, before->suites);
    assert_string_equal(policy->groups, before->groups);
    assert_string_equal(policy->sigalgs, before->sigalgs);
    assert_true(ERR_peek_error() == 0);
    /* Without an error to fill it fails as well. */
    assert_int_equal(set(policy, list, NULL), CINCH_FAILED);
    cinch_policy_free(before);
    cinch_policy_free(policy);
}

static void takes(setter set, const char *list)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    cinch_error err = CINCH_ERROR_INIT;

    if (set(policy, list, &err) != CINCH_OK || cinch_policy_check(policy, &err) != CINCH_OK) {
        cinch_error_report(&err, stderr);
        fail();
    }
    assert_string_equal(policy->name, "custom");
    assert_true(ERR_peek_error() == 0);
    SSL_CTX_free(installed(policy));
    cinch_policy_free(policy);
}

static void cipher_lists(void **state)
{
    (void)state;
    takes(cinch_policy_ciphers, "ECDHE+AESGCM:ECDHE+CHACHA20");
    takes(cinch_policy_ciphers, "ECDHE-RSA-AES256-GCM-SHA384");
    takes(cinch_policy_ciphers, "HIGH:!aNULL:!eNULL:!RC4:!3DES:!MD5:-kRSA:+DHE:@STRENGTH");
    takes(cinch_policy_ciphers, "ECDHE+AESGCM ECDHE+CHACHA20,AES128-GCM-SHA256");
    refuses(cinch_policy_ciphers, NULL, "is NULL");
    refuses(cinch_policy_ciphers, "", "empty");
    refuses(cinch_policy_ciphers, ": ,;:", "empty");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:ECDHE-RSA-AES128-GCM-SHA265",
            "did you mean \"ECDHE-RSA-AES128-GCM-SHA256\"?");
    refuses(cinch_policy_ciphers, "ECDHE+AESGMC", "knows no cipher suite \"AESGMC\"");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:!RC5", "\"RC5\"");
    refuses(cinch_policy_ciphers, "TLS_AES_128_GCM_SHA256", "is a suite of TLS 1.3");
    /* Newer ones know a suite by this name too. */
    if (OpenSSL_version_num() < 0x30200000L)
        refuses(cinch_policy_ciphers, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "did you mean \"ECDHE-ECDSA-AES128-GCM-SHA256\"?");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:@SECLEVEL=0", "@SECLEVEL=0");
    refuses(cinch_policy_ciphers, "SUITEB128", "SUITEB128");
    refuses(cinch_policy_ciphers, "PROFILE=SYSTEM", "PROFILE=SYSTEM");
    refuses(cinch_policy_ciphers, "HIGH", "without authentication");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:eNULL:!aNULL", "without encryption");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:AECDH-AES128-SHA", "without authentication");
    refuses(cinch_policy_ciphers, "ECDHE+AESGCM:!ALL", "nothing remains");
    refuses(cinch_policy_ciphers, "!aNULL", "nothing remains");
    refuses(cinch_policy_ciphers, "kRSA+CHACHA20", "no cipher suite that is \"kRSA+CHACHA20\"");
    refuses(cinch_policy_ciphers, "EXPORT", "no cipher suite that is \"EXPORT\"");
    refuses(cinch_policy_ciphers, "--ALL", "\"--ALL\"");
    refuses(cinch_policy_ciphers, "!", "\"!\"");
}

static void suite_lists(void **state)
{
    (void)state;
    takes(cinch_policy_suites, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    refuses(cinch_policy_suites, NULL, "is NULL");
    refuses(cinch_policy_suites, "", "empty");
    refuses(cinch_policy_suites, "TLS_AES_128_GMC_SHA256",
            "did you mean \"TLS_AES_128_GCM_SHA256\"?");
    refuses(cinch_policy_suites, "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256",
            "is a suite of TLS 1.2");
    refuses(cinch_policy_suites, "TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384", "knows no");
    refuses(cinch_policy_suites, "TLS_SHA256_SHA256", "TLS_SHA256_SHA256");
}

static void group_lists(void **state)
{
    (void)state;
    takes(cinch_policy_groups, "X25519:P-256");
    takes(cinch_policy_groups, "secp384r1");
    takes(cinch_policy_groups, "?NOSUCHGROUP:X25519");
    refuses(cinch_policy_groups, NULL, "is NULL");
    refuses(cinch_policy_groups, "", "empty");
    refuses(cinch_policy_groups, "X25519:P256", "did you mean \"P-256\"?");
    refuses(cinch_policy_groups, "?NOSUCHGROUP", "none of the groups");
    refuses(cinch_policy_groups, "*X25519", "\"*X25519\"");
    refuses(cinch_policy_groups, "X25519:-P-256", "\"-P-256\"");
    refuses(cinch_policy_groups, "DEFAULT", "\"DEFAULT\"");
    refuses(cinch_policy_groups, "X25519/P-256", "\"X25519/P-256\"");
}

static void signature_lists(void **state)
{
    (void)state;
    takes(cinch_policy_sigalgs, "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256");
    takes(cinch_policy_sigalgs, "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256");
    refuses(cinch_policy_sigalgs, NULL, "is NULL");
    refuses(cinch_policy_sigalgs, "", "empty");
    refuses(cinch_policy_sigalgs, "rsa_pss_rsae_sha265", "did you mean \"rsa_pss_rsae_sha256\"?");
    refuses(cinch_policy_sigalgs, "ecdsa_secp256r1_sha256:RSA+SHA1", "RFC 9155");
    refuses(cinch_policy_sigalgs, "rsa_pkcs1_sha1", "RFC 9155");
    refuses(cinch_policy_sigalgs, "?ed25519", "\"?ed25519\"");
}

static void long_lists(void **state)
{
    char word[200], list[5000];

    (void)state;
    memset(word, 'X', sizeof word);
    word[sizeof word - 1] = 0;
    memset(list, ':', sizeof list);
    memcpy(list, "X25519", 6);
    list[sizeof list - 1] = 0;
    setter setters[] = {cinch_policy_ciphers, cinch_policy_suites, cinch_policy_groups,
                        cinch_policy_sigalgs};
    for (size_t i = 0; i < 4; i++) {
        refuses(setters[i], word, "XXXX");
        refuses(setters[i], list, "longer than");
    }
}

static void versions(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    (void)state;
    static const struct {
        int min, max, insecure;
        const char *text; /* NULL: taken */
        const char *suites;
    } cases[] = {
        {0x0303, 0x0304, 0, NULL, SUITES_13 ":" SUITES_12},
        {0x0303, 0x0303, 0, NULL, SUITES_12},
        {0x0304, 0x0304, 0, NULL, SUITES_13},
        {0x0302, 0x0304, 0, "TLS 1.1 is broken", NULL},
        {0x0301, 0x0301, 0, "TLS 1.0 is broken", NULL},
        {0x0304, 0x0303, 0, "above the highest", NULL},
        {0x0300, 0x0303, 0, "0x0300 is not", NULL},
        {0x0303, 0x0305, 0, "0x0305 is not", NULL},
        {0, 0, 0, "0x0000 is not", NULL},
        {0x0300, 0x0303, 1, "0x0300 is not", NULL},
        {0x0303, 0x0301, 1, "above the highest", NULL},
        {0x0301, 0x0304, 1, NULL, SUITES_13 ":" SUITES_12 ":" SUITES_OLD},
        {0x0301, 0x0303, 1, NULL, SUITES_12 ":" SUITES_OLD},
        {0x0301, 0x0302, 1, NULL, SUITES_OLD},
        {0x0301, 0x0301, 1, NULL, SUITES_OLD},
        /* And back: nothing of it stays. */
        {0x0303, 0x0304, 1, NULL, SUITES_13 ":" SUITES_12},
        {0x0303, 0x0304, 0, NULL, SUITES_13 ":" SUITES_12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cinch_tls_version min = (cinch_tls_version)cases[i].min;
        cinch_tls_version max = (cinch_tls_version)cases[i].max;
        int before = policy->min;
        cinch_status status = cases[i].insecure
                                  ? cinch_policy_insecure_versions(policy, min, max, &err)
                                  : cinch_policy_versions(policy, min, max, &err);

        if (cases[i].text != NULL) {
            assert_int_equal(status, CINCH_FAILED);
            assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
            assert_non_null(strstr(err.what, cases[i].text));
            assert_int_equal(policy->min, before);
            cinch_error_clear(&err);
            continue;
        }
        assert_int_equal(status, CINCH_OK);
        assert_int_equal(cinch_policy_check(policy, &err), CINCH_OK);
        assert_int_equal(policy->level, cases[i].min < 0x0303 ? 0 : 2);
        assert_int_equal(strstr(policy->sigalgs, "SHA1") != NULL, cases[i].min < 0x0303);
        expected_suites(policy, cases[i].suites);
    }
    cinch_policy_free(policy);
}

static void check_fails(cinch_policy *policy, const char *text)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_policy_check(policy, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    if (strstr(err.what, text) == NULL)
        fail_msg("wanted \"%s\", got \"%s\"", text, err.what);
    assert_true(ERR_peek_error() == 0);
    cinch_policy_free(policy);
}

static void parts_that_do_not_fit(void **state)
{
    cinch_policy *policy = cinch_policy_new("modern", NULL);

    (void)state;
    assert_int_equal(cinch_policy_ciphers(policy, "ECDHE+AESGCM", NULL), CINCH_OK);
    check_fails(policy, "the policy allows TLS 1.3 only");
    policy = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_suites(policy, "TLS_AES_128_GCM_SHA256", NULL), CINCH_OK);
    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    check_fails(policy, "does not allow TLS 1.3");
    policy = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_insecure_versions(policy, CINCH_TLS_1_0, CINCH_TLS_1_2, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_policy_ciphers(policy, "ECDHE+AESGCM", NULL), CINCH_OK);
    check_fails(policy, "allows TLS 1.0 and no cipher suite");
    policy = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_sigalgs(policy, "rsa_pkcs1_sha256:RSA+SHA384", NULL), CINCH_OK);
    check_fails(policy, "no signature algorithm");
}

static void hash_of(const cinch_policy *policy, unsigned char digest[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
    assert_int_equal(cinch_policy_hash(policy, md), 1);
    assert_int_equal(EVP_DigestFinal_ex(md, digest, NULL), 1);
    EVP_MD_CTX_free(md);
}

static void hash_sees_every_setting(void **state)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL),
                 *same = cinch_policy_new("cinch-2026", NULL);
    unsigned char digests[7][32], again[32];

    (void)state;
    hash_of(policy, digests[0]);
    hash_of(same, again);
    assert_memory_equal(digests[0], again, 32);
    assert_int_equal(cinch_policy_ciphers(policy, "ECDHE+AESGCM", NULL), CINCH_OK);
    hash_of(policy, digests[1]);
    assert_int_equal(cinch_policy_suites(policy, "TLS_AES_128_GCM_SHA256", NULL), CINCH_OK);
    hash_of(policy, digests[2]);
    assert_int_equal(cinch_policy_groups(policy, "P-256", NULL), CINCH_OK);
    hash_of(policy, digests[3]);
    assert_int_equal(cinch_policy_sigalgs(policy, "ed25519", NULL), CINCH_OK);
    hash_of(policy, digests[4]);
    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    hash_of(policy, digests[5]);
    policy->level = 1;
    hash_of(policy, digests[6]);
    for (size_t i = 0; i < 7; i++)
        for (size_t j = i + 1; j < 7; j++)
            assert_memory_not_equal(digests[i], digests[j], 32);
    cinch_policy_free(policy);
    cinch_policy_free(same);
}

static void null_and_first_error(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_policy_ciphers(NULL, "HIGH", &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    assert_null(cinch_policy_new(NULL, &err));
    assert_int_equal(cinch_policy_suites(NULL, "x", NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_groups(NULL, "x", NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_sigalgs(NULL, "x", NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_versions(NULL, CINCH_TLS_1_2, CINCH_TLS_1_3, NULL), CINCH_FAILED);
    assert_int_equal(cinch_policy_insecure_versions(NULL, CINCH_TLS_1_2, CINCH_TLS_1_3, NULL),
                     CINCH_FAILED);
    cinch_policy_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_policies),
        cmocka_unit_test(list_of_policies),

        cmocka_unit_test(cipher_lists),
        cmocka_unit_test(suite_lists),
        cmocka_unit_test(group_lists),
        cmocka_unit_test(signature_lists),
        cmocka_unit_test(long_lists),
        cmocka_unit_test(versions),
        cmocka_unit_test(parts_that_do_not_fit),
        cmocka_unit_test(hash_sees_every_setting),
        cmocka_unit_test(null_and_first_error),
    };

    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
