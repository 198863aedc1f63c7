/*
 * Lessons 10, 14, 15 and 18: many hosts behind one address, and many ways to get from one into
 * another. The attacker has a libssl of his own: he keeps the sessions he was given, and asks for the
 * name he likes.
 */
#include "lesson.h"

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

/* ---- servers and those who attack them ---- */

typedef struct hosts {
    cinch_context *server; /* www.example.test, and all that nobody else is */
    cinch_context *open;   /* open.example.test */
    cinch_context *closed; /* closed.example.test: wants client certificates */
    cinch_tickets *ring;   /* one for all of them */
} hosts;

static cinch_context *server_of(hosts *h, cinch_tls_version version)
{
    cinch_context *ctx = pair_server_context(family->good, family->intermediate);

    lesson_limit(ctx, version);
    assert_int_equal(cinch_context_tickets(ctx, h->ring, NULL), CINCH_OK);
    assert_int_equal(cinch_context_session_ids(ctx, 100, NULL), CINCH_OK);
    return ctx;
}

static void open_hosts(hosts *h, cinch_tls_version version)
{
    h->ring = cinch_tickets_new(NULL, NULL);
    h->server = server_of(h, version);
    h->open = server_of(h, version);
    h->closed = server_of(h, version);
    lesson_demand(h->closed, family->root);
    assert_int_equal(cinch_context_host(h->server, "open.example.test", h->open, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(h->server, "closed.example.test", h->closed, NULL),
                     CINCH_OK);
}

static void close_hosts(hosts *h)
{
    cinch_context_free(h->server);
    cinch_context_free(h->open);
    cinch_context_free(h->closed);
    cinch_tickets_free(h->ring);
}

static SSL_SESSION *newest;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

/* With SHOWN a certificate; whatever it is worth. */
static SSL_CTX *attacker(cinch_tls_version version, const pki_cert *shown)
{
    SSL_CTX *ctx = lesson_libssl(0, version);

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    if (shown != NULL)
        lesson_libssl_show(ctx, shown, shown == family->unknown_ca ? NULL : family->intermediate);
    return ctx;
}

/* Asks for NAME with SESSION, NULL for none; what is learned then is in `newest`. */
static lesson_talk ask(SSL_CTX *ctx, cinch_context *server, const char *name, SSL_SESSION *session)
{
    SSL *ssl = SSL_new(ctx);
    cinch_conn *conn = cinch_conn_new(server, NULL, NULL);
    SSL_SESSION *copy = session == NULL ? NULL : SSL_SESSION_dup(session);

    assert_non_null(conn);
    SSL_set_connect_state(ssl);
    if (name != NULL)
        SSL_set_tlsext_host_name(ssl, name);
    if (copy != NULL) {
        SSL_SESSION_set1_hostname(copy, name);
        assert_int_equal(SSL_set_session(ssl, copy), 1);
    }
    SSL_SESSION_free(newest);
    newest = NULL;
    lesson_talk t = lesson_against(conn, ssl);
    if (newest == NULL && t.client.open)
        newest = SSL_get1_session(ssl);
    SSL_SESSION_free(copy);
    /* Else libssl takes the session for a bad one. */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
    SSL_free(ssl);
    cinch_conn_free(conn);
    return t;
}

static SSL_SESSION *steal(SSL_CTX *ctx, cinch_context *server, const char *name)
{
    lesson_talk t = ask(ctx, server, name, NULL);
    SSL_SESSION *session = newest;

    lesson_opened(t);
    newest = NULL;
    assert_non_null(session);
    return session;
}

/* ---- 14: CVE-2025-23419 ---- */

/*
 * One ring for all hosts, which is what made the attack possible elsewhere. The attacker's own session
 * of the open host, and one that a client with a certificate had made there, are offered to the closed
 * one; the session of a good client of the closed host is good there, and nowhere else.
 */
static void test_a_session_of_one_host_is_unknown_to_another(void **state)
{
    static const char *const open_names[] = {"www.example.test", "open.example.test", NULL};

    (void)state;
    EACH_VERSION(version)
    {
        hosts h;
        SSL_CTX *bare = attacker(version, NULL), *with = attacker(version, family->client);

        open_hosts(&h, version);
        for (size_t i = 0; i < 3; i++) {
            SSL_SESSION *mine = steal(bare, h.server, open_names[i]);
            SSL_SESSION *theirs = steal(with, h.server, open_names[i]);
            lesson_talk t = ask(bare, h.server, "closed.example.test", mine);

            lesson_refused(t, THE_SERVER, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
                           version == CINCH_TLS_1_2 ? SSL_AD_HANDSHAKE_FAILURE
                                                    : SSL_AD_CERTIFICATE_REQUIRED);
            t = ask(bare, h.server, "closed.example.test", theirs);
            assert_false(t.server.open || t.server.resumed || t.server.got > 0);
            /* Where it is from, it is good. */
            t = ask(bare, h.server, open_names[i], mine);
            lesson_opened(t);
            assert_true(t.client.resumed && t.server.resumed);
            SSL_SESSION_free(mine);
            SSL_SESSION_free(theirs);
        }
        SSL_SESSION *good = steal(with, h.server, "closed.example.test");
        lesson_talk t = ask(bare, h.server, "closed.example.test", good);
        lesson_opened(t);
        assert_true(t.server.resumed && t.server.verified);
        for (size_t i = 0; i < 3; i++) {
            t = ask(bare, h.server, open_names[i], good);
            lesson_opened(t);
            assert_false(t.server.resumed || t.server.verified);
        }
        /* When the host's rules change, what was made before is worth nothing. */
        assert_int_equal(
            cinch_context_allow(h.closed, CINCH_MATCH_EMAIL, "boss@example.test", NULL), CINCH_OK);
        t = ask(bare, h.server, "closed.example.test", good);
        lesson_refused(t, THE_SERVER, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
                       version == CINCH_TLS_1_2 ? SSL_AD_HANDSHAKE_FAILURE
                                                : SSL_AD_CERTIFICATE_REQUIRED);
        SSL_SESSION_free(good);
        SSL_CTX_free(bare);
        SSL_CTX_free(with);
        close_hosts(&h);
    }
}

/* ---- 15 ---- */

typedef struct chosen {
    cinch_context *ctx;
    int calls;
} chosen;

static cinch_context *choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    chosen *c = arg;

    (void)hello, (void)refuse;
    c->calls++;
    return c->ctx;
}

