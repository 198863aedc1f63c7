/*
 * Lessons 8, 9 and 13: lists that are empty, certificates that were made to crash their reader, and
 * switches that turn off more than they say.
 */
#include "lesson.h"
#include "talk.h"

#include <openssl/x509v3.h>

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

/* ---- 8: CVE-2024-5642 ---- */

static void test_an_empty_protocol_list_is_refused(void **state)
{
    static const char *const empty[] = {"", ",", "h2,", ",h2", "h2,,x"};

    (void)state;
    EACH_VERSION(version)
    {
        cinch_context *client = pair_client_context(family->root);
        cinch_context *server = pair_server_context(family->good, family->intermediate);
        cinch_context *both[] = {client, server};

        lesson_limit(client, version);
        for (int side = 0; side < 2; side++) {
            assert_int_equal(cinch_context_alpn(both[side], "h2", NULL), CINCH_OK);
            for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
                cinch_error err = CINCH_ERROR_INIT;

                assert_int_equal(cinch_context_alpn(both[side], empty[i], &err), CINCH_FAILED);
                assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
                cinch_error_clear(&err);
                assert_int_equal(cinch_context_npn(both[side], empty[i], &err), CINCH_FAILED);
                assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
            }
        }
        /* What was set before is still in force. */
        lesson_talk t = lesson_connect(client, server, "localhost");
        lesson_opened(t);
        assert_string_equal(t.client.alpn, "h2");
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

/* What the ALPN extension of the attacker's hello is turned into; "x" is what it was. */
static const unsigned char lists[][4] = {
    {0, 2, 1, 'x'}, /* left alone: the control */
    {0, 0, 1, 'x'}, /* an empty list, and bytes behind it */
    {0, 2, 0, 0},   /* two empty names */
    {0, 2, 2, 'x'}, /* a name that is longer than the list */
    {0, 9, 1, 'x'}, /* a list that is longer than the extension */
};

static void test_an_empty_protocol_list_of_a_peer_is_refused(void **state)
{
    static const unsigned char was[] = {0, 16, 0, 4, 0, 2, 1, 'x'};

    (void)state;
    EACH_VERSION(version)
    {
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
            cinch_context *client = pair_client_context(family->root);
            cinch_context *server = pair_server_context(family->good, family->intermediate);
            const void *bytes;
            void *space;
            size_t size, room, changed = 0;
            pair p = {0};

            lesson_limit(client, version);
            assert_int_equal(cinch_context_alpn(client, "x", NULL), CINCH_OK);
            assert_int_equal(cinch_context_alpn(server, "x", NULL), CINCH_OK);
            pair_start(&p, client, server, "localhost");
            assert_int_equal(cinch_conn_handshake(p.client.conn, NULL), CINCH_WANT_READ);
            assert_int_equal(cinch_conn_send_bytes(p.client.conn, &bytes, &size, NULL), CINCH_OK);
            assert_int_equal(cinch_conn_recv_space(p.server.conn, &space, &room, NULL), CINCH_OK);
            assert_true(room >= size);
            memcpy(space, bytes, size);
            for (size_t at = 0; at + sizeof was <= size; at++)
                if (memcmp((unsigned char *)space + at, was, sizeof was) == 0) {
                    memcpy((unsigned char *)space + at + 4, lists[i], 4);
                    changed++;
                }
            assert_int_equal(changed, 1);
            assert_int_equal(cinch_conn_recv_commit(p.server.conn, size, NULL), CINCH_OK);
            assert_int_equal(cinch_conn_send_consume(p.client.conn, size, NULL), CINCH_OK);
            lesson_talk t = lesson_drive(p.client.conn, p.server.conn);
            if (i == 0)
                lesson_opened(t);
            else
                lesson_refused(t, THE_SERVER, CINCH_CAUSE_PROTOCOL, SSL_AD_DECODE_ERROR);
            pair_stop(&p);
            cinch_context_free(client);
            cinch_context_free(server);
        }
    }
}

/* ---- 9: CVE-2019-5010 ---- */

