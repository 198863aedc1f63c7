/* Signatures that come later: what must not leave this side, what must not be lost, what must work. */
#include "office_pair.h"

#include "base/fiber.h"
#include "conn/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

/* ---- attacks ---- */

/* A wrong signature never office_leaves, nor does a handshake that nobody signs end in success. */
static void test_what_is_not_signed_fails(void **state)
{
    static const struct {
        int mood;
        int how; /* OFFICE_LATER: 0 refused without a word, 1 with, 2 wrong, 3 too large, 4 empty */
        const char *words;
    } cases[] = {
        {OFFICE_REFUSES, 0, "failed: the office is\\x1b closed"},
        {OFFICE_LIES, 0, "does not verify"},
        {OFFICE_LATER, 0, "failed"},
        {OFFICE_LATER, 1, "failed: too late"},
        {OFFICE_LATER, 2, "does not verify"},
        {OFFICE_LATER, 3, "larger"},
        {OFFICE_LATER, 4, "empty"},
    };

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        for (size_t i = 0; i < OFFICE_KINDS * 4; i++) {
            office o = {.cert = office_leaves[i / 4]};
            int as_server = i % 2 == 0;
            static unsigned char large[10000];

            o.mood = cases[c].mood;
            pair p = office_meet(&o, as_server, office_versions[i / 2 % 2]);
            pair_end *ours = as_server ? &p.server : &p.client;
            pair_end *theirs = as_server ? &p.client : &p.server;
            assert_int_equal(o.calls, 1);
            if (o.mood == OFFICE_LATER) {
                assert_int_equal(ours->status, CINCH_WANT_SIGNATURE);
                office_work work = office_take(&o);
                if (cases[c].how < 2)
                    cinch_signature_refuse(work.request, cases[c].how ? "too late" : NULL);
                else if (cases[c].how == 2)
                    assert_int_equal(office_answer(o.cert, work, 1), CINCH_OK);
                else
                    assert_int_equal(cinch_signature_answer(work.request, large,
                                                            cases[c].how == 3 ? sizeof large : 0,
                                                            NULL),
                                     CINCH_FAILED);
                pair_handshake(&p);
            }
            assert_int_equal(ours->status, CINCH_FAILED);
            assert_int_equal(ours->err.cause, CINCH_CAUSE_SIGNER);
            if (strstr(ours->err.what, cases[c].words) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", ours->err.what, cases[c].words);
            assert_int_not_equal(cinch_conn_state_now(theirs->conn), CINCH_STATE_OPEN);
            assert_int_equal(theirs->err.alert_received, 80);
            pair_stop(&p);
        }
}

/* Calls that fail end the request all the same, so that nothing waits for ever. */
static void test_failed_answers(void **state)
{
    cinch_error set = CINCH_ERROR_INIT;
    office o = {.cert = office_leaves[0]};

    (void)state;
    assert_int_equal(cinch_signature_answer(NULL, "x", 1, &set), CINCH_FAILED);
    assert_int_equal(set.cause, CINCH_CAUSE_MISUSE);
    cinch_signature_refuse(NULL, "x");
    for (int with_error = 0; with_error < 2; with_error++) {
        pair p = office_meet(&o, 1, CINCH_TLS_1_3);

        assert_int_equal(cinch_signature_answer(office_take(&o).request, with_error ? "x" : NULL, 1,
                                                with_error ? &set : NULL),
                         CINCH_FAILED);
        pair_handshake(&p);
        assert_int_equal(p.server.err.cause, CINCH_CAUSE_SIGNER);
        pair_stop(&p);
    }
    cinch_error_clear(&set);
    assert_null(cinch_identity_signer_async(NULL, 0, NULL, NULL, &set));
    assert_int_equal(set.cause, CINCH_CAUSE_MISUSE);
    cinch_error_clear(&set);
    assert_null(cinch_identity_signer_async("x", 1, NULL, NULL, &set));
    assert_int_equal(set.cause, CINCH_CAUSE_MISUSE);
}

/* Whoever goes first: the connection, the context, the identity, the request. */
static void test_freed_in_every_order(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        office o = {.cert = office_leaves[(size_t)i % OFFICE_KINDS]};
        pair p = office_meet(&o, i / 4 % 2, office_versions[i / 8]);
        pair_end *ours = i / 4 % 2 ? &p.server : &p.client;

        assert_int_equal(ours->status, CINCH_WANT_SIGNATURE);
        office_work work = office_take(&o);
        if (i % 2 == 0) {
            pair_stop(&p);
            assert_int_equal(ERR_peek_error(), 0);
            assert_int_equal(office_answer(o.cert, work, i % 4 == 0), CINCH_OK);
        } else {
            /* Answered, and nobody ever looks at it. */
            assert_int_equal(office_answer(o.cert, work, i % 4 == 1), CINCH_OK);
            pair_stop(&p);
        }
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void test_close_gives_up(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    office o = {.cert = office_leaves[0]};
    pair p = office_meet(&o, 1, CINCH_TLS_1_3);

    (void)state;
    assert_int_equal(cinch_conn_close(p.server.conn, &err), CINCH_OK);
    assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_FAILED);
    assert_int_equal(cinch_conn_handshake(p.server.conn, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_CLOSED_IN_HANDSHAKE);
    assert_non_null(strstr(err.what, "waiting for the signature"));
    /* The answer has nobody to go to. */
    assert_int_equal(office_answer(o.cert, office_take(&o), 0), CINCH_OK);
    assert_int_equal(cinch_conn_handshake(p.server.conn, NULL), CINCH_FAILED);
    pair_handshake(&p);
    assert_int_equal(p.client.err.alert_received, 80);
    pair_stop(&p);
}

/* ---- what must work ---- */

static void test_every_kind_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < OFFICE_KINDS; i++)
        for (int j = 0; j < 8; j++) {
            office o = {.cert = office_leaves[i], .mood = j / 4 ? OFFICE_AT_ONCE : OFFICE_LATER};
            pair p = office_meet(&o, j % 2, office_versions[j / 2 % 2]);
            pair_end *ours = j % 2 ? &p.server : &p.client;

            if (o.mood == OFFICE_LATER) {
                assert_int_equal(ours->status, CINCH_WANT_SIGNATURE);
                assert_int_equal(cinch_conn_handshake(ours->conn, NULL), CINCH_WANT_SIGNATURE);
                assert_int_equal(office_answer(o.cert, office_take(&o), 0), CINCH_OK);
                pair_handshake(&p);
            }
            office_assert_open(&p);
            assert_int_equal(o.calls, 1);
            pair_stop(&p);
        }
}

