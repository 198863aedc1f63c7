/*
 * staples.c: the responses of a server, at most one for each certificate that it shows. They are in
 * the order of the certificates' digests, so that equal sets are equal whatever came first.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "revocation/ocsp.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_US 1000000

struct cinch_staples {
    atomic_uint references;
    _Atomic(int64_t) look_us;
    size_t count;
    cinch_staple *list[];
};

static cinch_staples *new_set(size_t most)
{
    cinch_staples *set = cinch_alloc(sizeof *set + most * sizeof(cinch_staple *));

    if (set == NULL)
        return NULL;
    atomic_init(&set->references, 1);
    atomic_init(&set->look_us, cinch_clock_us() + REFRESH_US);
    return set;
}

cinch_staples *cinch_staples_ref(cinch_staples *set)
{
    if (set != NULL)
        atomic_fetch_add(&set->references, 1);
    return set;
}

void cinch_staples_unref(cinch_staples *set)
{
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        cinch_staple_unref(set->list[i]);
    cinch_release(set);
}

static int compare(const void *a, const void *b)
{
    return cinch_staple_order(*(cinch_staple *const *)a, *(cinch_staple *const *)b);
}

static void sort(cinch_staples *set)
{
    qsort(set->list, set->count, sizeof(cinch_staple *), compare);
}

cinch_staples *cinch_staples_with(const cinch_staples *base, const char *path,
                                  const cinch_shown_list *shown, cinch_error *err)
{
    size_t count = base == NULL ? 0 : base->count;
    cinch_staple *fresh = cinch_staple_open(path, shown, err);

    if (fresh == NULL)
        return NULL;
    cinch_staples *set = new_set(count + 1);
    if (set == NULL) {
        cinch_staple_unref(fresh);
        (void)cinch_fail_memory(err, "reading an OCSP response");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        if (!cinch_staple_replaces(fresh, base->list[i], shown))
            set->list[set->count++] = cinch_staple_ref(base->list[i]);
    set->list[set->count++] = fresh;
    sort(set);
    return set;
}

int cinch_staples_are_due(cinch_staples *set)
{
    int64_t now = cinch_clock_us();

    if (set == NULL)
        return 0;
    int64_t due = atomic_load(&set->look_us);
    return now >= due && atomic_compare_exchange_strong(&set->look_us, &due, now + REFRESH_US);
}

cinch_staples *cinch_staples_refresh(cinch_staples *set, const cinch_shown_list *shown)
{
    cinch_staples *now = new_set(set->count);
    int changed = 0;

    /* Without memory it is tried again a second later. */
    for (size_t i = 0; now != NULL && i < set->count; i++) {
        now->list[now->count++] = cinch_staple_refresh(set->list[i], shown);
        changed |= now->list[i] != set->list[i];
    }
    if (!changed) {
        cinch_staples_unref(now);
        return cinch_staples_ref(set);
    }
    sort(now);
    return now;
}

/* The first one for the certificate with PRINT, or where it would be. */
static size_t search(const cinch_staples *set, const unsigned char print[32])
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(cinch_staple_print(set->list[middle]), print, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int is_for(const cinch_staples *set, size_t at, const unsigned char print[32])
{
    return at < set->count && memcmp(cinch_staple_print(set->list[at]), print, 32) == 0;
}

int cinch_staples_of(const cinch_staples *set, const unsigned char print[32], cinch_staples **part)
{
    size_t from = set == NULL ? 0 : search(set, print), count = 0;

    *part = NULL;
    while (set != NULL && is_for(set, from + count, print))
        count++;
    if (count == 0)
        return 1;
    *part = new_set(count);
    if (*part == NULL)
        return 0;
    while ((*part)->count < count) {
        (*part)->list[(*part)->count] = cinch_staple_ref(set->list[from + (*part)->count]);
        (*part)->count++;
    }
    return 1;
}

size_t cinch_staples_bytes(const cinch_staples *set, const X509 *leaf, int64_t now,
                           const unsigned char **bytes)
{
    unsigned char print[32];
    unsigned size = 0;
    size_t found = 0;

    if (set == NULL || leaf == NULL || X509_digest(leaf, EVP_sha256(), print, &size) != 1)
        return 0;
    for (size_t at = search(set, print); found == 0 && is_for(set, at, print); at++)
        found = cinch_staple_bytes(set->list[at], now, bytes);
    return found;
}

int cinch_staples_digest(const cinch_staples *set, unsigned char digest[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    int ok = md != NULL && sha256 != NULL && EVP_DigestInit_ex2(md, sha256, NULL) == 1;

    for (size_t i = 0; ok && i < set->count; i++)
        ok = EVP_DigestUpdate(md, cinch_staple_print(set->list[i]), 32) == 1 &&
             EVP_DigestUpdate(md, cinch_staple_digest(set->list[i]), 32) == 1;
    ok = ok && EVP_DigestFinal_ex(md, digest, NULL) == 1;
    EVP_MD_free(sha256);
    EVP_MD_CTX_free(md);
    return ok;
}

const cinch_staple *cinch_staples_at(const cinch_staples *set, size_t index)
{
    return set != NULL && index < set->count ? set->list[index] : NULL;
}
