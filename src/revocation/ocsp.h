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

/* A certificate that a server shows, and its issuer's or NULL. */
typedef struct cinch_shown {
    X509 *leaf;
    X509 *issuer;
    const unsigned char *print; /* SHA-256 of the leaf */
} cinch_shown;

/* Several: the main one first, the others in the order of their prints. */
typedef struct cinch_shown_list {
    cinch_shown *list;
    size_t count;
} cinch_shown_list;

/*
 * cinch_ocsp_find gives in *FOUND the first of SHOWN that the response is about: CINCH_OCSP_GOOD. What
 * it says and whether that counts is not looked at.
 */
cinch_ocsp_verdict cinch_ocsp_find(const unsigned char *der, size_t size,
                                   const cinch_shown_list *shown, const cinch_shown **found,
                                   cinch_ocsp_finding *finding);

/* ---- staple.c: a response in a file, for a server; immutable, shared by reference count ---- */

typedef struct cinch_staple cinch_staple;

/* cinch_staple_open reads PATH, which must be a good response for one of SHOWN. */
cinch_staple *cinch_staple_open(const char *path, const cinch_shown_list *shown, cinch_error *err);
cinch_staple *cinch_staple_ref(cinch_staple *staple);
void cinch_staple_unref(cinch_staple *staple);

/*
 * cinch_staple_refresh gives the response as the file has it now: STAPLE itself (another reference)
 * when nothing changed, or what is there now is not for one of SHOWN; else a new one. Never NULL.
 */
cinch_staple *cinch_staple_refresh(cinch_staple *staple, const cinch_shown_list *shown);

/* cinch_staple_bytes gives the response if it is in time at NOW: its size, or 0. */
size_t cinch_staple_bytes(const cinch_staple *staple, int64_t now, const unsigned char **bytes);

/* cinch_staple_times tells from when until when the response holds. */
void cinch_staple_times(const cinch_staple *staple, int64_t *from, int64_t *until);

/* cinch_staple_print gives the SHA-256 of the certificate that it is for. */
const unsigned char *cinch_staple_print(const cinch_staple *staple);

/* cinch_staple_digest identifies the content. */
const unsigned char *cinch_staple_digest(const cinch_staple *staple);

/* cinch_staple_order is for sorting, by certificate and then by path. */
int cinch_staple_order(const cinch_staple *a, const cinch_staple *b);

/*
 * cinch_staple_replaces tells whether FRESH takes the place of OLD: the same file, one for the same
 * certificate, or for the renewal of one that is not among SHOWN any more.
 */
int cinch_staple_replaces(const cinch_staple *fresh, const cinch_staple *old,
                          const cinch_shown_list *shown);

/* ---- staples.c: all the responses of a server; a set is immutable, as above ---- */

typedef struct cinch_staples cinch_staples;

/* cinch_staples_with gives BASE (or NULL), which stays the caller's, and the response in PATH. */
cinch_staples *cinch_staples_with(const cinch_staples *base, const char *path,
                                  const cinch_shown_list *shown, cinch_error *err);
cinch_staples *cinch_staples_ref(cinch_staples *set);
void cinch_staples_unref(cinch_staples *set);

/* cinch_staples_are_due tells, once in a second, whether it is time for a refresh. SET may be NULL. */
int cinch_staples_are_due(cinch_staples *set);

/* cinch_staples_refresh gives SET as the files have it now: itself if nothing changed. Never NULL. */
cinch_staples *cinch_staples_refresh(cinch_staples *set, const cinch_shown_list *shown);

/* cinch_staples_of gives in *PART those for the certificate with PRINT, NULL if none. 0: no memory. */
int cinch_staples_of(const cinch_staples *set, const unsigned char print[32], cinch_staples **part);

/* cinch_staples_bytes gives one that is for LEAF and in time at NOW: its size, or 0. */
size_t cinch_staples_bytes(const cinch_staples *set, const X509 *leaf, int64_t now,
                           const unsigned char **bytes);

/* cinch_staples_at gives number INDEX, from 0; NULL beyond the last. */
const cinch_staple *cinch_staples_at(const cinch_staples *set, size_t index);

/* cinch_staples_digest identifies the content: equal digests, equal answers. 1 or 0. */
int cinch_staples_digest(const cinch_staples *set, unsigned char digest[32]);

#endif
