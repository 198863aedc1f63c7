/* Every way in which a handshake is refused, caused on purpose; both ends say why. */
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

/* What one refusal looks like from both ends. */
typedef struct expected {
    cinch_cause client;
    cinch_cause server;
    cinch_category category;   /* of the client's error */
    const char *evidence;      /* in the client's evidence; NULL: nothing in particular */
    const char *peer_evidence; /* in the server's */
} expected;

static void check_end(const char *who, const pair_end *end, cinch_cause cause, const char *evidence)
{
    if (end->err.cause != cause || (evidence != NULL && !strstr(end->err.evidence, evidence))) {
        fprintf(stderr, "%s: expected %s with \"%s\"\n", who, cinch_cause_name(cause),
                evidence == NULL ? "" : evidence);
        (void)cinch_error_report(&end->err, stderr);
    }
    assert_int_equal(end->err.cause, cause);
    if (cause == CINCH_CAUSE_NONE)
        return;
    assert_int_equal(end->status, CINCH_FAILED);
    assert_int_equal(cinch_conn_state_now(end->conn), CINCH_STATE_FAILED);
    assert_true(end->err.what[0] != 0 && end->err.remedy[0] != 0);
    if (evidence != NULL)
        assert_non_null(strstr(end->err.evidence, evidence));
}

/* What comes after the handshake from the other side: with TLS 1.3 a client may be open already. */
static void look_once_more(pair_end *end)
{
    char byte;
    size_t n;

    if (end->status == CINCH_OK)
        end->status = cinch_conn_read(end->conn, &byte, 1, &n, &end->err);
}

static void refuse(cinch_context *client, cinch_context *server, const char *host, expected want)
{
    pair p = {0};

    pair_start(&p, client, server, host);
    pair_handshake(&p);
    look_once_more(&p.client);
    look_once_more(&p.server);
    check_end("client", &p.client, want.client, want.evidence);
    check_end("server", &p.server, want.server, want.peer_evidence);
    if (want.client != CINCH_CAUSE_NONE)
        assert_int_equal(p.client.err.category, want.category);
    assert_int_equal(ERR_peek_error(), 0);
    /* A failed connection stays failed, and says the same again. */
    if (want.client != CINCH_CAUSE_NONE) {
        cinch_error again = CINCH_ERROR_INIT;

        assert_int_equal(cinch_conn_handshake(p.client.conn, &again), CINCH_FAILED);
        assert_int_equal(again.cause, want.client);
        assert_string_equal(again.what, p.client.err.what);
    }
    pair_stop(&p);
}

static void refuse_leaf(const pki_cert *leaf, const pki_cert *intermediate, const char *host,
                        cinch_cause cause, cinch_category category, const char *evidence)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(leaf, intermediate);

    refuse(
        client, server, host,
        (expected){cause, CINCH_CAUSE_PEER_DISTRUSTS_US, category, evidence, "it sent the alert"});
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_expired(void **state)
{
    (void)state;
    refuse_leaf(family->expired, family->intermediate, "localhost", CINCH_CAUSE_EXPIRED,
                CINCH_CATEGORY_VALIDITY, "too late");
}

static void test_not_yet_valid(void **state)
{
    (void)state;
    refuse_leaf(family->not_yet_valid, family->intermediate, "localhost", CINCH_CAUSE_NOT_YET_VALID,
                CINCH_CATEGORY_VALIDITY, "too early");
}

static void test_self_signed(void **state)
{
    (void)state;
    refuse_leaf(family->self_signed, NULL, "localhost", CINCH_CAUSE_SELF_SIGNED,
                CINCH_CATEGORY_TRUST, "certificate:");
}

static void test_unknown_issuer(void **state)
{
    (void)state;
    refuse_leaf(family->unknown_ca, NULL, "localhost", CINCH_CAUSE_UNKNOWN_ISSUER,
                CINCH_CATEGORY_TRUST, "Somebody Else Root");
}

/* The whole chain of an unknown CA, root included. */
static void test_unknown_root_sent(void **state)
{
    (void)state;
    refuse_leaf(family->unknown_ca, family->other_root, "localhost", CINCH_CAUSE_UNKNOWN_ISSUER,
                CINCH_CATEGORY_TRUST, "Somebody Else Root");
}

