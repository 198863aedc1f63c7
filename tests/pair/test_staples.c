/* Stapled OCSP responses of a server with many certificates: each goes with its own, or none does. */
#include "base/clock.h"
#include "context/context.h"
#include "pair.h"
#include "pki_ocsp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* A clock on which each look is a second later, so that every file is looked at again. */
static int64_t now_us = 1000000;
static int64_t later_s;

int64_t cinch_clock_us(void)
{
    return now_us += 1000000;
}

int64_t cinch_clock_wall(void)
{
    return (int64_t)time(NULL) + later_s;
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    snprintf(buf, 32, "second %lld", (long long)when);
    return buf;
}

enum {
    MAIN,     /* "localhost", ECDSA, the context's own */
    MAIN_RSA, /* "localhost" */
    WWW,      /* "www.example.test" */
    WWW_RSA,
    COUNT
};

static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
static pki_family *family;
static pki_cert *leaves[COUNT], *renewed;
static char *dir;

static pki_cert *leaf_for(const char *name, pki_key_type type)
{
    return pki_make(&(pki_spec){.cn = name, .dns = {name}, .key_type = type}, family->intermediate);
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    dir = pki_tmpdir();
    leaves[MAIN] = leaf_for("localhost", PKI_KEY_P256);
    leaves[MAIN_RSA] = leaf_for("localhost", PKI_KEY_RSA);
    leaves[WWW] = leaf_for("www.example.test", PKI_KEY_P256);
    leaves[WWW_RSA] = leaf_for("www.example.test", PKI_KEY_RSA);
    renewed = leaf_for("www.example.test", PKI_KEY_P256);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++)
        pki_free(leaves[i]);
    pki_free(renewed);
    pki_family_free(family);
    pki_rmtree(dir);
    return 0;
}

