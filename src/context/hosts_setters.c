/* hosts_setters.c: what a program may say about hosts. */
#include "base/fail.h"
#include "base/memory.h"
#include "context/hosts.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long walk; /* the number of the newest walk; under the lock */

void cinch_hosts_lock(void)
{
    pthread_mutex_lock(&hosts_lock);
}

void cinch_hosts_unlock(void)
{
    pthread_mutex_unlock(&hosts_lock);
}

static cinch_hosts *hosts_of(cinch_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    cinch_hosts *hosts =
        ctx->settings->hosts == NULL ? NULL : cinch_hosts_ref(ctx->settings->hosts);
    pthread_mutex_unlock(&ctx->lock);
    return hosts;
}

/* 0 once the context ARG was met. Each context is entered once in a walk. */
static int is_other(const cinch_host_entry *entry, void *arg)
{
    cinch_context *ctx = entry->context;

    if (ctx == NULL)
        return 1;
    if (ctx == arg)
        return 0;
    if (ctx->visited == walk)
        return 1;
    ctx->visited = walk;
    cinch_hosts *hosts = hosts_of(ctx);
    int others = cinch_hosts_each(hosts, is_other, arg);
    cinch_hosts_unref(hosts);
    return others;
}

int cinch_hosts_lead_to(const cinch_hosts *hosts, const cinch_context *ctx)
{
    union {
        const cinch_context *in;
        void *out;
    } pointer = {ctx};

    walk++;
    return !cinch_hosts_each(hosts, is_other, pointer.out);
}

/* ---- identities ---- */

static int same_names(const cinch_identity *a, const cinch_identity *b)
{
    const cinch_certificate *x = a->certificates[0], *y = b->certificates[0];
    int same = x->name_count == y->name_count;

    for (size_t i = 0; same && i < x->name_count; i++)
        same =
            x->names[i].kind == y->names[i].kind && strcmp(x->names[i].text, y->names[i].text) == 0;
    return same;
}

/* The key of the name at AT in LEAF, if a client can ask for it. */
static int key_at(const cinch_certificate *leaf, size_t at, char key[static CINCH_HOST_TEXT + 2])
{
    int ascii = leaf->names[at].kind == CINCH_NAME_DNS;

    /* In a certificate a name is ASCII (RFC 5280, 4.2.1.6); anything else is for nobody. */
    for (const char *c = leaf->names[at].text; ascii && *c != 0; c++)
        ascii = (unsigned char)*c < 0x80;
    return ascii && cinch_host_key(key, leaf->names[at].text, NULL) == CINCH_OK;
}

/* One that is added, and the one that it replaces or NULL. */
typedef struct addition {
    cinch_identity *identity;
    cinch_identity *old;
} addition;

/* Takes the old one out of HOSTS: 1 or 0. */
static int take_names(cinch_hosts *hosts, const addition *a)
{
    char key[CINCH_HOST_TEXT + 2];
    int ok = 1;

    for (size_t i = 0; a->old != NULL && ok && i < a->old->certificates[0]->name_count; i++)
        if (key_at(a->old->certificates[0], i, key))
            ok = cinch_hosts_remove_identity(hosts, key, a->old);
    return ok;
}

/* Whether the old one was for the name KEY, and another has taken its place in BEFORE. */
static int has_lost(const addition *a, const cinch_hosts *before, const char *key)
{
    char other[CINCH_HOST_TEXT + 2];
    int was_for = 0;

    for (size_t i = 0; a->old != NULL && !was_for && i < a->old->certificates[0]->name_count; i++)
        was_for = key_at(a->old->certificates[0], i, other) && strcmp(other, key) == 0;
    if (!was_for)
        return 0;
    const cinch_host_entry *entry = cinch_hosts_find(before, key);
    const cinch_identity *now =
        entry == NULL ? NULL : entry->identities[cinch_identity_kind(a->old)];
    return now != NULL && now != a->old;
}

/*
 * The names of the identity that a client can ask for, into HOSTS, which were BEFORE. How many, or
 * -1: no memory.
 */
static int put_names(cinch_hosts *hosts, const cinch_hosts *before, const addition *a)
{
    const cinch_certificate *leaf = a->identity->certificates[0];
    char key[CINCH_HOST_TEXT + 2];
    int count = 0;

    for (size_t i = 0; i < leaf->name_count; i++) {
        if (!key_at(leaf, i, key))
            continue;
        count++;
        if (!has_lost(a, before, key) && !cinch_hosts_put_identity(hosts, key, a->identity))
            return -1;
    }
    return count;
}

/* Whether the first identity becomes the one that is added: its renewal takes its place as well. */
static int becomes_first(const cinch_settings *settings, const addition *a)
{
    const cinch_identity *first = settings->identity;

    if (first == NULL || !settings->first_was_added)
        return first == NULL;
    return first == a->old || (same_names(first, a->identity) &&
                               cinch_identity_kind(first) == cinch_identity_kind(a->identity));
}

