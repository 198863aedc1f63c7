/* signer.h: keys that are somewhere else, as OpenSSL wants to see keys. */
#ifndef CINCH_IDENTITY_SIGNER_H
#define CINCH_IDENTITY_SIGNER_H

#include <cinch/signer.h>
#include <openssl/core.h>
#include <openssl/evp.h>

/* Who signs. */
typedef struct cinch_signer {
    cinch_sign_callback callback; /* NULL: nobody, it is a public key alone */
    void *arg;
    EVP_PKEY *public_key; /* of cinch_library_context() */
} cinch_signer;

/* The inside of a key of our provider. The fields never change after it was imported. */
typedef struct cinch_signer_key {
    const char *type;
    cinch_signer signer;
} cinch_signer_key;

/* The parameter that hands a cinch_signer to the import of a key. */
#define CINCH_SIGNER_PARAM "cinch-signer"

/*
 * cinch_signer_key_new makes an EVP_PKEY that signs with SIGNER; its public key gets a reference.
 * NULL on failure, with OpenSSL's error queue saying why.
 */
EVP_PKEY *cinch_signer_key_new(const cinch_signer *signer);

/* cinch_signer_supports tells whether keys of the kind of KEY can be somewhere else. */
int cinch_signer_supports(const EVP_PKEY *key);

/*
 * cinch_signer_report says where this thread's callbacks explain a failure, and returns where it was
 * before: a callback may use connections itself.
 */
cinch_error *cinch_signer_report(cinch_error *report);

/* signer_sign.c: how the provider signs. */
extern const OSSL_DISPATCH cinch_signer_functions[];

#endif
