/*
 * context.h: what must every connection satisfy?
 *
 * A context holds settings: whom to trust, who we are, which algorithms, which protocols. A new one
 * is safe as it is. Make one per purpose and keep it: connections are made from it.
 *
 * Threads: every call on a context may come from any thread at any time, also while connections are
 * being made from it and are in use. A connection keeps the settings that were in force when it was
 * made. A setter checks at once; when it fails, the settings stay what they were, in full.
 */
#ifndef CINCH_CONTEXT_H
#define CINCH_CONTEXT_H

#include <cinch/error.h>

CINCH_BEGIN_DECLS

typedef struct cinch_context cinch_context;

/*
 * cinch_context_client makes a context for connecting to servers: policy "default", TLS 1.2 and 1.3,
 * the server's certificate must lead to an anchor of the system's trust store (trust.h), be in its
 * time, be for servers, and be for the name that is connected to (RFC 9525; the subject's CN never
 * counts). Returns NULL and sets ERR on failure. Free it with cinch_context_free().
 */
CINCH_API cinch_context *cinch_context_client(cinch_error *err);

/*
 * cinch_context_server makes a context for accepting clients: policy "default", no client
 * certificates asked for, nobody trusted. It needs an identity (identity.h) before connections can
 * be made from it. Returns NULL and sets ERR on failure. Free it with cinch_context_free().
 */
CINCH_API cinch_context *cinch_context_server(cinch_error *err);

/* cinch_context_dup makes an independent copy of CTX. Returns NULL and sets ERR on failure. */
CINCH_API cinch_context *cinch_context_dup(cinch_context *ctx, cinch_error *err);

/*
 * cinch_context_free drops CTX. Connections made from it live on, and so does whatever else was given
 * it: a listener, or a name of another context (host.h). NULL is fine.
 */
CINCH_API void cinch_context_free(cinch_context *ctx);

/*
 * cinch_context_apply gives TO all the settings of FROM in one step, so that several changes take
 * effect together or not at all: take a cinch_context_dup(), change it, apply it. Both must be of
 * the same kind, client or server. Fails and leaves TO alone if no connection could be made with
 * the settings of FROM.
 */
CINCH_API cinch_status cinch_context_apply(cinch_context *to, cinch_context *from,
                                           cinch_error *err);

/*
 * cinch_context_check tells whether connections can be made from CTX now: that the trust anchors
 * can be found and read, and that a server has an identity. cinch_conn_new(), cinch_dial() and
 * cinch_listen() do the same, later.
 */
CINCH_API cinch_status cinch_context_check(cinch_context *ctx, cinch_error *err);

/*
 * cinch_context_alpn sets the application protocols (RFC 7301) to offer or accept, the most wanted
 * first, separated by commas: "h2,http/1.1". Each is 1 to 255 bytes. NULL turns ALPN off; an empty
 * list is an error. A server takes the first of its own list that the client offers.
 */
CINCH_API cinch_status cinch_context_alpn(cinch_context *ctx, const char *protocols,
                                          cinch_error *err);

/* What happens when ALPN does not agree on a protocol. */
typedef enum cinch_alpn_rule {
    CINCH_ALPN_OVERLAP =
        0, /* fails if both sides have a list and nothing is in both: the default */
    CINCH_ALPN_REQUIRED = 1, /* fails also if the peer does not speak ALPN at all */
    CINCH_ALPN_OPTIONAL = 2  /* goes on without a protocol */
} cinch_alpn_rule;

/* cinch_context_alpn_rule sets what happens when ALPN does not agree on a protocol. */
CINCH_API cinch_status cinch_context_alpn_rule(cinch_context *ctx, cinch_alpn_rule rule,
                                               cinch_error *err);

/* Whether a server wants a certificate of its clients. */
typedef enum cinch_client_auth {
    CINCH_CLIENT_AUTH_NONE = 0,     /* does not ask: the default */
    CINCH_CLIENT_AUTH_OPTIONAL = 1, /* asks; a client without one is let in, a bad one is not */
    CINCH_CLIENT_AUTH_REQUIRED = 2  /* asks; a client without a good one is not let in */
} cinch_client_auth;

/*
 * cinch_context_client_auth sets whether a server asks its clients for a certificate. The issuers
 * must be named with trust.h first: a server never trusts the system's anchors by itself, because
 * whoever can get a web server certificate could log in.
 */
CINCH_API cinch_status cinch_context_client_auth(cinch_context *ctx, cinch_client_auth mode,
                                                 cinch_error *err);

/*
 * cinch_context_verify_depth sets how many intermediate certificates there may be between the
 * peer's certificate and the trust anchor: 0 to 100, the default is 10.
 */
CINCH_API cinch_status cinch_context_verify_depth(cinch_context *ctx, int depth, cinch_error *err);

/*
 * cinch_context_partial_chain says what can be an anchor: every certificate that was named, an
 * intermediate as well (ON not 0: the default), or only one that is signed by itself, a root (0).
 * A leaf that was named is one too: it is accepted with or without the certificates of its issuers.
 */
CINCH_API cinch_status cinch_context_partial_chain(cinch_context *ctx, int on, cinch_error *err);

/* What a server does with the name that a client asks for (SNI, RFC 6066, 3). */
typedef enum cinch_server_name_rule {
    CINCH_SERVER_NAME_ANY = 0,     /* answers whatever the name is, or without one: the default */
    CINCH_SERVER_NAME_KNOWN = 1,   /* a name that the identity is not for is refused (alert 112) */
    CINCH_SERVER_NAME_REQUIRED = 2 /* and a client that sends none is refused too */
} cinch_server_name_rule;

/* cinch_context_server_name_rule sets what a server does with the name that a client asks for. */
CINCH_API cinch_status cinch_context_server_name_rule(cinch_context *ctx,
                                                      cinch_server_name_rule rule,
                                                      cinch_error *err);

/*
 * cinch_context_send_server_name sets whether a client tells the server which name it wants (SNI).
 * On by default. Off hides the name from an observer and makes many servers answer with another
 * certificate, which is then refused.
 */
CINCH_API cinch_status cinch_context_send_server_name(cinch_context *ctx, int on, cinch_error *err);

/*
 * cinch_context_insecure_skip_verification makes a client accept any certificate (ON not 0), or
 * verify again (0). The name is still checked against it unless that is turned off as well. Anybody
 * between the two ends can then read and change everything.
 */
CINCH_API cinch_status cinch_context_insecure_skip_verification(cinch_context *ctx, int on,
                                                                cinch_error *err);

/*
 * cinch_context_insecure_skip_name makes a client accept a trusted certificate whatever name it is
 * for (ON not 0), or check the name again (0), and allows connections without a name. Anybody with
 * a certificate from any of the trusted issuers can then pose as the server.
 */
CINCH_API cinch_status cinch_context_insecure_skip_name(cinch_context *ctx, int on,
                                                        cinch_error *err);

CINCH_END_DECLS

#endif
