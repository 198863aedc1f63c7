/* accel.c: what of ours is in use, and the SSL_CTXs that have it. */
#define _GNU_SOURCE /* dladdr, secure_getenv */
#include "accel/accel.h"

#include "accel/ciphers.h"
#include "accel/keys.h"
#include "accel/own.h"
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
#include <sys/auxv.h>

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

/*
 * OpenSSL calls the provider to the end of the process, so dlclose() must not take its code away: 1 if it cannot. The
 * program's own code stays anyway.
 */
static int stays_loaded(void)
{
    unsigned long number = getauxval(AT_PHDR);
    const void *headers; /* the program's */
    Dl_info here, program;

    memcpy(&headers, &number, sizeof headers);
    if (dladdr(ciphers_text, &here) == 0 || here.dli_fname == NULL)
        return 1;
    if (dladdr(headers, &program) != 0 && program.dli_fbase == here.dli_fbase)
        return 1;
    return dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) != NULL;
}

static decision load(void)
{
    cinch_ciphers_outcome ciphers = cinch_ciphers_load(ciphers_text, sizeof ciphers_text);

    if (ciphers == CINCH_CIPHERS_UNKNOWN)
        return UNDECIDED;
    if (!stays_loaded() || !cinch_provider_load(cinch_library_context()))
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

static decision decide_once(void)
{
    pthread_mutex_lock(&lock);
    decision known = (decision)atomic_load(&decided);
    if (known == UNDECIDED) {
        known = decide();
        atomic_store(&decided, (int)known);
    }
    pthread_mutex_unlock(&lock);
    return known;
}

static decision decision_now(void)
{
    decision known = UNDECIDED;

    ERR_set_mark();
    /*
     * openssl.cnf first: it may ask for FIPS, and load what makes connections with us itself. After
     * OPENSSL_cleanup() this fails, and nothing may be asked any more.
     */
    if (OPENSSL_init_ssl(0, NULL) == 1) {
        known = (decision)atomic_load(&decided);
        if (known == UNDECIDED)
            known = decide_once();
    }
    ERR_pop_to_mark();
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

typedef enum whose {
    OURS,
    DEFAULTS, /* of OpenSSL's provider "default" */
    OTHERS,   /* or nobody's */
} whose;

static whose of(const OSSL_PROVIDER *provider)
{
    if (cinch_provider_is(provider))
        return OURS;
    return provider != NULL && strcmp(OSSL_PROVIDER_get0_name(provider), "default") == 0 ? DEFAULTS
                                                                                         : OTHERS;
}

static EVP_CIPHER *fetch_cipher(const char *name, const char *query)
{
    ERR_set_mark();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(cinch_library_context(), name, query);
    ERR_pop_to_mark();
    return cipher;
}

static EVP_KDF *fetch_keys(const char *name, const char *query)
{
    ERR_set_mark();
    EVP_KDF *kdf = EVP_KDF_fetch(cinch_library_context(), name, query);
    ERR_pop_to_mark();
    return kdf;
}

static whose whose_cipher(const char *name, const char *query)
{
    EVP_CIPHER *cipher = fetch_cipher(name, query);
    whose found = of(cipher == NULL ? NULL : EVP_CIPHER_get0_provider(cipher));

    EVP_CIPHER_free(cipher);
    return found;
}

static whose whose_keys(const char *name, const char *query)
{
    EVP_KDF *kdf = fetch_keys(name, query);
    whose found = of(kdf == NULL ? NULL : EVP_KDF_get0_provider(kdf));

    EVP_KDF_free(kdf);
    return found;
}

static int is_default_hash(const char *name)
{
    ERR_set_mark();
    EVP_MD *hash = EVP_MD_fetch(cinch_library_context(), name, NULL);
    whose found = of(hash == NULL ? NULL : EVP_MD_get0_provider(hash));
    ERR_pop_to_mark();
    EVP_MD_free(hash);
    return found == DEFAULTS;
}

/*
 * Ours takes the place of what is OpenSSL's own and of nothing else: openssl.cnf may say that others are to be used,
 * as a wish as well, or that the default provider is not. The default properties may rule ours out by name.
 */
EVP_CIPHER *cinch_accel_fetch(const char *name)
{
    char query[CINCH_PROVIDER_QUERY];

    if (!is_used() || whose_cipher(name, NULL) != DEFAULTS)
        return NULL;
    cinch_provider_query(query);
    cinch_provider_show();
    EVP_CIPHER *cipher = fetch_cipher(name, query);
    cinch_provider_hide();
    return cipher;
}

EVP_KDF *cinch_accel_fetch_keys(const char *name)
{
    char query[CINCH_PROVIDER_QUERY];

    /* It hashes as well, and does not ask who else could. */
    if (!is_used() || whose_keys(name, NULL) != DEFAULTS || !is_default_hash("SHA2-256") ||
        !is_default_hash("SHA2-384"))
        return NULL;
    cinch_provider_query(query);
    cinch_provider_show();
    EVP_KDF *kdf = fetch_keys(name, query);
    cinch_provider_hide();
    return kdf;
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

/* What our wish is answered with. Others may have asked before us, in threads that are shown nothing. */
static atomic_uint turn;

void cinch_accel_wish(char query[static CINCH_PROVIDER_QUERY])
{
    cinch_provider_wish(query, atomic_load(&turn));
}

static int finds_ours(const char *query, int keys, int ciphers)
{
    return (!keys || (whose_keys(CINCH_KEYS_TLS_1_3, query) == OURS &&
                      whose_keys(CINCH_KEYS_TLS_1_2, query) == OURS)) &&
           (!ciphers || (whose_cipher("AES-128-GCM", query) == OURS &&
                         whose_cipher("AES-256-GCM", query) == OURS));
}

static int finds_ours_shown(const char *query, int keys, int ciphers)
{
    cinch_provider_show();
    int found = finds_ours(query, keys, ciphers);
    cinch_provider_hide();
    return found;
}

/*
 * Ours is shown to our own questions only, and libssl finds what OpenSSL remembers of them: while it makes an
 * SSL_CTX it calls what others have given it to call (CRYPTO_get_ex_new_index(), engines), and what they ask for
 * in there must be what they get elsewhere. It fetches ciphers now, the derivation of keys for each secret. Should
 * OpenSSL forget, its own takes over, and is what it remembers of this question: the next SSL_CTX asks another.
 */
static SSL_CTX *make_with_ours(const SSL_METHOD *method, int keys, int ciphers)
{
    for (int tries = 0; tries < 3; tries++) {
        char query[CINCH_PROVIDER_QUERY];
        unsigned now = atomic_load(&turn);

        cinch_provider_wish(query, now);
        if (finds_ours_shown(query, keys, ciphers)) {
            SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), query, method);

            if (ctx == NULL || finds_ours(query, keys, ciphers))
                return ciphers ? mark(ctx) : ctx;
            SSL_CTX_free(ctx);
        }
        (void)atomic_compare_exchange_strong(&turn, &now, now + 1);
    }
    return SSL_CTX_new_ex(cinch_library_context(), NULL, method);
}

SSL_CTX *cinch_accel_ssl_ctx(const SSL_METHOD *method, int reads)
{
    int keys = has_keys(), ciphers = has_ciphers();

    if (!keys && !ciphers)
        return SSL_CTX_new_ex(cinch_library_context(), NULL, method);
    OSSL_LIB_CTX *own = keys && reads ? cinch_own_context() : NULL;
    if (own == NULL)
        return make_with_ours(method, keys, ciphers);
    SSL_CTX *small = SSL_CTX_new_ex(own, NULL, method);
    return ciphers ? mark(small) : small;
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
                        : "OpenSSL's own: its providers or default properties are others";
}

const char *cinch_version_accel(void)
{
    return text_of(ciphers_text, decision_now() != ALL, has_ciphers());
}

const char *cinch_version_keys(void)
{
    return text_of(keys_text, decision_now() == NOTHING, has_keys());
}
