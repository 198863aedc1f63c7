/* socket.c: the type _SSLSocket, and what a call on one begins and ends with. */
#include "socket.h"

#include <openssl/err.h>

static _Thread_local call *innermost;
static int place = -1; /* of the object in its SSL; given out once per process */
static pthread_once_t place_once = PTHREAD_ONCE_INIT;

static void find_place(void)
{
    place = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

socket_object *socket_of(const SSL *ssl)
{
    return place < 0 ? NULL : SSL_get_ex_data(ssl, place);
}

/* ---- calls ---- */

void call_begin(call *c, module_state *state, socket_object *self)
{
    c->self = self;
    c->state = state;
    c->thread = PyEval_SaveThread();
    (void)pthread_mutex_lock(&self->lock);
    c->outer = innermost;
    innermost = c;
}

void call_end(call *c)
{
    innermost = c->outer;
    (void)pthread_mutex_unlock(&c->self->lock);
    PyEval_RestoreThread(c->thread);
}

call *call_now(void)
{
    return innermost;
}

void call_into_python(call *c)
{
    PyEval_RestoreThread(c->thread);
}

void call_out_of_python(call *c)
{
    c->thread = PyEval_SaveThread();
}

void socket_hold(socket_object *self)
{
    /* Who waits for it must not have the GIL, which who has it may want. */
    if (pthread_mutex_trylock(&self->lock) == 0)
        return;
    Py_BEGIN_ALLOW_THREADS;
    (void)pthread_mutex_lock(&self->lock);
    Py_END_ALLOW_THREADS;
}

void socket_let_go(socket_object *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* ---- messages, for those who look ---- */

/* In libssl's way of counting, the type of the message or of the alert. */
static int message_type(int type, const unsigned char *bytes, size_t size)
{
    switch (type) {
    case SSL3_RT_CHANGE_CIPHER_SPEC:
        return SSL3_MT_CHANGE_CIPHER_SPEC;
    case SSL3_RT_ALERT:
        return size >= 2 ? bytes[1] : -1;
    case SSL3_RT_HEADER:
    case SSL3_RT_HANDSHAKE:
    case SSL3_RT_INNER_CONTENT_TYPE:
        return size >= 1 ? bytes[0] : -1;
    default:
        return -1;
    }
}

static void show_message(int sent, int version, int type, const void *bytes, size_t size, void *arg)
{
    socket_object *self = arg;
    call *c = call_now();

    if (c == NULL || c->self != self)
        return;
    call_into_python(c);
    PyObject *callback = Py_XNewRef(self->message_callback), *owner = socket_owner_or_self(self);
    PyObject *result =
        callback == NULL
            ? Py_NewRef(Py_None)
            : PyObject_CallFunction(callback, "Osiiiy#", owner, sent ? "write" : "read", version,
                                    type, message_type(type, bytes, size), bytes, (Py_ssize_t)size);
    if (result == NULL && c->raised[0] == NULL)
        PyErr_Fetch(&c->raised[0], &c->raised[1], &c->raised[2]);
    else if (result == NULL)
        PyErr_WriteUnraisable(callback);
    Py_XDECREF(result);
    Py_DECREF(owner);
    Py_XDECREF(callback);
    call_out_of_python(c);
}

/* ---- making one ---- */

/* Makes the connection itself, with what the context says now. 0, or -1 with an exception set. */
static int connect_to(module_state *state, socket_object *self)
{
    PyObject *built = context_build(state, self->context, self->server_side);
    cinch_error err = CINCH_ERROR_INIT;
    const char *host = NULL;

    if (built == NULL)
        return -1;
    if (self->server_hostname != NULL && !self->server_side)
        host = PyUnicode_AsUTF8(self->server_hostname);
    cinch_conn *conn = cinch_conn_new(context_inside(built), host, &err);
    Py_DECREF(built);
    if (conn == NULL &&
        (err.cause == CINCH_CAUSE_NO_IDENTITY || err.cause == CINCH_CAUSE_NO_HOST_NAME)) {
        /* As in CPython it may be there. There is no handshake without a name to check, though. */
        if (self->problem == NULL)
            self->problem = PyMem_Malloc(sizeof err);
        if (self->problem == NULL)
            return PyErr_NoMemory() == NULL ? -1 : 0;
        *self->problem = err;
        cinch_conn_free(self->conn);
        self->conn = NULL;
        return 0;
    }
    if (conn == NULL) {
        (void)raise_cinch(state, &err);
        return -1;
    }
    cinch_conn_free(self->conn);
    self->conn = conn;
    if (SSL_set_ex_data(cinch_conn_openssl(conn), place, self) != 1) {
        (void)PyErr_NoMemory();
        return -1;
    }
    Py_XSETREF(self->message_callback, Py_XNewRef(self->context->message_callback));
    if (self->message_callback != NULL)
        (void)cinch_conn_messages(conn, show_message, self, &err);
    key_log_unref(self->log);
    self->log = self->context->log;
    if (self->log != NULL)
        (void)atomic_fetch_add(&self->log->references, 1);
    return 0;
}

static int check_sides(module_state *state, const context_object *context, int server_side)
{
    const char *text = NULL;

    if (context->protocol == PROTOCOL_TLS_CLIENT && server_side)
        text = "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context";
    else if (context->protocol == PROTOCOL_TLS_SERVER && !server_side)
        text = "Cannot create a client socket with a PROTOCOL_TLS_SERVER context";
    if (text == NULL)
        return 0;
    (void)raise_plain(state->ssl_error, PYTHON_ERROR_SSL, text);
    return -1;
}

/* The name as ssl.py hands it over, in ASCII. A new reference in *OUT, NULL for None. */
static int check_hostname(PyObject *given, PyObject **out)
{
    char *text = NULL;

    *out = NULL;
    if (given == Py_None)
        return 0;
    if (!PyArg_Parse(given, "es", "ascii", &text))
        return -1;
    if (text[0] == 0 || text[0] == '.')
        PyErr_SetString(PyExc_ValueError,
                        "server_hostname cannot be an empty string or start with a leading dot.");
    else
        *out = PyUnicode_FromString(text);
    PyMem_Free(text);
    return *out == NULL ? -1 : 0;
}

static int make_lock(socket_object *self)
{
    pthread_mutexattr_t kind;

    (void)pthread_once(&place_once, find_place);
    if (place < 0 || pthread_mutexattr_init(&kind) != 0)
        return -1;
    (void)pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    int result = pthread_mutex_init(&self->lock, &kind);
    (void)pthread_mutexattr_destroy(&kind);
    return result == 0 ? 0 : -1;
}

static int set_weak(PyObject **where, PyObject *value)
{
    if (value == NULL || value == Py_None)
        return 0;
    *where = PyWeakref_NewRef(value, NULL);
    return *where == NULL ? -1 : 0;
}

PyObject *socket_wrap(module_state *state, context_object *context, PyObject *sock,
                      PyObject *incoming, PyObject *outgoing, int server_side,
                      PyObject *server_hostname, PyObject *owner, PyObject *session)
{
    PyObject *hostname = NULL;

    if (check_sides(state, context, server_side) != 0 ||
        check_hostname(server_hostname, &hostname) != 0)
        return NULL;
    PyObject *object = state->socket_type->tp_alloc(state->socket_type, 0);
    if (object == NULL) {
        Py_XDECREF(hostname);
        return NULL;
    }
    socket_object *self = as_socket(object);
    self->server_hostname = hostname;
    self->server_side = server_side;
    if (make_lock(self) != 0) {
        /* Without a lock it cannot go the way of the others. */
        Py_CLEAR(self->server_hostname);
        PyObject_GC_UnTrack(object);
        PyObject_GC_Del(object);
        Py_DECREF(state->socket_type);
        return PyErr_NoMemory();
    }
    self->context = (context_object *)Py_NewRef((PyObject *)context);
    self->incoming = Py_XNewRef(incoming);
    self->outgoing = Py_XNewRef(outgoing);
    if (set_weak(&self->socket, sock) != 0 || set_weak(&self->owner, owner) != 0 ||
        connect_to(state, self) != 0 ||
        (session != NULL && session != Py_None && socket_set_session(object, session, NULL) != 0)) {
        Py_DECREF(object);
        return NULL;
    }
    return object;
}

/* ---- the type ---- */

static int socket_traverse(PyObject *object, visitproc visit, void *arg)
{
    socket_object *self = as_socket(object);

    Py_VISIT(self->context);
    Py_VISIT(self->incoming);
    Py_VISIT(self->outgoing);
    Py_VISIT(self->session);
    Py_VISIT(self->message_callback);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

/* What a connection cannot do without stays until it goes itself. */
static int socket_clear(PyObject *object)
{
    Py_CLEAR(as_socket(object)->message_callback);
    return 0;
}

static void socket_dealloc(PyObject *object)
{
    socket_object *self = as_socket(object);
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    if (self->conn != NULL)
        (void)SSL_set_ex_data(cinch_conn_openssl(self->conn), place, NULL);
    cinch_conn_free(self->conn);
    if (self->kept != NULL)
        cinch_wipe(self->kept, self->kept_size);
    PyMem_RawFree(self->kept);
    PyMem_Free(self->problem);
    key_log_unref(self->log);
    Py_CLEAR(self->context);
    Py_CLEAR(self->incoming);
    Py_CLEAR(self->outgoing);
    Py_CLEAR(self->socket);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->server_hostname);
    Py_CLEAR(self->session);
    Py_CLEAR(self->chosen);
    Py_CLEAR(self->message_callback);
    (void)pthread_mutex_destroy(&self->lock);
    type->tp_free(object);
    Py_DECREF(type);
}

PyObject *strong_reference(PyObject *weak)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *object = NULL;

    return weak != NULL && PyWeakref_GetRef(weak, &object) == 1 ? object : NULL;
#else
    PyObject *object = weak == NULL ? NULL : PyWeakref_GetObject(weak);

    return object == NULL || object == Py_None ? NULL : Py_NewRef(object);
#endif
}

PyObject *socket_owner_or_self(socket_object *self)
{
    PyObject *owner = strong_reference(self->owner);

    if (owner == NULL)
        owner = strong_reference(self->socket);
    return owner != NULL ? owner : Py_NewRef((PyObject *)self);
}

static PyObject *get_context(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef((PyObject *)as_socket(self)->context);
}

static int set_context(PyObject *object, PyObject *value, void *unused)
{
    socket_object *self = as_socket(object);
    module_state *state = state_of_type(Py_TYPE(object));

    (void)unused;
    if (value == NULL || !PyObject_TypeCheck(value, state->context_type)) {
        PyErr_SetString(PyExc_TypeError, "The value must be a SSLContext");
        return -1;
    }
    context_object *before = self->context;
    self->context = (context_object *)Py_NewRef(value);
    /* Before the handshake it is simply the one to begin with; later it is for the SNI callback. */
    int result = self->used || self->begun ? 0 : connect_to(state, self);
    if (result != 0) {
        Py_DECREF(self->context);
        self->context = before;
        return -1;
    }
    Py_DECREF(before);
    return 0;
}

static PyObject *get_server_side(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(as_socket(self)->server_side);
}

static PyObject *get_server_hostname(PyObject *self, void *unused)
{
    PyObject *name = as_socket(self)->server_hostname;

    (void)unused;
    return Py_NewRef(name == NULL ? Py_None : name);
}

static PyObject *get_owner(PyObject *self, void *unused)
{
    PyObject *owner = strong_reference(as_socket(self)->owner);

    (void)unused;
    return owner != NULL ? owner : Py_NewRef(Py_None);
}

static int set_owner(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    Py_CLEAR(as_socket(self)->owner);
    return set_weak(&as_socket(self)->owner, value);
}

static PyObject *get_session_reused(PyObject *self, void *unused)
{
    (void)unused;
    socket_hold(as_socket(self));
    const SSL *ssl = cinch_conn_openssl(as_socket(self)->conn);
    int reused = ssl != NULL && SSL_session_reused(ssl);
    socket_let_go(as_socket(self));
    return PyBool_FromLong(reused);
}

static PyGetSetDef attributes[] = {
    {"context", get_context, set_context, NULL, NULL},
    {"server_side", get_server_side, NULL, "Whether this is a server-side socket.", NULL},
    {"server_hostname", get_server_hostname, NULL, "The currently set server hostname", NULL},
    {"owner", get_owner, set_owner, "The Python-level owner of this object.", NULL},
    {"session", socket_get_session, socket_set_session, NULL, NULL},
    {"session_reused", get_session_reused, NULL, "Was the client session reused?", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef io_methods[] = {
    {"do_handshake", socket_do_handshake, METH_NOARGS, NULL},
    {"read", socket_read, METH_VARARGS, NULL},
    {"write", socket_write, METH_O, NULL},
    {"pending", socket_pending, METH_NOARGS, NULL},
    {"shutdown", socket_shutdown, METH_NOARGS, NULL},
    {"verify_client_post_handshake", socket_verify_client, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods[24];

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},          {Py_tp_getset, attributes},  {Py_tp_dealloc, socket_dealloc},
    {Py_tp_traverse, socket_traverse}, {Py_tp_clear, socket_clear}, {0, NULL},
};

static PyType_Spec spec = {
    .name = "_ssl._SSLSocket",
    .basicsize = sizeof(socket_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

static pthread_once_t methods_once = PTHREAD_ONCE_INIT;

static void gather_methods(void)
{
    size_t n = 0;

    for (const PyMethodDef *m = io_methods; m->ml_name != NULL; m++)
        methods[n++] = *m;
    for (const PyMethodDef *m = socket_info_methods; m->ml_name != NULL; m++)
        methods[n++] = *m;
}

int add_sockets(PyObject *module, module_state *state)
{
    (void)pthread_once(&methods_once, gather_methods);
    state->socket_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return state->socket_type == NULL ? -1 : PyModule_AddType(module, state->socket_type);
}