#define RAW(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

/* Every extension that something looks into, with nothing in it where something is expected. */
static const pki_raw_extension hostile[] = {
    {"crlDistributionPoints", false, RAW(0x30, 2, 0x30, 0)}, /* the one of the CVE */
    {"crlDistributionPoints", false, RAW(0x30, 4, 0x30, 2, 0xa0, 0)},
    {"crlDistributionPoints", false, RAW(0x30, 6, 0x30, 4, 0xa0, 2, 0xa0, 0)},
    {"crlDistributionPoints", false, RAW(0x30, 6, 0x30, 4, 0xa0, 2, 0xa1, 0)},
    {"crlDistributionPoints", false, RAW(0x30, 0)},
    {"crlDistributionPoints", false, RAW(5, 0)},
    {"authorityInfoAccess", false, RAW(0x30, 0)},
    {"authorityInfoAccess", false, RAW(0x30, 2, 0x30, 0)},
    {"authorityKeyIdentifier", false, RAW(0x30, 2, 0xa1, 0)},
    {"subjectAltName", false, RAW(0x30, 0)},
    {"subjectAltName", false, RAW(0x30, 2, 0x82, 0)},
    {"subjectAltName", false, RAW(0x30, 2, 0xa4, 0)},
    {"subjectAltName", false, RAW(0x30, 2, 0xa0, 0)},
    {"subjectAltName", false, RAW(0x30, 2, 0x87, 0)},
    {"certificatePolicies", false, RAW(0x30, 2, 0x30, 0)},
    {"nameConstraints", false, RAW(0x30, 4, 0xa0, 2, 0x30, 0)},
    {"extendedKeyUsage", false, RAW(0x30, 0)},
    {"keyUsage", false, RAW(3, 1, 0)},
    {"basicConstraints", false, RAW(0x30, 3, 2, 1, 0xff)},
    {"basicConstraints", false, RAW(5, 0)},
};

static void read_everything(const pki_cert *cert)
{
    static char text[TALK_REPORT];
    size_t size;
    unsigned char *der = pki_der_cert(cert, &size);
    cinch_error err = CINCH_ERROR_INIT;
    cinch_certificate *parsed = cinch_certificate_der(der, size, &err);

    assert_int_equal(parsed == NULL, cinch_error_is_set(&err));
    if (parsed != NULL) {
        assert_true(talk_certificate(parsed, text, sizeof text) > 100);
        assert_int_equal(parsed->der_size, size);
    }
    cinch_certificate_free(parsed);
    free(der);
}

static void test_a_null_distribution_point_crashes_nobody(void **state)
{
    char *list = pki_crl(family->intermediate, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        pki_spec spec = {.cn = "hostile",
                         .no_san = strcmp(hostile[i].oid, "subjectAltName") == 0,
                         .no_aki = strcmp(hostile[i].oid, "authorityKeyIdentifier") == 0,
                         .no_eku = strcmp(hostile[i].oid, "extendedKeyUsage") == 0,
                         .no_key_usage = strcmp(hostile[i].oid, "keyUsage") == 0,
                         .no_basic_constraints = strcmp(hostile[i].oid, "basicConstraints") == 0,
                         .raw = {hostile[i]}};
        pki_cert *cert = pki_make(&spec, family->intermediate);

        read_everything(cert);
        EACH_VERSION(version)
        {
            cinch_context *client = pair_client_context(family->root);
            cinch_context *server = pair_server_context(family->good, family->intermediate);
            SSL_CTX *libssl[] = {lesson_libssl(0, version), lesson_libssl(1, version)};

            lesson_demand(server, family->root);
            for (int side = 0; side < 2; side++) {
                SSL *ssl;
                cinch_context *ctx = side ? client : server;

                assert_int_equal(cinch_context_crl_pem(ctx, list, strlen(list), NULL), CINCH_OK);
                assert_int_equal(cinch_context_crl_rule(ctx, CINCH_CRL_LEAF, NULL), CINCH_OK);
                for (int honest = 0; honest < 2; honest++) {
                    lesson_libssl_show(libssl[side], honest ? family->good : cert,
                                       honest ? NULL : family->intermediate);
                    ssl = SSL_new(libssl[side]);
                    side ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
                    cinch_conn *conn = cinch_conn_new(ctx, side ? "localhost" : NULL, NULL);
                    lesson_talk t = lesson_against(conn, ssl);
                    const lesson_end *end = side ? &t.client : &t.server;
                    cinch_peer *peer = cinch_conn_evidence(conn, NULL);
                    assert_non_null(peer);
                    /* It is verified or it is refused, and nothing between the two. */
                    assert_int_equal(end->open, end->verified);
                    if (honest)
                        lesson_opened(t);
                    else if (!end->open)
                        assert_true(end->err.cause != CINCH_CAUSE_INTERNAL && end->got == 0);
                    cinch_peer_free(peer);
                    cinch_conn_free(conn);
                    SSL_free(ssl);
                }
                SSL_CTX_free(libssl[side]);
            }
            cinch_context_free(client);
            cinch_context_free(server);
        }
        pki_free(cert);
    }
    free(list);
}

