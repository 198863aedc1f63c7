/*
 * hosts_choose.c: which host is a connection for? Decided once, when the ClientHello is here and
 * before libssl looks at anything in it: versions, sessions, certificates come after.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"
#include "context/hosts.h"
#include "context/psk.h"

#include <stdio.h>
#include <string.h>

#define MOST_NAMES 12

static int end(int *alert, int with)
{
    *alert = with;
    return 0;
}

static int malformed(const cinch_link *link, int *alert)
{
    (void)cinch_fail(link->report, CINCH_CAUSE_PROTOCOL,
                     "the server name in the ClientHello is malformed");
    return end(alert, SSL_AD_DECODE_ERROR);
}

/*
 * RFC 6066, 3: one name of the type host_name. A NUL inside would make the rest of the program see
 * another name than this. *ASKED is "" if the client does not say.
 */
static int read_name(const cinch_link *link, SSL *ssl, char asked[static CINCH_HOST_TEXT],
                     int *alert)
{
    const unsigned char *in;
    size_t size;

    asked[0] = 0;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &in, &size) != 1)
        return 1;
    if (size < 5 || (size_t)(in[0] << 8 | in[1]) != size - 2 ||
        in[2] != TLSEXT_NAMETYPE_host_name || (size_t)(in[3] << 8 | in[4]) != size - 5 || size == 5)
        return malformed(link, alert);
    in += 5;
    size -= 5;
    if (size >= CINCH_HOST_TEXT || memchr(in, 0, size) != NULL) {
        (void)cinch_fail(link->report, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                         "the client asks for a name that nobody can have");
        return end(alert, SSL_AD_UNRECOGNIZED_NAME);
    }
    memcpy(asked, in, size);
    asked[size] = 0;
    return 1;
}

/*
 * The hello after a HelloRetryRequest must ask for the same (RFC 8446, 4.1.2): the choice is made,
 * and what is reported as asked for must be what was chosen by.
 */
static int check_again(const cinch_link *link, const char *asked, int *alert)
{
    if (strcmp(link->asked, asked) == 0)
        return 1;
    (void)cinch_fail(link->report, CINCH_CAUSE_PROTOCOL,
                     "the client asks for one server name first and for another one after the "
                     "HelloRetryRequest");
    return end(alert, SSL_AD_ILLEGAL_PARAMETER);
}

/* ---- identities ---- */

static int use_identity(cinch_link *link, SSL *ssl, cinch_identity *identity, int *alert)
{
    if (identity == link->derived->settings->identity)
        return 1;
    cinch_derived *to = cinch_hosts_derive(link->derived, identity, link->report);
    if (to != NULL && cinch_hosts_switch(link, ssl, to, ""))
        return 1;
    return end(alert, SSL_AD_INTERNAL_ERROR);
}

/* ---- contexts ---- */

static int use_context(cinch_link *link, SSL *ssl, cinch_context *ctx, const char *name, int *alert)
{
    *alert = SSL_AD_INTERNAL_ERROR;
    if (!cinch_context_is_server(ctx)) {
        (void)cinch_fail(link->report, CINCH_CAUSE_MISUSE,
                         "the callback of cinch_context_choose() gave a context for clients");
        return 0;
    }
    cinch_derived *to = cinch_context_derive(ctx, link->report);
    return to != NULL && cinch_hosts_switch(link, ssl, to, name);
}

static void refused_by_callback(const cinch_link *link, const cinch_client_hello *hello, int alert)
{
    char name[CINCH_HOST_TEXT * 4];

    cinch_text_clean(name, sizeof name, hello->server_name, strlen(hello->server_name), 0);
    (void)cinch_fail(link->report,
                     alert == SSL_AD_UNRECOGNIZED_NAME ? CINCH_CAUSE_UNKNOWN_SERVER_NAME
                                                       : CINCH_CAUSE_HANDSHAKE_REFUSED,
                     "the callback of cinch_context_choose() refuses the client");
    cinch_fail_evidence(link->report, "it asks for \"%s\"\nits JA4 fingerprint is %s", name,
                        hello->ja4);
    cinch_fail_remedy(link->report, "nothing has to be done if this was meant; else look at what "
                                    "the callback decides by");
}

/* *CTX is what the callback chose, NULL for nothing. */
static int ask_callback(cinch_link *link, SSL *ssl, const char *name, cinch_context **ctx,
                        int *alert)
{
    const cinch_settings *settings = link->derived->settings;
    int refuse = 0;

    if (SSL_client_hello_isv2(ssl)) {
        (void)cinch_fail(
            link->report, CINCH_CAUSE_PROTOCOL,
            "the client begins as with SSL 2.0 (RFC 6176), which a callback cannot see");
        return end(alert, SSL_AD_PROTOCOL_VERSION);
    }
    cinch_client_hello *hello = cinch_hello_view_new(link->hello, link->hello_size, name);
    if (hello == NULL) {
        (void)cinch_fail_memory(link->report, "showing a ClientHello to a callback");
        return end(alert, SSL_AD_INTERNAL_ERROR);
    }
    *ctx = settings->choose(hello, &refuse, settings->choose_arg);
    cinch_openssl_clear();
    if (refuse != 0) {
        /* libssl sends nothing for a number that means nothing. */
        *alert = strcmp(cinch_alert_name(refuse), "unknown alert") == 0 ? SSL_AD_HANDSHAKE_FAILURE
                                                                        : refuse;
        refused_by_callback(link, hello, *alert);
    }
    cinch_release(hello);
    return refuse == 0;
}

