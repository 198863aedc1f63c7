/* context_info.c: what an SSLContext can tell about itself. */
#include "context.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

/* ---- cipher suites ---- */

static const char *long_name(int nid)
{
    return nid == NID_undef ? NULL : OBJ_nid2ln(nid);
}

static PyObject *cipher_dict(const SSL_CIPHER *cipher)
{
    char text[512];
    int bits, used = SSL_CIPHER_get_bits(cipher, &bits);

    if (SSL_CIPHER_description(cipher, text, sizeof text) == NULL)
        text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    return Py_BuildValue("{s:k,s:s,s:s,s:s,s:i,s:i,s:O,s:z,s:z,s:z,s:z}", "id",
                         (unsigned long)SSL_CIPHER_get_id(cipher), "name",
                         SSL_CIPHER_get_name(cipher), "protocol", SSL_CIPHER_get_version(cipher),
                         "description", text, "strength_bits", used, "alg_bits", bits, "aead",
                         SSL_CIPHER_is_aead(cipher) ? Py_True : Py_False, "symmetric",
                         long_name(SSL_CIPHER_get_cipher_nid(cipher)), "digest",
                         long_name(SSL_CIPHER_get_digest_nid(cipher)), "kea",
                         long_name(SSL_CIPHER_get_kx_nid(cipher)), "auth",
                         long_name(SSL_CIPHER_get_auth_nid(cipher)));
}

/* A connection that goes nowhere, with the policy of SELF alone. NULL with ERR set. */
static cinch_conn *scratch_conn(const context_object *self, cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(err);
    cinch_policy *policy = context_policy(self, err);

    (void)cinch_context_policy(ctx, policy, err);
    (void)cinch_context_insecure_skip_verification(ctx, 1, err);
    (void)cinch_context_insecure_skip_name(ctx, 1, err);
    (void)context_adjust(self, ctx, 0, 0, err);
    cinch_policy_free(policy);
    cinch_conn *conn = cinch_conn_new(ctx, NULL, err);
    cinch_context_free(ctx);
    return conn;
}

PyObject *context_get_ciphers(context_object *self, PyObject *unused)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_conn *conn = scratch_conn(self, &err);

    (void)unused;
    if (conn == NULL)
        return raise_cinch(state_of_type(Py_TYPE(self)), &err);
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(cinch_conn_openssl(conn));
    PyObject *list = PyList_New(0);
    for (int i = 0; list != NULL && i < sk_SSL_CIPHER_num(ciphers); i++) {
        PyObject *dict = cipher_dict(sk_SSL_CIPHER_value(ciphers, i));

        if (dict == NULL || PyList_Append(list, dict) != 0)
            Py_CLEAR(list);
        Py_XDECREF(dict);
    }
    cinch_conn_free(conn);
    ERR_clear_error();
    return list;
}

/* ---- anchors ---- */

/* What SELF trusts by name, without directories, which are looked into when a chain needs them. */
static cinch_anchors *named_anchors(const context_object *self, cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(err);
    cinch_anchors *anchors;

    (void)cinch_context_trust_nobody(ctx, err);
    for (size_t i = 0; i < self->source_count; i++) {
        const named_source *s = &self->sources[i];

        if (s->kind == SOURCE_FILE)
            (void)cinch_context_trust_file(ctx, s->bytes, err);
        else if (s->kind == SOURCE_PEM)
            (void)cinch_context_trust_pem(ctx, s->bytes, s->size, err);
        else if (s->kind == SOURCE_SYSTEM)
            (void)cinch_context_trust_file(ctx, cinch_verify_paths_default().file, NULL);
    }
    Py_BEGIN_ALLOW_THREADS;
    anchors = cinch_context_anchors(ctx, err);
    Py_END_ALLOW_THREADS;
    cinch_context_free(ctx);
    return anchors;
}

/* As OpenSSL's X509_check_ca(): also self-signed certificates of version 1. */
static int is_authority(const unsigned char *der, size_t size)
{
    X509 *x = d2i_X509(NULL, &der, (long)size);
    int is = x != NULL && X509_check_ca(x) != 0;

    X509_free(x);
    ERR_clear_error();
    return is;
}

typedef int (*anchor_visitor)(module_state *state, const unsigned char *der, size_t size,
                              void *arg);

