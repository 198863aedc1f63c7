/* hosts.c: the table of names. Parts of it are shared by all its versions and never change. */
#include "context/hosts.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

#define BUCKETS 512

/* In the order of the names: whoever picks them cannot make a search slow. */
typedef struct bucket {
    atomic_uint references;
    size_t count;
    cinch_host_entry *entries[];
} bucket;

struct cinch_hosts {
    atomic_uint references;
    bucket *buckets[BUCKETS];
};

static void entry_unref(cinch_host_entry *entry)
{
    if (entry == NULL || atomic_fetch_sub(&entry->references, 1) != 1)
        return;
    cinch_context_free(entry->context);
    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        cinch_identity_free(entry->identities[i]);
    cinch_release(entry);
}

static void bucket_unref(bucket *b)
{
    if (b == NULL || atomic_fetch_sub(&b->references, 1) != 1)
        return;
    for (size_t i = 0; i < b->count; i++)
        entry_unref(b->entries[i]);
    cinch_release(b);
}

cinch_hosts *cinch_hosts_ref(cinch_hosts *hosts)
{
    atomic_fetch_add(&hosts->references, 1);
    return hosts;
}

void cinch_hosts_unref(cinch_hosts *hosts)
{
    if (hosts == NULL || atomic_fetch_sub(&hosts->references, 1) != 1)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        bucket_unref(hosts->buckets[i]);
    cinch_release(hosts);
}

cinch_hosts *cinch_hosts_copy(const cinch_hosts *hosts)
{
    cinch_hosts *copy = cinch_alloc(sizeof *copy);

    if (copy == NULL)
        return NULL;
    atomic_init(&copy->references, 1);
    for (size_t i = 0; hosts != NULL && i < BUCKETS; i++)
        if (hosts->buckets[i] != NULL) {
            copy->buckets[i] = hosts->buckets[i];
            atomic_fetch_add(&copy->buckets[i]->references, 1);
        }
    return copy;
}

/* FNV-1a. */
static size_t place_of(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != 0; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)((hash ^ hash >> 32) % BUCKETS);
}

