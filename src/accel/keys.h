/*
 * keys.h: the derivation of keys as libssl wants it of a provider; see provider-kdf(7), EVP_KDF-TLS13_KDF(7) and
 * EVP_KDF-TLS1_PRF(7).
 */
#ifndef CINCH_ACCEL_KEYS_H
#define CINCH_ACCEL_KEYS_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#define CINCH_KEYS_TLS_1_3 "TLS13-KDF"
#define CINCH_KEYS_TLS_1_2 "TLS1-PRF"

/*
 * cinch_keys is the provider's table. The two have no state: everything has to come with the call that derives, as libssl does it. To set it before is
 * refused. A hash that is not ours is left to OpenSSL's implementation.
 */
const OSSL_ALGORITHM *cinch_keys(void);

#endif
