/* binding.c: channel bindings and exported keys: what ties something else to one connection. */
#include "base/fail.h"
#include "base/openssl.h"
#include "conn/conn.h"

#include <cinch/binding.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <string.h>

#define EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EXPORTER_SIZE ((size_t)32)

/* HKDF gives so much with SHA-256 (RFC 5869, 2.3), the smallest digest in use. */
#define LARGEST_EXPORT ((size_t)255 * 32)

static cinch_status check_done(const cinch_conn *conn, cinch_error *err)
{
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if (conn->state == CINCH_STATE_FAILED)
        return cinch_conn_failed_before(conn, err);
    if (conn->handshake_done)
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_MISUSE,
                      "what ties to a connection was asked for before its handshake was complete");
}

/*
 * With TLS 1.2 and without the extended master secret (RFC 7627) somebody between the two ends can
 * give two connections the same secrets, and relay what was tied to one of them to the other.
 */
static int secrets_are_unique(const cinch_conn *conn)
{
    return SSL_version(conn->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(conn->ssl) == 1;
}

static cinch_status fail_not_unique(cinch_error *err)
{
    (void)cinch_fail(err, CINCH_CAUSE_MISUSE,
                     "the secrets of this connection may not be its own: TLS 1.2 without the "
                     "extended master secret");
    cinch_fail_remedy(err, "use TLS 1.3, or tls-server-end-point; the other side should get the "
                           "extension of RFC 7627");
    return CINCH_FAILED;
}

/* RFC 5929, 3.1: the first Finished of the handshake, a server's if it resumed, else a client's. */
static cinch_status tls_unique(const cinch_conn *conn, unsigned char *out, size_t *n,
                               cinch_error *err)
{
    int resumed = SSL_session_reused(conn->ssl) == 1;

    if (SSL_version(conn->ssl) >= TLS1_3_VERSION) {
        (void)cinch_fail(err, CINCH_CAUSE_MISUSE, "tls-unique is not defined for TLS 1.3");
        cinch_fail_remedy(err, "use tls-exporter (RFC 9266)");
        return CINCH_FAILED;
    }
    if (resumed && !secrets_are_unique(conn))
        return fail_not_unique(err);
    if (resumed == conn->link.derived->settings->is_server)
        *n = SSL_get_finished(conn->ssl, out, EVP_MAX_MD_SIZE);
    else
        *n = SSL_get_peer_finished(conn->ssl, out, EVP_MAX_MD_SIZE);
    if (*n > 0 && *n <= EVP_MAX_MD_SIZE)
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_INTERNAL, "there is no Finished message to tell of");
}

/* RFC 5929, 4.1. The certificate is the same for all connections; it stops relays by another server. */
static cinch_status server_end_point(const cinch_conn *conn, unsigned char *out, size_t *n,
                                     cinch_error *err)
{
    X509 *leaf = conn->link.derived->settings->is_server ? SSL_get_certificate(conn->ssl)
                                                         : SSL_get0_peer_certificate(conn->ssl);
    int nid = NID_undef;
    unsigned size = 0;

    if (leaf == NULL || conn->link.psk_identity != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the server of this connection showed no certificate to bind to");
    if (X509_get_signature_info(leaf, &nid, NULL, NULL, NULL) != 1 || nid == NID_undef) {
        (void)cinch_fail(err, CINCH_CAUSE_MISUSE,
                         "tls-server-end-point is not defined for this server's certificate: its "
                         "signature (%s) has no digest",
                         OBJ_nid2sn(X509_get_signature_nid(leaf)));
        cinch_fail_remedy(err, "use tls-exporter (RFC 9266)");
        return CINCH_FAILED;
    }
    if (nid == NID_md5 || nid == NID_sha1)
        nid = NID_sha256;
    EVP_MD *md = EVP_MD_fetch(cinch_library_context(), OBJ_nid2sn(nid), NULL);
    int ok = md != NULL && X509_digest(leaf, md, out, &size) == 1;
    EVP_MD_free(md);
    *n = size;
    return ok ? CINCH_OK : cinch_fail_crypto(err, "making a channel binding");
}

static cinch_status exporter(const cinch_conn *conn, unsigned char *out, size_t *n,
                             cinch_error *err)
{
    if (!secrets_are_unique(conn))
        return fail_not_unique(err);
    *n = EXPORTER_SIZE;
    /* With a context of no bytes, which is not the same as without one (RFC 9266, 2). */
    if (SSL_export_keying_material(conn->ssl, out, *n, EXPORTER_LABEL, strlen(EXPORTER_LABEL),
                                   (const unsigned char *)"", 0, 1) == 1)
        return CINCH_OK;
    return cinch_fail_crypto(err, "making a channel binding");
}

cinch_status cinch_conn_binding(const cinch_conn *conn, cinch_binding kind, void *buf, size_t size,
                                size_t *n, cinch_error *err)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    size_t made = 0;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (buf == NULL || n == NULL)
        return cinch_fail_null(err, "buffer for the channel binding");
    *n = 0;
    cinch_status status = check_done(conn, err);
    if (status != CINCH_OK)
        return status;
    switch (kind) {
    case CINCH_BINDING_TLS_UNIQUE:
        status = tls_unique(conn, bytes, &made, err);
        break;
    case CINCH_BINDING_SERVER_END_POINT:
        status = server_end_point(conn, bytes, &made, err);
        break;
    case CINCH_BINDING_EXPORTER:
        status = exporter(conn, bytes, &made, err);
        break;
    default:
        status = cinch_fail(err, CINCH_CAUSE_MISUSE, "there is no channel binding %d", (int)kind);
        break;
    }
    if (status == CINCH_OK && made > size)
        status = cinch_fail(err, CINCH_CAUSE_MISUSE,
                            "the channel binding has %zu bytes and the buffer %zu", made, size);
    if (status == CINCH_OK) {
        memcpy(buf, bytes, made);
        *n = made;
    }
    ERR_clear_error();
    return status;
}

cinch_status cinch_conn_export(const cinch_conn *conn, const char *label, const void *context,
                               size_t context_size, void *buf, size_t size, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (label == NULL || buf == NULL || (context == NULL && context_size > 0))
        return cinch_fail_null(err, label == NULL ? "label" : buf == NULL ? "buffer" : "context");
    cinch_status status = check_done(conn, err);
    if (status != CINCH_OK)
        return status;
    /* TLS 1.3 has room for 249 bytes of label (RFC 8446, 7.1), TLS 1.2 for 65,535 of context. */
    if (label[0] == 0 || strlen(label) > 249 || size == 0 || size > LARGEST_EXPORT ||
        context_size > 65535)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "keys are exported with a label of 1 to 249 bytes, a context of at most "
                          "65535, and %zu bytes at most; these are %zu, %zu and %zu",
                          LARGEST_EXPORT, strlen(label), context_size, size);
    if (!secrets_are_unique(conn))
        return fail_not_unique(err);
    if (SSL_export_keying_material(conn->ssl, buf, size, label, strlen(label), context,
                                   context_size, context != NULL) != 1) {
        memset(buf, 0, size);
        status = cinch_fail(err, CINCH_CAUSE_MISUSE,
                            "keys cannot be exported under the label \"%s\"", label);
        cinch_fail_openssl(err);
        cinch_fail_remedy(err, "use a label that begins with EXPORTER- (RFC 5705, 4)");
    }
    ERR_clear_error();
    return status;
}
