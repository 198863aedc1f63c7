/* pkcs12.c: PKCS#12 (RFC 7292), bag by bag, so that every step is bounded and can be explained. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <string.h>

/* Bags in bags in bags: nothing that is meant well has more than one level. */
#define DEEPEST 4

typedef struct reader {
    const cinch_origin *origin;
    cinch_password *password;
    cinch_material *material;
    int sure; /* the MAC has proved the password */
} reader;

static cinch_status damaged(cinch_error *err, const cinch_origin *origin, const char *problem)
{
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading PKCS#12");
    cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE, "%s is damaged: %s", origin->name, problem);
    cinch_fail_evidence(err, "%zu bytes", origin->size);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status not_pkcs12(cinch_error *err, const cinch_origin *origin)
{
    static const char pem[] = "-----BEGIN ";
    size_t size = sizeof pem - 1;

    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading PKCS#12");
    for (size_t i = 0; i + size <= origin->size && i < 4096; i++)
        if (memcmp(origin->bytes + i, pem, size) == 0) {
            cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE, "%s is PEM, not PKCS#12", origin->name);
            cinch_fail_remedy(err, "read it with cinch_identity_file() or cinch_identity_pem()");
            return CINCH_FAILED;
        }
    cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE, "%s is not PKCS#12, or it is damaged or cut short",
               origin->name);
    cinch_fail_evidence(err, "its %zu bytes are not what RFC 7292 describes", origin->size);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status wrong(cinch_error *err, const cinch_origin *origin, const char *problem)
{
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "decrypting PKCS#12");
    cinch_fail(err, CINCH_CAUSE_PASSWORD_WRONG, "the password for %s is wrong", origin->name);
    cinch_fail_evidence(err, "%s; a damaged file would look the same", problem);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status mac_rounds(const cinch_origin *origin, PKCS12 *p12, uint64_t *rounds,
                               cinch_error *err)
{
    const ASN1_INTEGER *iterations = NULL;
    const X509_ALGOR *algorithm = NULL;

    *rounds = 1;
    PKCS12_get0_mac(NULL, &algorithm, NULL, &iterations, p12);
    if (iterations != NULL && (ASN1_INTEGER_get_uint64(rounds, iterations) != 1 || *rounds == 0))
        return damaged(err, origin, "its number of rounds makes no sense");
    if (algorithm != NULL) {
        uint64_t more = cinch_pbe_mac_rounds(algorithm);

        *rounds = more > *rounds ? more : *rounds;
    }
    return CINCH_OK;
}

/* Tries one password on the MAC: CINCH_OK, CINCH_EOF if it is another one, CINCH_FAILED. */
static cinch_status try_mac(reader *r, PKCS12 *p12, uint64_t rounds, const char *text, int length,
                            cinch_error *err)
{
    cinch_status status = cinch_password_charge(r->password, rounds, r->origin->name, err);

    if (status != CINCH_OK)
        return status;
    ERR_clear_error();
    if (PKCS12_verify_mac(p12, text, length) == 1) {
        cinch_password_fix(r->password, text, length);
        r->sure = 1;
        return CINCH_OK;
    }
    /* A password that is merely another one leaves the queue empty in OpenSSL 3.0. */
    if (ERR_peek_error() != 0 && ERR_GET_REASON(ERR_peek_error()) != PKCS12_R_MAC_VERIFY_FAILURE)
        return damaged(err, r->origin, "its integrity cannot be checked");
    return CINCH_EOF;
}

/*
 * Finds the password. There are two ways of having none (RFC 7292, B.1 leaves it open): an empty
 * text, which is two zero bytes, and no text at all.
 */
static cinch_status find_password(reader *r, PKCS12 *p12, cinch_error *err)
{
    const char *text = NULL;
    uint64_t rounds = 0;
    int length = 0;
    cinch_status status = mac_rounds(r->origin, p12, &rounds, err);

    if (status != CINCH_OK)
        return status;
    if (r->password->given == NULL) {
        status = try_mac(r, p12, rounds, NULL, 0, err);
        if (status == CINCH_EOF)
            status = try_mac(r, p12, rounds, "", 0, err);
        if (status != CINCH_EOF)
            return status;
    }
    status = cinch_password_get(r->password, r->origin->name, &text, &length, err);
    if (status == CINCH_OK)
        status = try_mac(r, p12, rounds, text, length, err);
    if (status == CINCH_EOF && length == 0)
        status = try_mac(r, p12, rounds, NULL, 0, err);
    if (status == CINCH_EOF)
        return wrong(err, r->origin, "the integrity check does not fit");
    return status;
}

static cinch_status plain_key(reader *r, const PKCS12_SAFEBAG *bag, cinch_error *err)
{
    const PKCS8_PRIV_KEY_INFO *info = PKCS12_SAFEBAG_get0_p8inf(bag);
    EVP_PKEY *key = info == NULL ? NULL : EVP_PKCS82PKEY_ex(info, cinch_library_context(), NULL);

    r->material->keys_seen++;
    if (key == NULL)
        return damaged(err, r->origin, "it holds a private key that OpenSSL cannot read");
    return cinch_material_key(r->material, key, r->origin->name, err);
}

