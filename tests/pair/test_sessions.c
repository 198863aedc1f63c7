/* Resumption: when it works, and everything that must keep it from working. */
#include "pair.h"
#include "session/ring.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;
static int64_t test_now = 1000000;

static int64_t test_clock(void)
{
    return test_now;
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    cinch_ring_test_clock(test_clock);
    return family == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    cinch_ring_test_clock(NULL);
    return 0;
}

/* What one connection was like. */
typedef struct outcome {
    int resumed;
    int client_verified;
    size_t client_chain;
    int server_verified;
    size_t server_chain;
} outcome;

static void look(const pair_end *end, int *verified, size_t *chain, int *resumed)
{
    cinch_peer *peer = cinch_conn_peer(end->conn, NULL);

    assert_non_null(peer);
    *verified = peer->verified;
    *chain = peer->chain_count;
    *resumed = peer->resumed;
    cinch_peer_free(peer);
}

static outcome finish(pair *p)
{
    outcome o = {0};
    int server_resumed;

    pair_handshake(p);
    (void)cinch_error_report(&p->client.err, stderr);
    (void)cinch_error_report(&p->server.err, stderr);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    /* Data both ways: with TLS 1.3 the ticket comes with it. */
    assert_true(pair_send(p, &p->client, &p->server, "ping", 4));
    assert_true(pair_send(p, &p->server, &p->client, "pong", 4));
    look(&p->client, &o.client_verified, &o.client_chain, &o.resumed);
    look(&p->server, &o.server_verified, &o.server_chain, &server_resumed);
    assert_int_equal(o.resumed, server_resumed);
    assert_int_equal(ERR_peek_error(), 0);
    return o;
}

static outcome talk(cinch_context *client, cinch_context *server, const char *host)
{
    pair p = {0};

    pair_start(&p, client, server, host);
    outcome o = finish(&p);
    pair_stop(&p);
    return o;
}

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

typedef struct ends {
    cinch_context *client;
    cinch_context *server;
} ends;

static ends make_ends(void)
{
    return (ends){pair_client_context(family->root),
                  pair_server_context(family->good, family->intermediate)};
}

static void free_ends(ends *e)
{
    cinch_context_free(e->client);
    cinch_context_free(e->server);
}

static void test_resumes(void **state)
{
    ends e = make_ends();

    (void)state;
    outcome first = talk(e.client, e.server, "localhost");
    assert_false(first.resumed);
    assert_int_equal(cinch_context_session_count(e.client), 1);
    for (int i = 0; i < 5; i++) {
        outcome next = talk(e.client, e.server, "localhost");

        assert_true(next.resumed);
        assert_true(next.client_verified);
        assert_int_equal(next.client_chain, 3);
        /* Used once, and renewed with each connection. */
        assert_int_equal(cinch_context_session_count(e.client), 1);
    }
    free_ends(&e);
}

static void test_used_once(void **state)
{
    ends e = make_ends();
    pair a = {0}, b = {0};

    (void)state;
    (void)talk(e.client, e.server, "localhost");
    pair_start(&a, e.client, e.server, "localhost");
    pair_start(&b, e.client, e.server, "localhost");
    outcome first = finish(&a), second = finish(&b);
    assert_int_equal(first.resumed + second.resumed, 2 - 1 + (first.resumed && second.resumed));
    /* One ticket was there; the second connection may only use what the first was given. */
    assert_true(first.resumed);
    pair_stop(&a);
    pair_stop(&b);
    free_ends(&e);
}

