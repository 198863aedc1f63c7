/*
 * Lessons 7 and 22: settings that are changed while they are in use, and that are put together. What the attacker's server and his client are refused for does not depend on any of it.
 */
#include "lesson.h"
#include "pki_ocsp.h"

#include <cinch/cinch.h>
#include <pthread.h>
#include <stdatomic.h>

static pki_family *family;
static pki_cert *renewed;
static char *dir, *root_pem, *other_pem, *list_pem, *root_path, *list_path, *identity_path,
    *response_path, pin[65], reserve[65];

static char *keep(const char *name, const void *bytes, size_t size)
{
    char *path = pki_path(dir, name, "");

    assert_true(pki_write_bytes(path, bytes, size, 0600));
    return path;
}

/* Files of every kind, and the root where `openssl rehash` would put it. */
static int set_up(void **state)
{
    size_t size;
    char name[32];

    (void)state;
    family = pki_family_new();
    renewed = pki_make(&(pki_spec){.cn = "renewed"}, family->intermediate);
    dir = pki_tmpdir();
    root_pem = pki_pem_cert(family->root);
    other_pem = pki_pem_cert(family->intermediate);
    list_pem = pki_crl(family->intermediate, NULL);
    root_path = keep("root.pem", root_pem, strlen(root_pem));
    list_path = keep("list.pem", list_pem, strlen(list_pem));
    snprintf(name, sizeof name, "%08lx.0", X509_subject_name_hash(family->root->cert));
    free(keep(name, root_pem, strlen(root_pem)));
    char *key = pki_pem_key(family->good, NULL), *cert = pki_pem_cert(family->good);
    char *all = pki_pem_concat(key, cert, other_pem, (char *)NULL);
    identity_path = keep("identity.pem", all, strlen(all));
    unsigned char *response =
        pki_ocsp(family->good, family->intermediate, &(pki_ocsp_spec){0}, &size);
    response_path = keep("response.der", response, size);
    cinch_identity *identity = pair_identity(family->good, family->intermediate);
    for (size_t i = 0; i < 32; i++)
        snprintf(pin + 2 * i, 3, "%02x", cinch_identity_certificate(identity, 1)->spki_sha256[i]);
    memset(reserve, 'b', 64);
    cinch_identity_free(identity);
    free(key), free(cert), free(all), free(response);
    /* The system's anchors are the root as well, before there are threads. */
    return setenv("SSL_CERT_FILE", root_path, 1);
}

static int tear_down(void **state)
{
    (void)state;
    free(root_pem), free(other_pem), free(list_pem), free(root_path), free(list_path);
    free(identity_path), free(response_path);
    pki_rmtree(dir);
    pki_free(renewed);
    pki_family_free(family);
    return unsetenv("SSL_CERT_FILE");
}

/* ---- what can be set ---- */

/* Every setter that does not weaken, in the one of two ways that TURN says; none locks everybody out. */
typedef void (*setting)(cinch_context *ctx, int turn);

static int let_in(cinch_certificate *const *chain, size_t count, char *why, size_t size, void *arg)
{
    (void)chain, (void)why, (void)size, (void)arg;
    return count > 0;
}

static cinch_context *choose_nobody(const cinch_client_hello *hello, int *refuse, void *arg)
{
    (void)hello, (void)refuse, (void)arg;
    return NULL;
}

static size_t no_secret(const char *identity, unsigned char *key, size_t size, void *arg)
{
    (void)identity, (void)key, (void)size, (void)arg;
    return 0;
}

