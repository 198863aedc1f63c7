/* Who of the trusted clients is let in, and that the rules hold for resumed connections. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static pki_family *family;
static pki_cert *plain; /* two names, two URIs, a NUL in a name */

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    plain = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=pat",
                                 .dns = {"One.Example.Test", "*.wild.example.test"},
                                 .email = "Pat@EXAMPLE.test",
                                 .uri = "https://example.test/pat",
                                 .eku = "clientAuth"},
                     family->intermediate);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(plain);
    pki_family_free(family);
    return 0;
}

typedef struct ends {
    cinch_context *client;
    cinch_context *server;
} ends;

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

static ends make_ends(const pki_cert *who, cinch_tls_version version)
{
    ends e = {pair_client_context(family->root),
              pair_server_context(family->good, family->intermediate)};

    if (who != NULL) {
        cinch_identity *identity = pair_identity(who, family->intermediate);

        assert_int_equal(cinch_context_identity(e.client, identity, NULL), CINCH_OK);
        cinch_identity_free(identity);
    }
    pair_trust(e.server, family->root);
    assert_int_equal(cinch_context_client_auth(e.server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                     CINCH_OK);
    limit(e.server, version);
    return e;
}

static void free_ends(ends *e)
{
    cinch_context_free(e->client);
    cinch_context_free(e->server);
}

/* The handshake, and what follows if it stands: with TLS 1.3 a client learns of a refusal late. */
static int talk(ends *e, pair *p)
{
    *p = (pair){0};
    pair_start(p, e->client, e->server, "localhost");
    pair_handshake(p);
    if (p->client.status == CINCH_OK && p->server.status == CINCH_OK)
        return pair_send(p, &p->client, &p->server, "ping", 4) &&
               pair_send(p, &p->server, &p->client, "pong", 4);
    if (p->client.status == CINCH_OK) {
        char byte;
        size_t n;

        (void)pair_move(p);
        p->client.status = cinch_conn_read(p->client.conn, &byte, 1, &n, &p->client.err);
    }
    return 0;
}

static int resumed(const pair *p)
{
    cinch_peer *peer = cinch_conn_peer(p->server.conn, NULL);
    int was = peer->resumed;

    cinch_peer_free(peer);
    return was;
}

static void expect_refused(const pair *p)
{
    if (p->server.err.cause != CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED)
        (void)cinch_error_report(&p->server.err, stderr);
    assert_int_equal(p->server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED);
    assert_int_equal(p->server.err.alert_sent, SSL_AD_CERTIFICATE_UNKNOWN);
    assert_int_equal(p->client.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED);
    assert_int_equal(p->client.err.alert_received, SSL_AD_CERTIFICATE_UNKNOWN);
    assert_int_equal(ERR_peek_error(), 0);
}

typedef struct rule_case {
    cinch_match what;
    const char *text;
    int client; /* lets in the family's client */
    int plain;  /* lets in the other one */
} rule_case;

static const rule_case rules[] = {
    {CINCH_MATCH_DNS, "one.example.test", 0, 1},
    {CINCH_MATCH_DNS, "ONE.example.TEST.", 0, 1},
    {CINCH_MATCH_DNS, "*.example.test", 0, 1},
    {CINCH_MATCH_DNS, "example.test", 0, 0},
    /* The certificate's wildcard is nobody in particular. */
    {CINCH_MATCH_DNS, "a.wild.example.test", 0, 0},
    {CINCH_MATCH_DNS, "*.wild.example.test", 0, 0},
    {CINCH_MATCH_EMAIL, PKI_FAMILY_CLIENT_EMAIL, 1, 0},
    {CINCH_MATCH_EMAIL, "client@EXAMPLE.test", 1, 0},
    {CINCH_MATCH_EMAIL, "Client@example.test", 0, 0},
    {CINCH_MATCH_EMAIL, "Pat@example.test", 0, 1},
    {CINCH_MATCH_URI, PKI_FAMILY_CLIENT_URI, 1, 0},
    {CINCH_MATCH_URI, "spiffe://example.test/", 1, 0},
    {CINCH_MATCH_URI, "spiffe://example.test/client/", 0, 0},
    {CINCH_MATCH_URI, "spiffe://example.test/clien", 0, 0},
    {CINCH_MATCH_URI, "spiffe://example.tes/", 0, 0},
    {CINCH_MATCH_URI, "https://example.test/pat", 0, 1},
    {CINCH_MATCH_URI, "https://example.test/", 0, 0},
    {CINCH_MATCH_COMMON_NAME, "Test Client", 1, 0},
    {CINCH_MATCH_COMMON_NAME, "test client", 0, 0},
    {CINCH_MATCH_COMMON_NAME, "pat", 0, 1},
};

static void test_rules(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        for (int who = 0; who < 2; who++) {
            ends e = make_ends(who ? plain : family->client, versions[(i + (size_t)who) % 2]);
            cinch_error err = CINCH_ERROR_INIT;
            pair p;

            assert_int_equal(cinch_context_allow(e.server, rules[i].what, rules[i].text, &err),
                             CINCH_OK);
            int in = talk(&e, &p);
            if (in != (who ? rules[i].plain : rules[i].client))
                fail_msg("%s and client %d: %s", rules[i].text, who, p.server.err.what);
            if (!in)
                expect_refused(&p);
            pair_stop(&p);
            free_ends(&e);
        }
}

static char *key_digest(const pki_cert *cert, int base64)
{
    size_t size;
    unsigned char *der = pki_der_cert(cert, &size);
    cinch_certificate *c = cinch_certificate_der(der, size, NULL);
    char *text = calloc(1, 80);

    assert_non_null(text);
    if (base64)
        EVP_EncodeBlock((unsigned char *)text, c->spki_sha256, 32);
    else
        for (int i = 0; i < 32; i++)
            snprintf(text + 2 * i, 3, "%02x", c->spki_sha256[i]);
    cinch_certificate_free(c);
    free(der);
    return text;
}

static void test_key(void **state)
{
    (void)state;
    for (int base64 = 0; base64 < 2; base64++) {
        char *text = key_digest(family->client, base64);
        ends e = make_ends(family->client, CINCH_TLS_1_3);
        ends other = make_ends(plain, CINCH_TLS_1_3);
        pair p;

        assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_SPKI, text, NULL), CINCH_OK);
        assert_int_equal(cinch_context_allow(other.server, CINCH_MATCH_SPKI, text, NULL), CINCH_OK);
        assert_true(talk(&e, &p));
        pair_stop(&p);
        assert_false(talk(&other, &p));
        expect_refused(&p);
        pair_stop(&p);
        free_ends(&e);
        free_ends(&other);
        free(text);
    }
}

