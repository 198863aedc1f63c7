/*
 * Every allocation of watching an identity fails once, on the caller's thread or on the watch's.
 * Either nothing is watched, with a clean error; or the renewed identity is in force in the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "context/context.h"
#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The allocation that fails, counted from 1; 0 for none. */
static atomic_size_t failing, counted;

static int fails_now(void)
{
    return failing != 0 && atomic_fetch_add(&counted, 1) + 1 == failing;
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

static pki_family *family;
static pki_cert *renewed;
static char *dir, *path, *old_pem, *new_pem, *old_key, *new_key, *key_path;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    renewed = pki_make(&(pki_spec){.cn = "renewed"}, family->intermediate);
    old_pem = pki_pem_cert(family->good), new_pem = pki_pem_cert(renewed);
    old_key = pki_pem_key(family->good, NULL), new_key = pki_pem_key(renewed, NULL);
    dir = pki_tmpdir();
    path = pki_path(dir, "site.crt", ""), key_path = pki_path(dir, "site.key", "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(old_pem), free(new_pem), free(old_key), free(new_key), free(path), free(key_path);
    pki_rmtree(dir);
    pki_free(renewed);
    pki_family_free(family);
    return 0;
}

static void put(const char *certificate, const char *key)
{
    assert_true(pki_write(path, certificate, 0600));
    assert_true(pki_write(key_path, key, 0600));
}

static int shows(cinch_context *ctx, const pki_cert *leaf)
{
    pthread_mutex_lock(&ctx->lock);
    const cinch_identity *identity = ctx->settings->identity;
    int same = identity != NULL && X509_cmp(identity->leaf, leaf->cert) == 0;
    pthread_mutex_unlock(&ctx->lock);
    return same;
}

static atomic_int told_wrong, refusals;

static void hear(const char *what, cinch_status status, const cinch_error *err, void *ctx)
{
    (void)what;
    refusals += status != CINCH_OK;
    /* Nothing is said to be in force that is not. */
    told_wrong += status == CINCH_OK ? !shows(ctx, renewed) : !cinch_error_is_set(err);
    told_wrong += ERR_peek_error() != 0;
}

/* 1 if the watch was set up, and then it has done its work in the end; 0 if it was not. */
static int run(cinch_context *ctx, size_t at)
{
    cinch_error err = CINCH_ERROR_INIT;
    const cinch_identity_source source = {.file = path, .key_file = key_path, .password = "x"};

    put(old_pem, old_key);
    counted = 0;
    failing = at;
    cinch_watch *watch = cinch_watch_new(hear, ctx, &err);
    int ok = cinch_watch_identity(watch, ctx, &source, &err) == CINCH_OK;
    assert_int_equal(ok, !cinch_error_is_set(&err));
    assert_int_equal(ERR_peek_error(), 0);
    if (ok) {
        put(new_pem, new_key);
        assert_int_equal(cinch_watch_now(watch, NULL, &err), CINCH_OK);
        assert_true(shows(ctx, renewed) || shows(ctx, family->good));
        failing = 0;
        assert_int_equal(cinch_watch_now(watch, NULL, &err), CINCH_OK);
        assert_true(shows(ctx, renewed));
    }
    failing = 0;
    cinch_watch_free(watch);
    return ok;
}

static void test_sweep(void **state)
{
    size_t at, failed = 0, seen;

    (void)state;
    for (at = 1; at < 200000; at += at < 60 ? 1 : 29) {
        cinch_context *ctx = cinch_context_server(NULL);

        assert_non_null(ctx);
        failed += !run(ctx, at);
        seen = counted;
        cinch_context_free(ctx);
        assert_int_equal(told_wrong, 0);
        if (seen < at)
            break;
    }
    /* It has reached the end; some mattered at the beginning, and some later on. */
    assert_true(at < 200000 && at > 60 && failed > 5 && refusals > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests_name("fault_watch", tests, set_up, tear_down);
}
