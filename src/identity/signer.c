/* signer.c: an identity whose key is somewhere else. */
#include "identity/signer.h"

#include "base/fail.h"
#include "identity/parts.h"

#include <openssl/err.h>
#include <stdatomic.h>

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

/* Whoever signs later needs connections that can pause; see conn/step.c. */
static atomic_int later_ones;

int cinch_signers_later(void)
{
    return atomic_load(&later_ones);
}

/* The key of the first certificate is the one that SIGNER has. */
static cinch_status find_key(const cinch_material *material, cinch_signer *signer, const char *name,
                             cinch_error *err)
{
    signer->public_key = X509_get0_pubkey(sk_X509_value(material->certificates, 0));
    if (signer->public_key == NULL && cinch_openssl_memory())
        return cinch_fail_memory(err, "reading a certificate's key");
    if (signer->public_key == NULL)
        return cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                          "the key in the first certificate of %s cannot be read", name);
    if (!cinch_signer_supports(signer->public_key)) {
        const char *type = EVP_PKEY_get0_type_name(signer->public_key);

        (void)cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY,
                         "a key of the kind %s cannot have a signer",
                         type == NULL ? "unknown" : type);
        cinch_fail_evidence(err, "RSA, ECDSA, Ed25519 and Ed448 can");
        return CINCH_FAILED;
    }
    return CINCH_OK;
}

/* Equal certificates with different signers are different identities. */
static cinch_status mark(cinch_identity *identity, const cinch_signer *signer, cinch_error *err)
{
    cinch_status status = cinch_identity_mark(identity, (const void *)&signer->callback,
                                              sizeof signer->callback, err);

    if (status == CINCH_OK)
        status =
            cinch_identity_mark(identity, (const void *)&signer->later, sizeof signer->later, err);
    if (status == CINCH_OK)
        status = cinch_identity_mark(identity, (const void *)&signer->arg, sizeof signer->arg, err);
    return status;
}

static cinch_identity *make(const cinch_material *material, cinch_signer *signer, const char *name,
                            cinch_error *err)
{
    if (find_key(material, signer, name, err) != CINCH_OK)
        return NULL;
    EVP_PKEY *key = cinch_signer_key_new(signer);
    if (key == NULL) {
        (void)cinch_fail_crypto(err, "making a key of a signer");
        return NULL;
    }
    cinch_identity *identity =
        cinch_identity_assemble(material, key, signer->public_key, name, "the signer", err);
    EVP_PKEY_free(key);
    if (identity != NULL && mark(identity, signer, err) != CINCH_OK) {
        cinch_identity_free(identity);
        return NULL;
    }
    if (identity != NULL && signer->later != NULL) {
        identity->signs_later = 1;
        atomic_store(&later_ones, 1);
    }
    return identity;
}

static cinch_identity *read_and_make(const void *pem, size_t pem_size, cinch_signer *signer,
                                     cinch_error *err)
{
    cinch_origin origin = {0};
    cinch_material material = {0};
    cinch_identity *identity = NULL;

    if (cinch_material_pem(&material, &origin, pem, pem_size, err) == CINCH_OK)
        identity = make(&material, signer, origin.name, err);
    cinch_material_free(&material);
    cinch_origin_close(&origin);
    ERR_clear_error();
    return identity;
}

cinch_identity *cinch_identity_signer(const void *pem, size_t pem_size,
                                      cinch_sign_callback callback, void *arg, cinch_error *err)
{
    cinch_signer signer = {.callback = callback, .arg = arg};

    if (!cinch_enter(err))
        return NULL;
    if (pem == NULL || callback == NULL) {
        (void)cinch_fail_null(err, pem == NULL ? "PEM" : "callback that signs");
        return NULL;
    }
    return read_and_make(pem, pem_size, &signer, err);
}

cinch_identity *cinch_identity_signer_async(const void *pem, size_t pem_size,
                                            cinch_sign_async_callback callback, void *arg,
                                            cinch_error *err)
{
    cinch_signer signer = {.later = callback, .arg = arg};

    if (!cinch_enter(err))
        return NULL;
    if (pem == NULL || callback == NULL) {
        (void)cinch_fail_null(err, pem == NULL ? "PEM" : "callback that has it signed");
        return NULL;
    }
    if (!CINCH_FIBERS) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "this system has no ucontext: a handshake cannot wait for a signature");
        cinch_fail_remedy(err, "use cinch_identity_signer(), on threads of their own");
        return NULL;
    }
    return read_and_make(pem, pem_size, &signer, err);
}
