/* essence.c: the essence of a message in one line, and what an observer should know about it. */
#include "base/fail.h"
#include "wire/messages.h"

#include <stdlib.h>
#include <string.h>

/* At most so many names of a list. */
#define MOST 6

static const char *or_nothing(const char *before, const char *value)
{
    return value[0] != 0 ? before : "";
}

static void client_hello(cinch_wire_build *b, cinch_wire_event *event)
{
    const char *name = cinch_wire_find(b, "host_name");
    const char *versions = cinch_wire_join(b, "version", MOST);
    const char *alpn = cinch_wire_join(b, "protocol_name", MOST);
    const char *hello = cinch_wire_find(b, "type");

    if (versions[0] == 0)
        versions = cinch_wire_join(b, "legacy_version", 1);
    event->text = cinch_wire_say(b, "%s%s, offers %s%s%s", name != NULL ? "for " : "without a name",
                                 name != NULL ? name : "", versions, or_nothing("; ", alpn), alpn);
    if (hello != NULL && strncmp(hello, "outer", 5) == 0)
        event->note = "Encrypted Client Hello: this name may be one that hides the real one, or "
                      "the extension a pretended one";
    else if (name != NULL)
        event->note = "the name is in clear: anybody on the path can read it";
}

static void server_hello(cinch_wire_build *b, cinch_wire_event *event)
{
    const char *version = cinch_wire_join(b, "selected_version", 1);
    const char *suite = cinch_wire_join(b, "cipher_suite", 1);
    const char *group = cinch_wire_join(b, "group", 1);
    const char *alpn = cinch_wire_join(b, "protocol_name", 1);
    cinch_server_hello hello;

    if (!cinch_server_hello_read(&hello, event->bytes, event->size))
        return;
    if (version[0] == 0)
        version = cinch_wire_join(b, "legacy_version", 1);
    if (hello.is_retry) {
        group = cinch_wire_join(b, "selected_group", 1);
        event->text =
            cinch_wire_say(b, "%s, %s%s%s", version, suite, or_nothing(", ", group), group);
        event->note = "the server asks for another ClientHello, with a key share of this group";
        return;
    }
    event->text = cinch_wire_say(b, "%s, %s%s%s%s%s", version, suite, or_nothing(", ", group),
                                 group, or_nothing(", ", alpn), alpn);
    if (hello.sentinel == 2)
        event->note =
            "the random ends in DOWNGRD 01: this server can speak TLS 1.3 (RFC 8446, 4.1.3)";
    else if (hello.sentinel == 1)
        event->note = "the random ends in DOWNGRD 00: this server can speak TLS 1.2 or newer "
                      "(RFC 8446, 4.1.3)";
    else if (hello.version == 0x0304)
        event->note = "from here on everything that the server says is protected";
}

static void certificate(cinch_wire_build *b, cinch_wire_event *event)
{
    const char *subject = cinch_wire_find(b, "subject");
    const char *serial = cinch_wire_find(b, "serial");
    size_t count = 0;

    for (size_t i = 0; i < b->count; i++)
        count += strcmp(b->fields[i].name, "certificate") == 0;
    event->text =
        count == 0
            ? "no certificate"
            : cinch_wire_say(b, "%s, serial %s%s", subject != NULL ? subject : "not readable",
                             serial != NULL ? serial : "not readable",
                             count == 1 ? "" : cinch_wire_say(b, ", and %zu more", count - 1));
    if (!event->is_inside && count > 0)
        event->note = "in clear: anybody on the path can read this; with TLS 1.3 nobody can";
}

/* What is told of the others: the values of these fields. */
static const struct {
    unsigned type;
    const char *field;
    const char *before;
    const char *after;
} tells[] = {
    {4, "ticket_lifetime", "valid for ", " seconds"},
    {8, "protocol_name", "", ""},
    {12, "named_curve", "", ""},
    {13, "signature_scheme", "", ""},
    {15, "algorithm", "", ""},
    {24, "request_update", "", ""},
    {25, "algorithm", "", ""},
    {67, "protocol_name", "", ""},
};

void cinch_wire_explain(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                        cinch_wire_event *event)
{
    unsigned type = event->bytes[0];

    event->text = event->note = "";
    if (type == 1)
        client_hello(b, event);
    else if (type == 2)
        server_hello(b, event);
    else if (type == 11)
        certificate(b, event);
    for (size_t i = 0; i < sizeof tells / sizeof tells[0]; i++) {
        const char *value = tells[i].type == type ? cinch_wire_join(b, tells[i].field, MOST) : "";

        if (value[0] != 0)
            event->text = cinch_wire_say(b, "%s%s%s", tells[i].before, value, tells[i].after);
    }
    if (type == 4 && !event->is_inside && agreed->version < 0x0304)
        event->note = "in clear: who records it and later learns the server's ticket key reads "
                      "this connection (TLS 1.2)";
    event->is_malformed = b->malformed;
}

