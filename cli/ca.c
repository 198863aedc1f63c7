/* ca.c: cinch ca init, issue and trust. */
#define _DEFAULT_SOURCE /* realpath() */

#include "ca.h"
#include "output.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_FORCE = CLI_LONG_ONLY,
    KEY_DIR,
    KEY_CLIENT,
    KEY_DAYS,
    KEY_START,
};

#define OPTION_DIR                                                                                 \
    {                                                                                              \
        KEY_DIR, "dir", "DIR", "where the CA is kept (~/.local/share/cinch)"                       \
    }

static int run_init(int argc, char **argv);
static int run_issue(int argc, char **argv);
static int run_trust(int argc, char **argv);

static const cli_option init_options[] = {
    OPTION_DIR,
    {KEY_FORCE, "force", NULL, "replace the CA that is there"},
    {0},
};

static const cli_option issue_options[] = {
    {KEY_CLIENT, "client", NULL, "for a client alone; NAME may be an e-mail address or a URI"},
    {KEY_DAYS, "days", "N",
     "how long it is valid, at most 397 (90);\n-N: it expired N days ago, for tests"},
    {KEY_START, "start", "N", "valid from N days from now on only, for tests"},
    {'o', "out", "FILE", "where to write it (NAME.pem)"},
    OPTION_DIR,
    {KEY_FORCE, "force", NULL, "replace a file that this CA did not make"},
    {0},
};

static const cli_option trust_options[] = {OPTION_DIR, {0}};

static const cli_command init_command = {
    "ca init", "[OPTION...]", "makes a certification authority for development.",
    NULL,      init_options,  run_init,
};

static const cli_command issue_command = {
    "ca issue",
    "[OPTION...] NAME...",
    "issues one certificate for all the names, with a new key.",
    "NAME is a DNS name, also *.example.test or an internationalised one, or an IP address.\n"
    "NAME.pem holds key and certificate, for you alone to read; NAME.crt the certificate.",
    issue_options,
    run_issue,
};

static const cli_command trust_command = {
    "ca trust", "[OPTION...]", "prints how to make programs trust the authority.",
    NULL,       trust_options, run_trust,
};

static const cli_command *const subcommands[] = {&init_command, &issue_command, &trust_command};

#define SUBCOMMAND_COUNT (sizeof(subcommands) / sizeof(subcommands[0]))

static int run_init(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    const char *given = NULL;
    bool force = false;
    char *dir;
    int key;

    while ((key = cli_next(&init_command, argc, argv)) != CLI_END) {
        if (key == KEY_DIR)
            given = optarg;
        else if (key == KEY_FORCE)
            force = true;
        else
            return cli_stop(key);
    }
    if (optind < argc)
        return cli_usage(&init_command, "unexpected argument %s", argv[optind]);
    dir = ca_directory(given, &err);
    if (dir != NULL && ca_create(dir, force, &err)) {
        printf("made a development CA in %s\n", dir);
        printf("  its certificate:  %s/cinch-ca.pem\n", dir);
        printf("  its private key:  %s/cinch-ca.key (keep it to yourself)\n", dir);
        printf("Next: cinch ca issue localhost, and cinch ca trust.\n");
    }
    free(dir);
    return cli_report(&err, stderr);
}

/* NAME.pem, with what is inconvenient in file names replaced. */
static char *file_for(const char *name)
{
    bool wildcard = strncmp(name, "*.", 2) == 0;
    char *path = cli_text("%s%s.pem", wildcard ? "_wildcard." : "", wildcard ? name + 2 : name);

    for (char *c = path; *c != '\0'; c++) {
        if (*c == '/' || *c == ':')
            *c = '_';
    }
    return path;
}

