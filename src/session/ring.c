/*
 * ring.c: secrets for session tickets that live and die by the clock.
 *
 * The secrets are in a mapping that is shared with forked workers, so that all of them issue and open
 * the same tickets, and that is wiped for all when one wipes it. The clock is the one that counts
 * from the start of the machine, suspended or not: whoever sets the time of day changes nothing.
 */
#define _GNU_SOURCE
#include "session/ring.h"

#include "session/ring_inside.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

static int64_t boot_clock(void)
{
    struct timespec now;

    return clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? (int64_t)now.tv_sec : -1;
}

static int64_t (*clock_now)(void) = boot_clock;

void cinch_ring_test_clock(int64_t (*clock)(void))
{
    clock_now = clock == NULL ? boot_clock : clock;
}

int64_t cinch_ring_now(void)
{
    return clock_now();
}

int cinch_ring_lock(cinch_ring_shared *shared)
{
    int result = pthread_mutex_lock(&shared->lock);

    /*
     * A worker died while it held the lock. The secrets are each either whole or unused; what was derived
     * may be neither, or not known to be there, and can be derived again.
     */
    if (result == EOWNERDEAD) {
        OPENSSL_cleanse(shared->kept, sizeof shared->kept);
        result = pthread_mutex_consistent(&shared->lock);
    }
    return result == 0;
}

void cinch_ring_unlock(cinch_ring_shared *shared)
{
    (void)pthread_mutex_unlock(&shared->lock);
}

/* A secret, and all that was derived from it. */
static void wipe(cinch_ring_shared *shared, cinch_ring_secret *secret)
{
    size_t place = (size_t)(secret - shared->secrets);

    for (size_t i = 0; i < CINCH_RING_KEPT; i++)
        if (shared->kept[i].used && shared->kept[i].place == place)
            OPENSSL_cleanse(&shared->kept[i], sizeof shared->kept[i]);
    OPENSSL_cleanse(secret, sizeof *secret);
}

static int64_t accept_until(const cinch_ring_shared *shared, int64_t use_at)
{
    const cinch_ticket_windows *w = &shared->windows;

    return use_at + w->rotation + w->lead + w->lifetime + w->tolerance;
}

/* The secret that was made last, NULL if there is none. */
static cinch_ring_secret *newest(cinch_ring_shared *shared)
{
    cinch_ring_secret *found = NULL;

    for (size_t i = 0; i < CINCH_RING_SECRETS; i++)
        if (shared->secrets[i].used && (found == NULL || shared->secrets[i].use_at > found->use_at))
            found = &shared->secrets[i];
    return found;
}

/* A secret for use from USE_AT on. Without randomness there is none, rather than a guessable one. */
static void add_secret(cinch_ring_shared *shared, int64_t use_at)
{
    cinch_ring_secret *place = &shared->secrets[0];
    unsigned char zero[sizeof place->bytes] = {0};

    for (size_t i = 0; i < CINCH_RING_SECRETS; i++) {
        if (!shared->secrets[i].used) {
            place = &shared->secrets[i];
            break;
        }
        if (shared->secrets[i].use_at < place->use_at)
            place = &shared->secrets[i];
    }
    wipe(shared, place);
    /* CVE-2020-13777: a key of zeros sealed tickets until the first rotation. */
    if (RAND_priv_bytes(place->bytes, sizeof place->bytes) != 1 ||
        CRYPTO_memcmp(place->bytes, zero, sizeof zero) == 0) {
        wipe(shared, place);
        return;
    }
    place->use_at = use_at;
    place->accept_until = accept_until(shared, use_at);
    place->used = 1;
}

void cinch_ring_turn(cinch_ring_shared *shared, int64_t now)
{
    for (size_t i = 0; i < CINCH_RING_SECRETS; i++)
        if (shared->secrets[i].used && now >= shared->secrets[i].accept_until)
            wipe(shared, &shared->secrets[i]);
    const cinch_ring_secret *last = newest(shared);
    if (last == NULL || now >= last->use_at + shared->windows.rotation)
        add_secret(shared, now);
    else if (now >= last->use_at + shared->windows.rotation - shared->windows.lead)
        add_secret(shared, last->use_at + shared->windows.rotation);
}

