/* Pre-shared keys: everything that must not get in with one, and what must. */
#include "psk_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static const unsigned char wrong_key[32] = "0123456789abcdef0123456789abcdX";

static void secret(cinch_context *ctx, const char *identity, const unsigned char *key, int fallback)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)cinch_context_psk(ctx, identity, key, 32, fallback, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
}

/* How each side is set up. */
typedef struct side {
    const char *identity; /* NULL: no secret */
    const unsigned char *key;
    int fallback;
    int certificate; /* server: has one; client: trusts the one of the family */
} side;

static cinch_context *client_of(const side *s)
{
    cinch_context *ctx =
        pair_client_context(s->certificate ? psk_family->root : psk_family->other_root);

    if (s->identity != NULL)
        secret(ctx, s->identity, s->key, s->fallback);
    return ctx;
}

static cinch_context *server_of(const side *s)
{
    cinch_context *ctx = s->certificate
                             ? pair_server_context(psk_family->good, psk_family->intermediate)
                             : cinch_context_server(NULL);

    if (s->identity != NULL)
        secret(ctx, s->identity, s->key, s->fallback);
    return ctx;
}

static pair meet(const side *client, const side *server, cinch_tls_version version)
{
    pair p = {0};
    cinch_context *c = client_of(client), *s = server_of(server);

    psk_limit(c, version);
    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    cinch_context_free(c);
    cinch_context_free(s);
    assert_int_equal(ERR_peek_error(), 0);
    return p;
}

/* ---- attacks ---- */

static void test_wrong_secret_is_refused(void **state)
{
    side client = {"alice", wrong_key, 0, 1}, server = {"alice", psk_right_key, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int fallback = 0; fallback < 2; fallback++) {
            server.fallback = fallback;
            pair p = meet(&client, &server, psk_versions[i]);
            assert_int_equal(p.client.err.cause, CINCH_CAUSE_HANDSHAKE_REFUSED);
            assert_int_equal(p.server.err.cause, CINCH_CAUSE_HANDSHAKE_REFUSED);
            assert_non_null(strstr(p.server.err.what, "alice"));
            psk_assert_refused(&p);
        }
    }
}

