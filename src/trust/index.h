/*
 * index.h: the certificates of one file, findable by subject. They stay DER until a chain needs one;
 * that one is then parsed once, for everybody. Otherwise nothing changes after cinch_index_build(),
 * so that threads may search without a lock.
 */
#ifndef CINCH_TRUST_INDEX_H
#define CINCH_TRUST_INDEX_H

#include <cinch/error.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdint.h>

#define CINCH_INDEX_MOST 100000u

typedef struct cinch_anchor {
    uint64_t key;    /* cinch_name_key() of the subject */
    uint64_t print;  /* a hash of the bytes: equal bytes are kept once */
    uint32_t at;     /* where in der */
    uint32_t size;   /* with OpenSSL's trust settings behind the certificate */
    uint32_t x_size; /* of the certificate alone */
    uint32_t next;   /* the next in the same chain, counted from 1; 0 ends it */
    _Atomic(X509 *) parsed;
} cinch_anchor;

typedef struct cinch_index {
    unsigned char *der;
    size_t der_size;
    cinch_anchor *anchors;
    size_t count;
    uint32_t *heads; /* chains of anchors by key, in the order of the file */
    uint32_t mask;
    /* These belong to cache.c and its lock. */
    size_t references;
    unsigned char digest[32]; /* SHA-256 of the content */
    struct cinch_index *next;
} cinch_index;

/*
 * cinch_index_build reads SIZE bytes of PEM, or of DER certificates end to end. WHERE names them in
 * errors: "\"/etc/ca.pem\"". All or nothing: damage anywhere refuses the whole.
 */
cinch_index *cinch_index_build(const unsigned char *bytes, size_t size, const char *where,
                               cinch_error *err);
void cinch_index_free(cinch_index *index);

/*
 * cinch_index_find appends references to the anchors with the subject NAME to FOUND: how many, -1
 * when memory runs out. An anchor that OpenSSL cannot parse is not found.
 */
int cinch_index_find(cinch_index *index, const X509_NAME *name, STACK_OF(X509) * found);

/*
 * cinch_index_all appends all of them to FOUND: 1, 0 if one cannot be parsed (*BAD says which, from
 * 0), -1 when memory runs out.
 */
int cinch_index_all(cinch_index *index, STACK_OF(X509) * found, size_t *bad);

/*
 * cinch_anchors_unique drops what is twice in FOUND. Of a certificate with and without OpenSSL's
 * trust settings the one with them stays: they can only say no. 0 when memory runs out, else 1.
 */
int cinch_anchors_unique(STACK_OF(X509) * found);

#endif
