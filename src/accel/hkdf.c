/* hkdf.c: HKDF and the labels of TLS 1.3 over the hash functions of libcrypto. */
/* Only these can be called without an allocation and a lock; newer interfaces have both in each step. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "accel/hkdf.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define LARGEST_BLOCK SHA512_CBLOCK
#define LARGEST_LABEL 255

typedef union state {
    SHA256_CTX of_256;
    SHA512_CTX of_384;
} state;

/* HMAC (RFC 2104): what both hashes have taken in of the key. */
typedef struct hmac {
    cinch_hash hash;
    state inner, outer;
} hmac;

size_t cinch_hash_size(cinch_hash hash)
{
    return hash == CINCH_HASH_SHA256 ? SHA256_DIGEST_LENGTH : SHA384_DIGEST_LENGTH;
}

static void begin(cinch_hash hash, state *s)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Init(&s->of_256);
    else
        SHA384_Init(&s->of_384);
}

static void add(cinch_hash hash, state *s, const unsigned char *bytes, size_t size)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Update(&s->of_256, bytes, size);
    else
        SHA384_Update(&s->of_384, bytes, size);
}

static void end(cinch_hash hash, state *s, unsigned char *out)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Final(out, &s->of_256);
    else
        SHA384_Final(out, &s->of_384);
}

static void take_key(cinch_hash hash, state *s, const unsigned char *key, size_t size,
                     unsigned char pad)
{
    unsigned char block[LARGEST_BLOCK];
    size_t block_size = hash == CINCH_HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK;

    memset(block, pad, block_size);
    for (size_t i = 0; i < size; i++)
        block[i] ^= key[i];
    begin(hash, s);
    add(hash, s, block, block_size);
    OPENSSL_cleanse(block, block_size);
}

static void hmac_begin(hmac *m, cinch_hash hash, cinch_part key)
{
    unsigned char short_key[CINCH_HASH_LARGEST];

    m->hash = hash;
    if (key.size > (hash == CINCH_HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK)) {
        begin(hash, &m->inner);
        add(hash, &m->inner, key.bytes, key.size);
        end(hash, &m->inner, short_key);
        key = (cinch_part){short_key, cinch_hash_size(hash)};
    }
    take_key(hash, &m->inner, key.bytes, key.size, 0x36);
    take_key(hash, &m->outer, key.bytes, key.size, 0x5c);
    OPENSSL_cleanse(short_key, sizeof short_key);
}

static void hmac_end(hmac *m, unsigned char *out)
{
    unsigned char inner[CINCH_HASH_LARGEST];

    end(m->hash, &m->inner, inner);
    add(m->hash, &m->outer, inner, cinch_hash_size(m->hash));
    end(m->hash, &m->outer, out);
    OPENSSL_cleanse(inner, sizeof inner);
}

void cinch_hkdf_extract(cinch_hash hash, cinch_part salt, cinch_part secret, unsigned char *out)
{
    hmac m;

    hmac_begin(&m, hash, salt);
    add(hash, &m.inner, secret.bytes, secret.size);
    hmac_end(&m, out);
    OPENSSL_cleanse(&m, sizeof m);
}

static void expand(cinch_hash hash, cinch_part secret, cinch_part info, unsigned char *out,
                   size_t size)
{
    size_t whole = cinch_hash_size(hash);
    unsigned char block[CINCH_HASH_LARGEST];
    hmac key, m;

    hmac_begin(&key, hash, secret);
    for (unsigned char i = 1; size > 0; i++) {
        size_t piece = size < whole ? size : whole;

        m = key;
        if (i > 1)
            add(hash, &m.inner, block, whole);
        add(hash, &m.inner, info.bytes, info.size);
        add(hash, &m.inner, &i, 1);
        hmac_end(&m, block);
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
    state s;
    int ok;

    if (secret.bytes == NULL)
        secret = (cinch_part){zeros, size};
    if (previous.bytes == NULL) {
        cinch_hkdf_extract(hash, (cinch_part){zeros, 0}, secret, out);
        return 1;
    }
    begin(hash, &s);
    end(hash, &s, nothing);
    ok = cinch_hkdf_label(hash, previous, prefix, label, (cinch_part){nothing, size}, salt, size);
    if (ok)
        cinch_hkdf_extract(hash, (cinch_part){salt, size}, secret, out);
    OPENSSL_cleanse(salt, sizeof salt);
    return ok;
}
