/* bench.c: cinch bench. */
#include "bench.h"
#include "json.h"
#include "output.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEY_BULK = CLI_LONG_ONLY,
    KEY_HANDSHAKES,
    KEY_SUITE,
    KEY_KEY,
    KEY_VERSION,
    KEY_SECONDS,
    KEY_ROUNDS,
    KEY_SIZE,
    KEY_JSON,
    KEY_PLOT,
    ROUNDS_MOST = 1000,
    SIZE_MOST = 16 << 20,
};

#define SECONDS_LEAST 0.05
#define SECONDS_MOST 60.0
#define SIZE_USUAL ((long)256 << 10)

static const cli_option options[] = {
    {KEY_BULK, "bulk", NULL, "throughput by cipher suite alone"},
    {KEY_HANDSHAKES, "handshakes", NULL, "handshakes by kind of key alone"},
    {KEY_SUITE, "suite", "NAME", "throughput of this suite; again for more"},
    {KEY_KEY, "key", "TYPE",
     "handshakes with this key; again for more:\nrsa2048, rsa3072, p256, p384, ed25519"},
    {KEY_VERSION, "version", "VERSION", "this protocol version alone: 1.2 or 1.3"},
    {KEY_SECONDS, "seconds", "S", "how long one run is, 0.05 to 60 (0.3)"},
    {KEY_ROUNDS, "rounds", "N", "how many runs of each, taking turns (5)"},
    {KEY_SIZE, "size", "BYTES", "of one write, for throughput (262144)"},
    {KEY_JSON, "json", NULL, "print one JSON object, with every run"},
    {KEY_PLOT, "plot", "FILE", "draw a plot as SVG as well; needs gnuplot"},
    {0},
};

static int take_suite(bench_settings *s)
{
    const char *names[BENCH_SUITE_MOST];
    size_t count;
    const bench_suite *suites = bench_suites(&count);
    const char *near;
    char *list;

    for (size_t i = 0; i < count; i++) {
        names[i] = suites[i].name;
        if (strcmp(optarg, suites[i].name) != 0 && strcmp(optarg, suites[i].standard) != 0)
            continue;
        if (s->suite_count == BENCH_SUITE_MOST)
            return cli_usage(&bench_command, "--suite is possible %d times", BENCH_SUITE_MOST);
        s->suites[s->suite_count++] = &suites[i];
        return 0;
    }
    near = cli_nearest(optarg, names, count);
    if (near != NULL)
        return cli_usage(&bench_command, "there is no suite %s here; did you mean %s?", optarg,
                         near);
    list = cli_copy("", 0);
    for (size_t i = 0; i < count; i++) {
        char *longer = cli_text("%s%s%s", list, i > 0 ? ", " : "", names[i]);

        free(list);
        list = longer;
    }
    (void)cli_usage(&bench_command, "there is no suite %s here; the suites are %s", optarg, list);
    free(list);
    return CLI_USAGE;
}

static int take_key(bench_settings *s)
{
    size_t count;
    const bench_key *keys = bench_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(optarg, keys[i].name) != 0)
            continue;
        if (s->key_count == BENCH_KEY_MOST)
            return cli_usage(&bench_command, "--key is possible %d times", BENCH_KEY_MOST);
        s->keys[s->key_count++] = &keys[i];
        return 0;
    }
    return cli_usage(&bench_command, "--key takes rsa2048, rsa3072, p256, p384 or ed25519, not %s",
                     optarg);
}

static int take_version(bench_settings *s)
{
    if (strcmp(optarg, "1.2") == 0)
        s->version = CINCH_TLS_1_2;
    else if (strcmp(optarg, "1.3") == 0)
        s->version = CINCH_TLS_1_3;
    else
        return cli_usage(&bench_command, "--version takes 1.2 or 1.3, not %s", optarg);
    return 0;
}

static int take_seconds(bench_settings *s)
{
    char *end = optarg;

    s->seconds = strtod(optarg, &end);
    if (optarg[strspn(optarg, "0123456789.eE+-")] != '\0' || end == optarg || *end != '\0' ||
        !isfinite(s->seconds))
        return cli_usage(&bench_command, "--seconds takes a number, not %s", optarg);
    if (s->seconds < SECONDS_LEAST || s->seconds > SECONDS_MOST)
        return cli_usage(&bench_command, "--seconds %s is too %s: %g to %g are possible", optarg,
                         s->seconds < SECONDS_LEAST ? "short" : "long", SECONDS_LEAST,
                         SECONDS_MOST);
    return 0;
}

static int take(bench_settings *s, int key)
{
    switch (key) {
    case KEY_BULK:
        s->bulk = true;
        return 0;
    case KEY_HANDSHAKES:
        s->handshakes = true;
        return 0;
    case KEY_SUITE:
        return take_suite(s);
    case KEY_KEY:
        return take_key(s);
    case KEY_VERSION:
        return take_version(s);
    case KEY_SECONDS:
        return take_seconds(s);
    case KEY_ROUNDS:
        return cli_number(&bench_command, "--rounds", optarg, 1, ROUNDS_MOST, &s->rounds)
                   ? 0
                   : CLI_USAGE;
    case KEY_SIZE:
        return cli_number(&bench_command, "--size", optarg, 1, SIZE_MOST, &s->size) ? 0 : CLI_USAGE;
    case KEY_JSON:
        s->json = true;
        return 0;
    default:
        s->plot = optarg;
        return 0;
    }
}

