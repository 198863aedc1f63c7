/* resume_setters.c: what a program may say about sessions. */
#include "base/fail.h"
#include "context/resume.h"

#define MOST_SESSIONS 100000

static cinch_status change_resumption(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)err;
    settings->resumption = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_resumption(cinch_context *ctx, int on, cinch_error *err)
{
    cinch_status status = cinch_context_change(ctx, NULL, change_resumption, &on, err);

    if (status == CINCH_OK && !on && ctx->sessions != NULL)
        cinch_session_cache_clear(ctx->sessions);
    return status;
}

static cinch_session_cache *sessions_of(cinch_context *ctx, cinch_error *err)
{
    if (ctx == NULL)
        (void)cinch_fail_null(err, "context");
    else if (ctx->sessions == NULL)
        (void)cinch_fail(err, CINCH_CAUSE_MISUSE, "this setting is for a client's context only");
    else
        return ctx->sessions;
    return NULL;
}

cinch_status cinch_context_session_limit(cinch_context *ctx, size_t most, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_session_cache *cache = sessions_of(ctx, err);
    if (cache == NULL)
        return CINCH_FAILED;
    if (most > MOST_SESSIONS)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "a client cannot keep %zu sessions: 0 to %d are allowed", most,
                          MOST_SESSIONS);
    cinch_session_cache_limit(cache, most);
    return CINCH_OK;
}

cinch_status cinch_context_session_forget(cinch_context *ctx, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_session_cache *cache = sessions_of(ctx, err);
    if (cache == NULL)
        return CINCH_FAILED;
    cinch_session_cache_clear(cache);
    return CINCH_OK;
}

size_t cinch_context_session_count(cinch_context *ctx)
{
    return ctx == NULL || ctx->sessions == NULL ? 0 : cinch_session_cache_count(ctx->sessions);
}

static cinch_status change_session_ids(cinch_settings *settings, const void *value,
                                       cinch_error *err)
{
    settings->session_ids = *(const size_t *)value;
    if (settings->session_ids > MOST_SESSIONS)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "a server cannot remember %zu sessions: %d are the most",
                          settings->session_ids, MOST_SESSIONS);
    return CINCH_OK;
}

cinch_status cinch_context_session_ids(cinch_context *ctx, size_t most, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_session_ids, &most, err);
}

static cinch_status change_tickets(cinch_settings *settings, const void *value, cinch_error *err)
{
    /* The ring is shared and has a lock of its own; only the reference is taken here. */
    union {
        const void *in;
        cinch_tickets *ring;
    } pointer = {value};

    (void)err;
    cinch_tickets_free(settings->tickets);
    settings->tickets = pointer.ring == NULL ? NULL : cinch_ring_ref(pointer.ring);
    return CINCH_OK;
}

cinch_status cinch_context_tickets(cinch_context *ctx, cinch_tickets *ring, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_tickets, ring, err);
}

static cinch_status change_ticket_count(cinch_settings *settings, const void *value,
                                        cinch_error *err)
{
    settings->ticket_count = *(const int *)value;
    if (settings->ticket_count < 0 || settings->ticket_count > 8)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "%d tickets per connection: 0 to 8 are allowed", settings->ticket_count);
    return CINCH_OK;
}

cinch_status cinch_context_ticket_count(cinch_context *ctx, int count, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_ticket_count, &count, err);
}

static cinch_status change_old_tickets(cinch_settings *settings, const void *value,
                                       cinch_error *err)
{
    (void)err;
    settings->old_tickets = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_insecure_tls12_tickets(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_old_tickets, &on, err);
}
