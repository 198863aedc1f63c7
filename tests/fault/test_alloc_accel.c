/* Our AES-GCM while each allocation fails once: a clean refusal, or the right bytes; and nothing is left over. */
#include "accel/accel.h"
#include "alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#define SIZE 2000

static unsigned char text[SIZE], right[SIZE], right_tag[16];

/* Additional data that needs room of its own, and a copy in the middle of the text. */
static int seal(EVP_CIPHER *cipher, unsigned char *out, unsigned char tag[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(), *copy = EVP_CIPHER_CTX_new();
    int n, ok = 0;

    if (ctx != NULL && copy != NULL)
        ok = EVP_EncryptInit_ex(ctx, cipher, NULL, text, text) == 1 &&
             EVP_EncryptUpdate(ctx, NULL, &n, text, 30) == 1 &&
             EVP_EncryptUpdate(ctx, NULL, &n, text, 50) == 1 &&
             EVP_EncryptUpdate(ctx, NULL, &n, text, 500) == 1 &&
             EVP_CIPHER_CTX_copy(copy, ctx) == 1 &&
             EVP_EncryptUpdate(copy, out, &n, text, SIZE) == 1 &&
             EVP_EncryptFinal_ex(copy, out, &n) == 1 &&
             EVP_CIPHER_CTX_ctrl(copy, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_CTX_free(copy);
    ERR_clear_error();
    return ok;
}

static const char *run_cipher(void *arg, bool *complete)
{
    unsigned char out[SIZE], tag[16];
    EVP_CIPHER *cipher = cinch_accel_fetch("AES-256-GCM");

    (void)arg;
    *complete = cipher != NULL && seal(cipher, out, tag);
    EVP_CIPHER_free(cipher);
    if (*complete && (memcmp(out, right, SIZE) != 0 || memcmp(tag, right_tag, 16) != 0))
        return "other bytes came out";
    return NULL;
}

static const char *run_ssl_ctx(void *arg, bool *complete)
{
    SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_server_method(), 0);

    (void)arg;
    *complete = ctx != NULL;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return NULL;
}

static void sweep(const char *name, const char *(*run)(void *, bool *))
{
    const char *wrong = alloc_sweep(&(alloc_trial){name, run, NULL, 1});

    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static void test_cipher(void **state)
{
    EVP_CIPHER *theirs = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER *ours = cinch_accel_fetch("AES-256-GCM");

    (void)state;
    assert_int_equal(seal(theirs, right, right_tag), 1);
    EVP_CIPHER_free(theirs);
    EVP_CIPHER_free(ours);
    if (ours == NULL)
        skip();
    sweep("cipher", run_cipher);
}

static void test_ssl_ctx(void **state)
{
    (void)state;
    sweep("SSL_CTX", run_ssl_ctx);
    assert_true(cinch_version_accel()[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cipher),
        cmocka_unit_test(test_ssl_ctx),
    };

    alloc_install();
    return cmocka_run_group_tests_name("alloc_accel", tests, NULL, NULL);
}