/* The context that the connection was made from asks nobody; the one that is chosen does. */
static void test_the_chosen_contexts_rule_for_clients_is_in_force(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        hosts h;
        chosen c = {0};
        SSL_CTX *bare = attacker(version, NULL), *bad = attacker(version, family->unknown_ca),
                *good = attacker(version, family->client);
        int missing =
            version == CINCH_TLS_1_2 ? SSL_AD_HANDSHAKE_FAILURE : SSL_AD_CERTIFICATE_REQUIRED;

        open_hosts(&h, version);
        c.ctx = h.closed;
        for (int by_callback = 0; by_callback < 2; by_callback++) {
            /* The callback chooses whatever the name is, and wins over the names. */
            const char *name = by_callback ? "open.example.test" : "closed.example.test";
            lesson_talk t;

            if (by_callback)
                assert_int_equal(cinch_context_choose(h.server, choose, &c, NULL), CINCH_OK);
            t = ask(bare, h.server, name, NULL);
            lesson_refused(t, THE_SERVER, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING, missing);
            t = ask(bad, h.server, name, NULL);
            lesson_refused(t, THE_SERVER, CINCH_CAUSE_UNKNOWN_ISSUER, SSL_AD_UNKNOWN_CA);
            t = ask(good, h.server, name, NULL);
            lesson_opened(t);
            assert_true(t.server.verified);
        }
        assert_int_equal(c.calls, 3);
        /* The other way round: who is sent to the open host is not asked. */
        c.ctx = h.open;
        lesson_demand(h.server, family->root);
        lesson_talk t = ask(bare, h.server, "closed.example.test", NULL);
        lesson_opened(t);
        SSL_CTX_free(bare);
        SSL_CTX_free(bad);
        SSL_CTX_free(good);
        close_hosts(&h);
    }
}

/* ---- 18: ALPACA ---- */

/* The browser says "http/1.1" and is led to a mail server that has a certificate for the name. */
static void test_no_common_protocol_is_the_end(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        cinch_context *browser = pair_client_context(family->root);
        cinch_context *mail = pair_server_context(family->good, family->intermediate);

        lesson_limit(browser, version);
        assert_int_equal(cinch_context_alpn(browser, "h2,http/1.1", NULL), CINCH_OK);
        assert_int_equal(cinch_context_alpn(mail, "smtp,imap", NULL), CINCH_OK);
        lesson_refuses(browser, mail, "localhost", THE_SERVER, CINCH_CAUSE_NO_COMMON_ALPN,
                       SSL_AD_NO_APPLICATION_PROTOCOL);
        assert_int_equal(cinch_context_alpn(mail, "smtp,http/1.1", NULL), CINCH_OK);
        lesson_talk t = lesson_connect(browser, mail, "localhost");
        lesson_opened(t);
        assert_string_equal(t.client.alpn, "http/1.1");
        assert_string_equal(t.server.alpn, "http/1.1");
        /* A browser that says nothing is refused where a protocol is required. */
        cinch_context *silent = pair_client_context(family->root);
        lesson_limit(silent, version);
        lesson_opens(silent, mail, "localhost");
        assert_int_equal(cinch_context_alpn_rule(mail, CINCH_ALPN_REQUIRED, NULL), CINCH_OK);
        lesson_refuses(silent, mail, "localhost", THE_SERVER, CINCH_CAUSE_NO_COMMON_ALPN,
                       SSL_AD_NO_APPLICATION_PROTOCOL);
        cinch_context_free(silent);
        cinch_context_free(browser);
        cinch_context_free(mail);
    }
}

