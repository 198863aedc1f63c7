/*
 * A watch: every way in which a certificate is renewed on disk, and every way in which that goes
 * wrong. Waiting is for the watch's own words, with a deadline; where nothing may happen,
 * cinch_watch_now() says when everything has been looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/context.h"
#include "pki.h"

#include <cinch/cinch.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30
#define NEVER_MS 86400000
#define OFTEN_MS 20

/* ---- what is renewed ---- */

static pki_family *family;
static pki_cert *renewed;
/* Key, leaf and intermediate; or only one of the halves. */
static char *old_all, *new_all, *old_chain, *new_chain, *old_key, *new_key, *new_locked;

static char *chain_of(const pki_cert *leaf)
{
    const pki_cert *list[] = {leaf, family->intermediate};

    return pki_pem_chain(list, 2);
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    renewed = pki_make(&(pki_spec){.cn = "renewed"}, family->intermediate);
    old_chain = chain_of(family->good), new_chain = chain_of(renewed);
    old_key = pki_pem_key(family->good, NULL), new_key = pki_pem_key(renewed, NULL);
    new_locked = pki_pem_key(renewed, "secret");
    old_all = pki_pem_concat(old_key, old_chain, (char *)NULL);
    new_all = pki_pem_concat(new_key, new_chain, (char *)NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(old_all), free(new_all), free(old_chain), free(new_chain);
    free(old_key), free(new_key), free(new_locked);
    pki_free(renewed);
    pki_family_free(family);
    return 0;
}

/* ---- one watch, and what it says ---- */

typedef struct said {
    char path[256];
    cinch_status status;
    cinch_cause cause;
    char what[CINCH_ERROR_WHAT];
} said;

typedef struct fixture {
    char *dir;
    cinch_context *ctx;
    cinch_watch *watch;
    pthread_mutex_t lock;
    pthread_cond_t more;
    said list[64];
    size_t count; /* said so far */
    size_t seen;  /* and looked at by the test */
} fixture;

static void hear(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    fixture *f = arg;

    pthread_mutex_lock(&f->lock);
    if (f->count < 64) {
        said *s = &f->list[f->count++];

        snprintf(s->path, sizeof s->path, "%s", path);
        snprintf(s->what, sizeof s->what, "%s", err->what);
        s->status = status;
        s->cause = err->cause;
    }
    pthread_cond_broadcast(&f->more);
    pthread_mutex_unlock(&f->lock);
}

static int open_watch(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    cinch_error err = CINCH_ERROR_INIT;

    assert_non_null(f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->more, NULL);
    f->dir = pki_tmpdir();
    f->ctx = cinch_context_server(&err);
    f->watch = cinch_watch_new(hear, f, &err);
    assert_non_null(f->watch);
    /* Whatever is noticed has been reported, unless a test says otherwise. */
    assert_int_equal(cinch_watch_interval(f->watch, NEVER_MS, &err), CINCH_OK);
    *state = f;
    return 0;
}

static int close_watch(void **state)
{
    fixture *f = *state;

    cinch_watch_free(f->watch);
    cinch_context_free(f->ctx);
    pki_rmtree(f->dir);
    pthread_cond_destroy(&f->more);
    pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

/* The next thing that the watch says. */
static said next(fixture *f)
{
    struct timespec until;
    said result = {.status = CINCH_TIMEOUT};
    int late = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&f->lock);
    while (f->seen == f->count && !late)
        late = pthread_cond_timedwait(&f->more, &f->lock, &until);
    if (f->seen < f->count)
        result = f->list[f->seen++];
    pthread_mutex_unlock(&f->lock);
    return result;
}

static void expect_ok(fixture *f, const char *path)
{
    said s = next(f);

    if (s.status != CINCH_OK)
        fail_msg("%s: %s", cinch_status_name(s.status), s.what);
    assert_string_equal(s.path, path);
}

static void expect_refusal(fixture *f, const char *path, cinch_cause cause)
{
    said s = next(f);

    assert_int_equal(s.status, CINCH_FAILED);
    assert_string_equal(s.path, path);
    if (s.cause != cause)
        fail_msg("%s: %s", cinch_cause_name(s.cause), s.what);
}

static void expect_silence(fixture *f)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t changed = 99;

    assert_int_equal(cinch_watch_now(f->watch, &changed, &err), CINCH_OK);
    assert_int_equal(changed, 0);
    pthread_mutex_lock(&f->lock);
    if (f->seen != f->count)
        fail_msg("said: %s: %s", f->list[f->seen].path, f->list[f->seen].what);
    pthread_mutex_unlock(&f->lock);
}

