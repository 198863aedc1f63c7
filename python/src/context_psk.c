/*
 * context_psk.c: shared secrets, which a program's functions choose in the handshake. What they give is
 * taken as CPython takes it, short secrets as well; but where certificates are not checked, and a secret
 * is to prove the server, a client does not go on with a certificate instead.
 */
#include "context.h"
#include "socket.h"

/* ---- asking the program ---- */

/* TEXT of the peer for a callback; None if there is none. */
static PyObject *text_or_none(const char *text)
{
    return text == NULL || text[0] == 0 ? Py_NewRef(Py_None) : PyUnicode_FromString(text);
}

/* What CALLBACK says to TEXT; NULL with an exception set. */
static PyObject *ask(PyObject *callback, const char *text)
{
    PyObject *argument = text_or_none(text);
    PyObject *answer = argument == NULL ? NULL : PyObject_CallOneArg(callback, argument);

    Py_XDECREF(argument);
    return answer;
}

/* Copies SECRET into KEY. 0, with ValueError set, if it does not fit; an empty one means none. */
static size_t take_key(const Py_buffer *secret, unsigned char *key, size_t size)
{
    if ((size_t)secret->len > size) {
        (void)PyErr_Format(PyExc_ValueError, "psk too long (%zd > %zu)", secret->len, size);
        return 0;
    }
    memcpy(key, secret->buf, (size_t)secret->len);
    return (size_t)secret->len;
}

static size_t take_offer(PyObject *answer, char *identity, size_t identity_size, unsigned char *key,
                         size_t size)
{
    const char *name = NULL;
    Py_ssize_t name_size = 0;
    Py_buffer secret;
    size_t taken = 0;

    if (!PyArg_ParseTuple(answer, "z#y*:psk_client_callback", &name, &name_size, &secret))
        return 0;
    if (name_size >= (Py_ssize_t)identity_size) {
        (void)PyErr_Format(PyExc_ValueError, "identity too long (%zd > %zu)", name_size,
                           identity_size - 1);
    } else {
        if (name_size > 0)
            memcpy(identity, name, (size_t)name_size);
        identity[name_size] = 0;
        taken = take_key(&secret, key, size);
    }
    PyBuffer_Release(&secret);
    return taken;
}

static size_t offer(const char *hint, char *identity, size_t identity_size, unsigned char *key,
                    size_t size, void *arg)
{
    call *c = call_now();
    size_t taken = 0;

    (void)arg;
    if (c == NULL)
        return 0;
    call_into_python(c);
    PyObject *callback = Py_XNewRef(c->self->context->psk_client_callback);
    PyObject *answer = callback == NULL ? NULL : ask(callback, hint);
    if (answer != NULL && !PyTuple_Check(answer))
        PyErr_SetString(PyExc_TypeError, "psk_client_callback must return a tuple");
    else if (answer != NULL)
        taken = take_offer(answer, identity, identity_size, key, size);
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(callback);
    Py_XDECREF(answer);
    Py_XDECREF(callback);
    call_out_of_python(c);
    return taken;
}

static size_t look_up(const char *identity, unsigned char *key, size_t size, void *arg)
{
    call *c = call_now();
    size_t taken = 0;
    Py_buffer secret;

    (void)arg;
    if (c == NULL)
        return 0;
    call_into_python(c);
    PyObject *callback = Py_XNewRef(c->self->context->psk_server_callback);
    PyObject *answer = callback == NULL ? NULL : ask(callback, identity);
    if (answer != NULL && PyObject_GetBuffer(answer, &secret, PyBUF_SIMPLE) == 0) {
        taken = take_key(&secret, key, size);
        PyBuffer_Release(&secret);
    }
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(callback);
    Py_XDECREF(answer);
    Py_XDECREF(callback);
    call_out_of_python(c);
    return taken;
}

void context_apply_psk(const context_object *self, cinch_context *ctx, int server_side,
                       cinch_error *err)
{
    /* Without a certificate of its own a server has nothing else to go by. */
    if (server_side && self->psk_server_callback != NULL)
        (void)cinch_context_insecure_psk_lookup(ctx, look_up, NULL, self->identity_count > 0, err);
    if (!server_side && self->psk_client_callback != NULL)
        (void)cinch_context_insecure_psk_offer(ctx, offer, NULL, self->verify_mode != VERIFY_NONE,
                                               err);
}

/* ---- the methods ---- */

/* 1 if CALLBACK may be set on SELF, which is not for the side of WRONG; else 0 with an exception. */
static int may_set(const context_object *self, PyObject *callback, int wrong, const char *text)
{
    if (self->protocol == wrong) {
        (void)raise_plain(state_of_type(Py_TYPE(self))->ssl_error, PYTHON_ERROR_SSL, text);
        return 0;
    }
    if (callback == Py_None || PyCallable_Check(callback))
        return 1;
    PyErr_SetString(PyExc_TypeError, "callback must be callable");
    return 0;
}

PyObject *context_set_psk_client_callback(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"callback", NULL};
    PyObject *callback;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:set_psk_client_callback", names, &callback) ||
        !may_set(self, callback, PROTOCOL_TLS_SERVER,
                 "Cannot add PSK client callback to a PROTOCOL_TLS_SERVER context"))
        return NULL;
    Py_XSETREF(self->psk_client_callback, callback == Py_None ? NULL : Py_NewRef(callback));
    context_changed(self);
    Py_RETURN_NONE;
}

PyObject *context_set_psk_server_callback(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"callback", "identity_hint", NULL};
    const char *hint = NULL;
    PyObject *callback;
    char *copy = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|z:set_psk_server_callback", names, &callback,
                                     &hint) ||
        !may_set(self, callback, PROTOCOL_TLS_CLIENT,
                 "Cannot add PSK server callback to a PROTOCOL_TLS_CLIENT context"))
        return NULL;
    if (hint != NULL && strlen(hint) > PSK_MAX_IDENTITY_LEN)
        return PyErr_Format(PyExc_ValueError, "failed to set identity hint");
    if (hint != NULL) {
        copy = PyMem_Malloc(strlen(hint) + 1);
        if (copy == NULL)
            return PyErr_NoMemory();
        memcpy(copy, hint, strlen(hint) + 1);
    }
    PyMem_Free(self->psk_hint);
    self->psk_hint = copy;
    Py_XSETREF(self->psk_server_callback, callback == Py_None ? NULL : Py_NewRef(callback));
    context_changed(self);
    Py_RETURN_NONE;
}
