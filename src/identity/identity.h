/* identity.h: the inside of an identity. It never changes after it was made. */
#ifndef CINCH_IDENTITY_IDENTITY_H
#define CINCH_IDENTITY_IDENTITY_H

#include <cinch/identity.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

struct cinch_identity {
    atomic_uint references;
    EVP_PKEY *key;
    X509 *leaf;
    STACK_OF(X509) * chain;           /* the issuers, from the leaf's upwards; may be empty */
    cinch_certificate **certificates; /* leaf and chain, described */
    size_t certificate_count;
    unsigned char digest[32]; /* of all the certificates, in order */
    int signs_later;          /* its signer answers when it likes to */
};

cinch_identity *cinch_identity_ref(cinch_identity *identity);

/*
 * cinch_identity_install puts the key and the chain into CTX, whose policy is in force already; one
 * that is too weak for the policy's level is CINCH_CAUSE_WEAK_IDENTITY.
 */
cinch_status cinch_identity_install(const cinch_identity *identity, SSL_CTX *ctx, cinch_error *err);

#endif
