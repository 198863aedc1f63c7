/* hmac.c: HMAC (RFC 2104) over the hash functions of libcrypto. */
/* Only these can be called without an allocation and a lock; newer interfaces have both in each step. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "accel/hmac.h"

#include <openssl/crypto.h>
#include <string.h>

#define LARGEST_BLOCK SHA512_CBLOCK

size_t cinch_hash_size(cinch_hash hash)
{
    return hash == CINCH_HASH_SHA256 ? SHA256_DIGEST_LENGTH : SHA384_DIGEST_LENGTH;
}

void cinch_hash_begin(cinch_hash hash, cinch_hash_state *s)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Init(&s->of_256);
    else
        SHA384_Init(&s->of_384);
}

static void add(cinch_hash hash, cinch_hash_state *s, const unsigned char *bytes, size_t size)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Update(&s->of_256, bytes, size);
    else
        SHA384_Update(&s->of_384, bytes, size);
}

void cinch_hash_end(cinch_hash hash, cinch_hash_state *s, unsigned char *out)
{
    if (hash == CINCH_HASH_SHA256)
        SHA256_Final(out, &s->of_256);
    else
        SHA384_Final(out, &s->of_384);
}

static void take_key(cinch_hash hash, cinch_hash_state *s, const unsigned char *key, size_t size,
                     unsigned char pad)
{
    unsigned char block[LARGEST_BLOCK];
    size_t block_size = hash == CINCH_HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK;

    memset(block, pad, block_size);
    for (size_t i = 0; i < size; i++)
        block[i] ^= key[i];
    cinch_hash_begin(hash, s);
    add(hash, s, block, block_size);
    OPENSSL_cleanse(block, block_size);
}

void cinch_hmac_begin(cinch_hmac *m, cinch_hash hash, cinch_part key)
{
    unsigned char short_key[CINCH_HASH_LARGEST];

    m->hash = hash;
    if (key.size > (hash == CINCH_HASH_SHA256 ? SHA256_CBLOCK : SHA512_CBLOCK)) {
        cinch_hash_begin(hash, &m->inner);
        add(hash, &m->inner, key.bytes, key.size);
        cinch_hash_end(hash, &m->inner, short_key);
        key = (cinch_part){short_key, cinch_hash_size(hash)};
    }
    take_key(hash, &m->inner, key.bytes, key.size, 0x36);
    take_key(hash, &m->outer, key.bytes, key.size, 0x5c);
    OPENSSL_cleanse(short_key, sizeof short_key);
}

void cinch_hmac_end(cinch_hmac *m, unsigned char *out)
{
    unsigned char inner[CINCH_HASH_LARGEST];

    cinch_hash_end(m->hash, &m->inner, inner);
    add(m->hash, &m->outer, inner, cinch_hash_size(m->hash));
    cinch_hash_end(m->hash, &m->outer, out);
    OPENSSL_cleanse(inner, sizeof inner);
}

void cinch_hmac_add(cinch_hmac *m, const unsigned char *bytes, size_t size)
{
    add(m->hash, &m->inner, bytes, size);
}
