/*
 * Lesson 23: certificates that are renewed while the server runs, the way certbot does it, by somebody
 * who writes slowly, and by somebody who writes nonsense. Clients connect all the time: whatever is on
 * the disk, they meet a server with one whole certificate, and soon with the new one.
 */
#include "lesson.h"

#include <cinch/cinch.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 30

static pki_family *family;
static pki_cert *old, *renewed;
static char *dir;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    old =
        pki_make(&(pki_spec){.cn = "old", .dns = {"old.test", "site.test"}}, family->intermediate);
    renewed =
        pki_make(&(pki_spec){.cn = "new", .dns = {"new.test", "site.test"}}, family->intermediate);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(old);
    pki_free(renewed);
    pki_family_free(family);
    return 0;
}

/* ---- a server that renews itself, and what its watch says ---- */

typedef struct site {
    cinch_context *server;
    cinch_context *client;
    cinch_watch *watch;
    pthread_mutex_t lock;
    pthread_cond_t said;
    size_t taken;
    size_t refused;
    cinch_cause cause; /* of the last refusal */
} site;

static void hear(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    site *s = arg;

    (void)path;
    pthread_mutex_lock(&s->lock);
    if (status == CINCH_OK)
        s->taken++;
    else
        s->refused++, s->cause = err->cause;
    pthread_cond_broadcast(&s->said);
    pthread_mutex_unlock(&s->lock);
}

/* Waits until *COUNT, which is `taken` or `refused`, is more than it WAS. */
static void wait_for(site *s, const size_t *count, size_t was)
{
    struct timespec until;
    int late = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&s->lock);
    while (*count == was && !late)
        late = pthread_cond_timedwait(&s->said, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    assert_false(late);
}

static void open_site(site *s)
{
    *s = (site){.server = cinch_context_server(NULL), .client = pair_client_context(family->root)};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->said, NULL);
    s->watch = cinch_watch_new(hear, s, NULL);
    /* What is noticed has been reported by the system, and not found by looking now and then. */
    assert_int_equal(cinch_watch_interval(s->watch, 86400000, NULL), CINCH_OK);
    dir = pki_tmpdir();
}

static void close_site(site *s)
{
    cinch_watch_free(s->watch);
    cinch_context_free(s->server);
    cinch_context_free(s->client);
    pthread_cond_destroy(&s->said);
    pthread_mutex_destroy(&s->lock);
    pki_rmtree(dir);
}

/* A new client meets a whole server, which shows the leaf of this NAME. */
static void shows(const site *s, const char *name)
{
    EACH_VERSION(version)
    {
        cinch_context *client = cinch_context_dup(s->client, NULL);

        lesson_limit(client, version);
        assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
        lesson_talk t = lesson_connect(client, s->server, "site.test");
        lesson_opened(t);
        assert_true(t.client.verified);
        assert_string_equal(t.client.leaf, name);
        cinch_context_free(client);
    }
}

static void put(const char *name, const char *text)
{
    char *path = pki_path(dir, name, "");

    assert_true(pki_write(path, text, 0600));
    free(path);
}

static char *chain_of(const pki_cert *leaf)
{
    const pki_cert *chain[] = {leaf, family->intermediate};

    return pki_pem_chain(chain, 2);
}

/* One generation of certbot's archive, and the links to it: a new one in place of the old, in one go. */
static void put_generation(const char *number, const pki_cert *leaf)
{
    char *chain = chain_of(leaf), *key = pki_pem_key(leaf, NULL);
    char name[64];

    snprintf(name, sizeof name, "archive/fullchain%s.pem", number);
    put(name, chain);
    snprintf(name, sizeof name, "archive/privkey%s.pem", number);
    put(name, key);
    free(chain);
    free(key);
}

static void link_generation(const char *what, const char *number)
{
    char target[64], *link = pki_path(dir, "live/", what), *next = pki_path(dir, "live/next", "");

    snprintf(target, sizeof target, "../archive/%s%s.pem", what, number);
    assert_int_equal(symlink(target, next), 0);
    assert_int_equal(rename(next, link), 0);
    free(link);
    free(next);
}

