/* explain_alert.c: the other side ended it with an alert; what that means for this side. */
#include "base/fail.h"
#include "base/text.h"
#include "conn/conn.h"

static int is_server(const cinch_conn *conn)
{
    return conn->link.derived->settings->is_server;
}

static const cinch_certificate *our_leaf(const cinch_conn *conn)
{
    const cinch_identity *identity = conn->link.derived->settings->identity;

    return identity == NULL || identity->certificate_count == 0 ? NULL : identity->certificates[0];
}

static void show_ours(const cinch_conn *conn, cinch_error *local)
{
    const cinch_certificate *leaf = our_leaf(conn);

    if (leaf != NULL)
        cinch_fail_evidence(local, "\nour certificate: %s\nissued by: %s", leaf->subject,
                            leaf->issuer);
}

static void show_alert(const cinch_conn *conn, cinch_error *local)
{
    cinch_fail_evidence(local, "it sent the alert %s (%d): %s",
                        cinch_alert_name(conn->alert_received), conn->alert_received,
                        cinch_alert_meaning(conn->alert_received));
}

/* The server does not like who we are, or that we do not say it. */
static void client_is_refused(const cinch_conn *conn, cinch_error *local)
{
    int alert = conn->alert_received;

    if (our_leaf(conn) == NULL || alert == SSL_AD_CERTIFICATE_REQUIRED)
        (void)cinch_fail(local, CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED,
                         "the server wants a client certificate and %s",
                         our_leaf(conn) == NULL ? "this client has none" : "got none");
    else
        (void)cinch_fail(local, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED,
                         "the server refused this client's certificate");
    show_alert(conn, local);
    if (conn->handshake_done)
        cinch_fail_evidence(local, "\nit came after the handshake: with TLS 1.3 a client learns "
                                   "only then what became of its certificate");
    show_ours(conn, local);
}

/* The client does not like our certificate. */
static void server_is_refused(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_PEER_DISTRUSTS_US,
                     "the client does not accept this server's certificate");
    show_alert(conn, local);
    show_ours(conn, local);
    if (conn->alert_received == SSL_AD_CERTIFICATE_EXPIRED)
        cinch_fail_remedy(local, "renew this server's certificate; if it is in its time, the "
                                 "client's clock is wrong");
    if (conn->alert_received == SSL_AD_BAD_CERTIFICATE)
        cinch_fail_remedy(local, "check that the certificate is for the name that the client "
                                 "connects to, and complete with its intermediates");
}

static void certificate_is_refused(const cinch_conn *conn, cinch_error *local)
{
    if (is_server(conn))
        server_is_refused(conn, local);
    else if (conn->peer_asked)
        client_is_refused(conn, local);
    else {
        (void)cinch_fail(local, CINCH_CAUSE_ALERT_RECEIVED,
                         "the server complains of a certificate, though it asked for none");
        show_alert(conn, local);
    }
}

/* Only a TLS 1.3 client with a certificate may still learn what became of its handshake. */
static int negotiation_is_over(const cinch_conn *conn)
{
    return conn->handshake_done &&
           (is_server(conn) || !conn->peer_asked || SSL_version(conn->ssl) < TLS1_3_VERSION);
}

/* RFC 5246 has a warning for it, and OpenSSL makes this of a warning that was not heeded. */
static void renegotiation_is_missed(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_ALERT_RECEIVED,
                     "the %s ended the connection with an alert that belongs in a handshake",
                     is_server(conn) ? "client" : "server");
    show_alert(conn, local);
    cinch_fail_evidence(local, "\nit came after the handshake");
    if (SSL_version(conn->ssl) >= TLS1_3_VERSION)
        return;
    cinch_fail_evidence(local, ": probably it wanted to renegotiate, which is not done here");
    cinch_fail_remedy(local, "have the other side ask in the first handshake for all that it "
                             "needs, or use TLS 1.3");
}

static void nothing_fits(const cinch_conn *conn, cinch_error *local)
{
    if (negotiation_is_over(conn)) {
        renegotiation_is_missed(conn, local);
        return;
    }
    /* In TLS 1.2 a server says handshake_failure to a client without a certificate (RFC 5246, 7.4.6). */
    if (!is_server(conn) && conn->peer_asked && our_leaf(conn) == NULL) {
        client_is_refused(conn, local);
        return;
    }
    (void)cinch_fail(local, CINCH_CAUSE_HANDSHAKE_REFUSED,
                     "the %s found nothing acceptable in what was offered",
                     is_server(conn) ? "client" : "server");
    show_alert(conn, local);
    cinch_explain_offer(conn, local);
}

static void name_is_unknown(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local, CINCH_CAUSE_UNKNOWN_SERVER_NAME, "the server does not know \"%s\"",
                     conn->link.host.text);
    show_alert(conn, local);
}

static void alpn_is_refused(const cinch_conn *conn, cinch_error *local)
{
    const cinch_settings *settings = conn->link.derived->settings;
    char ours[256];

    (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_ALPN,
                     "the %s speaks none of the application protocols offered",
                     is_server(conn) ? "client" : "server");
    show_alert(conn, local);
    if (settings->alpn != NULL)
        cinch_fail_evidence(
            local, "\nthis side offered: %s",
            cinch_alpn_text(settings->alpn, settings->alpn_size, ours, sizeof ours));
    else
        cinch_fail_evidence(local, "\nthis side offered none");
}

/* What GnuTLS makes of a client that has no certificate, in TLS 1.2. */
static int certificate_was_missed(const cinch_conn *conn)
{
    return !is_server(conn) && conn->peer_asked && our_leaf(conn) == NULL && !conn->handshake_done;
}

static void other(const cinch_conn *conn, cinch_error *local)
{
    (void)cinch_fail(local,
                     conn->alert_received == SSL_AD_BAD_RECORD_MAC ? CINCH_CAUSE_DAMAGED_RECORD
                                                                   : CINCH_CAUSE_ALERT_RECEIVED,
                     "the %s ended the connection with an alert: %s",
                     is_server(conn) ? "client" : "server",
                     cinch_alert_meaning(conn->alert_received));
    show_alert(conn, local);
    if (!conn->handshake_done)
        cinch_fail_evidence(local, "\nit came %s", cinch_conn_phase(conn));
}

void cinch_explain_alert(const cinch_conn *conn, cinch_error *local)
{
    switch (conn->alert_received) {
    case SSL_AD_PROTOCOL_VERSION:
        cinch_explain_no_version(conn, local);
        cinch_fail_evidence(local, "\n");
        show_alert(conn, local);
        break;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_INSUFFICIENT_SECURITY:
        nothing_fits(conn, local);
        break;
    case SSL_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        certificate_is_refused(conn, local);
        break;
    case SSL_AD_UNRECOGNIZED_NAME:
        name_is_unknown(conn, local);
        break;
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        alpn_is_refused(conn, local);
        break;
    case SSL_AD_DECODE_ERROR:
        if (certificate_was_missed(conn))
            client_is_refused(conn, local);
        else
            other(conn, local);
        break;
    default:
        other(conn, local);
        break;
    }
}
