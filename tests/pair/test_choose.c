/* A server without an identity: whatever it shows comes from the context that its callback chooses. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;
static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

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

typedef struct choice {
    cinch_context *give;
    int refuse;
    int calls;
} choice;

static cinch_context *choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    choice *c = arg;

    assert_string_equal(hello->server_name, "localhost");
    c->calls++;
    *refuse = c->refuse;
    return c->give;
}

static cinch_context *client_of(cinch_tls_version version)
{
    cinch_context *ctx = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    return ctx;
}

static pair meet(cinch_context *server, cinch_tls_version version)
{
    cinch_context *client = client_of(version);
    pair p = {0};

    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    cinch_context_free(client);
    assert_int_equal(ERR_peek_error(), 0);
    return p;
}

static void assert_refused(pair *p, cinch_cause cause, int alert)
{
    assert_int_equal(cinch_conn_state_now(p->client.conn), CINCH_STATE_FAILED);
    assert_int_equal(cinch_conn_state_now(p->server.conn), CINCH_STATE_FAILED);
    assert_int_equal(p->server.err.cause, cause);
    assert_int_equal(p->server.err.alert_sent, alert);
    assert_int_equal(p->client.err.alert_received, alert);
    pair_stop(p);
}

static void test_the_host_is_shown(void **state)
{
    cinch_context *host = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *server = cinch_context_server(NULL);
        choice c = {.give = host};

        assert_int_equal(cinch_context_choose(server, choose, &c, NULL), CINCH_OK);
        assert_int_equal(cinch_context_check(server, NULL), CINCH_OK);
        pair p = meet(server, versions[i]);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
        cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
        assert_int_equal(peer->verified, 1);
        assert_string_equal(peer->sent[0]->names[0].text, "localhost");
        cinch_peer_free(peer);
        pair_stop(&p);
        assert_int_equal(c.calls, 1);
        cinch_context_free(server);
    }
    cinch_context_free(host);
}

/* The rules of the host that is chosen are in force, and not those of the context without identity. */
static void test_the_rules_are_the_hosts(void **state)
{
    cinch_context *host = pair_server_context(family->good, family->intermediate);

    (void)state;
    pair_trust(host, family->root);
    assert_int_equal(cinch_context_client_auth(host, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    for (size_t i = 0; i < 2; i++) {
        cinch_context *server = cinch_context_server(NULL);
        choice c = {.give = host};

        assert_int_equal(cinch_context_choose(server, choose, &c, NULL), CINCH_OK);
        pair p = meet(server, versions[i]);
        assert_int_equal(p.server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
        pair_stop(&p);
        cinch_context_free(server);
    }
    cinch_context_free(host);
}

static void test_nothing_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *server = cinch_context_server(NULL), *bare = cinch_context_server(NULL);
        cinch_context *wrong = cinch_context_client(NULL);
        choice c = {0};

        assert_int_equal(cinch_context_choose(server, choose, &c, NULL), CINCH_OK);
        pair p = meet(server, versions[i]);
        assert_non_null(strstr(p.server.err.what, "cinch_context_choose()"));
        assert_refused(&p, CINCH_CAUSE_NO_IDENTITY, 40);
        c.give = wrong;
        p = meet(server, versions[i]);
        assert_refused(&p, CINCH_CAUSE_MISUSE, 80);
        c.give = bare;
        p = meet(server, versions[i]);
        assert_refused(&p, CINCH_CAUSE_NO_IDENTITY, 80);
        c.refuse = 49;
        p = meet(server, versions[i]);
        assert_refused(&p, CINCH_CAUSE_HANDSHAKE_REFUSED, 49);
        assert_int_equal(c.calls, 4);
        cinch_context_free(server);
        cinch_context_free(bare);
        cinch_context_free(wrong);
    }
}

/* Without the callback there is nothing that such a server could be. */
static void test_the_callback_is_taken_out(void **state)
{
    cinch_context *server = cinch_context_server(NULL);
    cinch_error err = CINCH_ERROR_INIT;
    choice c = {0};

    (void)state;
    assert_int_equal(cinch_context_check(server, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_choose(server, choose, &c, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(server, NULL), CINCH_OK);
    assert_int_equal(cinch_context_choose(server, NULL, NULL, NULL), CINCH_OK);
    assert_null(cinch_conn_new(server, NULL, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_IDENTITY);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_host_is_shown),
        cmocka_unit_test(test_the_rules_are_the_hosts),
        cmocka_unit_test(test_nothing_is_chosen),
        cmocka_unit_test(test_the_callback_is_taken_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
