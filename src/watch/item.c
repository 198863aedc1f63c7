/*
 * item.c: one thing that is kept as its files are. What counts is the content, as a digest: marks of
 * the file system only save the reading of what cannot have changed.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "trust/cache.h"
#include "watch/watch.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files that change while they are read are read again so many times; their writer is not done. */
#define TRIES 3
#define LONGEST_RETRY_US ((int64_t)300 * 1000000)

cinch_watch_item *cinch_watch_item_new(const char *label, cinch_watch_take take, cinch_error *err)
{
    cinch_watch_item *item = cinch_alloc(sizeof *item);

    if (item != NULL) {
        item->label = cinch_copy_text(label);
        item->take = take;
    }
    if (item == NULL || item->label == NULL) {
        cinch_watch_item_free(item);
        cinch_fail_memory(err, "watching a file");
        return NULL;
    }
    return item;
}

void cinch_watch_item_free(cinch_watch_item *item)
{
    if (item == NULL)
        return;
    cinch_context_free(item->ctx);
    cinch_identity_free(item->added);
    cinch_secret_free(item->password, item->password_size);
    for (size_t i = 0; i < item->path_count; i++)
        cinch_release(item->paths[i]);
    cinch_release(item->label);
    cinch_release(item);
}

const char *cinch_watch_item_path(cinch_watch_item *item, const char *path, cinch_error *err)
{
    char directory[PATH_MAX] = "";

    if (path[0] != '/' && getcwd(directory, sizeof directory) == NULL) {
        int number = errno;

        cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "cannot tell which directory \"%s\" is in: %s",
                   path, strerror(number));
        cinch_fail_system(err, number);
        return NULL;
    }
    size_t size = strlen(directory) + strlen(path) + 2;
    char *whole = cinch_alloc(size);
    if (whole == NULL) {
        cinch_fail_memory(err, "watching a file");
        return NULL;
    }
    snprintf(whole, size, "%s%s%s", directory, path[0] != '/' ? "/" : "", path);
    item->paths[item->path_count++] = whole;
    return whole;
}

/* A pipe may keep the reader waiting for ever, and can be read once only. */
cinch_status cinch_watch_item_regular(const char *path, cinch_error *err)
{
    struct stat st;

    if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                      "cannot watch \"%s\": it is not a regular file", path);
}

cinch_status cinch_watch_item_read(const char *path, cinch_content *content, cinch_file_mark *mark,
                                   cinch_error *err)
{
    if (cinch_watch_item_regular(path, err) != CINCH_OK)
        return CINCH_FAILED;
    return cinch_file_read(path, "a watched file", content, mark, err);
}

cinch_status cinch_watch_item_digest(cinch_watch_item *item, unsigned char digest[32],
                                     cinch_content *content, cinch_error *err)
{
    /* Of each file: can it be read, and either the reason why not or its digest. */
    struct {
        int readable, number;
        unsigned char digest[32];
    } all[CINCH_WATCH_FILES];
    int64_t now = cinch_clock_wall();

    memset(all, 0, sizeof all);
    for (size_t i = 0; i < item->path_count; i++) {
        cinch_content mine = {0};
        cinch_error local = CINCH_ERROR_INIT;
        int ok = 1;

        (void)cinch_file_look(item->paths[i], &item->marks[i]);
        all[i].readable =
            cinch_watch_item_read(item->paths[i], &mine, &item->marks[i], &local) == CINCH_OK;
        all[i].number = local.system_error;
        item->settled[i] = all[i].readable && cinch_cached_settled(item->marks[i].changed_s, now);
        if (all[i].readable)
            ok = cinch_openssl_sha256(mine.bytes, mine.size, all[i].digest);
        if (i == 0 && content != NULL)
            *content = mine;
        else
            cinch_content_free(&mine);
        if (!ok)
            return cinch_fail_crypto(err, "comparing files");
        if (local.cause == CINCH_CAUSE_MEMORY)
            return cinch_fail_keep(err, &local);
    }
    return cinch_openssl_sha256(all, sizeof all, digest)
               ? CINCH_OK
               : cinch_fail_crypto(err, "comparing files");
}

/* Reads and takes, again if the files change while that is done. */
static cinch_status take(cinch_watch_item *item, unsigned char digest[32], cinch_error *err)
{
    cinch_status status = CINCH_WANT_READ;

    for (int i = 0; i < TRIES && status == CINCH_WANT_READ; i++) {
        cinch_content content = {0};

        cinch_error_clear(err);
        status = cinch_watch_item_digest(item, digest, &content, err);
        if (status == CINCH_OK)
            status = item->take(item, digest, &content, err);
        cinch_content_free(&content);
    }
    return status;
}

cinch_status cinch_watch_item_begin(cinch_watch_item *item, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    cinch_status status = take(item, item->in_force, &local);

    if (status == CINCH_WANT_READ)
        status = cinch_fail(&local, CINCH_CAUSE_FILE_UNREADABLE,
                            "\"%s\" changes faster than it can be read", item->label);
    ERR_clear_error();
    return status == CINCH_OK ? CINCH_OK : cinch_fail_keep(err, &local);
}

static int may_have_changed(const cinch_watch_item *item)
{
    for (size_t i = 0; i < item->path_count; i++) {
        cinch_file_mark mark;

        (void)cinch_file_look(item->paths[i], &mark);
        if (!item->settled[i] || !cinch_file_mark_same(&mark, &item->marks[i]))
            return 1;
    }
    return 0;
}

static cinch_watch_outcome refuse(cinch_watch_item *item, const unsigned char digest[32], int asked,
                                  int interval, const cinch_error *err)
{
    int same = item->is_refused && memcmp(item->refused, digest, 32) == 0;
    int news = asked || !same || strcmp(item->reason, err->what) != 0;

    item->retry_us = same ? item->retry_us * 2 : (int64_t)interval * 1000;
    if (item->retry_us > LONGEST_RETRY_US)
        item->retry_us = LONGEST_RETRY_US;
    item->retry_at = cinch_clock_us() + item->retry_us;
    item->is_refused = 1;
    memcpy(item->refused, digest, 32);
    snprintf(item->reason, sizeof item->reason, "%s", err->what);
    return news ? CINCH_WATCH_REFUSED : CINCH_WATCH_NOTHING;
}

cinch_watch_outcome cinch_watch_item_look(cinch_watch_item *item, int asked, int interval,
                                          cinch_error *err)
{
    unsigned char digest[32] = {0};
    int retry = item->is_refused && (asked || cinch_clock_us() >= item->retry_at);

    if (!asked && !retry && !may_have_changed(item))
        return CINCH_WATCH_NOTHING;
    cinch_status status = cinch_watch_item_digest(item, digest, NULL, err);
    if (status == CINCH_OK) {
        if (memcmp(digest, item->in_force, 32) == 0) {
            int back = item->is_refused;

            item->is_refused = 0;
            return back ? CINCH_WATCH_BACK : CINCH_WATCH_NOTHING;
        }
        if (item->is_refused && !retry && memcmp(digest, item->refused, 32) == 0)
            return CINCH_WATCH_NOTHING;
        status = take(item, digest, err);
    }
    if (status == CINCH_WANT_READ)
        return CINCH_WATCH_NOTHING; /* whoever is writing will be reported, or found by looking */
    if (status != CINCH_OK)
        return refuse(item, digest, asked, interval, err);
    memcpy(item->in_force, digest, 32);
    item->is_refused = 0;
    return CINCH_WATCH_TAKEN;
}
