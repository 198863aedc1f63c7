/*
 * AES-GCM by libipsec-mb against OpenSSL's own: the first bytes choose key, IV, pieces and direction, the rest is
 * the text. Both have to say the same, byte by byte. Where ours is not in use there is nothing to compare.
 */
#include "accel/accel.h"
#include "conn.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#define LARGEST 65536

typedef struct plan {
    const unsigned char *key, *text;
    int encrypts, iv_size, aad_size, first, piece, tag_size;
    size_t size;
} plan;

typedef struct outcome {
    int results[6];
    unsigned char bytes[LARGEST], tag[16];
} outcome;

static void follow(const plan *p, EVP_CIPHER *cipher, outcome *o)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0, at = 0, n = p->first;

    memset(o->tag, 7, sizeof o->tag);
    memcpy(o->bytes, p->text, p->size);
    must(ctx != NULL && EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, p->encrypts) == 1);
    o->results[0] = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, p->iv_size, NULL);
    o->results[1] = EVP_CipherInit_ex(ctx, NULL, NULL, p->key, p->key, p->encrypts);
    o->results[2] = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, p->tag_size, o->tag);
    o->results[3] = EVP_CipherUpdate(ctx, NULL, &done, p->key, p->aad_size);
    for (int left = (int)p->size; left > 0; left -= n, at += n, n = p->piece) {
        n = n > left ? left : n;
        must(EVP_CipherUpdate(ctx, o->bytes + at, &done, o->bytes + at, n) == 1 && done == n);
    }
    o->results[4] = EVP_CipherFinal_ex(ctx, o->bytes, &done);
    o->results[5] = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, o->tag);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"AES-128-GCM", "AES-256-GCM"};
    static EVP_CIPHER *ours[2], *theirs[2];
    static outcome one, other;

    if (size < 8 + 128 || size - 8 > LARGEST)
        return 0;
    int kind = data[0] & 1;
    if (theirs[kind] == NULL) {
        ours[kind] = cinch_accel_fetch(names[kind]);
        theirs[kind] = EVP_CIPHER_fetch(NULL, names[kind], NULL);
    }
    if (ours[kind] == NULL)
        return 0;
    plan p = {
        .key = data + 8,
        .text = data + 8,
        .encrypts = data[0] >> 1 & 1,
        .iv_size = data[0] & 4 ? 12 : 1 + data[1] % 64,
        .aad_size = data[2] % 128,
        .first = data[3] | (data[4] & 15) << 8,
        .piece = 1 + (data[5] | (data[6] & 7) << 8),
        .tag_size = data[7] % 18,
        .size = size - 8,
    };
    follow(&p, theirs[kind], &one);
    follow(&p, ours[kind], &other);
    must(memcmp(one.results, other.results, sizeof one.results) == 0);
    must(memcmp(one.bytes, other.bytes, p.size) == 0 && memcmp(one.tag, other.tag, 16) == 0);
    return 0;
}
