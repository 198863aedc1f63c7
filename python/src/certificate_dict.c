/* certificate_dict.c: what getpeercert() tells, in the words that CPython's own module uses. */
#include "certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* As much of a name of an unusual kind as is shown. */
#define LINE 2048

/* BYTES of SIZE as text; NUL bytes are kept, so that "good.example\0.evil.example" shows. */
static PyObject *text_of(const ASN1_STRING *string)
{
    return PyUnicode_FromStringAndSize((const char *)ASN1_STRING_get0_data(string),
                                       ASN1_STRING_length(string));
}

/* ITEM is given away, and may be NULL with an exception set. 0, or -1. */
static int append(PyObject *list, PyObject *item)
{
    int result = item == NULL ? -1 : PyList_Append(list, item);

    Py_XDECREF(item);
    return result;
}

/* The same for an entry of a dictionary. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
    int result = value == NULL ? -1 : PyDict_SetItemString(dict, key, value);

    Py_XDECREF(value);
    return result;
}

/* LIST, which is given away, as a tuple; NULL stays NULL. */
static PyObject *tuple_of(PyObject *list)
{
    PyObject *tuple = list == NULL ? NULL : PyList_AsTuple(list);

    Py_XDECREF(list);
    return tuple;
}

/* The first line of what was printed to OUT. */
static PyObject *printed(module_state *state, BIO *out)
{
    char line[LINE];
    int size = BIO_gets(out, line, sizeof line - 1);

    if (size < 0)
        return raise_openssl(state);
    return PyUnicode_FromStringAndSize(line, size);
}

static PyObject *object_name(module_state *state, const ASN1_OBJECT *object)
{
    int size = OBJ_obj2txt(NULL, 0, object, 0);
    PyObject *name;
    char *buf;

    if (size < 0)
        return raise_openssl(state);
    buf = PyMem_Malloc((size_t)size + 1);
    if (buf == NULL)
        return PyErr_NoMemory();
    OBJ_obj2txt(buf, size + 1, object, 0);
    name = PyUnicode_FromStringAndSize(buf, size);
    PyMem_Free(buf);
    return name;
}

static PyObject *attribute(module_state *state, const X509_NAME_ENTRY *entry)
{
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    PyObject *name = object_name(state, X509_NAME_ENTRY_get_object(entry));
    unsigned char *text = NULL;
    PyObject *result;
    int size;

    if (name == NULL)
        return NULL;
    if (ASN1_STRING_type(value) == V_ASN1_BIT_STRING)
        return Py_BuildValue("(Ny#)", name, (const char *)ASN1_STRING_get0_data(value),
                             (Py_ssize_t)ASN1_STRING_length(value));
    size = ASN1_STRING_to_UTF8(&text, value);
    if (size < 0) {
        Py_DECREF(name);
        return raise_openssl(state);
    }
    result = Py_BuildValue("(Ns#)", name, (const char *)text, (Py_ssize_t)size);
    OPENSSL_free(text);
    return result;
}

/* A distinguished name: a tuple of relative names, each a tuple of attributes (RFC 5280, 4.1.2.4). */
static PyObject *distinguished_name(module_state *state, const X509_NAME *name)
{
    PyObject *all = PyList_New(0), *relative = NULL;
    int count = X509_NAME_entry_count(name), set = -1;

    if (all == NULL)
        return NULL;
    for (int i = 0; i < count; i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

        if (relative != NULL && X509_NAME_ENTRY_set(entry) != set) {
            if (append(all, tuple_of(relative)) < 0) {
                relative = NULL;
                goto failed;
            }
            relative = NULL;
        }
        set = X509_NAME_ENTRY_set(entry);
        if (relative == NULL)
            relative = PyList_New(0);
        if (relative == NULL || append(relative, attribute(state, entry)) < 0)
            goto failed;
    }
    if (relative != NULL && append(all, tuple_of(relative)) < 0) {
        relative = NULL;
        goto failed;
    }
    return tuple_of(all);
failed:
    Py_XDECREF(relative);
    Py_DECREF(all);
    return NULL;
}

