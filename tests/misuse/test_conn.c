/* Every call of a conn in every state, as the table in conn.h has it; and every pointer NULL once. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;
static cinch_context *client, *server;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    client = pair_client_context(family->root);
    server = pair_server_context(family->good, family->intermediate);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_context_free(client);
    cinch_context_free(server);
    pki_family_free(family);
    return 0;
}

static void open_pair(pair *p)
{
    pair_start(p, client, server, "localhost");
    pair_handshake(p);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
}

/* Brings the client's end into STATE. */
static void enter(pair *p, cinch_conn_state state)
{
    char byte;
    size_t n;

    *p = (pair){0};
    if (state == CINCH_STATE_HANDSHAKING) {
        pair_start(p, client, server, "localhost");
        return;
    }
    open_pair(p);
    if (state == CINCH_STATE_PEER_CLOSED || state == CINCH_STATE_CLOSED) {
        assert_int_equal(cinch_conn_close(p->server.conn, NULL), CINCH_OK);
        pair_move(p);
        assert_int_equal(cinch_conn_read(p->client.conn, &byte, 1, &n, NULL), CINCH_EOF);
    }
    if (state == CINCH_STATE_CLOSE_SENT || state == CINCH_STATE_CLOSED)
        assert_int_equal(cinch_conn_close(p->client.conn, NULL), CINCH_OK);
    if (state == CINCH_STATE_FAILED) {
        assert_int_equal(cinch_conn_recv_end(p->client.conn, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_read(p->client.conn, &byte, 1, &n, NULL), CINCH_TRUNCATED);
    }
    assert_int_equal(cinch_conn_state_now(p->client.conn), state);
}

typedef enum call {
    HANDSHAKE,
    READ,
    WRITE,
    CLOSE,
    CALLS
} call;

static cinch_status make(call what, cinch_conn *conn, cinch_error *err)
{
    char buf[8];
    size_t n = 77;
    cinch_status status;

    switch (what) {
    case HANDSHAKE:
        return cinch_conn_handshake(conn, err);
    case READ:
        status = cinch_conn_read(conn, buf, sizeof buf, &n, err);
        break;
    case WRITE:
        status = cinch_conn_write(conn, "12345678", 8, &n, err);
        break;
    default:
        return cinch_conn_close(conn, err);
    }
    assert_int_equal(n, status == CINCH_OK ? 8 : 0);
    return status;
}

/* What the header's table says, without data from the peer; the state after it. */
typedef struct row {
    cinch_conn_state state;
    cinch_status status[CALLS];
    cinch_conn_state after[CALLS];
} row;

static const row table[] = {
    {CINCH_STATE_HANDSHAKING,
     {CINCH_WANT_READ, CINCH_WANT_READ, CINCH_WANT_READ, CINCH_OK},
     {CINCH_STATE_HANDSHAKING, CINCH_STATE_HANDSHAKING, CINCH_STATE_HANDSHAKING,
      CINCH_STATE_FAILED}},
    {CINCH_STATE_OPEN,
     {CINCH_OK, CINCH_WANT_READ, CINCH_OK, CINCH_OK},
     {CINCH_STATE_OPEN, CINCH_STATE_OPEN, CINCH_STATE_OPEN, CINCH_STATE_CLOSE_SENT}},
    {CINCH_STATE_PEER_CLOSED,
     {CINCH_OK, CINCH_EOF, CINCH_OK, CINCH_OK},
     {CINCH_STATE_PEER_CLOSED, CINCH_STATE_PEER_CLOSED, CINCH_STATE_PEER_CLOSED,
      CINCH_STATE_CLOSED}},
    {CINCH_STATE_CLOSE_SENT,
     {CINCH_FAILED, CINCH_WANT_READ, CINCH_FAILED, CINCH_OK},
     {CINCH_STATE_CLOSE_SENT, CINCH_STATE_CLOSE_SENT, CINCH_STATE_CLOSE_SENT,
      CINCH_STATE_CLOSE_SENT}},
    {CINCH_STATE_CLOSED,
     {CINCH_FAILED, CINCH_EOF, CINCH_FAILED, CINCH_OK},
     {CINCH_STATE_CLOSED, CINCH_STATE_CLOSED, CINCH_STATE_CLOSED, CINCH_STATE_CLOSED}},
    {CINCH_STATE_FAILED,
     {CINCH_TRUNCATED, CINCH_TRUNCATED, CINCH_TRUNCATED, CINCH_TRUNCATED},
     {CINCH_STATE_FAILED, CINCH_STATE_FAILED, CINCH_STATE_FAILED, CINCH_STATE_FAILED}},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        for (int what = 0; what < CALLS; what++) {
            cinch_error err = CINCH_ERROR_INIT;
            pair p;

            enter(&p, table[i].state);
            cinch_status status = make((call)what, p.client.conn, &err);
            if (status != table[i].status[what])
                fail_msg("state %d, call %d: %s", (int)table[i].state, what,
                         cinch_status_name(status));
            assert_int_equal(cinch_conn_state_now(p.client.conn), table[i].after[what]);
            assert_int_equal(cinch_error_is_set(&err), status >= CINCH_TRUNCATED);
            if (status == CINCH_FAILED)
                assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
            assert_int_equal(ERR_peek_error(), 0);
            pair_stop(&p);
        }
}

/* Whatever the state, the buffers can be asked, and a peer can be reported on. */
static void test_buffers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        pair p;
        void *space;
        const void *bytes;
        size_t n;
        char buf[4];

        enter(&p, table[i].state);
        assert_int_equal(cinch_conn_send_bytes(p.client.conn, &bytes, &n, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_send_consume(p.client.conn, n + 1, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_recv_space(p.client.conn, &space, &n, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_recv_commit(p.client.conn, n + 1, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_recv_commit(p.client.conn, 0, NULL), CINCH_OK);
        /* Room that was given back cannot be filled. */
        assert_int_equal(cinch_conn_recv_commit(p.client.conn, 1, NULL), CINCH_FAILED);
        int closed =
            table[i].state == CINCH_STATE_PEER_CLOSED || table[i].state == CINCH_STATE_CLOSED;
        assert_int_equal(cinch_conn_rest(p.client.conn, buf, sizeof buf, &n, NULL),
                         closed ? CINCH_OK : CINCH_FAILED);
        cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
        assert_int_equal(peer != NULL, table[i].state != CINCH_STATE_HANDSHAKING);
        if (peer != NULL && table[i].state == CINCH_STATE_FAILED)
            assert_false(peer->verified);
        cinch_peer_free(peer);
        cinch_peer_free(cinch_conn_evidence(p.client.conn, NULL));
        pair_stop(&p);
    }
}

/* Room that was lent is gone with the next call that needs the buffer: nothing is put into it. */
static void test_stale_room(void **state)
{
    (void)state;
    for (int what = 0; what < CALLS; what++) {
        char buf[8];
        void *space;
        size_t n;
        pair p;

        enter(&p, CINCH_STATE_OPEN);
        assert_int_equal(cinch_conn_recv_space(p.client.conn, &space, &n, NULL), CINCH_OK);
        assert_true(n > 0);
        (void)make((call)what, p.client.conn, NULL);
        assert_int_equal(cinch_conn_recv_commit(p.client.conn, n, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_read(p.client.conn, buf, sizeof buf, &n, NULL),
                         CINCH_WANT_READ);
        pair_stop(&p);
    }
}

/* An error that is set stops every call and stays what it is. */
static void test_set_error(void **state)
{
    (void)state;
    for (int what = 0; what < CALLS; what++) {
        cinch_error err = CINCH_ERROR_INIT;
        pair p;

        enter(&p, CINCH_STATE_OPEN);
        assert_null(cinch_context_dup(NULL, &err));
        assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
        cinch_error before = err;
        assert_int_equal(make((call)what, p.client.conn, &err), CINCH_FAILED);
        assert_memory_equal(&before, &err, sizeof err);
        assert_int_equal(cinch_conn_state_now(p.client.conn), CINCH_STATE_OPEN);
        cinch_error_clear(&err);
        assert_int_equal(make(WRITE, p.client.conn, &err), CINCH_OK);
        pair_stop(&p);
    }
}

#define REFUSED(call)                                                                              \
    do {                                                                                           \
        cinch_error err = CINCH_ERROR_INIT;                                                        \
        assert_int_equal((call), CINCH_FAILED);                                                    \
        assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);                                           \
    } while (0)

static void test_null(void **state)
{
    pair p;
    char buf[4];
    const void *bytes;
    void *space;
    size_t n;

    (void)state;
    enter(&p, CINCH_STATE_OPEN);
    cinch_conn *c = p.client.conn;
    REFUSED(cinch_conn_handshake(NULL, &err));
    REFUSED(cinch_conn_read(NULL, buf, 4, &n, &err));
    REFUSED(cinch_conn_read(c, NULL, 4, &n, &err));
    REFUSED(cinch_conn_read(c, buf, 4, NULL, &err));
    REFUSED(cinch_conn_read(c, buf, 0, &n, &err));
    REFUSED(cinch_conn_write(NULL, buf, 4, &n, &err));
    REFUSED(cinch_conn_write(c, NULL, 4, &n, &err));
    REFUSED(cinch_conn_write(c, buf, 4, NULL, &err));
    REFUSED(cinch_conn_close(NULL, &err));
    REFUSED(cinch_conn_recv_space(NULL, &space, &n, &err));
    REFUSED(cinch_conn_recv_space(c, NULL, &n, &err));
    REFUSED(cinch_conn_recv_space(c, &space, NULL, &err));
    REFUSED(cinch_conn_recv_commit(NULL, 0, &err));
    REFUSED(cinch_conn_recv_end(NULL, &err));
    REFUSED(cinch_conn_send_bytes(NULL, &bytes, &n, &err));
    REFUSED(cinch_conn_send_bytes(c, NULL, &n, &err));
    REFUSED(cinch_conn_send_bytes(c, &bytes, NULL, &err));
    REFUSED(cinch_conn_send_consume(NULL, 0, &err));
    REFUSED(cinch_conn_rest(NULL, buf, 4, &n, &err));
    REFUSED(cinch_conn_rest(c, NULL, 4, &n, &err));
    REFUSED(cinch_conn_rest(c, buf, 4, NULL, &err));
    REFUSED(cinch_conn_session_port(NULL, 443, &err));
    REFUSED(cinch_conn_resume(NULL, NULL, &err));
    assert_int_equal(cinch_conn_write(c, NULL, 0, &n, NULL), CINCH_OK);
    assert_null(cinch_conn_new(NULL, "localhost", NULL));
    assert_null(cinch_conn_peer(NULL, NULL));
    assert_null(cinch_conn_evidence(NULL, NULL));
    assert_null(cinch_conn_session(NULL, NULL));
    assert_int_equal(cinch_conn_pending(NULL), 0);
    assert_int_equal(cinch_conn_state_now(NULL), CINCH_STATE_FAILED);
    cinch_conn_free(NULL);
    cinch_peer_free(NULL);
    cinch_session_free(NULL);
    assert_int_equal(cinch_conn_state_now(c), CINCH_STATE_OPEN);
    pair_stop(&p);
    /* A host for a server, and none for a client. */
    assert_null(cinch_conn_new(server, "localhost", NULL));
    assert_null(cinch_conn_new(client, NULL, NULL));
}

static void test_context_null(void **state)
{
    cinch_identity *identity = pair_identity(family->good, family->intermediate);

    (void)state;
    REFUSED(cinch_context_apply(NULL, client, &err));
    REFUSED(cinch_context_apply(client, NULL, &err));
    REFUSED(cinch_context_apply(client, server, &err));
    REFUSED(cinch_context_check(NULL, &err));
    REFUSED(cinch_context_alpn(NULL, "h2", &err));
    REFUSED(cinch_context_alpn_rule(NULL, CINCH_ALPN_OVERLAP, &err));
    REFUSED(cinch_context_client_auth(NULL, CINCH_CLIENT_AUTH_NONE, &err));
    REFUSED(cinch_context_client_auth(client, CINCH_CLIENT_AUTH_NONE, &err));
    REFUSED(cinch_context_verify_depth(NULL, 1, &err));
    REFUSED(cinch_context_server_name_rule(client, CINCH_SERVER_NAME_ANY, &err));
    REFUSED(cinch_context_send_server_name(server, 1, &err));
    REFUSED(cinch_context_insecure_skip_verification(server, 1, &err));
    REFUSED(cinch_context_insecure_skip_name(server, 1, &err));
    REFUSED(cinch_context_trust_system(NULL, &err));
    REFUSED(cinch_context_trust_file(client, NULL, &err));
    REFUSED(cinch_context_trust_file(NULL, "x", &err));
    REFUSED(cinch_context_trust_dir(client, NULL, &err));
    REFUSED(cinch_context_trust_pem(client, NULL, 1, &err));
    REFUSED(cinch_context_identity(NULL, identity, &err));
    REFUSED(cinch_context_identity(server, NULL, &err));
    REFUSED(cinch_context_policy(client, NULL, &err));
    REFUSED(cinch_context_policy_named(client, NULL, &err));
    REFUSED(cinch_context_session_limit(server, 1, &err));
    REFUSED(cinch_context_session_forget(server, &err));
    REFUSED(cinch_context_session_ids(client, 1, &err));
    REFUSED(cinch_context_tickets(client, NULL, &err));
    assert_null(cinch_context_anchors(NULL, NULL));
    assert_null(cinch_identity_load(NULL, NULL));
    assert_null(cinch_identity_file(NULL, NULL, NULL));
    assert_null(cinch_identity_pem(NULL, 0, NULL, NULL));
    assert_null(cinch_identity_pkcs12(NULL, 0, NULL, NULL));
    assert_null(cinch_identity_certificate(NULL, 0));
    assert_null(cinch_certificate_der(NULL, 0, NULL));
    assert_int_equal(cinch_certificate_pem(NULL, NULL, 0), 0);
    assert_int_equal(cinch_context_session_count(NULL), 0);
    cinch_context_free(NULL);
    cinch_identity_free(NULL);
    cinch_policy_free(NULL);
    cinch_tickets_free(NULL);
    cinch_anchors_free(NULL);
    cinch_certificate_free(NULL);
    cinch_identity_free(identity);
}

static void test_stream_null(void **state)
{
    char buf[4];
    size_t n;

    (void)state;
    REFUSED(cinch_stream_handshake(NULL, &err));
    REFUSED(cinch_stream_read(NULL, buf, 4, &n, &err));
    REFUSED(cinch_stream_write(NULL, buf, 4, &n, &err));
    REFUSED(cinch_stream_write_all(NULL, buf, 4, &err));
    REFUSED(cinch_stream_flush(NULL, &err));
    REFUSED(cinch_stream_send_file(NULL, 0, 0, 1, NULL, &err));
    REFUSED(cinch_stream_close_write(NULL, &err));
    REFUSED(cinch_stream_unwrap(NULL, buf, 4, &n, &err));
    REFUSED(cinch_stream_nonblocking(NULL, 1, &err));
    REFUSED(cinch_stream_timeouts(NULL, NULL, &err));
    REFUSED(cinch_stream_deadline(NULL, 1, &err));
    REFUSED(cinch_listener_timeouts(NULL, NULL, &err));
    assert_null(cinch_dial(NULL, "localhost", "1", NULL));
    assert_null(cinch_dial(client, NULL, "1", NULL));
    assert_null(cinch_dial(client, "localhost", NULL, NULL));
    assert_null(cinch_stream_wrap(client, -1, "localhost", NULL));
    assert_null(cinch_stream_wrap(NULL, 0, "localhost", NULL));
    assert_null(cinch_stream_peer(NULL, NULL));
    assert_null(cinch_stream_evidence(NULL, NULL));
    assert_null(cinch_stream_conn(NULL));
    assert_int_equal(cinch_stream_fd(NULL), -1);
    assert_int_equal(cinch_stream_pending(NULL), 0);
    assert_non_null(cinch_stream_address(NULL));
    assert_null(cinch_listen(NULL, "localhost", "0", NULL));
    assert_null(cinch_listen(server, "localhost", NULL, NULL));
    assert_null(cinch_listen(client, "localhost", "0", NULL));
    assert_null(cinch_listener_accept(NULL, NULL));
    assert_int_equal(cinch_listener_port(NULL), -1);
    assert_null(cinch_listener_address(NULL, 0));
    cinch_stream_free(NULL);
    cinch_listener_free(NULL);
    cinch_listener_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_stale_room),  cmocka_unit_test(test_set_error),
        cmocka_unit_test(test_null),        cmocka_unit_test(test_context_null),
        cmocka_unit_test(test_stream_null),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
