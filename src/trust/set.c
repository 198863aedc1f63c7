/* Making sets of anchors. */
#include "trust/set.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_US 1000000

void cinch_source_clear(cinch_source *source)
{
    cinch_release(source->path);
    cinch_cached_close(source->file);
    cinch_index_unref(source->index);
    cinch_dir_close(source->dir);
    *source = (cinch_source){0};
}

cinch_trust *cinch_trust_ref(cinch_trust *trust)
{
    if (trust != NULL)
        atomic_fetch_add_explicit(&trust->references, 1, memory_order_relaxed);
    return trust;
}

void cinch_trust_unref(cinch_trust *trust)
{
    if (trust == NULL ||
        atomic_fetch_sub_explicit(&trust->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < trust->count; i++)
        cinch_source_clear(&trust->sources[i]);
    cinch_release(trust->sources);
    cinch_release(trust);
}

static cinch_status out_of_memory(cinch_error *err)
{
    return cinch_fail_memory(err, "making a set of trust anchors");
}

int cinch_source_copy(cinch_source *to, const cinch_source *from)
{
    *to = *from;
    to->path = cinch_copy_text(from->path);
    if (from->path != NULL && to->path == NULL) {
        *to = (cinch_source){0};
        return 0;
    }
    if (from->file != NULL)
        cinch_cached_ref(from->file);
    if (from->index != NULL)
        cinch_index_ref(from->index);
    if (from->dir != NULL)
        cinch_dir_ref(from->dir);
    return 1;
}

cinch_trust *cinch_trust_extend(const cinch_trust *base, size_t more, cinch_error *err)
{
    cinch_trust *trust = cinch_alloc(sizeof *trust);
    size_t count = base == NULL ? 0 : base->count;

    if (trust == NULL) {
        (void)out_of_memory(err);
        return NULL;
    }
    atomic_init(&trust->references, 1);
    trust->capacity = count + more;
    trust->sources = cinch_alloc_array(trust->capacity, sizeof *trust->sources);
    if (trust->sources == NULL)
        goto no_memory;
    for (; trust->count < count; trust->count++)
        if (!cinch_source_copy(&trust->sources[trust->count], &base->sources[trust->count]))
            goto no_memory;
    return trust;
no_memory:
    (void)out_of_memory(err);
    cinch_trust_unref(trust);
    return NULL;
}

/*
 * What tells the sources of a set from those of another, whatever it was made from: the content of
 * files and bytes; of directories, whose files are read when needed, the name and the state.
 */
static int digest_source(EVP_MD_CTX *hash, const cinch_source *source)
{
    unsigned char head[2] = {(unsigned char)source->kind, (unsigned char)source->is_system};

    if (source->kind != CINCH_SOURCE_DIR) {
        /* The same anchors are the same, from a file or from memory. */
        head[0] = CINCH_SOURCE_FILE;
        return EVP_DigestUpdate(hash, head, sizeof head) == 1 &&
               EVP_DigestUpdate(hash, source->index->digest, sizeof source->index->digest) == 1;
    }
    const cinch_file_mark *mark = &source->mark;
    int64_t state[] = {(int64_t)mark->device, (int64_t)mark->inode, mark->size,
                       mark->changed_s,       mark->changed_ns,     mark->modified_s,
                       mark->modified_ns};
    return EVP_DigestUpdate(hash, head, sizeof head) == 1 &&
           EVP_DigestUpdate(hash, source->path, strlen(source->path) + 1) == 1 &&
           EVP_DigestUpdate(hash, state, sizeof state) == 1;
}

cinch_trust *cinch_trust_finish(cinch_trust *trust, cinch_error *err)
{
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    int ok = sha256 != NULL && hash != NULL && EVP_DigestInit_ex2(hash, sha256, NULL) == 1;

    for (size_t i = 0; ok && i < trust->count; i++)
        ok = digest_source(hash, &trust->sources[i]);
    ok = ok && EVP_DigestFinal_ex(hash, trust->digest, NULL) == 1;
    EVP_MD_CTX_free(hash);
    EVP_MD_free(sha256);
    if (!ok) {
        (void)cinch_fail_crypto(err, "making a set of trust anchors");
        cinch_trust_unref(trust);
        return NULL;
    }
    atomic_init(&trust->look_us, cinch_clock_us() + REFRESH_US);
    return trust;
}

cinch_trust *cinch_trust_empty(cinch_error *err)
{
    cinch_trust *trust = cinch_trust_extend(NULL, 1, err);

    return trust == NULL ? NULL : cinch_trust_finish(trust, err);
}

/*
 * PATH from the root, so that a program that changes its directory later does not end up trusting
 * what lies there under the same name. Symbolic links stay: where they lead may change.
 */
static char *absolute(const char *path, cinch_error *err)
{
    char here[PATH_MAX];
    char *copy;

    if (path[0] == '/' || path[0] == 0) {
        copy = cinch_copy_text(path);
    } else {
        if (getcwd(here, sizeof here) == NULL) {
            int number = errno;

            cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                       "cannot tell the working directory that \"%s\" starts from: %s", path,
                       strerror(number));
            cinch_fail_system(err, number);
            return NULL;
        }
        size_t size = strlen(here) + strlen(path) + 2;
        copy = cinch_alloc(size);
        if (copy != NULL)
            snprintf(copy, size, "%s/%s", here, path);
    }
    if (copy == NULL)
        (void)out_of_memory(err);
    return copy;
}

