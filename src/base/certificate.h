/* certificate.h: describing certificates, for reports and for evidence. */
#ifndef CINCH_BASE_CERTIFICATE_H
#define CINCH_BASE_CERTIFICATE_H

#include <cinch/certificate.h>
#include <openssl/x509.h>

/* cinch_certificate_x509 describes X. NULL when memory runs out. The caller frees it. */
cinch_certificate *cinch_certificate_x509(const X509 *x, cinch_error *err);

/* cinch_certificate_list describes all of STACK (or NULL) in *LIST, *COUNT of them. */
cinch_status cinch_certificate_list(const STACK_OF(X509) * stack, cinch_certificate ***list,
                                    size_t *count, cinch_error *err);
void cinch_certificate_list_free(cinch_certificate **list, size_t count);

/* cinch_x509_subject and _issuer write the name, made fit for reading, into BUF and return BUF. */
char *cinch_x509_subject(const X509 *x, char *buf, size_t size);
char *cinch_x509_issuer(const X509 *x, char *buf, size_t size);

/* cinch_x509_names lists at most MOST names that X is for, "a, b, c and 4 more", and returns BUF. */
char *cinch_x509_names(const X509 *x, char *buf, size_t size, size_t most);

/* cinch_x509_times gives the validity as seconds since 1970 UTC; 0 if it cannot be read, else 1. */
int cinch_x509_times(const X509 *x, int64_t *not_before, int64_t *not_after);

/* cinch_x509_key_digest gives the SHA-256 of the SubjectPublicKeyInfo: 1, or 0 without memory. */
int cinch_x509_key_digest(const X509 *x, unsigned char digest[32]);

/* cinch_x509_issuer_url copies the caIssuers URL, cleaned, into BUF: 1, or 0 if there is none. */
int cinch_x509_issuer_url(const X509 *x, char *buf, size_t size);

#endif
