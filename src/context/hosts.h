/*
 * hosts.h: the virtual hosts of a server context. A table of names is never changed once a context
 * has it; a setter makes a new one that shares all but the part it changes, so that ten thousand
 * names can be added one by one.
 */
#ifndef CINCH_CONTEXT_HOSTS_H
#define CINCH_CONTEXT_HOSTS_H

#include "base/hostname.h"
#include "context/link.h"

#include <cinch/host.h>

/* The kinds of key, the most wanted first. */
typedef enum cinch_key_kind {
    CINCH_KEY_EC,
    CINCH_KEY_ED25519,
    CINCH_KEY_ED448,
    CINCH_KEY_RSA,
    CINCH_KEY_RSA_PSS,
    CINCH_KEY_KINDS
} cinch_key_kind;

/* What one name leads to. Never changes once it is in a table. */
typedef struct cinch_host_entry {
    atomic_uint references;
    cinch_context *context;                      /* NULL, or wins over the identities */
    cinch_identity *identities[CINCH_KEY_KINDS]; /* NULL where there is none */
    char name[CINCH_HOST_TEXT + 2];              /* "www.example.com", "*.example.com" */
} cinch_host_entry;

/* ---- hosts.c: the table ---- */

cinch_hosts *cinch_hosts_ref(cinch_hosts *hosts);
void cinch_hosts_unref(cinch_hosts *hosts);

/* cinch_hosts_copy gives a table that can be changed, with what HOSTS (or NULL) has. */
cinch_hosts *cinch_hosts_copy(const cinch_hosts *hosts);

/*
 * cinch_hosts_put_identity and _put_context set what NAME, as cinch_host_key() gives it, leads to in
 * a table that nobody else has yet. CONTEXT NULL takes it out. 0 if there is no memory.
 */
int cinch_hosts_put_identity(cinch_hosts *hosts, const char *name, cinch_identity *identity);
int cinch_hosts_put_context(cinch_hosts *hosts, const char *name, cinch_context *context);

/* cinch_hosts_remove_identity takes IDENTITY away from NAME, if it is there. As above. */
int cinch_hosts_remove_identity(cinch_hosts *hosts, const char *name,
                                const cinch_identity *identity);

/* cinch_hosts_find gives the entry of NAME, NULL if there is none. HOSTS may be NULL. */
const cinch_host_entry *cinch_hosts_find(const cinch_hosts *hosts, const char *name);

/* cinch_hosts_each calls VISIT for the entries until it returns 0. Returns the last result, or 1. */
int cinch_hosts_each(const cinch_hosts *hosts, int (*visit)(const cinch_host_entry *, void *arg),
                     void *arg);

/*
 * cinch_host_key writes NAME, a host name or a wildcard, into KEY as the table has it.
 * CINCH_CAUSE_BAD_HOST_NAME if it is neither.
 */
cinch_status cinch_host_key(char key[static CINCH_HOST_TEXT + 2], const char *name,
                            cinch_error *err);

/* cinch_host_wildcard writes the only wildcard that covers NAME into KEY; 0 if none may. */
int cinch_host_wildcard(char key[static CINCH_HOST_TEXT + 2], const char *name);

cinch_key_kind cinch_identity_kind(const cinch_identity *identity);

/* ---- hosts_setters.c ---- */

/*
 * cinch_context_replace_identity puts IDENTITY in the place of OLD, which was added to CTX (NULL:
 * nothing was): for its names in place of the old one's, but not for those that another identity has
 * taken over from the old one meanwhile. All or nothing.
 */
cinch_status cinch_context_replace_identity(cinch_context *ctx, cinch_identity *old,
                                            cinch_identity *identity, cinch_error *err);

/* cinch_hosts_check tells whether all the identities of SETTINGS can be used with its policy. */
cinch_status cinch_hosts_check(const cinch_settings *settings, SSL_CTX *scratch, cinch_error *err);

/*
 * While a context gets hosts, cinch_hosts_lock() keeps every other from getting some, so that two of
 * them cannot become each other's host. cinch_hosts_lead_to() tells whether CTX is among HOSTS or
 * their hosts; the lock is held.
 */
void cinch_hosts_lock(void);
void cinch_hosts_unlock(void);
int cinch_hosts_lead_to(const cinch_hosts *hosts, const cinch_context *ctx);

/* ---- hosts_choose.c ---- */

/*
 * cinch_hosts_choose is for the ClientHello that is here: it makes LINK and SSL go on with the rules
 * of the host that is asked for. 0 if the handshake has to end with *ALERT; the report says why.
 */
int cinch_hosts_choose(cinch_link *link, SSL *ssl, int *alert);

/* cinch_hosts_show adds the names that a server with SETTINGS knows to ERR's evidence. */
void cinch_hosts_show(const cinch_settings *settings, cinch_error *err);

/* cinch_hosts_release frees what LINK holds. */
void cinch_hosts_release(cinch_link *link);

/* ---- hosts_pick.c ---- */

/*
 * cinch_hosts_identity gives the identity of LINK's context for NAME, of several the one whose kind of
 * key the client of SSL supports. NULL if none is for NAME.
 */
cinch_identity *cinch_hosts_identity(const cinch_link *link, SSL *ssl, const cinch_host *name);

/*
 * cinch_hosts_fallback is for a client that is to be answered in any case: the first identity, or its
 * sibling with another kind of key. NULL if the context has none.
 */
cinch_identity *cinch_hosts_fallback(const cinch_link *link, SSL *ssl);

/* ---- hosts_switch.c ---- */

/*
 * cinch_hosts_switch makes LINK and SSL go on with the rules of TO, whose reference it takes over in
 * any case. NAME is what led to a context, "" for an identity. 0: the handshake must fail.
 */
int cinch_hosts_switch(cinch_link *link, SSL *ssl, cinch_derived *to, const char *name);

/*
 * cinch_hosts_derive gives what connections to the host IDENTITY of BASE go on with: the settings of
 * BASE with another identity. Made once and kept by BASE.
 */
cinch_derived *cinch_hosts_derive(cinch_derived *base, cinch_identity *identity, cinch_error *err);

cinch_host_cache *cinch_host_cache_new(void);
void cinch_host_cache_free(cinch_host_cache *cache);

/* ---- hello_view.c, ja4.c ---- */

/*
 * cinch_hello_view_new takes the ClientHello of SIZE bytes, a handshake message, apart for a
 * callback; NAME is what it asks for. NULL if it is not well-formed or memory runs out. Free it with
 * cinch_release().
 */
cinch_client_hello *cinch_hello_view_new(const unsigned char *message, size_t size,
                                         const char *name);

#define CINCH_JA4_TEXT 37

/* cinch_ja4 writes the fingerprint of HELLO; FIRST is the first protocol of ALPN, if there is one. */
int cinch_ja4(const cinch_client_hello *hello, const unsigned char *first, size_t first_size,
              char text[static CINCH_JA4_TEXT]);

#endif