/* The context for NAME; *KEY is what led to it. */
static cinch_context *context_for(const cinch_hosts *hosts, const cinch_host *name,
                                  char key[static CINCH_HOST_TEXT + 2])
{
    const cinch_host_entry *entry = cinch_hosts_find(hosts, name->text);

    memcpy(key, name->text, strlen(name->text) + 1);
    if ((entry == NULL || entry->context == NULL) && cinch_host_wildcard(key, name->text))
        entry = cinch_hosts_find(hosts, key);
    return entry == NULL ? NULL : entry->context;
}

/* ---- all together ---- */

typedef struct shown {
    cinch_error *err;
    size_t count;
    size_t more;
} shown;

static int show_name(const cinch_host_entry *entry, void *arg)
{
    shown *s = arg;

    if (s->count == MOST_NAMES) {
        s->more = 1;
        return 0;
    }
    cinch_fail_evidence(s->err, "%s%s", s->count > 0 ? ", " : "this server knows: ", entry->name);
    s->count++;
    return 1;
}

void cinch_hosts_show(const cinch_settings *settings, cinch_error *err)
{
    const cinch_certificate *leaf =
        settings->identity == NULL ? NULL : settings->identity->certificates[0];
    cinch_host_entry entry;
    shown s = {err, 0, 0};

    /* Those of the first identity, unless it was added and is in the table anyway. */
    for (size_t i = 0; leaf != NULL && !settings->first_was_added && i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS) {
            snprintf(entry.name, sizeof entry.name, "%s", leaf->names[i].text);
            if (!show_name(&entry, &s))
                break;
        }
    if (!s.more)
        (void)cinch_hosts_each(settings->hosts, show_name, &s);
    if (s.more)
        cinch_fail_evidence(err, " and more");
}

static int unknown(const cinch_link *link, const char *asked, int *alert)
{
    const cinch_settings *settings = link->derived->settings;
    char name[CINCH_HOST_TEXT * 4];

    cinch_text_clean(name, sizeof name, asked, strlen(asked), 0);
    if (asked[0] == 0)
        (void)cinch_fail(link->report, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
                         "the client does not say which server name it wants (SNI)");
    else
        (void)cinch_fail(
            link->report, CINCH_CAUSE_UNKNOWN_SERVER_NAME,
            settings->hosts == NULL
                ? "the client asks for \"%s\", which this server's certificate is not for"
                : "the client asks for \"%s\", which is no host of this server",
            name);
    cinch_hosts_show(settings, link->report);
    return end(alert, SSL_AD_UNRECOGNIZED_NAME);
}

static int choose_by_name(cinch_link *link, SSL *ssl, const char *asked, const cinch_host *name,
                          int *alert)
{
    const cinch_settings *settings = link->derived->settings;
    char key[CINCH_HOST_TEXT + 2];
    int named = name->text[0] != 0 && name->ip_size == 0;
    cinch_context *ctx = named ? context_for(settings->hosts, name, key) : NULL;

    if (ctx != NULL)
        return use_context(link, ssl, ctx, key, alert);
    cinch_identity *identity = named ? cinch_hosts_identity(link, ssl, name) : NULL;
    if (identity == NULL &&
        (settings->server_name_rule == CINCH_SERVER_NAME_REQUIRED ||
         (settings->server_name_rule == CINCH_SERVER_NAME_KNOWN && asked[0] != 0)))
        return unknown(link, asked, alert);
    if (settings->hosts == NULL)
        return 1;
    return use_identity(link, ssl, identity != NULL ? identity : cinch_hosts_fallback(link, ssl),
                        alert);
}

int cinch_hosts_choose(cinch_link *link, SSL *ssl, int *alert)
{
    char asked[CINCH_HOST_TEXT];
    cinch_context *ctx = NULL;
    cinch_host name = {0};

    if (!read_name(link, ssl, asked, alert))
        return 0;
    if (link->asked != NULL)
        return check_again(link, asked, alert);
    memcpy(link->session_digest, link->derived->session_digest, sizeof link->session_digest);
    link->asked = cinch_copy_text(asked);
    if (link->asked == NULL) {
        (void)cinch_fail_memory(link->report, "reading a ClientHello");
        return end(alert, SSL_AD_INTERNAL_ERROR);
    }
    if (asked[0] != 0 && cinch_host_parse(&name, asked, NULL) != CINCH_OK)
        name = (cinch_host){0};
    const char *shown_name = name.text[0] != 0 ? name.text : asked;
    if (link->derived->settings->choose != NULL &&
        !ask_callback(link, ssl, shown_name, &ctx, alert))
        return 0;
    if (ctx != NULL)
        return use_context(link, ssl, ctx, "", alert);
    if (link->derived->settings->identity == NULL && !cinch_psk_only(link->derived->settings) &&
        link->derived->settings->hosts == NULL) {
        (void)cinch_fail(link->report, CINCH_CAUSE_NO_IDENTITY,
                         "the callback of cinch_context_choose() gave no context, and the server's "
                         "own has no identity");
        return end(alert, SSL_AD_HANDSHAKE_FAILURE);
    }
    return choose_by_name(link, ssl, asked, &name, alert);
}

void cinch_hosts_release(cinch_link *link)
{
    cinch_release(link->asked);
    link->asked = NULL;
    cinch_derived_unref(link->first);
    link->first = NULL;
}