/* Each change on either side makes the sessions from before unusable. */
static void set_alpn(ends *e)
{
    assert_int_equal(cinch_context_alpn(e->client, "h2", NULL), CINCH_OK);
}
static void set_policy(ends *e)
{
    limit(e->client, CINCH_TLS_1_3);
}
static void set_trust(ends *e)
{
    pair_trust(e->client, family->other_root);
}
static void set_identity(ends *e)
{
    cinch_identity *identity = pair_identity(family->client, family->intermediate);

    assert_int_equal(cinch_context_identity(e->client, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
}
static void set_off(ends *e)
{
    assert_int_equal(cinch_context_resumption(e->client, 0, NULL), CINCH_OK);
}
static void set_server_off(ends *e)
{
    assert_int_equal(cinch_context_resumption(e->server, 0, NULL), CINCH_OK);
}
static void set_server_policy(ends *e)
{
    limit(e->server, CINCH_TLS_1_3);
}
static void set_server_auth(ends *e)
{
    pair_trust(e->server, family->root);
    assert_int_equal(cinch_context_client_auth(e->server, CINCH_CLIENT_AUTH_OPTIONAL, NULL),
                     CINCH_OK);
}
static void forget(ends *e)
{
    assert_int_equal(cinch_context_session_forget(e->client, NULL), CINCH_OK);
}

static void test_bound_to_settings(void **state)
{
    static void (*const changes[])(ends *) = {set_alpn,          set_policy,      set_trust,
                                              set_identity,      set_off,         set_server_off,
                                              set_server_policy, set_server_auth, forget};

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ends e = make_ends();

        (void)talk(e.client, e.server, "localhost");
        assert_true(talk(e.client, e.server, "localhost").resumed);
        changes[i](&e);
        assert_false(talk(e.client, e.server, "localhost").resumed);
        free_ends(&e);
    }
}

static void test_bound_to_host(void **state)
{
    ends e = make_ends();

    (void)state;
    (void)talk(e.client, e.server, "localhost");
    assert_false(talk(e.client, e.server, "www.example.test").resumed);
    assert_true(talk(e.client, e.server, "localhost").resumed);
    for (int port = 1; port < 3; port++) {
        pair p = {0};

        pair_start(&p, e.client, e.server, "localhost");
        assert_int_equal(cinch_conn_session_port(p.client.conn, port, NULL), CINCH_OK);
        assert_false(finish(&p).resumed);
        pair_stop(&p);
    }
    free_ends(&e);
}

/* Tickets of one context are unknown to another, unless both share a ring and the rules. */
static void test_shared_ring(void **state)
{
    ends a = make_ends(), b = make_ends();
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    (void)talk(a.client, a.server, "localhost");
    assert_false(talk(a.client, b.server, "localhost").resumed);
    assert_int_equal(cinch_context_tickets(a.server, ring, NULL), CINCH_OK);
    assert_int_equal(cinch_context_tickets(b.server, ring, NULL), CINCH_OK);
    (void)talk(a.client, a.server, "localhost");
    assert_true(talk(a.client, b.server, "localhost").resumed);
    set_server_auth(&b);
    assert_false(talk(a.client, b.server, "localhost").resumed);
    cinch_tickets_free(ring);
    free_ends(&a);
    free_ends(&b);
}

/* The attack of CVE-2025-23419: a session of an open host for one that wants client certificates. */
static void test_other_host(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ends open = make_ends(), closed = make_ends();
        pair p = {0};

        limit(open.server, versions[i]);
        limit(closed.server, versions[i]);
        assert_int_equal(cinch_context_tickets(open.server, ring, NULL), CINCH_OK);
        assert_int_equal(cinch_context_tickets(closed.server, ring, NULL), CINCH_OK);
        assert_int_equal(cinch_context_session_ids(open.server, 10, NULL), CINCH_OK);
        assert_int_equal(cinch_context_session_ids(closed.server, 10, NULL), CINCH_OK);
        pair_trust(closed.server, family->root);
        assert_int_equal(cinch_context_client_auth(closed.server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                         CINCH_OK);
        (void)talk(open.client, open.server, "localhost");
        assert_true(talk(open.client, open.server, "localhost").resumed);
        pair_start(&p, open.client, closed.server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.server.status, CINCH_FAILED);
        assert_int_equal(p.server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
        pair_stop(&p);
        free_ends(&open);
        free_ends(&closed);
    }
    cinch_tickets_free(ring);
}

static void test_tls_1_2(void **state)
{
    ends e = make_ends();

    (void)state;
    limit(e.server, CINCH_TLS_1_2);
    (void)talk(e.client, e.server, "localhost");
    assert_int_equal(cinch_context_session_count(e.client), 0);
    assert_false(talk(e.client, e.server, "localhost").resumed);
    assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
    (void)talk(e.client, e.server, "localhost");
    for (int i = 0; i < 3; i++) {
        outcome o = talk(e.client, e.server, "localhost");

        assert_true(o.resumed);
        assert_true(o.client_verified);
        assert_int_equal(o.client_chain, 3);
    }
    free_ends(&e);
}

/* A client that was verified stays verified, with its chain. */
static void test_client_certificate(void **state)
{
    static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ends e = make_ends();

        limit(e.server, versions[i]);
        set_identity(&e);
        pair_trust(e.server, family->root);
        assert_int_equal(cinch_context_client_auth(e.server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                         CINCH_OK);
        assert_int_equal(cinch_context_session_ids(e.server, 10, NULL), CINCH_OK);
        outcome first = talk(e.client, e.server, "localhost");
        assert_false(first.resumed);
        assert_true(first.server_verified);
        for (int k = 0; k < 3; k++) {
            outcome next = talk(e.client, e.server, "localhost");

            assert_true(next.resumed);
            assert_true(next.server_verified);
            assert_int_equal(next.server_chain, 3);
        }
        free_ends(&e);
    }
}

/* Whether the LENGTH bytes at NEEDLE are anywhere in the ring's memory. */
static int in_memory(const cinch_tickets *ring, const unsigned char *needle, size_t length)
{
    size_t size;
    const unsigned char *memory = cinch_ring_test_memory(ring, &size);

    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(memory + i, needle, length) == 0)
            return 1;
    return 0;
}

/* The last 16 bytes of what came into the ring's memory since it was EMPTY: a secret, or keys from it. */
static void find_secret(const cinch_tickets *before, const unsigned char *empty,
                        unsigned char secret[16])
{
    size_t size;
    const unsigned char *memory = cinch_ring_test_memory(before, &size);
    size_t best = 0, run = 0;

    /* The longest run of bytes that changed from zero is the random part. */
    for (size_t i = 0, length = 0; i < size; i++) {
        length = memory[i] != empty[i] ? length + 1 : 0;
        if (length > run) {
            run = length;
            best = i + 1 - length;
        }
    }
    assert_true(run >= 16);
    memcpy(secret, memory + best + run - 16, 16);
}

static void test_window(void **state)
{
    const cinch_ticket_windows windows = {
        .rotation = 10, .lifetime = 20, .lead = 5, .tolerance = 1};
    cinch_tickets *ring = cinch_tickets_new(&windows, NULL);
    ends e = make_ends();
    unsigned char empty[4096] = {0}, secret[16], keys[16];
    size_t size;

    (void)state;
    assert_int_equal(cinch_context_tickets(e.server, ring, NULL), CINCH_OK);
    const void *memory = cinch_ring_test_memory(ring, &size);
    assert_true(size <= sizeof empty);
    memcpy(empty, memory, size);
    cinch_ring_test_turn(ring);
    find_secret(ring, empty, secret);
    memcpy(empty, memory, size);
    (void)talk(e.client, e.server, "localhost");
    find_secret(ring, empty, keys);
    /* use_at + rotation + lead + lifetime + tolerance = 36: until then it opens. */
    test_now += 35;
    assert_true(in_memory(ring, secret, sizeof secret));
    assert_true(in_memory(ring, keys, sizeof keys));
    assert_true(talk(e.client, e.server, "localhost").resumed);
    assert_int_equal(cinch_context_session_forget(e.client, NULL), CINCH_OK);
    (void)talk(e.client, e.server, "localhost");
    /* The timer does the same by itself; here a turn by hand stands for it. */
    test_now += 40;
    cinch_ring_test_turn(ring);
    assert_false(in_memory(ring, secret, sizeof secret));
    assert_false(in_memory(ring, keys, sizeof keys));
    assert_false(talk(e.client, e.server, "localhost").resumed);
    cinch_tickets_free(ring);
    free_ends(&e);
}

static void test_rotate(void **state)
{
    ends e = make_ends();
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);
    cinch_ticket_key keys[16];
    size_t count;

    (void)state;
    assert_int_equal(cinch_context_tickets(e.server, ring, NULL), CINCH_OK);
    (void)talk(e.client, e.server, "localhost");
    test_now += 1;
    assert_int_equal(cinch_tickets_rotate(ring, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_tickets_look(ring, keys, 16, &count, NULL), CINCH_OK);
    assert_int_equal(count, 2);
    assert_true(talk(e.client, e.server, "localhost").resumed);
    test_now += 1;
    assert_int_equal(cinch_tickets_rotate(ring, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_tickets_look(ring, keys, 16, &count, NULL), CINCH_OK);
    assert_int_equal(count, 1);
    assert_false(talk(e.client, e.server, "localhost").resumed);
    cinch_tickets_free(ring);
    free_ends(&e);
}

static void test_bad_windows(void **state)
{
    static const cinch_ticket_windows bad[] = {
        {.rotation = -1},    {.rotation = 3600, .lead = 3601},  {.rotation = 86400},
        {.lifetime = 90000}, {.rotation = 1, .lifetime = 3600}, {.rotation = 10, .tolerance = 9},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        assert_null(cinch_tickets_new(&bad[i], &err));
        assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    }
}

static void test_export(void **state)
{
    ends e = make_ends();
    unsigned char bytes[16384];
    pair p = {0};
    size_t n;

    (void)state;
    pair_start(&p, e.client, e.server, "localhost");
    (void)finish(&p);
    cinch_session *session = cinch_conn_session(p.client.conn, NULL);
    assert_non_null(session);
    assert_int_equal(cinch_session_export(session, NULL, 0, &n, NULL), CINCH_OK);
    assert_true(n > 0 && n <= sizeof bytes);
    assert_int_equal(cinch_session_export(session, bytes, n - 1, &n, NULL), CINCH_FAILED);
    assert_int_equal(cinch_session_export(session, bytes, sizeof bytes, &n, NULL), CINCH_OK);
    cinch_session_free(session);
    pair_stop(&p);
    assert_int_equal(cinch_context_session_forget(e.client, NULL), CINCH_OK);

    /* Every damaged or shortened form is refused or at worst not accepted; none crashes. */
    for (size_t cut = 0; cut < n; cut += 7)
        assert_null(cinch_session_import(bytes, cut, NULL));
    session = cinch_session_import(bytes, n, NULL);
    assert_non_null(session);
    pair_start(&p, e.client, e.server, "www.example.test");
    assert_int_equal(cinch_conn_resume(p.client.conn, session, NULL), CINCH_FAILED);
    pair_stop(&p);
    pair_start(&p, e.client, e.server, "localhost");
    assert_int_equal(cinch_conn_resume(p.client.conn, session, NULL), CINCH_OK);
    outcome o = finish(&p);
    assert_true(o.resumed);
    assert_true(o.client_verified);
    assert_int_equal(o.client_chain, 3);
    pair_stop(&p);
    set_trust(&e);
    pair_start(&p, e.client, e.server, "localhost");
    assert_int_equal(cinch_conn_resume(p.client.conn, session, NULL), CINCH_FAILED);
    pair_stop(&p);
    cinch_session_free(session);
    free_ends(&e);
}

/*
 * The wait status of a child that resumes. The ring's timer is a thread of its own, and an address
 * sanitizer's allocator may be locked by it at the moment of the fork: such a child is tried again.
 */
static int resumed_in_child(const ends *e)
{
    int status = -1;

    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)alarm(30);
            _exit(talk(e->client, e->server, "localhost").resumed ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM)
            break;
    }
    return status;
}

