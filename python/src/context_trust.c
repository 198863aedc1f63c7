/* context_trust.c: anchors, revocation lists and parameters, from files and memory. */
#include "context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

/* ---- anchors and revocation lists ---- */

void context_free_sources(context_object *self)
{
    for (size_t i = 0; i < self->source_count; i++)
        PyMem_Free(self->sources[i].bytes);
    PyMem_Free(self->sources);
    self->sources = NULL;
    self->source_count = 0;
}

static void apply_source(const named_source *s, cinch_context *ctx, int *has_crls, cinch_error *err)
{
    switch (s->kind) {
    case SOURCE_SYSTEM:
        (void)cinch_context_trust_system(ctx, err);
        break;
    case SOURCE_FILE:
        (void)cinch_context_trust_file(ctx, s->bytes, err);
        break;
    case SOURCE_DIR:
        (void)cinch_context_trust_dir(ctx, s->bytes, err);
        break;
    case SOURCE_PEM:
        (void)cinch_context_trust_pem(ctx, s->bytes, s->size, err);
        break;
    case SOURCE_CRL:
        *has_crls = 1;
        (void)cinch_context_crl_pem(ctx, s->bytes, s->size, err);
        break;
    }
}

cinch_status context_apply_sources(const context_object *self, cinch_context *ctx, int *has_crls,
                                   cinch_error *err)
{
    (void)cinch_context_trust_nobody(ctx, err);
    for (size_t i = 0; i < self->source_count; i++)
        apply_source(&self->sources[i], ctx, has_crls, err);
    return cinch_error_is_set(err) ? CINCH_FAILED : CINCH_OK;
}

static cinch_status out_of_memory(cinch_error *err)
{
    *err = (cinch_error){
        .status = CINCH_FAILED, .category = CINCH_CATEGORY_MEMORY, .cause = CINCH_CAUSE_MEMORY};
    return CINCH_FAILED;
}

/* Keeps SOURCE, which is taken over. The GIL is held all the time: other threads may add theirs. */
static cinch_status keep_source(context_object *self, const named_source *source, cinch_error *err)
{
    named_source *more = PyMem_Realloc(self->sources, (self->source_count + 1) * sizeof *more);

    if (more == NULL)
        return out_of_memory(err);
    self->sources = more;
    self->sources[self->source_count++] = *source;
    context_changed(self);
    return CINCH_OK;
}

/* Tries the source with the others, and keeps it if it is good. CINCH_OK, or ERR says why not. */
static cinch_status add_source(context_object *self, source_kind kind, const void *bytes,
                               size_t size, cinch_error *err)
{
    int has_crls = 0;

    if (self->trust == NULL) {
        self->trust = cinch_context_client(err);
        (void)cinch_context_trust_nobody(self->trust, err);
    }
    named_source fresh = {kind, PyMem_Malloc(size + 1), size};
    if (fresh.bytes == NULL)
        return out_of_memory(err);
    memcpy(fresh.bytes, bytes, size);
    fresh.bytes[size] = 0;
    Py_BEGIN_ALLOW_THREADS;
    apply_source(&fresh, self->trust, &has_crls, err);
    Py_END_ALLOW_THREADS;
    if (!cinch_error_is_set(err) && keep_source(self, &fresh, err) == CINCH_OK)
        return CINCH_OK;
    PyMem_Free(fresh.bytes);
    return CINCH_FAILED;
}

/*
 * The blocks of PEM that count, as OpenSSL has it: whatever else is in the file (a key, a request) is
 * passed over. A damaged one is an error. How many, or -1 with nothing added.
 */
