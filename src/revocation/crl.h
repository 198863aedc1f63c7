/*
 * crl.h: certificate revocation lists (RFC 5280, 5). A set of them is immutable and shared by
 * reference count; "with" makes a new set out of one. Lists are parsed once per process, by content.
 */
#ifndef CINCH_REVOCATION_CRL_H
#define CINCH_REVOCATION_CRL_H

#include <cinch/error.h>
#include <openssl/x509v3.h>
#include <stdint.h>

typedef struct cinch_crls cinch_crls;

/*
 * Each gives a new set: BASE (NULL for none) and one more source, which is read and checked now.
 * BASE stays the caller's. NULL and ERR set on failure.
 */
cinch_crls *cinch_crls_with_file(const cinch_crls *base, const char *path, cinch_error *err);
cinch_crls *cinch_crls_with_dir(const cinch_crls *base, const char *path, cinch_error *err);
cinch_crls *cinch_crls_with_bytes(const cinch_crls *base, const void *bytes, size_t size,
                                  cinch_error *err);

cinch_crls *cinch_crls_ref(cinch_crls *set);
void cinch_crls_unref(cinch_crls *set);

/*
 * cinch_crls_refresh gives the set as the files are now: SET itself (another reference) when nothing
 * changed, which it looks for at most once in a second, else a new one. A source that can no longer
 * be used keeps its last good content. Never NULL.
 */
cinch_crls *cinch_crls_refresh(cinch_crls *set);

/* cinch_crls_digest identifies the content: equal digests, equal lists. */
void cinch_crls_digest(const cinch_crls *set, unsigned char digest[32]);

/* cinch_crls_describe writes where the lists come from: "/etc/crl.pem (2 lists), memory (1 list)". */
char *cinch_crls_describe(const cinch_crls *set, char *buf, size_t size);

/* One list of a set. */
typedef struct cinch_crl_facts {
    const X509_CRL *crl;
    const char *where; /* its file, or "memory" */
    int64_t this_update;
    int64_t next_update; /* 0: not given */
    int is_weak;         /* signed with a digest for which collisions can be made */
} cinch_crl_facts;

/* cinch_crls_each shows VISIT every list of SET; what it sees is valid as long as SET. */
void cinch_crls_each(const cinch_crls *set, void (*visit)(const cinch_crl_facts *facts, void *arg),
                     void *arg);

/* What a set says of one certificate. */
typedef enum cinch_crl_verdict {
    CINCH_CRL_FAILED,  /* it could not be found out: no memory, or something that cannot be read */
    CINCH_CRL_REVOKED, /* listed by its issuer */
    CINCH_CRL_UNKNOWN, /* not listed, and no list says that it is good now */
    CINCH_CRL_GOOD     /* not listed by a current list that would have it */
} cinch_crl_verdict;

/* The details, as far as there are any. */
typedef struct cinch_crl_finding {
    int64_t revoked_at;
    int reason;          /* CRL_REASON_..., -1: not given */
    int64_t this_update; /* of the list that has it */
    int64_t next_update; /* 0: not given */
    char where[160];     /* the source of that list */
    char why_not[400];   /* of UNKNOWN: each list of this issuer, and why it does not count */
} cinch_crl_finding;

/*
 * cinch_crls_check looks for X, which ISSUER has signed, in SET at the time NOW. FINDING may be NULL.
 * Whoever is on a list that the issuer signed is revoked, even if the list is out of time, covers
 * only some certificates, or is newer than the clock: it may be no proof of goodness, but is one of
 * revocation. The exception is a hold (RFC 5280, 5.3.1) that a newer list no longer has.
 */
cinch_crl_verdict cinch_crls_check(cinch_crls *set, X509 *x, X509 *issuer, int64_t now,
                                   cinch_crl_finding *finding);

/* cinch_crl_reason gives a reason in words: "the key was compromised". */
const char *cinch_crl_reason(int reason);

#endif
