/* psk.c: the secrets that a context shares with its peers, as settings. */
#include "context/psk.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"

#include <string.h>

#include <openssl/crypto.h>

#define MOST_ENTRIES ((size_t)1000)

cinch_psk *cinch_psk_ref(cinch_psk *psk)
{
    atomic_fetch_add(&psk->references, 1);
    return psk;
}

void cinch_psk_unref(cinch_psk *psk)
{
    if (psk == NULL || atomic_fetch_sub(&psk->references, 1) != 1)
        return;
    cinch_secret_free(psk->entries, psk->count * sizeof *psk->entries);
    cinch_release(psk);
}

int cinch_psk_only(const cinch_settings *settings)
{
    return settings->psk != NULL && !settings->psk->fallback;
}

int cinch_psk_identity_fits(const void *identity, size_t size)
{
    char clean[4 * CINCH_PSK_TEXT];

    return size > 0 && size < CINCH_PSK_TEXT &&
           cinch_text_clean(clean, sizeof clean, identity, size, 0) == size &&
           memcmp(clean, identity, size) == 0;
}

int cinch_psk_fits(const cinch_psk *psk, const void *identity, size_t size, size_t key_size)
{
    if (key_size > CINCH_PSK_LARGEST ||
        (key_size > 0 && key_size < CINCH_PSK_SMALLEST && !psk->weak))
        return 0;
    return (psk->weak && size == 0) || cinch_psk_identity_fits(identity, size);
}

int cinch_psk_hash(const cinch_psk *psk, EVP_MD_CTX *md)
{
    static const unsigned char none[1] = {0};

    if (psk == NULL)
        return EVP_DigestUpdate(md, none, sizeof none);
    return EVP_DigestUpdate(md, psk->digest, sizeof psk->digest) == 1 &&
           EVP_DigestUpdate(md, &psk->fallback, sizeof psk->fallback) == 1 &&
           /* A function and its argument have no content to compare by: the same or others. */
           EVP_DigestUpdate(md, (const void *)&psk->lookup, sizeof psk->lookup) == 1 &&
           EVP_DigestUpdate(md, (const void *)&psk->lookup_arg, sizeof psk->lookup_arg) == 1 &&
           EVP_DigestUpdate(md, (const void *)&psk->offer, sizeof psk->offer) == 1 &&
           EVP_DigestUpdate(md, (const void *)&psk->offer_arg, sizeof psk->offer_arg) == 1 &&
           EVP_DigestUpdate(md, &psk->weak, sizeof psk->weak) == 1;
}

/* A copy of OLD, or of nothing, with room for MORE entries. NULL if there is no memory. */
static cinch_psk *enlarge(const cinch_psk *old, size_t more)
{
    cinch_psk *psk = cinch_alloc(sizeof *psk);
    size_t count = (old == NULL ? 0 : old->count) + more;

    if (psk == NULL)
        return NULL;
    if (old != NULL)
        *psk = (cinch_psk){.lookup = old->lookup,
                           .lookup_arg = old->lookup_arg,
                           .offer = old->offer,
                           .offer_arg = old->offer_arg,
                           .weak = old->weak,
                           .fallback = old->fallback};
    atomic_init(&psk->references, 1);
    if (count == 0)
        return psk;
    psk->entries = cinch_secret_alloc(count * sizeof *psk->entries);
    if (psk->entries == NULL) {
        cinch_release(psk);
        return NULL;
    }
    psk->count = count;
    if (old != NULL && old->count > 0)
        memcpy(psk->entries, old->entries, old->count * sizeof *old->entries);
    return psk;
}

/* Takes PSK over in any case. */
static cinch_status put(cinch_settings *settings, cinch_psk *psk, cinch_error *err)
{
    unsigned char none = 0;

    if (psk == NULL)
        return cinch_fail_memory(err, "setting a pre-shared key");
    cinch_psk_unref(settings->psk);
    settings->psk = psk;
    if (!cinch_openssl_sha256(psk->entries == NULL ? (const void *)&none : psk->entries,
                              psk->count * sizeof *psk->entries, psk->digest))
        return cinch_fail_memory(err, "setting a pre-shared key");
    return cinch_settings_check(settings, err);
}

typedef struct secret {
    const char *identity;
    const void *key;
    size_t size;
    int fallback;
} secret;

