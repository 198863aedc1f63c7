/* openssl.h: the one place that knows what differs between the versions of OpenSSL. */
#ifndef CINCH_BASE_OPENSSL_H
#define CINCH_BASE_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdint.h>

/* cinch_library_context is the OSSL_LIB_CTX that everything is made in; NULL is OpenSSL's default. */
OSSL_LIB_CTX *cinch_library_context(void);

/* cinch_x509_read parses one certificate that must be all of SIZE bytes of DER; NULL if it is not. */
X509 *cinch_x509_read(const unsigned char *der, size_t size);

/* cinch_group_usual_name turns OpenSSL's name of a group into the usual one: "prime256v1" is "P-256". */
const char *cinch_group_usual_name(const char *name);

/* cinch_ssl_session_time says when SESSION was made, in seconds since 1970. */
int64_t cinch_ssl_session_time(const SSL_SESSION *session);

/* The names of what was agreed; "" where there is nothing to tell. Valid as long as SSL. */
const char *cinch_ssl_group(SSL *ssl);
const char *cinch_ssl_peer_signature(SSL *ssl);

/*
 * These are SSL_CTX_set_cipher_list() and SSL_CTX_set_ciphersuites(). If the queue was empty before, a failure
 * has its reason there. 1 or 0.
 */
int cinch_ssl_set_ciphers(SSL_CTX *ctx, const char *list);
int cinch_ssl_set_suites(SSL_CTX *ctx, const char *list);

/*
 * cinch_ssl_set_groups sets the list of groups LIST for CTX, or _of for SSL, of names separated by colons. A name
 * after "?" is left out if this OpenSSL does not know it. 1 or 0.
 */
int cinch_ssl_set_groups(SSL_CTX *ctx, const char *list);
int cinch_ssl_set_groups_of(SSL *ssl, const char *list);

/*
 * cinch_ex_place gives our place among the extra data that objects of the kind OBJECTS
 * (CRYPTO_EX_INDEX_...) have, and reserves it in *PLACE, which begins as -1, when it is first asked
 * for. -1 if that failed: the next call tries again, as pthread_once() would not. COPIED and FREED
 * may be NULL.
 */
int cinch_ex_place(atomic_int *place, int objects, CRYPTO_EX_dup *copied, CRYPTO_EX_free *freed);

/* cinch_ex_leave_out is a COPIED for what belongs to one object: a copy of that begins without. */
int cinch_ex_leave_out(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int index,
                       long number, void *pointer);

/* cinch_openssl_out_of_memory tells whether the error CODE says so. */
int cinch_openssl_out_of_memory(unsigned long code);

/* What stood in OpenSSL's error queue. */
typedef struct cinch_openssl_errors {
    unsigned long first; /* the cause; 0 if the queue was empty */
    unsigned long last;  /* what the outermost caller made of it */
    int out_of_memory;   /* one of them says so, whatever the others made of that */
} cinch_openssl_errors;

/*
 * cinch_openssl_clear empties OpenSSL's error queue, which is empty as a rule: looking costs far less than
 * ERR_clear_error(), which wipes all the places there are.
 */
static inline void cinch_openssl_clear(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/*
 * cinch_openssl_sha256 hashes SIZE bytes: 1, or 0 with a reason in the queue. The algorithm is fetched once
 * for the process; EVP_Q_digest() fetches it each time.
 */
EVP_MD *cinch_openssl_md_sha256(void); /* lent; NULL if it cannot be had */
int cinch_openssl_sha256(const void *bytes, size_t size, unsigned char digest[32]);

/* cinch_openssl_take_errors empties the queue and says what was in it. */
cinch_openssl_errors cinch_openssl_take_errors(void);

#endif
