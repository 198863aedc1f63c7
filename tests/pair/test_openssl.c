/* What bindings need of OpenSSL, and that it opens no way past the rest. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/openssl.h>
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

typedef struct ends {
    cinch_context *client;
    cinch_context *server;
    pair p;
} ends;

static ends make_ends(void)
{
    return (ends){.client = pair_client_context(family->root),
                  .server = pair_server_context(family->good, family->intermediate)};
}

static void open_pair(ends *e)
{
    pair_start(&e->p, e->client, e->server, "localhost");
    pair_handshake(&e->p);
}

static void free_ends(ends *e)
{
    pair_stop(&e->p);
    cinch_context_free(e->client);
    cinch_context_free(e->server);
    assert_int_equal(ERR_peek_error(), 0);
}

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

/* DATA is the options to set; nothing at all fails. */
static int set_options(SSL_CTX *ctx, const void *data, size_t size)
{
    uint64_t options;

    if (size != sizeof options)
        return 0;
    memcpy(&options, data, sizeof options);
    SSL_CTX_set_options(ctx, options);
    return 1;
}

static void test_adjusted(void **state)
{
    uint64_t options = SSL_OP_NO_TLSv1_3;
    ends e = make_ends();

    (void)state;
    assert_int_equal(
        cinch_context_insecure_adjust(e.client, set_options, &options, sizeof options, NULL),
        CINCH_OK);
    open_pair(&e);
    assert_int_equal(e.p.client.status, CINCH_OK);
    assert_string_equal(SSL_get_version(cinch_conn_openssl(e.p.client.conn)), "TLSv1.2");
    pair_stop(&e.p);

    /* Nobody else has it: the same settings without the adjustment are others. */
    cinch_context *other = pair_client_context(family->root);
    e.p = (pair){0};
    pair_start(&e.p, other, e.server, "localhost");
    pair_handshake(&e.p);
    assert_string_equal(SSL_get_version(cinch_conn_openssl(e.p.client.conn)), "TLSv1.3");
    pair_stop(&e.p);
    cinch_context_free(other);

    assert_int_equal(cinch_context_insecure_adjust(e.client, NULL, NULL, 0, NULL), CINCH_OK);
    e.p = (pair){0};
    open_pair(&e);
    assert_string_equal(SSL_get_version(cinch_conn_openssl(e.p.client.conn)), "TLSv1.3");
    free_ends(&e);
}

