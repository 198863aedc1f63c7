/* keys.c: from the parameters of one derivation to derive.h. */
#include "accel/keys.h"

#include "accel/derive.h"
#include "accel/provider.h"
#include "base/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/proverr.h>
#include <string.h>
#include <strings.h>

#define MOST_SEEDS 8 /* libssl has 5 */

/* What one derivation is told. */
typedef struct work {
    enum {
        NONE,
        OURS,
        OTHER
    } hash_kind;
    cinch_hash hash;
    int mode;
    cinch_part secret, salt, prefix, label, context;
    size_t seed_count;
    cinch_part seeds[MOST_SEEDS];
} work;

static int fail(int reason)
{
    ERR_raise(ERR_LIB_PROV, reason);
    return 0;
}

static int read_hash(work *w, const OSSL_PARAM *p)
{
    static const struct {
        const char *name;
        cinch_hash hash;
    } known[] = {
        {"SHA2-256", CINCH_HASH_SHA256}, {"SHA2-384", CINCH_HASH_SHA384},
        {"SHA256", CINCH_HASH_SHA256},   {"SHA384", CINCH_HASH_SHA384},
        {"SHA-256", CINCH_HASH_SHA256},  {"SHA-384", CINCH_HASH_SHA384},
    };

    if (p->data_type != OSSL_PARAM_UTF8_STRING || p->data == NULL)
        return fail(PROV_R_INVALID_DIGEST);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcasecmp(p->data, known[i].name) == 0) {
            w->hash = known[i].hash;
            w->hash_kind = OURS;
            return 1;
        }
    w->hash_kind = OTHER;
    return 1;
}

static int read_mode(work *w, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_int(p, &w->mode) || fail(PROV_R_INVALID_MODE);
    w->mode =
        p->data != NULL && strcasecmp(p->data, "EXTRACT_ONLY") == 0 ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY
        : p->data != NULL && strcasecmp(p->data, "EXPAND_ONLY") == 0 ? EVP_KDF_HKDF_MODE_EXPAND_ONLY
                                                                     : -1;
    return w->mode >= 0 || fail(PROV_R_INVALID_MODE);
}

static int read_part(cinch_part *part, const OSSL_PARAM *p)
{
    if (p->data_type != OSSL_PARAM_OCTET_STRING || (p->data == NULL && p->data_size != 0))
        return fail(PROV_R_FAILED_TO_GET_PARAMETER);
    *part = (cinch_part){p->data, p->data_size};
    return 1;
}

static int read_1_3(work *w, const OSSL_PARAM *p)
{
    if (strcmp(p->key, OSSL_KDF_PARAM_MODE) == 0)
        return read_mode(w, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_DIGEST) == 0)
        return read_hash(w, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_KEY) == 0)
        return read_part(&w->secret, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_SALT) == 0)
        return read_part(&w->salt, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_PREFIX) == 0)
        return read_part(&w->prefix, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_LABEL) == 0)
        return read_part(&w->label, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_DATA) == 0)
        return read_part(&w->context, p);
    return 1;
}

/* One look at each parameter, where OSSL_PARAM_locate() would compare all names with each. */
static int read_all(work *w, const OSSL_PARAM params[], int (*read)(work *w, const OSSL_PARAM *p))
{
    for (const OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++)
        if (!read(w, p))
            return 0;
    return w->hash_kind != NONE || fail(PROV_R_MISSING_MESSAGE_DIGEST);
}

