/* access_setters.c: what a program may say on who is let in, and on the rules of the profile. */
#include "base/fail.h"
#include "base/hostname.h"
#include "base/memory.h"
#include "base/text.h"
#include "context/access.h"
#include "context/profile.h"

#include <openssl/evp.h>
#include <string.h>

#define LONGEST_TEXT 2048
#define MOST_RULES ((size_t)256 * 1024) /* bytes: each client is compared with all of them */

typedef struct relaxation {
    cinch_rule rule;
    int on;
} relaxation;

static cinch_status change_relaxed(cinch_settings *settings, const void *value, cinch_error *err)
{
    const relaxation *r = value;

    if ((unsigned)r->rule >= CINCH_RULE_COUNT)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "there is no rule number %d", (int)r->rule);
    if (r->on)
        settings->relaxed |= 1u << r->rule;
    else
        settings->relaxed &= ~(1u << r->rule);
    return CINCH_OK;
}

cinch_status cinch_context_insecure_relax(cinch_context *ctx, cinch_rule rule, int on,
                                          cinch_error *err)
{
    relaxation r = {rule, on};

    return cinch_context_change(ctx, NULL, change_relaxed, &r, err);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int is_base64(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '+' || c == '/'))
            return 0;
    }
    return 1;
}

/* A SHA-256 as 64 hexadecimal digits, or as 43 characters of Base64 and "=". 1 or 0. */
static int read_digest(const char *text, unsigned char digest[32])
{
    unsigned char bytes[36];
    size_t length = strlen(text);

    if (length == 44 && text[43] == '=' && is_base64(text, 43)) {
        if (EVP_DecodeBlock(bytes, (const unsigned char *)text, 44) != 33 || bytes[32] != 0)
            return 0;
        memcpy(digest, bytes, 32);
        return 1;
    }
    if (length != 64)
        return 0;
    for (size_t i = 0; i < 32; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return 0;
        digest[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

typedef struct admission {
    cinch_match what;
    const char *text;
    unsigned char bytes[LONGEST_TEXT];
    size_t size;
} admission;

static const char *read_dns(admission *a)
{
    cinch_host host;
    int wildcard = a->text[0] == '*' && a->text[1] == '.';

    if (cinch_host_parse(&host, a->text + (wildcard ? 2 : 0), NULL) != CINCH_OK ||
        host.ip_size != 0)
        return "it is no host name";
    if (wildcard && strchr(host.text, '.') == NULL)
        return "a wildcard needs two labels behind it";
    a->size = strlen(host.text) + (wildcard ? 2 : 0);
    memcpy(a->bytes, "*.", 2);
    memcpy(a->bytes + (wildcard ? 2 : 0), host.text, strlen(host.text));
    return NULL;
}

static const char *read_uri(admission *a)
{
    static const char scheme[] = "spiffe://";
    const unsigned char *text = (const unsigned char *)a->text;

    for (size_t i = 0; i < a->size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return "a URI has no spaces, and nothing beyond ASCII";
    if (strncmp(a->text, scheme, sizeof scheme - 1) == 0)
        return cinch_match_spiffe(text, a->size, text[a->size - 1] == '/')
                   ? NULL
                   : "it is no SPIFFE ID: spiffe://trust.domain/path, the domain in lower case";
    const char *colon = strchr(a->text, ':');
    return colon == NULL || colon == a->text || colon[1] == 0 ? "it has no scheme and colon" : NULL;
}

static const char *read_common_name(const admission *a)
{
    char clean[LONGEST_TEXT + 1];

    /* What would have to be replaced to be shown is not what anybody meant. */
    (void)cinch_text_clean(clean, sizeof clean, a->text, a->size, 0);
    return strcmp(clean, a->text) == 0 ? NULL : "it is not printable UTF-8";
}

/* The text as it is kept; NULL or what is wrong with it. */
static const char *read_text(admission *a)
{
    a->size = strlen(a->text);
    if (a->size == 0)
        return "it is empty";
    if (a->size >= LONGEST_TEXT)
        return "it is longer than 2047 bytes";
    memcpy(a->bytes, a->text, a->size);
    switch (a->what) {
    case CINCH_MATCH_DNS:
        return read_dns(a);
    case CINCH_MATCH_EMAIL:
        return cinch_is_mailbox(a->bytes, a->size) ? NULL : "it is no e-mail address";
    case CINCH_MATCH_URI:
        return read_uri(a);
    case CINCH_MATCH_SPKI:
        a->size = 32;
        return read_digest(a->text, a->bytes)
                   ? NULL
                   : "a key is named by the SHA-256 of it, in 64 hexadecimal digits or Base64";
    case CINCH_MATCH_COMMON_NAME:
        return read_common_name(a);
    default:
        return "there is no such kind of rule";
    }
}

static cinch_status change_allow(cinch_settings *settings, const void *value, cinch_error *err)
{
    const admission *a = value;
    size_t more = CINCH_ALLOW_HEAD + a->size;

    if (settings->allow_size + more > MOST_RULES)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "there are too many rules on clients");
    unsigned char *grown = cinch_grow(settings->allow, settings->allow_size + more);
    if (grown == NULL)
        return cinch_fail_memory(err, "adding a rule on clients");
    unsigned char *at = grown + settings->allow_size;
    at[0] = (unsigned char)a->what;
    at[1] = (unsigned char)(a->size >> 8);
    at[2] = (unsigned char)a->size;
    memcpy(at + CINCH_ALLOW_HEAD, a->bytes, a->size);
    settings->allow = grown;
    settings->allow_size += more;
    return CINCH_OK;
}

cinch_status cinch_context_allow(cinch_context *ctx, cinch_match what, const char *text,
                                 cinch_error *err)
{
    admission a = {.what = what, .text = text};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (text == NULL)
        return cinch_fail_null(err, "text of the rule on clients");
    const char *fault = read_text(&a);
    if (fault == NULL)
        return cinch_context_change(ctx, "server", change_allow, &a, err);
    cinch_status status =
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%s\" cannot be a rule on clients", text);
    cinch_fail_evidence(err, "%s", fault);
    return status;
}

static cinch_status change_allow_all(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)value;
    (void)err;
    cinch_release(settings->allow);
    settings->allow = NULL;
    settings->allow_size = 0;
    return CINCH_OK;
}

cinch_status cinch_context_allow_all(cinch_context *ctx, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_allow_all, NULL, err);
}