static int add_blocks(context_object *self, const char *bytes, size_t size, cinch_error *err)
{
    BIO *in = BIO_new_mem_buf(bytes, (int)size), *certificates = BIO_new(BIO_s_mem()),
        *lists = BIO_new(BIO_s_mem());
    STACK_OF(X509_INFO) *all = in == NULL ? NULL : PEM_X509_INFO_read_bio(in, NULL, NULL, NULL);
    int count = 0, ok = all != NULL && certificates != NULL && lists != NULL;
    char *text;

    for (int i = 0; ok && i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *info = sk_X509_INFO_value(all, i);

        if (info->x509 != NULL) {
            ok = PEM_write_bio_X509(certificates, info->x509) == 1;
            count++;
        }
        if (info->crl != NULL) {
            ok = ok && PEM_write_bio_X509_CRL(lists, info->crl) == 1;
            count++;
        }
    }
    long length = ok ? BIO_get_mem_data(certificates, &text) : 0;
    if (length > 0 && add_source(self, SOURCE_PEM, text, (size_t)length, err) != CINCH_OK)
        ok = 0;
    length = ok ? BIO_get_mem_data(lists, &text) : 0;
    if (length > 0 && add_source(self, SOURCE_CRL, text, (size_t)length, err) != CINCH_OK)
        ok = 0;
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(in);
    BIO_free(certificates);
    BIO_free(lists);
    ERR_clear_error();
    return ok ? count : -1;
}

/* The content of a file, as new bytes. NULL with OSError set. */
static PyObject *read_file(const char *path)
{
    PyObject *bytes = NULL;
    FILE *file = fopen(path, "rb");
    struct stat state;

    if (file == NULL || fstat(fileno(file), &state) != 0) {
        (void)PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    } else {
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)state.st_size);
        size_t got =
            bytes == NULL ? 0 : fread(PyBytes_AS_STRING(bytes), 1, (size_t)state.st_size, file);
        if (bytes != NULL && ferror(file)) {
            (void)PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
            Py_CLEAR(bytes);
        } else if (bytes != NULL && got < (size_t)state.st_size) {
            (void)_PyBytes_Resize(&bytes, (Py_ssize_t)got);
        }
    }
    if (file != NULL)
        (void)fclose(file);
    return bytes;
}

static int load_file(module_state *state, context_object *self, const char *path)
{
    cinch_error err = CINCH_ERROR_INIT, again = CINCH_ERROR_INIT;
    int count = -1;

    /* As it is, it is indexed and not parsed, shared, and read again when it changes. */
    if (add_source(self, SOURCE_FILE, path, strlen(path), &err) == CINCH_OK)
        return 0;
    PyObject *bytes = read_file(path);
    if (bytes == NULL)
        return -1;
    if (err.cause == CINCH_CAUSE_KEY_WHERE_CERTIFICATE || err.cause == CINCH_CAUSE_NOT_PEM ||
        err.cause == CINCH_CAUSE_NO_CERTIFICATE || err.cause == CINCH_CAUSE_BAD_CERTIFICATE)
        count = add_blocks(self, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), &again);
    Py_DECREF(bytes);
    if (count > 0)
        return 0;
    (void)raise_named(state, "X509", "PEM_LIB", "PEM lib",
                      cinch_error_is_set(&again) ? &again : &err);
    return -1;
}

/* A directory is looked into when a chain needs it: one that is empty, or not there yet, is fine. */
static int load_dir(context_object *self, const char *path)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)add_source(self, SOURCE_DIR, path, strlen(path), &err);
    return 0;
}

static PyObject *raise_no_data(module_state *state, int is_pem, const cinch_error *err)
{
    return is_pem ? raise_named(state, "PEM", "NO_START_LINE",
                                "no start line: cadata does not contain a certificate", err)
                  : raise_named(state, "ASN1", "NOT_ENOUGH_DATA",
                                "not enough data: cadata does not contain a certificate", err);
}

