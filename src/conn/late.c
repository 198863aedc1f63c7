/*
 * late.c: what can happen in TLS 1.3 while a connection is open: new keys, and a certificate of the
 * client's that the server asks for only now.
 */
#include "base/fail.h"
#include "conn/step.h"
#include "context/psk.h"

#include <cinch/binding.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

/* So many in a row, with no data between them, are no use but work for this side. */
#define MOST_KEY_UPDATES 32

/* This side's answers to what the peer asks for wait in the buffer beside what the program wrote. */
#define OUT_LARGEST (2 * CINCH_OUT_HIGH)

static cinch_status check_open(const cinch_conn *conn, const char *what, cinch_error *err)
{
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if (conn->state == CINCH_STATE_FAILED)
        return cinch_conn_failed_before(conn, err);
    if (conn->state != CINCH_STATE_OPEN && conn->state != CINCH_STATE_PEER_CLOSED)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%s on a connection that is not open", what);
    if (SSL_version(conn->ssl) < TLS1_3_VERSION)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%s is a matter of TLS 1.3, and this is %s",
                          what, SSL_get_version(conn->ssl));
    if (SSL_in_init(conn->ssl))
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%s while a message of the peer is half here",
                          what);
    return CINCH_OK;
}

/* Puts what libssl has prepared among the bytes that leave. */
static cinch_status flush(cinch_conn *conn, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    int result = cinch_step_handshake(conn, &local);

    if (result == 1) {
        ERR_clear_error();
        return CINCH_OK;
    }
    cinch_conn_explain(conn, SSL_get_error(conn->ssl, result), &local);
    return cinch_conn_fail(conn, &local, err);
}

cinch_status cinch_conn_key_update(cinch_conn *conn, int request, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = check_open(conn, "a change of keys", err);
    if (status != CINCH_OK)
        return status;
    if (SSL_key_update(conn->ssl,
                       request ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
        status = cinch_fail_crypto(err, "changing keys");
        ERR_clear_error();
        return status;
    }
    return flush(conn, err);
}

static cinch_status check_ask(const cinch_conn *conn, cinch_error *err)
{
    cinch_status status = check_open(conn, "asking for a certificate", err);

    if (status != CINCH_OK)
        return status;
    const cinch_settings *settings = conn->link.derived->settings;
    if (!settings->is_server)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a client cannot ask for a certificate: it has the server's already");
    if (conn->state != CINCH_STATE_OPEN)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "asking for a certificate after the client has said its last word");
    if (conn->late != CINCH_LATE_NONE)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the client was asked and has not answered yet");
    if (conn->link.psk_identity != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the client has proved a pre-shared key; it is not asked for more");
    if (settings->trust != NULL)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_NO_ANCHORS,
                     "a client certificate is to be asked for and no issuer of them is named");
    cinch_fail_remedy(err, "name the CA of your clients first, for example with "
                           "cinch_context_trust_file()");
    return CINCH_FAILED;
}

cinch_status cinch_conn_ask_certificate(cinch_conn *conn, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = check_ask(conn, err);
    if (status != CINCH_OK)
        return status;
    cinch_link *link = &conn->link;
    int optional = link->derived->settings->client_auth == CINCH_CLIENT_AUTH_OPTIONAL;
    SSL_set_verify(conn->ssl, SSL_VERIFY_PEER | (optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
                   NULL);
    if (SSL_verify_client_post_handshake(conn->ssl) != 1) {
        if (ERR_GET_REASON(ERR_peek_error()) != SSL_R_EXTENSION_NOT_RECEIVED) {
            status = cinch_fail_crypto(err, "asking for a certificate");
        } else {
            status = cinch_fail(err, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
                                "the client does not offer to show a certificate later");
            cinch_fail_remedy(err, "turn post-handshake authentication on in the client, with "
                                   "cinch_context_late_certificate(), or ask in the handshake");
        }
        ERR_clear_error();
        return status;
    }
    /* What was verified before is no longer what counts. */
    link->verified = 0;
    link->chain_is_verified = 0;
    sk_X509_pop_free(link->resumed_chain, X509_free);
    link->resumed_chain = NULL;
    /* No ticket now: it would be sealed with a certificate whose key is not proved yet. */
    link->gave_tickets = 1;
    conn->late = CINCH_LATE_ASKED;
    return flush(conn, err);
}

/*
 * The verification of the certificate comes before the proof that the client has its key, so nothing
 * is believed until the client's Finished has been found right as well.
 */
static cinch_status settle(cinch_conn *conn, cinch_error *local)
{
    cinch_link *link = &conn->link;

    if (conn->late != CINCH_LATE_FINISHED || !SSL_is_init_finished(conn->ssl))
        return CINCH_OK;
    conn->late = CINCH_LATE_NONE;
    if (SSL_get0_peer_certificate(conn->ssl) == NULL) {
        link->verified = 0;
        if (link->derived->settings->client_auth == CINCH_CLIENT_AUTH_OPTIONAL)
            return CINCH_OK;
        return cinch_fail(local, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
                          "the client was asked for a certificate and sent none");
    }
    if (link->verified && SSL_get_verify_result(conn->ssl) == X509_V_OK)
        return CINCH_OK;
    return cinch_fail(local, CINCH_CAUSE_INTERNAL,
                      "the client's certificate came without having been verified");
}

cinch_status cinch_conn_look_after(cinch_conn *conn, int got_data, cinch_error *local)
{
    if (got_data)
        conn->key_updates = 0;
    if (conn->key_updates > MOST_KEY_UPDATES)
        return cinch_fail(local, CINCH_CAUSE_PROTOCOL,
                          "the peer changes its keys again and again and sends no data");
    if (cinch_buffer_used(&conn->out) > OUT_LARGEST) {
        (void)cinch_fail(local, CINCH_CAUSE_PROTOCOL,
                         "the peer asks for answers (new keys) and does not take them");
        cinch_fail_evidence(local, "%zu bytes wait for it", cinch_buffer_used(&conn->out));
        return CINCH_FAILED;
    }
    return settle(conn, local);
}
