/* context_identity.c: who this side is: certificates with their keys, from files and memory. */
#include "context.h"

/* OpenSSL's limit for passwords, which programs know. */
#define LONGEST_PASSWORD 1024

/* ---- a password that is asked for when it is needed ---- */

typedef struct password {
    PyObject *given; /* text, bytes or a callable; NULL for none */
    int failed;      /* the callable raised something, or its answer is of no use */
    PyThreadState *thread;
} password;

/* Writes VALUE, text or bytes, to BUF. Its length, or -1 with an exception set. */
static int password_bytes(PyObject *value, char *buf, size_t size, const char *bad_type)
{
    const char *bytes = NULL;
    Py_ssize_t length = -1;

    if (PyUnicode_Check(value))
        bytes = PyUnicode_AsUTF8AndSize(value, &length);
    else if (PyBytes_Check(value)) {
        bytes = PyBytes_AS_STRING(value);
        length = PyBytes_GET_SIZE(value);
    } else if (PyByteArray_Check(value)) {
        bytes = PyByteArray_AS_STRING(value);
        length = PyByteArray_GET_SIZE(value);
    } else {
        PyErr_SetString(PyExc_TypeError, bad_type);
    }
    if (bytes == NULL)
        return -1;
    if (length > LONGEST_PASSWORD || (size_t)length > size) {
        PyErr_Format(PyExc_ValueError, "password cannot be longer than %d bytes", LONGEST_PASSWORD);
        return -1;
    }
    memcpy(buf, bytes, (size_t)length);
    return (int)length;
}

/* Called by libcinch in load_identity()'s thread, without the GIL, at most once. */
static int ask_password(char *buf, size_t size, const char *what, void *arg)
{
    password *p = arg;
    int length = -1;

    (void)what;
    PyEval_RestoreThread(p->thread);
    if (PyCallable_Check(p->given)) {
        PyObject *value = PyObject_CallNoArgs(p->given);

        if (value != NULL)
            length = password_bytes(value, buf, size, "password callback must return a string");
        Py_XDECREF(value);
    } else {
        length = password_bytes(p->given, buf, size, "password should be a string or callable");
    }
    p->failed = length < 0;
    p->thread = PyEval_SaveThread();
    return length;
}

/* ---- certificate chains ---- */

/* What OpenSSL says of each cause, as programs match it. */
static PyObject *raise_identity(module_state *state, const cinch_error *err)
{
    switch (err->cause) {
    case CINCH_CAUSE_KEY_MISMATCH:
        return raise_named(state, "X509", "KEY_VALUES_MISMATCH", "key values mismatch", err);
    case CINCH_CAUSE_FILE_UNREADABLE:
    case CINCH_CAUSE_MEMORY:
    case CINCH_CAUSE_WEAK_IDENTITY:
        return raise_cinch(state, err);
    default:
        return raise_named(state, "SSL", "PEM_LIB", "PEM lib", err);
    }
}

/* PEM in bytes, for which there would be no file of that name. */
static int is_pem(PyObject *value)
{
    return PyBytes_Check(value) && strstr(PyBytes_AS_STRING(value), "-----BEGIN ") != NULL;
}

/* Fills *PATH or *PEM with SIZE of VALUE; HOLD keeps it. 0, or -1 with an exception set. */
static int from_value(PyObject *value, const char *what, const char **path, const void **pem,
                      size_t *size, PyObject **hold)
{
    if (value == NULL || value == Py_None)
        return 0;
    if (is_pem(value)) {
        *pem = PyBytes_AS_STRING(value);
        *size = (size_t)PyBytes_GET_SIZE(value);
        return 0;
    }
    if (!PyUnicode_FSConverter(value, hold)) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "%s should be a valid filesystem path", what);
        return -1;
    }
    *path = PyBytes_AS_STRING(*hold);
    return 0;
}

static int keep_identity(context_object *self, cinch_identity *identity)
{
    const char *type = cinch_identity_certificate(identity, 0)->key_type;

    /* One for each kind of key: another of the same kind takes its place. */
    for (int i = 0; i < self->identity_count; i++)
        if (strcmp(cinch_identity_certificate(self->identities[i], 0)->key_type, type) == 0) {
            cinch_identity_free(self->identities[i]);
            memmove(self->identities + i, self->identities + i + 1,
                    (size_t)(self->identity_count - i - 1) * sizeof(cinch_identity *));
            self->identity_count--;
            break;
        }
    if (self->identity_count == MOST_IDENTITIES) {
        cinch_identity_free(identity);
        PyErr_Format(PyExc_ValueError, "more than %d kinds of key", MOST_IDENTITIES);
        return -1;
    }
    self->identities[self->identity_count++] = identity;
    context_changed(self);
    return 0;
}

/* Whether connections could be made with IDENTITY: too weak a key is refused now, not later. */
static int check_identity(module_state *state, const context_object *self, cinch_identity *identity)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *trial = cinch_context_server(&err);
    cinch_policy *policy = context_policy(self, &err);

    (void)cinch_context_policy(trial, policy, &err);
    (void)cinch_context_identity(trial, identity, &err);
    cinch_policy_free(policy);
    cinch_context_free(trial);
    if (err.cause != CINCH_CAUSE_WEAK_IDENTITY)
        return 0;
    (void)raise_cinch(state, &err);
    return -1;
}

static PyObject *load_identity(module_state *state, context_object *self,
                               cinch_identity_source *source, password *p)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity;

    p->thread = PyEval_SaveThread();
    identity = cinch_identity_load(source, &err);
    PyEval_RestoreThread(p->thread);
    if (p->failed) {
        cinch_identity_free(identity);
        return NULL;
    }
    if (identity == NULL)
        return raise_identity(state, &err);
    if (check_identity(state, self, identity) != 0) {
        cinch_identity_free(identity);
        return NULL;
    }
    if (keep_identity(self, identity) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *context_load_cert_chain(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"certfile", "keyfile", "password", NULL};
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *certfile, *keyfile = Py_None, *given = Py_None, *hold[2] = {NULL, NULL},
                        *result = NULL;
    cinch_identity_source source = {0};
    password p = {NULL, 0, NULL};

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:load_cert_chain", names, &certfile,
                                     &keyfile, &given))
        return NULL;
    if (given != Py_None) {
        if (!PyCallable_Check(given) && !PyUnicode_Check(given) && !PyBytes_Check(given) &&
            !PyByteArray_Check(given)) {
            PyErr_SetString(PyExc_TypeError, "password should be a string or callable");
            return NULL;
        }
        p.given = given;
        source.ask = ask_password;
        source.ask_arg = &p;
    }
    if (certfile == Py_None)
        PyErr_SetString(PyExc_TypeError, "certfile should be a valid filesystem path");
    else if (from_value(certfile, "certfile", &source.file, &source.pem, &source.pem_size,
                        &hold[0]) == 0 &&
             from_value(keyfile, "keyfile", &source.key_file, &source.key_pem, &source.key_pem_size,
                        &hold[1]) == 0)
        result = load_identity(state, self, &source, &p);
    Py_XDECREF(hold[0]);
    Py_XDECREF(hold[1]);
    return result;
}
