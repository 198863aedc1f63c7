/*
 * watch.c: the thread of a watch: it waits for a report, for the time to look by itself, or for a
 * request; lets a burst of changes come to rest; and looks at everything.
 */
#define _GNU_SOURCE
#include "watch/watch.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INTERVAL_MS 5000
#define INTERVAL_LEAST_MS 10
#define INTERVAL_MOST_MS 86400000

/* A renewal is several changes: they are taken together when it is quiet, and not later than this. */
#define QUIET_US 100000
#define LONGEST_UNREST_US 1000000

/* With the lock held, so that no pass comes after the one that has seen the reason. */
static void wake_up(cinch_watch *watch)
{
    const uint64_t one = 1;

    /* It fails only when the counter is full, and then the thread is awake. */
    ssize_t written = write(watch->wake, &one, sizeof one);
    (void)written;
}

/* What woke the thread up to now is seen to by the pass that begins. With the lock held, as above. */
static void calm_down(cinch_watch *watch)
{
    uint64_t count;
    ssize_t drained = read(watch->wake, &count, sizeof count);

    (void)drained;
}

static int wait_ms(int64_t until)
{
    int64_t left = until - cinch_clock_us();

    return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

/* Returns when it is time to look at everything. */
static void wait_for_time(cinch_watch *watch, int interval)
{
    int64_t until = cinch_clock_us() + (int64_t)interval * 1000, latest = 0;
    struct pollfd fds[2] = {
        {.fd = watch->wake, .events = POLLIN},
        {.fd = watch->notify.fd, .events = POLLIN}, /* -1 is passed over */
    };

    for (;;) {
        int ready = poll(fds, 2, wait_ms(until));

        if (ready == 0)
            return;
        if (ready < 0) {
            if (errno != EINTR) /* memory: a moment later there may be some */
                (void)poll(NULL, 0, QUIET_US / 1000);
            continue;
        }
        if (fds[0].revents != 0)
            return;
        if (!cinch_watch_notify_drain(&watch->notify))
            continue;
        int64_t now = cinch_clock_us();
        if (latest == 0)
            latest = now + LONGEST_UNREST_US;
        until = now + QUIET_US < latest ? now + QUIET_US : latest;
    }
}

/* One more, or the first for NULL. Items are only ever added, and at the end. */
static cinch_watch_item *next_item(cinch_watch *watch, const cinch_watch_item *item)
{
    pthread_mutex_lock(&watch->lock);
    cinch_watch_item *next = item == NULL ? watch->items : item->next;
    if (watch->stop)
        next = NULL;
    pthread_mutex_unlock(&watch->lock);
    return next;
}

static size_t look(cinch_watch *watch, int asked, int interval)
{
    size_t changed = 0;

    /* Reports first, content second: what changes in between is reported. */
    cinch_watch_notify_begin(&watch->notify);
    for (cinch_watch_item *item = NULL; (item = next_item(watch, item)) != NULL;)
        for (size_t i = 0; i < item->path_count; i++)
            cinch_watch_notify_add(&watch->notify, item->paths[i]);
    cinch_watch_notify_end(&watch->notify);
    for (cinch_watch_item *item = NULL; (item = next_item(watch, item)) != NULL;) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_watch_outcome outcome = cinch_watch_item_look(item, asked, interval, &err);

        ERR_clear_error();
        changed += outcome == CINCH_WATCH_TAKEN;
        if (outcome != CINCH_WATCH_NOTHING && watch->callback != NULL)
            watch->callback(item->label, outcome == CINCH_WATCH_REFUSED ? CINCH_FAILED : CINCH_OK,
                            &err, watch->arg);
    }
    return changed;
}

static void destroy(cinch_watch *watch)
{
    while (watch->items != NULL) {
        cinch_watch_item *item = watch->items;

        watch->items = item->next;
        cinch_watch_item_free(item);
    }
    cinch_watch_notify_close(&watch->notify);
    if (watch->wake >= 0)
        (void)close(watch->wake);
    cinch_release(watch);
}

static void destroy_all(cinch_watch *watch)
{
    pthread_cond_destroy(&watch->answer);
    pthread_mutex_destroy(&watch->lock);
    destroy(watch);
}

static void *watch_for_ever(void *arg)
{
    cinch_watch *watch = arg;

    pthread_mutex_lock(&watch->lock);
    while (!watch->stop) {
        uint64_t asked = watch->asked;
        int is_asked = asked != watch->answered, interval = watch->interval;

        calm_down(watch);
        pthread_mutex_unlock(&watch->lock);
        size_t changed = look(watch, is_asked, interval);
        pthread_mutex_lock(&watch->lock);
        if (is_asked) {
            watch->changed = changed;
            watch->answered = asked;
            pthread_cond_broadcast(&watch->answer);
        }
        if (watch->stop || watch->asked != asked)
            continue;
        pthread_mutex_unlock(&watch->lock);
        wait_for_time(watch, interval);
        pthread_mutex_lock(&watch->lock);
    }
    pthread_mutex_unlock(&watch->lock);
    if (watch->orphaned)
        destroy_all(watch);
    return NULL;
}

