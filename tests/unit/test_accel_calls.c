/* Our AES-GCM, called in every order: it does what OpenSSL's own does; and nobody else finds it. */
#include "accel/accel.h"
#include "empty_provider.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#define SIZE 100

static EVP_CIPHER *ours, *theirs;
static const unsigned char key[2][16] = {"a key, sixteen b", "another key, 16."};
static unsigned char iv[2][16] = {"a nonce of .", "another one."};
static const unsigned char text[SIZE] = "what is said";

static int set_up(void **state)
{
    (void)state;
    ours = cinch_accel_fetch("AES-128-GCM");
    theirs = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    return theirs == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_CIPHER_free(ours);
    EVP_CIPHER_free(theirs);
    return 0;
}

static void need_ours(void)
{
    if (ours == NULL)
        skip();
}

/*
 * What a sequence of calls came to: each result, each count, each byte. A letter is a call:
 *   E, D  begin to encrypt, to decrypt, with nothing   K, k  the first key, the other
 *   I, i  the first IV, the other                      a     additional data      u   text, in place
 *   f     the end       g  the tag     t  set that tag, w a wrong one, h its first half
 *   s, S  IVs of 8 bytes, of 16        z  nothing of text
 *   x     the IV that is set           c  a copy takes the place of the original
 *   F     the fixed part of an IV      n  the next IV              r  an IV that was received
 *   L     a record's header            p  a record in place        l  the sizes
 */
typedef struct story {
    EVP_CIPHER_CTX *ctx;
    EVP_CIPHER *cipher;
    int encrypts;
    unsigned char bytes[SIZE];
    unsigned char tag[16];
    unsigned char log[2000];
    size_t used;
} story;

static void note(story *s, const void *bytes, size_t size)
{
    assert_true(s->used + size <= sizeof s->log);
    memcpy(s->log + s->used, bytes, size);
    s->used += size;
}

static void note_number(story *s, int number)
{
    note(s, &number, sizeof number);
}

static int begin(story *s, const unsigned char *with_key, const unsigned char *with_iv)
{
    return EVP_CipherInit_ex(s->ctx, NULL, NULL, with_key, with_iv, s->encrypts);
}

static int ctrl(story *s, int type, int size, void *bytes)
{
    return EVP_CIPHER_CTX_ctrl(s->ctx, type, size, bytes);
}

static int update(story *s, unsigned char *out, const unsigned char *in, int size)
{
    int done = -1;
    int ok = EVP_CipherUpdate(s->ctx, out, &done, in, size);

    note_number(s, ok == 1 ? done : -1);
    return ok;
}

static int copy(story *s)
{
    EVP_CIPHER_CTX *other = EVP_CIPHER_CTX_new();
    int ok = EVP_CIPHER_CTX_copy(other, s->ctx);

    if (ok != 1) {
        EVP_CIPHER_CTX_free(other);
        return ok;
    }
    EVP_CIPHER_CTX_free(s->ctx);
    s->ctx = other;
    return ok;
}

static int one_iv_call(story *s, char letter)
{
    unsigned char some[16] = {0};
    int ok;

    switch (letter) {
    case 'x':
        ok = EVP_CIPHER_CTX_get_updated_iv(s->ctx, some, sizeof some);
        note(s, some, sizeof some);
        return ok;
    case 'F':
        return ctrl(s, EVP_CTRL_AEAD_SET_IV_FIXED, -1, iv[0]);
    case 'n':
        ok = ctrl(s, EVP_CTRL_GCM_IV_GEN, 8, some);
        note(s, some, sizeof some);
        return ok;
    default:
        memset(some, 'r', 8);
        return ctrl(s, EVP_CTRL_GCM_SET_IV_INV, 8, some);
    }
}

static int one_record_call(story *s, char letter)
{
    unsigned char header[13] = {0, 0, 0, 0, 0, 0, 0, 1, 23, 3, 3, 0, SIZE - 16};

    if (letter == 'p')
        return update(s, s->bytes, s->bytes, SIZE);
    /* Of what is sealed libssl gives the size without the tag, of what is opened with it. */
    header[12] = (unsigned char)(s->encrypts ? SIZE - 16 : SIZE);
    return ctrl(s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header);
}