static void test_missing_intermediate(void **state)
{
    (void)state;
    refuse_leaf(family->good, NULL, "localhost", CINCH_CAUSE_MISSING_INTERMEDIATE,
                CINCH_CATEGORY_TRUST, "sent this one certificate only");
    refuse_leaf(family->aia, NULL, "localhost", CINCH_CAUSE_MISSING_INTERMEDIATE,
                CINCH_CATEGORY_TRUST, PKI_FAMILY_AIA_URL);
}

static void test_wrong_name(void **state)
{
    (void)state;
    refuse_leaf(family->wrong_name, family->intermediate, "localhost", CINCH_CAUSE_WRONG_HOST_NAME,
                CINCH_CATEGORY_NAME, "it is for: other.example");
    refuse_leaf(family->good, family->intermediate, "a.b.example.test", CINCH_CAUSE_WRONG_HOST_NAME,
                CINCH_CATEGORY_NAME, "*.example.test");
    refuse_leaf(family->good, family->intermediate, "192.0.2.7", CINCH_CAUSE_WRONG_IP,
                CINCH_CATEGORY_NAME, "127.0.0.1");
    /* The subject's CN never counts. */
    refuse_leaf(family->no_san, family->intermediate, "localhost", CINCH_CAUSE_WRONG_HOST_NAME,
                CINCH_CATEGORY_NAME, "no subject alternative names");
}

static void test_wrong_purpose(void **state)
{
    (void)state;
    refuse_leaf(family->client_only_eku, family->intermediate, "localhost",
                CINCH_CAUSE_WRONG_PURPOSE, CINCH_CATEGORY_TRUST, "clientAuth");
}

static cinch_policy *weak_policy(void)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    cinch_policy_insecure_versions(policy, CINCH_TLS_1_0, CINCH_TLS_1_3, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return policy;
}

/* A server that is willing to show a weak certificate. */
static cinch_context *weak_server(const pki_cert *leaf)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *server = cinch_context_server(&err);
    cinch_policy *policy = weak_policy();
    cinch_identity *identity = pair_identity(leaf, family->intermediate);

    cinch_context_policy(server, policy, &err);
    cinch_context_identity(server, identity, &err);
    cinch_identity_free(identity);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return server;
}

static void test_too_weak(void **state)
{
    const pki_cert *const leaves[] = {family->weak_rsa1024, family->sha1_signed};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *client = pair_client_context(family->root);
        cinch_context *server = weak_server(leaves[i]);
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        pair_handshake(&p);
        check_end("client", &p.client, CINCH_CAUSE_TOO_WEAK, i == 0 ? "1024 bits" : "SHA1");
        pair_stop(&p);
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

static void limit(cinch_context *ctx, cinch_tls_version min, cinch_tls_version max)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    if (min < CINCH_TLS_1_2)
        cinch_policy_insecure_versions(policy, min, max, &err);
    else
        cinch_policy_versions(policy, min, max, &err);
    cinch_context_policy(ctx, policy, &err);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
}

static void test_no_common_version(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    limit(client, CINCH_TLS_1_0, CINCH_TLS_1_1);
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_NO_COMMON_VERSION, CINCH_CAUSE_NO_COMMON_VERSION,
                      CINCH_CATEGORY_NEGOTIATION, "the client offers the versions: TLS 1.1",
                      "this server allows: TLS 1.2 to TLS 1.3"});
    /* An old server: the client finds out from the answer. */
    limit(server, CINCH_TLS_1_0, CINCH_TLS_1_1);
    limit(client, CINCH_TLS_1_2, CINCH_TLS_1_3);
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_NO_COMMON_VERSION, CINCH_CAUSE_NO_COMMON_VERSION,
                      CINCH_CATEGORY_NEGOTIATION, "TLS 1.3, TLS 1.2", "TLS 1.0 to TLS 1.1"});
    cinch_context_free(client);
    cinch_context_free(server);
}

typedef cinch_status (*list_setter)(cinch_policy *, const char *, cinch_error *);

static void pick(cinch_context *ctx, cinch_tls_version version, list_setter setter,
                 const char *list)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    cinch_policy_versions(policy, version, version, &err);
    setter(policy, list, &err);
    cinch_context_policy(ctx, policy, &err);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
}

