/*
 * A certificate factory for tests: correct certificates by default, and each way of being wrong one
 * named field away.
 *
 *     pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
 *     pki_cert *leaf = pki_make(&(pki_spec){.dns = {"a.example.test"}, .not_after = -60}, root);
 *
 * Whatever goes wrong while making things is a bug in the test, so those calls print the reason and
 * abort(); no result needs checking unless its comment says so. Nothing here touches the file
 * system except the calls under "Files". Pointers in a spec are only read during the call. There is
 * no shared state: threads may make certificates at the same time.
 */
#ifndef CINCH_TESTS_PKI_H
#define CINCH_TESTS_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

/* A certificate with its private key. Both belong to the pki_cert. */
typedef struct pki_cert {
    X509 *cert;
    EVP_PKEY *key;
} pki_cert;

typedef enum pki_key_type {
    PKI_KEY_P256 = 0,
    PKI_KEY_P384,
    PKI_KEY_RSA, /* key_bits, 2048 by default */
    PKI_KEY_ED25519,
    PKI_KEY_DSA /* key_bits, 1024 by default; slow, it has to find parameters */
} pki_key_type;

/* An extension as bytes, for what no well-behaved library would encode. */
typedef struct pki_raw_extension {
    const char *oid; /* dotted, or a name libcrypto knows; NULL ends the list */
    bool critical;
    const unsigned char *der; /* the content of extnValue */
    size_t der_len;
} pki_raw_extension;

/*
 * What to make. A zeroed spec is a valid server and client certificate for localhost, 127.0.0.1
 * and ::1. Strings called "value" below are in OpenSSL's configuration syntax, where a leading
 * "critical," makes the extension critical.
 */
typedef struct pki_spec {
    /* Subject: `subject` wins over `cn`. A slash inside a value is written \/. */
    const char *cn;
    size_t cn_len;       /* for a CN with NUL bytes in it; 0: up to the first NUL */
    const char *subject; /* "/O=x/CN=y" */
    bool empty_subject;

    /* Subject alternative names. A leaf that sets none is for localhost, a CA has none. */
    const char *dns[8];
    const char *dns_raw; /* one more dNSName of dns_raw_len bytes, NUL bytes included */
    size_t dns_raw_len;
    const char *ip[4]; /* as text, IPv4 or IPv6 */
    const char *email;
    const char *uri;
    bool no_san;

    /* Key. `key_of` takes over another certificate's, as renewals and cross-signatures do. */
    pki_key_type key_type;
    int key_bits;
    const pki_cert *key_of;

    /* Signature, made by the issuer's key. */
    const char *digest; /* "sha256" by default, ignored for Ed25519; "md5" needs an RSA issuer */
    bool corrupt_signature; /* one bit is flipped after signing */

    /* Validity in seconds from now; 0 means an hour ago and in 90 days (for now itself, say 1). */
    long not_before;
    long not_after;

    /* Authority: CA:TRUE and key usage keyCertSign, cRLSign, both critical, and no key purpose. */
    bool is_ca;
    const char *pathlen; /* a number, "-1" included; NULL: no limit */
    bool no_basic_constraints;

    const char *key_usage; /* value; NULL: what suits is_ca and the key */
    bool no_key_usage;
    const char *eku; /* value; NULL: "serverAuth,clientAuth" in a leaf, none in a CA */
    bool no_eku;
    bool no_ski;
    bool no_aki; /* there is none either when the issuer has no subject key identifier */

    const char *aia_ca_issuers; /* URL */
    const char *crl_url;
    const char *name_constraints; /* value, such as "critical,permitted;DNS:example.test" */

    const char *serial; /* hexadecimal of any length, "00" and "-01" included; NULL: random */
    int version;        /* 1, 2 or 3 as people count; 0: 3. Below 3 nothing but `raw` is added */

    pki_raw_extension raw[8];       /* added last; combine with no_san and so on to replace one */
    const char *toggle_critical[4]; /* extensions (OID or name) whose critical flag is inverted */
} pki_spec;

/* pki_make makes a key and a certificate signed by `issuer`, or by itself when that is NULL. */
pki_cert *pki_make(const pki_spec *spec, const pki_cert *issuer);

/* pki_free frees a certificate and its key. NULL is fine. */
void pki_free(pki_cert *cert);

/* ---- As text and bytes. Results are malloc'd and the caller's to free(). ---- */

/* pki_pem_cert returns one CERTIFICATE block. */
char *pki_pem_cert(const pki_cert *cert);

/* pki_pem_key returns the key as PKCS#8, encrypted (AES-256-CBC) unless `password` is NULL. */
char *pki_pem_key(const pki_cert *cert, const char *password);

/* pki_pem_key_traditional uses the older form: "EC PRIVATE KEY", Proc-Type when encrypted. */
char *pki_pem_key_traditional(const pki_cert *cert, const char *password);

/* pki_pem_concat joins strings up to the terminating (char *)NULL. They stay the caller's. */
char *pki_pem_concat(const char *first, ...) __attribute__((sentinel));

/* pki_pem_chain returns `n` certificates in the order given, as one PEM. */
char *pki_pem_chain(const pki_cert *const chain[], size_t n);

/* pki_der_cert returns the certificate's DER and sets *len. */
unsigned char *pki_der_cert(const pki_cert *cert, size_t *len);

