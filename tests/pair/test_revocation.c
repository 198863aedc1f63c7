/* Revoked certificates in handshakes, on both sides; what is required and missing; what changes. */
#include "base/clock.h"
#include "pair.h"
#include "pki_ocsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define DAY 86400

/* A clock on which each look is a second later, so that every file is looked at again. */
static int64_t now_us = 1000000;

int64_t cinch_clock_us(void)
{
    return now_us += 1000000;
}

int64_t cinch_clock_wall(void)
{
    return (int64_t)time(NULL);
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    snprintf(buf, 32, "second %lld", (long long)when);
    return buf;
}

static pki_family *family;
static char *dir;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    dir = pki_tmpdir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    pki_rmtree(dir);
    return 0;
}

typedef struct ends {
    cinch_context *client;
    cinch_context *server;
} ends;

static void speak(cinch_context *ctx, cinch_tls_version version)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    cinch_policy_versions(policy, version, version, &err);
    cinch_context_policy(ctx, policy, &err);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
}

static ends open_ends(cinch_tls_version version)
{
    ends e = {pair_client_context(family->root),
              pair_server_context(family->good, family->intermediate)};

    speak(e.client, version);
    return e;
}

/* The server asks for client certificates; the client has one. */
static ends open_mutual(cinch_tls_version version)
{
    ends e = open_ends(version);
    cinch_identity *identity = pair_identity(family->client, family->intermediate);

    pair_trust(e.server, family->root);
    assert_int_equal(cinch_context_client_auth(e.server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_identity(e.client, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    return e;
}

static void close_ends(ends *e)
{
    cinch_context_free(e->client);
    cinch_context_free(e->server);
}

static void add_list(cinch_context *ctx, const pki_cert *issuer, const pki_crl_spec *spec)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *text = pki_crl(issuer, spec);

    (void)cinch_context_crl_pem(ctx, text, strlen(text), &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(text);
}

static void require_lists(cinch_context *ctx, cinch_crl_rule rule)
{
    assert_int_equal(cinch_context_crl_rule(ctx, rule, NULL), CINCH_OK);
}

/* Data both ways, so that tickets arrive and the client hears of a refusal. Returns: resumed. */
static int meet(pair *p, const ends *e)
{
    char byte;
    size_t n;
    int resumed = 0;

    memset(p, 0, sizeof *p);
    pair_start(p, e->client, e->server, "localhost");
    pair_handshake(p);
    if (p->client.status == CINCH_OK && p->server.status == CINCH_OK) {
        assert_true(pair_send(p, &p->client, &p->server, "ping", 4));
        assert_true(pair_send(p, &p->server, &p->client, "pong", 4));
        cinch_peer *peer = cinch_conn_peer(p->server.conn, NULL);
        resumed = peer->resumed;
        cinch_peer_free(peer);
    } else if (p->client.status == CINCH_OK) {
        p->client.status = cinch_conn_read(p->client.conn, &byte, 1, &n, &p->client.err);
    }
    assert_int_equal(ERR_peek_error(), 0);
    return resumed;
}

static int passes(const ends *e)
{
    pair p;
    int resumed = meet(&p, e);

    if (p.client.status != CINCH_OK || p.server.status != CINCH_OK) {
        (void)cinch_error_report(&p.client.err, stderr);
        (void)cinch_error_report(&p.server.err, stderr);
    }
    assert_int_equal(p.client.status, CINCH_OK);
    assert_int_equal(p.server.status, CINCH_OK);
    pair_stop(&p);
    return resumed;
}

static void says(const cinch_error *err, cinch_cause cause, const char *evidence, int alert)
{
    if (err->cause != cause || strstr(err->evidence, evidence) == NULL || err->alert_sent != alert)
        (void)cinch_error_report(err, stderr);
    assert_int_equal(err->cause, cause);
    assert_non_null(strstr(err->evidence, evidence));
    assert_int_equal(err->alert_sent, alert);
    assert_int_equal(err->category, CINCH_CATEGORY_TRUST);
}

static void client_refuses(const ends *e, cinch_cause cause, const char *evidence, int alert)
{
    pair p;

    (void)meet(&p, e);
    says(&p.client.err, cause, evidence, alert);
    assert_int_equal(p.server.err.cause, CINCH_CAUSE_PEER_DISTRUSTS_US);
    pair_stop(&p);
}

static void server_refuses(const ends *e, cinch_cause cause, const char *evidence, int alert)
{
    pair p;

    (void)meet(&p, e);
    says(&p.server.err, cause, evidence, alert);
    assert_int_equal(p.client.status, CINCH_FAILED);
    assert_int_equal(p.client.err.category, CINCH_CATEGORY_CLIENT_CERTIFICATE);
    pair_stop(&p);
}

static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
#define EACH_VERSION(v) (size_t v = 0; v < 2; v++)

static void test_soft(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            add_list(e.client, family->intermediate, NULL);
            (void)passes(&e);
            add_list(e.client, family->intermediate,
                     &(pki_crl_spec){.certs = {family->good}, .reason = 2});
            client_refuses(&e, CINCH_CAUSE_REVOKED, "its key was compromised", 44);
            close_ends(&e);

            /* No list of the issuer, or one that has run out: no objection; */
            e = open_ends(versions[v]);
            add_list(e.client, family->other_root, NULL);
            add_list(e.client, family->intermediate,
                     &(pki_crl_spec){.this_update = -3 * DAY, .next_update = -DAY});
            (void)passes(&e);
            /* but what is on that list is revoked. */
            add_list(e.client, family->intermediate,
                     &(pki_crl_spec){
                         .certs = {family->good}, .this_update = -3 * DAY, .next_update = -DAY});
            client_refuses(&e, CINCH_CAUSE_REVOKED, "listed in memory", 44);
            close_ends(&e);

            /* An intermediate. */
            e = open_ends(versions[v]);
            add_list(e.client, family->root, &(pki_crl_spec){.certs = {family->intermediate}});
            client_refuses(&e, CINCH_CAUSE_REVOKED, "certificate: CN=Cinch Test Intermediate", 44);
            close_ends(&e);
        }
}

static void test_hard(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            add_list(e.client, family->root, NULL);
            (void)passes(&e);
            require_lists(e.client, CINCH_CRL_LEAF);
            client_refuses(&e, CINCH_CAUSE_NO_CRL, "none of them is of this issuer", 48);
            client_refuses(&e, CINCH_CAUSE_NO_CRL, "CN=Cinch Test Intermediate", 48);
            client_refuses(&e, CINCH_CAUSE_NO_CRL, "memory (1 list)", 48);
            add_list(e.client, family->intermediate,
                     &(pki_crl_spec){.this_update = -3 * DAY, .next_update = -DAY});
            client_refuses(&e, CINCH_CAUSE_NO_CRL, "ran out on second", 48);
            add_list(e.client, family->intermediate, NULL);
            (void)passes(&e);
            require_lists(e.client, CINCH_CRL_CHAIN);
            (void)passes(&e);
            close_ends(&e);

            e = open_ends(versions[v]);
            add_list(e.client, family->intermediate, NULL);
            require_lists(e.client, CINCH_CRL_LEAF);
            (void)passes(&e);
            require_lists(e.client, CINCH_CRL_CHAIN);
            client_refuses(&e, CINCH_CAUSE_NO_CRL, "CN=Cinch Test Root", 48);
            close_ends(&e);
        }
}

static void test_servers_check_clients(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_mutual(versions[v]);

            add_list(e.server, family->intermediate, NULL);
            require_lists(e.server, CINCH_CRL_LEAF);
            (void)passes(&e);
            add_list(e.server, family->intermediate, &(pki_crl_spec){.certs = {family->client}});
            server_refuses(&e, CINCH_CAUSE_REVOKED, "no reason is given", 44);
            close_ends(&e);
            e = open_mutual(versions[v]);
            add_list(e.server, family->root, NULL);
            require_lists(e.server, CINCH_CRL_LEAF);
            server_refuses(&e, CINCH_CAUSE_NO_CRL, "none of them is of this issuer", 48);
            close_ends(&e);
        }
}

