/*
 * Settings: a setter that fails leaves everything as it was, which a connection shows; and settings
 * that are safe alone are safe together: all pairs of them, against right and wrong certificates, with
 * the outcome that simple rules predict.
 */
#include "pair.h"
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

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

/* ---- a failed setter leaves the old settings ---- */

/* What a connection between the two looks like; "" if there is none. */
static void look(cinch_context *client, cinch_context *server, char report[TALK_REPORT])
{
    talk *t = calloc(1, sizeof *t);

    t->client_context = client;
    t->server_context = server;
    t->host = "localhost";
    t->data = 5;
    talk_run(t);
    if (t->complaint[0] != 0)
        fail_msg("%s", t->complaint);
    if (!t->complete) {
        (void)cinch_error_report(&t->client.err, stderr);
        (void)cinch_error_report(&t->server.err, stderr);
    }
    assert_true(t->complete);
    memcpy(report, t->client.report, TALK_REPORT);
    free(t);
}

typedef cinch_status (*bad_setting)(cinch_context *ctx, cinch_error *err);

static cinch_status alpn_empty(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_alpn(ctx, "", err);
}

static cinch_status alpn_gap(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_alpn(ctx, "h2,,x", err);
}

static cinch_status alpn_long(cinch_context *ctx, cinch_error *err)
{
    char list[300];

    memset(list, 'a', sizeof list - 1);
    list[sizeof list - 1] = 0;
    return cinch_context_alpn(ctx, list, err);
}

static cinch_status alpn_rule(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_alpn_rule(ctx, (cinch_alpn_rule)3, err);
}

static cinch_status depth_negative(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_verify_depth(ctx, -1, err);
}

static cinch_status depth_large(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_verify_depth(ctx, 101, err);
}

static cinch_status trust_nothing(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_trust_pem(ctx, "no certificate", 14, err);
}

static cinch_status trust_no_file(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_trust_file(ctx, "/nowhere/at/all.pem", err);
}

static cinch_status trust_no_dir(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_trust_dir(ctx, "/nowhere/at/all", err);
}

/* The anchors of somebody else, and behind them half a certificate. */
static cinch_status trust_half(cinch_context *ctx, cinch_error *err)
{
    char *good = pki_pem_cert(family->other_root), *bad = pki_pem_cert(family->root);

    bad[strlen(bad) / 2] = 0;
    char *both = pki_pem_concat(good, bad, (char *)NULL);
    cinch_status status = cinch_context_trust_pem(ctx, both, strlen(both), err);
    free(good);
    free(bad);
    free(both);
    return status;
}

static cinch_status identity_weak(cinch_context *ctx, cinch_error *err)
{
    cinch_identity *identity = pair_identity(family->weak_rsa1024, family->intermediate);
    cinch_status status = cinch_context_identity(ctx, identity, err);

    cinch_identity_free(identity);
    return status;
}

static cinch_status identity_no_file(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_identity_file(ctx, "/nowhere/at/all.pem", NULL, err);
}

static cinch_status policy_unknown(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_policy_named(ctx, "secure", err);
}

/* A policy under which nothing is left to negotiate. */
static cinch_status policy_empty(cinch_context *ctx, cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_ciphers(policy, "ECDHE-RSA-AES128-SHA256", NULL), CINCH_OK);
    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_3, CINCH_TLS_1_3, NULL), CINCH_OK);
    cinch_status status = cinch_context_policy(ctx, policy, err);
    cinch_policy_free(policy);
    return status;
}

static cinch_status apply_other_kind(cinch_context *ctx, cinch_error *err)
{
    cinch_context *client = cinch_context_client(NULL), *server = cinch_context_server(NULL);
    cinch_error local = CINCH_ERROR_INIT;
    /* One of them is of the other kind. */
    cinch_status status = cinch_context_apply(ctx, server, &local);

    if (status == CINCH_OK || local.cause != CINCH_CAUSE_MISUSE) {
        cinch_error_clear(&local);
        status = cinch_context_apply(ctx, client, &local);
    }
    if (err != NULL)
        *err = local;
    cinch_context_free(client);
    cinch_context_free(server);
    return status;
}

/* A server that has no identity: no connection could be made. */
static cinch_status apply_nobody(cinch_context *ctx, cinch_error *err)
{
    cinch_context *nobody = cinch_context_server(NULL);
    cinch_status status = cinch_context_apply(ctx, nobody, err);

    cinch_context_free(nobody);
    return status;
}

