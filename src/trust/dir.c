#include "trust/dir.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "trust/cache.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_AGAIN_US 1000000
/* Files for one hash: X.0, X.1, ... */
#define MOST_FILES 1000u
#define HASH_DIGITS 8u

/* Both NULL for a file that is there and cannot be used. */
typedef struct entry {
    cinch_cached *file;
    cinch_index *index;
} entry;

/* All that the files of one hash hold. */
typedef struct dir_slot {
    unsigned long hash;
    int64_t looked_us; /* negative: look again */
    entry *entries;
    size_t count;
} dir_slot;

struct cinch_dir {
    cinch_dir *next;
    size_t users;
    int kept;
    char *path;
    cinch_file_mark mark; /* when a hashed name was last seen in it */
    int settled;
    pthread_mutex_t lock; /* guards the rest; files are read under it */
    dir_slot *slots;
    size_t count, capacity;
};

/* Guards the list, and all of a directory that its own lock does not. */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_dir *dirs;

static void clear_entries(entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cinch_cached_close(entries[i].file);
        cinch_index_unref(entries[i].index);
    }
    cinch_release(entries);
}

static void free_dir(cinch_dir *dir)
{
    if (dir == NULL)
        return;
    for (size_t i = 0; i < dir->count; i++)
        clear_entries(dir->slots[i].entries, dir->slots[i].count);
    pthread_mutex_destroy(&dir->lock);
    cinch_release(dir->slots);
    cinch_release(dir->path);
    cinch_release(dir);
}

/* "0a1b2c3d.0": what X509_LOOKUP_hash_dir() and the program c_rehash call an anchor. */
static int is_hashed(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == HASH_DIGITS && name[digits] == '.' && name[digits + 1] != 0 &&
           name[digits + 1 + strspn(name + digits + 1, "0123456789")] == 0;
}

static cinch_status cannot_open(const char *path, int number, cinch_error *err)
{
    cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
               "cannot read the directory of trust anchors \"%s\": %s", path, strerror(number));
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

static cinch_status check_names(const char *path, cinch_error *err)
{
    DIR *stream = opendir(path);
    size_t others = 0;
    int found = 0;

    if (stream == NULL)
        return cannot_open(path, errno, err);
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(stream);
        if (item == NULL || (found = is_hashed(item->d_name)))
            break;
        others += item->d_name[0] != '.';
    }
    int number = errno;
    (void)closedir(stream);
    if (found)
        return CINCH_OK;
    if (number != 0)
        return cannot_open(path, number, err);
    cinch_fail(err, CINCH_CAUSE_NO_ANCHORS,
               "the directory \"%s\" has no anchor that could be found in it", path);
    cinch_fail_evidence(err,
                        "it has %zu files, and none is named by the hash of a certificate's "
                        "subject, such as 0a1b2c3d.0",
                        others);
    cinch_fail_remedy(err, "run `openssl rehash %s`, which adds such names for its certificates",
                      path);
    return CINCH_FAILED;
}

static cinch_dir *make_dir(const char *path)
{
    cinch_dir *dir = cinch_alloc(sizeof *dir);

    if (dir == NULL)
        return NULL;
    dir->path = cinch_copy_text(path);
    if (dir->path == NULL || pthread_mutex_init(&dir->lock, NULL) != 0) {
        cinch_release(dir->path);
        cinch_release(dir);
        return NULL;
    }
    return dir;
}

static cinch_dir *find_locked(const char *path)
{
    for (cinch_dir *dir = dirs; dir != NULL; dir = dir->next)
        if (strcmp(dir->path, path) == 0)
            return dir;
    return NULL;
}

/* Counts a user of the directory PATH if its state is known to be MARK. */
static cinch_dir *find_unchanged(const char *path, const cinch_file_mark *mark)
{
    pthread_mutex_lock(&list_lock);
    cinch_dir *dir = find_locked(path);
    if (dir != NULL && dir->settled && cinch_file_mark_same(&dir->mark, mark))
        dir->users++;
    else
        dir = NULL;
    pthread_mutex_unlock(&list_lock);
    return dir;
}

