/* revocation.h: revocation lists and stapled OCSP responses in the settings and in the handshake. */
#ifndef CINCH_CONTEXT_REVOCATION_H
#define CINCH_CONTEXT_REVOCATION_H

#include "context/refusal.h"
#include "revocation/ocsp.h"

/* For settings.c: references for a copy; gone; all fields into a digest (1 or 0). */
void cinch_revocation_share(cinch_settings *copy);
void cinch_revocation_free(cinch_settings *settings);
int cinch_revocation_hash(const cinch_settings *settings, EVP_MD_CTX *md);

/* cinch_revocation_bind hashes what the sessions of a server are bound to: 1 or 0. */
int cinch_revocation_bind(const cinch_settings *settings, EVP_MD_CTX *md);

/* cinch_revocation_refresh looks at the files again: 1 if something changed. */
int cinch_revocation_refresh(cinch_settings *settings);

/*
 * cinch_revocation_shown lists the certificates that a server with SETTINGS shows, which lend them, for
 * cinch_release(). 0 when memory runs out.
 */
int cinch_revocation_shown(const cinch_settings *settings, cinch_shown_list *shown);

cinch_status cinch_revocation_install(const cinch_settings *settings, SSL_CTX *ctx,
                                      cinch_error *err);

/* cinch_revocation_check looks the verified chain up: 1, or 0 with the error set in STORE_CTX. */
int cinch_revocation_check(X509_STORE_CTX *store_ctx, const cinch_link *link, int64_t now);

/* cinch_explain_revocation says why that was 0. */
void cinch_explain_revocation(const cinch_refusal *r);

/* cinch_revocation_passed is for the last look at a full handshake with a certificate: 1 or 0. */
int cinch_revocation_passed(const cinch_link *link);

/* cinch_revocation_limit ends SESSION with the OCSP response that it was made under. */
void cinch_revocation_limit(const cinch_link *link, SSL_SESSION *session);

#endif
