/*
 * wire_print.c: what passes by, for people.
 *
 *     0.412 ms  ->  handshake, TLS 1.0, 244 bytes: clear
 *                   ClientHello for localhost, offers TLS 1.3
 *                     cipher_suites: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384
 */
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LEFT = 19,       /* columns before a message */
    WIDEST = 110,    /* where a list goes on in the next line */
    ROW = 16,        /* bytes in a line */
    MOST_ROWS = 4,   /* of what nobody can read */
    HEX_COLUMNS = 58 /* a line's offset and bytes */
};

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void cli_wire_begin(cli_wire *wire, FILE *out, bool json, bool hex, bool live)
{
    *wire = (cli_wire){
        .out = json ? NULL : out,
        .list = json ? json_array() : NULL,
        .hex = hex,
        .start = live ? now_us() : 0,
    };
    if (out != NULL && !json)
        wire->look = cli_look_at(out);
}

void cli_wire_see(const cinch_wire_event *event, void *arg)
{
    cli_wire *wire = arg;

    if (wire->start != 0)
        wire->now = now_us() - wire->start;
    if (event->kind == CINCH_WIRE_RECORD)
        wire->seen_tls = true;
    if (wire->list != NULL)
        json_array_append_new(wire->list, cli_wire_json(wire, event));
    if (wire->out != NULL) {
        cli_wire_print(wire, event);
        fflush(wire->out);
    }
}

void cli_wire_legend(FILE *out)
{
    cli_look look = cli_look_at(out);

    fprintf(out,
            "%s-> from the client, <- from the server; what is clear can be read by anybody%s\n",
            cli_on(look, CLI_DIM), cli_off(look));
}

/* Where the parts of field AT end. */
static size_t after(const cinch_wire_event *event, size_t at)
{
    size_t next = at + 1;

    while (next < event->field_count && event->fields[next].depth > event->fields[at].depth)
        next++;
    return next;
}

/* Whether AT holds a list of things of one name, with nothing inside. */
static bool is_list(const cinch_wire_event *event, size_t at)
{
    const cinch_wire_field *field = &event->fields[at];
    size_t end = after(event, at);

    for (size_t i = at + 1; i < end; i++)
        if (event->fields[i].depth != field->depth + 1 ||
            strcmp(event->fields[i].name, event->fields[at + 1].name) != 0)
            return false;
    return end > at + 1;
}

static void put_list(const cli_wire *wire, const cinch_wire_event *event, size_t at, int indent)
{
    size_t end = after(event, at);
    int column = indent + fprintf(wire->out, "%*s%s:", indent, "", event->fields[at].name) - indent;

    for (size_t i = at + 1; i < end; i++) {
        const char *value = event->fields[i].value;
        int width = (int)strlen(value) + 2;

        if (column + width > WIDEST && i > at + 1)
            column = fprintf(wire->out, "\n%*s", indent + 1, "") - 1;
        fprintf(wire->out, " %s%s", value, i + 1 < end ? "," : "");
        column += width;
    }
    fputc('\n', wire->out);
}

static void put_tree(const cli_wire *wire, const cinch_wire_event *event)
{
    for (size_t i = 0; i < event->field_count; i++) {
        const cinch_wire_field *field = &event->fields[i];
        int indent = LEFT + 2 + 2 * (int)field->depth;

        /* The name and the size are said already. */
        if (field->depth == 0 &&
            (strcmp(field->name, "msg_type") == 0 || strcmp(field->name, "length") == 0))
            continue;
        if (is_list(event, i)) {
            put_list(wire, event, i, indent);
            i = after(event, i) - 1;
        } else {
            fprintf(wire->out, "%*s%s%s%s\n", indent, "", field->name,
                    field->value[0] != '\0' ? ": " : "", field->value);
        }
    }
}

/* Bytes FROM to TO, in lines, and MEANING beside the first of them. */
static void put_rows(const cli_wire *wire, const cinch_wire_event *event, size_t from, size_t to,
                     bool all, const char *meaning)
{
    size_t rows = 0;

    do {
        size_t end = to - from > ROW ? from + ROW : to;
        int column = fprintf(wire->out, "    ");

        if (from < end)
            column += fprintf(wire->out, "%04zx ", from);
        for (size_t i = from; i < end; i++)
            column += fprintf(wire->out, " %02x", event->bytes[i]);
        if (meaning[0] != '\0')
            fprintf(wire->out, "%*s%s%s%s", HEX_COLUMNS - column, "", cli_on(wire->look, CLI_DIM),
                    meaning, cli_off(wire->look));
        fputc('\n', wire->out);
        meaning = "";
        from = end;
        if (++rows == MOST_ROWS && !all && from < to) {
            fprintf(wire->out, "          ... and %zu bytes more\n", to - from);
            return;
        }
    } while (from < to);
}