cinch_dir *cinch_dir_open(const char *path, int keep, cinch_file_mark *mark, cinch_error *err)
{
    int64_t now = cinch_clock_wall();

    if (!cinch_file_look(path, mark)) {
        cannot_open(path, errno, err);
        return NULL;
    }
    cinch_dir *dir = find_unchanged(path, mark);
    if (dir != NULL)
        return dir;
    if (check_names(path, err) != CINCH_OK)
        return NULL;
    cinch_dir *fresh = make_dir(path);
    if (fresh == NULL) {
        cinch_fail_memory(err, "opening a directory of trust anchors");
        return NULL;
    }
    pthread_mutex_lock(&list_lock);
    dir = find_locked(path);
    if (dir == NULL) {
        dir = fresh;
        fresh = NULL;
        dir->next = dirs;
        dirs = dir;
    }
    dir->users++;
    if (keep && !dir->kept) {
        dir->kept = 1;
        dir->users++;
    }
    dir->mark = *mark;
    dir->settled = cinch_cached_settled(mark->changed_s, now);
    pthread_mutex_unlock(&list_lock);
    free_dir(fresh);
    return dir;
}

cinch_dir *cinch_dir_ref(cinch_dir *dir)
{
    pthread_mutex_lock(&list_lock);
    dir->users++;
    pthread_mutex_unlock(&list_lock);
    return dir;
}

static cinch_dir *release_locked(cinch_dir *dir)
{
    if (--dir->users > 0)
        return NULL;
    for (cinch_dir **at = &dirs; *at != NULL; at = &(*at)->next) {
        if (*at == dir) {
            *at = dir->next;
            break;
        }
    }
    return dir;
}

void cinch_dir_close(cinch_dir *dir)
{
    if (dir == NULL)
        return;
    pthread_mutex_lock(&list_lock);
    dir = release_locked(dir);
    pthread_mutex_unlock(&list_lock);
    free_dir(dir);
}

void cinch_dir_forget(void)
{
    cinch_dir *gone;

    do {
        gone = NULL;
        pthread_mutex_lock(&list_lock);
        for (cinch_dir *dir = dirs; dir != NULL; dir = dir->next) {
            if (dir->kept) {
                dir->kept = 0;
                gone = release_locked(dir);
                break;
            }
        }
        pthread_mutex_unlock(&list_lock);
        free_dir(gone);
    } while (gone != NULL);
}

void cinch_dir_stale(cinch_dir *dir)
{
    pthread_mutex_lock(&dir->lock);
    for (size_t i = 0; i < dir->count; i++)
        dir->slots[i].looked_us = -1;
    pthread_mutex_unlock(&dir->lock);
}

/* A search must not wait for a pipe that somebody put there. */
static int is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Looks at file NUMBER of HASH, of which OLD is known, or NULL: 1, 0 if it is not there, -1. */
static int look_at(const cinch_dir *dir, unsigned long hash, size_t number, const entry *old,
                   entry *now)
{
    char path[PATH_MAX];
    cinch_error err = CINCH_ERROR_INIT;

    *now = (entry){NULL, NULL};
    if (old != NULL && old->file != NULL) {
        if (cinch_cached_look(old->file, &now->index) != CINCH_CACHED_GONE) {
            now->file = cinch_cached_ref(old->file);
            return 1;
        }
        /* A file of a directory that is taken away is an anchor that is no longer trusted. */
        cinch_index_unref(now->index);
        now->index = NULL;
        return 0;
    }
    int length = snprintf(path, sizeof path, "%s/%08lx.%zu", dir->path, hash, number);
    if (length < 0 || (size_t)length >= sizeof path || !is_file(path))
        return 0;
    if (cinch_cached_open(path, 0, &now->file, &now->index, &err) == CINCH_OK)
        return 1;
    /* What cannot be read is no anchor; the ones behind it may be. */
    return err.category != CINCH_CATEGORY_FILE ? -1 : 1;
}

/* Looks at all files of SLOT again: 1, or -1 when memory runs out, and SLOT is as it was. */
static int look_again(const cinch_dir *dir, dir_slot *slot)
{
    entry *entries = NULL;
    size_t count = 0, capacity = 0;

    for (; count < MOST_FILES; count++) {
        if (count == capacity) {
            size_t more = capacity == 0 ? 2 : capacity * 2;
            entry *grown = cinch_grow(entries, more * sizeof *grown);

            if (grown == NULL)
                goto no_memory;
            entries = grown;
            capacity = more;
        }
        const entry *old = count < slot->count ? &slot->entries[count] : NULL;
        int result = look_at(dir, slot->hash, count, old, &entries[count]);
        if (result < 0)
            goto no_memory;
        if (result == 0)
            break;
    }
    clear_entries(slot->entries, slot->count);
    slot->entries = entries;
    slot->count = count;
    slot->looked_us = cinch_clock_us();
    return 1;
no_memory:
    clear_entries(entries, count);
    return -1;
}