static int load_data(module_state *state, context_object *self, PyObject *data)
{
    cinch_error err = CINCH_ERROR_INIT;
    Py_buffer view;
    int result = -1;

    if (PyUnicode_Check(data)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(data, &size);

        if (text == NULL || !PyUnicode_IS_ASCII(data)) {
            PyErr_SetString(PyExc_TypeError,
                            "cadata should be an ASCII string or a bytes-like object");
            return -1;
        }
        if (size == 0) {
            PyErr_SetString(PyExc_ValueError, "Empty certificate data");
            return -1;
        }
        if (add_blocks(self, text, (size_t)size, &err) > 0)
            return 0;
        (void)raise_no_data(state, 1, &err);
        return -1;
    }
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) != 0) {
        PyErr_SetString(PyExc_TypeError, "cadata should be an ASCII string or a bytes-like object");
        return -1;
    }
    if (view.len == 0)
        PyErr_SetString(PyExc_ValueError, "Empty certificate data");
    else if (add_source(self, SOURCE_PEM, view.buf, (size_t)view.len, &err) == CINCH_OK)
        result = 0;
    else
        (void)raise_no_data(state, 0, &err);
    PyBuffer_Release(&view);
    return result;
}

/* A path, or NULL for None; HOLD keeps it. 0, or -1 with an exception set. */
static int path_of(PyObject *value, const char *what, PyObject **hold)
{
    if (value == Py_None || PyUnicode_FSConverter(value, hold))
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s should be a valid filesystem path", what);
    return -1;
}

PyObject *context_load_verify_locations(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"cafile", "capath", "cadata", NULL};
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *cafile = Py_None, *capath = Py_None, *cadata = Py_None;
    PyObject *file = NULL, *dir = NULL;
    int result;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:load_verify_locations", names, &cafile,
                                     &capath, &cadata))
        return NULL;
    if (cafile == Py_None && capath == Py_None && cadata == Py_None) {
        PyErr_SetString(PyExc_TypeError, "cafile, capath and cadata cannot be all omitted");
        return NULL;
    }
    result = path_of(cafile, "cafile", &file);
    if (result == 0)
        result = path_of(capath, "capath", &dir);
    if (result == 0 && cadata != Py_None)
        result = load_data(state, self, cadata);
    if (result == 0 && file != NULL)
        result = load_file(state, self, PyBytes_AS_STRING(file));
    if (result == 0 && dir != NULL)
        result = load_dir(self, PyBytes_AS_STRING(dir));
    Py_XDECREF(file);
    Py_XDECREF(dir);
    if (result != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *context_set_default_verify_paths(context_object *self, PyObject *unused)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_verify_paths paths = cinch_verify_paths_default();
    cinch_error err = CINCH_ERROR_INIT;

    (void)unused;
    /*
     * What the environment says counts as it is now, also for connections that are made later. No
     * anchors are no error here: the program may name its own, and who does not is told later.
     */
    if (getenv(paths.file_variable) != NULL || getenv(paths.dir_variable) != NULL) {
        if (load_file(state, self, paths.file) != 0)
            PyErr_Clear();
        (void)load_dir(self, paths.dir);
    } else if (add_source(self, SOURCE_SYSTEM, "", 0, &err) != CINCH_OK &&
               err.cause == CINCH_CAUSE_MEMORY) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

/* ---- Diffie-Hellman ---- */

PyObject *context_load_dh_params(context_object *self, PyObject *path)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_error err = CINCH_ERROR_INIT;
    PyObject *hold = NULL;

    if (!PyUnicode_FSConverter(path, &hold))
        return NULL;
    PyObject *bytes = read_file(PyBytes_AS_STRING(hold));
    Py_DECREF(hold);
    if (bytes == NULL)
        return NULL;
    char *before = self->dh_pem;
    self->dh_pem = PyMem_Malloc((size_t)PyBytes_GET_SIZE(bytes) + 1);
    if (self->dh_pem == NULL) {
        self->dh_pem = before;
        Py_DECREF(bytes);
        return PyErr_NoMemory();
    }
    memcpy(self->dh_pem, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes) + 1);
    Py_DECREF(bytes);
    cinch_policy *policy = context_policy(self, &err);
    cinch_policy_free(policy);
    if (policy == NULL) {
        PyMem_Free(self->dh_pem);
        self->dh_pem = before;
        return raise_named(state, "PEM", "NO_START_LINE", "no start line", &err);
    }
    PyMem_Free(before);
    context_changed(self);
    Py_RETURN_NONE;
}
