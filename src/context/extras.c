#include "context/extras.h"

#include "base/fail.h"
#include "base/memory.h"
#include "context/psk.h"

#include <cinch/binding.h>

int cinch_extras_copy(cinch_settings *copy, const cinch_settings *settings)
{
    copy->psk = settings->psk == NULL ? NULL : cinch_psk_ref(settings->psk);
    copy->key_log = settings->key_log == NULL ? NULL : cinch_key_log_ref(settings->key_log);
    copy->npn = settings->npn == NULL ? NULL : cinch_copy_bytes(settings->npn, settings->npn_size);
    copy->adjust_data = settings->adjust_data == NULL
                            ? NULL
                            : cinch_copy_bytes(settings->adjust_data, settings->adjust_size);
    return (copy->npn == NULL) == (settings->npn == NULL) &&
           (copy->adjust_data == NULL) == (settings->adjust_data == NULL);
}

void cinch_extras_free(cinch_settings *settings)
{
    cinch_psk_unref(settings->psk);
    cinch_key_log_unref(settings->key_log);
    cinch_release(settings->npn);
    cinch_release(settings->adjust_data);
}

int cinch_extras_hash_rules(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {(int)s->npn_size, s->late_certificate, s->old_tickets};

    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 && cinch_adjust_hash(s, md) &&
           (s->npn == NULL || EVP_DigestUpdate(md, s->npn, s->npn_size) == 1) &&
           cinch_psk_hash(s->psk, md);
}

int cinch_extras_hash(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {s->record_size, s->quick_start};
    const uintptr_t key_log = (uintptr_t)s->key_log;

    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           /* There is one for each file: the same one or another. */
           EVP_DigestUpdate(md, &key_log, sizeof key_log) == 1 && cinch_extras_hash_rules(s, md);
}

cinch_status cinch_extras_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    SSL_CTX_set_keylog_callback(ctx, settings->key_log == NULL ? NULL : cinch_key_log_callback);
    SSL_CTX_set_post_handshake_auth(ctx, settings->late_certificate);
    if (SSL_CTX_set_max_send_fragment(ctx, settings->record_size) != 1)
        return cinch_fail_crypto(err, "setting the size of records");
    cinch_status status = cinch_npn_install(settings, ctx, err);
    if (status == CINCH_OK)
        status = cinch_psk_install(settings, ctx, err);
    if (status == CINCH_OK)
        status = cinch_adjust_install(settings, ctx, err);
    return status;
}

static cinch_status change_late(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)err;
    settings->late_certificate = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_late_certificate(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, "client", change_late, &on, err);
}

typedef struct record_rule {
    int bytes;
    int quick_start;
} record_rule;

static cinch_status change_records(cinch_settings *settings, const void *value, cinch_error *err)
{
    const record_rule *rule = value;

    if (rule->bytes < CINCH_RECORD_SMALLEST || rule->bytes > CINCH_RECORD_LARGEST)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "records of %d bytes were asked for; %d to %d are allowed", rule->bytes,
                          CINCH_RECORD_SMALLEST, CINCH_RECORD_LARGEST);
    settings->record_size = rule->bytes;
    settings->quick_start = rule->quick_start != 0;
    return CINCH_OK;
}

cinch_status cinch_context_record_size(cinch_context *ctx, int bytes, int quick_start,
                                       cinch_error *err)
{
    record_rule rule = {bytes, quick_start};

    return cinch_context_change(ctx, NULL, change_records, &rule, err);
}
