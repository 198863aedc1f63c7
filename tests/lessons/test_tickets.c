/*
 * Lessons 11 and 16: tickets. Those that arrive late, when nobody is at home any more, and the secrets
 * that open them: from the very first, and not for longer than they may live.
 */
/* RAND_METHOD is the way to have bad randomness. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lesson.h"
#include "session/ring_inside.h"

#include <openssl/rand.h>
#include <sys/wait.h>
#include <unistd.h>

static pki_family *family;
static int64_t now = 5000000;

static int64_t test_clock(void)
{
    return now;
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    cinch_ring_test_clock(test_clock);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_ring_test_clock(NULL);
    pki_family_free(family);
    return 0;
}

/* ---- 11: CVE-2021-22901 ---- */

/* How far the ticket has come when the freeing begins. */
enum {
    NOT_SENT,
    IN_THE_SERVER,
    IN_THE_CLIENT,
    READ,
    PLACES,
    RESUMED_1_2
};

/* The five that are freed, and the one that is left does what it can meanwhile. */
typedef struct five {
    cinch_context *client_context;
    cinch_context *server_context;
    pair p;
    cinch_session *session;
} five;

static void carry(five *f, int place)
{
    char buf[8];
    size_t n;

    pair_start(&f->p, f->client_context, f->server_context, "localhost");
    pair_handshake(&f->p);
    assert_int_equal(f->p.client.status, CINCH_OK);
    assert_int_equal(f->p.server.status, CINCH_OK);
    if (place == NOT_SENT)
        return;
    assert_int_equal(cinch_conn_write(f->p.server.conn, "late", 4, &n, NULL), CINCH_OK);
    if (place == IN_THE_SERVER)
        return;
    pair_move(&f->p);
    if (place == IN_THE_CLIENT)
        return;
    assert_int_equal(cinch_conn_read(f->p.client.conn, buf, sizeof buf, &n, NULL), CINCH_OK);
    f->session = cinch_conn_session(f->p.client.conn, NULL);
    /* A session of TLS 1.2 that was resumed stays the same one. */
    assert_true(f->session != NULL || place == RESUMED_1_2);
}

/* As far as both ends are there, the ticket goes on its way. */
static void go_on(five *f)
{
    char buf[8];
    size_t n = 0;

    if (f->p.client.conn != NULL && f->p.server.conn != NULL) {
        (void)!cinch_conn_write(f->p.server.conn, "more", 4, &n, NULL);
        pair_move(&f->p);
    }
    if (f->p.client.conn != NULL) {
        (void)!cinch_conn_read(f->p.client.conn, buf, sizeof buf, &n, NULL);
        cinch_session_free(cinch_conn_session(f->p.client.conn, NULL));
    }
    if (f->client_context != NULL)
        (void)cinch_context_session_count(f->client_context);
    if (f->session != NULL)
        assert_int_equal(cinch_session_export(f->session, NULL, 0, &n, NULL), CINCH_OK);
}

static void free_one(five *f, int which)
{
    if (which == 0)
        cinch_context_free(f->client_context), f->client_context = NULL;
    else if (which == 1)
        cinch_context_free(f->server_context), f->server_context = NULL;
    else if (which == 2)
        cinch_conn_free(f->p.client.conn), f->p.client.conn = NULL;
    else if (which == 3)
        cinch_conn_free(f->p.server.conn), f->p.server.conn = NULL;
    else
        cinch_session_free(f->session), f->session = NULL;
}

/* All 120 orders, with the ticket at every place, by the address sanitizer's grace. */
static void test_a_late_ticket_touches_nothing_that_is_gone(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        for (int order = 0; order < 120; order++) {
            int left[5] = {0, 1, 2, 3, 4}, count = 5, number = order;
            five f = {.client_context = pair_client_context(family->root),
                      .server_context = pair_server_context(family->good, family->intermediate)};

            lesson_limit(f.server_context, version);
            assert_int_equal(cinch_context_session_ids(f.server_context, 10, NULL), CINCH_OK);
            /* A session to resume, so that one is replaced as well. */
            lesson_opens(f.client_context, f.server_context, "localhost");
            assert_int_equal(cinch_context_session_count(f.client_context), 1);
            carry(&f, version == CINCH_TLS_1_2 ? RESUMED_1_2 : order % PLACES);
            for (; count > 0; count--) {
                int at = number % count;

                number /= count;
                free_one(&f, left[at]);
                left[at] = left[count - 1];
                go_on(&f);
            }
        }
    }
}

