/*
 * What a peer that means harm may try: to end it in the middle, to have answers made that it does not
 * take, to repeat and to swap records, to write lines into somebody's log. Where our own client cannot
 * be that bad, libssl's plays it.
 */
#include "conn/conn.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* More than this that has to leave is too much for one connection. */
#define TOO_MUCH ((size_t)2 * 1024 * 1024)

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

static cinch_context *limited_client(cinch_tls_version version)
{
    cinch_context *copy = cinch_context_dup(client, NULL);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(copy, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    return copy;
}

static void open_pair(pair *p, cinch_tls_version version)
{
    cinch_context *ctx = limited_client(version);

    *p = (pair){0};
    pair_start(p, ctx, server, "localhost");
    pair_handshake(p);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    cinch_context_free(ctx);
}

static void feed(cinch_conn *conn, const void *bytes, size_t size)
{
    void *space;
    size_t room;

    assert_int_equal(cinch_conn_recv_space(conn, &space, &room, NULL), CINCH_OK);
    assert_true(room >= size);
    memcpy(space, bytes, size);
    assert_int_equal(cinch_conn_recv_commit(conn, size, NULL), CINCH_OK);
}

static size_t unsent(cinch_conn *conn)
{
    const void *bytes;
    size_t size;

    assert_int_equal(cinch_conn_send_bytes(conn, &bytes, &size, NULL), CINCH_OK);
    return size;
}

static void drop_unsent(cinch_conn *conn)
{
    assert_int_equal(cinch_conn_send_consume(conn, unsent(conn), NULL), CINCH_OK);
}

/* Takes from FROM what it has to send and gives it to TO, which has room for it. */
static void carry(cinch_conn *from, cinch_conn *to)
{
    const void *bytes;
    size_t size;

    assert_int_equal(cinch_conn_send_bytes(from, &bytes, &size, NULL), CINCH_OK);
    if (size > 0)
        feed(to, bytes, size);
    assert_int_equal(cinch_conn_send_consume(from, size, NULL), CINCH_OK);
}

/* close_notify instead of an answer, in the clear (RFC 8446, 6.1): nothing was opened yet. */
static void test_close_in_handshake(void **state)
{
    static const unsigned char alerts[][7] = {{21, 3, 3, 0, 2, 1, 0}, {21, 3, 3, 0, 2, 2, 0}};
    cinch_context *old = limited_client(CINCH_TLS_1_2);

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        pair p = {0};

        pair_start(&p, old, server, "localhost");
        assert_int_equal(cinch_conn_handshake(p.client.conn, &err), CINCH_WANT_READ);
        cinch_conn *conn = i < 2 ? p.client.conn : p.server.conn;
        if (i >= 2) {
            /* A server that has the client's hello. */
            carry(p.client.conn, p.server.conn);
            assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_WANT_READ);
        }
        feed(conn, alerts[i % 2], sizeof alerts[0]);
        assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
        assert_int_equal(err.cause, CINCH_CAUSE_CLOSED_IN_HANDSHAKE);
        assert_int_equal(cinch_conn_state_now(conn), CINCH_STATE_FAILED);
        assert_int_equal(ERR_peek_error(), 0);
        pair_stop(&p);
    }
    cinch_context_free(old);
}

/*
 * Key updates that ask for an answer (RFC 8446, 4.6.3), from a peer that takes none of the answers:
 * they may not pile up, neither alone nor with data in between.
 */
static void flood(int data_every)
{
    cinch_status status = CINCH_WANT_READ;
    cinch_error err = CINCH_ERROR_INIT;
    unsigned char buf[16];
    size_t n, most = 0;
    pair p;

    open_pair(&p, CINCH_TLS_1_3);
    for (int i = 1; i < 200000 && status <= CINCH_WANT_READ; i++) {
        assert_int_equal(SSL_key_update(p.client.conn->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(p.client.conn->ssl), 1);
        if (data_every > 0 && i % data_every == 0)
            assert_int_equal(cinch_conn_write(p.client.conn, "x", 1, &n, NULL), CINCH_OK);
        carry(p.client.conn, p.server.conn);
        status = cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &err);
        most = unsent(p.server.conn) > most ? unsent(p.server.conn) : most;
    }
    assert_true(most < TOO_MUCH);
    assert_int_equal(status, CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_PROTOCOL);
    assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_FAILED);
    pair_stop(&p);
}

static void test_key_updates(void **state)
{
    (void)state;
    flood(0);
    flood(20);
}

