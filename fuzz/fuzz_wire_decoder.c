/*
 * What an observer is told of any bytes: fields lie inside of what they are fields of, texts are texts,
 * and it is the same in whatever pieces the bytes come.
 *
 * The input is a list of pieces: a byte that says whose they are (1: the server's) and whether they were
 * inside of a record (2, then the next bits are a type), two bytes of length, and the bytes.
 */
#include <cinch/wire.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* FNV-1a over all that was told. */
typedef struct digest {
    uint64_t value;
    size_t events;
} digest;

static void add(digest *d, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        d->value = (d->value ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
}

static void add_text(digest *d, const char *text)
{
    must(text != NULL);
    for (const char *at = text; *at != 0; at++)
        must((unsigned char)*at >= 0x20 && *at != 0x7f);
    add(d, text, strlen(text) + 1);
}

static void see(const cinch_wire_event *event, void *arg)
{
    digest *d = arg;

    d->events++;
    add(d, &event->kind, sizeof event->kind);
    add(d, &event->position, sizeof event->position);
    add(d, &event->is_protected, sizeof event->is_protected);
    add_text(d, event->name);
    add_text(d, event->text);
    add_text(d, event->note);
    if (event->bytes != NULL)
        add(d, event->bytes, event->size);
    for (size_t i = 0; i < event->field_count; i++) {
        const cinch_wire_field *field = &event->fields[i];

        must(field->offset <= event->size && field->size <= event->size - field->offset);
        must(field->depth <= (i > 0 ? event->fields[i - 1].depth + 1 : 0));
        must(field->depth < 16);
        add_text(d, field->name);
        add_text(d, field->value);
    }
}

static void play(const uint8_t *data, size_t size, size_t most, digest *d)
{
    cinch_wire *wire = cinch_wire_new(see, d, NULL);

    must(wire != NULL);
    while (size > 3) {
        cinch_wire_side side = (cinch_wire_side)(data[0] & 1);
        int inside = (data[0] & 2) != 0, type = 20 + (data[0] >> 2 & 7);
        size_t length = (size_t)(data[1] << 8 | data[2]), piece;

        data += 3;
        size -= 3;
        length = length > size ? size : length;
        for (size_t at = 0; at < length; at += piece) {
            piece = length - at < most ? length - at : most;
            if (!inside)
                must(cinch_wire_feed(wire, side, data + at, piece, NULL) == CINCH_OK);
        }
        if (inside)
            must(cinch_wire_inside(wire, side, type, data, length, NULL) == CINCH_OK);
        data += length;
        size -= length;
    }
    must(cinch_wire_end(wire, CINCH_WIRE_CLIENT, NULL) == CINCH_OK);
    must(cinch_wire_end(wire, CINCH_WIRE_SERVER, NULL) == CINCH_OK);
    cinch_wire_free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    digest whole = {14695981039346656037u, 0}, pieces = whole;

    play(data, size, SIZE_MAX, &whole);
    play(data, size, 3, &pieces);
    must(whole.value == pieces.value && whole.events == pieces.events);
    return 0;
}