static cinch_status client_auth_range(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_client_auth(ctx, (cinch_client_auth)7, err);
}

static cinch_status client_auth_nobody(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, err);
}

static cinch_status name_rule_range(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_server_name_rule(ctx, (cinch_server_name_rule)-1, err);
}

static cinch_status of_the_other_kind(cinch_context *ctx, cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;
    cinch_status status = cinch_context_insecure_skip_verification(ctx, 1, &local);

    if (status == CINCH_OK)
        status = cinch_context_insecure_skip_verification(ctx, 0, NULL);
    cinch_error_clear(&local);
    if (status == CINCH_OK)
        status = cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_NONE, &local);
    if (err != NULL && status != CINCH_OK && !cinch_error_is_set(&local))
        (void)cinch_context_insecure_skip_verification(ctx, 1, &local);
    if (err != NULL)
        *err = local;
    return status;
}

static const struct {
    const char *name;
    bad_setting set;
    char who; /* 'c': a client's context, 's': a server's, 'b': both */
    cinch_cause cause;
} bad[] = {
    {"an empty ALPN list", alpn_empty, 'b', CINCH_CAUSE_BAD_SETTING},
    {"an ALPN list with a gap", alpn_gap, 'b', CINCH_CAUSE_BAD_SETTING},
    {"a long ALPN name", alpn_long, 'b', CINCH_CAUSE_BAD_SETTING},
    {"an ALPN rule", alpn_rule, 'b', CINCH_CAUSE_BAD_SETTING},
    {"a negative depth", depth_negative, 'b', CINCH_CAUSE_BAD_SETTING},
    {"a large depth", depth_large, 'b', CINCH_CAUSE_BAD_SETTING},
    {"trust in nothing", trust_nothing, 'b', CINCH_CAUSE_NONE},
    {"trust in no file", trust_no_file, 'b', CINCH_CAUSE_FILE_UNREADABLE},
    {"trust in no directory", trust_no_dir, 'b', CINCH_CAUSE_FILE_UNREADABLE},
    {"trust in half a file", trust_half, 'b', CINCH_CAUSE_NONE},
    {"a weak identity", identity_weak, 'b', CINCH_CAUSE_WEAK_IDENTITY},
    {"no identity file", identity_no_file, 'b', CINCH_CAUSE_FILE_UNREADABLE},
    {"an unknown policy", policy_unknown, 'b', CINCH_CAUSE_BAD_SETTING},
    {"an empty policy", policy_empty, 'b', CINCH_CAUSE_BAD_SETTING},
    {"settings of the other kind", apply_other_kind, 'b', CINCH_CAUSE_MISUSE},
    {"a setter of the other kind", of_the_other_kind, 'b', CINCH_CAUSE_MISUSE},
    {"a server without identity", apply_nobody, 's', CINCH_CAUSE_NO_IDENTITY},
    {"a rule for clients", client_auth_range, 's', CINCH_CAUSE_BAD_SETTING},
    {"clients of nobody", client_auth_nobody, 's', CINCH_CAUSE_NO_ANCHORS},
    {"a rule for names", name_rule_range, 's', CINCH_CAUSE_BAD_SETTING},
};

static void refuse_setting(size_t i, cinch_context *ctx)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (bad[i].set(ctx, &err) != CINCH_FAILED)
        fail_msg("%s was accepted", bad[i].name);
    if (bad[i].cause != CINCH_CAUSE_NONE && err.cause != bad[i].cause)
        fail_msg("%s: %s: %s", bad[i].name, cinch_cause_name(err.cause), err.what);
    if (err.cause == CINCH_CAUSE_NONE || err.what[0] == 0 || err.remedy[0] == 0)
        fail_msg("%s is not explained", bad[i].name);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(bad[i].set(ctx, NULL), CINCH_FAILED);
}

