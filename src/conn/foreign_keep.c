/* foreign_keep.c: failures of connections whose SSL is gone before anybody can ask. */
#include "base/fail.h"
#include "base/memory.h"
#include "conn/foreign.h"

#include <pthread.h>

#define MOST 64

typedef struct entry {
    const void *key;  /* NULL: free */
    cinch_error *why; /* its own */
} entry;

static pthread_mutex_t entries_lock = PTHREAD_MUTEX_INITIALIZER;
/* The oldest first. */
static entry entries[MOST];
static size_t entry_count;

/* Takes the entry of KEY out, NULL if there is none. The lock is held by the caller. */
static cinch_error *take(const void *key)
{
    for (size_t i = 0; i < entry_count; i++) {
        cinch_error *why = entries[i].why;

        if (entries[i].key != key)
            continue;
        for (entry_count--; i < entry_count; i++)
            entries[i] = entries[i + 1];
        return why;
    }
    return NULL;
}

void cinch_openssl_keep(const void *key, const cinch_error *why)
{
    cinch_error *copy =
        key == NULL || !cinch_error_is_set(why) ? NULL : cinch_copy_bytes(why, sizeof *why);

    if (copy == NULL)
        return;
    pthread_mutex_lock(&entries_lock);
    cinch_error *gone = take(key);
    if (gone == NULL && entry_count == MOST)
        gone = take(entries[0].key);
    entries[entry_count++] = (entry){key, copy};
    pthread_mutex_unlock(&entries_lock);
    cinch_release(gone);
}

cinch_status cinch_openssl_recall(const void *key, cinch_error *err)
{
    cinch_status status = CINCH_OK;

    if (key == NULL)
        return CINCH_OK;
    pthread_mutex_lock(&entries_lock);
    cinch_error *why = take(key);
    pthread_mutex_unlock(&entries_lock);
    if (why != NULL)
        status = cinch_fail_keep(err, why);
    cinch_release(why);
    return status;
}