static PyObject *address(const ASN1_OCTET_STRING *ip)
{
    const unsigned char *p = ASN1_STRING_get0_data(ip);
    char text[40];

    if (ASN1_STRING_length(ip) == 4)
        return PyUnicode_FromFormat("%d.%d.%d.%d", p[0], p[1], p[2], p[3]);
    if (ASN1_STRING_length(ip) != 16)
        return PyUnicode_FromString("<invalid>");
    (void)snprintf(text, sizeof text, "%X:%X:%X:%X:%X:%X:%X:%X", (unsigned)(p[0] << 8 | p[1]),
                   (unsigned)(p[2] << 8 | p[3]), (unsigned)(p[4] << 8 | p[5]),
                   (unsigned)(p[6] << 8 | p[7]), (unsigned)(p[8] << 8 | p[9]),
                   (unsigned)(p[10] << 8 | p[11]), (unsigned)(p[12] << 8 | p[13]),
                   (unsigned)(p[14] << 8 | p[15]));
    return PyUnicode_FromString(text);
}

static PyObject *registered_id(module_state *state, const ASN1_OBJECT *id)
{
    char text[LINE];
    int size = i2t_ASN1_OBJECT(text, sizeof text - 1, id);

    if (size < 0)
        return raise_openssl(state);
    if ((size_t)size >= sizeof text)
        return PyUnicode_FromString("<INVALID>");
    return PyUnicode_FromStringAndSize(text, size);
}

/* Names of all other kinds are told as OpenSSL prints them: "othername:<unsupported>". */
static PyObject *other_name(module_state *state, GENERAL_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    char line[LINE];
    const char *colon;
    int size;

    if (out == NULL)
        return PyErr_NoMemory();
    GENERAL_NAME_print(out, name);
    size = BIO_gets(out, line, sizeof line - 1);
    BIO_free(out);
    if (size < 0)
        return raise_openssl(state);
    colon = memchr(line, ':', (size_t)size);
    if (colon == NULL) {
        PyErr_Format(PyExc_ValueError, "Invalid value %.200s", line);
        return NULL;
    }
    return Py_BuildValue("(s#s#)", line, (Py_ssize_t)(colon - line), colon + 1,
                         (Py_ssize_t)(size - (colon + 1 - line)));
}

static PyObject *alternative_name(module_state *state, GENERAL_NAME *name)
{
    switch (name->type) {
    case GEN_DIRNAME:
        return Py_BuildValue("(sN)", "DirName", distinguished_name(state, name->d.dirn));
    case GEN_EMAIL:
        return Py_BuildValue("(sN)", "email", text_of(name->d.rfc822Name));
    case GEN_DNS:
        return Py_BuildValue("(sN)", "DNS", text_of(name->d.dNSName));
    case GEN_URI:
        return Py_BuildValue("(sN)", "URI", text_of(name->d.uniformResourceIdentifier));
    case GEN_RID:
        return Py_BuildValue("(sN)", "Registered ID", registered_id(state, name->d.rid));
    case GEN_IPADD:
        return Py_BuildValue("(sN)", "IP Address", address(name->d.iPAddress));
    default:
        return other_name(state, name);
    }
}

static int put_alternative_names(module_state *state, PyObject *dict, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    PyObject *list;

    if (names == NULL)
        return 0;
    list = PyList_New(0);
    for (int i = 0; list != NULL && i < sk_GENERAL_NAME_num(names); i++)
        if (append(list, alternative_name(state, sk_GENERAL_NAME_value(names, i))) < 0)
            Py_CLEAR(list);
    GENERAL_NAMES_free(names);
    return put(dict, "subjectAltName", tuple_of(list));
}

/* LIST, which is given away, is left out where it is empty. 0, or -1. */
static int put_unless_empty(PyObject *dict, const char *key, PyObject *list)
{
    if (list != NULL && PyList_GET_SIZE(list) == 0) {
        Py_DECREF(list);
        return 0;
    }
    return put(dict, key, tuple_of(list));
}

