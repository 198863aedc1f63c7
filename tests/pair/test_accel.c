/* TLS with AES-GCM by libipsec-mb at both ends, and at one of them only: the other has OpenSSL's own. */
#include "conn/conn.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define LARGE (3u << 20)

static pki_family *family;
static unsigned char *data;

/* Which ends are to have ours. */
typedef enum ends {
    NEITHER,
    CLIENT,
    SERVER,
    BOTH,
} ends;

static const struct {
    cinch_tls_version version;
    const char *suite;
} kinds[] = {
    {CINCH_TLS_1_2, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {CINCH_TLS_1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {CINCH_TLS_1_3, "TLS_AES_128_GCM_SHA256"},
    {CINCH_TLS_1_3, "TLS_AES_256_GCM_SHA384"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    data = malloc(LARGE);
    for (size_t i = 0; data != NULL && i < LARGE; i++)
        data[i] = (unsigned char)(i * 31 + i / 251);
    return family == NULL || data == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    free(data);
    return 0;
}

static int is_in_use(void)
{
    return strncmp(cinch_version_accel(), "libipsec-mb", 11) == 0;
}

static void limit(cinch_context *ctx, size_t kind)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    int old = kinds[kind].version == CINCH_TLS_1_2;

    assert_int_equal(cinch_policy_versions(policy, kinds[kind].version, kinds[kind].version, NULL),
                     CINCH_OK);
    assert_int_equal(
        (old ? cinch_policy_ciphers : cinch_policy_suites)(policy, kinds[kind].suite, NULL),
        CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

/* A context derives its SSL_CTX for its first connection, and keeps it. */
static void settle(cinch_context *ctx, int with_ours)
{
    assert_int_equal(EVP_set_default_properties(NULL, with_ours ? "" : "provider=default"), 1);
    cinch_conn *conn = cinch_conn_new(ctx, "localhost", NULL);
    if (conn == NULL) /* a server has no name to check */
        conn = cinch_conn_new(ctx, NULL, NULL);
    assert_non_null(conn);
    cinch_conn_free(conn);
    assert_int_equal(EVP_set_default_properties(NULL, ""), 1);
}

static void check_report(const pair_end *end, int with_ours)
{
    cinch_peer *peer = cinch_conn_peer(end->conn, NULL);

    assert_non_null(peer);
    assert_int_equal(strncmp(peer->accel, "libipsec-mb ", 12) == 0, with_ours);
    assert_true(with_ours || peer->accel[0] == 0);
    cinch_peer_free(peer);
}

static void open_pair(pair *p, size_t kind, ends ours, size_t piece)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    limit(client, kind);
    limit(server, kind);
    settle(client, ours == CLIENT || ours == BOTH);
    settle(server, ours == SERVER || ours == BOTH);
    *p = (pair){.piece = piece};
    pair_start(p, client, server, "localhost");
    pair_handshake(p);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    check_report(&p->client, is_in_use() && (ours == CLIENT || ours == BOTH));
    check_report(&p->server, is_in_use() && (ours == SERVER || ours == BOTH));
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_every_end(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 17, 255, 4095, 16383, 16384, 16385, 40000};

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++)
        for (int ours = NEITHER; ours <= BOTH; ours++) {
            pair p;

            open_pair(&p, kind, (ends)ours, 0);
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                assert_true(pair_send(&p, &p.client, &p.server, data + i, sizes[i]));
                assert_true(pair_send(&p, &p.server, &p.client, data + i, sizes[i]));
            }
            assert_true(pair_send(&p, &p.client, &p.server, data, LARGE));
            assert_true(pair_send(&p, &p.server, &p.client, data, LARGE));
            pair_stop(&p);
        }
}

static void test_small_pieces(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        pair p;

        open_pair(&p, kind, BOTH, 7);
        for (size_t size = 1; size < 600; size += 13)
            assert_true(pair_send(&p, &p.server, &p.client, data, size));
        pair_stop(&p);
    }
}

static void test_new_keys(void **state)
{
    (void)state;
    for (size_t kind = 2; kind < KINDS; kind++)
        for (int ours = CLIENT; ours <= BOTH; ours++) {
            pair p;

            open_pair(&p, kind, (ends)ours, 0);
            for (int round = 0; round < 5; round++) {
                assert_int_equal(cinch_conn_key_update(p.client.conn, round & 1, NULL), CINCH_OK);
                assert_true(pair_send(&p, &p.client, &p.server, data, 20000));
                assert_int_equal(cinch_conn_key_update(p.server.conn, 0, NULL), CINCH_OK);
                assert_true(pair_send(&p, &p.server, &p.client, data, 20000));
            }
            pair_stop(&p);
        }
}

/* A bit that is wrong anywhere in a record, its tag included, ends the connection and gives out nothing. */
static void test_wrong_bits(void **state)
{
    static const size_t places[] = {6, 13, 14, 40, 110, 125};

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            unsigned char got[200] = {0};
            size_t n = 0;
            pair p;

            open_pair(&p, kind, BOTH, 0);
            p.flip_at[1] = p.moved_to[1] + places[i];
            /* 100 bytes are 122 in a record of TLS 1.3, 129 in one of TLS 1.2. */
            size_t size = kinds[kind].version == CINCH_TLS_1_2 ? 100 : 107;
            assert_int_equal(cinch_conn_write(p.client.conn, data, size, &n, NULL), CINCH_OK);
            (void)pair_move(&p);
            assert_int_equal(cinch_conn_read(p.server.conn, got, sizeof got, &n, &p.server.err),
                             CINCH_FAILED);
            assert_int_equal(n, 0);
            for (size_t at = 0; at < sizeof got; at++)
                assert_int_equal(got[at], 0);
            pair_stop(&p);
        }
}

/* Other ciphers are OpenSSL's, and the report says so. */
static void test_other_cipher(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    pair p = {0};

    (void)state;
    assert_int_equal(cinch_policy_suites(policy, "TLS_CHACHA20_POLY1305_SHA256", NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    assert_int_equal(p.client.status, CINCH_OK);
    check_report(&p.client, 0);
    assert_true(pair_send(&p, &p.client, &p.server, data, 50000));
    pair_stop(&p);
    cinch_policy_free(policy);
    cinch_context_free(client);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_end),    cmocka_unit_test(test_small_pieces),
        cmocka_unit_test(test_new_keys),     cmocka_unit_test(test_wrong_bits),
        cmocka_unit_test(test_other_cipher),
    };

    return cmocka_run_group_tests_name("accel", tests, set_up, tear_down);
}
