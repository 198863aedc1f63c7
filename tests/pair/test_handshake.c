/* Two ends in memory: that they agree, in pieces of any size, and what they report then. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return family == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static void open_pair(pair *p, cinch_context *client, cinch_context *server, const char *host)
{
    pair_start(p, client, server, host);
    pair_handshake(p);
    if (p->client.status != CINCH_OK)
        (void)cinch_error_report(&p->client.err, stderr);
    if (p->server.status != CINCH_OK)
        (void)cinch_error_report(&p->server.err, stderr);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    assert_int_equal(cinch_conn_state_now(p->client.conn), CINCH_STATE_OPEN);
    assert_int_equal(cinch_conn_state_now(p->server.conn), CINCH_STATE_OPEN);
}

static void exchange(pair *p, size_t size)
{
    unsigned char *data = malloc(size);

    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)(i * 7 + i / 251);
    assert_true(pair_send(p, &p->client, &p->server, data, size));
    assert_true(pair_send(p, &p->server, &p->client, data, size));
    free(data);
}

static void test_pieces(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 100, 1000, 0};
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        pair p = {.piece = pieces[i]};

        open_pair(&p, client, server, "localhost");
        exchange(&p, 1);
        exchange(&p, 70000);
        pair_stop(&p);
        assert_int_equal(ERR_peek_error(), 0);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

static void check_report(const pair *p, int version)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *seen = cinch_conn_peer(p->client.conn, &err);

    assert_non_null(seen);
    assert_int_equal(seen->version_number, version);
    assert_string_equal(seen->cipher, version == CINCH_TLS_1_3
                                          ? "TLS_AES_128_GCM_SHA256"
                                          : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    assert_true(strstr(seen->group, "X25519") != NULL);
    assert_string_equal(seen->server_name, "localhost");
    assert_string_equal(seen->host, "localhost");
    assert_true(seen->verified);
    assert_false(seen->resumed);
    assert_int_equal(seen->sent_count, 2);
    assert_int_equal(seen->chain_count, 3);
    assert_string_equal(seen->chain[2]->common_name, "Cinch Test Root");
    assert_true(seen->timing.hello_us >= 0 && seen->timing.certificate_us >= 0 &&
                seen->timing.finished_us >= 0);
    cinch_peer_free(seen);

    seen = cinch_conn_peer(p->server.conn, &err);
    assert_non_null(seen);
    assert_string_equal(seen->server_name, "localhost");
    assert_false(seen->verified);
    assert_int_equal(seen->sent_count, 0);
    assert_string_equal(seen->shared_ciphers,
                        version == CINCH_TLS_1_3
                            ? "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
                              "TLS_CHACHA20_POLY1305_SHA256"
                            : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "
                              "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
                              "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "
                              "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "
                              "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "
                              "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
    cinch_peer_free(seen);
}

static cinch_context *limited_client(cinch_tls_version version)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *client = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    cinch_policy_versions(policy, version, version, &err);
    cinch_context_policy(client, policy, &err);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return client;
}

static void test_versions(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = {0};
        cinch_context *client = limited_client(versions[i]);

        open_pair(&p, client, server, "localhost");
        check_report(&p, (int)versions[i]);
        exchange(&p, 1000);
        pair_stop(&p);
        cinch_context_free(client);
    }
    cinch_context_free(server);
}

static void test_names(void **state)
{
    static const char *const hosts[] = {"localhost", "LOCALHOST",     "localhost.",
                                        "127.0.0.1", "::1",           "www.example.test",
                                        "[::1]",     "A.Example.Test"};
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        pair p = {0};

        open_pair(&p, client, server, hosts[i]);
        pair_stop(&p);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

/* Each end closes; the other reads what was on its way and then the end. */
static void test_close(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};
    char buf[16];
    size_t n;

    (void)state;
    open_pair(&p, client, server, "localhost");
    assert_int_equal(cinch_conn_write(p.client.conn, "last", 4, &n, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_close(p.client.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_state_now(p.client.conn), CINCH_STATE_CLOSE_SENT);
    assert_int_equal(cinch_conn_write(p.client.conn, "more", 4, &n, NULL), CINCH_FAILED);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, NULL), CINCH_OK);
    assert_int_equal(n, 4);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, NULL), CINCH_EOF);
    assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_PEER_CLOSED);
    /* Half closed: the other direction goes on. */
    assert_true(pair_send(&p, &p.server, &p.client, "answer", 6));
    assert_int_equal(cinch_conn_close(p.server.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_CLOSED);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.client.conn, buf, sizeof buf, &n, NULL), CINCH_EOF);
    assert_int_equal(cinch_conn_state_now(p.client.conn), CINCH_STATE_CLOSED);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

/* What follows close_notify is handed back as it is. */
static void test_rest(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};
    char buf[32];
    void *space;
    size_t n;

    (void)state;
    open_pair(&p, client, server, "localhost");
    assert_int_equal(cinch_conn_close(p.client.conn, NULL), CINCH_OK);
    pair_move(&p);
    assert_int_equal(cinch_conn_recv_space(p.server.conn, &space, &n, NULL), CINCH_OK);
    memcpy(space, "plain text", 10);
    assert_int_equal(cinch_conn_recv_commit(p.server.conn, 10, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, NULL), CINCH_EOF);
    assert_int_equal(cinch_conn_rest(p.server.conn, buf, 5, &n, NULL), CINCH_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(buf, "plain", 5);
    assert_int_equal(cinch_conn_rest(p.server.conn, buf, sizeof buf, &n, NULL), CINCH_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(buf, " text", 5);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_truncated(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_error err = CINCH_ERROR_INIT;
    pair p = {0};
    char buf[16];
    size_t n;

    (void)state;
    open_pair(&p, client, server, "localhost");
    assert_int_equal(cinch_conn_write(p.client.conn, "half", 4, &n, NULL), CINCH_OK);
    pair_move(&p);
    assert_int_equal(cinch_conn_recv_end(p.server.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &err), CINCH_OK);
    assert_int_equal(n, 4);
    for (int i = 0; i < 2; i++) {
        cinch_error_clear(&err);
        assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &err),
                         CINCH_TRUNCATED);
        assert_int_equal(n, 0);
        assert_int_equal(err.cause, CINCH_CAUSE_TRUNCATED);
    }
    assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_FAILED);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_alpn(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};

    (void)state;
    assert_int_equal(cinch_context_alpn(client, "http/1.1,h2", NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn(server, "h2,http/1.1", NULL), CINCH_OK);
    open_pair(&p, client, server, "localhost");
    cinch_peer *seen = cinch_conn_peer(p.client.conn, NULL);
    assert_string_equal(seen->alpn, "h2");
    cinch_peer_free(seen);
    pair_stop(&p);
    assert_int_equal(cinch_context_alpn(client, "", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_alpn(client, "a,,b", NULL), CINCH_FAILED);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_client_certificate(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_identity *identity = pair_identity(family->client, family->intermediate);
    pair p = {0};

    (void)state;
    pair_trust(server, family->root);
    assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    open_pair(&p, client, server, "localhost");
    cinch_peer *seen = cinch_conn_peer(p.server.conn, NULL);
    assert_true(seen->verified);
    assert_int_equal(seen->chain_count, 3);
    assert_int_equal(seen->sent_count, 2);
    cinch_peer_free(seen);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_close),
        cmocka_unit_test(test_rest),   cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_alpn),   cmocka_unit_test(test_client_certificate),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
