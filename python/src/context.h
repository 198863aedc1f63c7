/*
 * context.h: the inside of an SSLContext. What a program says about it is kept as plain values; the
 * two contexts of libcinch, for clients and for servers, are made from them by the first connection
 * after a change. So a change is a matter of microseconds, and connections in progress keep theirs.
 */
#ifndef CINCH_PYTHON_CONTEXT_H
#define CINCH_PYTHON_CONTEXT_H

#include "extension.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>

/* ssl.PROTOCOL_... */
enum {
    PROTOCOL_SSLV2 = 0,
    PROTOCOL_SSLV3 = 1,
    PROTOCOL_TLS = 2,
    PROTOCOL_TLSV1 = 3,
    PROTOCOL_TLSV1_1 = 4,
    PROTOCOL_TLSV1_2 = 5,
    PROTOCOL_TLS_CLIENT = 16,
    PROTOCOL_TLS_SERVER = 17
};

/* ssl.CERT_... */
enum {
    VERIFY_NONE = 0,
    VERIFY_OPTIONAL = 1,
    VERIFY_REQUIRED = 2
};

/* ssl.TLSVersion has two values that stand for the ends of the range. */
enum {
    VERSION_LOWEST = -2,
    VERSION_HIGHEST = -1
};

/* Where anchors or revocation lists come from, in the order in which they were named. */
typedef enum source_kind {
    SOURCE_SYSTEM,
    SOURCE_FILE,
    SOURCE_DIR,
    SOURCE_PEM,
    SOURCE_CRL
} source_kind;

typedef struct named_source {
    source_kind kind;
    char *bytes; /* a path with its NUL, or content */
    size_t size;
} named_source;

/* Where the secrets of connections are written for Wireshark; shared by the connections. */
typedef struct key_log {
    atomic_uint references;
    pthread_mutex_t lock;
    FILE *file;
} key_log;

#define MOST_IDENTITIES 16

typedef struct context_object {
    PyObject_HEAD int protocol;
    int verify_mode;
    int check_hostname;
    unsigned host_flags;
    unsigned long verify_flags;
    uint64_t options;
    int min_version; /* as on the wire, or VERSION_LOWEST */
    int max_version;
    int security_level;
    char *ciphers;   /* as libcinch takes it; NULL: those of its policy */
    int ciphers_raw; /* or as only OpenSSL takes it */
    char *curve;
    char *dh_pem;
    PyObject *alpn; /* bytes as on the wire, or NULL */
    int num_tickets;
    int post_handshake_auth;
    PyObject *sni_callback;
    PyObject *message_callback;
    PyObject *psk_client_callback;
    PyObject *psk_server_callback;
    char *psk_hint;
    PyObject *key_log_path;
    key_log *log;
    cinch_identity *identities[MOST_IDENTITIES]; /* the first is the one for everybody */
    int identity_count;
    named_source *sources;
    size_t source_count;
    PyObject *seen_anchors; /* of directories: those that a chain has led to, a dict by DER */
    cinch_context *trust;   /* has what SOURCES say, for looking at */
    cinch_tickets *tickets; /* one ring, whatever else changes */
    PyObject *built[2];     /* capsules: for clients and for servers; NULL after a change */
    /* session_stats() */
    long connect, connect_good, accept, accept_good, hits, misses;
} context_object;

static inline context_object *as_context(PyObject *object)
{
    return (context_object *)object;
}

/* A setter has changed something: connections to come are made from new contexts. */
void context_changed(context_object *self);

/*
 * context_build gives what connections are made from now, as a new reference: another thread may change
 * SELF while it is in use. NULL with an exception set. The GIL is held. context_inside looks into it.
 */
PyObject *context_build(module_state *state, context_object *self, int server_side);
cinch_context *context_inside(PyObject *built);

/* Makes a policy of what SELF says; NULL with ERR set. Free it with cinch_policy_free(). */
cinch_policy *context_policy(const context_object *self, cinch_error *err);

/* context_identity.c, context_trust.c */
PyObject *context_load_cert_chain(context_object *self, PyObject *args, PyObject *kwargs);
PyObject *context_load_verify_locations(context_object *self, PyObject *args, PyObject *kwargs);
PyObject *context_set_default_verify_paths(context_object *self, PyObject *unused);
PyObject *context_load_dh_params(context_object *self, PyObject *path);
/* Puts the anchors and revocation lists of SELF into CTX. */
cinch_status context_apply_sources(const context_object *self, cinch_context *ctx, int *has_crls,
                                   cinch_error *err);
void context_free_sources(context_object *self);

/* context_info.c */
PyObject *context_get_ciphers(context_object *self, PyObject *unused);
PyObject *context_get_ca_certs(context_object *self, PyObject *args, PyObject *kwargs);
PyObject *context_cert_store_stats(context_object *self, PyObject *unused);
PyObject *context_session_stats(context_object *self, PyObject *unused);
/* The last certificate of a verified chain, which came from a directory perhaps. */
void context_saw_anchor(context_object *self, const unsigned char *der, size_t size);

/* context_ciphers.c */
PyObject *context_set_ciphers(context_object *self, PyObject *list);
PyObject *context_set_ecdh_curve(context_object *self, PyObject *name);
PyObject *context_set_alpn_protocols(context_object *self, PyObject *protocols);
PyObject *context_audit(context_object *self, PyObject *unused);

/* context_attributes.c */
extern PyGetSetDef context_attributes[];

/* context_callbacks.c */
extern PyGetSetDef context_callback_attributes[];
/* Called by libcinch with a ClientHello. */
cinch_context *context_choose(const cinch_client_hello *hello, int *refuse, void *arg);
void context_key_log_line(const SSL *ssl, const char *line);
void key_log_unref(key_log *log);

/* context_psk.c */
PyObject *context_set_psk_client_callback(context_object *self, PyObject *args, PyObject *kwargs);
PyObject *context_set_psk_server_callback(context_object *self, PyObject *args, PyObject *kwargs);
/* Lets CTX ask the callbacks of SELF for shared secrets. */
void context_apply_psk(const context_object *self, cinch_context *ctx, int server_side,
                       cinch_error *err);

/* context_adjust.c: what only OpenSSL knows of. */
cinch_status context_adjust(const context_object *self, cinch_context *ctx, int server_side,
                            int has_crls, cinch_error *err);

/* socket.c */
PyObject *socket_wrap(module_state *state, context_object *context, PyObject *sock,
                      PyObject *incoming, PyObject *outgoing, int server_side,
                      PyObject *server_hostname, PyObject *owner, PyObject *session);

#endif