void cinch_ring_rotate(cinch_ring_shared *shared, int64_t now, int wipe_older)
{
    for (size_t i = 0; wipe_older && i < CINCH_RING_SECRETS; i++)
        wipe(shared, &shared->secrets[i]);
    for (size_t i = 0; i < CINCH_RING_SECRETS; i++)
        if (shared->secrets[i].used && shared->secrets[i].use_at > now)
            wipe(shared, &shared->secrets[i]);
    const cinch_ring_secret *last = newest(shared);
    /* Two in one second would not know which is newer. */
    if (last != NULL && last->use_at == now)
        return;
    add_secret(shared, now);
}

int64_t cinch_ring_next_turn(const cinch_ring_shared *shared, int64_t now)
{
    int64_t next = now + shared->windows.rotation;

    for (size_t i = 0; i < CINCH_RING_SECRETS; i++) {
        const cinch_ring_secret *secret = &shared->secrets[i];
        int64_t successor = secret->use_at + shared->windows.rotation - shared->windows.lead;

        if (!secret->used)
            continue;
        if (secret->accept_until < next)
            next = secret->accept_until;
        if (successor > now && successor < next)
            next = successor;
    }
    return next > now ? next : now + 1;
}

/* The secret that issues: the newest whose time has come; a little longer while the next is missing. */
static const cinch_ring_secret *issuer(const cinch_ring_shared *shared, int64_t now)
{
    const cinch_ring_secret *found = NULL;

    for (size_t i = 0; i < CINCH_RING_SECRETS; i++) {
        const cinch_ring_secret *secret = &shared->secrets[i];

        if (secret->used && secret->use_at <= now &&
            now < secret->use_at + shared->windows.rotation + shared->windows.lead &&
            (found == NULL || secret->use_at > found->use_at))
            found = secret;
    }
    return found;
}

static int hmac(const unsigned char *key, size_t key_size, const unsigned char *data, size_t size,
                unsigned char out[32])
{
    unsigned length = 0;

    return HMAC(EVP_sha256(), key, (int)key_size, data, size, out, &length) != NULL && length == 32;
}

/* HKDF-Expand (RFC 5869, 2.3) with the host's digest in the info. 1 or 0. */
static int derive(const cinch_ring_secret *secret, const unsigned char digest[32],
                  cinch_ticket_keys *keys)
{
    static const char label[] = "cinch ticket keys 1";
    unsigned char out[96] = {0}, block[32 + sizeof label + 32 + 1];
    int ok = 1;

    for (unsigned char i = 1; ok && i <= 3; i++) {
        size_t at = 0;

        /* T(0) is empty, T(i) begins with T(i-1). */
        if (i > 1) {
            memcpy(block, out + (size_t)(i - 2) * 32, 32);
            at = 32;
        }
        memcpy(block + at, label, sizeof label);
        at += sizeof label;
        memcpy(block + at, digest, 32);
        at += 32;
        block[at++] = i;
        ok = hmac(secret->bytes, sizeof secret->bytes, block, at, out + (size_t)(i - 1) * 32);
    }
    if (ok) {
        memcpy(keys->cipher, out, 32);
        memcpy(keys->mac, out + 32, 32);
        memcpy(keys->name, out + 64, CINCH_RING_NAME);
    }
    OPENSSL_cleanse(out, sizeof out);
    OPENSSL_cleanse(block, sizeof block);
    return ok;
}

/* What is kept of the secret at PLACE for the host with DIGEST, NULL if nothing is. */
static const cinch_ticket_keys *kept_of(const cinch_ring_shared *shared, size_t place,
                                        const unsigned char digest[32])
{
    for (size_t i = 0; i < CINCH_RING_KEPT; i++) {
        const cinch_ring_kept *kept = &shared->kept[i];

        if (kept->used && kept->place == place && memcmp(kept->digest, digest, 32) == 0)
            return &kept->keys;
    }
    return NULL;
}

/*
 * Derives the keys from SECRET, a copy of the one at PLACE, without the lock, which all workers share,
 * and keeps them as long as that one is there. 1 or 0.
 */
