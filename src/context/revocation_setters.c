/* revocation_setters.c: what include/cinch/revocation.h has. */
#include "base/fail.h"
#include "base/memory.h"
#include "context/revocation.h"

#include <cinch/revocation.h>

static cinch_status put_crls(cinch_settings *settings, cinch_crls *crls)
{
    if (crls == NULL)
        return CINCH_FAILED;
    cinch_crls_unref(settings->crls);
    settings->crls = crls;
    return CINCH_OK;
}

static cinch_status change_crl_file(cinch_settings *settings, const void *value, cinch_error *err)
{
    return put_crls(settings, cinch_crls_with_file(settings->crls, value, err));
}

cinch_status cinch_context_crl_file(cinch_context *ctx, const char *path, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (path == NULL)
        return cinch_fail_null(err, "path of the revocation lists");
    return cinch_context_change(ctx, NULL, change_crl_file, path, err);
}

static cinch_status change_crl_dir(cinch_settings *settings, const void *value, cinch_error *err)
{
    return put_crls(settings, cinch_crls_with_dir(settings->crls, value, err));
}

cinch_status cinch_context_crl_dir(cinch_context *ctx, const char *path, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (path == NULL)
        return cinch_fail_null(err, "path of the directory of revocation lists");
    return cinch_context_change(ctx, NULL, change_crl_dir, path, err);
}

typedef struct span {
    const void *bytes;
    size_t size;
} span;

static cinch_status change_crl_pem(cinch_settings *settings, const void *value, cinch_error *err)
{
    const span *pem = value;

    return put_crls(settings, cinch_crls_with_bytes(settings->crls, pem->bytes, pem->size, err));
}

cinch_status cinch_context_crl_pem(cinch_context *ctx, const void *pem, size_t size,
                                   cinch_error *err)
{
    span bytes = {pem, size};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (pem == NULL)
        return cinch_fail_null(err, "revocation lists");
    return cinch_context_change(ctx, NULL, change_crl_pem, &bytes, err);
}

static cinch_status change_crl_rule(cinch_settings *settings, const void *value, cinch_error *err)
{
    int rule = *(const int *)value;

    if (rule < CINCH_CRL_SOFT || rule > CINCH_CRL_CHAIN)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the rule for revocation lists cannot be %d: 0 to 2 are allowed", rule);
    if (rule != CINCH_CRL_SOFT && settings->crls == NULL) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "revocation lists are required and none is named");
        cinch_fail_remedy(err, "name the lists first, for example with cinch_context_crl_file()");
        return CINCH_FAILED;
    }
    settings->crl_rule = rule;
    return CINCH_OK;
}

cinch_status cinch_context_crl_rule(cinch_context *ctx, cinch_crl_rule rule, cinch_error *err)
{
    int value = (int)rule;

    return cinch_context_change(ctx, NULL, change_crl_rule, &value, err);
}

static cinch_status change_ocsp_file(cinch_settings *settings, const void *value, cinch_error *err)
{
    cinch_staples *before = settings->staples;
    cinch_shown_list shown;

    settings->staples = NULL;
    if (value == NULL) {
        cinch_staples_unref(before);
        return CINCH_OK;
    }
    if (!cinch_revocation_shown(settings, &shown))
        (void)cinch_fail_memory(err, "reading an OCSP response");
    else if (shown.count == 0)
        (void)cinch_fail(
            err, CINCH_CAUSE_NO_IDENTITY,
            "the OCSP response in \"%s\" is named before the certificate that it is for",
            (const char *)value);
    else
        settings->staples = cinch_staples_with(before, value, &shown, err);
    cinch_release(shown.list);
    cinch_staples_unref(before);
    return settings->staples == NULL ? CINCH_FAILED : CINCH_OK;
}

cinch_status cinch_context_ocsp_file(cinch_context *ctx, const char *path, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_ocsp_file, path, err);
}

static cinch_status change_ocsp_required(cinch_settings *settings, const void *value,
                                         cinch_error *err)
{
    (void)err;
    settings->ocsp_required = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_ocsp_require(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, "client", change_ocsp_required, &on, err);
}
