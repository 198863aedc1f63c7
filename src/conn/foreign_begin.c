/* foreign_begin.c: what an SSL of another library needs before its handshake. */
#include "base/fail.h"
#include "base/memory.h"
#include "conn/foreign.h"
#include "context/hosts.h"
#include "context/resume.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

static atomic_int watcher_place = -1;

static void release(cinch_conn *watcher)
{
    if (watcher == NULL)
        return;
    sk_X509_pop_free(watcher->link.sent, X509_free);
    cinch_resume_release(&watcher->link);
    cinch_hosts_release(&watcher->link);
    cinch_derived_unref(watcher->link.derived);
    cinch_release(watcher->failure);
    cinch_release(watcher);
}

static void free_watcher(void *parent, void *watcher, CRYPTO_EX_DATA *data, int index, long number,
                         void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    release(watcher);
}

/* Each SSL has its own; a copy by SSL_dup() gets one when it begins. */
static int leave_out(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **watcher, int index,
                     long number, void *pointer)
{
    (void)to;
    (void)from;
    (void)index;
    (void)number;
    (void)pointer;
    *watcher = NULL;
    return 1;
}

cinch_conn *cinch_foreign_watcher(const SSL *ssl)
{
    int place = atomic_load(&watcher_place);

    return place < 0 ? NULL : SSL_get_ex_data(ssl, place);
}

/* An address or a name that the library expects by SSL_set1_host() or by its parameters. */
static cinch_status expected(SSL *ssl, cinch_host *host, cinch_error *err)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    const char *name = X509_VERIFY_PARAM_get0_host(param, 0);
    char *ip = X509_VERIFY_PARAM_get1_ip_asc(param);
    cinch_status status = CINCH_OK;

    if (X509_VERIFY_PARAM_get0_host(param, 1) != NULL || (name != NULL && ip != NULL))
        status =
            cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                       "the library expects one of several hosts, \"%s\" and another one", name);
    else if (ip != NULL || name != NULL)
        status = cinch_host_parse(host, ip != NULL ? ip : name, err);
    OPENSSL_free(ip);
    return status;
}

static cinch_status find_host(const cinch_foreign *f, SSL *ssl, cinch_host *host, cinch_error *err)
{
    const cinch_settings *settings = f->derived->settings;
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    if (f->host.text[0] != 0) {
        *host = f->host;
        if (asked != NULL || !settings->send_server_name || host->ip_size != 0)
            return CINCH_OK;
        /* Addresses are not sent: RFC 6066, 3. */
        return SSL_set_tlsext_host_name(ssl, host->text) == 1
                   ? CINCH_OK
                   : cinch_fail_crypto(err, "setting the server name");
    }
    if (expected(ssl, host, err) != CINCH_OK)
        return CINCH_FAILED;
    if (host->text[0] == 0 && asked != NULL && cinch_host_parse(host, asked, err) != CINCH_OK)
        return CINCH_FAILED;
    if (host->text[0] != 0 || settings->skip_name)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_NO_HOST_NAME,
                     "it is not known whom the certificate has to be for");
    cinch_fail_evidence(err, "the library has set no host, and asks for none (SNI)");
    cinch_fail_remedy(err, "give the host to cinch_context_openssl_apply(), or have the library "
                           "set it by SSL_set1_host() before the handshake");
    return CINCH_FAILED;
}

/*
 * Whom it is for, and which session may be resumed. Before the ClientHello one that may not is taken out;
 * later, where the library has taken our info callback out of the SSL, it can only be refused.
 */
static cinch_status begin_client(cinch_conn *watcher, const cinch_foreign *f, cinch_error *err)
{
    SSL *ssl = watcher->ssl;
    SSL_SESSION *session = SSL_get1_session(ssl);
    int early = SSL_get_state(ssl) == TLS_ST_BEFORE;
    cinch_status status = CINCH_OK;

    /* With a session libssl tells the name in there where none is asked for. */
    if (session != NULL && early && SSL_set_session(ssl, NULL) != 1)
        status = cinch_fail_crypto(err, "beginning a handshake");
    if (status == CINCH_OK)
        status = find_host(f, ssl, &watcher->link.host, err);
    if (status == CINCH_OK && session != NULL)
        cinch_foreign_look(watcher, session);
    if (watcher->link.offered != NULL && early && SSL_set_session(ssl, session) != 1)
        status = cinch_fail_crypto(err, "beginning a handshake");
    SSL_SESSION_free(session);
    return status;
}

static cinch_status set_up(cinch_conn *watcher, const cinch_foreign *f)
{
    cinch_error *err = watcher->link.report;
    SSL *ssl = watcher->ssl;
    const cinch_settings *settings = watcher->link.derived->settings;
    int is_server = settings->is_server;

    if (!cinch_link_attach(&watcher->link, ssl))
        return cinch_fail_memory(err, "beginning a handshake");
    if (SSL_is_server(ssl) != is_server)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a %s's context was applied for a %s",
                          is_server ? "server" : "client", is_server ? "client" : "server");
    /* Whatever the library thinks of verification, here or in its SSL_CTX. */
    SSL_set_verify(ssl, cinch_settings_verify_mode(settings), NULL);
    cinch_foreign_stay(watcher);
    return is_server ? CINCH_OK : begin_client(watcher, f, err);
}

cinch_conn *cinch_foreign_begin(SSL *ssl)
{
    cinch_conn *watcher = cinch_foreign_watcher(ssl);
    const cinch_foreign *f = cinch_foreign_of(ssl);

    if (watcher != NULL)
        return watcher->state == CINCH_STATE_FAILED ? NULL : watcher;
    int place = cinch_ex_place(&watcher_place, CRYPTO_EX_INDEX_SSL, leave_out, free_watcher);
    if (f == NULL || !f->ready || place < 0)
        return NULL;
    watcher = cinch_alloc(sizeof *watcher);
    if (watcher == NULL)
        return NULL;
    watcher->ssl = ssl;
    watcher->link.derived = cinch_derived_ref(f->derived);
    watcher->failure = cinch_alloc(sizeof *watcher->failure);
    watcher->link.report = watcher->failure;
    if (watcher->failure == NULL || SSL_set_ex_data(ssl, place, watcher) != 1) {
        release(watcher);
        return NULL;
    }
    /* What OpenSSL has to say of what is not there is no failure of the library's. */
    (void)ERR_set_mark();
    cinch_status status = set_up(watcher, f);
    (void)ERR_pop_to_mark();
    if (status == CINCH_OK)
        return watcher;
    watcher->state = CINCH_STATE_FAILED;
    return NULL;
}

int cinch_foreign_is_new(const cinch_conn *watcher)
{
    const cinch_foreign *f = cinch_foreign_of(watcher->ssl);
    cinch_error local = CINCH_ERROR_INIT;
    cinch_host now = {.text = ""};

    if (watcher->state == CINCH_STATE_FAILED || f == NULL)
        return 0;
    (void)ERR_set_mark();
    cinch_status status = find_host(f, watcher->ssl, &now, &local);
    (void)ERR_pop_to_mark();
    return status != CINCH_OK || strcmp(now.text, watcher->link.host.text) != 0;
}

void cinch_foreign_again(SSL *ssl)
{
    cinch_conn *watcher = cinch_foreign_watcher(ssl);
    int place = atomic_load(&watcher_place);

    if (watcher == NULL || SSL_set_ex_data(ssl, place, NULL) != 1)
        return;
    cinch_foreign_leave(watcher);
    /* The link is gone with it: until there is another one, callbacks refuse. */
    cinch_link_detach(ssl);
    release(watcher);
}
