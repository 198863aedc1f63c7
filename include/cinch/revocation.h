/*
 * revocation.h: has the issuer withdrawn the certificate?
 *
 * Certificate revocation lists (RFC 5280, 5) come from files, directories or memory. OCSP responses
 * (RFC 6960) are stapled: a server sends one from a file, a client may require one (RFC 6066, 8;
 * RFC 8446, 4.4.2.1). Nothing is fetched from the network.
 *
 * Files are looked at again when they change: connections made after that use the new content. A
 * file that cannot be used any more (half written, emptied, gone) changes nothing: the last good
 * content stays in force. What was read is shared by all the contexts of the process. Sessions that
 * were made under other lists are not resumed.
 *
 * Threads: as context.h.
 */
#ifndef CINCH_REVOCATION_H
#define CINCH_REVOCATION_H

#include <cinch/context.h>
#include <stddef.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_crl_file adds the revocation lists in the file PATH: PEM with one or more, or DER.
 * Several calls add up. What cannot be understood is refused at once, with its line: a list that is
 * damaged, that is indirect, that is only the difference to another (a delta), or that has a critical
 * extension nobody knows (CINCH_CAUSE_BAD_REVOCATION, CINCH_CAUSE_NOT_PEM).
 *
 * The lists are for whoever is verified: the server by a client, the clients by a server. Every
 * certificate below the trust anchor is looked up, the anchor itself is not. A list counts if the
 * certificate's issuer has signed it and may sign lists (RFC 5280, 6.3.3). Whoever is on one is
 * refused (CINCH_CAUSE_REVOKED), also if that list has run out or covers only some certificates: what
 * is revoked stays revoked. Only a hold (certificateHold) ends, with a newer list that is in time.
 */
CINCH_API cinch_status cinch_context_crl_file(cinch_context *ctx, const char *path,
                                              cinch_error *err);

/*
 * cinch_context_crl_dir adds the lists in every file of the directory PATH, whatever its name; files
 * with other PEM in them, hidden ones and directories are passed over. There must be at least one
 * list. Files that are added later count, and ones that are taken away do not any more. One file that
 * cannot be used keeps the whole directory as it was.
 */
CINCH_API cinch_status cinch_context_crl_dir(cinch_context *ctx, const char *path,
                                             cinch_error *err);

/* cinch_context_crl_pem adds the lists in SIZE bytes at PEM, in PEM or DER. The bytes are copied. */
CINCH_API cinch_status cinch_context_crl_pem(cinch_context *ctx, const void *pem, size_t size,
                                             cinch_error *err);

/* What is asked of revocation lists. */
typedef enum cinch_crl_rule {
    CINCH_CRL_SOFT = 0, /* who is on a list is refused; no list, no objection: the default */
    CINCH_CRL_LEAF = 1, /* and a current list of the leaf's issuer must be there */
    CINCH_CRL_CHAIN = 2 /* and of every issuer up to the anchor */
} cinch_crl_rule;

/*
 * cinch_context_crl_rule sets what is asked of revocation lists; some must be named before more than
 * CINCH_CRL_SOFT can be. A list is current between its thisUpdate and its nextUpdate, covers the
 * certificate, and is signed with a digest that is not weak; without one CINCH_CAUSE_NO_CRL names the
 * issuer, the places looked at, and why each list does not count.
 */
CINCH_API cinch_status cinch_context_crl_rule(cinch_context *ctx, cinch_crl_rule rule,
                                              cinch_error *err);

/*
 * cinch_context_ocsp_file makes a server staple the OCSP response (DER) in the file PATH, for clients
 * that ask, to the certificate that it is about: that of the context's identity or of one that was
 * added (host.h), which must be there before. Several calls add up, one response for each
 * certificate; another one for the same certificate, or for its renewal, takes its place. NULL drops
 * them all. Whichever certificate is shown, its own response is sent with it or none is. A context
 * that a name or a callback leads to has its own.
 *
 * Refused with CINCH_CAUSE_BAD_REVOCATION unless the response is successful, about one of the
 * certificates, in time, and signed by its issuer (looked at if the identity has the issuer's
 * certificate with it); with CINCH_CAUSE_REVOKED if it says so. A response that has run out, or is
 * for the certificate before, is not sent.
 */
CINCH_API cinch_status cinch_context_ocsp_file(cinch_context *ctx, const char *path,
                                               cinch_error *err);

/*
 * cinch_context_ocsp_require makes a client ask for a stapled OCSP response, and refuse a server that
 * sends none, or one that does not count (CINCH_CAUSE_OCSP), or one that says "revoked"
 * (CINCH_CAUSE_REVOKED); ON not 0. Off by default: then it is not asked for. It counts if the
 * certificate's issuer has signed it, or a responder that the issuer itself has certified for this
 * (RFC 6960, 4.2.2.2), if it says until when it holds, and that is not over; the clocks may differ by
 * five minutes. A session made with it is resumed no longer than it holds.
 */
CINCH_API cinch_status cinch_context_ocsp_require(cinch_context *ctx, int on, cinch_error *err);

CINCH_END_DECLS

#endif
