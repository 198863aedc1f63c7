/* bench_ends.h: what the parts of a run share. */
#ifndef CINCH_CLI_BENCH_ENDS_H
#define CINCH_CLI_BENCH_ENDS_H

#include "bench.h"

/* Bytes that say what to do. Those of bulk data are 0. */
enum {
    BENCH_WARM = 'w',  /* count from the next one on */
    BENCH_COUNT = '+', /* one more */
    BENCH_LAST = '.',
};

double bench_wall_now(void);
/* Of this process, in user space and in the system. */
double bench_cpu_now(void);

/* bench_dial connects to the other end; the handshake is still to come. NULL and ERR on failure. */
cinch_stream *bench_dial(const bench_job *job, cinch_context *ctx, cinch_error *err);

/* bench_check tells whether the connection is what the table is going to say. */
bool bench_check(const bench_job *job, const cinch_stream *stream, bool resumed, cinch_error *err);

/* bench_read_byte reads one byte, bench_read_end nothing but close_notify. */
bool bench_read_byte(cinch_stream *stream, char *byte, cinch_error *err);
bool bench_read_end(cinch_stream *stream, cinch_error *err);

/* bench_bulk.c */
void bench_bulk_serve(const bench_job *job, cinch_listener *listener, bench_report *report);
void bench_bulk_connect(const bench_job *job, cinch_context *ctx, bench_report *report);

/* bench_shake.c */
void bench_shake_serve(cinch_listener *listener, bench_report *report);
void bench_shake_connect(const bench_job *job, cinch_context *ctx, bench_report *report);

#endif
