/*
 * helpers.h: small things that are easily got wrong.
 *
 * Threads: every call may come from any thread.
 */
#ifndef CINCH_HELPERS_H
#define CINCH_HELPERS_H

#include <cinch/certificate.h>

CINCH_BEGIN_DECLS

/*
 * cinch_random fills BUF with SIZE bytes that nobody can guess, for keys, tokens and salts. Should
 * there be none, it fails and BUF is zeroed.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_random(void *buf, size_t size, cinch_error *err);

/*
 * cinch_equal tells whether SIZE bytes at A and B are the same: 1 or 0. The time that it takes does
 * not tell where they differ. 0 if A or B is NULL.
 */
CINCH_API int cinch_equal(const void *a, const void *b, size_t size);

/* cinch_wipe overwrites SIZE bytes at BUF in a way that a compiler does not leave out. */
CINCH_API void cinch_wipe(void *buf, size_t size);

/*
 * cinch_pbkdf2 derives SIZE bytes, at most 1,024, from PASSWORD of PASSWORD_SIZE bytes (RFC 8018, 5.2)
 * with HMAC and DIGEST ("SHA256", "SHA384" or "SHA512"), SALT of at least 16 bytes (NIST SP 800-132,
 * 5.1) and at least 1,000 ITERATIONS; 600,000 are usual for SHA256 today. When it fails BUF is
 * zeroed.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_pbkdf2(const char *password, size_t password_size,
                                                   const void *salt, size_t salt_size,
                                                   const char *digest, unsigned iterations,
                                                   void *buf, size_t size, cinch_error *err);

/*
 * cinch_pem_to_der reads the first certificate in PEM_SIZE bytes of PEM into BUF and sets *N. Too
 * small a BUF is CINCH_CAUSE_MISUSE, and *N is how many bytes are needed. The way back is
 * cinch_certificate_der() with cinch_certificate_pem().
 */
CINCH_API cinch_status cinch_pem_to_der(const char *pem, size_t pem_size, void *buf, size_t size,
                                        size_t *n, cinch_error *err);

/*
 * cinch_time_parse reads a time as certificates' tools print it, "Jan  5 09:34:43 2018 GMT", and
 * sets *SECONDS since 1970. Anything else is an error, a date that does not exist as well. A second
 * 60 is the next minute's first.
 */
CINCH_API cinch_status cinch_time_parse(const char *text, int64_t *seconds, cinch_error *err);

/*
 * Where OpenSSL looks for trust anchors by itself. No field is NULL. `file` and `dir` may come from
 * the environment, and are valid until the program changes that; the rest is valid for ever.
 */
typedef struct cinch_verify_paths {
    const char *file; /* in use now: from the environment or OpenSSL's default */
    const char *dir;
    const char *file_variable; /* "SSL_CERT_FILE" */
    const char *dir_variable;  /* "SSL_CERT_DIR" */
    const char *openssl_file;  /* OpenSSL's own default */
    const char *openssl_dir;
} cinch_verify_paths;

/* cinch_verify_paths_default tells where OpenSSL looks for trust anchors; the files need not exist. */
CINCH_API cinch_verify_paths cinch_verify_paths_default(void);

/*
 * cinch_fetch_certificate connects to PORT of HOST and gets the server's certificate without
 * verifying anything: for looking at, not for trusting. Connecting may take TIMEOUT_MS, and the
 * handshake as much; 0 for 15,000.
 * Returns NULL and sets ERR on failure. Free it with cinch_certificate_free().
 */
CINCH_API cinch_certificate *cinch_fetch_certificate(const char *host, const char *port,
                                                     int timeout_ms, cinch_error *err);

CINCH_END_DECLS

#endif
