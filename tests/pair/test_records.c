/* The size of records, and floods of new keys. */
#include "conn/conn.h"
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

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

static void open_pair(pair *p, int bytes, int quick, cinch_tls_version version)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    limit(client, version);
    assert_int_equal(cinch_context_resumption(server, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_record_size(server, bytes, quick, NULL), CINCH_OK);
    *p = (pair){0};
    pair_start(p, client, server, "localhost");
    pair_handshake(p);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    cinch_context_free(client);
    cinch_context_free(server);
}

/* What the records that wait at END look like: the sizes of the largest and of the last but one. */
typedef struct sizes {
    size_t count;
    size_t first;
    size_t largest;
} sizes;

static sizes look(const pair_end *end)
{
    const void *bytes;
    size_t size;
    sizes s = {0, 0, 0};

    assert_int_equal(cinch_conn_send_bytes(end->conn, &bytes, &size, NULL), CINCH_OK);
    const unsigned char *at = bytes;
    while (size >= 5) {
        size_t record = 5 + ((size_t)at[3] << 8 | at[4]);

        assert_true(record <= size);
        if (s.count++ == 0)
            s.first = record;
        if (record > s.largest)
            s.largest = record;
        at += record;
        size -= record;
    }
    assert_int_equal(size, 0);
    return s;
}

static unsigned char data[200000];

static void test_largest(void **state)
{
    static const int bytes[] = {512, 4096, 16384};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        pair p;

        open_pair(&p, bytes[i], 0, CINCH_TLS_1_3);
        assert_int_equal(cinch_conn_write(p.server.conn, data, 100000, &n, NULL), CINCH_OK);
        assert_int_equal(n, 100000);
        sizes s = look(&p.server);
        assert_int_equal(s.largest, bytes[i] + 22);
        assert_int_equal(s.count, (100000 + bytes[i] - 1) / bytes[i]);
        pair_stop(&p);
    }
}

static void test_quick_start(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        pair p;

        open_pair(&p, 16384, 1, versions[i]);
        assert_int_equal(cinch_conn_write(p.server.conn, data, 65536, &n, NULL), CINCH_OK);
        assert_int_equal(n, 65536);
        sizes s = look(&p.server);
        assert_true(s.largest <= 1300 && s.largest > 1280);
        assert_int_equal(s.count, 52);
        (void)pair_move(&p);
        assert_true(pair_send(&p, &p.client, &p.server, "go on", 5));
        while (cinch_conn_read(p.client.conn, data, sizeof data, &n, NULL) == CINCH_OK)
            (void)pair_move(&p);
        assert_int_equal(cinch_conn_write(p.server.conn, data, 65536, &n, NULL), CINCH_OK);
        s = look(&p.server);
        assert_true(s.largest > 16384);
        pair_stop(&p);
    }
}

static void test_pace(void **state)
{
    cinch_pace pace = {0, 0};
    int64_t now = 5000000;

    (void)state;
    assert_int_equal(cinch_pace_next(&pace, 16384, 0, now), 16384);
    assert_int_equal(cinch_pace_next(&pace, 16384, 1, now), 1271);
    assert_int_equal(cinch_pace_next(&pace, 512, 1, now), 512);
    cinch_pace_sent(&pace, 65535, now);
    assert_int_equal(cinch_pace_next(&pace, 16384, 1, now), 1271);
    cinch_pace_sent(&pace, 2, now);
    assert_int_equal(cinch_pace_next(&pace, 16384, 1, now), 16384);
    cinch_pace_sent(&pace, 16384, now);
    assert_int_equal(cinch_pace_next(&pace, 16384, 1, now + 1000000), 16384);
    assert_int_equal(cinch_pace_next(&pace, 16384, 1, now + 1000001), 1271);
}

static void test_sizes_that_are_refused(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    assert_int_equal(cinch_context_record_size(ctx, 511, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_record_size(ctx, 16385, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_record_size(ctx, -1, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_record_size(NULL, 512, 0, NULL), CINCH_FAILED);
    cinch_context_free(ctx);
}

/* ---- new keys ---- */

static void test_new_keys(void **state)
{
    pair p;

    (void)state;
    open_pair(&p, 16384, 0, CINCH_TLS_1_3);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(cinch_conn_key_update(p.client.conn, i % 2, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_key_update(p.server.conn, i % 3, NULL), CINCH_OK);
        assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
        assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
    }
    assert_int_equal(cinch_conn_close(p.client.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_key_update(p.client.conn, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_key_update(NULL, 0, NULL), CINCH_FAILED);
    assert_int_equal(ERR_peek_error(), 0);
    pair_stop(&p);
    open_pair(&p, 16384, 0, CINCH_TLS_1_2);
    assert_int_equal(cinch_conn_key_update(p.client.conn, 0, NULL), CINCH_FAILED);
    assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
    pair_stop(&p);
}

/* Nothing but new keys: work for this side, and no use for anybody. */
static void test_flood_of_new_keys(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_status status = CINCH_WANT_READ;
    char byte;
    size_t n;
    pair p;

    (void)state;
    open_pair(&p, 16384, 0, CINCH_TLS_1_3);
    int i = 0;
    while (i < 100 && status == CINCH_WANT_READ) {
        assert_int_equal(cinch_conn_key_update(p.client.conn, 0, NULL), CINCH_OK);
        (void)pair_move(&p);
        status = cinch_conn_read(p.server.conn, &byte, 1, &n, &err);
        i++;
    }
    assert_int_equal(i, 33);
    assert_int_equal(status, CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_PROTOCOL);
    pair_stop(&p);
}

/* Bytes from FROM to TO; what TO answers is left where it is. */
static void move_one_way(const pair_end *from, const pair_end *to)
{
    const void *bytes;
    void *space;
    size_t size, room;

    assert_int_equal(cinch_conn_send_bytes(from->conn, &bytes, &size, NULL), CINCH_OK);
    while (size > 0) {
        assert_int_equal(cinch_conn_recv_space(to->conn, &space, &room, NULL), CINCH_OK);
        assert_true(room > 0);
        room = room < size ? room : size;
        memcpy(space, bytes, room);
        assert_int_equal(cinch_conn_recv_commit(to->conn, room, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_send_consume(from->conn, room, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_send_bytes(from->conn, &bytes, &size, NULL), CINCH_OK);
    }
}

/* With data in between, and the answers never taken: memory is bounded. */
static void test_flood_of_answers(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    char byte;
    size_t n, out = 0;
    const void *bytes;
    pair p;

    (void)state;
    open_pair(&p, 16384, 0, CINCH_TLS_1_3);
    cinch_status status = CINCH_OK;
    int i = 0;
    for (; i < 100000 && status == CINCH_OK; i++) {
        for (int k = 0; k < 16; k++)
            assert_int_equal(cinch_conn_key_update(p.client.conn, 1, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_write(p.client.conn, "x", 1, &n, NULL), CINCH_OK);
        move_one_way(&p.client, &p.server);
        status = cinch_conn_read(p.server.conn, &byte, 1, &n, &err);
        assert_int_equal(cinch_conn_send_bytes(p.server.conn, &bytes, &out, NULL), CINCH_OK);
        assert_true(out < 3 * CINCH_OUT_HIGH);
    }
    assert_int_equal(status, CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_PROTOCOL);
    assert_true(i > 100);
    pair_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_quick_start),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_sizes_that_are_refused),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_flood_of_new_keys),
        cmocka_unit_test(test_flood_of_answers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
