/* proved.h: signatures of chains that were seen to hold are not computed again. */
#ifndef CINCH_TRUST_PROVED_H
#define CINCH_TRUST_PROVED_H

#include <openssl/x509_vfy.h>
#include <stddef.h>

/* cinch_proved_install has the signatures of the chains that are verified with STORE remembered. */
void cinch_proved_install(X509_STORE *store);

/* For tests that count memory or let it run out: all signatures are computed again. */
void cinch_proved_forget(void);

/* For tests: how often the signatures of a chain were known to hold. */
size_t cinch_proved_test_spared(void);

#endif
