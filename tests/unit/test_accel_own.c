/* The library context of clients without a key: it can do what the default one can, and is not used where it could not. */
#include "accel/accel.h"
#include "accel/own.h"
#include "empty_provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>

static const char *program;

static void need_own(void)
{
    if (cinch_own_context() == NULL || strcmp(cinch_version_keys(), "libcinch") != 0)
        skip();
}

static SSL_CTX *small_one(void)
{
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_own_context(), NULL, TLS_client_method());

    assert_non_null(ctx);
    return ctx;
}

static SSL_CTX *usual_one(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    return ctx;
}

static void test_same_suites(void **state)
{
    static const char everything[] = "ALL:COMPLEMENTOFALL:eNULL:@SECLEVEL=0";

    (void)state;
    need_own();
    SSL_CTX *small = small_one(), *usual = usual_one();
    assert_int_equal(SSL_CTX_set_cipher_list(small, everything), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(usual, everything), 1);
    STACK_OF(SSL_CIPHER) *have = SSL_CTX_get_ciphers(small), *want = SSL_CTX_get_ciphers(usual);
    assert_int_equal(sk_SSL_CIPHER_num(have), sk_SSL_CIPHER_num(want));
    assert_true(sk_SSL_CIPHER_num(want) > 50);
    for (int i = 0; i < sk_SSL_CIPHER_num(want); i++)
        assert_string_equal(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(have, i)),
                            SSL_CIPHER_get_name(sk_SSL_CIPHER_value(want, i)));
    SSL_CTX_free(small);
    SSL_CTX_free(usual);
}

static void test_same_groups_and_signatures(void **state)
{
    static const char *const groups[] = {"X25519",          "X448",      "P-256",     "P-384",
                                         "P-521",           "ffdhe2048", "ffdhe8192", "secp256k1",
                                         "brainpoolP256r1", "sect571r1", "nonsense"};
    static const char *const signatures[] = {
        "ECDSA+SHA256", "ECDSA+SHA384",       "ed25519",
        "ed448",        "RSA-PSS+SHA256",     "RSA+SHA1",
        "DSA+SHA256",   "rsa_pss_pss_sha512", "nonsense+SHA256",
    };

    (void)state;
    need_own();
    SSL_CTX *small = small_one(), *usual = usual_one();
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        assert_int_equal(SSL_CTX_set1_groups_list(small, groups[i]),
                         SSL_CTX_set1_groups_list(usual, groups[i]));
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        assert_int_equal(SSL_CTX_set1_sigalgs_list(small, signatures[i]),
                         SSL_CTX_set1_sigalgs_list(usual, signatures[i]));
    ERR_clear_error();
    SSL_CTX_free(small);
    SSL_CTX_free(usual);
}

/* A certificate for KEY, signed by SIGNER's key. */
static int make_der(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md, unsigned char **der)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"any", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x), 3600));
    assert_int_equal(X509_set_pubkey(x, key), 1);
    assert_true(X509_sign(x, signer, md) > 0);
    int size = i2d_X509(x, der);
    X509_free(x);
    assert_true(size > 0);
    return size;
}

static X509 *read_der(OSSL_LIB_CTX *context, const unsigned char *der, int size)
{
    X509 *x = X509_new_ex(context, NULL);

    assert_non_null(d2i_X509(&x, &der, size));
    return x;
}

/* Read there, the key is the same, and either's signature is verified with either's key. */
static void check_key(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md)
{
    unsigned char *der = NULL;
    int size = make_der(key, signer, md, &der);
    X509 *small = read_der(cinch_own_context(), der, size), *usual = read_der(NULL, der, size);
    EVP_PKEY *small_key = X509_get0_pubkey(small);

    assert_non_null(small_key);
    assert_int_equal(EVP_PKEY_eq(small_key, X509_get0_pubkey(usual)), 1);
    assert_int_equal(EVP_PKEY_get_bits(small_key), EVP_PKEY_get_bits(key));
    assert_int_equal(EVP_PKEY_get_base_id(small_key), EVP_PKEY_get_base_id(key));
    int verified = X509_verify(usual, signer);
    assert_int_equal(X509_verify(small, signer), verified);
    ERR_clear_error();
    /* Neither knows the number of each hash with RSA. */
    assert_true(verified == 1 || md == EVP_sha512_256() || md == EVP_sha3_256());
    if (signer == key && verified == 1) {
        assert_int_equal(X509_verify(small, small_key), 1);
        assert_int_equal(X509_verify(usual, small_key), 1);
        assert_int_equal(X509_verify(small, X509_get0_pubkey(usual)), 1);
        der[size - 5] ^= 1;
        X509 *bad = read_der(cinch_own_context(), der, size);
        assert_int_not_equal(X509_verify(bad, small_key), 1);
        ERR_clear_error();
        X509_free(bad);
    }
    X509_free(small);
    X509_free(usual);
    OPENSSL_free(der);
}

