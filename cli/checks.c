/* checks.c: how strictly is the other side checked? */
#include "checks.h"

#include "identity.h"

#include <getopt.h>
#include <string.h>

static int take_rule(cli_checks *checks, const cli_command *command, const char *text)
{
    char all[400] = "";
    size_t used = 0;

    for (int rule = 0; rule < CINCH_RULE_COUNT; rule++) {
        const char *name = cinch_rule_name((cinch_rule)rule);

        if (strcmp(text, name) == 0) {
            checks->relaxed |= 1u << rule;
            return 0;
        }
        if (used < sizeof(all))
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", rule > 0 ? ", " : "",
                                     name);
    }
    return cli_usage(command, "--relax: there is no rule %s; the rules are %s", text, all);
}

/* The place of optarg among COUNT words; -1, with a message, if it is none of them. */
static int take_word(const cli_command *command, const char *option, const char *const *words,
                     int count, int *code)
{
    for (int i = 0; i < count; i++)
        if (strcmp(optarg, words[i]) == 0)
            return i;
    *code = count == 2 ? cli_usage(command, "%s takes %s or %s, not %s", option, words[0], words[1],
                                   optarg)
                       : cli_usage(command, "%s takes %s, %s or %s, not %s", option, words[0],
                                   words[1], words[2], optarg);
    return -1;
}

static int take_allowed(cli_checks *checks, const cli_command *command, const char *text)
{
    static const struct {
        const char *kind;
        cinch_match what;
    } kinds[] = {
        {"dns:", CINCH_MATCH_DNS},   {"email:", CINCH_MATCH_EMAIL},    {"uri:", CINCH_MATCH_URI},
        {"spki:", CINCH_MATCH_SPKI}, {"cn:", CINCH_MATCH_COMMON_NAME},
    };

    if (checks->allowed_count == CLI_ALLOW_MOST)
        return cli_usage(command, "--allow is possible %d times", (int)CLI_ALLOW_MOST);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t length = strlen(kinds[i].kind);

        if (strncmp(text, kinds[i].kind, length) != 0)
            continue;
        checks->allowed[checks->allowed_count++] =
            (cli_allowed){.what = kinds[i].what, .text = text + length};
        return 0;
    }
    return cli_usage(command,
                     "--allow takes dns:NAME, email:ADDRESS, uri:URI, spki:SHA256 or cn:NAME, not "
                     "%s",
                     text);
}

bool cli_checks_take(cli_checks *checks, const cli_command *command, int key, int *code)
{
    static const char *const rules[] = {"soft", "leaf", "chain"};
    static const char *const modes[] = {"optional", "required"};
    int place;

    switch (key) {
    case CLI_KEY_RELAX:
        *code = take_rule(checks, command, optarg);
        return true;
    case CLI_KEY_CRL:
        checks->crl = optarg;
        return true;
    case CLI_KEY_CRL_RULE:
        checks->crl_rule = take_word(command, "--crl-rule", rules, 3, code);
        return true;
    case CLI_KEY_REQUIRE_OCSP:
        checks->require_ocsp = true;
        return true;
    case CLI_KEY_PIN:
        checks->pin = optarg;
        return true;
    case CLI_KEY_RESERVE:
        checks->reserve = optarg;
        return true;
    case CLI_KEY_CLIENT_AUTH:
        place = take_word(command, "--client-auth", modes, 2, code);
        checks->client_auth = place == 0 ? CINCH_CLIENT_AUTH_OPTIONAL : CINCH_CLIENT_AUTH_REQUIRED;
        return true;
    case CLI_KEY_ALLOW:
        *code = take_allowed(checks, command, optarg);
        return true;
    default:
        return false;
    }
}

int cli_checks_fit(const cli_checks *checks, const cli_command *command, bool client_ca)
{
    if (checks->crl_rule >= 0 && checks->crl == NULL)
        return cli_usage(command, "--crl-rule needs --crl");
    if (checks->pin != NULL && checks->reserve == NULL)
        return cli_usage(command, "--pin needs --reserve: when the only pinned key is lost, nobody "
                                  "connects any more");
    if (checks->reserve != NULL && checks->pin == NULL)
        return cli_usage(command, "--reserve needs --pin");
    if (checks->client_auth >= 0 && !client_ca)
        return cli_usage(command, "--client-auth needs --client-ca: who issues to clients?");
    if (checks->allowed_count > 0 && !client_ca)
        return cli_usage(command, "--allow needs --client-ca: who issues to clients?");
    return 0;
}

bool cli_checks_use(const cli_checks *checks, cinch_context *ctx, cinch_error *err)
{
    int rule = checks->crl_rule >= 0 ? checks->crl_rule : CINCH_CRL_LEAF;

    for (int i = 0; i < CINCH_RULE_COUNT; i++)
        if ((checks->relaxed & 1u << i) != 0)
            (void)cinch_context_insecure_relax(ctx, (cinch_rule)i, 1, err);
    if (checks->crl != NULL && !cinch_error_is_set(err) && cli_crl_use(ctx, checks->crl, err))
        (void)cinch_context_crl_rule(ctx, (cinch_crl_rule)rule, err);
    if (checks->require_ocsp)
        (void)cinch_context_ocsp_require(ctx, 1, err);
    if (checks->pin != NULL)
        (void)cinch_context_pin(ctx, checks->pin, checks->reserve, err);
    if (checks->client_auth >= 0)
        (void)cinch_context_client_auth(ctx, (cinch_client_auth)checks->client_auth, err);
    for (size_t i = 0; i < checks->allowed_count; i++)
        (void)cinch_context_allow(ctx, checks->allowed[i].what, checks->allowed[i].text, err);
    return !cinch_error_is_set(err);
}
