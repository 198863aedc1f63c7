/* A certificate that is asked for while the connection is open (RFC 8446, 4.6.2). */
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

typedef struct ends {
    cinch_context *client;
    cinch_context *server;
} ends;

/* The client has LEAF, if it is not NULL, and offers it; the server trusts the family's root. */
static ends make_ends(const pki_cert *leaf, cinch_client_auth mode)
{
    ends e = {pair_client_context(family->root),
              pair_server_context(family->good, family->intermediate)};

    if (leaf != NULL) {
        cinch_identity *identity =
            pair_identity(leaf, leaf == family->unknown_ca ? NULL : family->intermediate);
        assert_int_equal(cinch_context_identity(e.client, identity, NULL), CINCH_OK);
        cinch_identity_free(identity);
    }
    assert_int_equal(cinch_context_late_certificate(e.client, 1, NULL), CINCH_OK);
    pair_trust(e.server, family->root);
    assert_int_equal(cinch_context_client_auth(e.server, mode, NULL), CINCH_OK);
    return e;
}

static void free_ends(ends *e)
{
    cinch_context_free(e->client);
    cinch_context_free(e->server);
}

static void open_pair(pair *p, const ends *e)
{
    *p = (pair){0};
    pair_start(p, e->client, e->server, "localhost");
    pair_handshake(p);
    (void)cinch_error_report(&p->client.err, stderr);
    (void)cinch_error_report(&p->server.err, stderr);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
}

static int server_sees(const pair *p, size_t *chain)
{
    cinch_peer *peer = cinch_conn_evidence(p->server.conn, NULL);
    int verified = peer->verified;

    assert_true(verified || peer->chain_count == 0);
    if (chain != NULL)
        *chain = peer->chain_count;
    cinch_peer_free(peer);
    return verified;
}

static cinch_status read_at(pair_end *end)
{
    char byte;
    size_t n;

    end->status = cinch_conn_read(end->conn, &byte, 1, &n, &end->err);
    return end->status;
}

static void ask(pair *p)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)cinch_conn_ask_certificate(p->server.conn, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    assert_int_equal(server_sees(p, NULL), 0);
    (void)pair_move(p);
    assert_int_equal(read_at(&p->client), CINCH_WANT_READ);
}

/* At most N bytes of what the client has for the server. */
static size_t move_some(pair *p, size_t n)
{
    const void *bytes;
    void *space;
    size_t size, room;

    assert_int_equal(cinch_conn_send_bytes(p->client.conn, &bytes, &size, NULL), CINCH_OK);
    if (size == 0)
        return 0;
    assert_int_equal(cinch_conn_recv_space(p->server.conn, &space, &room, NULL), CINCH_OK);
    n = n < size ? n : size;
    memcpy(space, bytes, n);
    assert_int_equal(cinch_conn_recv_commit(p->server.conn, n, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_send_consume(p->client.conn, n, NULL), CINCH_OK);
    return n;
}

/*
 * The certificate comes before the proof that the client has its key. Who has copied somebody's
 * certificate can send the first and not the second: never is it believed.
 */
static void test_not_verified_before_the_proof(void **state)
{
    ends e = make_ends(family->client, CINCH_CLIENT_AUTH_NONE);
    cinch_error err = CINCH_ERROR_INIT;
    int waited = 0;
    size_t n, left, chain;
    const void *bytes;
    pair p;

    (void)state;
    open_pair(&p, &e);
    ask(&p);
    while (move_some(&p, 1) == 1) {
        assert_int_equal(cinch_conn_send_bytes(p.client.conn, &bytes, &left, NULL), CINCH_OK);
        if (left == 0)
            break;
        assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
        assert_int_equal(server_sees(&p, NULL), 0);
        /* What the server has to say in the middle waits, or goes. */
        if (waited == 0 && cinch_conn_write(p.server.conn, "x", 1, &n, &err) == CINCH_WANT_READ)
            waited = 1;
        assert_int_equal(cinch_error_report(&err, stderr), 0);
    }
    assert_int_equal(server_sees(&p, NULL), 0);
    assert_int_equal(waited, 1);
    assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
    assert_int_equal(server_sees(&p, &chain), 1);
    assert_int_equal(chain, 3);
    (void)pair_move(&p);
    while (read_at(&p.client) == CINCH_OK)
        ;
    assert_int_equal(p.client.status, CINCH_WANT_READ);
    assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
    assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
    /* Once more: what was verified does not count until the new answer is here. */
    ask(&p);
    (void)pair_move(&p);
    assert_int_equal(server_sees(&p, NULL), 0);
    assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
    assert_int_equal(server_sees(&p, NULL), 1);
    assert_int_equal(ERR_peek_error(), 0);
    pair_stop(&p);
    free_ends(&e);
}

static void test_refused(void **state)
{
    const struct {
        const pki_cert *leaf;
        cinch_cause cause;
    } cases[] = {{family->unknown_ca, CINCH_CAUSE_UNKNOWN_ISSUER},
                 {family->expired, CINCH_CAUSE_EXPIRED},
                 {NULL, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ends e = make_ends(cases[i].leaf, CINCH_CLIENT_AUTH_NONE);
        char byte;
        size_t n;
        pair p;

        open_pair(&p, &e);
        ask(&p);
        /* Data right behind the answer is not handed out either. */
        assert_int_equal(cinch_conn_write(p.client.conn, "x", 1, &n, NULL), CINCH_OK);
        (void)pair_move(&p);
        assert_int_equal(cinch_conn_read(p.server.conn, &byte, 1, &n, &p.server.err), CINCH_FAILED);
        assert_int_equal(n, 0);
        assert_int_equal(p.server.err.cause, cases[i].cause);
        assert_int_equal(server_sees(&p, NULL), 0);
        (void)pair_move(&p);
        assert_int_equal(read_at(&p.client), CINCH_FAILED);
        assert_int_equal(p.client.err.category, CINCH_CATEGORY_CLIENT_CERTIFICATE);
        assert_int_equal(ERR_peek_error(), 0);
        pair_stop(&p);
        free_ends(&e);
    }
}

static void test_optional(void **state)
{
    ends e = make_ends(NULL, CINCH_CLIENT_AUTH_OPTIONAL);
    pair p;

    (void)state;
    open_pair(&p, &e);
    ask(&p);
    (void)pair_move(&p);
    assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
    assert_int_equal(server_sees(&p, NULL), 0);
    assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
    assert_int_equal(server_sees(&p, NULL), 0);
    pair_stop(&p);
    free_ends(&e);
}

/* Verified in the handshake, and asked again: the answer then is what counts. */
static void test_what_was_verified_before(void **state)
{
    ends e = make_ends(family->client, CINCH_CLIENT_AUTH_REQUIRED);
    pair p;

    (void)state;
    open_pair(&p, &e);
    assert_int_equal(server_sees(&p, NULL), 1);
    ask(&p);
    assert_int_equal(server_sees(&p, NULL), 0);
    (void)pair_move(&p);
    assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
    assert_int_equal(server_sees(&p, NULL), 1);
    pair_stop(&p);
    free_ends(&e);
}

static void refuses_to_ask(const pair *p, int at_client, cinch_cause cause)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_conn_ask_certificate(at_client ? p->client.conn : p->server.conn, &err),
                     CINCH_FAILED);
    assert_int_equal(err.cause, cause);
    assert_int_equal(ERR_peek_error(), 0);
}

