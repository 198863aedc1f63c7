/* material.c: what was found in the sources. */
#include "identity/parts.h"

#include "base/fail.h"

static int has_certificate(const STACK_OF(X509) * stack, const X509 *x)
{
    for (int i = 0; i < sk_X509_num(stack); i++)
        if (X509_cmp(sk_X509_value(stack, i), x) == 0)
            return 1;
    return 0;
}

cinch_status cinch_material_certificate(cinch_material *material, X509 *x, const char *name,
                                        cinch_error *err)
{
    if (material->certificates == NULL && (material->certificates = sk_X509_new_null()) == NULL) {
        X509_free(x);
        return cinch_fail_memory(err, "reading certificates");
    }
    if (has_certificate(material->certificates, x)) {
        X509_free(x);
        return CINCH_OK;
    }
    if (sk_X509_num(material->certificates) >= CINCH_IDENTITY_CERTIFICATES) {
        X509_free(x);
        cinch_fail(err, CINCH_CAUSE_CHAIN_GAP, "%s holds more than %d certificates", name,
                   CINCH_IDENTITY_CERTIFICATES);
        cinch_fail_remedy(err, "give a file with the certificate and its intermediates only; a "
                               "bundle of trust anchors belongs to cinch_context_trust_file()");
        return CINCH_FAILED;
    }
    if (sk_X509_push(material->certificates, x) <= 0) {
        X509_free(x);
        return cinch_fail_memory(err, "reading certificates");
    }
    return CINCH_OK;
}

cinch_status cinch_material_key(cinch_material *material, EVP_PKEY *key, const char *name,
                                cinch_error *err)
{
    for (size_t i = 0; i < material->key_count; i++)
        if (EVP_PKEY_eq(material->keys[i], key) == 1) {
            EVP_PKEY_free(key);
            return CINCH_OK;
        }
    if (material->key_count == CINCH_IDENTITY_KEYS) {
        EVP_PKEY_free(key);
        cinch_fail(err, CINCH_CAUSE_BAD_KEY, "%s holds more than %d private keys", name,
                   CINCH_IDENTITY_KEYS);
        cinch_fail_remedy(err, "leave only the key of the certificate in it");
        return CINCH_FAILED;
    }
    material->keys[material->key_count++] = key;
    return CINCH_OK;
}

void cinch_material_free(cinch_material *material)
{
    sk_X509_pop_free(material->certificates, X509_free);
    for (size_t i = 0; i < material->key_count; i++)
        EVP_PKEY_free(material->keys[i]);
    *material = (cinch_material){0};
}
