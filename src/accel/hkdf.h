/*
 * hkdf.h: HKDF (RFC 5869) with the labels of TLS 1.3 (RFC 8446, 7.1), for SHA-256 and SHA-384. The hash functions
 * are libcrypto's, called without looking them up: a handshake derives some twenty secrets, and looking up is most of
 * what each costs.
 */
#ifndef CINCH_ACCEL_HKDF_H
#define CINCH_ACCEL_HKDF_H

#include <stddef.h>

typedef enum cinch_hash {
    CINCH_HASH_SHA256,
    CINCH_HASH_SHA384,
} cinch_hash;

#define CINCH_HASH_LARGEST 48

/* Bytes of the caller's. BYTES may be NULL only where SIZE is 0. */
typedef struct cinch_part {
    const unsigned char *bytes;
    size_t size;
} cinch_part;

/* cinch_hash_size is 32 or 48. */
size_t cinch_hash_size(cinch_hash hash);

/* cinch_hkdf_extract writes HKDF-Extract(SALT, SECRET), of the hash's size; a salt of no bytes is zeros. */
void cinch_hkdf_extract(cinch_hash hash, cinch_part salt, cinch_part secret, unsigned char *out);

/*
 * cinch_hkdf_label writes SIZE bytes of HKDF-Expand-Label(SECRET, LABEL, CONTEXT). PREFIX goes before LABEL: "tls13 ".
 * 0 if PREFIX and LABEL together, or CONTEXT, are more than 255 bytes, or SIZE is 0 or more than 255 hashes.
 */
int cinch_hkdf_label(cinch_hash hash, cinch_part secret, cinch_part prefix, cinch_part label,
                     cinch_part context, unsigned char *out, size_t size);

/*
 * cinch_hkdf_next writes the next secret of the key schedule, of the hash's size: from PREVIOUS (none: SIZE 0), with
 * LABEL "derived", and SECRET (none: NULL bytes, taken as zeros). 1, or 0 as above.
 */
int cinch_hkdf_next(cinch_hash hash, cinch_part previous, cinch_part prefix, cinch_part label,
                    cinch_part secret, unsigned char *out);

#endif
