/* verify.c: cinch verify: would this chain be accepted? */
#include "checks.h"
#include "cli.h"
#include "identity.h"
#include "json.h"
#include "output.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_CA = CLI_LONG_ONLY,
    KEY_HOST,
    KEY_CLIENT,
    KEY_TIME,
    KEY_DEPTH,
    KEY_JSON,
    CA_MOST = 32,
    CHAIN_MOST = 1000
};

static const cli_option options[] = {
    {KEY_CA, "ca", "FILE",
     "trust only the certificates in FILE, or in a hashed directory;\n"
     "again for more"},
    {KEY_HOST, "host", "NAME", "the name or address that the server must be"},
    {KEY_CLIENT, "client", NULL, "it is a client's chain"},
    {KEY_TIME, "time", "TIME",
     "at this time: 2026-01-31, 2026-01-31T12:00:00Z, or seconds since 1970"},
    {KEY_DEPTH, "depth", "N", "at most so many intermediates (10)"},
    CLI_OPTION_RELAX,
    {KEY_JSON, "json", NULL, "print the result as one JSON object"},
    {'q', "quiet", NULL, "print nothing if it is accepted"},
    {0},
};

typedef struct verify_options {
    const char *ca[CA_MOST];
    size_t ca_count;
    const char *host;
    cli_checks checks;
    long depth;
    int64_t when;
    bool client;
    bool json;
    bool quiet;
    const char *file;
} verify_options;

/* The chain in the file, the peer's certificate first. */
typedef struct chain {
    unsigned char *der[CHAIN_MOST];
    size_t sizes[CHAIN_MOST];
    size_t count;
} chain;

/* "2026-01-31T12:00:00Z" as X.509 would write it, and from there to seconds. */
static bool read_date(const char *text, int64_t *when)
{
    char digits[16] = "";
    size_t n = 0;
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0), *time = ASN1_TIME_new();
    static const char form[] = "0000-00-00T00:00:00Z";
    size_t length = strlen(text);
    bool good = epoch != NULL && time != NULL && (length == 10 || length == 20);

    for (size_t i = 0; good && i < length; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        good = form[i] == '0' ? digit : text[i] == form[i];
        if (good && digit)
            digits[n++] = text[i];
    }
    if (good && n == 8)
        memset(digits + 8, '0', 6);
    digits[14] = 'Z';
    good = good && ASN1_TIME_set_string_X509(time, digits) == 1 &&
           ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    if (good)
        *when = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
    ASN1_TIME_free(time);
    ERR_clear_error();
    return good;
}

static bool read_time(const char *text, int64_t *when)
{
    char *end;

    if (strchr(text, '-') != NULL)
        return read_date(text, when);
    errno = 0;
    *when = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *when > 0;
}

/* False for a key that is none of ours; *CODE is set if its argument is wrong. */
static bool take(verify_options *o, int key, int *code)
{
    const cli_command *me = &verify_command;

    switch (key) {
    case KEY_CA:
        if (o->ca_count == CA_MOST)
            *code = cli_usage(me, "--ca is possible %d times", (int)CA_MOST);
        else
            o->ca[o->ca_count++] = optarg;
        return true;
    case KEY_HOST:
        o->host = optarg;
        return true;
    case KEY_CLIENT:
        o->client = true;
        return true;
    case KEY_TIME:
        if (!read_time(optarg, &o->when))
            *code = cli_usage(me, "--time: %s is no time", optarg);
        return true;
    case KEY_DEPTH:
        if (!cli_number(me, "--depth", optarg, 0, 100, &o->depth))
            *code = CLI_USAGE;
        return true;
    case KEY_JSON:
        o->json = true;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    default:
        return cli_checks_take(&o->checks, me, key, code);
    }
}