/* A renewal may replace what this authority made; anything else may be somebody's only copy. */
static bool may_replace(const char *path, const ca_authority *authority, cinch_error *err)
{
    BIO *there;
    X509 *cert;
    bool ours;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    there = ca_read_file(path, NULL, err);
    if (there == NULL)
        return false;
    cert = ca_parse_cert(there);
    ours = cert != NULL && X509_verify(cert, authority->key) == 1;
    ERR_clear_error();
    X509_free(cert);
    BIO_free(there);
    return ours || cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                            "write elsewhere with --out FILE, or replace it with --force",
                            "%s is there already, and not from this CA", path);
}

static bool write_pem(const char *path, EVP_PKEY *key, X509 *cert, cinch_error *err)
{
    BIO *pem = ca_pem(key, cert, err);
    bool ok =
        pem != NULL && ca_write_file(path, pem, key != NULL ? 0600 : 0644, CA_REPLACE, NULL, err);

    BIO_free(pem);
    return ok;
}

/* FILE.crt beside FILE.pem; NULL if PATH does not end in .pem. */
static char *beside(const char *path)
{
    static const char suffix[] = ".pem";
    size_t length = strlen(path);
    size_t stem = length - (sizeof(suffix) - 1);

    if (length <= sizeof(suffix) - 1 || strcmp(path + stem, suffix) != 0)
        return NULL;
    return cli_text("%.*s.crt", (int)stem, path);
}

static void tell_issued(const char *path, const char *cert_path, const ca_request *request)
{
    printf("issued a %s certificate for", request->client ? "client" : "server");
    for (size_t i = 0; i < request->count; i++)
        printf(" %s", request->names[i]);
    printf("\n  key and certificate:  %s (keep it to yourself)\n", path);
    if (cert_path != NULL)
        printf("  certificate alone:    %s\n", cert_path);
    if (request->days < 0)
        printf("  it expired %ld days ago\n", -request->days);
    else if (request->start > 0)
        printf("  valid for %ld days, in %ld days\n", request->days, request->start);
    else
        printf("  valid for %ld days\n", request->days);
}

static void issue(const char *dir, const ca_request *request, const char *out, bool force,
                  cinch_error *err)
{
    ca_authority *authority = ca_open(dir, err);
    char *path = out != NULL ? cli_copy(out, strlen(out)) : file_for(request->names[0]);
    char *cert_path = beside(path);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;

    if (authority != NULL && ca_make_leaf(authority, request, &key, &cert, err) &&
        (force || (may_replace(path, authority, err) &&
                   (cert_path == NULL || may_replace(cert_path, authority, err)))) &&
        write_pem(path, key, cert, err) &&
        (cert_path == NULL || write_pem(cert_path, NULL, cert, err)))
        tell_issued(path, cert_path, request);
    EVP_PKEY_free(key);
    X509_free(cert);
    free(cert_path);
    free(path);
    ca_free(authority);
}

static int run_issue(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    ca_request request = {.days = CA_DAYS_DEFAULT};
    const cli_command *me = &issue_command;
    const char *given = NULL;
    const char *out = NULL;
    bool force = false;
    char *dir;
    int key;

    while ((key = cli_next(me, argc, argv)) != CLI_END) {
        if (key == KEY_DIR)
            given = optarg;
        else if (key == KEY_FORCE)
            force = true;
        else if (key == KEY_CLIENT)
            request.client = true;
        else if (key == 'o')
            out = optarg;
        else if (key == KEY_DAYS) {
            if (!cli_number(me, "--days", optarg, -3650, CA_DAYS_MOST, &request.days))
                return CLI_USAGE;
        } else if (key == KEY_START) {
            if (!cli_number(me, "--start", optarg, 0, 3000, &request.start))
                return CLI_USAGE;
        } else
            return cli_stop(key);
    }
    if (optind == argc)
        return cli_usage(me, "a certificate needs at least one name: cinch ca issue localhost");
    if (request.days == 0 || (request.days < 0 && request.start != 0))
        return cli_usage(me, "--days is not 0, and not negative together with --start");
    request.names = argv + optind;
    request.count = (size_t)(argc - optind);
    dir = ca_directory(given, &err);
    if (dir != NULL)
        issue(dir, &request, out, force, &err);
    free(dir);
    return cli_report(&err, stderr);
}

