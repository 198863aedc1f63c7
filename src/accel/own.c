/* own.c: the library context of connections: the default provider's implementations, a selection of them. */
#include "accel/own.h"

#include "accel/ciphers.h"
#include "accel/keys.h"
#include "accel/provider.h"
#include "base/openssl.h"

#include <openssl/conf.h>
#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#define MOST 128 /* implementations of one kind that are taken */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static OSSL_LIB_CTX *own;     /* to the end of the process, as the next */
static OSSL_PROVIDER *origin; /* the default provider in cinch_library_context() */

/* For each kind: what is taken of the default provider's, after ours. Filled once, before OWN is seen. */
static OSSL_ALGORITHM ciphers[MOST], derivations[MOST], keys[MOST], decoders[MOST];

static int is_one_of(const char *names, const char *const *known)
{
    for (; *known != NULL; known++) {
        size_t size = strlen(*known);

        if (strncmp(names, *known, size) == 0 && (names[size] == 0 || names[size] == ':'))
            return 1;
    }
    return 0;
}

/* The modes of TLS; of AES-GCM ours, where there is one. */
static int takes_cipher(const OSSL_ALGORITHM *a)
{
    static const char *const ours[] = {"AES-128-GCM", "AES-256-GCM", NULL};
    static const char *const others[] = {"NULL", "ChaCha20-Poly1305", NULL};

    if (cinch_ciphers() != NULL && is_one_of(a->algorithm_names, ours))
        return 0;
    return is_one_of(a->algorithm_names, others) || strstr(a->algorithm_names, "-GCM") != NULL ||
           strstr(a->algorithm_names, "-CCM") != NULL || strstr(a->algorithm_names, "-CBC") != NULL;
}

static int takes_derivation(const OSSL_ALGORITHM *a)
{
    static const char *const ours[] = {CINCH_KEYS_TLS_1_3, CINCH_KEYS_TLS_1_2, NULL};

    return !is_one_of(a->algorithm_names, ours);
}

/* Not what is a key only to OpenSSL's older interfaces. */
static int takes_key(const OSSL_ALGORITHM *a)
{
    static const char *const others[] = {"SIPHASH", "POLY1305", "CMAC", "TLS1-PRF",
                                         "HKDF",    "SCRYPT",   NULL};

    return !is_one_of(a->algorithm_names, others);
}

/* Public keys as certificates have them. */
static int takes_decoder(const OSSL_ALGORITHM *a)
{
    return strstr(a->property_definition, "input=der") != NULL &&
           strstr(a->property_definition, "structure=SubjectPublicKeyInfo") != NULL;
}

/* 0 if there are more than there is room for. */
static int select_into(OSSL_ALGORITHM *to, int operation, const OSSL_ALGORITHM *first,
                       int (*takes)(const OSSL_ALGORITHM *a))
{
    int no_cache = 0;
    size_t n = 0;
    const OSSL_ALGORITHM *from = OSSL_PROVIDER_query_operation(origin, operation, &no_cache);

    for (; first != NULL && first->algorithm_names != NULL; first++)
        to[n++] = *first;
    for (; from != NULL && from->algorithm_names != NULL; from++)
        if (takes(from)) {
            if (n == MOST - 1)
                return 0;
            to[n++] = *from;
        }
    to[n] = (OSSL_ALGORITHM){0};
    return n > 0;
}

static int select_all(void)
{
    return select_into(ciphers, OSSL_OP_CIPHER, cinch_ciphers(), takes_cipher) &&
           select_into(derivations, OSSL_OP_KDF, cinch_keys(), takes_derivation) &&
           select_into(keys, OSSL_OP_KEYMGMT, NULL, takes_key) &&
           select_into(decoders, OSSL_OP_DECODER, NULL, takes_decoder);
}

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    switch (operation) {
    case OSSL_OP_CIPHER:
        return ciphers;
    case OSSL_OP_KDF:
        return derivations;
    case OSSL_OP_KEYMGMT:
        return keys;
    case OSSL_OP_DECODER:
        return decoders;
    case OSSL_OP_STORE:
        return NULL;
    default:
        return OSSL_PROVIDER_query_operation(origin, operation, no_cache);
    }
}

static int capabilities(void *provider, const char *capability, OSSL_CALLBACK *tell, void *arg)
{
    (void)provider;
    return OSSL_PROVIDER_get_capabilities(origin, capability, tell, arg);
}

/* The default provider's functions are called as it would be: with its own state. */
static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, CINCH_PROVIDER_FUNCTION(query)},
        {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, CINCH_PROVIDER_FUNCTION(capabilities)},
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(origin);
    return *context != NULL;
}

static int see_provider(OSSL_PROVIDER *provider, void *arg)
{
    const char *name = OSSL_PROVIDER_get0_name(provider);
    int *others = arg;

    /* Another libcinch in the process has a name that begins as ours does. */
    *others += strcmp(name, "default") != 0 &&
               strncmp(name, CINCH_PROVIDER, sizeof CINCH_PROVIDER - 1) != 0;
    return 1;
}

/* Keys, algorithms or random numbers from elsewhere, which a program or openssl.cnf has loaded. */
static int has_other_providers(void)
{
    int others = 0;

    return OSSL_PROVIDER_do_all(cinch_library_context(), see_provider, &others) != 1 || others > 0;
}

/* Whether openssl.cnf sets something for the default library context that ours would not have. */
static int reads_more(void)
{
    static const char *const names[] = {"random", "alg_section", "engines", NULL};
    char *file = CONF_get1_default_config_file();
    CONF *conf = NCONF_new_ex(cinch_library_context(), NULL);
    long line = 0;
    int more = 0;

    if (file == NULL || conf == NULL ||
        (file[0] != 0 && NCONF_load(conf, file, &line) != 1 &&
         cinch_openssl_out_of_memory(ERR_peek_last_error()))) {
        more = -1;
    } else {
        /* NULL where there is no such file, as for OpenSSL itself. */
        const char *section = NCONF_get_string(conf, NULL, "openssl_conf");

        for (size_t i = 0; section != NULL && names[i] != NULL; i++)
            more |= NCONF_get_string(conf, section, names[i]) != NULL;
    }
    NCONF_free(conf);
    OPENSSL_free(file);
    return more;
}

static OSSL_LIB_CTX *make(void)
{
    OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

    if (origin == NULL)
        origin = OSSL_PROVIDER_try_load(cinch_library_context(), "default", 1);
    if (context != NULL && origin != NULL && select_all() &&
        OSSL_PROVIDER_add_builtin(context, CINCH_PROVIDER, start) == 1 &&
        OSSL_PROVIDER_try_load(context, CINCH_PROVIDER, 0) != NULL)
        return context;
    OSSL_LIB_CTX_free(context);
    return NULL;
}

OSSL_LIB_CTX *cinch_own_context(void)
{
    static int more = -1; /* what reads_more() said; -1: memory ran out */
    OSSL_LIB_CTX *context = NULL;

    ERR_set_mark();
    pthread_mutex_lock(&lock);
    if (more < 0)
        more = reads_more();
    if (more == 0 && !has_other_providers()) {
        if (own == NULL)
            own = make();
        context = own;
    }
    pthread_mutex_unlock(&lock);
    ERR_pop_to_mark();
    return context;
}
