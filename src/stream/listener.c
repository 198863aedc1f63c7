/* accept4() is not in POSIX before 2024, and without it a descriptor leaks into a child process. */
#define _GNU_SOURCE
#include "stream/listener.h"

#include "base/fail.h"
#include "base/memory.h"
#include "conn/conn.h"
#include "context/context.h"
#include "stream/deadline.h"
#include "stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long a shortage of descriptors or memory is left alone before the next try. */
#define SHORTAGE_MS 50

static cinch_listener *make(cinch_context *ctx, cinch_error *err)
{
    cinch_listener *listener = cinch_alloc(sizeof *listener);

    if (listener == NULL) {
        cinch_fail_memory(err, "making a listener");
        return NULL;
    }
    listener->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->stop < 0) {
        int number = errno;

        cinch_release(listener);
        cinch_fail(err, CINCH_CAUSE_SYSTEM, "no descriptor could be had for a listener");
        cinch_system_fail(err, number);
        return NULL;
    }
    if (cinch_listener_ready_open(listener, err) != CINCH_OK) {
        cinch_listener_ready_close(listener);
        close(listener->stop);
        cinch_release(listener);
        return NULL;
    }
    listener->ctx = cinch_context_ref(ctx);
    listener->port = -1;
    atomic_init(&listener->stopped, 0);
    atomic_init(&listener->turn, 0);
    pthread_mutex_init(&listener->lock, NULL);
    (void)cinch_timeouts_fill(&listener->timeouts, NULL, NULL);
    return listener;
}

void cinch_listener_free(cinch_listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->count; i++)
        close(listener->fds[i]);
    cinch_listener_ready_close(listener);
    close(listener->stop);
    cinch_context_free(listener->ctx);
    pthread_mutex_destroy(&listener->lock);
    cinch_release(listener);
}

/* Now, and not with the first client: a server that cannot serve must not look like one. */
static cinch_status check_context(cinch_context *ctx, cinch_error *err)
{
    if (ctx == NULL)
        return cinch_fail_null(err, "context");
    if (!cinch_context_is_server(ctx))
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a client's context cannot accept connections");
    return cinch_context_check(ctx, err);
}

cinch_listener *cinch_listen(cinch_context *ctx, const char *host, const char *port,
                             cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (check_context(ctx, err) != CINCH_OK)
        return NULL;
    cinch_listener *listener = make(ctx, err);
    if (listener != NULL && cinch_bind_all(listener, host, port, err) != CINCH_OK) {
        cinch_listener_free(listener);
        return NULL;
    }
    return listener;
}

static cinch_status check_listening(int fd, cinch_error *err)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
        listening && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return CINCH_OK;
    cinch_fail(err, CINCH_CAUSE_MISUSE, "descriptor %d is not a listening socket", fd);
    cinch_fail_remedy(err, "give a socket after bind() and listen()");
    return CINCH_FAILED;
}

cinch_listener *cinch_listen_adopt(cinch_context *ctx, int fd, cinch_error *err)
{
    cinch_listener *listener = NULL;

    if (!cinch_enter(err))
        goto out;
    if (check_context(ctx, err) == CINCH_OK && check_listening(fd, err) == CINCH_OK)
        listener = make(ctx, err);
    if (listener != NULL && cinch_listener_note(listener, fd, err) != CINCH_OK) {
        cinch_listener_free(listener);
        listener = NULL;
    }
out:
    if (listener == NULL && fd >= 0)
        close(fd);
    return listener;
}

