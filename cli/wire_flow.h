/* wire_flow.h: the connections in a capture, each put together from its pieces. */
#ifndef CINCH_CLI_WIRE_FLOW_H
#define CINCH_CLI_WIRE_FLOW_H

#include "capture.h"
#include "wire.h"
#include "wire_keys.h"

/* A piece that came before those in front of it. */
typedef struct wire_piece {
    struct wire_piece *next;
    uint32_t sequence;
    size_t size;
    int64_t when;
    unsigned char bytes[];
} wire_piece;

/* What one end sends. */
typedef struct wire_way {
    uint32_t next;     /* the number of the byte that is to come */
    bool begun;        /* `next` is known */
    bool broken;       /* bytes are missing: what follows cannot be read */
    wire_piece *early; /* in order */
    size_t early_size;
} wire_way;

typedef struct wire_flow {
    struct wire_flow *next;
    struct wire_flow *before; /* one that began earlier, with the same place in the table */
    capture_end ends[2];      /* client, server */
    wire_way ways[2];
    cinch_wire *decoder;
    wire_reader *reader; /* NULL: there are no keys */
    size_t closed;       /* protected records that no key opened */
    cinch_error *err;
    cli_wire wire;
    FILE *out; /* what was printed is in `text` */
    char *text;
    size_t text_size;
    int64_t first;  /* when the first piece was captured */
    size_t missing; /* bytes that the capture does not have */
} wire_flow;

enum {
    WIRE_PLACES = 4096
};

typedef struct wire_flows {
    wire_flow *first;
    wire_flow *last;
    wire_flow *places[WIRE_PLACES]; /* by their ends: a scan of ports makes many connections */
    bool json;
    bool hex;
    const wire_keys *keys; /* NULL: none */
    cinch_error *err;
} wire_flows;

/* wire_flows_take is a capture_callback; ARG is a wire_flows. */
void wire_flows_take(const capture_segment *segment, void *arg);

/* wire_flows_end tells that there are no more pieces. */
void wire_flows_end(wire_flows *flows);

/* wire_flows_free frees what is inside. */
void wire_flows_free(wire_flows *flows);

#endif