static void add(cinch_context *ctx, const pki_cert *leaf)
{
    cinch_identity *identity = pair_identity(leaf, family->intermediate);

    assert_int_equal(cinch_context_add_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
}

static cinch_context *server_with_all(void)
{
    cinch_context *ctx = pair_server_context(leaves[MAIN], family->intermediate);

    for (int i = MAIN_RSA; i < COUNT; i++)
        add(ctx, leaves[i]);
    return ctx;
}

/* The file NAME with a response about LEAF. */
static char *respond(const char *name, const pki_cert *leaf, const pki_ocsp_spec *spec)
{
    size_t size;
    char *path = pki_path(dir, name, "");
    unsigned char *der = pki_ocsp(leaf, family->intermediate, spec, &size);

    assert_true(pki_write_bytes(path, der, size, 0644));
    free(der);
    return path;
}

static void staple(cinch_context *ctx, const char *name, const pki_cert *leaf)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *path = respond(name, leaf, NULL);

    (void)cinch_context_ocsp_file(ctx, path, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(path);
}

/* Whether a client that requires a response for WHICH, and supports its kind of key alone, gets it. */
static int is_stapled(cinch_context *server, cinch_tls_version version, int which)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    int rsa = which == MAIN_RSA || which == WWW_RSA;
    pair p = {0};

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(
        cinch_policy_sigalgs(policy, rsa ? "rsa_pss_rsae_sha256" : "ecdsa_secp256r1_sha256", NULL),
        CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    assert_int_equal(cinch_context_ocsp_require(client, 1, NULL), CINCH_OK);
    pair_start(&p, client, server, which >= WWW ? "www.example.test" : "localhost");
    pair_handshake(&p);
    cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
    if (p.client.status == CINCH_OK && p.server.status == CINCH_OK) {
        assert_string_equal(peer->sent[0]->key_type, rsa ? "RSA" : "EC");
    } else {
        if (p.client.err.cause != CINCH_CAUSE_OCSP)
            (void)cinch_error_report(&p.client.err, stderr);
        assert_int_equal(p.client.err.cause, CINCH_CAUSE_OCSP);
        /* One that is about another certificate is worse than none. */
        assert_non_null(strstr(p.client.err.evidence, "the server sent none"));
    }
    int ok = p.client.status == CINCH_OK;
    cinch_peer_free(peer);
    pair_stop(&p);
    cinch_context_free(client);
    return ok;
}

/* Those of WANTED (a bit for each) have a response, in both versions, and the others have none. */
static void stapled(cinch_context *server, unsigned wanted)
{
    for (size_t v = 0; v < 2; v++)
        for (int i = 0; i < COUNT; i++)
            if (is_stapled(server, versions[v], i) != (int)(wanted >> i & 1))
                fail_msg("certificate %d, version %zu: wanted %u", i, v, wanted >> i & 1);
}

static void each_with_its_own(void **state)
{
    static const int orders[][COUNT] = {{MAIN, MAIN_RSA, WWW, WWW_RSA},
                                        {WWW_RSA, WWW, MAIN_RSA, MAIN}};

    (void)state;
    for (size_t o = 0; o < 2; o++) {
        cinch_context *server = server_with_all();
        unsigned wanted = 0;

        stapled(server, 0);
        for (int i = 0; i < COUNT; i++) {
            char name[16];
            int which = orders[o][i];

            snprintf(name, sizeof name, "%d.ocsp", which);
            staple(server, name, leaves[which]);
            wanted |= 1u << which;
            stapled(server, wanted);
        }
        assert_int_equal(cinch_context_ocsp_file(server, NULL, NULL), CINCH_OK);
        stapled(server, 0);
        cinch_context_free(server);
    }
}

/* A server that has added identities only, and one that has no issuers with them. */
static void added_ones_only(void **state)
{
    cinch_context *server = cinch_context_server(NULL);

    (void)state;
    for (int i = 0; i < COUNT; i++)
        add(server, leaves[i]);
    staple(server, "a.ocsp", leaves[WWW_RSA]);
    staple(server, "b.ocsp", leaves[MAIN]);
    stapled(server, 1u << WWW_RSA | 1u << MAIN);
    cinch_context_free(server);
}

static void files_that_change(void **state)
{
    cinch_context *server = server_with_all();

    (void)state;
    staple(server, "a.ocsp", leaves[WWW]);
    staple(server, "b.ocsp", leaves[MAIN_RSA]);
    stapled(server, 1u << WWW | 1u << MAIN_RSA);
    /* Damaged, gone, about somebody else: what was there stays. */
    char *path = pki_path(dir, "a.ocsp", "");
    assert_true(pki_write(path, "rubbish", 0644));
    stapled(server, 1u << WWW | 1u << MAIN_RSA);
    free(respond("a.ocsp", family->good, NULL));
    stapled(server, 1u << WWW | 1u << MAIN_RSA);
    assert_int_equal(remove(path), 0);
    stapled(server, 1u << WWW | 1u << MAIN_RSA);
    /* A response for another of ours: it goes to that one. */
    free(respond("a.ocsp", leaves[WWW_RSA], NULL));
    stapled(server, 1u << WWW_RSA | 1u << MAIN_RSA);
    /* Out of time, and nothing new. */
    later_s = 2 * 86400;
    stapled(server, 0);
    later_s = 0;
    stapled(server, 1u << WWW_RSA | 1u << MAIN_RSA);
    free(path);
    cinch_context_free(server);
}

/* An added identity is renewed; its response follows, whether the file or the call brings it. */
static void renewals(void **state)
{
    (void)state;
    for (int by_call = 0; by_call < 2; by_call++) {
        cinch_context *server = server_with_all();

        staple(server, "a.ocsp", leaves[WWW]);
        staple(server, "b.ocsp", leaves[MAIN]);
        add(server, renewed);
        stapled(server, 1u << MAIN);
        if (by_call)
            staple(server, "c.ocsp", renewed);
        else
            free(respond("a.ocsp", renewed, NULL));
        stapled(server, 1u << WWW | 1u << MAIN);
        /* With the call, the file of the one before is forgotten. */
        free(respond("a.ocsp", leaves[WWW_RSA], NULL));
        stapled(server, (by_call ? 1u << WWW : 1u << WWW_RSA) | 1u << MAIN);
        cinch_context_free(server);
    }
}

static void a_host_has_its_own(void **state)
{
    cinch_context *server = server_with_all();
    cinch_context *host = pair_server_context(leaves[WWW], family->intermediate);

    (void)state;
    for (int i = 0; i < COUNT; i++)
        staple(server, "a.ocsp", leaves[i]); /* the same file again: the last one counts */
    stapled(server, 1u << WWW_RSA);
    staple(server, "b.ocsp", leaves[WWW]);
    assert_int_equal(cinch_context_host(server, "www.example.test", host, NULL), CINCH_OK);
    assert_false(is_stapled(server, CINCH_TLS_1_3, WWW));
    staple(host, "c.ocsp", leaves[WWW]);
    assert_true(is_stapled(server, CINCH_TLS_1_3, WWW));
    cinch_context_free(host);
    cinch_context_free(server);
}

static void refused(cinch_context *server, const pki_cert *leaf, const pki_ocsp_spec *spec,
                    cinch_cause cause, const char *what)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *path = respond("refused.ocsp", leaf, spec);

    assert_int_equal(cinch_context_ocsp_file(server, path, &err), CINCH_FAILED);
    if (err.cause != cause || strstr(err.what, what) == NULL)
        (void)cinch_error_report(&err, stderr);
    assert_int_equal(err.cause, cause);
    assert_non_null(strstr(err.what, what));
    assert_non_null(strstr(err.what, path));
    free(path);
}

