/*
 * own.h: a library context of our own for connections. OpenSSL 3.0 walks through all that a context has for each
 * certificate it reads; this one has only what a connection can need, so that reading takes half the time.
 * docs/internals/accel.md says when it is used.
 */
#ifndef CINCH_ACCEL_OWN_H
#define CINCH_ACCEL_OWN_H

#include <openssl/types.h>

/*
 * cinch_own_context returns it; it lives as long as the process. NULL if it would not do the same as
 * cinch_library_context(), or if memory ran out: any thread may ask again at any time.
 */
OSSL_LIB_CTX *cinch_own_context(void);

#endif
