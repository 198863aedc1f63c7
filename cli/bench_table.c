/* bench_table.c: the table. */
#include "bench.h"
#include "output.h"

#include <string.h>

/* How many digits stand behind the point of VALUE: a small one is not nothing. */
static int digits(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

/* "1234 (1200 to 1260)" */
static void print_rate(const bench_case *what, FILE *out)
{
    bench_spread rate = bench_sum_up(what, BENCH_RATE);
    char range[48];

    snprintf(range, sizeof(range), "(%.*f to %.*f)", digits(rate.lowest), rate.lowest,
             digits(rate.highest), rate.highest);
    fprintf(out, "%8.*f %-18s", digits(rate.median), rate.median, range);
}

static void print_bulk(const bench_case *what, FILE *out)
{
    char name[48];

    snprintf(name, sizeof(name), "%s%s", what->suite->name, what->suite->weak ? " *" : "");
    fprintf(out, "%-8s %-30s", bench_version_text(what->suite->version), name);
    print_rate(what, out);
    for (int end = 0; end < 2; end++) {
        double cost = bench_sum_up(what, end == 0 ? BENCH_SERVER_COST : BENCH_CLIENT_COST).median;

        fprintf(out, "%s%7.*f", end > 0 ? " " : "", cost < 100 ? 3 : 1, cost);
    }
    fputc('\n', out);
}

static void print_handshakes(const bench_case *what, FILE *out)
{
    fprintf(out, "%-8s %-12s %-17s", bench_version_text(what->suite->version), what->key->title,
            what->kind == BENCH_RESUMED ? "resumed" : "full");
    print_rate(what, out);
    fprintf(out, "%7.0f %7.0f\n", bench_sum_up(what, BENCH_SERVER_COST).median,
            bench_sum_up(what, BENCH_CLIENT_COST).median);
}

static void print_head(const char *title, const char *columns, FILE *out)
{
    cli_look look = cli_look_at(out);

    fprintf(out, "\n%s%s%s\n%s%s%s\n", cli_on(look, CLI_BOLD), title, cli_off(look),
            cli_on(look, CLI_DIM), columns, cli_off(look));
}

/* Of another machine and time: never beside what was measured, and never without saying so. */
static void print_notes(bool weak, FILE *out)
{
    if (weak)
        fputs("\n* CBC with a MAC of SHA-1, for comparison: no policy of Cinch has it, only a list "
              "that is\n  picked by hand (RFC 9325, 4.2).\n",
              out);
    fputs("\nFor orientation, not measured here: years ago 394 MB/s (ECDHE-RSA-AES256-SHA) and "
          "740 MB/s\n(ECDHE-RSA-AES256-GCM-SHA384) were published for Python's ssl module over "
          "localhost, on\nanother machine with another OpenSSL.\n",
          out);
}

static void print_all_bulk(const bench_settings *settings, const bench_case *cases, size_t count,
                           FILE *out)
{
    char title[96];
    bool any = false;
    bool weak = false;

    snprintf(title, sizeof(title), "Throughput of one connection, in writes of %ld bytes",
             settings->size);
    for (size_t i = 0; i < count; i++) {
        if (cases[i].kind != BENCH_BULK || cases[i].run_count == 0)
            continue;
        if (!any)
            print_head(title,
                       "         cipher suite                      MB/s (lowest to highest) "
                       " CPU s/GiB: server, client",
                       out);
        print_bulk(&cases[i], out);
        any = true;
        weak = weak || cases[i].suite->weak;
    }
    if (any)
        print_notes(weak, out);
}

static void print_all_handshakes(const bench_case *cases, size_t count, FILE *out)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (cases[i].kind == BENCH_BULK || cases[i].run_count == 0)
            continue;
        if (!any)
            print_head("Connections one after the other, each with a byte there and back",
                       "         key          handshake   per second (lowest to highest) "
                       " CPU us each: server, client",
                       out);
        print_handshakes(&cases[i], out);
        any = true;
    }
}

void bench_print_table(const bench_settings *settings, const bench_machine *machine,
                       const bench_case *cases, size_t count, FILE *out)
{
    fprintf(out, "cinch %s, %s, %s\n", cinch_version(), machine->openssl, machine->date);
    fprintf(out, "%s, %ld core%s, %s", machine->cpu, machine->cores, machine->cores == 1 ? "" : "s",
            machine->kernel);
    if (machine->load >= 0)
        fprintf(out, ", load %.2f before", machine->load);
    fprintf(out,
            "\nTCP on 127.0.0.1, a process for each end; %ld round%s of %g s, in turns; medians\n",
            settings->rounds, settings->rounds == 1 ? "" : "s", settings->seconds);
    print_all_bulk(settings, cases, count, out);
    print_all_handshakes(cases, count, out);
}
