/*
 * context.h: the inside of a context. Settings are plain data that never change once made; a setter
 * makes a changed copy and puts it in place. What OpenSSL needs, an SSL_CTX, is derived from them by
 * the first connection after a change, never changes either, and is shared by all contexts of the
 * process whose settings are equal.
 */
#ifndef CINCH_CONTEXT_CONTEXT_H
#define CINCH_CONTEXT_CONTEXT_H

#include "identity/identity.h"
#include "policy/policy.h"
#include "revocation/crl.h"
#include "revocation/ocsp.h"
#include "session/ring.h"
#include "session/session.h"
#include "trust/trust.h"

#include <cinch/context.h>
#include <cinch/host.h>
#include <cinch/openssl.h>
#include <cinch/verify.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct cinch_psk cinch_psk;         /* psk.h */
typedef struct cinch_key_log cinch_key_log; /* key_log.h */
/* The names that a server answers for beside its first identity's, and what they lead to; hosts.h. */
typedef struct cinch_hosts cinch_hosts;
typedef struct cinch_host_cache cinch_host_cache;

typedef struct cinch_settings {
    int is_server;
    int trusts_system; /* a client that named nothing yet */
    cinch_trust *trust;
    cinch_identity *identity;
    cinch_policy *policy;
    unsigned char *alpn; /* as on the wire (RFC 7301, 3.1) */
    size_t alpn_size;
    cinch_alpn_rule alpn_rule;
    cinch_client_auth client_auth;
    cinch_server_name_rule server_name_rule;
    int verify_depth;
    int roots_only; /* an anchor is a root; else every certificate that was named is one */
    int send_server_name;
    int skip_verification;
    int skip_name;
    int resumption;
    cinch_tickets *tickets; /* server: NULL until one is needed or set */
    int ticket_count;
    size_t session_ids;
    cinch_crls *crls;       /* NULL: no revocation lists */
    int crl_rule;           /* cinch_crl_rule */
    cinch_staples *staples; /* server: NULL for none */
    int ocsp_required;
    cinch_psk *psk;         /* NULL: no shared secrets */
    cinch_key_log *key_log; /* NULL: secrets stay secret */
    unsigned char *npn;     /* as on the wire */
    size_t npn_size;
    int late_certificate;
    int old_tickets; /* server and client: tickets for TLS 1.2 as well */
    cinch_adjust_callback adjust;
    unsigned char *adjust_data;
    size_t adjust_size;
    int record_size;
    int quick_start;
    cinch_hosts *hosts;  /* server: NULL while there are none */
    int first_was_added; /* server: IDENTITY came with cinch_context_add_identity() */
    cinch_host_callback choose;
    void *choose_arg;

    /* Who is let in, and what is asked of certificates; see access.h and profile.h. */
    unsigned relaxed;     /* a bit for each cinch_rule that is not insisted on */
    unsigned char *allow; /* rules for clients */
    size_t allow_size;
    cinch_chain_callback allow_if;
    void *allow_if_arg;
    int pinned;
    unsigned char pins[2][32];
} cinch_settings;

typedef struct cinch_derived {
    atomic_uint references;
    struct cinch_derived *next; /* in the list of all of them; see derive.c */
    unsigned char digest[32];
    unsigned char session_digest[32]; /* server: what a session is bound to; see resume.h */
    cinch_settings *settings; /* a copy of its own; trust is the set in force, system or named */
    SSL_CTX *ssl_ctx;
    cinch_host_cache *host_cache; /* server with hosts */
} cinch_derived;

struct cinch_context {
    atomic_uint references;
    unsigned long visited; /* under cinch_hosts_lock() */
    pthread_mutex_t lock;  /* guards the pointers, not what they point to */
    cinch_settings *settings;
    cinch_derived *derived;        /* NULL after a change */
    cinch_session_cache *sessions; /* client: the context's own, whatever it derives */
};

/*
 * cinch_context_ref gives another reference to CTX, for cinch_context_free() to drop: whoever made the
 * context may free it while a listener or a host's name still has it.
 */
cinch_context *cinch_context_ref(cinch_context *ctx);
int cinch_context_is_server(cinch_context *ctx);

/* settings.c */
cinch_settings *cinch_settings_new(int is_server, cinch_error *err);
cinch_settings *cinch_settings_copy(const cinch_settings *settings, cinch_error *err);
void cinch_settings_free(cinch_settings *settings);
/* cinch_settings_digest makes equal settings have equal digests, and different ones different. */
cinch_status cinch_settings_digest(const cinch_settings *settings, unsigned char digest[32],
                                   cinch_error *err);

/* A change to a copy of the settings; a failure means that nothing changes. */
typedef cinch_status (*cinch_change)(cinch_settings *settings, const void *value, cinch_error *err);

/* cinch_context_change makes CHANGE to CTX in one step. WHERE is "client", "server" or NULL: both. */
cinch_status cinch_context_change(cinch_context *ctx, const char *where, cinch_change change,
                                  const void *value, cinch_error *err);

/* derive.c */

/*
 * cinch_context_derive gives what connections are made from now, as a reference for the caller. NULL
 * and ERR set on failure.
 */
cinch_derived *cinch_context_derive(cinch_context *ctx, cinch_error *err);

/* cinch_derive_settings gives what SETTINGS, which are taken over (NULL: a failure), derive. */
cinch_derived *cinch_derive_settings(cinch_settings *settings, cinch_error *err);

cinch_derived *cinch_derived_ref(cinch_derived *derived);
void cinch_derived_unref(cinch_derived *derived);

/*
 * cinch_settings_install puts SETTINGS into CTX. All it needs to know of a connection is in its link;
 * see link.h. When it fails CTX is half done.
 */
cinch_status cinch_settings_install(const cinch_settings *settings,
                                    const unsigned char session_digest[32], SSL_CTX *ctx,
                                    cinch_error *err);

/* cinch_settings_verify_mode says how a peer is asked for its certificate: SSL_CTX_set_verify(3). */
int cinch_settings_verify_mode(const cinch_settings *settings);

/* cinch_settings_check makes an SSL_CTX of SETTINGS and drops it: whether they can be used at all. */
cinch_status cinch_settings_check(const cinch_settings *settings, cinch_error *err);

/* cinch_settings_try tells whether connections could be made with SETTINGS now, anchors included. */
cinch_status cinch_settings_try(const cinch_settings *settings, cinch_error *err);

/* cinch_settings_check_all looks at the identities of all hosts as well. */
cinch_status cinch_settings_check_all(const cinch_settings *settings, cinch_error *err);

#endif
