/*
 * hosts_choose.c: which host is a connection for? Decided once, when the ClientHello is here and
 * before libssl looks at anything in it: versions, sessions, certificates come after.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"
#include "context/hosts.h"

#include <openssl/err.h>
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

/* ---- what the client can verify ---- */

static int has(const unsigned char *pairs, size_t size, int value)
{
    for (size_t at = 0; at + 1 < size; at += 2)
        if ((pairs[at] << 8 | pairs[at + 1]) == value)
            return 1;
    return 0;
}

/* The list inside extension TYPE, behind its length of COUNT bytes; *SIZE is 0 if there is none. */
static const unsigned char *list_of(SSL *ssl, unsigned type, size_t count, size_t *size)
{
    const unsigned char *in;

    if (SSL_client_hello_get0_ext(ssl, type, &in, size) != 1 || *size < count) {
        *size = 0;
        return NULL;
    }
    *size -= count;
    return in + count;
}

/* Signature algorithms (RFC 8446, 4.2.3) for a key; TLS 1.3 ties ECDSA's to the curve. */
static int signs_with(const cinch_identity *identity, cinch_key_kind kind, int is_1_3, int sigalg)
{
    const char *group = identity->certificates[0]->key_group;
    int low = sigalg & 0xff, high = sigalg >> 8;

    switch (kind) {
    case CINCH_KEY_EC:
        if (!is_1_3)
            return low == 3 && high >= 2 && high <= 6;
        return sigalg == (strcmp(group, "P-256") == 0   ? 0x0403
                          : strcmp(group, "P-384") == 0 ? 0x0503
                          : strcmp(group, "P-521") == 0 ? 0x0603
                                                        : 0);
    case CINCH_KEY_ED25519:
        return sigalg == 0x0807;
    case CINCH_KEY_ED448:
        return sigalg == 0x0808;
    case CINCH_KEY_RSA:
        return (sigalg >= 0x0804 && sigalg <= 0x0806) || (!is_1_3 && low == 1 && high <= 6);
    default:
        return sigalg >= 0x0809 && sigalg <= 0x080b;
    }
}

/* Whether the policy, which names algorithms in either of OpenSSL's ways, signs with KIND at all. */
static int policy_signs(const cinch_policy *policy, cinch_key_kind kind)
{
    static const char *const words[CINCH_KEY_KINDS][3] = {
        [CINCH_KEY_EC] = {"ecdsa", "ECDSA", NULL},
        [CINCH_KEY_ED25519] = {"ed25519", "Ed25519", "ED25519"},
        [CINCH_KEY_ED448] = {"ed448", "Ed448", "ED448"},
        [CINCH_KEY_RSA] = {"rsa_p", "RSA", NULL},
        [CINCH_KEY_RSA_PSS] = {"rsa_pss_pss", "RSA-PSS", "PSS+"},
    };
    int found = 0;

    for (size_t i = 0; i < 3 && !found; i++)
        found = words[kind][i] != NULL && strstr(policy->sigalgs, words[kind][i]) != NULL;
    return found;
}

/* TLS 1.2 says with the cipher suite which kind of key there is (RFC 5246, 7.4.2; RFC 8422, 5.3). */
static int suites_allow(SSL *ssl, cinch_key_kind kind)
{
    const unsigned char *theirs;
    size_t size = SSL_client_hello_get0_ciphers(ssl, &theirs);
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(ssl);
    int auth = kind == CINCH_KEY_RSA || kind == CINCH_KEY_RSA_PSS ? NID_auth_rsa : NID_auth_ecdsa;

    for (int i = 0; i < sk_SSL_CIPHER_num(ours); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(ours, i);

        if (SSL_CIPHER_get_auth_nid(suite) == auth &&
            has(theirs, size, SSL_CIPHER_get_protocol_id(suite)))
            return 1;
    }
    return 0;
}

static int is_supported(const cinch_link *link, SSL *ssl, const cinch_identity *identity,
                        cinch_key_kind kind)
{
    const cinch_policy *policy = link->derived->settings->policy;
    size_t size;
    const unsigned char *list = list_of(ssl, TLSEXT_TYPE_supported_versions, 1, &size);
    int is_1_3 = policy->max >= TLS1_3_VERSION && has(list, size, TLS1_3_VERSION);

    if (!policy_signs(policy, kind) || (!is_1_3 && !suites_allow(ssl, kind)))
        return 0;
    list = list_of(ssl, TLSEXT_TYPE_signature_algorithms, 2, &size);
    if (size == 0)
        return !is_1_3;
    for (size_t at = 0; at + 1 < size; at += 2)
        if (signs_with(identity, kind, is_1_3, list[at] << 8 | list[at + 1]))
            return 1;
    return 0;
}

