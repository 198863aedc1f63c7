/* errors.c: the exceptions, and how a failure becomes one of them. */
#include "extension.h"
#include "reasons.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

/* Where CPython's own module names its file and the line. */
#define SOURCE "(_cinch.c)"

typedef struct failure {
    PyObject *kind; /* the exception to raise */
    int number;     /* its errno */
    unsigned long
        code; /* OpenSSL's, for the names and, without `words`, for the words; 0 for none */
    const char *library; /* names that win over those of `code`; NULL for none */
    const char *reason;
    const char *words;
    int verify_code;        /* X509_V_ERR_... */
    const cinch_error *err; /* what explains it, or NULL */
} failure;

static PyObject *string_of_error(PyObject *self)
{
    PyOSErrorObject *error = (PyOSErrorObject *)self;

    if (error->strerror != NULL && PyUnicode_Check(error->strerror))
        return Py_NewRef(error->strerror);
    return PyObject_Str(error->args);
}

static PyType_Slot error_slots[] = {
    {Py_tp_doc, "An error occurred in the SSL implementation."},
    {Py_tp_str, string_of_error},
    {0, NULL},
};

static PyType_Spec error_spec = {
    .name = "ssl.SSLError",
    .basicsize = sizeof(PyOSErrorObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = error_slots,
};

/* What an exception that libcinch did not explain has. */
static const char *const explaining[] = {
    "explanation", "evidence", "remedy", "cause", "alert_sent", "alert_received",
};

static int add_ssl_error(PyObject *module, module_state *state)
{
    state->ssl_error = PyType_FromModuleAndSpec(module, &error_spec, PyExc_OSError);
    if (state->ssl_error == NULL)
        return -1;
    /* The type is immutable for everybody else, as CPython's is. */
    PyObject *names = ((PyTypeObject *)state->ssl_error)->tp_dict;
    for (size_t i = 0; i < sizeof explaining / sizeof explaining[0]; i++)
        if (PyDict_SetItemString(names, explaining[i], Py_None) < 0)
            return -1;
    PyType_Modified((PyTypeObject *)state->ssl_error);
    return PyModule_AddObjectRef(module, "SSLError", state->ssl_error);
}

static int add_kind(PyObject *module, PyObject **kind, const char *name, const char *doc,
                    PyObject *bases)
{
    *kind = PyErr_NewExceptionWithDoc(name, doc, bases, NULL);
    if (*kind == NULL)
        return -1;
    return PyModule_AddObjectRef(module, strchr(name, '.') + 1, *kind);
}

int add_errors(PyObject *module, module_state *state)
{
    const struct {
        PyObject **kind;
        const char *name;
        const char *doc;
    } kinds[] = {
        {&state->zero_return_error, "ssl.SSLZeroReturnError", "SSL/TLS session closed cleanly."},
        {&state->want_read_error, "ssl.SSLWantReadError",
         "Non-blocking SSL socket needs to read more data\n"
         "before the requested operation can be completed."},
        {&state->want_write_error, "ssl.SSLWantWriteError",
         "Non-blocking SSL socket needs to write more data\n"
         "before the requested operation can be completed."},
        {&state->syscall_error, "ssl.SSLSyscallError",
         "System error when attempting SSL operation."},
        {&state->eof_error, "ssl.SSLEOFError", "SSL/TLS connection terminated abruptly."},
    };
    PyObject *bases;
    int result;

    if (add_ssl_error(module, state) < 0)
        return -1;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (add_kind(module, kinds[i].kind, kinds[i].name, kinds[i].doc, state->ssl_error) < 0)
            return -1;
    bases = PyTuple_Pack(2, state->ssl_error, PyExc_ValueError);
    if (bases == NULL)
        return -1;
    result = add_kind(module, &state->verification_error, "ssl.SSLCertVerificationError",
                      "A certificate could not be verified.", bases);
    Py_DECREF(bases);
    return result < 0 ? -1 : add_reasons(module, state);
}

/* What is between the quotation marks of a sentence of libcinch's; None if there are none. */
static PyObject *quoted_part(const char *text)
{
    const char *start = strchr(text, '"');
    const char *end = start == NULL ? NULL : strrchr(text, '"');

    if (start == end)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(start + 1, end - start - 1, "replace");
}

static PyObject *verify_message(const failure *f)
{
    const char *format = NULL;
    PyObject *host, *text = NULL;

    if (f->verify_code == X509_V_ERR_HOSTNAME_MISMATCH)
        format = "Hostname mismatch, certificate is not valid for '%S'.";
    else if (f->verify_code == X509_V_ERR_IP_ADDRESS_MISMATCH)
        format = "IP address mismatch, certificate is not valid for '%S'.";
    if (format == NULL || f->err == NULL)
        return PyUnicode_FromString(X509_verify_cert_error_string(f->verify_code));
    host = quoted_part(f->err->what);
    if (host != NULL)
        text = PyUnicode_FromFormat(format, host);
    Py_XDECREF(host);
    return text;
}

/* Appends a LABEL of nine characters and the lines of BYTES to *TEXT. 0, or -1. */
static int append_lines(PyObject **text, const char *label, const char *bytes)
{
    size_t size = strlen(bytes);

    while (size > 0 && bytes[size - 1] == '\n')
        size--;
    for (size_t length; size > 0; bytes += length, size -= length) {
        const char *end = memchr(bytes, '\n', size);
        size_t line = end == NULL ? size : (size_t)(end - bytes);
        PyObject *words = PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)line, "replace");
        PyObject *longer =
            words == NULL ? NULL : PyUnicode_FromFormat("%U\n%s%U", *text, label, words);

        Py_XDECREF(words);
        if (longer == NULL)
            return -1;
        Py_SETREF(*text, longer);
        label = "         ";
        length = end == NULL ? size : line + 1;
    }
    return 0;
}