static void set_alpn(cinch_context *ctx, int turn)
{
    (void)cinch_context_alpn(ctx, turn ? "h2,x" : "x", NULL);
    (void)cinch_context_npn(ctx, turn ? "y" : NULL, NULL);
}
static void set_alpn_rule(cinch_context *ctx, int turn)
{
    (void)cinch_context_alpn_rule(ctx, turn ? CINCH_ALPN_OPTIONAL : CINCH_ALPN_OVERLAP, NULL);
}
static void set_depth(cinch_context *ctx, int turn)
{
    (void)cinch_context_verify_depth(ctx, turn ? 3 : 100, NULL);
}
static void set_partial(cinch_context *ctx, int turn)
{
    (void)cinch_context_partial_chain(ctx, turn, NULL);
}
static void set_name_rule(cinch_context *ctx, int turn)
{
    (void)cinch_context_server_name_rule(
        ctx, turn ? CINCH_SERVER_NAME_KNOWN : CINCH_SERVER_NAME_ANY, NULL);
}
static void set_send_name(cinch_context *ctx, int turn)
{
    (void)cinch_context_send_server_name(ctx, turn, NULL);
}
static void set_trust(cinch_context *ctx, int turn)
{
    (void)cinch_context_trust_pem(ctx, turn ? root_pem : other_pem,
                                  strlen(turn ? root_pem : other_pem), NULL);
    (void)cinch_context_trust_file(ctx, root_path, NULL);
}
static void set_directories(cinch_context *ctx, int turn)
{
    (void)cinch_context_trust_dir(ctx, dir, NULL);
    if (turn)
        (void)cinch_context_trust_system(ctx, NULL);
    else
        (void)cinch_context_crl_dir(ctx, dir, NULL);
}
static void set_crl(cinch_context *ctx, int turn)
{
    (void)cinch_context_crl_pem(ctx, list_pem, strlen(list_pem), NULL);
    (void)cinch_context_crl_file(ctx, list_path, NULL);
    (void)cinch_context_crl_rule(ctx, turn ? CINCH_CRL_LEAF : CINCH_CRL_SOFT, NULL);
}
static void set_ocsp(cinch_context *ctx, int turn)
{
    (void)cinch_context_ocsp_require(ctx, 0, NULL);
    (void)cinch_context_ocsp_file(ctx, turn ? response_path : NULL, NULL);
}
static void set_identity(cinch_context *ctx, int turn)
{
    cinch_identity *identity = turn ? pair_identity(family->good, family->intermediate)
                                    : pair_identity(renewed, family->intermediate);

    (void)cinch_context_identity(ctx, identity, NULL);
    (void)cinch_context_add_identity(ctx, identity, NULL);
    if (turn) {
        (void)cinch_context_identity_file(ctx, identity_path, NULL, NULL);
        (void)cinch_context_add_identity_file(ctx, identity_path, NULL, NULL);
    }
    cinch_identity_free(identity);
}
static void set_policy(cinch_context *ctx, int turn)
{
    cinch_policy *policy = cinch_policy_new("default", NULL);

    (void)cinch_policy_server_preference(policy, turn, NULL);
    (void)cinch_context_policy(ctx, policy, NULL);
    cinch_policy_free(policy);
}
static void set_policy_named(cinch_context *ctx, int turn)
{
    (void)cinch_context_policy_named(ctx, turn ? "default" : "cinch-2026", NULL);
}
static void set_resumption(cinch_context *ctx, int turn)
{
    (void)cinch_context_resumption(ctx, turn, NULL);
}
static void set_limit(cinch_context *ctx, int turn)
{
    (void)cinch_context_session_limit(ctx, turn ? 1 : 50, NULL);
    (void)cinch_context_session_forget(ctx, NULL);
}
static void set_ids(cinch_context *ctx, int turn)
{
    (void)cinch_context_session_ids(ctx, turn ? 10 : 0, NULL);
}
static void set_ring(cinch_context *ctx, int turn)
{
    cinch_tickets *ring = turn ? cinch_tickets_new(NULL, NULL) : NULL;

    (void)cinch_context_tickets(ctx, ring, NULL);
    (void)cinch_context_ticket_count(ctx, turn ? 2 : 1, NULL);
    cinch_tickets_free(ring);
}
static void set_host(cinch_context *ctx, int turn)
{
    cinch_context *host = turn ? cinch_context_dup(ctx, NULL) : NULL;

    (void)cinch_context_host(ctx, "host.example.test", host, NULL);
    (void)cinch_context_choose(ctx, turn ? choose_nobody : NULL, NULL, NULL);
    cinch_context_free(host);
}
static void set_allow(cinch_context *ctx, int turn)
{
    (void)cinch_context_allow_all(ctx, NULL);
    if (!turn)
        return;
    (void)cinch_context_allow(ctx, CINCH_MATCH_EMAIL, PKI_FAMILY_CLIENT_EMAIL, NULL);
    (void)cinch_context_allow(ctx, CINCH_MATCH_DNS, "localhost", NULL);
}
static void set_allow_if(cinch_context *ctx, int turn)
{
    (void)cinch_context_allow_if(ctx, turn ? let_in : NULL, NULL, NULL);
}
static void set_pin(cinch_context *ctx, int turn)
{
    (void)cinch_context_pin(ctx, turn ? pin : NULL, turn ? reserve : NULL, NULL);
}
static void set_psk(cinch_context *ctx, int turn)
{
    if (turn)
        (void)cinch_context_psk(ctx, "nobody", "sixteen bytes or", 16, 1, NULL);
    else
        (void)cinch_context_psk(ctx, NULL, NULL, 0, 1, NULL);
    (void)cinch_context_psk_lookup(ctx, turn ? no_secret : NULL, NULL, 1, NULL);
}
static void set_late(cinch_context *ctx, int turn)
{
    (void)cinch_context_late_certificate(ctx, turn, NULL);
}
static void set_records(cinch_context *ctx, int turn)
{
    (void)cinch_context_record_size(ctx, turn ? 512 : 16384, turn, NULL);
}
/* What weakens, of which nothing remains; only for pairs, where nobody looks in between. */
static void set_and_unset(cinch_context *ctx, int turn)
{
    for (int on = 1; on >= 0; on--) {
        (void)cinch_context_insecure_skip_verification(ctx, on, NULL);
        (void)cinch_context_insecure_skip_name(ctx, turn && on, NULL);
        for (int rule = 0; rule < CINCH_RULE_COUNT; rule++)
            (void)cinch_context_insecure_relax(ctx, (cinch_rule)rule, on, NULL);
    }
}

