/* access.c: who of the trusted is let in. */
#include "context/access.h"

#include "base/certificate.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

#include <openssl/err.h>
#include <string.h>

#define WHY 256

static const char *const kinds[] = {
    [CINCH_MATCH_DNS] = "DNS name",
    [CINCH_MATCH_EMAIL] = "e-mail address",
    [CINCH_MATCH_URI] = "URI",
    [CINCH_MATCH_SPKI] = "key",
    [CINCH_MATCH_COMMON_NAME] = "common name",
};

/* One rule after the other; AT is 0 at first. 1 while there is one. */
static int next_rule(const cinch_settings *s, size_t *at, cinch_match *what,
                     const unsigned char **text, size_t *size)
{
    if (*at + CINCH_ALLOW_HEAD > s->allow_size)
        return 0;
    *what = (cinch_match)s->allow[*at];
    *size = (size_t)(s->allow[*at + 1] << 8 | s->allow[*at + 2]);
    *text = s->allow + *at + CINCH_ALLOW_HEAD;
    if (*size > s->allow_size - *at - CINCH_ALLOW_HEAD)
        return 0;
    *at += CINCH_ALLOW_HEAD + *size;
    return 1;
}

/* The rules, as many as there is room for: what the operator compares the client with. */
static void show_rules(const cinch_settings *s, cinch_error *report)
{
    const unsigned char *text;
    cinch_match what;
    size_t at = 0, size, shown = 0, all = 0;
    char clean[160];

    while (next_rule(s, &at, &what, &text, &size)) {
        if (++all > 6)
            continue;
        shown++;
        if (what == CINCH_MATCH_SPKI)
            (void)cinch_text_hex(clean, sizeof clean, text, size, 0);
        else
            (void)cinch_text_clean(clean, sizeof clean, text, size, 0);
        cinch_fail_evidence(report, "%s%s %s", shown == 1 ? "\nlet in are: " : ", ", kinds[what],
                            clean);
    }
    if (all > shown)
        cinch_fail_evidence(report, " and %zu more", all - shown);
}

static void show_who(const X509 *leaf, cinch_error *report)
{
    char text[512];

    cinch_fail_evidence(report, "certificate: %s", cinch_x509_subject(leaf, text, sizeof text));
    cinch_x509_names(leaf, text, sizeof text, 6);
    if (text[0] != 0)
        cinch_fail_evidence(report, "\nit is for: %s", text);
}

static int is_allowed(const cinch_settings *s, const X509 *leaf, cinch_error *report)
{
    const unsigned char *text;
    cinch_match what;
    size_t at = 0, size;

    if (s->allow_size == 0 || !s->is_server)
        return 1;
    while (next_rule(s, &at, &what, &text, &size))
        if (cinch_match_holds(what, text, size, leaf))
            return 1;
    (void)cinch_fail(report, CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED,
                     "the client is who it says, and no rule lets it in");
    show_who(leaf, report);
    show_rules(s, report);
    cinch_fail_remedy(report, "if it should be let in, add a rule for it with "
                              "cinch_context_allow()");
    return 0;
}

static int is_pinned(const cinch_settings *s, const STACK_OF(X509) * chain, cinch_error *report)
{
    unsigned char digest[32];
    char text[65] = "";

    if (!s->pinned || s->is_server)
        return 1;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (!cinch_x509_key_digest(sk_X509_value(chain, i), digest))
            continue;
        if (memcmp(digest, s->pins[0], 32) == 0 || memcmp(digest, s->pins[1], 32) == 0)
            return 1;
        if (i == 0)
            (void)cinch_text_hex(text, sizeof text, digest, 32, 0);
    }
    (void)cinch_fail(
        report, CINCH_CAUSE_CHAIN_RULE,
        "no certificate of the server's chain has one of the two keys that are pinned");
    show_who(sk_X509_value(chain, 0), report);
    cinch_fail_evidence(report, "\nSHA-256 of its key: %s", text);
    cinch_fail_remedy(report,
                      "do not go on, unless the server's keys were changed on purpose: then "
                      "pin the new ones with cinch_context_pin()");
    return 0;
}