void cinch_listener_stop(cinch_listener *listener)
{
    /* May run in a signal handler, whose victim must not find another errno than before. */
    int number = errno;
    uint64_t one = 1;

    if (listener == NULL)
        return;
    atomic_store(&listener->stopped, 1);
    while (write(listener->stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = number;
}

int cinch_listener_port(const cinch_listener *listener)
{
    return listener != NULL ? listener->port : -1;
}

const char *cinch_listener_address(const cinch_listener *listener, size_t index)
{
    return listener != NULL && index < listener->count ? listener->addresses[index] : NULL;
}

cinch_status cinch_listener_timeouts(cinch_listener *listener, const cinch_timeouts *timeouts,
                                     cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (listener == NULL)
        return cinch_fail_null(err, "listener");
    pthread_mutex_lock(&listener->lock);
    cinch_status status = cinch_timeouts_fill(&listener->timeouts, timeouts, err);
    pthread_mutex_unlock(&listener->lock);
    return status;
}

enum {
    NOTHING,
    SHORTAGE,
    BROKEN
};

static int kind_of(int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return SHORTAGE;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EFAULT:
        return BROKEN;
    default:
        /* Nobody there, or an error of one client's connection (accept(2)): the next, please. */
        return NOTHING;
    }
}

/* Tries every socket once. The descriptor, or -1 with errno; EAGAIN if nobody is there. */
static int accept_one(cinch_listener *listener, char address[static CINCH_ADDRESS_TEXT])
{
    size_t turn = atomic_fetch_add(&listener->turn, 1);
    int worst = EAGAIN;

    for (size_t i = 0; i < listener->count; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(listener->fds[(turn + i) % listener->count], (struct sockaddr *)&peer,
                         &size, SOCK_CLOEXEC);

        if (fd >= 0) {
            cinch_address_text((const struct sockaddr *)&peer, size, address);
            return fd;
        }
        if (kind_of(errno) > kind_of(worst))
            worst = errno;
    }
    errno = worst;
    return -1;
}

static cinch_stream *make_stream(cinch_listener *listener, int fd, const char *address,
                                 cinch_error *err)
{
    cinch_conn *conn = cinch_conn_new(listener->ctx, NULL, err);

    if (conn == NULL)
        return NULL;
    cinch_stream *stream = cinch_stream_around(conn, fd, 1, address, err);
    if (stream == NULL) {
        cinch_conn_free(conn);
        return NULL;
    }
    pthread_mutex_lock(&listener->lock);
    stream->timeouts = listener->timeouts;
    pthread_mutex_unlock(&listener->lock);
    return stream;
}

/* Waits until a client may be there, a stop or DEADLINE; after a shortage only a moment. */
static cinch_status wait_for_client(const cinch_listener *listener, int shortage, int64_t deadline,
                                    cinch_error *err)
{
    struct pollfd polled[CINCH_ADDRESSES + 1];
    nfds_t count = 0;

    polled[count++] = (struct pollfd){.fd = listener->stop, .events = POLLIN};
    if (shortage) {
        /* The sockets are ready all the time now; to look at them would only heat the machine. */
        deadline = cinch_deadline_first(deadline, cinch_deadline_in(SHORTAGE_MS));
    } else {
        for (size_t i = 0; i < listener->count; i++)
            polled[count++] = (struct pollfd){.fd = listener->fds[i], .events = POLLIN};
    }
    /* Interrupted or not: the caller looks at everything again. */
    if (poll(polled, count, cinch_deadline_poll(deadline)) >= 0 || errno == EINTR)
        return CINCH_OK;
    int number = errno;
    cinch_fail(err, CINCH_CAUSE_SYSTEM, "waiting for a connection failed");
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

/* A stream for the client FD. A shortage of memory is waited out. NULL: FD is closed. */
static cinch_stream *greet(cinch_listener *listener, int fd, const char *address, int64_t deadline,
                           cinch_error *err)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (;;) {
        cinch_error local = CINCH_ERROR_INIT;
        cinch_stream *stream = make_stream(listener, fd, address, &local);

        if (stream != NULL)
            return stream;
        if (local.cause != CINCH_CAUSE_MEMORY || cinch_deadline_passed(deadline) ||
            atomic_load(&listener->stopped) ||
            wait_for_client(listener, 1, deadline, NULL) != CINCH_OK) {
            close(fd);
            (void)cinch_fail_keep(err, &local);
            return NULL;
        }
    }
}

cinch_status cinch_listener_accept_within(cinch_listener *listener, int milliseconds,
                                          cinch_stream **stream, cinch_error *err)
{
    char address[CINCH_ADDRESS_TEXT];

    if (stream != NULL)
        *stream = NULL;
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (listener == NULL)
        return cinch_fail_null(err, "listener");
    if (stream == NULL)
        return cinch_fail_null(err, "place for the stream");
    int64_t deadline = cinch_deadline_in(milliseconds);

    for (;;) {
        if (atomic_load(&listener->stopped))
            return CINCH_EOF;
        int fd = accept_one(listener, address);
        int number = errno;
        if (fd < 0 && kind_of(number) == SHORTAGE)
            cinch_listener_rest(listener, SHORTAGE_MS);
        else
            cinch_listener_rested(listener);
        if (fd >= 0) {
            *stream = greet(listener, fd, address, deadline, err);
            return *stream != NULL ? CINCH_OK : CINCH_FAILED;
        }
        if (kind_of(number) == BROKEN) {
            cinch_fail(err, CINCH_CAUSE_SYSTEM, "accepting a connection failed");
            cinch_fail_system(err, number);
            return CINCH_FAILED;
        }
        if (cinch_deadline_passed(deadline))
            return CINCH_TIMEOUT;
        cinch_status status = wait_for_client(listener, kind_of(number) == SHORTAGE, deadline, err);
        if (status != CINCH_OK)
            return status;
    }
}

cinch_stream *cinch_listener_accept(cinch_listener *listener, cinch_error *err)
{
    cinch_stream *stream = NULL;

    if (cinch_listener_accept_within(listener, CINCH_FOREVER, &stream, err) != CINCH_OK)
        return NULL;
    return stream;
}
