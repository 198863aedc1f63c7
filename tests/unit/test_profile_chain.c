/* The profile on chains as a whole: names that a wildcard stands for, work that an anchor makes, the
 * last second, policies that are required, paths among many that lead nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 60

static cinch_context *client_of(const pki_cert *anchor)
{
    cinch_context *ctx = cinch_context_client(NULL);
    char *pem = pki_pem_cert(anchor);
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), &err), CINCH_OK);
    free(pem);
    return ctx;
}

/* Asks about CHAIN, which ends with NULL. */
static cinch_status ask(cinch_context *ctx, pki_cert *const chain[], const char *host, int64_t when,
                        cinch_error *err)
{
    unsigned char *der[MOST];
    size_t sizes[MOST], count = 0;

    for (; chain[count] != NULL; count++)
        der[count] = pki_der_cert(chain[count], &sizes[count]);
    cinch_error_clear(err);
    cinch_status status = cinch_context_verify_chain(ctx, (const unsigned char *const *)der, sizes,
                                                     count, host, when, err);
    for (size_t i = 0; i < count; i++)
        free(der[i]);
    assert_int_equal(ERR_peek_error(), 0);
    return status;
}

/* Does CONSTRAINTS of the root or the CA under it break the rule for a leaf with NAME? */
static void expect_wildcard(const char *constraints, int in_root, const char *name, int breaks)
{
    pki_cert *root = pki_make(
        &(pki_spec){.cn = "Root", .is_ca = true, .name_constraints = in_root ? constraints : NULL},
        NULL);
    pki_cert *ca = pki_make(
        &(pki_spec){.cn = "CA", .is_ca = true, .name_constraints = in_root ? NULL : constraints},
        root);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x", .dns = {name}}, ca);
    pki_cert *const chain[] = {leaf, ca, NULL};
    cinch_context *ctx = client_of(root);
    cinch_error err = CINCH_ERROR_INIT;
    cinch_status status = ask(ctx, chain, "b.example.test", -1, &err);

    if (status != (breaks ? CINCH_FAILED : CINCH_OK))
        fail_msg("%s: %s", constraints, err.what);
    if (breaks) {
        assert_non_null(strstr(err.what, "\"name-constraints\""));
        assert_non_null(strstr(err.what, "stands for"));
        assert_int_equal(cinch_context_insecure_relax(ctx, CINCH_RULE_NAME_CONSTRAINTS, 1, NULL),
                         CINCH_OK);
        assert_int_equal(ask(ctx, chain, "b.example.test", -1, &err), CINCH_OK);
    }
    cinch_context_free(ctx);
    pki_free(leaf);
    pki_free(ca);
    pki_free(root);
}

static void test_a_wildcard_over_an_excluded_name(void **state)
{
    (void)state;
    for (int in_root = 0; in_root < 2; in_root++) {
        expect_wildcard("critical,excluded;DNS:a.example.test", in_root, "*.example.test", 1);
        expect_wildcard("critical,excluded;DNS:A.Example.TEST", in_root, "*.example.test", 1);
        expect_wildcard("excluded;DNS:z.test,excluded;DNS:b.example.test", in_root,
                        "*.example.test", 1);
    }
    /* Not one of those that it stands for. */
    expect_wildcard("critical,excluded;DNS:c.a.example.test", 0, "*.example.test", 0);
    expect_wildcard("critical,excluded;DNS:a.sample.test", 0, "*.example.test", 0);
    expect_wildcard("critical,excluded;DNS:a-example.test", 0, "*.example.test", 0);
    expect_wildcard("critical,excluded;DNS:a.example.test", 0, "b.example.test", 0);
    expect_wildcard("critical,permitted;DNS:example.test", 0, "*.example.test", 0);
}

/* COUNT names of six bytes as a subjectAltName, in BYTES. Returns its size. */
static size_t many_names(unsigned char *bytes, size_t count)
{
    size_t content = count * 8;

    bytes[0] = 0x30;
    bytes[1] = 0x82;
    bytes[2] = (unsigned char)(content >> 8);
    bytes[3] = (unsigned char)content;
    for (size_t i = 0; i < count; i++) {
        unsigned char *at = bytes + 4 + i * 8;
        char name[16];

        at[0] = 0x82;
        at[1] = 6;
        snprintf(name, sizeof name, "t%04zu.", i % 10000);
        name[5] = 'x';
        memcpy(at + 2, name, 6);
    }
    return content + 4;
}

/* Whoever has a certificate below such an anchor could make us compare for seconds. */
static void test_constraints_of_an_anchor_count(void **state)
{
    enum {
        NAMES = 500,
        CONSTRAINTS = 510
    };
    static unsigned char names[4 + NAMES * 8];
    static char constraints[CONSTRAINTS * 32];
    size_t size = many_names(names, NAMES), at = 0;
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    for (int i = 0; i < CONSTRAINTS; i++)
        at += (size_t)snprintf(constraints + at, sizeof constraints - at, "%sexcluded;DNS:x%d.test",
                               i == 0 ? "critical," : ",", i);
    pki_cert *root =
        pki_make(&(pki_spec){.cn = "Root", .is_ca = true, .name_constraints = constraints}, NULL);
    pki_cert *leaf = pki_make(
        &(pki_spec){.cn = "x", .no_san = true, .raw = {{"subjectAltName", false, names, size}}},
        root);
    pki_cert *const chain[] = {leaf, NULL};
    cinch_context *ctx = client_of(root);
    assert_int_equal(ask(ctx, chain, "localhost", -1, &err), CINCH_FAILED);
    if (strstr(err.what, "too many to compare") == NULL)
        fail_msg("%s", err.what);
    cinch_context_free(ctx);
    pki_free(leaf);
    pki_free(root);
}

