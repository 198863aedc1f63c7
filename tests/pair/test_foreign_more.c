/* A context in another library's SSL_CTX: sessions, servers, what cannot be applied, what is kept. */
#include "foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- a client's sessions ---- */

static SSL_SESSION *newest;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

/* As libraries do that keep sessions themselves. */
static SSL_CTX *keeping(void)
{
    SSL_CTX *ctx = foreign_ctx(0);

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    return ctx;
}

/* One connection of an SSL_CTX with CTX for HOST, with SESSION: whether it was resumed; -1: it failed. */
static int connect_with(cinch_context *ctx, const char *host, SSL_SESSION *session)
{
    SSL_CTX *made = keeping();
    foreign f;
    int resumed = -1;

    assert_int_equal(cinch_context_openssl_apply(ctx, made, host, NULL), CINCH_OK);
    foreign_start(&f, made, 0, server);
    if (session != NULL)
        assert_int_equal(SSL_set_session(f.ssl, session), 1);
    if (foreign_handshake(&f) && foreign_talk(&f))
        resumed = SSL_session_reused(f.ssl);
    foreign_stop(&f);
    return resumed;
}

static SSL_SESSION *take_newest(void)
{
    SSL_SESSION *session = newest;

    assert_non_null(session);
    newest = NULL;
    return session;
}

static void test_resumed(void **state)
{
    (void)state;
    assert_int_equal(connect_with(client, "localhost", NULL), 0);
    SSL_SESSION *first = take_newest();
    assert_int_equal(connect_with(client, "localhost", first), 1);
    /* A session that came of one that was resumed. */
    SSL_SESSION *second = take_newest();
    assert_int_equal(connect_with(client, "localhost", second), 1);
    SSL_SESSION_free(first);
    /* Some libraries keep sessions as bytes. What somebody changed in them is no session of ours. */
    unsigned char *der = NULL;
    int size = i2d_SSL_SESSION(second, &der);
    const unsigned char *at = der;
    assert_true(size > 300);
    SSL_SESSION *read = d2i_SSL_SESSION(NULL, &at, size);
    assert_non_null(read);
    assert_int_equal(connect_with(client, "localhost", read), 1);
    SSL_SESSION_free(read);
    void *mark = NULL;
    size_t mark_size = 0;
    assert_int_equal(SSL_SESSION_get0_ticket_appdata(second, &mark, &mark_size), 1);
    for (size_t i = 0; i < mark_size; i += 97) {
        at = der;
        read = d2i_SSL_SESSION(NULL, &at, size);
        assert_int_equal(SSL_SESSION_get0_ticket_appdata(read, &mark, &mark_size), 1);
        ((unsigned char *)mark)[i] ^= 1;
        assert_int_equal(connect_with(client, "localhost", read), 0);
        SSL_SESSION_free(read);
    }
    OPENSSL_free(der);
    SSL_SESSION_free(second);
    SSL_SESSION_free(newest);
    newest = NULL;
}

/* Another host, other settings, or nobody was verified: a full handshake, and it decides. */
static void test_not_resumed(void **state)
{
    cinch_context *strict = pair_client_context(family->root),
                  *others = pair_client_context(family->other_root);

    (void)state;
    assert_int_equal(cinch_context_policy_named(strict, "modern", NULL), CINCH_OK);
    assert_int_equal(connect_with(client, "localhost", NULL), 0);
    SSL_SESSION *session = take_newest();
    assert_int_equal(connect_with(client, "a.example.test", session), 0);
    assert_int_equal(connect_with(client, "other.example", session), -1);
    assert_int_equal(connect_with(strict, "localhost", session), 0);
    assert_int_equal(connect_with(others, "localhost", session), -1);
    SSL_SESSION_free(session);

    assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
    assert_int_equal(connect_with(client, "localhost", NULL), 0);
    cinch_context_free(strict);
    cinch_context_free(others);
    SSL_SESSION_free(newest);
    newest = NULL;
}

static void test_session_of_nobody(void **state)
{
    SSL_CTX *ctx = keeping();
    foreign f;

    (void)state;
    /* Without a context, and without verification. */
    foreign_start(&f, ctx, 0, server);
    assert_true(foreign_handshake(&f));
    assert_true(foreign_talk(&f));
    foreign_stop(&f);
    SSL_SESSION *session = take_newest();
    assert_int_equal(connect_with(client, "other.example", session), -1);
    assert_int_equal(connect_with(client, "localhost", session), 0);

    /* Nor where the library has taken our first look away. */
    foreign_start(&f, foreign_apply(client, 0, "localhost"), 0, server);
    SSL_set_info_callback(f.ssl, NULL);
    SSL_CTX_set_info_callback(f.ctx, NULL);
    assert_int_equal(SSL_set_session(f.ssl, session), 1);
    assert_false(foreign_handshake(&f));
    foreign_stop(&f);
    SSL_SESSION_free(session);
    SSL_SESSION_free(newest);
    newest = NULL;
}

/* ---- servers ---- */

