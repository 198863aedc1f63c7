/*
 * proved.c: the signatures of a chain need to be checked once. A client meets the same servers again and
 * again, with the same certificates byte for byte, and has seen their signatures hold before. What is
 * remembered is a hash of the whole chain, anchor included, and of the flags that were in force: one byte
 * of any certificate, or another anchor, and all is computed. Only the signatures are spared; names,
 * times, purposes, constraints, revocation and whether the anchor is believed are looked at each time.
 */
#include "trust/proved.h"

#include "base/openssl.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Places by the first byte of the hash: nobody can make a search slow, or the table grow. */
#define PLACES 256
#define WAYS 2

typedef struct entry {
    int used;
    unsigned char hash[32];
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry places[PLACES][WAYS];
static atomic_size_t spared;

static int is_known(const unsigned char hash[32])
{
    int known = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < WAYS; i++) {
        const entry *e = &places[hash[0]][i];

        known |= e->used && memcmp(e->hash, hash, 32) == 0;
    }
    pthread_mutex_unlock(&lock);
    return known;
}

static void remember(const unsigned char hash[32])
{
    pthread_mutex_lock(&lock);
    entry *row = places[hash[0]];
    memmove(row + 1, row, (WAYS - 1) * sizeof *row);
    row[0].used = 1;
    memcpy(row[0].hash, hash, 32);
    pthread_mutex_unlock(&lock);
}

static int add_certificate(EVP_MD_CTX *md, X509 *x)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);
    int ok = size > 0 && EVP_DigestUpdate(md, &size, sizeof size) == 1 &&
             EVP_DigestUpdate(md, der, (size_t)size) == 1;

    OPENSSL_free(der);
    return ok;
}

/* All that the outcome depends on, but the time. 1, or 0 without memory. */
static int hash_chain(X509_STORE_CTX *ctx, const STACK_OF(X509) * chain, unsigned char hash[32])
{
    unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(ctx));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md != NULL && EVP_DigestInit_ex2(md, cinch_openssl_md_sha256(), NULL) == 1 &&
             EVP_DigestUpdate(md, &flags, sizeof flags) == 1;

    for (int i = 0; ok && i < sk_X509_num(chain); i++)
        ok = add_certificate(md, sk_X509_value(chain, i));
    ok = ok && EVP_DigestFinal_ex(md, hash, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static int is_in_time(X509_STORE_CTX *ctx, const STACK_OF(X509) * chain)
{
    const X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

    for (int i = 0; i < sk_X509_num(chain); i++) {
        const X509 *x = sk_X509_value(chain, i);

        if (X509_cmp_timeframe(param, X509_get0_notBefore(x), X509_get0_notAfter(x)) != 0)
            return 0;
    }
    return 1;
}

/* OpenSSL's own function for this step, which it does not export. NULL without memory. */
static X509_STORE_CTX_verify_fn of_openssl(void)
{
    static _Atomic(X509_STORE_CTX_verify_fn) known;
    X509_STORE_CTX_verify_fn found = atomic_load(&known);

    if (found != NULL)
        return found;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(cinch_library_context(), NULL);
    if (ctx != NULL && X509_STORE_CTX_init(ctx, NULL, NULL, NULL) == 1)
        found = X509_STORE_CTX_get_verify(ctx);
    X509_STORE_CTX_free(ctx);
    atomic_store(&known, found);
    return found;
}

/* Anything unusual, and a time that is over above all, is OpenSSL's to look at and to name. */
static int check_signatures(X509_STORE_CTX *ctx)
{
    const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    X509_STORE_CTX_verify_fn verify = of_openssl();
    unsigned char hash[32];

    if (verify == NULL) {
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    int hashed = X509_STORE_CTX_get_error(ctx) == X509_V_OK && sk_X509_num(chain) > 1 &&
                 hash_chain(ctx, chain, hash);
    if (hashed && is_known(hash) && is_in_time(ctx, chain)) {
        atomic_fetch_add_explicit(&spared, 1, memory_order_relaxed);
        return 1;
    }
    int holds = verify(ctx);
    /* A callback may have let a fault pass. */
    if (hashed && holds == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK &&
        is_in_time(ctx, chain))
        remember(hash);
    return holds;
}

void cinch_proved_install(X509_STORE *store)
{
    X509_STORE_set_verify(store, check_signatures);
}

void cinch_proved_forget(void)
{
    pthread_mutex_lock(&lock);
    memset(places, 0, sizeof places);
    pthread_mutex_unlock(&lock);
}

size_t cinch_proved_test_spared(void)
{
    return atomic_load_explicit(&spared, memory_order_relaxed);
}
