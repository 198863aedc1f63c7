/* derive.h: HKDF (RFC 5869) with the labels of TLS 1.3 (RFC 8446, 7.1), and the PRF of TLS 1.2. */
#ifndef CINCH_ACCEL_DERIVE_H
#define CINCH_ACCEL_DERIVE_H

#include "accel/hmac.h"

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

/* cinch_prf writes SIZE bytes, at least one, of the PRF of TLS 1.2 (RFC 5246, 5) of SECRET and COUNT seeds, the label first. */
void cinch_prf(cinch_hash hash, cinch_part secret, const cinch_part *seeds, size_t count,
               unsigned char *out, size_t size);

#endif