/*
 * pki_pkcs12 returns key, certificate and `n` further certificates as PKCS#12 with a MAC, and sets
 * *len. A NULL password means no encryption.
 */
unsigned char *pki_pkcs12(const pki_cert *cert, const pki_cert *const chain[], size_t n,
                          const char *password, size_t *len);

/* What to revoke, by serial or by certificate; lists end at NULL. */
typedef struct pki_crl_spec {
    const char *serials[8]; /* hexadecimal */
    const pki_cert *certs[8];
    long this_update; /* seconds from now; 0: an hour ago */
    long next_update; /* seconds from now; 0: in seven days */
    long number;
    const char *digest; /* "sha256" by default */
    bool no_next_update;
    int reason;        /* of all the entries, as CRLReason plus 1; 0: none */
    const char *scope; /* issuingDistributionPoint in OpenSSL's syntax: "critical,onlyuser:TRUE" */
    const char *critical; /* OID of a critical extension that nobody knows */
    bool critical_number;
    bool delta;
    bool indirect_entry; /* an entry names an issuer of its own */
    bool corrupt_signature;
} pki_crl_spec;

/* pki_crl returns the issuer's revocation list as PEM. NULL for `spec` is an empty list. */
char *pki_crl(const pki_cert *issuer, const pki_crl_spec *spec);

/* ---- Files ---- */

/*
 * pki_write replaces a file's content; keys want mode 0600, which holds before the first byte is
 * written, whatever the umask. False with errno on failure.
 */
bool pki_write(const char *path, const char *text, mode_t mode);
bool pki_write_bytes(const char *path, const void *data, size_t len, mode_t mode);

/* pki_path returns "dir/name" followed by `suffix`, malloc'd. */
char *pki_path(const char *dir, const char *name, const char *suffix);

/* pki_tmpdir makes a directory (mode 0700) under $TMPDIR or /tmp; its name is the caller's. */
char *pki_tmpdir(void);

/*
 * pki_rmtree removes a directory that pki_tmpdir made, with everything in it, and frees the name.
 * It aborts on any other path, and follows no symbolic link. NULL is fine.
 */
void pki_rmtree(char *dir);

/* ---- The standard family ---- */

/*
 * Unless said otherwise a leaf is issued by `intermediate`, is for localhost, *.example.test,
 * 127.0.0.1 and ::1, has a P-256 key and differs from `good` in exactly what its name says.
 */
typedef struct pki_family {
    pki_cert *root;         /* O=Cinch Tests, CN=Cinch Test Root */
    pki_cert *intermediate; /* O=Cinch Tests, CN=Cinch Test Intermediate; pathlen 0 */
    pki_cert *other_root;   /* O=Somebody Else, CN=Somebody Else Root; trusted by nobody */

    pki_cert *good;
    pki_cert *expired;         /* since yesterday */
    pki_cert *not_yet_valid;   /* until tomorrow */
    pki_cert *wrong_name;      /* for other.example only */
    pki_cert *self_signed;     /* issuer: itself, no CA */
    pki_cert *weak_rsa1024;    /* key: RSA, 1024 bits */
    pki_cert *sha1_signed;     /* signature: ecdsa-with-SHA1 */
    pki_cert *client_only_eku; /* for localhost but with the clientAuth purpose alone */
    pki_cert *client;          /* clientAuth; client@example.test, spiffe://example.test/client */
    pki_cert *unknown_ca;      /* issuer: other_root */
    pki_cert *no_san;          /* no names but CN=localhost */
    pki_cert *aia;             /* caIssuers: PKI_FAMILY_AIA_URL */
    pki_cert *under_root;      /* issuer: root */
} pki_family;

#define PKI_FAMILY_AIA_URL "http://aia.example.test/intermediate.der"
#define PKI_FAMILY_CLIENT_EMAIL "client@example.test"
#define PKI_FAMILY_CLIENT_URI "spiffe://example.test/client"

/* pki_family_new makes all of them, in some milliseconds. */
pki_family *pki_family_new(void);

/* pki_family_free frees the family and every certificate in it. NULL is fine. */
void pki_family_free(pki_family *family);

/* One leaf, and what its holder sends along with it. Borrowed from the family. */
typedef struct pki_leaf {
    const char *name; /* the field's, with dashes: "not-yet-valid" */
    const pki_cert *cert;
    const pki_cert *intermediate; /* NULL when a root or nobody issued it */
} pki_leaf;

/* pki_family_leaf returns the leaf with this index, counted from 0; false behind the last one. */
bool pki_family_leaf(const pki_family *family, size_t index, pki_leaf *leaf);

/* ---- Between the factory's own files ---- */

/* pki_die prints what failed, with libcrypto's errors, and aborts. */
_Noreturn void pki_die(const char *what);

/* pki_need does so unless `ok`. Defined here so that static analysis sees what it rules out. */
static inline void pki_need(bool ok, const char *what)
{
    if (!ok)
        pki_die(what);
}

/* pki_signing_digest returns the digest for signing with `key`: NULL where the key implies it. */
const EVP_MD *pki_signing_digest(const EVP_PKEY *key, const char *name);

/* pki_serial turns hexadecimal, or NULL for a random number, into a serial number. */
ASN1_INTEGER *pki_serial(const char *hex);

/* pki_add_extensions adds all that the spec asks for; subject and public key are set before. */
void pki_add_extensions(X509 *cert, X509 *issuer, const pki_spec *spec);

#endif
