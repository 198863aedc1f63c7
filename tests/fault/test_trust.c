/*
 * Every allocation of reading, finding, refreshing and verifying with trust anchors fails once. What
 * comes of it is a clean failure or the whole result, never a half, and what has to be refused is
 * refused. And nothing of it lasts: with memory again, everything works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "base/clock.h"
#include "pki.h"
#include "trust/set.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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
static pki_cert *forged, *by_forged;
static char *root_pem, *both_pem, *rejected_pem, *dir, *bundle, *folder, *hashed;

/* The root, with the settings that OpenSSL keeps beside a certificate: not for servers. */
static char *reject_root(void)
{
    X509 *x = X509_dup(family->root->cert);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;

    assert_int_equal(X509_add1_reject_object(x, OBJ_nid2obj(NID_server_auth)), 1);
    assert_int_equal(PEM_write_bio_X509_AUX(bio, x), 1);
    long size = BIO_get_mem_data(bio, &data);
    char *pem = calloc(1, (size_t)size + 1);

    memcpy(pem, data, (size_t)size);
    BIO_free(bio);
    X509_free(x);
    return pem;
}

static int set_up(void **state)
{
    char name[32];

    (void)state;
    family = pki_family_new();
    forged =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Root", .is_ca = true}, NULL);
    by_forged = pki_make(&(pki_spec){.cn = "localhost"}, forged);
    root_pem = pki_pem_cert(family->root);
    char *other = pki_pem_cert(family->other_root);
    both_pem = pki_pem_concat(root_pem, other, (char *)NULL);
    free(other);
    rejected_pem = reject_root();
    dir = pki_tmpdir();
    bundle = pki_path(dir, "ca.pem", "");
    folder = pki_path(dir, "certs", "");
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(name, sizeof name, "%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(family->root->cert), NULL, NULL, NULL));
    hashed = pki_path(folder, name, "");
    assert_true(pki_write(bundle, both_pem, 0644));
    assert_true(pki_write(hashed, root_pem, 0644));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_trust_forget();
    pki_free(forged), pki_free(by_forged);
    pki_family_free(family);
    free(root_pem), free(both_pem), free(rejected_pem);
    pki_rmtree(dir);
    free(bundle), free(folder), free(hashed);
    return 0;
}

static size_t find_root(cinch_trust *trust)
{
    STACK_OF(X509) *found =
        cinch_trust_by_subject(trust, X509_get_subject_name(family->root->cert));
    size_t count = found == NULL ? 99 : (size_t)sk_X509_num(found);

    sk_X509_pop_free(found, X509_free);
    return count;
}

/* Runs ACT with the first allocation failing, with the second, and so on until all succeed. */
static void sweep(void (*act)(void *data), void *data)
{
    size_t rounds = 0;

    /* What OpenSSL fetches and keeps at the first use of something is none of ours. */
    act(data);
    do {
        failing = ++rounds;
        counted = 0;
        failed_once = 0;
        act(data);
        failing = 0;
        ERR_clear_error();
    } while (failed_once);
    assert_true(rounds > 3);
}

/* OpenSSL 3.0 does not always say that it was memory when a digest cannot be fetched. */
static int is_want_of_memory(const cinch_error *err)
{
    return err->category == CINCH_CATEGORY_MEMORY || err->category == CINCH_CATEGORY_INTERNAL;
}

static void check_made(cinch_trust *trust, const cinch_error *err)
{
    size_t saved = failing;

    failing = 0;
    if (trust == NULL) {
        assert_true(is_want_of_memory(err));
        assert_int_equal(ERR_peek_error(), 0);
        assert_true(failed_once);
    } else {
        assert_int_equal(err->status, CINCH_OK);
        assert_int_equal(find_root(trust), 1);
        cinch_trust_unref(trust);
    }
    cinch_trust_forget();
    failing = saved;
}

static void make_from_file(void *data)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)data;
    check_made(cinch_trust_with_file(NULL, bundle, &err), &err);
}

static void make_from_dir(void *data)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)data;
    check_made(cinch_trust_with_dir(NULL, folder, &err), &err);
}

static void make_from_bytes(void *base)
{
    cinch_error err = CINCH_ERROR_INIT;

    check_made(cinch_trust_with_bytes(base, root_pem, strlen(root_pem), &err), &err);
}

static void make_from_places(void *data)
{
    cinch_error err = CINCH_ERROR_INIT;
    const char *files[] = {"/nonexistent", bundle, NULL}, *dirs[] = {folder, NULL};
    cinch_trust_places places = {.files = files, .dirs = dirs};

    (void)data;
    check_made(cinch_trust_with_places(NULL, &places, &err), &err);
    cinch_trust_forget();
}

/* A damaged file is refused for its damage or for want of memory, and never taken. */
static void make_damaged(void *data)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)data;
    assert_null(cinch_trust_with_bytes(NULL, root_pem, strlen(root_pem) - 40, &err));
    assert_true(err.cause == CINCH_CAUSE_BAD_CERTIFICATE || failed_once);
}

static void test_making(void **state)
{
    (void)state;
    cinch_trust *base = cinch_trust_with_file(NULL, bundle, NULL);

    sweep(make_from_bytes, NULL);
    sweep(make_from_bytes, base);
    cinch_trust_unref(base);
    sweep(make_from_file, NULL);
    sweep(make_from_dir, NULL);
    sweep(make_from_places, NULL);
    sweep(make_damaged, NULL);
}

