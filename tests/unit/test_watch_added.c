/* A watch over identities beside the first one: what is replaced is that identity and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/hosts.h"
#include "pki.h"

#include <cinch/cinch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_MS 86400000

static pki_family *family;

typedef struct fixture {
    char *dir;
    cinch_context *ctx;
    cinch_watch *watch;
    cinch_cause refused; /* said last */
    size_t refusals;
} fixture;

/* Read after cinch_watch_now() only, which returns when everything has been said. */
static void hear(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    fixture *f = arg;

    (void)path;
    if (status == CINCH_OK)
        return;
    f->refusals++;
    f->refused = err->cause;
}

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

static int open_watch(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->dir = pki_tmpdir();
    f->ctx = cinch_context_server(NULL);
    f->watch = cinch_watch_new(hear, f, NULL);
    assert_int_equal(cinch_watch_interval(f->watch, NEVER_MS, NULL), CINCH_OK);
    *state = f;
    return 0;
}

static int close_watch(void **state)
{
    fixture *f = *state;

    cinch_watch_free(f->watch);
    cinch_context_free(f->ctx);
    pki_rmtree(f->dir);
    free(f);
    return 0;
}

/* A new certificate for one name or two, into FILE. */
static pki_cert *renew(const fixture *f, const char *file, pki_key_type type, const char *name,
                       const char *second)
{
    pki_cert *leaf = pki_make(&(pki_spec){.cn = name, .dns = {name, second}, .key_type = type},
                              family->intermediate);
    char *path = pki_path(f->dir, file, ""), *key = pki_pem_key(leaf, NULL),
         *cert = pki_pem_cert(leaf), *all = pki_pem_concat(key, cert, (char *)NULL);

    assert_true(pki_write(path, all, 0600));
    free(path), free(key), free(cert), free(all);
    return leaf;
}

static void watch(fixture *f, const char *file)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *path = pki_path(f->dir, file, "");

    (void)cinch_watch_add_identity(f->watch, f->ctx, &(cinch_identity_source){.file = path}, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(path);
}

/* The watch may have found it by itself as well, so a refusal is told once or twice. */
static void look(fixture *f, size_t refusals)
{
    f->refusals = 0;
    assert_int_equal(cinch_watch_now(f->watch, NULL, NULL), CINCH_OK);
    assert_int_equal(f->refusals > 0, refusals > 0);
}

/* What NAME leads to with this kind of key; NULL: nothing. */
static void leads(fixture *f, const char *name, cinch_key_kind kind, const pki_cert *leaf)
{
    pthread_mutex_lock(&f->ctx->lock);
    const cinch_host_entry *entry = cinch_hosts_find(f->ctx->settings->hosts, name);
    const cinch_identity *identity = entry == NULL ? NULL : entry->identities[kind];
    int right = leaf == NULL ? identity == NULL
                             : identity != NULL && X509_cmp(identity->leaf, leaf->cert) == 0;
    pthread_mutex_unlock(&f->ctx->lock);
    if (!right)
        fail_msg("\"%s\" leads to another certificate", name);
}

static void first_is(fixture *f, const pki_cert *leaf)
{
    pthread_mutex_lock(&f->ctx->lock);
    int same = X509_cmp(f->ctx->settings->identity->leaf, leaf->cert) == 0;
    pthread_mutex_unlock(&f->ctx->lock);
    assert_true(same);
}

static void each_by_itself(void **state)
{
    fixture *f = *state;
    pki_cert *ec = renew(f, "ec.pem", PKI_KEY_P256, "a.test", NULL);
    pki_cert *rsa = renew(f, "rsa.pem", PKI_KEY_RSA, "a.test", NULL);
    pki_cert *other = renew(f, "other.pem", PKI_KEY_P256, "b.test", NULL);

    watch(f, "ec.pem");
    watch(f, "rsa.pem");
    watch(f, "other.pem");
    pki_cert *next = renew(f, "rsa.pem", PKI_KEY_RSA, "a.test", NULL);
    look(f, 0);
    leads(f, "a.test", CINCH_KEY_EC, ec);
    leads(f, "a.test", CINCH_KEY_RSA, next);
    leads(f, "b.test", CINCH_KEY_EC, other);
    first_is(f, ec);
    pki_cert *first = renew(f, "ec.pem", PKI_KEY_P256, "a.test", NULL);
    look(f, 0);
    leads(f, "a.test", CINCH_KEY_EC, first);
    leads(f, "a.test", CINCH_KEY_RSA, next);
    first_is(f, first);
    pki_free(ec), pki_free(rsa), pki_free(other), pki_free(next), pki_free(first);
}

