/* connect.c: cinch connect. */
#include "connect.h"
#include "checks.h"
#include "identity.h"
#include "json.h"
#include "output.h"
#include "wire.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_PORT "443"

enum {
    KEY_CA = CLI_LONG_ONLY,
    KEY_CERT,
    KEY_KEY,
    KEY_KEY_URI,
    KEY_PASSWORD_FILE,
    KEY_ALPN,
    KEY_SERVERNAME,
    KEY_STARTTLS,
    KEY_POLICY,
    KEY_TIMEOUT,
    KEY_JSON,
    KEY_INSECURE,
    KEY_WIRE,
    KEY_WIRE_HEX,
    KEY_WIRE_INSIDE,
    CA_MOST = 32,
};

static const cli_option options[] = {
    {KEY_CA, "ca", "FILE",
     "trust only the certificates in FILE, or in a hashed directory;\n"
     "again for more"},
    {CLI_KEY_CRL, "crl", "FILE",
     "refuse who is on the revocation lists in FILE, or in a directory, and\n"
     "whose issuer has no current list there"},
    CLI_OPTION_CRL_RULE,
    CLI_OPTION_REQUIRE_OCSP,
    CLI_OPTION_PIN,
    CLI_OPTION_RESERVE,
    CLI_OPTION_RELAX,
    {KEY_CERT, "cert", "FILE", "our own certificate: PEM, with or without the key, or .p12"},
    {KEY_KEY, "key", "FILE", "its key, if that is elsewhere"},
    {KEY_KEY_URI, "key-uri", "URI",
     "its key is there, in a token (pkcs11:...) say, and so are our\n"
     "certificates without --cert"},
    {KEY_PASSWORD_FILE, "password-file", "FILE", "its first line is the key's password"},
    {KEY_ALPN, "alpn", "LIST", "protocols to offer, most wanted first: h2,http/1.1"},
    {KEY_SERVERNAME, "servername", "NAME", "ask for this name and check it, instead of HOST"},
    {KEY_STARTTLS, "starttls", "PROTOCOL",
     "the server begins in the clear: upgrade first. smtp, lmtp, imap, pop3,\n"
     "sieve, ftp, nntp, xmpp, xmpp-server, ldap, postgres or mysql"},
    {KEY_POLICY, "policy", "NAME", "which algorithms: default, modern"},
    {'t', "timeout", "SECONDS", "for connecting, the handshake, and an answer (15, 15, 10)"},
    {KEY_WIRE, "wire", NULL, "print what an observer sees: each record, and the messages in clear"},
    {KEY_WIRE_HEX, "wire-hex", NULL, "the same with all bytes, and their meaning beside them"},
    {KEY_WIRE_INSIDE, "wire-inside", NULL,
     "the same with what is protected: what only the two ends should see"},
    {KEY_JSON, "json", NULL, "print one JSON object and end: no data is exchanged"},
    {'q', "quiet", NULL, "no report, unless it fails"},
    {KEY_INSECURE, "insecure", NULL, "accept any certificate: anybody may be at the other end"},
    {0},
};

typedef struct connect_options {
    const char *ca[CA_MOST];
    size_t ca_count;
    cli_identity identity;
    const char *alpn;
    const char *servername;
    cinch_starttls_protocol starttls; /* CINCH_STARTTLS_NONE: TLS from the first byte on */
    const char *policy;
    cli_checks checks;
    long timeout; /* seconds; 0: the usual */
    bool json;
    bool quiet;
    bool insecure;
    bool wire;
    bool wire_hex;
    bool wire_inside;
    char *host;
    char *port;
} connect_options;

/* What came of it. */
typedef struct outcome {
    cinch_error err;
    cinch_peer *peer;     /* what was agreed; NULL if nothing was */
    cinch_peer *evidence; /* what is known of a server that was not accepted */
    char *address;
    cli_wire wire;
} outcome;

static int take_starttls(connect_options *o)
{
    const char *names[CINCH_STARTTLS_COUNT];
    size_t count = 0;

    o->starttls = cinch_starttls_named(optarg);
    if (o->starttls != CINCH_STARTTLS_NONE)
        return 0;
    for (int i = CINCH_STARTTLS_NONE + 1; i < CINCH_STARTTLS_COUNT; i++)
        names[count++] = cinch_starttls_name((cinch_starttls_protocol)i);
    const char *nearest = cli_nearest(optarg, names, count);
    if (nearest != NULL)
        return cli_usage(&connect_command, "--starttls knows no %s; did you mean %s?", optarg,
                         nearest);
    return cli_usage(&connect_command, "--starttls knows no %s", optarg);
}