static void make_dir(const char *name)
{
    char *path = pki_path(dir, name, "");

    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

/* ---- the tests ---- */

static void test_a_switched_link_is_not_missed(void **state)
{
    site s;

    (void)state;
    open_site(&s);
    make_dir("live");
    make_dir("archive");
    put_generation("1", old);
    link_generation("fullchain", "1");
    link_generation("privkey", "1");
    char *chain = pki_path(dir, "live/fullchain", ""), *key = pki_path(dir, "live/privkey", "");
    cinch_identity_source source = {.file = chain, .key_file = key};
    assert_int_equal(cinch_watch_identity(s.watch, s.server, &source, NULL), CINCH_OK);
    shows(&s, "old.test");
    /* The certificate leads to the new one and the key to the old one: that is no identity. */
    put_generation("2", renewed);
    shows(&s, "old.test");
    link_generation("fullchain", "2");
    wait_for(&s, &s.refused, 0);
    assert_int_equal(s.cause, CINCH_CAUSE_KEY_MISMATCH);
    shows(&s, "old.test");
    size_t taken = s.taken;
    link_generation("privkey", "2");
    wait_for(&s, &s.taken, taken);
    shows(&s, "new.test");
    close_site(&s);
    free(chain);
    free(key);
}

static void test_half_a_file_is_not_loaded(void **state)
{
    char *chain[] = {chain_of(old), chain_of(renewed)};
    char *key[] = {pki_pem_key(old, NULL), pki_pem_key(renewed, NULL)};
    char *all[] = {pki_pem_concat(key[0], chain[0], (char *)NULL),
                   pki_pem_concat(key[1], chain[1], (char *)NULL)};
    size_t size = strlen(all[1]), cuts[] = {0, 20, strlen(key[1]), strlen(key[1]) + 300, size - 40};
    site s;

    (void)state;
    open_site(&s);
    put("site.pem", all[0]);
    char *path = pki_path(dir, "site.pem", "");
    cinch_identity_source source = {.file = path};
    assert_int_equal(cinch_watch_identity(s.watch, s.server, &source, NULL), CINCH_OK);
    shows(&s, "old.test");
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        char *half = strdup(all[1]);
        size_t refused = s.refused;

        half[cuts[i]] = 0;
        put("site.pem", half);
        wait_for(&s, &s.refused, refused);
        assert_true(s.cause != CINCH_CAUSE_NONE);
        shows(&s, "old.test");
        free(half);
    }
    size_t taken = s.taken;
    put("site.pem", all[1]);
    wait_for(&s, &s.taken, taken);
    shows(&s, "new.test");
    close_site(&s);
    free(path);
    for (int i = 0; i < 2; i++)
        free(chain[i]), free(key[i]), free(all[i]);
}

/* The same for whom to trust: half a file trusts neither nobody nor, as if nothing were set, all. */
static void test_half_a_file_of_anchors_changes_nothing(void **state)
{
    char *root = pki_pem_cert(family->root), *other = pki_pem_cert(family->other_root);
    char *both = pki_pem_concat(other, root, (char *)NULL);
    size_t cuts[] = {0, 100, strlen(other) + 100, strlen(both) - 30};

    (void)state;
    EACH_VERSION(version)
    {
        cinch_context *client = cinch_context_client(NULL);
        cinch_context *honest = pair_server_context(family->good, family->intermediate);
        cinch_context *impostor = pair_server_context(family->unknown_ca, NULL);

        dir = pki_tmpdir();
        put("anchors.pem", root);
        char *path = pki_path(dir, "anchors.pem", "");
        assert_int_equal(cinch_context_trust_file(client, path, NULL), CINCH_OK);
        assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
        lesson_limit(client, version);
        for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
            char *half = strdup(both);

            half[cuts[i]] = 0;
            put("anchors.pem", half);
            lesson_opens(client, honest, "localhost");
            lesson_refuses(client, impostor, "localhost", THE_CLIENT, CINCH_CAUSE_UNKNOWN_ISSUER,
                           SSL_AD_UNKNOWN_CA);
            free(half);
        }
        /* Whole, it counts: the issuer of the other one is trusted now. */
        put("anchors.pem", both);
        lesson_talk t;
        time_t until = time(NULL) + PATIENCE_S;
        do
            t = lesson_connect(client, impostor, "localhost");
        while (!t.client.open && time(NULL) < until);
        lesson_opened(t);
        cinch_context_free(client);
        cinch_context_free(honest);
        cinch_context_free(impostor);
        pki_rmtree(dir);
        free(path);
    }
    free(root), free(other), free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_switched_link_is_not_missed),
        cmocka_unit_test(test_half_a_file_is_not_loaded),
        cmocka_unit_test(test_half_a_file_of_anchors_changes_nothing),
    };

    return cmocka_run_group_tests_name("lessons: files", tests, set_up, tear_down);
}
