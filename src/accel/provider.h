/* provider.h: what is ours as a provider of OpenSSL, inside of this library; see provider(7). */
#ifndef CINCH_ACCEL_PROVIDER_H
#define CINCH_ACCEL_PROVIDER_H

#include <openssl/core.h>
#include <openssl/types.h>

/* The name, or what it begins with: see below. */
#define CINCH_PROVIDER "cinch"

/*
 * "provider=cinch,cinch.accel=1": what all of ours has, for the tables. Another libcinch in the process, linked
 * into a plugin perhaps, is a provider with another number: what one shows is nothing to the other.
 */
extern char cinch_provider_properties[48];

/* For the tables: OpenSSL casts each back to the type that goes with its number. */
#define CINCH_PROVIDER_FUNCTION(f) ((void (*)(void))(f))

#define CINCH_PROVIDER_QUERY 64

/*
 * cinch_provider_query writes to QUERY what only ours fulfils; cinch_provider_wish what ours is preferred by, because
 * a property that must be there would rule out all that we do not have. TURN makes it another question: OpenSSL
 * remembers answers.
 */
void cinch_provider_query(char query[static CINCH_PROVIDER_QUERY]);
void cinch_provider_wish(char query[static CINCH_PROVIDER_QUERY], unsigned turn);

/* cinch_provider_load makes it known to CONTEXT, for good. 1, or 0: may be tried again. The caller has a lock. */
int cinch_provider_load(OSSL_LIB_CTX *context);

/* cinch_provider_is tells whether PROVIDER is the one of this libcinch. */
int cinch_provider_is(const OSSL_PROVIDER *provider);

/*
 * Between these two the calling thread's fetches find what the provider has; nobody else's ever do. They nest.
 */
void cinch_provider_show(void);
void cinch_provider_hide(void);

#endif
