/* One good path is enough, whatever else was sent: two issuers of one name and key, one of them bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST = 40
};

static pki_cert *root, *other;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    other = pki_make(&(pki_spec){.cn = "Other Root", .is_ca = true}, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(root);
    pki_free(other);
    return 0;
}

static cinch_status ask(const pki_cert *const chain[], size_t count, cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(NULL);
    const pki_cert *const anchors[] = {root, other};
    char *pem = pki_pem_chain(anchors, 2);
    unsigned char *der[MOST];
    const unsigned char *borrowed[MOST];
    size_t sizes[MOST];

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), NULL), CINCH_OK);
    for (size_t i = 0; i < count; i++)
        borrowed[i] = der[i] = pki_der_cert(chain[i], &sizes[i]);
    cinch_error_clear(err);
    cinch_status status =
        cinch_context_verify_chain(ctx, borrowed, sizes, count, "localhost", -1, err);
    for (size_t i = 0; i < count; i++)
        free(der[i]);
    free(pem);
    cinch_context_free(ctx);
    return status;
}

static const struct {
    const char *name;
    pki_spec spec;
} bad[] = {
    {"expired", {.not_before = -7200, .not_after = -3600}},
    {"for clients", {.eku = "clientAuth"}},
    {"no authority key identifier", {.no_aki = true}},
    {"serial zero", {.serial = "00"}},
    {"forbids the name", {.name_constraints = "critical,excluded;DNS:localhost"}},
    {"SHA-1", {.digest = "sha1"}},
    {"damaged signature", {.corrupt_signature = true}},
    {"no CA", {.no_basic_constraints = true}},
    {"unknown critical", {.raw = {{"1.2.3.4", true, (const unsigned char *)"\5\0", 2}}}},
};

static pki_cert *make_issuer(pki_spec spec, const pki_cert *key_of, const pki_cert *issuer)
{
    spec.cn = "Issuer";
    spec.is_ca = true;
    spec.key_of = key_of;
    return pki_make(&spec, issuer);
}

static void test_one_of_two(void **state)
{
    pki_cert *good = make_issuer((pki_spec){0}, NULL, root);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, good);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (int k = 0; k < 4; k++) {
            pki_cert *wrong = make_issuer(bad[i].spec, good, k & 2 ? other : root);
            const pki_cert *const chain[] = {leaf, k & 1 ? good : wrong, k & 1 ? wrong : good};
            const pki_cert *const alone[] = {leaf, wrong};

            if (ask(chain, 3, &err) != CINCH_OK)
                fail_msg("%s, %d: %s", bad[i].name, k, err.what);
            assert_int_equal(ask(alone, 2, &err), CINCH_FAILED);
            pki_free(wrong);
        }
    pki_free(leaf);
    pki_free(good);
}

/* Bad ones at two levels, and a good one at each. */
static void test_two_levels(void **state)
{
    pki_cert *upper = make_issuer((pki_spec){0}, NULL, root);
    pki_cert *bad_upper = make_issuer((pki_spec){.eku = "clientAuth"}, upper, other);
    pki_cert *lower = pki_make(&(pki_spec){.cn = "Lower", .is_ca = true}, upper);
    pki_cert *bad_lower =
        pki_make(&(pki_spec){.cn = "Lower", .is_ca = true, .key_of = lower, .no_aki = true}, upper);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, lower);
    const pki_cert *const chain[] = {leaf, bad_lower, bad_upper, lower, upper};
    const pki_cert *const hopeless[] = {leaf, bad_lower, bad_upper, lower};
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    if (ask(chain, 5, &err) != CINCH_OK)
        fail_msg("%s", err.what);
    assert_int_equal(ask(hopeless, 4, &err), CINCH_FAILED);
    pki_free(leaf);
    pki_free(bad_lower);
    pki_free(lower);
    pki_free(bad_upper);
    pki_free(upper);
}

/* What a peer sends decides how much there is to try: it ends, and with the right answer or none. */
static void test_many(void **state)
{
    pki_cert *first = make_issuer((pki_spec){.serial = "00"}, NULL, root), *many[MOST];
    const pki_cert *chain[MOST];
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, first);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    chain[0] = leaf;
    chain[1] = first;
    for (size_t i = 2; i < MOST; i++)
        chain[i] = many[i] = make_issuer((pki_spec){.no_aki = true}, first, root);
    assert_int_equal(ask(chain, MOST, &err), CINCH_FAILED);
    assert_int_equal(err.category, CINCH_CATEGORY_TRUST);
    for (size_t i = 2; i < MOST; i++)
        pki_free(many[i]);
    pki_free(leaf);
    pki_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_two),
        cmocka_unit_test(test_two_levels),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
