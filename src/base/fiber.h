/*
 * fiber.h: work that can pause in its middle, on a stack of its own, and go on later on any thread.
 *
 * While a fiber is paused it must hold no lock, and nothing on its stack may point to what belongs to
 * one thread (errno, thread-local variables).
 */
#ifndef CINCH_BASE_FIBER_H
#define CINCH_BASE_FIBER_H

#include <stddef.h>

typedef struct cinch_fiber cinch_fiber;

/*
 * A handshake takes 20 KiB of it, 40 with the address sanitizer; the rest is for callbacks of the
 * program. What is never touched costs no memory, and a page that nobody may touch lies below.
 */
#define CINCH_FIBER_STACK ((size_t)256 * 1024)

/* So many stacks are kept for the next fibers. */
#define CINCH_FIBER_SPARE 16

/* CINCH_FIBERS tells whether this system has what fibers are made of; without it none is made. */
#ifndef CINCH_FIBERS
#define CINCH_FIBERS 0
#endif

/* cinch_fiber_new prepares a fiber that will do RUN with ARG. NULL if there is no memory. */
cinch_fiber *cinch_fiber_new(void (*run)(void *arg), void *arg);

/*
 * cinch_fiber_go lets FIBER do its work until it pauses: 1. Or until it ends: 0, and FIBER is gone.
 * From any thread, and from other fibers.
 */
int cinch_fiber_go(cinch_fiber *fiber);

/* cinch_fiber_pause, which FIBER itself calls, returns when it is let go on. */
void cinch_fiber_pause(cinch_fiber *fiber);

/* cinch_fiber_deepest counts the bytes of a paused FIBER's stack that were ever used. For tests. */
size_t cinch_fiber_deepest(cinch_fiber *fiber);

#endif