static void expect_shown(fixture *f, const pki_cert *leaf)
{
    pthread_mutex_lock(&f->ctx->lock);
    int same = X509_cmp(f->ctx->settings->identity->leaf, leaf->cert) == 0;
    pthread_mutex_unlock(&f->ctx->lock);
    assert_true(same);
}

static char *in(const fixture *f, const char *name)
{
    return pki_path(f->dir, name, "");
}

static void put(const char *path, const char *text)
{
    assert_true(pki_write(path, text, 0600));
}

/* As careful programs do: all at once. */
static void put_by_rename(const fixture *f, const char *path, const char *text)
{
    char *fresh = in(f, "fresh");

    put(fresh, text);
    assert_int_equal(rename(fresh, path), 0);
    free(fresh);
}

static void link_to(const char *target, const char *path)
{
    assert_int_equal(symlink(target, path), 0);
}

static void watch_source(fixture *f, const cinch_identity_source *source)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_watch_identity(f->watch, f->ctx, source, &err) != CINCH_OK)
        fail_msg("%s", err.what);
    expect_shown(f, family->good);
    expect_silence(f); /* the first look is done: it must not meet a file that is being written */
}

/* One file with everything, watched. */
static char *watch_one(fixture *f)
{
    char *path = in(f, "site.pem");

    put(path, old_all);
    watch_source(f, &(cinch_identity_source){.file = path});
    return path;
}

/* ---- how files are replaced ---- */

static void test_rename(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f);

    put_by_rename(f, path, new_all);
    expect_ok(f, path);
    expect_shown(f, renewed);
    put_by_rename(f, path, old_all);
    expect_ok(f, path);
    expect_shown(f, family->good);
    expect_silence(f);
    free(path);
}

static void test_half_written(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f), *half = strdup(new_all);

    assert_non_null(half);
    half[strlen(half) / 2] = 0;
    put(path, half);
    said s = next(f);
    assert_int_equal(s.status, CINCH_FAILED);
    assert_non_null(strstr(s.what, "site.pem"));
    expect_shown(f, family->good);
    put(path, new_all);
    expect_ok(f, path);
    expect_shown(f, renewed);
    put(path, "");
    expect_refusal(f, path, CINCH_CAUSE_NOT_PEM);
    expect_shown(f, renewed);
    free(half);
    free(path);
}

static void test_touched(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f);

    put(path, old_all);
    expect_silence(f);
    put_by_rename(f, path, old_all);
    expect_silence(f);
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    expect_silence(f);
    expect_shown(f, family->good);
    free(path);
}

static void test_deleted(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f);

    assert_int_equal(unlink(path), 0);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    expect_shown(f, family->good);
    put(path, old_all);
    expect_ok(f, path); /* it is there again */
    assert_int_equal(unlink(path), 0);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    put_by_rename(f, path, new_all);
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path);
}

/* The whole directory goes and another one comes in its place. */
static void test_directory_replaced(void **state)
{
    fixture *f = *state;
    char *live = in(f, "live"), *next_live = in(f, "next"), *gone = in(f, "gone");
    char *path = in(f, "live/site.pem"), *next_path = in(f, "next/site.pem");

    assert_int_equal(mkdir(live, 0700), 0);
    put(path, old_all);
    watch_source(f, &(cinch_identity_source){.file = path});
    assert_int_equal(rename(live, gone), 0);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    assert_int_equal(mkdir(next_live, 0700), 0);
    put(next_path, new_all);
    assert_int_equal(rename(next_live, live), 0);
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(live), free(next_live), free(gone), free(path), free(next_path);
}