/* What can be done with a connection meanwhile. */
static void test_calls_while_waiting(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    office o = {.cert = office_leaves[2]};
    pair p = office_meet(&o, 1, CINCH_TLS_1_3);
    cinch_conn *conn = p.server.conn;
    char byte;
    void *space;
    const void *bytes;
    size_t n = 7, size;

    (void)state;
    assert_int_equal(cinch_conn_read(conn, &byte, 1, &n, &err), CINCH_WANT_SIGNATURE);
    assert_int_equal(n, 0);
    n = 7;
    assert_int_equal(cinch_conn_write(conn, "x", 1, &n, &err), CINCH_WANT_SIGNATURE);
    assert_int_equal(n, 0);
    assert_int_equal(cinch_conn_state_now(conn), CINCH_STATE_HANDSHAKING);
    assert_int_equal(cinch_conn_recv_space(conn, &space, &size, &err), CINCH_OK);
    assert_true(size > 0);
    assert_int_equal(cinch_conn_recv_commit(conn, 0, &err), CINCH_OK);
    assert_int_equal(cinch_conn_send_bytes(conn, &bytes, &size, &err), CINCH_OK);
    assert_int_equal(cinch_conn_pending(conn), 0);
    assert_null(cinch_conn_peer(conn, NULL));
    cinch_peer_free(cinch_conn_evidence(conn, &err));
    assert_int_equal(cinch_conn_key_update(conn, 1, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_ask_certificate(conn, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_recv_end(conn, &err), CINCH_OK);
    assert_string_equal(cinch_status_name(CINCH_WANT_SIGNATURE), "want-signature");
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    assert_int_equal(office_answer(o.cert, office_take(&o), 0), CINCH_OK);
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_CLOSED_IN_HANDSHAKE);
    pair_stop(&p);
}

/* Names lead to other identities, and to contexts of their own. */
static void test_hosts(void **state)
{
    static const char *const names[] = {"one.test", "two.test", "three.test"};
    pki_cert *certs[3];
    office offices[3] = {{0}};
    cinch_context *client = pair_client_context(office_root), *other = cinch_context_server(NULL);
    cinch_context *server = pair_server_context(office_client, NULL);

    (void)state;
    for (int i = 0; i < 3; i++) {
        certs[i] = pki_make(&(pki_spec){.cn = names[i], .dns = {names[i]}}, office_root);
        offices[i].cert = certs[i];
    }
    for (int i = 0; i < 2; i++) {
        cinch_identity *identity = office_identity(&offices[i], NULL);
        assert_int_equal(cinch_context_add_identity(server, identity, NULL), CINCH_OK);
        cinch_identity_free(identity);
    }
    office_use(&offices[2], other);
    assert_int_equal(cinch_context_host(server, names[2], other, NULL), CINCH_OK);
    for (int i = 0; i < 3; i++) {
        pair p = {0};

        pair_start(&p, client, server, names[i]);
        pair_handshake(&p);
        assert_int_equal(p.server.status, CINCH_WANT_SIGNATURE);
        assert_int_equal(office_answer(certs[i], office_take(&offices[i]), 0), CINCH_OK);
        pair_handshake(&p);
        office_assert_open(&p);
        pair_stop(&p);
    }
    /* And one that signs itself. */
    pair p = {0};
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    office_assert_open(&p);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
    cinch_context_free(other);
    for (int i = 0; i < 3; i++)
        pki_free(certs[i]);
}

/* So many handshakes wait on one thread, and are answered in another order. */
static void test_a_thousand_at_once(void **state)
{
    enum {
        MANY = 1000
    };
    static pair pairs[MANY];
    static office o;
    cinch_context *client = pair_client_context(office_root), *server = cinch_context_server(NULL);
    size_t deepest = 0;

    (void)state;
    o.cert = office_leaves[0];
    office_use(&o, server);
    assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
    for (int i = 0; i < MANY; i++) {
        pair_start(&pairs[i], client, server, "localhost");
        pair_handshake(&pairs[i]);
        assert_int_equal(pairs[i].server.status, CINCH_WANT_SIGNATURE);
        size_t deep = cinch_fiber_deepest(pairs[i].server.conn->turn.fiber);
        deepest = deep > deepest ? deep : deepest;
    }
    assert_int_equal(o.waiting, MANY);
    print_message("the deepest of their stacks: %zu bytes\n", deepest);
    assert_true(deepest > 0 && deepest < CINCH_FIBER_STACK / 2);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(office_answer(o.cert, o.work[i * 7 % MANY], 0), CINCH_OK);
    for (int i = 0; i < MANY; i++) {
        pair_handshake(&pairs[i]);
        assert_int_equal(pairs[i].client.status, CINCH_OK);
        assert_int_equal(pairs[i].server.status, CINCH_OK);
        pair_stop(&pairs[i]);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_signed_fails),
        cmocka_unit_test(test_failed_answers),
        cmocka_unit_test(test_freed_in_every_order),
        cmocka_unit_test(test_close_gives_up),
        cmocka_unit_test(test_every_kind_signs),
        cmocka_unit_test(test_calls_while_waiting),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_a_thousand_at_once),
    };

    return CINCH_FIBERS ? cmocka_run_group_tests(tests, office_set_up, office_tear_down) : 0;
}
