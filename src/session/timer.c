/*
 * timer.c: the thread that turns a ring when it is time. Wiping must not wait for the next client:
 * after a busy day the secrets of that day would stay until somebody comes.
 */
#define _GNU_SOURCE
#include "session/ring_inside.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* A machine that was suspended has not slept through its deadline for longer than this. */
#define LONGEST_SLEEP 60

static void sleep_until_next(cinch_tickets *ring, int64_t seconds)
{
    struct timespec until;

    if (seconds > LONGEST_SLEEP)
        seconds = LONGEST_SLEEP;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    (void)pthread_cond_timedwait(&ring->timer_wake, &ring->timer_lock, &until);
}

static void *turn_for_ever(void *arg)
{
    cinch_tickets *ring = arg;

    pthread_mutex_lock(&ring->timer_lock);
    while (!ring->timer_stop) {
        int64_t now = cinch_ring_now(), next = now + 1;

        if (cinch_ring_lock(ring->shared)) {
            cinch_ring_turn(ring->shared, now);
            next = cinch_ring_next_turn(ring->shared, now);
            cinch_ring_unlock(ring->shared);
        }
        sleep_until_next(ring, next - now);
    }
    pthread_mutex_unlock(&ring->timer_lock);
    return NULL;
}

/* The timer must not be the thread that a program's signals are delivered to. */
static int start(cinch_tickets *ring)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return 0;
    int result = pthread_create(&ring->timer, NULL, turn_for_ever, ring);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0;
}

static int make_wake(cinch_tickets *ring)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return 0;
    int ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
             pthread_cond_init(&ring->timer_wake, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return ok;
}

static void count_process(cinch_ring_shared *shared, int change)
{
    if (!cinch_ring_lock(shared))
        return;
    shared->processes += change;
    if (shared->processes == 0) {
        OPENSSL_cleanse(shared->secrets, sizeof shared->secrets);
        OPENSSL_cleanse(shared->kept, sizeof shared->kept);
    }
    cinch_ring_unlock(shared);
}

void cinch_ring_keep_turning(cinch_tickets *ring)
{
    static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
    pid_t self = getpid();

    if (__atomic_load_n(&ring->timer_process, __ATOMIC_ACQUIRE) == self)
        return;
    pthread_mutex_lock(&starting);
    if (ring->timer_process != self) {
        /* After fork() the copied lock and condition belong to a thread that is not here. */
        if (pthread_mutex_init(&ring->timer_lock, NULL) == 0 && make_wake(ring) && start(ring)) {
            count_process(ring->shared, 1);
            __atomic_store_n(&ring->timer_process, self, __ATOMIC_RELEASE);
        }
    }
    pthread_mutex_unlock(&starting);
}

void cinch_ring_stop_turning(cinch_tickets *ring)
{
    if (ring->timer_process != getpid())
        return;
    pthread_mutex_lock(&ring->timer_lock);
    ring->timer_stop = 1;
    (void)pthread_cond_signal(&ring->timer_wake);
    pthread_mutex_unlock(&ring->timer_lock);
    (void)pthread_join(ring->timer, NULL);
    count_process(ring->shared, -1);
    pthread_cond_destroy(&ring->timer_wake);
    pthread_mutex_destroy(&ring->timer_lock);
}