/* ---- 13: CVE-2013-4545 ---- */

static void test_one_switch_turns_off_one_check(void **state)
{
    cinch_context *honest = pair_server_context(family->good, family->intermediate);
    cinch_context *misnamed = pair_server_context(family->wrong_name, family->intermediate);
    cinch_context *unknown = pair_server_context(family->unknown_ca, NULL);

    (void)state;
    EACH_VERSION(version)
    {
        cinch_context *chain = pair_client_context(family->root), *name, *neither;

        lesson_limit(chain, version);
        name = cinch_context_dup(chain, NULL);
        neither = cinch_context_dup(chain, NULL);
        assert_int_equal(cinch_context_insecure_skip_verification(chain, 1, NULL), CINCH_OK);
        assert_int_equal(cinch_context_insecure_skip_name(name, 1, NULL), CINCH_OK);
        assert_int_equal(cinch_context_insecure_skip_verification(neither, 1, NULL), CINCH_OK);
        assert_int_equal(cinch_context_insecure_skip_name(neither, 1, NULL), CINCH_OK);
        /* Without the chain: any issuer, but the name. */
        lesson_opens(chain, unknown, "localhost");
        lesson_refuses(chain, misnamed, "localhost", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                       SSL_AD_BAD_CERTIFICATE);
        assert_null(cinch_conn_new(chain, NULL, NULL));
        /* Without the name: any name, but the issuer. */
        lesson_opens(name, misnamed, "localhost");
        lesson_refuses(name, unknown, "localhost", THE_CLIENT, CINCH_CAUSE_UNKNOWN_ISSUER,
                       SSL_AD_UNKNOWN_CA);
        lesson_opens(neither, unknown, "elsewhere.test");
        /* And back: each switch is undone by itself. */
        assert_int_equal(cinch_context_insecure_skip_name(neither, 0, NULL), CINCH_OK);
        lesson_refuses(neither, unknown, "elsewhere.test", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                       SSL_AD_BAD_CERTIFICATE);
        assert_int_equal(cinch_context_insecure_skip_verification(neither, 0, NULL), CINCH_OK);
        lesson_refuses(neither, unknown, "localhost", THE_CLIENT, CINCH_CAUSE_UNKNOWN_ISSUER,
                       SSL_AD_UNKNOWN_CA);
        lesson_opens(neither, honest, "localhost");
        cinch_context_free(chain);
        cinch_context_free(name);
        cinch_context_free(neither);
    }
    cinch_context_free(honest);
    cinch_context_free(misnamed);
    cinch_context_free(unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_protocol_list_is_refused),
        cmocka_unit_test(test_an_empty_protocol_list_of_a_peer_is_refused),
        cmocka_unit_test(test_a_null_distribution_point_crashes_nobody),
        cmocka_unit_test(test_one_switch_turns_off_one_check),
    };

    return cmocka_run_group_tests_name("lessons: hostile", tests, set_up, tear_down);
}
