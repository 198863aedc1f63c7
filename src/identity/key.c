/* key.c: private keys, locked or not. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

/* No private operation on more bits than libcrypto allows for public ones: it would take minutes. */
#define LARGEST_KEY 16384

int cinch_openssl_memory(void)
{
    return cinch_openssl_out_of_memory(ERR_peek_error()) ||
           cinch_openssl_out_of_memory(ERR_peek_last_error());
}

static cinch_status wrong_password(cinch_error *err, const char *name, const char *place,
                                   const char *how)
{
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "decrypting a key");
    cinch_fail(err, CINCH_CAUSE_PASSWORD_WRONG, "the password for the key in %s is wrong", name);
    cinch_fail_evidence(err,
                        "%s is encrypted with %s, and what comes out with this password is no key; "
                        "a damaged key would look the same",
                        place, how);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status bad_key(cinch_error *err, const cinch_origin *origin,
                            const cinch_pem_block *block, const char *problem)
{
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading a key");
    cinch_pem_fail(err, origin, block, block->line, problem);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

cinch_status cinch_key_unlock(const X509_SIG *locked, const char *name, const char *place,
                              cinch_password *password, EVP_PKEY **key, cinch_error *err)
{
    const X509_ALGOR *algorithm = NULL;
    char how[96];
    const char *text = NULL;
    int length = 0;

    X509_SIG_get0(locked, &algorithm, NULL);
    cinch_status status = cinch_pbe_check(algorithm, name, password, how, sizeof how, err);
    if (status == CINCH_OK)
        status = cinch_password_get(password, name, &text, &length, err);
    if (status != CINCH_OK)
        return status;
    PKCS8_PRIV_KEY_INFO *info =
        PKCS8_decrypt_ex(locked, text, length, cinch_library_context(), NULL);
    if (info == NULL)
        return wrong_password(err, name, place, how);
    *key = EVP_PKCS82PKEY_ex(info, cinch_library_context(), NULL);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (*key != NULL)
        return CINCH_OK;
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading a key");
    cinch_fail(err, CINCH_CAUSE_BAD_KEY, "OpenSSL cannot read the private key in %s", name);
    cinch_fail_evidence(
        err, "%s: it could be decrypted, and is damaged or of a kind that is not known", place);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status read_locked(const cinch_origin *origin, const cinch_pem_block *block,
                                const unsigned char *der, size_t size, cinch_password *password,
                                EVP_PKEY **key, cinch_error *err)
{
    const unsigned char *at = der;
    X509_SIG *locked = d2i_X509_SIG(NULL, &at, (long)size);
    char place[96];

    if (locked == NULL || at != der + size) {
        X509_SIG_free(locked);
        return bad_key(err, origin, block, "what is in it is not an encrypted key");
    }
    snprintf(place, sizeof place, "block %zu (ENCRYPTED PRIVATE KEY, line %zu)", block->number,
             block->line);
    cinch_status status = cinch_key_unlock(locked, origin->name, place, password, key, err);
    X509_SIG_free(locked);
    return status;
}

static cinch_status read_plain(const cinch_origin *origin, const cinch_pem_block *block,
                               const unsigned char *der, size_t size, EVP_PKEY **key,
                               cinch_error *err)
{
    const unsigned char *at = der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)size);

    if (info != NULL && at == der + size)
        *key = EVP_PKCS82PKEY_ex(info, cinch_library_context(), NULL);
    PKCS8_PRIV_KEY_INFO_free(info);
    if (*key == NULL)
        return bad_key(err, origin, block, "what is in it is not a private key that OpenSSL knows");
    return CINCH_OK;
}

typedef struct answer {
    const char *text;
    int length;
} answer;

static int give_password(char *buf, int size, int writing, void *arg)
{
    const answer *given = arg;

    (void)writing;
    if (given->length > size)
        return -1;
    memcpy(buf, given->text, (size_t)given->length);
    return given->length;
}

/* Decrypts in place what HEADER says is encrypted (RFC 1421, 4.6.1.1 and 4.6.1.3). */
static cinch_status open_traditional(const cinch_origin *origin, const cinch_pem_block *block,
                                     unsigned char *der, long *size, char *header,
                                     cinch_password *password, cinch_error *err)
{
    char place[128];
    EVP_CIPHER_INFO info;
    answer given = {0};

    if (PEM_get_EVP_CIPHER_INFO(header, &info) != 1)
        return bad_key(err, origin, block, "its header lines do not say how it is encrypted");
    const char *cipher = EVP_CIPHER_get0_name(info.cipher);
    if (!cinch_pbe_has_cipher(cipher))
        return cinch_pbe_cipher_missing(err, cipher, origin->name);
    cinch_status status =
        cinch_password_get(password, origin->name, &given.text, &given.length, err);
    if (status != CINCH_OK)
        return status;
    snprintf(place, sizeof place, "block %zu (%s, line %zu)", block->number, block->label,
             block->line);
    if (PEM_do_header(&info, der, size, give_password, &given) != 1)
        return wrong_password(err, origin->name, place, cipher);
    /* One wrong password in 256 leaves good padding; what comes out is not DER of this length. */
    const unsigned char *at = der;
    long length = 0;
    int tag = 0, class = 0;
    if ((ASN1_get_object(&at, &length, &tag, &class, *size) & 0x80) != 0 ||
        tag != V_ASN1_SEQUENCE || at + length != der + *size)
        return wrong_password(err, origin->name, place, cipher);
    return CINCH_OK;
}

