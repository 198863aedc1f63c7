/* context.c: the type _SSLContext, and the contexts of libcinch that it stands for. */
#include "context.h"

/* What TLS 1.2 clients without tickets may resume by; as many as OpenSSL keeps by itself. */
#define SESSION_IDS 20480

void context_changed(context_object *self)
{
    for (int i = 0; i < 2; i++)
        Py_CLEAR(self->built[i]);
}

/* ---- from plain values to a policy ---- */

/* The version of PROTOCOL_TLSv1 and its like; 0 for those that leave a range. */
static int fixed_version(const context_object *self)
{
    return self->protocol >= PROTOCOL_TLSV1 && self->protocol <= PROTOCOL_TLSV1_2
               ? CINCH_TLS_1_0 + self->protocol - PROTOCOL_TLSV1
               : 0;
}

static int highest(const context_object *self)
{
    if (fixed_version(self) != 0)
        return fixed_version(self);
    return self->max_version == VERSION_HIGHEST ? CINCH_TLS_1_3 : self->max_version;
}

static int lowest(const context_object *self)
{
    int version = self->min_version == VERSION_LOWEST ? CINCH_TLS_1_0 : self->min_version;

    if (fixed_version(self) != 0)
        return fixed_version(self);
    if (version < CINCH_TLS_1_0)
        version = CINCH_TLS_1_0;
    /* At level 1 and above OpenSSL does not talk to older ones: nobody gets them unasked. */
    if (version < CINCH_TLS_1_2 && self->security_level > 0 && highest(self) >= CINCH_TLS_1_2)
        version = CINCH_TLS_1_2;
    return version;
}

/* What options like OP_NO_TLSv1_2 leave of the range from *LEAST to *MOST. */
static void narrow(const context_object *self, int *least, int *most)
{
    static const uint64_t without[] = {SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2,
                                       SSL_OP_NO_TLSv1_3};

    while (*least < *most && (self->options & without[*least - CINCH_TLS_1_0]) != 0)
        ++*least;
    while (*most > *least && (self->options & without[*most - CINCH_TLS_1_0]) != 0)
        --*most;
}

static cinch_status set_versions(const context_object *self, cinch_policy *policy, cinch_error *err)
{
    int least = lowest(self), most = highest(self);

    narrow(self, &least, &most);
    if (least >= CINCH_TLS_1_2)
        return cinch_policy_versions(policy, (cinch_tls_version)least, (cinch_tls_version)most,
                                     err);
    return cinch_policy_insecure_versions(policy, (cinch_tls_version)least, (cinch_tls_version)most,
                                          err);
}

static cinch_status set_level(const context_object *self, cinch_policy *policy, cinch_error *err)
{
    if (lowest(self) < CINCH_TLS_1_2)
        return CINCH_OK; /* the old versions have brought theirs */
    if (self->security_level >= 2)
        return cinch_policy_security_level(policy, self->security_level, err);
    return cinch_policy_insecure_security_level(policy, self->security_level, err);
}

static cinch_status set_dh(const context_object *self, cinch_policy *policy, cinch_error *err)
{
    if (self->dh_pem == NULL)
        return CINCH_OK;
    if (cinch_policy_dh_pem(policy, self->dh_pem, strlen(self->dh_pem), NULL) == CINCH_OK)
        return CINCH_OK;
    return cinch_policy_insecure_dh_pem(policy, self->dh_pem, strlen(self->dh_pem), err);
}

/* Forward secrecy and AEAD only, as libcinch's own; DHE as well, which Python's servers may have. */
#define DEFAULT_CIPHERS                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE+CHACHA20:DHE-RSA-AES128-GCM-SHA256:"                        \
    "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"

cinch_policy *context_policy(const context_object *self, cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new(NULL, err);
    const char *ciphers = self->ciphers == NULL ? DEFAULT_CIPHERS : self->ciphers;

    (void)set_versions(self, policy, err);
    (void)set_level(self, policy, err);
    if (!self->ciphers_raw && highest(self) >= CINCH_TLS_1_2 && lowest(self) < CINCH_TLS_1_3)
        (void)cinch_policy_ciphers(policy, ciphers, err);
    if (self->curve != NULL)
        (void)cinch_policy_curve(policy, self->curve, err);
    (void)set_dh(self, policy, err);
    (void)cinch_policy_server_preference(
        policy, (self->options & SSL_OP_CIPHER_SERVER_PREFERENCE) != 0, err);
    (void)cinch_policy_insecure_legacy_server(
        policy, (self->options & SSL_OP_LEGACY_SERVER_CONNECT) != 0, err);
    if (!cinch_error_is_set(err))
        return policy;
    cinch_policy_free(policy);
    return NULL;
}

/* ---- from plain values to a context ---- */

