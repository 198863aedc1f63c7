/* provider.c: the tables that OpenSSL wants of a provider. */
#include "accel/provider.h"

#include "accel/ciphers.h"
#include "accel/keys.h"

#include <cinch/version.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>

#define MOST_COPIES 9

char cinch_provider_properties[48];

static _Thread_local int shown;
static int number = 1;
static char state; /* it has none, but NULL would mean that there is no provider */

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

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, CINCH_PROVIDER_FUNCTION(query)},
        {OSSL_FUNC_PROVIDER_GET_PARAMS, CINCH_PROVIDER_FUNCTION(tell)},
        {OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, CINCH_PROVIDER_FUNCTION(tells)},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *context = &state;
    return 1;
}

void cinch_provider_query(char query[static CINCH_PROVIDER_QUERY])
{
    (void)snprintf(query, CINCH_PROVIDER_QUERY, "cinch.accel=%d", number);
}

void cinch_provider_wish(char query[static CINCH_PROVIDER_QUERY], unsigned turn)
{
    (void)snprintf(query, CINCH_PROVIDER_QUERY, "?cinch.accel=%d,?cinch.turn=%u", number, turn);
}

int cinch_provider_is(const OSSL_PROVIDER *provider)
{
    return provider != NULL && OSSL_PROVIDER_get0_provider_ctx(provider) == &state;
}

/* The provider NAME, which is ours unless another libcinch was first. What is not ours is let go again. */
static OSSL_PROVIDER *load_as(OSSL_LIB_CTX *context, const char *name)
{
    static int added; /* the number that was the last */

    if (added < number && OSSL_PROVIDER_add_builtin(context, name, start) != 1)
        return NULL;
    added = number;
    /* What OpenSSL loads by itself, where nothing else was asked for, has to stay. */
    return OSSL_PROVIDER_try_load(context, name, 1);
}

int cinch_provider_load(OSSL_LIB_CTX *context)
{
    static OSSL_PROVIDER *loaded; /* to the end of the process */

    for (; loaded == NULL && number <= MOST_COPIES; number++) {
        char name[24] = CINCH_PROVIDER;

        if (number > 1)
            (void)snprintf(name, sizeof name, CINCH_PROVIDER ".%d", number);
        (void)snprintf(cinch_provider_properties, sizeof cinch_provider_properties,
                       "provider=%s,cinch.accel=%d", name, number);
        OSSL_PROVIDER *found = load_as(context, name);
        if (found == NULL)
            return 0;
        if (cinch_provider_is(found)) {
            loaded = found;
            return 1;
        }
        (void)OSSL_PROVIDER_unload(found);
    }
    return loaded != NULL;
}