static cinch_status check_secret(const secret *s, cinch_error *err)
{
    const unsigned char *key = s->key;
    size_t same = 0;

    if (!cinch_psk_identity_fits(s->identity, strlen(s->identity)))
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the identity of a pre-shared key must be 1 to %d bytes of UTF-8 text "
                          "without control characters",
                          CINCH_PSK_TEXT - 1);
    if (key == NULL)
        return cinch_fail_null(err, "pre-shared key");
    if (s->size < CINCH_PSK_SMALLEST || s->size > CINCH_PSK_LARGEST)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the pre-shared key \"%s\" has %zu bytes; %zu to %zu are allowed",
                          s->identity, s->size, CINCH_PSK_SMALLEST, CINCH_PSK_LARGEST);
    /* What a buffer holds that nobody filled (CVE-2020-13777 was of this kind). */
    while (same < s->size && key[same] == key[0])
        same++;
    if (same < s->size)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                     "the pre-shared key \"%s\" is the same byte again and again", s->identity);
    cinch_fail_remedy(err, "make one with cinch_random(), or with `openssl rand -hex 32`");
    return CINCH_FAILED;
}

/* Where IDENTITY has its place in PSK: its own, or behind the last. */
static size_t place_of(const cinch_psk *psk, const char *identity)
{
    size_t at = 0;

    while (psk != NULL && at < psk->count && strcmp(psk->entries[at].identity, identity) != 0)
        at++;
    return at;
}

static cinch_status change_psk(cinch_settings *settings, const void *value, cinch_error *err)
{
    const secret *s = value;
    const cinch_psk *old = settings->psk;

    if (s->identity == NULL) {
        cinch_psk_unref(settings->psk);
        settings->psk = NULL;
        return CINCH_OK;
    }
    if (check_secret(s, err) != CINCH_OK)
        return CINCH_FAILED;
    size_t at = place_of(old, s->identity);
    if (at >= MOST_ENTRIES)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "more than %zu pre-shared keys; look them up with "
                          "cinch_context_psk_lookup()",
                          MOST_ENTRIES);
    cinch_psk *psk = enlarge(old, old == NULL || at == old->count ? 1 : 0);
    if (psk == NULL)
        return put(settings, NULL, err);
    /* The newest is the last, also if its name was there before. */
    memmove(psk->entries + at, psk->entries + at + 1, (psk->count - at - 1) * sizeof *psk->entries);
    cinch_psk_entry *entry = psk->entries + psk->count - 1;
    memset(entry, 0, sizeof *entry);
    memcpy(entry->identity, s->identity, strlen(s->identity));
    memcpy(entry->key, s->key, s->size);
    entry->size = s->size;
    psk->fallback = s->fallback != 0;
    return put(settings, psk, err);
}

cinch_status cinch_context_psk(cinch_context *ctx, const char *identity, const void *key,
                               size_t size, int fallback, cinch_error *err)
{
    secret s = {identity, key, size, fallback};

    return cinch_context_change(ctx, NULL, change_psk, &s, err);
}

/* Who is asked for secrets: a server's callback or a client's. */
typedef struct lookup {
    cinch_psk_callback callback;
    cinch_psk_offer_callback offer;
    void *arg;
    int fallback;
    int weak;
} lookup;

static cinch_status change_lookup(cinch_settings *settings, const void *value, cinch_error *err)
{
    const lookup *l = value;

    if (l->callback == NULL && l->offer == NULL &&
        (settings->psk == NULL || settings->psk->count == 0)) {
        cinch_psk_unref(settings->psk);
        settings->psk = NULL;
        return CINCH_OK;
    }
    cinch_psk *psk = enlarge(settings->psk, 0);
    if (psk != NULL) {
        psk->lookup = l->callback;
        psk->lookup_arg = l->arg;
        psk->offer = l->offer;
        psk->offer_arg = l->arg;
        psk->weak = l->weak;
        psk->fallback = l->fallback != 0;
    }
    return put(settings, psk, err);
}

cinch_status cinch_context_psk_lookup(cinch_context *ctx, cinch_psk_callback callback, void *arg,
                                      int fallback, cinch_error *err)
{
    lookup l = {callback, NULL, arg, fallback, 0};

    return cinch_context_change(ctx, "server", change_lookup, &l, err);
}

cinch_status cinch_context_insecure_psk_lookup(cinch_context *ctx, cinch_psk_callback callback,
                                               void *arg, int fallback, cinch_error *err)
{
    lookup l = {callback, NULL, arg, fallback, 1};

    return cinch_context_change(ctx, "server", change_lookup, &l, err);
}

cinch_status cinch_context_insecure_psk_offer(cinch_context *ctx, cinch_psk_offer_callback callback,
                                              void *arg, int fallback, cinch_error *err)
{
    lookup l = {NULL, callback, arg, fallback, 1};

    return cinch_context_change(ctx, "client", change_lookup, &l, err);
}