static void test_server(void **state)
{
    foreign f;

    (void)state;
    for (int round = 0; round < 3; round++) {
        SSL_CTX *ctx = round == 0 ? foreign_apply(server, 1, NULL) : SSL_CTX_new(TLS_method());

        if (round > 0)
            assert_int_equal(cinch_context_openssl_apply(server, ctx, NULL, NULL), CINCH_OK);
        foreign_start(&f, ctx, 1, client);
        assert_true(foreign_handshake(&f));
        assert_true(foreign_talk(&f));
        /* The ring of the context opens what another SSL_CTX with it gave. */
        assert_int_equal(SSL_session_reused(f.ssl), round > 0);
        foreign_stop(&f);
    }
}

static void ignore(const SSL *ssl, int where, int value)
{
    (void)ssl;
    (void)where;
    (void)value;
}

static void test_server_asks(void **state)
{
    cinch_identity *identity = pair_identity(family->client, family->intermediate);
    cinch_error err = CINCH_ERROR_INIT;
    foreign f;

    (void)state;
    pair_trust(server, family->root);
    assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    foreign_start(&f, foreign_apply(server, 1, NULL), 1, client);
    /* What the library thinks of it does not count. */
    SSL_set_verify(f.ssl, SSL_VERIFY_NONE, NULL);
    assert_false(foreign_handshake(&f));
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
    foreign_stop(&f);
    foreign_start(&f, foreign_apply(server, 1, NULL), 1, client);
    SSL_CTX_set_verify(f.ctx, SSL_VERIFY_NONE, NULL);
    SSL_set_info_callback(f.ssl, ignore);
    assert_false(foreign_handshake(&f));
    assert_false(foreign_talk(&f));
    foreign_stop(&f);

    assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
    for (int round = 0; round < 2; round++) {
        foreign_start(&f, foreign_apply(server, 1, NULL), 1, client);
        assert_true(foreign_handshake(&f));
        assert_true(foreign_talk(&f));
        assert_int_equal(SSL_session_reused(f.ssl), round);
        foreign_stop(&f);
    }

    /* Known, and no rule lets it in; nor by a ticket from before. */
    assert_int_equal(cinch_context_allow(server, CINCH_MATCH_DNS, "nobody.test", NULL), CINCH_OK);
    cinch_error_clear(&err);
    foreign_start(&f, foreign_apply(server, 1, NULL), 1, client);
    assert_false(foreign_handshake(&f));
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED);
    foreign_stop(&f);
    cinch_identity_free(identity);
}

static void test_wrong_side(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    foreign f;

    (void)state;
    assert_int_equal(cinch_context_openssl_apply(client, ctx, "localhost", NULL), CINCH_OK);
    foreign_start(&f, ctx, 1, client);
    assert_false(foreign_handshake(&f));
    assert_int_not_equal(cinch_openssl_explain(f.ssl, &err), CINCH_OK);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    foreign_stop(&f);

    ctx = SSL_CTX_new(TLS_method());
    assert_int_equal(cinch_context_openssl_apply(server, ctx, NULL, NULL), CINCH_OK);
    foreign_start(&f, ctx, 0, server);
    assert_false(foreign_handshake(&f));
    foreign_stop(&f);
}

/* ---- what cannot be applied ---- */

