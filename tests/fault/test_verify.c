/*
 * Every allocation of checking a chain fails once. What has to be refused is refused all the same, by
 * each rule of the profile, by pins and by name; and setters change all or nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "pki.h"
#include "trust/proved.h"

#include <cinch/cinch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* The allocation that fails, counted from 1; 0 for none. */
static size_t failing, counted;
static int failed_once;

static int fails_now(void)
{
    if (failing == 0 || ++counted != failing)
        return 0;
    failed_once = 1;
    return 1;
}

static void *my_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *my_realloc(void *old, size_t size, const char *file, int line)
{
    return fails_now() ? alloc_refuse(old, file, line) : realloc(old, size);
}

static void my_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

typedef struct question {
    cinch_context *ctx;
    unsigned char *der[2];
    size_t sizes[2];
    const char *host;
    cinch_status right; /* the answer with memory */
    const char *name;
} question;

/* Asks with the first allocation failing, with the second, and so on until all succeed. */
static void sweep(const question *q)
{
    const unsigned char *const der[] = {q->der[0], q->der[1]};
    size_t rounds = 0;

    failing = 0;
    (void)cinch_context_verify_chain(q->ctx, der, q->sizes, 2, q->host, -1, NULL);
    do {
        cinch_error err = CINCH_ERROR_INIT;

        cinch_proved_forget();
        failing = ++rounds;
        counted = 0;
        failed_once = 0;
        cinch_status status =
            cinch_context_verify_chain(q->ctx, der, q->sizes, 2, q->host, -1, &err);
        failing = 0;
        if (status == CINCH_OK && q->right != CINCH_OK)
            fail_msg("%s: accepted when allocation %zu failed", q->name, rounds);
        if (!failed_once || status == CINCH_OK)
            assert_int_equal(status, q->right);
        assert_int_equal(cinch_error_is_set(&err), status != CINCH_OK);
        assert_int_equal(ERR_peek_error(), 0);
    } while (failed_once);
    assert_true(rounds > 10);
}

typedef struct fault_case {
    const char *name;
    pki_spec intermediate, leaf;
    const char *host;
    cinch_status right;
} fault_case;

static const unsigned char spare[] = {0x03, 0x02, 0x07, 0x81};

static const fault_case cases[] = {
    {"accepted", .host = "localhost", .right = CINCH_OK},
    {"another name", .host = "other.test", .right = CINCH_FAILED},
    {"serial", .leaf = {.serial = "00"}, .right = CINCH_FAILED},
    {"purposes", .leaf = {.eku = "serverAuth,codeSigning"}, .right = CINCH_FAILED},
    {"no key identifier", .leaf = {.no_aki = true}, .right = CINCH_FAILED},
    {"name constraints", .leaf = {.name_constraints = "permitted;DNS:localhost"},
     .right = CINCH_FAILED},
    {"a wildcard over an excluded name",
     .intermediate = {.name_constraints = "critical,excluded;DNS:a.example.test"},
     .leaf = {.dns = {"*.example.test"}}, .host = "b.example.test", .right = CINCH_FAILED},
    {"a bit too many", .leaf = {.no_key_usage = true, .raw = {{"keyUsage", true, spare, 4}}},
     .right = CINCH_FAILED},
    {"another path", .intermediate = {.no_ski = true}, .right = CINCH_FAILED},
};

static void make_question(question *q, const fault_case *c)
{
    cinch_error err = CINCH_ERROR_INIT;
    pki_spec ca_spec = c->intermediate, leaf_spec = c->leaf;
    pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);

    ca_spec.cn = "CA";
    ca_spec.is_ca = true;
    leaf_spec.cn = "leaf";
    pki_cert *ca = pki_make(&ca_spec, root), *leaf = pki_make(&leaf_spec, ca);
    char *pem = pki_pem_cert(root);

    q->ctx = cinch_context_client(&err);
    assert_int_equal(cinch_context_trust_pem(q->ctx, pem, strlen(pem), &err), CINCH_OK);
    q->der[0] = pki_der_cert(leaf, &q->sizes[0]);
    q->der[1] = pki_der_cert(ca, &q->sizes[1]);
    q->host = c->host != NULL ? c->host : "localhost";
    q->right = c->right;
    q->name = c->name;
    free(pem);
    pki_free(leaf);
    pki_free(ca);
    pki_free(root);
}

static void free_question(question *q)
{
    cinch_context_free(q->ctx);
    free(q->der[0]);
    free(q->der[1]);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        question q;

        make_question(&q, &cases[i]);
        sweep(&q);
        free_question(&q);
    }
}

static int never(cinch_certificate *const *chain, size_t count, char *why, size_t size, void *arg)
{
    (void)chain, (void)count, (void)why, (void)size, (void)arg;
    return 0;
}

static void test_access(void **state)
{
    static const char one[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const char two[] = "0000000000000000000000000000000000000000000000000000000000000002";
    question q;

    (void)state;
    make_question(&q, &cases[0]);
    q.right = CINCH_FAILED;
    assert_int_equal(cinch_context_pin(q.ctx, one, two, NULL), CINCH_OK);
    sweep(&q);
    assert_int_equal(cinch_context_pin(q.ctx, NULL, NULL, NULL), CINCH_OK);
    assert_int_equal(cinch_context_allow_if(q.ctx, never, NULL, NULL), CINCH_OK);
    sweep(&q);
    free_question(&q);
}

/* A rule that could not be added must not leave the client's side open. */
static void test_setters(void **state)
{
    cinch_context *ctx = cinch_context_server(NULL);
    size_t rounds = 0;

    (void)state;
    do {
        cinch_error err = CINCH_ERROR_INIT;

        failing = ++rounds;
        counted = 0;
        failed_once = 0;
        cinch_status status = cinch_context_allow(ctx, CINCH_MATCH_DNS, "*.example.test", &err);
        failing = 0;
        assert_int_equal(status, failed_once ? CINCH_FAILED : CINCH_OK);
        assert_int_equal(cinch_error_is_set(&err), failed_once);
    } while (failed_once);
    assert_true(rounds > 2);
    cinch_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_setters),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
