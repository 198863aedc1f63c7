/* bench_shake.c: one connection after the other, each with a byte there and a byte back. */
#include "bench_ends.h"

/* A connection as a program would have it: a byte there, a byte back, and the end. */
static char serve_handshake(cinch_listener *listener, cinch_error *err)
{
    cinch_stream *stream = cinch_listener_accept(listener, err);
    char byte = BENCH_LAST;
    bool ok = stream != NULL && bench_read_byte(stream, &byte, err) &&
              cinch_stream_write_all(stream, &byte, 1, err) == CINCH_OK &&
              bench_read_end(stream, err);

    cinch_stream_free(stream);
    return ok ? byte : BENCH_LAST;
}

void bench_shake_serve(cinch_listener *listener, bench_report *report)
{
    double cpu = bench_cpu_now();
    char byte;

    do {
        byte = serve_handshake(listener, &report->err);
        if (byte == BENCH_WARM) {
            report->began = bench_wall_now();
            cpu = bench_cpu_now();
        } else {
            report->count++;
        }
    } while (byte != BENCH_LAST);
    report->cpu = bench_cpu_now() - cpu;
    report->ended = bench_wall_now();
}

/* What the time of looking at the result was, by both clocks. It is not the handshake's. */
typedef struct pauses {
    double wall;
    double cpu;
} pauses;

static void connect_handshake(const bench_job *job, cinch_context *ctx, char byte, bool resumed,
                              pauses *paused, bench_report *report)
{
    cinch_stream *stream = bench_dial(job, ctx, &report->err);
    char answer;

    if (stream != NULL && cinch_stream_handshake(stream, &report->err) == CINCH_OK &&
        cinch_stream_write_all(stream, &byte, 1, &report->err) == CINCH_OK &&
        bench_read_byte(stream, &answer, &report->err)) {
        /* The server waits for our end by now. */
        double wall = bench_wall_now();
        double cpu = bench_cpu_now();

        (void)bench_check(job, stream, resumed, &report->err);
        paused->cpu += bench_cpu_now() - cpu;
        paused->wall += bench_wall_now() - wall;
    }
    cinch_stream_free(stream);
}

void bench_shake_connect(const bench_job *job, cinch_context *ctx, bench_report *report)
{
    bool resumed = job->what->kind == BENCH_RESUMED;
    pauses paused = {0, 0};
    double deadline;
    double cpu;
    bool last = false;

    connect_handshake(job, ctx, BENCH_WARM, false, &paused, report);
    connect_handshake(job, ctx, BENCH_WARM, resumed, &paused, report);
    paused = (pauses){0, 0};
    cpu = bench_cpu_now();
    report->began = bench_wall_now();
    deadline = report->began + job->settings->seconds;
    while (!last && !cinch_error_is_set(&report->err)) {
        last = bench_wall_now() - paused.wall >= deadline;
        connect_handshake(job, ctx, last ? BENCH_LAST : BENCH_COUNT, resumed, &paused, report);
        report->count++;
    }
    report->cpu = bench_cpu_now() - cpu - paused.cpu;
    report->ended = bench_wall_now() - paused.wall;
}
