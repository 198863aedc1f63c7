/* serve.c: cinch serve. */
#include "serve.h"
#include "checks.h"
#include "identity.h"
#include "json.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "localhost:8443"
#define DEFAULT_PORT "8443"

enum {
    KEY_CERT = CLI_LONG_ONLY,
    KEY_KEY,
    KEY_KEY_URI,
    KEY_PASSWORD_FILE,
    KEY_CLIENT_CA,
    KEY_ALPN,
    KEY_POLICY,
    KEY_ECHO,
    KEY_ONCE,
    KEY_JSON,
    KEY_CA_DIR,
    KEY_OCSP,
};

static const cli_option options[] = {
    {'l', "listen", "HOST:PORT",
     "where to listen (" DEFAULT_LISTEN "); port 0: any free one;\n"
     ":PORT: on all addresses of the machine"},
    {'i', "identity", "FILE",
     "PEM with key and certificates, or PKCS#12 (.p12); more of them for\n"
     "other names or kinds of key; without one, a development\n"
     "certificate is made on the spot"},
    {KEY_CERT, "cert", "FILE", "the certificates, if the key is elsewhere"},
    {KEY_KEY, "key", "FILE", "the key"},
    {KEY_KEY_URI, "key-uri", "URI",
     "the key is there, in a token (pkcs11:...) say, and so are the\n"
     "certificates without --cert"},
    {KEY_PASSWORD_FILE, "password-file", "FILE", "its first line is the key's password"},
    {KEY_CLIENT_CA, "client-ca", "FILE",
     "ask clients for a certificate of this CA, or of those in a directory"},
    CLI_OPTION_CLIENT_AUTH,
    CLI_OPTION_ALLOW,
    CLI_OPTION_RELAX,
    {CLI_KEY_CRL, "crl", "FILE",
     "not those on the revocation lists in FILE, or in a directory, nor\n"
     "those whose issuer has no current list there"},
    CLI_OPTION_CRL_RULE,
    {KEY_OCSP, "ocsp", "FILE", "staple this OCSP response (DER) for its certificate; more of them"},
    {KEY_ALPN, "alpn", "LIST", "protocols, most wanted first (http/1.1; none for --echo)"},
    {KEY_POLICY, "policy", "NAME", "which algorithms: default, modern"},
    {KEY_ECHO, "echo", NULL, "send back what comes in, instead of files"},
    {KEY_ONCE, "once", NULL, "end after one connection"},
    {KEY_JSON, "json", NULL, "one JSON object per line instead of text"},
    {KEY_CA_DIR, "ca-dir", "DIR", "where the development CA is kept (~/.local/share/cinch)"},
    {0},
};

typedef struct serve_options {
    const char *directory;
    const char *listen;
    const char *client_ca;
    const char **ocsp; /* ended by NULL */
    const char *alpn;
    const char *policy;
    const char *ca_dir;
    const char *password_file;
    cli_checks checks;
    cli_identity *identities; /* the first one is for whoever asks for no name that is known */
    size_t identity_count;    /* 0: none is named */
    bool identity_option;
    bool echo;
    bool once;
    bool json;
    char *host; /* NULL: all addresses */
    char *port;
} serve_options;

/* Notes about a certificate that was made on the spot. */
typedef struct development {
    char *ca;
    bool made;
} development;

/*
 * There is room for as many as there are arguments. False for a key that is none of ours; *CODE is set
 * if its argument is wrong.
 */
