/*
 * recent.c: the files and directories that were named last stay known when nobody uses them. Programs make
 * a context, use it once and make it anew: without this the bundle that they name, or that a variable of the
 * environment names, would be read and indexed each time. What has changed is read again in any case.
 */
#include "base/openssl.h"
#include "trust/set.h"

#include <pthread.h>
#include <string.h>

#define PLACES 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_source places[PLACES];
static size_t next;

/* The place of the one with the same path, or else the one that is given up next. */
static cinch_source *place_for(const cinch_source *source)
{
    for (size_t i = 0; i < PLACES; i++)
        if (places[i].path != NULL && places[i].kind == source->kind &&
            strcmp(places[i].path, source->path) == 0)
            return &places[i];
    return &places[next++ % PLACES];
}

void cinch_recent_keep(const cinch_source *source)
{
    cinch_source copy, old;

    /* Pipes are read once; and without memory nothing is kept. */
    if (source->path == NULL || (source->file == NULL && source->dir == NULL))
        return;
    if (!cinch_source_copy(&copy, source)) {
        cinch_openssl_clear();
        return;
    }
    pthread_mutex_lock(&lock);
    cinch_source *place = place_for(source);
    old = *place;
    *place = copy;
    pthread_mutex_unlock(&lock);
    cinch_source_clear(&old);
}

void cinch_trust_forget(void)
{
    cinch_source old[PLACES];

    pthread_mutex_lock(&lock);
    memcpy(old, places, sizeof old);
    memset(places, 0, sizeof places);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < PLACES; i++)
        cinch_source_clear(&old[i]);
    cinch_cached_forget();
    cinch_dir_forget();
}
