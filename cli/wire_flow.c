/*
 * wire_flow.c: TCP put together (RFC 9293, 3.10): pieces out of order, again, or overlapping. Of bytes
 * that come twice the first ones count, as an end that has taken them would have it.
 */
#include "wire_flow.h"

#include <stdlib.h>
#include <string.h>

/*
 * So much may be early before the capture counts as incomplete: a large window of TCP. Tiny pieces count
 * as more than they are, as each has to find its place among the others.
 */
#define MOST_EARLY ((size_t)4 * 1024 * 1024)
#define LEAST_EARLY ((size_t)1024)

static bool is_end(const capture_end *a, const capture_end *b)
{
    return a->port == b->port && a->size == b->size && memcmp(a->address, b->address, a->size) == 0;
}

/* Whether the sender began: its SYN, else its hello, else the port that is not a service's. */
static bool is_client(const capture_segment *s)
{
    if (s->syn)
        return !s->ack;
    if (s->size > 5 && s->bytes[0] == 22 && s->bytes[1] == 3 &&
        (s->bytes[5] == 1 || s->bytes[5] == 2))
        return s->bytes[5] == 1;
    return s->from.port >= s->to.port;
}

static size_t mix(const capture_end *end)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < end->size; i++)
        sum = (sum ^ end->address[i]) * 16777619u;
    sum = (sum ^ (end->port >> 8)) * 16777619u;
    sum = (sum ^ (end->port & 0xff)) * 16777619u;
    return sum;
}

/* Both directions of a connection have the same place. */
static wire_flow **place_of(wire_flows *flows, const capture_segment *s)
{
    return &flows->places[(mix(&s->from) + mix(&s->to)) % WIRE_PLACES];
}

/* The last one: ports are used again. */
static wire_flow *find(wire_flows *flows, const capture_segment *s, cinch_wire_side *side)
{
    for (wire_flow *flow = *place_of(flows, s); flow != NULL; flow = flow->before) {
        *side = CINCH_WIRE_CLIENT;
        if (is_end(&flow->ends[0], &s->from) && is_end(&flow->ends[1], &s->to))
            return flow;
        *side = CINCH_WIRE_SERVER;
        if (is_end(&flow->ends[1], &s->from) && is_end(&flow->ends[0], &s->to))
            return flow;
    }
    return NULL;
}

/* What is inside is told right behind the record that it was in. */
static void see(const cinch_wire_event *event, void *arg)
{
    wire_flow *flow = arg;
    cinch_wire_side sender = event->sender;
    unsigned char *inside;
    size_t size;
    int type;

    cli_wire_see(event, &flow->wire);
    if (flow->reader == NULL)
        return;
    wire_reader_see(flow->reader, event);
    if (event->kind != CINCH_WIRE_RECORD || !event->is_protected)
        return;
    if (!wire_reader_open(flow->reader, event, &inside, &size, &type)) {
        flow->closed++;
        return;
    }
    (void)cinch_wire_inside(flow->decoder, sender, type, inside, size, flow->err);
    free(inside);
}

static wire_flow *add(wire_flows *flows, const capture_segment *s, cinch_wire_side *side)
{
    wire_flow *flow = cli_alloc(sizeof(*flow));

    *side = is_client(s) ? CINCH_WIRE_CLIENT : CINCH_WIRE_SERVER;
    flow->ends[*side] = s->from;
    flow->ends[!*side] = s->to;
    flow->first = s->when;
    if (!flows->json)
        flow->out = open_memstream(&flow->text, &flow->text_size);
    cli_wire_begin(&flow->wire, flow->out, flows->json, flows->hex, false);
    if (!flows->json)
        flow->wire.look = cli_look_at(stdout);
    flow->err = flows->err;
    if (flows->keys != NULL)
        flow->reader = wire_reader_new(flows->keys);
    flow->decoder = cinch_wire_new(see, flow, flows->err);
    if (flows->last != NULL)
        flows->last->next = flow;
    else
        flows->first = flow;
    flows->last = flow;
    flow->before = *place_of(flows, s);
    *place_of(flows, s) = flow;
    return flow;
}

/* Bytes that are in order. */
static void feed(wire_flows *flows, wire_flow *flow, cinch_wire_side side,
                 const unsigned char *bytes, size_t size, int64_t when)
{
    /* The clock may have been set back, or the packets sorted otherwise. */
    flow->wire.now = when > flow->first ? when - flow->first : 0;
    flow->ways[side].next += (uint32_t)size;
    (void)cinch_wire_feed(flow->decoder, side, bytes, size, flows->err);
}