/* Its context is gone, the connection is not: the ticket that comes then can still be used. */
static void test_a_ticket_outlives_the_context_that_it_came_to(void **state)
{
    five f = {.client_context = pair_client_context(family->root),
              .server_context = pair_server_context(family->good, family->intermediate)};
    cinch_context *again = cinch_context_dup(f.client_context, NULL);
    pair p = {0};

    (void)state;
    lesson_limit(f.server_context, CINCH_TLS_1_3);
    pair_start(&f.p, f.client_context, f.server_context, "localhost");
    cinch_context_free(f.client_context);
    lesson_talk t = lesson_drive(f.p.client.conn, f.p.server.conn);
    lesson_opened(t);
    f.session = cinch_conn_session(f.p.client.conn, NULL);
    pair_stop(&f.p);
    pair_start(&p, again, f.server_context, "localhost");
    assert_int_equal(cinch_conn_resume(p.client.conn, f.session, NULL), CINCH_OK);
    cinch_session_free(f.session);
    t = lesson_drive(p.client.conn, p.server.conn);
    lesson_opened(t);
    assert_true(t.client.resumed && t.client.verified);
    pair_stop(&p);
    cinch_context_free(again);
    cinch_context_free(f.server_context);
}

/* ---- 16: CVE-2020-13777 ---- */

static SSL_SESSION *newest;
static int tickets;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    const unsigned char *ticket;
    size_t size;

    (void)ssl;
    SSL_SESSION_get0_ticket(session, &ticket, &size);
    tickets += size > 0;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

/* One connection by libssl, with SESSION; what it is given is in `newest`. */
static lesson_talk ask(cinch_context *server, cinch_tls_version version, SSL_SESSION *session)
{
    SSL_CTX *ctx = lesson_libssl(0, version);
    SSL *ssl = SSL_new(ctx);
    cinch_conn *conn = cinch_conn_new(server, NULL, NULL);
    SSL_SESSION *copy = session == NULL ? NULL : SSL_SESSION_dup(session);

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_set_connect_state(ssl);
    if (copy != NULL)
        assert_int_equal(SSL_set_session(ssl, copy), 1);
    tickets = 0;
    lesson_talk t = lesson_against(conn, ssl);
    lesson_opened(t);
    SSL_SESSION_free(copy);
    /* Else libssl takes the session for a bad one. */
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    cinch_conn_free(conn);
    return t;
}

static SSL_SESSION *take(cinch_context *server)
{
    SSL_SESSION *session;

    (void)ask(server, CINCH_TLS_1_3, NULL);
    session = newest;
    newest = NULL;
    assert_int_equal(tickets, 1);
    return session;
}

static int resumes(cinch_context *server, SSL_SESSION *session)
{
    return ask(server, CINCH_TLS_1_3, session).server.resumed;
}

static int no_random;

static int zeros(unsigned char *buf, int size)
{
    memset(buf, 0, (size_t)size);
    return no_random == 1;
}

/* How many secrets there are while randomness is all zero (1) or refused (0). */
static size_t secrets_without_random(int how, cinch_tickets *ring)
{
    const RAND_METHOD *before = RAND_get_rand_method();
    RAND_METHOD method = *before;
    cinch_ticket_key keys[4];
    size_t count = 9;

    no_random = how;
    method.bytes = method.pseudorand = zeros;
    assert_int_equal(RAND_set_rand_method(&method), 1);
    cinch_status status = cinch_tickets_look(ring, keys, 4, &count, NULL);
    assert_int_equal(RAND_set_rand_method(before), 1);
    assert_int_equal(status, CINCH_OK);
    return count;
}

/* A secret of zeros, which everybody knows, is none: better no ticket. The first is a real one. */
static void test_no_ticket_before_there_is_a_real_secret(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++) {
        cinch_tickets *ring = cinch_tickets_new(NULL, NULL);
        cinch_context *server = pair_server_context(family->good, family->intermediate);
        cinch_ticket_key keys[4];
        size_t count;

        assert_int_equal(secrets_without_random(how, ring), 0);
        assert_int_equal(cinch_context_tickets(server, ring, NULL), CINCH_OK);
        SSL_SESSION *session = take(server);
        assert_true(resumes(server, session));
        assert_int_equal(cinch_tickets_look(ring, keys, 4, &count, NULL), CINCH_OK);
        assert_int_equal(count, 1);
        SSL_SESSION_free(session);
        cinch_context_free(server);
        cinch_tickets_free(ring);
    }
}