static cinch_status locked_key(reader *r, const PKCS12_SAFEBAG *bag, cinch_error *err)
{
    const X509_SIG *locked = PKCS12_SAFEBAG_get0_pkcs8(bag);
    EVP_PKEY *key = NULL;

    r->material->keys_seen++;
    if (locked == NULL)
        return damaged(err, r->origin, "it holds a private key that OpenSSL cannot read");
    cinch_status status =
        cinch_key_unlock(locked, r->origin->name, "the key", r->password, &key, err);
    if (status != CINCH_OK)
        return status;
    return cinch_material_key(r->material, key, r->origin->name, err);
}

static cinch_status certificate(reader *r, const PKCS12_SAFEBAG *bag, cinch_error *err)
{
    unsigned char *der = NULL;
    int size;

    /* SDSI certificates, and what a certificate bag may hold besides, are passed over. */
    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return CINCH_OK;
    X509 *x = PKCS12_SAFEBAG_get1_cert(bag);
    r->material->certificates_seen++;
    if (x == NULL)
        return damaged(err, r->origin, "it holds a certificate that OpenSSL cannot read");
    /* Once more, for a certificate of our library context. */
    size = i2d_X509(x, &der);
    X509_free(x);
    x = size > 0 ? cinch_x509_read(der, (size_t)size) : NULL;
    OPENSSL_free(der);
    if (x == NULL)
        return cinch_fail_crypto(err, "reading certificates");
    return cinch_material_certificate(r->material, x, r->origin->name, err);
}

static cinch_status read_bags(reader *r, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth,
                              cinch_error *err)
{
    cinch_status status = CINCH_OK;

    if (depth > DEEPEST)
        return damaged(err, r->origin, "its bags lie in one another too deep");
    for (int i = 0; status == CINCH_OK && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        const PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, i);

        switch (PKCS12_SAFEBAG_get_nid(bag)) {
        case NID_keyBag:
            status = plain_key(r, bag, err);
            break;
        case NID_pkcs8ShroudedKeyBag:
            status = locked_key(r, bag, err);
            break;
        case NID_certBag:
            status = certificate(r, bag, err);
            break;
        case NID_safeContentsBag:
            status = read_bags(r, PKCS12_SAFEBAG_get0_safes(bag), depth + 1, err);
            break;
        default:
            break;
        }
    }
    return status;
}

static cinch_status read_encrypted(reader *r, PKCS7 *p7, STACK_OF(PKCS12_SAFEBAG) * *bags,
                                   cinch_error *err)
{
    const char *text = NULL;
    char how[96];
    int length = 0;

    if (p7->d.encrypted == NULL || p7->d.encrypted->enc_data == NULL ||
        p7->d.encrypted->enc_data->algorithm == NULL)
        return damaged(err, r->origin, "an encrypted part of it is empty");
    cinch_status status = cinch_pbe_check(p7->d.encrypted->enc_data->algorithm, r->origin->name,
                                          r->password, how, sizeof how, err);
    if (status == CINCH_OK)
        status = cinch_password_get(r->password, r->origin->name, &text, &length, err);
    if (status != CINCH_OK)
        return status;
    *bags = PKCS12_unpack_p7encdata(p7, text, length);
    if (*bags != NULL)
        return CINCH_OK;
    if (r->sure)
        return damaged(err, r->origin, "an encrypted part of it cannot be decrypted");
    return wrong(err, r->origin, "what comes out with this password makes no sense");
}

static cinch_status read_part(reader *r, PKCS7 *p7, cinch_error *err)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    cinch_status status = CINCH_OK;

    if (PKCS7_type_is_data(p7)) {
        bags = PKCS12_unpack_p7data(p7);
        if (bags == NULL)
            status = damaged(err, r->origin, "a part of it cannot be read");
    } else if (PKCS7_type_is_encrypted(p7)) {
        status = read_encrypted(r, p7, &bags, err);
    } else {
        /* Encrypted to a public key (RFC 7292, 3.1): nobody has a key for opening the key. */
        status = damaged(err, r->origin, "a part of it is not protected by a password");
    }
    if (status == CINCH_OK)
        status = read_bags(r, bags, 0, err);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return status;
}

cinch_status cinch_pkcs12_read(const cinch_origin *origin, cinch_password *password,
                               cinch_material *material, cinch_error *err)
{
    reader r = {.origin = origin, .password = password, .material = material};
    const unsigned char *at = origin->bytes;
    PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, cinch_library_context(), NULL);
    STACK_OF(PKCS7) *parts = NULL;
    cinch_status status = CINCH_OK;

    if (p12 == NULL)
        return cinch_fail_memory(err, "reading PKCS#12");
    /* d2i_PKCS12 frees and clears p12 when it fails. */
    if (origin->size == 0 || d2i_PKCS12(&p12, &at, (long)origin->size) == NULL ||
        at != origin->bytes + origin->size) {
        status = not_pkcs12(err, origin);
        goto out;
    }
    if (PKCS12_mac_present(p12))
        status = find_password(&r, p12, err);
    if (status != CINCH_OK)
        goto out;
    parts = PKCS12_unpack_authsafes(p12);
    if (parts == NULL) {
        status = damaged(err, origin, "its content cannot be read");
        goto out;
    }
    for (int i = 0; status == CINCH_OK && i < sk_PKCS7_num(parts); i++)
        status = read_part(&r, sk_PKCS7_value(parts, i), err);
out:
    sk_PKCS7_pop_free(parts, PKCS7_free);
    PKCS12_free(p12);
    return status;
}
