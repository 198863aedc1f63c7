/*
 * signer_key.c: a small provider (provider(7)) whose keys are public keys with somebody who signs.
 *
 * It lives in a library context of its own, so that no fetch for another key ever finds it. OpenSSL
 * first tries to give a key to its own implementation of the signature. Our keys refuse to be
 * exported with a private part, and then the implementation of the key's own provider is taken.
 */
#include "identity/signer.h"

#include "base/memory.h"
#include "base/openssl.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#define PROVIDER "cinch-signer"

/* ---- keys ---- */

static void *new_key(const char *type)
{
    cinch_signer_key *key = cinch_alloc(sizeof *key);

    if (key != NULL)
        key->type = type;
    return key;
}

static void *new_rsa(void *provctx)
{
    (void)provctx;
    return new_key("RSA");
}

static void *new_ec(void *provctx)
{
    (void)provctx;
    return new_key("EC");
}

static void *new_ed25519(void *provctx)
{
    (void)provctx;
    return new_key("ED25519");
}

static void *new_ed448(void *provctx)
{
    (void)provctx;
    return new_key("ED448");
}

static void free_key(void *keydata)
{
    cinch_signer_key *key = keydata;

    if (key == NULL)
        return;
    EVP_PKEY_free(key->signer.public_key);
    cinch_release(key);
}

static int has(const void *keydata, int selection)
{
    const cinch_signer_key *key = keydata;

    if (key == NULL || key->signer.public_key == NULL)
        return 0;
    return (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) == 0 || cinch_signer_signs(&key->signer);
}

static int match(const void *keydata1, const void *keydata2, int selection)
{
    const cinch_signer_key *one = keydata1, *other = keydata2;

    if (one->signer.public_key == NULL || other->signer.public_key == NULL)
        return 0;
    if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) == 0)
        return EVP_PKEY_parameters_eq(one->signer.public_key, other->signer.public_key) == 1;
    return EVP_PKEY_eq(one->signer.public_key, other->signer.public_key) == 1;
}

/* A public key from elsewhere, which OpenSSL wants to compare with one of ours. */
static int import_public(cinch_signer_key *key, const OSSL_PARAM params[])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(cinch_library_context(), key->type, NULL);
    OSSL_PARAM *copy = OSSL_PARAM_dup(params);
    int ok = ctx != NULL && copy != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
             EVP_PKEY_fromdata(ctx, &key->signer.public_key, EVP_PKEY_PUBLIC_KEY, copy) == 1;

    OSSL_PARAM_free(copy);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int import(void *keydata, int selection, const OSSL_PARAM params[])
{
    cinch_signer_key *key = keydata;
    const OSSL_PARAM *ours = OSSL_PARAM_locate_const(params, CINCH_SIGNER_PARAM);

    (void)selection;
    if (key->signer.public_key != NULL)
        return 0;
    if (ours == NULL)
        return import_public(key, params);
    if (ours->data_type != OSSL_PARAM_OCTET_STRING || ours->data_size != sizeof key->signer)
        return 0;
    memcpy(&key->signer, ours->data, sizeof key->signer);
    EVP_PKEY_up_ref(key->signer.public_key);
    return 1;
}

static int export(void *keydata, int selection, OSSL_CALLBACK *callback, void *arg)
{
    const cinch_signer_key *key = keydata;

    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 || key->signer.public_key == NULL)
        return 0;
    return EVP_PKEY_export(key->signer.public_key, selection, callback, arg);
}

static const OSSL_PARAM *key_types(int selection)
{
    static const OSSL_PARAM types[] = {
        OSSL_PARAM_octet_string(CINCH_SIGNER_PARAM, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)selection;
    return types;
}

static int get_params(void *keydata, OSSL_PARAM params[])
{
    const cinch_signer_key *key = keydata;

    return key->signer.public_key != NULL && EVP_PKEY_get_params(key->signer.public_key, params);
}

static const OSSL_PARAM *gettable(void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
        OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
        OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)provctx;
    return table;
}

