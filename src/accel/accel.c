/* accel.c: what of ours is in use, and the SSL_CTXs that have it. */
#define _GNU_SOURCE /* dladdr, secure_getenv */
#include "accel/accel.h"

#include "accel/ciphers.h"
#include "accel/keys.h"
#include "accel/own.h"
#include "accel/provider.h"
#include "base/openssl.h"

#include <cinch/version.h>
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum decision {
    UNDECIDED, /* nobody has asked, or memory ran out */
    ALL,       /* ciphers and the derivation of keys */
    KEYS,      /* only that */
    NOTHING,
} decision;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int decided = UNDECIDED;
/* Written once, before DECIDED. */
static char ciphers_text[96];
static const char *keys_text = "OpenSSL's own";

static decision decline(const char *why, const char *keys)
{
    (void)snprintf(ciphers_text, sizeof ciphers_text, "OpenSSL's own: %s", why);
    keys_text = keys;
    return NOTHING;
}

/* OpenSSL calls the provider to the end of the process, so dlclose() must not take its code away. */
static void stay_loaded(void)
{
    Dl_info where;

    /* For a program's own code there is nothing to do, and this fails. */
    if (dladdr(ciphers_text, &where) != 0 && where.dli_fname != NULL)
        (void)dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static decision load(void)
{
    static OSSL_PROVIDER *provider; /* to the end of the process */
    static int added;
    OSSL_LIB_CTX *context = cinch_library_context();
    cinch_ciphers_outcome ciphers = cinch_ciphers_load(ciphers_text, sizeof ciphers_text);

    if (ciphers == CINCH_CIPHERS_UNKNOWN)
        return UNDECIDED;
    stay_loaded();
    added = added || OSSL_PROVIDER_add_builtin(context, CINCH_PROVIDER, cinch_provider_init) == 1;
    /* What OpenSSL loads by itself, where nothing else was asked for, has to stay. */
    if (added && provider == NULL)
        provider = OSSL_PROVIDER_try_load(context, CINCH_PROVIDER, 1);
    if (provider == NULL)
        return UNDECIDED;
    keys_text = "libcinch";
    return ciphers == CINCH_CIPHERS_OURS ? ALL : KEYS;
}

static decision decide(void)
{
    const char *wish = secure_getenv("CINCH_ACCEL");

    if (!CINCH_ACCEL)
        return decline("built without", "OpenSSL's own: built without");
    if (wish != NULL && strcmp(wish, "0") == 0)
        return decline("CINCH_ACCEL=0", "OpenSSL's own: CINCH_ACCEL=0");
    if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0)
        return decline("it is as fast from 3.1 on", "OpenSSL's own: ours is for 3.0");
    return load();
}

static decision decision_now(void)
{
    decision known = (decision)atomic_load(&decided);

    if (known != UNDECIDED)
        return known;
    pthread_mutex_lock(&lock);
    known = (decision)atomic_load(&decided);
    if (known == UNDECIDED) {
        /* openssl.cnf first: it may ask for FIPS. */
        ERR_set_mark();
        if (OPENSSL_init_ssl(0, NULL) == 1)
            known = decide();
        ERR_pop_to_mark();
        atomic_store(&decided, (int)known);
    }
    pthread_mutex_unlock(&lock);
    return known;
}

/* At any time a program can ask for FIPS, or load its provider. */
static int wants_fips(void)
{
    return EVP_default_properties_is_fips_enabled(cinch_library_context()) == 1 ||
           OSSL_PROVIDER_available(cinch_library_context(), "fips") == 1;
}

static int is_used(void)
{
    decision known = decision_now();

    return (known == ALL || known == KEYS) && !wants_fips();
}

/* The default properties of the process may rule ours out. */
static int is_ours(const OSSL_PROVIDER *provider)
{
    return provider != NULL && strcmp(OSSL_PROVIDER_get0_name(provider), CINCH_PROVIDER) == 0;
}