/* The addresses for METHOD in authorityInfoAccess (RFC 5280, 4.2.2.1). */
static int put_access(PyObject *dict, const char *key, const AUTHORITY_INFO_ACCESS *info,
                      int method)
{
    PyObject *list = PyList_New(0);

    for (int i = 0; list != NULL && i < sk_ACCESS_DESCRIPTION_num(info); i++) {
        const ACCESS_DESCRIPTION *access = sk_ACCESS_DESCRIPTION_value(info, i);

        if (OBJ_obj2nid(access->method) != method || access->location->type != GEN_URI)
            continue;
        if (append(list, text_of(access->location->d.uniformResourceIdentifier)) < 0)
            Py_CLEAR(list);
    }
    return put_unless_empty(dict, key, list);
}

static int put_accesses(PyObject *dict, const X509 *x)
{
    AUTHORITY_INFO_ACCESS *info = X509_get_ext_d2i(x, NID_info_access, NULL, NULL);
    int result = 0;

    if (info != NULL && (put_access(dict, "OCSP", info, NID_ad_OCSP) < 0 ||
                         put_access(dict, "caIssuers", info, NID_ad_ca_issuers) < 0))
        result = -1;
    AUTHORITY_INFO_ACCESS_free(info);
    return result;
}

/* A point without a name is left out (CVE-2019-5010), and so is one relative to its issuer. */
static int append_point(PyObject *list, const DIST_POINT *point)
{
    const GENERAL_NAMES *names;

    if (point->distpoint == NULL || point->distpoint->type != 0)
        return 0;
    names = point->distpoint->name.fullname;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_URI && append(list, text_of(name->d.uniformResourceIdentifier)) < 0)
            return -1;
    }
    return 0;
}

static int put_points(PyObject *dict, const X509 *x)
{
    CRL_DIST_POINTS *points = X509_get_ext_d2i(x, NID_crl_distribution_points, NULL, NULL);
    PyObject *list;

    if (points == NULL)
        return 0;
    list = PyList_New(0);
    for (int i = 0; list != NULL && i < sk_DIST_POINT_num(points); i++)
        if (append_point(list, sk_DIST_POINT_value(points, i)) < 0)
            Py_CLEAR(list);
    CRL_DIST_POINTS_free(points);
    return put_unless_empty(dict, "crlDistributionPoints", list);
}

static int put_printed(module_state *state, PyObject *dict, const X509 *x)
{
    BIO *out = BIO_new(BIO_s_mem());
    int result = -1;

    if (out == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    i2a_ASN1_INTEGER(out, X509_get0_serialNumber(x));
    if (put(dict, "serialNumber", printed(state, out)) < 0)
        goto out;
    (void)BIO_reset(out);
    ASN1_TIME_print(out, X509_get0_notBefore(x));
    if (put(dict, "notBefore", printed(state, out)) < 0)
        goto out;
    (void)BIO_reset(out);
    ASN1_TIME_print(out, X509_get0_notAfter(x));
    result = put(dict, "notAfter", printed(state, out));
out:
    BIO_free(out);
    return result;
}

PyObject *certificate_describe(module_state *state, const X509 *x)
{
    PyObject *dict = PyDict_New();

    if (dict == NULL)
        return NULL;
    if (put(dict, "subject", distinguished_name(state, X509_get_subject_name(x))) < 0 ||
        put(dict, "issuer", distinguished_name(state, X509_get_issuer_name(x))) < 0 ||
        put(dict, "version", PyLong_FromLong(X509_get_version(x) + 1)) < 0 ||
        put_printed(state, dict, x) < 0 || put_alternative_names(state, dict, x) < 0 ||
        put_accesses(dict, x) < 0 || put_points(dict, x) < 0)
        Py_CLEAR(dict);
    /* What an extension that cannot be read left behind. */
    ERR_clear_error();
    return dict;
}
