/* provider.c: the tables that OpenSSL wants of a provider. */
#include "accel/provider.h"

#include "accel/gcm.h"

#include <cinch/version.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

static _Thread_local int shown;

void cinch_provider_show(void)
{
    shown++;
}

void cinch_provider_hide(void)
{
    shown--;
}

static void *new_128(void *provider)
{
    (void)provider;
    return cinch_gcm_new(&cinch_imb_128, 16);
}

static void *new_256(void *provider)
{
    (void)provider;
    return cinch_gcm_new(&cinch_imb_256, 32);
}

static int set_size(OSSL_PARAM params[], const char *name, size_t value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_size_t(p, value);
}

static int set_int(OSSL_PARAM params[], const char *name, int value)
{
    OSSL_PARAM *p = OSSL_PARAM_locate(params, name);

    return p == NULL || OSSL_PARAM_set_int(p, value);
}

static int describe(OSSL_PARAM params[], size_t key_size)
{
    OSSL_PARAM *mode = OSSL_PARAM_locate(params, OSSL_CIPHER_PARAM_MODE);

    return (mode == NULL || OSSL_PARAM_set_uint(mode, EVP_CIPH_GCM_MODE)) &&
           set_size(params, OSSL_CIPHER_PARAM_KEYLEN, key_size) &&
           set_size(params, OSSL_CIPHER_PARAM_IVLEN, CINCH_GCM_IV) &&
           set_size(params, OSSL_CIPHER_PARAM_BLOCK_SIZE, 1) &&
           set_int(params, OSSL_CIPHER_PARAM_AEAD, 1) &&
           set_int(params, OSSL_CIPHER_PARAM_CUSTOM_IV, 1) &&
           set_int(params, OSSL_CIPHER_PARAM_CTS, 0) &&
           set_int(params, OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, 0) &&
           set_int(params, OSSL_CIPHER_PARAM_HAS_RAND_KEY, 0);
}

static int describe_128(OSSL_PARAM params[])
{
    return describe(params, 16);
}

static int describe_256(OSSL_PARAM params[])
{
    return describe(params, 32);
}

static const OSSL_PARAM *describes(void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_uint(OSSL_CIPHER_PARAM_MODE, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_KEYLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_IVLEN, NULL),
        OSSL_PARAM_size_t(OSSL_CIPHER_PARAM_BLOCK_SIZE, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_AEAD, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_CUSTOM_IV, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_CTS, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_TLS1_MULTIBLOCK, NULL),
        OSSL_PARAM_int(OSSL_CIPHER_PARAM_HAS_RAND_KEY, NULL),
        OSSL_PARAM_END,
    };

    (void)provider;
    return known;
}

/* OpenSSL casts each back to the type that goes with its number. */
#define FUNCTION(f) ((void (*)(void))(f))
#define CIPHER(bits)                                                                               \
    {                                                                                              \
        {OSSL_FUNC_CIPHER_NEWCTX, FUNCTION(new_##bits)},                                           \
            {OSSL_FUNC_CIPHER_FREECTX, FUNCTION(cinch_gcm_free)},                                  \
            {OSSL_FUNC_CIPHER_DUPCTX, FUNCTION(cinch_gcm_dup)},                                    \
            {OSSL_FUNC_CIPHER_ENCRYPT_INIT, FUNCTION(cinch_gcm_encrypt_init)},                     \
            {OSSL_FUNC_CIPHER_DECRYPT_INIT, FUNCTION(cinch_gcm_decrypt_init)},                     \
            {OSSL_FUNC_CIPHER_UPDATE, FUNCTION(cinch_gcm_update)},                                 \
            {OSSL_FUNC_CIPHER_FINAL, FUNCTION(cinch_gcm_final)},                                   \
            {OSSL_FUNC_CIPHER_CIPHER, FUNCTION(cinch_gcm_cipher)},                                 \
            {OSSL_FUNC_CIPHER_GET_PARAMS, FUNCTION(describe_##bits)},                              \
            {OSSL_FUNC_CIPHER_GETTABLE_PARAMS, FUNCTION(describes)},                               \
            {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, FUNCTION(cinch_gcm_get_params)},                     \
            {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, FUNCTION(cinch_gcm_gettable)},                  \
            {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, FUNCTION(cinch_gcm_set_params)},                     \
            {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, FUNCTION(cinch_gcm_settable)}, {0, NULL},       \
    }

static const OSSL_DISPATCH aes_128_gcm[] = CIPHER(128);
static const OSSL_DISPATCH aes_256_gcm[] = CIPHER(256);

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    static const char properties[] = "provider=" CINCH_PROVIDER ",cinch.accel=yes";
    static const OSSL_ALGORITHM ciphers[] = {
        {"AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", properties, aes_128_gcm, NULL},
        {"AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", properties, aes_256_gcm, NULL},
        {NULL, NULL, NULL, NULL},
    };

    (void)provider;
    /*
     * OpenSSL must ask each time. If it kept our ciphers among all the others, it would give them to everybody in
     * the process who wants AES-GCM and does not say of whom.
     */
    *no_cache = operation == OSSL_OP_CIPHER;
    return operation == OSSL_OP_CIPHER && shown > 0 ? ciphers : NULL;
}

static int tell(void *provider, OSSL_PARAM params[])
{
    OSSL_PARAM *name = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    OSSL_PARAM *version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);

    (void)provider;
    return (name == NULL || OSSL_PARAM_set_utf8_ptr(name, "Cinch AES-GCM by libipsec-mb")) &&
           (version == NULL || OSSL_PARAM_set_utf8_ptr(version, CINCH_VERSION_STRING)) &&
           set_int(params, OSSL_PROV_PARAM_STATUS, 1);
}

static const OSSL_PARAM *tells(void *provider)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_NAME, NULL, 0),
        OSSL_PARAM_utf8_ptr(OSSL_PROV_PARAM_VERSION, NULL, 0),
        OSSL_PARAM_int(OSSL_PROV_PARAM_STATUS, NULL),
        OSSL_PARAM_END,
    };

    (void)provider;
    return known;
}

int cinch_provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                        const OSSL_DISPATCH **out, void **context)
{
    static char nothing;
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, FUNCTION(query)},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, FUNCTION(tell)},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, FUNCTION(tells)},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    /* It has no state, but NULL would mean that there is none. */
    *context = &nothing;
    return 1;
}
