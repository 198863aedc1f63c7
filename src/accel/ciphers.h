/* ciphers.h: the AES-GCM of the provider, if this process can have it. */
#ifndef CINCH_ACCEL_CIPHERS_H
#define CINCH_ACCEL_CIPHERS_H

#include <openssl/core.h>
#include <stddef.h>

typedef enum cinch_ciphers_outcome {
    CINCH_CIPHERS_UNKNOWN, /* memory ran out: may be tried again */
    CINCH_CIPHERS_OURS,
    CINCH_CIPHERS_NONE,
} cinch_ciphers_outcome;

/*
 * cinch_ciphers_load finds out, and writes to TEXT "libipsec-mb 1.3.0", or "OpenSSL's own: " and why. The caller has
 * a lock.
 */
cinch_ciphers_outcome cinch_ciphers_load(char *text, size_t size);

/* cinch_ciphers is the provider's table; NULL if there is nothing in it. */
const OSSL_ALGORITHM *cinch_ciphers(void);

#endif