/* Where NAME is in B, or would be; *FOUND says which. */
static size_t search(const bucket *b, const char *name, int *found)
{
    size_t low = 0, high = b == NULL ? 0 : b->count;

    *found = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(b->entries[middle]->name, name);

        if (order == 0) {
            *found = 1;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const cinch_host_entry *cinch_hosts_find(const cinch_hosts *hosts, const char *name)
{
    int found;

    if (hosts == NULL)
        return NULL;
    const bucket *b = hosts->buckets[place_of(name)];
    size_t at = search(b, name, &found);
    return found ? b->entries[at] : NULL;
}

static cinch_host_entry *entry_copy(const cinch_host_entry *old, const char *name)
{
    cinch_host_entry *entry = cinch_alloc(sizeof *entry);

    if (entry == NULL)
        return NULL;
    atomic_init(&entry->references, 1);
    memcpy(entry->name, name, strlen(name) + 1);
    if (old == NULL)
        return entry;
    if (old->context != NULL)
        entry->context = cinch_context_ref(old->context);
    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        if (old->identities[i] != NULL)
            entry->identities[i] = cinch_identity_ref(old->identities[i]);
    return entry;
}

static int is_empty(const cinch_host_entry *entry)
{
    int empty = entry->context == NULL;

    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        empty &= entry->identities[i] == NULL;
    return empty;
}

/* Puts ENTRY, which is taken over in any case, in the place of the one with its name. */
static int put(cinch_hosts *hosts, cinch_host_entry *entry)
{
    size_t place = place_of(entry->name), to = 0;
    bucket *old = hosts->buckets[place];
    size_t count = old == NULL ? 0 : old->count;
    int found, keep = !is_empty(entry);
    size_t at = search(old, entry->name, &found);

    bucket *b = cinch_alloc(sizeof *b + (count + 1) * sizeof(cinch_host_entry *));
    if (b == NULL) {
        entry_unref(entry);
        return 0;
    }
    atomic_init(&b->references, 1);
    for (size_t i = 0; i <= count; i++) {
        if (i == at && keep)
            b->entries[to++] = entry;
        if (i < count && !(found && i == at)) {
            atomic_fetch_add(&old->entries[i]->references, 1);
            b->entries[to++] = old->entries[i];
        }
    }
    b->count = to;
    if (!keep)
        entry_unref(entry);
    hosts->buckets[place] = b;
    bucket_unref(old);
    return 1;
}

int cinch_hosts_put_identity(cinch_hosts *hosts, const char *name, cinch_identity *identity)
{
    cinch_host_entry *entry = entry_copy(cinch_hosts_find(hosts, name), name);
    cinch_key_kind kind = cinch_identity_kind(identity);

    if (entry == NULL)
        return 0;
    cinch_identity_free(entry->identities[kind]);
    entry->identities[kind] = cinch_identity_ref(identity);
    return put(hosts, entry);
}

int cinch_hosts_remove_identity(cinch_hosts *hosts, const char *name,
                                const cinch_identity *identity)
{
    const cinch_host_entry *old = cinch_hosts_find(hosts, name);
    cinch_key_kind kind = cinch_identity_kind(identity);

    if (old == NULL || old->identities[kind] != identity)
        return 1;
    cinch_host_entry *entry = entry_copy(old, name);
    if (entry == NULL)
        return 0;
    cinch_identity_free(entry->identities[kind]);
    entry->identities[kind] = NULL;
    return put(hosts, entry);
}

int cinch_hosts_put_context(cinch_hosts *hosts, const char *name, cinch_context *context)
{
    cinch_host_entry *entry = entry_copy(cinch_hosts_find(hosts, name), name);

    if (entry == NULL)
        return 0;
    cinch_context_free(entry->context);
    entry->context = context == NULL ? NULL : cinch_context_ref(context);
    return put(hosts, entry);
}

int cinch_hosts_each(const cinch_hosts *hosts, int (*visit)(const cinch_host_entry *, void *arg),
                     void *arg)
{
    for (size_t i = 0; hosts != NULL && i < BUCKETS; i++)
        for (size_t k = 0; hosts->buckets[i] != NULL && k < hosts->buckets[i]->count; k++)
            if (!visit(hosts->buckets[i]->entries[k], arg))
                return 0;
    return 1;
}

cinch_status cinch_host_key(char key[static CINCH_HOST_TEXT + 2], const char *name,
                            cinch_error *err)
{
    cinch_host host;
    int wild = name != NULL && name[0] == '*' && name[1] == '.';

    if (cinch_host_parse(&host, wild ? name + 2 : name, err) != CINCH_OK)
        return CINCH_FAILED;
    if (host.ip_size != 0) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_HOST_NAME, "\"%s\" is an address", name);
        cinch_fail_evidence(err, "clients do not ask for addresses (RFC 6066, 3)");
        return CINCH_FAILED;
    }
    /* As in certificates (RFC 9525, 6.3): "*.com" would stand for half of the world. */
    if (wild && strchr(host.text, '.') == NULL) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_HOST_NAME, "the wildcard \"%s\" is too wide", name);
        cinch_fail_evidence(err, "at least two labels must follow the \"*\"");
        return CINCH_FAILED;
    }
    size_t length = strlen(host.text);
    if (wild)
        memcpy(key, "*.", sizeof "*.");
    memcpy(key + (wild ? 2 : 0), host.text, length + 1);
    return CINCH_OK;
}

int cinch_host_wildcard(char key[static CINCH_HOST_TEXT + 2], const char *name)
{
    const char *rest = strchr(name, '.');
    size_t length = rest == NULL ? 0 : strlen(rest);

    if (rest == NULL || rest == name || length >= CINCH_HOST_TEXT || strchr(rest + 1, '.') == NULL)
        return 0;
    key[0] = '*';
    memcpy(key + 1, rest, length + 1);
    return 1;
}

cinch_key_kind cinch_identity_kind(const cinch_identity *identity)
{
    /* Not EVP_PKEY_is_a(), which looks each name up: this is asked in every handshake. */
    const char *type = identity->certificates[0]->key_type;

    if (strcmp(type, "RSA-PSS") == 0)
        return CINCH_KEY_RSA_PSS;
    if (strcmp(type, "RSA") == 0)
        return CINCH_KEY_RSA;
    if (strcmp(type, "ED25519") == 0)
        return CINCH_KEY_ED25519;
    if (strcmp(type, "ED448") == 0)
        return CINCH_KEY_ED448;
    return CINCH_KEY_EC;
}
