/* bench_json.c: everything that was measured, for programs. */
#include "bench.h"
#include "json.h"

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, cli_json_text(text));
}

static void set_spread(json_t *object, const char *name, const bench_case *what,
                       bench_metric metric)
{
    bench_spread spread = bench_sum_up(what, metric);
    json_t *value = json_object();

    json_object_set_new(value, "median", json_real(spread.median));
    json_object_set_new(value, "lowest", json_real(spread.lowest));
    json_object_set_new(value, "highest", json_real(spread.highest));
    json_object_set_new(object, name, value);
}

static json_t *runs_json(const bench_case *what)
{
    json_t *list = json_array();

    for (size_t i = 0; i < what->run_count; i++) {
        const bench_run *run = &what->runs[i];
        json_t *entry = json_object();

        json_object_set_new(entry, what->kind == BENCH_BULK ? "bytes" : "handshakes",
                            json_integer((json_int_t)run->count));
        json_object_set_new(entry, "seconds", json_real(run->seconds));
        json_object_set_new(entry, "server_cpu_seconds", json_real(run->server_cpu));
        json_object_set_new(entry, "client_cpu_seconds", json_real(run->client_cpu));
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *case_json(const bench_case *what)
{
    bool bulk = what->kind == BENCH_BULK;
    json_t *object = json_object();

    set_text(object, "version", bench_version_text(what->suite->version));
    set_text(object, "suite", what->suite->name);
    set_text(object, "key", what->key->name);
    if (bulk)
        json_object_set_new(object, "weak", json_boolean(what->suite->weak));
    else
        json_object_set_new(object, "resumed", json_boolean(what->kind == BENCH_RESUMED));
    set_spread(object, bulk ? "mb_per_second" : "per_second", what, BENCH_RATE);
    set_spread(object, bulk ? "server_cpu_seconds_per_gib" : "server_cpu_microseconds", what,
               BENCH_SERVER_COST);
    set_spread(object, bulk ? "client_cpu_seconds_per_gib" : "client_cpu_microseconds", what,
               BENCH_CLIENT_COST);
    json_object_set_new(object, "runs", runs_json(what));
    return object;
}

static json_t *cases_json(const bench_case *cases, size_t count, bool bulk)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        if ((cases[i].kind == BENCH_BULK) == bulk && cases[i].run_count > 0)
            json_array_append_new(list, case_json(&cases[i]));
    }
    return list;
}

static json_t *machine_json(const bench_machine *machine)
{
    json_t *object = json_object();

    set_text(object, "cpu", machine->cpu);
    json_object_set_new(object, "cores", json_integer(machine->cores));
    set_text(object, "kernel", machine->kernel);
    json_object_set_new(object, "load",
                        machine->load >= 0 ? json_real(machine->load) : json_null());
    return object;
}

static json_t *settings_json(const bench_settings *settings)
{
    json_t *object = json_object();

    json_object_set_new(object, "seconds", json_real(settings->seconds));
    json_object_set_new(object, "rounds", json_integer(settings->rounds));
    json_object_set_new(object, "size", json_integer(settings->size));
    return object;
}

json_t *bench_json(const bench_settings *settings, const bench_machine *machine,
                   const bench_case *cases, size_t count)
{
    json_t *object = json_object();
    bool complete = true;

    for (size_t i = 0; i < count; i++)
        complete = complete && cases[i].run_count == (size_t)settings->rounds;
    set_text(object, "cinch", cinch_version());
    set_text(object, "openssl", machine->openssl);
    set_text(object, "date", machine->date);
    json_object_set_new(object, "machine", machine_json(machine));
    json_object_set_new(object, "settings", settings_json(settings));
    json_object_set_new(object, "complete", json_boolean(complete));
    json_object_set_new(object, "bulk", cases_json(cases, count, true));
    json_object_set_new(object, "handshakes", cases_json(cases, count, false));
    return object;
}