static int one_call(story *s, char letter)
{
    unsigned char nothing[16], wrong[16];
    int done = -1, ok;

    switch (letter) {
    case 'E':
    case 'D':
        s->encrypts = letter == 'E';
        return EVP_CipherInit_ex(s->ctx, s->cipher, NULL, NULL, NULL, s->encrypts);
    case 'K':
    case 'k':
        return begin(s, key[letter == 'k'], NULL);
    case 'I':
    case 'i':
        return begin(s, NULL, iv[letter == 'i']);
    case 'a':
        return update(s, NULL, text, 20);
    case 'u':
        return update(s, s->bytes, s->bytes, SIZE);
    case 'z':
        return update(s, s->bytes, s->bytes, 0);
    case 'f':
        ok = EVP_CipherFinal_ex(s->ctx, nothing, &done);
        note_number(s, ok == 1 ? done : -1);
        return ok;
    case 'g':
        ok = ctrl(s, EVP_CTRL_AEAD_GET_TAG, 16, s->tag);
        note(s, s->tag, 16);
        return ok;
    case 't':
        return ctrl(s, EVP_CTRL_AEAD_SET_TAG, 16, s->tag);
    case 'h':
        return ctrl(s, EVP_CTRL_AEAD_SET_TAG, 8, s->tag);
    case 'w':
        memcpy(wrong, s->tag, 16);
        wrong[15] ^= 1;
        return ctrl(s, EVP_CTRL_AEAD_SET_TAG, 16, wrong);
    case 's':
    case 'S':
        return ctrl(s, EVP_CTRL_AEAD_SET_IVLEN, letter == 's' ? 8 : 16, NULL);
    case 'c':
        return copy(s);
    case 'l':
        note_number(s, EVP_CIPHER_CTX_get_iv_length(s->ctx));
        note_number(s, EVP_CIPHER_CTX_get_key_length(s->ctx));
        return EVP_CIPHER_CTX_get_tag_length(s->ctx);
    case 'L':
    case 'p':
        return one_record_call(s, letter);
    default:
        return one_iv_call(s, letter);
    }
}

static void tell(story *s, EVP_CIPHER *cipher, const char *calls)
{
    memset(s, 0, sizeof *s);
    s->cipher = cipher;
    s->ctx = EVP_CIPHER_CTX_new();
    memcpy(s->bytes, text, SIZE);
    for (const char *at = calls; *at != 0; at++) {
        note_number(s, one_call(s, *at));
        note(s, s->bytes, at[1] == 0 ? SIZE : 1);
    }
    EVP_CIPHER_CTX_free(s->ctx);
    ERR_clear_error();
}

static void test_same_story(void **state)
{
    static const char *const stories[] = {
        "EKIaufglx",
        "EKIufgDKItuf",
        "EKIaufgDKIatuf",
        "EKIaufgDKIawuf",
        "EKIaufgDKIahuf",
        "EKIaufgDKIauf",
        "EKIufgDKIuft",
        "EKIufug",
        "EKIuff",
        "EKIufIufg",
        "EKIufgiufg",
        "EIKufg",
        "EIufg",
        "EKIauIfg",
        "EKIufkufg",
        "EKIufkIufg",
        "EKIfg",
        "EKIzfg",
        "EKIafg",
        "EKIaauufg",
        "EKIuag",
        "EKIau",
        "EKIg",
        "EKIt",
        "EKIsufg",
        "EKsIlufgx",
        "EKSIlaufgx",
        "ESKIaufgDSKItauf",
        "EKIacufg",
        "EKIaucufg",
        "EcKIufg",
        "EKIaufgc",
        "DKIuf",
        "DKItuf",
        "DK",
        "DKu",
        "DKx",
        "EKIFnnx",
        "EKFnufgnufg",
        "EKFnaufgDKFraf",
        "EKFLpx",
        "EKFLpLpx",
        "EKFp",
        "EKLp",
        "EFLp",
        "EKFLf",
        "EKFLpu",
        "DKFLp",
        "EKFLpDKFLp",
        "EKIn",
        "DKIr",
        "EKFr",
        "DKFn",
        "EKIauIaufg",
        "EKIaIufg",
        "EKIkIaufg",
        "l",
        "El",
    };
    story one, other;

    (void)state;
    need_ours();
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        tell(&one, theirs, stories[i]);
        tell(&other, ours, stories[i]);
        if (one.used != other.used || memcmp(one.log, other.log, one.used) != 0)
            fail_msg("%s", stories[i]);
    }
}