/* CVE-2009-2417 and what is like it: what stands behind the NUL belongs to the name. */
static void test_nul(void **state)
{
    pki_cert *evil = pki_make(
        &(pki_spec){.cn = "pat\0@evil", .cn_len = 9, .dns = {"fine.test"}, .eku = "clientAuth"},
        family->intermediate);
    ends e = make_ends(evil, CINCH_TLS_1_3);
    pair p;

    (void)state;
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_COMMON_NAME, "pat", NULL), CINCH_OK);
    assert_false(talk(&e, &p));
    expect_refused(&p);
    pair_stop(&p);
    free_ends(&e);
    pki_free(evil);
}

/* Two names where one is meant: which of them counts would be up to the reader. */
static void test_ambiguous(void **state)
{
    static const unsigned char two[] =
        "\x30\x2a\x86\x13spiffe://a.test/one\x86\x13spiffe://a.test/two";
    pki_cert *uris = pki_make(&(pki_spec){.subject = "/CN=first/CN=second",
                                          .no_san = true,
                                          .raw = {{"subjectAltName", false, two, sizeof two - 1}},
                                          .eku = "clientAuth"},
                              family->intermediate);
    ends e = make_ends(uris, CINCH_TLS_1_3);
    pair p;

    (void)state;
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_URI, "spiffe://a.test/", NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_URI, "spiffe://a.test/one", NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_COMMON_NAME, "first", NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_COMMON_NAME, "second", NULL),
                     CINCH_OK);
    assert_false(talk(&e, &p));
    expect_refused(&p);
    assert_non_null(strstr(p.server.err.evidence, "let in are: URI spiffe://a.test/"));
    pair_stop(&p);
    free_ends(&e);
    pki_free(uris);
}