/* Calls VISIT for all anchors. 0, or -1 with an exception set. */
static int each_anchor(context_object *self, anchor_visitor visit, void *arg)
{
    module_state *state = state_of_type(Py_TYPE(self));
    cinch_error err = CINCH_ERROR_INIT;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    int result = 0;

    if (self->source_count == 0)
        return 0;
    cinch_anchors *anchors = named_anchors(self, &err);
    if (anchors == NULL) {
        (void)raise_cinch(state, &err);
        return -1;
    }
    for (size_t i = 0; result == 0 && i < anchors->count; i++)
        result =
            visit(state, anchors->certificates[i]->der, anchors->certificates[i]->der_size, arg);
    while (result == 0 && self->seen_anchors != NULL &&
           PyDict_Next(self->seen_anchors, &at, &key, &value)) {
        int known = 0;

        for (size_t i = 0; i < anchors->count; i++)
            known |= anchors->certificates[i]->der_size == (size_t)PyBytes_GET_SIZE(key) &&
                     memcmp(anchors->certificates[i]->der, PyBytes_AS_STRING(key),
                            (size_t)PyBytes_GET_SIZE(key)) == 0;
        if (!known)
            result = visit(state, (const unsigned char *)PyBytes_AS_STRING(key),
                           (size_t)PyBytes_GET_SIZE(key), arg);
    }
    cinch_anchors_free(anchors);
    return result;
}

void context_saw_anchor(context_object *self, const unsigned char *der, size_t size)
{
    int has_dir = 0;

    for (size_t i = 0; i < self->source_count; i++)
        has_dir |= self->sources[i].kind == SOURCE_DIR || self->sources[i].kind == SOURCE_SYSTEM;
    if (!has_dir)
        return;
    if (self->seen_anchors == NULL)
        self->seen_anchors = PyDict_New();
    PyObject *key = PyBytes_FromStringAndSize((const char *)der, (Py_ssize_t)size);
    if (self->seen_anchors == NULL || key == NULL ||
        PyDict_SetItem(self->seen_anchors, key, Py_None) != 0)
        PyErr_Clear();
    Py_XDECREF(key);
}

typedef struct listing {
    PyObject *list;
    int binary;
} listing;

static int list_anchor(module_state *state, const unsigned char *der, size_t size, void *arg)
{
    const listing *l = arg;

    if (!is_authority(der, size))
        return 0;
    PyObject *item = l->binary ? PyBytes_FromStringAndSize((const char *)der, (Py_ssize_t)size)
                               : certificate_dict(state, der, size);
    int result = item == NULL ? -1 : PyList_Append(l->list, item);
    Py_XDECREF(item);
    return result;
}

PyObject *context_get_ca_certs(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"binary_form", NULL};
    listing l = {NULL, 0};

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:get_ca_certs", names, &l.binary))
        return NULL;
    l.list = PyList_New(0);
    if (l.list != NULL && each_anchor(self, list_anchor, &l) != 0)
        Py_CLEAR(l.list);
    return l.list;
}

static int count_anchor(module_state *state, const unsigned char *der, size_t size, void *arg)
{
    int *counts = arg;

    (void)state;
    counts[0]++;
    counts[1] += is_authority(der, size);
    return 0;
}

/* How many revocation lists SELF was given. */
static int count_lists(const context_object *self)
{
    static const char mark[] = "-----BEGIN X509 CRL-----";
    int count = 0;

    for (size_t i = 0; i < self->source_count; i++)
        if (self->sources[i].kind == SOURCE_CRL)
            for (const char *at = self->sources[i].bytes; (at = strstr(at, mark)) != NULL; at++)
                count++;
    return count;
}

PyObject *context_cert_store_stats(context_object *self, PyObject *unused)
{
    int counts[2] = {0, 0};

    (void)unused;
    if (each_anchor(self, count_anchor, counts) != 0)
        return NULL;
    return Py_BuildValue("{sisisi}", "x509", counts[0], "crl", count_lists(self), "x509_ca",
                         counts[1]);
}

PyObject *context_session_stats(context_object *self, PyObject *unused)
{
    (void)unused;
    return Py_BuildValue("{slslslslslslslslslslsl}", "number", 0L, "connect", self->connect,
                         "connect_good", self->connect_good, "connect_renegotiate", 0L, "accept",
                         self->accept, "accept_good", self->accept_good, "accept_renegotiate", 0L,
                         "hits", self->hits, "misses", self->misses, "timeouts", 0L, "cache_full",
                         0L);
}
