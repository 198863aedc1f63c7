/* Pins: the key that the server must have, and the one kept in reserve. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static const char nobody[] = "0000000000000000000000000000000000000000000000000000000000000001";
static const char reserve[] = "0000000000000000000000000000000000000000000000000000000000000002";

static void pin_of(const pki_cert *cert, char text[65])
{
    size_t size;
    unsigned char *der = pki_der_cert(cert, &size);
    cinch_certificate *c = cinch_certificate_der(der, size, NULL);

    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02X", c->spki_sha256[i]);
    cinch_certificate_free(c);
    free(der);
}

static int talk(cinch_context *client, cinch_context *server, pair *p, int *resumed)
{
    *p = (pair){0};
    pair_start(p, client, server, "localhost");
    pair_handshake(p);
    if (p->client.status != CINCH_OK || !pair_send(p, &p->client, &p->server, "ping", 4) ||
        !pair_send(p, &p->server, &p->client, "pong", 4))
        return 0;
    cinch_peer *peer = cinch_conn_peer(p->client.conn, NULL);
    *resumed = peer->resumed;
    cinch_peer_free(peer);
    return 1;
}

/* The leaf's key, an issuer's, the anchor's: each will do, as pin or as reserve; no other. */
static void test_chain(void **state)
{
    const pki_cert *const good[] = {family->good, family->intermediate, family->root};
    char text[65];
    int resumed;
    pair p;

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        cinch_context *client = pair_client_context(family->root);
        cinch_context *server = pair_server_context(family->good, family->intermediate);

        pin_of(good[i / 2], text);
        assert_int_equal(
            cinch_context_pin(client, i % 2 ? text : nobody, i % 2 ? nobody : text, NULL),
            CINCH_OK);
        assert_true(talk(client, server, &p, &resumed));
        pair_stop(&p);
        /* With other pins the session that was made does not count either. */
        assert_int_equal(cinch_context_pin(client, nobody, reserve, NULL), CINCH_OK);
        assert_false(talk(client, server, &p, &resumed));
        assert_int_equal(p.client.err.cause, CINCH_CAUSE_CHAIN_RULE);
        assert_non_null(strstr(p.client.err.what, "pinned"));
        assert_int_not_equal(p.client.err.alert_sent, 0);
        pair_stop(&p);
        assert_int_equal(cinch_context_pin(client, NULL, NULL, NULL), CINCH_OK);
        assert_true(talk(client, server, &p, &resumed));
        pair_stop(&p);
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

static void test_resumed(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    char text[65];
    int resumed;
    pair p;

    (void)state;
    pin_of(family->intermediate, text);
    assert_int_equal(cinch_context_pin(client, text, reserve, NULL), CINCH_OK);
    for (int i = 0; i < 2; i++) {
        assert_true(talk(client, server, &p, &resumed));
        assert_int_equal(resumed, i);
        pair_stop(&p);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

/*
 * Anybody can send the pinned certificate along: when the chain is not verified, only the key counts
 * that the handshake proves.
 */
static void test_unverified(void **state)
{
    cinch_context *client = pair_client_context(family->other_root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    char text[65];
    int resumed;
    pair p;

    (void)state;
    assert_int_equal(cinch_context_insecure_skip_verification(client, 1, NULL), CINCH_OK);
    pin_of(family->intermediate, text);
    assert_int_equal(cinch_context_pin(client, text, reserve, NULL), CINCH_OK);
    assert_false(talk(client, server, &p, &resumed));
    assert_non_null(strstr(p.client.err.what, "pinned"));
    pair_stop(&p);
    pin_of(family->good, text);
    assert_int_equal(cinch_context_pin(client, text, reserve, NULL), CINCH_OK);
    assert_true(talk(client, server, &p, &resumed));
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void expect_bad(cinch_context *ctx, const char *pin, const char *other)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_context_pin(ctx, pin, other, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
}

static void test_setter(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    expect_bad(client, nobody, NULL);
    expect_bad(client, NULL, nobody);
    expect_bad(client, nobody, nobody);
    expect_bad(client, "", nobody);
    expect_bad(client, nobody, "xyz");
    /* The same key in two ways of writing. */
    expect_bad(client, nobody, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=");
    assert_int_equal(cinch_context_pin(server, nobody, reserve, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_pin(NULL, nobody, reserve, NULL), CINCH_FAILED);
    cinch_context_free(client);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_unverified),
        cmocka_unit_test(test_setter),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