static void test_no_common_cipher(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    pick(client, CINCH_TLS_1_3, cinch_policy_suites, "TLS_CHACHA20_POLY1305_SHA256");
    pick(server, CINCH_TLS_1_3, cinch_policy_suites, "TLS_AES_128_GCM_SHA256");
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_HANDSHAKE_REFUSED, CINCH_CAUSE_NO_COMMON_CIPHER,
                      CINCH_CATEGORY_NEGOTIATION, "TLS_CHACHA20_POLY1305_SHA256",
                      "this server has: TLS_AES_128_GCM_SHA256"});
    pick(client, CINCH_TLS_1_2, cinch_policy_ciphers, "ECDHE+CHACHA20");
    pick(server, CINCH_TLS_1_2, cinch_policy_ciphers, "ECDHE+AESGCM");
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_HANDSHAKE_REFUSED, CINCH_CAUSE_NO_COMMON_CIPHER,
                      CINCH_CATEGORY_NEGOTIATION, "CHACHA20", "ECDHE+AESGCM"});
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_no_common_group(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pick(client, versions[i], cinch_policy_groups, "X25519:P-256");
        pick(server, versions[i], cinch_policy_groups, "P-384");
        refuse(client, server, "localhost",
               (expected){CINCH_CAUSE_HANDSHAKE_REFUSED, CINCH_CAUSE_NO_COMMON_GROUP,
                          CINCH_CATEGORY_NEGOTIATION, "the client offers the groups: X25519, P-256",
                          "this server has: P-384"});
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_no_common_sigalg(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pick(client, versions[i], cinch_policy_sigalgs, "rsa_pss_rsae_sha256:rsa_pkcs1_sha256");
        refuse(client, server, "localhost",
               (expected){CINCH_CAUSE_HANDSHAKE_REFUSED, CINCH_CAUSE_NO_COMMON_SIGALG,
                          CINCH_CATEGORY_NEGOTIATION, "rsa_pss_rsae_sha256", "key of the kind EC"});
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_no_common_alpn(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    cinch_context_alpn(client, "h2", &err);
    cinch_context_alpn(server, "http/1.1,ftp", &err);
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_NO_COMMON_ALPN, CINCH_CAUSE_NO_COMMON_ALPN,
                      CINCH_CATEGORY_NEGOTIATION, "h2", "this server speaks: http/1.1, ftp"});
    cinch_context_alpn(client, NULL, &err);
    cinch_context_alpn_rule(server, CINCH_ALPN_REQUIRED, &err);
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_NO_COMMON_ALPN, CINCH_CAUSE_NO_COMMON_ALPN,
                      CINCH_CATEGORY_NEGOTIATION, "offered none", "http/1.1"});
    cinch_context_alpn(client, "h2", &err);
    cinch_context_alpn_rule(client, CINCH_ALPN_REQUIRED, &err);
    cinch_context_alpn(server, NULL, &err);
    assert_int_equal(err.status, CINCH_OK);
    pair p = {0};
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    check_end("client", &p.client, CINCH_CAUSE_NO_COMMON_ALPN, "h2");
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_server_name(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_KNOWN, NULL),
                     CINCH_OK);
    refuse(client, server, "elsewhere.test",
           (expected){CINCH_CAUSE_UNKNOWN_SERVER_NAME, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                      CINCH_CATEGORY_NEGOTIATION, "unrecognized_name", NULL});
    assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_REQUIRED, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_send_server_name(client, 0, NULL), CINCH_OK);
    refuse(client, server, "localhost",
           (expected){CINCH_CAUSE_UNKNOWN_SERVER_NAME, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                      CINCH_CATEGORY_NEGOTIATION, "unrecognized_name", NULL});
    cinch_context_free(client);
    cinch_context_free(server);
}

static cinch_context *demanding_server(cinch_tls_version version)
{
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    limit(server, version, version);
    pair_trust(server, family->root);
    assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    return server;
}

static void test_client_certificate_wanted(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    cinch_context *client = pair_client_context(family->root);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *server = demanding_server(versions[i]);

        refuse(client, server, "localhost",
               (expected){CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED,
                          CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING, CINCH_CATEGORY_CLIENT_CERTIFICATE,
                          "it sent the alert", NULL});
        cinch_context_free(server);
    }
    cinch_context_free(client);
}

static void test_client_certificate_refused(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *client = pair_client_context(family->root);
        cinch_context *server = demanding_server(versions[i]);
        cinch_identity *identity = pair_identity(family->unknown_ca, NULL);

        assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
        refuse(client, server, "localhost",
               (expected){CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED, CINCH_CAUSE_UNKNOWN_ISSUER,
                          CINCH_CATEGORY_CLIENT_CERTIFICATE,
                          i == 0 ? "unknown_ca" : "after the handshake", "Somebody Else Root"});
        cinch_identity_free(identity);
        cinch_context_free(server);
        cinch_context_free(client);
    }
}

