/*
 * foreign_watch.c: the callbacks in another library's SSL_CTX. Some of them that library may replace in
 * a single SSL; those that verify, that see the ClientHello and that begin a handshake it cannot, and
 * they put back what is missing.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "conn/foreign.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <string.h>

/* For private use (RFC 8447, 7). It is never sent: being asked for it is the point. */
#define BEGINNING 65402

static cinch_openssl_errors look_at_errors(void)
{
    cinch_openssl_errors errors = {ERR_peek_error(), ERR_peek_last_error(), 0};

    errors.out_of_memory =
        cinch_openssl_out_of_memory(errors.first) || cinch_openssl_out_of_memory(errors.last);
    return errors;
}

/* What libssl makes of bytes that are no TLS; here nobody has seen them. */
static int is_not_tls(const cinch_conn *watcher, unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    return !watcher->handshake_done && !watcher->answered && ERR_GET_LIB(code) == ERR_LIB_SSL &&
           (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
            reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG);
}

/* Nothing went wrong in OpenSSL: what moves its bytes gave up, and told the library alone why. */
static int is_broken(const cinch_conn *watcher, const cinch_openssl_errors *errors)
{
    return errors->first == 0 && !watcher->handshake_done && watcher->alert_received == 0;
}

/* Fills WHY from what is known now; OpenSSL's error queue stays for the library. */
static void explain(const cinch_conn *watcher, cinch_error *why)
{
    cinch_openssl_errors errors = look_at_errors();

    (void)ERR_set_mark();
    if (!cinch_error_is_set(why) && watcher->alert_received == 0 &&
        is_not_tls(watcher, errors.first))
        (void)cinch_fail(why, CINCH_CAUSE_NOT_TLS, "the %s does not speak TLS",
                         watcher->link.derived->settings->is_server ? "client" : "server");
    else if (!cinch_error_is_set(why) && is_broken(watcher, &errors))
        (void)cinch_fail(why, CINCH_CAUSE_NETWORK, "the connection broke during the handshake, %s",
                         cinch_conn_phase(watcher));
    cinch_conn_explain_errors(watcher, SSL_ERROR_SSL, errors, why);
    (void)ERR_pop_to_mark();
}

static void keep(const cinch_conn *watcher)
{
    const cinch_foreign *f = cinch_foreign_of(watcher->ssl);

    if (f != NULL && watcher->failure != NULL)
        cinch_openssl_keep(atomic_load(&f->key), watcher->failure);
}

static void fail(cinch_conn *watcher)
{
    if (watcher->failure == NULL)
        watcher->failure = cinch_alloc(sizeof *watcher->failure);
    watcher->state = CINCH_STATE_FAILED;
    watcher->link.report = NULL;
    if (watcher->failure == NULL)
        return;
    explain(watcher, watcher->failure);
    keep(watcher);
}

/*
 * Should anything have got past the callbacks: no byte more goes either way, and whoever asks for the
 * result of the verification learns it.
 */
static void shut(cinch_conn *watcher)
{
    SSL_set_verify_result(watcher->ssl, X509_V_ERR_APPLICATION_VERIFICATION);
    SSL_set_shutdown(watcher->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    watcher->link.verified = 0;
    watcher->state = CINCH_STATE_FAILED;
    keep(watcher);
}

static void finish(cinch_conn *watcher)
{
    if (watcher->handshake_done)
        return;
    if (watcher->state == CINCH_STATE_FAILED || watcher->failure == NULL ||
        cinch_error_is_set(watcher->failure) ||
        cinch_conn_check(watcher, watcher->failure) != CINCH_OK) {
        shut(watcher);
        return;
    }
    watcher->link.report = NULL;
    cinch_release(watcher->failure);
    watcher->failure = NULL;
    watcher->handshake_done = 1;
    watcher->state = CINCH_STATE_OPEN;
}

/* How far the other side has come, as cinch_conn_phase() wants to know. */
static void note(cinch_conn *watcher, const SSL *ssl)
{
    OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);

    watcher->answered |= state == TLS_ST_CR_SRVR_HELLO;
    watcher->peer_asked |= state == TLS_ST_CR_CERT_REQ;
}

static void note_alert(cinch_conn *watcher, int where, int value)
{
    /* A close_notify is a warning in TLS 1.2 and earlier; the number 0 means "none" here. */
    if (value >> 8 != SSL3_AL_FATAL || (value & 0xff) == SSL_AD_CLOSE_NOTIFY)
        return;
    if ((where & SSL_CB_WRITE) != 0) {
        watcher->alert_sent = value & 0xff;
        return;
    }
    watcher->alert_received = value & 0xff;
    /* In the handshake its end is still to come. */
    if (watcher->handshake_done)
        fail(watcher);
}

/* The end of a step of the handshake that did not succeed: for good, or only for now? */
static int is_over(const SSL *ssl)
{
    const BIO *bio = SSL_want_read(ssl) ? SSL_get_rbio(ssl) : SSL_get_wbio(ssl);

    if (ERR_peek_error() != 0)
        return 1;
    return (SSL_want_read(ssl) || SSL_want_write(ssl)) && bio != NULL && !BIO_should_retry(bio);
}

/* No callback that comes now says yes; but one has to come, and what it says has to count. */
static void let_fail(SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    (void)SSL_set_session(ssl, NULL);
}

