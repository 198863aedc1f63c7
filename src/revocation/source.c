/* Where lists come from: files, directories, memory; and looking whether they have changed. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "revocation/lists.h"
#include "trust/cache.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WHERE_SIZE 512
#define MOST_FILES 10000u

static void clear_files(cinch_crl_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cinch_release(files[i].path);
        cinch_crl_lists_unref(files[i].lists);
    }
    cinch_release(files);
}

void cinch_crl_source_clear(cinch_crl_source *source)
{
    clear_files(source->files, source->count);
    cinch_release(source->path);
    *source = (cinch_crl_source){0};
}

static int copy_file(cinch_crl_file *to, const cinch_crl_file *from)
{
    *to = *from;
    to->path = cinch_copy_text(from->path);
    to->lists = cinch_crl_lists_ref(from->lists);
    return from->path == NULL || to->path != NULL;
}

int cinch_crl_source_copy(cinch_crl_source *to, const cinch_crl_source *from)
{
    *to = (cinch_crl_source){.kind = from->kind, .path = cinch_copy_text(from->path)};
    to->files = cinch_alloc_array(from->count + 1, sizeof *to->files);
    int ok = to->files != NULL && (from->path == NULL || to->path != NULL);
    while (ok && to->count < from->count) {
        ok = copy_file(&to->files[to->count], &from->files[to->count]);
        to->count++;
    }
    if (!ok)
        cinch_crl_source_clear(to);
    return ok;
}

static int same_state(const cinch_crl_state *seen, const cinch_file_mark *mark)
{
    return seen->settled && cinch_file_mark_same(&seen->mark, mark);
}

static int is_regular(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/*
 * Reads FILE as it is now into FILE->lists, which must be NULL. OTHERS as in cinch_crl_lists_read().
 * On failure FILE->bad says which state it was, if trying that again is useless.
 */
static cinch_status read_now(cinch_crl_file *file, int *others, cinch_error *err)
{
    cinch_content content = {0};
    cinch_file_mark mark;
    cinch_error local = CINCH_ERROR_INIT;
    char where[WHERE_SIZE];
    int64_t now = cinch_clock_wall();

    if (cinch_file_read(file->path, "revocation lists", &content, &mark, &local) != CINCH_OK)
        return cinch_fail_keep(err, &local);
    snprintf(where, sizeof where, "\"%s\"", file->path);
    file->lists = cinch_crl_lists_of(content.bytes, content.size, where, others, &local);
    cinch_content_free(&content);
    cinch_crl_state state = {mark, cinch_cached_settled(mark.changed_s, now)};
    if (file->lists != NULL || (others != NULL && *others)) {
        file->good = state;
        return CINCH_OK;
    }
    /* A want of memory passes. */
    if (local.category == CINCH_CATEGORY_FILE)
        file->bad = state;
    return cinch_fail_keep(err, &local);
}

/* Puts what FILE holds now in place: 1 if it is another content. What cannot be used changes nothing. */
static int look_at_file(cinch_crl_file *file)
{
    cinch_file_mark mark;
    cinch_crl_file fresh = {.path = file->path};

    /* A pipe can be read once only. */
    if (!is_regular(file->path) || !cinch_file_look(file->path, &mark) ||
        same_state(&file->good, &mark) || same_state(&file->bad, &mark))
        return 0;
    if (read_now(&fresh, NULL, NULL) != CINCH_OK) {
        file->bad = fresh.bad;
        return 0;
    }
    int changed = fresh.lists != file->lists;
    cinch_crl_lists_unref(file->lists);
    file->lists = fresh.lists;
    file->good = fresh.good;
    return changed;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const cinch_crl_file *)a)->path, ((const cinch_crl_file *)b)->path);
}

/* A new place in FILES for the path DIR/NAME; NULL when memory runs out. */
static cinch_crl_file *append(cinch_crl_file **files, size_t *count, size_t *capacity,
                              const char *dir, const char *name)
{
    if (*count == *capacity) {
        size_t more = *capacity == 0 ? 8 : *capacity * 2;
        cinch_crl_file *grown = cinch_grow(*files, more * sizeof *grown);

        if (grown == NULL)
            return NULL;
        *files = grown;
        *capacity = more;
    }
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = cinch_alloc(size);
    if (path == NULL)
        return NULL;
    snprintf(path, size, "%s/%s", dir, name);
    cinch_crl_file *file = &(*files)[(*count)++];
    *file = (cinch_crl_file){.path = path};
    return file;
}