static EVP_PKEY *make_rsa(const char *kind)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;

    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void test_same_certificates(void **state)
{
    static const char *const curves[] = {"P-256",     "P-384",           "P-521",
                                         "secp256k1", "brainpoolP384r1", "P-224"};
    static const char *const others[] = {"ED25519", "ED448", "X25519", "X448"};
    EVP_PKEY *signer = make_rsa("RSA"), *key;

    (void)state;
    need_own();
    const EVP_MD *const hashes[] = {EVP_sha1(),     EVP_sha224(),     EVP_sha384(),
                                    EVP_sha3_256(), EVP_sha512_256(), EVP_md5()};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
        check_key(signer, signer, hashes[i]);
    key = make_rsa("RSA-PSS");
    check_key(key, key, EVP_sha256());
    EVP_PKEY_free(key);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        key = EVP_EC_gen(curves[i]);
        assert_non_null(key);
        check_key(key, key, EVP_sha256());
        EVP_PKEY_free(key);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, others[i]);
        assert_non_null(key);
        if (i < 2)
            check_key(key, key, NULL);
        else
            check_key(key, signer, EVP_sha256());
        EVP_PKEY_free(key);
    }
    EVP_PKEY_free(signer);
}

/* What a program loads may be where its keys and its random numbers are. */
static void test_other_providers(void **state)
{
    (void)state;
    need_own();
    OSSL_LIB_CTX *before = cinch_own_context();
    OSSL_PROVIDER *token = empty_provider_load("token");
    assert_non_null(token);
    assert_null(cinch_own_context());
    OSSL_PROVIDER_unload(token);
    assert_ptr_equal(cinch_own_context(), before);
    assert_int_equal(ERR_peek_error(), 0);
}

static void *ask(void *arg)
{
    (void)arg;
    return cinch_own_context();
}

static void test_threads(void **state)
{
    pthread_t threads[8];

    (void)state;
    need_own();
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        void *found;

        assert_int_equal(pthread_join(threads[i], &found), 0);
        assert_ptr_equal(found, cinch_own_context());
    }
}

/* This program, started anew with CONFIG as OpenSSL's configuration: whether it has the context. */
static int has_own_with(const char *config)
{
    char path[] = "/tmp/cinch-own-XXXXXX";
    int fd = mkstemp(path), status = -1;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, config, strlen(config)), (ssize_t)strlen(config));
    close(fd);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setenv("OPENSSL_CONF", path, 1) == 0)
            execl(program, program, "child", (char *)NULL);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

static void test_configuration(void **state)
{
    (void)state;
    need_own();
    assert_int_equal(has_own_with(""), 1);
    assert_int_equal(has_own_with("openssl_conf = init\n[init]\nssl_conf = ssl\nproviders = p\n"
                                  "[ssl]\nsystem_default = d\n[d]\nMinProtocol = TLSv1.2\n"
                                  "[p]\ndefault = s\n[s]\nactivate = 1\n"),
                     1);
    assert_int_equal(
        has_own_with("openssl_conf = init\n[init]\nrandom = r\n[r]\nrandom = HASH-DRBG\n"), 0);
    assert_int_equal(has_own_with("openssl_conf = init\n[init]\nalg_section = a\n"
                                  "[a]\ndefault_properties = ?provider=default\n"),
                     0);
    assert_int_equal(has_own_with("openssl_conf = init\n[init]\nproviders = p\n"
                                  "[p]\ndefault = s\nbase = s\n[s]\nactivate = 1\n"),
                     0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_suites),       cmocka_unit_test(test_same_groups_and_signatures),
        cmocka_unit_test(test_same_certificates), cmocka_unit_test(test_other_providers),
        cmocka_unit_test(test_threads),           cmocka_unit_test(test_configuration),
    };

    program = argv[0];
    if (argc > 1)
        return cinch_own_context() == NULL;
    return cmocka_run_group_tests_name("accel_own", tests, NULL, NULL);
}
