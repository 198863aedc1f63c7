/*
 * Every allocation of reading an identity and of making a policy fails once. Whatever happens, it
 * is a clean failure or a whole success, and what has to be refused is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/openssl.h"
#include "identity/identity.h"
#include "identity/signer.h"
#include "policy/policy.h"

#include "pki.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <string.h>

/* The allocation that fails, counted from 1; 0 for none. */
static size_t failing, counted;

/* Only libcinch's own: OpenSSL 3.0's stores crash when memory runs out inside them. */
static int ours_only;

static int fails_now(const char *file)
{
    if (ours_only && (file == NULL || strstr(file, "base/memory.c") == NULL))
        return 0;
    return failing != 0 && ++counted == failing;
}

static void *my_malloc(size_t size, const char *file, int line)
{
    (void)line;
    return fails_now(file) ? NULL : malloc(size);
}

static void *my_realloc(void *old, size_t size, const char *file, int line)
{
    return fails_now(file) ? alloc_refuse(old, file, line) : realloc(old, size);
}

static void my_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static char *folder, *good_uri;
static char *good, *locked, *mismatch, *gap;
static unsigned char *p12;
static size_t p12_size;

/* A key whose encryption is cheap: every round of PBKDF2 allocates, and every one fails once. */
static char *lock(EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    X509_SIG *sig = PKCS8_encrypt(-1, EVP_aes_128_cbc(), "secret", 6, NULL, 0, 1, info);

    assert_non_null(sig);
    assert_int_equal(PEM_write_bio_PKCS8(bio, sig), 1);
    assert_int_equal(BIO_write(bio, "", 1), 1);
    assert_true(BIO_get_mem_data(bio, &text) > 0);
    char *copy = pki_pem_concat(text, (char *)NULL);
    BIO_free(bio);
    X509_SIG_free(sig);
    PKCS8_PRIV_KEY_INFO_free(info);
    return copy;
}

static unsigned char *cheap_pkcs12(const pki_cert *leaf, const pki_cert *issuer, size_t *size)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    unsigned char *der = NULL;

    assert_true(sk_X509_push(others, issuer->cert) > 0);
    PKCS12 *made = PKCS12_create("secret", NULL, leaf->key, leaf->cert, others, NID_aes_128_cbc,
                                 NID_aes_128_cbc, 1, 1, 0);
    int length = i2d_PKCS12(made, &der);
    assert_true(length > 0);
    *size = (size_t)length;
    PKCS12_free(made);
    sk_X509_free(others);
    return der;
}

static int set_up(void **state)
{
    pki_family *family = pki_family_new();
    char *key = pki_pem_key(family->good, NULL), *other = pki_pem_key(family->client, NULL);
    char *locked_key = lock(family->good->key);
    const pki_cert *list[] = {family->good, family->intermediate, family->root};
    const pki_cert *hole[] = {family->good, family->root};
    char *chain = pki_pem_chain(list, 3), *part = pki_pem_chain(hole, 2);

    (void)state;
    good = pki_pem_concat(key, chain, (char *)NULL);
    folder = pki_tmpdir();
    char *path = pki_path(folder, "good.pem", "");
    assert_true(pki_write(path, good, 0600));
    good_uri = pki_pem_concat("file:", path, (char *)NULL);
    free(path);
    locked = pki_pem_concat(chain, locked_key, (char *)NULL);
    mismatch = pki_pem_concat(chain, other, (char *)NULL);
    gap = pki_pem_concat(part, key, (char *)NULL);
    p12 = cheap_pkcs12(family->good, family->intermediate, &p12_size);
    free(key);
    free(other);
    free(locked_key);
    free(chain);
    free(part);
    pki_family_free(family);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(good);
    free(good_uri);
    pki_rmtree(folder);
    free(locked);
    free(mismatch);
    free(gap);
    OPENSSL_free(p12);
    return 0;
}

static cinch_identity *from(const char *pem, const char *password, cinch_error *err)
{
    return cinch_identity_pem(pem, strlen(pem), password, err);
}

/* Each does one thing and tells whether it worked. */
static int read_and_install(cinch_error *err)
{
    cinch_identity *identity = from(good, NULL, err);
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_method());
    int ok = 0;

    if (identity != NULL && ctx != NULL)
        ok = cinch_identity_install(identity, ctx, err) == CINCH_OK;
    if (ok) {
        assert_non_null(cinch_identity_certificate(identity, 2));
        assert_non_null(SSL_CTX_get0_certificate(ctx));
    }
    /* Not the library's: the test's own context. */
    if (ctx == NULL && !cinch_error_is_set(err)) {
        ERR_clear_error();
        if (err != NULL)
            err->status = CINCH_FAILED;
    }
    SSL_CTX_free(ctx);
    cinch_identity_free(identity);
    ERR_clear_error(); /* freeing an SSL_CTX may leave something, and that is the test's */
    return ok;
}