static int answer_with_ftp(SSL *ssl, const unsigned char **out, unsigned char *size,
                           const unsigned char *in, unsigned in_size, void *arg)
{
    (void)ssl, (void)in, (void)in_size, (void)arg;
    *out = (const unsigned char *)"ftp";
    *size = 3;
    return SSL_TLSEXT_ERR_OK;
}

/* And the other end: a server that knows no ALPN, or answers with what was not offered. */
static void test_a_server_with_another_protocol_is_refused(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        for (int answers = 0; answers < 3; answers++) {
            cinch_context *browser = pair_client_context(family->root);
            SSL_CTX *ftp = lesson_libssl(1, version);
            cinch_conn *conn;

            lesson_libssl_show(ftp, family->good, family->intermediate);
            if (answers == 1)
                SSL_CTX_set_alpn_select_cb(ftp, answer_with_ftp, NULL);
            assert_int_equal(cinch_context_alpn(browser, "http/1.1", NULL), CINCH_OK);
            if (answers != 2)
                assert_int_equal(cinch_context_alpn_rule(browser, CINCH_ALPN_REQUIRED, NULL),
                                 CINCH_OK);
            SSL *ssl = SSL_new(ftp);
            SSL_set_accept_state(ssl);
            conn = cinch_conn_new(browser, "localhost", NULL);
            lesson_talk t = lesson_against(conn, ssl);
            /* That nothing was answered is seen when it is too late for an alert. */
            if (answers == 0)
                lesson_refused(t, THE_CLIENT, CINCH_CAUSE_NO_COMMON_ALPN, 0);
            else if (answers == 1)
                lesson_refused(t, THE_CLIENT, CINCH_CAUSE_PROTOCOL, SSL_AD_DECODE_ERROR);
            else
                lesson_opened(t);
            cinch_conn_free(conn);
            SSL_free(ssl);
            SSL_CTX_free(ftp);
            cinch_context_free(browser);
        }
    }
}

static void test_a_name_that_is_not_served_can_be_refused(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        SSL_CTX *any = attacker(version, NULL);
        cinch_context *server = pair_server_context(family->good, family->intermediate);
        lesson_talk t = ask(any, server, "bank.test", NULL);

        lesson_opened(t);
        assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_KNOWN, NULL),
                         CINCH_OK);
        t = ask(any, server, "bank.test", NULL);
        lesson_refused(t, THE_SERVER, CINCH_CAUSE_UNKNOWN_SERVER_NAME, SSL_AD_UNRECOGNIZED_NAME);
        t = ask(any, server, "localhost", NULL);
        lesson_opened(t);
        t = ask(any, server, NULL, NULL);
        lesson_opened(t);
        assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_REQUIRED, NULL),
                         CINCH_OK);
        t = ask(any, server, NULL, NULL);
        lesson_refused(t, THE_SERVER, CINCH_CAUSE_UNKNOWN_SERVER_NAME, SSL_AD_UNRECOGNIZED_NAME);
        t = ask(any, server, "a.example.test", NULL);
        lesson_opened(t);
        SSL_SESSION_free(newest);
        newest = NULL;
        SSL_CTX_free(any);
        cinch_context_free(server);
    }
}

/* ---- 10 ---- */

/* One connection of ours to HOST and PORT, with SESSION if it may; whether that was taken. */
static int connects(cinch_context *client, cinch_context *server, const char *host, int port,
                    cinch_session *session, cinch_session **learned)
{
    pair p = {0};

    pair_start(&p, client, server, host);
    assert_int_equal(cinch_conn_session_port(p.client.conn, port, NULL), CINCH_OK);
    if (session != NULL) {
        cinch_error err = CINCH_ERROR_INIT;

        if (cinch_conn_resume(p.client.conn, session, &err) != CINCH_OK)
            assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    }
    lesson_talk t = lesson_drive(p.client.conn, p.server.conn);
    lesson_opened(t);
    assert_int_equal(t.client.resumed, t.server.resumed);
    if (learned != NULL)
        *learned = cinch_conn_session(p.client.conn, NULL);
    pair_stop(&p);
    return t.client.resumed;
}

