/*
 * The index of trust anchors: the bytes as a bundle, whose every certificate must be found by its
 * subject; and as two names in DER, whose keys must be equal if OpenSSL calls the names equal.
 */
#include "trust/der.h"
#include "trust/set.h"

#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void try_bundle(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_trust *trust = cinch_trust_with_bytes(NULL, data, size, &err);

    must((trust == NULL) == (err.status != CINCH_OK));
    must(ERR_peek_error() == 0);
    if (trust == NULL)
        return;
    must(trust->sources[0].index->count > 0);
    STACK_OF(X509) *all = cinch_trust_all(trust, NULL);
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509 *x = sk_X509_value(all, i);
        STACK_OF(X509) *found = cinch_trust_by_subject(trust, X509_get_subject_name(x));
        int is_there = 0;

        for (int k = 0; k < sk_X509_num(found); k++)
            is_there |= X509_cmp(sk_X509_value(found, k), x) == 0;
        must(is_there);
        sk_X509_pop_free(found, X509_free);
    }
    sk_X509_pop_free(all, X509_free);
    X509_STORE *store = cinch_trust_store(trust, NULL);
    must(store != NULL);
    cinch_trust_unref(trust);
    X509_STORE_free(store);
}

static X509_NAME *read_name(const uint8_t **data, size_t *size, uint64_t *key)
{
    const uint8_t *at = *data;
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)*size);

    if (name == NULL)
        return NULL;
    size_t used = (size_t)(at - *data);
    /* What OpenSSL reads has a key, and it is that of the name. */
    must(cinch_der_name_key(*data, used, key) == 1);
    must(*key == cinch_name_key(name));
    *data = at;
    *size -= used;
    return name;
}

static void try_names(const uint8_t *data, size_t size)
{
    uint64_t first_key, second_key;
    X509_NAME *first = read_name(&data, &size, &first_key);
    X509_NAME *second = first == NULL ? NULL : read_name(&data, &size, &second_key);

    if (second != NULL && X509_NAME_cmp(first, second) == 0)
        must(first_key == second_key);
    X509_NAME_free(first);
    X509_NAME_free(second);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The size of a buffer of libFuzzer's may be 0 and its address NULL. */
    if (size == 0)
        return 0;
    try_bundle(data, size);
    try_names(data, size);
    return 0;
}
