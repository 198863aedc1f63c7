/* ciphers.c: AES-GCM of gcm.h for the provider's tables, where libipsec-mb is there and faster. */
#include "accel/ciphers.h"

#include "accel/gcm.h"
#include "accel/provider.h"

#include <cpuid.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>

static int usable; /* set once, before the first look at the table that matters */

/* Before the library is loaded, which asks the processor again. AVX-512 has to be what the kernel knows as well. */
static int processor_fits(void)
{
    unsigned eax, ebx, ecx = 0, edx;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (ecx & bit_VAES) == 0 ||
        (ecx & bit_VPCLMULQDQ) == 0)
        return 0;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

cinch_ciphers_outcome cinch_ciphers_load(char *text, size_t size)
{
    const char *why = "this processor has no VAES with AVX-512";

    if (processor_fits())
        switch (cinch_imb_load(0)) {
        case CINCH_IMB_READY:
            (void)snprintf(text, size, "%s", cinch_imb_version);
            usable = 1;
            return CINCH_CIPHERS_OURS;
        case CINCH_IMB_NO_MEMORY:
            return CINCH_CIPHERS_UNKNOWN;
        case CINCH_IMB_MISSING:
            why = "there is no libIPSec_MB.so.1";
            break;
        default:
            why = "this libipsec-mb is not fit";
        }
    (void)snprintf(text, size, "OpenSSL's own: %s", why);
    return CINCH_CIPHERS_NONE;
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

#define CIPHER(bits)                                                                               \
    {                                                                                              \
        {OSSL_FUNC_CIPHER_NEWCTX, CINCH_PROVIDER_FUNCTION(new_##bits)},                            \
            {OSSL_FUNC_CIPHER_FREECTX, CINCH_PROVIDER_FUNCTION(cinch_gcm_free)},                   \
            {OSSL_FUNC_CIPHER_DUPCTX, CINCH_PROVIDER_FUNCTION(cinch_gcm_dup)},                     \
            {OSSL_FUNC_CIPHER_ENCRYPT_INIT, CINCH_PROVIDER_FUNCTION(cinch_gcm_encrypt_init)},      \
            {OSSL_FUNC_CIPHER_DECRYPT_INIT, CINCH_PROVIDER_FUNCTION(cinch_gcm_decrypt_init)},      \
            {OSSL_FUNC_CIPHER_UPDATE, CINCH_PROVIDER_FUNCTION(cinch_gcm_update)},                  \
            {OSSL_FUNC_CIPHER_FINAL, CINCH_PROVIDER_FUNCTION(cinch_gcm_final)},                    \
            {OSSL_FUNC_CIPHER_CIPHER, CINCH_PROVIDER_FUNCTION(cinch_gcm_cipher)},                  \
            {OSSL_FUNC_CIPHER_GET_PARAMS, CINCH_PROVIDER_FUNCTION(describe_##bits)},               \
            {OSSL_FUNC_CIPHER_GETTABLE_PARAMS, CINCH_PROVIDER_FUNCTION(describes)},                \
            {OSSL_FUNC_CIPHER_GET_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(cinch_gcm_get_params)},      \
            {OSSL_FUNC_CIPHER_GETTABLE_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(cinch_gcm_gettable)},   \
            {OSSL_FUNC_CIPHER_SET_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(cinch_gcm_set_params)},      \
            {OSSL_FUNC_CIPHER_SETTABLE_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(cinch_gcm_settable)},   \
            {0, NULL},                                                                             \
    }

static const OSSL_DISPATCH aes_128_gcm[] = CIPHER(128);
static const OSSL_DISPATCH aes_256_gcm[] = CIPHER(256);

const OSSL_ALGORITHM *cinch_ciphers(void)
{
    static const OSSL_ALGORITHM ciphers[] = {
        {"AES-128-GCM:id-aes128-GCM:2.16.840.1.101.3.4.1.6", cinch_provider_properties, aes_128_gcm,
         NULL},
        {"AES-256-GCM:id-aes256-GCM:2.16.840.1.101.3.4.1.46", cinch_provider_properties,
         aes_256_gcm, NULL},
        {NULL, NULL, NULL, NULL},
    };

    return usable ? ciphers : NULL;
}
