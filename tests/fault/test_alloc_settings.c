/*
 * Contexts made and changed while each allocation fails once: a setter that fails leaves the context
 * as it was, and what then connects with it is what the setters that succeeded say.
 */
#include "alloc.h"
#include "pair.h"
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pki_family *family;
static char *root_pem, *other_pem, *site_pem, *client_pem;
static cinch_context *good_client, *good_server;

/* What is built in a trial, and whether each step worked. */
typedef struct build {
    talk talk; /* for its complaint, and to try the contexts */
    cinch_context *ctx;
    bool all_worked;
    bool trusted;
    bool has_identity;
    bool named_alpn;
    char expected[TALK_REPORT];
} build;

static build b;

/* Notes the result of one step, which has its own error. */
static bool step(const char *call, bool worked, cinch_error *err)
{
    talk_check_error(&b.talk, call, !worked, err);
    if (!worked && err->cause != CINCH_CAUSE_MEMORY && err->cause != CINCH_CAUSE_INTERNAL &&
        err->category == CINCH_CATEGORY_USAGE)
        talk_blame(&b.talk, "%s blames its caller: %s", call, err->what);
    cinch_error_clear(err);
    b.all_worked = b.all_worked && worked;
    return worked;
}

static bool set(const char *call, cinch_status status, cinch_error *err)
{
    return step(call, status == CINCH_OK, err);
}

static void pick_policy(cinch_context *ctx)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    if (!step("cinch_policy_new", policy != NULL, &err))
        return;
    set("cinch_policy_versions", cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_3, &err),
        &err);
    set("cinch_policy_ciphers", cinch_policy_ciphers(policy, "ECDHE+AESGCM", &err), &err);
    set("cinch_policy_suites", cinch_policy_suites(policy, "TLS_AES_128_GCM_SHA256", &err), &err);
    set("cinch_policy_groups", cinch_policy_groups(policy, "X25519:P-256", &err), &err);
    set("cinch_policy_sigalgs",
        cinch_policy_sigalgs(policy, "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", &err), &err);
    set("cinch_context_policy", cinch_context_policy(ctx, policy, &err), &err);
    cinch_policy_free(policy);
}

static bool give_identity(cinch_context *ctx, const char *pem)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, &err);

    if (!step("cinch_identity_pem", identity != NULL, &err))
        return false;
    bool worked = set("cinch_context_identity", cinch_context_identity(ctx, identity, &err), &err);
    cinch_identity_free(identity);
    return worked;
}

static bool trust(cinch_context *ctx, const char *pem)
{
    cinch_error err = CINCH_ERROR_INIT;

    return set("cinch_context_trust_pem", cinch_context_trust_pem(ctx, pem, strlen(pem), &err),
               &err);
}

/* A copy is changed and applied: all of that or nothing. */
static void change_copy(cinch_context *ctx)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *copy = cinch_context_dup(ctx, &err);

    if (!step("cinch_context_dup", copy != NULL, &err))
        return;
    if (set("cinch_context_alpn", cinch_context_alpn(copy, "h2,http/1.1", &err), &err) &&
        set("cinch_context_apply", cinch_context_apply(ctx, copy, &err), &err))
        b.named_alpn = true;
    cinch_context_free(copy);
}

static void list_anchors(cinch_context *ctx)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_anchors *anchors = cinch_context_anchors(ctx, &err);

    if (step("cinch_context_anchors", anchors != NULL, &err) && anchors->count != 2)
        talk_blame(&b.talk, "%zu anchors are listed, of 2", anchors->count);
    cinch_anchors_free(anchors);
}

static void connect_once(talk *t, cinch_context *client, cinch_context *server)
{
    *t =
        (talk){.client_context = client, .server_context = server, .host = "localhost", .data = 10};
    talk_run(t);
    if (t->complaint[0] != 0)
        talk_blame(&b.talk, "%s", t->complaint);
}

/*
 * OpenSSL 3.0 finds out in SSL_CTX_new_ex() which signature algorithms it has, by trying them
 * (ssl_setup_sig_algs, ssl/t1_lib.c), and takes one that there is no memory to try for one that is not
 * there, without a word. Such an SSL_CTX offers less than the policy allows, never more. It lasts until
 * the settings change: that is what is done here.
 */
static bool is_lean(const talk *t)
{
    return t->client.err.category == CINCH_CATEGORY_NEGOTIATION ||
           t->server.err.category == CINCH_CATEGORY_NEGOTIATION;
}

/* What the settings are worth, tried with memory enough. */
static void try_out(cinch_context *client, cinch_context *server, bool can_work)
{
    talk *t = calloc(1, sizeof *t);

    alloc_spare(true);
    connect_once(t, client, server);
    if (can_work && !t->complete && is_lean(t)) {
        (void)cinch_context_verify_depth(b.ctx, 3, NULL);
        connect_once(t, client, server);
    }
    if (t->complete != can_work)
        talk_blame(&b.talk, "what was set %s: %s", can_work ? "is not in force" : "was not needed",
                   t->complete ? "it connects" : t->client.err.what);
    if (t->complete && strstr(t->client.report, "|h2|") == NULL)
        talk_blame(&b.talk, "no protocol was agreed on: %.60s", t->client.report);
    alloc_spare(false);
    free(t);
}

