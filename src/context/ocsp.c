/* ocsp.c: stapled OCSP responses: what a server sends, and what a client that wants one does. */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "context/revocation.h"

#include <openssl/err.h>
#include <string.h>

#define TEXT 256

/* The certificate that goes out is chosen when libssl calls this. */
static int staple(SSL *ssl, const cinch_link *link)
{
    const unsigned char *bytes;
    size_t size = cinch_staples_bytes(link->derived->settings->staples, SSL_get_certificate(ssl),
                                      cinch_clock_wall(), &bytes);
    unsigned char *copy = size == 0 ? NULL : OPENSSL_memdup(bytes, size);

    ERR_clear_error();
    /* Without one the handshake goes on: whether that is enough is the client's decision. */
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    if (SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)size) != 1) {
        OPENSSL_free(copy);
        return SSL_TLSEXT_ERR_NOACK;
    }
    return SSL_TLSEXT_ERR_OK;
}

static void explain(const cinch_link *link, cinch_ocsp_verdict verdict,
                    const cinch_ocsp_finding *finding, X509 *leaf, cinch_error *err)
{
    char subject[TEXT], issuer[TEXT], since[32], until[32];

    if (verdict == CINCH_OCSP_FAILED) {
        (void)cinch_fail_memory(err, "checking an OCSP response");
        return;
    }
    if (verdict == CINCH_OCSP_REVOKED) {
        (void)cinch_fail(err, CINCH_CAUSE_REVOKED,
                         "the server's certificate has been revoked by its issuer");
        cinch_fail_evidence(err, "since %s: %s\nthe server's own OCSP response says so, of %s\n",
                            cinch_clock_text(finding->revoked_at, since),
                            cinch_crl_reason(finding->reason),
                            cinch_clock_text(finding->this_update, until));
    } else {
        (void)cinch_fail(err, CINCH_CAUSE_OCSP,
                         "there is no good OCSP response, and this client requires one");
        cinch_fail_evidence(err, "%s %s\n",
                            finding->why[0] == 0 ? "the server sent" : "the OCSP response",
                            finding->why[0] == 0 ? "none" : finding->why);
    }
    cinch_fail_evidence(err, "it is for: %s; certificate: %s\nissued by: %s", link->host.text,
                        cinch_x509_subject(leaf, subject, TEXT),
                        cinch_x509_issuer(leaf, issuer, TEXT));
}

/*
 * After the server's flight, in TLS 1.2 and 1.3, with a response or without: 1 to go on, 0 for the
 * alert bad_certificate_status_response.
 */
static int check_staple(SSL *ssl, cinch_link *link)
{
    const cinch_settings *settings = link->derived->settings;
    STACK_OF(X509) *chain = link->chain_is_verified ? SSL_get0_verified_chain(ssl) : NULL;
    X509 *leaf = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : NULL;
    X509 *issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : NULL;
    cinch_ocsp_finding finding = {.reason = -1};
    cinch_ocsp_verdict verdict = CINCH_OCSP_BAD;
    const unsigned char *bytes = NULL;
    long size = SSL_get_tlsext_status_ocsp_resp(ssl, &bytes);

    if (leaf == NULL) {
        (void)cinch_fail(link->report, CINCH_CAUSE_INTERNAL,
                         "an OCSP response came before the server was verified");
        return 0;
    }
    if (issuer == NULL)
        (void)snprintf(finding.why, sizeof finding.why,
                       "cannot be checked: the server's certificate is trusted itself, and its "
                       "issuer is not known");
    else if (bytes != NULL && size > 0)
        verdict = cinch_ocsp_check(bytes, (size_t)size, leaf, issuer, settings->crls,
                                   cinch_clock_wall(), &finding);
    ERR_clear_error();
    if (verdict == CINCH_OCSP_GOOD) {
        link->staple_until = finding.next_update;
        link->staple_is_good = 1;
        return 1;
    }
    explain(link, verdict, &finding, leaf, link->report);
    return 0;
}

static int status_callback(SSL *ssl, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);

    (void)arg;
    if (link == NULL)
        return SSL_is_server(ssl) ? SSL_TLSEXT_ERR_NOACK : 0;
    if (link->derived->settings->is_server)
        return staple(ssl, link);
    /* A resumed session brings neither certificate nor response; a handshake by secret has none. */
    if (!link->derived->settings->ocsp_required || SSL_session_reused(ssl) == 1 ||
        SSL_get0_peer_certificate(ssl) == NULL)
        return 1;
    return check_staple(ssl, link);
}

cinch_status cinch_revocation_install(const cinch_settings *settings, SSL_CTX *ctx,
                                      cinch_error *err)
{
    int needs_verification = settings->ocsp_required || settings->crl_rule != 0;

    if (needs_verification && settings->skip_verification) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "revocation cannot be checked where the verification is skipped");
        cinch_fail_remedy(err, "take back cinch_context_insecure_skip_verification(), or the rule "
                               "about revocation");
        return CINCH_FAILED;
    }
    /* The one of the context that a name leads to is not the one that libssl would call. */
    if (!settings->is_server && !settings->ocsp_required)
        return CINCH_OK;
    if (SSL_CTX_set_tlsext_status_cb(ctx, status_callback) != 1 ||
        (!settings->is_server && SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp) != 1))
        return cinch_fail_crypto(err, "setting up OCSP");
    return CINCH_OK;
}

int cinch_revocation_passed(const cinch_link *link)
{
    return link->staple_is_good || !link->derived->settings->ocsp_required;
}

void cinch_revocation_limit(const cinch_link *link, SSL_SESSION *session)
{
    int64_t until = link->staple_until, life = (int64_t)SSL_SESSION_get_timeout(session),
            made = cinch_ssl_session_time(session);

    if (!link->derived->settings->ocsp_required)
        return;
    /* A session of a session ends when the first one would have. */
    if (!link->staple_is_good && link->offered != NULL)
        until = cinch_ssl_session_time(link->offered->session) +
                (int64_t)SSL_SESSION_get_timeout(link->offered->session);
    if (until < made + life)
        (void)SSL_SESSION_set_timeout(session, until > made ? (long)(until - made) : 1);
}
