/*
 * host.h: which name gets which certificate and rules?
 *
 * A server context may answer for many names. Each name leads to an identity, or to a whole other
 * context with rules of its own. The choice is made from the ClientHello, before anything else: what
 * the chosen context says about client certificates, versions, algorithms and sessions is what
 * holds, and a session made at one host never resumes at another.
 *
 * Names are as in certificates (RFC 9525): "www.example.com", in Unicode or as A-labels, or a
 * wildcard for one whole label, "*.example.com". Thousands of them cost no more than one. A client
 * that asks for another name after a HelloRetryRequest is refused.
 *
 * Threads: as context.h. A callback is called on the thread that drives the connection, and may be
 * called by several at once.
 */
#ifndef CINCH_HOST_H
#define CINCH_HOST_H

#include <cinch/identity.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_add_identity adds IDENTITY to the server context CTX, beside the ones it has. A
 * client that asks for a name gets an identity that is for this name: one with the exact name, else
 * one with a wildcard for it; of several, one whose kind of key the client supports, ECDSA before
 * RSA. A client that asks for no name, or for one that nobody is for, gets the identity of
 * cinch_context_identity() (the first one added, if that was not called), or is refused, as
 * cinch_context_server_name_rule() says. One with the same kind of key takes the place of the one
 * before for all names that both are for: a renewal is added like the first.
 */
CINCH_API cinch_status cinch_context_add_identity(cinch_context *ctx, cinch_identity *identity,
                                                  cinch_error *err);

/* cinch_context_add_identity_file is cinch_identity_file() and cinch_context_add_identity(). */
CINCH_API cinch_status cinch_context_add_identity_file(cinch_context *ctx, const char *path,
                                                       const char *password, cinch_error *err);

/*
 * cinch_context_host makes the server context CTX hand connections for NAME to HOST, another server
 * context: a name, or a wildcard "*.example.com". The exact name wins over a wildcard, both over
 * the identities of CTX. HOST's own hosts and callback are not looked at. Changes of HOST take effect
 * as on any context; the caller may free it when there is nothing to change any more. The same NAME
 * again replaces the HOST before; HOST NULL takes NAME out. A context cannot become a host of itself,
 * in a circle either.
 *
 * Session ids of TLS 1.2 (cinch_context_session_ids()) are kept by CTX for all its hosts: they work
 * at a host when they are on in both.
 */
CINCH_API cinch_status cinch_context_host(cinch_context *ctx, const char *name, cinch_context *host,
                                          cinch_error *err);

/* Two-byte numbers as on the wire (IANA's registries of TLS), in the client's order. */
typedef struct cinch_numbers {
    const uint16_t *numbers;
    size_t count;
} cinch_numbers;

/* What a client says of itself before anything is decided. Valid during the callback only. */
typedef struct cinch_client_hello {
    const char *server_name; /* in lower case; "" if none */
    const char *const *alpn; /* the protocols offered, ended by NULL; none with a NUL */
    cinch_numbers versions;  /* 0x0304, ...; GREASE (RFC 8701) is left out everywhere */
    cinch_numbers suites;
    cinch_numbers groups;
    cinch_numbers sigalgs;
    cinch_numbers extensions; /* their types, in the order sent */
    const char *ja4;          /* fingerprint "t13d1516h2_8daaf6152771_e5627efa2ab1" */
} cinch_client_hello;

/*
 * cinch_host_callback chooses the context for a connection. It returns a server context, which must
 * stay alive until the call that drives the handshake returns; or NULL to go on as if there were no
 * callback; or sets *REFUSE, which is 0, to an alert (40 handshake_failure, 49 access_denied, 112
 * unrecognized_name) to end the connection. Sessions stay with the rules of the context chosen: two
 * contexts with the same names, rules and ring are one host here.
 */
typedef cinch_context *(*cinch_host_callback)(const cinch_client_hello *hello, int *refuse,
                                              void *arg);

/*
 * cinch_context_choose sets CALLBACK for the server context CTX, with ARG; NULL takes it out. With a
 * callback CTX needs no identity of its own: a connection that no context is chosen for fails then.
 */
CINCH_API cinch_status cinch_context_choose(cinch_context *ctx, cinch_host_callback callback,
                                            void *arg, cinch_error *err);

CINCH_END_DECLS

#endif
