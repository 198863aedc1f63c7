/* empty_provider.h: a provider of OpenSSL that has nothing but a name, as a program may have loaded. */
#ifndef CINCH_TESTS_EMPTY_PROVIDER_H
#define CINCH_TESTS_EMPTY_PROVIDER_H

#include <openssl/types.h>

/*
 * empty_provider_load loads one as NAME into the default library context, beside those that OpenSSL loads itself.
 * NULL if that failed. OSSL_PROVIDER_unload() takes it out again, and it may be loaded again.
 */
OSSL_PROVIDER *empty_provider_load(const char *name);

#endif
