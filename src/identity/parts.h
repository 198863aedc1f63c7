/* parts.h: what the files of this directory share. */
#ifndef CINCH_IDENTITY_PARTS_H
#define CINCH_IDENTITY_PARTS_H

#include "base/file.h"
#include "identity/identity.h"
#include "identity/signer.h"

#include <stdint.h>

/* More certificates than any server sends; it bounds the work of sorting them. */
#define CINCH_IDENTITY_CERTIFICATES 100
#define CINCH_IDENTITY_KEYS 8

/* As much as libcrypto reads for a traditional key (PEM_BUFSIZE). */
#define CINCH_PASSWORD_SIZE 1024

/*
 * How many rounds of key derivation one load may cost in all: some seconds. The numbers stand in
 * the file, so a file could keep the program busy for hours. What tools write today is 2,048 to
 * 1,000,000.
 */
#define CINCH_PASSWORD_WORK 10000000u

/* Where bytes come from. */
typedef struct cinch_origin {
    char name[128]; /* for errors: the path, or "the PEM in memory" */
    const unsigned char *bytes;
    size_t size;
    cinch_content content; /* what has to be freed; empty for bytes in memory */
} cinch_origin;

/* The password, however it is got, and what its use has cost so far. */
typedef struct cinch_password {
    const char *given;
    cinch_password_callback ask;
    void *arg;
    char *answer; /* secret memory */
    int length;   /* of the answer; -1 if there was none */
    const char *fixed;
    int fixed_length;
    int is_fixed;
    uint64_t work;
} cinch_password;

/* What was found, before it is an identity. */
typedef struct cinch_material {
    STACK_OF(X509) * certificates; /* each once */
    EVP_PKEY *keys[CINCH_IDENTITY_KEYS];
    size_t key_count;
    size_t certificates_seen; /* also those that were not asked for */
    size_t keys_seen;
    char others[256]; /* labels of the blocks that were passed over: "EC PARAMETERS (line 1)" */
} cinch_material;

#define CINCH_TAKE_CERTIFICATES 1
#define CINCH_TAKE_KEYS 2

/* One block of a PEM text (RFC 7468). */
typedef struct cinch_pem_block {
    char label[64];
    size_t number;             /* from 1 */
    size_t line;               /* of its BEGIN, from 1 */
    const unsigned char *body; /* what stands between the BEGIN and the END line */
    size_t size;
} cinch_pem_block;

typedef struct cinch_pem_scan {
    const cinch_origin *origin;
    size_t at;
    size_t line; /* the number of the line that begins at `at` */
    size_t blocks;
} cinch_pem_scan;

/* ---- origin.c ---- */

/* cinch_origin_file reads PATH; WHAT says for what. cinch_origin_close() in any case. */
cinch_status cinch_origin_file(cinch_origin *origin, const char *path, const char *what,
                               cinch_error *err);
void cinch_origin_memory(cinch_origin *origin, const void *bytes, size_t size, const char *name);
void cinch_origin_close(cinch_origin *origin);

/* cinch_fail_not_pem says what the bytes are instead, and what to do with them. */
cinch_status cinch_fail_not_pem(cinch_error *err, const cinch_origin *origin);

/* ---- password.c ---- */

/* cinch_password_get gives the password for NAME. The program is asked at most once. */
cinch_status cinch_password_get(cinch_password *password, const char *name, const char **text,
                                int *length, cinch_error *err);

/* cinch_password_fix makes TEXT the one from now on, where several were tried; NULL for none. */
void cinch_password_fix(cinch_password *password, const char *text, int length);
void cinch_password_done(cinch_password *password);

/*
 * cinch_password_charge adds ROUNDS to the work done; an error if it gets more than is allowed.
 */
cinch_status cinch_password_charge(cinch_password *password, uint64_t rounds, const char *name,
                                   cinch_error *err);

/* ---- pbe.c ---- */

/*
 * cinch_pbe_check looks at ALGORITHM, which protects something in NAME with a password, before it
 * is used: that this OpenSSL has it and that the work is bearable, which it adds to PASSWORD. TEXT
 * gets a description, "AES-256-CBC, PBKDF2 with 2048 rounds".
 */
cinch_status cinch_pbe_check(const X509_ALGOR *algorithm, const char *name,
                             cinch_password *password, char *text, size_t size, cinch_error *err);

/* cinch_pbe_cipher_missing fails for a CIPHER that this OpenSSL does not have. */
cinch_status cinch_pbe_cipher_missing(cinch_error *err, const char *cipher, const char *name);

/* cinch_pbe_has_cipher tells whether this OpenSSL, as it is set up, can use CIPHER. */
int cinch_pbe_has_cipher(const char *cipher);

/* cinch_pbe_mac_rounds gives the rounds of PBMAC1 (RFC 9579) with ALGORITHM; 0 if it is another. */
uint64_t cinch_pbe_mac_rounds(const X509_ALGOR *algorithm);