/* A worker that was forked opens what its parent issued, and the other way round. */
static void test_fork(void **state)
{
    ends e = make_ends();
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_context_tickets(e.server, ring, NULL), CINCH_OK);
    (void)talk(e.client, e.server, "localhost");
    assert_int_equal(resumed_in_child(&e), 0);
    assert_true(talk(e.client, e.server, "localhost").resumed);
    cinch_tickets_free(ring);
    free_ends(&e);
}

static void test_limit(void **state)
{
    static const char *const hosts[] = {"localhost", "a.example.test", "b.example.test",
                                        "c.example.test"};
    ends e = make_ends();

    (void)state;
    assert_int_equal(cinch_context_session_limit(e.client, 100001, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_session_limit(e.client, 0, NULL), CINCH_OK);
    for (size_t i = 0; i < 2; i++)
        assert_false(talk(e.client, e.server, hosts[0]).resumed);
    assert_int_equal(cinch_context_session_count(e.client), 0);
    assert_int_equal(cinch_context_session_limit(e.client, 2, NULL), CINCH_OK);
    for (size_t i = 0; i < 4; i++)
        (void)talk(e.client, e.server, hosts[i]);
    assert_int_equal(cinch_context_session_count(e.client), 2);
    assert_true(talk(e.client, e.server, hosts[3]).resumed);
    assert_false(talk(e.client, e.server, hosts[0]).resumed);
    free_ends(&e);
}

/* A failed check leaves no session behind (CVE-2024-0853). */
static void test_no_session_after_failure(void **state)
{
    ends e = make_ends();
    pair p = {0};
    char byte;
    size_t n;

    (void)state;
    pair_start(&p, e.client, e.server, "elsewhere.test");
    pair_handshake(&p);
    assert_int_equal(p.client.status, CINCH_FAILED);
    pair_move(&p);
    assert_int_equal(cinch_conn_read(p.client.conn, &byte, 1, &n, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_session_count(e.client), 0);
    assert_null(cinch_conn_session(p.client.conn, NULL));
    pair_stop(&p);
    free_ends(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resumes),
        cmocka_unit_test(test_used_once),
        cmocka_unit_test(test_bound_to_settings),
        cmocka_unit_test(test_bound_to_host),
        cmocka_unit_test(test_shared_ring),
        cmocka_unit_test(test_other_host),
        cmocka_unit_test(test_tls_1_2),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_rotate),
        cmocka_unit_test(test_bad_windows),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_session_after_failure),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
