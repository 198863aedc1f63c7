/*
 * The wire: cut at every byte of a handshake, every byte changed, more than anybody asked for. No end
 * ever takes part of a handshake for a whole one, and none hangs.
 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;

/* One kind of handshake. */
typedef struct kind {
    cinch_context *client;
    cinch_context *server;
    size_t length[2]; /* to the client, to the server */
} kind;

static kind kinds[3]; /* TLS 1.2, TLS 1.3, TLS 1.3 with client certificates */

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

static void demand_certificate(kind *k)
{
    cinch_identity *identity = pair_identity(family->client, family->intermediate);

    pair_trust(k->server, family->root);
    assert_int_equal(cinch_context_client_auth(k->server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_identity(k->client, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    for (int i = 0; i < 3; i++) {
        kind *k = &kinds[i];
        pair p = {0};

        k->client = pair_client_context(family->root);
        k->server = pair_server_context(family->good, family->intermediate);
        limit(k->client, i == 0 ? CINCH_TLS_1_2 : CINCH_TLS_1_3);
        if (i == 2)
            demand_certificate(k);
        pair_start(&p, k->client, k->server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_int_equal(p.server.status, CINCH_OK);
        memcpy(k->length, p.moved_to, sizeof k->length);
        pair_stop(&p);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        cinch_context_free(kinds[i].client);
        cinch_context_free(kinds[i].server);
    }
    pki_family_free(family);
    return 0;
}

/* Goes on at END until it says something final. */
static void settle(pair *p, pair_end *end)
{
    char buf[64];
    size_t n;

    for (int i = 0; i < 50 && end->status != CINCH_FAILED && end->status != CINCH_TRUNCATED; i++) {
        pair_move(p);
        if (cinch_conn_state_now(end->conn) == CINCH_STATE_HANDSHAKING)
            end->status = cinch_conn_handshake(end->conn, &end->err);
        else
            end->status = cinch_conn_read(end->conn, buf, sizeof buf, &n, &end->err);
        if (end->status == CINCH_EOF)
            break;
    }
}

/* The end whose wire was cut says so; neither takes what it got for all of it. */
static void check_cut(pair *p, pair_end *cut)
{
    settle(p, cut);
    assert_int_equal(cinch_conn_state_now(cut->conn), CINCH_STATE_FAILED);
    if (cut->status == CINCH_TRUNCATED)
        assert_int_equal(cut->err.cause, CINCH_CAUSE_TRUNCATED);
    else if (cut->err.cause != CINCH_CAUSE_CLOSED_IN_HANDSHAKE) {
        (void)cinch_error_report(&cut->err, stderr);
        fail();
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_cut_everywhere(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int to = 0; to < 2; to++)
            for (size_t at = 1; at < kinds[i].length[to]; at++) {
                pair p = {0};

                p.cut_after[to] = at;
                pair_start(&p, kinds[i].client, kinds[i].server, "localhost");
                assert_int_equal(cinch_context_session_forget(kinds[i].client, NULL), CINCH_OK);
                pair_handshake(&p);
                pair_end *cut = to == 0 ? &p.client : &p.server;
                /* Something has to be on its way for the cut to show. */
                size_t n;
                pair_end *other = to == 0 ? &p.server : &p.client;
                if (other->status == CINCH_OK)
                    (void)!cinch_conn_write(other->conn, "x", 1, &n, NULL);
                (void)!cinch_conn_recv_end(cut->conn, NULL);
                check_cut(&p, cut);
                pair_stop(&p);
            }
}

/* A changed byte: an error at one end at least, or no harm done at all. */
static void test_change_everywhere(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int to = 0; to < 2; to++)
            for (size_t at = 1; at <= kinds[i].length[to]; at++) {
                pair p = {0};

                p.flip_at[to] = at;
                assert_int_equal(cinch_context_session_forget(kinds[i].client, NULL), CINCH_OK);
                pair_start(&p, kinds[i].client, kinds[i].server, "localhost");
                pair_handshake(&p);
                if (p.client.status == CINCH_OK && p.server.status == CINCH_OK) {
                    /* Then it was a byte that means nothing, or this handshake was shorter. */
                    p.flip_at[to] = 0;
                    assert_true(pair_send(&p, &p.client, &p.server, "question", 8));
                    assert_true(pair_send(&p, &p.server, &p.client, "answer", 6));
                }
                assert_int_equal(ERR_peek_error(), 0);
                pair_stop(&p);
            }
}

static void test_single_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        pair p = {.piece = 1};

        pair_start(&p, kinds[i].client, kinds[i].server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_int_equal(p.server.status, CINCH_OK);
        pair_stop(&p);
    }
}

/* A peer that sends and never stops: there is an end to what is taken. */
static void test_flood(void **state)
{
    cinch_conn *conn = cinch_conn_new(kinds[1].server, NULL, NULL);
    size_t taken = 0, room;
    void *space;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(cinch_conn_recv_space(conn, &space, &room, NULL), CINCH_OK);
        if (room == 0)
            break;
        memset(space, 0x16, room);
        assert_int_equal(cinch_conn_recv_commit(conn, room, NULL), CINCH_OK);
        taken += room;
    }
    assert_int_equal(room, 0);
    assert_true(taken < 1000000);
    cinch_error err = CINCH_ERROR_INIT;
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
    assert_int_not_equal(err.cause, CINCH_CAUSE_NONE);
    cinch_conn_free(conn);
}

/* The client's first flight once more in place of what should follow. */
static void test_repeated(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        pair p = {0};
        unsigned char copy[4096];
        const void *bytes;
        void *space;
        size_t size, room;

        pair_start(&p, kinds[i].client, kinds[i].server, "localhost");
        assert_int_equal(cinch_conn_handshake(p.client.conn, NULL), CINCH_WANT_READ);
        assert_int_equal(cinch_conn_send_bytes(p.client.conn, &bytes, &size, NULL), CINCH_OK);
        assert_true(size <= sizeof copy);
        memcpy(copy, bytes, size);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(cinch_conn_recv_space(p.server.conn, &space, &room, NULL), CINCH_OK);
            memcpy(space, copy, size);
            assert_int_equal(cinch_conn_recv_commit(p.server.conn, size, NULL), CINCH_OK);
            p.server.status = cinch_conn_handshake(p.server.conn, &p.server.err);
        }
        assert_int_equal(p.server.status, CINCH_FAILED);
        assert_int_equal(p.server.err.category, CINCH_CATEGORY_PROTOCOL);
        pair_stop(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_everywhere), cmocka_unit_test(test_change_everywhere),
        cmocka_unit_test(test_single_bytes),   cmocka_unit_test(test_flood),
        cmocka_unit_test(test_repeated),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
