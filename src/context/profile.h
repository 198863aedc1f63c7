/*
 * profile.h: the profile "strict": what RFC 5280 and the Web PKI ask of a chain beyond what OpenSSL
 * looks at. The rules are public; see cinch/verify.h. Every check fails closed: what cannot be read,
 * for want of memory as well, breaks the rule that looks at it.
 */
#ifndef CINCH_CONTEXT_PROFILE_H
#define CINCH_CONTEXT_PROFILE_H

#include "context/context.h"

#include <cinch/verify.h>

/* The first rule that was found broken. */
typedef struct cinch_finding {
    int found;
    int no_memory; /* rather that than a fault of the certificate */
    cinch_rule rule;
    int depth;
    X509 *x;             /* borrowed */
    const char *section; /* "RFC 5280, 4.1.2.2" */
    char what[160];      /* "its serial number is zero" */
} cinch_finding;

/*
 * cinch_profile_check holds the verified CHAIN, which ends in an anchor, to the rules. 1 if all hold
 * that SETTINGS do not relax, else 0 and FINDING is set.
 */
int cinch_profile_check(const cinch_settings *settings, const STACK_OF(X509) * chain,
                        cinch_finding *finding);

/*
 * cinch_profile_suspect looks for a broken rule in the one certificate X at DEPTH, for the explanation
 * of a chain that OpenSSL refused without saying much. 1 if FINDING is set.
 */
int cinch_profile_suspect(const cinch_settings *settings, X509 *x, int depth, int is_anchor,
                          cinch_finding *finding);

/*
 * cinch_profile_fits is called before OpenSSL's verification: 1 if LEAF and UNTRUSTED, with the anchors
 * of TRUST that may have issued them, do not hold so many names and constraints that comparing each
 * with each is an attack on the processor, which costs the sender no valid signature. Else 0 and
 * FINDING is set.
 */
int cinch_profile_fits(cinch_trust *trust, X509 *leaf, const STACK_OF(X509) * untrusted,
                       cinch_finding *finding);

/* ---- Between the files of the profile ---- */

/* A certificate under examination. */
typedef struct cinch_suspect {
    const cinch_settings *settings;
    const STACK_OF(X509) * chain; /* NULL if the certificate is looked at by itself */
    X509 *x;
    int depth;
    int is_leaf;
    int is_anchor;
    int is_self_issued;
    cinch_finding *finding;
} cinch_suspect;

/* cinch_broken records what is wrong and returns 0, for "return cinch_broken(...)". */
int cinch_broken(const cinch_suspect *s, cinch_rule rule, const char *section, const char *format,
                 ...) CINCH_PRINTF(4, 5);

/* cinch_extension gives extension NID of X as OpenSSL's struct. *THERE is 0 if there is none. */
void *cinch_extension(const X509 *x, int nid, int *there, int *critical);

/* Each: 1 if the rule holds, else 0 through cinch_broken(). */
int cinch_rule_version(const cinch_suspect *s);
int cinch_rule_serial(const cinch_suspect *s);
int cinch_rule_signature(const cinch_suspect *s);
int cinch_rule_dates(const cinch_suspect *s);
int cinch_rule_names(const cinch_suspect *s);
int cinch_rule_key_kind(const cinch_suspect *s);
int cinch_rule_encoding(const cinch_suspect *s);
int cinch_rule_critical(const cinch_suspect *s);
int cinch_rule_basic_constraints(const cinch_suspect *s);
int cinch_rule_leaf_not_ca(const cinch_suspect *s);
int cinch_rule_key_usage(const cinch_suspect *s);
int cinch_rule_eku_required(const cinch_suspect *s);
int cinch_rule_eku_pure(const cinch_suspect *s);
int cinch_rule_key_identifiers(const cinch_suspect *s);
int cinch_rule_subject_alt_name(const cinch_suspect *s);
int cinch_rule_name_constraints(const cinch_suspect *s);

/* Part of cinch_rule_name_constraints(): no wildcard of S covers a name that an issuer excludes. */
int cinch_wildcards_hold(const cinch_suspect *s);

/*
 * cinch_der_header gives the size of the tag and length that SIZE bytes at DER start with, and that of
 * what follows in *CONTENT; 0 if it is cut off or not as DER writes it.
 */
size_t cinch_der_header(const unsigned char *der, size_t size, size_t *content);

/* Whether the SIZE bytes at TEXT are well-formed, as an alternative name or as a constraint. */
int cinch_is_dns_name(const unsigned char *text, size_t size, int wildcard);
int cinch_is_mailbox(const unsigned char *text, size_t size);

#endif
