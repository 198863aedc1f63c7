/* pki_ocsp.h: OCSP responses for tests: correct by default, each way of being wrong one field away. */
#ifndef CINCH_TESTS_PKI_OCSP_H
#define CINCH_TESTS_PKI_OCSP_H

#include "pki.h"

typedef struct pki_ocsp_spec {
    const pki_cert *signer;    /* NULL: the issuer */
    bool without_signer;       /* the signer's certificate does not come with it */
    const pki_cert *others[4]; /* more certificates that come with it */
    bool by_key;               /* the signer is named by the hash of its key, not by its name */
    const char *status;        /* "good" (NULL), "revoked", "unknown" */
    int reason;                /* of "revoked" */
    const char *id_digest;     /* of the certificate's id: "sha1" by default */
    const char *digest;        /* of the signature: "sha256" by default */
    long this_update;          /* seconds from now; 0: an hour ago */
    long next_update;          /* seconds from now; 0: in a day */
    bool no_next_update;
    const pki_cert *about; /* another certificate than the one asked for */
    bool critical;         /* a critical extension that nobody knows */
    bool corrupt_signature;
    int error; /* no answer but this error: 1 to 6 (RFC 6960, 4.2.1) */
} pki_ocsp_spec;

/* pki_ocsp returns ISSUER's response about CERT as DER, malloc'd, and sets *LEN. */
unsigned char *pki_ocsp(const pki_cert *cert, const pki_cert *issuer, const pki_ocsp_spec *spec,
                        size_t *len);

#endif