static void assert_misfit(cinch_context *ctx, const char *word)
{
    cinch_error err = CINCH_ERROR_INIT;
    SSL_CTX *made = SSL_CTX_new(TLS_method());
    int mode = SSL_CTX_get_verify_mode(made);

    assert_int_equal(cinch_context_openssl_apply(ctx, made, NULL, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    if (strstr(err.what, word) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", word, err.what);
    /* Nothing was changed: it can be used without, or with another one. */
    assert_int_equal(SSL_CTX_get_verify_mode(made), mode);
    assert_null(SSL_CTX_get_info_callback(made));
    assert_int_equal(cinch_context_openssl_apply(server, made, NULL, NULL), CINCH_OK);
    SSL_CTX_free(made);
    cinch_context_free(ctx);
}

static cinch_context *choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    (void)hello;
    (void)refuse;
    (void)arg;
    return NULL;
}

static void test_misfits(void **state)
{
    cinch_context *ctx = cinch_context_dup(client, NULL);

    (void)state;
    assert_int_equal(cinch_context_alpn(ctx, "h2", NULL), CINCH_OK);
    assert_misfit(ctx, "ALPN");

    ctx = cinch_context_dup(client, NULL);
    assert_int_equal(cinch_context_record_size(ctx, 16384, 1, NULL), CINCH_OK);
    assert_misfit(ctx, "records");

    ctx = cinch_context_dup(server, NULL);
    assert_int_equal(cinch_context_host(ctx, "b.example.test", server, NULL), CINCH_OK);
    assert_misfit(ctx, "virtual hosts");

    ctx = cinch_context_dup(server, NULL);
    assert_int_equal(cinch_context_choose(ctx, choose, NULL, NULL), CINCH_OK);
    assert_misfit(ctx, "callback");
}

static void assert_misuse(cinch_context *ctx, SSL_CTX *made, const char *host, cinch_cause cause)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_context_openssl_apply(ctx, made, host, &err), CINCH_FAILED);
    assert_int_equal(err.cause, cause);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_misuse(void **state)
{
    SSL_CTX *made = foreign_ctx(0), *with = foreign_ctx(0);
    cinch_context *empty = cinch_context_server(NULL);
    char text[CINCH_OPENSSL_DIGEST_TEXT];

    (void)state;
    assert_misuse(NULL, made, "localhost", CINCH_CAUSE_MISUSE);
    assert_misuse(client, NULL, "localhost", CINCH_CAUSE_MISUSE);
    assert_misuse(client, made, "", CINCH_CAUSE_NO_HOST_NAME);
    assert_misuse(client, made, "a b", CINCH_CAUSE_BAD_HOST_NAME);
    assert_misuse(server, made, "localhost", CINCH_CAUSE_MISUSE);
    assert_misuse(empty, made, NULL, CINCH_CAUSE_NO_IDENTITY);
    assert_int_equal(cinch_openssl_remember(made, text, NULL), CINCH_FAILED);
    assert_int_equal(cinch_openssl_remember(NULL, text, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_openssl_apply(client, made, NULL, NULL), CINCH_OK);
    assert_misuse(client, made, NULL, CINCH_CAUSE_MISUSE);

    char *pem = pki_pem_cert(family->good);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(with, x), 1);
    assert_misuse(client, with, NULL, CINCH_CAUSE_MISUSE);
    X509_free(x);
    BIO_free(bio);
    free(pem);

    SSL *ssl = SSL_new(with);
    assert_int_equal(cinch_openssl_explain(ssl, NULL), CINCH_FAILED);
    assert_int_equal(cinch_openssl_explain(NULL, NULL), CINCH_FAILED);
    SSL_free(ssl);
    assert_int_equal(cinch_context_openssl_digest(client, text, sizeof text - 1, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_context_openssl_digest(NULL, text, sizeof text, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_openssl_digest(client, NULL, 100, NULL), CINCH_FAILED);
    SSL_CTX_free(made);
    SSL_CTX_free(with);
    cinch_context_free(empty);
}

static void test_digest(void **state)
{
    char one[CINCH_OPENSSL_DIGEST_TEXT], other[CINCH_OPENSSL_DIGEST_TEXT];
    cinch_context *same = pair_client_context(family->root);

    (void)state;
    assert_int_equal(cinch_context_openssl_digest(client, one, sizeof one, NULL), CINCH_OK);
    assert_int_equal(strlen(one), 64);
    assert_int_equal(cinch_context_openssl_digest(same, other, sizeof other, NULL), CINCH_OK);
    assert_string_equal(one, other);
    assert_int_equal(cinch_context_policy_named(same, "modern", NULL), CINCH_OK);
    assert_int_equal(cinch_context_openssl_digest(same, other, sizeof other, NULL), CINCH_OK);
    assert_string_not_equal(one, other);
    cinch_context_free(same);
}

/* ---- what is kept for later ---- */

static void fail_under(const void *key, const char *host)
{
    foreign f;

    foreign_start(&f, foreign_apply(client, 0, host), 0, server);
    assert_int_equal(cinch_openssl_remember(f.ctx, key, NULL), CINCH_OK);
    assert_false(foreign_handshake(&f));
    foreign_stop(&f);
}

static void test_kept(void **state)
{
    static const char keys[70];
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    fail_under(&keys[0], "other.example");
    fail_under(&keys[1], "192.0.2.1");
    /* The newest under each. */
    fail_under(&keys[1], "192.0.2.2");
    assert_int_equal(cinch_openssl_recall(&keys[2], &err), CINCH_OK);
    assert_int_equal(cinch_openssl_recall(NULL, &err), CINCH_OK);
    assert_false(cinch_error_is_set(&err));
    assert_int_equal(cinch_openssl_recall(&keys[1], &err), CINCH_FAILED);
    assert_non_null(strstr(err.what, "192.0.2.2"));
    cinch_error_clear(&err);
    assert_int_equal(cinch_openssl_recall(&keys[0], &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_WRONG_HOST_NAME);
    /* Once. */
    cinch_error_clear(&err);
    assert_int_equal(cinch_openssl_recall(&keys[0], &err), CINCH_OK);

    /* No more than 64, the oldest goes. */
    for (int i = 0; i < 65; i++)
        fail_under(&keys[i], "other.example");
    assert_int_equal(cinch_openssl_recall(&keys[0], &err), CINCH_OK);
    for (int i = 1; i < 65; i++) {
        cinch_error_clear(&err);
        assert_int_equal(cinch_openssl_recall(&keys[i], &err), CINCH_FAILED);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_contexts, close_contexts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_resumed), TEST(test_not_resumed), TEST(test_session_of_nobody),
        TEST(test_server),  TEST(test_server_asks), TEST(test_wrong_side),
        TEST(test_misfits), TEST(test_misuse),      TEST(test_digest),
        TEST(test_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