/* A ticket must not let in whom the new list keeps out. */
static void test_tickets_end_when_lists_change(void **state)
{
    char *path = pki_path(dir, "clients.crl", "");
    char *empty = pki_crl(family->intermediate, NULL);
    char *listed = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->client}});

    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_mutual(versions[v]);

            assert_true(pki_write(path, empty, 0644));
            assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
            assert_int_equal(cinch_context_crl_file(e.server, path, NULL), CINCH_OK);
            assert_false(passes(&e));
            assert_true(passes(&e));
            assert_true(pki_write(path, listed, 0644));
            server_refuses(&e, CINCH_CAUSE_REVOKED, path, 44);
            server_refuses(&e, CINCH_CAUSE_REVOKED, path, 44);
            /* A half written file changes nothing. */
            assert_true(pki_write(path, "-----BEGIN X509 CRL-----\nMII", 0644));
            server_refuses(&e, CINCH_CAUSE_REVOKED, path, 44);
            assert_true(pki_write(path, empty, 0644));
            assert_false(passes(&e));
            assert_true(passes(&e));
            close_ends(&e);
        }
    free(path);
    free(empty);
    free(listed);
}

static void test_clients_sessions_end_when_lists_change(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
            assert_false(passes(&e));
            assert_true(passes(&e));
            add_list(e.client, family->intermediate, &(pki_crl_spec){.certs = {family->good}});
            client_refuses(&e, CINCH_CAUSE_REVOKED, "listed in memory", 44);
            close_ends(&e);
        }
}