static void test_failed_setters(void **state)
{
    static char before[TALK_REPORT], after[TALK_REPORT];
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    assert_int_equal(cinch_context_alpn(client, "h2", NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn(server, "h2", NULL), CINCH_OK);
    assert_int_equal(cinch_context_verify_depth(client, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
    look(client, server, before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (bad[i].who != 's')
            refuse_setting(i, client);
        if (bad[i].who != 'c')
            refuse_setting(i, server);
        look(client, server, after);
        if (strcmp(before, after) != 0)
            fail_msg("%s changed something", bad[i].name);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

/* ---- pairs ---- */

/* One combination of settings, one certificate; 0 is the default in each. */
enum {
    SKIP_VERIFICATION, /* client: 0 off, 1 on */
    SKIP_NAME,         /* client: 0 off, 1 on */
    ALPN_CLIENT,       /* 0 none, 1 "h2", 2 "h2" required, 3 "x", 4 "x" optional */
    ALPN_SERVER,       /* the same */
    CLIENT_AUTH,       /* server: 0 none, 1 optional, 2 required */
    CLIENT_SHOWS,      /* client: 0 nothing, 1 a good certificate, 2 of an unknown CA */
    NAME_RULE,         /* server: any, known, required */
    SENDS_NAME,        /* client: 0 yes, 1 no */
    POLICY,            /* client: 0 default, 1 modern, 2 TLS 1.2 only */
    DEPTH,             /* client: 0 ten, 1 none */
    CERTIFICATE,       /* server: see leaves below */
    FACTORS
};

static const int levels[FACTORS] = {2, 2, 5, 5, 3, 3, 3, 2, 3, 2, 5};

enum {
    GOOD,
    WRONG_NAME,
    UNKNOWN_CA,
    EXPIRED,
    NO_INTERMEDIATE
};

static const pki_cert *leaf_of(int which)
{
    const pki_cert *leaves[] = {family->good, family->wrong_name, family->unknown_ca,
                                family->expired, family->good};

    return leaves[which];
}

/* Reasons for a connection to fail. With several it does not matter which is met first. */
enum {
    ALPN_FAILS = 1,
    SERVER_NAME_FAILS = 2,
    CHAIN_FAILS = 4,
    NAME_FAILS = 8,
    CLIENT_FAILS = 16
};

static int alpn_fails(const int f[FACTORS])
{
    int client = f[ALPN_CLIENT], server = f[ALPN_SERVER];
    int overlap = client != 0 && server != 0 && (client <= 2) == (server <= 2);

    if (overlap)
        return 0;
    /* One side insists, or both have a list and the server's rule is not to go on. */
    return client == 2 || server == 2 || (client != 0 && server != 0 && server != 4);
}

static int predict(const int f[FACTORS])
{
    int known = f[CERTIFICATE] != WRONG_NAME;
    int trusted = f[CERTIFICATE] == GOOD || f[CERTIFICATE] == WRONG_NAME;
    int reasons = alpn_fails(f) ? ALPN_FAILS : 0;

    if (f[SENDS_NAME] == 1 ? f[NAME_RULE] == CINCH_SERVER_NAME_REQUIRED
                           : f[NAME_RULE] != CINCH_SERVER_NAME_ANY && !known)
        reasons |= SERVER_NAME_FAILS;
    /* The intermediate of the chain is one more than a depth of 0 allows. */
    if (!f[SKIP_VERIFICATION] && (!trusted || f[DEPTH] == 1))
        reasons |= CHAIN_FAILS;
    if (!f[SKIP_NAME] && !known)
        reasons |= NAME_FAILS;
    if ((f[CLIENT_AUTH] == CINCH_CLIENT_AUTH_REQUIRED && f[CLIENT_SHOWS] != 1) ||
        (f[CLIENT_AUTH] == CINCH_CLIENT_AUTH_OPTIONAL && f[CLIENT_SHOWS] == 2))
        reasons |= CLIENT_FAILS;
    return reasons;
}

static void set_alpn(cinch_context *ctx, int level, cinch_error *err)
{
    static const char *const lists[] = {NULL, "h2", "h2", "x", "x"};

    cinch_context_alpn(ctx, lists[level], err);
    cinch_context_alpn_rule(ctx,
                            level == 2   ? CINCH_ALPN_REQUIRED
                            : level == 4 ? CINCH_ALPN_OPTIONAL
                                         : CINCH_ALPN_OVERLAP,
                            err);
}

static cinch_context *make_client(const int f[FACTORS])
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(f[POLICY] == 1 ? "modern" : NULL, &err);

    if (f[POLICY] == 2)
        cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, &err);
    cinch_context_policy(ctx, policy, &err);
    cinch_policy_free(policy);
    cinch_context_insecure_skip_verification(ctx, f[SKIP_VERIFICATION], &err);
    cinch_context_insecure_skip_name(ctx, f[SKIP_NAME], &err);
    set_alpn(ctx, f[ALPN_CLIENT], &err);
    cinch_context_send_server_name(ctx, !f[SENDS_NAME], &err);
    cinch_context_verify_depth(ctx, f[DEPTH] == 0 ? 10 : 0, &err);
    if (f[CLIENT_SHOWS] != 0) {
        cinch_identity *identity = f[CLIENT_SHOWS] == 1
                                       ? pair_identity(family->client, family->intermediate)
                                       : pair_identity(family->unknown_ca, NULL);

        cinch_context_identity(ctx, identity, &err);
        cinch_identity_free(identity);
    }
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return ctx;
}

static cinch_context *make_server(const int f[FACTORS])
{
    cinch_error err = CINCH_ERROR_INIT;
    int alone = f[CERTIFICATE] == NO_INTERMEDIATE || f[CERTIFICATE] == UNKNOWN_CA;
    cinch_context *ctx =
        pair_server_context(leaf_of(f[CERTIFICATE]), alone ? NULL : family->intermediate);

    pair_trust(ctx, family->root);
    set_alpn(ctx, f[ALPN_SERVER], &err);
    cinch_context_client_auth(ctx, (cinch_client_auth)f[CLIENT_AUTH], &err);
    cinch_context_server_name_rule(ctx, (cinch_server_name_rule)f[NAME_RULE], &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return ctx;
}

/* Which of the reasons was given; 0 if there was another one. */
static int reason_given(const talk *t)
{
    const cinch_error *client = &t->client.err, *server = &t->server.err;

    if (client->cause == CINCH_CAUSE_NO_COMMON_ALPN || server->cause == CINCH_CAUSE_NO_COMMON_ALPN)
        return ALPN_FAILS;
    if (server->cause == CINCH_CAUSE_UNKNOWN_SERVER_NAME)
        return SERVER_NAME_FAILS;
    if (client->category == CINCH_CATEGORY_TRUST || client->category == CINCH_CATEGORY_VALIDITY)
        return CHAIN_FAILS;
    if (client->category == CINCH_CATEGORY_NAME)
        return NAME_FAILS;
    return client->category == CINCH_CATEGORY_CLIENT_CERTIFICATE ? CLIENT_FAILS : 0;
}

/* Who refuses is never open, whatever the other reasons are. */
static int agrees(const talk *t, int reasons)
{
    if (reasons == 0)
        return t->complete;
    if (t->complete || (reason_given(t) & reasons) == 0)
        return 0;
    if ((reasons & (CHAIN_FAILS | NAME_FAILS)) != 0 && t->client.opened)
        return 0;
    return (reasons & (SERVER_NAME_FAILS | CLIENT_FAILS)) == 0 || !t->server.opened;
}

static void check_combination(const int f[FACTORS])
{
    cinch_context *client = make_client(f), *server = make_server(f);
    talk *t = calloc(1, sizeof *t);
    int reasons = predict(f);

    t->client_context = client;
    t->server_context = server;
    t->host = "localhost";
    t->data = 3;
    talk_run(t);
    if (t->complaint[0] != 0 || !agrees(t, reasons)) {
        for (int i = 0; i < FACTORS; i++)
            fprintf(stderr, "%d ", f[i]);
        fprintf(stderr, "expected %d, %s\n", reasons, t->complaint);
        (void)cinch_error_report(&t->client.err, stderr);
        (void)cinch_error_report(&t->server.err, stderr);
        fail();
    }
    /* What was not checked is never called verified. */
    if (t->complete) {
        assert_int_equal(t->client.verified, !f[SKIP_VERIFICATION]);
        assert_int_equal(t->server.verified,
                         f[CLIENT_AUTH] != CINCH_CLIENT_AUTH_NONE && f[CLIENT_SHOWS] == 1);
    }
    free(t);
    cinch_context_free(client);
    cinch_context_free(server);
}

/* All pairs of levels of two factors, once among defaults and once among other levels. */
static void test_pairs(void **state)
{
    unsigned turn = 1;

    (void)state;
    for (int a = 0; a < FACTORS; a++)
        for (int b = a + 1; b < FACTORS; b++)
            for (int i = 0; i < levels[a]; i++)
                for (int k = 0; k < levels[b]; k++) {
                    int f[FACTORS] = {0};

                    f[a] = i;
                    f[b] = k;
                    check_combination(f);
                    /* The same numbers in each run, so that a failure can be repeated. */
                    for (int c = 0; c < FACTORS; c++) {
                        turn = turn * 1103515245u + 12345u;
                        if (c != a && c != b)
                            f[c] = (int)((turn >> 16) % (unsigned)levels[c]);
                    }
                    check_combination(f);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_setters),
        cmocka_unit_test(test_pairs),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
