/* Trust anchors in files, directories and the system's places, and what happens when they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pki.h"
#include "trust/set.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The clocks of this program, in place of the library's: they stand still until told. */
static int64_t now_us = 1000000, wall_offset_s;

int64_t cinch_clock_us(void)
{
    return now_us;
}

int64_t cinch_clock_wall(void)
{
    return (int64_t)time(NULL) + wall_offset_s;
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    snprintf(buf, 32, "%lld", (long long)when);
    return buf;
}

static void later(void)
{
    now_us += 1000000;
}

static pki_cert *one, *two, *three;
static char *one_pem, *two_pem, *three_pem;
static char *dir;

static int set_up_all(void **state)
{
    (void)state;
    one = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=One", .is_ca = true}, NULL);
    two = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Two", .is_ca = true}, NULL);
    three = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=One", .is_ca = true}, NULL);
    one_pem = pki_pem_cert(one);
    two_pem = pki_pem_cert(two);
    three_pem = pki_pem_cert(three);
    return 0;
}

static int tear_down_all(void **state)
{
    (void)state;
    cinch_trust_forget();
    pki_free(one), pki_free(two), pki_free(three);
    free(one_pem), free(two_pem), free(three_pem);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    dir = pki_tmpdir();
    wall_offset_s = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_rmtree(dir);
    dir = NULL;
    return 0;
}

static char *path_of(const char *name)
{
    return pki_path(dir, name, "");
}

static void put(const char *path, const char *text)
{
    assert_true(pki_write(path, text, 0644));
}

/* Into the very file, as `cp` does it; pki_write() may put a new one in its place. */
static void overwrite(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    close(fd);
}

static size_t found(cinch_trust *trust, const pki_cert *cert)
{
    STACK_OF(X509) *stack = cinch_trust_by_subject(trust, X509_get_subject_name(cert->cert));
    size_t count = 0;

    assert_non_null(stack);
    for (int i = 0; i < sk_X509_num(stack); i++)
        count += X509_cmp(sk_X509_value(stack, i), cert->cert) == 0;
    sk_X509_pop_free(stack, X509_free);
    return count;
}

static cinch_trust *with_file(const char *path)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_trust *trust = cinch_trust_with_file(NULL, path, &err);

    if (trust == NULL)
        fail_msg("%s", err.what);
    return trust;
}

/* Refreshes *TRUST: whether it became another set. */
static int refresh(cinch_trust **trust)
{
    cinch_trust *fresh = cinch_trust_refresh(*trust);
    int changed = fresh != *trust;

    assert_non_null(fresh);
    cinch_trust_unref(*trust);
    *trust = fresh;
    return changed;
}