/* Puts TEXT into END as if the peer had said it. */
static void hear(pair_end *end, const char *text)
{
    void *space;
    size_t room;

    assert_int_equal(cinch_conn_recv_space(end->conn, &space, &room, NULL), CINCH_OK);
    memcpy(space, text, strlen(text));
    assert_int_equal(cinch_conn_recv_commit(end->conn, strlen(text), NULL), CINCH_OK);
}

static void test_not_tls(void **state)
{
    static const struct {
        const char *said;
        const char *what;
        int to_server;
    } cases[] = {
        {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "plain HTTP", 0},
        {"220 mail.example.test ESMTP\r\n", "SMTP", 0},
        {"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH", 0},
        {"+OK POP3 ready\r\n", "POP3", 0},
        {"* OK IMAP4rev1\r\n", "IMAP", 0},
        {"nonsense that is not TLS at all\r\n", "does not speak TLS", 0},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "plain HTTP", 1},
        {"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH", 1},
        {"EHLO there is somebody\r\n", "SMTP", 1},
    };
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        pair_end *end = cases[i].to_server ? &p.server : &p.client;
        if (!cases[i].to_server)
            assert_int_equal(cinch_conn_handshake(end->conn, &end->err), CINCH_WANT_READ);
        hear(end, cases[i].said);
        assert_int_equal(cinch_conn_handshake(end->conn, &end->err), CINCH_FAILED);
        if (strstr(end->err.what, cases[i].what) == NULL)
            (void)cinch_error_report(&end->err, stderr);
        assert_int_equal(end->err.cause, CINCH_CAUSE_NOT_TLS);
        assert_non_null(strstr(end->err.what, cases[i].what));
        char start[9] = {0};
        memcpy(start, cases[i].said, 8);
        assert_non_null(strstr(end->err.evidence, start));
        pair_stop(&p);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_closed(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};

    (void)state;
    pair_start(&p, client, server, "localhost");
    assert_int_equal(cinch_conn_handshake(p.client.conn, &p.client.err), CINCH_WANT_READ);
    assert_int_equal(cinch_conn_recv_end(p.client.conn, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_handshake(p.client.conn, &p.client.err), CINCH_FAILED);
    assert_int_equal(p.client.err.cause, CINCH_CAUSE_CLOSED_IN_HANDSHAKE);
    assert_non_null(strstr(p.client.err.what, "waiting for the server's hello"));
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_damaged_record(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};
    char buf[16];
    size_t n;

    (void)state;
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    assert_int_equal(p.client.status, CINCH_OK);
    p.flip_at[1] = p.moved_to[1] + 10;
    assert_int_equal(cinch_conn_write(p.client.conn, "hello", 5, &n, NULL), CINCH_OK);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &p.server.err),
                     CINCH_FAILED);
    assert_int_equal(p.server.err.cause, CINCH_CAUSE_DAMAGED_RECORD);
    assert_int_equal(p.server.err.alert_sent, 20);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.client.conn, buf, sizeof buf, &n, &p.client.err),
                     CINCH_FAILED);
    assert_int_equal(p.client.err.cause, CINCH_CAUSE_DAMAGED_RECORD);
    assert_int_equal(p.client.err.alert_received, 20);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_no_host(void **state)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_null(cinch_conn_new(client, NULL, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_HOST_NAME);
    cinch_error_clear(&err);
    assert_null(cinch_conn_new(client, "", &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_HOST_NAME);
    cinch_error_clear(&err);
    assert_null(cinch_conn_new(client, "1.1.1.1 ; junk", &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_HOST_NAME);
    cinch_context_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_not_yet_valid),
        cmocka_unit_test(test_self_signed),
        cmocka_unit_test(test_unknown_issuer),
        cmocka_unit_test(test_unknown_root_sent),
        cmocka_unit_test(test_missing_intermediate),
        cmocka_unit_test(test_wrong_name),
        cmocka_unit_test(test_wrong_purpose),
        cmocka_unit_test(test_too_weak),
        cmocka_unit_test(test_no_common_version),
        cmocka_unit_test(test_no_common_cipher),
        cmocka_unit_test(test_no_common_group),
        cmocka_unit_test(test_no_common_sigalg),
        cmocka_unit_test(test_no_common_alpn),
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_client_certificate_wanted),
        cmocka_unit_test(test_client_certificate_refused),
        cmocka_unit_test(test_not_tls),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_damaged_record),
        cmocka_unit_test(test_no_host),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
