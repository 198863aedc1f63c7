/* libtls.c: libtls of LibreSSL, or of LibreTLS over OpenSSL as Debian has it. */
#include "peer.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tls.h>
#include <unistd.h>

static struct tls_config *config;
static struct tls *server;

static const char *about(void)
{
    static char text[64];

    snprintf(text, sizeof text, "libtls, API %d", TLS_API);
    return text;
}

static void want(int code, const char *what)
{
    if (code != 0)
        peer_die("%s: %s", what, tls_config_error(config));
}

/* Its suites for TLS 1.3 cannot be chosen. Its sessions live in files, which is another work. */
static void set_algorithms(const peer_settings *settings)
{
    static const char *const ciphers[] = {"ECDHE+AES128+AESGCM", "ECDHE+AES256+AESGCM",
                                          "ECDHE+CHACHA20"};

    want(tls_config_set_protocols(config, settings->version == 12 ? TLS_PROTOCOL_TLSv1_2
                                                                  : TLS_PROTOCOL_TLSv1_3),
         "version");
    want(tls_config_set_ciphers(config,
                                settings->version == 12 ? ciphers[settings->suite] : "secure"),
         "ciphers");
    want(tls_config_set_ecdhecurves(config, "X25519:P-256"), "curves");
}

static bool prepare(const peer_settings *settings)
{
    if (settings->resume)
        return false;
    config = tls_config_new();
    if (config == NULL)
        peer_die("no settings");
    if (!settings->plain)
        set_algorithms(settings);
    if (settings->cert[0] != '\0')
        want(tls_config_set_keypair_file(config, settings->cert, settings->key), settings->cert);
    if (!settings->server || settings->mutual)
        want(tls_config_set_ca_file(config, settings->ca), settings->ca);
    if (!settings->server)
        return true;
    if (settings->mutual)
        tls_config_verify_client(config);
    server = tls_server();
    if (server == NULL || tls_configure(server, config) != 0)
        peer_die("no server");
    return true;
}

static void *open_conn(int fd)
{
    struct tls *conn = NULL;
    int code;

    if (server != NULL) {
        code = tls_accept_socket(server, &conn, fd);
    } else {
        conn = tls_client();
        if (conn == NULL || tls_configure(conn, config) != 0)
            peer_die("no client");
        code = tls_connect_socket(conn, fd, "localhost");
    }
    if (code != 0)
        peer_die("no connection");
    do
        code = tls_handshake(conn);
    while (code == TLS_WANT_POLLIN || code == TLS_WANT_POLLOUT);
    if (code != 0)
        peer_die("handshake: %s", tls_error(conn));
    return conn;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    ssize_t n;

    do
        n = tls_read(conn, buf, size);
    while (n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT);
    if (n < 0)
        peer_die("read: %s", tls_error(conn));
    return (size_t)n;
}

static void write_all(void *conn, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = tls_write(conn, at, size);

        if (n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT)
            continue;
        if (n < 0)
            peer_die("write: %s", tls_error(conn));
        at += n;
        size -= (size_t)n;
    }
}

static const char *agreed(void *conn, bool *resumed)
{
    *resumed = tls_conn_session_resumed(conn) != 0;
    return tls_conn_cipher(conn);
}

static void close_conn(void *conn)
{
    (void)tls_close(conn);
    tls_free(conn);
}

/* What it needs once are the settings; OpenSSL's context belongs to the connection. */
static void make_context(bool ready)
{
    struct tls *conn;
    int fd;

    config = tls_config_new();
    if (config == NULL)
        peer_die("no settings");
    want(tls_config_set_ca_file(config, PEER_SYSTEM_TRUST), PEER_SYSTEM_TRUST);
    conn = tls_client();
    if (conn == NULL || tls_configure(conn, config) != 0)
        peer_die("no client");
    if (ready) {
        fd = open("/dev/null", O_RDWR);
        if (tls_connect_socket(conn, fd, "localhost") != 0)
            peer_die("connection: %s", tls_error(conn));
        close(fd);
    }
    tls_free(conn);
    tls_config_free(config);
}

/* Connections of one server write to its error, so not from several threads. */
const peer_library the_peer = {about,  prepare,    open_conn,    read_some, write_all,
                               agreed, close_conn, make_context, false};