/* The same of OpenSSL's own, or of whose the process wants: without our query, and shown nothing, that is not ours. */
static int derive_elsewhere(const char *name, unsigned char *out, size_t size,
                            const OSSL_PARAM params[])
{
    EVP_KDF *kdf = EVP_KDF_fetch(cinch_library_context(), name, NULL);
    int is_ours = kdf != NULL && cinch_provider_is(EVP_KDF_get0_provider(kdf));
    EVP_KDF_CTX *ctx = is_ours ? NULL : EVP_KDF_CTX_new(kdf);
    int ok = ctx != NULL && EVP_KDF_derive(ctx, out, size, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static int derive_1_3(void *context, unsigned char *out, size_t size, const OSSL_PARAM params[])
{
    work w = {.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND};

    (void)context;
    if (!read_all(&w, params, read_1_3))
        return 0;
    if (w.hash_kind == OTHER)
        return derive_elsewhere(CINCH_KEYS_TLS_1_3, out, size, params);
    if (w.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) {
        if (size != cinch_hash_size(w.hash))
            return fail(PROV_R_WRONG_OUTPUT_BUFFER_SIZE);
        return cinch_hkdf_next(w.hash, w.salt, w.prefix, w.label, w.secret, out) ||
               fail(PROV_R_BAD_LENGTH);
    }
    if (w.mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY)
        return fail(PROV_R_INVALID_MODE);
    if (w.secret.bytes == NULL)
        return fail(PROV_R_MISSING_KEY);
    return cinch_hkdf_label(w.hash, w.secret, w.prefix, w.label, w.context, out, size) ||
           fail(PROV_R_BAD_LENGTH);
}

static int read_seed(work *w, const OSSL_PARAM *p)
{
    cinch_part seed;

    /* libssl says NULL where it has fewer. */
    if (p->data == NULL || p->data_size == 0)
        return 1;
    if (w->seed_count == MOST_SEEDS)
        return fail(PROV_R_FAILED_TO_GET_PARAMETER);
    if (!read_part(&seed, p))
        return 0;
    w->seeds[w->seed_count++] = seed;
    return 1;
}

static int read_1_2(work *w, const OSSL_PARAM *p)
{
    if (strcmp(p->key, OSSL_KDF_PARAM_DIGEST) == 0)
        return read_hash(w, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_SECRET) == 0)
        return read_part(&w->secret, p);
    if (strcmp(p->key, OSSL_KDF_PARAM_SEED) == 0)
        return read_seed(w, p);
    return 1;
}

static int derive_1_2(void *context, unsigned char *out, size_t size, const OSSL_PARAM params[])
{
    work w = {.hash_kind = NONE};

    (void)context;
    if (!read_all(&w, params, read_1_2))
        return 0;
    if (w.hash_kind == OTHER)
        return derive_elsewhere(CINCH_KEYS_TLS_1_2, out, size, params);
    if (w.secret.bytes == NULL)
        return fail(PROV_R_MISSING_SECRET);
    if (w.seed_count == 0)
        return fail(PROV_R_MISSING_SEED);
    if (size == 0)
        return fail(PROV_R_INVALID_KEY_LENGTH);
    cinch_prf(w.hash, w.secret, w.seeds, w.seed_count, out, size);
    return 1;
}

static void *new_context(void *provider)
{
    static char nothing;

    (void)provider;
    return &nothing;
}

static void free_context(void *context)
{
    (void)context;
}

static int refuse_params(void *context, const OSSL_PARAM params[])
{
    (void)context;
    return params == NULL || params->key == NULL || fail(ERR_R_UNSUPPORTED);
}

static const OSSL_PARAM *no_params(void *context, void *provider)
{
    static const OSSL_PARAM none[] = {OSSL_PARAM_END};

    (void)context;
    (void)provider;
    return none;
}

#define FUNCTIONS(derive)                                                                          \
    {                                                                                              \
        {OSSL_FUNC_KDF_NEWCTX, CINCH_PROVIDER_FUNCTION(new_context)},                              \
            {OSSL_FUNC_KDF_FREECTX, CINCH_PROVIDER_FUNCTION(free_context)},                        \
            {OSSL_FUNC_KDF_RESET, CINCH_PROVIDER_FUNCTION(free_context)},                          \
            {OSSL_FUNC_KDF_DERIVE, CINCH_PROVIDER_FUNCTION(derive)},                               \
            {OSSL_FUNC_KDF_SET_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(refuse_params)},                \
            {OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, CINCH_PROVIDER_FUNCTION(no_params)}, {0, NULL},    \
    }

static const OSSL_DISPATCH tls_1_3[] = FUNCTIONS(derive_1_3);
static const OSSL_DISPATCH tls_1_2[] = FUNCTIONS(derive_1_2);

const OSSL_ALGORITHM *cinch_keys(void)
{
    static const OSSL_ALGORITHM derivations[] = {
        {CINCH_KEYS_TLS_1_3, cinch_provider_properties, tls_1_3, NULL},
        {CINCH_KEYS_TLS_1_2, cinch_provider_properties, tls_1_2, NULL},
        {NULL, NULL, NULL, NULL},
    };

    return derivations;
}