/* ---- OCSP ---- */

static char *response_file(const char *name, const pki_ocsp_spec *spec)
{
    size_t size;
    char *path = pki_path(dir, name, "");
    unsigned char *der = pki_ocsp(family->good, family->intermediate, spec, &size);

    assert_true(pki_write_bytes(path, der, size, 0644));
    free(der);
    return path;
}

static void staple(cinch_context *ctx, const pki_ocsp_spec *spec)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *path = response_file("response.der", spec);

    (void)cinch_context_ocsp_file(ctx, path, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(path);
}

static void test_stapled(void **state)
{
    pki_cert *delegate =
        pki_make(&(pki_spec){.cn = "Responder", .eku = "OCSPSigning"}, family->intermediate);

    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            assert_int_equal(cinch_context_ocsp_require(e.client, 1, NULL), CINCH_OK);
            client_refuses(&e, CINCH_CAUSE_OCSP, "the server sent none", 113);
            staple(e.server, NULL);
            (void)passes(&e);
            staple(e.server, &(pki_ocsp_spec){.signer = delegate});
            (void)passes(&e);
            /* Not asked for, not sent, not missed. */
            assert_int_equal(cinch_context_ocsp_require(e.client, 0, NULL), CINCH_OK);
            assert_int_equal(cinch_context_ocsp_file(e.server, NULL, NULL), CINCH_OK);
            (void)passes(&e);
            close_ends(&e);
        }
    pki_free(delegate);
}

/* The file is replaced while serving: by another good one, by rubbish, by news of a revocation. */
static void test_stapled_file_changes(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            assert_int_equal(cinch_context_resumption(e.client, 0, NULL), CINCH_OK);
            assert_int_equal(cinch_context_ocsp_require(e.client, 1, NULL), CINCH_OK);
            staple(e.server, NULL);
            (void)passes(&e);
            char *path = pki_path(dir, "response.der", "");
            assert_true(pki_write(path, "rubbish", 0644));
            (void)passes(&e);
            free(response_file("response.der", &(pki_ocsp_spec){.about = family->client}));
            (void)passes(&e);
            free(response_file("response.der", &(pki_ocsp_spec){.status = "revoked", .reason = 4}));
            client_refuses(&e, CINCH_CAUSE_REVOKED, "another certificate takes its place", 113);
            free(response_file("response.der", NULL));
            (void)passes(&e);
            free(path);
            close_ends(&e);
        }
}

/* What our server would not send, from another that does not care. */
static int careless(SSL *ssl, void *arg)
{
    const char *path = arg;
    FILE *in = fopen(path, "rb");
    unsigned char *bytes = OPENSSL_malloc(10000);
    size_t size = fread(bytes, 1, 10000, in);

    (void)fclose(in);
    return SSL_set_tlsext_status_ocsp_resp(ssl, bytes, (long)size) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Moves bytes between a conn of ours and an SSL over memory BIOs. */
static void shuttle(cinch_conn *conn, SSL *ssl, cinch_status *status, cinch_error *err)
{
    for (int round = 0; round < 20; round++) {
        const void *bytes;
        void *space;
        size_t size, room;

        *status = cinch_conn_handshake(conn, err);
        while (cinch_conn_send_bytes(conn, &bytes, &size, NULL) == CINCH_OK && size > 0) {
            (void)BIO_write(SSL_get_rbio(ssl), bytes, (int)size);
            assert_int_equal(cinch_conn_send_consume(conn, size, NULL), CINCH_OK);
        }
        if (*status != CINCH_WANT_READ)
            break;
        (void)SSL_do_handshake(ssl);
        if (cinch_conn_recv_space(conn, &space, &room, NULL) == CINCH_OK) {
            int n = BIO_read(SSL_get_wbio(ssl), space, (int)room);
            assert_int_equal(cinch_conn_recv_commit(conn, n > 0 ? (size_t)n : 0, NULL), CINCH_OK);
        }
    }
    ERR_clear_error();
}

static cinch_error meet_careless(const pki_ocsp_spec *spec, int version, cinch_context *client)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char *path = response_file("careless.der", spec);
    cinch_error err = CINCH_ERROR_INIT;
    cinch_status status;

    assert_int_equal(SSL_CTX_use_certificate(ctx, family->good->cert), 1);
    assert_int_equal(SSL_CTX_add1_chain_cert(ctx, family->intermediate->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, family->good->key), 1);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL_CTX_set_tlsext_status_cb(ctx, careless);
    SSL_CTX_set_tlsext_status_arg(ctx, path);
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl);
    cinch_conn *conn = cinch_conn_new(client, "localhost", &err);
    shuttle(conn, ssl, &status, &err);
    assert_int_equal(status == CINCH_OK, !cinch_error_is_set(&err));
    cinch_conn_free(conn);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    free(path);
    return err;
}