static void test_any_of_them(void **state)
{
    ends e = make_ends(family->client, CINCH_TLS_1_3);
    pair p;

    (void)state;
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_DNS, "x.test", NULL), CINCH_OK);
    assert_false(talk(&e, &p));
    pair_stop(&p);
    assert_int_equal(
        cinch_context_allow(e.server, CINCH_MATCH_EMAIL, PKI_FAMILY_CLIENT_EMAIL, NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    pair_stop(&p);
    /* A rule that is added ends what was resumable before: its digest is another. */
    assert_int_equal(cinch_context_allow_all(e.server, NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    pair_stop(&p);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_DNS, "x.test", NULL), CINCH_OK);
    assert_false(talk(&e, &p));
    expect_refused(&p);
    pair_stop(&p);
    free_ends(&e);
}

static void test_bad_texts(void **state)
{
    static const struct {
        int what;
        const char *text;
    } bad[] = {
        {CINCH_MATCH_DNS, ""},
        {CINCH_MATCH_DNS, "a*.example.test"},
        {CINCH_MATCH_DNS, "*.test"},
        {CINCH_MATCH_DNS, "*"},
        {CINCH_MATCH_DNS, "1.2.3.4"},
        {CINCH_MATCH_EMAIL, "example.test"},
        {CINCH_MATCH_EMAIL, "a@b@example.test"},
        {CINCH_MATCH_EMAIL, "@example.test"},
        {CINCH_MATCH_URI, "no uri"},
        {CINCH_MATCH_URI, "nothing"},
        {CINCH_MATCH_URI, "spiffe://Example.test/x"},
        {CINCH_MATCH_URI, "spiffe://example.test/../x"},
        {CINCH_MATCH_URI, "spiffe://example.test//x"},
        {CINCH_MATCH_URI, "spiffe://user@example.test/x"},
        {CINCH_MATCH_URI, "spiffe:///x"},
        {CINCH_MATCH_SPKI, "00"},
        {CINCH_MATCH_SPKI, "zz00000000000000000000000000000000000000000000000000000000000000"},
        {CINCH_MATCH_SPKI, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {CINCH_MATCH_COMMON_NAME, "line\nend"},
        {CINCH_MATCH_COMMON_NAME, "\xff"},
        {99, "x"},
        {0, "x"},
    };
    ends e = make_ends(family->client, CINCH_TLS_1_3);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        if (cinch_context_allow(e.server, (cinch_match)bad[i].what, bad[i].text, &err) == CINCH_OK)
            fail_msg("taken: %s", bad[i].text);
        assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
        assert_true(err.evidence[0] != 0);
    }
    assert_int_equal(cinch_context_allow(e.client, CINCH_MATCH_DNS, "x.test", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_DNS, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_allow(NULL, CINCH_MATCH_DNS, "x.test", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_insecure_relax(e.client, CINCH_RULE_COUNT, 1, NULL),
                     CINCH_FAILED);
    free_ends(&e);
}

/* Rules without anybody being asked would let everybody in. */
static void test_nobody_is_asked(void **state)
{
    ends e = make_ends(family->client, CINCH_TLS_1_3);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_DNS, "x.test", NULL), CINCH_OK);
    assert_int_equal(cinch_context_client_auth(e.server, CINCH_CLIENT_AUTH_NONE, NULL), CINCH_OK);
    assert_null(cinch_conn_new(e.server, NULL, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    assert_int_equal(cinch_context_check(e.server, NULL), CINCH_FAILED);
    free_ends(&e);
}

static void test_optional(void **state)
{
    ends e = make_ends(NULL, CINCH_TLS_1_3);
    pair p;

    (void)state;
    assert_int_equal(cinch_context_client_auth(e.server, CINCH_CLIENT_AUTH_OPTIONAL, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_allow(e.server, CINCH_MATCH_DNS, "x.test", NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    pair_stop(&p);
    free_ends(&e);
}

typedef struct gate {
    int open;
    int asked;
    size_t chain;
} gate;

static int ask_gate(cinch_certificate *const *chain, size_t count, char *why, size_t size,
                    void *arg)
{
    gate *g = arg;

    g->asked++;
    g->chain = count;
    assert_non_null(chain[0]->subject);
    if (!g->open)
        snprintf(why, size, "the gate is shut\033[31m");
    return g->open;
}

/* The answer of today counts, not that of the day when the session began. */
static void callback_and_resumption(const pki_cert *who, cinch_tls_version version, int ids)
{
    ends e = make_ends(who, version);
    gate g = {.open = 1};
    pair p;

    assert_int_equal(cinch_context_allow_if(e.server, ask_gate, &g, NULL), CINCH_OK);
    if (ids)
        assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    assert_false(resumed(&p));
    assert_int_equal(g.asked, 1);
    assert_int_equal(g.chain, 3);
    pair_stop(&p);
    assert_true(talk(&e, &p));
    assert_true(resumed(&p));
    assert_true(g.asked > 1);
    pair_stop(&p);
    g.open = 0;
    assert_false(talk(&e, &p));
    assert_int_equal(p.server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED);
    assert_non_null(strstr(p.server.err.what, "the gate is shut\\x1b"));
    pair_stop(&p);
    g.open = 2; /* anything but 1 refuses */
    assert_false(talk(&e, &p));
    pair_stop(&p);
    assert_int_equal(cinch_context_allow_if(e.server, NULL, NULL, NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    pair_stop(&p);
    free_ends(&e);
}

static void test_callback_1_3(void **state)
{
    (void)state;
    callback_and_resumption(family->client, CINCH_TLS_1_3, 0);
}

static void test_callback_1_2(void **state)
{
    (void)state;
    callback_and_resumption(family->client, CINCH_TLS_1_2, 1);
}

/* A server is looked at by a client's callback as well. */
static void test_callback_of_client(void **state)
{
    ends e = {pair_client_context(family->root),
              pair_server_context(family->good, family->intermediate)};
    gate g = {.open = 1};
    pair p;

    (void)state;
    assert_int_equal(cinch_context_allow_if(e.client, ask_gate, &g, NULL), CINCH_OK);
    assert_true(talk(&e, &p));
    pair_stop(&p);
    assert_true(talk(&e, &p));
    assert_true(resumed(&p));
    assert_int_equal(g.asked, 2);
    pair_stop(&p);
    g.open = 0;
    assert_false(talk(&e, &p));
    assert_int_equal(p.client.err.category, CINCH_CATEGORY_TRUST);
    pair_stop(&p);
    free_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_any_of_them),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_nobody_is_asked),
        cmocka_unit_test(test_optional),
        cmocka_unit_test(test_callback_1_3),
        cmocka_unit_test(test_callback_1_2),
        cmocka_unit_test(test_callback_of_client),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
