/*
 * Who has the key of a certificate and signs with it when the test wants that. Nothing of his is
 * locked: one thread at a time.
 */
#ifndef CINCH_TESTS_OFFICE_H
#define CINCH_TESTS_OFFICE_H

#include "pki.h"

#include <cinch/cinch.h>

/* office_sign signs WHAT with the key of CERT into SIGNATURE, which has room for *SIZE bytes. 1 or 0. */
int office_sign(const pki_cert *cert, const cinch_signing *what, unsigned char *signature,
                size_t *size);

typedef struct office_work {
    cinch_signature_request *request;
    const cinch_signing *what;
} office_work;

#define OFFICE_WORK 1024

typedef struct office {
    const pki_cert *cert;
    const char *pem; /* its text; NULL: made when it is needed */
    enum {
        OFFICE_LATER = 0, /* it waits in `work` for the calls below */
        OFFICE_AT_ONCE,
        OFFICE_REFUSES, /* at once */
        OFFICE_LIES     /* at once, with a signature that is wrong */
    } mood;
    int calls;
    office_work work[OFFICE_WORK];
    size_t waiting;
} office;

/* office_identity makes an identity whose signer is O, which must outlive it. */
cinch_identity *office_identity(office *o, cinch_error *err);

/* office_use gives it to CTX, or aborts the test. */
void office_use(office *o, cinch_context *ctx);

/* office_take takes the oldest piece of work out of O. */
office_work office_take(office *o);

/* office_answer signs WORK with the key of CERT and answers, wrongly with LIE. */
cinch_status office_answer(const pki_cert *cert, office_work work, int lie);

#endif
