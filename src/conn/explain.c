/* explain.c: why a call of libssl failed, from its error queue, the alerts and what passed by. */
#include "base/fail.h"
#include "base/openssl.h"
#include "conn/conn.h"
#include "context/psk.h"

#include <openssl/err.h>
#include <openssl/proverr.h>
#include <openssl/sslerr.h>

static const char *peer(const cinch_conn *conn)
{
    return conn->link.derived->settings->is_server ? "client" : "server";
}

static void explain_damage(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_DAMAGED_RECORD,
                     "a record from the %s is damaged, or protected with other keys", peer(conn));
    cinch_fail_evidence(local, "it does not pass the check of its authentication tag");
}

static void explain_end(const cinch_conn *conn, cinch_error *local)
{
    if (conn->handshake_done) {
        (void)cinch_fail(local, CINCH_CAUSE_TRUNCATED,
                         "the %s ended the transport without close_notify", peer(conn));
        cinch_fail_evidence(local,
                            "anybody on the path can cut a connection like this, and a %s "
                            "that crashed does it too",
                            peer(conn));
        return;
    }
    (void)cinch_fail(local, CINCH_CAUSE_CLOSED_IN_HANDSHAKE,
                     "the %s closed the connection during the handshake, %s", peer(conn),
                     cinch_conn_phase(conn));
    cinch_fail_evidence(local,
                        conn->answered || (conn->opening != NULL && conn->opening->first_size > 0)
                            ? "it had sent something before, and no alert to say why"
                            : "it sent nothing at all before");
    if (!conn->answered && !conn->link.derived->settings->is_server)
        cinch_explain_offer(conn, local);
}

/* close_notify where nothing had been opened yet (RFC 8446, 6.1). */
static void explain_close(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_CLOSED_IN_HANDSHAKE,
                     "the %s ended the connection during the handshake, %s", peer(conn),
                     cinch_conn_phase(conn));
    cinch_fail_evidence(local, "it sent the alert close_notify, which gives no reason");
}

/* TLS 1.2 knows close_notify as a warning only; libssl takes a fatal one for an unknown alert. */
static int is_fatal_close(const cinch_conn *conn, unsigned long code)
{
    return !conn->handshake_done && ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_AD_REASON_OFFSET + SSL_AD_CLOSE_NOTIFY;
}

static void explain_weak_key(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_TOO_WEAK,
                     "a key or digest of the %s is too weak for the policy", peer(conn));
    cinch_fail_evidence(local, "security level %d asks for more",
                        conn->link.derived->settings->policy->level);
}

static void explain_no_certificate(cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
                     "the client sent no certificate and this server requires one");
}

static void explain_protocol(const cinch_conn *conn, unsigned long code, cinch_error *local)
{
    const char *reason = ERR_reason_error_string(code);

    (void)cinch_fail(local, CINCH_CAUSE_PROTOCOL, "the %s broke the protocol: %s", peer(conn),
                     reason == NULL ? "no reason is known" : reason);
    if (!conn->handshake_done)
        cinch_fail_evidence(local, "it happened %s", cinch_conn_phase(conn));
}

static void explain_signature(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_PROTOCOL,
                     "the %s's proof that it has the key of its certificate does not hold",
                     peer(conn));
    cinch_fail_evidence(local,
                        "the signature over the handshake does not verify: the %s uses "
                        "another key, or something between the two changed the handshake",
                        peer(conn));
}

/* 1 if the reason was one of negotiation. */
static int explain_negotiation(const cinch_conn *conn, int reason, cinch_error *local)
{
    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
        cinch_explain_no_version(conn, local);
        return 1;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_WRONG_CIPHER_RETURNED:
    case SSL_R_UNKNOWN_CIPHER_RETURNED:
    case SSL_R_NO_CIPHERS_SPECIFIED:
        cinch_explain_no_cipher(conn, local);
        return 1;
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_WRONG_CURVE:
        cinch_explain_no_group(conn, local);
        return 1;
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_MISSING_SIGALGS_EXTENSION:
        cinch_explain_no_sigalg(conn, local);
        return 1;
    case SSL_R_NO_APPLICATION_PROTOCOL:
        (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_ALPN,
                         "no application protocol (ALPN) in common");
        return 1;
    default:
        return 0;
    }
}

