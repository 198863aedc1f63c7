/* The queue of bytes of a connection, the arena of a report, the memory of secrets. */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 13 + i / 255);
}

/* Against a count of what went in and what came out: order and number always hold. */
static void test_queue(void **state)
{
    cinch_buffer buffer = {0};
    size_t in = 0, out = 0;
    unsigned turn = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        turn = turn * 1103515245u + 12345u;
        size_t n = (turn >> 16) % 700, size = 0;

        if (round % 2 == 0) {
            unsigned char *room = cinch_buffer_space(&buffer, n, &size);

            assert_non_null(room);
            assert_true(size >= n);
            for (size_t i = 0; i < n; i++)
                room[i] = byte_at(in + i);
            cinch_buffer_commit(&buffer, n);
            in += n;
        } else {
            n = n < cinch_buffer_used(&buffer) ? n : cinch_buffer_used(&buffer);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(cinch_buffer_bytes(&buffer)[i], byte_at(out + i));
            cinch_buffer_consume(&buffer, n);
            out += n;
        }
        assert_int_equal(cinch_buffer_used(&buffer), in - out);
        if (round % 1000 == 0) {
            cinch_buffer_consume(&buffer, cinch_buffer_used(&buffer));
            out = in;
            cinch_buffer_idle(&buffer);
            assert_null(buffer.data);
        }
    }
    /* What is taken out is given back: the memory does not grow with what went through. */
    assert_true(buffer.capacity < 100000);
    cinch_buffer_free(&buffer);
    assert_int_equal(cinch_buffer_used(&buffer), 0);
    cinch_buffer_free(&buffer);
}

static void test_append(void **state)
{
    cinch_buffer buffer = {0};
    size_t size;

    (void)state;
    assert_true(cinch_buffer_append(&buffer, NULL, 0));
    assert_true(cinch_buffer_append(&buffer, "abc", 3));
    cinch_buffer_idle(&buffer);
    assert_int_equal(cinch_buffer_used(&buffer), 3);
    /* More than there can be: refused, and the content stays. */
    assert_null(cinch_buffer_space(&buffer, SIZE_MAX, &size));
    assert_null(cinch_buffer_space(&buffer, SIZE_MAX / 4, &size));
    assert_memory_equal(cinch_buffer_bytes(&buffer), "abc", 3);
    cinch_buffer_free(&buffer);
}

static void test_arena(void **state)
{
    cinch_arena arena = {0};
    unsigned char *pieces[200];

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        pieces[i] = cinch_arena_take(&arena, i * 37 % 9000);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % sizeof(void *), 0);
        for (size_t k = 0; k < i * 37 % 9000; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i, i * 37 % 9000);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * 37 % 9000; k++)
            assert_int_equal(pieces[i][k], i);
    assert_string_equal(cinch_arena_text(&arena, "text"), "text");
    assert_null(cinch_arena_take(&arena, SIZE_MAX));
    cinch_arena_free(&arena);
    cinch_arena_free(&arena);
}

static void test_memory(void **state)
{
    (void)state;
    assert_null(cinch_alloc_array(SIZE_MAX / 2, 3));
    assert_null(cinch_copy_text(NULL));
    assert_null(cinch_secret_alloc(SIZE_MAX));
    void *empty = cinch_copy_bytes("", 0);
    assert_non_null(empty);
    cinch_release(empty);
    cinch_release(NULL);
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        unsigned char *secret = cinch_secret_alloc(size);

        assert_non_null(secret);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(secret[i], 0);
        memset(secret, 0xff, size);
        cinch_secret_free(secret, size);
    }
    cinch_secret_free(NULL, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