static void test_adjustment_fails(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    ends e = make_ends();
    char large[65537] = {0};

    (void)state;
    assert_int_equal(
        cinch_context_insecure_adjust(e.client, set_options, large, sizeof large, &err),
        CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    cinch_error_clear(&err);
    assert_int_equal(cinch_context_insecure_adjust(e.client, set_options, NULL, 1, &err),
                     CINCH_FAILED);
    cinch_error_clear(&err);
    assert_int_equal(cinch_context_insecure_adjust(e.client, set_options, "x", 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(e.client, &err), CINCH_FAILED);
    cinch_error_clear(&err);
    assert_null(cinch_conn_new(e.client, "localhost", &err));
    free_ends(&e);
}

/* Says yes to everything, as programs do that have read the wrong page. */
static int say_yes(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1;
}

static int believe_all(SSL_CTX *ctx, const void *data, size_t size)
{
    (void)data;
    (void)size;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, say_yes, NULL);
    return 1;
}

static void test_nobody_is_believed(void **state)
{
    ends e = make_ends();

    (void)state;
    assert_int_equal(cinch_context_insecure_adjust(e.client, believe_all, NULL, 0, NULL), CINCH_OK);
    pair_start(&e.p, e.client, e.server, "www.example.org");
    pair_handshake(&e.p);
    assert_int_not_equal(e.p.client.status, CINCH_OK);
    assert_int_equal(cinch_conn_state_now(e.p.client.conn), CINCH_STATE_FAILED);
    free_ends(&e);
}

typedef struct seen {
    int sent[32];
    int received[32];
} seen;

static void see(int sent, int version, int type, const void *bytes, size_t size, void *arg)
{
    seen *s = arg;
    int *list = sent ? s->sent : s->received;

    (void)version;
    if (type == SSL3_RT_HANDSHAKE && size > 0 && *(const unsigned char *)bytes < 32)
        list[*(const unsigned char *)bytes]++;
}

static void test_messages(void **state)
{
    ends e = make_ends();
    seen s = {{0}, {0}};

    (void)state;
    pair_start(&e.p, e.client, e.server, "localhost");
    assert_int_equal(cinch_conn_messages(e.p.client.conn, see, &s, NULL), CINCH_OK);
    pair_handshake(&e.p);
    assert_int_equal(s.sent[SSL3_MT_CLIENT_HELLO], 1);
    assert_int_equal(s.received[SSL3_MT_CERTIFICATE], 1);
    assert_int_equal(s.sent[SSL3_MT_FINISHED], 1);
    /* Cinch's own look goes on: it explains and times. */
    cinch_peer *peer = cinch_conn_peer(e.p.client.conn, NULL);
    assert_true(peer->timing.hello_us >= 0);
    cinch_peer_free(peer);
    assert_int_equal(cinch_conn_messages(NULL, see, &s, NULL), CINCH_FAILED);
    free_ends(&e);
}

static void test_nobody_is_trusted(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    ends e = make_ends();

    (void)state;
    assert_int_equal(cinch_context_trust_nobody(e.client, NULL), CINCH_OK);
    cinch_anchors *anchors = cinch_context_anchors(e.client, &err);
    assert_non_null(anchors);
    assert_int_equal(anchors->count, 0);
    cinch_anchors_free(anchors);
    open_pair(&e);
    assert_int_equal(cinch_conn_state_now(e.p.client.conn), CINCH_STATE_FAILED);
    assert_int_equal(e.p.client.err.category, CINCH_CATEGORY_TRUST);
    assert_non_null(strstr(e.p.client.err.evidence, "nobody"));
    pair_stop(&e.p);

    /* Whoever is named after that is believed. */
    pair_trust(e.client, family->root);
    e.p = (pair){0};
    open_pair(&e);
    assert_int_equal(e.p.client.status, CINCH_OK);
    free_ends(&e);
}

static int resumed(ends *e)
{
    e->p = (pair){0};
    open_pair(e);
    assert_int_equal(e->p.client.status, CINCH_OK);
    assert_true(pair_send(&e->p, &e->p.server, &e->p.client, "x", 1));
    int was = SSL_session_reused(cinch_conn_openssl(e->p.client.conn));
    cinch_session *session = cinch_conn_session(e->p.client.conn, NULL);
    if (session != NULL && !was)
        was = SSL_SESSION_has_ticket(cinch_session_openssl(session)) ? -1 : 0;
    cinch_session_free(session);
    pair_stop(&e->p);
    e->p = (pair){0};
    return was;
}

/* -1: not resumed and with a ticket. */
static void test_old_tickets(void **state)
{
    ends e = make_ends();

    (void)state;
    limit(e.client, CINCH_TLS_1_2);
    assert_int_equal(resumed(&e), 0);
    assert_int_equal(resumed(&e), 0);
    assert_int_equal(cinch_context_insecure_tls12_tickets(e.server, 1, NULL), CINCH_OK);
    assert_int_equal(resumed(&e), 0);
    assert_int_equal(cinch_context_insecure_tls12_tickets(e.client, 1, NULL), CINCH_OK);
    assert_int_equal(resumed(&e), -1);
    /* Again and again, as TLS 1.2 has it; and not after it was turned off. */
    assert_int_equal(resumed(&e), 1);
    assert_int_equal(resumed(&e), 1);
    assert_int_equal(cinch_context_insecure_tls12_tickets(e.server, 0, NULL), CINCH_OK);
    assert_int_equal(resumed(&e), 0);
    free_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjusted),           cmocka_unit_test(test_adjustment_fails),
        cmocka_unit_test(test_nobody_is_believed), cmocka_unit_test(test_messages),
        cmocka_unit_test(test_nobody_is_trusted),  cmocka_unit_test(test_old_tickets),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
