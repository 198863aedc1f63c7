/*
 * Virtual hosts: from one into another nobody gets. The servers have an open host and a closed one,
 * which wants client certificates; the clients have what they could steal or replay.
 */
#include "conn/conn.h"
#include "context/hosts.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_family *family;
static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

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

static pki_cert *leaf_for(const char *name, const char *second, pki_key_type type)
{
    pki_spec spec = {.cn = name, .key_type = type, .dns = {name, second}};

    return pki_make(&spec, family->intermediate);
}

static cinch_context *server_for(const char *name, pki_key_type type)
{
    pki_cert *leaf = leaf_for(name, NULL, type);
    cinch_context *ctx = pair_server_context(leaf, family->intermediate);

    pki_free(leaf);
    return ctx;
}

static void add(cinch_context *ctx, const char *name, const char *second, pki_key_type type)
{
    pki_cert *leaf = leaf_for(name, second, type);
    cinch_identity *identity = pair_identity(leaf, family->intermediate);

    assert_int_equal(cinch_context_add_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    pki_free(leaf);
}

static void demand(cinch_context *ctx)
{
    pair_trust(ctx, family->root);
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
}

static void limit(cinch_context *ctx, cinch_tls_version from, cinch_tls_version to)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, from, to, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

static void show_client(cinch_context *ctx)
{
    cinch_identity *identity = pair_identity(family->client, family->intermediate);

    assert_int_equal(cinch_context_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
}

/* What both ends say of one connection. */
typedef struct outcome {
    int failed;
    int resumed;
    cinch_cause server_cause;
    char server_evidence[CINCH_ERROR_EVIDENCE];
    int alert; /* that the server sent */
    int client_verified;
    char leaf[128]; /* the server's first name */
    char key[16];
    char asked[256];
    char version[16];
    char alpn[16];
} outcome;

static void look(const pair *p, outcome *o)
{
    cinch_peer *server = cinch_conn_peer(p->client.conn, NULL);
    cinch_peer *client = cinch_conn_peer(p->server.conn, NULL);

    assert_non_null(server);
    assert_non_null(client);
    o->resumed = client->resumed;
    o->client_verified = client->verified;
    snprintf(o->asked, sizeof o->asked, "%s", client->server_name);
    snprintf(o->version, sizeof o->version, "%s", client->version);
    snprintf(o->alpn, sizeof o->alpn, "%s", client->alpn);
    const cinch_certificate *leaf = server->sent_count > 0 ? server->sent[0] : NULL;
    if (leaf != NULL) {
        snprintf(o->leaf, sizeof o->leaf, "%s", leaf->names[0].text);
        snprintf(o->key, sizeof o->key, "%s", leaf->key_type);
    }
    cinch_peer_free(server);
    cinch_peer_free(client);
}

static outcome finish(pair *p)
{
    outcome o = {0};

    pair_handshake(p);
    o.failed = p->client.status != CINCH_OK || p->server.status != CINCH_OK;
    o.server_cause = p->server.err.cause;
    o.alert = p->server.err.alert_sent;
    memcpy(o.server_evidence, p->server.err.evidence, sizeof o.server_evidence);
    if (!o.failed) {
        assert_true(pair_send(p, &p->client, &p->server, "ping", 4));
        assert_true(pair_send(p, &p->server, &p->client, "pong", 4));
        look(p, &o);
    }
    if (getenv("SHOW") != NULL) {
        fprintf(stderr, "failed %d resumed %d asked %s leaf %s verified %d\n", o.failed, o.resumed,
                o.asked, o.leaf, o.client_verified);
        (void)cinch_error_report(&p->server.err, stderr);
        (void)cinch_error_report(&p->client.err, stderr);
    }
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

/* A client that trusts the root and takes a certificate for any name: it asks for what it likes. */
static cinch_context *attacker(void)
{
    cinch_context *ctx = pair_client_context(family->root);

    assert_int_equal(cinch_context_insecure_skip_name(ctx, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_verification(ctx, 1, NULL), CINCH_OK);
    return ctx;
}

/*
 * Offers the newest session of a connection to FROM, made by hand, with the name TO: what a client of
 * ours refuses, an attacker's does. The SSL is borrowed from inside for that.
 */

typedef struct stolen {
    SSL_SESSION *session;
} stolen;

static stolen steal(cinch_context *client, cinch_context *server, const char *host)
{
    pair p = {0};
    stolen s;

    pair_start(&p, client, server, host);
    outcome o = finish(&p);
    assert_false(o.failed);
    if (SSL_version(p.client.conn->ssl) >= TLS1_3_VERSION) {
        assert_non_null(p.client.conn->link.fresh);
        s.session = SSL_SESSION_dup(p.client.conn->link.fresh->session);
    } else {
        s.session = SSL_get1_session(p.client.conn->ssl);
    }
    pair_stop(&p);
    assert_non_null(s.session);
    return s;
}

/* Makes P's client offer S, whatever it was made for. */
static void offer(pair *p, const stolen *s, const char *asked)
{
    static const unsigned char any_key[32];
    cinch_link *link = &p->client.conn->link;
    SSL_SESSION *copy = SSL_SESSION_dup(s->session);

    assert_int_equal(SSL_SESSION_set1_hostname(copy, asked), 1);
    cinch_session_free(link->offered);
    link->offered =
        cinch_session_make(copy, NULL, link->derived->digest, any_key, (int64_t)time(NULL), 0);
    assert_non_null(link->offered);
}

static outcome replay(const stolen *s, cinch_context *client, cinch_context *server,
                      const char *asked)
{
    pair p = {0};

    pair_start(&p, client, server, asked);
    offer(&p, s, asked);
    outcome o = finish(&p);
    pair_stop(&p);
    return o;
}

typedef struct two_hosts {
    cinch_context *server; /* first.test */
    cinch_context *open;   /* open.test */
    cinch_context *closed; /* closed.test */
} two_hosts;

static two_hosts make_hosts(void)
{
    two_hosts h = {server_for("first.test", PKI_KEY_P256), server_for("open.test", PKI_KEY_P256),
                   server_for("closed.test", PKI_KEY_P256)};
    cinch_error err = CINCH_ERROR_INIT;

    demand(h.closed);
    cinch_context_host(h.server, "open.test", h.open, &err);
    cinch_context_host(h.server, "closed.test", h.closed, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return h;
}

static void free_hosts(two_hosts *h)
{
    cinch_context_free(h->server);
    cinch_context_free(h->open);
    cinch_context_free(h->closed);
}

static void each_host(two_hosts *h, cinch_status (*set)(cinch_context *, size_t, cinch_error *),
                      size_t value)
{
    assert_int_equal(set(h->server, value, NULL), CINCH_OK);
    assert_int_equal(set(h->open, value, NULL), CINCH_OK);
    assert_int_equal(set(h->closed, value, NULL), CINCH_OK);
}

static void share_ring(two_hosts *h, cinch_tickets *ring)
{
    assert_int_equal(cinch_context_tickets(h->server, ring, NULL), CINCH_OK);
    assert_int_equal(cinch_context_tickets(h->open, ring, NULL), CINCH_OK);
    assert_int_equal(cinch_context_tickets(h->closed, ring, NULL), CINCH_OK);
}

/* lessons.md 15: the first context does not ask for certificates, the host does. */
static void test_host_demands(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        two_hosts h = make_hosts();
        cinch_context *client = pair_client_context(family->root);

        limit(client, versions[i], versions[i]);
        assert_false(talk(client, h.server, "first.test").failed);
        assert_false(talk(client, h.server, "open.test").failed);
        outcome o = talk(client, h.server, "closed.test");
        assert_true(o.failed);
        assert_int_equal(o.server_cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
        show_client(client);
        o = talk(client, h.server, "closed.test");
        assert_false(o.failed);
        assert_true(o.client_verified);
        assert_string_equal(o.leaf, "closed.test");
        /* A certificate of a stranger is no better than none. */
        cinch_identity *stranger = pair_identity(family->unknown_ca, NULL);
        assert_int_equal(cinch_context_identity(client, stranger, NULL), CINCH_OK);
        cinch_identity_free(stranger);
        assert_true(talk(client, h.server, "closed.test").failed);
        /* And the other way round: an open host under a context that demands. */
        demand(h.server);
        cinch_context *bare = pair_client_context(family->root);
        assert_true(talk(bare, h.server, "first.test").failed);
        o = talk(bare, h.server, "open.test");
        assert_false(o.failed);
        assert_false(o.client_verified);
        cinch_context_free(bare);
        cinch_context_free(client);
        free_hosts(&h);
    }
}

/* lessons.md 14, CVE-2025-23419: no session of one host at another, by id or by ticket. */
static void test_sessions_stay(void **state)
{
    static const char *const names[] = {"first.test", "open.test", "closed.test"};
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    for (int shared = 0; shared < 2; shared++)
        for (size_t i = 0; i < 2; i++) {
            two_hosts h = make_hosts();
            cinch_context *client = attacker(), *with = attacker();

            each_host(&h, cinch_context_session_ids, 100);
            if (shared)
                share_ring(&h, ring);
            limit(client, versions[i], versions[i]);
            limit(with, versions[i], versions[i]);
            show_client(with);
            for (size_t from = 0; from < 3; from++)
                for (size_t to = 0; to < 3; to++) {
                    stolen s = steal(from == 2 ? with : client, h.server, names[from]);
                    outcome o = replay(&s, client, h.server, names[to]);

                    if (from == to) {
                        assert_false(o.failed);
                        assert_true(o.resumed);
                        assert_int_equal(o.client_verified, from == 2);
                    } else {
                        assert_false(o.resumed);
                        assert_int_equal(o.failed, to == 2);
                        assert_false(o.client_verified);
                    }
                    SSL_SESSION_free(s.session);
                }
            cinch_context_free(client);
            cinch_context_free(with);
            free_hosts(&h);
        }
    cinch_tickets_free(ring);
}

/* Without a name it is the first host, whatever session comes along. */
static void test_no_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        two_hosts h = make_hosts();
        cinch_context *client = attacker(), *silent = attacker(), *with = attacker();

        each_host(&h, cinch_context_session_ids, 100);
        limit(client, versions[i], versions[i]);
        limit(silent, versions[i], versions[i]);
        limit(with, versions[i], versions[i]);
        assert_int_equal(cinch_context_send_server_name(silent, 0, NULL), CINCH_OK);
        show_client(with);
        outcome o = talk(silent, h.server, "closed.test");
        assert_false(o.failed);
        assert_string_equal(o.leaf, "first.test");
        assert_string_equal(o.asked, "");
        stolen s = steal(with, h.server, "closed.test");
        pair p = {0};
        pair_start(&p, silent, h.server, "closed.test");
        offer(&p, &s, NULL);
        o = finish(&p);
        pair_stop(&p);
        assert_false(o.failed);
        assert_false(o.resumed);
        assert_false(o.client_verified);
        SSL_SESSION_free(s.session);
        /* The session of a client without a name does not open the closed host. */
        s = steal(silent, h.server, "first.test");
        assert_true(replay(&s, client, h.server, "closed.test").failed);
        SSL_SESSION_free(s.session);
        cinch_context_free(client);
        cinch_context_free(silent);
        cinch_context_free(with);
        free_hosts(&h);
    }
}

/* Two names with equal rules and one certificate are two hosts all the same. */
static void test_equal_hosts(void **state)
{
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *server = server_for("first.test", PKI_KEY_P256);
        pki_cert *leaf = leaf_for("a.test", "b.test", PKI_KEY_P256);
        cinch_context *host = pair_server_context(leaf, family->intermediate);
        cinch_context *client = attacker();

        pki_free(leaf);
        limit(client, versions[i], versions[i]);
        assert_int_equal(cinch_context_tickets(server, ring, NULL), CINCH_OK);
        assert_int_equal(cinch_context_tickets(host, ring, NULL), CINCH_OK);
        assert_int_equal(cinch_context_session_ids(server, 10, NULL), CINCH_OK);
        assert_int_equal(cinch_context_session_ids(host, 10, NULL), CINCH_OK);
        assert_int_equal(cinch_context_host(server, "a.test", host, NULL), CINCH_OK);
        assert_int_equal(cinch_context_host(server, "b.test", host, NULL), CINCH_OK);
        stolen s = steal(client, server, "a.test");
        assert_true(replay(&s, client, server, "a.test").resumed);
        assert_false(replay(&s, client, server, "b.test").resumed);
        SSL_SESSION_free(s.session);
        cinch_context_free(client);
        cinch_context_free(host);
        cinch_context_free(server);
    }
    cinch_tickets_free(ring);
}

/* RFC 6066, 3: with TLS 1.2 not even under another name of the same host. */
static void test_other_name_of_a_host(void **state)
{
    cinch_context *server = server_for("first.test", PKI_KEY_P256), *client = attacker();

    (void)state;
    add(server, "a.test", "*.wild.test", PKI_KEY_P256);
    limit(client, CINCH_TLS_1_2, CINCH_TLS_1_2);
    assert_int_equal(cinch_context_session_ids(server, 10, NULL), CINCH_OK);
    stolen s = steal(client, server, "x.wild.test");
    outcome o = replay(&s, client, server, "x.wild.test");
    assert_true(o.resumed);
    assert_string_equal(o.asked, "x.wild.test");
    o = replay(&s, client, server, "y.wild.test");
    assert_false(o.resumed);
    assert_string_equal(o.asked, "y.wild.test");
    SSL_SESSION_free(s.session);
    cinch_context_free(client);
    cinch_context_free(server);
}

/* Versions, ALPN, tickets and groups are the host's, both where it allows more and where less. */
static void test_host_rules(void **state)
{
    two_hosts h = make_hosts();
    cinch_context *old = pair_client_context(family->root);
    cinch_context *client = pair_client_context(family->root);

    (void)state;
    limit(old, CINCH_TLS_1_2, CINCH_TLS_1_2);
    limit(h.open, CINCH_TLS_1_3, CINCH_TLS_1_3);
    assert_false(talk(old, h.server, "first.test").failed);
    outcome o = talk(old, h.server, "open.test");
    assert_true(o.failed);
    assert_int_equal(o.server_cause, CINCH_CAUSE_NO_COMMON_VERSION);
    assert_string_equal(talk(client, h.server, "open.test").version, "TLSv1.3");
    limit(h.open, CINCH_TLS_1_2, CINCH_TLS_1_2);
    limit(h.server, CINCH_TLS_1_3, CINCH_TLS_1_3);
    assert_true(talk(old, h.server, "first.test").failed);
    assert_false(talk(old, h.server, "open.test").failed);
    assert_string_equal(talk(client, h.server, "open.test").version, "TLSv1.2");

    assert_int_equal(cinch_context_alpn(h.server, "http/1.1", NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn(h.open, "h2", NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn(client, "h2,http/1.1", NULL), CINCH_OK);
    assert_string_equal(talk(client, h.server, "first.test").alpn, "http/1.1");
    assert_string_equal(talk(client, h.server, "open.test").alpn, "h2");
    assert_int_equal(cinch_context_alpn(client, "http/1.1", NULL), CINCH_OK);
    assert_int_equal(talk(client, h.server, "open.test").server_cause, CINCH_CAUSE_NO_COMMON_ALPN);
    assert_int_equal(cinch_context_alpn(client, NULL, NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn_rule(h.open, CINCH_ALPN_REQUIRED, NULL), CINCH_OK);
    assert_true(talk(client, h.server, "open.test").failed);
    cinch_context_free(old);
    cinch_context_free(client);
    free_hosts(&h);
}

static void test_host_groups(void **state)
{
    two_hosts h = make_hosts();
    cinch_context *client = pair_client_context(family->root);
    cinch_policy *p256 = cinch_policy_new(NULL, NULL), *p384 = cinch_policy_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_policy_groups(p256, "P-256", NULL), CINCH_OK);
    assert_int_equal(cinch_policy_groups(p384, "P-384", NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(h.server, p256, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(h.open, p384, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, p384, NULL), CINCH_OK);
    assert_true(talk(client, h.server, "first.test").failed);
    assert_false(talk(client, h.server, "open.test").failed);
    assert_int_equal(cinch_context_policy(client, p256, NULL), CINCH_OK);
    assert_false(talk(client, h.server, "first.test").failed);
    assert_true(talk(client, h.server, "open.test").failed);
    cinch_policy_free(p256);
    cinch_policy_free(p384);
    cinch_context_free(client);
    free_hosts(&h);
}

/* Suites and signature algorithms as well, for either version. */
static void test_host_algorithms(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        two_hosts h = make_hosts();
        cinch_context *client = pair_client_context(family->root);
        cinch_policy *narrow = cinch_policy_new(NULL, NULL), *other = cinch_policy_new(NULL, NULL);

        assert_int_equal(cinch_policy_versions(narrow, versions[i], versions[i], NULL), CINCH_OK);
        assert_int_equal(cinch_policy_versions(other, versions[i], versions[i], NULL), CINCH_OK);
        if (versions[i] == CINCH_TLS_1_2) {
            assert_int_equal(cinch_policy_ciphers(narrow, "ECDHE-ECDSA-AES256-GCM-SHA384", NULL),
                             CINCH_OK);
            assert_int_equal(cinch_policy_ciphers(other, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL),
                             CINCH_OK);
        } else {
            assert_int_equal(cinch_policy_suites(narrow, "TLS_AES_256_GCM_SHA384", NULL), CINCH_OK);
            assert_int_equal(cinch_policy_suites(other, "TLS_AES_128_GCM_SHA256", NULL), CINCH_OK);
        }
        assert_int_equal(cinch_context_policy(h.open, narrow, NULL), CINCH_OK);
        assert_int_equal(cinch_context_policy(client, other, NULL), CINCH_OK);
        assert_false(talk(client, h.server, "first.test").failed);
        assert_int_equal(talk(client, h.server, "open.test").server_cause,
                         CINCH_CAUSE_NO_COMMON_CIPHER);
        assert_int_equal(cinch_context_policy(client, narrow, NULL), CINCH_OK);
        assert_false(talk(client, h.server, "open.test").failed);
        cinch_policy_free(narrow);
        cinch_policy_free(other);
        cinch_context_free(client);
        free_hosts(&h);
    }
}

/* Shared secrets are the host's: known there only, for either version, with whatever came first. */
static void test_host_secrets(void **state)
{
    static const unsigned char secret[32] = {1, 2, 3, 4, 5};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int first_too = 0; first_too < 2; first_too++) {
            two_hosts h = make_hosts();
            cinch_context *client = pair_client_context(family->root);
            static const unsigned char other[32] = {9};

            limit(client, versions[i], versions[i]);
            assert_int_equal(cinch_context_psk(h.open, "us", secret, 32, 0, NULL), CINCH_OK);
            if (first_too)
                assert_int_equal(cinch_context_psk(h.server, "us", other, 32, 1, NULL), CINCH_OK);
            assert_false(talk(client, h.server, "first.test").failed);
            assert_true(talk(client, h.server, "open.test").failed);
            assert_int_equal(cinch_context_psk(client, "us", secret, 32, 0, NULL), CINCH_OK);
            assert_false(talk(client, h.server, "open.test").failed);
            assert_true(talk(client, h.server, "first.test").failed);
            assert_true(talk(client, h.server, "closed.test").failed);
            cinch_context_free(client);
            free_hosts(&h);
        }
}

/* A first context with nothing but a secret has no identity; its hosts do. */
static void test_secret_first(void **state)
{
    static const unsigned char secret[32] = {1, 2, 3, 4, 5};
    cinch_context *server = cinch_context_server(NULL), *client = attacker(), *with = attacker();
    cinch_context *host = server_for("host.test", PKI_KEY_P256);

    (void)state;
    assert_int_equal(cinch_context_psk(server, "us", secret, 32, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(server, "host.test", host, NULL), CINCH_OK);
    assert_string_equal(talk(client, server, "host.test").leaf, "host.test");
    assert_true(talk(client, server, "nobody.test").failed);
    cinch_context_free(with);
    with = cinch_context_client(NULL);
    assert_int_equal(cinch_context_psk(with, "us", secret, 32, 0, NULL), CINCH_OK);
    assert_false(talk(with, server, "nobody.test").failed);
    assert_true(talk(with, server, "host.test").failed);
    assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_KNOWN, NULL),
                     CINCH_OK);
    outcome o = talk(with, server, "nobody.test");
    assert_int_equal(o.server_cause, CINCH_CAUSE_UNKNOWN_SERVER_NAME);
    assert_non_null(strstr(o.server_evidence, "host.test"));
    cinch_context_free(with);
    cinch_context_free(client);
    cinch_context_free(host);
    cinch_context_free(server);
}

/* No tickets here, tickets there; never a ticket under libssl's own key. */
static void test_host_tickets(void **state)
{
    two_hosts h = make_hosts();
    cinch_context *client = pair_client_context(family->root);

    (void)state;
    assert_int_equal(cinch_context_resumption(h.server, 0, NULL), CINCH_OK);
    (void)talk(client, h.server, "first.test");
    assert_false(talk(client, h.server, "first.test").resumed);
    (void)talk(client, h.server, "open.test");
    assert_true(talk(client, h.server, "open.test").resumed);
    assert_int_equal(cinch_context_resumption(h.server, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_resumption(h.open, 0, NULL), CINCH_OK);
    assert_false(talk(client, h.server, "open.test").resumed);
    assert_false(talk(client, h.server, "open.test").resumed);
    (void)talk(client, h.server, "first.test");
    assert_true(talk(client, h.server, "first.test").resumed);
    cinch_context_free(client);
    free_hosts(&h);
}

/* The name changes between the two hellos around a HelloRetryRequest. */
static void test_name_changes(void **state)
{
    static const char *const second[] = {"closed.test", "first.test", NULL};
    cinch_context *client = attacker();
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    (void)state;
    /* A share for X25519 first, which the servers do not take. */
    assert_int_equal(cinch_policy_groups(policy, "X25519:P-256", NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_groups(policy, "P-256", NULL), CINCH_OK);
    for (size_t i = 0; i < 3; i++) {
        two_hosts h = make_hosts();
        pair p = {0};

        assert_int_equal(cinch_context_policy(h.server, policy, NULL), CINCH_OK);
        assert_int_equal(cinch_context_policy(h.open, policy, NULL), CINCH_OK);
        assert_int_equal(cinch_context_policy(h.closed, policy, NULL), CINCH_OK);
        assert_false(talk(client, h.server, "open.test").failed);
        pair_start(&p, client, h.server, "open.test");
        assert_int_equal(cinch_conn_handshake(p.client.conn, &p.client.err), CINCH_WANT_READ);
        pair_move(&p);
        assert_int_equal(cinch_conn_handshake(p.server.conn, &p.server.err), CINCH_WANT_READ);
        /* The HelloRetryRequest is on its way. */
        assert_int_equal(SSL_set_tlsext_host_name(p.client.conn->ssl, second[i]), 1);
        outcome o = finish(&p);
        assert_true(o.failed);
        assert_int_equal(o.alert, SSL_AD_ILLEGAL_PARAMETER);
        assert_int_equal(o.server_cause, CINCH_CAUSE_PROTOCOL);
        pair_stop(&p);
        free_hosts(&h);
    }
    cinch_policy_free(policy);
    cinch_context_free(client);
}

/* ---- which one is chosen ---- */

static void test_names(void **state)
{
    cinch_context *server = server_for("first.test", PKI_KEY_P256), *client = attacker();
    cinch_context *host = server_for("host.test", PKI_KEY_P256);

    (void)state;
    add(server, "*.wild.test", NULL, PKI_KEY_P256);
    add(server, "exact.wild.test", "second.test", PKI_KEY_P256);
    assert_int_equal(cinch_context_host(server, "*.up.wild.test", host, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(server,
                                        "b\xc3\xbc"
                                        "cher.test",
                                        host, NULL),
                     CINCH_OK);
    static const struct {
        const char *asked, *leaf;
    } cases[] = {
        {"first.test", "first.test"},       {"a.wild.test", "*.wild.test"},
        {"A.WILD.Test", "*.wild.test"},     {"exact.wild.test", "exact.wild.test"},
        {"second.test", "exact.wild.test"}, {"a.b.wild.test", "first.test"},
        {"wild.test", "first.test"},        {"x.up.wild.test", "host.test"},
        {"up.wild.test", "*.wild.test"},    {"xn--bcher-kva.test", "host.test"},
        {"nobody.test", "first.test"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        assert_int_equal(SSL_set_tlsext_host_name(p.client.conn->ssl, cases[i].asked), 1);
        outcome o = finish(&p);
        pair_stop(&p);
        assert_false(o.failed);
        assert_string_equal(o.leaf, cases[i].leaf);
        assert_string_equal(o.asked, cases[i].asked);
    }
    /* A host's name wins over an identity's, and goes away again. */
    assert_int_equal(cinch_context_host(server, "second.test", host, NULL), CINCH_OK);
    assert_string_equal(talk(client, server, "second.test").leaf, "host.test");
    assert_int_equal(cinch_context_host(server, "SECOND.test", NULL, NULL), CINCH_OK);
    assert_string_equal(talk(client, server, "second.test").leaf, "exact.wild.test");
    cinch_context_free(host);
    cinch_context_free(server);
    cinch_context_free(client);
}

static void test_refusal(void **state)
{
    cinch_context *server = server_for("first.test", PKI_KEY_P256), *client = attacker();
    char name[32];

    (void)state;
    add(server, "other.test", "*.wild.test", PKI_KEY_P256);
    assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_KNOWN, NULL),
                     CINCH_OK);
    assert_false(talk(client, server, "x.wild.test").failed);
    outcome o = talk(client, server, "nobody.test");
    assert_true(o.failed);
    assert_int_equal(o.server_cause, CINCH_CAUSE_UNKNOWN_SERVER_NAME);
    assert_int_equal(o.alert, SSL_AD_UNRECOGNIZED_NAME);
    assert_non_null(strstr(o.server_evidence, "first.test"));
    assert_non_null(strstr(o.server_evidence, "other.test"));
    assert_non_null(strstr(o.server_evidence, "*.wild.test"));
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "n%d.test", i);
        add(server, name, NULL, PKI_KEY_P256);
    }
    o = talk(client, server, "nobody.test");
    assert_non_null(strstr(o.server_evidence, " and more"));
    assert_int_equal(cinch_context_server_name_rule(server, CINCH_SERVER_NAME_REQUIRED, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_send_server_name(client, 0, NULL), CINCH_OK);
    o = talk(client, server, "first.test");
    assert_int_equal(o.server_cause, CINCH_CAUSE_UNKNOWN_SERVER_NAME);
    cinch_context_free(server);
    cinch_context_free(client);
}

static void only(cinch_context *ctx, cinch_tls_version version, const char *ciphers,
                 const char *sigalgs)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    if (version == CINCH_TLS_1_2)
        assert_int_equal(cinch_policy_ciphers(policy, ciphers, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_sigalgs(policy, sigalgs, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

/* ECDSA where the client can, else RSA; by name and without one. */
static void test_key_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (int swapped = 0; swapped < 2; swapped++)
            for (int silent = 0; silent < 2; silent++) {
                cinch_context *server = cinch_context_server(NULL);
                cinch_context *rsa = attacker(), *ec = attacker(), *both = attacker();

                add(server, "dual.test", NULL, swapped ? PKI_KEY_RSA : PKI_KEY_P256);
                add(server, "dual.test", NULL, swapped ? PKI_KEY_P256 : PKI_KEY_RSA);
                limit(both, versions[i], versions[i]);
                only(rsa, versions[i], "ECDHE-RSA-AES128-GCM-SHA256",
                     "rsa_pss_rsae_sha256:rsa_pkcs1_sha256");
                only(ec, versions[i], "ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa_secp256r1_sha256");
                cinch_context *all[] = {rsa, ec, both};
                for (int k = 0; k < 3; k++)
                    assert_int_equal(cinch_context_send_server_name(all[k], !silent, NULL),
                                     CINCH_OK);
                assert_string_equal(talk(ec, server, "dual.test").key, "EC");
                assert_string_equal(talk(rsa, server, "dual.test").key, "RSA");
                if (!silent)
                    assert_string_equal(talk(both, server, "dual.test").key, "EC");
                cinch_context_free(rsa);
                cinch_context_free(ec);
                cinch_context_free(both);
                cinch_context_free(server);
            }
}

/* A renewed identity takes the place of the one with its names, the first one included. */
static void test_renewal(void **state)
{
    cinch_context *server = cinch_context_server(NULL), *client = attacker();
    pki_cert *a = leaf_for("a.test", "old.test", PKI_KEY_P256),
             *b = leaf_for("a.test", "old.test", PKI_KEY_P256);
    cinch_identity *first = pair_identity(a, family->intermediate);
    cinch_identity *second = pair_identity(b, family->intermediate);
    pair p = {0};

    (void)state;
    assert_int_equal(cinch_context_add_identity(server, first, NULL), CINCH_OK);
    assert_int_equal(cinch_context_add_identity(server, second, NULL), CINCH_OK);
    for (int i = 0; i < 2; i++) {
        pair_start(&p, client, server, i == 0 ? "a.test" : "nobody.test");
        assert_false(finish(&p).failed);
        cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
        assert_memory_equal(peer->sent[0]->sha256, cinch_identity_certificate(second, 0)->sha256,
                            32);
        cinch_peer_free(peer);
        pair_stop(&p);
    }
    cinch_identity_free(first);
    cinch_identity_free(second);
    pki_free(a);
    pki_free(b);
    cinch_context_free(server);
    cinch_context_free(client);
}

static void test_misuse(void **state)
{
    static const char *const bad[] = {"",         "127.0.0.1", "::1",       "*",
                                      "*.",       "*.test",    "a*.b.test", "*.*.test",
                                      "a b.test", "-a.test",   "a..test",   "*.1.2.3.4"};
    cinch_context *server = server_for("first.test", PKI_KEY_P256);
    cinch_context *host = server_for("host.test", PKI_KEY_P256),
                  *third = server_for("c.test", PKI_KEY_P256);
    cinch_context *client = cinch_context_client(NULL), *empty = cinch_context_server(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(cinch_context_host(server, bad[i], host, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(NULL, "a.test", host, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(server, NULL, host, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(server, "a.test", client, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(server, "a.test", empty, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(client, "a.test", host, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_add_identity(server, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_choose(client, NULL, NULL, NULL), CINCH_FAILED);
    /* Circles of one, two and three; and by way of apply. */
    assert_int_equal(cinch_context_host(server, "a.test", server, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(server, "a.test", host, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(host, "a.test", server, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_host(host, "a.test", third, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(third, "a.test", server, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_apply(host, server, NULL), CINCH_FAILED);
    assert_int_equal(cinch_context_apply(third, server, NULL), CINCH_FAILED);
    /* For nobody: no names that a client can ask for. */
    cinch_identity *nameless = pair_identity(family->no_san, family->intermediate);
    assert_int_equal(cinch_context_add_identity(server, nameless, NULL), CINCH_FAILED);
    cinch_identity_free(nameless);
    /* Too weak for the policy, and a policy too strict for what is there. */
    cinch_identity *weak = pair_identity(family->weak_rsa1024, family->intermediate);
    assert_int_equal(cinch_context_add_identity(server, weak, NULL), CINCH_FAILED);
    cinch_identity_free(weak);
    cinch_context_free(server);
    cinch_context_free(host);
    cinch_context_free(third);
    cinch_context_free(client);
    cinch_context_free(empty);
}

/* The hosts live as long as they are needed, and change while in use. */
static void test_lives_and_changes(void **state)
{
    two_hosts h = make_hosts();
    cinch_context *client = attacker();
    pair p = {0};

    (void)state;
    assert_false(talk(client, h.server, "open.test").failed);
    demand(h.open);
    assert_true(talk(client, h.server, "open.test").failed);
    assert_int_equal(cinch_context_client_auth(h.open, CINCH_CLIENT_AUTH_NONE, NULL), CINCH_OK);
    pair_start(&p, client, h.server, "open.test");
    cinch_context_free(h.open);
    assert_int_equal(cinch_context_host(h.server, "open.test", NULL, NULL), CINCH_OK);
    /* Begun before the change: its host is still there. */
    outcome o = finish(&p);
    assert_false(o.failed);
    assert_string_equal(o.leaf, "open.test");
    pair_stop(&p);
    assert_string_equal(talk(client, h.server, "open.test").leaf, "first.test");
    pair_start(&p, client, h.server, "closed.test");
    cinch_context_free(h.closed);
    cinch_context_free(h.server);
    assert_true(finish(&p).failed);
    pair_stop(&p);
    cinch_context_free(client);
}

/* ---- the callback ---- */

typedef struct seen {
    cinch_context *give;
    int refuse;
    int calls;
    char name[256];
    char alpn[64];
    char ja4[64];
    int has_1_3;
} seen;

static cinch_context *choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    seen *s = arg;

    s->calls++;
    snprintf(s->name, sizeof s->name, "%s", hello->server_name);
    snprintf(s->alpn, sizeof s->alpn, "%s", hello->alpn[0] == NULL ? "" : hello->alpn[0]);
    snprintf(s->ja4, sizeof s->ja4, "%s", hello->ja4);
    s->has_1_3 = 0;
    for (size_t i = 0; i < hello->versions.count; i++)
        s->has_1_3 |= hello->versions.numbers[i] == 0x0304;
    assert_true(hello->suites.count > 0 && hello->groups.count > 0 && hello->sigalgs.count > 0);
    assert_true(hello->extensions.count > 3);
    *refuse = s->refuse;
    return s->give;
}

static void test_callback(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        two_hosts h = make_hosts();
        cinch_context *client = attacker(), *wrong = cinch_context_client(NULL);
        seen s = {0};

        limit(client, versions[i], versions[i]);
        assert_int_equal(cinch_context_alpn(client, "h2", NULL), CINCH_OK);
        assert_int_equal(cinch_context_choose(h.server, choose, &s, NULL), CINCH_OK);
        assert_string_equal(talk(client, h.server, "Open.Test").leaf, "open.test");
        assert_string_equal(s.name, "open.test");
        assert_string_equal(s.alpn, "h2");
        assert_memory_equal(s.ja4, i == 0 ? "t12d" : "t13d", 4);
        assert_int_equal(s.has_1_3, i == 1);
        assert_int_equal(s.calls, 1);
        s.give = h.closed;
        outcome o = talk(client, h.server, "open.test");
        assert_true(o.failed);
        assert_int_equal(o.server_cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
        s.give = h.open;
        assert_string_equal(talk(client, h.server, "nobody.test").leaf, "open.test");
        s.give = wrong;
        o = talk(client, h.server, "open.test");
        assert_true(o.failed);
        assert_int_equal(o.server_cause, CINCH_CAUSE_MISUSE);
        s.give = h.open;
        static const int alerts[][2] = {{40, 40}, {49, 49},  {112, 112}, {80, 80},
                                        {1, 40},  {255, 40}, {256, 40},  {-5, 40}};
        for (size_t k = 0; k < sizeof alerts / sizeof alerts[0]; k++) {
            s.refuse = alerts[k][0];
            o = talk(client, h.server, "open.test");
            assert_true(o.failed);
            assert_int_equal(o.alert, alerts[k][1]);
        }
        s.refuse = SSL_AD_UNRECOGNIZED_NAME;
        o = talk(client, h.server, "open.test");
        assert_int_equal(o.server_cause, CINCH_CAUSE_UNKNOWN_SERVER_NAME);
        assert_non_null(strstr(o.server_evidence, "open.test"));
        s.refuse = 0;
        s.give = NULL;
        assert_int_equal(cinch_context_choose(h.server, NULL, NULL, NULL), CINCH_OK);
        s.calls = 0;
        assert_false(talk(client, h.server, "open.test").failed);
        assert_int_equal(s.calls, 0);
        cinch_context_free(client);
        cinch_context_free(wrong);
        free_hosts(&h);
    }
}

/* Sessions of what a callback chose stay there, too. */
static void test_callback_sessions(void **state)
{
    cinch_tickets *ring = cinch_tickets_new(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        two_hosts h = make_hosts();
        cinch_context *client = attacker();
        seen c = {.give = h.open};

        each_host(&h, cinch_context_session_ids, 100);
        share_ring(&h, ring);
        limit(client, versions[i], versions[i]);
        assert_int_equal(cinch_context_choose(h.server, choose, &c, NULL), CINCH_OK);
        stolen s = steal(client, h.server, "x.test");
        assert_true(replay(&s, client, h.server, "x.test").resumed);
        c.give = h.closed;
        assert_true(replay(&s, client, h.server, "x.test").failed);
        c.give = NULL;
        assert_false(replay(&s, client, h.server, "x.test").resumed);
        SSL_SESSION_free(s.session);
        cinch_context_free(client);
        free_hosts(&h);
    }
    cinch_tickets_free(ring);
}

/* ---- many ---- */

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_many(void **state)
{
    cinch_context *server = server_for("first.test", PKI_KEY_P256), *client = attacker();
    cinch_context *host = server_for("host.test", PKI_KEY_P256);
    pki_cert *key = leaf_for("key.test", NULL, PKI_KEY_P256);
    char name[64];
    int64_t begin = milliseconds();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "n%d.many.test", i);
        pki_spec spec = {.cn = "many", .dns = {name}, .key_of = key};
        pki_cert *leaf = pki_make(&spec, family->intermediate);
        cinch_identity *identity = pair_identity(leaf, NULL);

        assert_int_equal(cinch_context_add_identity(server, identity, NULL), CINCH_OK);
        cinch_identity_free(identity);
        pki_free(leaf);
    }
    int64_t added = milliseconds();
    for (int i = 0; i < 8000; i++) {
        snprintf(name, sizeof name, "h%d.many.test", i);
        assert_int_equal(cinch_context_host(server, name, host, NULL), CINCH_OK);
    }
    int64_t hosted = milliseconds();
    for (int i = 0; i < 2000; i += 97) {
        snprintf(name, sizeof name, "n%d.many.test", i);
        assert_string_equal(talk(client, server, name).leaf, name);
        snprintf(name, sizeof name, "h%d.many.test", i * 4);
        assert_string_equal(talk(client, server, name).leaf, "host.test");
    }
    printf("2,000 identities: %d ms, 8,000 hosts: %d ms, 42 handshakes: %d ms\n",
           (int)(added - begin), (int)(hosted - added), (int)(milliseconds() - hosted));
    pki_free(key);
    cinch_context_free(host);
    cinch_context_free(server);
    cinch_context_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_demands),
        cmocka_unit_test(test_sessions_stay),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test(test_equal_hosts),
        cmocka_unit_test(test_other_name_of_a_host),
        cmocka_unit_test(test_host_rules),
        cmocka_unit_test(test_host_groups),
        cmocka_unit_test(test_host_algorithms),
        cmocka_unit_test(test_host_secrets),
        cmocka_unit_test(test_secret_first),
        cmocka_unit_test(test_host_tickets),
        cmocka_unit_test(test_name_changes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_key_kinds),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_lives_and_changes),
        cmocka_unit_test(test_callback),
        cmocka_unit_test(test_callback_sessions),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
