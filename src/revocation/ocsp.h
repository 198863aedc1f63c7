/* ocsp.h: OCSP responses (RFC 6960) as they are stapled (RFC 6066, 8; RFC 8446, 4.4.2.1). */
#ifndef CINCH_REVOCATION_OCSP_H
#define CINCH_REVOCATION_OCSP_H

#include "revocation/crl.h"

/* What fits into a handshake message comfortably; real ones have 300 to 3000 bytes. */
#define CINCH_OCSP_LARGEST 65536u

typedef enum cinch_ocsp_verdict {
    CINCH_OCSP_FAILED, /* it could not be found out: no memory */
    CINCH_OCSP_BAD,    /* not a response that counts; `why` says why */
    CINCH_OCSP_REVOKED,
    CINCH_OCSP_GOOD
} cinch_ocsp_verdict;

typedef struct cinch_ocsp_finding {
    int64_t this_update;
    int64_t next_update;
    int64_t revoked_at;
    int reason;    /* CRL_REASON_..., -1: not given */
    char why[256]; /* the rest of a sentence that begins with "the OCSP response" */
} cinch_ocsp_finding;

/*
 * cinch_ocsp_check looks what the SIZE bytes at DER say of LEAF at the time NOW. The signature must
 * be ISSUER's, or that of a responder that ISSUER itself has certified for this (RFC 6960, 4.2.2.2)
 * and that is not on one of CRLS (or NULL). With ISSUER NULL the signature is not looked at.
 */
cinch_ocsp_verdict cinch_ocsp_check(const unsigned char *der, size_t size, X509 *leaf, X509 *issuer,
                                    cinch_crls *crls, int64_t now, cinch_ocsp_finding *finding);

/* ---- staple.c: a response in a file, for a server; immutable, shared by reference count ---- */

typedef struct cinch_staple cinch_staple;

/* cinch_staple_open reads PATH, which must be a good response for LEAF, issued by ISSUER or NULL. */
cinch_staple *cinch_staple_open(const char *path, X509 *leaf, X509 *issuer, cinch_error *err);
cinch_staple *cinch_staple_ref(cinch_staple *staple);
void cinch_staple_unref(cinch_staple *staple);

/*
 * cinch_staple_refresh gives the response as the file has it now: STAPLE itself (another reference)
 * when nothing changed, which it looks for at most once in a second, or what is there now is not for
 * LEAF; else a new one. Never NULL.
 */
cinch_staple *cinch_staple_refresh(cinch_staple *staple, X509 *leaf, X509 *issuer);

/* cinch_staple_bytes gives the response if it is for LEAF and in time at NOW: its size, or 0. */
size_t cinch_staple_bytes(const cinch_staple *staple, const X509 *leaf, int64_t now,
                          const unsigned char **bytes);

/* cinch_staple_times tells from when until when the response holds. */
void cinch_staple_times(const cinch_staple *staple, int64_t *from, int64_t *until);

/* cinch_staple_digest identifies path and content. */
void cinch_staple_digest(const cinch_staple *staple, unsigned char digest[32]);

#endif
