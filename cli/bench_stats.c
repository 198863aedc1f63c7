/* bench_stats.c: many runs in three numbers. */
#include "bench.h"

#include <stdlib.h>

#define BYTES_PER_MB 1e6
#define BYTES_PER_GIB 1073741824.0
#define MICROSECONDS 1e6

static double value_of(const bench_case *what, const bench_run *run, bench_metric metric)
{
    bool bulk = what->kind == BENCH_BULK;
    double count = (double)run->count;

    switch (metric) {
    case BENCH_SERVER_COST:
        return run->server_cpu / count * (bulk ? BYTES_PER_GIB : MICROSECONDS);
    case BENCH_CLIENT_COST:
        return run->client_cpu / count * (bulk ? BYTES_PER_GIB : MICROSECONDS);
    default:
        return count / run->seconds / (bulk ? BYTES_PER_MB : 1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

bench_spread bench_sum_up(const bench_case *what, bench_metric metric)
{
    size_t count = what->run_count;
    double *values = cli_alloc(count * sizeof(*values));
    bench_spread spread;

    for (size_t i = 0; i < count; i++)
        values[i] = value_of(what, &what->runs[i], metric);
    qsort(values, count, sizeof(*values), compare);
    spread.lowest = values[0];
    spread.highest = values[count - 1];
    spread.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    free(values);
    return spread;
}
