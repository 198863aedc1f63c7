/* Pre-shared keys that callbacks choose on both sides, as bindings to other programs need them. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pki_family *family;

static const unsigned char right_key[32] = "0123456789abcdef0123456789abcde";
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

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

/* Neither side is open in the end, and no side believes that the other was verified. */
static void assert_refused(pair *p)
{
    char byte;
    size_t n;

    /* What became of the connection a TLS 1.3 client may learn with its first read only. */
    if (p->client.status == CINCH_OK)
        p->client.status = cinch_conn_read(p->client.conn, &byte, 1, &n, &p->client.err);
    assert_int_equal(cinch_conn_state_now(p->client.conn), CINCH_STATE_FAILED);
    assert_int_equal(cinch_conn_state_now(p->server.conn), CINCH_STATE_FAILED);
    for (int i = 0; i < 2; i++) {
        cinch_peer *peer = cinch_conn_evidence(i ? p->client.conn : p->server.conn, NULL);
        assert_int_equal(peer->verified, 0);
        assert_string_equal(peer->psk_identity, "");
        cinch_peer_free(peer);
    }
    assert_int_not_equal(p->client.err.cause, CINCH_CAUSE_INTERNAL);
    assert_int_not_equal(p->server.err.cause, CINCH_CAUSE_INTERNAL);
    pair_stop(p);
}

static void assert_met(pair *p, const char *identity, int client_verified, int server_verified)
{
    (void)cinch_error_report(&p->client.err, stderr);
    (void)cinch_error_report(&p->server.err, stderr);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    assert_true(pair_send(p, &p->client, &p->server, "ping", 4));
    assert_true(pair_send(p, &p->server, &p->client, "pong", 4));
    cinch_peer *of_client = cinch_conn_peer(p->client.conn, NULL);
    cinch_peer *of_server = cinch_conn_peer(p->server.conn, NULL);
    assert_string_equal(of_client->psk_identity, identity);
    assert_string_equal(of_server->psk_identity, identity);
    assert_int_equal(of_client->verified, client_verified);
    assert_int_equal(of_server->verified, server_verified);
    /* libssl says that such a connection was resumed. */
    assert_int_equal(of_client->resumed, 0);
    assert_int_equal(of_server->resumed, 0);
    assert_true((identity[0] == 0) == (of_client->chain_count > 0));
    assert_true(strlen(of_client->group) > 0);
    cinch_peer_free(of_client);
    cinch_peer_free(of_server);
    pair_stop(p);
}

static size_t offer(const char *hint, char *identity, size_t identity_size, unsigned char *key,
                    size_t size, void *arg)
{
    const char *name = arg;

    assert_null(hint);
    assert_int_equal(identity_size, 129);
    assert_int_equal(identity[0], 0);
    assert_true(size >= 16);
    memcpy(identity, name, strlen(name) + 1);
    memcpy(key, right_key, 16);
    return strcmp(name, "none") == 0 ? 0 : strcmp(name, "carol") == 0 ? 16 : 4;
}

static size_t look_up_weak(const char *identity, unsigned char *key, size_t size, void *arg)
{
    (void)arg;
    assert_true(size >= 16);
    memcpy(key, right_key, 16);
    return strcmp(identity, "carol") == 0 ? 16 : 4;
}

static void offer_to(const char *name, cinch_tls_version version, int weak, bool works)
{
    cinch_context *c = cinch_context_client(NULL), *s = cinch_context_server(NULL);
    union {
        const char *text;
        void *arg;
    } chosen = {name};
    pair p = {0};

    if (weak)
        assert_int_equal(cinch_context_insecure_psk_lookup(s, look_up_weak, NULL, 0, NULL),
                         CINCH_OK);
    else
        assert_int_equal(cinch_context_psk_lookup(s, look_up_weak, NULL, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_psk_offer(c, offer, chosen.arg, 0, NULL), CINCH_OK);
    limit(c, version);
    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    if (works)
        assert_met(&p, name, 1, 1);
    else
        assert_refused(&p);
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        offer_to("carol", versions[i], 0, true);
        offer_to("carol", versions[i], 1, true);
        offer_to("weak", versions[i], 1, true);
        offer_to("weak", versions[i], 0, false);
        offer_to("a\nb", versions[i], 1, false);
        offer_to("none", versions[i], 1, false);
    }
    cinch_context *s = cinch_context_server(NULL);
    assert_int_equal(cinch_context_insecure_psk_offer(s, offer, NULL, 0, NULL), CINCH_FAILED);
    cinch_context_free(s);
}

/* A client that offers a secret takes no certificate instead, trusted or not, unless it may. */
static void test_offered_to_one_with_a_certificate(void **state)
{
    static char name[] = "carol";

    (void)state;
    for (int fallback = 0; fallback < 2; fallback++) {
        cinch_context *c = pair_client_context(family->root);
        cinch_context *s = pair_server_context(family->good, family->intermediate);
        pair p = {0};

        assert_int_equal(cinch_context_insecure_psk_offer(c, offer, name, fallback, NULL),
                         CINCH_OK);
        pair_start(&p, c, s, "localhost");
        pair_handshake(&p);
        if (fallback)
            assert_met(&p, "", 1, 0);
        else
            assert_refused(&p);
        cinch_context_free(c);
        cinch_context_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_offered_to_one_with_a_certificate),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