/* ---- pem.c ---- */

/* cinch_pem_next finds the next block: CINCH_OK, CINCH_EOF behind the last, CINCH_FAILED. */
cinch_status cinch_pem_next(cinch_pem_scan *scan, cinch_pem_block *block, cinch_error *err);

/*
 * cinch_pem_decode decodes the base64 of BLOCK into OUT, which has block->size bytes, and sets *N.
 * The header lines (RFC 1421) go to HEADER.
 */
cinch_status cinch_pem_decode(const cinch_origin *origin, const cinch_pem_block *block,
                              unsigned char *out, size_t *n, char *header, size_t header_size,
                              cinch_error *err);

/* cinch_pem_fail is for a block that is damaged as the sentence PROBLEM says, in LINE. */
cinch_status cinch_pem_fail(cinch_error *err, const cinch_origin *origin,
                            const cinch_pem_block *block, size_t line, const char *problem);

/* ---- blocks.c ---- */

/* cinch_pem_read collects what TAKE asks for from the PEM of ORIGIN. */
cinch_status cinch_pem_read(const cinch_origin *origin, int take, cinch_password *password,
                            cinch_material *material, cinch_error *err);

/* ---- key.c ---- */

/* cinch_key_read makes a key of the SIZE bytes at DER, which it may decrypt in place. */
cinch_status cinch_key_read(const cinch_origin *origin, const cinch_pem_block *block,
                            unsigned char *der, size_t size, char *header, cinch_password *password,
                            EVP_PKEY **key, cinch_error *err);

/* cinch_key_unlock decrypts a PKCS#8 key (RFC 5958); PLACE says where it stands in NAME. */
cinch_status cinch_key_unlock(const X509_SIG *locked, const char *name, const char *place,
                              cinch_password *password, EVP_PKEY **key, cinch_error *err);

/* cinch_key_describe writes "RSA, 2048 bits, SPKI SHA-256 0123456789abcdef..." into BUF. */
char *cinch_key_describe(const EVP_PKEY *key, char *buf, size_t size);

/* cinch_key_proof signs with KEY and checks with the public key of LEAF. NAME: where KEY is from. */
cinch_status cinch_key_proof(EVP_PKEY *key, X509 *leaf, const char *name, cinch_error *err);

/* cinch_openssl_memory tells whether OpenSSL's error queue says that memory ran out. */
int cinch_openssl_memory(void);

/* ---- material.c ---- */

/* Each takes over the object, also when it fails. NAME: where it is from. */
cinch_status cinch_material_certificate(cinch_material *material, X509 *x, const char *name,
                                        cinch_error *err);
cinch_status cinch_material_key(cinch_material *material, EVP_PKEY *key, const char *name,
                                cinch_error *err);
void cinch_material_free(cinch_material *material);

/* ---- identity.c ---- */

/*
 * cinch_identity_assemble makes an identity of KEY, which gets a reference, and what MATERIAL has of
 * certificates. PUBLIC_KEY is for a KEY that cannot be tried; else NULL.
 */
cinch_identity *cinch_identity_assemble(const cinch_material *material, EVP_PKEY *key,
                                        const EVP_PKEY *public_key, const char *name,
                                        const char *key_name, cinch_error *err);

/*
 * cinch_identity_mark makes IDENTITY different from others with the same certificates: where the key
 * is. Contexts with equal identities share an SSL_CTX. Only while it is made.
 */
cinch_status cinch_identity_mark(cinch_identity *identity, const void *bytes, size_t size,
                                 cinch_error *err);

/* ---- signer.c ---- */

/*
 * cinch_material_pem takes the certificates of SIZE bytes of PEM, at least one.
 * cinch_origin_close() in any case.
 */
cinch_status cinch_material_pem(cinch_material *material, cinch_origin *origin, const void *pem,
                                size_t size, cinch_error *err);

/* ---- pkcs12.c ---- */

cinch_status cinch_pkcs12_read(const cinch_origin *origin, cinch_password *password,
                               cinch_material *material, cinch_error *err);

/* ---- chain.c ---- */

/*
 * cinch_chain_sort picks the leaf for KEY among ALL and puts the rest in order. *LEAF and *CHAIN are
 * new references.
 */
cinch_status cinch_chain_sort(STACK_OF(X509) * all, const EVP_PKEY *key, const char *name,
                              X509 **leaf, STACK_OF(X509) * *chain, cinch_error *err);

/*
 * cinch_chain_key picks the one key of MATERIAL that belongs to a certificate in it. NAME is where
 * the certificates are from, KEY_NAME where the keys are.
 */
cinch_status cinch_chain_key(const cinch_material *material, const char *name, const char *key_name,
                             EVP_PKEY **key, cinch_error *err);

#endif
