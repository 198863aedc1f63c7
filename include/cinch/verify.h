/*
 * verify.h: how strictly are the peer's certificates checked, and who of the trusted is let in?
 *
 * Beside what OpenSSL checks, Cinch holds a chain to RFC 5280 and to the profile of the Web PKI (the
 * CA/Browser Forum's Baseline Requirements, "BR" below). Each rule has a name; an error names the
 * rule that was broken and the certificate; a private CA that breaks one can be accommodated by
 * relaxing this one rule. Servers hold their clients to the same rules, with clientAuth for
 * serverAuth.
 *
 * An anchor is believed because it was named, not because of what it says. Still, as an issuer it is
 * held to BASIC_CONSTRAINTS (but need not have keyUsage), CRITICAL_EXTENSIONS, EKU_PURE, ENCODING
 * (but need not be in DER), KEY_IDENTIFIERS, KEY_KIND, NAMES, NAME_CONSTRAINTS and VERSION; not to
 * SERIAL and DATES (though to its time). Where the system's store is trusted, old public roots are
 * spared BASIC_CONSTRAINTS, EKU_PURE, ENCODING and KEY_IDENTIFIERS. A peer's certificate that is an
 * anchor itself, as those made by "openssl req -x509" are, need not say what it is for
 * (EKU_REQUIRED) nor that it is no CA (LEAF_NOT_CA), nor have key identifiers; its name, dates, key
 * and the other rules count.
 *
 * Threads: as context.h.
 */
#ifndef CINCH_VERIFY_H
#define CINCH_VERIFY_H

#include <cinch/certificate.h>
#include <cinch/context.h>

CINCH_BEGIN_DECLS

/* The rules of the profile "strict", which is the default. Each may be relaxed by itself. */
typedef enum cinch_rule {
    CINCH_RULE_EKU_REQUIRED = 0, /* extendedKeyUsage is there and has what the peer is, not "any";
                                    an issuer's, if it has one, allows it (4.2.1.12; BR 7.1.2.7.10) */
    CINCH_RULE_LEAF_NOT_CA,      /* a leaf has neither the CA bit, keyCertSign nor a path length */
    CINCH_RULE_NAME_CONSTRAINTS, /* only in CAs, well-formed, and not too many; no wildcard stands for
                                    a name that is excluded (4.2.1.10) */
    CINCH_RULE_SERIAL,           /* positive and at most 20 bytes (4.1.2.2) */
    CINCH_RULE_KEY_IDENTIFIERS,  /* there, in their place, and not critical (4.2.1.1, 4.2.1.2) */
    CINCH_RULE_SUBJECT_ALT_NAME, /* there, well-formed; critical beside an empty subject (4.2.1.6) */
    CINCH_RULE_BASIC_CONSTRAINTS, /* CAs have them, critical, with keyCertSign (4.2.1.9) */
    CINCH_RULE_KEY_KIND, /* RSA of 2048 to 8192 bits in whole bytes, in its one writing (RFC 3279),
                            P-256/384/521, Ed25519/448, ML-DSA; no DSA. The lower limit goes with the
                            policy's level */
    CINCH_RULE_CRITICAL_EXTENSIONS, /* no unknown ones, nor known ones in the wrong place (4.2);
                                       those that must be critical are */
    CINCH_RULE_VERSION,   /* version 3; no extension twice, no unique identifiers (4.1.2.1, 4.1.2.8,
                             4.2) */
    CINCH_RULE_SIGNATURE, /* both fields say the same algorithm, ECDSA and EdDSA without parameters
                             (4.1.1.2; RFC 5758, 3.2) */
    CINCH_RULE_DATES,     /* UTCTime through 2049, GeneralizedTime after (4.1.2.5) */
    CINCH_RULE_NAMES,     /* an issuer has a name (4.1.2.4, 4.1.2.6) */
    CINCH_RULE_KEY_USAGE, /* has a bit set; a leaf's allows signatures (4.2.1.3; RFC 8446, 4.4.2.2) */
    CINCH_RULE_EKU_PURE, /* a server's is not critical and not for code, mail, time, OCSP or "any";
                             a root has none (BR 7.1.2.1, 7.1.2.7.10) */
    CINCH_RULE_ENCODING, /* the extensions of RFC 5280 can be read, to their last byte; all is in DER,
                            and no list is empty (4.1, 4.2) */
    CINCH_RULE_COUNT     /* not a rule: how many there are in this version */
} cinch_rule;