/* A cipher that makes its own IV: it is random, and can be asked for. */
static void test_own_iv(void **state)
{
    story s = {0}, t = {0};
    unsigned char made[12];

    (void)state;
    need_ours();
    s.cipher = ours;
    s.ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(one_call(&s, 'E') + one_call(&s, 'K') + one_call(&s, 'u'), 3);
    assert_int_equal(EVP_CIPHER_CTX_get_updated_iv(s.ctx, made, sizeof made), 1);
    assert_int_equal(one_call(&s, 'f') + one_call(&s, 'g'), 2);
    t.cipher = theirs;
    t.ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_DecryptInit_ex(t.ctx, theirs, NULL, key[0], made), 1);
    memcpy(t.bytes, s.bytes, SIZE);
    memcpy(t.tag, s.tag, 16);
    assert_int_equal(one_call(&t, 't') + one_call(&t, 'u') + one_call(&t, 'f'), 3);
    EVP_CIPHER_CTX_free(s.ctx);
    EVP_CIPHER_CTX_free(t.ctx);
}

/* What cannot be seen from outside in a refused record: that nothing of it is left to read. */
static void test_refused_record(void **state)
{
    unsigned char record[SIZE], header[13] = {0, 0, 0, 0, 0, 0, 0, 1, 23, 3, 3, 0, SIZE};
    story s = {0};
    int done;

    (void)state;
    need_ours();
    s.ctx = EVP_CIPHER_CTX_new();
    assert_int_equal(EVP_EncryptInit_ex(s.ctx, ours, NULL, key[0], NULL), 1);
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_SET_IV_FIXED, 4, iv[0]), 1);
    header[12] = SIZE - 16;
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header), 16);
    memcpy(record, text, SIZE);
    assert_int_equal(EVP_CipherUpdate(s.ctx, record, &done, record, SIZE), 1);
    assert_int_equal(done, SIZE);

    for (int bad = 1; bad >= 0; bad--) {
        unsigned char zeros[SIZE - 24] = {0}, copied[SIZE];

        memcpy(copied, record, SIZE);
        copied[SIZE - 1] ^= (unsigned char)bad;
        assert_int_equal(EVP_DecryptInit_ex(s.ctx, ours, NULL, key[0], NULL), 1);
        assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_SET_IV_FIXED, 4, iv[0]), 1);
        header[12] = SIZE;
        assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header), 16);
        assert_int_equal(EVP_CipherUpdate(s.ctx, copied, &done, copied, SIZE), !bad);
        assert_memory_equal(copied + 8, bad ? zeros : text + 8, SIZE - 24);
        ERR_clear_error();
    }
    /* Not in place, too short, a header of another size. */
    unsigned char elsewhere[SIZE];
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header), 16);
    assert_int_equal(EVP_CipherUpdate(s.ctx, elsewhere, &done, record, SIZE), 0);
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header), 16);
    assert_int_equal(EVP_CipherUpdate(s.ctx, record, &done, record, 23), 0);
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, 12, header), 0);
    header[12] = 23;
    assert_int_equal(ctrl(&s, EVP_CTRL_AEAD_TLS1_AAD, sizeof header, header), 0);
    EVP_CIPHER_CTX_free(s.ctx);
    ERR_clear_error();
}

/* A key in the middle of a message may be the one that it began with: its IV is used up. */
static void test_key_in_the_middle(void **state)
{
    (void)state;
    need_ours();
    for (const char *rest = "Kk"; *rest != 0; rest++) {
        story s = {0};

        s.cipher = ours;
        s.ctx = EVP_CIPHER_CTX_new();
        for (const char *at = "EKIu"; *at != 0; at++)
            assert_int_equal(one_call(&s, *at), 1);
        assert_int_equal(one_call(&s, *rest), 1);
        assert_int_equal(one_call(&s, 'u'), 0);
        assert_int_equal(one_call(&s, 'f'), 0);
        for (const char *at = "iauf"; *at != 0; at++)
            assert_int_equal(one_call(&s, *at), 1);
        EVP_CIPHER_CTX_free(s.ctx);
        ERR_clear_error();
    }
}

