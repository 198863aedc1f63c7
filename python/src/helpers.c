/* helpers.c: the functions of the module: random numbers, object identifiers, paths. */
#include "extension.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>

static PyObject *rand_status(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyBool_FromLong(RAND_status());
}

static PyObject *rand_add(PyObject *module, PyObject *args)
{
    Py_buffer view;
    double entropy;

    (void)module;
    if (!PyArg_ParseTuple(args, "s*d:RAND_add", &view, &entropy))
        return NULL;
    const char *bytes = view.buf;
    for (Py_ssize_t left = view.len, part; left > 0; left -= part, bytes += part) {
        part = left < INT_MAX ? left : INT_MAX;
        RAND_add(bytes, (int)part, entropy);
    }
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

static PyObject *random_bytes(PyObject *module, PyObject *number)
{
    cinch_error err = CINCH_ERROR_INIT;
    Py_ssize_t size = PyNumber_AsSsize_t(number, PyExc_OverflowError);
    PyObject *bytes;

    if (size == -1 && PyErr_Occurred() != NULL)
        return NULL;
    if (size < 0) {
        PyErr_SetString(PyExc_ValueError, "num must be positive");
        return NULL;
    }
    if (size > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "num is too large");
        return NULL;
    }
    bytes = PyBytes_FromStringAndSize(NULL, size);
    if (bytes == NULL)
        return NULL;
    if (cinch_random(PyBytes_AS_STRING(bytes), (size_t)size, &err) != CINCH_OK) {
        Py_DECREF(bytes);
        return raise_cinch(state_of_module(module), &err);
    }
    return bytes;
}

#if PY_VERSION_HEX < 0x030C0000
static PyObject *random_pseudo_bytes(PyObject *module, PyObject *number)
{
    PyObject *bytes;

    if (PyErr_WarnEx(PyExc_DeprecationWarning, "ssl.RAND_pseudo_bytes() is deprecated", 1) < 0)
        return NULL;
    bytes = random_bytes(module, number);
    return bytes == NULL ? NULL : Py_BuildValue("(NO)", bytes, Py_True);
}
#endif

/* The dotted form of OBJECT; None if it has none. */
static PyObject *dotted(module_state *state, const ASN1_OBJECT *object)
{
    int size = OBJ_obj2txt(NULL, 0, object, 1);
    PyObject *text;
    char *buf;

    if (size < 0)
        return raise_openssl(state);
    if (size == 0)
        Py_RETURN_NONE;
    buf = PyMem_Malloc((size_t)size + 1);
    if (buf == NULL)
        return PyErr_NoMemory();
    OBJ_obj2txt(buf, size + 1, object, 1);
    text = PyUnicode_FromStringAndSize(buf, size);
    PyMem_Free(buf);
    return text;
}

static PyObject *describe(module_state *state, const ASN1_OBJECT *object)
{
    int nid = OBJ_obj2nid(object);

    if (nid == NID_undef) {
        PyErr_SetString(PyExc_ValueError, "Unknown object");
        return NULL;
    }
    return Py_BuildValue("issN", nid, OBJ_nid2sn(nid), OBJ_nid2ln(nid), dotted(state, object));
}

static PyObject *txt2obj(PyObject *module, PyObject *args, PyObject *keywords)
{
    char *names[] = {"txt", "name", NULL};
    const char *text;
    int by_name = 0;
    ASN1_OBJECT *object;
    PyObject *result;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "s|p:txt2obj", names, &text, &by_name))
        return NULL;
    object = OBJ_txt2obj(text, by_name ? 0 : 1);
    ERR_clear_error();
    if (object == NULL) {
        PyErr_Format(PyExc_ValueError, "unknown object '%.100s'", text);
        return NULL;
    }
    result = describe(state_of_module(module), object);
    ASN1_OBJECT_free(object);
    return result;
}

static PyObject *nid2obj(PyObject *module, PyObject *args)
{
    int nid;
    ASN1_OBJECT *object;

    if (!PyArg_ParseTuple(args, "i:nid2obj", &nid))
        return NULL;
    if (nid < NID_undef) {
        PyErr_SetString(PyExc_ValueError, "NID must be positive.");
        return NULL;
    }
    object = OBJ_nid2obj(nid);
    ERR_clear_error();
    if (object == NULL) {
        PyErr_Format(PyExc_ValueError, "unknown NID %i", nid);
        return NULL;
    }
    return describe(state_of_module(module), object);
}

/* A file name that is not text in this locale is given as bytes. */
static PyObject *path_of(const char *path)
{
    PyObject *text = PyUnicode_DecodeFSDefault(path);

    if (text == NULL) {
        PyErr_Clear();
        text = PyBytes_FromString(path);
    }
    return text;
}

