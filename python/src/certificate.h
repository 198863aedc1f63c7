/* certificate.h: what a certificate says, as Python's objects. */
#ifndef CINCH_PYTHON_CERTIFICATE_H
#define CINCH_PYTHON_CERTIFICATE_H

#include "extension.h"

#include <openssl/x509.h>

/* A certificate from all of SIZE bytes of DER. NULL with an exception set. Free it with X509_free(). */
X509 *certificate_read(module_state *state, const unsigned char *der, size_t size);

/* The dictionary that getpeercert() gives. NULL with an exception set. */
PyObject *certificate_describe(module_state *state, const X509 *x);

#endif
