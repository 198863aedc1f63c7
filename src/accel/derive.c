/* derive.c: HKDF with the labels of TLS 1.3, and the PRF of TLS 1.2. */
#include "accel/derive.h"

#include <openssl/crypto.h>
#include <string.h>

#define LARGEST_LABEL 255

void cinch_hkdf_extract(cinch_hash hash, cinch_part salt, cinch_part secret, unsigned char *out)
{
    cinch_hmac m;

    cinch_hmac_begin(&m, hash, salt);
    cinch_hmac_add(&m, secret.bytes, secret.size);
    cinch_hmac_end(&m, out);
    OPENSSL_cleanse(&m, sizeof m);
}

static void expand(cinch_hash hash, cinch_part secret, cinch_part info, unsigned char *out,
                   size_t size)
{
    size_t whole = cinch_hash_size(hash);
    unsigned char block[CINCH_HASH_LARGEST];
    cinch_hmac key, m;

    cinch_hmac_begin(&key, hash, secret);
    for (unsigned char i = 1; size > 0; i++) {
        size_t piece = size < whole ? size : whole;

        m = key;
        if (i > 1)
            cinch_hmac_add(&m, block, whole);
        cinch_hmac_add(&m, info.bytes, info.size);
        cinch_hmac_add(&m, &i, 1);
        cinch_hmac_end(&m, block);
        memcpy(out, block, piece);
        out += piece;
        size -= piece;
    }
    OPENSSL_cleanse(&key, sizeof key);
    OPENSSL_cleanse(&m, sizeof m);
    OPENSSL_cleanse(block, sizeof block);
}

static size_t put(unsigned char *to, size_t at, cinch_part part)
{
    if (part.size > 0)
        memcpy(to + at, part.bytes, part.size);
    return at + part.size;
}

int cinch_hkdf_label(cinch_hash hash, cinch_part secret, cinch_part prefix, cinch_part label,
                     cinch_part context, unsigned char *out, size_t size)
{
    unsigned char info[2 + 1 + LARGEST_LABEL + 1 + LARGEST_LABEL];
    size_t at = 0;

    if (size == 0 || size > 255 * cinch_hash_size(hash) || prefix.size > LARGEST_LABEL ||
        label.size > LARGEST_LABEL - prefix.size || context.size > LARGEST_LABEL)
        return 0;
    info[at++] = (unsigned char)(size >> 8);
    info[at++] = (unsigned char)size;
    info[at++] = (unsigned char)(prefix.size + label.size);
    at = put(info, at, prefix);
    at = put(info, at, label);
    info[at++] = (unsigned char)context.size;
    at = put(info, at, context);
    expand(hash, secret, (cinch_part){info, at}, out, size);
    return 1;
}

int cinch_hkdf_next(cinch_hash hash, cinch_part previous, cinch_part prefix, cinch_part label,
                    cinch_part secret, unsigned char *out)
{
    static const unsigned char zeros[CINCH_HASH_LARGEST];
    size_t size = cinch_hash_size(hash);
    unsigned char salt[CINCH_HASH_LARGEST], nothing[CINCH_HASH_LARGEST];
    cinch_hash_state s;
    int ok;

    if (secret.bytes == NULL)
        secret = (cinch_part){zeros, size};
    if (previous.bytes == NULL) {
        cinch_hkdf_extract(hash, (cinch_part){zeros, 0}, secret, out);
        return 1;
    }
    cinch_hash_begin(hash, &s);
    cinch_hash_end(hash, &s, nothing);
    ok = cinch_hkdf_label(hash, previous, prefix, label, (cinch_part){nothing, size}, salt, size);
    if (ok)
        cinch_hkdf_extract(hash, (cinch_part){salt, size}, secret, out);
    OPENSSL_cleanse(salt, sizeof salt);
    return ok;
}

void cinch_prf(cinch_hash hash, cinch_part secret, const cinch_part *seeds, size_t count,
               unsigned char *out, size_t size)
{
    size_t whole = cinch_hash_size(hash);
    unsigned char chain[CINCH_HASH_LARGEST], block[CINCH_HASH_LARGEST];
    cinch_hmac key, next, m;

    cinch_hmac_begin(&key, hash, secret);
    next = key;
    for (size_t i = 0; i < count; i++)
        cinch_hmac_add(&next, seeds[i].bytes, seeds[i].size);
    while (size > 0) {
        size_t piece = size < whole ? size : whole;

        cinch_hmac_end(&next, chain);
        m = key;
        cinch_hmac_add(&m, chain, whole);
        next = m;
        for (size_t i = 0; i < count; i++)
            cinch_hmac_add(&m, seeds[i].bytes, seeds[i].size);
        cinch_hmac_end(&m, block);
        memcpy(out, block, piece);
        out += piece;
        size -= piece;
    }
    OPENSSL_cleanse(&key, sizeof key);
    OPENSSL_cleanse(&next, sizeof next);
    OPENSSL_cleanse(&m, sizeof m);
    OPENSSL_cleanse(chain, sizeof chain);
    OPENSSL_cleanse(block, sizeof block);
}
