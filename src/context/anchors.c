/* anchors.c: the list of the anchors that a context trusts. */
#include "base/certificate.h"
#include "base/fail.h"
#include "base/memory.h"
#include "context/context.h"

#include <cinch/trust.h>
#include <openssl/err.h>

/* The set in force: what was named, or the system's. A reference; NULL and ERR not set: nobody. */
static cinch_trust *trust_of(cinch_context *ctx, cinch_error *err)
{
    pthread_mutex_lock(&ctx->lock);
    cinch_trust *trust =
        ctx->settings->trust == NULL ? NULL : cinch_trust_ref(ctx->settings->trust);
    int system = ctx->settings->trusts_system;
    pthread_mutex_unlock(&ctx->lock);
    if (trust == NULL)
        return system ? cinch_trust_with_system(NULL, err) : NULL;
    cinch_trust *now = cinch_trust_refresh(trust);
    cinch_trust_unref(trust);
    return now;
}

cinch_anchors *cinch_context_anchors(cinch_context *ctx, cinch_error *err)
{
    STACK_OF(X509) *all = NULL;
    cinch_error local = CINCH_ERROR_INIT;

    if (!cinch_enter(err))
        return NULL;
    if (ctx == NULL) {
        (void)cinch_fail_null(err, "context");
        return NULL;
    }
    cinch_anchors *anchors = cinch_alloc(sizeof *anchors);
    if (anchors == NULL)
        (void)cinch_fail_memory(&local, "listing the trust anchors");
    cinch_trust *trust = trust_of(ctx, &local);
    if (trust != NULL)
        all = cinch_trust_all(trust, &local);
    if (all != NULL && anchors != NULL)
        (void)cinch_certificate_list(all, &anchors->certificates, &anchors->count, &local);
    sk_X509_pop_free(all, X509_free);
    if (trust != NULL)
        cinch_trust_unref(trust);
    if (cinch_error_is_set(&local)) {
        cinch_anchors_free(anchors);
        anchors = NULL;
        (void)cinch_fail_keep(err, &local);
    }
    ERR_clear_error();
    return anchors;
}

void cinch_anchors_free(cinch_anchors *anchors)
{
    if (anchors == NULL)
        return;
    cinch_certificate_list_free(anchors->certificates, anchors->count);
    cinch_release(anchors);
}
