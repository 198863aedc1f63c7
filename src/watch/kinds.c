/* kinds.c: what can be watched, and how each kind is put into use. */
#include "base/fail.h"
#include "base/memory.h"
#include "context/hosts.h"
#include "identity/identity.h"
#include "trust/cache.h"
#include "watch/watch.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* Takes ITEM for the first time, and if that works, hands it over to WATCH. */
static cinch_status begin(cinch_watch *watch, cinch_watch_item *item, cinch_error *err)
{
    if (cinch_watch_item_begin(item, err) != CINCH_OK) {
        cinch_watch_item_free(item);
        return CINCH_FAILED;
    }
    cinch_watch_add(watch, item);
    return CINCH_OK;
}

/* ---- identities ---- */

/* What was added before goes only when its successor is in force. */
static cinch_status use_identity(cinch_watch_item *item, cinch_identity *identity, cinch_error *err)
{
    if (!item->adds)
        return cinch_context_identity(item->ctx, identity, err);
    if (cinch_context_replace_identity(item->ctx, item->added, identity, err) != CINCH_OK)
        return CINCH_FAILED;
    cinch_identity_free(item->added);
    item->added = cinch_identity_ref(identity);
    return CINCH_OK;
}

/*
 * The files are read by name, so that errors name them. What was read is what was looked at only if
 * they are the same before and after: a certificate from before a change must not go with a key from
 * after it, nor an older pair be remembered as the newer one.
 */
static cinch_status take_identity(cinch_watch_item *item, const unsigned char digest[32],
                                  const cinch_content *content, cinch_error *err)
{
    unsigned char after[32];
    cinch_error local = CINCH_ERROR_INIT;

    (void)content;
    for (size_t i = 0; i < item->path_count; i++)
        if (cinch_watch_item_regular(item->paths[i], err) != CINCH_OK)
            return CINCH_FAILED;
    cinch_identity *identity = cinch_identity_load(&item->source, &local);
    cinch_status status = cinch_watch_item_digest(item, after, NULL, err);
    if (status == CINCH_OK && memcmp(digest, after, sizeof after) != 0)
        status = CINCH_WANT_READ;
    else if (status == CINCH_OK && identity == NULL)
        status = cinch_fail_keep(err, &local);
    else if (status == CINCH_OK)
        status = use_identity(item, identity, err);
    cinch_identity_free(identity);
    return status;
}

static cinch_status check_source(const cinch_identity_source *source, cinch_error *err)
{
    if (source->pem != NULL || source->key_pem != NULL || source->pkcs12 != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the identity source sets `%s`, and only files can be watched",
                          source->pem != NULL       ? "pem"
                          : source->key_pem != NULL ? "key_pem"
                                                    : "pkcs12");
    if (source->file == NULL && source->pkcs12_file == NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the identity source names no file: neither `file` nor `pkcs12_file` is "
                          "set");
    if (source->pkcs12_file != NULL && (source->file != NULL || source->key_file != NULL))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the identity source sets `%s` beside `pkcs12_file`: PKCS#12 has "
                          "everything inside",
                          source->file != NULL ? "file" : "key_file");
    return CINCH_OK;
}

/* Copies SOURCE into ITEM; the strings are ITEM's own. */
static cinch_status copy_source(cinch_watch_item *item, const cinch_identity_source *source,
                                cinch_error *err)
{
    cinch_identity_source *mine = &item->source;
    const char *main_file = source->file != NULL ? source->file : source->pkcs12_file;
    const char *path = cinch_watch_item_path(item, main_file, err);

    if (path == NULL)
        return CINCH_FAILED;
    *(source->file != NULL ? &mine->file : &mine->pkcs12_file) = path;
    if (source->key_file != NULL) {
        mine->key_file = cinch_watch_item_path(item, source->key_file, err);
        if (mine->key_file == NULL)
            return CINCH_FAILED;
    }
    if (source->password != NULL) {
        item->password_size = strlen(source->password) + 1;
        item->password = cinch_secret_alloc(item->password_size);
        if (item->password == NULL)
            return cinch_fail_memory(err, "watching an identity");
        memcpy(item->password, source->password, item->password_size);
        mine->password = item->password;
    }
    mine->ask = source->ask;
    mine->ask_arg = source->ask_arg;
    return CINCH_OK;
}

static cinch_status watch_identity(cinch_watch *watch, cinch_context *ctx,
                                   const cinch_identity_source *source, int adds, cinch_error *err)
{
    if (!cinch_watch_enter(watch, err))
        return CINCH_FAILED;
    if (ctx == NULL || source == NULL)
        return cinch_fail_null(err, ctx == NULL ? "context" : "identity source");
    if (check_source(source, err) != CINCH_OK)
        return CINCH_FAILED;
    const char *label = source->file != NULL ? source->file : source->pkcs12_file;
    cinch_watch_item *item = cinch_watch_item_new(label, take_identity, err);
    if (item == NULL)
        return CINCH_FAILED;
    item->ctx = cinch_context_ref(ctx);
    item->adds = adds;
    if (copy_source(item, source, err) != CINCH_OK) {
        cinch_watch_item_free(item);
        return CINCH_FAILED;
    }
    return begin(watch, item, err);
}