cinch_status cinch_trust_add_file(cinch_trust *trust, const char *path, int is_system,
                                  cinch_error *err)
{
    cinch_source source = {.kind = CINCH_SOURCE_FILE, .is_system = is_system};

    source.path = absolute(path, err);
    if (source.path == NULL)
        return CINCH_FAILED;
    if (cinch_cached_open(source.path, is_system, &source.file, &source.index, err) != CINCH_OK) {
        cinch_release(source.path);
        return CINCH_FAILED;
    }
    trust->sources[trust->count++] = source;
    return CINCH_OK;
}

cinch_status cinch_trust_add_dir(cinch_trust *trust, const char *path, int is_system,
                                 cinch_error *err)
{
    cinch_source source = {.kind = CINCH_SOURCE_DIR, .is_system = is_system};

    source.path = absolute(path, err);
    if (source.path == NULL)
        return CINCH_FAILED;
    source.dir = cinch_dir_open(source.path, is_system, &source.mark, err);
    if (source.dir == NULL) {
        cinch_release(source.path);
        return CINCH_FAILED;
    }
    trust->sources[trust->count++] = source;
    return CINCH_OK;
}

static cinch_trust *with_path(const cinch_trust *base, const char *path,
                              cinch_status (*add)(cinch_trust *, const char *, int, cinch_error *),
                              cinch_error *err)
{
    if (path == NULL) {
        (void)cinch_fail_null(err, "path of the trust anchors");
        return NULL;
    }
    cinch_trust *trust = cinch_trust_extend(base, 1, err);
    if (trust == NULL)
        return NULL;
    if (add(trust, path, 0, err) != CINCH_OK) {
        cinch_trust_unref(trust);
        return NULL;
    }
    cinch_recent_keep(&trust->sources[trust->count - 1]);
    return cinch_trust_finish(trust, err);
}

cinch_trust *cinch_trust_with_file(const cinch_trust *base, const char *path, cinch_error *err)
{
    return with_path(base, path, cinch_trust_add_file, err);
}

cinch_trust *cinch_trust_with_dir(const cinch_trust *base, const char *path, cinch_error *err)
{
    return with_path(base, path, cinch_trust_add_dir, err);
}

cinch_trust *cinch_trust_with_bytes(const cinch_trust *base, const void *bytes, size_t size,
                                    cinch_error *err)
{
    cinch_source source = {.kind = CINCH_SOURCE_BYTES};

    if (bytes == NULL) {
        (void)cinch_fail_null(err, "bytes of the trust anchors");
        return NULL;
    }
    cinch_trust *trust = cinch_trust_extend(base, 1, err);
    if (trust == NULL)
        return NULL;
    source.index = cinch_cached_bytes(bytes, size, "the trust anchors given in memory", err);
    if (source.index == NULL) {
        cinch_trust_unref(trust);
        return NULL;
    }
    trust->sources[trust->count++] = source;
    return cinch_trust_finish(trust, err);
}

/* Puts what SOURCE holds now in place of what it held: 1 if that is something else. */
static int refresh_source(cinch_source *source)
{
    cinch_file_mark mark;
    int changed = 0;

    if (source->file != NULL) {
        cinch_index *index;

        /* Also a file that is gone keeps its content: it may be in the middle of being replaced. */
        (void)cinch_cached_look(source->file, &index);
        changed = index != source->index;
        cinch_index_unref(source->index);
        source->index = index;
    }
    if (source->dir != NULL && cinch_file_look(source->path, &mark) &&
        !cinch_file_mark_same(&mark, &source->mark)) {
        source->mark = mark;
        cinch_dir_stale(source->dir);
        changed = 1;
    }
    return changed;
}

cinch_trust *cinch_trust_refresh(cinch_trust *trust)
{
    int64_t now = cinch_clock_us(),
            due = atomic_load_explicit(&trust->look_us, memory_order_relaxed);
    int changed = 0;

    /* One thread looks; the others go on with what there is. */
    if (now < due ||
        !atomic_compare_exchange_strong_explicit(&trust->look_us, &due, now + REFRESH_US,
                                                 memory_order_relaxed, memory_order_relaxed))
        return cinch_trust_ref(trust);
    cinch_trust *fresh = cinch_trust_extend(trust, 0, NULL);
    if (fresh == NULL)
        return cinch_trust_ref(trust);
    for (size_t i = 0; i < fresh->count; i++)
        changed |= refresh_source(&fresh->sources[i]);
    if (!changed) {
        cinch_trust_unref(fresh);
        return cinch_trust_ref(trust);
    }
    fresh = cinch_trust_finish(fresh, NULL);
    if (fresh != NULL)
        return fresh;
    /* No memory for it now: try again at the next call. */
    atomic_store_explicit(&trust->look_us, 0, memory_order_relaxed);
    return cinch_trust_ref(trust);
}

void cinch_trust_digest(const cinch_trust *trust, unsigned char digest[32])
{
    memcpy(digest, trust->digest, sizeof trust->digest);
}
