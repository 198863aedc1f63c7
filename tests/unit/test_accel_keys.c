/* Our derivation of the keys of TLS 1.3 against OpenSSL's own, and against RFC 8448; and nobody else finds it. */
#include "accel/accel.h"
#include "accel/provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>

#define LARGEST 20000
#define NONE ((size_t)-1)

static EVP_KDF *ours, *theirs;
static EVP_KDF *our_prf, *their_prf;
static unsigned char bytes[LARGEST];

static int set_up(void **state)
{
    (void)state;
    ours = cinch_accel_fetch_keys("TLS13-KDF");
    theirs = EVP_KDF_fetch(NULL, "TLS13-KDF", "provider=default");
    our_prf = cinch_accel_fetch_keys("TLS1-PRF");
    their_prf = EVP_KDF_fetch(NULL, "TLS1-PRF", "provider=default");
    return RAND_bytes(bytes, sizeof bytes) != 1 || theirs == NULL || their_prf == NULL ||
           (ours == NULL) != (our_prf == NULL);
}

static int tear_down(void **state)
{
    (void)state;
    EVP_KDF_free(ours);
    EVP_KDF_free(theirs);
    EVP_KDF_free(our_prf);
    EVP_KDF_free(their_prf);
    return 0;
}

static void need_ours(void)
{
    if (ours == NULL)
        skip();
}

/* What a derivation is told; NONE leaves a size's parameter out, and all bytes are of BYTES. */
typedef struct work {
    const char *digest, *prefix;
    int mode;
    size_t key, salt, label, context, out;
} work;

static void add(OSSL_PARAM **p, const char *name, void *from, size_t size)
{
    if (size != NONE)
        *(*p)++ = OSSL_PARAM_construct_octet_string(name, from, size);
}

static int run(EVP_KDF *kdf, const work *w, unsigned char *out)
{
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[9], *p = params;
    char digest[16], prefix[16];
    int mode = w->mode;

    assert_non_null(ctx);
    if (mode >= 0)
        *p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    snprintf(digest, sizeof digest, "%s", w->digest == NULL ? "" : w->digest);
    snprintf(prefix, sizeof prefix, "%s", w->prefix == NULL ? "" : w->prefix);
    if (w->digest != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    add(&p, OSSL_KDF_PARAM_KEY, bytes, w->key);
    add(&p, OSSL_KDF_PARAM_SALT, bytes + 2000, w->salt);
    if (w->prefix != NULL)
        add(&p, OSSL_KDF_PARAM_PREFIX, prefix, strlen(prefix));
    add(&p, OSSL_KDF_PARAM_LABEL, bytes + 4000, w->label);
    add(&p, OSSL_KDF_PARAM_DATA, bytes + 6000, w->context);
    *p = OSSL_PARAM_construct_end();
    int ok = EVP_KDF_derive(ctx, out, w->out, params) == 1;
    EVP_KDF_CTX_free(ctx);
    assert_int_equal(ok, ERR_peek_error() == 0);
    ERR_clear_error();
    return ok;
}

static void compare(const work *w)
{
    unsigned char expected[255 * 48], result[255 * 48];

    memset(result, 0x5a, sizeof result);
    assert_true(w->out <= sizeof result);
    assert_int_equal(run(theirs, w, expected), 1);
    assert_int_equal(run(ours, w, result), 1);
    assert_memory_equal(result, expected, w->out);
    for (size_t i = w->out; i < sizeof result && i < w->out + 64; i++)
        assert_int_equal(result[i], 0x5a);
}

static void test_expand(void **state)
{
    static const char *const names[] = {"SHA256",   "SHA384",  "SHA2-256", "SHA2-384",
                                        "SHA2-256", "sha-256", "SHA-384"};

    (void)state;
    need_ours();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        work w = {names[i], "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 12, 32, 32};
        size_t whole = strstr(names[i], "256") != NULL ? 32 : 48;

        for (w.key = 1; w.key < 300; w.key += 1 + w.key / 140)
            compare(&w);
        w.key = whole;
        for (w.label = 0; w.label <= 249; w.label++)
            compare(&w);
        w.label = 5;
        for (w.context = 0; w.context <= 255; w.context++)
            compare(&w);
        w.context = NONE;
        for (w.out = 1; w.out <= 255 * whole; w.out += 1 + w.out / 100)
            compare(&w);
        w.out = 255 * whole;
        compare(&w);
        w.label = 255;
        w.prefix = "";
        compare(&w);
    }
}

/* A secret of 1024 bytes is that of ffdhe8192; more than a block is hashed first where it is the salt. */
static void test_next_secret(void **state)
{
    static const size_t secrets[] = {NONE, 1, 31, 32, 48, 64, 65, 128, 129, 256, 512, 1024, 2000};
    static const size_t salts[] = {NONE, 1, 32, 48, 64, 65, 128, 129, 500};

    (void)state;
    need_ours();
    for (int i = 0; i < 2; i++) {
        work w = {i == 0 ? "SHA256" : "SHA384",
                  "tls13 ",
                  EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                  0,
                  0,
                  7,
                  NONE,
                  i == 0 ? 32 : 48};

        for (size_t k = 0; k < sizeof secrets / sizeof secrets[0]; k++)
            for (size_t s = 0; s < sizeof salts / sizeof salts[0]; s++) {
                w.key = secrets[k];
                w.salt = salts[s];
                compare(&w);
            }
    }
}

static void test_refused(void **state)
{
    static const work wrong[] = {
        {NULL, "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 3, 32, 32},
        {"nothing", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 3, 32, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, NONE, NONE, 3, 32, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 250, 32, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 300, 32, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 3, 256, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXPAND_ONLY, 32, NONE, 3, 32, 255 * 32 + 1},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, 32, NONE, 3, 32, 32},
        {"SHA256", "tls13 ", 7, 32, NONE, 3, 32, 32},
        {"SHA256", "tls13 ", -1, 32, NONE, 3, 32, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXTRACT_ONLY, 32, 32, 7, NONE, 31},
        {"SHA384", "tls13 ", EVP_KDF_HKDF_MODE_EXTRACT_ONLY, 48, 48, 7, NONE, 32},
        {"SHA256", "tls13 ", EVP_KDF_HKDF_MODE_EXTRACT_ONLY, 32, 32, 250, NONE, 32},
    };
    unsigned char out[255 * 48], untouched[sizeof out];

    (void)state;
    need_ours();
    memset(untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(out, 0x5a, sizeof out);
        assert_int_equal(run(ours, &wrong[i], out), 0);
        assert_memory_equal(out, untouched, sizeof out);
    }
}

/* Parameters of the wrong kind; and none that are set beforehand, which would be forgotten silently. */
static void test_kinds(void **state)
{
    static const char *const octets[] = {"key", "salt", "prefix", "label", "data", "digest"};
    unsigned char out[32];
    int number = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

    (void)state;
    need_ours();
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(ours);
    assert_non_null(ctx);
    for (size_t i = 0; i < sizeof octets / sizeof octets[0]; i++) {
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_int("mode", &number),
            OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
            OSSL_PARAM_construct_octet_string("key", bytes, 32),
            OSSL_PARAM_construct_int(octets[i], &number),
            OSSL_PARAM_construct_end(),
        };

        assert_int_not_equal(EVP_KDF_derive(ctx, out, sizeof out, params), 1);
        assert_int_not_equal(EVP_KDF_CTX_set_params(ctx, params), 1);
        ERR_clear_error();
    }
    for (int i = 0; i < 2; i++) {
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string("mode",
                                             i == 0 ? (char[]){"expand_only"} : (char[]){"?"}, 0),
            OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
            OSSL_PARAM_construct_octet_string("key", bytes, 32),
            OSSL_PARAM_construct_end(),
        };

        assert_int_equal(EVP_KDF_derive(ctx, out, sizeof out, params) == 1, i == 0);
        ERR_clear_error();
    }
    EVP_KDF_CTX_free(ctx);
}