static void explain_reason(const cinch_conn *conn, unsigned long code, cinch_error *local)
{
    int reason = ERR_GET_REASON(code);

    if (ERR_GET_LIB(code) != ERR_LIB_SSL) {
        explain_protocol(conn, code, local);
        return;
    }
    if (explain_negotiation(conn, reason, local))
        return;
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        explain_end(conn, local);
        break;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        explain_no_certificate(local);
        break;
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_DECRYPTION_FAILED:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_LENGTH_TOO_SHORT:
    case SSL_R_RECORD_LENGTH_MISMATCH:
        explain_damage(conn, local);
        break;
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK:
    case SSL_R_DH_KEY_TOO_SMALL:
        explain_weak_key(conn, local);
        break;
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_BAD_ECC_CERT:
        explain_signature(conn, local);
        break;
    default:
        explain_protocol(conn, code, local);
        break;
    }
}

/*
 * What went wrong inside this side (RFC 8446, 6.2, internal_error) is no fault of the peer's. For
 * those libssl always has another alert.
 */
static int is_ours(const cinch_conn *conn, unsigned long code)
{
    return conn->alert_sent == SSL_AD_INTERNAL_ERROR ||
           ERR_GET_REASON(code) == ERR_R_INTERNAL_ERROR ||
           (conn->alert_sent == 0 && ERR_GET_LIB(code) != ERR_LIB_SSL);
}

static void explain_ours(const cinch_conn *conn, unsigned long code, cinch_error *local)
{
    const char *reason = ERR_reason_error_string(code);

    (void)cinch_fail(local, CINCH_CAUSE_INTERNAL, "OpenSSL failed inside this side: %s",
                     reason == NULL ? "no reason is known" : reason);
    if (!conn->handshake_done)
        cinch_fail_evidence(local, "it happened %s", cinch_conn_phase(conn));
}

/* TLS 1.2: a record too short for its own nonce and tag; libssl takes it for a fault of its own. */
static int is_too_short(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_PROV && ERR_GET_REASON(code) == PROV_R_INVALID_AAD;
}

static int is_end(const cinch_conn *conn, int result, unsigned long code)
{
    if (!conn->recv_ended || cinch_buffer_used(&conn->in) > 0)
        return 0;
    return (result == SSL_ERROR_SYSCALL && code == 0) ||
           (ERR_GET_LIB(code) == ERR_LIB_SSL &&
            ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

/* What goes before the alerts while a handshake is not complete. 1 if LOCAL says what it was. */
static int explain_beginning(const cinch_conn *conn, unsigned long code, cinch_error *local)
{
    return cinch_psk_explain(&conn->link, conn->alert_received, ERR_GET_REASON(code), local) ||
           (conn->alert_received == 0 && cinch_explain_not_tls(conn, local));
}

void cinch_conn_explain(cinch_conn *conn, int result, cinch_error *local)
{
    /* The first entry is the cause; the ones after it are what the callers made of it. */
    cinch_conn_explain_errors(conn, result, cinch_openssl_take_errors(), local);
}

void cinch_conn_explain_errors(const cinch_conn *conn, int result, cinch_openssl_errors errors,
                               cinch_error *local)
{
    unsigned long code = errors.first;

    local->alert_sent = conn->alert_sent;
    local->alert_received = conn->alert_received;
    /* A callback of ours has explained it already; OpenSSL's words are added below. */
    if (!cinch_error_is_set(local)) {
        if (errors.out_of_memory)
            (void)cinch_fail_memory(local, conn->handshake_done ? "transferring data"
                                                                : "doing the handshake");
        else if (!conn->handshake_done && explain_beginning(conn, code, local))
            ; /* it has been said */
        else if (conn->alert_received != 0)
            cinch_explain_alert(conn, local);
        else if (is_end(conn, result, code))
            explain_end(conn, local);
        else if (result == SSL_ERROR_ZERO_RETURN || is_fatal_close(conn, code))
            explain_close(conn, local);
        else if (conn->alert_sent == SSL_AD_BAD_RECORD_MAC || is_too_short(code))
            explain_damage(conn, local);
        else if (code != 0 && is_ours(conn, code))
            explain_ours(conn, code, local);
        else if (code != 0)
            explain_reason(conn, code, local);
        else
            (void)cinch_fail(local, CINCH_CAUSE_INTERNAL,
                             "OpenSSL failed without saying why (SSL_get_error: %d)", result);
    }
    cinch_fail_openssl_code(local, errors.last);
}
