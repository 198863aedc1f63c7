/* A context in the SSL_CTX of another library that is a client: who is believed, and who is not. */
#include "foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/psk.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

static pki_family *family;
static cinch_context *client, *server;

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

static int open_contexts(void **state)
{
    (void)state;
    client = pair_client_context(family->root);
    server = pair_server_context(family->good, family->intermediate);
    return 0;
}

static int close_contexts(void **state)
{
    (void)state;
    cinch_context_free(client);
    cinch_context_free(server);
    return 0;
}

/* How a library says whom it expects. */
typedef enum way {
    GIVEN,
    ASKED,
    SET,
    PARAM_IP,
    NOT
} way;

static void say(SSL *ssl, way how, const char *host)
{
    if (how == ASKED)
        assert_int_equal(SSL_set_tlsext_host_name(ssl, host), 1);
    if (how == SET)
        assert_int_equal(SSL_set1_host(ssl, host), 1);
    if (how == PARAM_IP)
        assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host), 1);
}

static void start(foreign *f, way how, const char *host)
{
    foreign_start(f, foreign_apply(client, 0, how == GIVEN ? host : NULL), 0, server);
    say(f->ssl, how, host);
}

static void assert_refused(foreign *f, cinch_cause cause)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_false(foreign_handshake(f));
    assert_int_equal(f->error, SSL_ERROR_SSL);
    assert_int_not_equal(f->queued, 0);
    assert_int_not_equal(cinch_openssl_explain(f->ssl, &err), CINCH_OK);
    if (err.cause != cause)
        (void)cinch_error_report(&err, stderr);
    assert_int_equal(err.cause, cause);
    assert_false(foreign_talk(f));
    foreign_stop(f);
}

static const struct {
    way how;
    const char *host;
    cinch_cause cause; /* NONE: it is right */
} hosts[] = {
    {GIVEN, "localhost", CINCH_CAUSE_NONE},
    {GIVEN, "a.example.test", CINCH_CAUSE_NONE},
    {GIVEN, "127.0.0.1", CINCH_CAUSE_NONE},
    {GIVEN, "::1", CINCH_CAUSE_NONE},
    {GIVEN, "other.example", CINCH_CAUSE_WRONG_HOST_NAME},
    {GIVEN, "192.0.2.1", CINCH_CAUSE_WRONG_IP},
    {ASKED, "localhost", CINCH_CAUSE_NONE},
    {ASKED, "other.example", CINCH_CAUSE_WRONG_HOST_NAME},
    {SET, "localhost", CINCH_CAUSE_NONE},
    {SET, "other.example", CINCH_CAUSE_WRONG_HOST_NAME},
    {PARAM_IP, "127.0.0.1", CINCH_CAUSE_NONE},
    {PARAM_IP, "192.0.2.1", CINCH_CAUSE_WRONG_IP},
    {NOT, "", CINCH_CAUSE_NO_HOST_NAME},
};

static void test_hosts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        foreign f;

        start(&f, hosts[i].how, hosts[i].host);
        if (hosts[i].cause != CINCH_CAUSE_NONE) {
            assert_refused(&f, hosts[i].cause);
            continue;
        }
        assert_true(foreign_handshake(&f));
        assert_int_equal(SSL_get_verify_result(f.ssl), X509_V_OK);
        assert_true(foreign_talk(&f));
        assert_int_equal(cinch_openssl_explain(f.ssl, NULL), CINCH_OK);
        /* A name that was given is asked for; addresses never are (RFC 6066, 3). */
        const char *asked = SSL_get_servername(f.ssl, TLSEXT_NAMETYPE_host_name);
        if (hosts[i].how == GIVEN && strchr("lao", hosts[i].host[0]) != NULL)
            assert_string_equal(asked, hosts[i].host);
        if (hosts[i].host[0] == '1' || hosts[i].host[0] == ':')
            assert_null(asked);
        foreign_stop(&f);
    }
}