/* Of the PRF of TLS 1.2; the seeds are one after the other in BYTES. NONE leaves the secret or a seed out. */
typedef struct prf_work {
    const char *digest;
    size_t secret, seeds[10], out;
} prf_work;

static int run_prf(EVP_KDF *kdf, const prf_work *w, unsigned char *out)
{
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[14], *p = params;
    char digest[16];
    size_t at = 1000;

    assert_non_null(ctx);
    snprintf(digest, sizeof digest, "%s", w->digest == NULL ? "" : w->digest);
    if (w->digest != NULL)
        *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    add(&p, OSSL_KDF_PARAM_SECRET, bytes, w->secret);
    for (size_t i = 0; i < 10; i++) {
        add(&p, OSSL_KDF_PARAM_SEED, w->seeds[i] == 0 ? NULL : bytes + at, w->seeds[i]);
        at += w->seeds[i] == NONE ? 0 : w->seeds[i];
    }
    *p = OSSL_PARAM_construct_end();
    int ok = EVP_KDF_derive(ctx, out, w->out, params) == 1;
    EVP_KDF_CTX_free(ctx);
    assert_int_equal(ok, ERR_peek_error() == 0);
    ERR_clear_error();
    return ok;
}

static void compare_prf(const prf_work *w)
{
    unsigned char expected[1100], result[1100];

    memset(result, 0x5a, sizeof result);
    assert_int_equal(run_prf(their_prf, w, expected), 1);
    assert_int_equal(run_prf(our_prf, w, result), 1);
    assert_memory_equal(result, expected, w->out);
    for (size_t i = w->out; i < sizeof result; i++)
        assert_int_equal(result[i], 0x5a);
}

