/* socket_info.c: what a connection can tell: what was agreed, and who is there. */
#include "socket.h"

#include <openssl/err.h>

static SSL *ssl_of(PyObject *self)
{
    return cinch_conn_openssl(as_socket(self)->conn);
}

static PyObject *cipher_tuple(const SSL_CIPHER *cipher)
{
    return Py_BuildValue("(zzi)", SSL_CIPHER_get_name(cipher), SSL_CIPHER_get_version(cipher),
                         SSL_CIPHER_get_bits(cipher, NULL));
}

static PyObject *get_cipher(PyObject *self, PyObject *unused)
{
    const SSL *ssl = ssl_of(self);
    const SSL_CIPHER *cipher = ssl == NULL ? NULL : SSL_get_current_cipher(ssl);

    (void)unused;
    return cipher == NULL ? Py_NewRef(Py_None) : cipher_tuple(cipher);
}

static PyObject *get_version(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (ssl_of(self) == NULL || !SSL_is_init_finished(ssl_of(self)))
        Py_RETURN_NONE;
    return PyUnicode_FromString(SSL_get_version(ssl_of(self)));
}

static PyObject *get_alpn(PyObject *self, PyObject *unused)
{
    const unsigned char *name;
    unsigned size = 0;

    (void)unused;
    if (ssl_of(self) != NULL)
        SSL_get0_alpn_selected(ssl_of(self), &name, &size);
    if (size == 0)
        Py_RETURN_NONE;
    return PyUnicode_FromStringAndSize((const char *)name, (Py_ssize_t)size);
}

static PyObject *get_compression(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_RETURN_NONE; /* there never is any (CRIME, CVE-2012-4929) */
}

static PyObject *get_shared_ciphers(PyObject *self, PyObject *unused)
{
    const SSL *ssl = ssl_of(self);
    const STACK_OF(SSL_CIPHER) *theirs = ssl == NULL ? NULL : SSL_get_client_ciphers(ssl);
    const STACK_OF(SSL_CIPHER) *ours = ssl == NULL ? NULL : SSL_get_ciphers(ssl);

    (void)unused;
#if PY_VERSION_HEX < 0x030B0300
    /* So CPython had it for clients, until it was mended. */
    if (!as_socket(self)->server_side)
        theirs = ours;
#endif
    if (theirs == NULL || ours == NULL || (theirs != ours && !as_socket(self)->server_side))
        Py_RETURN_NONE;
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < sk_SSL_CIPHER_num(theirs); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(theirs, i);
        int shared = 0;

        for (int k = 0; !shared && k < sk_SSL_CIPHER_num(ours); k++)
            shared = SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ours, k)) == SSL_CIPHER_get_id(cipher);
        PyObject *item = shared ? cipher_tuple(cipher) : NULL;
        if (shared && (item == NULL || PyList_Append(list, item) != 0))
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* ---- certificates ---- */

/* What MAKE makes of X in DER; NULL with an exception set. */
static PyObject *with_der(module_state *state, X509 *x,
                          PyObject *(*make)(module_state *, const unsigned char *, size_t))
{
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);

    if (size <= 0) {
        ERR_clear_error();
        return PyErr_NoMemory();
    }
    PyObject *object = make(state, der, (size_t)size);
    OPENSSL_free(der);
    return object;
}

static PyObject *as_bytes(module_state *state, const unsigned char *der, size_t size)
{
    (void)state;
    return PyBytes_FromStringAndSize((const char *)der, (Py_ssize_t)size);
}

static PyObject *get_peer_certificate(PyObject *self, PyObject *args)
{
    module_state *state = state_of_type(Py_TYPE(self));
    int binary = 0;

    if (!PyArg_ParseTuple(args, "|p:getpeercert", &binary))
        return NULL;
    if (ssl_of(self) == NULL || !SSL_is_init_finished(ssl_of(self))) {
        PyErr_SetString(PyExc_ValueError, "handshake not done yet");
        return NULL;
    }
    X509 *x = SSL_get0_peer_certificate(ssl_of(self));
    if (x == NULL)
        Py_RETURN_NONE;
    if (binary)
        return with_der(state, x, as_bytes);
    /* What nobody verified says nothing. */
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *peer = cinch_conn_evidence(as_socket(self)->conn, &err);
    int verified = peer != NULL && peer->verified;
    cinch_peer_free(peer);
    return verified ? with_der(state, x, certificate_dict) : PyDict_New();
}

