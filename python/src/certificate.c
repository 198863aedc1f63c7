/* certificate.c: Certificate, one of those in get_verified_chain() and get_unverified_chain(). */
#include "certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define FORMAT_PEM_AUX (X509_FILETYPE_PEM | 0x100)

typedef struct certificate {
    PyObject_HEAD X509 *x;
} certificate;

static X509 *x_of(PyObject *self)
{
    return ((certificate *)self)->x;
}

X509 *certificate_read(module_state *state, const unsigned char *der, size_t size)
{
    X509 *x = size > LONG_MAX ? NULL : d2i_X509(NULL, &der, (long)size);

    if (x == NULL)
        (void)raise_openssl(state);
    return x;
}

PyObject *certificate_new(module_state *state, const unsigned char *der, size_t size)
{
    PyObject *self = state->certificate_type->tp_alloc(state->certificate_type, 0);

    if (self == NULL)
        return NULL;
    ((certificate *)self)->x = certificate_read(state, der, size);
    if (x_of(self) == NULL)
        Py_CLEAR(self);
    return self;
}

PyObject *certificate_dict(module_state *state, const unsigned char *der, size_t size)
{
    X509 *x = certificate_read(state, der, size);
    PyObject *result;

    if (x == NULL)
        return NULL;
    result = certificate_describe(state, x);
    X509_free(x);
    return result;
}

static void certificate_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    X509_free(x_of(self));
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *public_bytes(PyObject *self, PyObject *args, PyObject *keywords)
{
    char *names[] = {"format", NULL};
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *result = NULL;
    int format = X509_FILETYPE_PEM, written = 0;
    const char *bytes;
    long size;
    BIO *out;

    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, keywords, "|i:public_bytes", names, &format))
        return NULL;
    out = BIO_new(BIO_s_mem());
    if (out == NULL) {
        ERR_clear_error();
        return PyErr_NoMemory();
    }
    switch (format) {
    case X509_FILETYPE_PEM:
        written = PEM_write_bio_X509(out, x_of(self));
        break;
    case FORMAT_PEM_AUX:
        written = PEM_write_bio_X509_AUX(out, x_of(self));
        break;
    case X509_FILETYPE_ASN1:
        written = i2d_X509_bio(out, x_of(self));
        break;
    default:
        PyErr_SetString(PyExc_ValueError, "Unsupported format");
        goto out;
    }
    if (written != 1) {
        (void)raise_openssl(state);
        goto out;
    }
    size = BIO_get_mem_data(out, &bytes);
    result = format == X509_FILETYPE_ASN1 ? PyBytes_FromStringAndSize(bytes, size)
                                          : PyUnicode_FromStringAndSize(bytes, size);
out:
    BIO_free(out);
    return result;
}

static PyObject *get_info(PyObject *self, PyObject *unused)
{
    module_state *state = state_of_type(Py_TYPE(self));

    (void)unused;
    return state == NULL ? NULL : certificate_describe(state, x_of(self));
}

static PyObject *certificate_repr(PyObject *self)
{
    module_state *state = state_of_type(Py_TYPE(self));
    BIO *out = state == NULL ? NULL : BIO_new(BIO_s_mem());
    PyObject *subject, *result;
    const char *text;
    long size;

    if (out == NULL)
        return state == NULL ? NULL : PyErr_NoMemory();
    if (X509_NAME_print_ex(out, X509_get_subject_name(x_of(self)), 0, XN_FLAG_RFC2253) < 0) {
        BIO_free(out);
        return raise_openssl(state);
    }
    size = BIO_get_mem_data(out, &text);
    subject = PyUnicode_DecodeUTF8(text, size, "replace");
    BIO_free(out);
    if (subject == NULL)
        return NULL;
    result = PyUnicode_FromFormat("<%s '%U'>", Py_TYPE(self)->tp_name, subject);
    Py_DECREF(subject);
    return result;
}

static Py_hash_t certificate_hash(PyObject *self)
{
    Py_hash_t hash = (Py_hash_t)X509_subject_name_hash(x_of(self));

    ERR_clear_error();
    return hash == -1 ? -2 : hash;
}

static PyObject *certificate_compare(PyObject *self, PyObject *other, int operation)
{
    int same;

    if (!Py_IS_TYPE(other, Py_TYPE(self)) || (operation != Py_EQ && operation != Py_NE))
        Py_RETURN_NOTIMPLEMENTED;
    same = X509_cmp(x_of(self), x_of(other)) == 0;
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static PyMethodDef certificate_methods[] = {
    {"public_bytes", (PyCFunction)(void (*)(void))public_bytes, METH_VARARGS | METH_KEYWORDS,
     "public_bytes($self, /, format=Encoding.PEM)\n--\n\n"},
    {"get_info", get_info, METH_NOARGS, "get_info($self, /)\n--\n\n"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot certificate_slots[] = {
    {Py_tp_dealloc, certificate_dealloc}, {Py_tp_repr, certificate_repr},
    {Py_tp_hash, certificate_hash},       {Py_tp_richcompare, certificate_compare},
    {Py_tp_methods, certificate_methods}, {0, NULL},
};

static PyType_Spec certificate_spec = {
    .name = "_ssl.Certificate",
    .basicsize = sizeof(certificate),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = certificate_slots,
};

int add_certificates(PyObject *module, module_state *state)
{
    state->certificate_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &certificate_spec, NULL);
    if (state->certificate_type == NULL)
        return -1;
    return PyModule_AddType(module, state->certificate_type);
}