/* The list as on the wire, "\2h2\10http/1.1", as libcinch takes it. NULL: none, or no memory. */
static char *protocols_text(const context_object *self)
{
    const unsigned char *wire = (const unsigned char *)PyBytes_AS_STRING(self->alpn);
    Py_ssize_t size = PyBytes_GET_SIZE(self->alpn);
    char *text = PyMem_RawMalloc((size_t)size + 1);

    for (Py_ssize_t at = 0; text != NULL && at < size; at += 1 + wire[at]) {
        memcpy(text + at, wire + at + 1, wire[at]);
        text[at + wire[at]] = at + 1 + wire[at] < size ? ',' : 0;
    }
    return text;
}

static void set_protocols(const context_object *self, cinch_context *ctx, cinch_error *err)
{
    (void)cinch_context_alpn_rule(ctx, CINCH_ALPN_OPTIONAL, err);
    if (self->alpn == NULL || PyBytes_GET_SIZE(self->alpn) == 0)
        return;
    char *text = protocols_text(self);
    /* Without memory no list at all would be offered, which is not what was asked for. */
    if (text == NULL && !cinch_error_is_set(err))
        *err = (cinch_error){
            .status = CINCH_FAILED, .category = CINCH_CATEGORY_MEMORY, .cause = CINCH_CAUSE_MEMORY};
    (void)cinch_context_alpn(ctx, text, err);
    PyMem_RawFree(text);
}

static void set_identities(const context_object *self, cinch_context *ctx, int server_side,
                           cinch_error *err)
{
    /* A client shows the last one; a server has one of each kind of key. */
    if (!server_side && self->identity_count > 0)
        (void)cinch_context_identity(ctx, self->identities[self->identity_count - 1], err);
    for (int i = 0; server_side && i < self->identity_count; i++)
        (void)(i == 0 ? cinch_context_identity(ctx, self->identities[i], err)
                      : cinch_context_add_identity(ctx, self->identities[i], err));
}

static void set_strictness(const context_object *self, cinch_context *ctx, cinch_error *err)
{
    int strict = (self->verify_flags & X509_V_FLAG_X509_STRICT) != 0;

    /* As CPython's: a program asks for strictness with a flag (create_default_context, 3.13). */
    for (int rule = 0; !strict && rule < CINCH_RULE_COUNT; rule++)
        (void)cinch_context_insecure_relax(ctx, (cinch_rule)rule, 1, err);
    (void)cinch_context_partial_chain(ctx, (self->verify_flags & X509_V_FLAG_PARTIAL_CHAIN) != 0,
                                      err);
}

static void set_lists(const context_object *self, cinch_context *ctx, int has_crls,
                      cinch_error *err)
{
    if (!has_crls || (self->verify_flags & X509_V_FLAG_CRL_CHECK) == 0)
        return;
    (void)cinch_context_crl_rule(
        ctx,
        (self->verify_flags & X509_V_FLAG_CRL_CHECK_ALL) != 0 ? CINCH_CRL_CHAIN : CINCH_CRL_LEAF,
        err);
}

static void set_client(const context_object *self, cinch_context *ctx, cinch_error *err)
{
    (void)cinch_context_insecure_skip_verification(ctx, self->verify_mode == VERIFY_NONE, err);
    (void)cinch_context_insecure_skip_name(ctx, !self->check_hostname, err);
    /* Nothing is resumed but the session that a program gives. */
    (void)cinch_context_session_limit(ctx, 0, err);
    (void)cinch_context_late_certificate(ctx, self->post_handshake_auth, err);
}

/* With post_handshake_auth nobody is asked in the handshake, as in CPython. */
static cinch_client_auth client_auth(const context_object *self)
{
    if (self->verify_mode == VERIFY_OPTIONAL)
        return CINCH_CLIENT_AUTH_OPTIONAL;
    return self->verify_mode == VERIFY_REQUIRED && !self->post_handshake_auth
               ? CINCH_CLIENT_AUTH_REQUIRED
               : CINCH_CLIENT_AUTH_NONE;
}

static void set_server(context_object *self, cinch_context *ctx, cinch_error *err)
{
    if (self->tickets == NULL)
        self->tickets = cinch_tickets_new(NULL, err);
    (void)cinch_context_tickets(ctx, self->tickets, err);
    (void)cinch_context_ticket_count(ctx, self->num_tickets > 8 ? 8 : self->num_tickets, err);
    (void)cinch_context_session_ids(ctx, SESSION_IDS, err);
    (void)cinch_context_server_name_rule(ctx, CINCH_SERVER_NAME_ANY, err);
    (void)cinch_context_client_auth(ctx, client_auth(self), err);
    if (self->sni_callback != NULL)
        (void)cinch_context_choose(ctx, context_choose, NULL, err);
}

