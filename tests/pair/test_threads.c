/*
 * Sixteen threads make connections from two contexts while another changes everything about them.
 * Each connection ends in one of the ways that one of the settings allows; the thread sanitizer
 * watches the rest (CVE-2024-0397).
 */
#include "pair.h"

#include <cinch/cinch.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 16
#define CONNECTIONS 12

static pki_family *family;
static cinch_context *client, *server, *spare;
static char *root_pem, *other_pem;
static cinch_identity *identities[2];
static atomic_int running;
static atomic_int opened, refused, strange;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    root_pem = pki_pem_cert(family->root);
    other_pem = pki_pem_cert(family->other_root);
    identities[0] = pair_identity(family->good, family->intermediate);
    identities[1] = pair_identity(family->under_root, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_identity_free(identities[0]);
    cinch_identity_free(identities[1]);
    free(root_pem);
    free(other_pem);
    pki_family_free(family);
    return 0;
}

/* Refusals that some mixture of the settings below explains. */
static int is_expected(cinch_cause cause)
{
    switch (cause) {
    case CINCH_CAUSE_NONE:
    case CINCH_CAUSE_NO_COMMON_ALPN:
    case CINCH_CAUSE_NO_COMMON_VERSION:
    case CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING:
    case CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED:
        return 1;
    default:
        return 0;
    }
}

static void *connect_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < CONNECTIONS; i++) {
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        pair_handshake(&p);
        if (p.client.status == CINCH_OK && p.server.status == CINCH_OK) {
            atomic_fetch_add(&opened, 1);
            (void)pair_send(&p, &p.server, &p.client, "x", 1);
            cinch_peer_free(cinch_conn_peer(p.client.conn, NULL));
        } else if (is_expected(p.client.err.cause) && is_expected(p.server.err.cause)) {
            atomic_fetch_add(&refused, 1);
        } else {
            atomic_fetch_add(&strange, 1);
            (void)cinch_error_report(&p.client.err, stderr);
            (void)cinch_error_report(&p.server.err, stderr);
        }
        pair_stop(&p);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void change(int round)
{
    cinch_context *copy = cinch_context_dup(server, NULL);

    (void)cinch_context_alpn(client, round % 3 == 0 ? "h2" : "h2,http/1.1", NULL);
    (void)cinch_context_alpn(server, round % 5 == 0 ? "http/1.1" : "http/1.1,h2", NULL);
    (void)cinch_context_policy_named(server, round % 2 == 0 ? "modern" : "default", NULL);
    (void)cinch_context_trust_pem(client, other_pem, strlen(other_pem), NULL);
    (void)cinch_context_identity(server, identities[round % 2], NULL);
    (void)cinch_context_verify_depth(client, 5 + round % 3, NULL);
    (void)cinch_context_send_server_name(client, round % 2, NULL);
    (void)cinch_context_server_name_rule(server, CINCH_SERVER_NAME_ANY, NULL);
    (void)cinch_context_client_auth(
        server, round % 4 == 0 ? CINCH_CLIENT_AUTH_OPTIONAL : CINCH_CLIENT_AUTH_NONE, NULL);
    (void)cinch_context_resumption(server, round % 3 != 0, NULL);
    (void)cinch_context_resumption(client, round % 4 != 0, NULL);
    (void)cinch_context_session_limit(client, 1 + (size_t)round % 7, NULL);
    /* Refused, and so without effect. */
    (void)cinch_context_alpn(client, "", NULL);
    (void)cinch_context_policy_named(server, "no such policy", NULL);
    cinch_anchors_free(cinch_context_anchors(client, NULL));
    (void)cinch_context_check(spare, NULL);
    (void)cinch_context_apply(server, copy, NULL);
    (void)cinch_context_apply(spare, server, NULL);
    cinch_context_free(copy);
}

static void test_change_while_in_use(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    client = pair_client_context(family->root);
    server = pair_server_context(family->good, family->intermediate);
    pair_trust(server, family->root);
    spare = cinch_context_dup(server, NULL);
    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, connect_often, NULL), 0);
    int rounds = 0;
    while (atomic_load(&running) > 0)
        change(rounds++);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&strange), 0);
    assert_int_equal(atomic_load(&opened) + atomic_load(&refused), THREADS * CONNECTIONS);
    assert_true(atomic_load(&opened) > 0);
    assert_true(rounds > 0);
    cinch_context_free(client);
    cinch_context_free(server);
    cinch_context_free(spare);
}

/* Contexts are freed before their connections, and connections in every order (CVE-2021-22901). */
static void test_order_of_freeing(void **state)
{
    (void)state;
    for (int order = 0; order < 4; order++) {
        cinch_context *c = pair_client_context(family->root);
        cinch_context *s = pair_server_context(family->good, family->intermediate);
        pair p = {0};

        pair_start(&p, c, s, "localhost");
        if (order % 2 == 0) {
            cinch_context_free(c);
            cinch_context_free(s);
        }
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        /* The ticket is on its way when the server's end is gone. */
        size_t n;
        assert_int_equal(cinch_conn_write(p.server.conn, "late", 4, &n, NULL), CINCH_OK);
        pair_move(&p);
        if (order < 2) {
            cinch_conn_free(p.server.conn);
            p.server.conn = NULL;
        }
        char buf[8];
        assert_int_equal(cinch_conn_read(p.client.conn, buf, sizeof buf, &n, NULL), CINCH_OK);
        cinch_session *session = cinch_conn_session(p.client.conn, NULL);
        assert_non_null(session);
        pair_stop(&p);
        cinch_session_free(session);
        if (order % 2 != 0) {
            cinch_context_free(c);
            cinch_context_free(s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change_while_in_use),
        cmocka_unit_test(test_order_of_freeing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
