/*
 * watch.h: the inside of a watch: items that are looked after, the thread that does it, and the
 * system's reports that tell it when.
 */
#ifndef CINCH_WATCH_WATCH_H
#define CINCH_WATCH_WATCH_H

#include "base/file.h"

#include <cinch/watch.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#define CINCH_WATCH_FILES 2 /* of one item: the certificate and its key */

typedef struct cinch_watch_item cinch_watch_item;

/*
 * Puts what ITEM's files hold into use. DIGEST is what they held when they were looked at, CONTENT
 * the content of the first one. CINCH_WANT_READ if they changed meanwhile.
 */
typedef cinch_status (*cinch_watch_take)(cinch_watch_item *item, const unsigned char digest[32],
                                         const cinch_content *content, cinch_error *err);

/*
 * One thing that is kept as its files are. It belongs to the thread that makes it, and once it is in
 * the list, to the watch's.
 */
struct cinch_watch_item {
    cinch_watch_item *next;         /* guarded by the watch's lock */
    char *label;                    /* what the program calls it */
    char *paths[CINCH_WATCH_FILES]; /* absolute: the program may change its directory */
    size_t path_count;
    cinch_watch_take take;

    cinch_context *ctx;    /* of an identity */
    cinch_identity *added; /* what was added last; NULL: nothing, or it is the context's own */
    int adds;
    cinch_identity_source source;
    char *password; /* secret memory */
    size_t password_size;
    cinch_watch_load load; /* of a file */
    void *arg;

    unsigned char in_force[32]; /* the digest of what was taken last */
    unsigned char refused[32];  /* and of what was refused since */
    int is_refused;
    char reason[CINCH_ERROR_WHAT];
    int64_t retry_us, retry_at; /* how long to wait, and until when */
    cinch_file_mark marks[CINCH_WATCH_FILES];
    int settled[CINCH_WATCH_FILES]; /* a later change would show in the mark */
};

/* A name in a directory on which the system reports. */
typedef struct cinch_watch_spot {
    int wd;
    char *name;
} cinch_watch_spot;

typedef struct cinch_watch_spots {
    cinch_watch_spot *list;
    size_t count, capacity;
} cinch_watch_spots;

typedef struct cinch_watch_notify {
    int fd; /* -1: the system does not report; looking at intervals is all there is */
    cinch_watch_spots now, next;
} cinch_watch_notify;

struct cinch_watch {
    pthread_mutex_t lock; /* guards what stands up to `items` */
    pthread_cond_t answer;
    uint64_t asked, answered; /* requests of cinch_watch_now() */
    size_t changed;           /* by the pass that answered last */
    int stop;
    int interval; /* milliseconds */
    cinch_watch_item *items, **items_end;

    cinch_watch_callback callback;
    void *arg;
    pthread_t thread;
    pid_t process;             /* that has the thread */
    int orphaned;              /* freed within a callback: the thread frees the rest; its own */
    int wake;                  /* an eventfd */
    cinch_watch_notify notify; /* the thread's */
};

/* ---- item.c ---- */

/* cinch_watch_item_new makes an item without files. NULL and ERR set on failure. */
cinch_watch_item *cinch_watch_item_new(const char *label, cinch_watch_take take, cinch_error *err);

/* cinch_watch_item_path adds the file PATH and gives the absolute path, NULL and ERR on failure. */
const char *cinch_watch_item_path(cinch_watch_item *item, const char *path, cinch_error *err);

void cinch_watch_item_free(cinch_watch_item *item);

/* cinch_watch_item_begin takes ITEM's content for the first time. */
cinch_status cinch_watch_item_begin(cinch_watch_item *item, cinch_error *err);

/* cinch_watch_item_regular fails if PATH is there and no regular file. */
cinch_status cinch_watch_item_regular(const char *path, cinch_error *err);

/* cinch_watch_item_read is cinch_file_read() for regular files only. */
cinch_status cinch_watch_item_read(const char *path, cinch_content *content, cinch_file_mark *mark,
                                   cinch_error *err);

/* cinch_watch_item_digest gives the digest of what ITEM's files hold. CONTENT may be NULL. */
cinch_status cinch_watch_item_digest(cinch_watch_item *item, unsigned char digest[32],
                                     cinch_content *content, cinch_error *err);

/* What became of looking at an item. */
typedef enum cinch_watch_outcome {
    CINCH_WATCH_NOTHING, /* nothing to tell */
    CINCH_WATCH_TAKEN,
    CINCH_WATCH_BACK,   /* what is in force can be read again */
    CINCH_WATCH_REFUSED /* the error says why */
} cinch_watch_outcome;

/*
 * cinch_watch_item_look takes what has changed. ASKED: files are read whatever their marks say, and
 * what was refused is tried again. INTERVAL in milliseconds is the first wait before a retry.
 */
cinch_watch_outcome cinch_watch_item_look(cinch_watch_item *item, int asked, int interval,
                                          cinch_error *err);

/* ---- notify.c ---- */

/* cinch_watch_notify_open makes ready; no failure, but perhaps no reports either. */
void cinch_watch_notify_open(cinch_watch_notify *notify);
void cinch_watch_notify_close(cinch_watch_notify *notify);

/*
 * Between begin and end every path that matters is added: PATH is absolute. What is not added again
 * is not reported any more. Memory running out costs reports, no more.
 */
void cinch_watch_notify_begin(cinch_watch_notify *notify);
void cinch_watch_notify_add(cinch_watch_notify *notify, const char *path);
void cinch_watch_notify_end(cinch_watch_notify *notify);

/* cinch_watch_notify_drain takes the reports that are there: 1 if one of them matters. */
int cinch_watch_notify_drain(cinch_watch_notify *notify);

/* ---- watch.c ---- */

/* cinch_watch_enter tells whether WATCH can be used here and now, and begins a public call. */
int cinch_watch_enter(cinch_watch *watch, cinch_error *err);

/* cinch_watch_add hands ITEM over to WATCH, whose thread looks at it at once. */
void cinch_watch_add(cinch_watch *watch, cinch_watch_item *item);

#endif
