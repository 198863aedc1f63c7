/* gnutls.c: GnuTLS. */
#include "peer.h"

#include <gnutls/gnutls.h>
#include <stdio.h>

static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t priority;
static gnutls_datum_t ticket_key;
static gnutls_datum_t session_data; /* the client's newest */
static bool is_server;
static bool resume;
static bool tls13;
static bool mutual;
static bool plain;

static const char *about(void)
{
    static char text[32];

    snprintf(text, sizeof text, "GnuTLS %s", gnutls_check_version(NULL));
    return text;
}

static void want(int code, const char *what)
{
    if (code < 0)
        peer_die("%s: %s", what, gnutls_strerror(code));
}

static void set_algorithms(peer_suite suite)
{
    static const char *const ciphers[] = {"AES-128-GCM", "AES-256-GCM", "CHACHA20-POLY1305"};
    char text[160];

    snprintf(text, sizeof text,
             "NORMAL:-VERS-ALL:+VERS-TLS%s:-CIPHER-ALL:+%s:-GROUP-ALL:+GROUP-X25519%s",
             tls13 ? "1.3" : "1.2", ciphers[suite],
             tls13 ? "" : ":-KX-ALL:+ECDHE-RSA:+ECDHE-ECDSA");
    want(gnutls_priority_init(&priority, text, NULL), text);
}

static bool prepare(const peer_settings *settings)
{
    is_server = settings->server;
    resume = settings->resume;
    mutual = settings->mutual;
    plain = settings->plain;
    tls13 = settings->version == 13;
    if (!plain)
        set_algorithms(settings->suite);
    want(gnutls_certificate_allocate_credentials(&credentials), "credentials");
    if (settings->cert[0] != '\0')
        want(gnutls_certificate_set_x509_key_file(credentials, settings->cert, settings->key,
                                                  GNUTLS_X509_FMT_PEM),
             settings->cert);
    if (!is_server || mutual)
        want(gnutls_certificate_set_x509_trust_file(credentials, settings->ca, GNUTLS_X509_FMT_PEM),
             settings->ca);
    if (is_server && resume)
        want(gnutls_session_ticket_key_generate(&ticket_key), "ticket key");
    return true;
}

static void prepare_client(gnutls_session_t session)
{
    want(gnutls_server_name_set(session, GNUTLS_NAME_DNS, "localhost", 9), "server name");
    gnutls_session_set_verify_cert(session, "localhost", 0);
    if (session_data.size > 0)
        want(gnutls_session_set_data(session, session_data.data, session_data.size), "session");
}

static void *open_conn(int fd)
{
    unsigned flags = is_server ? GNUTLS_SERVER : GNUTLS_CLIENT;
    gnutls_session_t session;
    int code;

    /* Without a key it gives out none, but a client would ask, and remember. */
    want(gnutls_init(&session, flags | (resume || plain ? 0 : GNUTLS_NO_TICKETS)), "init");
    want(plain ? gnutls_set_default_priority(session) : gnutls_priority_set(session, priority),
         "priority");
    want(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
    if (!is_server)
        prepare_client(session);
    else if (resume)
        want(gnutls_session_ticket_enable_server(session, &ticket_key), "tickets");
    if (is_server && mutual) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(session, NULL, 0);
    }
    gnutls_transport_set_int(session, fd);
    do
        code = gnutls_handshake(session);
    while (code < 0 && gnutls_error_is_fatal(code) == 0);
    want(code, "handshake");
    return session;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    ssize_t n;

    do
        n = gnutls_record_recv(conn, buf, size);
    while (n < 0 && gnutls_error_is_fatal((int)n) == 0);
    want((int)n, "read");
    return (size_t)n;
}

static void write_all(void *conn, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = gnutls_record_send(conn, at, size);

        if (n < 0 && gnutls_error_is_fatal((int)n) == 0)
            continue;
        want((int)n, "write");
        at += n;
        size -= (size_t)n;
    }
}

static const char *agreed(void *conn, bool *resumed)
{
    static char text[128];
    char *suite = gnutls_session_get_desc(conn);

    *resumed = gnutls_session_is_resumed(conn) != 0;
    snprintf(text, sizeof text, "%s", suite != NULL ? suite : "");
    gnutls_free(suite);
    return text;
}

/* Of TLS 1.3 once per ticket; a session of TLS 1.2 goes on being good. */
static void keep(gnutls_session_t session)
{
    gnutls_datum_t data = {NULL, 0};

    if (!tls13 && session_data.size > 0)
        return;
    want(gnutls_session_get_data2(session, &data), "session");
    gnutls_free(session_data.data);
    session_data = data;
}

static void close_conn(void *conn)
{
    if (!is_server && resume)
        keep(conn);
    (void)gnutls_bye(conn, GNUTLS_SHUT_WR);
    gnutls_deinit(conn);
}

static void make_context(bool ready)
{
    gnutls_certificate_credentials_t fresh;
    gnutls_session_t session;

    want(gnutls_certificate_allocate_credentials(&fresh), "credentials");
    want(gnutls_certificate_set_x509_system_trust(fresh), "trust");
    if (ready) {
        want(gnutls_init(&session, GNUTLS_CLIENT), "init");
        want(gnutls_set_default_priority(session), "priority");
        want(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, fresh), "credentials");
        prepare_client(session);
        gnutls_deinit(session);
    }
    gnutls_certificate_free_credentials(fresh);
}

const peer_library the_peer = {about,  prepare,    open_conn,    read_some, write_all,
                               agreed, close_conn, make_context, true};
