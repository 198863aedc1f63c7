/* Files read whole: what can be read and what cannot, and how a change shows. */
#include "base/file.h"
#include "pki.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char *dir;

static int set_up(void **state)
{
    (void)state;
    dir = pki_tmpdir();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_rmtree(dir);
    return 0;
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 8192, 100000, 1000000};
    char *path = pki_path(dir, "file", "");
    unsigned char *data = malloc(1000000);

    (void)state;
    for (size_t i = 0; i < 1000000; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        cinch_content content;
        cinch_file_mark mark, again;

        assert_true(pki_write_bytes(path, data, sizes[i], 0600));
        assert_int_equal(cinch_file_read(path, "the test", &content, &mark, NULL), CINCH_OK);
        assert_int_equal(content.size, sizes[i]);
        assert_memory_equal(content.bytes, data, sizes[i]);
        assert_int_equal(content.bytes[sizes[i]], 0);
        assert_int_equal(mark.size, sizes[i]);
        assert_true(cinch_file_look(path, &again));
        assert_true(cinch_file_mark_same(&mark, &again));
        cinch_content_free(&content);
        cinch_content_free(&content);
    }
    free(data);
    free(path);
}

static void refuse(const char *path, int number)
{
    unsigned char stale = 0;
    cinch_content content = {&stale, 1, 1};
    cinch_error err = CINCH_ERROR_INIT;

    assert_int_equal(cinch_file_read(path, "the test", &content, NULL, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_FILE_UNREADABLE);
    assert_int_equal(err.system_error, number);
    assert_non_null(strstr(err.what, "the test"));
    assert_null(content.bytes);
    assert_int_equal(content.size, 0);
    cinch_content_free(&content);
    assert_int_equal(cinch_file_read(path, "the test", &content, NULL, NULL), CINCH_FAILED);
}

static void test_unreadable(void **state)
{
    char *missing = pki_path(dir, "missing", ""), *large = pki_path(dir, "large", "");
    char *loop = pki_path(dir, "loop", ""), *file = pki_path(dir, "some", "");
    char *below = pki_path(file, "below", "");
    cinch_file_mark mark;

    (void)state;
    assert_true(pki_write(file, "x", 0600));
    assert_int_equal(symlink(loop, loop), 0);
    /* A hole of the largest size and one byte: nothing is read of it. */
    int fd = open(large, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)CINCH_FILE_LARGEST + 1), 0);
    (void)close(fd);
    refuse("", ENOENT);
    refuse(missing, ENOENT);
    refuse(dir, EISDIR);
    refuse(below, ENOTDIR);
    refuse(loop, ELOOP);
    refuse(large, EFBIG);
    assert_false(cinch_file_look(missing, &mark));
    assert_int_equal(mark.inode, 0);
    free(missing);
    free(large);
    free(loop);
    free(file);
    free(below);
}

static void *fill_pipe(void *arg)
{
    static const char piece[1000] = "pipe";
    int fd = open(arg, O_WRONLY);

    for (int i = 0; fd >= 0 && i < 100; i++)
        if (write(fd, piece, sizeof piece) != (ssize_t)sizeof piece)
            break;
    (void)close(fd);
    return NULL;
}

/* A pipe has no size, comes in pieces, and is read to its end. */
static void test_pipe(void **state)
{
    char *path = pki_path(dir, "pipe", "");
    cinch_content content;
    pthread_t writer;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pthread_create(&writer, NULL, fill_pipe, path), 0);
    assert_int_equal(cinch_file_read(path, "the test", &content, NULL, NULL), CINCH_OK);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(content.size, 100000);
    for (size_t i = 0; i < 100; i++)
        assert_string_equal((char *)content.bytes + 1000 * i, "pipe");
    cinch_content_free(&content);
    free(path);
}

/* A file put in place of another, as certbot does, and one written over. */
static void test_marks(void **state)
{
    char *path = pki_path(dir, "mark", ""), *other = pki_path(dir, "other", "");
    cinch_file_mark first, second, third;

    (void)state;
    assert_true(pki_write(path, "one", 0600));
    assert_true(cinch_file_look(path, &first));
    assert_true(pki_write(other, "two", 0600));
    assert_int_equal(rename(other, path), 0);
    assert_true(cinch_file_look(path, &second));
    assert_false(cinch_file_mark_same(&first, &second));
    assert_true(pki_write(path, "longer", 0600));
    assert_true(cinch_file_look(path, &third));
    assert_false(cinch_file_mark_same(&second, &third));
    free(path);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_marks),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