static int read_locked(cinch_error *err)
{
    cinch_identity *identity = from(locked, "secret", err);

    cinch_identity_free(identity);
    return identity != NULL;
}

static int read_pkcs12(cinch_error *err)
{
    cinch_identity *identity = cinch_identity_pkcs12(p12, p12_size, "secret", err);

    cinch_identity_free(identity);
    return identity != NULL;
}

/* The key through a store of OpenSSL. */
static int read_uri(cinch_error *err)
{
    cinch_identity *identity = cinch_identity_uri(good_uri, NULL, 0, NULL, err);

    cinch_identity_free(identity);
    return identity != NULL;
}

static int refuse_password(cinch_error *err)
{
    return from(locked, "wrong", err) != NULL;
}

static int refuse_pkcs12_password(cinch_error *err)
{
    return cinch_identity_pkcs12(p12, p12_size, "wrong", err) != NULL;
}

static int refuse_mismatch(cinch_error *err)
{
    return from(mismatch, NULL, err) != NULL;
}

static int refuse_gap(cinch_error *err)
{
    return from(gap, NULL, err) != NULL;
}

static int make_policy(cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new(NULL, err);
    int ok =
        cinch_policy_ciphers(policy, "ECDHE+AESGCM:!RC4", err) == CINCH_OK &&
        cinch_policy_suites(policy, "TLS_AES_128_GCM_SHA256", err) == CINCH_OK &&
        cinch_policy_groups(policy, "?NOSUCH:X25519:P-256", err) == CINCH_OK &&
        cinch_policy_sigalgs(policy, "ed25519:ecdsa_secp256r1_sha256", err) == CINCH_OK &&
        cinch_policy_insecure_versions(policy, CINCH_TLS_1_1, CINCH_TLS_1_3, err) == CINCH_OK &&
        cinch_policy_check(policy, err) == CINCH_OK;

    cinch_policy_free(policy);
    return ok;
}

static int refuse_ciphers(cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new(NULL, err);
    int ok = cinch_policy_ciphers(policy, "ECDHE+AESGCM:NULL-SHA", err) == CINCH_OK;

    cinch_policy_free(policy);
    return ok;
}

/* WANTED is what comes of it when memory is there. Every STEP-th allocation fails once. */
static void sweep(int (*run)(cinch_error *), int wanted, size_t step)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t at, failed = 0;

    failing = 0;
    assert_int_equal(run(&err), wanted);
    for (at = 1; at < 200000; at += step) {
        cinch_error_clear(&err);
        counted = 0;
        failing = at;
        int ok = run(&err);
        size_t seen = counted;
        failing = 0;
        if (!wanted && ok)
            fail_msg("accepted, with allocation %zu failing", at);
        assert_int_equal(ok, !cinch_error_is_set(&err));
        if (ERR_peek_error() != 0) {
            ERR_print_errors_fp(stdout);
            cinch_error_report(&err, stdout);
            fail_msg("OpenSSL's queue is not empty, with allocation %zu failing", at);
        }
        failed += !ok;
        if (seen < at)
            break;
    }
    /* It has reached the end, and some of them mattered. */
    assert_true(at < 200000 && failed > 0 && (ours_only || (at > 10 && failed > 5)));
    cinch_error_clear(&err);
    assert_int_equal(run(&err), wanted);
}

static void identities(void **state)
{
    (void)state;
    sweep(read_and_install, 1, 3);
    sweep(read_locked, 1, 7);
    ours_only = 1;
    sweep(read_uri, 1, 1);
    ours_only = 0;
    sweep(read_pkcs12, 1, 7);
}

static void refused_identities(void **state)
{
    (void)state;
    sweep(refuse_password, 0, 7);
    sweep(refuse_pkcs12_password, 0, 1);
    /* Reading a key is swept above, whole: it is nine allocations in ten. */
    sweep(refuse_mismatch, 0, 11);
    sweep(refuse_gap, 0, 11);
}

static void policies(void **state)
{
    (void)state;
    sweep(make_policy, 1, 5);
    sweep(refuse_ciphers, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities),
        cmocka_unit_test(refused_identities),
        cmocka_unit_test(policies),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests_name("fault_identity", tests, set_up, tear_down);
}