EVP_CIPHER *cinch_accel_fetch(const char *name)
{
    if (!is_used())
        return NULL;
    ERR_set_mark();
    cinch_provider_show();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(cinch_library_context(), name, CINCH_PROVIDER_QUERY);
    cinch_provider_hide();
    ERR_pop_to_mark();
    if (cipher != NULL && is_ours(EVP_CIPHER_get0_provider(cipher)))
        return cipher;
    EVP_CIPHER_free(cipher);
    return NULL;
}

EVP_KDF *cinch_accel_fetch_keys(const char *name)
{
    if (!is_used())
        return NULL;
    ERR_set_mark();
    cinch_provider_show();
    EVP_KDF *kdf = EVP_KDF_fetch(cinch_library_context(), name, CINCH_PROVIDER_QUERY);
    cinch_provider_hide();
    ERR_pop_to_mark();
    if (kdf != NULL && is_ours(EVP_KDF_get0_provider(kdf)))
        return kdf;
    EVP_KDF_free(kdf);
    return NULL;
}

static int has_ciphers(void)
{
    EVP_CIPHER *of_128 = cinch_accel_fetch("AES-128-GCM");
    EVP_CIPHER *of_256 = cinch_accel_fetch("AES-256-GCM");
    int both = of_128 != NULL && of_256 != NULL;

    EVP_CIPHER_free(of_128);
    EVP_CIPHER_free(of_256);
    return both;
}

/*
 * libssl fetches this for each secret, in threads that are shown nothing. It finds what OpenSSL remembers of this
 * fetch; should OpenSSL forget, its own takes over until the next SSL_CTX is made.
 */
static int has_keys(void)
{
    EVP_KDF *of_1_3 = cinch_accel_fetch_keys(CINCH_KEYS_TLS_1_3);
    EVP_KDF *of_1_2 = cinch_accel_fetch_keys(CINCH_KEYS_TLS_1_2);
    int both = of_1_3 != NULL && of_1_2 != NULL;

    EVP_KDF_free(of_1_3);
    EVP_KDF_free(of_1_2);
    return both;
}

/* In an SSL_CTX: something, if its ciphers are ours. */
static atomic_int place = -1;

static SSL_CTX *mark(SSL_CTX *ctx)
{
    int index = cinch_ex_place(&place, CRYPTO_EX_INDEX_SSL_CTX, NULL, NULL);

    if (ctx != NULL && index >= 0 && SSL_CTX_set_ex_data(ctx, index, ciphers_text) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

SSL_CTX *cinch_accel_ssl_ctx(const SSL_METHOD *method, int has_key)
{
    int keys = has_keys(), ciphers = has_ciphers();

    if (!keys && !ciphers)
        return SSL_CTX_new_ex(cinch_library_context(), NULL, method);
    OSSL_LIB_CTX *own = has_key || !keys ? NULL : cinch_own_context();
    if (own != NULL) {
        SSL_CTX *small = SSL_CTX_new_ex(own, NULL, method);
        return ciphers ? mark(small) : small;
    }
    /* All its ciphers are fetched now; later none of ours is looked for. */
    cinch_provider_show();
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), CINCH_PROVIDER_QUERY, method);
    cinch_provider_hide();
    return ciphers ? mark(ctx) : ctx;
}

const char *cinch_accel_name(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    int kind = cipher == NULL ? NID_undef : SSL_CIPHER_get_cipher_nid(cipher);
    int index = atomic_load(&place);

    if (index < 0 || (kind != NID_aes_128_gcm && kind != NID_aes_256_gcm) ||
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index) == NULL)
        return "";
    return ciphers_text;
}

/* What is said of one of the two; TEXT if the decision alone says it. */
static const char *text_of(const char *text, int decides, int is_found)
{
    if (decision_now() == UNDECIDED)
        return "OpenSSL's own: memory ran out";
    if (decides || is_found)
        return text;
    return wants_fips() ? "OpenSSL's own: FIPS is in force"
                        : "OpenSSL's own: its default properties want others";
}

const char *cinch_version_accel(void)
{
    return text_of(ciphers_text, decision_now() != ALL, has_ciphers());
}

const char *cinch_version_keys(void)
{
    return text_of(keys_text, decision_now() == NOTHING, has_keys());
}