/* What was given counts, whatever the library asks for; and what it expects before what it asks for. */
static void test_two_hosts(void **state)
{
    foreign f;

    (void)state;
    start(&f, GIVEN, "localhost");
    say(f.ssl, ASKED, "other.example");
    assert_true(foreign_handshake(&f));
    foreign_stop(&f);

    start(&f, GIVEN, "other.example");
    say(f.ssl, ASKED, "localhost");
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);

    start(&f, SET, "other.example");
    say(f.ssl, ASKED, "localhost");
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);

    /* One of several: nobody knows which one it was. */
    start(&f, SET, "other.example");
    assert_int_equal(SSL_add1_host(f.ssl, "localhost"), 1);
    assert_refused(&f, CINCH_CAUSE_BAD_SETTING);

    start(&f, ASKED, "no host");
    assert_refused(&f, CINCH_CAUSE_BAD_HOST_NAME);
}

static void test_certificates(void **state)
{
    const struct {
        const pki_cert *leaf, *intermediate;
        cinch_cause cause;
    } bad[] = {
        {family->expired, family->intermediate, CINCH_CAUSE_EXPIRED},
        {family->not_yet_valid, family->intermediate, CINCH_CAUSE_NOT_YET_VALID},
        {family->wrong_name, family->intermediate, CINCH_CAUSE_WRONG_HOST_NAME},
        {family->self_signed, NULL, CINCH_CAUSE_SELF_SIGNED},
        {family->unknown_ca, NULL, CINCH_CAUSE_UNKNOWN_ISSUER},
        {family->good, NULL, CINCH_CAUSE_MISSING_INTERMEDIATE},
        {family->client_only_eku, family->intermediate, CINCH_CAUSE_WRONG_PURPOSE},
        {family->no_san, family->intermediate, CINCH_CAUSE_WRONG_HOST_NAME},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        foreign f;

        cinch_context_free(server);
        server = pair_server_context(bad[i].leaf, bad[i].intermediate);
        start(&f, GIVEN, "localhost");
        assert_refused(&f, bad[i].cause);
    }
}

static void test_revoked(void **state)
{
    char *list =
        pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->good}, .reason = 1});
    foreign f;

    (void)state;
    assert_int_equal(cinch_context_crl_pem(client, list, strlen(list), NULL), CINCH_OK);
    free(list);
    start(&f, GIVEN, "localhost");
    assert_refused(&f, CINCH_CAUSE_REVOKED);
}

/* A stapled response is wanted, and the server has none. */
static void test_no_staple(void **state)
{
    foreign f;

    (void)state;
    assert_int_equal(cinch_context_ocsp_require(client, 1, NULL), CINCH_OK);
    start(&f, GIVEN, "localhost");
    assert_refused(&f, CINCH_CAUSE_OCSP);
}

/* The library does all that it can to believe everybody. */
static int say_yes(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void ignore(const SSL *ssl, int where, int value)
{
    (void)ssl;
    (void)where;
    (void)value;
}

static void test_library_does_not_verify(void **state)
{
    foreign f;

    (void)state;
    start(&f, GIVEN, "other.example");
    SSL_set_verify(f.ssl, SSL_VERIFY_NONE, say_yes);
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);

    start(&f, GIVEN, "other.example");
    SSL_CTX_set_verify(f.ctx, SSL_VERIFY_NONE, say_yes);
    SSL_set_verify(f.ssl, SSL_VERIFY_NONE, say_yes);
    SSL_set_info_callback(f.ssl, ignore);
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);

    start(&f, GIVEN, "other.example");
    SSL_set_verify(f.ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_info_callback(f.ssl, ignore);
    assert_false(foreign_handshake(&f));
    assert_false(foreign_talk(&f));
    foreign_stop(&f);
}

static int seen_done;

static void see_done(const SSL *ssl, int where, int value)
{
    (void)ssl;
    (void)value;
    seen_done += where == SSL_CB_HANDSHAKE_DONE;
}

static unsigned share(SSL *ssl, const char *hint, char *identity, unsigned room,
                      unsigned char *secret, unsigned most)
{
    (void)ssl;
    (void)hint;
    (void)room;
    (void)most;
    memcpy(identity, "we", 3);
    for (int i = 0; i < 32; i++)
        secret[i] = (unsigned char)(i * 7);
    return 32;
}