static void begin(cinch_context *(*make)(cinch_error *))
{
    cinch_error err = CINCH_ERROR_INIT;

    b = (build){.all_worked = true};
    b.ctx = make(&err);
    (void)step("making a context", b.ctx != NULL, &err);
}

static const char *finish(bool *complete)
{
    cinch_context_free(b.ctx);
    *complete = b.all_worked;
    return b.talk.complaint[0] == 0 ? NULL : b.talk.complaint;
}

static const char *make_client(void *arg, bool *complete)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)arg;
    begin(cinch_context_client);
    if (b.ctx == NULL)
        return finish(complete);
    (void)trust(b.ctx, other_pem);
    b.trusted = trust(b.ctx, root_pem);
    pick_policy(b.ctx);
    b.has_identity = give_identity(b.ctx, client_pem);
    set("cinch_context_verify_depth", cinch_context_verify_depth(b.ctx, 3, &err), &err);
    change_copy(b.ctx);
    set("cinch_context_check", cinch_context_check(b.ctx, &err), &err);
    if (b.all_worked)
        list_anchors(b.ctx);
    /* Trusted are the system's anchors, other ones, or the right ones. */
    if (b.named_alpn)
        try_out(b.ctx, good_server, b.trusted && b.has_identity);
    return finish(complete);
}

static const char *make_server(void *arg, bool *complete)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)arg;
    begin(cinch_context_server);
    if (b.ctx == NULL)
        return finish(complete);
    b.has_identity = give_identity(b.ctx, site_pem);
    b.trusted = trust(b.ctx, root_pem);
    if (b.trusted)
        b.trusted = set("cinch_context_client_auth",
                        cinch_context_client_auth(b.ctx, CINCH_CLIENT_AUTH_REQUIRED, &err), &err);
    pick_policy(b.ctx);
    set("cinch_context_server_name_rule",
        cinch_context_server_name_rule(b.ctx, CINCH_SERVER_NAME_KNOWN, &err), &err);
    if (b.has_identity)
        change_copy(b.ctx);
    if (b.named_alpn)
        try_out(good_client, b.ctx, b.has_identity);
    return finish(complete);
}

static const char *describe_certificate(void *arg, bool *complete)
{
    static char expected[TALK_REPORT], now[TALK_REPORT];
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;

    (void)arg;
    b = (build){.all_worked = true};
    alloc_spare(true);
    unsigned char *der = pki_der_cert(family->good, &size);
    alloc_spare(false);
    cinch_certificate *c = cinch_certificate_der(der, size, &err);
    (void)step("cinch_certificate_der", c != NULL, &err);
    if (c != NULL) {
        (void)talk_certificate(c, now, sizeof now);
        if (expected[0] == 0)
            memcpy(expected, now, sizeof now);
        if (strcmp(expected, now) != 0)
            talk_blame(&b.talk, "a certificate is described as %.300s", now);
    }
    cinch_certificate_free(c);
    free(der);
    return finish(complete);
}

static void sweep(const char *name, const char *(*run)(void *, bool *), size_t stride)
{
    const char *wrong = alloc_sweep(&(alloc_trial){name, run, NULL, stride});

    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static void test_client(void **state)
{
    (void)state;
    sweep("making a client's context", make_client, 7);
}

static void test_server(void **state)
{
    (void)state;
    sweep("making a server's context", make_server, 7);
}

static void test_certificate(void **state)
{
    (void)state;
    sweep("describing a certificate", describe_certificate, 1);
}

static char *all_pem(const pki_cert *leaf)
{
    char *key = pki_pem_key(leaf, NULL), *cert = pki_pem_cert(leaf);
    char *more = pki_pem_cert(family->intermediate);
    char *all = pki_pem_concat(key, cert, more, (char *)NULL);

    free(key);
    free(cert);
    free(more);
    return all;
}

/* The other side of what is tried: a server that wants certificates, a client that has one. */
static int set_up(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    family = pki_family_new();
    root_pem = pki_pem_cert(family->root);
    other_pem = pki_pem_cert(family->other_root);
    site_pem = all_pem(family->good);
    client_pem = all_pem(family->client);
    good_server = pair_server_context(family->good, family->intermediate);
    pair_trust(good_server, family->root);
    cinch_context_client_auth(good_server, CINCH_CLIENT_AUTH_REQUIRED, &err);
    cinch_context_alpn(good_server, "h2", &err);
    good_client = pair_client_context(family->root);
    cinch_identity *identity = pair_identity(family->client, family->intermediate);
    cinch_context_identity(good_client, identity, &err);
    cinch_identity_free(identity);
    cinch_context_alpn(good_client, "h2", &err);
    cinch_context_resumption(good_client, 0, &err);
    return cinch_error_report(&err, stderr);
}

static int tear_down(void **state)
{
    (void)state;
    cinch_context_free(good_client);
    cinch_context_free(good_server);
    free(root_pem);
    free(other_pem);
    free(site_pem);
    free(client_pem);
    pki_family_free(family);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_certificate),
    };

    alloc_install();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
