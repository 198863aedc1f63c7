/* Sets of revocation lists. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "revocation/lists.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_US 1000000

cinch_crls *cinch_crls_ref(cinch_crls *set)
{
    if (set != NULL)
        atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    return set;
}

void cinch_crls_unref(cinch_crls *set)
{
    if (set == NULL || atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        cinch_crl_source_clear(&set->sources[i]);
    cinch_release(set->sources);
    cinch_release(set);
}

static cinch_status out_of_memory(cinch_error *err)
{
    return cinch_fail_memory(err, "making a set of revocation lists");
}

/* The sources of BASE (or NULL) and room for one more. */
static cinch_crls *extend(const cinch_crls *base, cinch_error *err)
{
    cinch_crls *set = cinch_alloc(sizeof *set);
    size_t count = base == NULL ? 0 : base->count;

    if (set == NULL) {
        (void)out_of_memory(err);
        return NULL;
    }
    atomic_init(&set->references, 1);
    set->sources = cinch_alloc_array(count + 1, sizeof *set->sources);
    int ok = set->sources != NULL;
    while (ok && set->count < count) {
        ok = cinch_crl_source_copy(&set->sources[set->count], &base->sources[set->count]);
        set->count++;
    }
    if (ok)
        return set;
    (void)out_of_memory(err);
    cinch_crls_unref(set);
    return NULL;
}

static int digest_source(EVP_MD_CTX *hash, const cinch_crl_source *source)
{
    int ok = 1;

    for (size_t i = 0; ok && i < source->count; i++)
        if (source->files[i].lists != NULL)
            ok = EVP_DigestUpdate(hash, source->files[i].lists->digest, 32) == 1;
    return ok;
}

/* On failure SET is gone, and NULL comes back. */
static cinch_crls *finish(cinch_crls *set, cinch_error *err)
{
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int ok = sha256 != NULL && hash != NULL && EVP_DigestInit_ex2(hash, sha256, NULL) == 1;

    for (size_t i = 0; ok && i < set->count; i++)
        ok = digest_source(hash, &set->sources[i]);
    ok = ok && EVP_DigestFinal_ex(hash, set->digest, NULL) == 1;
    EVP_MD_CTX_free(hash);
    EVP_MD_free(sha256);
    if (!ok) {
        (void)cinch_fail_crypto(err, "making a set of revocation lists");
        cinch_crls_unref(set);
        return NULL;
    }
    atomic_init(&set->look_us, cinch_clock_us() + REFRESH_US);
    return set;
}

/* PATH from the root: a program may change its directory later. */
static char *absolute(const char *path, cinch_error *err)
{
    char here[PATH_MAX];

    if (path[0] != '/' && path[0] != 0 && getcwd(here, sizeof here) == NULL) {
        int number = errno;

        (void)cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                         "cannot tell the working directory that \"%s\" starts from: %s", path,
                         strerror(number));
        cinch_fail_system(err, number);
        return NULL;
    }
    int is_absolute = path[0] == '/' || path[0] == 0;
    size_t size = strlen(path) + 2 + (is_absolute ? 0 : strlen(here));
    char *copy = cinch_alloc(size);
    if (copy == NULL)
        (void)out_of_memory(err);
    else
        snprintf(copy, size, "%s%s%s", is_absolute ? "" : here, is_absolute ? "" : "/", path);
    return copy;
}

static cinch_crls *with_path(const cinch_crls *base, cinch_crl_source_kind kind, const char *path,
                             cinch_error *err)
{
    cinch_crl_source source = {.kind = kind};

    if (path == NULL) {
        (void)cinch_fail_null(err, "path of the revocation lists");
        return NULL;
    }
    source.path = absolute(path, err);
    if (source.path == NULL)
        return NULL;
    cinch_crls *set = extend(base, err);
    if (set == NULL || cinch_crl_source_open(&source, err) != CINCH_OK) {
        cinch_crl_source_clear(&source);
        cinch_crls_unref(set);
        return NULL;
    }
    set->sources[set->count++] = source;
    return finish(set, err);
}

