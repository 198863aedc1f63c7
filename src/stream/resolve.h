/*
 * resolve.h: names to addresses, with a deadline. getaddrinfo() cannot be interrupted, so each
 * family is asked for in a thread of its own, and what a caller gives up on ends by itself later.
 */
#ifndef CINCH_STREAM_RESOLVE_H
#define CINCH_STREAM_RESOLVE_H

#include "stream/address.h"

/* More addresses than this of one family are not tried. */
#define CINCH_ADDRESSES 32

/* What is known of a name in one family, in the order in which to use it (RFC 6724). */
typedef struct cinch_answer {
    int error;        /* 0, or EAI_... as from getaddrinfo() */
    int system_error; /* errno where error is EAI_SYSTEM, or no descriptor was left; else 0 */
    size_t count;
    cinch_address list[CINCH_ADDRESSES];
} cinch_answer;

/*
 * Who is asked. `look_up` fills ANSWER (all 0 before) with the addresses of NAME in FAMILY, their
 * port left 0. It runs in another thread and may still run after the caller has given up: ARG has
 * to live as long as the process. Tests put their own in place.
 */
typedef struct cinch_resolver {
    void (*look_up)(void *arg, int family, const char *name, cinch_answer *answer);
    void *arg;
} cinch_resolver;

/* cinch_answer_add puts ADDRESS behind the others unless it is there already or there is no room. */
void cinch_answer_add(cinch_answer *answer, const cinch_address *address);

/*
 * cinch_answer_local answers for "localhost" and the names below it, whatever the system's tables say
 * (RFC 6761, 6.3): adds the loopback address of FAMILY and returns 1, or 0 for another name.
 */
int cinch_answer_local(cinch_answer *answer, const char *name, int family);

/*
 * cinch_resolve_errno says what of the system was behind ERROR of getaddrinfo(), with errno as it was
 * left by it: errno for EAI_SYSTEM, EMFILE or ENFILE if there was no descriptor left to ask with, 0.
 */
int cinch_resolve_errno(int error);

/* cinch_resolver_system asks getaddrinfo(). */
extern const cinch_resolver cinch_resolver_system;

typedef struct cinch_lookup cinch_lookup;

/* cinch_lookup_start asks RESOLVER for both families of NAME. NULL and ERR set on failure. */
cinch_lookup *cinch_lookup_start(const cinch_resolver *resolver, const char *name,
                                 cinch_error *err);

/* cinch_lookup_fd is readable when an answer has come that was not looked for yet. */
int cinch_lookup_fd(const cinch_lookup *lookup);

/* cinch_lookup_take copies the answer for FAMILY to ANSWER: 1, or 0 if it has not come yet. */
int cinch_lookup_take(cinch_lookup *lookup, int family, cinch_answer *answer);

/* cinch_lookup_seen makes the descriptor unreadable until the next answer comes. */
void cinch_lookup_seen(cinch_lookup *lookup);

/* cinch_lookup_drop gives up on what is still open and frees LOOKUP once nothing uses it. */
void cinch_lookup_drop(cinch_lookup *lookup);

#endif