/* The set is new each time, so that the certificate is parsed each time. */
static void find_in_bytes(void *data)
{
    size_t saved = failing;

    failing = 0;
    cinch_trust *trust = cinch_trust_with_bytes(NULL, data, strlen(data), NULL);
    failing = saved;
    size_t count = find_root(trust);
    failing = 0;
    /* No memory is not "no such anchor". */
    if (count != 1)
        assert_true(count == 99 && failed_once);
    assert_int_equal(find_root(trust), 1);
    cinch_trust_unref(trust);
}

static void find_in_dir(void *data)
{
    size_t saved = failing;

    (void)data;
    failing = 0;
    cinch_trust *trust = cinch_trust_with_dir(NULL, folder, NULL);
    failing = saved;
    size_t count = find_root(trust);
    failing = 0;
    if (count != 1)
        assert_true(count == 99 && failed_once);
    assert_int_equal(find_root(trust), 1);
    cinch_trust_unref(trust);
}

static void list_all(void *data)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t saved = failing;

    (void)data;
    failing = 0;
    cinch_trust *base = cinch_trust_with_file(NULL, bundle, NULL);
    cinch_trust *trust = cinch_trust_with_dir(base, folder, NULL);
    failing = saved;
    STACK_OF(X509) *all = cinch_trust_all(trust, &err);
    failing = 0;
    if (all == NULL)
        assert_true(is_want_of_memory(&err) && failed_once);
    else
        assert_int_equal(sk_X509_num(all), 2);
    sk_X509_pop_free(all, X509_free);
    cinch_trust_unref(base);
    cinch_trust_unref(trust);
}

static void test_finding(void **state)
{
    (void)state;
    sweep(find_in_bytes, root_pem);
    sweep(find_in_bytes, rejected_pem);
    sweep(find_in_dir, NULL);
    sweep(list_all, NULL);
}

/* A refresh gives the old set or the new one, whole; and the new one when there is memory. */
static void refresh(void *data)
{
    size_t saved = failing;
    unsigned char old_digest[32], new_digest[32];

    (void)data;
    failing = 0;
    assert_true(pki_write(bundle, both_pem, 0644));
    cinch_trust *trust = cinch_trust_with_file(NULL, bundle, NULL);
    assert_true(pki_write(bundle, root_pem, 0644));
    failing = saved;
    cinch_trust *fresh = cinch_trust_refresh(trust);
    failing = 0;
    assert_non_null(fresh);
    cinch_trust_digest(trust, old_digest);
    cinch_trust_digest(fresh, new_digest);
    assert_int_equal(fresh == trust, memcmp(old_digest, new_digest, 32) == 0);
    if (fresh == trust)
        assert_true(failed_once);
    assert_int_equal(find_root(fresh), 1);
    cinch_trust *again = cinch_trust_refresh(fresh);
    STACK_OF(X509) *all = cinch_trust_all(again, NULL);
    assert_int_equal(sk_X509_num(all), 1);
    sk_X509_pop_free(all, X509_free);
    cinch_trust_unref(trust);
    cinch_trust_unref(fresh);
    cinch_trust_unref(again);
    assert_true(pki_write(bundle, both_pem, 0644));
}

static void test_refreshing(void **state)
{
    (void)state;
    sweep(refresh, NULL);
}

typedef struct scenario {
    const char *pem;
    const pki_cert *leaf;
    int good;
} scenario;

/* 1 verified, 0 refused or no memory to begin with. */
static int verify_once(cinch_trust *trust, X509 *leaf, STACK_OF(X509) * untrusted)
{
    X509_STORE *store = cinch_trust_store(trust, NULL);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int ok = store != NULL && ctx != NULL &&
             X509_STORE_CTX_init(ctx, store, leaf, untrusted) == 1 &&
             X509_STORE_CTX_set_default(ctx, "ssl_server") == 1 && X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

/* A refusal stays one. A success may fail for want of memory, once. */
static void verify(void *data)
{
    const scenario *chain = data;
    size_t saved = failing;

    failing = 0;
    cinch_trust *trust = cinch_trust_with_bytes(NULL, chain->pem, strlen(chain->pem), NULL);
    STACK_OF(X509) *untrusted = sk_X509_new_null();
    /* Copies of their own: OpenSSL notes for good in a certificate what it had no memory to read. */
    X509 *middle = X509_dup(family->intermediate->cert), *leaf = X509_dup(chain->leaf->cert);
    sk_X509_push(untrusted, middle);
    failing = saved;
    int ok = verify_once(trust, leaf, untrusted);
    failing = 0;
    if (ok && !chain->good)
        fail_msg("allocation %zu failed, and the chain was taken", saved);
    if (!ok && chain->good)
        assert_true(failed_once);
    X509_free(leaf);
    X509_free(middle);
    (void)sk_X509_set(untrusted, 0, family->intermediate->cert);
    assert_int_equal(verify_once(trust, chain->leaf->cert, untrusted), chain->good);
    sk_X509_free(untrusted);
    cinch_trust_unref(trust);
}

static void test_verifying(void **state)
{
    (void)state;
    scenario scenarios[] = {
        {root_pem, family->good, 1},    {root_pem, family->unknown_ca, 0},
        {root_pem, by_forged, 0},       {root_pem, family->self_signed, 0},
        {root_pem, family->expired, 0}, {rejected_pem, family->good, 0},
    };

    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        sweep(verify, &scenarios[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_making),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_refreshing),
        cmocka_unit_test(test_verifying),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests_name("trust faults", tests, set_up, tear_down);
}
