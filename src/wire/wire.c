/* wire.c: what both sides send, cut into records. */
#include "wire/wire.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* The first bytes of what is not TLS are waited for, to tell what it is. */
#define LOOK ((size_t)32)

#define HEADER ((size_t)5)

cinch_wire *cinch_wire_new(cinch_wire_callback callback, void *arg, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (callback == NULL) {
        (void)cinch_fail_null(err, "callback");
        return NULL;
    }
    cinch_wire *wire = cinch_alloc(sizeof *wire);
    if (wire == NULL) {
        (void)cinch_fail_memory(err, "making a decoder");
        return NULL;
    }
    wire->callback = callback;
    wire->arg = arg;
    return wire;
}

void cinch_wire_free(cinch_wire *wire)
{
    if (wire == NULL)
        return;
    for (size_t i = 0; i < 2; i++) {
        cinch_buffer_free(&wire->ways[i].in);
        cinch_buffer_free(&wire->ways[i].clear.bytes);
        cinch_buffer_free(&wire->ways[i].inside.bytes);
    }
    cinch_wire_build_free(&wire->build);
    cinch_release(wire);
}

int cinch_wire_emit(cinch_wire *wire, cinch_wire_event *event)
{
    /* Rather nothing than a part: what is missing would look as if it had not been there. */
    if (wire->build.no_memory)
        return 0;
    event->fields = wire->build.fields;
    event->field_count = wire->build.count;
    wire->callback(event, wire->arg);
    return 1;
}

int cinch_wire_problem(cinch_wire *wire, cinch_wire_side sender, const char *text, const char *note)
{
    const cinch_wire_way *way = &wire->ways[sender];
    cinch_wire_event event = {
        .kind = CINCH_WIRE_PROBLEM,
        .sender = sender,
        .position = way->position,
        .record = way->records,
        .is_malformed = 1,
        .name = "problem",
        .text = text,
        .note = note,
    };

    wire->build.count = 0;
    return cinch_wire_emit(wire, &event);
}

/* RFC 5246, E.2: two bytes of length with the highest bit set, client_hello, a version. */
static int is_old_hello(const cinch_wire_way *way, cinch_wire_side sender,
                        const unsigned char *bytes, size_t size)
{
    return sender == CINCH_WIRE_CLIENT && way->records == 0 && size >= HEADER &&
           (bytes[0] & 0x80) != 0 && bytes[2] == 1 && (bytes[3] == 3 || bytes[3] == 0) &&
           (bytes[3] == 3 || bytes[4] == 2);
}

/* Whether they may be the beginning of a record (RFC 8446, 5.1). */
static int is_record(const unsigned char *bytes, size_t size)
{
    return bytes[0] >= 20 && bytes[0] <= 24 && (size < 2 || bytes[1] == 3);
}

static int is_dtls(const unsigned char *bytes, size_t size)
{
    return size >= 3 && bytes[0] >= 20 && bytes[0] <= 25 && bytes[1] == 0xfe &&
           (bytes[2] == 0xff || bytes[2] == 0xfd || bytes[2] == 0xfc);
}

static int tell_foreign(cinch_wire *wire, cinch_wire_side sender, const unsigned char *bytes,
                        size_t size)
{
    cinch_wire_way *way = &wire->ways[sender];
    const cinch_protocol *other = way->records == 0 ? cinch_protocol_of(bytes, size) : NULL;
    const char *who = sender == CINCH_WIRE_CLIENT ? "client" : "server";
    char shown[200];

    way->lost = 1;
    cinch_text_clean(shown, sizeof shown, bytes, size < LOOK ? size : LOOK, 0);
    cinch_wire_begin(&wire->build, bytes);
    const char *text;
    if (way->records == 0 && is_dtls(bytes, size))
        text = cinch_wire_say(&wire->build, "the %s speaks DTLS, which is not read here", who);
    else if (other != NULL)
        text = cinch_wire_say(&wire->build, "the %s does not speak TLS but %s", who, other->name);
    else if (way->records == 0)
        text = cinch_wire_say(&wire->build, "the %s does not speak TLS", who);
    else
        text = cinch_wire_say(&wire->build, "what the %s sends after record %llu is not TLS", who,
                              (unsigned long long)way->records - 1);
    return cinch_wire_problem(wire, sender, text,
                              cinch_wire_say(&wire->build, "it begins with: %s", shown));
}

