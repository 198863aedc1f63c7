/* checks.h: the options that say how strictly the other side is checked; the same in all subcommands. */
#ifndef CINCH_CLI_CHECKS_H
#define CINCH_CLI_CHECKS_H

#include "cli.h"

/* Beyond the keys that a subcommand numbers itself. */
enum {
    CLI_KEY_RELAX = 2 * CLI_LONG_ONLY,
    CLI_KEY_CRL,
    CLI_KEY_CRL_RULE,
    CLI_KEY_REQUIRE_OCSP,
    CLI_KEY_PIN,
    CLI_KEY_RESERVE,
    CLI_KEY_CLIENT_AUTH,
    CLI_KEY_ALLOW,
    CLI_ALLOW_MOST = 100
};

/* Their lines for a subcommand's table. */
#define CLI_OPTION_RELAX                                                                           \
    {                                                                                              \
        CLI_KEY_RELAX, "relax", "RULE",                                                            \
            "do not insist on this rule, such as serial; again for more"                           \
    }
#define CLI_OPTION_CRL_RULE                                                                        \
    {                                                                                              \
        CLI_KEY_CRL_RULE, "crl-rule", "RULE",                                                      \
            "whose list must be there: leaf (the issuer's), chain (all\n"                          \
            "issuers'), or soft: none, but who is listed is refused"                               \
    }
#define CLI_OPTION_REQUIRE_OCSP                                                                    \
    {                                                                                              \
        CLI_KEY_REQUIRE_OCSP, "require-ocsp", NULL,                                                \
            "refuse a server without a good OCSP response (stapled)"                               \
    }
#define CLI_OPTION_PIN                                                                             \
    {                                                                                              \
        CLI_KEY_PIN, "pin", "SHA256",                                                              \
            "insist on this public key in the server's chain, or on --reserve"                     \
    }
#define CLI_OPTION_RESERVE                                                                         \
    {                                                                                              \
        CLI_KEY_RESERVE, "reserve", "SHA256", "the key that will be used after that one"           \
    }
#define CLI_OPTION_CLIENT_AUTH                                                                     \
    {                                                                                              \
        CLI_KEY_CLIENT_AUTH, "client-auth", "MODE",                                                \
            "required: let in nobody else; optional: also clients without any\n"                   \
            "certificate, but none with a bad one (required)"                                      \
    }
#define CLI_OPTION_ALLOW                                                                           \
    {                                                                                              \
        CLI_KEY_ALLOW, "allow", "KIND:TEXT",                                                       \
            "of those only: dns:NAME, email:ADDRESS, uri:URI, spki:SHA256 or\n"                    \
            "cn:NAME; again for more"                                                              \
    }

typedef struct cli_allowed {
    cinch_match what;
    const char *text;
} cli_allowed;

/* Start with CLI_CHECKS_INIT. */
typedef struct cli_checks {
    unsigned relaxed; /* a bit for each rule */
    const char *crl;
    int crl_rule; /* cinch_crl_rule; -1: not said */
    bool require_ocsp;
    const char *pin;
    const char *reserve;
    int client_auth; /* cinch_client_auth; -1: not said */
    cli_allowed allowed[CLI_ALLOW_MOST];
    size_t allowed_count;
} cli_checks;

#define CLI_CHECKS_INIT                                                                            \
    {                                                                                              \
        .crl_rule = -1, .client_auth = -1                                                          \
    }

/* cli_checks_take reads the option KEY. False if it is none of these; *CODE is set if it is wrong. */
bool cli_checks_take(cli_checks *checks, const cli_command *command, int key, int *code);

/* cli_checks_fit tells what does not go together: 0, or the exit code. CLIENT_CA: --client-ca is there. */
int cli_checks_fit(const cli_checks *checks, const cli_command *command, bool client_ca);

/* cli_checks_use gives all that was said to CTX; the CA of clients is named before. */
bool cli_checks_use(const cli_checks *checks, cinch_context *ctx, cinch_error *err);

#endif
