/*
 * certificate.h: what does this certificate say?
 *
 * A cinch_certificate is a copy of what matters in an X.509 certificate (RFC 5280), as plain data.
 * It is read only, belongs to whoever the call that made it says, and may be read by many threads.
 * Texts are UTF-8 with control characters replaced by \xNN: a certificate is written by strangers.
 */
#ifndef CINCH_CERTIFICATE_H
#define CINCH_CERTIFICATE_H

#include <cinch/error.h>
#include <stddef.h>
#include <stdint.h>

CINCH_BEGIN_DECLS

/* What kind of name an entry of the subject alternative name is (RFC 5280, 4.2.1.6). */
typedef enum cinch_name_kind {
    CINCH_NAME_DNS = 1,
    CINCH_NAME_IP = 2, /* as text: "192.0.2.1", "2001:db8::1" */
    CINCH_NAME_EMAIL = 3,
    CINCH_NAME_URI = 4,
    CINCH_NAME_OTHER = 5 /* of a kind that Cinch does not show: text is its OID or type */
} cinch_name_kind;

typedef struct cinch_name {
    cinch_name_kind kind;
    const char *text;
} cinch_name;

/* Fields may be added at the end in later versions: never allocate or copy one by its size. */
typedef struct cinch_certificate {
    const unsigned char *der; /* the certificate itself */
    size_t der_size;
    const char *subject; /* RFC 4514 order and escapes, "CN=localhost,O=Example"; "" if empty */
    const char *issuer;
    const char *common_name; /* for display only, never for a decision; "" if there is none */
    const char *serial;      /* hexadecimal, "-" in front if negative */
    int version;             /* 1, 2 or 3; 0 for a number that means nothing */
    int64_t not_before;      /* seconds since 1970-01-01 00:00:00 UTC */
    int64_t not_after;
    int is_ca;             /* basicConstraints CA is true */
    int is_self_issued;    /* subject and issuer are the same name */
    const char *key_type;  /* "EC", "RSA", "ED25519", ... */
    const char *key_group; /* "P-256", ...; "" where the type has none */
    int key_bits;
    const char *signature_algorithm; /* "ecdsa-with-SHA256", ... */
    const char *ocsp_url;            /* the first of authorityInfoAccess; "" if there is none */
    const char *issuer_url;          /* caIssuers of authorityInfoAccess; "" if there is none */
    unsigned char sha256[32];        /* digest of the whole certificate */
    unsigned char spki_sha256[32];   /* digest of the SubjectPublicKeyInfo (RFC 7469, 2.4) */
    const cinch_name *names;         /* the subject alternative names, in order */
    size_t name_count;
} cinch_certificate;

/*
 * cinch_certificate_der reads one certificate from SIZE bytes of DER. Returns NULL and sets ERR if
 * it is not one or bytes are left over. Free it with cinch_certificate_free().
 */
CINCH_API cinch_certificate *cinch_certificate_der(const void *der, size_t size, cinch_error *err);

/* cinch_certificate_free frees what cinch_certificate_der() returned. NULL is fine. */
CINCH_API void cinch_certificate_free(cinch_certificate *certificate);

/*
 * cinch_certificate_pem writes CERTIFICATE as PEM (RFC 7468) into BUF, ended by a NUL if SIZE is not
 * 0, and returns the length in bytes that the whole text has, as snprintf() does.
 */
CINCH_API size_t cinch_certificate_pem(const cinch_certificate *certificate, char *buf,
                                       size_t size);

CINCH_END_DECLS

#endif
