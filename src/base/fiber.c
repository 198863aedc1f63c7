/*
 * fiber.c: fibers on ucontext, which keeps what compilers and processors want kept (the shadow
 * stack of CET with glibc), with the sanitizers told about each switch.
 */
#define _GNU_SOURCE
#include "base/fiber.h"

#if CINCH_FIBERS

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#define ADDRESS_SANITIZER 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define THREAD_SANITIZER 1
#include <sanitizer/tsan_interface.h>
#else
#define THREAD_SANITIZER 0
#endif

/* It lies at the upper end of its own stack's memory. */
struct cinch_fiber {
    ucontext_t inside;  /* where it goes on */
    ucontext_t outside; /* where whoever let it go goes on */
    void (*run)(void *arg);
    void *arg;
    int ended;
    struct cinch_fiber *next; /* among the spare ones */
#if ADDRESS_SANITIZER
    void *fake_inside;
    void *fake_outside;
    const void *outer_stack;
    size_t outer_size;
#endif
#if THREAD_SANITIZER
    void *tsan_inside;
    void *tsan_outside;
#endif
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_fiber *spare;
static unsigned spare_count;

/* ---- the memory: a page that nobody may touch, the stack, the fiber ---- */

/* The ABIs want 16; vector registers are saved in units of 64. */
#define FIBER_SIZE ((sizeof(cinch_fiber) + 63) / 64 * 64)

static size_t guard_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned char *stack_of(cinch_fiber *fiber)
{
    return (unsigned char *)fiber + FIBER_SIZE - CINCH_FIBER_STACK;
}

static cinch_fiber *map(void)
{
    size_t guard = guard_size();
    unsigned char *memory = mmap(NULL, guard + CINCH_FIBER_STACK, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    if (mprotect(memory, guard, PROT_NONE) != 0) {
        (void)munmap(memory, guard + CINCH_FIBER_STACK);
        return NULL;
    }
    return (cinch_fiber *)(void *)(memory + guard + CINCH_FIBER_STACK - FIBER_SIZE);
}

static void unmap(cinch_fiber *fiber)
{
    size_t guard = guard_size();

    (void)munmap(stack_of(fiber) - guard, guard + CINCH_FIBER_STACK);
}

static cinch_fiber *take(void)
{
    pthread_mutex_lock(&lock);
    cinch_fiber *fiber = spare;
    if (fiber != NULL) {
        spare = fiber->next;
        spare_count--;
    }
    pthread_mutex_unlock(&lock);
    return fiber != NULL ? fiber : map();
}

static void give_back(cinch_fiber *fiber)
{
#if ADDRESS_SANITIZER
    /* The last frames never returned, and who gets the memory next knows nothing of them. */
    __asan_unpoison_memory_region(stack_of(fiber), CINCH_FIBER_STACK - FIBER_SIZE);
#endif
    pthread_mutex_lock(&lock);
    int keep = spare_count < CINCH_FIBER_SPARE;
    if (keep) {
        fiber->next = spare;
        spare = fiber;
        spare_count++;
    }
    pthread_mutex_unlock(&lock);
    if (!keep)
        unmap(fiber);
}

/* ---- switches ---- */

static void leave(cinch_fiber *fiber)
{
#if ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(fiber->ended ? NULL : &fiber->fake_inside, fiber->outer_stack,
                                   fiber->outer_size);
#endif
#if THREAD_SANITIZER
    __tsan_switch_to_fiber(fiber->tsan_outside, 0);
#endif
    (void)swapcontext(&fiber->inside, &fiber->outside);
}

/* The first thing after each switch to the fiber. */
static void arrive(cinch_fiber *fiber)
{
#if ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fiber->fake_inside, &fiber->outer_stack, &fiber->outer_size);
#else
    (void)fiber;
#endif
}

/* makecontext() hands over numbers of type int only. */
static void begin(unsigned high, unsigned low)
{
    uintptr_t address = (uintptr_t)((uint64_t)high << 32 | low);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): makecontext() takes no pointers */
    cinch_fiber *fiber = (cinch_fiber *)address;

    arrive(fiber);
    fiber->run(fiber->arg);
    fiber->ended = 1;
    leave(fiber);
}

/* On its own: compilers take getcontext() for something like setjmp(). */
static int prepare(ucontext_t *context)
{
    return getcontext(context) == 0;
}

cinch_fiber *cinch_fiber_new(void (*run)(void *arg), void *arg)
{
    cinch_fiber *fiber = take();
    uint64_t address = (uint64_t)(uintptr_t)fiber;

    if (fiber == NULL)
        return NULL;
    *fiber = (cinch_fiber){.run = run, .arg = arg};
    if (!prepare(&fiber->inside)) {
        give_back(fiber);
        return NULL;
    }
    fiber->inside.uc_stack.ss_sp = stack_of(fiber);
    fiber->inside.uc_stack.ss_size = CINCH_FIBER_STACK - FIBER_SIZE;
    fiber->inside.uc_link = NULL;
    makecontext(&fiber->inside, (void (*)(void))begin, 2, (unsigned)(address >> 32),
                (unsigned)address);
#if THREAD_SANITIZER
    fiber->tsan_inside = __tsan_create_fiber(0);
#endif
    return fiber;
}

int cinch_fiber_go(cinch_fiber *fiber)
{
    /* What signals a thread lets in is its own affair, also if another one paused the fiber. */
    (void)pthread_sigmask(SIG_SETMASK, NULL, &fiber->inside.uc_sigmask);
#if THREAD_SANITIZER
    fiber->tsan_outside = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_inside, 0);
#endif
#if ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(&fiber->fake_outside, stack_of(fiber),
                                   CINCH_FIBER_STACK - FIBER_SIZE);
#endif
    (void)swapcontext(&fiber->outside, &fiber->inside);
#if ADDRESS_SANITIZER
    __sanitizer_finish_switch_fiber(fiber->fake_outside, NULL, NULL);
#endif
    if (!fiber->ended)
        return 1;
#if THREAD_SANITIZER
    __tsan_destroy_fiber(fiber->tsan_inside);
#endif
    give_back(fiber);
    return 0;
}

void cinch_fiber_pause(cinch_fiber *fiber)
{
    leave(fiber);
    arrive(fiber);
}

size_t cinch_fiber_deepest(cinch_fiber *fiber)
{
    const unsigned char *at = stack_of(fiber), *end = at + CINCH_FIBER_STACK - FIBER_SIZE;

    while (at < end && *at == 0)
        at++;
    return (size_t)(end - at);
}

#else

cinch_fiber *cinch_fiber_new(void (*run)(void *arg), void *arg)
{
    (void)run;
    (void)arg;
    return NULL;
}

int cinch_fiber_go(cinch_fiber *fiber)
{
    (void)fiber;
    return 0;
}

void cinch_fiber_pause(cinch_fiber *fiber)
{
    (void)fiber;
}

size_t cinch_fiber_deepest(cinch_fiber *fiber)
{
    (void)fiber;
    return 0;
}

#endif
