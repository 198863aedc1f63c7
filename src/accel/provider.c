/* provider.c: the tables that OpenSSL wants of a provider. */
#include "accel/provider.h"

#include "accel/ciphers.h"
#include "accel/keys.h"

#include <cinch/version.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
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

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    /*
     * OpenSSL must ask each time. If it kept what is ours among all the others, it would give it to everybody in
     * the process who wants AES-GCM, say, and does not say of whom.
     */
    *no_cache = operation == OSSL_OP_CIPHER || operation == OSSL_OP_KDF;
    if (shown == 0)
        return NULL;
    return operation == OSSL_OP_CIPHER ? cinch_ciphers()
           : operation == OSSL_OP_KDF  ? cinch_keys()
                                       : NULL;
}

static int tell(void *provider, OSSL_PARAM params[])
{
    OSSL_PARAM *name = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_NAME);
    OSSL_PARAM *version = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_VERSION);
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);

    (void)provider;
    return (name == NULL || OSSL_PARAM_set_utf8_ptr(name, "Cinch")) &&
           (version == NULL || OSSL_PARAM_set_utf8_ptr(version, CINCH_VERSION_STRING)) &&
           (status == NULL || OSSL_PARAM_set_int(status, 1));
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

/* OpenSSL casts each back to the type that goes with its number. */
#define FUNCTION(f) ((void (*)(void))(f))

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