static PyObject *default_verify_paths(PyObject *module, PyObject *unused)
{
    cinch_verify_paths paths = cinch_verify_paths_default();

    (void)module, (void)unused;
    return Py_BuildValue("NNNN", path_of(paths.file_variable), path_of(paths.openssl_file),
                         path_of(paths.dir_variable), path_of(paths.openssl_dir));
}

/* A certificate has no password; OpenSSL would ask the terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

static PyObject *decode_file(module_state *state, const char *path)
{
    PyObject *result = NULL;
    unsigned char *der = NULL;
    X509 *x = NULL;
    int size = -1;
    BIO *file = BIO_new_file(path, "rb");

    if (file == NULL) {
        PyErr_SetString(state->ssl_error, "Can't open file");
        goto out;
    }
    x = PEM_read_bio_X509(file, NULL, no_password, NULL);
    if (x != NULL)
        size = i2d_X509(x, &der);
    if (size < 0)
        PyErr_SetString(state->ssl_error, "Error decoding PEM-encoded file");
    else
        result = certificate_dict(state, der, (size_t)size);
out:
    OPENSSL_free(der);
    X509_free(x);
    BIO_free(file);
    ERR_clear_error();
    return result;
}

static PyObject *test_decode_cert(PyObject *module, PyObject *given)
{
    PyObject *path, *result;

    if (!PyUnicode_FSConverter(given, &path))
        return NULL;
    result = decode_file(state_of_module(module), PyBytes_AS_STRING(path));
    Py_DECREF(path);
    return result;
}

#if PY_VERSION_HEX >= 0x030F0000
static PyObject *get_sigalgs(PyObject *module, PyObject *unused)
{
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
    char *all = SSL_get1_builtin_sigalgs(NULL);
    PyObject *text, *separator, *list = NULL;

    (void)unused;
    if (all == NULL)
        return raise_openssl(state_of_module(module));
    text = PyUnicode_FromString(all);
    separator = PyUnicode_FromString(":");
    if (text != NULL && separator != NULL)
        list = PyUnicode_Split(text, separator, -1);
    Py_XDECREF(separator);
    Py_XDECREF(text);
    OPENSSL_free(all);
    return list;
#else
    (void)module, (void)unused;
    PyErr_SetString(PyExc_NotImplementedError,
                    "Getting signature algorithms requires OpenSSL 3.4 or later.");
    return NULL;
#endif
}
#endif

static PyMethodDef functions[] = {
    {"_test_decode_cert", test_decode_cert, METH_O, "_test_decode_cert($module, path, /)\n--\n\n"},
    {"RAND_add", rand_add, METH_VARARGS,
     "RAND_add($module, string, entropy, /)\n--\n\n"
     "Mix string into the OpenSSL PRNG state.\n\n"
     "entropy (a float) is a lower bound on the entropy contained in\nstring.  See RFC 4086."},
    {"RAND_bytes", random_bytes, METH_O,
     "RAND_bytes($module, n, /)\n--\n\n"
     "Generate n cryptographically strong pseudo-random bytes."},
#if PY_VERSION_HEX < 0x030C0000
    {"RAND_pseudo_bytes", random_pseudo_bytes, METH_O,
     "RAND_pseudo_bytes($module, n, /)\n--\n\n"
     "Generate n pseudo-random bytes.\n\n"
     "Return a pair (bytes, is_cryptographic).  is_cryptographic is True\n"
     "if the bytes generated are cryptographically strong."},
#endif
    {"RAND_status", rand_status, METH_NOARGS,
     "RAND_status($module, /)\n--\n\n"
     "Returns True if the OpenSSL PRNG has been seeded with enough data and False if not."},
    {"get_default_verify_paths", default_verify_paths, METH_NOARGS,
     "get_default_verify_paths($module, /)\n--\n\n"
     "Return search paths and environment vars that are used by SSLContext's\n"
     "set_default_verify_paths() to load default CAs.\n\n"
     "The values are 'cert_file_env', 'cert_file', 'cert_dir_env', 'cert_dir'."},
    {"txt2obj", (PyCFunction)(void (*)(void))txt2obj, METH_VARARGS | METH_KEYWORDS,
     "txt2obj($module, /, txt, name=False)\n--\n\n"
     "Lookup NID, short name, long name and OID of an ASN1_OBJECT.\n\n"
     "By default objects are looked up by OID. With name=True short and\n"
     "long name are also matched."},
    {"nid2obj", nid2obj, METH_VARARGS,
     "nid2obj($module, nid, /)\n--\n\n"
     "Lookup NID, short name, long name and OID of an ASN1_OBJECT by NID."},
#if PY_VERSION_HEX >= 0x030F0000
    {"get_sigalgs", get_sigalgs, METH_NOARGS,
     "get_sigalgs($module, /)\n--\n\n"
     "Returns the names of all the signature algorithms that OpenSSL has."},
#endif
    {NULL, NULL, 0, NULL},
};

int add_helpers(PyObject *module, module_state *state)
{
    (void)state;
    return PyModule_AddFunctions(module, functions);
}
