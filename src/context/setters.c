/* setters.c: the plain settings of a context, each checked before it takes effect. */
#include "base/fail.h"
#include "base/memory.h"
#include "context/extras.h"

#include <string.h>

/* "h2,http/1.1" becomes "\2h2\10http/1.1". */
static cinch_status to_wire(const char *what, const char *list, unsigned char *out,
                            size_t *out_size, cinch_error *err)
{
    size_t at = 0;

    for (const char *name = list;; name++) {
        size_t size = strcspn(name, ",");

        if (size == 0 || size > 255)
            return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                              "the %s list \"%s\" has a name of %zu bytes; 1 to 255 are allowed",
                              what, list, size);
        out[at++] = (unsigned char)size;
        memcpy(out + at, name, size);
        at += size;
        name += size;
        if (*name == 0)
            break;
    }
    *out_size = at;
    return CINCH_OK;
}

cinch_status cinch_protocols_wire(const char *what, const char *list, unsigned char **wire,
                                  size_t *wire_size, cinch_error *err)
{
    size_t length = strlen(list);

    /* The extension's own length is 16 bits with 2 for the list's (RFC 7301, 3.1). */
    if (length > 65000)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the %s list is longer than 65000 bytes",
                          what);
    *wire = cinch_alloc(length + 1);
    if (*wire == NULL)
        return cinch_fail_memory(err, "setting application protocols");
    return to_wire(what, list, *wire, wire_size, err);
}

static cinch_status change_alpn(cinch_settings *settings, const void *value, cinch_error *err)
{
    cinch_release(settings->alpn);
    settings->alpn = NULL;
    settings->alpn_size = 0;
    if (value == NULL)
        return CINCH_OK;
    return cinch_protocols_wire("ALPN", value, &settings->alpn, &settings->alpn_size, err);
}

cinch_status cinch_context_alpn(cinch_context *ctx, const char *protocols, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_alpn, protocols, err);
}

/* A value out of the range of its enum, 0 to LARGEST. */
static cinch_status check_range(const char *what, int value, int largest, cinch_error *err)
{
    if (value >= 0 && value <= largest)
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%s cannot be %d: 0 to %d are allowed", what,
                      value, largest);
}

static cinch_status change_alpn_rule(cinch_settings *settings, const void *value, cinch_error *err)
{
    settings->alpn_rule = *(const cinch_alpn_rule *)value;
    return check_range("the ALPN rule", (int)settings->alpn_rule, CINCH_ALPN_OPTIONAL, err);
}

cinch_status cinch_context_alpn_rule(cinch_context *ctx, cinch_alpn_rule rule, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_alpn_rule, &rule, err);
}

static cinch_status change_client_auth(cinch_settings *settings, const void *value,
                                       cinch_error *err)
{
    settings->client_auth = *(const cinch_client_auth *)value;
    cinch_status status = check_range("the rule for client certificates",
                                      (int)settings->client_auth, CINCH_CLIENT_AUTH_REQUIRED, err);
    if (status == CINCH_OK && settings->client_auth != CINCH_CLIENT_AUTH_NONE &&
        settings->trust == NULL) {
        status = cinch_fail(err, CINCH_CAUSE_NO_ANCHORS,
                            "client certificates are to be checked and no issuer of them is named");
        cinch_fail_evidence(err, "a server does not use the system's trust store for its clients");
        cinch_fail_remedy(err, "name the CA of your clients first, for example with "
                               "cinch_context_trust_file()");
    }
    return status;
}

cinch_status cinch_context_client_auth(cinch_context *ctx, cinch_client_auth mode, cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_client_auth, &mode, err);
}

static cinch_status change_depth(cinch_settings *settings, const void *value, cinch_error *err)
{
    settings->verify_depth = *(const int *)value;
    return check_range("the verify depth", settings->verify_depth, 100, err);
}

cinch_status cinch_context_verify_depth(cinch_context *ctx, int depth, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_depth, &depth, err);
}

static cinch_status change_partial(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)err;
    settings->roots_only = *(const int *)value == 0;
    return CINCH_OK;
}

cinch_status cinch_context_partial_chain(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_partial, &on, err);
}

static cinch_status change_name_rule(cinch_settings *settings, const void *value, cinch_error *err)
{
    settings->server_name_rule = *(const cinch_server_name_rule *)value;
    return check_range("the server name rule", (int)settings->server_name_rule,
                       CINCH_SERVER_NAME_REQUIRED, err);
}

cinch_status cinch_context_server_name_rule(cinch_context *ctx, cinch_server_name_rule rule,
                                            cinch_error *err)
{
    return cinch_context_change(ctx, "server", change_name_rule, &rule, err);
}

static cinch_status change_send_name(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)err;
    settings->send_server_name = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_send_server_name(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, "client", change_send_name, &on, err);
}

static cinch_status change_skip_verification(cinch_settings *settings, const void *value,
                                             cinch_error *err)
{
    (void)err;
    settings->skip_verification = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_insecure_skip_verification(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, "client", change_skip_verification, &on, err);
}

static cinch_status change_skip_name(cinch_settings *settings, const void *value, cinch_error *err)
{
    (void)err;
    settings->skip_name = *(const int *)value != 0;
    return CINCH_OK;
}

cinch_status cinch_context_insecure_skip_name(cinch_context *ctx, int on, cinch_error *err)
{
    return cinch_context_change(ctx, "client", change_skip_name, &on, err);
}
