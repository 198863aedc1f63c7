/* context_attributes.c: the plain attributes of an SSLContext. */
#include "context.h"

static int refuse_delete(PyObject *value)
{
    if (value != NULL)
        return 0;
    PyErr_SetString(PyExc_AttributeError, "cannot delete attribute");
    return -1;
}

static PyObject *get_check_hostname(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(as_context(self)->check_hostname);
}

static int set_check_hostname(PyObject *object, PyObject *value, void *unused)
{
    context_object *self = as_context(object);

    (void)unused;
    if (refuse_delete(value) != 0)
        return -1;
    int on = PyObject_IsTrue(value);
    if (on < 0)
        return -1;
    /* Whoever wants the name checked wants the certificate checked. */
    if (on && self->verify_mode == VERIFY_NONE)
        self->verify_mode = VERIFY_REQUIRED;
    self->check_hostname = on;
    context_changed(self);
    return 0;
}

static PyObject *get_verify_mode(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->verify_mode);
}

static int set_verify_mode(PyObject *object, PyObject *value, void *unused)
{
    context_object *self = as_context(object);
    int mode;

    (void)unused;
    if (refuse_delete(value) != 0 || !PyArg_Parse(value, "i", &mode))
        return -1;
    if (mode < VERIFY_NONE || mode > VERIFY_REQUIRED) {
        PyErr_SetString(PyExc_ValueError, "invalid value for verify_mode");
        return -1;
    }
    if (mode == VERIFY_NONE && self->check_hostname) {
        PyErr_SetString(PyExc_ValueError,
                        "Cannot set verify_mode to CERT_NONE when check_hostname is enabled.");
        return -1;
    }
    self->verify_mode = mode;
    context_changed(self);
    return 0;
}

static PyObject *get_host_flags(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(as_context(self)->host_flags);
}

/* Kept for the programs that look: libcinch never takes the CN for a name, nor a partial wildcard. */
static int set_host_flags(PyObject *self, PyObject *value, void *unused)
{
    unsigned flags;

    (void)unused;
    if (refuse_delete(value) != 0 || !PyArg_Parse(value, "I", &flags))
        return -1;
    as_context(self)->host_flags = flags;
    return 0;
}

static PyObject *get_verify_flags(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(as_context(self)->verify_flags);
}

static int set_verify_flags(PyObject *self, PyObject *value, void *unused)
{
    unsigned long flags;

    (void)unused;
    if (refuse_delete(value) != 0 || !PyArg_Parse(value, "k", &flags))
        return -1;
    as_context(self)->verify_flags = flags;
    context_changed(as_context(self));
    return 0;
}

static PyObject *get_options(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(as_context(self)->options);
}

static int set_options(PyObject *object, PyObject *value, void *unused)
{
    static const uint64_t old = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 |
                                SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3;
    context_object *self = as_context(object);

    (void)unused;
    if (refuse_delete(value) != 0)
        return -1;
#if PY_VERSION_HEX >= 0x030C0000
    unsigned long long options = PyLong_AsUnsignedLongLong(value);
    if (options == (unsigned long long)-1 && PyErr_Occurred())
        return -1;
#else
    unsigned long long options = PyLong_AsUnsignedLongLongMask(value);
    if (options == (unsigned long long)-1 && PyErr_Occurred())
        return -1;
#endif
    if ((options & old & ~self->options) != 0 &&
        PyErr_WarnEx(PyExc_DeprecationWarning,
                     "ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated", 2) != 0)
        return -1;
    self->options = options;
    context_changed(self);
    return 0;
}

static PyObject *get_minimum_version(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->min_version);
}

static PyObject *get_maximum_version(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->max_version);
}

static const char *old_version(int version)
{
    switch (version) {
    case SSL3_VERSION:
        return "ssl.TLSVersion.SSLv3 is deprecated";
    case CINCH_TLS_1_0:
        return "ssl.TLSVersion.TLSv1 is deprecated";
    case CINCH_TLS_1_1:
        return "ssl.TLSVersion.TLSv1_1 is deprecated";
    default:
        return NULL;
    }
}

static int set_version(PyObject *object, PyObject *value, void *which)
{
    context_object *self = as_context(object);
    int is_minimum = which != NULL, version;

    if (refuse_delete(value) != 0 || !PyArg_Parse(value, "i", &version))
        return -1;
    if (self->protocol != PROTOCOL_TLS && self->protocol != PROTOCOL_TLS_CLIENT &&
        self->protocol != PROTOCOL_TLS_SERVER) {
        PyErr_SetString(PyExc_ValueError,
                        "The context's protocol doesn't support modification of highest and lowest "
                        "version.");
        return -1;
    }
    const char *old = old_version(version);
    if (old != NULL && PyErr_WarnEx(PyExc_DeprecationWarning, old, 2) != 0)
        return -1;
    if (version != VERSION_LOWEST && version != VERSION_HIGHEST &&
        (version < SSL3_VERSION || version > CINCH_TLS_1_3)) {
        PyErr_Format(PyExc_ValueError, "Unsupported TLS/SSL version 0x%x", version);
        return -1;
    }
    /* The other end of the range is a value as well. */
    if (is_minimum)
        self->min_version = version == VERSION_HIGHEST ? CINCH_TLS_1_3 : version;
    else
        self->max_version = version == VERSION_LOWEST ? CINCH_TLS_1_0 : version;
    context_changed(self);
    return 0;
}

static PyObject *get_num_tickets(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->num_tickets);
}

static int set_num_tickets(PyObject *self, PyObject *value, void *unused)
{
    long count;

    (void)unused;
    if (refuse_delete(value) != 0 || !PyArg_Parse(value, "l", &count))
        return -1;
    if (count < 0 || count > INT_MAX) {
        PyErr_SetString(PyExc_ValueError, "value must be non-negative");
        return -1;
    }
    if (as_context(self)->protocol != PROTOCOL_TLS_SERVER) {
        PyErr_SetString(PyExc_ValueError, "SSLContext is not a server context.");
        return -1;
    }
    as_context(self)->num_tickets = (int)count;
    context_changed(as_context(self));
    return 0;
}

static PyObject *get_post_handshake_auth(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(as_context(self)->post_handshake_auth);
}

static int set_post_handshake_auth(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    if (refuse_delete(value) != 0)
        return -1;
    int on = PyObject_IsTrue(value);
    if (on < 0)
        return -1;
    as_context(self)->post_handshake_auth = on;
    context_changed(as_context(self));
    return 0;
}

static PyObject *get_protocol(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->protocol);
}

static PyObject *get_security_level(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(as_context(self)->security_level);
}

static char minimum;

PyGetSetDef context_attributes[] = {
    {"check_hostname", get_check_hostname, set_check_hostname, NULL, NULL},
    {"_host_flags", get_host_flags, set_host_flags, NULL, NULL},
    {"minimum_version", get_minimum_version, set_version, NULL, &minimum},
    {"maximum_version", get_maximum_version, set_version, NULL, NULL},
    {"num_tickets", get_num_tickets, set_num_tickets,
     "Control the number of TLSv1.3 session tickets", NULL},
    {"options", get_options, set_options, NULL, NULL},
    {"post_handshake_auth", get_post_handshake_auth, set_post_handshake_auth, NULL, NULL},
    {"protocol", get_protocol, NULL, NULL, NULL},
    {"security_level", get_security_level, NULL, "The current security level", NULL},
    {"verify_flags", get_verify_flags, set_verify_flags, NULL, NULL},
    {"verify_mode", get_verify_mode, set_verify_mode, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
