/* context_ciphers.c: algorithms, as OpenSSL's lists have them, and application protocols. */
#include "context.h"

#include <openssl/err.h>

#define LONGEST_LIST 4000

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = PyMem_Malloc(size);

    if (copy == NULL)
        (void)PyErr_NoMemory();
    else
        memcpy(copy, text, size);
    return copy;
}

/* LIST without its words "@SECLEVEL=n", the last of which goes to *LEVEL. OUT has room for LIST. */
static void split_level(const char *list, char *out, int *level)
{
    static const char mark[] = "@SECLEVEL=";
    size_t at = 0;

    while (*list != 0) {
        size_t size = strcspn(list, ":, ");

        if (strncmp(list, mark, sizeof mark - 1) == 0 && size == sizeof mark) {
            *level = list[sizeof mark - 1] - '0';
        } else if (size > 0) {
            if (at > 0)
                out[at++] = ':';
            memcpy(out + at, list, size);
            at += size;
        }
        list += size;
        list += strspn(list, ":, ");
    }
    out[at] = 0;
}

/* Whether OpenSSL finds a suite in LIST. */
static int means_something(const char *list)
{
    SSL_CTX *scratch = SSL_CTX_new(TLS_method());
    int found = scratch != NULL && SSL_CTX_set_cipher_list(scratch, list) == 1;

    SSL_CTX_free(scratch);
    ERR_clear_error();
    return found;
}

/* Whether libcinch takes LIST, with everything else that SELF says. */
static int is_taken(context_object *self, char *list, int level, cinch_error *err)
{
    char *ciphers = self->ciphers;
    int raw = self->ciphers_raw, before = self->security_level;

    self->ciphers = list;
    self->ciphers_raw = 0;
    self->security_level = level;
    cinch_policy *policy = context_policy(self, err);
    cinch_policy_free(policy);
    self->ciphers = ciphers;
    self->ciphers_raw = raw;
    self->security_level = before;
    return policy != NULL;
}

PyObject *context_set_ciphers(context_object *self, PyObject *value)
{
    module_state *state = state_of_type(Py_TYPE(self));
    const char *list = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : NULL;
    cinch_error err = CINCH_ERROR_INIT;
    int level = self->security_level;
    char plain[LONGEST_LIST];

    if (list == NULL)
        return PyErr_Occurred()
                   ? NULL
                   : PyErr_Format(PyExc_TypeError, "set_ciphers() argument must be str, not %s",
                                  Py_TYPE(value)->tp_name);
    if (strlen(list) >= sizeof plain || !means_something(list))
        return raise_plain(state->ssl_error, PYTHON_ERROR_SSL, "No cipher can be selected.");
    split_level(list, plain, &level);
    char *copy = copy_text(plain[0] == 0 ? "DEFAULT" : plain);
    if (copy == NULL)
        return NULL;
    int taken = is_taken(self, copy, level, &err);
    /* OpenSSL makes something of it all the same: words of other versions, suites without a name. */
    self->ciphers_raw = !taken;
    if (!taken) {
        PyMem_Free(copy);
        copy = copy_text(list);
        if (copy == NULL)
            return NULL;
    }
    PyMem_Free(self->ciphers);
    self->ciphers = copy;
    self->security_level = level;
    context_changed(self);
    Py_RETURN_NONE;
}

PyObject *context_set_ecdh_curve(context_object *self, PyObject *name)
{
    cinch_error err = CINCH_ERROR_INIT;
    PyObject *hold = NULL;

    if (!PyUnicode_FSConverter(name, &hold))
        return NULL;
    cinch_policy *policy = cinch_policy_new(NULL, &err);
    cinch_status status = cinch_policy_curve(policy, PyBytes_AS_STRING(hold), &err);
    cinch_policy_free(policy);
    if (status != CINCH_OK) {
        PyErr_Format(PyExc_ValueError, "unknown elliptic curve name %R", name);
        Py_DECREF(hold);
        return NULL;
    }
    char *copy = copy_text(PyBytes_AS_STRING(hold));
    Py_DECREF(hold);
    if (copy == NULL)
        return NULL;
    PyMem_Free(self->curve);
    self->curve = copy;
    context_changed(self);
    Py_RETURN_NONE;
}

/* A list as on the wire: each name with its length in front, none empty. */
static int is_wire_list(const unsigned char *wire, Py_ssize_t size)
{
    for (Py_ssize_t at = 0; at < size; at += 1 + wire[at])
        if (wire[at] == 0 || at + 1 + wire[at] > size ||
            memchr(wire + at + 1, ',', wire[at]) != NULL ||
            memchr(wire + at + 1, 0, wire[at]) != NULL)
            return 0;
    return 1;
}

PyObject *context_set_alpn_protocols(context_object *self, PyObject *protocols)
{
    Py_buffer view;

    if (PyObject_GetBuffer(protocols, &view, PyBUF_SIMPLE) != 0)
        return NULL;
    if (view.len > 65535 || !is_wire_list(view.buf, view.len)) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError,
                        "a list of ALPN protocols has names of 1 to 255 bytes, without commas or "
                        "NUL bytes, each with its length in front");
        return NULL;
    }
    PyObject *copy = PyBytes_FromStringAndSize(view.buf, view.len);
    PyBuffer_Release(&view);
    if (copy == NULL)
        return NULL;
    Py_XSETREF(self->alpn, copy);
    context_changed(self);
    Py_RETURN_NONE;
}

/* ---- what libcinch's audit says ---- */

static PyObject *finding_dict(const cinch_audit_finding *f)
{
    return Py_BuildValue("{ssssssssssssss}", "id", f->id, "severity",
                         cinch_severity_name(f->severity), "what", f->what, "why", f->why, "since",
                         f->since, "source", f->source, "remedy", f->remedy);
}

PyObject *context_audit(context_object *self, PyObject *unused)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_error err = CINCH_ERROR_INIT;

    (void)unused;
    PyObject *built = context_build(state, self, self->protocol == PROTOCOL_TLS_SERVER);
    if (built == NULL)
        return NULL;
    cinch_audit *audit = cinch_context_audit(context_inside(built), &err);
    Py_DECREF(built);
    if (audit == NULL)
        return raise_cinch(state, &err);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < audit->count; i++) {
        PyObject *finding = finding_dict(&audit->findings[i]);

        if (finding == NULL || PyList_Append(list, finding) != 0)
            Py_CLEAR(list);
        Py_XDECREF(finding);
    }
    cinch_audit_free(audit);
    return list;
}
