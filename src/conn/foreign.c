/* foreign.c: a context into the SSL_CTX of another library. */
#include "conn/foreign.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

#include <openssl/err.h>
#include <string.h>

static atomic_int foreign_place = -1;

static void release(cinch_foreign *f)
{
    if (f == NULL)
        return;
    cinch_derived_unref(f->derived);
    cinch_release(f);
}

static void free_foreign(void *parent, void *f, CRYPTO_EX_DATA *data, int index, long number,
                         void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    release(f);
}

static cinch_foreign *applied_to(const SSL_CTX *ctx)
{
    int place = atomic_load(&foreign_place);

    return ctx == NULL || place < 0 ? NULL : SSL_CTX_get_ex_data(ctx, place);
}

cinch_foreign *cinch_foreign_of(const SSL *ssl)
{
    return applied_to(SSL_get_SSL_CTX(ssl));
}

/* What needs more than an SSL_CTX: a conn of ours that is asked before and after each step. */
static const char *misfit(const cinch_settings *s)
{
    if (s->alpn != NULL)
        return "application protocols (ALPN), which the library has to set as it speaks them";
    if (s->npn != NULL)
        return "application protocols (NPN), which the library has to set as it speaks them";
    if (s->hosts != NULL)
        return "virtual hosts";
    if (s->choose != NULL)
        return "a callback that chooses contexts";
    if (s->identity != NULL && s->identity->signs_later)
        return "an identity whose signer answers later";
    if (s->quick_start)
        return "records that begin small";
    return NULL;
}

static cinch_status check(const cinch_settings *settings, const SSL_CTX *ctx, const char *host,
                          cinch_error *err)
{
    const char *what = misfit(settings);

    if (what != NULL) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "the context has %s: that cannot be put into another library's SSL_CTX",
                         what);
        cinch_fail_remedy(err, "make a context for this library without it, with "
                               "cinch_context_dup() for the rest");
        return CINCH_FAILED;
    }
    if (settings->is_server && host != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a host (\"%s\") was given for a server's SSL_CTX", host);
    if (applied_to(ctx) != NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a context was applied to this SSL_CTX before; make a new one");
    if (SSL_CTX_get0_certificate(ctx) == NULL)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_MISUSE, "the SSL_CTX has a certificate already");
    cinch_fail_remedy(err, "give the certificate and its key to the context (identity.h), and "
                           "nothing to the SSL_CTX");
    return CINCH_FAILED;
}

/* The library's own options for reading and writing stay: it relies on them. */
static cinch_status install(const cinch_foreign *f, SSL_CTX *ctx, cinch_error *err)
{
    const cinch_settings *settings = f->derived->settings;
    int (*new_session)(SSL *, SSL_SESSION *) = SSL_CTX_sess_get_new_cb(ctx);
    long mode = SSL_CTX_get_session_cache_mode(ctx);

    SSL_CTX_set_client_cert_cb(ctx, NULL);
    SSL_CTX_set_cert_cb(ctx, NULL, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    if (cinch_settings_install(settings, f->derived->session_digest, ctx, err) != CINCH_OK)
        return CINCH_FAILED;
    if (!settings->is_server) {
        /* A client's sessions are where the library has them. */
        SSL_CTX_sess_set_new_cb(ctx, new_session);
        if (settings->resumption)
            SSL_CTX_set_session_cache_mode(ctx, mode);
    } else if (settings->resumption && settings->tickets != NULL &&
               SSL_CTX_set_num_tickets(ctx, (size_t)settings->ticket_count) != 1)
        return cinch_fail_crypto(err, "setting up resumption");
    cinch_foreign_insist(ctx);
    return CINCH_OK;
}

static cinch_foreign *prepare(cinch_derived *derived, const SSL_CTX *ctx, const char *host,
                              cinch_error *err)
{
    if (check(derived->settings, ctx, host, err) != CINCH_OK)
        return NULL;
    cinch_foreign *f = cinch_alloc(sizeof *f);
    if (f == NULL) {
        (void)cinch_fail_memory(err, "applying a context");
        return NULL;
    }
    f->derived = cinch_derived_ref(derived);
    if (host == NULL || cinch_host_parse(&f->host, host, err) == CINCH_OK)
        return f;
    release(f);
    return NULL;
}

cinch_status cinch_context_openssl_apply(cinch_context *ctx, SSL_CTX *ssl_ctx, const char *host,
                                         cinch_error *err)
{
    cinch_error local = CINCH_ERROR_INIT;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ssl_ctx == NULL)
        return cinch_fail_null(err, "SSL_CTX");
    cinch_derived *derived = cinch_context_derive(ctx, &local);
    if (derived == NULL)
        return cinch_fail_keep(err, &local);
    cinch_foreign *f = prepare(derived, ssl_ctx, host, &local);
    int place = cinch_ex_place(&foreign_place, CRYPTO_EX_INDEX_SSL_CTX, NULL, free_foreign);
    if (f != NULL && (place < 0 || SSL_CTX_set_ex_data(ssl_ctx, place, f) != 1)) {
        release(f);
        f = NULL;
        (void)cinch_fail_memory(&local, "applying a context");
    }
    /* From here on it is ours: half done it refuses every handshake. */
    if (f != NULL && cinch_foreign_watch(ssl_ctx, f) && install(f, ssl_ctx, &local) == CINCH_OK)
        f->ready = 1;
    else if (!cinch_error_is_set(&local))
        (void)cinch_fail_crypto(&local, "applying a context");
    cinch_derived_unref(derived);
    ERR_clear_error();
    return cinch_error_is_set(&local) ? cinch_fail_keep(err, &local) : CINCH_OK;
}

cinch_status cinch_openssl_remember(SSL_CTX *ssl_ctx, const void *key, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (ssl_ctx == NULL)
        return cinch_fail_null(err, "SSL_CTX");
    cinch_foreign *f = applied_to(ssl_ctx);
    if (f == NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "no context was applied to this SSL_CTX");
    atomic_store(&f->key, key);
    return CINCH_OK;
}

cinch_status cinch_context_openssl_digest(cinch_context *ctx, char *text, size_t size,
                                          cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (text == NULL)
        return cinch_fail_null(err, "place for a digest");
    if (size < CINCH_OPENSSL_DIGEST_TEXT)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%zu bytes for a digest, which takes %d", size,
                          CINCH_OPENSSL_DIGEST_TEXT);
    cinch_derived *derived = cinch_context_derive(ctx, err);
    if (derived == NULL)
        return CINCH_FAILED;
    (void)cinch_text_hex(text, size, derived->digest, sizeof derived->digest, 0);
    cinch_derived_unref(derived);
    return CINCH_OK;
}