/* A secret of the library's, and so no certificate; nor has our info callback its place. */
static void test_library_shares_a_secret(void **state)
{
    unsigned char secret[32];
    char identity[8];
    foreign f;

    (void)state;
    (void)share(NULL, NULL, identity, sizeof identity, secret, sizeof secret);
    assert_int_equal(cinch_context_psk(server, identity, secret, sizeof secret, 1, NULL), CINCH_OK);
    start(&f, GIVEN, "localhost");
    SSL_set_psk_client_callback(f.ssl, share);
    SSL_set_info_callback(f.ssl, see_done);
    seen_done = 0;
    (void)foreign_handshake(&f);
    assert_false(foreign_talk(&f));
    assert_int_not_equal(SSL_get_verify_result(f.ssl), X509_V_OK);
    /* Its own callback is called all the same. */
    assert_int_equal(seen_done, 1);
    foreign_stop(&f);
}

/* What the library had in its SSL_CTX for itself stays. */
static void test_what_the_library_has(void **state)
{
    SSL_CTX *ctx = foreign_ctx(0);
    foreign f;

    (void)state;
    seen_done = 0;
    SSL_CTX_set_info_callback(ctx, see_done);
    SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\x02h2", 3), 0);
    assert_int_equal(cinch_context_alpn(server, "h2", NULL), CINCH_OK);
    assert_int_equal(cinch_context_openssl_apply(client, ctx, "localhost", NULL), CINCH_OK);
    assert_int_equal(SSL_CTX_get_mode(ctx) & SSL_MODE_ENABLE_PARTIAL_WRITE, 0);
    foreign_start(&f, ctx, 0, server);
    assert_true(foreign_handshake(&f));
    assert_int_equal(seen_done, 1);
    const unsigned char *alpn;
    unsigned size;
    SSL_get0_alpn_selected(f.ssl, &alpn, &size);
    assert_int_equal(size, 2);
    foreign_stop(&f);
}

static void test_policy(void **state)
{
    cinch_policy *old = cinch_policy_new(NULL, NULL);
    foreign f;

    (void)state;
    start(&f, GIVEN, "localhost");
    assert_true(foreign_handshake(&f));
    assert_string_equal(SSL_get_cipher_name(f.ssl), "TLS_AES_128_GCM_SHA256");
    foreign_stop(&f);

    assert_int_equal(cinch_policy_versions(old, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(server, old, NULL), CINCH_OK);
    cinch_policy_free(old);
    assert_int_equal(cinch_context_policy_named(client, "modern", NULL), CINCH_OK);
    start(&f, GIVEN, "localhost");
    assert_refused(&f, CINCH_CAUSE_NO_COMMON_VERSION);
}

static void test_identity(void **state)
{
    cinch_identity *identity = pair_identity(family->client, family->intermediate);
    foreign f;

    (void)state;
    pair_trust(server, family->root);
    assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    start(&f, GIVEN, "localhost");
    (void)foreign_handshake(&f);
    assert_int_equal(f.ours.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
    /* With TLS 1.3 the client learns it after its handshake. */
    char byte;
    assert_true(SSL_read(f.ssl, &byte, 1) <= 0);
    cinch_error err = CINCH_ERROR_INIT;
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED);
    foreign_stop(&f);

    assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    start(&f, GIVEN, "localhost");
    assert_true(foreign_handshake(&f));
    assert_true(foreign_talk(&f));
    foreign_stop(&f);
}

/* The SSL_CTX keeps what it needs, and what becomes of the context is nothing to it. */
static void test_context_changes(void **state)
{
    SSL_CTX *ctx = foreign_apply(client, 0, "localhost");
    foreign f;

    (void)state;
    assert_int_equal(cinch_context_trust_nobody(client, NULL), CINCH_OK);
    cinch_context_free(client);
    client = NULL;
    assert_int_equal(SSL_CTX_up_ref(ctx), 1);
    foreign_start(&f, ctx, 0, server);
    assert_true(foreign_handshake(&f));
    foreign_stop(&f);
    foreign_start(&f, ctx, 0, server);
    assert_true(foreign_handshake(&f));
    foreign_stop(&f);
}

/* An SSL that is used again, and one that was copied. */
static void test_used_again(void **state)
{
    foreign f;

    (void)state;
    start(&f, GIVEN, "localhost");
    assert_true(foreign_handshake(&f));
    SSL *copy = SSL_dup(f.ssl);
    assert_non_null(copy);
    SSL_free(copy);
    assert_true(foreign_talk(&f));
    SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    assert_int_equal(SSL_set_session(f.ssl, NULL), 1);
    assert_int_equal(SSL_clear(f.ssl), 1);
    cinch_conn_free(f.ours.conn);
    cinch_context_free(server);
    server = pair_server_context(family->wrong_name, family->intermediate);
    f.ours = (pair_end){.conn = cinch_conn_new(server, NULL, NULL), .err = CINCH_ERROR_INIT};
    f.result = f.error = 0;
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);
}

