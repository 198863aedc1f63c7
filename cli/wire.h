/* wire.h: what an observer sees, printed or as JSON. */
#ifndef CINCH_CLI_WIRE_H
#define CINCH_CLI_WIRE_H

#include "json.h"
#include "output.h"

#include <stdint.h>

/* Where what passes by goes. */
typedef struct cli_wire {
    FILE *out;            /* NULL: nothing is printed */
    json_t *list;         /* NULL: none is made; else an array for the events */
    cli_look look;        /* of `out` */
    bool hex;             /* with all bytes */
    int64_t now;          /* in microseconds since the beginning */
    int64_t start;        /* live: when that was; 0 if somebody else sets `now` */
    bool seen_tls;        /* there was a record */
    const char *noted[2]; /* what was last said about a record of each side */
} cli_wire;

/* cli_wire_begin makes WIRE ready, live if LIVE. Exactly one of OUT and JSON is used. */
void cli_wire_begin(cli_wire *wire, FILE *out, bool json, bool hex, bool live);

/* cli_wire_see is a cinch_wire_callback; ARG is a cli_wire. */
void cli_wire_see(const cinch_wire_event *event, void *arg);

/* cli_wire_legend explains the arrows to OUT. */
void cli_wire_legend(FILE *out);

/* cli_wire_print prints EVENT, cli_wire_json makes an object of it (a new reference). */
void cli_wire_print(cli_wire *wire, const cinch_wire_event *event);
json_t *cli_wire_json(const cli_wire *wire, const cinch_wire_event *event);

#endif
