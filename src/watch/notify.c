/*
 * notify.c: where the system reports changes. A file's own inode is of little use: it is another one
 * after a rename, and a symbolic link that is switched over does not touch it at all. So directories
 * are watched: the file's, and that of every symbolic link on the way to it (certbot's live/NAME/
 * leads to archive/NAME/, Kubernetes' tls.crt to ..data/tls.crt and ..data to a directory with a
 * time in its name); and where a part of the path is missing, the directory that misses it.
 */
#define _DEFAULT_SOURCE /* readlink() and S_IFLNK beside POSIX */

#include "base/memory.h"
#include "watch/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* As many as the kernel follows (path_resolution(7)). */
#define LINKS_MOST 40
/* How many times reports are fetched in a row, however busy the directory is. */
#define READS_MOST 64

#define EVENTS                                                                                     \
    (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY | IN_CLOSE_WRITE |            \
     IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR)

void cinch_watch_notify_open(cinch_watch_notify *notify)
{
    *notify = (cinch_watch_notify){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
}

static void drop(cinch_watch_spots *spots)
{
    for (size_t i = 0; i < spots->count; i++)
        cinch_release(spots->list[i].name);
    cinch_release(spots->list);
    *spots = (cinch_watch_spots){0};
}

void cinch_watch_notify_close(cinch_watch_notify *notify)
{
    drop(&notify->now);
    drop(&notify->next);
    if (notify->fd >= 0)
        (void)close(notify->fd);
    notify->fd = -1;
}

void cinch_watch_notify_begin(cinch_watch_notify *notify)
{
    drop(&notify->next);
}

static int has(const cinch_watch_spots *spots, int wd, const char *name)
{
    for (size_t i = 0; i < spots->count; i++)
        if (spots->list[i].wd == wd && (name == NULL || strcmp(spots->list[i].name, name) == 0))
            return 1;
    return 0;
}

static void add_spot(cinch_watch_notify *notify, const char *directory, const char *name)
{
    cinch_watch_spots *spots = &notify->next;
    int wd = inotify_add_watch(notify->fd, directory, EVENTS);

    if (wd < 0 || has(spots, wd, name))
        return;
    if (spots->count == spots->capacity) {
        size_t capacity = spots->capacity == 0 ? 8 : spots->capacity * 2;
        cinch_watch_spot *list = cinch_grow(spots->list, capacity * sizeof *list);

        if (list == NULL)
            return;
        spots->list = list;
        spots->capacity = capacity;
    }
    char *copy = cinch_copy_text(name);
    if (copy != NULL)
        spots->list[spots->count++] = (cinch_watch_spot){wd, copy};
}

/* A path that is being walked. */
typedef struct walk {
    char directory[PATH_MAX]; /* without symbolic links; "" for the root */
    char rest[PATH_MAX];
    int links;
} walk;

/* The next component of what is left into NAME; 0 if there is none, or none that fits. */
static int next_name(walk *w, char name[NAME_MAX + 1])
{
    size_t start = strspn(w->rest, "/"), length = strcspn(w->rest + start, "/");

    if (length == 0 || length > NAME_MAX)
        return 0;
    memcpy(name, w->rest + start, length);
    name[length] = 0;
    memmove(w->rest, w->rest + start + length, strlen(w->rest + start + length) + 1);
    return 1;
}

static int follow_link(walk *w, const char *path)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);

    if (length <= 0 || ++w->links > LINKS_MOST)
        return 0;
    target[length] = 0;
    int written = snprintf(joined, sizeof joined, "%s/%s", target, w->rest);
    if (written < 0 || (size_t)written >= sizeof joined)
        return 0;
    memcpy(w->rest, joined, (size_t)written + 1);
    if (target[0] == '/')
        w->directory[0] = 0;
    return 1;
}

/* One component further; 0 at the end, or where it goes no further. */
static int step(cinch_watch_notify *notify, walk *w)
{
    char name[NAME_MAX + 1], path[PATH_MAX];
    struct stat st;

    if (!next_name(w, name))
        return 0;
    if (strcmp(name, ".") == 0)
        return 1;
    if (strcmp(name, "..") == 0) {
        char *last = strrchr(w->directory, '/');

        if (last != NULL)
            *last = 0;
        return 1;
    }
    int written = snprintf(path, sizeof path, "%s/%s", w->directory, name);
    if (written < 0 || (size_t)written >= sizeof path)
        return 0;
    int found = lstat(path, &st) == 0;
    if (found && S_ISDIR(st.st_mode)) {
        memcpy(w->directory, path, (size_t)written + 1);
        return 1;
    }
    add_spot(notify, w->directory[0] == 0 ? "/" : w->directory, name);
    return found && S_ISLNK(st.st_mode) && follow_link(w, path);
}

void cinch_watch_notify_add(cinch_watch_notify *notify, const char *path)
{
    walk w = {.links = 0};

    if (notify->fd < 0 || strlen(path) >= sizeof w.rest)
        return;
    memcpy(w.rest, path, strlen(path) + 1);
    while (step(notify, &w))
        ;
}

void cinch_watch_notify_end(cinch_watch_notify *notify)
{
    for (size_t i = 0; i < notify->now.count; i++)
        if (!has(&notify->next, notify->now.list[i].wd, NULL))
            (void)inotify_rm_watch(notify->fd, notify->now.list[i].wd);
    drop(&notify->now);
    notify->now = notify->next;
    notify->next = (cinch_watch_spots){0};
}

static int matters(const cinch_watch_notify *notify, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return 1;
    if (event->mask & IN_IGNORED)
        return 0;
    return has(&notify->now, event->wd, event->len > 0 ? event->name : NULL);
}

int cinch_watch_notify_drain(cinch_watch_notify *notify)
{
    _Alignas(struct inotify_event) char events[4096];
    int found = 0;

    for (int i = 0; i < READS_MOST; i++) {
        ssize_t size = read(notify->fd, events, sizeof events);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        for (char *at = events; at < events + size;) {
            /* The buffer is aligned for it, and the kernel keeps every event so. */
            const struct inotify_event *event = (const void *)at;

            found |= matters(notify, event);
            at += sizeof *event + event->len;
        }
    }
    return found;
}
