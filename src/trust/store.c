/*
 * An X509_STORE over a set of anchors. OpenSSL's own way, an X509_LOOKUP, adds what it finds to the
 * store, under the store's lock: certificates then outlive the file that they came from, and the
 * stack of objects is sorted while other threads verify (CVE-2024-0397 came of reading it then). Here
 * the store stays empty. The two functions through which X509_verify_cert() asks for trusted
 * certificates answer from the set, which does not change.
 */
#include "base/fail.h"
#include "base/openssl.h"
#include "trust/proved.h"
#include "trust/trust.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

static atomic_int set_place = -1;

static void free_set(void *parent, void *set, CRYPTO_EX_DATA *data, int at, long arg, void *pointer)
{
    (void)parent, (void)data, (void)at, (void)arg, (void)pointer;
    cinch_trust_unref(set);
}

static int find_place(void)
{
    return cinch_ex_place(&set_place, CRYPTO_EX_INDEX_X509_STORE, NULL, free_set);
}

cinch_trust *cinch_trust_of(X509_STORE *store)
{
    int place = find_place();

    return store == NULL || place < 0 ? NULL : X509_STORE_get_ex_data(store, place);
}

/* For "is this very certificate an anchor?". NULL is an error, an empty stack is "no". */
static STACK_OF(X509) * lookup_certs(X509_STORE_CTX *ctx, const X509_NAME *name)
{
    cinch_trust *trust = cinch_trust_of(X509_STORE_CTX_get0_store(ctx));

    return trust == NULL ? NULL : cinch_trust_by_subject(trust, name);
}

/* Whether the time of the verification is within the validity of X. */
static int is_in_time(X509_STORE_CTX *ctx, const X509 *x)
{
    return X509_cmp_timeframe(X509_STORE_CTX_get0_param(ctx), X509_get0_notBefore(x),
                              X509_get0_notAfter(x)) == 0;
}

/* Whether the key of ISSUER made the signature of X. */
static int did_sign(X509 *issuer, X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);

    ERR_set_mark();
    int signed_it = key != NULL && X509_verify(x, key) == 1;
    ERR_pop_to_mark();
    return signed_it;
}

/*
 * How well ANCHOR does as the issuer of X. A CA that has changed its key under its old name has two
 * anchors that look alike where there are no key identifiers; ALONE spares the usual case the work.
 * A self-signed X has to come back as itself: OpenSSL takes no other anchor for it, not even one
 * with its key. Nothing is decided here: X509_verify_cert() checks again what is chosen.
 */
static int grade(X509_STORE_CTX *ctx, X509 *x, X509 *anchor, int alone)
{
    if (!X509_STORE_CTX_get_check_issued(ctx)(ctx, x, anchor))
        return 0;
    if (alone)
        return 1;
    if (X509_cmp(x, anchor) == 0)
        return 5;
    return 1 + (is_in_time(ctx, anchor) ? 1 : 0) + (did_sign(anchor, x) ? 2 : 0);
}

/* 1 and a reference in *ISSUER, 0 if there is none, -1 on an error: X509_STORE_CTX_get1_issuer(). */
static int get_issuer(X509 **issuer, X509_STORE_CTX *ctx, X509 *x)
{
    STACK_OF(X509) *anchors = lookup_certs(ctx, X509_get_issuer_name(x));
    int best = 0, result = 0;

    *issuer = NULL;
    if (anchors == NULL)
        return -1;
    for (int i = 0; i < sk_X509_num(anchors); i++) {
        X509 *anchor = sk_X509_value(anchors, i);
        int value = grade(ctx, x, anchor, sk_X509_num(anchors) == 1);

        /* Of several that are out of date, the one that was valid last explains most. */
        if (value > best ||
            (value == best && best > 0 &&
             ASN1_TIME_compare(X509_get0_notAfter(anchor), X509_get0_notAfter(*issuer)) > 0)) {
            best = value;
            *issuer = anchor;
        }
    }
    if (*issuer != NULL)
        result = X509_up_ref(*issuer) ? 1 : -1;
    if (result != 1)
        *issuer = NULL;
    sk_X509_pop_free(anchors, X509_free);
    return result;
}

/*
 * Revocation lists are not the store's (revocation.h). Where an SSL_CTX was made to look for them here
 * all the same there is none, which refuses; without this it would look like a failure of the store.
 */
static STACK_OF(X509_CRL) * lookup_lists(const X509_STORE_CTX *ctx, const X509_NAME *issuer)
{
    (void)ctx;
    (void)issuer;
    return sk_X509_CRL_new_null();
}

X509_STORE *cinch_trust_store(cinch_trust *trust, cinch_error *err)
{
    X509_STORE *store = NULL;

    if (trust == NULL) {
        (void)cinch_fail_null(err, "set of trust anchors");
        return NULL;
    }
    int place = find_place();
    if (place >= 0)
        store = X509_STORE_new();
    if (store == NULL || X509_STORE_set_ex_data(store, place, trust) != 1) {
        (void)cinch_fail_crypto(err, "making a certificate store");
        X509_STORE_free(store);
        return NULL;
    }
    cinch_trust_ref(trust);
    X509_STORE_set_lookup_certs(store, lookup_certs);
    X509_STORE_set_get_issuer(store, get_issuer);
    X509_STORE_set_lookup_crls(store, lookup_lists);
    cinch_proved_install(store);
    return store;
}
