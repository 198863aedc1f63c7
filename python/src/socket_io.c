/* socket_io.c: the handshake, data, and the end. */
#include "socket.h"

#include <openssl/err.h>

/* How much of a write is protected at a time: with MemoryBIOs the rest of the data waits in Python. */
#define WRITE_AT_ONCE ((size_t)64 * 1024)
/* On a non-blocking socket: what cannot leave has to be offered again, so not too much at a time. */
#define WRITE_UNWILLING ((size_t)16 * 1024)

/* ---- the handshake ---- */

static void count_handshake(socket_object *self)
{
    context_object *context = self->context;

    if (self->done)
        return;
    self->done = 1;
    if (!self->server_side) {
        context->connect_good++;
        return;
    }
    context->accept_good++;
    if (SSL_session_reused(cinch_conn_openssl(self->conn)) == 1)
        context->hits++;
}

static cinch_status handshake_step(call *c, void *arg)
{
    (void)arg;
    return cinch_conn_handshake(c->self->conn, &c->err);
}

/* Opens a call that begins the handshake if nothing has. */
static int open_call(call *c, PyObject *object)
{
    socket_object *self = as_socket(object);

    if (!self->begun && self->conn != NULL) {
        self->begun = 1;
        if (self->server_side)
            self->context->accept++;
        else
            self->context->connect++;
        socket_hold(self);
        session_offer(self);
        socket_let_go(self);
    }
    return call_open(c, object);
}

static void note_anchor(const call *c)
{
    unsigned char *der = NULL;

    socket_hold(c->self);
    STACK_OF(X509) *chain = SSL_get0_verified_chain(cinch_conn_openssl(c->self->conn));
    int count = sk_X509_num(chain);
    int size = count < 1 ? 0 : i2d_X509(sk_X509_value(chain, count - 1), &der);
    socket_let_go(c->self);
    if (size > 0)
        context_saw_anchor(c->self->context, der, (size_t)size);
    OPENSSL_free(der);
}

PyObject *socket_do_handshake(PyObject *object, PyObject *unused)
{
    call c;

    (void)unused;
    if (open_call(&c, object) != 0)
        return NULL;
    cinch_status status = call_run(&c, handshake_step, NULL, 1);
    status = call_close(&c, status);
    if (status != CINCH_OK)
        return call_raise(&c, status, "handshake");
    count_handshake(as_socket(object));
    note_anchor(&c);
    Py_RETURN_NONE;
}

/* ---- data ---- */

typedef struct span {
    unsigned char *bytes;
    size_t size;
    size_t n;
} span;

static cinch_status read_step(call *c, void *arg)
{
    span *s = arg;

    return cinch_conn_read(c->self->conn, s->bytes, s->size, &s->n, &c->err);
}

/* 0 with S->n set, to 0 if the peer alone has closed; -1 with an exception set. */
static int read_into(PyObject *object, span *s)
{
    call c;

    if (open_call(&c, object) != 0)
        return -1;
    c.spare = s->size;
    s->n = call_take_kept(&c, s->bytes, s->size);
    cinch_status status = s->n > 0 ? CINCH_OK : call_run(&c, read_step, s, 0);
    if (status == CINCH_OK)
        call_read_more(&c, s->bytes, s->size, &s->n);
    status = call_close(&c, status);
    if (status == CINCH_OK)
        count_handshake(as_socket(object));
    /* CPython's way: the peer's end reads as no data, and the end of both directions is an error. */
    if (status == CINCH_EOF &&
        cinch_conn_state_now(as_socket(object)->conn) == CINCH_STATE_CLOSED) {
        (void)raise_plain(c.state->zero_return_error, PYTHON_ERROR_ZERO_RETURN,
                          "TLS/SSL connection has been closed (EOF)");
        return -1;
    }
    if (status == CINCH_OK || status == CINCH_EOF)
        return 0;
    (void)call_raise(&c, status, "read");
    return -1;
}