static void refusals(void **state)
{
    cinch_context *server = server_with_all();
    cinch_error err = CINCH_ERROR_INIT;
    char *path = respond("refused.ocsp", family->good, NULL);

    (void)state;
    staple(server, "a.ocsp", leaves[WWW]);
    refused(server, family->good, NULL, CINCH_CAUSE_BAD_REVOCATION, "about none of the");
    assert_int_equal(cinch_context_ocsp_file(server, path, &err), CINCH_FAILED);
    assert_non_null(strstr(err.evidence, "CN=localhost; "));
    assert_non_null(strstr(err.evidence, "CN=www.example.test"));
    free(path);
    refused(server, leaves[WWW_RSA], &(pki_ocsp_spec){.status = "revoked"}, CINCH_CAUSE_REVOKED,
            "our certificate is revoked");
    refused(server, leaves[MAIN_RSA], &(pki_ocsp_spec){.corrupt_signature = true},
            CINCH_CAUSE_BAD_REVOCATION, "not signed by");
    refused(server, leaves[WWW], &(pki_ocsp_spec){.this_update = -300000, .next_update = -90000},
            CINCH_CAUSE_BAD_REVOCATION, "ran out on");
    refused(server, leaves[WWW], &(pki_ocsp_spec){.error = 3}, CINCH_CAUSE_BAD_REVOCATION,
            "trylater");
    /* Nothing has changed. */
    stapled(server, 1u << WWW);
    cinch_context_free(server);
}

/* Equal settings are one, whatever came first; different ones are not. */
static void what_is_shared(void **state)
{
    cinch_context *one = server_with_all();

    (void)state;
    assert_int_equal(cinch_context_check(one, NULL), CINCH_OK); /* which makes the ticket secrets */
    cinch_context *two = cinch_context_dup(one, NULL);
    staple(one, "a.ocsp", leaves[WWW]);
    assert_int_equal(cinch_context_check(one, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(two, NULL), CINCH_OK);
    assert_ptr_not_equal(one->derived, two->derived);
    stapled(two, 0);
    stapled(one, 1u << WWW);
    staple(one, "b.ocsp", leaves[MAIN]);
    char *a = pki_path(dir, "a.ocsp", ""), *b = pki_path(dir, "b.ocsp", "");
    assert_int_equal(cinch_context_ocsp_file(two, b, NULL), CINCH_OK);
    assert_int_equal(cinch_context_ocsp_file(two, a, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(one, NULL), CINCH_OK);
    assert_int_equal(cinch_context_check(two, NULL), CINCH_OK);
    assert_ptr_equal(one->derived, two->derived);
    free(a);
    free(b);
    cinch_context_free(one);
    cinch_context_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_with_its_own),  cmocka_unit_test(added_ones_only),
        cmocka_unit_test(files_that_change),  cmocka_unit_test(renewals),
        cmocka_unit_test(a_host_has_its_own), cmocka_unit_test(refusals),
        cmocka_unit_test(what_is_shared),
    };

    return cmocka_run_group_tests_name("staples", tests, set_up, tear_down);
}