static cinch_status change_add(cinch_settings *settings, const void *value, cinch_error *err)
{
    const addition *a = value;
    cinch_identity *first = settings->identity;
    cinch_hosts *hosts = cinch_hosts_copy(settings->hosts);
    int count = hosts == NULL || !take_names(hosts, a) ? -1 : put_names(hosts, settings->hosts, a);
    int is_first = becomes_first(settings, a);

    cinch_hosts_unref(settings->hosts);
    settings->hosts = hosts;
    if (count < 0)
        return cinch_fail_memory(err, "adding an identity");
    if (count == 0 && first != NULL) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "the certificate \"%s\" is for no name that a client can ask for",
                         a->identity->certificates[0]->subject);
        cinch_fail_remedy(err, "have it issued with DNS names as subject alternative names");
        return CINCH_FAILED;
    }
    /* Whether it can be used at all is seen by putting it in the first place. */
    settings->identity = cinch_identity_ref(a->identity);
    cinch_status status = cinch_settings_check(settings, err);
    if (!is_first) {
        cinch_identity_free(settings->identity);
        settings->identity = first;
        return status;
    }
    cinch_identity_free(first);
    settings->first_was_added = 1;
    return status;
}

cinch_status cinch_context_replace_identity(cinch_context *ctx, cinch_identity *old,
                                            cinch_identity *identity, cinch_error *err)
{
    const addition a = {identity, old};

    return cinch_context_change(ctx, "server", change_add, &a, err);
}

cinch_status cinch_context_add_identity(cinch_context *ctx, cinch_identity *identity,
                                        cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (identity == NULL)
        return cinch_fail_null(err, "identity");
    return cinch_context_replace_identity(ctx, NULL, identity, err);
}

cinch_status cinch_context_add_identity_file(cinch_context *ctx, const char *path,
                                             const char *password, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_identity *identity = cinch_identity_file(path, password, err);
    if (identity == NULL)
        return CINCH_FAILED;
    cinch_status status = cinch_context_add_identity(ctx, identity, err);
    cinch_identity_free(identity);
    return status;
}

typedef struct trial {
    SSL_CTX *scratch;
    cinch_error *err;
    const cinch_identity *last; /* most names in a row belong to one identity or few */
} trial;

static int can_install(const cinch_host_entry *entry, void *arg)
{
    trial *t = arg;

    for (size_t i = 0; i < CINCH_KEY_KINDS; i++) {
        const cinch_identity *identity = entry->identities[i];

        if (identity == NULL || identity == t->last)
            continue;
        if (cinch_identity_install(identity, t->scratch, t->err) != CINCH_OK)
            return 0;
        t->last = identity;
    }
    return 1;
}

cinch_status cinch_hosts_check(const cinch_settings *settings, SSL_CTX *scratch, cinch_error *err)
{
    trial t = {scratch, err, NULL};

    return cinch_hosts_each(settings->hosts, can_install, &t) ? CINCH_OK : CINCH_FAILED;
}

/* ---- contexts ---- */

typedef struct named_host {
    const char *name;
    cinch_context *host;
} named_host;

static cinch_status change_host(cinch_settings *settings, const void *value, cinch_error *err)
{
    const named_host *named = value;
    cinch_hosts *hosts = cinch_hosts_copy(settings->hosts);
    int ok = hosts != NULL && cinch_hosts_put_context(hosts, named->name, named->host);

    cinch_hosts_unref(settings->hosts);
    settings->hosts = hosts;
    return ok ? CINCH_OK : cinch_fail_memory(err, "adding a host");
}

/* The lock of the hosts is held. */
static cinch_status check_host(const cinch_context *ctx, const named_host *named, cinch_error *err)
{
    if (named->host == NULL)
        return CINCH_OK;
    cinch_hosts *below = hosts_of(named->host);
    int circle = named->host == ctx || cinch_hosts_lead_to(below, ctx);
    cinch_hosts_unref(below);
    if (!circle)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_MISUSE, "the context would become a host of itself as \"%s\"",
                     named->name);
    cinch_fail_remedy(err, "give each host a context of its own, for example with "
                           "cinch_context_dup() before hosts are added");
    return CINCH_FAILED;
}

cinch_status cinch_context_host(cinch_context *ctx, const char *name, cinch_context *host,
                                cinch_error *err)
{
    char key[CINCH_HOST_TEXT + 2];
    named_host named = {key, host};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ctx == NULL)
        return cinch_fail_null(err, "context");
    if (name == NULL)
        return cinch_fail_null(err, "name of the host");
    if (cinch_host_key(key, name, err) != CINCH_OK)
        return CINCH_FAILED;
    if (host != NULL && !cinch_context_is_server(host))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the context for the host \"%s\" is one for clients", name);
    if (host != NULL && cinch_context_check(host, err) != CINCH_OK)
        return CINCH_FAILED;
    cinch_hosts_lock();
    cinch_status status = check_host(ctx, &named, err);
    if (status == CINCH_OK)
        status = cinch_context_change(ctx, "server", change_host, &named, err);
    cinch_hosts_unlock();
    return status;
}

/* ---- the callback ---- */

typedef struct chooser {
    cinch_host_callback callback;
    void *arg;
} chooser;

static cinch_status change_choose(cinch_settings *settings, const void *value, cinch_error *err)
{
    const chooser *c = value;

    (void)err;
    settings->choose = c->callback;
    settings->choose_arg = c->callback == NULL ? NULL : c->arg;
    return CINCH_OK;
}

cinch_status cinch_context_choose(cinch_context *ctx, cinch_host_callback callback, void *arg,
                                  cinch_error *err)
{
    const chooser c = {callback, arg};

    return cinch_context_change(ctx, "server", change_choose, &c, err);
}