/*
 * How much there can be to read, of SIZE asked for: frameworks ask for 256 KiB whatever there is, and often
 * there is nothing.
 */
static Py_ssize_t most_to_read(socket_object *self, Py_ssize_t size)
{
    size_t most = self->kept_size;

    if (self->incoming == NULL || size <= 64)
        return size;
    socket_hold(self);
    most += memory_bio_pending(self->incoming) + cinch_conn_pending(self->conn);
    /* What is here of a record that is not complete is inside of libssl. */
    if (self->body_left > 0)
        most += (size_t)(self->head[3] << 8 | self->head[4]);
    socket_let_go(self);
    if (most < 64)
        return 64;
    return most < (size_t)size ? (Py_ssize_t)most : size;
}

PyObject *socket_read(PyObject *object, PyObject *args)
{
    Py_ssize_t size;
    Py_buffer view = {0};
    span s = {NULL, 0, 0};
    PyObject *result;

    if (!PyArg_ParseTuple(args, "n|w*:read", &size, &view))
        return NULL;
    if (view.obj == NULL) {
        if (size < 0) {
            PyErr_SetString(PyExc_ValueError, "size should not be negative");
            return NULL;
        }
        size = most_to_read(as_socket(object), size);
        result = PyBytes_FromStringAndSize(NULL, size);
        if (result == NULL || size == 0)
            return result;
        s.bytes = (unsigned char *)PyBytes_AS_STRING(result);
        s.size = (size_t)size;
        if (read_into(object, &s) != 0)
            Py_CLEAR(result);
        else
            (void)_PyBytes_Resize(&result, (Py_ssize_t)s.n);
        return result;
    }
    if (size <= 0 || size > view.len)
        size = view.len;
    s.bytes = view.buf;
    s.size = (size_t)size;
    result = size > 0 && read_into(object, &s) != 0 ? NULL : PyLong_FromSize_t(s.n);
    PyBuffer_Release(&view);
    return result;
}

/*
 * What was protected before and could not leave has to go first, and counts as part of DATA, which is
 * then the same data once more: so libssl has it, and programs do it.
 */
static cinch_status write_step(call *c, void *arg)
{
    socket_object *self = c->self;
    span *s = arg;
    size_t part = 0;

    if (self->unsent > 0)
        return CINCH_OK;
    size_t most = c->waits || c->fd < 0 ? WRITE_AT_ONCE : WRITE_UNWILLING;
    cinch_status status = cinch_conn_write(
        self->conn, s->bytes + s->n, s->size - s->n < most ? s->size - s->n : most, &part, &c->err);
    self->unsent = part;
    return status;
}

/* All of S, or as much as the socket takes if that is something. */
static cinch_status write_all(call *c, span *s)
{
    cinch_status status = CINCH_OK;

    do {
        status = call_run(c, write_step, s, 1);
        if (status == CINCH_OK) {
            s->n += c->self->unsent < s->size - s->n ? c->self->unsent : s->size - s->n;
            c->self->unsent = 0;
        }
    } while (status == CINCH_OK && s->n < s->size);
    if (status == CINCH_FAILED && c->broken != 0 && !cinch_error_is_set(&c->err))
        status = call_last_words(c);
    return s->n > 0 && (status == CINCH_WANT_WRITE || status == CINCH_WANT_READ) ? CINCH_OK
                                                                                 : status;
}

