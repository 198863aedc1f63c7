/* provider.h: what is ours as a provider of OpenSSL, inside of this library; see provider(7). */
#ifndef CINCH_ACCEL_PROVIDER_H
#define CINCH_ACCEL_PROVIDER_H

#include <openssl/core.h>

#define CINCH_PROVIDER "cinch"
#define CINCH_PROVIDER_PROPERTIES "provider=" CINCH_PROVIDER ",cinch.accel=yes"
/* Only a wish: a property that must be there would rule out all that we do not have. */
#define CINCH_PROVIDER_QUERY "?cinch.accel=yes"

/* cinch_provider_init is for OSSL_PROVIDER_add_builtin(). */
int cinch_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                        const OSSL_DISPATCH **out, void **context);

/*
 * Between these two the calling thread's fetches find what the provider has; nobody else's ever do. They nest.
 */
void cinch_provider_show(void);
void cinch_provider_hide(void);

#endif
