/* hosts.c: the virtual hosts of a server: their identities, and the settings of their own contexts. */
#include "audit/audit.h"

#include "context/hosts.h"

/* Hosts of hosts of hosts: deeper than anybody builds. */
#define DEEPEST 8

/* A context may be the host of many names. */
typedef struct cinch_audit_seen {
    struct cinch_audit_seen *next;
    const cinch_context *context;
} cinch_audit_seen;

typedef struct tour {
    cinch_audit_work *work;
    cinch_error *err;
    cinch_status status;
} tour;

/* 1 if CONTEXT was looked at before; it counts as such from now on. */
static int seen(cinch_audit_work *work, const cinch_context *context)
{
    for (const cinch_audit_seen *at = work->seen; at != NULL; at = at->next)
        if (at->context == context)
            return 1;
    cinch_audit_seen *fresh = cinch_arena_take(&work->arena, sizeof *fresh);
    if (fresh == NULL) {
        work->failed = 1;
        return 1;
    }
    fresh->context = context;
    fresh->next = work->seen;
    work->seen = fresh;
    return 0;
}

static cinch_status look_at_context(tour *t, cinch_context *context)
{
    if (t->work->depth == DEEPEST || seen(t->work, context))
        return CINCH_OK;
    cinch_settings *settings = cinch_audit_settings(context, t->err);
    if (settings == NULL)
        return CINCH_FAILED;
    t->work->depth++;
    cinch_status status = cinch_audit_look(t->work, settings, t->err);
    t->work->depth--;
    cinch_settings_free(settings);
    return status;
}

static int visit(const cinch_host_entry *entry, void *arg)
{
    tour *t = arg;
    const char *before = t->work->place;

    t->work->place = entry->name;
    if (entry->context != NULL)
        t->status = look_at_context(t, entry->context);
    for (int kind = 0; entry->context == NULL && kind < CINCH_KEY_KINDS; kind++)
        if (entry->identities[kind] != NULL &&
            entry->identities[kind] != t->work->settings->identity)
            cinch_audit_identity(t->work, entry->identities[kind]);
    t->work->place = before;
    return t->status == CINCH_OK;
}

cinch_status cinch_audit_hosts(cinch_audit_work *work, cinch_error *err)
{
    tour t = {work, err, CINCH_OK};

    if (work->settings->hosts != NULL)
        (void)cinch_hosts_each(work->settings->hosts, visit, &t);
    return t.status;
}
