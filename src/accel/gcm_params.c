/* gcm_params.c: what libcrypto and libssl ask of a cipher and tell it, one parameter after the other. */
#include "accel/gcm.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/proverr.h>

static int fail(int reason)
{
    ERR_raise(ERR_LIB_PROV, reason);
    return 0;
}

const OSSL_PARAM *cinch_gcm_gettable(void *gcm, void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TAGLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_IV, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_UPDATED_IV, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_GET_IV_GEN, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)gcm;
    (void)provider;
    return known;
}

const OSSL_PARAM *cinch_gcm_settable(void *gcm, void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, NULL),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)gcm;
    (void)provider;
    return known;
}

static int get_size(OSSL_PARAM params[], const char *name, size_t value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_size_t(p, value) || fail(PROV_R_FAILED_TO_SET_PARAMETER);
}

static int get_iv(cinch_gcm *gcm, OSSL_PARAM params[], const char *name)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    if (p == NULL)
        return 1;
    if (gcm->iv_state == CINCH_GCM_IV_NONE && !cinch_gcm_make_iv(gcm))
        return 0;
    if (p->data_type == OSSL_PARAM_OCTET_PTR)
        return OSSL_PARAM_set_octet_ptr(p, gcm->iv, gcm->iv_size) ||
               fail(PROV_R_FAILED_TO_SET_PARAMETER);
    if (p->data != NULL && gcm->iv_size > p->data_size)
        return fail(PROV_R_INVALID_IV_LENGTH);
    return OSSL_PARAM_set_octet_string(p, gcm->iv, gcm->iv_size) ||
           fail(PROV_R_FAILED_TO_SET_PARAMETER);
}

static int get_tag(const cinch_gcm *gcm, OSSL_PARAM params[])
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_AEAD_TAG);

    if (p == NULL)
        return 1;
    if (!gcm->encrypts || gcm->tag_size == 0)
        return fail(PROV_R_TAG_NOT_SET);
    if (p->data_size == 0 || p->data_size > sizeof gcm->tag)
        return fail(PROV_R_INVALID_TAG);
    return OSSL_PARAM_set_octet_string(p, gcm->tag, p->data_size) ||
           fail(PROV_R_FAILED_TO_SET_PARAMETER);
}

int cinch_gcm_get_params(void *context, OSSL_PARAM params[])
{
    cinch_gcm *gcm = context;
    size_t tag_size = gcm->tag_size == 0 ? sizeof gcm->tag : gcm->tag_size;

    if (params == NULL)
        return 1;
    if (!get_size(params, OSSL_CIPHER_PARAM_IVLEN, gcm->iv_size) ||
        !get_size(params, OSSL_CIPHER_PARAM_KEYLEN, gcm->key_size) ||
        !get_size(params, OSSL_CIPHER_PARAM_AEAD_TAGLEN, tag_size) ||
        !get_iv(gcm, params, OSSL_CIPHER_PARAM_IV) ||
        !get_iv(gcm, params, OSSL_CIPHER_PARAM_UPDATED_IV) ||
        !get_size(params, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD_PAD, gcm->record_pad) ||
        !get_tag(gcm, params))
        return 0;
    const OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_AEAD_TLS1_GET_IV_GEN);
    return p == NULL || (p->data != NULL && p->data_type == OSSL_PARAM_OCTET_STRING &&
                         cinch_gcm_next_iv(gcm, p->data, p->data_size));
}

static int set_tag(cinch_gcm *gcm, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_TAG);
    void *to = gcm->tag;
    size_t size;

    if (p == NULL)
        return 1;
    if (gcm->encrypts)
        return fail(PROV_R_TAG_NOT_NEEDED);
    if (!OSSL_PARAM_get_octet_string(p, &to, sizeof gcm->tag, &size))
        return fail(PROV_R_FAILED_TO_GET_PARAMETER);
    if (size == 0)
        return fail(PROV_R_INVALID_TAG);
    gcm->tag_size = size;
    return 1;
}

static int set_iv_size(cinch_gcm *gcm, const OSSL_PARAM params[])
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_CIPHER_PARAM_AEAD_IVLEN);
    size_t size;

    if (p == NULL)
        return 1;
    if (!OSSL_PARAM_get_size_t(p, &size))
        return fail(PROV_R_FAILED_TO_GET_PARAMETER);
    if (size == 0 || size > sizeof gcm->iv)
        return fail(PROV_R_INVALID_IV_LENGTH);
    /* The IV that was set is none of this size. */
    if (size != gcm->iv_size && gcm->iv_state != CINCH_GCM_IV_NONE)
        gcm->iv_state = CINCH_GCM_IV_USED;
    gcm->iv_size = size;
    return 1;
}

/* The parameter NAME, as bytes for SET; REASON is for the queue, if there is one for it. */
static int set_bytes(cinch_gcm *gcm, const OSSL_PARAM params[], const char *name,
                     int (*set)(cinch_gcm *gcm, const unsigned char *bytes, size_t size),
                     int reason)
{
    const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, name);

    if (p == NULL)
        return 1;
    if (p->data == NULL || p->data_type != OSSL_PARAM_OCTET_STRING)
        return fail(PROV_R_FAILED_TO_GET_PARAMETER);
    return set(gcm, p->data, p->data_size) || fail(reason);
}

int cinch_gcm_set_params(void *context, const OSSL_PARAM params[])
{
    cinch_gcm *gcm = context;

    if (params == NULL)
        return 1;
    return set_tag(gcm, params) && set_iv_size(gcm, params) &&
           set_bytes(gcm, params, OSSL_CIPHER_PARAM_AEAD_TLS1_AAD, cinch_gcm_expect_record,
                     PROV_R_INVALID_AAD) &&
           set_bytes(gcm, params, OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, cinch_gcm_fix_iv,
                     PROV_R_FAILED_TO_GET_PARAMETER) &&
           set_bytes(gcm, params, OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV, cinch_gcm_received_iv,
                     PROV_R_FAILED_TO_GET_PARAMETER);
}