/* ---- identities ---- */

/* The kinds of keys that there are for a name, as it stands or by a wildcard. */
typedef struct candidates {
    cinch_identity *of[CINCH_KEY_KINDS];
} candidates;

/* The first identity is not in the table unless it was added; is it for NAME in this way? */
static int covers(const cinch_identity *identity, const cinch_host *name, int wild)
{
    const cinch_certificate *leaf = identity->certificates[0];

    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS && (leaf->names[i].text[0] == '*') == wild &&
            cinch_host_covers(name, leaf->names[i].text, strlen(leaf->names[i].text)))
            return 1;
    return 0;
}

static candidates gather(const cinch_settings *settings, const cinch_host_entry *entry,
                         const cinch_host *name, int wild)
{
    candidates c = {{NULL}};

    if (entry != NULL)
        memcpy(c.of, entry->identities, sizeof c.of);
    /* A server with nothing but shared secrets has none. */
    if (settings->identity == NULL)
        return c;
    cinch_key_kind kind = cinch_identity_kind(settings->identity);
    if (c.of[kind] == NULL && covers(settings->identity, name, wild))
        c.of[kind] = settings->identity;
    return c;
}

static cinch_identity *best(const cinch_link *link, SSL *ssl, const candidates *c, int any)
{
    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        if (c->of[i] != NULL && (any || is_supported(link, ssl, c->of[i], (cinch_key_kind)i)))
            return c->of[i];
    return NULL;
}

/* The identity for NAME; NULL if none is. */
static cinch_identity *identity_for(const cinch_link *link, SSL *ssl, const cinch_host *name)
{
    const cinch_settings *settings = link->derived->settings;
    char key[CINCH_HOST_TEXT + 2];
    const cinch_host_entry *exact = cinch_hosts_find(settings->hosts, name->text);
    const cinch_host_entry *wild =
        cinch_host_wildcard(key, name->text) ? cinch_hosts_find(settings->hosts, key) : NULL;
    candidates c[2] = {gather(settings, exact, name, 0), gather(settings, wild, name, 1)};
    cinch_identity *identity = NULL;

    for (size_t i = 0; i < 4 && identity == NULL; i++)
        identity = best(link, ssl, &c[i % 2], i >= 2);
    return identity;
}

/* For a client that is to be answered in any case: the first one, or its sibling with another key. */
static cinch_identity *fallback(const cinch_link *link, SSL *ssl)
{
    cinch_identity *first = link->derived->settings->identity;
    cinch_host name;

    if (first == NULL || is_supported(link, ssl, first, cinch_identity_kind(first)))
        return first;
    const cinch_certificate *leaf = first->certificates[0];
    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS && leaf->names[i].text[0] != '*' &&
            cinch_host_parse(&name, leaf->names[i].text, NULL) == CINCH_OK && name.ip_size == 0) {
            cinch_identity *other = identity_for(link, ssl, &name);

            return other == NULL ? first : other;
        }
    return first;
}

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
static int ask_callback(cinch_link *link, const char *name, cinch_context **ctx, int *alert)
{
    const cinch_settings *settings = link->derived->settings;
    int refuse = 0;

    cinch_client_hello *hello = cinch_hello_view_new(link->hello, link->hello_size, name);
    if (hello == NULL) {
        (void)cinch_fail_memory(link->report, "showing a ClientHello to a callback");
        return end(alert, SSL_AD_INTERNAL_ERROR);
    }
    *ctx = settings->choose(hello, &refuse, settings->choose_arg);
    ERR_clear_error();
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
    cinch_identity *identity = named ? identity_for(link, ssl, name) : NULL;
    if (identity == NULL &&
        (settings->server_name_rule == CINCH_SERVER_NAME_REQUIRED ||
         (settings->server_name_rule == CINCH_SERVER_NAME_KNOWN && asked[0] != 0)))
        return unknown(link, asked, alert);
    if (settings->hosts == NULL)
        return 1;
    return use_identity(link, ssl, identity != NULL ? identity : fallback(link, ssl), alert);
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
    if (link->derived->settings->choose != NULL && !ask_callback(link, shown_name, &ctx, alert))
        return 0;
    if (ctx != NULL)
        return use_context(link, ssl, ctx, "", alert);
    return choose_by_name(link, ssl, asked, &name, alert);
}

void cinch_hosts_release(cinch_link *link)
{
    cinch_release(link->asked);
    link->asked = NULL;
    cinch_derived_unref(link->first);
    link->first = NULL;
}