/* live/site/NAME leads to ../../archive/site/NAMEn: each link is switched over by itself. */
static void test_certbot(void **state)
{
    static const char *const dirs[] = {"live", "live/site", "archive", "archive/site"};
    static const char *const chain_1 = "../../archive/site/fullchain1.pem",
                             *const chain_2 = "../../archive/site/fullchain2.pem",
                             *const key_1 = "../../archive/site/privkey1.pem",
                             *const key_2 = "../../archive/site/privkey2.pem";
    fixture *f = *state;
    char *chain = in(f, "live/site/fullchain.pem"), *key = in(f, "live/site/privkey.pem");
    char *name;

    for (size_t i = 0; i < 4; i++) {
        name = in(f, dirs[i]);
        assert_int_equal(mkdir(name, 0700), 0);
        free(name);
    }
    put(name = in(f, "archive/site/fullchain1.pem"), old_chain), free(name);
    put(name = in(f, "archive/site/privkey1.pem"), old_key), free(name);
    link_to(chain_1, chain);
    link_to(key_1, key);
    watch_source(f, &(cinch_identity_source){.file = chain, .key_file = key});

    put(name = in(f, "archive/site/fullchain2.pem"), new_chain), free(name);
    put(name = in(f, "archive/site/privkey2.pem"), new_key), free(name);
    assert_int_equal(unlink(key), 0);
    link_to(key_2, key);
    expect_refusal(f, chain, CINCH_CAUSE_KEY_MISMATCH);
    expect_shown(f, family->good);
    assert_int_equal(unlink(chain), 0);
    link_to(chain_2, chain);
    expect_ok(f, chain);
    expect_shown(f, renewed);

    /* And the places that the links lead to now are watched. */
    put(name = in(f, "archive/site/fullchain2.pem"), old_chain), free(name);
    expect_refusal(f, chain, CINCH_CAUSE_KEY_MISMATCH);
    put(name = in(f, "archive/site/privkey2.pem"), old_key), free(name);
    expect_ok(f, chain);
    expect_shown(f, family->good);
    free(chain), free(key);
}

/* tls.crt -> ..data/tls.crt, ..data -> ..1: one rename changes both, and no moment is half. */
static void test_kubernetes(void **state)
{
    fixture *f = *state;
    char *crt = in(f, "tls.crt"), *key = in(f, "tls.key"), *data = in(f, "..data");
    char *one = in(f, "..1"), *two = in(f, "..2"), *fresh = in(f, "..data_tmp"), *name;

    assert_int_equal(mkdir(one, 0700), 0);
    put(name = in(f, "..1/tls.crt"), old_chain), free(name);
    put(name = in(f, "..1/tls.key"), old_key), free(name);
    link_to("..1", data);
    link_to("..data/tls.crt", crt);
    link_to("..data/tls.key", key);
    watch_source(f, &(cinch_identity_source){.file = crt, .key_file = key});

    assert_int_equal(mkdir(two, 0700), 0);
    put(name = in(f, "..2/tls.crt"), new_chain), free(name);
    put(name = in(f, "..2/tls.key"), new_key), free(name);
    link_to("..2", fresh);
    assert_int_equal(rename(fresh, data), 0);
    expect_ok(f, crt);
    expect_shown(f, renewed);
    expect_silence(f);
    unlink(name = in(f, "..1/tls.crt")), free(name);
    unlink(name = in(f, "..1/tls.key")), free(name);
    assert_int_equal(rmdir(one), 0);
    expect_silence(f);
    put(name = in(f, "..2/tls.key"), old_key), free(name);
    expect_refusal(f, crt, CINCH_CAUSE_KEY_MISMATCH);
    free(crt), free(key), free(data), free(one), free(two), free(fresh);
}

static void test_key_first(void **state)
{
    fixture *f = *state;
    char *chain = in(f, "site.crt"), *key = in(f, "site.key");

    put(chain, old_chain);
    put(key, old_key);
    watch_source(f, &(cinch_identity_source){.file = chain, .key_file = key});
    put_by_rename(f, key, new_key);
    expect_refusal(f, chain, CINCH_CAUSE_KEY_MISMATCH);
    expect_shown(f, family->good);
    put_by_rename(f, chain, new_chain);
    expect_ok(f, chain);
    expect_shown(f, renewed);
    expect_silence(f);
    free(chain), free(key);
}

