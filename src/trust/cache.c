#include "trust/cache.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Longer than the tick of any file system's clock (FAT has two seconds). */
#define SETTLED_AFTER_S 3

#define WHERE_SIZE 512

/* A state of a file that has been looked at. */
typedef struct file_state {
    cinch_file_mark mark;
    int settled;
} file_state;

struct cinch_cached {
    cinch_cached *next;
    size_t users;
    int kept;
    char *path;
    cinch_index *index; /* the last good content; NULL before there was any */
    file_state good;    /* what it was read from */
    file_state bad;     /* what could not be used; no need to try that again */
};

/* Guards everything below, and the last fields of each index. No file is read under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_cached *files;
static cinch_index *indexes;

static cinch_index *ref_locked(cinch_index *index)
{
    index->references++;
    return index;
}

/* Returns what the caller has to free after unlocking, or NULL. */
static cinch_index *unref_locked(cinch_index *index)
{
    if (index == NULL || --index->references > 0)
        return NULL;
    for (cinch_index **at = &indexes; *at != NULL; at = &(*at)->next) {
        if (*at == index) {
            *at = index->next;
            break;
        }
    }
    return index;
}

cinch_index *cinch_index_ref(cinch_index *index)
{
    pthread_mutex_lock(&lock);
    ref_locked(index);
    pthread_mutex_unlock(&lock);
    return index;
}

void cinch_index_unref(cinch_index *index)
{
    pthread_mutex_lock(&lock);
    index = unref_locked(index);
    pthread_mutex_unlock(&lock);
    cinch_index_free(index);
}

static cinch_index *find_locked(const unsigned char digest[32])
{
    for (cinch_index *index = indexes; index != NULL; index = index->next)
        if (memcmp(index->digest, digest, 32) == 0)
            return ref_locked(index);
    return NULL;
}

cinch_index *cinch_cached_bytes(const unsigned char *bytes, size_t size, const char *where,
                                cinch_error *err)
{
    unsigned char digest[32];

    if (!cinch_openssl_sha256(bytes, size, digest)) {
        cinch_fail_crypto(err, "hashing trust anchors");
        return NULL;
    }
    pthread_mutex_lock(&lock);
    cinch_index *index = find_locked(digest);
    pthread_mutex_unlock(&lock);
    if (index != NULL)
        return index;
    cinch_index *fresh = cinch_index_build(bytes, size, where, err);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh->digest, digest, sizeof digest);
    fresh->references = 1;
    pthread_mutex_lock(&lock);
    index = find_locked(digest);
    if (index == NULL) {
        fresh->next = indexes;
        indexes = index = fresh;
        fresh = NULL;
    }
    pthread_mutex_unlock(&lock);
    cinch_index_free(fresh);
    return index;
}

int cinch_cached_settled(int64_t changed_s, int64_t now)
{
    return now >= 0 && changed_s < now - SETTLED_AFTER_S;
}

static int is_same(const file_state *seen, const cinch_file_mark *mark)
{
    return seen->settled && cinch_file_mark_same(&seen->mark, mark);
}

/* 1 for a regular file, 0 for anything else, -1 with errno if it cannot be told. */
static int is_regular(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return -1;
    return S_ISREG(st.st_mode);
}

static cinch_index *read_file(const char *path, cinch_file_mark *mark, cinch_error *err)
{
    char where[WHERE_SIZE];
    cinch_content content;
    cinch_index *index = NULL;

    if (cinch_file_read(path, "trust anchors", &content, mark, err) != CINCH_OK)
        return NULL;
    snprintf(where, sizeof where, "\"%s\"", path);
    index = cinch_cached_bytes(content.bytes, content.size, where, err);
    cinch_content_free(&content);
    return index;
}

/* Gives a reference to the content of FILE as it is now; NULL and ERR set if it cannot be used. */
static cinch_index *current(cinch_cached *file, cinch_error *err)
{
    cinch_file_mark mark;
    cinch_index *index = NULL, *old = NULL;
    int64_t now = cinch_clock_wall();

    if (cinch_file_look(file->path, &mark)) {
        pthread_mutex_lock(&lock);
        if (file->index != NULL && is_same(&file->good, &mark))
            index = ref_locked(file->index);
        pthread_mutex_unlock(&lock);
        if (index != NULL)
            return index;
    }
    index = read_file(file->path, &mark, err);
    if (index == NULL)
        return NULL;
    int settled = cinch_cached_settled(mark.changed_s, now);
    pthread_mutex_lock(&lock);
    old = unref_locked(file->index);
    file->index = ref_locked(index);
    file->good = (file_state){mark, settled};
    pthread_mutex_unlock(&lock);
    cinch_index_free(old);
    return index;
}

