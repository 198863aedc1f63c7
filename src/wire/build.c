/* build.c: the fields of one event and the texts in them. */
#include "base/memory.h"
#include "base/text.h"
#include "wire/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* More parts than a message can have that somebody means; what lies may have more. */
#define MOST_FIELDS 4096

/* Bytes shown in full. */
#define MOST_HEX 48

void cinch_wire_begin(cinch_wire_build *b, const unsigned char *bytes)
{
    cinch_arena_free(&b->texts);
    b->count = 0;
    b->bytes = bytes;
    b->depth = 0;
    b->place = CINCH_WIRE_IN_CLIENT_HELLO;
    b->malformed = 0;
}

void cinch_wire_build_free(cinch_wire_build *b)
{
    cinch_arena_free(&b->texts);
    cinch_release(b->fields);
    b->fields = NULL;
    b->count = b->room = 0;
}

const char *cinch_wire_say(cinch_wire_build *b, const char *format, ...)
{
    char text[1100];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *kept = cinch_arena_text(&b->texts, text);
    if (kept != NULL)
        return kept;
    b->no_memory = 1;
    return "";
}

static int make_room(cinch_wire_build *b)
{
    if (b->count < b->room)
        return 1;
    size_t room = b->room == 0 ? 64 : 2 * b->room;
    cinch_wire_field *fields = cinch_grow(b->fields, room * sizeof *fields);
    if (fields == NULL) {
        b->no_memory = 1;
        return 0;
    }
    b->fields = fields;
    b->room = room;
    return 1;
}

void cinch_wire_add(cinch_wire_build *b, const char *name, cinch_wire_span where, const char *value)
{
    if (b->count > MOST_FIELDS || !make_room(b))
        return;
    if (b->count == MOST_FIELDS) {
        name = "more";
        value = "there are too many parts to show";
        where.end = where.at;
    }
    b->fields[b->count++] = (cinch_wire_field){
        .name = name,
        .value = value,
        .offset = where.at,
        .size = where.end - where.at,
        .depth = b->depth,
    };
}

const char *cinch_wire_hex(cinch_wire_build *b, cinch_wire_span where)
{
    char hex[2 * MOST_HEX + 4];
    size_t size = where.end - where.at;

    if (size == 0)
        return "empty";
    if (size <= MOST_HEX)
        return cinch_wire_say(b, "%s",
                              cinch_text_hex(hex, sizeof hex, b->bytes + where.at, size, 0));
    cinch_text_hex(hex, sizeof hex, b->bytes + where.at, MOST_HEX / 2, 0);
    return cinch_wire_say(b, "%s... (%zu bytes)", hex, size);
}

const char *cinch_wire_number(cinch_wire_build *b, cinch_registry registry, unsigned width,
                              unsigned value)
{
    if (registry == CINCH_NUMBERS_NONE)
        return cinch_wire_say(b, "%u", value);
    const char *name = cinch_number_name(registry, value);
    if (width == 1)
        return cinch_wire_say(b, "%s (%u)", name != NULL ? name : "unknown", value);
    return cinch_wire_say(b, "%s (0x%0*x)", name != NULL ? name : "unknown", (int)(2 * width),
                          value);
}

const char *cinch_wire_find(const cinch_wire_build *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->fields[i].name, name) == 0)
            return b->fields[i].value;
    return NULL;
}

const char *cinch_wire_join(cinch_wire_build *b, const char *name, size_t most)
{
    char text[600];
    size_t used = 0, shown = 0, more = 0;

    text[0] = 0;
    for (size_t i = 0; i < b->count; i++) {
        const char *value = b->fields[i].value;
        /* The name of a number without the number. */
        size_t size = strcspn(value, "(");

        if (strcmp(b->fields[i].name, name) != 0 || strncmp(value, "GREASE", 6) == 0)
            continue;
        if (size > 0 && value[size] != 0 && value[size - 1] == ' ' &&
            strncmp(value, "unknown (", 9) != 0)
            size--;
        else
            size = strlen(value);
        if (shown == most || used + size + 32 > sizeof text) {
            more++;
            continue;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", shown > 0 ? ", " : "",
                                 (int)size, value);
        shown++;
    }
    if (more > 0)
        (void)snprintf(text + used, sizeof text - used, " and %zu more", more);
    return shown == 0 ? "" : cinch_wire_say(b, "%s", text);
}