cinch_crls *cinch_crls_with_file(const cinch_crls *base, const char *path, cinch_error *err)
{
    return with_path(base, CINCH_CRL_FROM_FILE, path, err);
}

cinch_crls *cinch_crls_with_dir(const cinch_crls *base, const char *path, cinch_error *err)
{
    return with_path(base, CINCH_CRL_FROM_DIR, path, err);
}

cinch_crls *cinch_crls_with_bytes(const cinch_crls *base, const void *bytes, size_t size,
                                  cinch_error *err)
{
    if (bytes == NULL) {
        (void)cinch_fail_null(err, "bytes of the revocation lists");
        return NULL;
    }
    cinch_crls *set = extend(base, err);
    if (set == NULL)
        return NULL;
    cinch_crl_source *source = &set->sources[set->count++];
    source->kind = CINCH_CRL_FROM_BYTES;
    source->files = cinch_alloc_array(1, sizeof *source->files);
    if (source->files != NULL) {
        source->count = 1;
        source->files[0].lists =
            cinch_crl_lists_of(bytes, size, "the revocation lists given in memory", NULL, err);
    } else {
        (void)out_of_memory(err);
    }
    if (source->files == NULL || source->files[0].lists == NULL) {
        cinch_crls_unref(set);
        return NULL;
    }
    return finish(set, err);
}

cinch_crls *cinch_crls_refresh(cinch_crls *set)
{
    int64_t now = cinch_clock_us(), due = atomic_load_explicit(&set->look_us, memory_order_relaxed);
    int changed = 0;

    /* One thread looks; the others go on with what there is. */
    if (now < due ||
        !atomic_compare_exchange_strong_explicit(&set->look_us, &due, now + REFRESH_US,
                                                 memory_order_relaxed, memory_order_relaxed))
        return cinch_crls_ref(set);
    cinch_crls *fresh = extend(set, NULL);
    if (fresh == NULL)
        goto again;
    for (size_t i = 0; i < fresh->count; i++)
        changed |= cinch_crl_source_look(&fresh->sources[i]);
    if (!changed) {
        cinch_crls_unref(fresh);
        return cinch_crls_ref(set);
    }
    fresh = finish(fresh, NULL);
    if (fresh != NULL)
        return fresh;
again:
    /* No memory for it now: try again at the next call. */
    atomic_store_explicit(&set->look_us, 0, memory_order_relaxed);
    return cinch_crls_ref(set);
}

void cinch_crls_digest(const cinch_crls *set, unsigned char digest[32])
{
    memcpy(digest, set->digest, sizeof set->digest);
}

char *cinch_crls_describe(const cinch_crls *set, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = 0;
    for (size_t i = 0; i < set->count && at + 1 < size; i++) {
        const cinch_crl_source *source = &set->sources[i];
        size_t lists = 0;

        for (size_t k = 0; k < source->count; k++)
            lists += source->files[k].lists == NULL ? 0 : source->files[k].lists->count;
        int n =
            snprintf(buf + at, size - at, "%s%s (%zu list%s)", i > 0 ? ", " : "",
                     source->path == NULL ? "memory" : source->path, lists, lists == 1 ? "" : "s");
        at = n < 0 || (size_t)n >= size - at ? size - 1 : at + (size_t)n;
    }
    return buf;
}

static void show(const cinch_crl_file *file, void (*visit)(const cinch_crl_facts *facts, void *arg),
                 void *arg)
{
    for (size_t i = 0; file->lists != NULL && i < file->lists->count; i++) {
        const cinch_crl *one = &file->lists->items[i];
        const cinch_crl_facts facts = {.crl = one->crl,
                                       .where = file->path == NULL ? "memory" : file->path,
                                       .this_update = one->this_update,
                                       .next_update = one->next_update,
                                       .is_weak = one->is_weak};

        visit(&facts, arg);
    }
}

void cinch_crls_each(const cinch_crls *set, void (*visit)(const cinch_crl_facts *facts, void *arg),
                     void *arg)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t k = 0; k < set->sources[i].count; k++)
            show(&set->sources[i].files[k], visit, arg);
}
