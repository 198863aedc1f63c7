/* Signatures that come later: from other threads, and for a client that is asked late. */
#include "office_pair.h"

#include "base/fiber.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

/* ---- a client that is asked for its certificate late ---- */

static pair ask_late(office *o)
{
    pair p = {0};
    cinch_context *client = pair_client_context(office_root);
    cinch_context *server = pair_server_context(office_client, NULL);
    char byte;
    size_t n;

    office_use(o, client);
    pair_trust(server, office_root);
    assert_int_equal(cinch_context_late_certificate(client, 1, NULL), CINCH_OK);
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    cinch_context_free(client);
    cinch_context_free(server);
    office_assert_open(&p);
    assert_int_equal(o->calls, 0);
    assert_int_equal(cinch_conn_ask_certificate(p.server.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_write(p.server.conn, "data", 4, &n, NULL), CINCH_OK);
    (void)pair_move(&p);
    p.client.status = cinch_conn_read(p.client.conn, &byte, 1, &n, &p.client.err);
    assert_int_equal(p.client.status, CINCH_WANT_SIGNATURE);
    return p;
}

static void test_late_certificates(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++)
        for (int by_write = 0; by_write < 2; by_write++) {
            office o = {.cert = office_leaves[1]};
            pair p = ask_late(&o);
            char buf[10] = "";
            size_t n = 0;

            assert_int_equal(cinch_conn_handshake(p.client.conn, NULL), CINCH_OK);
            assert_int_equal(cinch_conn_write(p.client.conn, "x", 1, &n, NULL),
                             CINCH_WANT_SIGNATURE);
            assert_int_equal(cinch_conn_key_update(p.client.conn, 1, NULL), CINCH_FAILED);
            assert_int_equal(office_answer(o.cert, office_take(&o), wrong), CINCH_OK);
            p.client.status =
                by_write ? cinch_conn_write(p.client.conn, "reply", 5, &n, &p.client.err)
                         : cinch_conn_read(p.client.conn, buf, sizeof buf, &n, &p.client.err);
            assert_int_equal(p.client.status, wrong ? CINCH_FAILED : CINCH_OK);
            assert_int_equal(p.client.err.cause, wrong ? CINCH_CAUSE_SIGNER : CINCH_CAUSE_NONE);
            if (!wrong) {
                if (by_write)
                    assert_int_equal(
                        cinch_conn_read(p.client.conn, buf, sizeof buf, &n, &p.client.err),
                        CINCH_OK);
                assert_int_equal(n, 4);
                assert_string_equal(buf, "data");
            }
            (void)pair_move(&p);
            memset(buf, 0, sizeof buf);
            p.server.status = cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &p.server.err);
            if (!wrong)
                assert_string_equal(buf, by_write ? "reply" : "");
            cinch_peer *peer = cinch_conn_evidence(p.server.conn, NULL);
            assert_int_equal(peer->verified, !wrong);
            cinch_peer_free(peer);
            pair_stop(&p);
        }
}

static void test_late_and_given_up(void **state)
{
    (void)state;
    for (int close = 0; close < 2; close++) {
        office o = {.cert = office_leaves[0]};
        pair p = ask_late(&o);

        if (close) {
            assert_int_equal(cinch_conn_close(p.client.conn, &p.client.err), CINCH_FAILED);
            assert_int_equal(p.client.err.cause, CINCH_CAUSE_SIGNER);
            assert_int_equal(cinch_conn_state_now(p.client.conn), CINCH_STATE_FAILED);
        }
        pair_stop(&p);
        cinch_signature_refuse(office_take(&o).request, NULL);
    }
}

/* ---- threads ---- */

static void *go_on(void *arg)
{
    pair *p = arg;

    pair_handshake(p);
    return NULL;
}

/* Begun on one thread, ended on another that did not exist then, or given up there. */
static void *stop(void *arg)
{
    pair_stop(arg);
    return NULL;
}

static void test_another_thread_goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * OFFICE_KINDS; i++) {
        office o = {.cert = office_leaves[i / 4]};
        pair p = office_meet(&o, i % 2 == 0, office_versions[i / 2 % 2]);
        pthread_t thread;

        office_work work = office_take(&o);
        if (i % 4 != 3)
            assert_int_equal(office_answer(o.cert, work, 0), CINCH_OK);
        assert_int_equal(pthread_create(&thread, NULL, i % 4 == 3 ? stop : go_on, &p), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (i % 4 == 3) {
            cinch_signature_refuse(work.request, NULL);
            continue;
        }
        office_assert_open(&p);
        pair_stop(&p);
    }
}

typedef struct signing_thread {
    const pki_cert *cert;
    office_work work;
} signing_thread;

static void *answer(void *arg)
{
    signing_thread *t = arg;

    (void)office_answer(t->cert, t->work, 0);
    return NULL;
}

/* Answers come while the connection asks for them, or while it is freed. */
static void test_another_thread_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        office o = {.cert = office_leaves[0]};
        pair p = office_meet(&o, 1, CINCH_TLS_1_3);
        signing_thread t = {o.cert, office_take(&o)};
        pthread_t thread;

        assert_int_equal(pthread_create(&thread, NULL, answer, &t), 0);
        if (i % 2 == 0) {
            while (p.server.status == CINCH_WANT_SIGNATURE)
                pair_handshake(&p);
            office_assert_open(&p);
        }
        pair_stop(&p);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_certificates),
        cmocka_unit_test(test_late_and_given_up),
        cmocka_unit_test(test_another_thread_goes_on),
        cmocka_unit_test(test_another_thread_answers),
    };

    return CINCH_FIBERS ? cmocka_run_group_tests(tests, office_set_up, office_tear_down) : 0;
}
