/* session.c: the type SSLSession, which a program keeps for a later connection. */
#include "socket.h"

typedef struct session_object {
    PyObject_HEAD context_object *context;
    cinch_session *session; /* of a client; NULL for one of a server, which can only be looked at */
    SSL_SESSION *ssl_session;
} session_object;

static session_object *as_session(PyObject *object)
{
    return (session_object *)object;
}

static void session_dealloc(PyObject *object)
{
    session_object *self = as_session(object);
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    Py_CLEAR(self->context);
    cinch_session_free(self->session);
    SSL_SESSION_free(self->ssl_session);
    type->tp_free(object);
    Py_DECREF(type);
}

static int session_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(as_session(object)->context);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int session_clear(PyObject *object)
{
    Py_CLEAR(as_session(object)->context);
    return 0;
}

static int same_id(const session_object *a, const session_object *b)
{
    unsigned a_size, b_size;
    const unsigned char *a_id = SSL_SESSION_get_id(a->ssl_session, &a_size),
                        *b_id = SSL_SESSION_get_id(b->ssl_session, &b_size);

    return a_size == b_size && memcmp(a_id, b_id, a_size) == 0;
}

static PyObject *session_compare(PyObject *left, PyObject *right, int op)
{
    if (Py_TYPE(left) != Py_TYPE(right) || (op != Py_EQ && op != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    int same = left == right || same_id(as_session(left), as_session(right));
    return PyBool_FromLong(op == Py_EQ ? same : !same);
}

static Py_hash_t session_hash(PyObject *object)
{
    unsigned size;
    const unsigned char *id = SSL_SESSION_get_id(as_session(object)->ssl_session, &size);
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)id, (Py_ssize_t)size);
    Py_hash_t hash = bytes == NULL ? -1 : PyObject_Hash(bytes);

    Py_XDECREF(bytes);
    return hash;
}

static PyObject *get_id(PyObject *self, void *unused)
{
    unsigned size;
    const unsigned char *id = SSL_SESSION_get_id(as_session(self)->ssl_session, &size);

    (void)unused;
    return PyBytes_FromStringAndSize((const char *)id, (Py_ssize_t)size);
}

static PyObject *get_time(PyObject *self, void *unused)
{
    (void)unused;
#if OPENSSL_VERSION_PREREQ(3, 3)
    return PyLong_FromLongLong(SSL_SESSION_get_time_ex(as_session(self)->ssl_session));
#else
    return PyLong_FromLong(SSL_SESSION_get_time(as_session(self)->ssl_session));
#endif
}

static PyObject *get_timeout(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(SSL_SESSION_get_timeout(as_session(self)->ssl_session));
}

static PyObject *get_hint(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(
        SSL_SESSION_get_ticket_lifetime_hint(as_session(self)->ssl_session));
}

static PyObject *get_has_ticket(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(SSL_SESSION_has_ticket(as_session(self)->ssl_session));
}

static PyGetSetDef attributes[] = {
    {"has_ticket", get_has_ticket, NULL, "Does the session contain a ticket?", NULL},
    {"id", get_id, NULL, "Session id", NULL},
    {"ticket_lifetime_hint", get_hint, NULL, "Ticket life time hint.", NULL},
    {"time", get_time, NULL, "Session creation time (seconds since epoch).", NULL},
    {"timeout", get_timeout, NULL, "Session timeout (delta in seconds).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_getset, attributes},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_traverse, session_traverse},
    {Py_tp_clear, session_clear},
    {Py_tp_richcompare, session_compare},
    {Py_tp_hash, session_hash},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "_ssl.SSLSession",
    .basicsize = sizeof(session_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int add_sessions(PyObject *module, module_state *state)
{
    state->session_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return state->session_type == NULL ? -1 : PyModule_AddType(module, state->session_type);
}

/* Takes SESSION over; SSL_SESSION is lent. */
static PyObject *make(module_state *state, socket_object *sock, cinch_session *session,
                      SSL_SESSION *ssl_session)
{
    PyObject *object = state->session_type->tp_alloc(state->session_type, 0);

    if (object == NULL) {
        cinch_session_free(session);
        return NULL;
    }
    as_session(object)->context = (context_object *)Py_NewRef((PyObject *)sock->context);
    as_session(object)->session = session;
    if (SSL_SESSION_up_ref(ssl_session) == 1)
        as_session(object)->ssl_session = ssl_session;
    if (as_session(object)->ssl_session != NULL)
        return object;
    Py_DECREF(object);
    return PyErr_NoMemory();
}

/* One that cannot be resumed, for looking at. */
static PyObject *look_at(module_state *state, socket_object *sock, SSL_SESSION *session)
{
    if (session == NULL)
        Py_RETURN_NONE;
    return make(state, sock, NULL, session);
}

static PyObject *get_session(module_state *state, socket_object *self)
{
    cinch_error err = CINCH_ERROR_INIT;

    const SSL *ssl = cinch_conn_openssl(self->conn);
    if (self->server_side)
        return look_at(state, self, SSL_get_session(ssl));
    cinch_session *fresh = cinch_conn_session(self->conn, &err);
    if (fresh != NULL)
        return make(state, self, fresh, cinch_session_openssl(fresh));
    if (cinch_error_is_set(&err))
        return raise_cinch(state, &err);
    /* Resumed, and the server gave no new one: the one that was used is still good. */
    if (self->session == NULL || SSL_session_reused(ssl) != 1)
        return look_at(state, self, SSL_get_session(ssl));
    const session_object *used = as_session(self->session);
    cinch_error_clear(&err);
    size_t size = 0;
    (void)cinch_session_export(used->session, NULL, 0, &size, &err);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL)
        return NULL;
    (void)cinch_session_export(used->session, PyBytes_AS_STRING(bytes), size, &size, &err);
    cinch_session *copy = cinch_session_import(PyBytes_AS_STRING(bytes), size, &err);
    cinch_wipe(PyBytes_AS_STRING(bytes), size);
    Py_DECREF(bytes);
    if (copy == NULL)
        return raise_cinch(state, &err);
    return make(state, self, copy, cinch_session_openssl(copy));
}

PyObject *socket_get_session(PyObject *object, void *unused)
{
    socket_object *self = as_socket(object);

    (void)unused;
    if (!self->done)
        Py_RETURN_NONE;
    socket_hold(self);
    PyObject *session = get_session(state_of_type(Py_TYPE(object)), self);
    socket_let_go(self);
    return session;
}

int socket_set_session(PyObject *object, PyObject *value, void *unused)
{
    module_state *state = state_of_type(Py_TYPE(object));
    socket_object *self = as_socket(object);
    const char *problem = NULL;

    (void)unused;
    if (value == NULL || Py_TYPE(value) != state->session_type) {
        PyErr_SetString(PyExc_TypeError, "Value is not a SSLSession.");
        return -1;
    }
    if (as_session(value)->context != self->context)
        problem = "Session refers to a different SSLContext.";
    else if (self->server_side)
        problem = "Cannot set session for server-side SSLSocket.";
    else if (self->done)
        problem = "Cannot set session after handshake.";
    if (problem != NULL) {
        PyErr_SetString(PyExc_ValueError, problem);
        return -1;
    }
    Py_XSETREF(self->session, Py_NewRef(value));
    return 0;
}

void session_offer(socket_object *self)
{
    /*
     * Made for another host, or before the context changed, it is not offered: a full handshake is
     * always right, and nobody gets a connection that was verified as somebody else's.
     */
    if (self->session != NULL && as_session(self->session)->session != NULL)
        (void)cinch_conn_resume(self->conn, as_session(self->session)->session, NULL);
}
