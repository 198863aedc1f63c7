/* adjust.c: what bindings change in an SSL_CTX behind the back of everything else. */
#include "base/fail.h"
#include "base/memory.h"
#include "context/extras.h"
#include "context/link.h"

#include <openssl/err.h>
#include <string.h>

#define LARGEST_DATA 65536

typedef struct adjustment {
    cinch_adjust_callback callback;
    const void *data;
    size_t size;
} adjustment;

int cinch_adjust_hash(const cinch_settings *s, EVP_MD_CTX *md)
{
    const uintptr_t plain[] = {(uintptr_t)s->adjust, (uintptr_t)s->adjust_size};

    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           (s->adjust_data == NULL || EVP_DigestUpdate(md, s->adjust_data, s->adjust_size) == 1);
}

/* Whatever the callback has done: without this one nobody is verified by us. */
static void insist(SSL_CTX *ctx)
{
    SSL_CTX_set_cert_verify_callback(ctx, cinch_verify_callback, NULL);
}

cinch_status cinch_adjust_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    if (settings->adjust == NULL)
        return CINCH_OK;
    int adjusted = settings->adjust(ctx, settings->adjust_data, settings->adjust_size);
    insist(ctx);
    return adjusted == 1 ? CINCH_OK : cinch_fail_crypto(err, "adjusting an SSL_CTX");
}

static cinch_status change_adjustment(cinch_settings *settings, const void *value, cinch_error *err)
{
    const adjustment *wanted = value;

    cinch_release(settings->adjust_data);
    settings->adjust_data = NULL;
    settings->adjust = wanted->callback;
    settings->adjust_size = 0;
    if (wanted->callback == NULL)
        return CINCH_OK;
    if (wanted->size > LARGEST_DATA)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "an adjustment has %zu bytes of data; %d are allowed", wanted->size,
                          LARGEST_DATA);
    /* One byte more: nothing at all would look like no memory. */
    settings->adjust_data = cinch_alloc(wanted->size + 1);
    if (settings->adjust_data == NULL)
        return cinch_fail_memory(err, "adjusting an SSL_CTX");
    if (wanted->size > 0)
        memcpy(settings->adjust_data, wanted->data, wanted->size);
    settings->adjust_size = wanted->size;
    return CINCH_OK;
}

cinch_status cinch_context_insecure_adjust(cinch_context *ctx, cinch_adjust_callback callback,
                                           const void *data, size_t size, cinch_error *err)
{
    adjustment wanted = {callback, data, size};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (callback != NULL && data == NULL && size > 0)
        return cinch_fail_null(err, "data of an adjustment");
    return cinch_context_change(ctx, NULL, change_adjustment, &wanted, err);
}