static int is_explained(const cinch_error *err)
{
    return err != NULL && cinch_error_is_set(err) && err->what[0] != 0;
}

/* The explanation behind *TEXT, which is given away when it fails. 0, or -1. */
static int append_explanation(PyObject **text, const failure *f)
{
    const cinch_error *err = f->err;

    if ((f->words != err->what && append_lines(text, "what:    ", err->what) < 0) ||
        append_lines(text, "because: ", err->evidence) < 0 ||
        append_lines(text, "remedy:  ", err->remedy) < 0) {
        Py_CLEAR(*text);
        return -1;
    }
    return 0;
}

static PyObject *message_of(const failure *f, PyObject *library, PyObject *reason,
                            PyObject *verified)
{
    const char *words = f->words;
    PyObject *text;

    if (words == NULL && f->code != 0)
        words = ERR_reason_error_string(f->code);
    if (words == NULL)
        words = "unknown error";
    if (library == Py_None)
        text = PyUnicode_FromFormat("%s " SOURCE, words);
    else if (reason == Py_None)
        text = PyUnicode_FromFormat("[%S] %s " SOURCE, library, words);
    else if (verified == NULL)
        text = PyUnicode_FromFormat("[%S: %S] %s " SOURCE, library, reason, words);
    else
        text = PyUnicode_FromFormat("[%S: %S] %s: %S " SOURCE, library, reason, words, verified);
    if (text != NULL && is_explained(f->err) && append_explanation(&text, f) < 0)
        return NULL;
    return text;
}

/* VALUE is given away, and may be NULL with an exception set. */
static int set_attribute(PyObject *exception, const char *name, PyObject *value)
{
    int result = value == NULL ? -1 : PyObject_SetAttrString(exception, name, value);

    Py_XDECREF(value);
    return result;
}

