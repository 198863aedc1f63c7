#include "context/hosts.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <string.h>

static cinch_context *wrap(cinch_settings *settings, cinch_error *err)
{
    if (settings == NULL)
        return NULL;
    cinch_context *ctx = cinch_alloc(sizeof *ctx);
    if (ctx != NULL && pthread_mutex_init(&ctx->lock, NULL) != 0) {
        cinch_release(ctx);
        ctx = NULL;
    }
    if (ctx == NULL) {
        cinch_settings_free(settings);
        (void)cinch_fail_memory(err, "making a context");
        return NULL;
    }
    atomic_init(&ctx->references, 1);
    if (!settings->is_server) {
        ctx->sessions = cinch_session_cache_new();
        if (ctx->sessions == NULL) {
            ctx->settings = settings;
            cinch_context_free(ctx);
            (void)cinch_fail_memory(err, "making a context");
            return NULL;
        }
    }
    ctx->settings = settings;
    return ctx;
}

cinch_context *cinch_context_client(cinch_error *err)
{
    return cinch_enter(err) ? wrap(cinch_settings_new(0, err), err) : NULL;
}

cinch_context *cinch_context_server(cinch_error *err)
{
    return cinch_enter(err) ? wrap(cinch_settings_new(1, err), err) : NULL;
}

static cinch_settings *copy_of(cinch_context *ctx, cinch_error *err)
{
    pthread_mutex_lock(&ctx->lock);
    cinch_settings *copy = cinch_settings_copy(ctx->settings, err);
    pthread_mutex_unlock(&ctx->lock);
    return copy;
}

cinch_context *cinch_context_dup(cinch_context *ctx, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (ctx == NULL) {
        (void)cinch_fail_null(err, "context");
        return NULL;
    }
    return wrap(copy_of(ctx, err), err);
}

cinch_context *cinch_context_ref(cinch_context *ctx)
{
    atomic_fetch_add(&ctx->references, 1);
    return ctx;
}

int cinch_context_is_server(cinch_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    int is_server = ctx->settings->is_server;
    pthread_mutex_unlock(&ctx->lock);
    return is_server;
}

void cinch_context_free(cinch_context *ctx)
{
    if (ctx == NULL || atomic_fetch_sub(&ctx->references, 1) != 1)
        return;
    cinch_settings_free(ctx->settings);
    cinch_derived_unref(ctx->derived);
    cinch_session_cache_unref(ctx->sessions);
    pthread_mutex_destroy(&ctx->lock);
    cinch_release(ctx);
}

/* Puts SETTINGS in place of the ones that CTX has. The lock is held by the caller. */
static void replace(cinch_context *ctx, cinch_settings *settings, cinch_settings **old,
                    cinch_derived **old_derived)
{
    *old = ctx->settings;
    *old_derived = ctx->derived;
    ctx->settings = settings;
    ctx->derived = NULL;
}

cinch_status cinch_context_change(cinch_context *ctx, const char *where, cinch_change change,
                                  const void *value, cinch_error *err)
{
    cinch_settings *old = NULL;
    cinch_derived *old_derived = NULL;
    cinch_error local = CINCH_ERROR_INIT;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ctx == NULL)
        return cinch_fail_null(err, "context");
    /* The details go to a place of our own first: the caller's error may be NULL. */
    pthread_mutex_lock(&ctx->lock);
    cinch_settings *settings = NULL;
    if (where != NULL && ctx->settings->is_server != (strcmp(where, "server") == 0))
        (void)cinch_fail(&local, CINCH_CAUSE_MISUSE, "this setting is for a %s's context only",
                         where);
    else
        settings = cinch_settings_copy(ctx->settings, &local);
    if (settings != NULL && change(settings, value, &local) == CINCH_OK) {
        replace(ctx, settings, &old, &old_derived);
        settings = NULL;
    }
    pthread_mutex_unlock(&ctx->lock);
    cinch_settings_free(settings);
    cinch_settings_free(old);
    cinch_derived_unref(old_derived);
    cinch_openssl_clear();
    return cinch_fail_keep(err, &local);
}

/* A context stays what it was made as. */
static int is_server(cinch_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    int server = ctx->settings->is_server;
    pthread_mutex_unlock(&ctx->lock);
    return server;
}

cinch_status cinch_context_apply(cinch_context *to, cinch_context *from, cinch_error *err)
{
    cinch_settings *old = NULL;
    cinch_derived *old_derived = NULL;
    cinch_status status = CINCH_OK;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (to == NULL || from == NULL)
        return cinch_fail_null(err, "context");
    /* One lock after the other, never both: two threads may apply crosswise. */
    cinch_settings *settings = copy_of(from, err);
    if (settings == NULL)
        return CINCH_FAILED;
    if (is_server(to) != settings->is_server)
        status = cinch_fail(err, CINCH_CAUSE_MISUSE,
                            "the settings of a client cannot be applied to a server's context, or "
                            "the other way round");
    else
        status = cinch_settings_try(settings, err);
    /* The hosts of FROM become those of TO, which must not be among them. */
    cinch_hosts_lock();
    if (status == CINCH_OK && cinch_hosts_lead_to(settings->hosts, to))
        status = cinch_fail(err, CINCH_CAUSE_MISUSE, "the context would become a host of itself");
    if (status == CINCH_OK) {
        pthread_mutex_lock(&to->lock);
        replace(to, settings, &old, &old_derived);
        settings = NULL;
        pthread_mutex_unlock(&to->lock);
    }
    cinch_hosts_unlock();
    cinch_settings_free(settings);
    cinch_settings_free(old);
    cinch_derived_unref(old_derived);
    cinch_openssl_clear();
    return status;
}

cinch_status cinch_context_check(cinch_context *ctx, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_derived *derived = cinch_context_derive(ctx, err);
    if (derived == NULL)
        return CINCH_FAILED;
    cinch_derived_unref(derived);
    return CINCH_OK;
}