/* A directory further up is replaced, which nothing reports: the interval finds it. */
static void test_unreported(void **state)
{
    static const char *const dirs[] = {"a", "a/b", "c", "c/b"};
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "a/b/site.pem"), *other = in(f, "c/b/site.pem");
    char *a = in(f, "a"), *c = in(f, "c"), *gone = in(f, "gone");

    for (size_t i = 0; i < 4; i++) {
        char *name = in(f, dirs[i]);

        assert_int_equal(mkdir(name, 0700), 0);
        free(name);
    }
    put(path, old_all);
    put(other, new_all);
    watch_source(f, &(cinch_identity_source){.file = path});
    assert_int_equal(rename(a, gone), 0);
    assert_int_equal(rename(c, a), 0);
    assert_int_equal(cinch_watch_interval(f->watch, OFTEN_MS, &err), CINCH_OK);
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path), free(other), free(a), free(c), free(gone);
}

/* A loop of links, or one that leads nowhere, is a failure, not a hang. */
static void test_bad_links(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f), *target = in(f, "target.pem");

    assert_int_equal(unlink(path), 0);
    link_to("site.pem", path);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    assert_int_equal(unlink(path), 0);
    link_to("target.pem", path);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    put(target, new_all);
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path), free(target);
}

static void test_relative(void **state)
{
    fixture *f = *state;
    char *path = in(f, "site.pem"), before[4096];

    put(path, old_all);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f->dir), 0);
    watch_source(f, &(cinch_identity_source){.file = "site.pem"});
    assert_int_equal(chdir(before), 0);
    put(path, new_all);
    expect_ok(f, "site.pem");
    expect_shown(f, renewed);
    free(path);
}

/* ---- what is refused ---- */

static void test_password(void **state)
{
    fixture *f = *state;
    char *path = in(f, "site.pem");
    char *right = pki_pem_concat(new_chain, new_locked, (char *)NULL);
    char *locked = pki_pem_key(renewed, "another");
    char *wrong = pki_pem_concat(new_chain, locked, (char *)NULL);
    char password[] = "secret";

    put(path, old_all);
    watch_source(f, &(cinch_identity_source){.file = path, .password = password});
    memset(password, 'x', sizeof password - 1); /* it was copied */
    put(path, wrong);
    expect_refusal(f, path, CINCH_CAUSE_PASSWORD_WRONG);
    expect_shown(f, family->good);
    put(path, right);
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path), free(right), free(locked), free(wrong);
}

static void test_pkcs12(void **state)
{
    fixture *f = *state;
    const pki_cert *chain[] = {family->intermediate};
    char *path = in(f, "site.p12");
    size_t old_size, new_size;
    unsigned char *old_p12 = pki_pkcs12(family->good, chain, 1, "secret", &old_size);
    unsigned char *new_p12 = pki_pkcs12(renewed, chain, 1, "secret", &new_size);

    assert_true(pki_write_bytes(path, old_p12, old_size, 0600));
    watch_source(f, &(cinch_identity_source){.pkcs12_file = path, .password = "secret"});
    assert_true(pki_write_bytes(path, new_p12, new_size / 2, 0600));
    assert_int_equal(next(f).status, CINCH_FAILED);
    expect_shown(f, family->good);
    assert_true(pki_write_bytes(path, new_p12, new_size, 0600));
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path), free(old_p12), free(new_p12);
}

static void test_too_weak(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f), *key = pki_pem_key(family->weak_rsa1024, NULL);
    char *chain = chain_of(family->weak_rsa1024);
    char *weak = pki_pem_concat(key, chain, (char *)NULL);

    put(path, weak);
    expect_refusal(f, path, CINCH_CAUSE_WEAK_IDENTITY);
    expect_shown(f, family->good);
    free(path), free(key), free(chain), free(weak);
}

