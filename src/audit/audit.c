/* audit.c: puts the parts together and the worst in front. */
#include "audit/audit.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "context/revocation.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More than the table has. */
#define LARGEST 96

/* The result, and what it is made of. */
typedef struct report {
    cinch_audit shown;
    cinch_arena arena;
} report;

static const cinch_audit_finding *find(const char *id)
{
    const cinch_audit_finding *known;

    for (size_t i = 0; (known = cinch_audit_known(i)) != NULL; i++)
        if (strcmp(known->id, id) == 0)
            return known;
    return NULL;
}

/* Behind all that are as bad, in front of what is not. */
static void put(cinch_audit_work *work, const cinch_audit_finding *finding)
{
    size_t at = work->count;

    for (; at > 0 && work->entries[at - 1].finding.severity < finding->severity; at--)
        work->entries[at] = work->entries[at - 1];
    work->entries[at] = (cinch_audit_entry){.finding = *finding};
    work->count++;
}

/* 1 if ID was found before. */
static int again(cinch_audit_work *work, const char *id)
{
    for (size_t i = 0; i < work->count; i++)
        if (strcmp(work->entries[i].finding.id, id) == 0) {
            if (work->place != NULL)
                cinch_audit_name(&work->entries[i].also, work->place);
            return 1;
        }
    return 0;
}

void cinch_audit_add(cinch_audit_work *work, const char *id, const char *format, ...)
{
    const cinch_audit_finding *known = find(id);
    char text[600];

    /* An id that nobody knows is a mistake in here; a silent one would be worse than a failure. */
    if (known == NULL || work->count == LARGEST) {
        work->failed = 1;
        return;
    }
    if (again(work, id))
        return;
    cinch_audit_finding finding = *known;
    int used = snprintf(text, sizeof text, "%s%s", work->place == NULL ? "" : work->place,
                        work->place == NULL ? "" : ": ");
    if (format == NULL) {
        (void)snprintf(text + used, sizeof text - (size_t)used, "%s", known->what);
    } else {
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text + used, sizeof text - (size_t)used, format, args);
        va_end(args);
    }
    finding.what = cinch_arena_text(&work->arena, text);
    if (finding.what == NULL)
        work->failed = 1;
    else
        put(work, &finding);
}

void cinch_audit_name(cinch_audit_names *names, const char *name)
{
    size_t used = strlen(names->text);

    if (names->count++ < CINCH_AUDIT_NAMES)
        (void)snprintf(names->text + used, sizeof names->text - used, "%s%.80s",
                       used > 0 ? ", " : "", name);
}

void cinch_audit_add_names(cinch_audit_work *work, const char *id, const cinch_audit_names *names)
{
    const cinch_audit_finding *known = find(id);
    char more[40] = "";

    if (names->count > CINCH_AUDIT_NAMES)
        (void)snprintf(more, sizeof more, " and %zu more", names->count - CINCH_AUDIT_NAMES);
    cinch_audit_add(work, id, "%s: %s%s", known == NULL ? "" : known->what, names->text, more);
}

cinch_settings *cinch_audit_settings(cinch_context *ctx, cinch_error *err)
{
    pthread_mutex_lock(&ctx->lock);
    cinch_settings *copy = cinch_settings_copy(ctx->settings, err);
    pthread_mutex_unlock(&ctx->lock);
    /* What a connection would be made with now, not what was there when the file was named. */
    if (copy != NULL)
        (void)cinch_revocation_refresh(copy);
    return copy;
}

cinch_status cinch_audit_look(cinch_audit_work *work, const cinch_settings *settings,
                              cinch_error *err)
{
    const cinch_settings *before = work->settings;
    cinch_status status = CINCH_FAILED;

    work->settings = settings;
    cinch_audit_rules(work);
    cinch_audit_access(work);
    cinch_audit_revocation(work);
    if (settings->identity != NULL)
        cinch_audit_identity(work, settings->identity);
    if (cinch_audit_policy(work, err) == CINCH_OK && cinch_audit_trust(work, err) == CINCH_OK)
        status = cinch_audit_hosts(work, err);
    work->settings = before;
    return status;
}

static const char *with_others(cinch_audit_work *work, const cinch_audit_entry *entry)
{
    char text[1200], more[40] = "";

    if (entry->also.count == 0)
        return entry->finding.what;
    if (entry->also.count > CINCH_AUDIT_NAMES)
        (void)snprintf(more, sizeof more, " and %zu more", entry->also.count - CINCH_AUDIT_NAMES);
    (void)snprintf(text, sizeof text, "%s; also: %s%s", entry->finding.what, entry->also.text,
                   more);
    return cinch_arena_text(&work->arena, text);
}

/* The result takes over the arena of WORK. */
static report *finish(cinch_audit_work *work)
{
    report *result = cinch_alloc(sizeof *result);
    cinch_audit_finding *list = cinch_arena_take(&work->arena, (work->count + 1) * sizeof *list);

    for (size_t i = 0; list != NULL && i < work->count; i++) {
        list[i] = work->entries[i].finding;
        list[i].what = with_others(work, &work->entries[i]);
        work->failed |= list[i].what == NULL;
    }
    if (result == NULL || list == NULL || work->failed) {
        cinch_release(result);
        return NULL;
    }
    result->arena = work->arena;
    result->shown.findings = list;
    result->shown.count = work->count;
    work->arena = (cinch_arena){0};
    return result;
}

cinch_audit *cinch_context_audit(cinch_context *ctx, cinch_error *err)
{
    cinch_audit_work work = {.now = cinch_clock_wall()};
    cinch_settings *settings = NULL;
    report *result = NULL;

    if (!cinch_enter(err))
        return NULL;
    if (ctx == NULL) {
        (void)cinch_fail_null(err, "context");
        return NULL;
    }
    if (work.now < 0) {
        (void)cinch_fail(err, CINCH_CAUSE_INTERNAL, "the clock cannot be read");
        return NULL;
    }
    work.entries = cinch_arena_take(&work.arena, LARGEST * sizeof *work.entries);
    settings = work.entries == NULL ? NULL : cinch_audit_settings(ctx, err);
    if (settings != NULL && cinch_audit_look(&work, settings, err) == CINCH_OK)
        result = finish(&work);
    if (result == NULL)
        (void)cinch_fail_memory(err, "auditing a context");
    cinch_arena_free(&work.arena);
    cinch_settings_free(settings);
    ERR_clear_error();
    return result == NULL ? NULL : &result->shown;
}

void cinch_audit_free(cinch_audit *audit)
{
    report *result = (report *)audit;

    if (result == NULL)
        return;
    cinch_arena_free(&result->arena);
    cinch_release(result);
}

const char *cinch_severity_name(cinch_severity severity)
{
    switch (severity) {
    case CINCH_SEVERITY_NOTE:
        return "note";
    case CINCH_SEVERITY_WARNING:
        return "warning";
    case CINCH_SEVERITY_DANGER:
        return "danger";
    default:
        return "unknown";
    }
}