/* Used again for another host, by a library that has taken our info callback out of it. */
static void test_used_for_another(void **state)
{
    foreign f;

    (void)state;
    start(&f, ASKED, "localhost");
    SSL_set_info_callback(f.ssl, ignore);
    assert_true(foreign_handshake(&f));
    SSL_set_shutdown(f.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    assert_int_equal(SSL_set_session(f.ssl, NULL), 1);
    assert_int_equal(SSL_clear(f.ssl), 1);
    say(f.ssl, ASKED, "other.example");
    cinch_conn_free(f.ours.conn);
    f.ours = (pair_end){.conn = cinch_conn_new(server, NULL, NULL), .err = CINCH_ERROR_INIT};
    f.result = f.error = 0;
    assert_refused(&f, CINCH_CAUSE_WRONG_HOST_NAME);
}

static void test_not_tls(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    foreign f;

    (void)state;
    start(&f, GIVEN, "localhost");
    assert_int_equal(BIO_puts(SSL_get_rbio(f.ssl), "220 mail.example.test ESMTP\r\n"), 29);
    f.result = SSL_do_handshake(f.ssl);
    f.error = SSL_get_error(f.ssl, f.result);
    assert_int_equal(f.error, SSL_ERROR_SSL);
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_NOT_TLS);
    /* The library has its own words still. */
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_WRONG_VERSION_NUMBER);
    foreign_stop(&f);

    cinch_error_clear(&err);
    start(&f, GIVEN, "localhost");
    BIO_set_mem_eof_return(SSL_get_rbio(f.ssl), 0);
    f.result = SSL_do_handshake(f.ssl);
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_CLOSED_IN_HANDSHAKE);
    foreign_stop(&f);
}

/* A reset: OpenSSL only learns that no more bytes move. */
static void test_broken(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    foreign f;
    int ends[2];

    (void)state;
    start(&f, GIVEN, "localhost");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[0], "x", 1), 1);
    close(ends[1]);
    SSL_set0_rbio(f.ssl, BIO_new_socket(ends[0], BIO_CLOSE));
    f.result = SSL_do_handshake(f.ssl);
    assert_int_equal(SSL_get_error(f.ssl, f.result), SSL_ERROR_SYSCALL);
    assert_int_equal(cinch_openssl_explain(f.ssl, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NETWORK);
    assert_non_null(strstr(err.what, "broke during the handshake"));
    foreign_stop(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_contexts, close_contexts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hosts),
        TEST(test_two_hosts),
        TEST(test_certificates),
        TEST(test_revoked),
        TEST(test_no_staple),
        TEST(test_library_does_not_verify),
        TEST(test_library_shares_a_secret),
        TEST(test_what_the_library_has),
        TEST(test_policy),
        TEST(test_identity),
        TEST(test_context_changes),
        TEST(test_used_again),
        TEST(test_used_for_another),
        TEST(test_not_tls),
        TEST(test_broken),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