/* Prints TEXT with PATH, quoted for the shell, in place of each @. */
static void print_with(const char *path, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text != '@') {
            putchar(*text);
            continue;
        }
        putchar('\'');
        for (const char *c = path; *c != '\0'; c++) {
            if (*c == '\'')
                fputs("'\\''", stdout);
            else
                putchar(*c);
        }
        putchar('\'');
    }
}

static void tell_trust(const char *path)
{
    printf("The development CA's certificate is %s\n\n", path);
    fputs("Whoever has its private key can pose as any server to a program that trusts it: trust\n"
          "it on your own machines only.\n\n",
          stdout);
    print_with(path, "One command:\n"
                     "  cinch connect --ca @ localhost:8443\n"
                     "  curl --cacert @ https://localhost:8443/\n"
                     "  SSL_CERT_FILE=@ python3 program.py\n\n");
    print_with(path, "All of Debian, Ubuntu:\n"
                     "  sudo cp @ /usr/local/share/ca-certificates/cinch-ca.crt\n"
                     "  sudo update-ca-certificates\n\n"
                     "All of Fedora, RHEL:\n"
                     "  sudo cp @ /etc/pki/ca-trust/source/anchors/cinch-ca.pem\n"
                     "  sudo update-ca-trust\n\n");
    print_with(path, "Chromium, on Linux (certutil is in libnss3-tools):\n"
                     "  certutil -d sql:\"$HOME/.pki/nssdb\" -A -t C,, -n cinch-ca -i @\n\n"
                     "Firefox: the same with the profile's directory after sql:, or Settings,\n"
                     "Privacy & Security, View Certificates, Authorities, Import.\n");
}

static int run_trust(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    ca_authority *authority = NULL;
    const char *given = NULL;
    char *dir;
    int key;

    while ((key = cli_next(&trust_command, argc, argv)) != CLI_END) {
        if (key != KEY_DIR)
            return cli_stop(key);
        given = optarg;
    }
    if (optind < argc)
        return cli_usage(&trust_command, "unexpected argument %s", argv[optind]);
    dir = ca_directory(given, &err);
    if (dir != NULL)
        authority = ca_open(dir, &err);
    if (authority != NULL) {
        char *absolute = realpath(authority->cert_path, NULL);

        tell_trust(absolute != NULL ? absolute : authority->cert_path);
        free(absolute);
    }
    ca_free(authority);
    free(dir);
    return cli_report(&err, stderr);
}

static int run(int argc, char **argv)
{
    const char *names[SUBCOMMAND_COUNT];
    const char *near;

    if (argc < 2)
        return cli_usage(&ca_command, "say what to do: init, issue or trust");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_help(&ca_command, stdout);
        return 0;
    }
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++) {
        names[i] = subcommands[i]->name + strlen("ca ");
        if (strcmp(names[i], argv[1]) == 0)
            return subcommands[i]->run(argc - 1, argv + 1);
    }
    near = cli_nearest(argv[1], names, SUBCOMMAND_COUNT);
    if (near != NULL)
        return cli_usage(&ca_command, "there is no %s; did you mean %s?", argv[1], near);
    return cli_usage(&ca_command, "there is no %s", argv[1]);
}

const cli_command ca_command = {
    "ca",
    "init|issue|trust [ARGUMENT...]",
    "make certificates for development",
    "  cinch ca init              makes a certification authority\n"
    "  cinch ca issue NAME...     issues a certificate: DNS names, IP addresses\n"
    "  cinch ca trust             prints how to make programs trust the authority\n\n"
    "`cinch ca issue --help` and so on say more.",
    NULL,
    run,
};