/* 0, or errno. The thread must not be the one that a program's signals are delivered to. */
static int start(cinch_watch *watch)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    int number = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (number != 0)
        return number;
    /* The thread's first callback comes after an item was added, and so after this is written. */
    number = pthread_create(&watch->thread, NULL, watch_for_ever, watch);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static cinch_watch *fail_to_start(cinch_error *err, int number)
{
    cinch_fail(err, CINCH_CAUSE_SYSTEM, "cannot start a watch: %s", strerror(number));
    cinch_fail_system(err, number);
    return NULL;
}

static int make_lock(cinch_watch *watch)
{
    if (pthread_mutex_init(&watch->lock, NULL) != 0)
        return 0;
    if (pthread_cond_init(&watch->answer, NULL) == 0)
        return 1;
    pthread_mutex_destroy(&watch->lock);
    return 0;
}

cinch_watch *cinch_watch_new(cinch_watch_callback callback, void *arg, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    cinch_watch *watch = cinch_alloc(sizeof *watch);
    if (watch == NULL) {
        cinch_fail_memory(err, "making a watch");
        return NULL;
    }
    watch->callback = callback;
    watch->arg = arg;
    watch->interval = INTERVAL_MS;
    watch->items_end = &watch->items;
    watch->process = getpid();
    cinch_watch_notify_open(&watch->notify);
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->wake < 0 || !make_lock(watch)) {
        int number = watch->wake < 0 ? errno : ENOMEM;

        destroy(watch);
        return fail_to_start(err, number);
    }
    int number = start(watch);
    if (number != 0) {
        destroy_all(watch);
        return fail_to_start(err, number);
    }
    return watch;
}

void cinch_watch_free(cinch_watch *watch)
{
    if (watch == NULL)
        return;
    /* In a forked child there is no thread, and the copied lock may be held by it for ever. */
    if (watch->process != getpid()) {
        destroy(watch);
        return;
    }
    int within = pthread_equal(watch->thread, pthread_self());
    pthread_t thread = watch->thread;
    pthread_mutex_lock(&watch->lock);
    watch->stop = 1;
    watch->orphaned = within;
    wake_up(watch);
    pthread_mutex_unlock(&watch->lock);
    if (within) {
        (void)pthread_detach(thread);
        return;
    }
    (void)pthread_join(thread, NULL);
    destroy_all(watch);
}

int cinch_watch_enter(cinch_watch *watch, cinch_error *err)
{
    if (!cinch_enter(err))
        return 0;
    if (watch == NULL) {
        cinch_fail_null(err, "watch");
        return 0;
    }
    if (watch->process == getpid())
        return 1;
    cinch_fail(err, CINCH_CAUSE_MISUSE,
               "this watch was made before fork(), and its thread is in the other process");
    cinch_fail_remedy(err, "make a watch in every process, after fork()");
    return 0;
}

void cinch_watch_add(cinch_watch *watch, cinch_watch_item *item)
{
    pthread_mutex_lock(&watch->lock);
    *watch->items_end = item;
    watch->items_end = &item->next;
    wake_up(watch);
    pthread_mutex_unlock(&watch->lock);
}

cinch_status cinch_watch_interval(cinch_watch *watch, int milliseconds, cinch_error *err)
{
    if (!cinch_watch_enter(watch, err))
        return CINCH_FAILED;
    if (milliseconds < INTERVAL_LEAST_MS || milliseconds > INTERVAL_MOST_MS)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "%d milliseconds are no interval for a watch: %d to %d are possible",
                          milliseconds, INTERVAL_LEAST_MS, INTERVAL_MOST_MS);
    pthread_mutex_lock(&watch->lock);
    watch->interval = milliseconds;
    wake_up(watch);
    pthread_mutex_unlock(&watch->lock);
    return CINCH_OK;
}

cinch_status cinch_watch_now(cinch_watch *watch, size_t *changed, cinch_error *err)
{
    if (changed != NULL)
        *changed = 0;
    if (!cinch_watch_enter(watch, err))
        return CINCH_FAILED;
    if (pthread_equal(watch->thread, pthread_self()))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "cinch_watch_now() within the watch's callback would wait for itself");
    pthread_mutex_lock(&watch->lock);
    uint64_t mine = ++watch->asked;
    wake_up(watch);
    while (watch->answered < mine)
        pthread_cond_wait(&watch->answer, &watch->lock);
    if (changed != NULL)
        *changed = watch->changed;
    pthread_mutex_unlock(&watch->lock);
    return CINCH_OK;
}
