/* parts.c: putting trust, identity and policy into a context. */
#include "base/fail.h"
#include "context/context.h"

#include <cinch/trust.h>

static cinch_status put_trust(cinch_settings *settings, cinch_trust *trust)
{
    if (trust == NULL)
        return CINCH_FAILED;
    if (settings->trust != NULL)
        cinch_trust_unref(settings->trust);
    settings->trust = trust;
    settings->trusts_system = 0;
    return CINCH_OK;
}

static cinch_status change_trust_nobody(cinch_settings *settings, const void *value,
                                        cinch_error *err)
{
    (void)value;
    return put_trust(settings, cinch_trust_empty(err));
}

cinch_status cinch_context_trust_nobody(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_trust_nobody, NULL, err);
}

static cinch_status change_trust_system(cinch_settings *settings, const void *value,
                                        cinch_error *err)
{
    (void)value;
    return put_trust(settings, cinch_trust_with_system(settings->trust, err));
}

cinch_status cinch_context_trust_system(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_trust_system, NULL, err);
}

static cinch_status change_trust_file(cinch_settings *settings, const void *value, cinch_error *err)
{
    return put_trust(settings, cinch_trust_with_file(settings->trust, value, err));
}

cinch_status cinch_context_trust_file(cinch_context *ctx, const char *path, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (path == NULL)
        return cinch_fail_null(err, "path of the trust file");
    return cinch_context_change(ctx, NULL, change_trust_file, path, err);
}

static cinch_status change_trust_dir(cinch_settings *settings, const void *value, cinch_error *err)
{
    return put_trust(settings, cinch_trust_with_dir(settings->trust, value, err));
}

cinch_status cinch_context_trust_dir(cinch_context *ctx, const char *path, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (path == NULL)
        return cinch_fail_null(err, "path of the trust directory");
    return cinch_context_change(ctx, NULL, change_trust_dir, path, err);
}

typedef struct span {
    const void *bytes;
    size_t size;
} span;

static cinch_status change_trust_pem(cinch_settings *settings, const void *value, cinch_error *err)
{
    const span *pem = value;

    return put_trust(settings, cinch_trust_with_bytes(settings->trust, pem->bytes, pem->size, err));
}

cinch_status cinch_context_trust_pem(cinch_context *ctx, const void *pem, size_t size,
                                     cinch_error *err)
{
    span bytes = {pem, size};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (pem == NULL)
        return cinch_fail_null(err, "PEM to trust");
    return cinch_context_change(ctx, NULL, change_trust_pem, &bytes, err);
}

static cinch_status change_identity(cinch_settings *settings, const void *value, cinch_error *err)
{
    /* The identity does not change; only its reference count does, which is atomic. */
    union {
        const void *in;
        cinch_identity *identity;
    } pointer = {value};

    cinch_identity_free(settings->identity);
    settings->identity = cinch_identity_ref(pointer.identity);
    settings->first_was_added = 0;
    return cinch_settings_check(settings, err);
}

cinch_status cinch_context_identity(cinch_context *ctx, cinch_identity *identity, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (identity == NULL)
        return cinch_fail_null(err, "identity");
    return cinch_context_change(ctx, NULL, change_identity, identity, err);
}

cinch_status cinch_context_identity_file(cinch_context *ctx, const char *path, const char *password,
                                         cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_identity *identity = cinch_identity_file(path, password, err);
    if (identity == NULL)
        return CINCH_FAILED;
    cinch_status status = cinch_context_identity(ctx, identity, err);
    cinch_identity_free(identity);
    return status;
}

static cinch_status change_policy(cinch_settings *settings, const void *value, cinch_error *err)
{
    cinch_policy *policy = cinch_policy_copy(value, err);

    if (policy == NULL)
        return CINCH_FAILED;
    cinch_policy_free(settings->policy);
    settings->policy = policy;
    if (cinch_policy_check(policy, err) != CINCH_OK)
        return CINCH_FAILED;
    return cinch_settings_check_all(settings, err);
}

cinch_status cinch_context_policy(cinch_context *ctx, const cinch_policy *policy, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    return cinch_context_change(ctx, NULL, change_policy, policy, err);
}

cinch_status cinch_context_policy_named(cinch_context *ctx, const char *name, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (name == NULL)
        return cinch_fail_null(err, "name of the policy");
    cinch_policy *policy = cinch_policy_new(name, err);
    if (policy == NULL)
        return CINCH_FAILED;
    cinch_status status = cinch_context_policy(ctx, policy, err);
    cinch_policy_free(policy);
    return status;
}
