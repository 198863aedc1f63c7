/*
 * openssl.c: libssl as its own guide uses it: ossl-guide-tls-client-block(7), -server-block(7). P-256 is
 * among the groups for certificates of TLS 1.2 (RFC 8422, 5.1.1); X25519 is what is used.
 */
#include "peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;
static SSL_SESSION *session; /* the client's newest */
static bool is_server;

static const char *about(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

static _Noreturn void die(const char *what)
{
    unsigned long code = ERR_peek_error();

    peer_die("%s: %s", what, code != 0 ? ERR_reason_error_string(code) : "no reason");
}

static int keep(SSL *ssl, SSL_SESSION *given)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = given;
    return 1;
}

static void want(long ok, const char *what)
{
    if (ok != 1)
        die(what);
}

static void set_algorithms(const peer_settings *settings)
{
    static const char *const ciphers[] = {"ECDHE+AES128+AESGCM", "ECDHE+AES256+AESGCM",
                                          "ECDHE+CHACHA20"};
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    int version = settings->version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;

    want(SSL_CTX_set_min_proto_version(context, version), "version");
    want(SSL_CTX_set_max_proto_version(context, version), "version");
    want(SSL_CTX_set_cipher_list(context, ciphers[settings->suite]), "ciphers");
    want(SSL_CTX_set_ciphersuites(context, suites[settings->suite]), "suites");
    want(SSL_CTX_set1_groups_list(context, "X25519:P-256"), "groups");
}

static void set_sessions(const peer_settings *settings)
{
    if (settings->server && !settings->resume) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        want(SSL_CTX_set_num_tickets(context, 0), "tickets");
    }
    if (!settings->server && settings->resume) {
        SSL_CTX_set_session_cache_mode(context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context, keep);
    }
}

static void set_identity(const peer_settings *settings)
{
    want(SSL_CTX_use_certificate_chain_file(context, settings->cert), settings->cert);
    want(SSL_CTX_use_PrivateKey_file(context, settings->key, SSL_FILETYPE_PEM), settings->key);
}

static void set_trust(const peer_settings *settings)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (is_server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    want(SSL_CTX_load_verify_locations(context, settings->ca, NULL), settings->ca);
    if (is_server)
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(settings->ca));
}

static bool prepare(const peer_settings *settings)
{
    is_server = settings->server;
    context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context == NULL)
        die("no context");
    if (!settings->plain) {
        set_algorithms(settings);
        set_sessions(settings);
    }
    if (settings->cert[0] != '\0')
        set_identity(settings);
    if (!is_server || settings->mutual)
        set_trust(settings);
    return true;
}

static void *open_conn(int fd)
{
    SSL *ssl = SSL_new(context);

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
        die("no connection");
    if (is_server) {
        if (SSL_accept(ssl) != 1)
            die("accept");
        return ssl;
    }
    if (SSL_set_tlsext_host_name(ssl, "localhost") != 1 || SSL_set1_host(ssl, "localhost") != 1 ||
        (session != NULL && SSL_set_session(ssl, session) != 1))
        die("settings");
    if (SSL_connect(ssl) != 1)
        die("connect");
    return ssl;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    size_t n = 0;

    if (SSL_read_ex(conn, buf, size, &n) == 1)
        return n;
    if (SSL_get_error(conn, 0) != SSL_ERROR_ZERO_RETURN)
        die("read");
    return 0;
}

static void write_all(void *conn, const void *data, size_t size)
{
    size_t n;

    if (SSL_write_ex(conn, data, size, &n) != 1)
        die("write");
}

static const char *agreed(void *conn, bool *resumed)
{
    *resumed = SSL_session_reused(conn) == 1;
    return SSL_CIPHER_standard_name(SSL_get_current_cipher(conn));
}

static void close_conn(void *conn)
{
    (void)SSL_shutdown(conn);
    SSL_free(conn);
}

static void make_context(bool ready)
{
    SSL_CTX *fresh = SSL_CTX_new(TLS_client_method());

    want(fresh != NULL && SSL_CTX_set_default_verify_paths(fresh) == 1, "context");
    SSL_CTX_set_verify(fresh, SSL_VERIFY_PEER, NULL);
    if (ready) {
        SSL *ssl = SSL_new(fresh);

        want(ssl != NULL && SSL_set1_host(ssl, "localhost") == 1, "connection");
        SSL_free(ssl);
    }
    SSL_CTX_free(fresh);
}

const peer_library the_peer = {about,  prepare,    open_conn,    read_some, write_all,
                               agreed, close_conn, make_context, true};
