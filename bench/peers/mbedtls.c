/* mbedtls.c: Mbed TLS. */
#include "peer.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

typedef struct conn {
    mbedtls_ssl_context ssl;
    mbedtls_net_context net;
} conn;

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bytes;
static mbedtls_ssl_config config;
static mbedtls_x509_crt own;
static mbedtls_x509_crt anchors;
static mbedtls_pk_context key;
static mbedtls_ssl_ticket_context tickets;
static mbedtls_ssl_session session; /* the client's */
static bool has_session;
static bool is_server;
static bool resume;
static bool offered; /* to the connection that is open */

static const char *about(void)
{
    return MBEDTLS_VERSION_STRING_FULL;
}

static void want(int code, const char *what)
{
    char text[128];

    if (code >= 0)
        return;
    mbedtls_strerror(code, text, sizeof text);
    peer_die("%s: %s", what, text);
}

static void start_library(bool server)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_bytes);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&anchors);
    mbedtls_pk_init(&key);
    mbedtls_ssl_session_init(&session);
    want(mbedtls_ctr_drbg_seed(&random_bytes, mbedtls_entropy_func, &entropy, NULL, 0), "random");
    want(mbedtls_ssl_config_defaults(&config,
                                     server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
         "settings");
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_bytes);
}

static void set_algorithms(peer_suite suite)
{
    static const int suites[][3] = {{MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0},
                                    {MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 0},
                                    {MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, 0}};
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519,
                                                  MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};

    mbedtls_ssl_conf_ciphersuites(&config, suites[suite]);
    mbedtls_ssl_conf_curves(&config, curves);
    mbedtls_ssl_conf_session_tickets(&config, resume ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                     : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
}

static void give_tickets(void)
{
    mbedtls_ssl_ticket_init(&tickets);
    want(mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &random_bytes,
                                  MBEDTLS_CIPHER_AES_256_GCM, 86400),
         "tickets");
    mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &tickets);
}

/* The version that Debian 12 has knows TLS 1.2 only. */
static bool prepare(const peer_settings *settings)
{
    if (settings->version == 13)
        return false;
    is_server = settings->server;
    resume = settings->resume;
    start_library(is_server);
    if (!settings->plain)
        set_algorithms(settings->suite);
    if (settings->cert[0] != '\0') {
        want(mbedtls_x509_crt_parse_file(&own, settings->cert), settings->cert);
        want(mbedtls_pk_parse_keyfile(&key, settings->key, NULL), settings->key);
        want(mbedtls_ssl_conf_own_cert(&config, &own, &key), "certificate");
    }
    if (!is_server || settings->mutual) {
        want(mbedtls_x509_crt_parse_file(&anchors, settings->ca), settings->ca);
        mbedtls_ssl_conf_ca_chain(&config, &anchors, NULL);
        mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (is_server && resume)
        give_tickets();
    return true;
}

static void *open_conn(int fd)
{
    conn *c = calloc(1, sizeof *c);
    int code;

    if (c == NULL)
        peer_die("out of memory");
    mbedtls_ssl_init(&c->ssl);
    c->net.fd = fd;
    want(mbedtls_ssl_setup(&c->ssl, &config), "connection");
    mbedtls_ssl_set_bio(&c->ssl, &c->net, mbedtls_net_send, mbedtls_net_recv, NULL);
    offered = has_session;
    if (!is_server)
        want(mbedtls_ssl_set_hostname(&c->ssl, "localhost"), "host name");
    if (has_session)
        want(mbedtls_ssl_set_session(&c->ssl, &session), "session");
    do
        code = mbedtls_ssl_handshake(&c->ssl);
    while (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE);
    want(code, "handshake");
    return c;
}

static size_t read_some(void *it, void *buf, size_t size)
{
    conn *c = it;
    int n;

    do
        n = mbedtls_ssl_read(&c->ssl, buf, size);
    while (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE);
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    want(n, "read");
    return (size_t)n;
}

static void write_all(void *it, const void *data, size_t size)
{
    conn *c = it;
    const unsigned char *at = data;

    while (size > 0) {
        int n = mbedtls_ssl_write(&c->ssl, at, size);

        if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE)
            continue;
        want(n, "write");
        at += n;
        size -= (size_t)n;
    }
}

/* It has no call that tells: a resumed session goes on with the secret of the first one. */
static const char *agreed(void *it, bool *resumed)
{
    conn *c = it;
    mbedtls_ssl_session now;

    mbedtls_ssl_session_init(&now);
    want(mbedtls_ssl_get_session(&c->ssl, &now), "session");
    *resumed = offered && memcmp(now.master, session.master, sizeof now.master) == 0;
    mbedtls_ssl_session_free(&now);
    return mbedtls_ssl_get_ciphersuite(&c->ssl);
}

static void close_conn(void *it)
{
    conn *c = it;

    if (!is_server && resume && !has_session) {
        want(mbedtls_ssl_get_session(&c->ssl, &session), "session");
        has_session = true;
    }
    (void)mbedtls_ssl_close_notify(&c->ssl);
    mbedtls_ssl_free(&c->ssl);
    free(c);
}

/* It leaves out what it cannot read, and counts it. */
static void make_context(bool ready)
{
    mbedtls_ssl_context ssl;

    start_library(false);
    want(mbedtls_x509_crt_parse_file(&anchors, PEER_SYSTEM_TRUST), PEER_SYSTEM_TRUST);
    mbedtls_ssl_conf_ca_chain(&config, &anchors, NULL);
    if (ready) {
        mbedtls_ssl_init(&ssl);
        want(mbedtls_ssl_setup(&ssl, &config), "connection");
        want(mbedtls_ssl_set_hostname(&ssl, "localhost"), "host name");
        mbedtls_ssl_free(&ssl);
    }
    mbedtls_x509_crt_free(&anchors);
    mbedtls_ssl_config_free(&config);
    mbedtls_ctr_drbg_free(&random_bytes);
    mbedtls_entropy_free(&entropy);
}

#if defined(MBEDTLS_THREADING_C)
#define FOR_THREADS true
#else
#define FOR_THREADS false
#endif

const peer_library the_peer = {about,  prepare,    open_conn,    read_some,  write_all,
                               agreed, close_conn, make_context, FOR_THREADS};
