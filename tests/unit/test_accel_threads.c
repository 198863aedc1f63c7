/* The first SSL_CTXs of a process, made by several threads at once, while providers come and go. */
#include "accel/accel.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#define THREADS 4
#define TIMES 20

static void *make_many(void *arg)
{
    int *made = arg;

    for (int i = 0; i < TIMES; i++) {
        SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_server_method(), i % 2);

        *made += ctx != NULL;
        SSL_CTX_free(ctx);
    }
    return NULL;
}

static void *ask_as_others_do(void *arg)
{
    int *strange = arg;

    for (int i = 0; i < 50 * TIMES; i++) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);

        *strange +=
            cipher == NULL ||
            strcmp(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), "default") != 0;
        EVP_CIPHER_free(cipher);
    }
    return NULL;
}

static void many_threads_begin_at_once(void **state)
{
    pthread_t threads[THREADS], other;
    int made[THREADS] = {0}, strange = 0;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, &made[i]), 0);
    assert_int_equal(pthread_create(&other, NULL, ask_as_others_do, &strange), 0);
    /* OpenSSL forgets each time. */
    for (int i = 0; i < 50; i++) {
        OSSL_PROVIDER *legacy = OSSL_PROVIDER_try_load(NULL, "legacy", 1);

        if (legacy != NULL)
            (void)OSSL_PROVIDER_unload(legacy);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(made[i], TIMES);
    }
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(strange, 0);
    EVP_KDF *kdf = cinch_accel_fetch_keys("TLS13-KDF");
    assert_int_equal(kdf != NULL, strcmp(cinch_version_keys(), "libcinch") == 0);
    EVP_KDF_free(kdf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_threads_begin_at_once),
    };

    return cmocka_run_group_tests_name("accel_threads", tests, NULL, NULL);
}