static void test_sizes_that_are_wrong(void **state)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char tag[32] = {0};
    size_t size = 17;
    OSSL_PARAM wanted[2] = {OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_KEYLEN, &size),
                            OSSL_PARAM_construct_end()};

    (void)state;
    need_ours();
    assert_int_equal(EVP_DecryptInit_ex(ctx, ours, NULL, key[0], iv[0]), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 0, NULL), 0);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 129, NULL), 0);
    assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 17, tag) <= 0);
    assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 0, tag) <= 0);
    assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, wanted), 1);
    assert_int_equal(size, 16);
    wanted[0] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_IV, tag, 11);
    assert_int_equal(EVP_CIPHER_CTX_get_params(ctx, wanted), 0);
    wanted[0] = OSSL_PARAM_construct_utf8_string(OSSL_CIPHER_PARAM_AEAD_IVLEN, (char *)tag, 3);
    assert_int_equal(EVP_CIPHER_CTX_set_params(ctx, wanted), 0);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
}

static const char *whose(const char *name, const char *query)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, query);
    const char *provider =
        cipher == NULL ? "nobody's" : OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher));

    EVP_CIPHER_free(cipher);
    return provider;
}

/* Others in the process get what they had, whatever they ask for and whenever. */
static void test_others(void **state)
{
    static const char *const queries[] = {NULL, "", "provider=default", "?provider=cinch",
                                          "fips=no"};

    (void)state;
    need_ours();
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
            assert_string_equal(whose("AES-128-GCM", queries[i]), "default");
            assert_string_equal(whose("AES-256-GCM", queries[i]), "default");
            assert_string_equal(whose("id-aes256-GCM", queries[i]), "default");
        }
        assert_string_equal(whose("AES-192-GCM", NULL), "default");
        EVP_CIPHER *again = cinch_accel_fetch("AES-256-GCM");
        assert_non_null(again);
        EVP_CIPHER_free(again);
        assert_null(cinch_accel_fetch("AES-192-GCM"));
        /* Both forget what OpenSSL remembers of such questions. */
        assert_int_equal(EVP_set_default_properties(NULL, round == 0 ? "" : NULL), 1);
        OSSL_PROVIDER *legacy = round == 1 ? OSSL_PROVIDER_try_load(NULL, "legacy", 1) : NULL;
        if (legacy != NULL)
            OSSL_PROVIDER_unload(legacy);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* A program may ask for other implementations, and for FIPS, at any time. */
static void test_asked_for_others(void **state)
{
    static const char *const wishes[] = {"provider=default", "fips=yes", "provider!=cinch"};

    (void)state;
    need_ours();
    assert_memory_equal(cinch_version_accel(), "libipsec-mb ", 12);
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        assert_int_equal(EVP_set_default_properties(NULL, wishes[i]), 1);
        assert_null(cinch_accel_fetch("AES-128-GCM"));
        assert_non_null(strstr(cinch_version_accel(), i == 1 ? "FIPS" : "properties"));
        assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
    }
    OSSL_PROVIDER *fips = empty_provider_load("fips");
    assert_non_null(fips);
    assert_null(cinch_accel_fetch("AES-128-GCM"));
    assert_non_null(strstr(cinch_version_accel(), "FIPS"));
    OSSL_PROVIDER_unload(fips);
    EVP_CIPHER *back = cinch_accel_fetch("AES-128-GCM");
    assert_non_null(back);
    EVP_CIPHER_free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_story),           cmocka_unit_test(test_own_iv),
        cmocka_unit_test(test_refused_record),       cmocka_unit_test(test_key_in_the_middle),
        cmocka_unit_test(test_sizes_that_are_wrong), cmocka_unit_test(test_others),
        cmocka_unit_test(test_asked_for_others),
    };

    return cmocka_run_group_tests_name("accel_calls", tests, set_up, tear_down);
}
