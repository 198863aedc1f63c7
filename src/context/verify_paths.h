/*
 * verify_paths.h: other paths to an anchor. libcrypto builds one chain and never comes back to try
 * another issuer of the same name, so one bad cross-signature would hide a good one (RFC 4158, 2.4).
 */
#ifndef CINCH_CONTEXT_VERIFY_PATHS_H
#define CINCH_CONTEXT_VERIFY_PATHS_H

#include "context/context.h"

/*
 * A path to try with the certificates in SENT: 1 if it holds in every respect, 0 if not, -1 without
 * memory. *CHAIN is set to what was built, the caller's to free, or to NULL.
 */
typedef int (*cinch_path_try)(STACK_OF(X509) * sent, STACK_OF(X509) * *chain, void *arg);

/*
 * cinch_paths_search tries paths that do without one of the issuers in FAILED, a chain that does not
 * hold and was built from SENT, and so on with those that fail, a bounded number of times. First it
 * tries the leaf alone, if that is an anchor. Issuers that no path can have, as they break a rule by
 * themselves, rule the peer's name out or are not in their time NOW, are left out. Gives a chain that
 * holds, the caller's to free; NULL if none was found.
 */
STACK_OF(X509) * cinch_paths_search(const cinch_settings *settings, const STACK_OF(X509) * sent,
                                    const STACK_OF(X509) * failed, int64_t now,
                                    cinch_path_try try_path, void *arg);

#endif