static void test_careless_servers(void **state)
{
    static const struct {
        pki_ocsp_spec spec;
        cinch_cause cause;
        const char *evidence;
    } cases[] = {
        {{.status = NULL}, CINCH_CAUSE_NONE, ""},
        {{.status = "revoked", .reason = 1}, CINCH_CAUSE_REVOKED, "its key was compromised"},
        {{.status = "unknown"}, CINCH_CAUSE_OCSP, "does not know the certificate"},
        {{.this_update = -3 * DAY, .next_update = -DAY}, CINCH_CAUSE_OCSP, "ran out on"},
        {{.this_update = DAY, .next_update = 3 * DAY}, CINCH_CAUSE_OCSP, "from the future"},
        {{.no_next_update = true}, CINCH_CAUSE_OCSP, "until when"},
        {{.corrupt_signature = true}, CINCH_CAUSE_OCSP, "not signed by"},
        {{.critical = true}, CINCH_CAUSE_OCSP, "critical"},
        {{.error = 6}, CINCH_CAUSE_OCSP, "error of the responder"},
    };

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            cinch_context *client = pair_client_context(family->root);

            assert_int_equal(cinch_context_ocsp_require(client, 1, NULL), CINCH_OK);
            cinch_error err = meet_careless(&cases[i].spec, version, client);
            if (cases[i].cause != CINCH_CAUSE_NONE)
                says(&err, cases[i].cause, cases[i].evidence, 113);
            else
                assert_int_equal(cinch_error_report(&err, stderr), 0);
            cinch_context_free(client);
        }
    /* Of another certificate; by the server itself. */
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        const pki_ocsp_spec other = {.about = family->client}, own = {.signer = family->good};
        cinch_context *client = pair_client_context(family->root);

        assert_int_equal(cinch_context_ocsp_require(client, 1, NULL), CINCH_OK);
        cinch_error err = meet_careless(&other, version, client);
        says(&err, CINCH_CAUSE_OCSP, "about another certificate", 113);
        err = meet_careless(&own, version, client);
        says(&err, CINCH_CAUSE_OCSP, "not signed by", 113);
        cinch_context_free(client);
    }
}

static void test_resumed_without_a_response(void **state)
{
    (void)state;
    for
        EACH_VERSION(v)
        {
            ends e = open_ends(versions[v]);

            assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
            /* A session that was made without a response is not used where one is required, */
            assert_false(passes(&e));
            assert_true(passes(&e));
            assert_int_equal(cinch_context_ocsp_require(e.client, 1, NULL), CINCH_OK);
            client_refuses(&e, CINCH_CAUSE_OCSP, "the server sent none", 113);
            /* and one that was made with it is good as long as the response. */
            staple(e.server, NULL);
            assert_false(passes(&e));
            assert_true(passes(&e));
            close_ends(&e);
        }
}

static void refused_setting(cinch_status status, const cinch_error *err, cinch_cause cause,
                            const char *what)
{
    if (err->cause != cause || strstr(err->what, what) == NULL)
        (void)cinch_error_report(err, stderr);
    assert_int_equal(status, CINCH_FAILED);
    assert_int_equal(err->cause, cause);
    assert_non_null(strstr(err->what, what));
}

