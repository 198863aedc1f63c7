/* context_callbacks.c: what an SSLContext calls back: for server names, messages and secrets. */
#include "context.h"
#include "socket.h"

#include <openssl/err.h>
#include <sys/stat.h>

/* ---- server names ---- */

static PyObject *get_sni_callback(PyObject *self, void *unused)
{
    PyObject *callback = as_context(self)->sni_callback;

    (void)unused;
    return Py_NewRef(callback == NULL ? Py_None : callback);
}

static int set_sni_callback(PyObject *object, PyObject *value, void *unused)
{
    context_object *self = as_context(object);

    (void)unused;
    if (self->protocol == PROTOCOL_TLS_CLIENT) {
        PyErr_SetString(PyExc_ValueError, "sni_callback cannot be set on TLS_CLIENT context");
        return -1;
    }
    if (value == NULL || (value != Py_None && !PyCallable_Check(value))) {
        PyErr_SetString(PyExc_TypeError, "not a callable object");
        return -1;
    }
    Py_XSETREF(self->sni_callback, value == Py_None ? NULL : Py_NewRef(value));
    context_changed(self);
    return 0;
}

/* The alert that an answer stands for; 0 for None, which goes on. */
static int alert_of(PyObject *answer, PyObject *callback)
{
    if (answer == NULL) {
        PyErr_WriteUnraisable(callback);
        return SSL_AD_HANDSHAKE_FAILURE;
    }
    if (answer == Py_None)
        return 0;
    long alert = PyLong_AsLong(answer);
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(callback);
        return SSL_AD_INTERNAL_ERROR;
    }
    return alert > 0 && alert < 256 ? (int)alert : SSL_AD_INTERNAL_ERROR;
}

/* Whether the object that a program knows SELF by is no longer there. */
static int owner_is_gone(const socket_object *self)
{
    PyObject *weak = self->owner != NULL ? self->owner : self->socket;
    PyObject *owner = strong_reference(weak);
    int gone = weak != NULL && owner == NULL;

    Py_XDECREF(owner);
    return gone;
}

/*
 * Asks the callback of the context that SELF began with. The context that it puts in place brings all
 * its rules with it: certificates, whether clients are asked for theirs, versions, sessions.
 */
static cinch_context *ask(module_state *state, socket_object *self, const char *name, int *refuse)
{
    context_object *first = (context_object *)Py_NewRef((PyObject *)self->context);
    PyObject *callback = first->sni_callback, *owner = socket_owner_or_self(self);
    PyObject *text = name[0] == 0 ? Py_NewRef(Py_None) : PyUnicode_FromString(name);

    Py_CLEAR(self->chosen);
    if (callback == NULL) {
        *refuse = 0;
    } else if (owner_is_gone(self)) {
        *refuse = SSL_AD_INTERNAL_ERROR;
    } else if (text == NULL || owner == NULL) {
        PyErr_WriteUnraisable(callback);
        *refuse = SSL_AD_INTERNAL_ERROR;
    } else {
        Py_INCREF(callback);
        PyObject *answer =
            PyObject_CallFunctionObjArgs(callback, owner, text, (PyObject *)first, NULL);
        *refuse = alert_of(answer, callback);
        Py_XDECREF(answer);
        Py_DECREF(callback);
    }
    if (*refuse == 0 && self->context != first) {
        self->chosen = context_build(state, self->context, 1);
        if (self->chosen == NULL) {
            PyErr_WriteUnraisable(first->sni_callback);
            *refuse = SSL_AD_INTERNAL_ERROR;
        }
    }
    Py_XDECREF(text);
    Py_XDECREF(owner);
    Py_DECREF(first);
    return self->chosen == NULL ? NULL : context_inside(self->chosen);
}

cinch_context *context_choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    call *c = call_now();
    cinch_context *chosen;

    (void)arg;
    if (c == NULL)
        return NULL;
    call_into_python(c);
    chosen = ask(c->state, c->self, hello->server_name, refuse);
    call_out_of_python(c);
    return chosen;
}

/* ---- messages ---- */

static PyObject *get_message_callback(PyObject *self, void *unused)
{
    PyObject *callback = as_context(self)->message_callback;

    (void)unused;
    return Py_NewRef(callback == NULL ? Py_None : callback);
}

static int set_message_callback(PyObject *object, PyObject *value, void *unused)
{
    context_object *self = as_context(object);

    (void)unused;
    if (value == NULL || (value != Py_None && !PyCallable_Check(value))) {
        PyErr_SetString(PyExc_TypeError, "not a callable object");
        return -1;
    }
    Py_XSETREF(self->message_callback, value == Py_None ? NULL : Py_NewRef(value));
    return 0;
}

/* ---- the secrets, for Wireshark ---- */

void key_log_unref(key_log *log)
{
    if (log == NULL || atomic_fetch_sub(&log->references, 1) != 1)
        return;
    (void)fclose(log->file);
    pthread_mutex_destroy(&log->lock);
    PyMem_RawFree(log);
}

/* NULL with OSError set. */
static key_log *key_log_open(const char *path)
{
    key_log *log = PyMem_RawCalloc(1, sizeof *log);
    struct stat what;

    if (log == NULL) {
        (void)PyErr_NoMemory();
        return NULL;
    }
    log->file = fopen(path, "a");
    if (log->file == NULL) {
        (void)PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
        PyMem_RawFree(log);
        return NULL;
    }
    atomic_init(&log->references, 1);
    (void)pthread_mutex_init(&log->lock, NULL);
    if (fstat(fileno(log->file), &what) == 0 && what.st_size == 0)
        (void)fputs("# TLS secrets log file, generated by OpenSSL / Python\n", log->file);
    (void)fflush(log->file);
    return log;
}

void context_key_log_line(const SSL *ssl, const char *line)
{
    socket_object *self = socket_of(ssl);
    key_log *log = self == NULL ? NULL : self->log;

    if (log == NULL)
        return;
    pthread_mutex_lock(&log->lock);
    (void)fprintf(log->file, "%s\n", line);
    (void)fflush(log->file);
    pthread_mutex_unlock(&log->lock);
}

static PyObject *get_key_log(PyObject *self, void *unused)
{
    PyObject *path = as_context(self)->key_log_path;

    (void)unused;
    return Py_NewRef(path == NULL ? Py_None : path);
}

static int set_key_log(PyObject *object, PyObject *value, void *unused)
{
    context_object *self = as_context(object);
    PyObject *hold = NULL;
    key_log *log = NULL;

    (void)unused;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
        return -1;
    }
    if (value != Py_None) {
        if (!PyUnicode_FSConverter(value, &hold))
            return -1;
        log = key_log_open(PyBytes_AS_STRING(hold));
        Py_DECREF(hold);
        if (log == NULL)
            return -1;
    }
    key_log_unref(self->log);
    self->log = log;
    Py_XSETREF(self->key_log_path, value == Py_None ? NULL : Py_NewRef(value));
    context_changed(self);
    return 0;
}

PyGetSetDef context_callback_attributes[] = {
    {"keylog_filename", get_key_log, set_key_log, NULL, NULL},
    {"_msg_callback", get_message_callback, set_message_callback, NULL, NULL},
    {"sni_callback", get_sni_callback, set_sni_callback,
     "Set a callback that will be called when a server name is provided by the client.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
