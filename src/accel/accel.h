/*
 * accel.h: AES-GCM by Intel's IPsec MB library and the derivation of keys by us, where they are faster than
 * OpenSSL's own. They come as a provider of OpenSSL that only the SSL_CTXs made here ever find;
 * docs/internals/accel.md has the reasons.
 */
#ifndef CINCH_ACCEL_ACCEL_H
#define CINCH_ACCEL_ACCEL_H

#include "accel/provider.h"

#include <openssl/kdf.h>
#include <openssl/ssl.h>

/*
 * cinch_accel_ssl_ctx is SSL_CTX_new_ex() for METHOD in our library context, accelerated if that helps and is
 * allowed. If it READS certificates, and nothing is lost by it, it is in a smaller library context (own.h). NULL when
 * memory runs out, not always with a reason in the queue.
 */
SSL_CTX *cinch_accel_ssl_ctx(const SSL_METHOD *method, int reads);

/* cinch_accel_name is "libipsec-mb 1.3.0" if that is what protects the records of SSL, else "". */
const char *cinch_accel_name(const SSL *ssl);

/*
 * cinch_accel_fetch gives our implementation of "AES-128-GCM" or "AES-256-GCM", cinch_accel_fetch_keys that
 * of "TLS13-KDF" or "TLS1-PRF"; NULL if it is not in use.
 */
EVP_CIPHER *cinch_accel_fetch(const char *name);
EVP_KDF *cinch_accel_fetch_keys(const char *name);

/* cinch_accel_wish writes to QUERY what the next SSL_CTX of ours will have as its property query. */
void cinch_accel_wish(char query[static CINCH_PROVIDER_QUERY]);

#endif
