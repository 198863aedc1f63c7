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
        cmocka_unit_test(a_self_signed_one_as_anchor),
        cmocka_unit_test(contexts_that_differ_share_nothing),
    };

    return cmocka_run_group_tests_name("anchors", tests, set_up, tear_down);
}