static int64_t not_after(const pki_cert *cert)
{
    ASN1_TIME *start = ASN1_TIME_set(NULL, 0);
    int days, seconds;

    assert_int_equal(ASN1_TIME_diff(&days, &seconds, start, X509_get0_notAfter(cert->cert)), 1);
    ASN1_TIME_free(start);
    return (int64_t)days * 86400 + seconds;
}

/* The time of a certificate includes the second that it ends with (RFC 5280, 4.1.2.5). */
static void test_the_last_second(void **state)
{
    const struct {
        long root, ca, leaf;
    } ends[] = {{900, 900, 300}, {900, 300, 900}, {300, 900, 900}, {300, 300, 300}};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        pki_cert *root =
            pki_make(&(pki_spec){.cn = "Root", .is_ca = true, .not_after = ends[i].root}, NULL);
        pki_cert *ca =
            pki_make(&(pki_spec){.cn = "CA", .is_ca = true, .not_after = ends[i].ca}, root);
        pki_cert *leaf = pki_make(&(pki_spec){.cn = "x", .not_after = ends[i].leaf}, ca);
        pki_cert *const chain[] = {leaf, ca, NULL};
        const pki_cert *first = ends[i].leaf == 300 ? leaf : ends[i].ca == 300 ? ca : root;
        cinch_context *ctx = client_of(root);
        cinch_error err = CINCH_ERROR_INIT;
        int64_t last = not_after(first);

        /* They may have been made on both sides of a second's end. */
        if (not_after(leaf) < last)
            last = not_after(leaf);
        if (not_after(ca) < last)
            last = not_after(ca);
        if (not_after(root) < last)
            last = not_after(root);
        if (ask(ctx, chain, "localhost", last, &err) != CINCH_OK)
            fail_msg("%zu: %s", i, err.what);
        assert_int_equal(ask(ctx, chain, "localhost", last + 1, &err), CINCH_FAILED);
        assert_int_equal(err.cause, CINCH_CAUSE_EXPIRED);
        cinch_context_free(ctx);
        pki_free(leaf);
        pki_free(ca);
        pki_free(root);
    }
}

/* An issuer may ask for some policy to be named all the way down; which one is not our concern. */
static void test_a_policy_is_required(void **state)
{
    static const unsigned char required[] = {0x30, 0x03, 0x80, 0x01, 0x00};
    static const unsigned char policy[] = {0x30, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x03};
    static const unsigned char other[] = {0x30, 0x06, 0x30, 0x04, 0x06, 0x02, 0x2a, 0x04};
    const unsigned char *const of_leaf[] = {policy, other, NULL};
    pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    pki_cert *ca = pki_make(&(pki_spec){.cn = "CA",
                                        .is_ca = true,
                                        .raw = {{"policyConstraints", true, required, 5},
                                                {"certificatePolicies", false, policy, 8}}},
                            root);
    cinch_context *ctx = client_of(root);

    (void)state;
    for (int i = 0; i < 3; i++) {
        pki_spec spec = {.cn = "x"};
        cinch_error err = CINCH_ERROR_INIT;

        if (of_leaf[i] != NULL)
            spec.raw[0] = (pki_raw_extension){"certificatePolicies", false, of_leaf[i], 8};
        pki_cert *leaf = pki_make(&spec, ca);
        pki_cert *const chain[] = {leaf, ca, NULL};
        cinch_status status = ask(ctx, chain, "localhost", -1, &err);
        if (status != (i == 0 ? CINCH_OK : CINCH_FAILED))
            fail_msg("%d: %s", i, err.what);
        pki_free(leaf);
    }
    cinch_context_free(ctx);
    pki_free(ca);
    pki_free(root);
}

/* Many certificates of one CA that no chain can have, and behind them the one that holds. */
static void expect_found_among(pki_spec bad)
{
    pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    pki_cert *good = pki_make(&(pki_spec){.cn = "CA", .is_ca = true}, root);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, good);
    pki_cert *chain[MOST] = {leaf};
    cinch_context *ctx = client_of(root);
    cinch_error err = CINCH_ERROR_INIT;
    size_t count = 1;

    bad.cn = "CA";
    bad.is_ca = true;
    bad.key_of = good;
    while (count < 50)
        chain[count++] = pki_make(&bad, root);
    chain[count] = good;
    chain[count + 1] = NULL;
    if (ask(ctx, chain, "localhost", -1, &err) != CINCH_OK)
        fail_msg("%s", err.what);
    chain[count] = NULL;
    assert_int_equal(ask(ctx, chain, "localhost", -1, &err), CINCH_FAILED);
    cinch_context_free(ctx);
    while (count > 0)
        pki_free(chain[--count]);
    pki_free(good);
    pki_free(root);
}

static void test_one_good_path_among_many(void **state)
{
    static const unsigned char nothing[] = {0x05, 0x00};

    (void)state;
    expect_found_among((pki_spec){.no_aki = true});
    expect_found_among((pki_spec){.eku = "codeSigning"});
    expect_found_among((pki_spec){.raw = {{"1.3.6.1.4.1.55555.1", true, nothing, 2}}});
    expect_found_among((pki_spec){.name_constraints = "critical,excluded;DNS:localhost"});
    expect_found_among((pki_spec){.digest = "sha1"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wildcard_over_an_excluded_name),
        cmocka_unit_test(test_constraints_of_an_anchor_count),
        cmocka_unit_test(test_the_last_second),
        cmocka_unit_test(test_a_policy_is_required),
        cmocka_unit_test(test_one_good_path_among_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