/* CVE-2016-5419, CVE-2021-22890: whatever the session was bound to is another thing now. */
static void test_a_session_is_not_resumed_for_anybody_else(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        for (int change = 0; change < 7; change++) {
            hosts h = {.ring = cinch_tickets_new(NULL, NULL)};
            cinch_context *server = server_of(&h, version);
            cinch_context *client = pair_client_context(family->root), *other;
            cinch_session *session = NULL;
            const char *host = change == 1 ? "www.example.test" : "localhost";

            pair_trust(server, family->root);
            assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_OPTIONAL, NULL),
                             CINCH_OK);
            lesson_show(client, family->client, family->intermediate);
            assert_false(connects(client, server, "localhost", 443, NULL, &session));
            assert_non_null(session);
            /* As it was: resumed. */
            assert_true(connects(client, server, "localhost", 443, NULL, NULL));
            other = cinch_context_dup(client, NULL);
            if (change == 2)
                lesson_show(other, family->good, family->intermediate);
            else if (change == 3)
                pair_trust(other, family->other_root);
            else if (change == 4)
                assert_int_equal(
                    cinch_context_policy_named(
                        other, version == CINCH_TLS_1_3 ? "modern" : "cinch-2026", NULL) |
                        cinch_context_alpn(other, "x", NULL),
                    CINCH_OK);
            else if (change == 5)
                assert_int_equal(cinch_context_insecure_skip_name(other, 1, NULL), CINCH_OK);
            else if (change == 6)
                assert_int_equal(cinch_context_verify_depth(other, 2, NULL), CINCH_OK);
            /* By hand, and then with what the very context keeps. */
            if (connects(other, server, host, change == 0 ? 8080 : 443, session, NULL))
                fail_msg("change %d: the session is offered", change);
            assert_int_equal(cinch_context_apply(client, other, NULL), CINCH_OK);
            if (connects(client, server, host, change == 0 ? 8081 : 443, NULL, NULL))
                fail_msg("change %d: the kept session is offered", change);
            cinch_session_free(session);
            cinch_context_free(client);
            cinch_context_free(other);
            cinch_context_free(server);
            cinch_tickets_free(h.ring);
        }
    }
}

/* CVE-2024-0853: the second try after a check that failed must not skip it. */
static void test_a_failed_check_leaves_no_session(void **state)
{
    const struct {
        const pki_cert *leaf;
        cinch_cause cause;
        int alert;
    } bad[] = {
        {family->wrong_name, CINCH_CAUSE_WRONG_HOST_NAME, SSL_AD_BAD_CERTIFICATE},
        {family->expired, CINCH_CAUSE_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED},
        {family->unknown_ca, CINCH_CAUSE_UNKNOWN_ISSUER, SSL_AD_UNKNOWN_CA},
    };

    (void)state;
    EACH_VERSION(version)
    {
        for (size_t i = 0; i < 3; i++) {
            hosts h = {.ring = cinch_tickets_new(NULL, NULL)};
            cinch_context *server = server_of(&h, version);
            cinch_context *client = pair_client_context(family->root);

            lesson_show(server, bad[i].leaf,
                        bad[i].leaf == family->unknown_ca ? NULL : family->intermediate);
            for (int try = 0; try < 3; try++) {
                lesson_refuses(client, server, "localhost", THE_CLIENT, bad[i].cause, bad[i].alert);
                assert_int_equal(cinch_context_session_count(client), 0);
            }
            lesson_show(server, family->good, family->intermediate);
            lesson_opens(client, server, "localhost");
            assert_int_equal(cinch_context_session_count(client), 1);
            cinch_context_free(client);
            cinch_context_free(server);
            cinch_tickets_free(h.ring);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_of_one_host_is_unknown_to_another),
        cmocka_unit_test(test_the_chosen_contexts_rule_for_clients_is_in_force),
        cmocka_unit_test(test_no_common_protocol_is_the_end),
        cmocka_unit_test(test_a_server_with_another_protocol_is_refused),
        cmocka_unit_test(test_a_name_that_is_not_served_can_be_refused),
        cmocka_unit_test(test_a_session_is_not_resumed_for_anybody_else),
        cmocka_unit_test(test_a_failed_check_leaves_no_session),
    };

    return cmocka_run_group_tests_name("lessons: hosts", tests, set_up, tear_down);
}
