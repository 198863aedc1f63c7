/* context_adjust.c: the few things of an SSLContext that only OpenSSL knows of. */
#include "context.h"

/* All of it, as bytes: contexts share what libcinch derives if these are the same. */
typedef struct adjustment {
    uint64_t options;
    unsigned long flags; /* of the verification */
    int with_key_log;
    int late;        /* a server asks for certificates after the handshake only */
    int build_chain; /* what leads from the certificate to an anchor comes from the anchors */
    int with_hint;   /* to clients of TLS 1.2, about the names of shared secrets */
    char hint[PSK_MAX_IDENTITY_LEN + 1];
    int ciphers_raw;
    char ciphers[4096];
} adjustment;

/*
 * Options that say something about the protocol itself and may be left to the program. Whether an end
 * without close_notify counts as one is no choice, nor are compression and renegotiation.
 */
#define FREE_OPTIONS                                                                               \
    (SSL_OP_ALL | SSL_OP_NO_TICKET | SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_PRIORITIZE_CHACHA |   \
     SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_NO_EXTENDED_MASTER_SECRET | SSL_OP_NO_TLSv1 |             \
     SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3 | SSL_OP_ALLOW_NO_DHE_KEX)

static int adjust(SSL_CTX *ssl_ctx, const void *data, size_t size)
{
    const adjustment *a = data;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ssl_ctx);

    (void)size;
    SSL_CTX_set_options(ssl_ctx, a->options);
    if (a->with_key_log)
        SSL_CTX_set_keylog_callback(ssl_ctx, context_key_log_line);
    if (a->late)
        SSL_CTX_set_verify(ssl_ctx, SSL_CTX_get_verify_mode(ssl_ctx) | SSL_VERIFY_POST_HANDSHAKE,
                           NULL);
    /* Once, and not in every handshake as libssl would; what it cannot find is simply not sent. */
    if (a->build_chain)
        (void)SSL_CTX_build_cert_chain(ssl_ctx, SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR |
                                                    SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR);
    if (a->with_hint && SSL_CTX_use_psk_identity_hint(ssl_ctx, a->hint) != 1)
        return 0;
    return (!a->ciphers_raw || SSL_CTX_set_cipher_list(ssl_ctx, a->ciphers) == 1) &&
           X509_VERIFY_PARAM_set_flags(param, a->flags) == 1;
}

cinch_status context_adjust(const context_object *self, cinch_context *ctx, int server_side,
                            int has_crls, cinch_error *err)
{
    adjustment a;

    memset(&a, 0, sizeof a);
    a.options = self->options & FREE_OPTIONS;
    a.flags = self->verify_flags & X509_V_FLAG_ALLOW_PROXY_CERTS;
    /* No lists, and they are to be looked at: nobody passes, as in CPython. */
    if (!has_crls)
        a.flags |= self->verify_flags & (X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    a.with_key_log = self->log != NULL;
    a.late = server_side && self->post_handshake_auth && self->verify_mode == VERIFY_OPTIONAL;
    a.build_chain = self->identity_count > 0 && self->source_count > 0 &&
                    cinch_identity_certificate(self->identities[0], 1) == NULL;
    a.with_hint = server_side && self->psk_server_callback != NULL && self->psk_hint != NULL;
    if (a.with_hint)
        (void)PyOS_snprintf(a.hint, sizeof a.hint, "%s", self->psk_hint);
    a.ciphers_raw = self->ciphers_raw;
    if (self->ciphers_raw)
        (void)PyOS_snprintf(a.ciphers, sizeof a.ciphers, "%s", self->ciphers);
    return cinch_context_insecure_adjust(ctx, adjust, &a, sizeof a, err);
}
