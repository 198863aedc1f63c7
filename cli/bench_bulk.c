/*
 * bench_bulk.c: one connection over which the server writes as much as it can. After a warm-up the
 * client asks for the part that counts.
 */
#include "bench_ends.h"

#include <stdlib.h>

enum {
    WARM_BYTES = 4 << 20,
    WARM_WRITES = 4096,
    LOOK_BYTES = 64 << 10, /* how much is written between looks at the clock */
    LOOK_WRITES = 64,
    LEAST_SPACE = 16 << 10,
};

/* MOST bytes, or less where writes are so small that MANY of them are less: each takes its time. */
static uint64_t limit(uint64_t most, uint64_t many, const bench_settings *settings)
{
    uint64_t bytes = many * (uint64_t)settings->size;

    return bytes < most ? bytes : most;
}

/* At least WANTED bytes, and until DEADLINE. */
static void write_bulk(cinch_stream *stream, const bench_settings *settings, const char *data,
                       uint64_t wanted, double deadline, bench_report *report)
{
    uint64_t size = (uint64_t)settings->size;
    uint64_t step = limit(LOOK_BYTES, LOOK_WRITES, settings);
    uint64_t look = 0;
    uint64_t sent = 0;

    while (!cinch_error_is_set(&report->err)) {
        if (sent >= look) {
            if (sent >= wanted && bench_wall_now() >= deadline)
                break;
            look = sent + step;
        }
        (void)cinch_stream_write_all(stream, data, size, &report->err);
        sent += size;
    }
    report->count = sent;
}

void bench_bulk_serve(const bench_job *job, cinch_listener *listener, bench_report *report)
{
    cinch_stream *stream = cinch_listener_accept(listener, &report->err);
    char *data = cli_alloc((size_t)job->settings->size);
    char byte = BENCH_WARM;
    double cpu;

    write_bulk(stream, job->settings, data, limit(WARM_BYTES, WARM_WRITES, job->settings), 0,
               report);
    /* Tells the client how much that was. */
    (void)cinch_stream_write_all(stream, &byte, 1, &report->err);
    if (stream != NULL && bench_read_byte(stream, &byte, &report->err)) {
        report->began = bench_wall_now();
        cpu = bench_cpu_now();
        write_bulk(stream, job->settings, data, 1, report->began + job->settings->seconds, report);
        (void)cinch_stream_close_write(stream, &report->err);
        (void)bench_read_end(stream, &report->err);
        report->cpu = bench_cpu_now() - cpu;
        report->ended = bench_wall_now();
    }
    cinch_stream_free(stream);
    free(data);
}

/* All that comes, to the end or to a byte that is not 0. */
static uint64_t read_bulk(cinch_stream *stream, char *space, size_t size, cinch_error *err)
{
    uint64_t total = 0;
    size_t n;

    while (cinch_stream_read(stream, space, size, &n, err) == CINCH_OK) {
        total += n;
        if (space[n - 1] != 0)
            break;
    }
    return total;
}

/* A record always fits. */
static size_t space_for(const bench_settings *settings)
{
    return settings->size < LEAST_SPACE ? LEAST_SPACE : (size_t)settings->size;
}

void bench_bulk_connect(const bench_job *job, cinch_context *ctx, bench_report *report)
{
    cinch_stream *stream = bench_dial(job, ctx, &report->err);
    size_t size = space_for(job->settings);
    char *space = cli_alloc(size);
    char byte = BENCH_COUNT;
    double cpu;

    if (stream != NULL && cinch_stream_handshake(stream, &report->err) == CINCH_OK &&
        bench_check(job, stream, false, &report->err)) {
        (void)read_bulk(stream, space, size, &report->err);
        report->began = bench_wall_now();
        cpu = bench_cpu_now();
        (void)cinch_stream_write_all(stream, &byte, 1, &report->err);
        report->count = read_bulk(stream, space, size, &report->err);
        report->cpu = bench_cpu_now() - cpu;
        report->ended = bench_wall_now();
    }
    cinch_stream_free(stream);
    free(space);
}