static void test_file_errors(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    char *path = path_of("ca.pem"), *both = pki_pem_concat(one_pem, two_pem, (char *)NULL);

    assert_null(cinch_trust_with_file(NULL, path, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    assert_non_null(strstr(err.what, path));
    cinch_error_clear(&err);
    assert_null(cinch_trust_with_file(NULL, dir, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    cinch_error_clear(&err);
    assert_null(cinch_trust_with_file(NULL, "", &err));
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    cinch_error_clear(&err);
    put(path, "");
    assert_null(cinch_trust_with_file(NULL, path, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_CERTIFICATE);
    cinch_error_clear(&err);
    both[strlen(one_pem) + 100] = '*';
    put(path, both);
    assert_null(cinch_trust_with_file(NULL, path, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_CERTIFICATE);
    assert_non_null(strstr(err.what, path));
    assert_non_null(strstr(err.what, "line "));
    assert_int_equal(ERR_peek_error(), 0);
    free(path), free(both);
}

static void test_file_replaced(void **state)
{
    (void)state;
    char *path = path_of("ca.pem"), *other = path_of("new.pem");
    unsigned char before[32], after[32];

    put(path, one_pem);
    cinch_trust *trust = with_file(path), *old = cinch_trust_ref(trust);
    cinch_trust_digest(trust, before);
    put(other, two_pem);
    assert_int_equal(rename(other, path), 0);
    /* Not before a second has gone by. */
    assert_false(refresh(&trust));
    later();
    assert_true(refresh(&trust));
    cinch_trust_digest(trust, after);
    assert_int_not_equal(memcmp(before, after, 32), 0);
    assert_int_equal(found(trust, one), 0);
    assert_int_equal(found(trust, two), 1);
    /* Who holds the set from before keeps what it was. */
    assert_int_equal(found(old, one), 1);
    assert_int_equal(found(old, two), 0);
    later();
    assert_false(refresh(&trust));
    cinch_trust_unref(trust);
    cinch_trust_unref(old);
    free(path), free(other);
}

/* A copy of TEXT, made SIZE bytes long with line ends. */
static char *padded(const char *text, size_t size)
{
    char *copy = malloc(size + 1);

    assert_non_null(copy);
    memset(copy, '\n', size);
    memcpy(copy, text, strlen(text));
    copy[size] = 0;
    return copy;
}

/*
 * A file can change while its size, inode and times stay the same: twice in one tick of the clock,
 * or, as here to be sure of it, in a page that is dirty already. Only the content tells then.
 */
static void test_changed_without_a_trace(void **state)
{
    (void)state;
    char *path = path_of("ca.pem");
    size_t size = strlen(one_pem) + strlen(three_pem);
    char *a = padded(one_pem, size), *b = padded(three_pem, size);
    cinch_file_mark before, after;

    put(path, a);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(page != MAP_FAILED);
    memcpy(page, a, size);
    assert_true(cinch_file_look(path, &before));
    cinch_trust *trust = with_file(path);
    assert_int_equal(found(trust, one), 1);
    memcpy(page, b, size);
    assert_true(cinch_file_look(path, &after));
    if (!cinch_file_mark_same(&before, &after))
        print_message("the file system noticed\n");
    cinch_trust *second = with_file(path);
    assert_int_equal(found(second, three), 1);
    assert_int_equal(found(second, one), 0);
    later();
    assert_true(refresh(&trust));
    assert_int_equal(found(trust, three), 1);
    cinch_trust_unref(trust);
    cinch_trust_unref(second);
    munmap(page, size);
    close(fd);
    free(path), free(a), free(b);
}

static void test_settled(void **state)
{
    (void)state;
    assert_false(cinch_cached_settled(100, 100));
    assert_false(cinch_cached_settled(100, 102));
    assert_true(cinch_cached_settled(100, 104));
    /* A clock that was set back, or cannot be told. */
    assert_false(cinch_cached_settled(100, 50));
    assert_false(cinch_cached_settled(-100, -1));
}

/* Unusable in every way: the last good content stays, and a usable file is taken again. */
static void test_file_unusable(void **state)
{
    (void)state;
    char *path = path_of("ca.pem"), *both = pki_pem_concat(one_pem, two_pem, (char *)NULL);
    char *key = pki_pem_key(one, NULL);

    put(path, both);
    cinch_trust *trust = with_file(path);
    for (int step = 0; step < 7; step++) {
        /* Settled or not, a bad state is bad. */
        wall_offset_s = step % 2 == 0 ? 0 : 3600;
        if (step == 0)
            overwrite(path, both, strlen(both) / 3 * 2);
        else if (step == 1)
            overwrite(path, "", 0);
        else if (step == 2)
            overwrite(path, key, strlen(key));
        else if (step == 3)
            overwrite(path, "no anchors", 10);
        else if (step == 4)
            assert_int_equal(unlink(path), 0);
        else if (step == 5)
            assert_int_equal(mkdir(path, 0700), 0);
        else
            assert_int_equal(rmdir(path) + mkfifo(path, 0600), 0);
        for (int again = 0; again < 2; again++) {
            later();
            assert_false(refresh(&trust));
            assert_int_equal(found(trust, one), 1);
            assert_int_equal(found(trust, two), 1);
            assert_int_equal(ERR_peek_error(), 0);
        }
    }
    assert_int_equal(unlink(path), 0);
    put(path, two_pem);
    later();
    assert_true(refresh(&trust));
    assert_int_equal(found(trust, one), 0);
    assert_int_equal(found(trust, two), 1);
    cinch_trust_unref(trust);
    free(path), free(both), free(key);
}

/* A new set never gets content that is not there any more. */
static void test_new_set_after_damage(void **state)
{
    (void)state;
    char *path = path_of("ca.pem");

    put(path, one_pem);
    cinch_trust *trust = with_file(path);
    overwrite(path, one_pem, 100);
    assert_null(cinch_trust_with_file(NULL, path, NULL));
    assert_int_equal(unlink(path), 0);
    assert_null(cinch_trust_with_file(NULL, path, NULL));
    assert_int_equal(found(trust, one), 1);
    cinch_trust_unref(trust);
    free(path);
}

/* As certbot and Kubernetes do it: the path is a link, and the link is changed. */
static void test_symlink_swap(void **state)
{
    (void)state;
    char *first = path_of("v1.pem"), *second = path_of("v2.pem"), *link = path_of("live.pem");
    char *fresh = path_of("fresh.pem");

    put(first, one_pem);
    put(second, two_pem);
    assert_int_equal(symlink(first, link), 0);
    /* Long ago, so that only the mark tells. */
    wall_offset_s = 3600;
    cinch_trust *trust = with_file(link);
    later();
    assert_false(refresh(&trust));
    assert_int_equal(symlink(second, fresh), 0);
    assert_int_equal(rename(fresh, link), 0);
    later();
    assert_true(refresh(&trust));
    assert_int_equal(found(trust, one), 0);
    assert_int_equal(found(trust, two), 1);
    cinch_trust_unref(trust);
    free(first), free(second), free(link), free(fresh);
}

/* The same file after chdir() is the same file, not its namesake there. */
static void test_relative_path(void **state)
{
    (void)state;
    char *sub = path_of("sub"), *path = path_of("ca.pem"), *other = path_of("sub/ca.pem");
    char here[PATH_MAX];

    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(mkdir(sub, 0700), 0);
    put(path, one_pem);
    put(other, two_pem);
    assert_int_equal(chdir(dir), 0);
    cinch_trust *trust = with_file("ca.pem");
    assert_int_equal(chdir(sub), 0);
    later();
    assert_false(refresh(&trust));
    assert_int_equal(found(trust, one), 1);
    assert_int_equal(found(trust, two), 0);
    cinch_trust *here_now = with_file("ca.pem");
    assert_int_equal(found(here_now, two), 1);
    assert_int_equal(chdir(here), 0);
    cinch_trust_unref(trust);
    cinch_trust_unref(here_now);
    free(sub), free(path), free(other);
}

static void test_equal_content_is_shared(void **state)
{
    (void)state;
    char *first = path_of("a.pem"), *second = path_of("b.pem");
    unsigned char a_digest[32], b_digest[32];

    put(first, one_pem);
    put(second, one_pem);
    cinch_trust *a = with_file(first), *b = with_file(second);
    assert_ptr_equal(a->sources[0].index, b->sources[0].index);
    cinch_trust_digest(a, a_digest);
    cinch_trust_digest(b, b_digest);
    assert_memory_equal(a_digest, b_digest, 32);
    /* The one changes, the other does not. */
    put(second, two_pem);
    later();
    assert_false(refresh(&a));
    assert_true(refresh(&b));
    assert_int_equal(found(a, one), 1);
    assert_int_equal(found(b, one), 0);
    cinch_trust_unref(a);
    cinch_trust_unref(b);
    free(first), free(second);
}

static void test_pipe(void **state)
{
    (void)state;
    int ends[2];
    char path[64];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], one_pem, strlen(one_pem)), (ssize_t)strlen(one_pem));
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    cinch_trust *trust = with_file(path);
    assert_int_equal(found(trust, one), 1);
    later();
    assert_false(refresh(&trust));
    assert_int_equal(found(trust, one), 1);
    cinch_trust_unref(trust);
    close(ends[0]);
}

static char *hashed(const char *folder, const pki_cert *cert, int number)
{
    char name[32];

    snprintf(name, sizeof name, "%08lx.%d",
             X509_NAME_hash_ex(X509_get_subject_name(cert->cert), NULL, NULL, NULL), number);
    return pki_path(folder, name, "");
}

static void test_dir_errors(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    char *gone = path_of("gone"), *file = path_of("ca.pem"), *crl = path_of("0a1b2c3d.r0");
    char *upper = path_of("0A1B2C3D.0"), *longer = path_of("0a1b2c3d.0.bak");

    assert_null(cinch_trust_with_dir(NULL, gone, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    cinch_error_clear(&err);
    put(file, one_pem);
    assert_null(cinch_trust_with_dir(NULL, file, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    cinch_error_clear(&err);
    put(crl, "x"), put(upper, "x"), put(longer, "x");
    assert_null(cinch_trust_with_dir(NULL, dir, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_ANCHORS);
    assert_non_null(strstr(err.what, dir));
    assert_non_null(strstr(err.remedy, "openssl rehash"));
    assert_non_null(strstr(err.evidence, "4 files"));
    free(gone), free(file), free(crl), free(upper), free(longer);
}

static void test_dir(void **state)
{
    (void)state;
    char *one_0 = hashed(dir, one, 0), *one_1 = hashed(dir, one, 1), *two_0 = hashed(dir, two, 0);
    char *buf = malloc(4096);

    put(one_0, one_pem);
    cinch_trust *trust = cinch_trust_with_dir(NULL, dir, NULL);
    assert_non_null(trust);
    assert_int_equal(found(trust, one), 1);
    assert_int_equal(found(trust, two), 0);
    assert_non_null(strstr(cinch_trust_describe(trust, buf, 4096), "(directory)"));
    /* What was not there is found at once, what was is looked at again after a second. */
    put(two_0, two_pem);
    put(one_1, three_pem);
    assert_int_equal(found(trust, two), 1);
    assert_int_equal(found(trust, three), 0);
    later();
    assert_int_equal(found(trust, three), 1);
    assert_int_equal(found(trust, one), 1);
    STACK_OF(X509) *all = cinch_trust_all(trust, NULL);
    assert_int_equal(sk_X509_num(all), 3);
    sk_X509_pop_free(all, X509_free);
    /* Emptied: the last good content. Removed: no anchor any more. */
    overwrite(two_0, "", 0);
    later();
    assert_int_equal(found(trust, two), 1);
    assert_int_equal(unlink(two_0), 0);
    later();
    assert_int_equal(found(trust, two), 0);
    /* The first of two goes, and the second takes its name. */
    assert_int_equal(rename(one_1, one_0), 0);
    later();
    assert_int_equal(found(trust, one), 0);
    assert_int_equal(found(trust, three), 1);
    cinch_trust_unref(trust);
    free(one_0), free(one_1), free(two_0), free(buf);
}

/* A change of the directory is a change of the set: sessions made under it end. */
static void test_dir_refresh(void **state)
{
    (void)state;
    char *one_0 = hashed(dir, one, 0), *two_0 = hashed(dir, two, 0);
    unsigned char before[32], after[32];

    put(one_0, one_pem);
    put(two_0, two_pem);
    cinch_trust *trust = cinch_trust_with_dir(NULL, dir, NULL);
    cinch_trust_digest(trust, before);
    later();
    assert_false(refresh(&trust));
    assert_int_equal(found(trust, two), 1);
    assert_int_equal(unlink(two_0), 0);
    later();
    /* Some file systems' clocks tick slowly: make sure that the directory's time differs. */
    struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, dir, times, 0), 0);
    assert_true(refresh(&trust));
    cinch_trust_digest(trust, after);
    assert_int_not_equal(memcmp(before, after, 32), 0);
    assert_int_equal(found(trust, two), 0);
    cinch_trust_unref(trust);
    free(one_0), free(two_0);
}

/* Names in a directory that are traps: none may stop a search, let alone for ever. */
static void test_dir_with_traps(void **state)
{
    (void)state;
    char *fifo = hashed(dir, two, 0), *damaged = hashed(dir, one, 0), *good = hashed(dir, one, 1);
    char *wrong = hashed(dir, one, 2), *nowhere = path_of("ffffffff.0");
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(mkfifo(fifo, 0600), 0);
    put(damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    put(good, one_pem);
    put(wrong, two_pem);
    assert_int_equal(symlink("/nonexistent", nowhere), 0);
    cinch_trust *trust = cinch_trust_with_dir(NULL, dir, NULL);
    assert_int_equal(found(trust, two), 0);
    assert_int_equal(found(trust, one), 1);
    /* A list of all anchors says what is wrong. */
    assert_null(cinch_trust_all(trust, &err));
    assert_non_null(strstr(err.what, damaged));
    put(damaged, three_pem);
    STACK_OF(X509) *all = cinch_trust_all(trust, NULL);
    assert_int_equal(sk_X509_num(all), 3);
    sk_X509_pop_free(all, X509_free);
    cinch_trust_unref(trust);
    free(fifo), free(damaged), free(good), free(wrong), free(nowhere);
}

static void test_sources_add_up(void **state)
{
    (void)state;
    char *file = path_of("ca.pem"), *folder = path_of("certs");

    assert_int_equal(mkdir(folder, 0700), 0);
    char *two_0 = hashed(folder, two, 0), *one_0 = hashed(folder, one, 0);
    put(file, one_pem);
    put(two_0, two_pem);
    put(one_0, one_pem);
    cinch_trust *a = with_file(file), *b = cinch_trust_with_dir(a, folder, NULL);
    cinch_trust *c = cinch_trust_with_bytes(b, three_pem, strlen(three_pem), NULL);
    assert_int_equal(found(a, two) + found(a, three), 0);
    assert_int_equal(found(b, two), 1);
    assert_int_equal(found(b, one), 1);
    assert_int_equal(found(c, one) + found(c, two) + found(c, three), 3);
    STACK_OF(X509) *all = cinch_trust_all(c, NULL);
    assert_int_equal(sk_X509_num(all), 3);
    sk_X509_pop_free(all, X509_free);
    cinch_trust_unref(a), cinch_trust_unref(b);
    assert_int_equal(found(c, one), 1);
    cinch_trust_unref(c);
    free(file), free(folder), free(two_0), free(one_0);
}

/* The bundle of the system first, its directory for what the bundle lacks. */
static void test_system_places(void **state)
{
    (void)state;
    char *file = path_of("bundle.pem"), *folder = path_of("certs"), *empty = path_of("empty");

    assert_int_equal(mkdir(folder, 0700) + mkdir(empty, 0700), 0);
    char *two_0 = hashed(folder, two, 0), *three_0 = hashed(folder, three, 0);
    put(file, one_pem), put(two_0, two_pem), put(three_0, three_pem);
    const char *files[] = {"/nonexistent/a.pem", file, NULL};
    const char *dirs[] = {empty, folder, NULL}, *none[] = {NULL};
    cinch_trust_places places = {.files = files, .dirs = dirs};
    cinch_trust *trust = cinch_trust_with_places(NULL, &places, NULL);

    assert_non_null(trust);
    assert_int_equal(found(trust, one), 1);
    assert_int_equal(found(trust, two), 1);
    assert_int_equal(found(trust, three), 0);
    cinch_trust_unref(trust);
    places.files = none;
    trust = cinch_trust_with_places(NULL, &places, NULL);
    assert_int_equal(found(trust, three), 1);
    assert_int_equal(found(trust, one), 0);
    cinch_trust_unref(trust);
    places = (cinch_trust_places){.files = files, .dirs = none};
    trust = cinch_trust_with_places(NULL, &places, NULL);
    assert_int_equal(found(trust, two), 0);
    cinch_trust_unref(trust);
    free(file), free(folder), free(empty), free(two_0), free(three_0);
}

static void test_no_system_anchors(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    char *damaged = path_of("damaged.pem");
    const char *files[] = {"/nonexistent/bundle.pem", damaged, NULL};
    const char *dirs[] = {"/nonexistent/certs", dir, NULL};
    cinch_trust_places places = {.files = files, .dirs = dirs, .file_variable = ""};

    put(damaged, "nothing here");
    assert_null(cinch_trust_with_places(NULL, &places, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_ANCHORS);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(strstr(err.evidence, files[i]));
        assert_non_null(strstr(err.evidence, dirs[i]));
    }
    assert_non_null(strstr(err.evidence, "No such file"));
    assert_non_null(strstr(err.evidence, "neither PEM"));
    free(damaged);
}

static void test_variables(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    char *file = path_of("mine.pem"), *other = path_of("other.pem"), *folder = path_of("certs");
    char *second = path_of("more"), list[PATH_MAX * 2];

    assert_int_equal(mkdir(folder, 0700) + mkdir(second, 0700), 0);
    char *two_0 = hashed(folder, two, 0), *three_0 = hashed(second, three, 0);
    put(file, one_pem), put(other, three_pem), put(two_0, two_pem), put(three_0, three_pem);
    const char *files[] = {other, NULL}, *dirs[] = {folder, NULL};
    cinch_trust_places places = {.file_variable = file, .files = files, .dirs = dirs};

    /* Each variable takes the place of its own kind. */
    cinch_trust *trust = cinch_trust_with_places(NULL, &places, &err);
    assert_int_equal(found(trust, one), 1);
    assert_int_equal(found(trust, three), 0);
    assert_int_equal(found(trust, two), 1);
    cinch_trust_unref(trust);
    places.file_variable = NULL;
    snprintf(list, sizeof list, "%s::%s", second, folder);
    places.dir_variable = list;
    const char *none[] = {NULL};
    places.files = none;
    trust = cinch_trust_with_places(NULL, &places, &err);
    assert_int_equal(found(trust, three), 1);
    assert_int_equal(found(trust, two), 1);
    cinch_trust_unref(trust);
    /* What a variable names and cannot be used is an error, whatever else there is. */
    places = (cinch_trust_places){.file_variable = "/nonexistent/x", .files = files, .dirs = dirs};
    assert_null(cinch_trust_with_places(NULL, &places, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_ANCHORS);
    assert_non_null(strstr(err.what, "SSL_CERT_FILE names \"/nonexistent/x\""));
    assert_non_null(strstr(err.evidence, "No such file"));
    cinch_error_clear(&err);
    snprintf(list, sizeof list, "%s:%s", folder, dir);
    places = (cinch_trust_places){.dir_variable = list, .files = files, .dirs = dirs};
    assert_null(cinch_trust_with_places(NULL, &places, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_NO_ANCHORS);
    assert_non_null(strstr(err.what, "SSL_CERT_DIR"));
    free(file), free(other), free(folder), free(second), free(two_0), free(three_0);
}

/* The environment is read when the set is made, and not afterwards. */
static void test_environment(void **state)
{
    (void)state;
    char *file = path_of("mine.pem"), *folder = path_of("certs");

    assert_int_equal(mkdir(folder, 0700), 0);
    char *two_0 = hashed(folder, two, 0);
    put(file, one_pem), put(two_0, two_pem);
    setenv("SSL_CERT_FILE", file, 1);
    setenv("SSL_CERT_DIR", folder, 1);
    cinch_trust *trust = cinch_trust_with_system(NULL, NULL);
    assert_int_equal(found(trust, one), 1);
    assert_int_equal(found(trust, two), 1);
    setenv("SSL_CERT_FILE", "/nonexistent", 1);
    later();
    assert_false(refresh(&trust));
    assert_int_equal(found(trust, one), 1);
    assert_null(cinch_trust_with_system(NULL, NULL));
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    /* Refreshed like any other file. */
    put(file, two_pem);
    later();
    assert_true(refresh(&trust));
    assert_int_equal(found(trust, one), 0);
    cinch_trust_unref(trust);
    free(file), free(folder), free(two_0);
}

/* The system's bundle is kept between sets; anything else goes with the last of them. */
static void test_what_is_kept(void **state)
{
    (void)state;
    char *file = path_of("bundle.pem"), *other = path_of("other.pem");
    const char *files[] = {file, NULL}, *none[] = {NULL};
    cinch_trust_places places = {.files = files, .dirs = none};

    wall_offset_s = 3600;
    put(file, one_pem), put(other, two_pem);
    cinch_trust *trust = cinch_trust_with_places(NULL, &places, NULL);
    cinch_index *index = trust->sources[0].index;
    STACK_OF(X509) *all = cinch_trust_all(trust, NULL);
    X509 *x = sk_X509_value(all, 0);
    cinch_trust_unref(trust);
    trust = cinch_trust_with_places(NULL, &places, NULL);
    assert_ptr_equal(trust->sources[0].index, index);
    STACK_OF(X509) *again = cinch_trust_all(trust, NULL);
    assert_ptr_equal(sk_X509_value(again, 0), x);
    sk_X509_pop_free(all, X509_free);
    sk_X509_pop_free(again, X509_free);
    cinch_trust_unref(trust);
    free(file), free(other);
}

/* A file that was named stays known after its last user is gone, and a few others take its place. */
static void test_recent(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    char name[32], *path = path_of("recent.pem");
    cinch_cached *file;
    cinch_index *index;

    (void)state;
    put(path, one_pem);
    for (int others = 0; others <= 4; others += 4) {
        cinch_trust_unref(with_file(path));
        for (int i = 0; i < others; i++) {
            snprintf(name, sizeof name, "other%d.pem", i);
            char *other = path_of(name);
            put(other, two_pem);
            cinch_trust_unref(with_file(other));
            free(other);
        }
        assert_int_equal(cinch_cached_open(path, 0, &file, &index, &err), CINCH_OK);
        /* The file's own reference and ours; and that of what is kept. */
        assert_int_equal(index->references, others == 0 ? 3 : 2);
        cinch_index_unref(index);
        cinch_cached_close(file);
    }
    /* What is kept is not what is believed. */
    wall_offset_s += 10;
    cinch_trust_unref(with_file(path));
    put(path, two_pem);
    cinch_trust *trust = with_file(path);
    assert_int_equal(found(trust, one), 0);
    assert_int_equal(found(trust, two), 1);
    cinch_trust_unref(trust);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_recent),
        TEST(test_file_errors),
        TEST(test_file_replaced),
        TEST(test_changed_without_a_trace),
        TEST(test_settled),
        TEST(test_file_unusable),
        TEST(test_new_set_after_damage),
        TEST(test_symlink_swap),
        TEST(test_relative_path),
        TEST(test_equal_content_is_shared),
        TEST(test_pipe),
        TEST(test_dir_errors),
        TEST(test_dir),
        TEST(test_dir_refresh),
        TEST(test_dir_with_traps),
        TEST(test_sources_add_up),
        TEST(test_system_places),
        TEST(test_no_system_anchors),
        TEST(test_variables),
        TEST(test_environment),
        TEST(test_what_is_kept),
    };

    return cmocka_run_group_tests_name("trust files", tests, set_up_all, tear_down_all);
}
