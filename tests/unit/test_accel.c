/* AES-GCM by libipsec-mb against OpenSSL's own, on random input of every size and in every kind of pieces. */
#include "accel/accel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define LARGEST 20000

static const char *const names[] = {"AES-128-GCM", "AES-256-GCM"};
static EVP_CIPHER *ours[2];
static EVP_CIPHER *theirs[2];

static unsigned char text[LARGEST], expected[LARGEST], result[LARGEST + 64];
static unsigned char key[32], iv[128], aad[1000];

/* Where ours is not in use there is nothing to compare. */
static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        ours[i] = cinch_accel_fetch(names[i]);
        theirs[i] = EVP_CIPHER_fetch(NULL, names[i], NULL);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        EVP_CIPHER_free(ours[i]);
        EVP_CIPHER_free(theirs[i]);
    }
    return 0;
}

static void fresh(void *bytes, size_t size)
{
    assert_int_equal(RAND_bytes(bytes, (int)size), 1);
}

static unsigned below(unsigned most)
{
    unsigned number;

    fresh(&number, sizeof number);
    return number % most;
}

/* What is done with one message. */
typedef struct work {
    int encrypts;
    size_t iv_size;
    size_t aad_size, aad_piece;
    size_t size, first, piece; /* the first piece of the text, and the others */
} work;

static void put(EVP_CIPHER_CTX *ctx, unsigned char *out, const unsigned char *in, size_t size)
{
    int done = -1;

    assert_int_equal(EVP_CipherUpdate(ctx, out, &done, in, (int)size), 1);
    assert_int_equal(done, size);
}

/* The new tag, or whether the one at TAG was right. */
static int run(EVP_CIPHER *cipher, const work *w, const unsigned char *in, unsigned char *out,
               unsigned char tag[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char nothing[16];
    int done = -1;

    assert_int_equal(EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, w->encrypts), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)w->iv_size, NULL), 1);
    assert_int_equal(EVP_CipherInit_ex(ctx, NULL, NULL, key, iv, w->encrypts), 1);
    if (!w->encrypts)
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag), 1);
    for (size_t at = 0, n; at < w->aad_size; at += n) {
        n = w->aad_size - at < w->aad_piece ? w->aad_size - at : w->aad_piece;
        put(ctx, NULL, aad + at, n);
    }
    for (size_t at = 0, n = w->first; at < w->size || n == 0; at += n, n = w->piece) {
        if (n > w->size - at)
            n = w->size - at;
        put(ctx, out + at, in + at, n);
    }
    int ok = EVP_CipherFinal_ex(ctx, nothing, &done);
    if (w->encrypts) {
        assert_int_equal(ok, 1);
        assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag), 1);
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* Both ways, in place and not, at some address; ours must do what OpenSSL's does in one piece. */
static void compare(int kind, const work *wanted)
{
    work whole = *wanted, w = *wanted;
    unsigned char right[16], tag[16] = {0};
    unsigned char *to = result + below(64);

    whole.encrypts = w.encrypts = 1;
    whole.first = whole.piece = whole.size > 0 ? whole.size : 1;
    whole.aad_piece = whole.aad_size;
    assert_int_equal(run(theirs[kind], &whole, text, expected, right), 1);

    assert_int_equal(run(ours[kind], &w, text, to, tag), 1);
    assert_memory_equal(to, expected, w.size);
    assert_memory_equal(tag, right, 16);
    w.encrypts = 0;
    assert_int_equal(run(ours[kind], &w, to, to, tag), 1);
    assert_memory_equal(to, text, w.size);
    w.encrypts = 1;
    assert_int_equal(run(ours[kind], &w, to, to, tag), 1);
    assert_memory_equal(to, expected, w.size);
    w.encrypts = 0;
    assert_int_equal(run(ours[kind], &w, expected, to, tag), 1);
    assert_memory_equal(to, text, w.size);
    tag[below(16)] ^= (unsigned char)(1u << below(8));
    assert_int_equal(run(ours[kind], &w, expected, to, tag), 0);
}

static void renew(void)
{
    fresh(key, sizeof key);
    fresh(iv, sizeof iv);
    fresh(aad, sizeof aad);
    fresh(text, sizeof text);
}

/* Every size of 0 to 20,000, each with another key size, split and additional data. */
static void test_every_size(void **state)
{
    (void)state;
    if (ours[0] == NULL)
        skip();
    renew();
    for (size_t size = 0; size <= LARGEST; size++) {
        if (size % 1000 == 0)
            renew();
        /* The larger ones in one of two key sizes, and both in the end. */
        for (int kind = 0; kind < 2; kind++) {
            work w = {0, 12, 0, 0, size, 0, 0};

            if (size > 1100 && (size & 1) != (size_t)kind)
                continue;
            w.aad_size = below(3) == 0 ? below(sizeof aad) : 13;
            w.aad_piece = 1 + below(40);
            w.first = size == 0 ? 1 : below((unsigned)size + 1);
            w.piece = 1 + below(3) * (unsigned)size / 2;
            if (size > 600 && w.piece < 16)
                w.piece = 16 + below(1000);
            compare(kind, &w);
        }
    }
}

/* Split in two at every place, and in pieces of every size. */
static void test_every_split(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 17, 255, 256, 257, 300, 511, 768, 1040};

    (void)state;
    if (ours[0] == NULL)
        skip();
    renew();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t at = 0; at <= sizes[i]; at++) {
            work two = {0, 12, 20, 7, sizes[i], at, sizes[i]};
            work many = {0, 12, 5, 5, sizes[i], at + 1, at + 1};

            compare((int)(at & 1), &two);
            compare((int)(at & 1), &many);
        }
}

static void test_every_iv_size(void **state)
{
    (void)state;
    if (ours[0] == NULL)
        skip();
    renew();
    for (size_t size = 1; size <= sizeof iv; size++)
        for (int kind = 0; kind < 2; kind++) {
            work w = {0, size, 16, 16, 100 + size, 33, 50};

            if (size <= EVP_MAX_IV_LENGTH || size % 7 == 0)
                compare(kind, &w);
        }
}

/* Additional data only, of every size, in one piece and in many. */
static void test_every_additional_data(void **state)
{
    (void)state;
    if (ours[0] == NULL)
        skip();
    renew();
    for (size_t size = 0; size < sizeof aad; size++) {
        work one = {0, 12, size, size, 0, 1, 1};
        work many = {0, 12, size, 1 + size / 5, 64, 64, 64};

        compare((int)(size & 1), &one);
        compare((int)(size & 1), &many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_every_iv_size),
        cmocka_unit_test(test_every_additional_data),
    };

    return cmocka_run_group_tests_name("accel", tests, set_up, tear_down);
}
