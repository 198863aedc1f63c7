/* cache.c: the sessions that a client keeps, the newest first, and not too many. */
#include "base/memory.h"
#include "session/session.h"

#include <pthread.h>
#include <string.h>

#define DEFAULT_MOST 256
#define BUCKETS 256u
/* Of one peer: servers give several tickets to those who open several connections at once. */
#define MOST_OF_ONE 8

typedef struct entry {
    struct entry *next_in_bucket;
    struct entry *newer;
    struct entry *older;
    cinch_session *session;
} entry;

struct cinch_session_cache {
    atomic_uint references;
    pthread_mutex_t lock;
    size_t most;
    size_t count;
    entry *newest;
    entry *oldest;
    entry *buckets[BUCKETS]; /* by the first byte of the key, which is a digest; newest first */
};

cinch_session_cache *cinch_session_cache_new(void)
{
    cinch_session_cache *cache = cinch_alloc(sizeof *cache);

    if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        cinch_release(cache);
        return NULL;
    }
    atomic_init(&cache->references, 1);
    cache->most = DEFAULT_MOST;
    return cache;
}

cinch_session_cache *cinch_session_cache_ref(cinch_session_cache *cache)
{
    atomic_fetch_add(&cache->references, 1);
    return cache;
}

/* Takes ENTRY out of both orders and gives its session; the lock is held by the caller. */
static cinch_session *take_out(cinch_session_cache *cache, entry *e)
{
    cinch_session *session = e->session;
    entry **at = &cache->buckets[session->key[0]];

    while (*at != e)
        at = &(*at)->next_in_bucket;
    *at = e->next_in_bucket;
    *(e->newer == NULL ? &cache->newest : &e->newer->older) = e->older;
    *(e->older == NULL ? &cache->oldest : &e->older->newer) = e->newer;
    cache->count--;
    cinch_release(e);
    return session;
}

static void shrink(cinch_session_cache *cache, size_t most)
{
    while (cache->count > most)
        cinch_session_free(take_out(cache, cache->oldest));
}

void cinch_session_cache_unref(cinch_session_cache *cache)
{
    if (cache == NULL || atomic_fetch_sub(&cache->references, 1) != 1)
        return;
    shrink(cache, 0);
    pthread_mutex_destroy(&cache->lock);
    cinch_release(cache);
}

void cinch_session_cache_limit(cinch_session_cache *cache, size_t most)
{
    pthread_mutex_lock(&cache->lock);
    cache->most = most;
    shrink(cache, most);
    pthread_mutex_unlock(&cache->lock);
}

void cinch_session_cache_clear(cinch_session_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    shrink(cache, 0);
    pthread_mutex_unlock(&cache->lock);
}

size_t cinch_session_cache_count(cinch_session_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t count = cache->count;
    pthread_mutex_unlock(&cache->lock);
    return count;
}

/* The oldest of those with KEY, if there are too many of them. */
static entry *surplus(cinch_session_cache *cache, const unsigned char key[32])
{
    entry *last = NULL;
    size_t count = 0;

    for (entry *e = cache->buckets[key[0]]; e != NULL; e = e->next_in_bucket)
        if (memcmp(e->session->key, key, 32) == 0) {
            last = e;
            count++;
        }
    return count > MOST_OF_ONE ? last : NULL;
}

void cinch_session_cache_put(cinch_session_cache *cache, cinch_session *session)
{
    entry *e = cinch_alloc(sizeof *e);

    if (e == NULL)
        return;
    pthread_mutex_lock(&cache->lock);
    e->session = cinch_session_ref(session);
    e->next_in_bucket = cache->buckets[session->key[0]];
    cache->buckets[session->key[0]] = e;
    e->older = cache->newest;
    *(cache->newest == NULL ? &cache->oldest : &cache->newest->newer) = e;
    cache->newest = e;
    cache->count++;
    entry *extra = surplus(cache, session->key);
    if (extra != NULL)
        cinch_session_free(take_out(cache, extra));
    shrink(cache, cache->most);
    pthread_mutex_unlock(&cache->lock);
}

cinch_session *cinch_session_cache_take(cinch_session_cache *cache, const unsigned char key[32],
                                        int64_t now)
{
    cinch_session *found = NULL;

    pthread_mutex_lock(&cache->lock);
    for (entry *e = cache->buckets[key[0]], *next; e != NULL && found == NULL; e = next) {
        next = e->next_in_bucket;
        if (memcmp(e->session->key, key, 32) != 0)
            continue;
        if (!cinch_session_usable(e->session, now))
            cinch_session_free(take_out(cache, e));
        else if (SSL_SESSION_get_protocol_version(e->session->session) >= TLS1_3_VERSION)
            found = take_out(cache, e);
        else
            found = cinch_session_ref(e->session);
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void cinch_session_cache_drop(cinch_session_cache *cache, const unsigned char key[32])
{
    pthread_mutex_lock(&cache->lock);
    for (entry *e = cache->buckets[key[0]], *next; e != NULL; e = next) {
        next = e->next_in_bucket;
        if (memcmp(e->session->key, key, 32) == 0)
            cinch_session_free(take_out(cache, e));
    }
    pthread_mutex_unlock(&cache->lock);
}