static void test_not_a_file(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f);

    assert_int_equal(unlink(path), 0);
    /* Nobody will ever write into it. */
    assert_int_equal(mkfifo(path, 0600), 0);
    said s = next(f);
    assert_int_equal(s.status, CINCH_FAILED);
    /* Between the two it may have been seen as missing. */
    if (strstr(s.what, "regular") == NULL)
        s = next(f);
    assert_non_null(strstr(s.what, "regular"));
    expect_shown(f, family->good);
    free(path);
}

static void test_unreadable(void **state)
{
    fixture *f = *state;
    char *path = in(f, "site.pem");

    if (geteuid() == 0) {
        free(path);
        skip();
    }
    free(path);
    path = watch_one(f);
    assert_int_equal(chmod(path, 0), 0);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    assert_int_equal(chmod(path, 0600), 0);
    expect_ok(f, path);
    free(path);
}

/* Answers wrong as long as it is told to. */
typedef struct answers {
    pthread_mutex_t lock;
    int wrong, asked;
} answers;

static int answer(char *buf, size_t size, const char *what, void *arg)
{
    answers *a = arg;

    (void)what;
    assert_true(size > 6);
    pthread_mutex_lock(&a->lock);
    int wrong = a->wrong > 0 && a->wrong-- > 0;
    a->asked++;
    pthread_mutex_unlock(&a->lock);
    memcpy(buf, wrong ? "fault!" : "secret", 6);
    return 6;
}

/* The reason of a refusal may go away without a change of the file. The same is told once. */
static void test_tried_again(void **state)
{
    fixture *f = *state;
    answers a = {.lock = PTHREAD_MUTEX_INITIALIZER, .wrong = 4};
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "site.pem"), *locked = pki_pem_concat(new_chain, new_locked, (char *)NULL);

    put(path, old_all);
    watch_source(f, &(cinch_identity_source){.file = path, .ask = answer, .ask_arg = &a});
    assert_int_equal(cinch_watch_interval(f->watch, OFTEN_MS, &err), CINCH_OK);
    put_by_rename(f, path, locked);
    expect_refusal(f, path, CINCH_CAUSE_PASSWORD_WRONG);
    expect_ok(f, path);
    expect_shown(f, renewed);
    pthread_mutex_lock(&a.lock);
    assert_int_equal(a.asked, 5);
    pthread_mutex_unlock(&a.lock);
    free(path), free(locked);
}

/* Changes the file while it is being read: the password is asked for in the middle of that. */
typedef struct meddler {
    const char *path;
    const char *with[2]; /* the first time, and every other time */
    int times;
} meddler;

static int meddle(char *buf, size_t size, const char *what, void *arg)
{
    meddler *m = arg;
    char *text = pki_pem_concat(m->with[m->times > 0], m->times % 2 == 1 ? "\n" : "", (char *)NULL);

    (void)what;
    assert_true(size > 6);
    assert_true(pki_write(m->path, text, 0600));
    free(text);
    m->times++;
    memcpy(buf, "secret", 6);
    return 6;
}

/* What was read from the old content is never taken for the new one. */
static void test_changed_while_read(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "site.pem"), *locked = pki_pem_concat(new_chain, new_locked, (char *)NULL);
    meddler m = {.path = path, .with = {old_all, NULL}};
    const cinch_identity_source source = {.file = path, .ask = meddle, .ask_arg = &m};

    put(path, locked);
    assert_int_equal(cinch_watch_identity(f->watch, f->ctx, &source, &err), CINCH_OK);
    assert_int_equal(m.times, 1);
    expect_shown(f, family->good);
    expect_silence(f);

    /* A writer that never ends. */
    char *busy = in(f, "busy.pem");
    meddler never_done = {.path = busy, .with = {locked, locked}, .times = 1};
    const cinch_identity_source another = {.file = busy, .ask = meddle, .ask_arg = &never_done};

    put(busy, locked);
    assert_int_equal(cinch_watch_identity(f->watch, f->ctx, &another, &err), CINCH_FAILED);
    assert_non_null(strstr(err.what, "faster"));
    expect_shown(f, family->good);
    free(path), free(busy), free(locked);
}