/* Where it makes no sense it is refused, and the connection goes on. */
static void test_cannot_be_asked(void **state)
{
    ends e = make_ends(family->client, CINCH_CLIENT_AUTH_NONE);
    unsigned char key[16] = "0123456789abcdef";
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    pair p;

    (void)state;
    open_pair(&p, &e);
    refuses_to_ask(&p, 1, CINCH_CAUSE_MISUSE);
    ask(&p);
    refuses_to_ask(&p, 0, CINCH_CAUSE_MISUSE);
    pair_stop(&p);

    assert_int_equal(cinch_context_late_certificate(e.client, 0, NULL), CINCH_OK);
    open_pair(&p, &e);
    refuses_to_ask(&p, 0, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
    assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
    assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
    assert_int_equal(server_sees(&p, NULL), 0);
    pair_stop(&p);

    assert_int_equal(cinch_context_late_certificate(e.client, 1, NULL), CINCH_OK);
    cinch_context *nobody = pair_server_context(family->good, family->intermediate);
    ends f = {e.client, nobody};
    open_pair(&p, &f);
    refuses_to_ask(&p, 0, CINCH_CAUSE_NO_ANCHORS);
    pair_stop(&p);
    cinch_context_free(nobody);

    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(e.client, policy, NULL), CINCH_OK);
    open_pair(&p, &e);
    refuses_to_ask(&p, 0, CINCH_CAUSE_MISUSE);
    pair_stop(&p);
    cinch_policy_free(policy);

    assert_int_equal(cinch_context_policy_named(e.client, "default", NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(e.client, "a", key, 16, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(e.server, "a", key, 16, 1, NULL), CINCH_OK);
    open_pair(&p, &e);
    refuses_to_ask(&p, 0, CINCH_CAUSE_MISUSE);
    pair_stop(&p);

    assert_int_equal(cinch_context_late_certificate(e.server, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_ask_certificate(NULL, NULL), CINCH_FAILED);
    free_ends(&e);
}

/* A ticket of before the answer leads to a connection that is as unverified as it was then. */
static void test_tickets(void **state)
{
    static const cinch_client_auth modes[] = {CINCH_CLIENT_AUTH_NONE, CINCH_CLIENT_AUTH_OPTIONAL};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        /* Optional: the client gives none at first, and is given an identity later. */
        ends e = make_ends(modes[i] == CINCH_CLIENT_AUTH_NONE ? family->client : NULL, modes[i]);
        pair p;

        open_pair(&p, &e);
        assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
        assert_int_equal(cinch_context_session_count(e.client), 1);
        ask(&p);
        (void)pair_move(&p);
        assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
        assert_int_equal(server_sees(&p, NULL), modes[i] == CINCH_CLIENT_AUTH_NONE);
        assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
        pair_stop(&p);
        open_pair(&p, &e);
        cinch_peer *peer = cinch_conn_peer(p.server.conn, NULL);
        assert_int_equal(peer->resumed, 1);
        assert_int_equal(peer->verified, 0);
        cinch_peer_free(peer);
        pair_stop(&p);

        /* And after the answer there are none. */
        assert_int_equal(cinch_context_session_forget(e.client, NULL), CINCH_OK);
        open_pair(&p, &e);
        ask(&p);
        (void)pair_move(&p);
        assert_int_equal(read_at(&p.server), CINCH_WANT_READ);
        assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
        assert_int_equal(cinch_context_session_count(e.client), 0);
        pair_stop(&p);
        free_ends(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_verified_before_the_proof),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_optional),
        cmocka_unit_test(test_what_was_verified_before),
        cmocka_unit_test(test_cannot_be_asked),
        cmocka_unit_test(test_tickets),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