/* A record once more, and two in the other order: the sequence number tells (RFC 8446, 5.3). */
static void test_replay(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        unsigned char records[2][256];
        const void *bytes;
        size_t sizes[2], n;
        cinch_error err = CINCH_ERROR_INIT;
        pair p;
        char buf[16];

        open_pair(&p, versions[i % 2]);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(cinch_conn_write(p.client.conn, k == 0 ? "one" : "two", 3, &n, NULL),
                             CINCH_OK);
            assert_int_equal(cinch_conn_send_bytes(p.client.conn, &bytes, &sizes[k], NULL),
                             CINCH_OK);
            assert_true(sizes[k] <= sizeof records[k]);
            memcpy(records[k], bytes, sizes[k]);
            drop_unsent(p.client.conn);
        }
        if (i < 2) {
            feed(p.server.conn, records[0], sizes[0]);
            feed(p.server.conn, records[0], sizes[0]);
            assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &err), CINCH_OK);
            assert_int_equal(n, 3);
        } else {
            feed(p.server.conn, records[1], sizes[1]);
            feed(p.server.conn, records[0], sizes[0]);
        }
        assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &err), CINCH_FAILED);
        assert_int_equal(n, 0);
        if (err.cause != CINCH_CAUSE_DAMAGED_RECORD)
            (void)cinch_error_report(&err, stderr);
        assert_int_equal(err.cause, CINCH_CAUSE_DAMAGED_RECORD);
        pair_stop(&p);
    }
}

/* After close_notify nothing is decrypted any more, and only so much is kept. */
static void test_after_close(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t n, room, kept = 0;
    char buf[4096];
    void *space;
    pair p;

    (void)state;
    open_pair(&p, CINCH_TLS_1_3);
    assert_int_equal(cinch_conn_close(p.client.conn, NULL), CINCH_OK);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, 1, &n, &err), CINCH_EOF);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(cinch_conn_recv_space(p.server.conn, &space, &room, &err), CINCH_OK);
        if (room == 0)
            break;
        memset(space, 'x', room);
        assert_int_equal(cinch_conn_recv_commit(p.server.conn, room, &err), CINCH_OK);
        kept += room;
    }
    assert_int_equal(room, 0);
    assert_true(kept < TOO_MUCH);
    while (cinch_conn_rest(p.server.conn, buf, sizeof buf, &n, &err) == CINCH_OK && n > 0)
        kept -= n;
    assert_int_equal(kept, 0);
    pair_stop(&p);
}

/* libssl as a client that asks for NAME and speaks the protocol ALPN. */
static void hello_from_libssl(cinch_conn *conn, const char *name, const unsigned char *alpn,
                              size_t alpn_size)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char *bytes = NULL;

    SSL_set_bio(ssl, in, out);
    assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
    if (alpn_size > 0)
        assert_int_equal(SSL_set_alpn_protos(ssl, alpn, (unsigned)alpn_size), 0);
    SSL_set_connect_state(ssl);
    assert_int_equal(SSL_do_handshake(ssl), -1);
    long size = BIO_get_mem_data(out, &bytes);
    assert_true(size > 0);
    feed(conn, bytes, (size_t)size);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    ERR_clear_error();
}

static void check_lines(const cinch_error *err, size_t lines)
{
    size_t count = 0;

    if (strchr(err->what, '\n') != NULL || err->evidence[0] == '\n')
        (void)cinch_error_report(err, stderr);
    assert_null(strchr(err->what, '\n'));
    assert_null(strchr(err->what, '\x1b'));
    assert_null(strchr(err->detail, '\n'));
    for (const char *at = err->evidence; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    assert_int_equal(count, lines);
}

/* What a stranger writes into a name must not look like a line of ours. */
static void test_forged_lines(void **state)
{
    static const unsigned char alpn[] = "\x0dx\nerror: all\x1b";
    cinch_context *strict = cinch_context_dup(server, NULL);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_context_server_name_rule(strict, CINCH_SERVER_NAME_KNOWN, NULL),
                     CINCH_OK);
    cinch_conn *conn = cinch_conn_new(strict, NULL, NULL);
    hello_from_libssl(conn, "a\nerror: all is lost\x1b[2J", NULL, 0);
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_UNKNOWN_SERVER_NAME);
    check_lines(&err, 0);
    cinch_conn_free(conn);

    cinch_error_clear(&err);
    assert_int_equal(cinch_context_alpn(strict, "h2", NULL), CINCH_OK);
    conn = cinch_conn_new(strict, NULL, NULL);
    hello_from_libssl(conn, "localhost", alpn, sizeof alpn - 1);
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NO_COMMON_ALPN);
    check_lines(&err, 1);
    cinch_peer *seen = cinch_conn_evidence(conn, NULL);
    assert_non_null(seen);
    assert_null(strchr(seen->server_name, '\n'));
    cinch_peer_free(seen);
    cinch_conn_free(conn);
    cinch_context_free(strict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_in_handshake),
        cmocka_unit_test(test_key_updates),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_after_close),
        cmocka_unit_test(test_forged_lines),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