/* What is named is what is measured; without a word, everything. */
static int complete(bench_settings *s, int argc, char **argv)
{
    const cli_command *me = &bench_command;

    if (optind < argc)
        return cli_usage(me, "unexpected argument %s", argv[optind]);
    if (s->suite_count > 0 && s->handshakes && !s->bulk)
        return cli_usage(me, "--suite is about throughput: add --bulk, or leave it out");
    if (s->key_count > 0 && s->bulk && !s->handshakes)
        return cli_usage(me, "--key is about handshakes: add --handshakes, or leave it out");
    for (size_t i = 0; i < s->suite_count; i++) {
        if (s->version != 0 && s->suites[i]->version != s->version)
            return cli_usage(me, "%s is not for %s", s->suites[i]->name,
                             bench_version_text(s->version));
    }
    if (!s->bulk && !s->handshakes) {
        s->bulk = s->suite_count > 0 || s->key_count == 0;
        s->handshakes = s->key_count > 0 || s->suite_count == 0;
    }
    if (s->size != 0 && !s->bulk)
        return cli_usage(me, "--size is about throughput: add --bulk, or leave it out");
    if (s->size == 0)
        s->size = SIZE_USUAL;
    return 0;
}

/* One line that overwrites itself, for a terminal. */
static void tell(const bench_settings *s, long round, const bench_case *what)
{
    if (isatty(STDERR_FILENO) == 0)
        return;
    if (what == NULL) {
        fputs("\r\x1b[K", stderr);
        return;
    }
    fprintf(stderr, "\r\x1b[Kround %ld of %ld: %s, %s%s%s", round + 1, s->rounds,
            bench_version_text(what->suite->version),
            what->kind == BENCH_BULK ? what->suite->name : what->key->title,
            what->kind == BENCH_BULK ? "" : ", ",
            what->kind == BENCH_BULK   ? ""
            : what->kind == BENCH_FULL ? "full"
                                       : "resumed");
}

/* They take turns, so that what else the machine does hits all alike. */
static void measure(const bench_settings *s, bench_case *cases, size_t count, cinch_error *err)
{
    bench_certs *certs = bench_certs_make(cases, count, err);
    bool going = certs != NULL;

    for (long round = 0; going && round < s->rounds; round++) {
        for (size_t i = 0; going && i < count; i++) {
            bench_case *what = &cases[i];

            tell(s, round, what);
            going = bench_caught() == 0 &&
                    bench_measure(s, certs, what, &what->runs[what->run_count], err);
            if (going)
                what->run_count++;
        }
    }
    tell(s, 0, NULL);
    bench_certs_free(certs);
}

/* Also what was measured before something failed, or somebody lost patience. */
static void show(const bench_settings *s, const bench_machine *machine, const bench_case *cases,
                 size_t count, int plot, cinch_error *err)
{
    cinch_error own = CINCH_ERROR_INIT;

    if (cases[0].run_count == 0)
        return;
    if (s->json)
        cli_json_print(bench_json(s, machine, cases, count), stdout);
    else
        bench_print_table(s, machine, cases, count, stdout);
    if (plot >= 0 && !bench_plot_draw(plot, machine, cases, count, &own) &&
        !cinch_error_is_set(err))
        *err = own;
}

static void bench(const bench_settings *s, cinch_error *err)
{
    bench_machine machine;
    size_t count;
    bench_case *cases = bench_plan(s, &count);
    bool made = false;
    int plot = s->plot != NULL ? bench_plot_open(s->plot, &made, err) : -1;

    bench_look_around(&machine);
    if (!cinch_error_is_set(err) && bench_catch_signals(err)) {
        measure(s, cases, count, err);
        show(s, &machine, cases, count, plot, err);
    }
    if (plot >= 0)
        (void)close(plot);
    if (made && (cases[0].run_count == 0 || cinch_error_is_set(err)))
        (void)unlink(s->plot);
    bench_plan_free(cases, count);
}

static int run(int argc, char **argv)
{
    bench_settings s = {.seconds = 0.3, .rounds = 5};
    cinch_error err = CINCH_ERROR_INIT;
    int code;
    int key;

    while ((key = cli_next(&bench_command, argc, argv)) != CLI_END) {
        if (key < 0)
            return cli_stop(key);
        code = take(&s, key);
        if (code != 0)
            return code;
    }
    code = complete(&s, argc, argv);
    if (code != 0)
        return code;
    bench(&s, &err);
    code = cli_report(&err, stderr);
    if (code == 0 && bench_caught() != 0) {
        /* Whoever started this sees that it was interrupted, as with any other program. */
        (void)fflush(stdout);
        (void)signal(bench_caught(), SIG_DFL);
        (void)raise(bench_caught());
    }
    return code;
}

const cli_command bench_command = {
    "bench",
    "[OPTION...]",
    "measure throughput and handshakes on this machine",
    "Two processes talk over TCP on 127.0.0.1. Ctrl-C ends it and shows what there is so far.\n"
    "--suite alone leaves out the handshakes, --key alone the throughput.",
    options,
    run,
};
