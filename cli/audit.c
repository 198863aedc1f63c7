/* audit.c: cinch audit. */
#include "checks.h"
#include "identity.h"
#include "json.h"
#include "output.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_CLIENT = CLI_LONG_ONLY,
    KEY_CERT,
    KEY_KEY,
    KEY_KEY_URI,
    KEY_PASSWORD_FILE,
    KEY_CA,
    KEY_CLIENT_CA,
    KEY_OCSP,
    KEY_ALPN,
    KEY_POLICY,
    KEY_MIN,
    KEY_MAX,
    KEY_CIPHERS,
    KEY_SUITES,
    KEY_GROUPS,
    KEY_SIGALGS,
    KEY_LEVEL,
    KEY_JSON,
    KEY_LIST,
    KEY_INSECURE,
    CA_MOST = 32,
};

static const cli_option options[] = {
    {KEY_CLIENT, "client", NULL, "a client's settings, not a server's"},
    {'i', "identity", "FILE", "PEM with key and certificates, or PKCS#12 (.p12)"},
    {KEY_CERT, "cert", "FILE", "the certificates, if the key is elsewhere"},
    {KEY_KEY, "key", "FILE", "the key"},
    {KEY_KEY_URI, "key-uri", "URI", "the key, and the certificates without --cert"},
    {KEY_PASSWORD_FILE, "password-file", "FILE", "its first line is the key's password"},
    {KEY_CA, "ca", "FILE", "whom the client trusts, in place of the system's; again for more"},
    {KEY_CLIENT_CA, "client-ca", "FILE", "the CA whose clients the server lets in"},
    CLI_OPTION_CLIENT_AUTH,
    CLI_OPTION_ALLOW,
    CLI_OPTION_RELAX,
    {CLI_KEY_CRL, "crl", "FILE", "revocation lists, in a file or a directory"},
    CLI_OPTION_CRL_RULE,
    {KEY_OCSP, "ocsp", "FILE", "the OCSP response (DER) that the server staples"},
    CLI_OPTION_REQUIRE_OCSP,
    CLI_OPTION_PIN,
    CLI_OPTION_RESERVE,
    {KEY_ALPN, "alpn", "LIST", "protocols, most wanted first: h2,http/1.1"},
    {KEY_POLICY, "policy", "NAME", "which algorithms: default, modern"},
    {KEY_MIN, "min", "VERSION", "the lowest protocol version: 1.0 to 1.3"},
    {KEY_MAX, "max", "VERSION", "the highest"},
    {KEY_CIPHERS, "ciphers", "LIST", "suites for TLS 1.2, in OpenSSL's list language"},
    {KEY_SUITES, "suites", "LIST", "suites for TLS 1.3"},
    {KEY_GROUPS, "groups", "LIST", "groups for the key exchange"},
    {KEY_SIGALGS, "sigalgs", "LIST", "signature algorithms"},
    {KEY_LEVEL, "level", "NUMBER", "OpenSSL's security level: 0 to 5"},
    {KEY_INSECURE, "insecure", NULL, "a client that accepts any certificate"},
    {KEY_LIST, "list", NULL, "print everything that is looked for"},
    {KEY_JSON, "json", NULL, "print one JSON object"},
    {0},
};

typedef struct audit_options {
    const char *ca[CA_MOST];
    size_t ca_count;
    cli_identity identity;
    const char *client_ca;
    const char *ocsp;
    cli_checks checks;
    const char *alpn;
    const char *policy;
    const char *ciphers;
    const char *suites;
    const char *groups;
    const char *sigalgs;
    int min; /* protocol versions; 0: the policy's */
    int max;
    long level; /* -1: the policy's */
    bool identity_option;
    bool client;
    bool insecure;
    bool list;
    bool json;
} audit_options;

static int take_version(const char *option, int *version)
{
    static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};

    for (int i = 0; i < 4; i++)
        if (strcmp(optarg, names[i]) == 0) {
            *version = CINCH_TLS_1_0 + i;
            return 0;
        }
    return cli_usage(&audit_command, "%s takes 1.0, 1.1, 1.2 or 1.3, not %s", option, optarg);
}

static int take_ca(audit_options *o)
{
    if (o->ca_count == CA_MOST)
        return cli_usage(&audit_command, "--ca is possible %d times", (int)CA_MOST);
    o->ca[o->ca_count++] = optarg;
    return 0;
}

/* The options that are a text and nothing else. */
static const char **text_option(audit_options *o, int key)
{
    switch (key) {
    case 'i':
        o->identity_option = true;
        return &o->identity.cert_file;
    case KEY_CERT:
        return &o->identity.cert_file;
    case KEY_KEY:
        return &o->identity.key_file;
    case KEY_KEY_URI:
        return &o->identity.key_uri;
    case KEY_PASSWORD_FILE:
        return &o->identity.password_file;
    case KEY_CLIENT_CA:
        return &o->client_ca;
    case KEY_OCSP:
        return &o->ocsp;
    case KEY_ALPN:
        return &o->alpn;
    case KEY_POLICY:
        return &o->policy;
    case KEY_CIPHERS:
        return &o->ciphers;
    case KEY_SUITES:
        return &o->suites;
    case KEY_GROUPS:
        return &o->groups;
    case KEY_SIGALGS:
        return &o->sigalgs;
    default:
        return NULL;
    }
}