/* Finds or makes the record of PATH and counts a user. NULL when memory runs out. */
static cinch_cached *acquire(const char *path, int keep)
{
    cinch_cached *fresh = cinch_alloc(sizeof *fresh), *file;
    char *copy = cinch_copy_text(path);

    pthread_mutex_lock(&lock);
    for (file = files; file != NULL; file = file->next)
        if (strcmp(file->path, path) == 0)
            break;
    if (file == NULL && fresh != NULL && copy != NULL) {
        file = fresh;
        file->path = copy;
        file->next = files;
        files = file;
        fresh = NULL;
        copy = NULL;
    }
    if (file != NULL) {
        file->users++;
        if (keep && !file->kept) {
            file->kept = 1;
            file->users++;
        }
    }
    pthread_mutex_unlock(&lock);
    cinch_release(fresh);
    cinch_release(copy);
    return file;
}

cinch_status cinch_cached_open(const char *path, int keep, cinch_cached **file, cinch_index **index,
                               cinch_error *err)
{
    cinch_file_mark mark;

    *file = NULL;
    *index = NULL;
    /* A pipe can be read once only, and a second try could wait for ever. */
    if (is_regular(path) == 0) {
        *index = read_file(path, &mark, err);
        return *index == NULL ? CINCH_FAILED : CINCH_OK;
    }
    *file = acquire(path, 0);
    if (*file == NULL)
        return cinch_fail_memory(err, "opening a file of trust anchors");
    *index = current(*file, err);
    if (*index == NULL) {
        cinch_cached_close(*file);
        *file = NULL;
        return CINCH_FAILED;
    }
    /* Only what is good is worth keeping. */
    if (keep)
        cinch_cached_close(acquire(path, 1));
    return CINCH_OK;
}

cinch_cached *cinch_cached_ref(cinch_cached *file)
{
    pthread_mutex_lock(&lock);
    file->users++;
    pthread_mutex_unlock(&lock);
    return file;
}

/* Takes a user off FILE, which goes with the last one. */
static void release_locked(cinch_cached *file, cinch_cached **gone, cinch_index **index)
{
    *gone = NULL;
    *index = NULL;
    if (--file->users > 0)
        return;
    for (cinch_cached **at = &files; *at != NULL; at = &(*at)->next) {
        if (*at == file) {
            *at = file->next;
            break;
        }
    }
    *gone = file;
    *index = unref_locked(file->index);
}

static void free_released(cinch_cached *gone, cinch_index *index)
{
    cinch_index_free(index);
    if (gone != NULL)
        cinch_release(gone->path);
    cinch_release(gone);
}

void cinch_cached_close(cinch_cached *file)
{
    cinch_cached *gone;
    cinch_index *index;

    if (file == NULL)
        return;
    pthread_mutex_lock(&lock);
    release_locked(file, &gone, &index);
    pthread_mutex_unlock(&lock);
    free_released(gone, index);
}

/* Whether trying the same file again is useless; a want of memory or descriptors passes. */
static int is_about_content(const cinch_error *err)
{
    return err->cause == CINCH_CAUSE_NOT_PEM || err->cause == CINCH_CAUSE_NO_CERTIFICATE ||
           err->cause == CINCH_CAUSE_BAD_CERTIFICATE ||
           err->cause == CINCH_CAUSE_KEY_WHERE_CERTIFICATE;
}

cinch_cached_state cinch_cached_look(cinch_cached *file, cinch_index **index)
{
    cinch_cached_state state = CINCH_CACHED_KEPT;
    cinch_file_mark mark;
    cinch_error err = CINCH_ERROR_INIT;
    int known_bad = 0, regular = is_regular(file->path), number = errno;
    int64_t now = cinch_clock_wall();

    *index = NULL;
    if (regular < 0 && (number == ENOENT || number == ENOTDIR))
        state = CINCH_CACHED_GONE;
    if (regular == 1 && cinch_file_look(file->path, &mark)) {
        pthread_mutex_lock(&lock);
        known_bad = is_same(&file->bad, &mark);
        pthread_mutex_unlock(&lock);
        if (!known_bad)
            *index = current(file, &err);
    }
    if (*index != NULL)
        return CINCH_CACHED_NOW;
    pthread_mutex_lock(&lock);
    *index = ref_locked(file->index);
    /* MARK is from before the reading: if the file was made good in between, it differs. */
    if (is_about_content(&err))
        file->bad = (file_state){mark, cinch_cached_settled(mark.changed_s, now)};
    pthread_mutex_unlock(&lock);
    return state;
}

void cinch_cached_forget(void)
{
    for (;;) {
        cinch_cached *gone = NULL;
        cinch_index *index = NULL;
        int found = 0;

        pthread_mutex_lock(&lock);
        for (cinch_cached *file = files; file != NULL && !found; file = file->next) {
            if (file->kept) {
                found = 1;
                file->kept = 0;
                release_locked(file, &gone, &index);
                break;
            }
        }
        pthread_mutex_unlock(&lock);
        if (!found)
            return;
        free_released(gone, index);
    }
}
