/* accel.c: whether AES-GCM is accelerated, and the SSL_CTXs that have it. */
#define _GNU_SOURCE /* dladdr, secure_getenv */
#include "accel/accel.h"

#include "accel/imb.h"
#include "accel/provider.h"
#include "base/openssl.h"

#include <cinch/version.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum decision {
    UNDECIDED, /* nobody has asked, or memory ran out */
    USED,
    UNUSED,
} decision;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int decided = UNDECIDED;
static char reason[96]; /* written once, before DECIDED */

static decision decline(const char *why)
{
    (void)snprintf(reason, sizeof reason, "OpenSSL's own: %s", why);
    return UNUSED;
}

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

/* OpenSSL calls the provider to the end of the process, so dlclose() must not take its code away. */
static void stay_loaded(void)
{
    Dl_info where;

    /* For a program's own code there is nothing to do, and this fails. */
    if (dladdr(reason, &where) != 0 && where.dli_fname != NULL)
        (void)dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

static decision load(void)
{
    static OSSL_PROVIDER *provider; /* to the end of the process */
    static int added;
    OSSL_LIB_CTX *context = cinch_library_context();

    switch (cinch_imb_load(0)) {
    case CINCH_IMB_READY:
        break;
    case CINCH_IMB_NO_MEMORY:
        return UNDECIDED;
    case CINCH_IMB_MISSING:
        return decline("there is no libIPSec_MB.so.1");
    default:
        return decline("this libipsec-mb is not fit");
    }
    stay_loaded();
    added = added || OSSL_PROVIDER_add_builtin(context, CINCH_PROVIDER, cinch_provider_init) == 1;
    /* What OpenSSL loads by itself, where nothing else was asked for, has to stay. */
    if (added && provider == NULL)
        provider = OSSL_PROVIDER_try_load(context, CINCH_PROVIDER, 1);
    if (provider == NULL)
        return UNDECIDED;
    (void)snprintf(reason, sizeof reason, "%s", cinch_imb_version);
    return USED;
}

static decision decide(void)
{
    const char *wish = secure_getenv("CINCH_ACCEL");

    if (wish != NULL && strcmp(wish, "0") == 0)
        return decline("CINCH_ACCEL=0");
    if (OPENSSL_version_major() != 3 || OPENSSL_version_minor() != 0)
        return decline("it is as fast from 3.1 on");
    if (!processor_fits())
        return decline("this processor has no VAES with AVX-512");
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

EVP_CIPHER *cinch_accel_fetch(const char *name)
{
    if (decision_now() != USED || wants_fips())
        return NULL;
    ERR_set_mark();
    cinch_provider_show();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(cinch_library_context(), name, CINCH_PROVIDER_QUERY);
    cinch_provider_hide();
    ERR_pop_to_mark();
    if (cipher == NULL)
        return NULL;
    const char *provider = OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher));
    if (strcmp(provider, CINCH_PROVIDER) == 0)
        return cipher;
    EVP_CIPHER_free(cipher);
    return NULL;
}

/* The default properties of the process may rule ours out. */
static int is_found(void)
{
    EVP_CIPHER *of_128 = cinch_accel_fetch("AES-128-GCM");
    EVP_CIPHER *of_256 = cinch_accel_fetch("AES-256-GCM");
    int found = of_128 != NULL && of_256 != NULL;

    EVP_CIPHER_free(of_128);
    EVP_CIPHER_free(of_256);
    return found;
}

/* In an SSL_CTX: something, if its ciphers are ours. */
static atomic_int place = -1;

static SSL_CTX *mark(SSL_CTX *ctx)
{
    int index = cinch_ex_place(&place, CRYPTO_EX_INDEX_SSL_CTX, NULL, NULL);

    if (ctx != NULL && index >= 0 && SSL_CTX_set_ex_data(ctx, index, reason) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

SSL_CTX *cinch_accel_ssl_ctx(const SSL_METHOD *method)
{
    if (!is_found())
        return SSL_CTX_new_ex(cinch_library_context(), NULL, method);
    /* All its ciphers are fetched now; later nothing of ours is looked for. */
    cinch_provider_show();
    SSL_CTX *ctx = SSL_CTX_new_ex(cinch_library_context(), CINCH_PROVIDER_QUERY, method);
    cinch_provider_hide();
    return mark(ctx);
}

const char *cinch_accel_name(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    int kind = cipher == NULL ? NID_undef : SSL_CIPHER_get_cipher_nid(cipher);
    int index = atomic_load(&place);

    if (index < 0 || (kind != NID_aes_128_gcm && kind != NID_aes_256_gcm) ||
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index) == NULL)
        return "";
    return cinch_imb_version;
}

const char *cinch_version_accel(void)
{
    decision known = decision_now();

    if (known == UNDECIDED)
        return "OpenSSL's own: memory ran out";
    if (known == UNUSED || is_found())
        return reason;
    return wants_fips() ? "OpenSSL's own: FIPS is in force"
                        : "OpenSSL's own: its default properties want others";
}