static void tell_gap(wire_flow *flow, cinch_wire_side side, size_t missing)
{
    char *text =
        cli_text("%zu bytes are missing in the capture: what follows is not read", missing);
    const cinch_wire_event event = {
        .kind = CINCH_WIRE_PROBLEM,
        .sender = side,
        .name = "problem",
        .text = text,
        .note = "",
    };

    flow->ways[side].broken = true;
    flow->missing += missing;
    cli_wire_see(&event, &flow->wire);
    free(text);
}

static size_t counts_for(size_t size)
{
    return size > LEAST_EARLY ? size : LEAST_EARLY;
}

static void keep_early(wire_way *way, const capture_segment *s)
{
    wire_piece **at = &way->early;
    wire_piece *piece = cli_alloc(sizeof(*piece) + s->size);

    while (*at != NULL && (int32_t)((*at)->sequence - s->sequence) <= 0)
        at = &(*at)->next;
    piece->next = *at;
    piece->sequence = s->sequence;
    piece->size = s->size;
    piece->when = s->when;
    memcpy(piece->bytes, s->bytes, s->size);
    *at = piece;
    way->early_size += counts_for(s->size);
}

static void drop_first(wire_way *way)
{
    wire_piece *piece = way->early;

    way->early = piece->next;
    way->early_size -= counts_for(piece->size);
    free(piece);
}

/* The early pieces whose time has come; what is known of them is left out. */
static void feed_early(wire_flows *flows, wire_flow *flow, cinch_wire_side side, int64_t when)
{
    wire_way *way = &flow->ways[side];

    while (way->early != NULL && (int32_t)(way->early->sequence - way->next) <= 0) {
        size_t known = way->next - way->early->sequence;

        if (known < way->early->size)
            feed(flows, flow, side, way->early->bytes + known, way->early->size - known, when);
        drop_first(way);
    }
}

static void take_bytes(wire_flows *flows, wire_flow *flow, cinch_wire_side side,
                       const capture_segment *s)
{
    wire_way *way = &flow->ways[side];
    int32_t ahead;
    size_t known;

    if (!way->begun) {
        way->next = s->sequence;
        way->begun = true;
    }
    ahead = (int32_t)(s->sequence - way->next);
    if (ahead > 0) {
        keep_early(way, s);
        if (way->early_size > MOST_EARLY)
            tell_gap(flow, side, way->early->sequence - way->next);
        return;
    }
    known = way->next - s->sequence;
    if (known < s->size)
        feed(flows, flow, side, s->bytes + known, s->size - known, s->when);
    if (s->whole > s->size && known < s->whole)
        tell_gap(flow, side, s->whole - (known > s->size ? known : s->size));
    else
        feed_early(flows, flow, side, s->when);
}

void wire_flows_take(const capture_segment *segment, void *arg)
{
    wire_flows *flows = arg;
    cinch_wire_side side = CINCH_WIRE_CLIENT;
    wire_flow *flow = find(flows, segment, &side);
    wire_way *way;

    if (flow != NULL && segment->syn && flow->ways[side].begun &&
        flow->ways[side].next != segment->sequence + 1)
        flow = NULL; /* the same ports again */
    if (flow == NULL && (segment->whole > 0 || segment->syn))
        flow = add(flows, segment, &side);
    if (flow == NULL || flow->ways[side].broken)
        return;
    way = &flow->ways[side];
    if (segment->syn) {
        way->next = segment->sequence + 1;
        way->begun = true;
    } else if (segment->whole > 0) {
        take_bytes(flows, flow, side, segment);
    }
}

void wire_flows_end(wire_flows *flows)
{
    for (wire_flow *flow = flows->first; flow != NULL; flow = flow->next) {
        for (int side = 0; side < 2; side++) {
            wire_way *way = &flow->ways[side];

            if (way->early != NULL && !way->broken)
                tell_gap(flow, (cinch_wire_side)side, way->early->sequence - way->next);
            if (!way->broken)
                (void)cinch_wire_end(flow->decoder, (cinch_wire_side)side, flows->err);
        }
        if (flow->out != NULL)
            (void)fflush(flow->out);
    }
}

void wire_flows_free(wire_flows *flows)
{
    while (flows->first != NULL) {
        wire_flow *flow = flows->first;

        flows->first = flow->next;
        for (int side = 0; side < 2; side++)
            while (flow->ways[side].early != NULL)
                drop_first(&flow->ways[side]);
        cinch_wire_free(flow->decoder);
        wire_reader_free(flow->reader);
        json_decref(flow->wire.list);
        if (flow->out != NULL)
            (void)fclose(flow->out);
        free(flow->text);
        free(flow);
    }
}
