/*
 * Every allocation of reading lists and responses, of looking a certificate up, and of whole
 * handshakes fails once. What is revoked is never let in, whichever it is.
 */
#include "alloc.h"
#include "base/clock.h"
#include "pair.h"
#include "pki_ocsp.h"
#include "revocation/lists.h"
#include "revocation/ocsp.h"
#include "trust/proved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

/* The allocation that fails, counted from 1; 0 for none; and how far it is to the next one. */
static size_t failing, counted, stride = 1;
static int failed_once, counting;

static int fails_now(void)
{
    if (!counting || failing == 0 || ++counted != failing)
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

/* A clock on which each look is a second later, so that every refresh is due. */
static int64_t now_us = 1000000;

int64_t cinch_clock_us(void)
{
    return now_us += 1000000;
}

int64_t cinch_clock_wall(void)
{
    return (int64_t)time(NULL);
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    snprintf(buf, 32, "%lld", (long long)when);
    return buf;
}

static pki_family *family;
static char *dir, *path, *listed, *empty;
static unsigned char *response;
static size_t response_size;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    dir = pki_tmpdir();
    path = pki_path(dir, "list.crl", "");
    listed = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->good}, .reason = 2});
    empty = pki_crl(family->intermediate, NULL);
    assert_true(pki_write(path, listed, 0644));
    now = (int64_t)time(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    pki_rmtree(dir);
    free(path), free(listed), free(empty);
    return 0;
}

/* Runs ACT with the first allocation failing, with the second, and so on until all succeed. */
static void sweep(void (*act)(const void *data), const void *data)
{
    size_t rounds = 0;

    /* What OpenSSL fetches and keeps at the first use of something is none of ours. */
    failing = 0;
    act(data);
    do {
        cinch_proved_forget();
        failing = 1 + rounds++ * stride;
        counted = 0;
        failed_once = 0;
        act(data);
        ERR_clear_error();
    } while (failed_once);
    assert_true(rounds > 3);
}

static cinch_crl_verdict look(cinch_crls *set)
{
    return cinch_crls_check(set, family->good->cert, family->intermediate->cert, now, NULL);
}

static void make_set(const void *kind)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_crls *set;

    counting = 1;
    if (strcmp(kind, "file") == 0)
        set = cinch_crls_with_file(NULL, path, &err);
    else if (strcmp(kind, "dir") == 0)
        set = cinch_crls_with_dir(NULL, dir, &err);
    else
        set = cinch_crls_with_bytes(NULL, listed, strlen(listed), &err);
    counting = 0;
    assert_int_equal(ERR_peek_error(), 0);
    if (set == NULL) {
        if (err.category != CINCH_CATEGORY_MEMORY && err.category != CINCH_CATEGORY_INTERNAL)
            (void)cinch_error_report(&err, stderr);
        assert_true(err.category == CINCH_CATEGORY_MEMORY ||
                    err.category == CINCH_CATEGORY_INTERNAL);
        return;
    }
    assert_int_equal(look(set), CINCH_CRL_REVOKED);
    cinch_crls_unref(set);
}

static void test_making(void **state)
{
    (void)state;
    sweep(make_set, "file");
    sweep(make_set, "dir");
    sweep(make_set, "bytes");
}

static void check_listed(const void *text)
{
    /* New for each round: a signature that was verified once is not verified again. */
    cinch_crls *set = cinch_crls_with_bytes(NULL, text, strlen(text), NULL);

    assert_non_null(set);
    counting = 1;
    cinch_crl_verdict verdict = look(set);
    counting = 0;
    if (text == listed)
        assert_true(verdict == CINCH_CRL_REVOKED || (verdict == CINCH_CRL_FAILED && failed_once));
    else
        assert_true(verdict == CINCH_CRL_GOOD || failed_once);
    assert_int_equal(ERR_peek_error(), 0);
    /* Nothing of it lasts. */
    assert_int_equal(look(set), text == listed ? CINCH_CRL_REVOKED : CINCH_CRL_GOOD);
    cinch_crls_unref(set);
}

static void test_looking_up(void **state)
{
    (void)state;
    sweep(check_listed, listed);
    sweep(check_listed, empty);
}