static void alert(cinch_wire_build *b, cinch_wire_event *event)
{
    static const cinch_wire_part parts[] = {
        {CINCH_WIRE_NUMBER, "level", 1, CINCH_NUMBERS_ALERT_LEVEL, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "description", 1, CINCH_NUMBERS_ALERT, 0, NULL, NULL, 0},
        {CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    };
    cinch_wire_span all = {0, event->size};

    if (!cinch_wire_read(b, parts, &all))
        return;
    cinch_wire_left(b, all);
    event->text = cinch_wire_say(b, "%s, %s", cinch_wire_join(b, "level", 1),
                                 cinch_wire_join(b, "description", 1));
    event->note = cinch_alert_meaning(event->bytes[1]);
}

static void change_cipher_spec(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                               cinch_wire_event *event)
{
    static const cinch_wire_part parts[] = {
        {CINCH_WIRE_NUMBER, "type", 1, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    };
    cinch_wire_span all = {0, event->size};

    if (cinch_wire_read(b, parts, &all))
        cinch_wire_left(b, all);
    b->malformed |= event->size != 1 || event->bytes[0] != 1;
    event->note = agreed->version == 0x0304
                      ? "it means nothing in TLS 1.3: it is there so that what stands between "
                        "takes this for TLS 1.2 (RFC 8446, D.4)"
                      : "what this side sends from here on is protected, unless this is TLS 1.3";
    if (agreed->version != 0 && agreed->version < 0x0304)
        event->note = "what this side sends from here on is protected";
}

void cinch_wire_other(cinch_wire_build *b, const cinch_wire_agreed *agreed, cinch_wire_event *event)
{
    const char *name = cinch_number_name(CINCH_NUMBERS_CONTENT, (unsigned)event->content_type);

    cinch_wire_begin(b, event->bytes);
    event->name = name != NULL ? name : cinch_wire_say(b, "content %d", event->content_type);
    event->text = event->note = "";
    switch (event->content_type) {
    case 20:
        change_cipher_spec(b, agreed, event);
        break;
    case 21:
        alert(b, event);
        break;
    default:
        event->text = cinch_wire_say(b, "%zu bytes", event->size);
        if (event->bytes != NULL)
            cinch_wire_add(b, "content", (cinch_wire_span){0, event->size},
                           cinch_wire_hex(b, (cinch_wire_span){0, event->size}));
        break;
    }
    event->is_malformed = b->malformed;
}

/* The name in a record's header. From 2018 on it says little (RFC 8446, 5.1). */
void cinch_wire_record(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                       cinch_wire_event *event)
{
    static const cinch_wire_part header[] = {
        {CINCH_WIRE_NUMBER, "content_type", 1, CINCH_NUMBERS_CONTENT, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "legacy_record_version", 2, CINCH_NUMBERS_VERSION, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "length", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    };
    cinch_wire_span all = {0, event->size};
    size_t most =
        event->is_protected ? (agreed->version == 0x0304 ? 16384 + 256 : 16384 + 2048) : 16384;

    cinch_wire_begin(b, event->bytes);
    event->name = cinch_number_name(CINCH_NUMBERS_CONTENT, (unsigned)event->content_type);
    (void)cinch_wire_read(b, header, &all);
    if (all.at < all.end)
        cinch_wire_add(b, event->is_protected ? "protected" : "fragment", all,
                       cinch_wire_hex(b, all));
    event->text =
        cinch_wire_say(b, "%s, %zu byte%s", cinch_wire_join(b, "legacy_record_version", 1),
                       event->size - 5, event->size == 6 ? "" : "s");
    event->note = "";
    if (event->is_protected)
        event->note = event->content_type == 23 && agreed->version == 0x0304
                          ? "TLS 1.3 calls every protected record application_data"
                          : "only the two ends can read it";
    if (event->size - 5 > most) {
        event->note = "longer than a record may be (RFC 8446, 5.1 and 5.2)";
        b->malformed = 1;
    } else if (event->content_type == 23 && !event->is_protected) {
        event->note = "data before any key was agreed on";
        b->malformed = 1;
    } else if (event->size == 5 && event->content_type != 23) {
        event->note = "an empty record (RFC 8446, 5.1)";
        b->malformed = 1;
    }
    event->is_malformed = b->malformed;
}

void cinch_wire_old_hello(cinch_wire_build *b, cinch_wire_event *event)
{
    static const cinch_wire_part parts[] = {
        {CINCH_WIRE_NUMBER, "msg_length", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "msg_type", 1, CINCH_NUMBERS_HANDSHAKE, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "version", 2, CINCH_NUMBERS_VERSION, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "cipher_spec_length", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "session_id_length", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_NUMBER, "challenge_length", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
        {CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    };
    cinch_wire_span all = {0, event->size};

    cinch_wire_begin(b, event->bytes);
    event->name = "ClientHello";
    event->note = "in the form of SSL 2.0, which no client should send (RFC 6176)";
    event->text = "";
    if (cinch_wire_read(b, parts, &all)) {
        size_t suites = (size_t)(event->bytes[5] << 8 | event->bytes[6]), value;
        size_t end = suites < all.end - all.at ? all.at + suites : all.end;
        cinch_wire_span list = {all.at, end};

        while (list.end - list.at >= 3 && cinch_wire_take(b, &list, 3, &value)) {
            cinch_registry registry =
                value > 0xffff ? CINCH_NUMBERS_SSL2_SUITE : CINCH_NUMBERS_SUITE;

            cinch_wire_add(b, "cipher_spec", (cinch_wire_span){list.at - 3, list.at},
                           cinch_wire_number(b, registry, 3, (unsigned)value));
        }
        b->malformed |= list.at != list.end || suites > end - all.at;
        all.at = list.at;
        if (all.at < all.end)
            cinch_wire_add(b, "session_id and challenge", all, cinch_wire_hex(b, all));
        event->text = cinch_wire_say(b, "offers %s", cinch_wire_join(b, "version", 1));
    }
    event->is_malformed = b->malformed;
}
