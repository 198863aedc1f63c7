/* signer.h: keys that are somewhere else, as OpenSSL wants to see keys. */
#ifndef CINCH_IDENTITY_SIGNER_H
#define CINCH_IDENTITY_SIGNER_H

#include "base/fiber.h"

#include <cinch/signer.h>
#include <openssl/core.h>
#include <openssl/evp.h>
#include <stdint.h>

/* Who signs. With neither of the two it is a public key alone. */
typedef struct cinch_signer {
    cinch_sign_callback callback;
    cinch_sign_async_callback later;
    void *arg;
    EVP_PKEY *public_key; /* of cinch_library_context() */
} cinch_signer;

static inline int cinch_signer_signs(const cinch_signer *signer)
{
    return signer->callback != NULL || signer->later != NULL;
}

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

/* What a signature needs to know of the call on a connection that it is made in. */
typedef struct cinch_signer_turn {
    cinch_error *report; /* where a failure is explained; NULL: nobody wants to know */
    cinch_fiber *fiber;  /* what the call runs on; NULL: the thread's own stack, it cannot pause */
    cinch_signature_request *asks; /* what the paused fiber waits for */
} cinch_signer_turn;

/*
 * cinch_signer_enter says in what call this thread is now, and returns in what it was before: a
 * callback may use connections itself.
 */
cinch_signer_turn *cinch_signer_enter(cinch_signer_turn *turn);

/* signer_sign.c: how the provider signs. */
extern const OSSL_DISPATCH cinch_signer_functions[];

/* ---- signer_later.c ---- */

/*
 * cinch_signer_ask_later pauses TURN's fiber until there is an answer; from then on everything as
 * with a cinch_sign_callback. The thread may be another one afterwards.
 */
cinch_status cinch_signer_ask_later(const cinch_signer *signer, cinch_signer_turn *turn,
                                    const cinch_signing *what, unsigned char *signature,
                                    size_t *size, char *reason, size_t reason_size);

/*
 * cinch_request_put puts REQUEST to the program, once and outside of the fiber. It stays valid as
 * long as the fiber is paused.
 */
void cinch_request_put(cinch_signature_request *request);

/* cinch_request_answered tells whether there is an answer. 1 or 0. */
int cinch_request_answered(cinch_signature_request *request);

/* cinch_request_wait waits for it until DEADLINE, of cinch_clock_us(); INT64_MAX: for ever. 1 or 0. */
int cinch_request_wait(cinch_signature_request *request, int64_t deadline);

/* cinch_signers_later tells whether this process ever made an identity that signs later. */
int cinch_signers_later(void);

#endif