static int check(verify_options *o, int argc, char **argv)
{
    const cli_command *me = &verify_command;

    if (optind == argc)
        return cli_usage(me, "which chain? Give a PEM file, the peer's certificate first");
    if (argc - optind > 1)
        return cli_usage(me, "more than one file: %s", argv[optind + 1]);
    if (o->client && o->host != NULL)
        return cli_usage(me, "--host is for a server's chain");
    if (!o->client && o->host == NULL)
        return cli_usage(me,
                         "--host says who the server must be; --client is for a client's chain");
    if (o->client && o->ca_count == 0)
        return cli_usage(me, "--client needs --ca: who issues to clients?");
    o->file = argv[optind];
    return 0;
}

static bool read_chain(const char *path, chain *out, cinch_error *err)
{
    BIO *in = BIO_new_file(path, "r");
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size = 0;

    if (in == NULL) {
        int number = errno;

        ERR_clear_error();
        cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "check the name and the permissions",
                 "the chain \"%s\" cannot be read", path);
        cli_fail_errno(err, number);
        return false;
    }
    while (out->count < CHAIN_MOST && PEM_read_bio(in, &name, &header, &data, &size) == 1) {
        if (strcmp(name, PEM_STRING_X509) == 0 && size > 0) {
            out->der[out->count] = data;
            out->sizes[out->count++] = (size_t)size;
            data = NULL;
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
        data = NULL;
    }
    ERR_clear_error();
    BIO_free(in);
    return out->count > 0 ||
           cli_fail(err, CINCH_CAUSE_NO_CERTIFICATE, "give PEM, the peer's certificate first",
                    "there is no certificate in \"%s\"", path);
}

static void ask(const verify_options *o, cinch_error *err)
{
    chain *c = cli_alloc(sizeof *c);
    cinch_context *ctx = NULL;

    memset(c, 0, sizeof *c);
    if (read_chain(o->file, c, err))
        ctx = o->client ? cinch_context_server(err) : cinch_context_client(err);
    for (size_t i = 0; i < o->ca_count && !cinch_error_is_set(err); i++)
        (void)cli_trust_use(ctx, o->ca[i], err);
    (void)cinch_context_verify_depth(ctx, (int)o->depth, err);
    (void)cli_checks_use(&o->checks, ctx, err);
    (void)cinch_context_verify_chain(ctx, (const unsigned char *const *)c->der, c->sizes, c->count,
                                     o->host, o->when, err);
    cinch_context_free(ctx);
    for (size_t i = 0; i < c->count; i++)
        OPENSSL_free(c->der[i]);
    free(c);
}

static void print_json(const cinch_error *err)
{
    size_t size = cinch_error_json(err, NULL, 0) + 1;
    char *text = cli_alloc(size);

    (void)cinch_error_json(err, text, size);
    if (cinch_error_is_set(err))
        printf("{\"accepted\":false,\"error\":%s}\n", text);
    else
        printf("{\"accepted\":true}\n");
    free(text);
}

static int run(int argc, char **argv)
{
    verify_options o = {.when = -1, .depth = 10, .checks = CLI_CHECKS_INIT};
    cinch_error err = CINCH_ERROR_INIT;
    int key, code = 0;

    while ((key = cli_next(&verify_command, argc, argv)) != CLI_END) {
        if (key == CLI_HELP || key == CLI_WRONG)
            return cli_stop(key);
        if (!take(&o, key, &code) || code != 0)
            return code != 0 ? code : CLI_OTHER;
    }
    code = check(&o, argc, argv);
    if (code != 0)
        return code;
    ask(&o, &err);
    if (o.json)
        print_json(&err);
    else if (cinch_error_is_set(&err))
        (void)cinch_error_report(&err, stderr);
    else if (!o.quiet)
        printf("accepted%s%s\n", o.client ? ", for clients" : ": it is for ",
               o.client ? "" : o.host);
    return cinch_error_exit_code(&err);
}

const cli_command verify_command = {
    "verify",
    "CHAIN.pem --host NAME [OPTION...]",
    "tells whether a chain of certificates would be accepted",
    "CHAIN.pem has the peer's own certificate first; the others come in any order. It is\n"
    "checked by the code that checks peers: OpenSSL's verification, the rules of RFC 5280\n"
    "and the Web PKI, and the name.",
    options,
    run,
};
