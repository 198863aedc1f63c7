/*
 * identity.h: who are we?
 *
 * An identity is a private key with the certificate for it and the intermediate certificates that
 * lead to a trust anchor. It is checked when it is read: the key belongs to the certificate, and
 * each certificate is issued by the next; they may come in any order and are sorted. An expired
 * certificate is not refused: whether it is accepted is the peer's decision.
 *
 *   - Of several certificates for the key (a renewal) the one that ends last is taken, the others
 *     are dropped. Of several keys the one that belongs to a certificate is taken.
 *   - The chain may end anywhere. Cross-signed alternatives to its members follow behind it. Any
 *     other certificate left over is an error (CINCH_CAUSE_CHAIN_GAP), and so are more than 100.
 *   - A password has at most 1024 bytes. A file that asks for more than 10,000,000 rounds of key
 *     derivation in all is refused: it could keep the program busy for hours.
 *
 * An identity never changes; it may be used by any number of contexts and threads.
 */
#ifndef CINCH_IDENTITY_H
#define CINCH_IDENTITY_H

#include <cinch/certificate.h>
#include <cinch/context.h>

CINCH_BEGIN_DECLS

typedef struct cinch_identity cinch_identity;

/*
 * cinch_password_callback writes the password for an encrypted key, at most SIZE bytes, into BUF and
 * returns its length in bytes, or -1 to give up. WHAT says what the password is for: a file name in
 * double quotes, or "the PEM in memory" and the like.
 * BUF is wiped after use. Called from inside the call that reads the identity, at most once.
 */
typedef int (*cinch_password_callback)(char *buf, size_t size, const char *what, void *arg);

/*
 * Where an identity comes from. Set what applies and leave the rest 0:
 *   - one PEM with everything: `file`, or `pem` and `pem_size`
 *   - the key separate: add `key_file`, or `key_pem` and `key_pem_size`; only keys are taken from
 *     there, and only certificates from the other
 *   - PKCS#12 (RFC 7292): `pkcs12_file`, or `pkcs12` and `pkcs12_size`
 *   - the password of an encrypted key or PKCS#12: `password`, or `ask` with `ask_arg`
 */
typedef struct cinch_identity_source {
    const char *file;
    const char *key_file;
    const void *pem;
    size_t pem_size;
    const void *key_pem;
    size_t key_pem_size;
    const char *pkcs12_file;
    const void *pkcs12;
    size_t pkcs12_size;
    const char *password;
    cinch_password_callback ask;
    void *ask_arg;
} cinch_identity_source;

/*
 * cinch_identity_load reads an identity from SOURCE. All of it is copied. Returns NULL and sets ERR
 * on failure; free it with cinch_identity_free().
 */
CINCH_API cinch_identity *cinch_identity_load(const cinch_identity_source *source,
                                              cinch_error *err);

/*
 * cinch_identity_file reads one PEM file that holds the key, the certificate and the intermediates,
 * in any order. PASSWORD is for an encrypted key, else NULL. Returns NULL and sets ERR on failure.
 */
CINCH_API cinch_identity *cinch_identity_file(const char *path, const char *password,
                                              cinch_error *err);

/* cinch_identity_pem reads the same from SIZE bytes in memory. */
CINCH_API cinch_identity *cinch_identity_pem(const void *pem, size_t size, const char *password,
                                             cinch_error *err);

/* cinch_identity_pkcs12 reads SIZE bytes of PKCS#12 (a .p12 or .pfx file) in memory. */
CINCH_API cinch_identity *cinch_identity_pkcs12(const void *pkcs12, size_t size,
                                                const char *password, cinch_error *err);

/* cinch_identity_free drops IDENTITY; contexts that have it keep it. NULL is fine. */
CINCH_API void cinch_identity_free(cinch_identity *identity);

/*
 * cinch_identity_certificate gives the certificate at DEPTH: 0 the leaf, 1 its issuer, and so on;
 * NULL beyond the last. It is borrowed and valid as long as IDENTITY.
 */
CINCH_API const cinch_certificate *cinch_identity_certificate(const cinch_identity *identity,
                                                              size_t depth);

/*
 * cinch_context_identity makes IDENTITY the one that CTX shows, in place of the one before; NULL is
 * an error, as everywhere. Refused if the key or a signature is too weak for the context's policy.
 * A server shows it to every client, a client to servers that ask.
 */
CINCH_API cinch_status cinch_context_identity(cinch_context *ctx, cinch_identity *identity,
                                              cinch_error *err);

/*
 * cinch_context_identity_file is cinch_identity_file() and cinch_context_identity() in one step.
 */
CINCH_API cinch_status cinch_context_identity_file(cinch_context *ctx, const char *path,
                                                   const char *password, cinch_error *err);

CINCH_END_DECLS

#endif
