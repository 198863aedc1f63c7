/*
 * Every allocation of an audit fails once. Then there is no result, or the whole one: an audit that
 * leaves out a finding says that something weak is sound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "pair.h"

#include <cinch/psk.h>
#include <cinch/revocation.h>
#include <cinch/verify.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
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

static pki_cert *root, *cert;
static char *old_list;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true, .not_before = -99, .not_after = -9},
                    NULL);
    old_list = pki_crl(root, &(pki_crl_spec){.this_update = -99, .next_update = -9});
    cert = pki_make(&(pki_spec){.cn = "a",
                                .dns = {"*.cinch-audit.net"},
                                .digest = "sha1",
                                .not_before = -90 * 86400L,
                                .not_after = 86400L,
                                .eku = "clientAuth",
                                .raw = {{.oid = "1.3.6.1.5.5.7.1.24",
                                         .der = (const unsigned char *)"\x30\x03\x02\x01\x05",
                                         .der_len = 5}},
                                .aia_ca_issuers = "http://ca.example.test/"},
                    root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(old_list);
    pki_free(root);
    pki_free(cert);
    return 0;
}

/* A context with much to find, made anew each time: OpenSSL keeps what it found in a certificate. */
static cinch_context *weak(int is_server, int with_host)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = is_server ? cinch_context_server(&err) : cinch_context_client(&err);
    cinch_policy *policy = cinch_policy_new(NULL, &err);
    cinch_identity *identity = pair_identity(cert, NULL);

    cinch_policy_insecure_versions(policy, CINCH_TLS_1_0, CINCH_TLS_1_2, &err);
    cinch_policy_ciphers(policy, "AES:!aNULL:!PSK:!SRP", &err);
    cinch_policy_groups(policy, "X25519:P-192", &err);
    cinch_context_policy(ctx, policy, &err);
    cinch_context_identity(ctx, identity, &err);
    if (!with_host)
        pair_trust(ctx, root);
    cinch_context_crl_pem(ctx, old_list, strlen(old_list), &err);
    cinch_context_psk(ctx, "me", "a password, no?!", 16, 1, &err);
    if (is_server && !with_host) {
        cinch_context_allow(ctx, CINCH_MATCH_COMMON_NAME, "a", &err);
        cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_OPTIONAL, &err);
    }
    if (is_server && with_host) {
        cinch_context *host = weak(1, 0);

        cinch_context_host(ctx, "a.example.test", host, &err);
        cinch_context_free(host);
    }
    cinch_identity_free(identity);
    cinch_policy_free(policy);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    return ctx;
}

static char *as_text(const cinch_audit *audit)
{
    char *text = calloc(1, 65536);
    size_t used = 0;

    for (size_t i = 0; i < audit->count; i++)
        used += (size_t)snprintf(text + used, 65536 - used, "%s: %s\n", audit->findings[i].id,
                                 audit->findings[i].what);
    return text;
}

static void sweep(int is_server, int with_host)
{
    cinch_context *ctx = weak(is_server, with_host);
    cinch_audit *whole = cinch_context_audit(ctx, NULL);
    size_t n = 0;

    assert_non_null(whole);
    char *wanted = as_text(whole);
    assert_true(whole->count > 10);
    cinch_audit_free(whole);
    cinch_context_free(ctx);
    do {
        cinch_error err = CINCH_ERROR_INIT;

        ctx = weak(is_server, with_host);
        counted = 0;
        failed_once = 0;
        failing = ++n;
        cinch_audit *audit = cinch_context_audit(ctx, &err);
        failing = 0;
        if (audit == NULL) {
            /* OpenSSL does not always say that memory was the reason. */
            if (err.cause != CINCH_CAUSE_MEMORY && err.cause != CINCH_CAUSE_INTERNAL)
                fail_msg("allocation %zu: %s", n, err.what);
        } else {
            char *got = as_text(audit);

            size_t same = 0;

            while (got[same] != 0 && got[same] == wanted[same])
                same++;
            if (got[same] != wanted[same])
                fail_msg("allocation %zu: got \"%.80s\", wanted \"%.80s\"", n, got + same,
                         wanted + same);
            free(got);
        }
        cinch_audit_free(audit);
        assert_true(ERR_peek_error() == 0);
        cinch_context_free(ctx);
    } while (failed_once);
    assert_true(n > 100);
    free(wanted);
}

static void a_server_with_a_host(void **state)
{
    (void)state;
    sweep(1, 1);
}

static void a_client(void **state)
{
    (void)state;
    sweep(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_with_a_host),
        cmocka_unit_test(a_client),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 99;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