/* False for a key that is none of ours; *CODE is set if its argument is wrong. */
static bool take(connect_options *o, int key, int *code)
{
    const cli_command *me = &connect_command;

    switch (key) {
    case KEY_CA:
        if (o->ca_count == CA_MOST)
            *code = cli_usage(me, "--ca is possible %d times", (int)CA_MOST);
        else
            o->ca[o->ca_count++] = optarg;
        return true;
    case KEY_CERT:
        o->identity.cert_file = optarg;
        return true;
    case KEY_KEY:
        o->identity.key_file = optarg;
        return true;
    case KEY_KEY_URI:
        o->identity.key_uri = optarg;
        return true;
    case KEY_PASSWORD_FILE:
        o->identity.password_file = optarg;
        return true;
    case KEY_ALPN:
        o->alpn = optarg;
        return true;
    case KEY_SERVERNAME:
        o->servername = optarg;
        return true;
    case KEY_STARTTLS:
        *code = take_starttls(o);
        return true;
    case KEY_POLICY:
        o->policy = optarg;
        return true;
    case 't':
        if (!cli_number(me, "--timeout", optarg, 1, 86400, &o->timeout))
            *code = CLI_USAGE;
        return true;
    case KEY_JSON:
        o->json = true;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    case KEY_INSECURE:
        o->insecure = true;
        return true;
    case KEY_WIRE:
    case KEY_WIRE_HEX:
    case KEY_WIRE_INSIDE:
        o->wire = true;
        o->wire_hex |= key == KEY_WIRE_HEX;
        o->wire_inside |= key == KEY_WIRE_INSIDE;
        return true;
    default:
        return cli_checks_take(&o->checks, me, key, code);
    }
}

static int check(connect_options *o, int argc, char **argv)
{
    const cli_command *me = &connect_command;

    if (optind == argc)
        return cli_usage(me, "where to? Give a host: cinch connect example.com");
    if (argc - optind > 1)
        return cli_usage(me, "more than one host: %s", argv[optind + 1]);
    if (cli_identity_check(me, &o->identity) != 0)
        return CLI_USAGE;
    if (o->insecure && (o->checks.crl != NULL || o->checks.require_ocsp || o->checks.relaxed != 0))
        return cli_usage(me, "--insecure checks nothing, so neither --crl, --require-ocsp nor "
                             "--relax");
    if (cli_checks_fit(&o->checks, me, true) != 0)
        return CLI_USAGE;
    const char *port =
        o->starttls != CINCH_STARTTLS_NONE ? cinch_starttls_port(o->starttls) : DEFAULT_PORT;
    if (o->starttls != CINCH_STARTTLS_NONE && strncasecmp(argv[optind], "https:", 6) == 0)
        return cli_usage(me, "an https URL has no --starttls");
    if (!cli_split_host(argv[optind], port, &o->host, &o->port) || o->host[0] == '\0')
        return cli_usage(me, "%s is not HOST, HOST:PORT or an https URL", argv[optind]);
    return 0;
}

static cinch_context *make_context(const connect_options *o, cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(err);

    for (size_t i = 0; i < o->ca_count && !cinch_error_is_set(err); i++)
        (void)cli_trust_use(ctx, o->ca[i], err);
    if (o->policy != NULL)
        (void)cinch_context_policy_named(ctx, o->policy, err);
    if (o->alpn != NULL)
        (void)cinch_context_alpn(ctx, o->alpn, err);
    (void)cli_checks_use(&o->checks, ctx, err);
    if (o->insecure) {
        (void)cinch_context_insecure_skip_verification(ctx, 1, err);
        (void)cinch_context_insecure_skip_name(ctx, 1, err);
    }
    if (!cinch_error_is_set(err))
        (void)cli_identity_use(ctx, &o->identity, err);
    return ctx;
}

/* Who looks has to begin before the handshake does. NULL if that fails. */
static cinch_stream *shake_hands(const connect_options *o, cinch_stream *stream, outcome *result)
{
    if (!o->wire)
        return stream;
    cli_wire_begin(&result->wire, stderr, o->json, o->wire_hex, true);
    if (!o->json) {
        fprintf(stderr, "%s to %s\n", o->host, cinch_stream_address(stream));
        cli_wire_legend(stderr);
    }
    (void)cinch_stream_wire(stream, cli_wire_see, &result->wire,
                            o->wire_inside ? CINCH_WIRE_INSIDE : 0, &result->err);
    if (cinch_stream_handshake(stream, &result->err) == CINCH_OK)
        return stream;
    result->evidence = cinch_stream_evidence(stream, NULL);
    cinch_stream_free(stream);
    return NULL;
}

