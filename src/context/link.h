/*
 * link.h: what the callbacks of an SSL_CTX need to know of the one connection that they are called
 * for, and what they find out. The conn owns it and hangs it on its SSL.
 */
#ifndef CINCH_CONTEXT_LINK_H
#define CINCH_CONTEXT_LINK_H

#include "base/hostname.h"
#include "context/context.h"

/* The longest identity of a pre-shared key, and its size as text with the NUL. */
#define CINCH_PSK_TEXT 129

typedef struct cinch_link {
    cinch_derived *derived;
    cinch_host host;       /* client: who the server must be; text "" if the name is not checked */
    cinch_error *report;   /* where a callback explains a refusal; NULL: nobody wants to know */
    STACK_OF(X509) * sent; /* the peer's certificates, kept when they were refused */
    int64_t verified_at;   /* cinch_clock_us() when the verification was over, 0 before */
    int verified;          /* set by the verification alone, after its last check */
    int staple_is_good;    /* client: the OCSP response that is required was there and good, */
    int64_t staple_until;  /* and until when it holds */
    int chain_is_verified; /* OpenSSL's verified chain really is one */
    const struct cinch_finding *finding; /* the rule that is broken, while that is explained */

    /* Resumption; see resume.h. */
    cinch_session_cache *sessions;  /* client: where new ones go; NULL: nowhere */
    unsigned char session_key[32];  /* client: what they are kept under */
    cinch_session *offered;         /* client: the one that was offered */
    cinch_session *fresh;           /* client: the newest that the server gave */
    STACK_OF(X509) * resumed_chain; /* as verified when the resumed session began */
    int64_t began;                  /* the full handshake at the start of it all; 0: this one */
    int open;                       /* the last check has passed */
    int gave_tickets;               /* server: they went out, or there was no reason to */

    /* Shared secrets; see psk.h. */
    const char *psk_identity;      /* whose secret is in use, if it is proved; NULL: none */
    char psk_text[CINCH_PSK_TEXT]; /* the place for one that a callback deals with */
    int psk_offers;                /* server: identities in the hello not yet looked at */
    int psk_unknown;               /* server: an identity that is not known was offered */
    /* Server: which host it is for; see hosts.h. */
    cinch_derived *first;             /* what it began with, if DERIVED is now another */
    unsigned char session_digest[32]; /* what sessions of this host are bound to */
    char *asked;                      /* the name in the ClientHello, "" if none; NULL before it */
    const unsigned char *hello; /* the message, while it is looked at; NULL: could not be kept */
    size_t hello_size;
} cinch_link;

/* cinch_link_attach hangs LINK on SSL. 1 or 0. */
int cinch_link_attach(cinch_link *link, SSL *ssl);

/* cinch_link_detach takes it off again: SSL has none. */
void cinch_link_detach(SSL *ssl);

/* cinch_link_of gives the link of SSL, NULL for one that has none. */
cinch_link *cinch_link_of(const SSL *ssl);

/*
 * cinch_verify_peer is the whole check of a peer's certificates, at the time NOW: 1 or 0, and then
 * why in the link's report. SSL is NULL where there is no connection.
 */
int cinch_verify_peer(X509_STORE_CTX *store_ctx, cinch_link *link, SSL *ssl, int64_t now);

/* The callbacks for SSL_CTX_set_cert_verify_callback(), ALPN and server names. */
int cinch_verify_callback(X509_STORE_CTX *store_ctx, void *arg);
int cinch_alpn_callback(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                        const unsigned char *in, unsigned in_size, void *arg);
int cinch_server_name_callback(SSL *ssl, int *alert, void *arg);
int cinch_client_hello_callback(SSL *ssl, int *alert, void *arg);

/* cinch_verify_explain says in ERR why STORE_CTX was refused. */
void cinch_verify_explain(X509_STORE_CTX *store_ctx, const cinch_link *link, int64_t now,
                          cinch_error *err);

/*
 * cinch_order_sent gives in *ORDERED the certificates that were SENT, those nearest to a trust
 * anchor first, without references of its own: sk_X509_free() it. NULL where the order makes no
 * difference. 0 when memory runs out.
 */
int cinch_order_sent(cinch_trust *trust, STACK_OF(X509) * sent, int64_t now,
                     STACK_OF(X509) * *ordered);

/* cinch_alpn_text writes a list as on the wire into BUF, "h2, http/1.1", and returns BUF. */
char *cinch_alpn_text(const unsigned char *list, size_t list_size, char *buf, size_t size);

#endif