static const setting settings[] = {
    set_alpn,      set_alpn_rule,  set_depth,        set_partial,  set_name_rule,
    set_send_name, set_trust,      set_directories,  set_crl,      set_ocsp,
    set_identity,  set_policy,     set_policy_named, set_limit,    set_ids,
    set_ring,      set_resumption, set_host,         set_allow,    set_pin,
    set_psk,       set_late,       set_records,      set_allow_if, set_and_unset,
};

enum {
    SETTINGS = sizeof settings / sizeof settings[0]
};

/* ---- 7: CVE-2024-0397 ---- */

enum {
    WRITERS = 3,
    READERS = 4,
    ROUNDS = 3
};

static cinch_context *client, *server, *attacker, *stranger, *first_client, *first_server;
static cinch_tickets *ring;
static atomic_int running, opened, let_attacker_in, let_stranger_in;

/* Nothing is asserted in threads. */
static int comes_about(cinch_context *from, cinch_context *to, int *server_open)
{
    cinch_error err[2] = {CINCH_ERROR_INIT, CINCH_ERROR_INIT};
    pair p = {.client.conn = cinch_conn_new(from, "localhost", &err[0]),
              .server.conn = cinch_conn_new(to, NULL, &err[1])};

    if (p.client.conn != NULL && p.server.conn != NULL)
        pair_handshake(&p);
    int client_open = cinch_conn_state_now(p.client.conn) == CINCH_STATE_OPEN;
    *server_open = cinch_conn_state_now(p.server.conn) == CINCH_STATE_OPEN;
    if (client_open && *server_open) {
        (void)pair_send(&p, &p.server, &p.client, "x", 1);
        cinch_peer_free(cinch_conn_peer(p.client.conn, NULL));
        cinch_peer_free(cinch_conn_peer(p.server.conn, NULL));
        cinch_session_free(cinch_conn_session(p.client.conn, NULL));
    }
    pair_stop(&p);
    return client_open;
}