static PyObject *chain_list(module_state *state, const STACK_OF(X509) * chain, X509 *first)
{
    PyObject *list = PyList_New(0);
    int count = chain == NULL ? 0 : sk_X509_num(chain);

    for (int i = first == NULL ? 0 : -1; list != NULL && i < count; i++) {
        PyObject *item = with_der(state, i < 0 ? first : sk_X509_value(chain, i), certificate_new);

        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *list_of(module_state *state, cinch_certificate *const *chain, size_t count)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = certificate_new(state, chain[i]->der, chain[i]->der_size);

        if (item == NULL || PyList_Append(list, item) != 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

/* As it was verified, for a resumed connection too. */
static PyObject *get_verified_chain(PyObject *self, PyObject *unused)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *peer = cinch_conn_evidence(as_socket(self)->conn, &err);

    (void)unused;
    if (as_socket(self)->conn == NULL)
        Py_RETURN_NONE;
    if (peer == NULL)
        return raise_cinch(state, &err);
    PyObject *list = peer->chain_count == 0 ? Py_NewRef(Py_None)
                                            : list_of(state, peer->chain, peer->chain_count);
    cinch_peer_free(peer);
    return list;
}

static PyObject *get_unverified_chain(PyObject *self, PyObject *unused)
{
    const SSL *ssl = ssl_of(self);
    const STACK_OF(X509) *chain = ssl == NULL ? NULL : SSL_get_peer_cert_chain(ssl);
    X509 *own = ssl == NULL ? NULL : SSL_get0_peer_certificate(ssl);

    (void)unused;
    if (chain == NULL && own == NULL)
        Py_RETURN_NONE;
    /* Of a client's chain libssl keeps the client's own certificate elsewhere. */
    return chain_list(state_of_type(Py_TYPE(self)), chain,
                      as_socket(self)->server_side || chain == NULL ? own : NULL);
}

/* ---- bindings ---- */

static PyObject *get_binding(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"cb_type", NULL};
    const char *kind = "tls-unique";
    unsigned char bytes[EVP_MAX_MD_SIZE];
    size_t size;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s:get_channel_binding", names, &kind))
        return NULL;
    if (ssl_of(self) == NULL)
        Py_RETURN_NONE;
    if (strcmp(kind, "tls-unique") != 0)
        return PyErr_Format(PyExc_ValueError, "'%s' channel binding type not implemented", kind);
    /*
     * The first Finished of the last handshake (RFC 5929, 3): the client's, or the server's where a
     * session was resumed. TLS 1.3 has no tls-unique (RFC 8446, C.5); this is what programs get there.
     */
    if ((SSL_session_reused(ssl_of(self)) == 1) != (as_socket(self)->server_side == 0))
        size = SSL_get_finished(ssl_of(self), bytes, sizeof bytes);
    else
        size = SSL_get_peer_finished(ssl_of(self), bytes, sizeof bytes);
    if (size == 0)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
}

/* ---- all that libcinch knows ---- */

static PyObject *get_report(PyObject *self, PyObject *unused)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *p = cinch_conn_evidence(as_socket(self)->conn, &err);

    (void)unused;
    if (p == NULL)
        return raise_cinch(state, &err);
    PyObject *chain = list_of(state, p->chain, p->chain_count);
    PyObject *sent = list_of(state, p->sent, p->sent_count);
    PyObject *report = NULL;
    if (chain != NULL && sent != NULL)
        report = Py_BuildValue(
            "{s:s,s:i,s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:O,s:O,s:O,s:O,s:L,s:L,s:L}", "version",
            p->version, "version_number", p->version_number, "cipher", p->cipher, "cipher_bits",
            p->cipher_bits, "group", p->group, "signature_algorithm", p->signature_algorithm,
            "alpn", p->alpn, "server_name", p->server_name, "host", p->host == NULL ? "" : p->host,
            "resumed", p->resumed ? Py_True : Py_False, "verified",
            p->verified ? Py_True : Py_False, "chain", chain, "sent", sent, "hello_us",
            (long long)p->timing.hello_us, "certificate_us", (long long)p->timing.certificate_us,
            "finished_us", (long long)p->timing.finished_us);
    Py_XDECREF(chain);
    Py_XDECREF(sent);
    cinch_peer_free(p);
    return report;
}

/* ---- all of it with the connection's lock ---- */

#define HELD(get)                                                                                  \
    static PyObject *held_##get(PyObject *self, PyObject *args)                                    \
    {                                                                                              \
        socket_hold(as_socket(self));                                                              \
        PyObject *result = get(self, args);                                                        \
        socket_let_go(as_socket(self));                                                            \
        return result;                                                                             \
    }

HELD(get_peer_certificate)
HELD(get_cipher)
HELD(get_shared_ciphers)
HELD(get_version)
HELD(get_alpn)
HELD(get_verified_chain)
HELD(get_unverified_chain)
HELD(get_report)

static PyObject *held_get_binding(PyObject *self, PyObject *args, PyObject *kwargs)
{
    socket_hold(as_socket(self));
    PyObject *result = get_binding(self, args, kwargs);
    socket_let_go(as_socket(self));
    return result;
}

#define CALL(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef socket_info_methods[] = {
    {"getpeercert", held_get_peer_certificate, METH_VARARGS, NULL},
    {"get_channel_binding", CALL(held_get_binding), METH_VARARGS | METH_KEYWORDS, NULL},
    {"cipher", held_get_cipher, METH_NOARGS, NULL},
    {"shared_ciphers", held_get_shared_ciphers, METH_NOARGS, NULL},
    {"version", held_get_version, METH_NOARGS, NULL},
    {"selected_alpn_protocol", held_get_alpn, METH_NOARGS, NULL},
    {"compression", get_compression, METH_NOARGS, NULL},
    {"get_verified_chain", held_get_verified_chain, METH_NOARGS, NULL},
    {"get_unverified_chain", held_get_unverified_chain, METH_NOARGS, NULL},
    {"report", held_get_report, METH_NOARGS,
     "report()\n--\n\nWhat was agreed and who is there, as a dict."},
    {NULL, NULL, 0, NULL},
};