/* EC keys sign by another name: it is asked for by this function. */
static const char *ec_operation(int operation)
{
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

#define FUNCTION(id, function)                                                                     \
    {                                                                                              \
        id, (void (*)(void))(function)                                                             \
    }
#define KEY_FUNCTIONS(make)                                                                        \
    FUNCTION(OSSL_FUNC_KEYMGMT_NEW, make), FUNCTION(OSSL_FUNC_KEYMGMT_FREE, free_key),             \
        FUNCTION(OSSL_FUNC_KEYMGMT_HAS, has), FUNCTION(OSSL_FUNC_KEYMGMT_MATCH, match),            \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT, import),                                                \
        FUNCTION(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT, export),                                                \
        FUNCTION(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                       \
        FUNCTION(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),                                        \
        FUNCTION(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, gettable)

static const OSSL_DISPATCH rsa_keys[] = {KEY_FUNCTIONS(new_rsa), {0, NULL}};
static const OSSL_DISPATCH ec_keys[] = {
    KEY_FUNCTIONS(new_ec),
    FUNCTION(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
    {0, NULL},
};
static const OSSL_DISPATCH ed25519_keys[] = {KEY_FUNCTIONS(new_ed25519), {0, NULL}};
static const OSSL_DISPATCH ed448_keys[] = {KEY_FUNCTIONS(new_ed448), {0, NULL}};

/* ---- the provider ---- */

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
    static const char properties[] = "provider=" PROVIDER;
    static const OSSL_ALGORITHM keys[] = {
        {"RSA:rsaEncryption:1.2.840.113549.1.1.1", properties, rsa_keys, NULL},
        {"EC:id-ecPublicKey:1.2.840.10045.2.1", properties, ec_keys, NULL},
        {"ED25519:1.3.101.112", properties, ed25519_keys, NULL},
        {"ED448:1.3.101.113", properties, ed448_keys, NULL},
        {NULL, NULL, NULL, NULL},
    };
    static const OSSL_ALGORITHM signatures[] = {
        {"RSA:rsaEncryption:1.2.840.113549.1.1.1", properties, cinch_signer_functions, NULL},
        {"ECDSA", properties, cinch_signer_functions, NULL},
        {"ED25519:1.3.101.112", properties, cinch_signer_functions, NULL},
        {"ED448:1.3.101.113", properties, cinch_signer_functions, NULL},
        {NULL, NULL, NULL, NULL},
    };

    (void)provctx;
    *no_cache = 0;
    return operation == OSSL_OP_KEYMGMT ? keys : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **provctx)
{
    static const OSSL_DISPATCH functions[] = {
        FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *provctx = NULL;
    return 1;
}

/* Made with the first such key, and never freed: keys and caches of OpenSSL may refer to it. */
static OSSL_LIB_CTX *own_context(void)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static OSSL_LIB_CTX *made;

    pthread_mutex_lock(&lock);
    if (made == NULL) {
        OSSL_LIB_CTX *fresh = OSSL_LIB_CTX_new();

        if (fresh != NULL && OSSL_PROVIDER_add_builtin(fresh, PROVIDER, start) == 1 &&
            OSSL_PROVIDER_load(fresh, PROVIDER) != NULL)
            made = fresh;
        else
            OSSL_LIB_CTX_free(fresh);
    }
    OSSL_LIB_CTX *context = made;
    pthread_mutex_unlock(&lock);
    return context;
}

static const char *type_of(const EVP_PKEY *key)
{
    static const char *const types[] = {"RSA", "EC", "ED25519", "ED448"};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (EVP_PKEY_is_a(key, types[i]))
            return types[i];
    return NULL;
}

int cinch_signer_supports(const EVP_PKEY *key)
{
    return type_of(key) != NULL;
}

EVP_PKEY *cinch_signer_key_new(const cinch_signer *signer)
{
    OSSL_LIB_CTX *context = own_context();
    cinch_signer copy = *signer;
    OSSL_PARAM params[] = {
        OSSL_PARAM_octet_string(CINCH_SIGNER_PARAM, &copy, sizeof copy),
        OSSL_PARAM_END,
    };
    EVP_PKEY *key = NULL;

    if (context == NULL)
        return NULL;
    EVP_PKEY_CTX *ctx =
        EVP_PKEY_CTX_new_from_name(context, type_of(signer->public_key), "provider=" PROVIDER);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}