PyObject *socket_write(PyObject *object, PyObject *data)
{
    cinch_status status = CINCH_OK;
    Py_buffer view;
    call c;

    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    if (open_call(&c, object) != 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    span s = {view.buf, (size_t)view.len, 0};
    int too_short = s.size < c.self->unsent; /* not the data that was offered before */
    if (!too_short && s.size > 0)
        status = write_all(&c, &s);
    status = call_close(&c, status);
    PyBuffer_Release(&view);
    if (too_short)
        return raise_named(c.state, "SSL", "BAD_LENGTH", "bad length", NULL);
    if (status != CINCH_OK)
        return call_raise(&c, status, "write");
    if (s.n > 0)
        count_handshake(as_socket(object));
    return PyLong_FromSize_t(s.n);
}

PyObject *socket_pending(PyObject *object, PyObject *unused)
{
    socket_object *self = as_socket(object);

    (void)unused;
    socket_hold(self);
    const SSL *ssl = cinch_conn_openssl(self->conn);
    size_t size = (ssl == NULL ? 0 : (size_t)SSL_pending(ssl)) + self->kept_size;
    socket_let_go(self);
    return PyLong_FromSize_t(size);
}

/* ---- the end ---- */

typedef struct farewell {
    unsigned char byte;
    size_t n;
} farewell;

/* Says close_notify and waits for the peer's. Data that comes instead was not read: an error. */
static cinch_status shutdown_step(call *c, void *arg)
{
    farewell *f = arg;
    cinch_status status = cinch_conn_close(c->self->conn, &c->err);

    if (status != CINCH_OK)
        return status;
    status = cinch_conn_read(c->self->conn, &f->byte, 1, &f->n, &c->err);
    return status == CINCH_EOF ? CINCH_OK : status == CINCH_OK ? CINCH_EOF : status;
}

PyObject *socket_shutdown(PyObject *object, PyObject *unused)
{
    socket_object *self = as_socket(object);
    farewell f = {0, 0};
    call c;

    (void)unused;
    if (!self->done && cinch_conn_state_now(self->conn) == CINCH_STATE_HANDSHAKING)
        return raise_named(state_of_type(Py_TYPE(object)), "SSL", "SHUTDOWN_WHILE_IN_INIT",
                           "shutdown while in init", NULL);
    if (call_open(&c, object) != 0)
        return NULL;
    cinch_status status = call_run(&c, shutdown_step, &f, 1);
    status = call_close(&c, status);
    if (status == CINCH_EOF)
        return raise_named(c.state, "SSL", "APPLICATION_DATA_AFTER_CLOSE_NOTIFY",
                           "application data after close notify", NULL);
    if (status != CINCH_OK)
        return call_raise(&c, status, c.err.category == CINCH_CATEGORY_NONE ? "read" : "write");
    self->closed = 1;
    PyObject *sock = strong_reference(self->socket);
    return sock != NULL ? sock : Py_NewRef(Py_None);
}

/* ---- a certificate asked for late ---- */

static cinch_status ask_step(call *c, void *arg)
{
    int *asked = arg;

    if (*asked)
        return CINCH_OK;
    *asked = 1;
    return cinch_conn_ask_certificate(c->self->conn, &c->err);
}

PyObject *socket_verify_client(PyObject *object, PyObject *unused)
{
    socket_object *self = as_socket(object);
    module_state *state = state_of_type(Py_TYPE(object));
    const SSL *ssl = cinch_conn_openssl(self->conn);
    int asked = 0;
    call c;

    (void)unused;
    if (!self->server_side)
        return raise_named(state, "SSL", "NOT_SERVER", "not server", NULL);
    if (self->done && SSL_version(ssl) < TLS1_3_VERSION)
        return raise_named(state, "SSL", "WRONG_SSL_VERSION", "wrong ssl version", NULL);
    if (call_open(&c, object) != 0)
        return NULL;
    cinch_status status = call_run(&c, ask_step, &asked, 1);
    status = call_close(&c, status);
    if (status == CINCH_FAILED && cinch_conn_state_now(self->conn) != CINCH_STATE_FAILED)
        return raise_named(state, "SSL", "EXTENSION_NOT_RECEIVED", "extension not received",
                           &c.err);
    if (status != CINCH_OK)
        return call_raise(&c, status, "write");
    Py_RETURN_NONE;
}