static void see(const SSL *ssl, int where, int value)
{
    /* What hangs on an SSL is not a part of it. */
    union {
        const SSL *in;
        SSL *out;
    } pointer = {ssl};
    const cinch_foreign *f = cinch_foreign_of(ssl);

    if ((where & SSL_CB_HANDSHAKE_START) != 0 && SSL_get_state(ssl) == TLS_ST_BEFORE) {
        cinch_foreign_again(pointer.out);
        if (cinch_foreign_begin(pointer.out) == NULL)
            let_fail(pointer.out);
    }
    cinch_conn *watcher = cinch_foreign_watcher(ssl);
    if (watcher != NULL) {
        if ((where & SSL_CB_ALERT) != 0)
            note_alert(watcher, where, value);
        else if ((where & SSL_CB_LOOP) != 0)
            note(watcher, ssl);
        else if ((where & SSL_CB_HANDSHAKE_DONE) != 0)
            finish(watcher);
        else if ((where & SSL_CB_EXIT) != 0 && value <= 0 && is_over(ssl))
            fail(watcher);
    }
    void (*next)(const SSL *, int, int) = f == NULL ? NULL : f->see_next;
    if (watcher != NULL && SSL_get_info_callback(pointer.out) == see)
        next = watcher->see_next;
    if (next != NULL)
        next(ssl, where, value);
}

/*
 * A library that has set a callback of its own since must not be the only one who sees the end: a
 * handshake without certificates, which it may have allowed, asks nobody else.
 */
void cinch_foreign_stay(cinch_conn *watcher)
{
    SSL *ssl = watcher->ssl;
    void (*theirs)(const SSL *, int, int) = SSL_get_info_callback(ssl);

    if (theirs == NULL)
        theirs = SSL_CTX_get_info_callback(SSL_get_SSL_CTX(ssl));
    if (theirs == see)
        return;
    watcher->see_next = theirs;
    SSL_set_info_callback(ssl, see);
}

void cinch_foreign_leave(const cinch_conn *watcher)
{
    if (SSL_get_info_callback(watcher->ssl) == see)
        SSL_set_info_callback(watcher->ssl, watcher->see_next);
}

static int verify(X509_STORE_CTX *store_ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    const cinch_conn *watcher = ssl == NULL ? NULL : cinch_foreign_begin(ssl);

    int verified = watcher == NULL ? 0 : cinch_verify_callback(store_ctx, arg);

    if (watcher == NULL)
        X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_APPLICATION_VERIFICATION);
    if (verified == 1)
        cinch_foreign_mark(watcher, X509_STORE_CTX_get0_chain(store_ctx));
    else if (ssl != NULL)
        /* A client of libssl looks only now at whether a "no" counts. */
        SSL_set_verify(ssl, SSL_get_verify_mode(ssl) | SSL_VERIFY_PEER, NULL);
    return verified;
}

static int see_client_hello(SSL *ssl, int *alert, void *arg)
{
    cinch_conn *watcher = cinch_foreign_begin(ssl);

    if (watcher == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    watcher->answered = 1;
    return cinch_client_hello_callback(ssl, alert, arg);
}

/* In the making of each ClientHello, when the session is settled. */
static int see_beginning(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
                         size_t *size, X509 *x, size_t index, int *alert, void *arg)
{
    const cinch_conn *watcher = cinch_foreign_watcher(ssl);

    (void)type;
    (void)context;
    (void)out;
    (void)size;
    (void)x;
    (void)index;
    (void)arg;
    /* An SSL that is used again, by a library that has taken our info callback out of it. */
    if (watcher != NULL && cinch_foreign_is_new(watcher))
        cinch_foreign_again(ssl);
    watcher = cinch_foreign_begin(ssl);
    if (watcher != NULL && cinch_foreign_offers_ours(watcher))
        return 0;
    *alert = SSL_AD_INTERNAL_ERROR;
    return -1;
}

void cinch_foreign_insist(SSL_CTX *ctx)
{
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_info_callback(ctx, see);
    SSL_CTX_set_client_hello_cb(ctx, see_client_hello, NULL);
}

int cinch_foreign_watch(SSL_CTX *ctx, cinch_foreign *f)
{
    f->see_next = SSL_CTX_get_info_callback(ctx);
    cinch_foreign_insist(ctx);
    /* Until all is in place what they say is no, and that has to count. */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return f->derived->settings->is_server ||
           SSL_CTX_add_custom_ext(ctx, BEGINNING, SSL_EXT_CLIENT_HELLO, see_beginning, NULL, NULL,
                                  NULL, NULL) == 1;
}

cinch_status cinch_openssl_explain(SSL *ssl, cinch_error *err)
{
    cinch_error why = CINCH_ERROR_INIT;

    if (cinch_error_is_set(err))
        return CINCH_FAILED;
    if (ssl == NULL)
        return cinch_fail_null(err, "SSL");
    const cinch_conn *watcher = cinch_foreign_watcher(ssl);
    const cinch_foreign *f = cinch_foreign_of(ssl);
    if (watcher == NULL && (f == NULL || !f->ready))
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "no context was applied to this SSL's SSL_CTX%s",
                          f == NULL ? "" : ", for that failed");
    if (watcher == NULL)
        return ERR_peek_error() == 0 ? CINCH_OK : cinch_fail_memory(err, "beginning a handshake");
    if (watcher->failure != NULL && cinch_error_is_set(watcher->failure))
        return cinch_fail_keep(err, watcher->failure);
    if (ERR_peek_error() == 0)
        return CINCH_OK;
    explain(watcher, &why);
    return cinch_fail_keep(err, &why);
}
