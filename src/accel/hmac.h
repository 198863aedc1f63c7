/*
 * hmac.h: HMAC (RFC 2104) with SHA-256 and SHA-384, of libcrypto's hash functions without looking them up: a handshake
 * derives some twenty secrets, and looking up is most of what each costs. The caller wipes what it has of this.
 */
#ifndef CINCH_ACCEL_HMAC_H
#define CINCH_ACCEL_HMAC_H

#include <openssl/sha.h>
#include <stddef.h>

typedef enum cinch_hash {
    CINCH_HASH_SHA256,
    CINCH_HASH_SHA384,
} cinch_hash;

#define CINCH_HASH_LARGEST SHA384_DIGEST_LENGTH

/* Bytes of the caller's. BYTES may be NULL only where SIZE is 0. */
typedef struct cinch_part {
    const unsigned char *bytes;
    size_t size;
} cinch_part;

typedef union cinch_hash_state {
    SHA256_CTX of_256;
    SHA512_CTX of_384;
} cinch_hash_state;

/* What both hashes have taken in. A copy goes on by itself. */
typedef struct cinch_hmac {
    cinch_hash hash;
    cinch_hash_state inner, outer;
} cinch_hmac;

/* cinch_hash_size is 32 or 48. The next two are for the hash of nothing; OUT has room for that size. */
size_t cinch_hash_size(cinch_hash hash);
void cinch_hash_begin(cinch_hash hash, cinch_hash_state *s);
void cinch_hash_end(cinch_hash hash, cinch_hash_state *s, unsigned char *out);

void cinch_hmac_begin(cinch_hmac *m, cinch_hash hash, cinch_part key);
void cinch_hmac_add(cinch_hmac *m, const unsigned char *bytes, size_t size);
void cinch_hmac_end(cinch_hmac *m, unsigned char *out);

#endif