static bool take(serve_options *o, int key, int *code)
{
    const char **ocsp = o->ocsp;

    switch (key) {
    case 'l':
        o->listen = optarg;
        return true;
    case 'i':
        if (!o->identity_option)
            o->identity_count = 0;
        o->identity_option = true;
        o->identities[o->identity_count++].cert_file = optarg;
        return true;
    case KEY_CERT:
        o->identities[0].cert_file = optarg;
        if (o->identity_count == 0)
            o->identity_count = 1;
        return true;
    case KEY_KEY:
        o->identities[0].key_file = optarg;
        return true;
    case KEY_KEY_URI:
        o->identities[0].key_uri = optarg;
        return true;
    case KEY_PASSWORD_FILE:
        o->password_file = optarg;
        return true;
    case KEY_CLIENT_CA:
        o->client_ca = optarg;
        return true;
    case KEY_OCSP:
        while (*ocsp != NULL)
            ocsp++;
        *ocsp = optarg;
        return true;
    case KEY_ALPN:
        o->alpn = optarg;
        return true;
    case KEY_POLICY:
        o->policy = optarg;
        return true;
    case KEY_ECHO:
        o->echo = true;
        return true;
    case KEY_ONCE:
        o->once = true;
        return true;
    case KEY_JSON:
        o->json = true;
        return true;
    case KEY_CA_DIR:
        o->ca_dir = optarg;
        return true;
    default:
        return cli_checks_take(&o->checks, &serve_command, key, code);
    }
}

/* 0, or the exit code for a command line that makes no sense. */
static int check(serve_options *o, int argc, char **argv)
{
    const cli_command *me = &serve_command;

    if (argc - optind > 1)
        return cli_usage(me, "more than one directory: %s", argv[optind + 1]);
    if (optind < argc)
        o->directory = argv[optind];
    if (o->echo && o->directory != NULL)
        return cli_usage(me, "--echo serves no directory");
    if (o->identity_option &&
        (o->identities[0].key_file != NULL || o->identities[0].key_uri != NULL))
        return cli_usage(me, "--identity has the key in it; use --cert with --key or --key-uri");
    if (cli_identity_check(me, &o->identities[0]) != 0)
        return CLI_USAGE;
    if (o->identity_count == 0 && cli_identity_is_given(&o->identities[0]))
        o->identity_count = 1;
    if (o->checks.crl != NULL && o->client_ca == NULL)
        return cli_usage(me, "--crl is for clients with certificates: it needs --client-ca");
    if (o->checks.relaxed != 0 && o->client_ca == NULL)
        return cli_usage(me, "--relax is for clients with certificates: it needs --client-ca");
    if (cli_checks_fit(&o->checks, me, o->client_ca != NULL) != 0)
        return CLI_USAGE;
    if (o->ocsp[0] != NULL && o->identity_count == 0)
        return cli_usage(me, "--ocsp needs --identity or --cert");
    for (size_t i = 0; i < o->identity_count; i++)
        o->identities[i].password_file = o->password_file;
    if (!cli_split_host(o->listen, DEFAULT_PORT, &o->host, &o->port))
        return cli_usage(me, "%s is not HOST:PORT", o->listen);
    if (o->host[0] == '\0') {
        free(o->host);
        o->host = NULL;
    }
    return 0;
}

static cinch_context *make_context(const serve_options *o, development *dev, serve_watch **watch,
                                   cinch_error *err)
{
    cinch_context *ctx = cinch_context_server(err);
    const char *alpn = o->alpn != NULL ? o->alpn : "http/1.1";

    if (o->policy != NULL)
        (void)cinch_context_policy_named(ctx, o->policy, err);
    if (o->client_ca != NULL) {
        (void)cli_trust_use(ctx, o->client_ca, err);
        (void)cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, err);
    }
    if (o->alpn != NULL || !o->echo)
        (void)cinch_context_alpn(ctx, alpn, err);
    if (o->identity_count > 0 || o->client_ca != NULL)
        *watch = serve_watch_new(ctx, o->identities, o->identity_count, o->client_ca, o->checks.crl,
                                 o->json, err);
    if (o->identity_count == 0 && !cinch_error_is_set(err))
        (void)serve_development_identity(ctx, o->ca_dir, o->host, &dev->ca, &dev->made, err);
    (void)cli_checks_use(&o->checks, ctx, err);
    for (const char **ocsp = o->ocsp; *ocsp != NULL; ocsp++)
        (void)cinch_context_ocsp_file(ctx, *ocsp, err);
    return ctx;
}