/* cinch_watch_now() tries at once, and tells again. */
static void test_now(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    size_t changed = 99;
    char *path = watch_one(f);

    put_by_rename(f, path, new_chain); /* without a key */
    assert_int_equal(cinch_watch_now(f->watch, &changed, &err), CINCH_OK);
    assert_int_equal(changed, 0);
    expect_refusal(f, path, CINCH_CAUSE_NO_KEY);
    assert_int_equal(cinch_watch_now(f->watch, NULL, &err), CINCH_OK);
    expect_refusal(f, path, CINCH_CAUSE_NO_KEY);
    put_by_rename(f, path, new_all);
    assert_int_equal(cinch_watch_now(f->watch, &changed, &err), CINCH_OK);
    assert_true(changed <= 1); /* the report may have been quicker */
    expect_ok(f, path);
    expect_shown(f, renewed);
    free(path);
}

static void test_wrong_at_first(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "site.pem");
    const cinch_identity_source source = {.file = path};

    assert_int_equal(cinch_watch_identity(f->watch, f->ctx, &source, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    cinch_error_clear(&err);
    put(path, new_chain);
    assert_int_equal(cinch_watch_identity(f->watch, f->ctx, &source, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NO_KEY);
    put(path, new_all);
    expect_silence(f); /* nothing is watched */
    free(path);
}

/* ---- files of the program, and trust anchors ---- */

static cinch_status load_policy(const char *path, const char *bytes, size_t size, void *arg,
                                cinch_error *err)
{
    fixture *f = arg;

    assert_non_null(strstr(path, "policy"));
    assert_int_equal(strlen(bytes), size);
    return size == 0 ? CINCH_FAILED : cinch_context_policy_named(f->ctx, bytes, err);
}

static void test_file(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "policy");

    put(path, "nonsense");
    assert_int_equal(cinch_watch_file(f->watch, path, load_policy, f, &err), CINCH_FAILED);
    assert_non_null(strstr(err.what, "nonsense"));
    cinch_error_clear(&err);
    put(path, "default");
    assert_int_equal(cinch_watch_file(f->watch, path, load_policy, f, &err), CINCH_OK);
    expect_silence(f);
    put(path, "modern");
    expect_ok(f, path);
    put(path, "");
    expect_refusal(f, path, CINCH_CAUSE_BAD_SETTING);
    put(path, "modern");
    expect_ok(f, path);
    assert_int_equal(unlink(path), 0);
    expect_refusal(f, path, CINCH_CAUSE_FILE_UNREADABLE);
    free(path);
}

static void test_trust(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "ca.pem"), *root = pki_pem_cert(family->root);
    char *both = pki_pem_concat(root, new_chain, (char *)NULL);

    put(path, root);
    assert_int_equal(cinch_watch_trust_file(f->watch, path, &err), CINCH_OK);
    expect_silence(f);
    put(path, "half");
    expect_refusal(f, path, CINCH_CAUSE_NOT_PEM);
    put(path, both);
    expect_ok(f, path);
    put(path, new_all);
    expect_refusal(f, path, CINCH_CAUSE_KEY_WHERE_CERTIFICATE);
    free(path), free(root), free(both);
}

static void test_crl(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = in(f, "crl.pem"), *crl = pki_crl(family->root, NULL);
    char *another = pki_crl(family->intermediate, NULL);

    put(path, crl);
    assert_int_equal(cinch_watch_crl_file(f->watch, path, &err), CINCH_OK);
    expect_silence(f);
    put(path, old_chain);
    expect_refusal(f, path, CINCH_CAUSE_BAD_REVOCATION);
    put(path, another);
    expect_ok(f, path);
    free(path), free(crl), free(another);
}

/* ---- misuse ---- */

