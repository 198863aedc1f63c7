/* names.c: what a server does with the names in a ClientHello: SNI and ALPN. */
#include "base/fail.h"
#include "base/text.h"
#include "context/hosts.h"
#include "context/psk.h"
#include "context/resume.h"

#include <openssl/tls1.h>
#include <stdio.h>
#include <string.h>

char *cinch_alpn_text(const unsigned char *list, size_t list_size, char *buf, size_t size)
{
    size_t used = 0;

    buf[0] = 0;
    for (size_t at = 0; at < list_size && used + 4 < size; at += 1 + (size_t)list[at]) {
        size_t name = list[at];

        if (name > list_size - at - 1)
            break;
        if (at > 0)
            used += (size_t)snprintf(buf + used, size - used, ", ");
        used += cinch_text_clean(buf + used, size - used, list + at + 1, name, 0);
    }
    return buf;
}

int cinch_alpn_callback(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                        const unsigned char *in, unsigned in_size, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);
    char ours[256], theirs[256];

    (void)arg;
    if (link == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    const cinch_settings *settings = link->derived->settings;
    /* The server's order decides (RFC 7301, 3.2). */
    for (size_t at = 0; at < settings->alpn_size; at += 1 + (size_t)settings->alpn[at])
        for (size_t k = 0; k < in_size; k += 1 + (size_t)in[k]) {
            if (in[k] > in_size - k - 1)
                break;
            if (in[k] == settings->alpn[at] &&
                memcmp(in + k + 1, settings->alpn + at + 1, in[k]) == 0) {
                *out = in + k + 1;
                *out_size = in[k];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    if (settings->alpn_rule == CINCH_ALPN_OPTIONAL)
        return SSL_TLSEXT_ERR_NOACK;
    (void)cinch_fail(link->report, CINCH_CAUSE_NO_COMMON_ALPN,
                     "the client offers no application protocol that this server speaks");
    cinch_fail_evidence(link->report, "the client offers: %s\nthis server speaks: %s",
                        cinch_alpn_text(in, in_size, theirs, sizeof theirs),
                        cinch_alpn_text(settings->alpn, settings->alpn_size, ours, sizeof ours));
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int identity_covers(const cinch_identity *identity, const char *name)
{
    cinch_host host;

    /* A server with nothing but shared secrets has none. */
    return identity != NULL && cinch_host_parse(&host, name, NULL) == CINCH_OK &&
           cinch_host_matches(&host, identity->leaf);
}

int cinch_server_name_callback(SSL *ssl, int *alert, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);

    (void)arg;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    if (link == NULL || link->asked == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    /* Not libssl's answer: on resumption with TLS 1.2 that is the name in the session. */
    const char *name = link->asked[0] == 0 ? NULL : link->asked;
    const cinch_settings *settings = link->derived->settings;
    if (settings->server_name_rule == CINCH_SERVER_NAME_ANY)
        return name == NULL ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
    if (name == NULL) {
        if (settings->server_name_rule != CINCH_SERVER_NAME_REQUIRED)
            return SSL_TLSEXT_ERR_NOACK;
        (void)cinch_fail(link->report, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                         "the client does not say which server name it wants (SNI)");
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    if (identity_covers(settings->identity, name))
        return SSL_TLSEXT_ERR_OK;
    (void)cinch_fail(link->report, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                     "the client asks for \"%s\", which this server's certificate is not for",
                     name);
    cinch_hosts_show(settings, link->report);
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int cinch_client_hello_callback(SSL *ssl, int *alert, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);
    const unsigned char *extension;
    size_t size;
    char ours[256];

    (void)arg;
    if (link == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (!cinch_hosts_choose(link, ssl, alert))
        return SSL_CLIENT_HELLO_ERROR;
    /* Only now: from here on the rules are those of the host. */
    const cinch_settings *settings = link->derived->settings;
    cinch_psk_see_hello(link, ssl);
    if (!cinch_resume_prepare(link, ssl)) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (settings->alpn == NULL || settings->alpn_rule != CINCH_ALPN_REQUIRED ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                  &extension, &size) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    (void)cinch_fail(link->report, CINCH_CAUSE_NO_COMMON_ALPN,
                     "the client does not say which application protocol it speaks (ALPN)");
    cinch_fail_evidence(link->report, "this server speaks: %s",
                        cinch_alpn_text(settings->alpn, settings->alpn_size, ours, sizeof ours));
    return SSL_CLIENT_HELLO_ERROR;
}