static void other_names_and_keys(void **state)
{
    fixture *f = *state;
    pki_cert *first = renew(f, "first.pem", PKI_KEY_P256, "first.test", NULL);
    pki_cert *one = renew(f, "one.pem", PKI_KEY_P256, "a.test", "b.test");
    cinch_context *host = cinch_context_server(NULL);
    cinch_identity *own;

    watch(f, "first.pem");
    watch(f, "one.pem");
    char *path = pki_path(f->dir, "first.pem", "");
    own = cinch_identity_file(path, NULL, NULL);
    assert_int_equal(cinch_context_identity(host, own, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(f->ctx, "a.test", host, NULL), CINCH_OK);
    /* A name goes, another comes; what a name leads to besides stays. */
    pki_cert *two = renew(f, "one.pem", PKI_KEY_P256, "b.test", "c.test");
    look(f, 0);
    leads(f, "a.test", CINCH_KEY_EC, NULL);
    leads(f, "b.test", CINCH_KEY_EC, two);
    leads(f, "c.test", CINCH_KEY_EC, two);
    assert_ptr_equal(cinch_hosts_find(f->ctx->settings->hosts, "a.test")->context, host);
    /* Another kind of key leaves nothing of the one before. */
    pki_cert *three = renew(f, "one.pem", PKI_KEY_RSA, "b.test", "c.test");
    look(f, 0);
    leads(f, "b.test", CINCH_KEY_EC, NULL);
    leads(f, "b.test", CINCH_KEY_RSA, three);
    first_is(f, first);
    /* So does one for other names in the first place. */
    pki_cert *four = renew(f, "first.pem", PKI_KEY_P256, "fourth.test", NULL);
    look(f, 0);
    leads(f, "first.test", CINCH_KEY_EC, NULL);
    leads(f, "fourth.test", CINCH_KEY_EC, four);
    first_is(f, four);
    free(path);
    cinch_identity_free(own);
    cinch_context_free(host);
    pki_free(first), pki_free(one), pki_free(two), pki_free(three), pki_free(four);
}

/* A name that another identity has taken over stays with it. */
static void names_taken_over(void **state)
{
    fixture *f = *state;
    pki_cert *one = renew(f, "one.pem", PKI_KEY_P256, "a.test", "b.test");
    pki_cert *two = renew(f, "two.pem", PKI_KEY_P256, "b.test", "c.test");

    watch(f, "one.pem");
    watch(f, "two.pem");
    leads(f, "b.test", CINCH_KEY_EC, two);
    pki_cert *three = renew(f, "one.pem", PKI_KEY_P256, "a.test", "b.test");
    look(f, 0);
    leads(f, "a.test", CINCH_KEY_EC, three);
    leads(f, "b.test", CINCH_KEY_EC, two);
    leads(f, "c.test", CINCH_KEY_EC, two);
    pki_free(one), pki_free(two), pki_free(three);
}

static void refusals(void **state)
{
    fixture *f = *state;
    pki_cert *first = renew(f, "first.pem", PKI_KEY_P256, "first.test", NULL);
    pki_cert *one = renew(f, "one.pem", PKI_KEY_P256, "a.test", NULL);
    char *path = pki_path(f->dir, "one.pem", "");

    watch(f, "first.pem");
    watch(f, "one.pem");
    assert_true(pki_write(path, "half", 0600));
    look(f, 1);
    assert_int_equal(f->refused, CINCH_CAUSE_NOT_PEM);
    leads(f, "a.test", CINCH_KEY_EC, one);
    /* Nobody could ask for it. */
    pki_free(renew(f, "one.pem", PKI_KEY_P256, "Nobody here", NULL));
    look(f, 1);
    assert_int_equal(f->refused, CINCH_CAUSE_BAD_SETTING);
    leads(f, "a.test", CINCH_KEY_EC, one);
    pki_cert *two = renew(f, "one.pem", PKI_KEY_P256, "a.test", NULL);
    look(f, 0);
    leads(f, "a.test", CINCH_KEY_EC, two);
    free(path);
    pki_free(first), pki_free(one), pki_free(two);
}

static void misuse(void **state)
{
    fixture *f = *state;
    cinch_context *client = cinch_context_client(NULL);
    cinch_error err = CINCH_ERROR_INIT;

    pki_free(renew(f, "one.pem", PKI_KEY_P256, "a.test", NULL));
    char *path = pki_path(f->dir, "one.pem", "");
    const cinch_identity_source source = {.file = path};
    assert_int_equal(cinch_watch_add_identity(f->watch, client, &source, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    cinch_error_clear(&err);
    assert_int_equal(cinch_watch_add_identity(f->watch, NULL, &source, &err), CINCH_FAILED);
    cinch_error_clear(&err);
    assert_int_equal(cinch_watch_add_identity(f->watch, f->ctx, NULL, &err), CINCH_FAILED);
    cinch_error_clear(&err);
    assert_int_equal(
        cinch_watch_add_identity(f->watch, f->ctx, &(cinch_identity_source){.pem = "x"}, &err),
        CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    free(path);
    cinch_context_free(client);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, open_watch, close_watch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(each_by_itself),   WATCH_TEST(other_names_and_keys),
        WATCH_TEST(names_taken_over), WATCH_TEST(refusals),
        WATCH_TEST(misuse),
    };

    return cmocka_run_group_tests_name("watch_added", tests, set_up, tear_down);
}
