/* What can be an anchor: everything that was named, or roots only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/context.h"
#include "pair.h"

#include <string.h>

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

/* Whether CLIENT accepts a server that is LEAF; what it says of a failure has EVIDENCE in it. */
static int accepts(cinch_context *client, const pki_cert *leaf, const char *evidence)
{
    cinch_context *server =
        pair_server_context(leaf, leaf == family->good ? family->intermediate : NULL);
    pair p = {0};

    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    int ok = p.client.status == CINCH_OK && p.server.status == CINCH_OK;
    if (!ok && strstr(p.client.err.evidence, evidence) == NULL)
        fail_msg("wanted \"%s\", got \"%s\"", evidence, p.client.err.evidence);
    pair_stop(&p);
    cinch_context_free(server);
    return ok;
}

static void an_intermediate_as_anchor(void **state)
{
    cinch_context *ctx = pair_client_context(family->intermediate);

    (void)state;
    assert_true(accepts(ctx, family->good, ""));
    assert_int_equal(cinch_context_partial_chain(ctx, 0, NULL), CINCH_OK);
    assert_false(accepts(ctx, family->good, "only roots count"));
    /* The root beside it is one. */
    pair_trust(ctx, family->root);
    assert_true(accepts(ctx, family->good, ""));
    assert_int_equal(cinch_context_partial_chain(ctx, 1, NULL), CINCH_OK);
    assert_true(accepts(ctx, family->good, ""));
    cinch_context_free(ctx);
}

/* In VERSION, or any version if 0, a server that shows LEAF and what SENT has, up to NULL. */
static int accepts_sent(cinch_context *client, cinch_tls_version version, const pki_cert *leaf,
                        const pki_cert *sent, cinch_cause cause)
{
    cinch_context *server = pair_server_context(leaf, sent);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    pair p = {0};

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(server, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    int ok = p.client.status == CINCH_OK;
    if (p.client.err.cause != cause)
        (void)cinch_error_report(&p.client.err, stderr);
    assert_int_equal(p.client.err.cause, cause);
    pair_stop(&p);
    cinch_context_free(server);
    return ok;
}

/* Nothing but the leaf is named: its issuers are nobody's business, whether they are sent or not. */
static void a_leaf_as_anchor(void **state)
{
    const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
    pki_cert *expired =
        pki_make(&(pki_spec){.cn = "Old CA", .is_ca = true, .not_after = -60}, family->root);
    pki_cert *below = pki_make(&(pki_spec){.cn = "localhost"}, expired);
    pki_cert *elsewhere = pki_make(&(pki_spec){.dns = {"a.example.test"}}, family->intermediate);
    pki_cert *sibling = pki_make(&(pki_spec){.cn = "localhost"}, family->intermediate);
    pki_cert *over =
        pki_make(&(pki_spec){.cn = "localhost", .not_after = -60}, family->intermediate);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_context *ctx = pair_client_context(family->good);
        cinch_tls_version v = versions[i];

        pair_trust(ctx, below);
        pair_trust(ctx, elsewhere);
        pair_trust(ctx, over);
        assert_true(accepts_sent(ctx, v, family->good, NULL, CINCH_CAUSE_NONE));
        assert_true(accepts_sent(ctx, v, family->good, family->intermediate, CINCH_CAUSE_NONE));
        assert_true(accepts_sent(ctx, v, below, expired, CINCH_CAUSE_NONE));
        /* It is the leaf that is trusted: no other one of the same issuer, name and all, */
        assert_false(
            accepts_sent(ctx, v, sibling, family->intermediate, CINCH_CAUSE_UNKNOWN_ISSUER));
        /* nor for another name, nor when its time is over, */
        assert_false(
            accepts_sent(ctx, v, elsewhere, family->intermediate, CINCH_CAUSE_WRONG_HOST_NAME));
        assert_false(accepts_sent(ctx, v, over, family->intermediate, CINCH_CAUSE_EXPIRED));
        /* nor where only roots are. */
        assert_int_equal(cinch_context_partial_chain(ctx, 0, NULL), CINCH_OK);
        assert_false(accepts_sent(ctx, v, family->good, NULL, CINCH_CAUSE_MISSING_INTERMEDIATE));
        assert_false(
            accepts_sent(ctx, v, family->good, family->intermediate, CINCH_CAUSE_UNKNOWN_ISSUER));
        cinch_context_free(ctx);
    }
    pki_free(expired);
    pki_free(sibling);
    pki_free(below);
    pki_free(elsewhere);
    pki_free(over);
}

/* A certificate that is signed by itself is its own root. */
static void a_self_signed_one_as_anchor(void **state)
{
    cinch_context *ctx = pair_client_context(family->self_signed);

    (void)state;
    for (int on = 0; on < 2; on++) {
        assert_int_equal(cinch_context_partial_chain(ctx, on, NULL), CINCH_OK);
        assert_true(accepts(ctx, family->self_signed, ""));
    }
    cinch_context_free(ctx);
}

/* CVE-2025-14819 was a setting of one context that leaked into another's cached store. */
static void contexts_that_differ_share_nothing(void **state)
{
    cinch_context *lax = pair_client_context(family->intermediate);
    cinch_context *strict = cinch_context_dup(lax, NULL);
    cinch_context *same = cinch_context_dup(lax, NULL);

    (void)state;
    assert_int_equal(cinch_context_partial_chain(strict, 0, NULL), CINCH_OK);
    assert_true(accepts(lax, family->good, ""));
    assert_false(accepts(strict, family->good, "only roots count"));
    assert_true(accepts(same, family->good, ""));
    assert_ptr_not_equal(lax->derived, strict->derived);
    assert_ptr_equal(lax->derived, same->derived);
    cinch_context_free(lax);
    cinch_context_free(strict);
    cinch_context_free(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intermediate_as_anchor),
        cmocka_unit_test(a_leaf_as_anchor),
        cmocka_unit_test(a_self_signed_one_as_anchor),
        cmocka_unit_test(contexts_that_differ_share_nothing),
    };

    return cmocka_run_group_tests_name("anchors", tests, set_up, tear_down);
}
