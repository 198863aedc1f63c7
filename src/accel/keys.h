/* keys.h: the key derivation of TLS 1.3 as libssl wants it of a provider; see provider-kdf(7) and EVP_KDF-TLS13_KDF(7). */
#ifndef CINCH_ACCEL_KEYS_H
#define CINCH_ACCEL_KEYS_H

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

/*
 * cinch_keys_functions are of an implementation without a state: everything has to come with the call that derives,
 * as libssl does it. To set it before is refused.
 */
extern const OSSL_DISPATCH cinch_keys_functions[];

#endif