/* With the hash of TLS 1.0 and others, which are left to OpenSSL. */
static void test_prf(void **state)
{
    static const char *const names[] = {"SHA256",   "SHA384", "SHA2-256", "SHA2-384",
                                        "MD5-SHA1", "SHA512", "SHA1"};

    (void)state;
    need_ours();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        prf_work w = {names[i], 48, {13, 32, 32}, 48};

        for (w.secret = 1; w.secret < 300; w.secret += 7)
            compare_prf(&w);
        w.secret = 48;
        for (w.out = 1; w.out <= 1000; w.out += 1 + w.out / 40)
            compare_prf(&w);
        w.out = 104;
        for (w.seeds[0] = 0; w.seeds[0] < 200; w.seeds[0] += 3)
            compare_prf(&w);
        for (size_t n = 3; n < 8; n++) {
            w.seeds[n] = 10 + n;
            compare_prf(&w);
        }
        w.seeds[1] = NONE;
        compare_prf(&w);
    }
}

static void test_prf_refused(void **state)
{
    static const prf_work wrong[] = {
        {NULL, 48, {13, 32}, 48},         {"nothing", 48, {13, 32}, 48},
        {"SHA256", NONE, {13, 32}, 48},   {"SHA256", 48, {0}, 48},
        {"SHA256", 48, {NONE, NONE}, 48}, {"SHA256", 48, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 48},
        {"SHA256", 48, {13, 32}, 0},
    };
    unsigned char out[64], untouched[sizeof out];

    (void)state;
    need_ours();
    memset(untouched, 0x5a, sizeof untouched);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(out, 0x5a, sizeof out);
        assert_int_equal(run_prf(our_prf, &wrong[i], out), 0);
        assert_memory_equal(out, untouched, sizeof out);
    }
}

/* RFC 8448, section 3: the derived secret after the early one, without a shared secret. */
static void test_rfc_8448(void **state)
{
    static const unsigned char early[32] = {
        0x33, 0xad, 0x0a, 0x1c, 0x60, 0x7e, 0xc0, 0x3b, 0x09, 0xe6, 0xcd,
        0x98, 0x93, 0x68, 0x0c, 0xe2, 0x10, 0xad, 0xf3, 0x00, 0xaa, 0x1f,
        0x26, 0x60, 0xe1, 0xb2, 0x2e, 0x10, 0xf1, 0x70, 0xf9, 0x2a,
    };
    const work w = {"SHA256", NULL, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, NONE, NONE, NONE, NONE, 32};
    unsigned char out[32];

    (void)state;
    need_ours();
    assert_int_equal(run(ours, &w, out), 1);
    assert_memory_equal(out, early, sizeof early);
}

static const char *whose(const char *query)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", query);
    const char *provider;

    assert_non_null(kdf);
    provider = OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf));
    EVP_KDF_free(kdf);
    return provider;
}

static const char *whose_wish(void)
{
    char query[CINCH_PROVIDER_QUERY];

    cinch_accel_wish(query);
    return whose(query);
}

static void *whose_in_a_thread(void *arg)
{
    const char **found = arg;

    *found = whose_wish();
    return NULL;
}

/* What libssl asks in a handshake, in any thread, once there is an SSL_CTX of ours. */
static void test_libssl_finds_it(void **state)
{
    const char *found = NULL;
    pthread_t thread;

    (void)state;
    need_ours();
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_client_method(), 0);
    assert_non_null(ctx);
    assert_string_equal(whose_wish(), "cinch");
    assert_int_equal(pthread_create(&thread, NULL, whose_in_a_thread, &found), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(found, "cinch");
    SSL_CTX_free(ctx);
}

/* Others get OpenSSL's; a program may ask for other implementations, and for FIPS, at any time. */
static void test_others(void **state)
{
    static const char *const queries[] = {NULL, "", "provider=default", "?provider=cinch",
                                          "fips=no"};
    static const char *const wishes[] = {"provider=default", "provider!=cinch", "fips=yes"};

    (void)state;
    need_ours();
    assert_string_equal(cinch_version_keys(), "libcinch");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
            assert_string_equal(whose(queries[i]), "default");
        EVP_KDF *again = cinch_accel_fetch_keys("TLS13-KDF");
        assert_non_null(again);
        EVP_KDF_free(again);
        /* What OpenSSL remembers of such questions is forgotten. */
        assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    }
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(EVP_set_default_properties(NULL, wishes[i]), 1);
        assert_null(cinch_accel_fetch_keys("TLS13-KDF"));
        assert_non_null(strstr(cinch_version_keys(), i == 2 ? "FIPS" : "properties"));
        assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    }
    assert_string_equal(cinch_version_keys(), "libcinch");
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),   cmocka_unit_test(test_next_secret),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_prf),      cmocka_unit_test(test_prf_refused),
        cmocka_unit_test(test_rfc_8448), cmocka_unit_test(test_libssl_finds_it),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests_name("accel_keys", tests, set_up, tear_down);
}