/* False for a key that is none of ours; *CODE is set if its argument is wrong. */
static bool take(audit_options *o, int key, int *code)
{
    const char **text = text_option(o, key);

    if (text != NULL) {
        *text = optarg;
        return true;
    }
    switch (key) {
    case KEY_CLIENT:
        o->client = true;
        return true;
    case KEY_CA:
        *code = take_ca(o);
        return true;
    case KEY_MIN:
        *code = take_version("--min", &o->min);
        return true;
    case KEY_MAX:
        *code = take_version("--max", &o->max);
        return true;
    case KEY_LEVEL:
        if (!cli_number(&audit_command, "--level", optarg, 0, 5, &o->level))
            *code = CLI_USAGE;
        return true;
    case KEY_INSECURE:
        o->insecure = true;
        return true;
    case KEY_LIST:
        o->list = true;
        return true;
    case KEY_JSON:
        o->json = true;
        return true;
    default:
        return cli_checks_take(&o->checks, &audit_command, key, code);
    }
}

/* What does not go with a client, or with a server. */
static int check_side(const audit_options *o)
{
    const cli_command *me = &audit_command;

    if (!o->client && (o->ca_count > 0 || o->insecure))
        return cli_usage(me, "%s is for a client: add --client",
                         o->insecure ? "--insecure" : "--ca");
    if (!o->client && (o->checks.pin != NULL || o->checks.require_ocsp))
        return cli_usage(me, "%s is for a client: add --client",
                         o->checks.require_ocsp ? "--require-ocsp" : "--pin");
    if (o->client && (o->client_ca != NULL || o->ocsp != NULL))
        return cli_usage(me, "%s is for a server: leave out --client",
                         o->client_ca != NULL ? "--client-ca" : "--ocsp");
    if (o->ocsp != NULL && o->identity.cert_file == NULL)
        return cli_usage(me, "--ocsp needs --identity or --cert");
    return cli_checks_fit(&o->checks, me, o->client_ca != NULL);
}

static int check(const audit_options *o, int argc, char **argv)
{
    const cli_command *me = &audit_command;

    if (optind < argc)
        return cli_usage(me, "unexpected argument %s", argv[optind]);
    if (o->identity_option && (o->identity.key_file != NULL || o->identity.key_uri != NULL))
        return cli_usage(me, "--identity has the key in it; use --cert with --key or --key-uri");
    if (cli_identity_check(me, &o->identity) != 0)
        return CLI_USAGE;
    return check_side(o);
}

/* What weakens is taken without a word here: it is what an audit is for. */
static void set_strength(const audit_options *o, cinch_policy *policy, cinch_error *err)
{
    int min = o->min != 0 ? o->min : CINCH_TLS_1_2;
    int max = o->max != 0 ? o->max : CINCH_TLS_1_3;

    if (o->min != 0 || o->max != 0)
        (void)cinch_policy_insecure_versions(policy, (cinch_tls_version)(min < max ? min : max),
                                             (cinch_tls_version)max, err);
    if (o->level >= 0)
        (void)cinch_policy_insecure_security_level(policy, (int)o->level, err);
}

static void set_policy(const audit_options *o, cinch_context *ctx, cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new(o->policy, err);

    if (policy == NULL)
        return;
    set_strength(o, policy, err);
    if (o->ciphers != NULL)
        (void)cinch_policy_ciphers(policy, o->ciphers, err);
    if (o->suites != NULL)
        (void)cinch_policy_suites(policy, o->suites, err);
    if (o->groups != NULL)
        (void)cinch_policy_groups(policy, o->groups, err);
    if (o->sigalgs != NULL)
        (void)cinch_policy_sigalgs(policy, o->sigalgs, err);
    (void)cinch_context_policy(ctx, policy, err);
    cinch_policy_free(policy);
}

static cinch_context *make_context(const audit_options *o, cinch_error *err)
{
    cinch_context *ctx = o->client ? cinch_context_client(err) : cinch_context_server(err);

    if (ctx == NULL)
        return NULL;
    set_policy(o, ctx, err);
    for (size_t i = 0; i < o->ca_count && !cinch_error_is_set(err); i++)
        (void)cli_trust_use(ctx, o->ca[i], err);
    if (o->alpn != NULL)
        (void)cinch_context_alpn(ctx, o->alpn, err);
    if (o->insecure) {
        (void)cinch_context_insecure_skip_verification(ctx, 1, err);
        (void)cinch_context_insecure_skip_name(ctx, 1, err);
    }
    if (!cinch_error_is_set(err) && o->client_ca != NULL && cli_trust_use(ctx, o->client_ca, err))
        (void)cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, err);
    if (!cinch_error_is_set(err))
        (void)cli_identity_use(ctx, &o->identity, err);
    (void)cli_checks_use(&o->checks, ctx, err);
    if (o->ocsp != NULL)
        (void)cinch_context_ocsp_file(ctx, o->ocsp, err);
    return ctx;
}