/*
 * Which records are protected tells nobody: it follows from what was said before. While the version is
 * not known (the other side's bytes come later), a hello after change_cipher_spec is in clear: the
 * second one of TLS 1.3.
 */
static int is_protected(const cinch_wire *wire, const cinch_wire_way *way,
                        const unsigned char *record, size_t size)
{
    int type = record[0], version = wire->agreed.version;

    if (version != 0 && version < 0x0304)
        return way->changed;
    if (type == 23)
        return 1;
    if (version == 0x0304 || !way->changed)
        return 0;
    if (type == 22)
        return size < HEADER + 4 || record[HEADER] != 1 || record[HEADER + 1] != 0;
    return size != HEADER + (type == 20 ? 1 : 2);
}

static int read_content(cinch_wire *wire, cinch_wire_side sender, const unsigned char *record,
                        size_t size)
{
    int type = record[0];

    if (type == 22)
        return cinch_wire_gather(wire, sender, 0, record + HEADER, size - HEADER);
    if (!cinch_wire_interrupted(wire, sender, 0, "another record comes"))
        return 0;
    if (type == 20)
        wire->ways[sender].changed = 1;
    return cinch_wire_single(wire, sender, 0, type, record + HEADER, size - HEADER);
}

static int tell_record(cinch_wire *wire, cinch_wire_side sender, const unsigned char *record,
                       size_t size)
{
    cinch_wire_way *way = &wire->ways[sender];
    cinch_wire_event event = {
        .kind = CINCH_WIRE_RECORD,
        .sender = sender,
        .position = way->position,
        .record = way->records,
        .content_type = record[0],
        .version = record[1] << 8 | record[2],
        .is_protected = is_protected(wire, way, record, size),
        .bytes = record,
        .size = size,
    };

    way->last_position = way->position;
    if (event.is_protected && !cinch_wire_interrupted(wire, sender, 0, "a protected record comes"))
        return 0;
    way->records++;
    cinch_wire_record(&wire->build, &wire->agreed, &event);
    if (!cinch_wire_emit(wire, &event))
        return 0;
    return event.is_protected || read_content(wire, sender, record, size);
}

static int tell_old_hello(cinch_wire *wire, cinch_wire_side sender, const unsigned char *record,
                          size_t size)
{
    cinch_wire_way *way = &wire->ways[sender];
    cinch_wire_event event = {
        .kind = CINCH_WIRE_RECORD,
        .sender = sender,
        .content_type = 22,
        .version = 0x0002,
        .name = "handshake",
        .text = "SSL 2.0",
        .note = "",
        .bytes = record,
        .size = size,
    };

    way->records++;
    cinch_wire_begin(&wire->build, record);
    cinch_wire_add(&wire->build, "msg_length", (cinch_wire_span){0, 2},
                   cinch_wire_say(&wire->build, "%zu", size - 2));
    if (!cinch_wire_emit(wire, &event))
        return 0;
    event.kind = CINCH_WIRE_MESSAGE;
    event.version = 0;
    cinch_wire_old_hello(&wire->build, &event);
    return cinch_wire_emit(wire, &event);
}

/*
 * Tells of the unit that BYTES begin with: *TAKEN is its size, 0 if more bytes are needed. 0 when memory
 * ran out.
 */
static int take_unit(cinch_wire *wire, cinch_wire_side sender, const unsigned char *bytes,
                     size_t size, size_t *taken)
{
    cinch_wire_way *way = &wire->ways[sender];
    int done = 1;

    *taken = 0;
    if (way->lost) {
        *taken = size;
    } else if (is_old_hello(way, sender, bytes, size)) {
        size_t all = 2 + ((size_t)(bytes[0] & 0x7f) << 8 | bytes[1]);

        if (size < all)
            return 1;
        *taken = all;
        done = tell_old_hello(wire, sender, bytes, all);
    } else if (!is_record(bytes, size)) {
        if (size < LOOK && !way->ended)
            return 1;
        *taken = size;
        done = tell_foreign(wire, sender, bytes, size);
    } else if (size >= HEADER) {
        size_t all = HEADER + ((size_t)bytes[3] << 8 | bytes[4]);

        if (size < all)
            return 1;
        *taken = all;
        done = tell_record(wire, sender, bytes, all);
    }
    way->position += *taken;
    return done;
}