/* cinch_rule_name gives the name of RULE, "serial"; "unknown" for none. Never NULL. */
CINCH_API const char *cinch_rule_name(cinch_rule rule);

/*
 * cinch_context_insecure_relax stops CTX from insisting on RULE (ON not 0), or insists again (0).
 * OpenSSL's own checks stay.
 */
CINCH_API cinch_status cinch_context_insecure_relax(cinch_context *ctx, cinch_rule rule, int on,
                                                    cinch_error *err);

/*
 * cinch_context_verify_chain tells whether CTX would accept a chain, with the very code that checks a
 * peer's, and without a connection: COUNT certificates in DER, the peer's own first, the others in any
 * order. HOST is the server's name or address for a client's context (NULL only if the name is not
 * checked there); NULL for a server's context, which checks clients and needs no identity for this.
 * WHEN is in seconds since 1970; -1: now. CINCH_OK if it would; else ERR tells why not.
 */
CINCH_API cinch_status cinch_context_verify_chain(cinch_context *ctx,
                                                  const unsigned char *const *der,
                                                  const size_t *sizes, size_t count,
                                                  const char *host, int64_t when, cinch_error *err);

/* What a rule for letting clients in looks at. */
typedef enum cinch_match {
    CINCH_MATCH_DNS = 1,   /* a dNSName, exact, or "*.example.com" for any one label there */
    CINCH_MATCH_EMAIL = 2, /* an rfc822Name, exact; the part behind @ without regard to case */
    CINCH_MATCH_URI = 3, /* a URI, exact. One that begins with spiffe:// and ends in a slash matches
                              all below it; the certificate must then be an X.509-SVID, whose one and
                              only URI is a SPIFFE ID */
    CINCH_MATCH_SPKI = 4,       /* SHA-256 of the public key: 64 hexadecimal digits, or Base64 */
    CINCH_MATCH_COMMON_NAME = 5 /* the subject's only CN, for private CAs that put the name there */
} cinch_match;

/*
 * cinch_context_allow lets in clients whose verified certificate matches; several calls add up to
 * "any of them". Without any, every client with a certificate from a trusted issuer is let in. TEXT
 * is checked at once. A client that is verified and matches none is refused with the alert
 * certificate_unknown (OpenSSL cannot be made to send access_denied). With client certificates
 * optional, clients without one are still let in; when none are asked for, no connection is made.
 */
CINCH_API cinch_status cinch_context_allow(cinch_context *ctx, cinch_match what, const char *text,
                                           cinch_error *err);

/* cinch_context_allow_all takes all the rules of cinch_context_allow() out again. */
CINCH_API cinch_status cinch_context_allow_all(cinch_context *ctx, cinch_error *err);

/*
 * cinch_chain_callback looks at the verified CHAIN of COUNT certificates, the peer's first, after
 * every other check has passed, and returns 1 to let the peer in. Anything else refuses it; the text
 * that it writes into WHY (SIZE bytes, "" before) is shown in this side's error. It is called for
 * resumed connections too, from the thread that does the handshake; CHAIN is gone when it returns.
 * Where the chain is not verified it gets the peer's own certificate alone.
 */
typedef int (*cinch_chain_callback)(cinch_certificate *const *chain, size_t count, char *why,
                                    size_t size, void *arg);

/*
 * cinch_context_allow_if sets CALLBACK with ARG, for clients and servers; NULL takes it out. Both must
 * stay usable as long as there is a connection or context with them.
 */
CINCH_API cinch_status cinch_context_allow_if(cinch_context *ctx, cinch_chain_callback callback,
                                              void *arg, cinch_error *err);

/*
 * cinch_context_pin makes a client insist that a certificate of the verified chain has one of two
 * public keys, each given as the SHA-256 of its SubjectPublicKeyInfo in 64 hexadecimal digits or
 * Base64. RESERVE is the key to be used next, kept off line: without a reserve a lost key locks every
 * client out (RFC 7469, 4.3), so it is required and must differ. Both NULL: no pins. Where the chain
 * is not verified (cinch_context_insecure_skip_verification) only the server's own key counts.
 */
CINCH_API cinch_status cinch_context_pin(cinch_context *ctx, const char *pin, const char *reserve,
                                         cinch_error *err);

CINCH_END_DECLS

#endif
