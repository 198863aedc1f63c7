/* wolfssl.c: wolfSSL. */
#include "peer.h"

#include <stdio.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

static WOLFSSL_CTX *context;
static WOLFSSL_SESSION *session; /* the client's newest */
static bool is_server;
static bool resume;
static bool tls13;
static bool plain;

static const char *about(void)
{
    static char text[48];

    snprintf(text, sizeof text, "wolfSSL %s", wolfSSL_lib_version());
    return text;
}

static void want(int ok, const char *what)
{
    if (ok != WOLFSSL_SUCCESS)
        peer_die("%s: error %d", what, ok);
}

static _Noreturn void die(WOLFSSL *ssl, const char *what)
{
    char text[80];

    peer_die("%s: %s", what,
             wolfSSL_ERR_error_string((unsigned long)wolfSSL_get_error(ssl, 0), text));
}

static WOLFSSL_METHOD *method(void)
{
    if (plain)
        return is_server ? wolfTLS_server_method() : wolfTLS_client_method();
    if (tls13)
        return is_server ? wolfTLSv1_3_server_method() : wolfTLSv1_3_client_method();
    return is_server ? wolfTLSv1_2_server_method() : wolfTLSv1_2_client_method();
}

static const char *suite(const peer_settings *settings)
{
    static const char *const names[][3] = {
        {"TLS13-AES128-GCM-SHA256", "TLS13-AES256-GCM-SHA384", "TLS13-CHACHA20-POLY1305-SHA256"},
        {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
         "ECDHE-RSA-CHACHA20-POLY1305"},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
         "ECDHE-ECDSA-CHACHA20-POLY1305"}};

    return names[tls13 ? 0 : settings->rsa ? 1 : 2][settings->suite];
}

static bool prepare(const peer_settings *settings)
{
    is_server = settings->server;
    resume = settings->resume;
    plain = settings->plain;
    tls13 = settings->version == 13;
    want(wolfSSL_Init(), "init");
    context = wolfSSL_CTX_new(method());
    if (context == NULL)
        peer_die("no context");
    if (!plain)
        want(wolfSSL_CTX_set_cipher_list(context, suite(settings)), "suites");
    if (settings->cert[0] != '\0') {
        want(wolfSSL_CTX_use_certificate_chain_file(context, settings->cert), settings->cert);
        want(wolfSSL_CTX_use_PrivateKey_file(context, settings->key, WOLFSSL_FILETYPE_PEM),
             settings->key);
    }
    if (!is_server || settings->mutual) {
        want(wolfSSL_CTX_load_verify_locations(context, settings->ca, NULL), settings->ca);
        wolfSSL_CTX_set_verify(
            context, WOLFSSL_VERIFY_PEER | (is_server ? WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            NULL);
    }
    if (!is_server && resume)
        want(wolfSSL_CTX_UseSessionTicket(context), "tickets");
    if (!resume && !plain)
        (void)wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF);
    return true;
}

static void prepare_client(WOLFSSL *ssl)
{
    want(wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, "localhost", 9), "server name");
    want(wolfSSL_check_domain_name(ssl, "localhost"), "host name");
    if (plain)
        return;
    want(wolfSSL_UseSupportedCurve(ssl, WOLFSSL_ECC_X25519), "curve");
    if (!tls13)
        want(wolfSSL_UseSupportedCurve(ssl, WOLFSSL_ECC_SECP256R1), "curve");
    else if (wolfSSL_UseKeyShare(ssl, WOLFSSL_ECC_X25519) != WOLFSSL_SUCCESS)
        die(ssl, "key share");
    if (session != NULL)
        want(wolfSSL_set_session(ssl, session), "session");
}

static void *open_conn(int fd)
{
    WOLFSSL *ssl = wolfSSL_new(context);

    if (ssl == NULL)
        peer_die("no connection");
    want(wolfSSL_set_fd(ssl, fd), "socket");
    if (!is_server)
        prepare_client(ssl);
    else if (!resume && tls13 && !plain && wolfSSL_no_ticket_TLSv13(ssl) != 0)
        die(ssl, "tickets");
    if ((is_server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl)) != WOLFSSL_SUCCESS)
        die(ssl, "handshake");
    return ssl;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    int n = wolfSSL_read(conn, buf, (int)size);

    if (n > 0)
        return (size_t)n;
    if (wolfSSL_get_error(conn, n) != WOLFSSL_ERROR_ZERO_RETURN)
        die(conn, "read");
    return 0;
}

static void write_all(void *conn, const void *data, size_t size)
{
    if (wolfSSL_write(conn, data, (int)size) != (int)size)
        die(conn, "write");
}

static const char *agreed(void *conn, bool *resumed)
{
    *resumed = wolfSSL_session_reused(conn) == 1;
    return wolfSSL_get_cipher_name(conn);
}

static void close_conn(void *conn)
{
    if (!is_server && resume) {
        if (session != NULL)
            wolfSSL_SESSION_free(session);
        session = wolfSSL_get1_session(conn);
    }
    (void)wolfSSL_shutdown(conn);
    wolfSSL_free(conn);
}

static void make_context(bool ready)
{
    WOLFSSL *ssl;

    want(wolfSSL_Init(), "init");
    context = wolfSSL_CTX_new(wolfTLS_client_method());
    if (context == NULL)
        peer_die("no context");
    want(wolfSSL_CTX_load_system_CA_certs(context), "trust");
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
    if (ready) {
        ssl = wolfSSL_new(context);
        if (ssl == NULL)
            peer_die("no connection");
        want(wolfSSL_check_domain_name(ssl, "localhost"), "host name");
        wolfSSL_free(ssl);
    }
    wolfSSL_CTX_free(context);
}

const peer_library the_peer = {about,  prepare,    open_conn,    read_some, write_all,
                               agreed, close_conn, make_context, true};