static int derive_and_keep(cinch_ring_shared *shared, const cinch_ring_secret *secret, size_t place,
                           const unsigned char digest[32], cinch_ticket_keys *keys)
{
    if (!derive(secret, digest, keys) || !cinch_ring_lock(shared))
        return 0;
    const cinch_ring_secret *now = &shared->secrets[place];
    if (now->used && now->use_at == secret->use_at &&
        CRYPTO_memcmp(now->bytes, secret->bytes, sizeof now->bytes) == 0 &&
        kept_of(shared, place, digest) == NULL) {
        cinch_ring_kept *kept = &shared->kept[shared->next_kept++ % CINCH_RING_KEPT];

        kept->used = 0;
        kept->place = place;
        memcpy(kept->digest, digest, 32);
        kept->keys = *keys;
        kept->used = 1;
    }
    cinch_ring_unlock(shared);
    return 1;
}

int cinch_ring_can_issue(cinch_tickets *ring)
{
    int64_t now = cinch_ring_now();

    cinch_ring_keep_turning(ring);
    if (now < 0 || !cinch_ring_lock(ring->shared))
        return 0;
    cinch_ring_turn(ring->shared, now);
    int can = issuer(ring->shared, now) != NULL;
    cinch_ring_unlock(ring->shared);
    return can;
}

int cinch_ring_issue(cinch_tickets *ring, const unsigned char digest[32], cinch_ticket_keys *keys)
{
    cinch_ring_shared *shared = ring->shared;
    cinch_ring_secret copy = {0};
    size_t place = 0;
    int64_t now = cinch_ring_now();
    int ok = 0;

    cinch_ring_keep_turning(ring);
    if (now < 0 || !cinch_ring_lock(shared))
        return 0;
    cinch_ring_turn(shared, now);
    const cinch_ring_secret *secret = issuer(shared, now);
    if (secret != NULL) {
        place = (size_t)(secret - shared->secrets);
        const cinch_ticket_keys *kept = kept_of(shared, place, digest);
        ok = kept != NULL;
        if (ok)
            *keys = *kept;
        else
            copy = *secret;
    }
    cinch_ring_unlock(shared);
    if (copy.used)
        ok = derive_and_keep(shared, &copy, place, digest, keys);
    OPENSSL_cleanse(&copy, sizeof copy);
    return ok;
}

int cinch_ring_open(cinch_tickets *ring, const unsigned char digest[32],
                    const unsigned char name[CINCH_RING_NAME], cinch_ticket_keys *keys)
{
    cinch_ring_shared *shared = ring->shared;
    cinch_ring_secret copies[CINCH_RING_SECRETS] = {{0}};
    int64_t now = cinch_ring_now();
    int found = 0;

    cinch_ring_keep_turning(ring);
    if (now < 0 || !cinch_ring_lock(shared))
        return 0;
    cinch_ring_turn(shared, now);
    for (size_t i = 0; !found && i < CINCH_RING_SECRETS; i++) {
        const cinch_ring_secret *secret = &shared->secrets[i];

        if (!secret->used || now < secret->use_at - shared->windows.tolerance)
            continue;
        const cinch_ticket_keys *kept = kept_of(shared, i, digest);
        if (kept == NULL)
            copies[i] = *secret;
        found = kept != NULL && CRYPTO_memcmp(kept->name, name, CINCH_RING_NAME) == 0;
        if (found)
            *keys = *kept;
    }
    cinch_ring_unlock(shared);
    for (size_t i = 0; !found && i < CINCH_RING_SECRETS; i++)
        found = copies[i].used && derive_and_keep(shared, &copies[i], i, digest, keys) &&
                CRYPTO_memcmp(keys->name, name, CINCH_RING_NAME) == 0;
    OPENSSL_cleanse(copies, sizeof copies);
    if (!found)
        OPENSSL_cleanse(keys, sizeof *keys);
    return found;
}

int cinch_ring_lifetime(const cinch_tickets *ring)
{
    return ring->shared->windows.lifetime;
}

int cinch_ring_lineage(const cinch_tickets *ring)
{
    return ring->shared->windows.lineage;
}

void cinch_ring_test_turn(cinch_tickets *ring)
{
    if (!cinch_ring_lock(ring->shared))
        return;
    cinch_ring_turn(ring->shared, cinch_ring_now());
    cinch_ring_unlock(ring->shared);
}

const void *cinch_ring_test_memory(const cinch_tickets *ring, size_t *size)
{
    *size = sizeof *ring->shared;
    return ring->shared;
}
