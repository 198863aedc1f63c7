/* output.h: how the command looks: colour, pictures, failures. */
#ifndef CINCH_CLI_OUTPUT_H
#define CINCH_CLI_OUTPUT_H

#include "cli.h"

#include <stdint.h>

/* What may be printed to a stream. */
typedef struct cli_look {
    bool colour; /* it is a terminal that wants it: https://no-color.org */
    bool utf8;   /* the locale's character set */
} cli_look;

typedef enum cli_paint {
    CLI_BOLD,
    CLI_DIM,
    CLI_RED,
    CLI_GREEN,
    CLI_YELLOW
} cli_paint;

cli_look cli_look_at(FILE *out);

/* cli_on and cli_off give what switches a colour on and off: empty without colour. */
const char *cli_on(cli_look look, cli_paint paint);
const char *cli_off(cli_look look);

/* cli_report prints ERR: cause, proof, remedy. Returns the exit code. */
int cli_report(const cinch_error *err, FILE *out);

/* cli_warn prints one line to stderr. */
void cli_warn(const char *format, ...) CINCH_PRINTF(1, 2);

/* cli_date writes "2026-05-01" into BUF, of 16 bytes at least. */
const char *cli_date(int64_t when, char *buf, size_t size);

/* cli_days writes how far away WHEN is: "in 89 days", "3 days ago", "in 5 hours". */
const char *cli_days(int64_t when, int64_t now, char *buf, size_t size);

#endif