/* Everything that looks at settings without being a connection. */
static void read_all(cinch_context *ctx)
{
    cinch_ticket_key keys[4];
    size_t count, size;
    unsigned char *der = pki_der_cert(family->under_root, &size);
    const unsigned char *chain[] = {der};

    (void)cinch_context_check(ctx, NULL);
    cinch_anchors_free(cinch_context_anchors(ctx, NULL));
    cinch_audit_free(cinch_context_audit(ctx, NULL));
    (void)cinch_context_session_count(ctx);
    (void)cinch_context_verify_chain(ctx, chain, &size, 1, ctx == client ? "localhost" : NULL, -1,
                                     NULL);
    (void)cinch_tickets_look(ring, keys, 4, &count, NULL);
    (void)cinch_tickets_rotate(ring, 1, NULL);
    cinch_context *copy = cinch_context_dup(ctx, NULL);
    (void)cinch_context_apply(ctx, copy, NULL);
    cinch_context_free(copy);
    free(der);
}

static void *read_often(void *arg)
{
    int server_open;

    (void)arg;
    for (int i = 0; i < ROUNDS || atomic_load(&running) > 0; i++) {
        atomic_fetch_add(&opened, comes_about(client, server, &server_open));
        atomic_fetch_add(&let_attacker_in, comes_about(client, attacker, &server_open));
        (void)comes_about(stranger, server, &server_open);
        atomic_fetch_add(&let_stranger_in, server_open);
        read_all(i % 2 ? client : server);
    }
    return NULL;
}

static void *write_often(void *arg)
{
    unsigned turn = (unsigned)(size_t)arg;

    for (unsigned done = 0; done < 2 * SETTINGS; done++) {
        turn = turn * 1103515245u + 12345u;
        /* Without the last one: it would let the attacker in, as it should. */
        unsigned which = (turn >> 16) % (SETTINGS - 1);
        settings[done % (SETTINGS - 1)](client, turn >> 8 & 1);
        settings[which](server, turn >> 9 & 1);
        if (turn & 1024)
            (void)cinch_context_tickets(server, ring, NULL);
        /* What adds up is taken back in one step. */
        if (done % 8 == 0) {
            (void)cinch_context_apply(client, first_client, NULL);
            (void)cinch_context_apply(server, first_server, NULL);
        }
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

/* Whatever the moment, neither the attacker's server nor a client without a certificate gets in. */
static void test_settings_that_change_in_use_let_nobody_in(void **state)
{
    pthread_t threads[WRITERS + READERS];

    (void)state;
    client = pair_client_context(family->root);
    lesson_show(client, family->client, family->intermediate);
    server = pair_server_context(family->good, family->intermediate);
    lesson_demand(server, family->root);
    attacker = pair_server_context(family->unknown_ca, NULL);
    stranger = pair_client_context(family->root);
    first_client = cinch_context_dup(client, NULL);
    first_server = cinch_context_dup(server, NULL);
    ring = cinch_tickets_new(NULL, NULL);
    atomic_store(&running, WRITERS);
    for (size_t i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WRITERS ? write_often : read_often, (void *)i),
            0);
    for (size_t i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&let_attacker_in), 0);
    assert_int_equal(atomic_load(&let_stranger_in), 0);
    assert_true(atomic_load(&opened) > 0);
    cinch_context_free(client);
    cinch_context_free(server);
    cinch_context_free(attacker);
    cinch_context_free(stranger);
    cinch_context_free(first_client);
    cinch_context_free(first_server);
    cinch_tickets_free(ring);
}

/* ---- 22: CVE-2016-9015 ---- */

enum {
    IMPOSTORS = 4,
    STRANGERS = 2
};

