/* policy.h: the inside of a policy. */
#ifndef CINCH_POLICY_POLICY_H
#define CINCH_POLICY_POLICY_H

#include <cinch/policy.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

struct cinch_policy {
    char name[32]; /* "cinch-2026"; "custom" once a setter was used */
    int min;
    int max;
    int level; /* OpenSSL's security level */
    char *ciphers;
    char *suites;
    char *groups;
    char *sigalgs;
};

/* cinch_policy_copy gives an independent copy, NULL when memory runs out. */
cinch_policy *cinch_policy_copy(const cinch_policy *policy, cinch_error *err);

/* cinch_policy_install sets everything that a policy says in CTX, whatever its defaults were. */
cinch_status cinch_policy_install(const cinch_policy *policy, SSL_CTX *ctx, cinch_error *err);

/* cinch_policy_hash feeds all that matters of POLICY to MD. 1 or 0. */
int cinch_policy_hash(const cinch_policy *policy, EVP_MD_CTX *md);

#endif
