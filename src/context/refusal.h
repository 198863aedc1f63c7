/* refusal.h: what the explanations of a refused chain are made from. */
#ifndef CINCH_CONTEXT_REFUSAL_H
#define CINCH_CONTEXT_REFUSAL_H

#include "context/link.h"

typedef struct cinch_refusal {
    X509_STORE_CTX *store_ctx;
    const cinch_link *link;
    int64_t now;
    int code;
    int depth;
    X509 *leaf;
    X509 *subject; /* the certificate that the refusal is about */
    cinch_error *err;
} cinch_refusal;

/* cinch_refusal_peer gives "client" or "server": whose certificate it is. */
const char *cinch_refusal_peer(const cinch_refusal *r);

/* cinch_refusal_show adds who X is and who issued it to the evidence. */
void cinch_refusal_show(const cinch_refusal *r, const X509 *x);

/* verify_issuer.c: the chain ends at an issuer that is not trusted, or has a gap. */
void cinch_explain_issuer(const cinch_refusal *r);

#endif