/* Whether the value is what stands beside it in any case: the bytes, after a length. */
static bool is_beside(const cinch_wire_event *event, const cinch_wire_field *field)
{
    char hex[9];

    if (strspn(field->value, "0123456789abcdef") < 8)
        return false;
    for (size_t i = 0; i < 4 && i + 4 <= field->size; i++) {
        const unsigned char *at = event->bytes + field->offset + i;

        (void)snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", at[0], at[1], at[2], at[3]);
        if (strncmp(hex, field->value, 8) == 0)
            return true;
    }
    return false;
}

/* Each part beside its bytes; those inside of it after its own first ones. */
static void put_part(const cli_wire *wire, const cinch_wire_event *event, size_t at)
{
    const cinch_wire_field *field = &event->fields[at];
    size_t next = after(event, at);
    size_t end = field->offset + field->size;
    size_t first = next > at + 1 ? event->fields[at + 1].offset : end;
    bool all = event->kind == CINCH_WIRE_MESSAGE && event->content_type != 23;
    const char *value = is_beside(event, field) ? "" : field->value;
    char *meaning = cli_text("%*s%s%s%s", 2 * (int)field->depth, "", field->name,
                             value[0] != '\0' ? ": " : "", value);

    put_rows(wire, event, field->offset, first, all, meaning);
    free(meaning);
}

static void put_hex(const cli_wire *wire, const cinch_wire_event *event)
{
    size_t shown = 0;

    for (size_t i = 0; i < event->field_count; i++) {
        const cinch_wire_field *field = &event->fields[i];

        /* What follows a certificate's description: its bytes. */
        if (field->offset > shown && field->size > 0 && event->bytes != NULL)
            put_rows(wire, event, shown, field->offset, true, "");
        /* The messages in a record that is clear are shown themselves. */
        if (strcmp(field->name, "fragment") == 0)
            return;
        put_part(wire, event, i);
        size_t end =
            i + 1 < after(event, i) ? event->fields[i + 1].offset : field->offset + field->size;
        shown = end > shown ? end : shown;
    }
    if (event->bytes != NULL && shown < event->size && event->field_count > 0)
        put_rows(wire, event, shown, event->size, true, "");
}

/* About records once, and again when it changes. */
static bool is_news(cli_wire *wire, const cinch_wire_event *event)
{
    const char **noted = &wire->noted[event->sender];
    bool same = *noted != NULL && strcmp(*noted, event->note) == 0;

    if (event->kind != CINCH_WIRE_RECORD || event->is_malformed)
        return true;
    /* Such notes are constants. */
    *noted = event->note;
    return !same;
}

static void put_note(cli_wire *wire, const cinch_wire_event *event)
{
    if (event->note[0] != '\0' && is_news(wire, event))
        fprintf(wire->out, "%*s%s(%s)%s\n", LEFT + 2, "", cli_on(wire->look, CLI_DIM), event->note,
                cli_off(wire->look));
}

static void put_record(const cli_wire *wire, const cinch_wire_event *event)
{
    cli_paint paint = event->is_protected ? CLI_GREEN : CLI_YELLOW;

    fprintf(wire->out, "%9.3f ms  %s  %s, %s: %s%s%s\n", (double)wire->now / 1e3,
            event->sender == CINCH_WIRE_CLIENT ? "->" : "<-", event->name, event->text,
            cli_on(wire->look, paint), event->is_protected ? "protected" : "clear",
            cli_off(wire->look));
}

void cli_wire_print(cli_wire *wire, const cinch_wire_event *event)
{
    switch (event->kind) {
    case CINCH_WIRE_RECORD:
        put_record(wire, event);
        break;
    case CINCH_WIRE_MESSAGE:
        fprintf(wire->out, "%*s%s%s%s%s%s%s\n", LEFT - 3, "", event->is_inside ? " | " : "   ",
                cli_on(wire->look, CLI_BOLD), event->name, cli_off(wire->look),
                event->text[0] != '\0' ? ": " : "", event->text);
        break;
    default:
        fprintf(wire->out, "%9.3f ms  %s  %sproblem:%s %s\n", (double)wire->now / 1e3,
                event->sender == CINCH_WIRE_CLIENT ? "->" : "<-", cli_on(wire->look, CLI_RED),
                cli_off(wire->look), event->text);
        break;
    }
    put_note(wire, event);
    if (event->is_malformed && event->kind != CINCH_WIRE_PROBLEM)
        fprintf(wire->out, "%*s%snot as it should be%s\n", LEFT + 2, "",
                cli_on(wire->look, CLI_RED), cli_off(wire->look));
    if (wire->hex)
        put_hex(wire, event);
    else if (event->kind == CINCH_WIRE_MESSAGE && event->content_type == 22)
        put_tree(wire, event);
}