static int callback_agrees(const cinch_settings *s, const STACK_OF(X509) * chain,
                           cinch_error *report)
{
    cinch_certificate **list = NULL;
    size_t count = 0;
    char why[WHY] = "", clean[WHY];
    cinch_error local = CINCH_ERROR_INIT;

    if (s->allow_if == NULL)
        return 1;
    if (cinch_certificate_list(chain, &list, &count, &local) != CINCH_OK || count == 0) {
        (void)cinch_fail_keep(report, &local);
        return 0;
    }
    int agrees = s->allow_if(list, count, why, sizeof why, s->allow_if_arg) == 1;
    cinch_certificate_list_free(list, count);
    if (agrees)
        return 1;
    why[WHY - 1] = 0;
    (void)cinch_text_clean(clean, sizeof clean, why, strlen(why), 0);
    (void)cinch_fail(report,
                     s->is_server ? CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED : CINCH_CAUSE_CHAIN_RULE,
                     "the program does not let the %s in%s%s", s->is_server ? "client" : "server",
                     clean[0] != 0 ? ": " : "", clean);
    show_who(sk_X509_value(chain, 0), report);
    cinch_fail_remedy(report, "ask whoever wrote the program's own check, set with "
                              "cinch_context_allow_if()");
    return 0;
}

int cinch_access_applies(const cinch_settings *settings)
{
    return settings->allow_if != NULL ||
           (settings->is_server ? settings->allow_size != 0 : settings->pinned);
}

int cinch_access_holds(const cinch_settings *settings, const STACK_OF(X509) * chain,
                       cinch_error *report)
{
    if (!cinch_access_applies(settings))
        return 1;
    if (sk_X509_num(chain) < 1)
        return 0;
    return is_pinned(settings, chain, report) &&
           is_allowed(settings, sk_X509_value(chain, 0), report) &&
           callback_agrees(settings, chain, report);
}

int cinch_access_holds_leaf(const cinch_settings *settings, X509 *leaf, cinch_error *report)
{
    if (!cinch_access_applies(settings))
        return 1;
    /* Anybody can send a pinned certificate along; only the leaf's key is proved by the handshake. */
    STACK_OF(X509) *chain = sk_X509_new_null();
    int holds = chain != NULL && leaf != NULL && sk_X509_push(chain, leaf) > 0 &&
                cinch_access_holds(settings, chain, report);
    sk_X509_free(chain);
    return holds;
}

int cinch_access_copy(cinch_settings *copy, const cinch_settings *settings)
{
    if (settings->allow == NULL)
        return 1;
    copy->allow = cinch_copy_bytes(settings->allow, settings->allow_size);
    return copy->allow != NULL;
}

int cinch_access_hash(const cinch_settings *s, EVP_MD_CTX *md)
{
    const uint64_t sizes[] = {s->relaxed, s->allow_size, (uint64_t)s->pinned};

    return EVP_DigestUpdate(md, sizes, sizeof sizes) == 1 &&
           (s->allow == NULL || EVP_DigestUpdate(md, s->allow, s->allow_size) == 1) &&
           EVP_DigestUpdate(md, s->pins, sizeof s->pins) == 1 &&
           EVP_DigestUpdate(md, (const void *)&s->allow_if, sizeof s->allow_if) == 1 &&
           EVP_DigestUpdate(md, (const void *)&s->allow_if_arg, sizeof s->allow_if_arg) == 1;
}

cinch_status cinch_access_check(const cinch_settings *settings, cinch_error *err)
{
    if (!settings->is_server || settings->client_auth != CINCH_CLIENT_AUTH_NONE ||
        !cinch_access_applies(settings))
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                     "there are rules on which clients are let in, and no client is asked for its "
                     "certificate");
    cinch_fail_remedy(err,
                      "ask for it with cinch_context_client_auth(), or take the rules out with "
                      "cinch_context_allow_all() and cinch_context_allow_if()");
    return CINCH_FAILED;
}