static void refused_response(cinch_context *server, const pki_ocsp_spec *spec, cinch_cause cause,
                             const char *what)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *path = response_file("bad.der", spec);

    refused_setting(cinch_context_ocsp_file(server, path, &err), &err, cause, what);
    assert_non_null(strstr(err.what, path));
    free(path);
}

static void test_settings_that_are_refused(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_context *nobody = cinch_context_server(NULL);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    refused_response(server, &(pki_ocsp_spec){.about = family->client}, CINCH_CAUSE_BAD_REVOCATION,
                     "about another certificate");
    refused_response(server, &(pki_ocsp_spec){.this_update = -3 * DAY, .next_update = -DAY},
                     CINCH_CAUSE_BAD_REVOCATION, "ran out on");
    refused_response(server, &(pki_ocsp_spec){.corrupt_signature = true},
                     CINCH_CAUSE_BAD_REVOCATION, "not signed by");
    refused_response(server, &(pki_ocsp_spec){.error = 3}, CINCH_CAUSE_BAD_REVOCATION, "trylater");
    refused_response(server, &(pki_ocsp_spec){.status = "revoked"}, CINCH_CAUSE_REVOKED,
                     "our certificate is revoked");
    refused_response(nobody, NULL, CINCH_CAUSE_NO_IDENTITY, "");
    refused_setting(cinch_context_crl_rule(client, CINCH_CRL_LEAF, &err), &err,
                    CINCH_CAUSE_BAD_SETTING, "none is named");
    cinch_error_clear(&err);
    refused_setting(cinch_context_crl_rule(client, (cinch_crl_rule)3, &err), &err,
                    CINCH_CAUSE_BAD_SETTING, "cannot be 3");
    cinch_error_clear(&err);
    refused_setting(cinch_context_ocsp_require(server, 1, &err), &err, CINCH_CAUSE_MISUSE,
                    "client's context only");
    cinch_error_clear(&err);
    refused_setting(cinch_context_ocsp_file(client, "x", &err), &err, CINCH_CAUSE_MISUSE,
                    "server's context only");
    cinch_error_clear(&err);
    refused_setting(cinch_context_crl_file(client, "/nowhere/x", &err), &err,
                    CINCH_CAUSE_FILE_UNREADABLE, "/nowhere/x");
    cinch_error_clear(&err);
    refused_setting(cinch_context_crl_dir(client, "/nowhere", &err), &err,
                    CINCH_CAUSE_FILE_UNREADABLE, "/nowhere");
    cinch_error_clear(&err);
    /* One switch must not turn off another check. */
    assert_int_equal(cinch_context_ocsp_require(client, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_verification(client, 1, NULL), CINCH_OK);
    refused_setting(cinch_context_check(client, &err), &err, CINCH_CAUSE_BAD_SETTING,
                    "verification is skipped");
    cinch_context_free(client);
    cinch_context_free(server);
    cinch_context_free(nobody);
}

/* The certificate was renewed, the response is still the old one's: it is not sent. */
static void test_a_response_of_the_certificate_before(void **state)
{
    ends e = open_ends(CINCH_TLS_1_3);
    pki_cert *renewed = pki_make(&(pki_spec){.cn = "localhost"}, family->intermediate);
    cinch_identity *identity = pair_identity(renewed, family->intermediate);

    (void)state;
    staple(e.server, NULL);
    assert_int_equal(cinch_context_identity(e.server, identity, NULL), CINCH_OK);
    (void)passes(&e);
    assert_int_equal(cinch_context_ocsp_require(e.client, 1, NULL), CINCH_OK);
    client_refuses(&e, CINCH_CAUSE_OCSP, "the server sent none", 113);
    free(response_file("response.der", &(pki_ocsp_spec){.about = renewed}));
    (void)passes(&e);
    cinch_identity_free(identity);
    pki_free(renewed);
    close_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft),
        cmocka_unit_test(test_hard),
        cmocka_unit_test(test_servers_check_clients),
        cmocka_unit_test(test_tickets_end_when_lists_change),
        cmocka_unit_test(test_clients_sessions_end_when_lists_change),
        cmocka_unit_test(test_stapled),
        cmocka_unit_test(test_stapled_file_changes),
        cmocka_unit_test(test_careless_servers),
        cmocka_unit_test(test_resumed_without_a_response),
        cmocka_unit_test(test_settings_that_are_refused),
        cmocka_unit_test(test_a_response_of_the_certificate_before),
    };

    return cmocka_run_group_tests_name("revocation", tests, set_up, tear_down);
}