static PyObject *text_or_none(const char *text)
{
    if (text[0] == 0)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *number_or_none(int number)
{
    if (number == 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(number);
}

static int set_explanation(PyObject *exception, const cinch_error *err)
{
    if (set_attribute(exception, "explanation", text_or_none(err->what)) < 0 ||
        set_attribute(exception, "evidence", text_or_none(err->evidence)) < 0 ||
        set_attribute(exception, "remedy", text_or_none(err->remedy)) < 0 ||
        set_attribute(exception, "cause", text_or_none(cinch_cause_name(err->cause))) < 0 ||
        set_attribute(exception, "alert_sent", number_or_none(err->alert_sent)) < 0 ||
        set_attribute(exception, "alert_received", number_or_none(err->alert_received)) < 0)
        return -1;
    return 0;
}

static int fill(PyObject *exception, const failure *f, PyObject *library, PyObject *reason,
                PyObject *verified)
{
    if (PyObject_SetAttrString(exception, "library", library) < 0 ||
        PyObject_SetAttrString(exception, "reason", reason) < 0)
        return -1;
    if (verified != NULL &&
        (set_attribute(exception, "verify_code", PyLong_FromLong(f->verify_code)) < 0 ||
         PyObject_SetAttrString(exception, "verify_message", verified) < 0))
        return -1;
    return is_explained(f->err) ? set_explanation(exception, f->err) : 0;
}

static PyObject *name_of(const char *name, unsigned long code, module_state *state,
                         PyObject *(*look_up)(module_state *, unsigned long))
{
    if (name != NULL)
        return PyUnicode_FromString(name);
    if (code != 0)
        return look_up(state, code);
    Py_RETURN_NONE;
}

static PyObject *raise_failure(module_state *state, const failure *f)
{
    PyObject *library = NULL, *reason = NULL, *verified = NULL, *text = NULL, *exception = NULL;
    int verifies = f->kind == state->verification_error;

    library = name_of(f->library, f->code, state, library_of_code);
    if (library != NULL)
        reason = name_of(f->reason, f->code, state, reason_of_code);
    if (reason != NULL && verifies)
        verified = verify_message(f);
    if (reason != NULL && (!verifies || verified != NULL))
        text = message_of(f, library, reason, verified);
    if (text != NULL)
        exception = PyObject_CallFunction(f->kind, "iO", f->number, text);
    if (exception != NULL && fill(exception, f, library, reason, verified) == 0)
        PyErr_SetObject(f->kind, exception);
    Py_XDECREF(exception);
    Py_XDECREF(text);
    Py_XDECREF(verified);
    Py_XDECREF(reason);
    Py_XDECREF(library);
    return NULL;
}

/*
 * EXCEPTION, which is given away, is not one of ssl's: programs know its text from the system. What
 * libcinch has to say about it is a note (PEP 678), which a traceback shows below.
 */
static PyObject *raise_with_note(PyObject *exception, const cinch_error *err)
{
    PyObject *note = NULL, *result = NULL;

    if (exception == NULL)
        return NULL;
    if (is_explained(err)) {
        note = PyUnicode_DecodeUTF8(err->what, (Py_ssize_t)strlen(err->what), "replace");
        if (note == NULL || append_lines(&note, "because: ", err->evidence) < 0 ||
            append_lines(&note, "remedy:  ", err->remedy) < 0 ||
            set_explanation(exception, err) < 0)
            goto out;
        result = PyObject_CallMethod(exception, "add_note", "O", note);
        if (result == NULL)
            goto out;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
out:
    Py_XDECREF(result);
    Py_XDECREF(note);
    Py_DECREF(exception);
    return NULL;
}

/* OSError makes the class that fits, FileNotFoundError and the like, of the number. */
static PyObject *raise_system(const cinch_error *err, int number)
{
    PyObject *path =
        err->category == CINCH_CATEGORY_FILE ? quoted_part(err->what) : Py_NewRef(Py_None);
    PyObject *exception = NULL;

    if (path == Py_None)
        exception = PyObject_CallFunction(PyExc_OSError, "is", number, strerror(number));
    else if (path != NULL)
        exception = PyObject_CallFunction(PyExc_OSError, "isO", number, strerror(number), path);
    Py_XDECREF(path);
    return raise_with_note(exception, err);
}

static PyObject *raise_verification(module_state *state, const cinch_error *err)
{
    const failure f = {
        .kind = state->verification_error,
        .number = PYTHON_ERROR_SSL,
        .code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_CERTIFICATE_VERIFY_FAILED),
        .verify_code = err->verify_code,
        .err = err,
    };

    return raise_failure(state, &f);
}

static PyObject *raise_end(module_state *state, const cinch_error *err)
{
    const failure f = {
        .kind = state->eof_error,
        .number = PYTHON_ERROR_EOF,
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
        .code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING),
#endif
        .words = "EOF occurred in violation of protocol",
        .err = err,
    };

    return raise_failure(state, &f);
}

static int is_verification(const cinch_error *err)
{
    return err->verify_code != 0 ||
           (ERR_GET_LIB(err->openssl_code) == ERR_LIB_SSL &&
            ERR_GET_REASON(err->openssl_code) == SSL_R_CERTIFICATE_VERIFY_FAILED);
}

static PyObject *raise_explained(module_state *state, const cinch_error *err)
{
    failure f = {
        .kind = state->ssl_error,
        .number = PYTHON_ERROR_SSL,
        .code = err->openssl_code,
        .words = err->openssl_code == 0 ? err->what : NULL,
        .err = err,
    };

    /* CPython gives OpenSSL's reason where no connection is involved. */
    if (err->openssl_code != 0 &&
        (err->category == CINCH_CATEGORY_FILE || err->category == CINCH_CATEGORY_USAGE))
        f.number = ERR_GET_REASON(err->openssl_code);
    return raise_failure(state, &f);
}

PyObject *raise_cinch(module_state *state, const cinch_error *err)
{
    switch (err->status) {
    case CINCH_WANT_READ:
        return raise_plain(state->want_read_error, PYTHON_ERROR_WANT_READ,
                           "The operation did not complete (read)");
    case CINCH_WANT_WRITE:
        return raise_plain(state->want_write_error, PYTHON_ERROR_WANT_WRITE,
                           "The operation did not complete (write)");
    case CINCH_EOF:
        return raise_plain(state->zero_return_error, PYTHON_ERROR_ZERO_RETURN,
                           "TLS/SSL connection has been closed (EOF)");
    case CINCH_TRUNCATED:
        return raise_end(state, err);
    case CINCH_TIMEOUT:
        return raise_with_note(PyObject_CallFunction(PyExc_TimeoutError, "s", err->what), err);
    case CINCH_OK:
    case CINCH_FAILED:
    case CINCH_WANT_SIGNATURE:
        break;
    }
    if (err->cause == CINCH_CAUSE_MEMORY)
        return PyErr_NoMemory();
    if (is_verification(err))
        return raise_verification(state, err);
    if (err->system_error != 0)
        return raise_system(err, err->system_error);
    if (err->cause == CINCH_CAUSE_RESET)
        return raise_system(err, ECONNRESET);
    if (err->cause == CINCH_CAUSE_CLOSED_IN_HANDSHAKE || err->cause == CINCH_CAUSE_TRUNCATED)
        return raise_end(state, err);
    return raise_explained(state, err);
}

PyObject *raise_named(module_state *state, const char *library, const char *name, const char *text,
                      const cinch_error *err)
{
    const failure f = {
        .kind = state->ssl_error,
        .number = ERR_GET_REASON(code_of_names(library, name)),
        .library = library,
        .reason = name,
        .words = text,
        .err = err,
    };

    return raise_failure(state, &f);
}

PyObject *raise_openssl(module_state *state)
{
    failure f = {.kind = state->ssl_error, .code = ERR_peek_last_error()};

    f.number = ERR_GET_REASON(f.code);
    /* The words are static, and outlive the queue. */
    ERR_clear_error();
    return f.number == ERR_R_MALLOC_FAILURE ? PyErr_NoMemory() : raise_failure(state, &f);
}

PyObject *raise_plain(PyObject *kind, int number, const char *text)
{
    PyObject *message = PyUnicode_FromFormat("%s " SOURCE, text);
    PyObject *exception = NULL;

    if (message != NULL)
        exception = PyObject_CallFunction(kind, "iO", number, message);
    if (exception != NULL && PyObject_SetAttrString(exception, "library", Py_None) == 0 &&
        PyObject_SetAttrString(exception, "reason", Py_None) == 0)
        PyErr_SetObject(kind, exception);
    Py_XDECREF(exception);
    Py_XDECREF(message);
    return NULL;
}