static cinch_status read_traditional(const cinch_origin *origin, const cinch_pem_block *block,
                                     int type, unsigned char *der, size_t size, char *header,
                                     cinch_password *password, EVP_PKEY **key, cinch_error *err)
{
    long length = (long)size;

    if (header[0] != 0) {
        cinch_status status = open_traditional(origin, block, der, &length, header, password, err);

        if (status != CINCH_OK)
            return status;
    }
    const unsigned char *at = der;
    *key = d2i_PrivateKey_ex(type, NULL, &at, length, cinch_library_context(), NULL);
    if (*key != NULL && at == der + length)
        return CINCH_OK;
    EVP_PKEY_free(*key);
    *key = NULL;
    return bad_key(err, origin, block, "what is in it is not a key of this kind");
}

static cinch_status unknown_label(cinch_error *err, const cinch_origin *origin,
                                  const cinch_pem_block *block)
{
    cinch_fail(err, CINCH_CAUSE_BAD_KEY, "%s holds a key in a form that cannot be used here: %s",
               origin->name, block->label);
    cinch_fail_evidence(err, "block %zu of %s (%s) begins in line %zu", block->number, origin->name,
                        block->label, block->line);
    if (strcmp(block->label, "OPENSSH PRIVATE KEY") == 0)
        cinch_fail_remedy(err, "use the key that the certificate was made for; an SSH key can be "
                               "converted in place with `ssh-keygen -p -m PKCS8 -f FILE`");
    else
        cinch_fail_remedy(err, "convert it with `openssl pkey -in FILE -out FILE.pem`");
    return CINCH_FAILED;
}

cinch_status cinch_key_read(const cinch_origin *origin, const cinch_pem_block *block,
                            unsigned char *der, size_t size, char *header, cinch_password *password,
                            EVP_PKEY **key, cinch_error *err)
{
    static const struct {
        const char *label;
        int type;
    } kinds[] = {
        {"RSA PRIVATE KEY", EVP_PKEY_RSA},
        {"EC PRIVATE KEY", EVP_PKEY_EC},
        {"DSA PRIVATE KEY", EVP_PKEY_DSA},
    };

    *key = NULL;
    if (strcmp(block->label, "PRIVATE KEY") == 0)
        return read_plain(origin, block, der, size, key, err);
    if (strcmp(block->label, "ENCRYPTED PRIVATE KEY") == 0)
        return read_locked(origin, block, der, size, password, key, err);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(block->label, kinds[i].label) == 0)
            return read_traditional(origin, block, kinds[i].type, der, size, header, password, key,
                                    err);
    return unknown_label(err, origin, block);
}

char *cinch_key_describe(const EVP_PKEY *key, char *buf, size_t size)
{
    const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);
    unsigned char *der = NULL, digest[32] = {0};
    char group[48] = "", hex[17] = "";
    int length = key == NULL ? 0 : i2d_PUBKEY(key, &der);

    if (key != NULL)
        (void)EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
    if (length > 0 && cinch_openssl_sha256(der, (size_t)length, digest))
        cinch_text_hex(hex, sizeof hex, digest, 8, 0);
    OPENSSL_free(der);
    snprintf(buf, size, "%s%s%s, %d bits, SPKI SHA-256 %s...", type == NULL ? "unknown" : type,
             group[0] != 0 ? " " : "", cinch_group_usual_name(group),
             key == NULL ? 0 : EVP_PKEY_get_bits(key), hex);
    ERR_clear_error();
    return buf;
}

static const unsigned char message[] = "cinch: does this key work?";

/* *SIGNATURE is to be released; NULL when memory ran out. 1 or 0. */
static int sign(EVP_PKEY *key, unsigned char **signature, size_t *size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = 0;

    *signature = NULL;
    /* No digest named: the one that the key asks for, SHA-256 where it does not. */
    if (ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, NULL, NULL, cinch_library_context(), NULL, key, NULL) == 1 &&
        EVP_DigestSign(ctx, NULL, size, message, sizeof message) == 1) {
        size_t room = *size;

        *signature = cinch_alloc(room);
        /* OpenSSL 3.5 reports success and a length of -1 when it runs out of memory in ECDSA. */
        ok = *signature != NULL &&
             EVP_DigestSign(ctx, *signature, size, message, sizeof message) == 1 && *size <= room;
    }
    EVP_MD_CTX_free(ctx);
    return ok;
}

static int verify(EVP_PKEY *key, const unsigned char *signature, size_t size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok =
        ctx != NULL &&
        EVP_DigestVerifyInit_ex(ctx, NULL, NULL, cinch_library_context(), NULL, key, NULL) == 1 &&
        EVP_DigestVerify(ctx, signature, size, message, sizeof message) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

static int can_sign(const EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS") || EVP_PKEY_is_a(key, "EC") ||
           EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
}

cinch_status cinch_key_proof(EVP_PKEY *key, X509 *leaf, const char *name, cinch_error *err)
{
    int bits = EVP_PKEY_get_bits(key);
    unsigned char *signature = NULL;
    size_t size = 0;
    char text[160];

    if (bits > LARGEST_KEY)
        return cinch_fail(err, CINCH_CAUSE_BAD_KEY,
                          "the private key in %s has %d bits, more than %d", name, bits,
                          LARGEST_KEY);
    /* Keys that cannot be used in TLS at all are refused when they are installed. */
    if (!can_sign(key) || (EVP_PKEY_is_a(key, "RSA") && bits < 512))
        return CINCH_OK;
    ERR_clear_error();
    int ok = sign(key, &signature, &size) && verify(X509_get0_pubkey(leaf), signature, size);
    cinch_release(signature);
    if (ok)
        return CINCH_OK;
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "trying a key");
    cinch_fail(err, CINCH_CAUSE_BAD_KEY,
               "the private key in %s does not work: it makes no valid signatures", name);
    cinch_fail_evidence(err,
                        "a trial signature does not fit the public key (%s); the key is damaged",
                        cinch_key_describe(key, text, sizeof text));
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}
