/*
 * ready.c: one descriptor for a program's own loop, readable while a client may be waiting on one of a
 * listener's sockets.
 */
#include "stream/listener.h"

#include "base/fail.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Makes FD one that READY tells of, now or again; EVENTS 0: it stays in, and is not told of. */
static int watch(const cinch_listener *listener, int how, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    return epoll_ctl(listener->ready, how, fd, &event) == 0;
}

static cinch_status cannot(cinch_error *err)
{
    int number = errno;

    cinch_fail(err, CINCH_CAUSE_SYSTEM, "no descriptor could be had for a listener");
    cinch_system_fail(err, number);
    return CINCH_FAILED;
}

cinch_status cinch_listener_ready_open(cinch_listener *listener, cinch_error *err)
{
    atomic_init(&listener->resting, 0);
    listener->rest = -1;
    listener->ready = epoll_create1(EPOLL_CLOEXEC);
    if (listener->ready < 0)
        return cannot(err);
    /* In advance: when it is needed there is no descriptor left. */
    listener->rest = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (listener->rest < 0 || !watch(listener, EPOLL_CTL_ADD, listener->rest, EPOLLIN) ||
        !watch(listener, EPOLL_CTL_ADD, listener->stop, EPOLLIN))
        return cannot(err);
    return CINCH_OK;
}

void cinch_listener_ready_close(cinch_listener *listener)
{
    if (listener->rest >= 0)
        close(listener->rest);
    if (listener->ready >= 0)
        close(listener->ready);
}

cinch_status cinch_listener_ready_add(cinch_listener *listener, int fd, cinch_error *err)
{
    return watch(listener, EPOLL_CTL_ADD, fd, EPOLLIN) ? CINCH_OK : cannot(err);
}

void cinch_listener_ready_drop(cinch_listener *listener, int fd)
{
    /* Closing alone does not, if a child process has a copy of FD. */
    (void)watch(listener, EPOLL_CTL_DEL, fd, 0);
}

static void set_timer(const cinch_listener *listener, int milliseconds)
{
    struct itimerspec when = {.it_value.tv_nsec = milliseconds * 1000000L};

    (void)timerfd_settime(listener->rest, 0, &when, NULL);
}

void cinch_listener_rest(cinch_listener *listener, int milliseconds)
{
    pthread_mutex_lock(&listener->lock);
    if (!atomic_exchange(&listener->resting, 1))
        for (size_t i = 0; i < listener->count; i++)
            (void)watch(listener, EPOLL_CTL_MOD, listener->fds[i], 0);
    /* Also makes a timer unreadable that has run out. */
    set_timer(listener, milliseconds);
    pthread_mutex_unlock(&listener->lock);
}

void cinch_listener_rested(cinch_listener *listener)
{
    if (!atomic_load(&listener->resting))
        return;
    pthread_mutex_lock(&listener->lock);
    if (atomic_exchange(&listener->resting, 0)) {
        set_timer(listener, 0);
        for (size_t i = 0; i < listener->count; i++)
            (void)watch(listener, EPOLL_CTL_MOD, listener->fds[i], EPOLLIN);
    }
    pthread_mutex_unlock(&listener->lock);
}

int cinch_listener_fd(const cinch_listener *listener)
{
    return listener != NULL ? listener->ready : -1;
}
