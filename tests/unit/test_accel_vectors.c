/*
 * Our AES-GCM against published vectors: those of the Wycheproof project (vectors/README.md), and the test cases
 * of the paper that GCM was proposed with, which NIST and OpenSSL use as well.
 */
#include "accel/accel.h"
#ifdef CINCH_TEST_IMB
#include "accel/imb.h"
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

typedef struct bytes {
    unsigned char *at;
    long size;
} bytes;

static bytes from_hex(const char *hex)
{
    bytes b = {NULL, 0};

    if (hex[0] == 0) {
        b.at = OPENSSL_malloc(1);
        return b;
    }
    b.at = OPENSSL_hexstr2buf(hex, &b.size);
    assert_non_null(b.at);
    return b;
}

typedef struct vector {
    bytes key, iv, aad, plain, cipher, tag;
} vector;

/* 1 if what comes out is what should, and the tag is right; 0 if anything is refused. */
static int passes(const vector *v, int encrypts)
{
    EVP_CIPHER *cipher = cinch_accel_fetch(v->key.size == 16 ? "AES-128-GCM" : "AES-256-GCM");
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const bytes *in = encrypts ? &v->plain : &v->cipher, *want = encrypts ? &v->cipher : &v->plain;
    unsigned char out[1024], tag[16];
    int done;

    assert_non_null(cipher);
    assert_true(in->size < (long)sizeof out);
    int ok = EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypts) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)v->iv.size, NULL) == 1 &&
             EVP_CipherInit_ex(ctx, NULL, NULL, v->key.at, v->iv.at, encrypts) == 1 &&
             (encrypts ||
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)v->tag.size, v->tag.at) == 1) &&
             EVP_CipherUpdate(ctx, NULL, &done, v->aad.at, (int)v->aad.size) == 1 &&
             EVP_CipherUpdate(ctx, out, &done, in->at, (int)in->size) == 1 &&
             memcmp(out, want->at, (size_t)in->size) == 0 &&
             EVP_CipherFinal_ex(ctx, out, &done) == 1 &&
             (!encrypts || (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1 &&
                            memcmp(tag, v->tag.at, 16) == 0));
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    ERR_clear_error();
    return ok;
}

static vector vector_of(const char *const hex[6])
{
    return (vector){from_hex(hex[0]), from_hex(hex[1]), from_hex(hex[2]),
                    from_hex(hex[3]), from_hex(hex[4]), from_hex(hex[5])};
}

static void vector_free(vector *v)
{
    bytes *const all[] = {&v->key, &v->iv, &v->aad, &v->plain, &v->cipher, &v->tag};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        OPENSSL_free(all[i]->at);
}

static int is_in_use(void)
{
    EVP_CIPHER *cipher = cinch_accel_fetch("AES-128-GCM");

    EVP_CIPHER_free(cipher);
    return cipher != NULL;
}

static void test_wycheproof(void **state)
{
    char path[1000];
    size_t group_at, at, valid = 0, invalid = 0;
    json_t *group, *test;

    (void)state;
    if (!is_in_use())
        skip();
    (void)snprintf(path, sizeof path, "%s/tests/unit/vectors/wycheproof-aes-gcm.json",
                   getenv("CINCH_SOURCE"));
    json_t *all = json_load_file(path, 0, NULL);
    assert_non_null(all);
    json_array_foreach(json_object_get(all, "testGroups"), group_at, group)
    {
        if (json_integer_value(json_object_get(group, "keySize")) == 192)
            continue;
        json_array_foreach(json_object_get(group, "tests"), at, test)
        {
            static const char *const parts[] = {"key", "iv", "aad", "msg", "ct", "tag"};
            const char *hex[6];
            int good = strcmp(json_string_value(json_object_get(test, "result")), "invalid") != 0;

            for (int i = 0; i < 6; i++)
                hex[i] = json_string_value(json_object_get(test, parts[i]));
            vector v = vector_of(hex);
            /* OpenSSL takes IVs of up to 128 bytes, and so does ours. */
            int too_long = v.iv.size > 128;
            if (passes(&v, 0) != (good && !too_long))
                fail_msg("test %lld", json_integer_value(json_object_get(test, "tcId")));
            if (good && !too_long)
                assert_int_equal(passes(&v, 1), 1);
            *(good ? &valid : &invalid) += 1;
            vector_free(&v);
        }
    }
    json_decref(all);
    assert_true(valid > 100);
    assert_true(invalid > 40);
}

#define KEY_3 "feffe9928665731c6d6a8f9467308308"
#define PLAIN_3                                                                                    \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                             \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define AAD_3 "feedfacedeadbeeffeedfacedeadbeefabaddad2"

