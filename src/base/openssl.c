#include "base/openssl.h"

#include "base/memory.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <pthread.h>
#include <string.h>

OSSL_LIB_CTX *cinch_library_context(void)
{
    return NULL;
}

X509 *cinch_x509_read(const unsigned char *der, size_t size)
{
    const unsigned char *at = der;

    if (size == 0 || size > (size_t)1 << 24)
        return NULL;
    X509 *x = X509_new_ex(cinch_library_context(), NULL);
    if (x == NULL)
        return NULL;
    /* d2i_X509 frees and clears x when it fails. */
    if (d2i_X509(&x, &at, (long)size) == NULL)
        return NULL;
    if (at != der + size) {
        X509_free(x);
        return NULL;
    }
    return x;
}

int64_t cinch_ssl_session_time(const SSL_SESSION *session)
{
    /* The older call is not fit for the time after 2038 everywhere; 3.4 has put it away. */
#if OPENSSL_VERSION_PREREQ(3, 3)
    return (int64_t)SSL_SESSION_get_time_ex(session);
#else
    return (int64_t)SSL_SESSION_get_time(session);
#endif
}

/* OpenSSL's names, and the ones that TLS people use (RFC 8422, RFC 7748). */
const char *cinch_group_usual_name(const char *name)
{
    static const char *const names[][2] = {
        {"prime256v1", "P-256"}, {"secp256r1", "P-256"}, {"secp384r1", "P-384"},
        {"secp521r1", "P-521"},  {"x25519", "X25519"},   {"x448", "X448"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return name;
}

const char *cinch_ssl_group(SSL *ssl)
{
    int id = (int)SSL_get_negotiated_group(ssl);
    const char *name = id == 0 ? NULL : SSL_group_to_name(ssl, id);

    return name == NULL ? "" : cinch_group_usual_name(name);
}

const char *cinch_ssl_peer_signature(SSL *ssl)
{
    int hash = 0, type = 0;

    if (SSL_get_peer_signature_type_nid(ssl, &type) != 1)
        return "";
    int known = SSL_get_peer_signature_nid(ssl, &hash) == 1;
    switch (type) {
    case EVP_PKEY_ED25519:
        return "ed25519";
    case EVP_PKEY_ED448:
        return "ed448";
    case EVP_PKEY_EC:
        return !known               ? "ecdsa"
               : hash == NID_sha256 ? "ecdsa_sha256"
               : hash == NID_sha384 ? "ecdsa_sha384"
               : hash == NID_sha512 ? "ecdsa_sha512"
                                    : "ecdsa_sha1";
    case EVP_PKEY_RSA_PSS:
        return hash == NID_sha384   ? "rsa_pss_sha384"
               : hash == NID_sha512 ? "rsa_pss_sha512"
                                    : "rsa_pss_sha256";
    case EVP_PKEY_RSA:
        return hash == NID_sha256   ? "rsa_pkcs1_sha256"
               : hash == NID_sha384 ? "rsa_pkcs1_sha384"
               : hash == NID_sha512 ? "rsa_pkcs1_sha512"
                                    : "rsa_pkcs1_sha1";
    default:
        return OBJ_nid2sn(type);
    }
}

static int set_list(SSL_CTX *ctx, SSL *ssl, const char *list)
{
    return (ssl != NULL ? SSL_set1_groups_list(ssl, list) : SSL_CTX_set1_groups_list(ctx, list)) ==
           1;
}

/*
 * OpenSSL 3.0 does not tell an unknown group from a want of memory. Every OpenSSL has P-256; and what
 * was refused for a moment only is not refused again.
 */
static int knows_group(SSL_CTX *ctx, SSL *ssl, const char *name)
{
    if (set_list(ctx, ssl, name))
        return 1;
    if (!set_list(ctx, ssl, "P-256"))
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
    return set_list(ctx, ssl, name);
}

static int set_groups(SSL_CTX *ctx, SSL *ssl, const char *list)
{
    size_t length = strlen(list);
    char *known = cinch_alloc(length + 1);
    size_t at = 0;
    int ok = 0;

    if (known == NULL) {
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
        return 0;
    }
    for (const char *name = list; *name != 0;) {
        size_t size = strcspn(name, ":");
        int optional = name[0] == '?';
        char *end = known + at;

        if (at > 0)
            *end++ = ':';
        memcpy(end, name + optional, size - (size_t)optional);
        end[size - (size_t)optional] = 0;
        /* Alone first: a list fails as a whole for one name that this OpenSSL does not have. */
        int alone = knows_group(ctx, ssl, at > 0 ? known + at + 1 : known);
        if (alone)
            at = strlen(known);
        else if (!optional)
            goto out;
        known[at] = 0;
        name += size;
        name += *name == ':';
    }
    ok = at > 0 && set_list(ctx, ssl, known);
    /* Each of them was accepted alone. */
    if (at > 0 && !ok)
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
out:
    cinch_release(known);
    if (ok)
        ERR_clear_error();
    return ok;
}

/* A list that means nothing says so in the queue; in 3.5 memory can run out without a word. */
static int with_reason(int result)
{
    if (result != 1 && ERR_peek_last_error() == 0)
        ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
    return result == 1;
}

int cinch_ssl_set_ciphers(SSL_CTX *ctx, const char *list)
{
    return with_reason(SSL_CTX_set_cipher_list(ctx, list));
}

int cinch_ssl_set_suites(SSL_CTX *ctx, const char *list)
{
    return with_reason(SSL_CTX_set_ciphersuites(ctx, list));
}

int cinch_ssl_set_groups(SSL_CTX *ctx, const char *list)
{
    return set_groups(ctx, NULL, list);
}

int cinch_ssl_set_groups_of(SSL *ssl, const char *list)
{
    return set_groups(NULL, ssl, list);
}

int cinch_ex_place(atomic_int *place, int objects, CRYPTO_EX_dup *copied, CRYPTO_EX_free *freed)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int known = atomic_load(place);

    if (known >= 0)
        return known;
    pthread_mutex_lock(&lock);
    known = atomic_load(place);
    if (known < 0) {
        known = CRYPTO_get_ex_new_index(objects, 0, NULL, NULL, copied, freed);
        atomic_store(place, known);
    }
    pthread_mutex_unlock(&lock);
    return known;
}

int cinch_ex_leave_out(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int index,
                       long number, void *pointer)
{
    (void)to;
    (void)from;
    (void)index;
    (void)number;
    (void)pointer;
    *data = NULL;
    return 1;
}

int cinch_openssl_out_of_memory(unsigned long code)
{
    if (code == 0)
        return 0;
    /* A realloc() that fails has no word of its own in 3.5; a list that cannot grow says only this. */
    if (ERR_GET_LIB(code) == ERR_LIB_ASN1 && ERR_GET_REASON(code) == ERR_R_CRYPTO_LIB)
        return 1;
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
}

/* The one that is fetched first stays; it needs no freeing, as the place it has in OpenSSL. */
EVP_MD *cinch_openssl_md_sha256(void)
{
    static _Atomic(EVP_MD *) kept;
    EVP_MD *known = atomic_load(&kept);

    if (known != NULL)
        return known;
    EVP_MD *fresh = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    if (fresh == NULL || atomic_compare_exchange_strong(&kept, &known, fresh))
        return fresh;
    EVP_MD_free(fresh);
    return known;
}

int cinch_openssl_sha256(const void *bytes, size_t size, unsigned char digest[32])
{
    EVP_MD *md = cinch_openssl_md_sha256();

    return md != NULL && EVP_Digest(bytes, size, digest, NULL, md, NULL) == 1;
}

cinch_openssl_errors cinch_openssl_take_errors(void)
{
    cinch_openssl_errors errors = {0};

    for (unsigned long code; (code = ERR_get_error()) != 0; errors.last = code) {
        if (errors.first == 0)
            errors.first = code;
        errors.out_of_memory |= cinch_openssl_out_of_memory(code);
    }
    return errors;
}