/* HOST:PORT as a client would write it. */
static char *public_address(const serve_options *o, const cinch_listener *listener)
{
    const char *host = o->host != NULL ? o->host : "localhost";
    bool brackets = strchr(host, ':') != NULL;

    return cli_text("%s%s%s:%d", brackets ? "[" : "", host, brackets ? "]" : "",
                    cinch_listener_port(listener));
}

/* The line that programs wait for comes first, and at once. */
static void tell_start(const serve_options *o, const cinch_listener *listener,
                       const development *dev)
{
    char *where = public_address(o, listener);
    FILE *notes = o->json ? stderr : stdout;

    if (o->json) {
        json_t *object = json_pack("{s:s, s:o, s:i}", "event", "listening", "address",
                                   cli_json_text(where), "port", cinch_listener_port(listener));

        if (dev->ca != NULL)
            json_object_set_new(object, "ca", cli_json_text(dev->ca));
        cli_json_print(object, stdout);
    } else {
        printf(o->echo ? "listening on %s\n" : "listening on https://%s/\n", where);
        fflush(stdout);
    }
    if (dev->made)
        fprintf(notes, "there was no development CA: made one, %s\n", dev->ca);
    if (dev->ca != NULL)
        fprintf(notes,
                "with a development certificate, made on the spot; to connect:\n"
                "  cinch connect --ca '%s' %s\n",
                dev->ca, where);
    if (dev->ca != NULL && !o->echo)
        fprintf(notes, "  curl --cacert '%s' https://%s/\n", dev->ca, where);
    fflush(notes);
    free(where);
}

static bool open_root(const serve_options *o, serve_settings *settings, cinch_error *err)
{
    const char *directory = o->directory != NULL ? o->directory : ".";
    int number;

    if (o->echo)
        return true;
    settings->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (settings->root >= 0)
        return true;
    number = errno;
    cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "name a directory that you may read",
             "cannot serve %s", directory);
    cli_fail_errno(err, number);
    return false;
}

static void serve(const serve_options *o, cinch_error *err)
{
    const cinch_timeouts timeouts = {.handshake_ms = 15000, .read_ms = HTTP_IDLE_MS};
    serve_settings settings = {.root = -1, .echo = o->echo, .json = o->json};
    development dev = {NULL, false};
    cinch_context *ctx = NULL;
    cinch_listener *listener = NULL;
    serve_watch *watch = NULL;

    if (!open_root(o, &settings, err))
        return;
    ctx = make_context(o, &dev, &watch, err);
    listener = cinch_listen(ctx, o->host, o->port, err);
    if (!o->echo)
        (void)cinch_listener_timeouts(listener, &timeouts, err);
    /* Who reads the line may send a signal at once. */
    if (serve_pool_prepare(listener, err)) {
        tell_start(o, listener, &dev);
        serve_pool_run(&settings, listener, o->once, err);
    }
    serve_watch_free(watch);
    cinch_listener_free(listener);
    cinch_context_free(ctx);
    free(dev.ca);
    if (settings.root >= 0)
        (void)close(settings.root);
}

static int run(int argc, char **argv)
{
    serve_options o = {.listen = DEFAULT_LISTEN, .checks = CLI_CHECKS_INIT};
    cinch_error err = CINCH_ERROR_INIT;
    int key;
    int code = 0;

    o.identities = cli_alloc((size_t)argc * sizeof(*o.identities));
    o.ocsp = cli_alloc((size_t)argc * sizeof(*o.ocsp));
    while ((key = cli_next(&serve_command, argc, argv)) != CLI_END) {
        if (!take(&o, key, &code) || code != 0)
            break;
    }
    if (key == CLI_END)
        code = check(&o, argc, argv);
    else if (code == 0)
        code = cli_stop(key);
    if (key == CLI_END && code == 0) {
        serve(&o, &err);
        code = cli_report(&err, stderr);
    }
    free(o.identities);
    free(o.ocsp);
    free(o.host);
    free(o.port);
    return code;
}

const cli_command serve_command = {
    "serve",
    "[OPTION...] [DIR]",
    "serve a directory over HTTPS, or an echo",
    "Hidden files and symbolic links are not served. Stop it with Ctrl-C.",
    options,
    run,
};