static cinch_context *build(context_object *self, int server_side, cinch_error *err)
{
    cinch_context *ctx = server_side ? cinch_context_server(err) : cinch_context_client(err);
    cinch_policy *policy = context_policy(self, err);
    int has_crls = 0;

    (void)cinch_context_policy(ctx, policy, err);
    cinch_policy_free(policy);
    (void)context_apply_sources(self, ctx, &has_crls, err);
    set_strictness(self, ctx, err);
    set_lists(self, ctx, has_crls, err);
    set_protocols(self, ctx, err);
    set_identities(self, ctx, server_side, err);
    (void)cinch_context_insecure_tls12_tickets(ctx, (self->options & SSL_OP_NO_TICKET) == 0, err);
    if (server_side)
        set_server(self, ctx, err);
    else
        set_client(self, ctx, err);
    context_apply_psk(self, ctx, server_side, err);
    (void)context_adjust(self, ctx, server_side, has_crls, err);
    if (!cinch_error_is_set(err))
        return ctx;
    cinch_context_free(ctx);
    return NULL;
}

#define CAPSULE "cinch_context"

cinch_context *context_inside(PyObject *built)
{
    return PyCapsule_GetPointer(built, CAPSULE);
}

static void free_built(PyObject *built)
{
    cinch_context_free(context_inside(built));
}

PyObject *context_build(module_state *state, context_object *self, int server_side)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (self->built[server_side] != NULL)
        return Py_NewRef(self->built[server_side]);
    cinch_context *ctx = build(self, server_side, &err);
    if (ctx == NULL)
        return raise_cinch(state, &err);
    PyObject *built = PyCapsule_New(ctx, CAPSULE, free_built);
    if (built == NULL)
        cinch_context_free(ctx);
    self->built[server_side] = Py_XNewRef(built);
    return built;
}

/* ---- the type ---- */

static int is_protocol(int protocol)
{
    return (protocol >= PROTOCOL_TLS && protocol <= PROTOCOL_TLSV1_2) ||
           protocol == PROTOCOL_TLS_CLIENT || protocol == PROTOCOL_TLS_SERVER;
}

static int warn_of(int protocol)
{
    static const char *const names[] = {[PROTOCOL_TLS] = "ssl.PROTOCOL_TLS",
                                        [PROTOCOL_TLSV1] = "ssl.PROTOCOL_TLSv1",
                                        [PROTOCOL_TLSV1_1] = "ssl.PROTOCOL_TLSv1_1",
                                        [PROTOCOL_TLSV1_2] = "ssl.PROTOCOL_TLSv1_2"};

    if (protocol > PROTOCOL_TLSV1_2)
        return 0;
    return PyErr_WarnFormat(PyExc_DeprecationWarning, 2, "%s is deprecated", names[protocol]);
}

static void set_defaults(context_object *self, int protocol)
{
    self->protocol = protocol;
    self->min_version = fixed_version(self) != 0 ? VERSION_LOWEST : CINCH_TLS_1_2;
    self->max_version = VERSION_HIGHEST;
    self->security_level = 2;
    self->num_tickets = 2;
    self->verify_flags = X509_V_FLAG_TRUSTED_FIRST;
    self->host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    /* SSL_OP_SINGLE_DH_USE and SSL_OP_SINGLE_ECDH_USE say nothing any more: it is always so. */
    self->options = (SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS) | SSL_OP_NO_SSLv3 |
                    SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                    SSL_OP_ENABLE_MIDDLEBOX_COMPAT;
#if PY_VERSION_HEX < 0x030C0000
    self->options |= SSL_OP_IGNORE_UNEXPECTED_EOF;
#endif
    if (protocol == PROTOCOL_TLS_CLIENT) {
        self->verify_mode = VERIFY_REQUIRED;
        self->check_hostname = 1;
    }
}

static PyObject *context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    int protocol;

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0 && type == state_of_type(type)->context_type)
        return PyErr_Format(PyExc_TypeError, "_SSLContext() takes no keyword arguments");
    if (!PyArg_ParseTuple(args, "i:_SSLContext", &protocol))
        return NULL;
    if (!is_protocol(protocol)) {
        PyErr_SetString(PyExc_ValueError, "invalid or unsupported protocol version");
        return NULL;
    }
    if (warn_of(protocol) != 0)
        return NULL;
    PyObject *self = type->tp_alloc(type, 0);
    if (self != NULL)
        set_defaults(as_context(self), protocol);
    return self;
}

static int context_traverse(PyObject *object, visitproc visit, void *arg)
{
    context_object *self = as_context(object);

    Py_VISIT(self->sni_callback);
    Py_VISIT(self->message_callback);
    Py_VISIT(self->psk_client_callback);
    Py_VISIT(self->psk_server_callback);
    Py_VISIT(Py_TYPE(object));
    return 0;
}