static cinch_stream *dial(const connect_options *o, cinch_context *ctx, outcome *result)
{
    int ms = (int)o->timeout * 1000;
    const cinch_timeouts timeouts = {.connect_ms = ms, .handshake_ms = ms};
    const cinch_dial_options with = {
        .timeouts = &timeouts,
        .server_name = o->servername,
        .no_handshake = o->wire,
        .evidence = &result->evidence,
    };
    const cinch_starttls_options upgrade = {.dial = &with};
    cinch_stream *stream =
        o->starttls != CINCH_STARTTLS_NONE
            ? cinch_dial_starttls(ctx, o->host, o->port, o->starttls, &upgrade, &result->err)
            : cinch_dial_with(ctx, o->host, o->port, &with, &result->err);

    if (stream != NULL) {
        const char *address = cinch_stream_address(stream);

        result->address = cli_copy(address, strlen(address));
        stream = shake_hands(o, stream, result);
    }
    if (stream != NULL)
        result->peer = cinch_stream_peer(stream, &result->err);
    return stream;
}

/*
 * With --json nothing is exchanged. But a TLS 1.3 server tells only after the handshake that it did
 * not like our certificate, so its answer to our close_notify is waited for.
 */
static void join(const connect_options *o, cinch_stream *stream, outcome *result)
{
    int seconds = (int)o->timeout;
    connect_patience patience = {
        .nothing_asked = o->json ? 1 : 500,
        .answer = seconds > 0 ? seconds * 1000 : 10000,
        .silence = seconds > 0 && seconds < 2 ? seconds * 1000 : 2000,
    };

    (void)connect_join(stream, o->json ? -1 : STDIN_FILENO, o->json ? -1 : STDOUT_FILENO, &patience,
                       &result->err);
}

static void print_json(const connect_options *o, const outcome *result)
{
    bool ok = !cinch_error_is_set(&result->err);
    const cinch_peer *peer = result->peer != NULL ? result->peer : result->evidence;
    json_t *object = json_object();

    json_object_set_new(object, "ok", json_boolean(ok));
    json_object_set_new(object, "exit_code", json_integer(cinch_error_exit_code(&result->err)));
    json_object_set_new(object, "host", cli_json_text(o->host));
    json_object_set_new(object, "port", cli_json_text(o->port));
    if (o->starttls != CINCH_STARTTLS_NONE)
        json_object_set_new(object, "starttls", cli_json_text(cinch_starttls_name(o->starttls)));
    if (result->address != NULL)
        json_object_set_new(object, "address", cli_json_text(result->address));
    if (!ok)
        json_object_set_new(object, "error", cli_json_error(&result->err));
    if (peer != NULL)
        json_object_set_new(object, "peer", cli_json_peer(peer));
    if (result->wire.list != NULL)
        json_object_set(object, "wire", result->wire.list);
    cli_json_print(object, stdout);
}

static void connect_to(const connect_options *o, outcome *result)
{
    cinch_context *ctx = make_context(o, &result->err);
    cinch_stream *stream = dial(o, ctx, result);

    if (result->peer != NULL && !o->json) {
        if (o->insecure)
            cli_warn("--insecure: nothing was verified; anybody may be at the other end");
        if (!o->quiet)
            connect_report(result->peer, result->address, cinch_starttls_name(o->starttls));
    }
    if (result->peer != NULL)
        join(o, stream, result);
    cinch_stream_free(stream);
    cinch_context_free(ctx);
}

static int tell(const connect_options *o, const outcome *result)
{
    if (o->json) {
        print_json(o, result);
        return cinch_error_exit_code(&result->err);
    }
    if (cinch_error_is_set(&result->err) && result->peer == NULL)
        connect_evidence(result->evidence);
    return cli_report(&result->err, stderr);
}

static int run(int argc, char **argv)
{
    connect_options o = {.checks = CLI_CHECKS_INIT};
    outcome result = {.err = CINCH_ERROR_INIT};
    int code = 0;
    int key;

    while ((key = cli_next(&connect_command, argc, argv)) != CLI_END) {
        if (!take(&o, key, &code))
            return cli_stop(key);
        if (code != 0)
            return code;
    }
    code = check(&o, argc, argv);
    if (code == 0) {
        connect_to(&o, &result);
        code = tell(&o, &result);
    }
    cinch_peer_free(result.peer);
    cinch_peer_free(result.evidence);
    json_decref(result.wire.list);
    free(result.address);
    free(o.host);
    free(o.port);
    return code;
}

const cli_command connect_command = {
    "connect",
    "[OPTION...] HOST[:PORT]",
    "connect, verify, report, and join standard input and output",
    "HOST is a name, an address, [an IPv6 address], or an https URL, whose path is passed over.\n"
    "The port is 443 if none is given, with --starttls the usual one of the protocol. The report\n"
    "goes to standard error. Exit codes: 0 fine, 2 usage or file, 3 DNS or TCP, 4 negotiation,\n"
    "5 untrusted, 6 wrong name, 7 expired or not yet valid, 8 client certificate, 9 timeout,\n"
    "10 other.",
    options,
    run,
};
