/*
 * access.h: who of the trusted is let in: rules for clients, pins, and the program's own callback.
 * They are looked at when a chain has passed everything else, and again when a session is resumed.
 */
#ifndef CINCH_CONTEXT_ACCESS_H
#define CINCH_CONTEXT_ACCESS_H

#include "context/link.h"

#include <cinch/verify.h>
#include <openssl/evp.h>

/* The rules are one block of entries: what, size in two bytes, text or digest. */
#define CINCH_ALLOW_HEAD ((size_t)3)

/*
 * cinch_access_holds tells whether whoever has the verified CHAIN (leaf first) is let in: 1 or 0.
 * REPORT may be NULL.
 */
int cinch_access_holds(const cinch_settings *settings, const STACK_OF(X509) * chain,
                       cinch_error *report);

/* cinch_access_holds_leaf is for a peer whose chain is not verified: what is above counts for nothing. */
int cinch_access_holds_leaf(const cinch_settings *settings, X509 *leaf, cinch_error *report);

/* cinch_access_applies tells whether there is anything to look at: 1 or 0. */
int cinch_access_applies(const cinch_settings *settings);

/* cinch_access_copy gives COPY, a plain copy of SETTINGS, its own rules. 1, or 0 without memory. */
int cinch_access_copy(cinch_settings *copy, const cinch_settings *settings);

/* cinch_access_hash is for the digest of all settings and for the one sessions are bound to. */
int cinch_access_hash(const cinch_settings *settings, EVP_MD_CTX *md);

/* cinch_access_check refuses rules for clients where no client is asked who it is. */
cinch_status cinch_access_check(const cinch_settings *settings, cinch_error *err);

/* match.c: whether LEAF has what the rule (SIZE bytes at TEXT) says. */
int cinch_match_holds(cinch_match what, const unsigned char *text, size_t size, const X509 *leaf);

/* cinch_match_spiffe tells whether SIZE bytes are a SPIFFE ID, or with PREFIX one up to a slash. */
int cinch_match_spiffe(const unsigned char *text, size_t size, int prefix);

#endif