static json_t *finding_json(const cinch_audit_finding *finding)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", cli_json_text(finding->id));
    json_object_set_new(object, "severity", cli_json_text(cinch_severity_name(finding->severity)));
    json_object_set_new(object, "what", cli_json_text(finding->what));
    json_object_set_new(object, "why", cli_json_text(finding->why));
    json_object_set_new(object, "since", cli_json_text(finding->since));
    json_object_set_new(object, "source", cli_json_text(finding->source));
    json_object_set_new(object, "remedy", cli_json_text(finding->remedy));
    return object;
}

static void print_finding(cli_look look, const cinch_audit_finding *finding)
{
    static const cli_paint paints[] = {CLI_DIM, CLI_YELLOW, CLI_RED};

    printf("%s%s%s %s%s%s: %s\n", cli_on(look, paints[finding->severity]),
           cinch_severity_name(finding->severity), cli_off(look), cli_on(look, CLI_BOLD),
           finding->id, cli_off(look), finding->what);
    printf("  %s\n", finding->why);
    printf("  %s%s%s\n", finding->source, finding->since[0] != '\0' ? ", since " : "",
           finding->since);
    printf("  %sremedy:%s %s\n", cli_on(look, CLI_GREEN), cli_off(look), finding->remedy);
}

static int list_known(bool json)
{
    json_t *findings = json_array();
    const cinch_audit_finding *known;

    for (size_t i = 0; (known = cinch_audit_known(i)) != NULL; i++) {
        if (json)
            json_array_append_new(findings, finding_json(known));
        else
            print_finding(cli_look_at(stdout), known);
    }
    if (json)
        cli_json_print(json_pack("{s:O}", "findings", findings), stdout);
    json_decref(findings);
    return 0;
}

static void print_json(const cinch_audit *audit, const cinch_error *err, int code)
{
    json_t *object = json_object();

    json_object_set_new(object, "ok", json_boolean(code == 0));
    json_object_set_new(object, "exit_code", json_integer(code));
    if (audit == NULL) {
        json_object_set_new(object, "error", cli_json_error(err));
    } else {
        json_t *findings = json_array();

        for (size_t i = 0; i < audit->count; i++)
            json_array_append_new(findings, finding_json(&audit->findings[i]));
        json_object_set_new(object, "findings", findings);
    }
    cli_json_print(object, stdout);
}

static void print_text(const cinch_audit *audit)
{
    cli_look look = cli_look_at(stdout);
    size_t counts[3] = {0};

    for (size_t i = 0; i < audit->count; i++) {
        counts[audit->findings[i].severity]++;
        print_finding(look, &audit->findings[i]);
    }
    if (audit->count == 0)
        printf("%snothing weak found%s\n", cli_on(look, CLI_GREEN), cli_off(look));
    else
        printf("%zu danger%s, %zu warning%s, %zu note%s\n", counts[2], counts[2] == 1 ? "" : "s",
               counts[1], counts[1] == 1 ? "" : "s", counts[0], counts[0] == 1 ? "" : "s");
}

static int audit(const audit_options *o)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = make_context(o, &err);
    cinch_audit *found = cinch_context_audit(ctx, &err);
    int code = cinch_error_exit_code(&err);

    /* The worst is in front. */
    if (found != NULL && found->count > 0 && found->findings[0].severity > CINCH_SEVERITY_NOTE)
        code = CLI_OTHER;
    if (o->json)
        print_json(found, &err, code);
    else if (found != NULL)
        print_text(found);
    else
        (void)cli_report(&err, stderr);
    cinch_audit_free(found);
    cinch_context_free(ctx);
    return code;
}

static int run(int argc, char **argv)
{
    audit_options o = {.level = -1, .checks = CLI_CHECKS_INIT};
    int code = 0;
    int key;

    while ((key = cli_next(&audit_command, argc, argv)) != CLI_END) {
        if (!take(&o, key, &code))
            return cli_stop(key);
        if (code != 0)
            return code;
    }
    code = check(&o, argc, argv);
    if (code != 0)
        return code;
    return o.list ? list_known(o.json) : audit(&o);
}

const cli_command audit_command = {
    "audit",
    "[OPTION...]",
    "what is weak in these settings?",
    "The settings are those of a server, without --client. Nothing is connected to. Exit codes: 0\n"
    "nothing weak, or only notes; 10 warnings or dangers; 2 usage, or a file that cannot be used.",
    options,
    run,
};
