/* policy.h: the inside of a policy. */
#ifndef CINCH_POLICY_POLICY_H
#define CINCH_POLICY_POLICY_H

#include <cinch/policy.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

/* What a caller has picked by hand: it must be of use for the versions. */
#define CINCH_PICKED_CIPHERS 1u
#define CINCH_PICKED_SUITES 2u
#define CINCH_PICKED_LEVEL 4u

struct cinch_policy {
    char name[32]; /* "cinch-2026"; "custom" once a setter was used */
    int min;
    int max;
    int level; /* OpenSSL's security level */
    unsigned picked;
    int picked_level;  /* stays what was wanted while old versions need another */
    int any_order;     /* a server takes the client's order of suites */
    int legacy_server; /* a client talks to servers without RFC 5746 */
    EVP_PKEY *dh;      /* NULL: automatic */
    char *ciphers;
    char *suites;
    char *groups;
    char *sigalgs;
    char *client_sigalgs; /* NULL: as sigalgs */
};

/* cinch_policy_copy gives an independent copy, NULL when memory runs out. */
cinch_policy *cinch_policy_copy(const cinch_policy *policy, cinch_error *err);

/*
 * cinch_policy_install sets everything that a policy says in CTX, whatever its defaults were. It
 * comes first: options that openssl.cnf may have set and that weaken TLS are cleared.
 */
cinch_status cinch_policy_install(const cinch_policy *policy, SSL_CTX *ctx, cinch_error *err);

/*
 * cinch_policy_check tells whether the parts of POLICY fit together: every version in its range has
 * a cipher suite, and what was picked by hand is of use.
 */
cinch_status cinch_policy_check(const cinch_policy *policy, cinch_error *err);

/*
 * cinch_policy_usable gives the suites that versions and level leave, of those in the lists, in a new
 * stack; *SUITES is NULL if there are none.
 */
cinch_status cinch_policy_usable(const cinch_policy *policy, STACK_OF(SSL_CIPHER) * *suites,
                                 cinch_error *err);

/* cinch_policy_word copies the next word of LIST: 1, or 0 at the end. BUF has 80 bytes. */
int cinch_policy_word(const char **list, char buf[80]);

/* cinch_policy_bits gives how many bits of security OpenSSL's LEVEL stands for. */
int cinch_policy_bits(int level);

/*
 * cinch_policy_group_bits gives the security of the group NAME in bits, 0 if it is not known, -1 if
 * memory ran out while looking.
 */
int cinch_policy_group_bits(const char *name);

/* cinch_policy_sigalg_bits gives the security of the digest in a signature algorithm's NAME. */
int cinch_policy_sigalg_bits(const char *name);

/* cinch_policy_hash feeds all that matters of POLICY to MD. 1 or 0. */
int cinch_policy_hash(const cinch_policy *policy, EVP_MD_CTX *md);

#endif
