/*
 * extension.h: what the parts of the extension module share. Each part is a file of its own: errors,
 * constants, helpers, MemoryBIO, certificates, sessions, contexts, sockets. The module keeps no global
 * state but what Python gives it per interpreter, so that several interpreters may load it.
 */
#ifndef CINCH_PYTHON_EXTENSION_H
#define CINCH_PYTHON_EXTENSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cinch/cinch.h>
#include <cinch/openssl.h>
#include <openssl/ssl.h>

typedef struct module_state {
    PyTypeObject *context_type;     /* _SSLContext */
    PyTypeObject *socket_type;      /* _SSLSocket */
    PyTypeObject *memory_bio_type;  /* MemoryBIO */
    PyTypeObject *session_type;     /* SSLSession */
    PyTypeObject *certificate_type; /* Certificate */
    PyObject *ssl_error;            /* SSLError and its kinds */
    PyObject *zero_return_error;
    PyObject *want_read_error;
    PyObject *want_write_error;
    PyObject *syscall_error;
    PyObject *eof_error;
    PyObject *verification_error;
    PyObject *codes_to_names; /* {(library, reason): "CERTIFICATE_VERIFY_FAILED"} */
    PyObject *names_to_codes; /* {"CERTIFICATE_VERIFY_FAILED": (library, reason)} */
    PyObject *libraries;      /* {library: "SSL"} */
} module_state;

extern struct PyModuleDef cinch_module;

static inline module_state *state_of_module(PyObject *module)
{
    return PyModule_GetState(module);
}

/* For a heap type of this module, also when a subclass is given. NULL with an exception set. */
module_state *state_of_type(PyTypeObject *type);

/*
 * Every part adds its types, exceptions, functions or constants to MODULE: 0, or -1 with an exception
 * set. They are called in this order.
 */
int add_errors(PyObject *module, module_state *state);
int add_constants(PyObject *module, module_state *state);
int add_helpers(PyObject *module, module_state *state);
int add_memory_bio(PyObject *module, module_state *state);
int add_certificates(PyObject *module, module_state *state);
int add_sessions(PyObject *module, module_state *state);
int add_contexts(PyObject *module, module_state *state);
int add_sockets(PyObject *module, module_state *state);

/* errors.c: each sets an exception and returns NULL. */

/* The numbers of SSL_ERROR_... as Python's ssl module has them. */
enum {
    PYTHON_ERROR_SSL = 1,
    PYTHON_ERROR_WANT_READ = 2,
    PYTHON_ERROR_WANT_WRITE = 3,
    PYTHON_ERROR_WANT_X509_LOOKUP = 4,
    PYTHON_ERROR_SYSCALL = 5,
    PYTHON_ERROR_ZERO_RETURN = 6,
    PYTHON_ERROR_WANT_CONNECT = 7,
    PYTHON_ERROR_EOF = 8,
    PYTHON_ERROR_INVALID = 10
};

/*
 * raise_cinch tells what ERR says, as the exception that CPython's own module would raise: SSLError,
 * SSLCertVerificationError, SSLEOFError, an OSError with errno for files and sockets, MemoryError,
 * with OpenSSL's words and names first, then the explanation and the remedy.
 */
PyObject *raise_cinch(module_state *state, const cinch_error *err);

/*
 * raise_named raises SSLError for the reason NAME of LIBRARY ("SSL", "NO_CIPHER_MATCH", or "PEM_LIB")
 * with TEXT in the place of OpenSSL's words; ERR, if it is not NULL, adds its explanation.
 */
PyObject *raise_named(module_state *state, const char *library, const char *name, const char *text,
                      const cinch_error *err);

/* raise_openssl raises SSLError for what is in OpenSSL's error queue, and empties it. */
PyObject *raise_openssl(module_state *state);

/* raise_plain raises KIND (one of the exceptions of STATE) with a number of Python's and TEXT. */
PyObject *raise_plain(PyObject *kind, int number, const char *text);

/* certificate.c */

/* A Certificate of DER. NULL with an exception set. */
PyObject *certificate_new(module_state *state, const unsigned char *der, size_t size);

/* The dictionary that getpeercert() gives. NULL with an exception set. */
PyObject *certificate_dict(module_state *state, const unsigned char *der, size_t size);

/* memory_bio.c: the bytes inside, for a socket that reads from one and writes to another. */
size_t memory_bio_pending(PyObject *bio);
int memory_bio_at_end(PyObject *bio); /* write_eof() was called, whatever is still in it */
/* Takes SIZE bytes at most out of BIO into TO; gives how many. */
size_t memory_bio_take(PyObject *bio, void *to, size_t size);
size_t memory_bio_peek(PyObject *bio, void *to, size_t size); /* the same, and leaves them there */
/* Appends; 0, or -1 with MemoryError set. */
int memory_bio_put(PyObject *bio, const void *bytes, size_t size);

#endif
