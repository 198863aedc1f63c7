/* Sets of anchors used by many threads while their files are replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pki.h"
#include "trust/set.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 200
#define REPLACEMENTS 200

/* A clock on which each look is a second later, so that every refresh is due. */
static _Atomic(int64_t) now_us = 1000000;

int64_t cinch_clock_us(void)
{
    return atomic_fetch_add(&now_us, 1000000);
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

/*
 * A certificate that two threads compared is freed by the one that drops the last reference, often
 * when the directory has long forgotten it. The count is libcrypto's and its atomics are invisible
 * to the sanitizer, so that memcmp() and free() called by libcrypto itself do not count here. What
 * it calls of ours does.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcrypto.so\n";
}

/* One CA in the bundle at any time: the first or the second of the same name. */
static pki_cert *first, *second, *leaf_of_first, *stranger;
static char *first_pem, *second_pem, *dir, *bundle, *fresh, *hashed;

/* What all threads share, as the contexts of a program do. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_trust *shared;
static atomic_int problems, verified, refused;

static int set_up(void **state)
{
    (void)state;
    const pki_spec ca = {.subject = "/O=Cinch Tests/CN=Threads", .is_ca = true};
    char name[32];

    first = pki_make(&ca, NULL);
    second = pki_make(&ca, NULL);
    leaf_of_first = pki_make(&(pki_spec){.cn = "localhost"}, first);
    stranger = pki_make(&(pki_spec){.cn = "stranger"}, NULL);
    first_pem = pki_pem_cert(first);
    second_pem = pki_pem_cert(second);
    dir = pki_tmpdir();
    bundle = pki_path(dir, "ca.pem", "");
    fresh = pki_path(dir, "fresh.pem", "");
    snprintf(name, sizeof name, "%08lx.0",
             X509_NAME_hash_ex(X509_get_subject_name(first->cert), NULL, NULL, NULL));
    hashed = pki_path(dir, name, "");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_rmtree(dir);
    pki_free(first), pki_free(second), pki_free(leaf_of_first), pki_free(stranger);
    free(first_pem), free(second_pem), free(bundle), free(fresh), free(hashed);
    return 0;
}

static int verify(X509_STORE *store, X509 *leaf)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int ok = ctx != NULL && X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1 &&
             X509_verify_cert(ctx) == 1;

    X509_STORE_CTX_free(ctx);
    return ok;
}

/* What a connection does with the shared set; odd things are counted, as cmocka is not for threads. */
static void use_once(void)
{
    pthread_mutex_lock(&lock);
    cinch_trust *now = cinch_trust_refresh(shared);
    cinch_trust_unref(shared);
    shared = now;
    cinch_trust *mine = cinch_trust_ref(now);
    pthread_mutex_unlock(&lock);

    STACK_OF(X509) *found = cinch_trust_by_subject(mine, X509_get_subject_name(first->cert));
    for (int i = 0; i < sk_X509_num(found); i++)
        problems += X509_cmp(sk_X509_value(found, i), first->cert) != 0 &&
                    X509_cmp(sk_X509_value(found, i), second->cert) != 0;
    problems += found == NULL || sk_X509_num(found) < 1 || sk_X509_num(found) > 2;
    sk_X509_pop_free(found, X509_free);
    X509_STORE *store = cinch_trust_store(mine, NULL);
    problems += store == NULL || verify(store, stranger->cert);
    if (verify(store, leaf_of_first->cert))
        verified++;
    else
        refused++;
    X509_STORE_free(store);
    cinch_trust_unref(mine);
}

static void *use(void *nothing)
{
    for (int i = 0; i < ROUNDS; i++) {
        use_once();
        /* And makes sets of its own, which share what is read. */
        cinch_trust *own = cinch_trust_with_file(NULL, bundle, NULL);
        problems += own == NULL;
        cinch_trust *more = cinch_trust_with_bytes(own, first_pem, strlen(first_pem), NULL);
        cinch_trust_unref(own);
        X509_STORE *store = cinch_trust_store(more, NULL);
        problems += store == NULL || !verify(store, leaf_of_first->cert);
        X509_STORE_free(store);
        cinch_trust_unref(more);
    }
    return nothing;
}

static void *replace(void *nothing)
{
    for (int i = 0; i < REPLACEMENTS; i++) {
        const char *pem = i % 2 == 0 ? second_pem : first_pem;

        problems += !pki_write(fresh, pem, 0644) || rename(fresh, bundle) != 0;
        problems += !pki_write(fresh, pem, 0644) || rename(fresh, hashed) != 0;
    }
    return nothing;
}

static void run(void)
{
    pthread_t threads[THREADS + 1];

    problems = verified = refused = 0;
    for (int i = 0; i <= THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? replace : use, NULL), 0);
    for (int i = 0; i <= THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(problems, 0);
    assert_int_equal(verified + refused, THREADS * ROUNDS);
}

static void test_file(void **state)
{
    (void)state;
    assert_true(pki_write(bundle, first_pem, 0644));
    shared = cinch_trust_with_file(NULL, bundle, NULL);
    assert_non_null(shared);
    run();
    cinch_trust_unref(shared);
}

static void test_dir(void **state)
{
    (void)state;
    assert_true(pki_write(bundle, first_pem, 0644));
    assert_true(pki_write(hashed, first_pem, 0644));
    shared = cinch_trust_with_dir(NULL, dir, NULL);
    assert_non_null(shared);
    run();
    cinch_trust_unref(shared);
}

/* One set, one index, one certificate that all threads want parsed at the same moment. */
static void *find(void *trust)
{
    STACK_OF(X509) *found = cinch_trust_by_subject(trust, X509_get_subject_name(first->cert));
    X509 *x = sk_X509_num(found) == 1 ? sk_X509_value(found, 0) : NULL;

    sk_X509_pop_free(found, X509_free);
    return x;
}

static void test_parsed_once(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        cinch_trust *trust = cinch_trust_with_bytes(NULL, first_pem, strlen(first_pem), NULL);
        pthread_t threads[THREADS];
        void *known = NULL, *x;

        assert_non_null(trust);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, find, trust), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &x), 0);
            assert_non_null(x);
            if (known == NULL)
                known = find(trust);
        }
        assert_ptr_equal(find(trust), known);
        cinch_trust_unref(trust);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_dir),
        cmocka_unit_test(test_parsed_once),
    };

    return cmocka_run_group_tests_name("trust threads", tests, set_up, tear_down);
}
