/* pieces.c: what is in the records: handshake messages put together, and the rest. */
#include "wire/wire.h"

static cinch_wire_event message(const cinch_wire_way *way, cinch_wire_side sender, int inside,
                                int content_type)
{
    return (cinch_wire_event){
        .kind = CINCH_WIRE_MESSAGE,
        .sender = sender,
        .position = way->last_position,
        .record = way->records > 0 ? way->records - 1 : 0,
        .content_type = content_type,
        .is_inside = inside,
        .name = "",
        .text = "",
        .note = "",
    };
}

/* What a clear message decides for what comes after it. */
static void agree(cinch_wire *wire, const unsigned char *bytes, size_t size)
{
    cinch_server_hello hello;

    if (!cinch_server_hello_read(&hello, bytes, size))
        return;
    wire->agreed.version = hello.version;
    wire->agreed.suite = hello.suite;
}

/* Tells of the first message in PIECES if it is complete: its size, 0 if it is not, -1 without memory. */
static long next_message(cinch_wire *wire, cinch_wire_side sender, int inside,
                         cinch_wire_pieces *pieces)
{
    cinch_wire_way *way = &wire->ways[sender];
    size_t have = cinch_buffer_used(&pieces->bytes);

    if (have < 4)
        return 0;
    const unsigned char *bytes = cinch_buffer_bytes(&pieces->bytes);
    size_t size = 4 + ((size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3]);
    if (size > CINCH_WIRE_LARGEST) {
        pieces->lost = 1;
        cinch_buffer_free(&pieces->bytes);
        cinch_wire_begin(&wire->build, NULL);
        const char *text = cinch_wire_say(
            &wire->build, "a handshake message claims to have %zu bytes, which none has", size - 4);
        return cinch_wire_problem(wire, sender, text,
                                  "the handshake of this side is not read any further")
                   ? 0
                   : -1;
    }
    if (have < size)
        return 0;
    cinch_wire_event event = message(way, sender, inside, 22);
    event.bytes = bytes;
    event.size = size;
    if (!inside)
        agree(wire, bytes, size);
    cinch_wire_handshake(&wire->build, &wire->agreed, &event);
    return cinch_wire_emit(wire, &event) ? (long)size : -1;
}

int cinch_wire_gather(cinch_wire *wire, cinch_wire_side sender, int inside,
                      const unsigned char *bytes, size_t size)
{
    cinch_wire_way *way = &wire->ways[sender];
    cinch_wire_pieces *pieces = inside ? &way->inside : &way->clear;
    long taken;

    if (pieces->lost || size == 0)
        return 1;
    if (!cinch_buffer_append(&pieces->bytes, bytes, size))
        return 0;
    while ((taken = next_message(wire, sender, inside, pieces)) > 0)
        cinch_buffer_consume(&pieces->bytes, (size_t)taken);
    cinch_buffer_idle(&pieces->bytes);
    return taken == 0;
}

int cinch_wire_interrupted(cinch_wire *wire, cinch_wire_side sender, int inside, const char *what)
{
    cinch_wire_way *way = &wire->ways[sender];
    cinch_wire_pieces *pieces = inside ? &way->inside : &way->clear;
    size_t have = cinch_buffer_used(&pieces->bytes);

    if (have == 0)
        return 1;
    cinch_buffer_free(&pieces->bytes);
    cinch_wire_begin(&wire->build, NULL);
    const char *text = cinch_wire_say(
        &wire->build, "%s after %zu bytes of a handshake message that is not complete", what, have);
    return cinch_wire_problem(wire, sender, text, "a message is in one piece (RFC 8446, 5.1)");
}

int cinch_wire_single(cinch_wire *wire, cinch_wire_side sender, int inside, int content_type,
                      const unsigned char *bytes, size_t size)
{
    cinch_wire_event event = message(&wire->ways[sender], sender, inside, content_type);

    if (size == 0 && content_type != 23)
        return 1;
    event.bytes = bytes;
    event.size = size;
    cinch_wire_other(&wire->build, &wire->agreed, &event);
    return cinch_wire_emit(wire, &event);
}