static void test_misuse(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    const cinch_identity_source sources[] = {
        {0},
        {.pem = "x", .pem_size = 1},
        {.file = "x", .key_pem = "x", .key_pem_size = 1},
        {.file = "x", .pkcs12_file = "y"},
        {.pkcs12_file = "x", .key_file = "y"},
        {.key_file = "x"},
        {.file = "x", .password = "x", .ask = answer},
    };

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        cinch_error_clear(&err);
        assert_int_equal(cinch_watch_identity(f->watch, f->ctx, &sources[i], &err), CINCH_FAILED);
        if (i + 1 < sizeof sources / sizeof sources[0])
            assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    }
    /* An error that is set stops everything. */
    assert_null(cinch_watch_new(NULL, NULL, &err));
    assert_int_equal(cinch_watch_now(f->watch, NULL, &err), CINCH_FAILED);
    assert_int_equal(cinch_watch_identity(NULL, f->ctx, &sources[0], NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_identity(f->watch, NULL, &sources[0], NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_identity(f->watch, f->ctx, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_file(f->watch, NULL, load_policy, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_file(f->watch, "x", NULL, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_file(NULL, "x", load_policy, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_trust_file(NULL, "x", NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_trust_file(f->watch, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_crl_file(f->watch, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_crl_file(NULL, "x", NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_now(NULL, NULL, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_interval(NULL, 1000, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_interval(f->watch, 9, NULL), CINCH_FAILED);
    assert_int_equal(cinch_watch_interval(f->watch, 86400001, NULL), CINCH_FAILED);
    cinch_watch_free(NULL);
}

/* Within the callback: waiting for itself is refused, and ending itself works. */
typedef struct inner {
    fixture *f;
    cinch_watch *watch;
    cinch_status now;
    cinch_cause cause;
} inner;

static void end_within(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    inner *i = arg;
    cinch_error mine = CINCH_ERROR_INIT;

    i->now = cinch_watch_now(i->watch, NULL, &mine);
    i->cause = mine.cause;
    cinch_watch_free(i->watch);
    hear(path, status, err, i->f);
}

static void test_end_within(void **state)
{
    fixture *f = *state;
    cinch_error err = CINCH_ERROR_INIT;
    inner i = {.f = f};
    char *path = in(f, "site.pem");

    i.watch = cinch_watch_new(end_within, &i, &err);
    put(path, old_all);
    assert_int_equal(
        cinch_watch_identity(i.watch, f->ctx, &(cinch_identity_source){.file = path}, &err),
        CINCH_OK);
    put_by_rename(f, path, new_all);
    expect_ok(f, path);
    assert_int_equal(i.now, CINCH_FAILED);
    assert_int_equal(i.cause, CINCH_CAUSE_MISUSE);
    free(path);
}

static void test_fork(void **state)
{
    fixture *f = *state;
    char *path = watch_one(f);
    int status = -1;

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cinch_error err = CINCH_ERROR_INIT;
        int ok = cinch_watch_now(f->watch, NULL, &err) == CINCH_FAILED &&
                 err.cause == CINCH_CAUSE_MISUSE;

        cinch_watch_free(f->watch);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    /* The child took nothing away. */
    put_by_rename(f, path, new_all);
    expect_ok(f, path);
    free(path);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, open_watch, close_watch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_rename),      WATCH_TEST(test_half_written),
        WATCH_TEST(test_touched),     WATCH_TEST(test_deleted),
        WATCH_TEST(test_certbot),     WATCH_TEST(test_directory_replaced),
        WATCH_TEST(test_kubernetes),  WATCH_TEST(test_key_first),
        WATCH_TEST(test_unreported),  WATCH_TEST(test_bad_links),
        WATCH_TEST(test_relative),    WATCH_TEST(test_password),
        WATCH_TEST(test_pkcs12),      WATCH_TEST(test_too_weak),
        WATCH_TEST(test_not_a_file),  WATCH_TEST(test_unreadable),
        WATCH_TEST(test_tried_again), WATCH_TEST(test_changed_while_read),
        WATCH_TEST(test_now),         WATCH_TEST(test_wrong_at_first),
        WATCH_TEST(test_file),        WATCH_TEST(test_trust),
        WATCH_TEST(test_crl),         WATCH_TEST(test_misuse),
        WATCH_TEST(test_end_within),  WATCH_TEST(test_fork),
    };

    return cmocka_run_group_tests_name("watch", tests, set_up, tear_down);
}
