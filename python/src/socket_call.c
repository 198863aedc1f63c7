/* socket_call.c: a call on a connection, and how its bytes come and go: by socket or MemoryBIO. */
#include "socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- where bytes go ---- */

/* How many bytes the record on the way still wants; its head first. */
static size_t wanted(const socket_object *self)
{
    return self->body_left > 0 ? self->body_left : RECORD_HEAD - self->head_size;
}

/*
 * Whether the record on the way is data, and no close_notify, which is shorter (RFC 8446, 6.1). Then
 * another record follows, and its head may be taken with it: the body stays where select() sees it.
 */
static int is_data(const socket_object *self)
{
    return self->done && self->head[0] == SSL3_RT_APPLICATION_DATA && self->body_left > 64;
}

/* Keeps count: N bytes at BYTES have come, no more than were wanted and the head behind them. */
static void count_in(socket_object *self, const unsigned char *bytes, size_t n)
{
    size_t body = n < self->body_left ? n : self->body_left;

    self->body_left -= body;
    self->records += body > 0 && self->body_left == 0;
    bytes += body;
    n -= body;
    if (n == 0)
        return;
    memcpy(self->head + self->head_size, bytes, n);
    self->head_size += n;
    if (self->head_size == RECORD_HEAD) {
        self->body_left = (size_t)(self->head[3] << 8 | self->head[4]);
        self->head_size = 0;
    }
}

/* Up to the end of the record on the way, from the MemoryBIO. How many bytes. */
static size_t take_record(socket_object *self, unsigned char *space, size_t room)
{
    size_t size = 0, got;

    do {
        size_t most = room - size < wanted(self) ? room - size : wanted(self);

        got = memory_bio_take(self->incoming, space + size, most);
        count_in(self, space + size, got);
        size += got;
    } while (got > 0 && size < room && (self->body_left > 0 || self->head_size > 0));
    return size;
}

/*
 * Whether the next record in the MemoryBIO is all there and may be taken as well, since it can have nothing
 * behind it that a program would look for in the MemoryBIO: messages in clear before the handshake is over,
 * and after it data that fits into *SPARE bytes, and is no close_notify (RFC 8446, 6.1).
 */
static int may_follow(const socket_object *self, size_t *spare)
{
    unsigned char head[RECORD_HEAD];

    if (self->body_left > 0 || self->head_size > 0 ||
        memory_bio_peek(self->incoming, head, sizeof head) < sizeof head)
        return 0;
    size_t body = (size_t)(head[3] << 8 | head[4]);
    if (memory_bio_pending(self->incoming) < sizeof head + body)
        return 0;
    if (!self->done)
        return head[0] == SSL3_RT_HANDSHAKE || head[0] == SSL3_RT_CHANGE_CIPHER_SPEC;
    if (head[0] != SSL3_RT_APPLICATION_DATA || body <= 64 || body > *spare)
        return 0;
    *spare -= body;
    return 1;
}

/* As many records as there are, may be taken, and fit into ROOM; the last one may be taken in part. */
static size_t take_records(call *c, unsigned char *space, size_t room)
{
    socket_object *self = c->self;
    size_t first = self->body_left, size = take_record(self, space, room);
    size_t spare = c->spare, body = first > 0 ? first : size;

    spare -= body < spare ? body : spare;
    while (size > 0 && size < room && may_follow(self, &spare))
        size += take_record(self, space + size, room - size);
    return size;
}

/*
 * Records from the MemoryBIO, several at once, as handing over the GIL is dear. CINCH_OK if something
 * came, or the end did.
 */
static cinch_status take_from_memory(call *c)
{
    socket_object *self = c->self;
    void *space;
    size_t room, got;
    int ended;

    if (cinch_conn_recv_space(self->conn, &space, &room, &c->err) != CINCH_OK)
        return CINCH_FAILED;
    call_into_python(c);
    got = take_records(c, space, room);
    ended = got == 0 && memory_bio_at_end(self->incoming);
    call_out_of_python(c);
    if (got == 0)
        return ended ? cinch_conn_recv_end(self->conn, &c->err) : CINCH_WANT_READ;
    return cinch_conn_recv_commit(self->conn, got, &c->err);
}

