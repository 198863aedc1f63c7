/* Work that pauses, on any thread, and a stack that ends where it ends. */
#include "base/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

typedef struct walk {
    cinch_fiber *fiber;
    cinch_fiber *inner;
    int steps;
    int pauses;
} walk;

static void take_steps(void *arg)
{
    walk *w = arg;
    volatile char local[1000];

    for (int i = 0; i < w->pauses; i++) {
        memset((char *)(uintptr_t)local, i, sizeof local);
        cinch_fiber_pause(w->fiber);
        w->steps += local[sizeof local - 1] == (char)i;
    }
}

static void test_it_pauses_and_ends(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        walk w = {.pauses = 5};

        w.fiber = cinch_fiber_new(take_steps, &w);
        assert_non_null(w.fiber);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(cinch_fiber_go(w.fiber), 1);
            assert_int_equal(w.steps, i);
        }
        assert_true(cinch_fiber_deepest(w.fiber) >= 1000);
        assert_int_equal(cinch_fiber_go(w.fiber), 0);
        assert_int_equal(w.steps, 5);
    }
}

/* More than are kept spare, all paused at once, and ended in another order. */
static void test_many(void **state)
{
    static walk walks[3 * CINCH_FIBER_SPARE];
    size_t count = sizeof walks / sizeof walks[0];

    (void)state;
    for (size_t i = 0; i < count; i++) {
        walks[i] = (walk){.pauses = 1};
        walks[i].fiber = cinch_fiber_new(take_steps, &walks[i]);
        assert_non_null(walks[i].fiber);
        assert_int_equal(cinch_fiber_go(walks[i].fiber), 1);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(cinch_fiber_go(walks[i * 7 % count].fiber), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(walks[i].steps, 1);
}

static void run_inner(void *arg)
{
    walk *w = arg;

    w->steps += cinch_fiber_go(w->inner);
    cinch_fiber_pause(w->fiber);
    w->steps += cinch_fiber_go(w->inner) == 0;
}

static void test_one_in_another(void **state)
{
    walk inner = {.pauses = 1}, outer = {0};

    (void)state;
    outer.inner = inner.fiber = cinch_fiber_new(take_steps, &inner);
    outer.fiber = cinch_fiber_new(run_inner, &outer);
    assert_int_equal(cinch_fiber_go(outer.fiber), 1);
    assert_int_equal(cinch_fiber_go(outer.fiber), 0);
    assert_int_equal(outer.steps, 2);
    assert_int_equal(inner.steps, 1);
}

static void *go(void *arg)
{
    return (void *)(intptr_t)cinch_fiber_go(arg);
}

/* Begun here, paused there, ended by a third thread. */
static void test_from_thread_to_thread(void **state)
{
    walk w = {.pauses = 4};

    (void)state;
    w.fiber = cinch_fiber_new(take_steps, &w);
    assert_int_equal(cinch_fiber_go(w.fiber), 1);
    for (int i = 1; i <= 4; i++) {
        pthread_t thread;
        void *paused;

        assert_int_equal(pthread_create(&thread, NULL, go, w.fiber), 0);
        assert_int_equal(pthread_join(thread, &paused), 0);
        assert_int_equal((intptr_t)paused, i < 4);
    }
    assert_int_equal(w.steps, 4);
}

/* One thread's blocked signals do not come along to another. */
static void test_signals_stay_with_their_thread(void **state)
{
    walk w = {.pauses = 2};
    sigset_t user, before, now;

    (void)state;
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    w.fiber = cinch_fiber_new(take_steps, &w);
    assert_int_equal(cinch_fiber_go(w.fiber), 1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &user, &before), 0);
    assert_int_equal(cinch_fiber_go(w.fiber), 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    assert_true(sigismember(&now, SIGUSR1));
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    assert_int_equal(cinch_fiber_go(w.fiber), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    assert_false(sigismember(&now, SIGUSR1));
}

/* Where the stack's variables are. */
static void note_place(void *arg)
{
    volatile char here = 0;

    *(uintptr_t *)arg = (uintptr_t)&here;
}

/* The line of /proc/self/maps that PLACE is in, and the one before it. 1 or 0. */
static int find_mapping(uintptr_t place, char before[256], char line[256])
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int found = 0;

    if (maps == NULL)
        return 0;
    before[0] = line[0] = 0;
    while (!found) {
        unsigned long long low, high;

        memcpy(before, line, 256);
        if (fgets(line, 256, maps) == NULL)
            break;
        found = sscanf(line, "%llx-%llx", &low, &high) == 2 && place >= low && place < high;
    }
    fclose(maps);
    return found;
}

static void test_a_page_below_that_nobody_may_touch(void **state)
{
    uintptr_t place = 0;
    char before[256], line[256], rights[8];
    unsigned long long low, high, guard_low, guard_high;
    walk w = {.pauses = 1};

    (void)state;
    w.fiber = cinch_fiber_new(take_steps, &w);
    assert_int_equal(cinch_fiber_go(w.fiber), 1);
    place = (uintptr_t)w.fiber;
    if (!find_mapping(place, before, line))
        skip();
    assert_int_equal(sscanf(line, "%llx-%llx", &low, &high), 2);
    assert_int_equal(sscanf(before, "%llx-%llx %7s", &guard_low, &guard_high, rights), 3);
    assert_true(high - low >= CINCH_FIBER_STACK);
    assert_int_equal(guard_high, low);
    assert_string_equal(rights, "---p");
    assert_int_equal(cinch_fiber_go(w.fiber), 0);
}

/* Deeper than the stack; the result depends on each frame, so that none is optimised away. */
static int dig(int depth)
{
    volatile char room[4096];

    room[0] = (char)depth;
    room[sizeof room - 1] = (char)depth;
    return depth == 0 ? room[0] : dig(depth - 1) + room[sizeof room - 1];
}

static void dig_too_deep(void *arg)
{
    *(int *)arg = dig((int)(2 * CINCH_FIBER_STACK / 4096));
}

static void test_who_leaves_the_stack_dies(void **state)
{
    uintptr_t place = 0;
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        int result;

        setrlimit(RLIMIT_CORE, &no_core);
        (void)!freopen("/dev/null", "w", stderr);
        signal(SIGSEGV, SIG_DFL);
        (void)cinch_fiber_go(cinch_fiber_new(dig_too_deep, &result));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    /* What a thread of this process does on another stack afterwards is not touched by that. */
    cinch_fiber *fiber = cinch_fiber_new(note_place, &place);
    assert_int_equal(cinch_fiber_go(fiber), 0);
    assert_true(place != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_pauses_and_ends),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_one_in_another),
        cmocka_unit_test(test_from_thread_to_thread),
        cmocka_unit_test(test_signals_stay_with_their_thread),
        cmocka_unit_test(test_a_page_below_that_nobody_may_touch),
        cmocka_unit_test(test_who_leaves_the_stack_dies),
    };

    return CINCH_FIBERS ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