static cinch_status cannot_read(const char *path, int number, cinch_error *err)
{
    (void)cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                     "cannot read the directory of revocation lists \"%s\": %s", path,
                     strerror(number));
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

/* The names of the files in the directory PATH, sorted. Hidden ones are somebody's work in progress. */
static cinch_status list_files(const char *path, cinch_crl_file **files, size_t *count,
                               cinch_error *err)
{
    size_t capacity = 0;
    cinch_status status = CINCH_OK;
    DIR *stream = opendir(path);

    *files = NULL;
    *count = 0;
    if (stream == NULL)
        return cannot_read(path, errno, err);
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(stream);
        int number = errno;

        if (item == NULL) {
            if (number != 0)
                status = cannot_read(path, number, err);
            break;
        }
        if (item->d_name[0] == '.')
            continue;
        cinch_crl_file *file = append(files, count, &capacity, path, item->d_name);
        if (file == NULL) {
            status = cinch_fail_memory(err, "reading a directory of revocation lists");
            break;
        }
        if (!is_regular(file->path))
            cinch_release((*files)[--*count].path);
        else if (*count > MOST_FILES) {
            status = cinch_fail(err, CINCH_CAUSE_BAD_REVOCATION,
                                "the directory \"%s\" has more than %u files", path, MOST_FILES);
            break;
        }
    }
    (void)closedir(stream);
    if (*count > 1)
        qsort(*files, *count, sizeof **files, by_name);
    return status;
}

static const cinch_crl_file *find(const cinch_crl_source *source, const char *path)
{
    union {
        const char *in;
        char *out;
    } pointer = {path};
    const cinch_crl_file key = {.path = pointer.out};

    return source->count == 0 ? NULL
                              : bsearch(&key, source->files, source->count, sizeof key, by_name);
}

static int take_known(cinch_crl_file *file, const cinch_crl_source *before)
{
    const cinch_crl_file *known = find(before, file->path);
    cinch_file_mark mark;

    if (known == NULL || !cinch_file_look(file->path, &mark) || !same_state(&known->good, &mark))
        return 0;
    file->good = known->good;
    file->lists = cinch_crl_lists_ref(known->lists);
    return 1;
}

/* All the files of a directory into SOURCE, except that what has not changed is not read again. */
static cinch_status read_dir(cinch_crl_source *source, cinch_error *err)
{
    cinch_crl_file *files;
    size_t count, with_lists = 0;
    cinch_status status = list_files(source->path, &files, &count, err);

    for (size_t i = 0; status == CINCH_OK && i < count; i++) {
        int others = 0;

        /* Certificates beside the lists are usual in such directories. */
        if (!take_known(&files[i], source))
            status = read_now(&files[i], &others, err);
        with_lists += files[i].lists != NULL;
    }
    if (status == CINCH_OK && with_lists == 0) {
        status = cinch_fail(err, CINCH_CAUSE_BAD_REVOCATION,
                            "there is no revocation list in the directory \"%s\"", source->path);
        cinch_fail_evidence(err, "it has %zu files", count);
    }
    if (status != CINCH_OK) {
        clear_files(files, count);
        return status;
    }
    clear_files(source->files, source->count);
    source->files = files;
    source->count = count;
    return CINCH_OK;
}

static int same_content(const cinch_crl_source *a, const cinch_crl_source *b)
{
    if (a->count != b->count)
        return 0;
    for (size_t i = 0; i < a->count; i++)
        if (a->files[i].lists != b->files[i].lists ||
            strcmp(a->files[i].path, b->files[i].path) != 0)
            return 0;
    return 1;
}

int cinch_crl_source_look(cinch_crl_source *source)
{
    cinch_crl_source before;

    if (source->kind == CINCH_CRL_FROM_FILE)
        return look_at_file(&source->files[0]);
    if (source->kind != CINCH_CRL_FROM_DIR || !cinch_crl_source_copy(&before, source))
        return 0;
    int changed = read_dir(source, NULL) == CINCH_OK && !same_content(&before, source);
    cinch_crl_source_clear(&before);
    return changed;
}

cinch_status cinch_crl_source_open(cinch_crl_source *source, cinch_error *err)
{
    if (source->kind == CINCH_CRL_FROM_DIR)
        return read_dir(source, err);
    source->files = cinch_alloc_array(1, sizeof *source->files);
    if (source->files == NULL || (source->files[0].path = cinch_copy_text(source->path)) == NULL) {
        cinch_release(source->files);
        source->files = NULL;
        return cinch_fail_memory(err, "reading a revocation list");
    }
    source->count = 1;
    return read_now(&source->files[0], NULL, err);
}
