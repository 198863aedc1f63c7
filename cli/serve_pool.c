/* serve_pool.c: one thread per connection, a limited number of them, and a clean end. */
#include "output.h"
#include "serve.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    SLOTS = 256,
    LOOK_MS = 100,   /* how often the end looks for signals */
    GRACE_MS = 2000, /* what is under way when it is told to stop may finish */
};

typedef enum slot_state {
    SLOT_FREE,
    SLOT_RUNNING,
    SLOT_DONE
} slot_state;

struct pool;

typedef struct slot {
    struct pool *pool;
    pthread_t thread;
    slot_state state;
    cinch_stream *stream; /* NULL once the thread gives it up */
} slot;

typedef struct pool {
    const serve_settings *settings;
    pthread_mutex_t lock; /* for state and stream of the slots, and for `running` */
    pthread_cond_t done;
    size_t running;
    slot slots[SLOTS];
} pool;

/* For the signal handler. */
static volatile sig_atomic_t stopping;
static cinch_listener *stop_listener;
static sem_t room; /* counts the slots that are not running */

static void on_signal(int number)
{
    int saved = errno;

    (void)number;
    stopping = 1;
    cinch_listener_stop(stop_listener);
    (void)sem_post(&room);
    errno = saved;
}

static void *work(void *arg)
{
    slot *me = arg;
    pool *p = me->pool;
    cinch_stream *stream = me->stream;

    serve_connection(p->settings, stream);
    /* Before its descriptor is closed nobody else may use it any more. */
    pthread_mutex_lock(&p->lock);
    me->stream = NULL;
    pthread_mutex_unlock(&p->lock);
    cinch_stream_free(stream);

    pthread_mutex_lock(&p->lock);
    me->state = SLOT_DONE;
    p->running--;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
    (void)sem_post(&room);
    return NULL;
}

/* A slot that is not running; its thread of before is gone. NULL if there is none. */
static slot *take_slot(pool *p)
{
    slot *found = NULL;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < SLOTS && found == NULL; i++) {
        if (p->slots[i].state != SLOT_RUNNING)
            found = &p->slots[i];
    }
    pthread_mutex_unlock(&p->lock);
    if (found != NULL && found->state == SLOT_DONE)
        (void)pthread_join(found->thread, NULL);
    return found;
}

/* Signals are for the thread that waits: the others inherit a mask without them. */
static int start_thread(slot *mine)
{
    sigset_t all;
    sigset_t before;
    int code;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&mine->thread, NULL, work, mine);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static void hand_over(pool *p, cinch_stream *stream)
{
    slot *mine = take_slot(p);

    if (mine != NULL) {
        pthread_mutex_lock(&p->lock);
        *mine = (slot){.pool = p, .state = SLOT_RUNNING, .stream = stream};
        p->running++;
        pthread_mutex_unlock(&p->lock);
        if (start_thread(mine) == 0)
            return;
        pthread_mutex_lock(&p->lock);
        *mine = (slot){.state = SLOT_FREE};
        p->running--;
        pthread_mutex_unlock(&p->lock);
    }
    cli_warn("no thread for %s: it is turned away", cinch_stream_address(stream));
    cinch_stream_free(stream);
    (void)sem_post(&room);
}

/* Makes threads that wait for their clients see an end. */
static void cut(pool *p, int how)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < SLOTS; i++) {
        if (p->slots[i].state == SLOT_RUNNING && p->slots[i].stream != NULL)
            (void)shutdown(cinch_stream_fd(p->slots[i].stream), how);
    }
    pthread_mutex_unlock(&p->lock);
}

static void wait_a_moment(pool *p)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&p->lock);
    if (p->running > 0)
        (void)pthread_cond_timedwait(&p->done, &p->lock, &until);
    pthread_mutex_unlock(&p->lock);
}

static size_t count_running(pool *p)
{
    size_t running;

    pthread_mutex_lock(&p->lock);
    running = p->running;
    pthread_mutex_unlock(&p->lock);
    return running;
}

/* With PATIENT, connections may take their time until a signal comes. */
static void finish(pool *p, bool patient)
{
    int waited = 0;

    while (count_running(p) > 0) {
        if (stopping || !patient) {
            if (waited == 0)
                cut(p, SHUT_RD);
            else if (waited >= GRACE_MS)
                cut(p, SHUT_RDWR);
            waited += LOOK_MS;
        }
        wait_a_moment(p);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (p->slots[i].state == SLOT_DONE)
            (void)pthread_join(p->slots[i].thread, NULL);
    }
}

static bool wait_for_room(void)
{
    while (sem_wait(&room) != 0) {
        if (errno != EINTR)
            return false;
    }
    return !stopping;
}

/* The listener does not outlive serve_pool_run(), and the handler must not either. */
static void let_signals(void)
{
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
}

static void catch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    /* A second Ctrl-C ends it at once. */
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool serve_pool_prepare(cinch_listener *listener, cinch_error *err)
{
    if (cinch_error_is_set(err))
        return false;
    stop_listener = listener;
    if (sem_init(&room, 0, SLOTS) != 0)
        return cli_fail(err, CINCH_CAUSE_SYSTEM, NULL, "cannot prepare a semaphore");
    catch_signals();
    return true;
}

void serve_pool_run(const serve_settings *settings, cinch_listener *listener, bool once,
                    cinch_error *err)
{
    pool *p = cli_alloc(sizeof(*p));

    p->settings = settings;
    if (pthread_mutex_init(&p->lock, NULL) != 0 || pthread_cond_init(&p->done, NULL) != 0)
        cli_fail(err, CINCH_CAUSE_SYSTEM, NULL, "cannot prepare threads");
    while (!cinch_error_is_set(err) && wait_for_room()) {
        cinch_stream *stream = cinch_listener_accept(listener, err);

        if (stream == NULL)
            break;
        hand_over(p, stream);
        if (once)
            break;
    }
    finish(p, once && !cinch_error_is_set(err));
    let_signals();
    (void)pthread_cond_destroy(&p->done);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