cinch_status cinch_watch_identity(cinch_watch *watch, cinch_context *ctx,
                                  const cinch_identity_source *source, cinch_error *err)
{
    return watch_identity(watch, ctx, source, 0, err);
}

cinch_status cinch_watch_add_identity(cinch_watch *watch, cinch_context *ctx,
                                      const cinch_identity_source *source, cinch_error *err)
{
    return watch_identity(watch, ctx, source, 1, err);
}

/* ---- files ---- */

/* The reason why a file cannot be read, which its digest has only as a number. */
static cinch_status need_content(const cinch_watch_item *item, const cinch_content *content,
                                 cinch_error *err)
{
    cinch_content again = {0};

    if (content->bytes != NULL)
        return CINCH_OK;
    cinch_status status = cinch_watch_item_read(item->paths[0], &again, NULL, err);
    cinch_content_free(&again);
    return status == CINCH_OK ? CINCH_WANT_READ : status;
}

static cinch_status take_file(cinch_watch_item *item, const unsigned char digest[32],
                              const cinch_content *content, cinch_error *err)
{
    cinch_status status = need_content(item, content, err);

    (void)digest;
    if (status != CINCH_OK)
        return status;
    status = item->load(item->label, (const char *)content->bytes, content->size, item->arg, err);
    if (status == CINCH_OK && !cinch_error_is_set(err))
        return CINCH_OK;
    /* The program may refuse without a reason. */
    (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the program refused the content of \"%s\"",
                     item->label);
    return CINCH_FAILED;
}

cinch_status cinch_watch_file(cinch_watch *watch, const char *path, cinch_watch_load load,
                              void *arg, cinch_error *err)
{
    if (!cinch_watch_enter(watch, err))
        return CINCH_FAILED;
    if (path == NULL || load == NULL)
        return cinch_fail_null(err, path == NULL ? "path of the file" : "function that loads it");
    cinch_watch_item *item = cinch_watch_item_new(path, take_file, err);
    if (item == NULL)
        return CINCH_FAILED;
    item->load = load;
    item->arg = arg;
    if (cinch_watch_item_path(item, path, err) == NULL) {
        cinch_watch_item_free(item);
        return CINCH_FAILED;
    }
    return begin(watch, item, err);
}

/* ---- trust anchors and revocation lists: contexts take them by themselves; here it is told ---- */

static cinch_status take_trust(cinch_watch_item *item, const unsigned char digest[32],
                               const cinch_content *content, cinch_error *err)
{
    char where[CINCH_ERROR_WHAT];
    cinch_status status = need_content(item, content, err);

    (void)digest;
    if (status != CINCH_OK)
        return status;
    snprintf(where, sizeof where, "\"%s\"", item->label);
    cinch_index *index = cinch_cached_bytes(content->bytes, content->size, where, err);
    if (index == NULL)
        return CINCH_FAILED;
    cinch_index_unref(index);
    return CINCH_OK;
}

static cinch_status take_crl(cinch_watch_item *item, const unsigned char digest[32],
                             const cinch_content *content, cinch_error *err)
{
    cinch_status status = need_content(item, content, err);

    (void)digest;
    if (status != CINCH_OK)
        return status;
    cinch_crls *lists = cinch_crls_with_file(NULL, item->paths[0], err);
    if (lists == NULL)
        return CINCH_FAILED;
    cinch_crls_unref(lists);
    return CINCH_OK;
}

static cinch_status watch_for_contexts(cinch_watch *watch, const char *path, const char *what,
                                       cinch_watch_take take, cinch_error *err)
{
    if (!cinch_watch_enter(watch, err))
        return CINCH_FAILED;
    if (path == NULL)
        return cinch_fail_null(err, what);
    cinch_watch_item *item = cinch_watch_item_new(path, take, err);
    if (item == NULL)
        return CINCH_FAILED;
    if (cinch_watch_item_path(item, path, err) == NULL) {
        cinch_watch_item_free(item);
        return CINCH_FAILED;
    }
    return begin(watch, item, err);
}

cinch_status cinch_watch_trust_file(cinch_watch *watch, const char *path, cinch_error *err)
{
    return watch_for_contexts(watch, path, "path of the trust file", take_trust, err);
}

cinch_status cinch_watch_crl_file(cinch_watch *watch, const char *path, cinch_error *err)
{
    return watch_for_contexts(watch, path, "path of the revocation list", take_crl, err);
}
