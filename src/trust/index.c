#include "trust/index.h"

#include "base/memory.h"
#include "base/openssl.h"
#include "trust/der.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

void cinch_index_free(cinch_index *index)
{
    if (index == NULL)
        return;
    for (size_t i = 0; i < index->count; i++)
        X509_free(atomic_load_explicit(&index->anchors[i].parsed, memory_order_acquire));
    cinch_release(index->anchors);
    cinch_release(index->heads);
    cinch_release(index->der);
    cinch_release(index);
}

/* d2i_X509_AUX() for all of SIZE bytes: the certificate and OpenSSL's trust settings for it. */
static X509 *read_with_settings(const unsigned char *der, size_t size)
{
    const unsigned char *at = der;
    X509 *x = X509_new_ex(cinch_library_context(), NULL);

    if (x == NULL)
        return NULL;
    if (d2i_X509_AUX(&x, &at, (long)size) == NULL || at != der + size) {
        X509_free(x);
        return NULL;
    }
    return x;
}

/*
 * Whether X may be kept for everybody. OpenSSL notes in the object for good what it could not make
 * out of the key and the extensions, also when that was only for want of memory: such an object
 * serves once. One that it takes to be self-issued but not self-signed may be one, or not.
 */
static int is_complete(X509 *x)
{
    uint32_t flags;

    /* Reads the extensions now, before other threads see the object. */
    (void)X509_check_purpose(x, -1, 0);
    flags = X509_get_extension_flags(x);
    if ((flags & EXFLAG_INVALID) != 0 || ((flags & EXFLAG_SI) != 0 && (flags & EXFLAG_SS) == 0))
        return 0;
    return X509_get0_pubkey(x) != NULL;
}

/* Gives a reference to the parsed form of ANCHOR in *X: 1, 0 if it has none, -1 without memory. */
static int parse(cinch_index *index, cinch_anchor *anchor, X509 **x)
{
    const unsigned char *der = index->der + anchor->at;
    X509 *known = atomic_load_explicit(&anchor->parsed, memory_order_acquire);
    int result = 1;

    if (known != NULL) {
        *x = known;
        return X509_up_ref(known) ? 1 : -1;
    }
    ERR_set_mark();
    unsigned long before = ERR_peek_error();
    X509 *fresh = anchor->size == anchor->x_size ? cinch_x509_read(der, anchor->size)
                                                 : read_with_settings(der, anchor->size);
    if (fresh == NULL) {
        unsigned long first = before == 0 ? ERR_peek_error() : ERR_peek_last_error();

        result = cinch_openssl_out_of_memory(first) ? -1 : 0;
    } else if (is_complete(fresh) && X509_up_ref(fresh)) {
        /* Another thread may have been first; then its object is the one that is kept. */
        if (!atomic_compare_exchange_strong_explicit(&anchor->parsed, &known, fresh,
                                                     memory_order_acq_rel, memory_order_acquire))
            X509_free(fresh);
    }
    ERR_pop_to_mark();
    *x = fresh;
    return result;
}

int cinch_index_find(cinch_index *index, const X509_NAME *name, STACK_OF(X509) * found)
{
    uint64_t key = cinch_name_key(name);
    int count = 0;

    for (uint32_t i = index->heads[key & index->mask]; i != 0;) {
        cinch_anchor *anchor = &index->anchors[i - 1];
        X509 *x;

        i = anchor->next;
        if (anchor->key != key)
            continue;
        int result = parse(index, anchor, &x);
        if (result < 0)
            return -1;
        if (result == 0)
            continue;
        if (X509_NAME_cmp(X509_get_subject_name(x), name) != 0) {
            X509_free(x);
        } else if (sk_X509_push(found, x) <= 0) {
            X509_free(x);
            return -1;
        } else {
            count++;
        }
    }
    return count;
}

int cinch_index_all(cinch_index *index, STACK_OF(X509) * found, size_t *bad)
{
    for (size_t i = 0; i < index->count; i++) {
        X509 *x;
        int result = parse(index, &index->anchors[i], &x);

        *bad = i;
        if (result <= 0)
            return result;
        if (sk_X509_push(found, x) <= 0) {
            X509_free(x);
            return -1;
        }
    }
    return 1;
}

/* One of a stack that is being sorted. */
typedef struct ranked {
    X509 *x;
    int at;
} ranked;

static int compare_signatures(const X509 *a, const X509 *b)
{
    const ASN1_BIT_STRING *of_a, *of_b;

    X509_get0_signature(&of_a, NULL, a);
    X509_get0_signature(&of_b, NULL, b);
    return ASN1_STRING_cmp(of_a, of_b);
}

/*
 * By signature first: X509_cmp() tells reliably what is equal, but orders by a digest that an object
 * lacks when it could not be made, and equal ones might then not end up side by side.
 */
static int compare_places(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    int order = compare_signatures(a->x, b->x);

    if (order == 0)
        order = X509_cmp(a->x, b->x);
    if (order == 0)
        order = X509_trusted(b->x) - X509_trusted(a->x);
    return order != 0 ? order : a->at - b->at;
}

int cinch_anchors_unique(STACK_OF(X509) * found)
{
    int count = sk_X509_num(found), kept = 0;

    if (count < 2)
        return 1;
    ranked *places = cinch_alloc_array((size_t)count, sizeof *places);
    if (places == NULL)
        return 0;
    for (int i = 0; i < count; i++)
        places[i] = (ranked){sk_X509_value(found, i), i};
    qsort(places, (size_t)count, sizeof *places, compare_places);
    for (int i = count - 1; i > 0; i--) {
        if (X509_cmp(places[i].x, places[i - 1].x) == 0) {
            (void)sk_X509_set(found, places[i].at, NULL);
            X509_free(places[i].x);
        }
    }
    cinch_release(places);
    for (int i = 0; i < count; i++)
        if (sk_X509_value(found, i) != NULL)
            (void)sk_X509_set(found, kept++, sk_X509_value(found, i));
    while (sk_X509_num(found) > kept)
        (void)sk_X509_pop(found);
    return 1;
}