static int context_clear(PyObject *object)
{
    context_object *self = as_context(object);

    Py_CLEAR(self->sni_callback);
    Py_CLEAR(self->message_callback);
    Py_CLEAR(self->psk_client_callback);
    Py_CLEAR(self->psk_server_callback);
    return 0;
}

static void context_dealloc(PyObject *object)
{
    context_object *self = as_context(object);
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    (void)context_clear(object);
    context_changed(self);
    cinch_context_free(self->trust);
    cinch_tickets_free(self->tickets);
    for (int i = 0; i < self->identity_count; i++)
        cinch_identity_free(self->identities[i]);
    context_free_sources(self);
    key_log_unref(self->log);
    Py_CLEAR(self->alpn);
    Py_CLEAR(self->key_log_path);
    Py_CLEAR(self->seen_anchors);
    PyMem_Free(self->ciphers);
    PyMem_Free(self->curve);
    PyMem_Free(self->dh_pem);
    PyMem_Free(self->psk_hint);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ---- making sockets ---- */

static PyObject *wrap_socket(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sock", "server_side", "server_hostname", "owner", "session", NULL};
    PyObject *sock, *hostname = Py_None, *owner = Py_None, *session = Py_None;
    int server_side;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Op|O$OO:_wrap_socket", names, &sock,
                                     &server_side, &hostname, &owner, &session))
        return NULL;
    return socket_wrap(state_of_type(Py_TYPE(self)), self, sock, NULL, NULL, server_side, hostname,
                       owner, session);
}

static PyObject *wrap_bio(context_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"incoming", "outgoing", "server_side", "server_hostname",
                            "owner",    "session",  NULL};
    module_state *state = state_of_type(Py_TYPE(self));
    PyObject *incoming, *outgoing, *hostname = Py_None, *owner = Py_None, *session = Py_None;
    int server_side;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!p|O$OO:_wrap_bio", names,
                                     state->memory_bio_type, &incoming, state->memory_bio_type,
                                     &outgoing, &server_side, &hostname, &owner, &session))
        return NULL;
    return socket_wrap(state, self, NULL, incoming, outgoing, server_side, hostname, owner,
                       session);
}

#define WITH_KEYWORDS (METH_VARARGS | METH_KEYWORDS)
#define CALL(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"_wrap_socket", CALL(wrap_socket), WITH_KEYWORDS, NULL},
    {"_wrap_bio", CALL(wrap_bio), WITH_KEYWORDS, NULL},
    {"set_ciphers", CALL(context_set_ciphers), METH_O, NULL},
    {"_set_alpn_protocols", CALL(context_set_alpn_protocols), METH_O, NULL},
    {"load_cert_chain", CALL(context_load_cert_chain), WITH_KEYWORDS, NULL},
    {"load_dh_params", CALL(context_load_dh_params), METH_O, NULL},
    {"load_verify_locations", CALL(context_load_verify_locations), WITH_KEYWORDS, NULL},
    {"session_stats", CALL(context_session_stats), METH_NOARGS, NULL},
    {"set_default_verify_paths", CALL(context_set_default_verify_paths), METH_NOARGS, NULL},
    {"set_ecdh_curve", CALL(context_set_ecdh_curve), METH_O, NULL},
    {"cert_store_stats", CALL(context_cert_store_stats), METH_NOARGS, NULL},
    {"get_ca_certs", CALL(context_get_ca_certs), WITH_KEYWORDS, NULL},
    {"get_ciphers", CALL(context_get_ciphers), METH_NOARGS, NULL},
#if PY_VERSION_HEX >= 0x030D0000
    {"set_psk_client_callback", CALL(context_set_psk_client_callback), WITH_KEYWORDS, NULL},
    {"set_psk_server_callback", CALL(context_set_psk_server_callback), WITH_KEYWORDS, NULL},
#endif
    {"audit", CALL(context_audit), METH_NOARGS,
     "audit()\n--\n\nWhat is weak in this context, the worst first: a list of dicts."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[40];

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_new, context_new},
    {Py_tp_dealloc, context_dealloc},
    {Py_tp_traverse, context_traverse},
    {Py_tp_clear, context_clear},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "_ssl._SSLContext",
    .basicsize = sizeof(context_object),
    .flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

static pthread_once_t attributes_once = PTHREAD_ONCE_INIT;

/* The attributes are described in two files; a type wants one list, the same in every interpreter. */
static void gather_attributes(void)
{
    size_t n = 0;

    for (const PyGetSetDef *a = context_attributes; a->name != NULL; a++)
        attributes[n++] = *a;
    for (const PyGetSetDef *a = context_callback_attributes; a->name != NULL; a++)
        attributes[n++] = *a;
}

int add_contexts(PyObject *module, module_state *state)
{
    (void)pthread_once(&attributes_once, gather_attributes);
    state->context_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return state->context_type == NULL ? -1 : PyModule_AddType(module, state->context_type);
}
