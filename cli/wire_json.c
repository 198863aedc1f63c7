/* wire_json.c: what passes by, for programs. */
#include "wire.h"

#include <stdlib.h>

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, cli_json_text(text));
}

static void set_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(object, name, json_integer((json_int_t)number));
}

/* The fields from *AT on that are as deep as it, with those inside of them. */
static json_t *fields(const cinch_wire_event *event, size_t *at)
{
    json_t *list = json_array();
    unsigned depth = *at < event->field_count ? event->fields[*at].depth : 0;

    while (*at < event->field_count && event->fields[*at].depth == depth) {
        const cinch_wire_field *field = &event->fields[(*at)++];
        json_t *object = json_object();

        set_text(object, "name", field->name);
        if (field->value[0] != '\0')
            set_text(object, "value", field->value);
        set_number(object, "offset", field->offset);
        set_number(object, "size", field->size);
        /* At most six levels, whatever a peer sends: the tables are not deeper. */
        if (*at < event->field_count && event->fields[*at].depth > depth)
            json_object_set_new(object, "fields", fields(event, at));
        json_array_append_new(list, object);
    }
    return list;
}

static void set_hex(json_t *object, const cinch_wire_event *event)
{
    char *text = cli_alloc(2 * event->size + 1);

    for (size_t i = 0; i < event->size; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", event->bytes[i]);
    set_text(object, "bytes", text);
    free(text);
}

json_t *cli_wire_json(const cli_wire *wire, const cinch_wire_event *event)
{
    static const char *const kinds[] = {"", "record", "message", "problem"};
    json_t *object = json_object();
    size_t at = 0;

    set_text(object, "kind", kinds[event->kind]);
    json_object_set_new(object, "microseconds", json_integer(wire->now));
    set_text(object, "from", event->sender == CINCH_WIRE_CLIENT ? "client" : "server");
    set_number(object, "position", event->position);
    set_number(object, "record", event->record);
    set_text(object, "name", event->name);
    set_text(object, "text", event->text);
    set_text(object, "note", event->note);
    json_object_set_new(object, "malformed", json_boolean(event->is_malformed));
    if (event->kind == CINCH_WIRE_PROBLEM)
        return object;
    set_number(object, "content_type", (uint64_t)event->content_type);
    set_number(object, "size", event->size);
    if (event->kind == CINCH_WIRE_RECORD) {
        set_number(object, "version", (uint64_t)event->version);
        json_object_set_new(object, "protected", json_boolean(event->is_protected));
    } else {
        json_object_set_new(object, "inside", json_boolean(event->is_inside));
    }
    if (wire->hex && event->bytes != NULL)
        set_hex(object, event);
    json_object_set_new(object, "fields", fields(event, &at));
    return object;
}