typedef struct callback_change {
    cinch_chain_callback callback;
    void *arg;
} callback_change;

static cinch_status change_allow_if(cinch_settings *settings, const void *value, cinch_error *err)
{
    const callback_change *change = value;

    (void)err;
    settings->allow_if = change->callback;
    settings->allow_if_arg = change->callback == NULL ? NULL : change->arg;
    return CINCH_OK;
}

cinch_status cinch_context_allow_if(cinch_context *ctx, cinch_chain_callback callback, void *arg,
                                    cinch_error *err)
{
    callback_change change = {callback, arg};

    return cinch_context_change(ctx, NULL, change_allow_if, &change, err);
}

typedef struct pin_change {
    int on;
    unsigned char pins[2][32];
} pin_change;

static cinch_status change_pins(cinch_settings *settings, const void *value, cinch_error *err)
{
    const pin_change *change = value;

    (void)err;
    settings->pinned = change->on;
    memcpy(settings->pins, change->pins, sizeof settings->pins);
    return CINCH_OK;
}

cinch_status cinch_context_pin(cinch_context *ctx, const char *pin, const char *reserve,
                               cinch_error *err)
{
    pin_change change = {.on = pin != NULL};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if ((pin == NULL) != (reserve == NULL)) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "a pin was given without %s",
                         pin == NULL ? "the key in use" : "a reserve");
        cinch_fail_remedy(err, "name two keys, the one in use and one kept off line: when the only "
                               "pinned key is lost, no client connects any more");
        return CINCH_FAILED;
    }
    if (pin != NULL && (!read_digest(pin, change.pins[0]) || !read_digest(reserve, change.pins[1])))
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the %s is not the SHA-256 of a key in 64 hexadecimal digits or Base64",
                          !read_digest(pin, change.pins[0]) ? "pin" : "reserve");
    if (pin != NULL && memcmp(change.pins[0], change.pins[1], 32) == 0)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the pin and its reserve are the same key");
    return cinch_context_change(ctx, "client", change_pins, &change, err);
}