/* D. McGrew, J. Viega: The Galois/Counter Mode of Operation; cases 1 to 5 and 13 to 17, with those of long IVs. */
static void test_paper(void **state)
{
    static const char *const cases[][6] = {
        {"00000000000000000000000000000000", "000000000000000000000000", "", "", "",
         "58e2fccefa7e3061367f1d57a4e7455a"},
        {"00000000000000000000000000000000", "000000000000000000000000", "",
         "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
         "ab6e47d42cec13bdf53a67b21257bddf"},
        {KEY_3, "cafebabefacedbaddecaf888", "", PLAIN_3 "1aafd255",
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
         "4d5c2af327cd64a62cf35abd2ba6fab4"},
        {KEY_3, "cafebabefacedbaddecaf888", AAD_3, PLAIN_3,
         "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
         "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
         "5bc94fbc3221a5db94fae95ae7121a47"},
        {KEY_3, "cafebabefacedbad", AAD_3, PLAIN_3,
         "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
         "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
         "3612d2e79e3b0785561be14aaca2fccb"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"0000000000000000000000000000000000000000000000000000000000000000",
         "000000000000000000000000", "", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
        {KEY_3 KEY_3, "cafebabefacedbaddecaf888", AAD_3, PLAIN_3,
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
         "76fc6ece0f4e1768cddf8853bb2d551b"},
        {KEY_3 KEY_3, "cafebabefacedbad", AAD_3, PLAIN_3,
         "c3762df1ca787d32ae47c13bf19844cbaf1ae14d0b976afac52ff7d79bba9de0"
         "feb582d33934a4f0954cc2363bc73f7862ac430e64abe499f47c9b1f",
         "3a337dbf46a792c45e454913fe2ea8f2"},
    };

    (void)state;
    if (!is_in_use())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vector v = vector_of(cases[i]);

        if (passes(&v, 1) != 1 || passes(&v, 0) != 1)
            fail_msg("%s", v.tag.size == 16 ? cases[i][5] : "a tag of another size");
        v.tag.at[15] ^= 0x80;
        assert_int_equal(passes(&v, 0), 0);
        vector_free(&v);
    }
}

#ifdef CINCH_TEST_IMB
/* Versions of the library that do not export the functions have a manager that hands them out. */
static void test_manager(void **state)
{
    if (!is_in_use())
        skip();
    assert_int_equal(cinch_imb_load(1), CINCH_IMB_READY);
    assert_memory_equal(cinch_imb_version, "libipsec-mb ", 12);
    test_paper(state);
}

/* ---- A library that is broken ---- */

static void leaves_it_as_it_is(const struct gcm_key_data *key, struct gcm_context_data *context,
                               uint8_t *out, const uint8_t *in, uint64_t size)
{
    (void)key;
    (void)context;
    memmove(out, in, size);
}

static void makes_no_tag(const struct gcm_key_data *key, struct gcm_context_data *context,
                         uint8_t *tag, uint64_t size)
{
    (void)key;
    (void)context;
    memset(tag, 0, size);
}

static cinch_imb right;

static void has_a_larger_key(const void *key, struct gcm_key_data *data)
{
    right.expand(key, data);
    ((unsigned char *)data)[sizeof *data + 100] = 0;
}

static void has_a_larger_state(const struct gcm_key_data *key, struct gcm_context_data *context,
                               const uint8_t *iv, const uint8_t *aad, uint64_t size)
{
    right.start(key, context, iv, aad, size);
    ((unsigned char *)context)[sizeof *context] = 0;
}

static void test_broken(void **state)
{
    cinch_imb wrong[8];

    (void)state;
    if (!is_in_use())
        skip();
    for (int bits = 128; bits <= 256; bits += 128) {
        right = bits == 128 ? cinch_imb_128 : cinch_imb_256;
        for (int i = 0; i < 8; i++)
            wrong[i] = right;
        wrong[0].encrypt = leaves_it_as_it_is;
        wrong[1].decrypt = leaves_it_as_it_is;
        wrong[2].encrypt_end = makes_no_tag;
        wrong[3].decrypt_end = makes_no_tag;
        wrong[4].expand = has_a_larger_key;
        wrong[5].start = has_a_larger_state;
        wrong[6].seal = right.open;
        wrong[7].open = right.seal;
        for (int i = 0; i < 8; i++)
            if (cinch_imb_computes(bits == 128 ? &wrong[i] : &cinch_imb_128,
                                   bits == 128 ? &cinch_imb_256 : &wrong[i]))
                fail_msg("number %d with %d bits went unnoticed", i, bits);
        assert_int_equal(cinch_imb_computes(&cinch_imb_128, &cinch_imb_256), 1);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CINCH_TEST_IMB
        cmocka_unit_test(test_manager),
        cmocka_unit_test(test_broken),
#endif
        cmocka_unit_test(test_wycheproof),
        cmocka_unit_test(test_paper),
    };

    return cmocka_run_group_tests_name("accel_vectors", tests, NULL, NULL);
}
