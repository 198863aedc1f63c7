/* cinch.c: libcinch. */
#include "peer.h"

#include <cinch/cinch.h>
#include <openssl/crypto.h>
#include <stdio.h>

static cinch_context *context;
static const char *host; /* whom a client expects */
static bool forget;      /* as a client that has a new session each time */

static const char *about(void)
{
    static char text[96];

    snprintf(text, sizeof text, "Cinch %s, %s", cinch_version(), OpenSSL_version(OPENSSL_VERSION));
    return text;
}

static _Noreturn void die(const cinch_error *err)
{
    peer_die("%s", err->what);
}

static void set_policy(const peer_settings *settings, cinch_error *err)
{
    static const char *const ciphers[] = {"ECDHE+AES128+AESGCM", "ECDHE+AES256+AESGCM",
                                          "ECDHE+CHACHA20"};
    static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                         "TLS_CHACHA20_POLY1305_SHA256"};
    cinch_policy *policy = cinch_policy_new("default", err);
    cinch_tls_version version = settings->version == 12 ? CINCH_TLS_1_2 : CINCH_TLS_1_3;

    (void)cinch_policy_versions(policy, version, version, err);
    if (version == CINCH_TLS_1_2)
        (void)cinch_policy_ciphers(policy, ciphers[settings->suite], err);
    else
        (void)cinch_policy_suites(policy, suites[settings->suite], err);
    (void)cinch_policy_groups(policy, "X25519:P-256", err);
    (void)cinch_context_policy(context, policy, err);
    cinch_policy_free(policy);
}

static void set_identity(const peer_settings *settings, cinch_error *err)
{
    const cinch_identity_source source = {.file = settings->cert, .key_file = settings->key};
    cinch_identity *identity = cinch_identity_load(&source, err);

    (void)cinch_context_identity(context, identity, err);
    cinch_identity_free(identity);
}

static bool prepare(const peer_settings *settings)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (settings->server) {
        context = cinch_context_server(&err);
        if (settings->resume && settings->version == 12)
            (void)cinch_context_session_ids(context, 4096, &err);
    } else {
        context = cinch_context_client(&err);
        host = "localhost";
    }
    if (settings->cert[0] != '\0')
        set_identity(settings, &err);
    if (!settings->server || settings->mutual)
        (void)cinch_context_trust_file(context, settings->ca, &err);
    if (settings->server && settings->mutual)
        (void)cinch_context_client_auth(context, CINCH_CLIENT_AUTH_REQUIRED, &err);
    forget = settings->plain && !settings->server;
    if (!settings->plain) {
        if (!settings->resume)
            (void)cinch_context_resumption(context, 0, &err);
        set_policy(settings, &err);
    }
    if (cinch_error_is_set(&err))
        die(&err);
    return true;
}

static void *open_conn(int fd)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_stream *stream = cinch_stream_wrap(context, fd, host, &err);
    const cinch_timeouts for_ever = {.read_ms = CINCH_FOREVER};

    /* As the others, which have no limit of their own. */
    (void)cinch_stream_timeouts(stream, &for_ever, &err);
    if (cinch_stream_handshake(stream, &err) != CINCH_OK)
        die(&err);
    return stream;
}

static size_t read_some(void *conn, void *buf, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t n;
    cinch_status status = cinch_stream_read(conn, buf, size, &n, &err);

    if (status != CINCH_OK && status != CINCH_EOF)
        die(&err);
    return n;
}

static void write_all(void *conn, const void *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_stream_write_all(conn, data, size, &err) != CINCH_OK)
        die(&err);
}

static const char *agreed(void *conn, bool *resumed)
{
    static char text[64];
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *peer = cinch_stream_peer(conn, &err);

    if (peer == NULL)
        die(&err);
    *resumed = peer->resumed != 0;
    snprintf(text, sizeof text, "%s", peer->cipher);
    cinch_peer_free(peer);
    return text;
}

static void close_conn(void *conn)
{
    cinch_error err = CINCH_ERROR_INIT;

    cinch_stream_free(conn);
    /* It would resume by itself. */
    if (forget && cinch_context_session_forget(context, &err) != CINCH_OK)
        die(&err);
}

static void make_context(bool ready)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *fresh = cinch_context_client(&err);

    if (ready)
        cinch_conn_free(cinch_conn_new(fresh, "localhost", &err));
    if (cinch_error_is_set(&err))
        die(&err);
    cinch_context_free(fresh);
}

const peer_library the_peer = {about,  prepare,    open_conn,    read_some, write_all,
                               agreed, close_conn, make_context, true};