/* Two servers that have just been started with the same settings do not know each other's. */
static void test_no_two_rings_have_the_same_secret(void **state)
{
    cinch_context *a = pair_server_context(family->good, family->intermediate);
    cinch_context *b = pair_server_context(family->good, family->intermediate);
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);
    cinch_ticket_key keys[40];
    size_t total = 0, count;

    (void)state;
    SSL_SESSION *session = take(a);
    assert_false(resumes(b, session));
    assert_true(resumes(a, session));
    SSL_SESSION_free(session);
    for (int i = 0; i < 20; i++) {
        now++;
        assert_int_equal(cinch_tickets_rotate(ring, 1, NULL), CINCH_OK);
        assert_int_equal(cinch_tickets_look(ring, keys + total, 1, &count, NULL), CINCH_OK);
        assert_int_equal(count, 1);
        for (size_t k = 0; k < total; k++)
            assert_memory_not_equal(keys[k].name, keys[total].name, sizeof keys[k].name);
        total++;
    }
    cinch_tickets_free(ring);
    cinch_context_free(a);
    cinch_context_free(b);
}

/* A ticket that was recorded is worth nothing after its time, nor after a leak was answered. */
static void test_old_secrets_open_nothing_and_are_gone(void **state)
{
    const cinch_ticket_windows windows = {
        .rotation = 100, .lifetime = 200, .lead = 50, .tolerance = 1};
    cinch_tickets *ring = cinch_tickets_new(&windows, NULL);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_ticket_key first, keys[16];
    size_t count;

    (void)state;
    assert_int_equal(cinch_context_tickets(server, ring, NULL), CINCH_OK);
    SSL_SESSION *session = take(server);
    assert_int_equal(cinch_tickets_look(ring, &first, 1, &count, NULL), CINCH_OK);
    now += 199;
    assert_true(resumes(server, session));
    now += 200;
    assert_false(resumes(server, session));
    assert_int_equal(cinch_tickets_look(ring, keys, 16, &count, NULL), CINCH_OK);
    for (size_t i = 0; i < count; i++)
        assert_memory_not_equal(keys[i].name, first.name, sizeof first.name);
    SSL_SESSION_free(session);
    /* At once, if it has to be. */
    now += 1;
    session = take(server);
    assert_true(resumes(server, session));
    now += 1;
    assert_int_equal(cinch_tickets_rotate(ring, 0, NULL), CINCH_OK);
    assert_true(resumes(server, session));
    assert_int_equal(cinch_tickets_rotate(ring, 1, NULL), CINCH_OK);
    assert_false(resumes(server, session));
    SSL_SESSION_free(session);
    cinch_context_free(server);
    cinch_tickets_free(ring);
}

/* A worker that dies while it keeps what it derived: nobody would know of these keys, and wipe them. */
static void test_a_worker_that_dies_leaves_no_keys(void **state)
{
    static const unsigned char digest[32] = {7};
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);
    cinch_ticket_keys keys, again;
    const cinch_ring_shared *shared = ring->shared;
    int result = 0;

    (void)state;
    assert_int_equal(cinch_ring_issue(ring, digest, &keys), 1);
    pid_t worker = fork();
    assert_int_not_equal(worker, -1);
    if (worker == 0) {
        if (!cinch_ring_lock(ring->shared))
            _exit(1);
        ring->shared->kept[1].used = 0;
        memset(&ring->shared->kept[1].keys, 'k', sizeof keys);
        _exit(0);
    }
    assert_int_equal(waitpid(worker, &result, 0), worker);
    assert_int_equal(result, 0);
    cinch_ring_test_turn(ring);
    assert_int_equal(shared->kept[1].keys.mac[31], 0);
    assert_int_equal(shared->kept[1].keys.cipher[0], 0);
    /* They are derived once more, and are the same. */
    assert_int_equal(cinch_ring_issue(ring, digest, &again), 1);
    assert_memory_equal(&again, &keys, sizeof keys);
    cinch_tickets_free(ring);
}

/* TLS 1.2 tickets carry the keys of what was recorded: nobody gets one, asked for or not. */
static void test_no_tickets_for_tls_1_2(void **state)
{
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    for (int ids = 0; ids < 2; ids++) {
        assert_int_equal(cinch_context_session_ids(server, ids ? 10 : 0, NULL), CINCH_OK);
        (void)ask(server, CINCH_TLS_1_2, NULL);
        assert_int_equal(tickets, 0);
    }
    (void)ask(server, CINCH_TLS_1_3, NULL);
    assert_int_equal(tickets, 1);
    SSL_SESSION_free(newest);
    newest = NULL;
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_late_ticket_touches_nothing_that_is_gone),
        cmocka_unit_test(test_a_ticket_outlives_the_context_that_it_came_to),
        cmocka_unit_test(test_no_ticket_before_there_is_a_real_secret),
        cmocka_unit_test(test_no_two_rings_have_the_same_secret),
        cmocka_unit_test(test_old_secrets_open_nothing_and_are_gone),
        cmocka_unit_test(test_a_worker_that_dies_leaves_no_keys),
        cmocka_unit_test(test_no_tickets_for_tls_1_2),
    };

    return cmocka_run_group_tests_name("lessons: tickets", tests, set_up, tear_down);
}
