/*
 * trust.h: sets of trust anchors. A set is immutable and shared by reference count; "with" makes a
 * new set out of one. What is read from files is kept once per process.
 */
#ifndef CINCH_TRUST_TRUST_H
#define CINCH_TRUST_TRUST_H

#include <cinch/error.h>
#include <openssl/x509_vfy.h>

typedef struct cinch_trust cinch_trust;

/*
 * Each gives a new set: BASE (NULL for none) and one more source, which is read and checked now.
 * BASE stays the caller's. NULL and ERR set on failure.
 */
cinch_trust *cinch_trust_with_system(const cinch_trust *base, cinch_error *err);
cinch_trust *cinch_trust_with_file(const cinch_trust *base, const char *path, cinch_error *err);
cinch_trust *cinch_trust_with_dir(const cinch_trust *base, const char *path, cinch_error *err);
cinch_trust *cinch_trust_with_bytes(const cinch_trust *base, const void *bytes, size_t size,
                                    cinch_error *err);

/* cinch_trust_empty gives a set without anchors. */
cinch_trust *cinch_trust_empty(cinch_error *err);

cinch_trust *cinch_trust_ref(cinch_trust *trust);
void cinch_trust_unref(cinch_trust *trust);

/*
 * cinch_trust_refresh gives the set as the files are now: TRUST itself (another reference) when
 * nothing changed, which it looks for at most once in a second, else a new one. A source that can no
 * longer be used keeps its last good content. Never NULL.
 */
cinch_trust *cinch_trust_refresh(cinch_trust *trust);

/* cinch_trust_has_system tells whether the system's anchors are among them. */
int cinch_trust_has_system(const cinch_trust *trust);

/* cinch_trust_digest identifies the sources and their content: equal digests, equal anchors. */
void cinch_trust_digest(const cinch_trust *trust, unsigned char digest[32]);

/*
 * cinch_trust_store makes an X509_STORE that finds its certificates in TRUST, holds a reference to it,
 * and never changes: safe to share between threads. NULL on failure.
 */
X509_STORE *cinch_trust_store(cinch_trust *trust, cinch_error *err);

/* cinch_trust_of gives the set inside a store that cinch_trust_store() made, NULL for another. */
cinch_trust *cinch_trust_of(X509_STORE *store);

/*
 * cinch_trust_by_subject gives the anchors with the subject NAME, as references in a new stack, which
 * may be empty. NULL when memory runs out.
 */
STACK_OF(X509) * cinch_trust_by_subject(cinch_trust *trust, const X509_NAME *name);

/* cinch_trust_all gives every anchor, parsed, each once. NULL and ERR set on failure. */
STACK_OF(X509) * cinch_trust_all(cinch_trust *trust, cinch_error *err);

/* cinch_trust_describe writes where the anchors come from: "/etc/ssl/certs/ca.crt (140 anchors), ...". */
char *cinch_trust_describe(const cinch_trust *trust, char *buf, size_t size);

#endif
