/* signer.c: an identity whose key is somewhere else. */
#include "identity/signer.h"

#include "base/fail.h"
#include "identity/parts.h"

#include <openssl/err.h>

static cinch_status no_certificate(cinch_error *err, const cinch_material *material,
                                   const char *name)
{
    if (material->keys_seen > 0)
        return cinch_fail(err, CINCH_CAUSE_KEY_WHERE_CERTIFICATE,
                          "%s holds a private key where the certificate belongs", name);
    (void)cinch_fail(err, CINCH_CAUSE_NO_CERTIFICATE, "%s holds no certificate", name);
    if (material->others[0] != 0)
        cinch_fail_evidence(err, "it holds %s", material->others);
    return CINCH_FAILED;
}

cinch_status cinch_material_pem(cinch_material *material, cinch_origin *origin, const void *pem,
                                size_t size, cinch_error *err)
{
    cinch_password none = {0};

    if (size > CINCH_FILE_LARGEST)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the PEM in memory is larger than %u bytes",
                          CINCH_FILE_LARGEST);
    cinch_origin_memory(origin, pem, size, "the PEM in memory");
    cinch_status status = cinch_pem_read(origin, CINCH_TAKE_CERTIFICATES, &none, material, err);
    cinch_password_done(&none);
    if (status == CINCH_OK && sk_X509_num(material->certificates) <= 0)
        return no_certificate(err, material, origin->name);
    return status;
}

/* The key of the first certificate is the one that the callback has. */
static cinch_identity *make(const cinch_material *material, cinch_sign_callback callback, void *arg,
                            const char *name, cinch_error *err)
{
    EVP_PKEY *public_key = X509_get0_pubkey(sk_X509_value(material->certificates, 0));
    const cinch_signer signer = {.callback = callback, .arg = arg, .public_key = public_key};

    if (public_key == NULL) {
        if (cinch_openssl_memory())
            (void)cinch_fail_memory(err, "reading a certificate's key");
        else
            (void)cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                             "the key in the first certificate of %s cannot be read", name);
        return NULL;
    }
    if (!cinch_signer_supports(public_key)) {
        const char *type = EVP_PKEY_get0_type_name(public_key);

        (void)cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY,
                         "a key of the kind %s cannot have a signer",
                         type == NULL ? "unknown" : type);
        cinch_fail_evidence(err, "RSA, ECDSA, Ed25519 and Ed448 can");
        return NULL;
    }
    EVP_PKEY *key = cinch_signer_key_new(&signer);
    if (key == NULL) {
        (void)cinch_fail_crypto(err, "making a key of a signer");
        return NULL;
    }
    cinch_identity *identity =
        cinch_identity_assemble(material, key, public_key, name, "the signer", err);
    EVP_PKEY_free(key);
    if (identity != NULL &&
        (cinch_identity_mark(identity, (const void *)&callback, sizeof callback, err) != CINCH_OK ||
         cinch_identity_mark(identity, (const void *)&arg, sizeof arg, err) != CINCH_OK)) {
        cinch_identity_free(identity);
        return NULL;
    }
    return identity;
}

cinch_identity *cinch_identity_signer(const void *pem, size_t pem_size,
                                      cinch_sign_callback callback, void *arg, cinch_error *err)
{
    cinch_origin origin = {0};
    cinch_material material = {0};
    cinch_identity *identity = NULL;

    if (!cinch_enter(err))
        return NULL;
    if (pem == NULL || callback == NULL) {
        (void)cinch_fail_null(err, pem == NULL ? "PEM" : "callback that signs");
        return NULL;
    }
    if (cinch_material_pem(&material, &origin, pem, pem_size, err) == CINCH_OK)
        identity = make(&material, callback, arg, origin.name, err);
    cinch_material_free(&material);
    cinch_origin_close(&origin);
    ERR_clear_error();
    return identity;
}