/* The same from the socket; an error of the socket is kept for later. */
static cinch_status take_from_socket(call *c)
{
    socket_object *self = c->self;
    void *space;
    size_t room;
    ssize_t got;

    if (cinch_conn_recv_space(self->conn, &space, &room, &c->err) != CINCH_OK)
        return CINCH_FAILED;
    size_t most = wanted(self) + (is_data(self) ? RECORD_HEAD : 0);
    if (room > most)
        room = most;
    do
        got = recv(c->fd, space, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        count_in(self, space, (size_t)got);
        return cinch_conn_recv_commit(self->conn, (size_t)got, &c->err);
    }
    if (got == 0)
        return cinch_conn_recv_end(self->conn, &c->err);
    if (errno == EAGAIN)
        return CINCH_WANT_READ;
    c->broken = errno;
    return CINCH_FAILED;
}

/* Hands over what has to leave. CINCH_WANT_WRITE if the socket takes no more now. */
static cinch_status give(call *c)
{
    const void *bytes;
    size_t size;

    for (;;) {
        if (cinch_conn_send_bytes(c->self->conn, &bytes, &size, NULL) != CINCH_OK || size == 0)
            return CINCH_OK;
        ssize_t sent = (ssize_t)size;
        if (c->fd < 0) {
            call_into_python(c);
            int kept = memory_bio_put(c->self->outgoing, bytes, size);
            call_out_of_python(c);
            if (kept != 0) {
                c->interrupted = 1;
                return CINCH_FAILED;
            }
        } else {
            sent = send(c->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        if (sent >= 0) {
            cinch_status status = cinch_conn_send_consume(c->self->conn, (size_t)sent, &c->err);
            if (status != CINCH_OK)
                return status;
        } else if (errno == EAGAIN) {
            return CINCH_WANT_WRITE;
        } else if (errno != EINTR) {
            c->broken = errno;
            return CINCH_FAILED;
        }
    }
}

/* Waits until the socket is ready, or the time is over. The lock is given up meanwhile. */
static cinch_status wait_for(call *c, short events)
{
    struct pollfd p = {c->fd, events, 0};
    cinch_status status = CINCH_OK;
    int ready = -1;

    c->waiting = 1;
    (void)pthread_mutex_unlock(&c->self->lock);
    while (ready < 0) {
        int64_t left = c->deadline < 0 ? -1 : c->deadline - now_us();

        if (c->deadline >= 0 && left <= 0) {
            status = CINCH_TIMEOUT;
            break;
        }
        ready = poll(&p, 1,
                     left < 0            ? -1
                     : left > 3600000000 ? 3600000
                                         : (int)((left + 999) / 1000));
        if (ready == 0) {
            ready = -1;
        } else if (ready < 0 && errno == EINTR) {
            call_into_python(c);
            c->interrupted = PyErr_CheckSignals() != 0;
            call_out_of_python(c);
        } else if (ready < 0) {
            c->broken = errno;
        }
        if (c->interrupted || c->broken != 0) {
            status = CINCH_FAILED;
            break;
        }
    }
    (void)pthread_mutex_lock(&c->self->lock);
    c->waiting = 0;
    return status;
}

/* ---- a call, step by step ---- */

/* Brings what a step waits for. CINCH_OK: try again. */
static cinch_status fetch(call *c)
{
    cinch_status status = c->fd < 0 ? take_from_memory(c) : take_from_socket(c);

    if (status == CINCH_WANT_READ && c->waits)
        return wait_for(c, POLLIN);
    return status;
}

/* What has to leave does, before the call returns, if MUST; else as far as it goes. */
static cinch_status let_go(call *c, int must)
{
    cinch_status status = give(c);

    while (must && status == CINCH_WANT_WRITE && c->waits) {
        status = wait_for(c, POLLOUT);
        if (status == CINCH_OK)
            status = give(c);
    }
    return status;
}

/*
 * The peer is told by an alert why it failed. A socket that is closed with something unread in it sends a
 * reset, which may overtake the alert: so what is here already is read and forgotten.
 */
static void drain(const call *c)
{
    unsigned char scratch[4096];

    for (int i = 0; i < 16 && recv(c->fd, scratch, sizeof scratch, MSG_DONTWAIT) > 0; i++)
        ;
}

cinch_status call_run(call *c, call_step what, void *arg, int must)
{
    for (;;) {
        cinch_status status = what(c, arg);
        cinch_status left = let_go(c, must || status == CINCH_WANT_READ);
        int broken = c->broken;

        if (c->interrupted)
            return CINCH_FAILED;
        if (status == CINCH_FAILED && c->fd >= 0 && c->err.alert_sent != 0)
            drain(c);
        /* The peer may have said why it hung up: what it sent is looked at before the socket's error. */
        if (status == CINCH_WANT_READ && (left == CINCH_OK || broken != 0)) {
            c->broken = 0;
            status = fetch(c);
            if (status == CINCH_OK)
                continue;
            if (broken != 0 && status == CINCH_WANT_READ)
                status = CINCH_FAILED;
            if (c->broken == 0)
                c->broken = broken;
            return status;
        }
        if (status == CINCH_WANT_WRITE && left == CINCH_OK)
            continue;
        if (status == CINCH_OK && must && left != CINCH_OK)
            return left;
        return status == CINCH_WANT_READ ? left : status;
    }
}

/*
 * The first record's data is there; what has come as well saves the program calls, as long as it fits.
 * What goes wrong here is told by the next call: a connection that has failed says so again.
 */
void call_read_more(call *c, unsigned char *bytes, size_t size, size_t *n)
{
    cinch_status status = CINCH_OK;

    while (c->fd < 0 && status == CINCH_OK && *n < size && cinch_conn_pending(c->self->conn) > 0) {
        size_t part = 0;

        status = cinch_conn_read(c->self->conn, bytes + *n, size - *n, &part, NULL);
        *n += part;
    }
    while (c->fd >= 0 && status <= CINCH_WANT_READ && is_data(c->self) &&
           c->self->body_left <= size - *n) {
        unsigned complete = c->self->records;
        size_t left = c->self->body_left, part = 0;

        if (take_from_socket(c) != CINCH_OK)
            break;
        if (c->self->records == complete) {
            /* Nothing came: the transport has ended within the record, as the next call tells. */
            if (c->self->body_left == left)
                break;
            continue;
        }
        status = cinch_conn_read(c->self->conn, bytes + *n, size - *n, &part, NULL);
        *n += part;
    }
    c->broken = 0;
}

/* ---- a socket that broke ---- */

#define MOST_KEPT ((size_t)1 << 20)

static int keep(socket_object *self, const unsigned char *bytes, size_t n)
{
    unsigned char *more = PyMem_RawMalloc(self->kept_size + n);

    if (more == NULL || self->kept_size + n > MOST_KEPT) {
        PyMem_RawFree(more);
        return 0;
    }
    if (self->kept_size > 0)
        memcpy(more, self->kept, self->kept_size);
    memcpy(more + self->kept_size, bytes, n);
    if (self->kept != NULL)
        cinch_wipe(self->kept, self->kept_size);
    PyMem_RawFree(self->kept);
    self->kept = more;
    self->kept_size += n;
    return 1;
}

size_t call_take_kept(call *c, unsigned char *to, size_t size)
{
    socket_object *self = c->self;
    size_t n = self->kept_size < size ? self->kept_size : size;

    if (n == 0)
        return 0;
    memcpy(to, self->kept, n);
    memmove(self->kept, self->kept + n, self->kept_size - n);
    self->kept_size -= n;
    return n;
}

cinch_status call_last_words(call *c)
{
    unsigned char bytes[4096];
    cinch_status status = CINCH_WANT_READ;
    int broken = c->broken;

    if (c->fd < 0 || (broken != EPIPE && broken != ECONNRESET))
        return CINCH_FAILED;
    while (status == CINCH_OK || status == CINCH_WANT_READ) {
        size_t n = 0;

        status = cinch_conn_read(c->self->conn, bytes, sizeof bytes, &n, &c->err);
        if (status == CINCH_OK && !keep(c->self, bytes, n))
            break;
        if (status == CINCH_WANT_READ && take_from_socket(c) != CINCH_OK)
            break;
    }
    cinch_wipe(bytes, sizeof bytes);
    /* The end of the transport is no news. */
    if (c->err.alert_received == 0)
        cinch_error_clear(&c->err);
    c->broken = broken;
    return CINCH_FAILED;
}

/* ---- beginning and ending a call ---- */

/* The descriptor and timeout of the socket, as they are now. 0, or -1 with an exception set. */
static int look_at_socket(call *c, module_state *state, socket_object *self)
{
    c->fd = -1;
    c->deadline = -1;
    if (self->incoming != NULL)
        return 0;
    PyObject *sock = strong_reference(self->socket);
    if (sock == NULL) {
        (void)raise_plain(state->ssl_error, PYTHON_ERROR_INVALID,
                          "Underlying socket connection gone");
        return -1;
    }
    PyObject *fd = PyObject_CallMethod(sock, "fileno", NULL);
    PyObject *timeout = fd == NULL ? NULL : PyObject_CallMethod(sock, "gettimeout", NULL);
    Py_DECREF(sock);
    double seconds = -1;
    if (timeout != NULL) {
        c->fd = (int)PyLong_AsLong(fd);
        if (timeout != Py_None)
            seconds = PyFloat_AsDouble(timeout);
    }
    Py_XDECREF(fd);
    Py_XDECREF(timeout);
    if (PyErr_Occurred())
        return -1;
    if (c->fd < 0) {
        (void)raise_plain(state->ssl_error, PYTHON_ERROR_INVALID,
                          "Underlying socket has been closed.");
        return -1;
    }
    c->waits = seconds != 0;
    if (seconds > 0)
        c->deadline = now_us() + (int64_t)(seconds * 1e6);
    return 0;
}

/*
 * Whether this thread is inside of libssl with SELF already, in a callback: libssl cannot be entered twice.
 * A signal's handler that comes while the network is waited for is not inside.
 */
static int is_inside(const socket_object *self)
{
    const call *c = call_now();

    while (c != NULL && (c->self != self || c->waiting))
        c = c->outer;
    return c != NULL;
}

int call_open(call *c, PyObject *object)
{
    module_state *state = state_of_type(Py_TYPE(object));

    memset(c, 0, offsetof(call, err));
    cinch_error_clear(&c->err);
    if (is_inside(as_socket(object))) {
        (void)raise_plain(state->ssl_error, PYTHON_ERROR_SSL,
                          "a callback cannot use the connection that it is called for");
        return -1;
    }
    if (as_socket(object)->conn == NULL) {
        (void)raise_cinch(state, as_socket(object)->problem);
        return -1;
    }
    if (look_at_socket(c, state, as_socket(object)) != 0)
        return -1;
    Py_INCREF(object);
    as_socket(object)->used = 1;
    call_begin(c, state, as_socket(object));
    return 0;
}

cinch_status call_close(call *c, cinch_status status)
{
    call_end(c);
    Py_DECREF((PyObject *)c->self);
    if (c->raised[0] == NULL)
        return status;
    if (c->interrupted) {
        for (int i = 0; i < 3; i++)
            Py_XDECREF(c->raised[i]);
        return CINCH_FAILED;
    }
    PyErr_Restore(c->raised[0], c->raised[1], c->raised[2]);
    c->interrupted = 1;
    return CINCH_FAILED;
}

PyObject *call_raise(const call *c, cinch_status status, const char *what)
{
    if (c->interrupted)
        return NULL;
    if (status == CINCH_TIMEOUT)
        return PyErr_Format(PyExc_TimeoutError, "The %s operation timed out", what);
    if (status == CINCH_WANT_READ)
        return raise_plain(c->state->want_read_error, PYTHON_ERROR_WANT_READ,
                           "The operation did not complete (read)");
    if (status == CINCH_WANT_WRITE)
        return raise_plain(c->state->want_write_error, PYTHON_ERROR_WANT_WRITE,
                           "The operation did not complete (write)");
    if (c->broken != 0 && !cinch_error_is_set(&c->err)) {
        errno = c->broken;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return raise_cinch(c->state, &c->err);
}