/* Of both versions, and made once: nothing is set at them. */
static cinch_context *impostors[IMPOSTORS][2], *strangers[STRANGERS][2];

static void make_attackers(void)
{
    const pki_cert *leaves[] = {family->unknown_ca, family->wrong_name, family->expired,
                                family->client_only_eku};

    EACH_VERSION(version)
    {
        for (size_t i = 0; i < IMPOSTORS; i++) {
            cinch_context *ctx =
                pair_server_context(leaves[i], i == 0 ? NULL : family->intermediate);

            lesson_limit(ctx, version);
            impostors[i][version - CINCH_TLS_1_2] = ctx;
        }
        for (size_t i = 0; i < STRANGERS; i++) {
            cinch_context *ctx = pair_client_context(family->root);

            lesson_limit(ctx, version);
            if (i == 1)
                lesson_show(ctx, family->unknown_ca, NULL);
            strangers[i][version - CINCH_TLS_1_2] = ctx;
        }
    }
}

static void free_attackers(void)
{
    for (size_t v = 0; v < 2; v++) {
        for (size_t i = 0; i < IMPOSTORS; i++)
            cinch_context_free(impostors[i][v]);
        for (size_t i = 0; i < STRANGERS; i++)
            cinch_context_free(strangers[i][v]);
    }
}

/*
 * Two settings, each one way, at the client C and at the server S: these two meet, no impostor gets past
 * C, and no stranger past S. The versions take turns.
 */
static void try_pair(size_t first, size_t second, int turns)
{
    size_t v = (first ^ second ^ (size_t)turns) & 1;
    cinch_context *c = pair_client_context(family->root),
                  *s = pair_server_context(family->good, family->intermediate);
    cinch_context *ends[] = {c, s};

    lesson_show(c, family->client, family->intermediate);
    lesson_demand(s, family->root);
    for (int i = 0; i < 2; i++) {
        settings[first](ends[i], turns & 1);
        settings[second](ends[i], turns >> 1 & 1);
    }
    lesson_talk t = lesson_connect(c, s, "localhost");
    if (!t.client.open || !t.server.open || t.client.got == 0 || t.server.got == 0) {
        (void)cinch_error_report(&t.client.err, stderr);
        (void)cinch_error_report(&t.server.err, stderr);
        fail_msg("settings %zu and %zu, %d: the honest two do not meet", first, second, turns);
    }
    for (size_t i = 0; i < STRANGERS; i++) {
        t = lesson_connect(strangers[i][v], s, "localhost");
        if (t.server.open || t.server.got > 0 || t.server.verified)
            fail_msg("settings %zu and %zu, %d: stranger %zu got in", first, second, turns, i);
        assert_int_equal(t.server.err.cause, i == 0 ? CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING
                                                    : CINCH_CAUSE_UNKNOWN_ISSUER);
    }
    for (size_t i = 0; i < IMPOSTORS; i++) {
        t = lesson_connect(c, impostors[i][v], "localhost");
        if (t.client.open || t.client.got > 0 || t.client.verified)
            fail_msg("settings %zu and %zu, %d: impostor %zu got in", first, second, turns, i);
        assert_in_range(t.client.err.category, CINCH_CATEGORY_TRUST, CINCH_CATEGORY_VALIDITY);
    }
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_settings_that_are_safe_alone_are_safe_in_pairs(void **state)
{
    (void)state;
    make_attackers();
    for (size_t first = 0; first < SETTINGS; first++)
        for (size_t second = first; second < SETTINGS; second++)
            for (int turns = 0; turns < 4; turns += first == second ? 3 : 1)
                try_pair(first, second, turns);
    free_attackers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_that_change_in_use_let_nobody_in),
        cmocka_unit_test(test_settings_that_are_safe_alone_are_safe_in_pairs),
    };

    return cmocka_run_group_tests_name("lessons: sharing", tests, set_up, tear_down);
}