static void refresh(const void *to)
{
    assert_true(pki_write(path, empty, 0644));
    cinch_crls *set = cinch_crls_with_file(NULL, path, NULL);
    assert_non_null(set);
    assert_true(pki_write(path, to, 0644));
    counting = 1;
    cinch_crls *fresh = cinch_crls_refresh(set);
    counting = 0;
    assert_non_null(fresh);
    assert_true(fresh != set || failed_once);
    /* Another try brings it. */
    cinch_crls *again = cinch_crls_refresh(fresh);
    assert_int_equal(look(again), CINCH_CRL_REVOKED);
    cinch_crls_unref(again);
    cinch_crls_unref(fresh);
    cinch_crls_unref(set);
}

static void test_refreshing(void **state)
{
    (void)state;
    sweep(refresh, listed);
    assert_true(pki_write(path, listed, 0644));
}

static void check_response(const void *status)
{
    cinch_ocsp_finding finding;

    counting = 1;
    cinch_ocsp_verdict verdict = cinch_ocsp_check(response, response_size, family->good->cert,
                                                  family->intermediate->cert, NULL, now, &finding);
    counting = 0;
    assert_int_equal(ERR_peek_error(), 0);
    if (status != NULL)
        assert_int_not_equal(verdict, CINCH_OCSP_GOOD);
    if (!failed_once)
        assert_int_equal(verdict, status == NULL ? CINCH_OCSP_GOOD : CINCH_OCSP_REVOKED);
}

static void test_responses(void **state)
{
    pki_cert *delegate =
        pki_make(&(pki_spec){.cn = "Responder", .eku = "OCSPSigning"}, family->intermediate);

    (void)state;
    for (int i = 0; i < 4; i++) {
        const pki_ocsp_spec spec = {.signer = i & 1 ? delegate : NULL,
                                    .status = i & 2 ? "revoked" : NULL};

        response = pki_ocsp(family->good, family->intermediate, &spec, &response_size);
        failed_once = 0;
        sweep(check_response, spec.status);
        free(response);
    }
    pki_free(delegate);
}

/* ---- whole handshakes ---- */

typedef struct scenario {
    cinch_tls_version version;
    int lists; /* the server's certificate is listed; else a response is required and missing */
} scenario;

static cinch_context *client_for(const scenario *s)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *client = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, &err);

    cinch_policy_versions(policy, s->version, s->version, &err);
    cinch_context_policy(client, policy, &err);
    cinch_policy_free(policy);
    if (s->lists)
        (void)cinch_context_crl_pem(client, listed, strlen(listed), &err);
    else
        (void)cinch_context_ocsp_require(client, 1, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return client;
}

static void try_handshake(const void *data)
{
    const scenario *s = data;
    cinch_context *client = client_for(s);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    pair p = {0};

    pair_start(&p, client, server, "localhost");
    for (int round = 0; round < 10; round++) {
        /* The hello is not what this is about. */
        counting = round > 0;
        if (p.client.status != CINCH_FAILED)
            p.client.status = cinch_conn_handshake(p.client.conn, &p.client.err);
        counting = 0;
        assert_int_not_equal(p.client.status, CINCH_OK);
        if (cinch_conn_state_now(p.server.conn) == CINCH_STATE_HANDSHAKING)
            p.server.status = cinch_conn_handshake(p.server.conn, &p.server.err);
        if (pair_move(&p) == 0)
            break;
    }
    assert_int_equal(p.client.status, CINCH_FAILED);
    if (!failed_once)
        assert_int_equal(p.client.err.cause, s->lists ? CINCH_CAUSE_REVOKED : CINCH_CAUSE_OCSP);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_handshakes(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const scenario s = {i & 1 ? CINCH_TLS_1_2 : CINCH_TLS_1_3, i & 2};

        failed_once = 0;
        stride = s.lists ? 5 : 11;
        sweep(try_handshake, &s);
    }
    stride = 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),     cmocka_unit_test(test_looking_up),
        cmocka_unit_test(test_refreshing), cmocka_unit_test(test_responses),
        cmocka_unit_test(test_handshakes),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests_name("revocation faults", tests, set_up, tear_down);
}
