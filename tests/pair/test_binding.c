/* Channel bindings, exporters, the key log, NPN. */
#include "conn/conn.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/sha.h>

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

/* Both ends with the same version; the contexts stay, for a second connection. */
typedef struct ends {
    cinch_context *client;
    cinch_context *server;
} ends;

static ends make_ends(cinch_tls_version version, const pki_cert *leaf, const pki_cert *issuer)
{
    ends e = {pair_client_context(family->root), pair_server_context(leaf, issuer)};

    limit(e.client, version);
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

/* Both ends agree on KIND; returns its bytes in OUT and their number. */
static size_t agreed(const pair *p, cinch_binding kind, unsigned char out[static 64])
{
    unsigned char other[64];
    size_t n = 0, m = 0;
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_conn_binding(p->client.conn, kind, out, 64, &n, &err), CINCH_OK);
    assert_int_equal(cinch_conn_binding(p->server.conn, kind, other, 64, &m, &err), CINCH_OK);
    assert_int_equal(n, m);
    assert_true(n > 0);
    assert_memory_equal(out, other, n);
    return n;
}

static void assert_no_binding(const pair *p, cinch_binding kind, const char *why)
{
    unsigned char out[64];
    size_t n = 9;

    for (int i = 0; i < 2; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        assert_int_equal(cinch_conn_binding(i ? p->client.conn : p->server.conn, kind, out,
                                            sizeof out, &n, &err),
                         CINCH_FAILED);
        assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
        assert_int_equal(n, 0);
        assert_non_null(strstr(err.what, why));
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_unique_is_unique(void **state)
{
    ends e = make_ends(CINCH_TLS_1_2, family->good, family->intermediate);
    unsigned char first[64], second[64];
    pair p;

    (void)state;
    assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
    open_pair(&p, &e);
    assert_int_equal(agreed(&p, CINCH_BINDING_TLS_UNIQUE, first), 12);
    pair_stop(&p);
    /* Resumed, with the extended master secret: the server's Finished is the first one. */
    open_pair(&p, &e);
    cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
    assert_int_equal(peer->resumed, 1);
    cinch_peer_free(peer);
    assert_int_equal(agreed(&p, CINCH_BINDING_TLS_UNIQUE, second), 12);
    assert_memory_not_equal(first, second, 12);
    pair_stop(&p);
    free_ends(&e);
}

/* Triple handshake: without the extended master secret, two connections may have one secret. */
static void test_without_extended_master_secret(void **state)
{
    ends e = make_ends(CINCH_TLS_1_2, family->good, family->intermediate);
    unsigned char bytes[64];
    pair p;

    (void)state;
    assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
    for (int resumed = 0; resumed < 2; resumed++) {
        p = (pair){0};
        pair_start(&p, e.client, e.server, "localhost");
        SSL_set_options(p.client.conn->ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
        assert_int_equal(peer->resumed, resumed);
        cinch_peer_free(peer);
        if (resumed)
            assert_no_binding(&p, CINCH_BINDING_TLS_UNIQUE, "extended master secret");
        else
            assert_int_equal(agreed(&p, CINCH_BINDING_TLS_UNIQUE, bytes), 12);
        assert_no_binding(&p, CINCH_BINDING_EXPORTER, "extended master secret");
        assert_int_equal(
            cinch_conn_export(p.client.conn, "EXPORTER-test", NULL, 0, bytes, 32, NULL),
            CINCH_FAILED);
        pair_stop(&p);
    }
    free_ends(&e);
}

static void test_exporters(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ends e = make_ends(versions[i], family->good, family->intermediate);
        unsigned char a[64], b[64], c[64], d[64];
        pair p, q;

        open_pair(&p, &e);
        assert_int_equal(agreed(&p, CINCH_BINDING_EXPORTER, a), 32);
        /* What RFC 9266 says, through the other call. */
        assert_int_equal(
            cinch_conn_export(p.server.conn, "EXPORTER-Channel-Binding", "", 0, b, 32, NULL),
            CINCH_OK);
        assert_memory_equal(a, b, 32);
        open_pair(&q, &e);
        assert_int_equal(agreed(&q, CINCH_BINDING_EXPORTER, b), 32);
        assert_memory_not_equal(a, b, 32);
        pair_stop(&q);
        if (versions[i] == CINCH_TLS_1_3)
            assert_no_binding(&p, CINCH_BINDING_TLS_UNIQUE, "TLS 1.3");
        assert_int_equal(cinch_conn_export(p.client.conn, "EXPORTER-x", NULL, 0, a, 64, NULL), 0);
        assert_int_equal(cinch_conn_export(p.server.conn, "EXPORTER-x", NULL, 0, b, 64, NULL), 0);
        assert_int_equal(cinch_conn_export(p.server.conn, "EXPORTER-x", "", 0, c, 64, NULL), 0);
        assert_int_equal(cinch_conn_export(p.server.conn, "EXPORTER-x", "y", 1, d, 64, NULL), 0);
        assert_memory_equal(a, b, 64);
        assert_int_equal(memcmp(b, c, 64) == 0, versions[i] == CINCH_TLS_1_3);
        assert_memory_not_equal(b, d, 64);
        /* What TLS itself uses cannot be had. */
        if (versions[i] == CINCH_TLS_1_2)
            assert_int_equal(
                cinch_conn_export(p.server.conn, "master secret", NULL, 0, a, 48, NULL),
                CINCH_FAILED);
        assert_int_equal(cinch_conn_export(p.server.conn, "", NULL, 0, a, 48, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_export(p.server.conn, NULL, NULL, 0, a, 8, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_export(p.server.conn, "x", NULL, 1, a, 8, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_export(p.server.conn, "x", NULL, 0, a, 0, NULL), CINCH_FAILED);
        assert_int_equal(cinch_conn_export(NULL, "x", NULL, 0, a, 8, NULL), CINCH_FAILED);
        assert_int_equal(ERR_peek_error(), 0);
        pair_stop(&p);
        free_ends(&e);
    }
}

static void test_end_point(void **state)
{
    static const struct {
        pki_key_type key;
        const char *digest;
        size_t size;
    } kinds[] = {{PKI_KEY_P256, "sha256", 32},
                 {PKI_KEY_P384, "sha384", 48},
                 {PKI_KEY_RSA, "sha512", 64},
                 {PKI_KEY_P256, "sha1", 32},
                 {PKI_KEY_ED25519, NULL, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        /* The leaf signs itself: the digest is its own key's choice. */
        pki_cert *leaf = pki_make(
            &(pki_spec){.cn = "x", .key_type = kinds[i].key, .digest = kinds[i].digest}, NULL);
        ends e = make_ends(CINCH_TLS_1_3, leaf, NULL);
        unsigned char bytes[64], expected[64];
        size_t size;
        pair p = {0};

        assert_int_equal(cinch_context_insecure_skip_verification(e.client, 1, NULL), CINCH_OK);
        open_pair(&p, &e);
        if (kinds[i].size == 0) {
            assert_no_binding(&p, CINCH_BINDING_SERVER_END_POINT, "no digest");
        } else {
            unsigned char *der = pki_der_cert(leaf, &size);
            assert_int_equal(agreed(&p, CINCH_BINDING_SERVER_END_POINT, bytes), kinds[i].size);
            assert_non_null(kinds[i].size == 32   ? SHA256(der, size, expected)
                            : kinds[i].size == 48 ? SHA384(der, size, expected)
                                                  : SHA512(der, size, expected));
            assert_memory_equal(bytes, expected, kinds[i].size);
            assert_int_equal(cinch_conn_binding(p.client.conn, CINCH_BINDING_SERVER_END_POINT,
                                                bytes, kinds[i].size - 1, &size, NULL),
                             CINCH_FAILED);
            free(der);
        }
        pair_stop(&p);
        free_ends(&e);
        pki_free(leaf);
    }
}

static void test_not_before_the_handshake_is_done(void **state)
{
    ends e = make_ends(CINCH_TLS_1_3, family->good, family->intermediate);
    unsigned char bytes[64];
    size_t n;
    pair p = {0};

    (void)state;
    pair_start(&p, e.client, e.server, "localhost");
    for (int kind = 0; kind < 5; kind++)
        assert_int_equal(
            cinch_conn_binding(p.client.conn, (cinch_binding)kind, bytes, 64, &n, NULL),
            CINCH_FAILED);
    assert_int_equal(cinch_conn_export(p.client.conn, "x", NULL, 0, bytes, 8, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_key_update(p.client.conn, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_conn_ask_certificate(p.server.conn, NULL), CINCH_FAILED);
    /* And none of it spoils the handshake. */
    pair_handshake(&p);
    assert_int_equal(p.client.status, CINCH_OK);
    assert_int_equal(cinch_conn_binding(p.client.conn, (cinch_binding)4, bytes, 64, &n, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_conn_binding(NULL, CINCH_BINDING_EXPORTER, bytes, 64, &n, NULL),
                     CINCH_FAILED);
    pair_stop(&p);
    free_ends(&e);
}

/* ---- the key log ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);

    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static int count_lines(const char *text, const char *start)
{
    int count = 0;

    for (const char *at = text; at != NULL && *at != 0; at = strchr(at, '\n') + 1)
        count += strncmp(at, start, strlen(start)) == 0;
    return count;
}

static void test_key_log_is_for_nobody_else(void **state)
{
    char *dir = pki_tmpdir(), *path = pki_path(dir, "keys", ".log");
    char *link = pki_path(dir, "link", ".log");
    ends e = make_ends(CINCH_TLS_1_3, family->good, family->intermediate);
    struct stat file;
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_true(pki_write(path, "", 0644));
    assert_int_equal(cinch_context_insecure_key_log(e.client, path, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(cinch_context_insecure_key_log(e.client, link, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_insecure_key_log(e.client, dir, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_insecure_key_log(e.client, "/nowhere/keys", NULL), CINCH_FAILED);
    assert_int_equal(access(path, F_OK), -1);
    mode_t mask = umask(0);
    assert_int_equal(cinch_context_insecure_key_log(e.client, path, NULL), CINCH_OK);
    umask(mask);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    free_ends(&e);
    free(path);
    free(link);
    pki_rmtree(dir);
}

static void test_key_log(void **state)
{
    char *dir = pki_tmpdir(), *path = pki_path(dir, "keys", ".log");
    ends e = make_ends(CINCH_TLS_1_3, family->good, family->intermediate);
    pair p;

    (void)state;
    /* The variable alone does nothing. */
    assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
    open_pair(&p, &e);
    pair_stop(&p);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(cinch_context_insecure_key_log(e.client, "", NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_key_log(e.server, path, NULL), CINCH_OK);
    open_pair(&p, &e);
    pair_stop(&p);
    char *text = read_file(path);
    /* Each side wrote each secret, whole lines of the right length, the same ones. */
    static const char *const labels[] = {
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
        "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 ", "EXPORTER_SECRET "};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        assert_int_equal(count_lines(text, labels[i]), 2);
        const char *first = strstr(text, labels[i]);
        size_t length = strcspn(first, "\n");
        assert_int_equal(length, strlen(labels[i]) + 64 + 1 + 64);
        char line[256] = "";
        memcpy(line, first, length);
        assert_int_equal(count_lines(text, line), 2);
    }
    free(text);
    /* Off again, and with the variable gone "" is off as well. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(cinch_context_insecure_key_log(e.server, NULL, NULL), CINCH_OK);
    unsetenv("SSLKEYLOGFILE");
    assert_int_equal(cinch_context_insecure_key_log(e.client, "", NULL), CINCH_OK);
    open_pair(&p, &e);
    pair_stop(&p);
    assert_int_equal(access(path, F_OK), -1);
    free_ends(&e);
    free(path);
    pki_rmtree(dir);
}

/* Contexts that are equal but for the log do not share what is derived from them. */
static void test_key_log_does_not_spread(void **state)
{
    char *dir = pki_tmpdir(), *path = pki_path(dir, "keys", ".log");
    ends e = make_ends(CINCH_TLS_1_2, family->good, family->intermediate);
    cinch_context *other = cinch_context_dup(e.client, NULL);
    pair p, q;
    struct stat file;

    (void)state;
    assert_int_equal(cinch_context_insecure_key_log(other, path, NULL), CINCH_OK);
    open_pair(&p, &e);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_size, 0);
    ends f = {other, e.server};
    open_pair(&q, &f);
    char *text = read_file(path);
    assert_int_equal(count_lines(text, "CLIENT_RANDOM "), 1);
    free(text);
    pair_stop(&p);
    pair_stop(&q);
    cinch_context_free(other);
    free_ends(&e);
    free(path);
    pki_rmtree(dir);
}

/* ---- NPN ---- */

static void test_npn(void **state)
{
    static const struct {
        const char *client, *server, *agreed;
        cinch_tls_version version;
    } cases[] = {
        {"spdy/3,http/1.1", "http/1.1,spdy/3", "spdy/3", CINCH_TLS_1_2},
        {"http/1.1", "spdy/3,http/1.1", "http/1.1", CINCH_TLS_1_2},
        {"http/1.1", NULL, "", CINCH_TLS_1_2},
        {NULL, "http/1.1", "", CINCH_TLS_1_2},
        {"http/1.1", "http/1.1", "", CINCH_TLS_1_3},
        {"http/1.1", "spdy/3", NULL, CINCH_TLS_1_2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ends e = make_ends(cases[i].version, family->good, family->intermediate);
        pair p = {0};
        assert_int_equal(cinch_context_npn(e.client, cases[i].client, NULL), CINCH_OK);
        assert_int_equal(cinch_context_npn(e.server, cases[i].server, NULL), CINCH_OK);
        pair_start(&p, e.client, e.server, "localhost");
        pair_handshake(&p);
        if (cases[i].agreed == NULL) {
            assert_int_equal(p.client.err.cause, CINCH_CAUSE_NO_COMMON_ALPN);
            assert_non_null(strstr(p.client.err.evidence, "spdy/3"));
            assert_int_equal(cinch_conn_state_now(p.server.conn), CINCH_STATE_FAILED);
        } else {
            assert_int_equal(p.client.status, CINCH_OK);
            for (int k = 0; k < 2; k++) {
                cinch_peer *peer = cinch_conn_peer(k ? p.client.conn : p.server.conn, NULL);
                assert_string_equal(peer->npn, cases[i].agreed);
                cinch_peer_free(peer);
            }
        }
        pair_stop(&p);
        free_ends(&e);
    }
}

static int choose_another(SSL *ssl, unsigned char **out, unsigned char *out_size,
                          const unsigned char *in, unsigned in_size, void *arg)
{
    static unsigned char name[] = "admin";

    (void)ssl;
    (void)in;
    (void)in_size;
    (void)arg;
    *out = name;
    *out_size = 5;
    return SSL_TLSEXT_ERR_OK;
}

static void test_npn_of_a_client_that_cheats(void **state)
{
    ends e = make_ends(CINCH_TLS_1_2, family->good, family->intermediate);
    pair p = {0};

    (void)state;
    assert_int_equal(cinch_context_npn(e.client, "http/1.1", NULL), CINCH_OK);
    assert_int_equal(cinch_context_npn(e.server, "http/1.1", NULL), CINCH_OK);
    pair_start(&p, e.client, e.server, "localhost");
    SSL_CTX_set_next_proto_select_cb(SSL_get_SSL_CTX(p.client.conn->ssl), choose_another, NULL);
    pair_handshake(&p);
    assert_int_equal(p.server.err.cause, CINCH_CAUSE_NO_COMMON_ALPN);
    assert_non_null(strstr(p.server.err.what, "admin"));
    pair_stop(&p);
    free_ends(&e);
}

/* CVE-2024-5642: an empty list is an error, not a read out of bounds. */
static void test_npn_lists_that_are_refused(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    char longest[300];

    (void)state;
    memset(longest, 'a', 256);
    longest[256] = 0;
    assert_int_equal(cinch_context_npn(ctx, "", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_npn(ctx, "a,,b", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_npn(ctx, "a,", NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_npn(ctx, longest, NULL), CINCH_FAILED);
    longest[255] = 0;
    assert_int_equal(cinch_context_npn(ctx, longest, NULL), CINCH_OK);
    assert_int_equal(cinch_context_npn(ctx, NULL, NULL), CINCH_OK);
    cinch_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unique_is_unique),
        cmocka_unit_test(test_without_extended_master_secret),
        cmocka_unit_test(test_exporters),
        cmocka_unit_test(test_end_point),
        cmocka_unit_test(test_not_before_the_handshake_is_done),
        cmocka_unit_test(test_key_log_is_for_nobody_else),
        cmocka_unit_test(test_key_log),
        cmocka_unit_test(test_key_log_does_not_spread),
        cmocka_unit_test(test_npn),
        cmocka_unit_test(test_npn_of_a_client_that_cheats),
        cmocka_unit_test(test_npn_lists_that_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