/* The server has a certificate that the client would trust, and it must not matter. */
static void test_certificate_in_place_of_secret_is_refused(void **state)
{
    side client = {"alice", psk_right_key, 0, 1}, server = {NULL, NULL, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = meet(&client, &server, psk_versions[i]);
        if (psk_versions[i] == CINCH_TLS_1_3) {
            assert_int_equal(p.client.err.cause, CINCH_CAUSE_HANDSHAKE_REFUSED);
            assert_non_null(strstr(p.client.err.what, "certificate"));
        }
        psk_assert_refused(&p);
    }
    /* With verification turned off as well: the secret still counts. */
    pair p = {0};
    cinch_context *c = client_of(&client), *s = server_of(&server);
    assert_int_equal(cinch_context_insecure_skip_verification(c, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_name(c, 1, NULL), CINCH_OK);
    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    psk_assert_refused(&p);
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_client_without_secret_is_refused(void **state)
{
    side client = {NULL, NULL, 0, 1}, server = {"alice", psk_right_key, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = meet(&client, &server, psk_versions[i]);
        assert_int_equal(p.server.err.cause, CINCH_CAUSE_HANDSHAKE_REFUSED);
        psk_assert_refused(&p);
    }
}

/* A stranger sees no difference between a name that is unknown and a secret that is wrong. */
static void test_unknown_name_looks_like_a_wrong_secret(void **state)
{
    side known = {"alice", wrong_key, 0, 1}, unknown = {"mallory", wrong_key, 0, 1};
    side server = {"alice", psk_right_key, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int certificate = 0; certificate < 2; certificate++) {
            server.certificate = certificate;
            pair a = meet(&known, &server, psk_versions[i]),
                 b = meet(&unknown, &server, psk_versions[i]);
            assert_int_equal(a.client.err.alert_received, b.client.err.alert_received);
            assert_int_not_equal(a.client.err.alert_received, 0);
            assert_int_equal(a.moved_to[0], b.moved_to[0]);
            assert_non_null(strstr(b.server.err.what, "mallory"));
            psk_assert_refused(&a);
            psk_assert_refused(&b);
        }
    }
}

/* The secret does not help where it is not wanted, and a fallback keeps its checks. */
static void test_fallback_verifies(void **state)
{
    side client = {"alice", psk_right_key, 1, 0}, server = {NULL, NULL, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = meet(&client, &server, psk_versions[i]);
        assert_int_equal(p.client.err.category, CINCH_CATEGORY_TRUST);
        psk_assert_refused(&p);
    }
}

static void test_required_certificate_is_asked_of_those_without_secret(void **state)
{
    side client = {NULL, NULL, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = {0};
        cinch_context *c = client_of(&client);
        cinch_context *s = pair_server_context(psk_family->good, psk_family->intermediate);

        psk_limit(c, psk_versions[i]);
        pair_trust(s, psk_family->root);
        assert_int_equal(cinch_context_client_auth(s, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
        secret(s, "alice", psk_right_key, 1);
        pair_start(&p, c, s, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
        psk_assert_refused(&p);
        secret(c, "alice", psk_right_key, 0);
        pair_start(&p, c, s, "localhost");
        pair_handshake(&p);
        psk_assert_met(&p, "alice", 1, 1);
        /* And nobody else is promised what cannot be kept. */
        assert_int_equal(cinch_context_psk(s, "alice", psk_right_key, 32, 0, NULL), CINCH_FAILED);
        cinch_context_free(c);
        cinch_context_free(s);
    }
}

/* Sessions of before, of the same names and policy, are worth nothing once a secret is asked for. */
static void test_session_of_before_does_not_get_in(void **state)
{
    (void)state;
    cinch_context *c = pair_client_context(psk_family->root);
    cinch_context *s = pair_server_context(psk_family->good, psk_family->intermediate);
    pair p = {0};

    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
    pair_stop(&p);
    assert_int_equal(cinch_context_session_count(c), 1);
    secret(s, "alice", psk_right_key, 0);
    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    psk_assert_refused(&p);
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_no_sessions_with_secrets(void **state)
{
    (void)state;
    cinch_context *c = pair_client_context(psk_family->root);
    cinch_context *s = pair_server_context(psk_family->good, psk_family->intermediate);

    secret(c, "alice", psk_right_key, 1);
    secret(s, "alice", psk_right_key, 1);
    assert_int_equal(cinch_context_session_ids(s, 100, NULL), CINCH_OK);
    for (size_t i = 0; i < 4; i++) {
        pair p = {0};
        psk_limit(c, psk_versions[i % 2]);
        pair_start(&p, c, s, "localhost");
        pair_handshake(&p);
        psk_assert_met(&p, "alice", 1, 1);
        assert_int_equal(cinch_context_session_count(c), 0);
    }
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_bad_secrets_are_refused(void **state)
{
    static const unsigned char zeros[32] = {0};
    char longest[130];
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    memset(longest, 'a', 129);
    longest[129] = 0;
    assert_int_equal(cinch_context_psk(ctx, "a", psk_right_key, 15, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "a", psk_right_key, 65, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "a", zeros, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "a", NULL, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "", psk_right_key, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "a\nb", psk_right_key, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, "\xff", psk_right_key, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk(ctx, longest, psk_right_key, 32, 0, NULL), CINCH_FAILED);
    longest[128] = 0;
    assert_int_equal(cinch_context_psk(ctx, longest, psk_right_key, 16, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(NULL, "a", psk_right_key, 32, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_psk_lookup(ctx, NULL, NULL, 0, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    cinch_context_free(ctx);
}

/* ---- what works ---- */

static void test_meets(void **state)
{
    side client = {"alice", psk_right_key, 0, 0}, server = {"alice", psk_right_key, 0, 0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = meet(&client, &server, psk_versions[i]);
        psk_assert_met(&p, "alice", 1, 1);
        server.certificate = server.fallback = 1;
        p = meet(&client, &server, psk_versions[i]);
        psk_assert_met(&p, "alice", 1, 1);
        server.certificate = server.fallback = 0;
    }
}

static void test_falls_back(void **state)
{
    side with = {"alice", psk_right_key, 1, 1}, without = {NULL, NULL, 0, 1};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pair p = meet(&with, &without, psk_versions[i]);
        psk_assert_met(&p, "", 1, 0);
        p = meet(&without, &with, psk_versions[i]);
        psk_assert_met(&p, "", 1, 0);
    }
}

static size_t look_up(const char *identity, unsigned char *key, size_t size, void *arg)
{
    (void)arg;
    if (strcmp(identity, "carol") == 0 && size >= 32) {
        memcpy(key, psk_right_key, 32);
        return 32;
    }
    /* Too short to count. */
    memcpy(key, psk_right_key, 15);
    return strcmp(identity, "short") == 0 ? 15 : 0;
}

static void test_looked_up(void **state)
{
    static const char *const names[] = {"carol", "alice", "short", "nobody"};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        pair p = {0};
        cinch_context *c = cinch_context_client(NULL), *s = cinch_context_server(NULL);
        const char *name = names[i / 2];

        secret(s, "bob", wrong_key, 0);
        secret(s, "alice", wrong_key, 0);
        secret(s, "alice", psk_right_key, 0); /* the last one counts */
        assert_int_equal(cinch_context_psk_lookup(s, look_up, NULL, 0, NULL), CINCH_OK);
        secret(c, "bob", wrong_key, 0);
        secret(c, name, psk_right_key, 0);
        psk_limit(c, psk_versions[i % 2]);
        pair_start(&p, c, s, "localhost");
        p.piece = 7;
        pair_handshake(&p);
        if (i < 4)
            psk_assert_met(&p, name, 1, 1);
        else
            psk_assert_refused(&p);
        cinch_context_free(c);
        cinch_context_free(s);
    }
}

static void test_policy_without_sha256_is_refused(void **state)
{
    cinch_policy *policy = cinch_policy_new("modern", NULL);
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_policy_suites(policy, "TLS_AES_256_GCM_SHA384", NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(ctx, "alice", psk_right_key, 32, 0, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    cinch_policy_free(policy);
    cinch_context_free(ctx);
}

static void test_dropped(void **state)
{
    cinch_context *s = cinch_context_server(NULL);

    (void)state;
    assert_int_equal(cinch_context_check(s, NULL), CINCH_FAILED);
    secret(s, "alice", psk_right_key, 0);
    assert_int_equal(cinch_context_server_name_rule(s, CINCH_SERVER_NAME_KNOWN, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(s, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(s, NULL, NULL, 0, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(s, NULL), CINCH_FAILED);
    cinch_context_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_secret_is_refused),
        cmocka_unit_test(test_certificate_in_place_of_secret_is_refused),
        cmocka_unit_test(test_client_without_secret_is_refused),
        cmocka_unit_test(test_unknown_name_looks_like_a_wrong_secret),
        cmocka_unit_test(test_fallback_verifies),
        cmocka_unit_test(test_required_certificate_is_asked_of_those_without_secret),
        cmocka_unit_test(test_session_of_before_does_not_get_in),
        cmocka_unit_test(test_no_sessions_with_secrets),
        cmocka_unit_test(test_bad_secrets_are_refused),
        cmocka_unit_test(test_meets),
        cmocka_unit_test(test_falls_back),
        cmocka_unit_test(test_looked_up),
        cmocka_unit_test(test_policy_without_sha256_is_refused),
        cmocka_unit_test(test_dropped),
    };

    return cmocka_run_group_tests(tests, psk_set_up, psk_tear_down);
}
