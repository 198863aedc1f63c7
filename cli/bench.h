/*
 * bench.h: how fast is TLS on this machine? A run is one connection after the other, or one that
 * carries as much as it can, between two processes over TCP on 127.0.0.1.
 */
#ifndef CINCH_CLI_BENCH_H
#define CINCH_CLI_BENCH_H

#include "ca.h"

#include <jansson.h>
#include <stdint.h>

/* ---- what is measured (bench_plan.c) ---- */

typedef struct bench_key {
    const char *name;  /* "rsa2048" */
    const char *title; /* "RSA 2048" */
    ca_key kind;
} bench_key;

typedef struct bench_suite {
    const char *name;     /* OpenSSL's, for a policy */
    const char *standard; /* the one that RFCs use, as cinch_peer has it */
    int version;          /* cinch_tls_version */
    ca_key key;           /* of the certificate in bulk runs */
    bool weak;            /* CBC: no policy has it by itself */
} bench_suite;

typedef enum bench_kind {
    BENCH_BULK,
    BENCH_FULL,
    BENCH_RESUMED
} bench_kind;

/* What one run gave. */
typedef struct bench_run {
    uint64_t count; /* bytes, or handshakes */
    double seconds; /* by the clock */
    double server_cpu;
    double client_cpu;
} bench_run;

typedef struct bench_case {
    bench_kind kind;
    const bench_suite *suite;
    const bench_key *key;
    bench_run *runs;
    size_t run_count;
} bench_case;

enum {
    BENCH_SUITE_MOST = 16,
    BENCH_KEY_MOST = 8,
};

typedef struct bench_settings {
    const bench_suite *suites[BENCH_SUITE_MOST];
    size_t suite_count; /* 0: all */
    const bench_key *keys[BENCH_KEY_MOST];
    size_t key_count; /* 0: all */
    int version;      /* 0: both */
    bool bulk;
    bool handshakes;
    double seconds; /* of one run */
    long rounds;
    long size; /* bytes of one write */
    bool json;
    const char *plot;
} bench_settings;

/* bench_suites and bench_keys give all that are known. */
const bench_suite *bench_suites(size_t *count);
const bench_key *bench_keys(size_t *count);

/* bench_version_text gives "TLS 1.2" or "TLS 1.3". */
const char *bench_version_text(int version);

/* bench_plan gives the cases to measure, each with room for all rounds; free them with the other. */
bench_case *bench_plan(const bench_settings *settings, size_t *count);
void bench_plan_free(bench_case *cases, size_t count);

/* ---- certificates (bench_certs.c) ---- */

typedef struct bench_certs bench_certs;

/* bench_certs_make makes an authority and a certificate for each kind of key that CASES use. */
bench_certs *bench_certs_make(const bench_case *cases, size_t count, cinch_error *err);
void bench_certs_free(bench_certs *certs);

/* bench_certs_trust makes CTX trust the authority, from a file. */
cinch_status bench_certs_trust(const bench_certs *certs, cinch_context *ctx, cinch_error *err);

/* bench_certs_identity makes the certificate for a key of KIND the identity of CTX. */
cinch_status bench_certs_identity(const bench_certs *certs, ca_key kind, cinch_context *ctx,
                                  cinch_error *err);

/* ---- one run: both ends (bench_ends.c), each in a process of its own (bench_pair.c) ---- */

typedef struct bench_job {
    const bench_settings *settings;
    const bench_certs *certs;
    const bench_case *what;
    int listener; /* a socket */
    int port;
} bench_job;

/* What one end tells when it is done. Times are those of CLOCK_MONOTONIC. */
typedef struct bench_report {
    cinch_error err;
    uint64_t count;
    double began;
    double ended;
    double cpu;
} bench_report;

void bench_serve(const bench_job *job, bench_report *report);
void bench_connect(const bench_job *job, bench_report *report);

/* bench_measure does one run of WHAT. False without an error set if somebody sent a signal. */
bool bench_measure(const bench_settings *settings, const bench_certs *certs, const bench_case *what,
                   bench_run *run, cinch_error *err);

/*
 * bench_catch_signals makes SIGINT, SIGTERM and SIGHUP end the run that is going on;
 * bench_caught gives the one that came, or 0.
 */
bool bench_catch_signals(cinch_error *err);
int bench_caught(void);

/* ---- what came out (bench_stats.c) ---- */

typedef enum bench_metric {
    BENCH_RATE,        /* MB, of 1,000,000 bytes, or handshakes per second */
    BENCH_SERVER_COST, /* CPU seconds per GiB, or microseconds per handshake */
    BENCH_CLIENT_COST
} bench_metric;

typedef struct bench_spread {
    double median;
    double lowest;
    double highest;
} bench_spread;

/* bench_sum_up is over the runs of WHAT, of which there is at least one. */
bench_spread bench_sum_up(const bench_case *what, bench_metric metric);

/* ---- and how it is shown ---- */

/* The machine and the programs (bench_machine.c). */
typedef struct bench_machine {
    char cpu[128];
    long cores;
    char kernel[128];
    double load; /* of the last minute; negative if it is not known */
    char date[32];
    const char *openssl;
} bench_machine;

void bench_look_around(bench_machine *machine);

/* CASES without a run are left out by these three. */
void bench_print_table(const bench_settings *settings, const bench_machine *machine,
                       const bench_case *cases, size_t count, FILE *out);
json_t *bench_json(const bench_settings *settings, const bench_machine *machine,
                   const bench_case *cases, size_t count);

/* bench_plot_open sees to it that FILE can be written and gnuplot is there; -1 if not. */
int bench_plot_open(const char *path, bool *made, cinch_error *err);

/* bench_plot_draw writes an SVG to the descriptor FD, as gnuplot draws it. */
bool bench_plot_draw(int fd, const bench_machine *machine, const bench_case *cases, size_t count,
                     cinch_error *err);

#endif
