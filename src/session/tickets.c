/* tickets.c: rings as their users see them. */
#define _GNU_SOURCE
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "session/ring_inside.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/mman.h>

#define LONGEST_LIFE 86400

static const cinch_ticket_windows standard = {3600, 7200, 1800, 60, 86400};

static cinch_status check(const cinch_ticket_windows *given, cinch_ticket_windows *w,
                          cinch_error *err)
{
    *w = given == NULL ? standard : *given;
    if (w->rotation < 0 || w->lifetime < 0 || w->lead < 0 || w->tolerance < 0 || w->lineage < 0)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "a window of a ticket ring is negative");
    if (w->rotation == 0)
        w->rotation = standard.rotation;
    if (w->lifetime == 0)
        w->lifetime = standard.lifetime;
    if (w->lead == 0)
        w->lead = w->rotation / 2;
    if (w->tolerance == 0)
        w->tolerance = standard.tolerance < w->rotation / 2 ? standard.tolerance : w->rotation / 2;
    if (w->lineage == 0)
        w->lineage = standard.lineage;
    if (w->lead > w->rotation || w->tolerance > (w->rotation + 1) / 2)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the lead (%d s) of a ticket ring is longer than its rotation (%d s), or "
                          "the tolerance (%d s) longer than half of it",
                          w->lead, w->rotation, w->tolerance);
    int64_t life = (int64_t)w->lead + w->rotation + w->lead + w->lifetime + w->tolerance;
    if (life > LONGEST_LIFE)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "a secret of this ticket ring would live for %lld s; 24 hours are the "
                          "most",
                          (long long)life);
    if (life / w->rotation + 2 > CINCH_RING_SECRETS)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "tickets that live for %d s with a rotation of %d s need more than %d "
                          "secrets at once",
                          w->lifetime, w->rotation, CINCH_RING_SECRETS);
    return CINCH_OK;
}

static int init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    if (pthread_mutexattr_init(&attributes) != 0)
        return 0;
    int ok = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
             pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
             pthread_mutex_init(lock, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return ok;
}

static cinch_ring_shared *map_shared(void)
{
    void *memory = mmap(NULL, sizeof(cinch_ring_shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    /* As in memory.c: the limits of the process may refuse the first. */
    (void)mlock(memory, sizeof(cinch_ring_shared));
    (void)madvise(memory, sizeof(cinch_ring_shared), MADV_DONTDUMP);
    cinch_ring_shared *shared = memory;
    if (!init_lock(&shared->lock)) {
        (void)munmap(memory, sizeof *shared);
        return NULL;
    }
    return shared;
}

cinch_tickets *cinch_tickets_new(const cinch_ticket_windows *windows, cinch_error *err)
{
    cinch_ticket_windows checked;

    if (!cinch_enter(err) || check(windows, &checked, err) != CINCH_OK)
        return NULL;
    cinch_tickets *ring = cinch_alloc(sizeof *ring);
    cinch_ring_shared *shared = ring == NULL ? NULL : map_shared();
    if (shared == NULL) {
        cinch_release(ring);
        (void)cinch_fail_memory(err, "making a ring of ticket secrets");
        return NULL;
    }
    shared->windows = checked;
    ring->shared = shared;
    atomic_init(&ring->references, 1);
    return ring;
}

cinch_tickets *cinch_ring_ref(cinch_tickets *ring)
{
    atomic_fetch_add(&ring->references, 1);
    return ring;
}

void cinch_tickets_free(cinch_tickets *ring)
{
    if (ring == NULL || atomic_fetch_sub(&ring->references, 1) != 1)
        return;
    cinch_ring_stop_turning(ring);
    /*
     * Other processes may go on with the mapping; each forgets its own view of it. The last one that
     * had a timer has just wiped the secrets.
     */
    (void)munmap(ring->shared, sizeof *ring->shared);
    cinch_release(ring);
}

cinch_status cinch_tickets_rotate(cinch_tickets *ring, int wipe, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ring == NULL)
        return cinch_fail_null(err, "ring of ticket secrets");
    int64_t now = cinch_ring_now();
    if (now < 0 || !cinch_ring_lock(ring->shared))
        return cinch_fail(err, CINCH_CAUSE_SYSTEM, "the ring of ticket secrets cannot be locked");
    cinch_ring_rotate(ring->shared, now, wipe);
    cinch_ring_unlock(ring->shared);
    cinch_ring_keep_turning(ring);
    return CINCH_OK;
}

static void describe(const cinch_ring_shared *shared, const cinch_ring_secret *secret,
                     int64_t to_wall, cinch_ticket_key *key)
{
    unsigned char digest[32];

    (void)SHA256(secret->bytes, sizeof secret->bytes, digest);
    memcpy(key->name, digest, sizeof key->name);
    OPENSSL_cleanse(digest, sizeof digest);
    key->use_at = secret->use_at + to_wall;
    key->issue_until = secret->use_at + shared->windows.rotation + to_wall;
    key->accept_until = secret->accept_until + to_wall;
}

cinch_status cinch_tickets_look(cinch_tickets *ring, cinch_ticket_key *keys, size_t most,
                                size_t *count, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ring == NULL || count == NULL || (keys == NULL && most > 0))
        return cinch_fail_null(err, ring == NULL ? "ring of ticket secrets" : "place for the keys");
    *count = 0;
    int64_t now = cinch_ring_now();
    if (now < 0 || !cinch_ring_lock(ring->shared))
        return cinch_fail(err, CINCH_CAUSE_SYSTEM, "the ring of ticket secrets cannot be locked");
    cinch_ring_turn(ring->shared, now);
    for (size_t i = 0; i < CINCH_RING_SECRETS && *count < most; i++)
        if (ring->shared->secrets[i].used)
            describe(ring->shared, &ring->shared->secrets[i], cinch_clock_wall() - now,
                     &keys[(*count)++]);
    cinch_ring_unlock(ring->shared);
    return CINCH_OK;
}
