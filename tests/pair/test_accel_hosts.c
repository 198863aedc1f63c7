/* A server in one library context and its host in another: a program has loaded a provider in between. */
#include "accel/own.h"
#include "empty_provider.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/provider.h>

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

/* The SSL_CTX is made for the first connection, and kept. */
static void derive(cinch_context *ctx, const char *host)
{
    cinch_conn *conn = cinch_conn_new(ctx, host, NULL);

    assert_non_null(conn);
    cinch_conn_free(conn);
}

static cinch_context *make_client(cinch_tls_version version, pki_cert *leaf)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    cinch_identity *identity = pair_identity(leaf, family->intermediate);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
    cinch_policy_free(policy);
    cinch_identity_free(identity);
    return client;
}

/* Twice, so that the second connection resumes. */
static void connect_to_host(cinch_context *client, cinch_context *server)
{
    for (int i = 0; i < 2; i++) {
        static const char text[] = "a few bytes each way";
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_int_equal(p.server.status, CINCH_OK);
        assert_true(pair_send(&p, &p.client, &p.server, text, sizeof text));
        assert_true(pair_send(&p, &p.server, &p.client, text, sizeof text));
        cinch_peer *peer = cinch_conn_peer(p.server.conn, NULL);
        assert_non_null(peer);
        assert_true(peer->chain_count > 0);
        cinch_peer_free(peer);
        pair_stop(&p);
    }
}

static void try_with(cinch_tls_version version, int server_first)
{
    cinch_context *client = make_client(version, family->client);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_context *host = pair_server_context(family->good, family->intermediate);

    pair_trust(host, family->root);
    assert_int_equal(cinch_context_client_auth(host, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    derive(server_first ? server : host, NULL);
    OSSL_PROVIDER *token = empty_provider_load("token");
    assert_non_null(token);
    assert_null(cinch_own_context());
    derive(server_first ? host : server, NULL);
    assert_int_equal(cinch_context_host(server, "localhost", host, NULL), CINCH_OK);
    connect_to_host(client, server);
    OSSL_PROVIDER_unload(token);
    connect_to_host(client, server);
    cinch_context_free(client);
    cinch_context_free(server);
    cinch_context_free(host);
}

static void test_mixed(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    if (strcmp(cinch_version_keys(), "libcinch") != 0 || cinch_own_context() == NULL)
        skip();
    for (size_t i = 0; i < 2; i++)
        for (int server_first = 0; server_first < 2; server_first++)
            try_with(versions[i], server_first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed),
    };

    return cmocka_run_group_tests_name("accel_hosts", tests, set_up, tear_down);
}
