/* In what order the certificates of an identity come out, and when they do not fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cinch/identity.h>

#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small world: root > a > b > leaf, and things beside it. */
static pki_cert *root, *other_root, *a, *b, *leaf, *renewed, *a_crossed, *stranger;
static pki_cert *self_signed, *rekeyed, *under_rekeyed, *no_id_leaf;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    other_root = pki_make(&(pki_spec){.cn = "Other Root", .is_ca = true}, NULL);
    a = pki_make(&(pki_spec){.cn = "A", .is_ca = true}, root);
    b = pki_make(&(pki_spec){.cn = "B", .is_ca = true}, a);
    leaf = pki_make(&(pki_spec){.cn = "leaf"}, b);
    renewed = pki_make(&(pki_spec){.cn = "leaf", .key_of = leaf, .not_after = 200L * 86400}, b);
    a_crossed = pki_make(&(pki_spec){.cn = "A", .is_ca = true, .key_of = a}, other_root);
    stranger = pki_make(&(pki_spec){.cn = "stranger"}, other_root);
    self_signed = pki_make(&(pki_spec){.cn = "alone"}, NULL);
    /* The same name with another key, told apart by nothing but the signature. */
    rekeyed = pki_make(&(pki_spec){.cn = "A", .is_ca = true, .no_ski = true}, root);
    under_rekeyed = pki_make(&(pki_spec){.cn = "leaf2", .no_aki = true}, rekeyed);
    no_id_leaf = pki_make(&(pki_spec){.cn = "leaf3", .no_aki = true}, a);
    return 0;
}

static int tear_down(void **state)
{
    pki_cert *all[] = {root,      other_root, a,           b,       leaf,          renewed,
                       a_crossed, stranger,   self_signed, rekeyed, under_rekeyed, no_id_leaf};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        pki_free(all[i]);
    return 0;
}

/* CERTS in the order of the file, up to NULL; KEY is whose key is with them. */
static cinch_identity *load(const pki_cert *key, const pki_cert *const *certs, cinch_error *err)
{
    size_t count = 0;
    char *key_pem, *cert_pem, *pem;

    while (certs[count] != NULL)
        count++;
    key_pem = pki_pem_key(key, NULL);
    cert_pem = pki_pem_chain(certs, count);
    pem = pki_pem_concat(cert_pem, key_pem, (char *)NULL);
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, err);
    free(pem);
    free(cert_pem);
    free(key_pem);
    return identity;
}

static void sorted(const pki_cert *key, const pki_cert *const *certs, const pki_cert *const *wanted)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = load(key, certs, &err);
    size_t i;

    if (identity == NULL)
        cinch_error_report(&err, stderr);
    assert_non_null(identity);
    for (i = 0; wanted[i] != NULL; i++) {
        const cinch_certificate *found = cinch_identity_certificate(identity, i);
        size_t size;
        unsigned char *der = pki_der_cert(wanted[i], &size);

        assert_non_null(found);
        assert_int_equal(found->der_size, size);
        assert_memory_equal(found->der, der, size);
        free(der);
    }
    assert_null(cinch_identity_certificate(identity, i));
    cinch_identity_free(identity);
}

#define LIST(...) ((const pki_cert *const[]){__VA_ARGS__, NULL})

static void any_order_is_sorted(void **state)
{
    (void)state;
    sorted(leaf, LIST(leaf), LIST(leaf));
    sorted(leaf, LIST(leaf, b, a, root), LIST(leaf, b, a, root));
    sorted(leaf, LIST(root, a, b, leaf), LIST(leaf, b, a, root));
    sorted(leaf, LIST(a, leaf, root, b), LIST(leaf, b, a, root));
    sorted(leaf, LIST(b, a, leaf), LIST(leaf, b, a));
    sorted(leaf, LIST(b, leaf), LIST(leaf, b));
    sorted(self_signed, LIST(self_signed), LIST(self_signed));
    sorted(root, LIST(root), LIST(root));
}

static void duplicates_are_dropped(void **state)
{
    (void)state;
    sorted(leaf, LIST(leaf, b, leaf, b, a, b), LIST(leaf, b, a));
}

static void renewals(void **state)
{
    (void)state;
    sorted(leaf, LIST(leaf, renewed, b), LIST(renewed, b));
    sorted(leaf, LIST(b, renewed, leaf), LIST(renewed, b));
}

static void cross_signed(void **state)
{
    (void)state;
    /* The file's order decides which of two is on the path. */
    sorted(leaf, LIST(leaf, b, a, a_crossed), LIST(leaf, b, a, a_crossed));
    sorted(leaf, LIST(leaf, b, a_crossed, a), LIST(leaf, b, a_crossed, a));
    sorted(leaf, LIST(a, a_crossed, root, other_root, b, leaf),
           LIST(leaf, b, a, root, a_crossed, other_root));
}

static void same_name_other_key(void **state)
{
    (void)state;
    sorted(under_rekeyed, LIST(under_rekeyed, rekeyed), LIST(under_rekeyed, rekeyed));
    cinch_error err = CINCH_ERROR_INIT;
    /* Both are possible by name; the signature picks, and the other one is left over. */
    assert_null(load(no_id_leaf, LIST(no_id_leaf, rekeyed, a, root), &err));
    assert_int_equal(err.cause, CINCH_CAUSE_CHAIN_GAP);
}

static void gap(const pki_cert *key, const pki_cert *const *certs, const char *what,
                const char *evidence)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_null(load(key, certs, &err));
    if (err.cause != CINCH_CAUSE_CHAIN_GAP || strstr(err.what, what) == NULL ||
        strstr(err.evidence, evidence) == NULL) {
        cinch_error_report(&err, stderr);
        fail();
    }
}

static void gaps(void **state)
{
    (void)state;
    gap(leaf, LIST(leaf, a), "the issuer of \"CN=leaf\" is missing", "missing: \"CN=B\"");
    gap(leaf, LIST(leaf, a), "", "left over: \"CN=A\"");
    gap(leaf, LIST(leaf, b, root), "the issuer of \"CN=B\" is missing", "left over: \"CN=Root\"");
    gap(leaf, LIST(leaf, b, a, stranger), "the issuer of \"CN=A\"", "\"CN=stranger\"");
    gap(leaf, LIST(leaf, b, a, root, stranger), "do not belong to its chain",
        "complete up to the root \"CN=Root\"");
    gap(leaf, LIST(stranger, other_root, self_signed, no_id_leaf, leaf),
        "the issuer of \"CN=leaf\"", " and 1 more");
}

static void many_certificates(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    const pki_cert *list[102] = {0};
    pki_cert *made[101];

    (void)state;
    for (size_t i = 0; i < 101; i++)
        list[i] = made[i] = pki_make(&(pki_spec){.cn = "x", .key_of = leaf}, b);
    assert_null(load(leaf, list, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_CHAIN_GAP);
    assert_non_null(strstr(err.what, "more than 100 certificates"));
    list[100] = NULL;
    cinch_error_clear(&err);
    cinch_identity *identity = load(leaf, list, &err);
    assert_non_null(identity);
    cinch_identity_free(identity);
    for (size_t i = 0; i < 101; i++)
        pki_free(made[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_is_sorted),
        cmocka_unit_test(duplicates_are_dropped),
        cmocka_unit_test(renewals),
        cmocka_unit_test(cross_signed),
        cmocka_unit_test(same_name_other_key),
        cmocka_unit_test(gaps),
        cmocka_unit_test(many_certificates),
    };

    return cmocka_run_group_tests_name("identity_chain", tests, set_up, tear_down);
}