/* All whole units in BYTES; *LEFT is what remains. */
static int take_units(cinch_wire *wire, cinch_wire_side sender, const unsigned char *bytes,
                      size_t size, size_t *left)
{
    size_t taken = 1;

    while (size > 0 && taken > 0) {
        if (!take_unit(wire, sender, bytes, size, &taken))
            return 0;
        bytes += taken;
        size -= taken;
    }
    *left = size;
    return 1;
}

static int feed(cinch_wire *wire, cinch_wire_side sender, const unsigned char *bytes, size_t size)
{
    cinch_buffer *in = &wire->ways[sender].in;
    size_t left;

    /* Nothing is copied while whole records come. */
    if (cinch_buffer_used(in) == 0)
        return take_units(wire, sender, bytes, size, &left) &&
               cinch_buffer_append(in, bytes + (size - left), left);
    if (!cinch_buffer_append(in, bytes, size))
        return 0;
    if (!take_units(wire, sender, cinch_buffer_bytes(in), cinch_buffer_used(in), &left))
        return 0;
    cinch_buffer_consume(in, cinch_buffer_used(in) - left);
    cinch_buffer_idle(in);
    return 1;
}

static int end(cinch_wire *wire, cinch_wire_side sender)
{
    cinch_wire_way *way = &wire->ways[sender];
    size_t have = cinch_buffer_used(&way->in), left = have;
    const unsigned char *bytes = have > 0 ? cinch_buffer_bytes(&way->in) : NULL;

    way->ended = 1;
    if (have > 0 && !take_units(wire, sender, bytes, have, &left))
        return 0;
    if (left > 0) {
        size_t all = left >= HEADER && is_record(bytes, left)
                         ? HEADER + ((size_t)bytes[3] << 8 | bytes[4])
                         : 0;

        cinch_wire_begin(&wire->build, NULL);
        const char *text =
            all > 0
                ? cinch_wire_say(&wire->build,
                                 "it ends in the middle of a record: %zu of %zu bytes", left, all)
                : cinch_wire_say(&wire->build, "it ends in the middle of a record, after %zu bytes",
                                 left);
        if (!cinch_wire_problem(wire, sender, text, ""))
            return 0;
        cinch_buffer_free(&way->in);
    }
    return cinch_wire_interrupted(wire, sender, 0, "it ends") &&
           cinch_wire_interrupted(wire, sender, 1, "it ends");
}

/* What every call looks at first. */
static cinch_status enter(cinch_wire *wire, cinch_wire_side sender, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (wire == NULL)
        return cinch_fail_null(err, "decoder");
    if (sender != CINCH_WIRE_CLIENT && sender != CINCH_WIRE_SERVER)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "there is no side %d", (int)sender);
    if (wire->failed)
        return cinch_fail_memory(err, "reading what passes by");
    return CINCH_OK;
}

static cinch_status outcome(cinch_wire *wire, int done, cinch_error *err)
{
    if (done)
        return CINCH_OK;
    wire->failed = 1;
    return cinch_fail_memory(err, "reading what passes by");
}

cinch_status cinch_wire_feed(cinch_wire *wire, cinch_wire_side sender, const void *bytes,
                             size_t size, cinch_error *err)
{
    cinch_status status = enter(wire, sender, err);

    if (status != CINCH_OK || size == 0)
        return status;
    if (bytes == NULL)
        return cinch_fail_null(err, "place of the bytes");
    if (wire->ways[sender].ended)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "bytes come after cinch_wire_end()");
    return outcome(wire, feed(wire, sender, bytes, size), err);
}

cinch_status cinch_wire_end(cinch_wire *wire, cinch_wire_side sender, cinch_error *err)
{
    cinch_status status = enter(wire, sender, err);

    if (status != CINCH_OK || wire->ways[sender].ended)
        return status;
    return outcome(wire, end(wire, sender), err);
}

cinch_status cinch_wire_inside(cinch_wire *wire, cinch_wire_side sender, int content_type,
                               const void *bytes, size_t size, cinch_error *err)
{
    cinch_status status = enter(wire, sender, err);
    int done;

    if (status != CINCH_OK)
        return status;
    if (bytes == NULL && content_type != 23 && size > 0)
        return cinch_fail_null(err, "place of the bytes");
    if (content_type == 22)
        done = size == 0 || cinch_wire_gather(wire, sender, 1, bytes, size);
    else
        done = cinch_wire_interrupted(wire, sender, 1, "something else comes") &&
               cinch_wire_single(wire, sender, 1, content_type, bytes, size);
    return outcome(wire, done, err);
}
