/* ring_inside.h: what the files of the ring share. */
#ifndef CINCH_SESSION_RING_INSIDE_H
#define CINCH_SESSION_RING_INSIDE_H

#include "session/ring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* As many as can be alive at once with the shortest rotation that is allowed. */
#define CINCH_RING_SECRETS 16

typedef struct cinch_ring_secret {
    int used;
    int64_t use_at; /* on the ring's clock */
    int64_t accept_until;
    unsigned char bytes[32];
} cinch_ring_secret;

/* Keys that were derived, so that the next ticket need not: they go with the secret. */
typedef struct cinch_ring_kept {
    int used;
    size_t place; /* of its secret */
    unsigned char digest[32];
    cinch_ticket_keys keys;
} cinch_ring_kept;

/* For how many hosts and secrets: a page holds these and the secrets. */
#define CINCH_RING_KEPT 16

/* What all processes share. */
typedef struct cinch_ring_shared {
    pthread_mutex_t lock;
    cinch_ticket_windows windows;
    int processes; /* how many have a timer: the last one wipes everything */
    cinch_ring_secret secrets[CINCH_RING_SECRETS];
    unsigned next_kept; /* which of those below makes room */
    cinch_ring_kept kept[CINCH_RING_KEPT];
} cinch_ring_shared;

struct cinch_tickets {
    atomic_uint references;
    cinch_ring_shared *shared;
    /* The timer of this process: a thread that sleeps until the next turn. */
    pthread_mutex_t timer_lock;
    pthread_cond_t timer_wake;
    pthread_t timer;
    pid_t timer_process; /* 0: none; a forked child starts its own */
    int timer_stop;
};

/* ring.c; the lock is held by the caller where SHARED is passed, but for _lock() itself. */
int64_t cinch_ring_now(void);
int cinch_ring_lock(cinch_ring_shared *shared);
void cinch_ring_unlock(cinch_ring_shared *shared);
void cinch_ring_turn(cinch_ring_shared *shared, int64_t now);
/* cinch_ring_rotate makes a new secret that issues from now on. */
void cinch_ring_rotate(cinch_ring_shared *shared, int64_t now, int wipe_older);
/* cinch_ring_next_turn gives the time at which something has to be wiped or made. */
int64_t cinch_ring_next_turn(const cinch_ring_shared *shared, int64_t now);

/* timer.c: makes sure that this process has a timer for RING. */
void cinch_ring_keep_turning(cinch_tickets *ring);
void cinch_ring_stop_turning(cinch_tickets *ring);

#endif