/* The slot of HASH, with room for one if it is not known yet; NULL when memory runs out. */
static dir_slot *slot_of(cinch_dir *dir, unsigned long hash)
{
    for (size_t i = 0; i < dir->count; i++)
        if (dir->slots[i].hash == hash)
            return &dir->slots[i];
    if (dir->count == dir->capacity) {
        size_t capacity = dir->capacity == 0 ? 8 : dir->capacity * 2;
        dir_slot *slots = cinch_grow(dir->slots, capacity * sizeof *slots);

        if (slots == NULL)
            return NULL;
        dir->slots = slots;
        dir->capacity = capacity;
    }
    dir->slots[dir->count] = (dir_slot){hash, -1, NULL, 0};
    return &dir->slots[dir->count];
}

static int find_locked_in(cinch_dir *dir, unsigned long hash, const X509_NAME *name,
                          STACK_OF(X509) * found)
{
    dir_slot *slot = slot_of(dir, hash);
    int64_t now = cinch_clock_us();
    int total = 0;

    if (slot == NULL)
        return -1;
    if ((slot->looked_us < 0 || now - slot->looked_us >= LOOK_AGAIN_US) &&
        look_again(dir, slot) < 0)
        return -1;
    int is_known = slot < dir->slots + dir->count;
    if (slot->count == 0) {
        /* Only what exists is remembered. */
        cinch_release(slot->entries);
        if (is_known)
            *slot = dir->slots[--dir->count];
        return 0;
    }
    if (!is_known)
        dir->count++;
    for (size_t i = 0; i < slot->count; i++) {
        if (slot->entries[i].index == NULL)
            continue;
        int count = cinch_index_find(slot->entries[i].index, name, found);
        if (count < 0)
            return -1;
        total += count;
    }
    return total;
}

int cinch_dir_find(cinch_dir *dir, const X509_NAME *name, STACK_OF(X509) * found)
{
    int ok = 0;
    unsigned long hash = X509_NAME_hash_ex(name, cinch_library_context(), NULL, &ok);

    if (!ok)
        return -1;
    pthread_mutex_lock(&dir->lock);
    int count = find_locked_in(dir, hash, name, found);
    pthread_mutex_unlock(&dir->lock);
    return count;
}

static cinch_status add_file(const char *path, STACK_OF(X509) * found, cinch_error *err)
{
    cinch_cached *file;
    cinch_index *index;
    size_t bad;

    if (cinch_cached_open(path, 0, &file, &index, err) != CINCH_OK)
        return CINCH_FAILED;
    int result = cinch_index_all(index, found, &bad);
    if (result < 0)
        cinch_fail_memory(err, "listing trust anchors");
    else if (result == 0)
        cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                   "certificate %zu of \"%s\" cannot be read by OpenSSL", bad + 1, path);
    cinch_index_unref(index);
    cinch_cached_close(file);
    return result == 1 ? CINCH_OK : CINCH_FAILED;
}

cinch_status cinch_dir_all(const cinch_dir *dir, STACK_OF(X509) * found, cinch_error *err)
{
    DIR *stream = opendir(dir->path);
    cinch_status status = CINCH_OK;
    int number;

    if (stream == NULL)
        return cannot_open(dir->path, errno, err);
    for (;;) {
        char path[PATH_MAX];

        errno = 0;
        const struct dirent *item = readdir(stream);
        number = errno;
        if (item == NULL)
            break;
        int length = snprintf(path, sizeof path, "%s/%s", dir->path, item->d_name);
        if (!is_hashed(item->d_name) || length < 0 || (size_t)length >= sizeof path)
            continue;
        /* A link that leads nowhere is not found by a search either. */
        if (!is_file(path))
            continue;
        status = add_file(path, found, err);
        if (status != CINCH_OK)
            break;
    }
    if (status == CINCH_OK && number != 0)
        status = cannot_open(dir->path, number, err);
    (void)closedir(stream);
    return status;
}
