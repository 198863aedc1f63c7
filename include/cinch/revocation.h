/*
 * revocation.h: has the issuer withdrawn the certificate?
 *
 * Certificate revocation lists (RFC 5280, 5) come from files, directories or memory; files are read
 * again when they change. OCSP responses (RFC 6960) are stapled: a server sends one from a file, a
 * client may require one (RFC 6066, 8; RFC 8446, 4.4.2.1).
 *
 * Threads: as context.h.
 */
#ifndef CINCH_REVOCATION_H
#define CINCH_REVOCATION_H

#include <cinch/context.h>
#include <stddef.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_crl_file adds the revocation lists in the PEM or DER file PATH, cinch_context_crl_dir
 * those in every file of the directory PATH, cinch_context_crl_pem those in SIZE bytes at PEM.
 */
CINCH_API cinch_status cinch_context_crl_file(cinch_context *ctx, const char *path,
                                              cinch_error *err);
/* cinch_context_crl_dir: see cinch_context_crl_file(). */
CINCH_API cinch_status cinch_context_crl_dir(cinch_context *ctx, const char *path,
                                             cinch_error *err);
/* cinch_context_crl_pem: see cinch_context_crl_file(). */
CINCH_API cinch_status cinch_context_crl_pem(cinch_context *ctx, const void *pem, size_t size,
                                             cinch_error *err);

/* What is asked of revocation lists. */
typedef enum cinch_crl_rule {
    CINCH_CRL_SOFT = 0, /* a certificate on a current list is refused; no list, no objection */
    CINCH_CRL_LEAF = 1, /* a current list of the leaf's issuer must be there */
    CINCH_CRL_CHAIN = 2 /* and of every issuer up to the anchor */
} cinch_crl_rule;

/* cinch_context_crl_rule sets what is asked; CINCH_CRL_SOFT is the default. */
CINCH_API cinch_status cinch_context_crl_rule(cinch_context *ctx, cinch_crl_rule rule,
                                              cinch_error *err);

/*
 * cinch_context_ocsp_file makes a server staple the OCSP response (DER) in the file PATH, which is
 * read again when it changes; NULL for none. Refused if it is not a successful response for the
 * context's identity. One that runs out is not sent any more.
 */
CINCH_API cinch_status cinch_context_ocsp_file(cinch_context *ctx, const char *path,
                                               cinch_error *err);

/*
 * cinch_context_ocsp_require makes a client ask for a stapled OCSP response, and refuse a server
 * that sends none or one that does not verify, is out of time, or says anything but "good" (ON not
 * 0). Off by default: then one that is there and says "revoked" is not asked for.
 */
CINCH_API cinch_status cinch_context_ocsp_require(cinch_context *ctx, int on, cinch_error *err);

CINCH_END_DECLS

#endif
