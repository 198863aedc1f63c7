/* tap.c: what passes through a conn, noted down and told in order. */
#include "conn/tap.h"

#include "base/fail.h"
#include "base/memory.h"
#include "conn/conn.h"
#include "wire/wire.h"

#include <string.h>

/* A note. Its bytes follow it. */
typedef struct note {
    enum {
        PASSED = 1, /* bytes of records */
        SHOWN,      /* a message that libssl showed */
        ENDED
    } kind;
    int sent;
    int type;
    uint64_t record; /* of ours: in which one it is */
    size_t size;
} note;

static void write_note(cinch_tap *tap, cinch_buffer *to, note head, const void *bytes)
{
    if (tap->lost)
        return;
    if (!cinch_buffer_append(to, &head, sizeof head) ||
        (head.size > 0 && !cinch_buffer_append(to, bytes, head.size)))
        tap->lost = 1;
}

/* The first note in FROM, whose bytes stay until it is consumed: 1, or 0 if there is none. */
static int first_note(const cinch_buffer *from, note *head, const unsigned char **bytes)
{
    if (cinch_buffer_used(from) < sizeof *head)
        return 0;
    memcpy(head, cinch_buffer_bytes(from), sizeof *head);
    *bytes = cinch_buffer_bytes(from) + sizeof *head;
    return 1;
}

void cinch_tap_bytes(cinch_tap *tap, int sent, const void *bytes, size_t size)
{
    write_note(tap, &tap->notes, (note){.kind = PASSED, .sent = sent, .size = size}, bytes);
}

void cinch_tap_message(cinch_tap *tap, int sent, int type, const void *bytes, size_t size)
{
    if (tap->inside)
        write_note(tap, &tap->notes,
                   (note){.kind = SHOWN, .sent = sent, .type = type, .size = size}, bytes);
}

void cinch_tap_end(cinch_tap *tap)
{
    write_note(tap, &tap->notes, (note){.kind = ENDED}, NULL);
}

static cinch_wire_side sender(const cinch_tap *tap, int sent)
{
    return sent ? tap->side : (cinch_wire_side)!tap->side;
}

/* Data is not shown: how much there is follows from the record (RFC 8446, 5.2; RFC 5288, 3). */
static void tell_data(cinch_tap *tap, cinch_wire_side from)
{
    size_t more = 5 + 16 + (tap->wire->agreed.version == TLS1_3_VERSION ? 1 : 8);
    size_t size = tap->last_size > more ? tap->last_size - more : 0;

    (void)cinch_wire_inside(tap->wire, from, SSL3_RT_APPLICATION_DATA, NULL, size, NULL);
}

/* What libssl showed of a protected record that was told of. */
static void tell_inside(cinch_tap *tap, const note *head, const unsigned char *bytes)
{
    cinch_wire_side from = sender(tap, head->sent);

    if (head->type == SSL3_RT_INNER_CONTENT_TYPE) {
        if (head->size == 1 && bytes[0] == SSL3_RT_APPLICATION_DATA)
            tell_data(tap, from);
        return;
    }
    if (head->type != SSL3_RT_HEADER)
        (void)cinch_wire_inside(tap->wire, from, head->type, bytes, head->size, NULL);
}

/* Most of our messages are shown before their records come by: they are told right after those. */
static void tell_hidden(cinch_tap *tap, uint64_t record, int is_protected)
{
    const unsigned char *bytes;
    note head;

    while (first_note(&tap->hidden, &head, &bytes) && head.record <= record) {
        if (is_protected)
            tell_inside(tap, &head, bytes);
        cinch_buffer_consume(&tap->hidden, sizeof head + head.size);
    }
    cinch_buffer_idle(&tap->hidden);
}

static void see(const cinch_wire_event *event, void *arg)
{
    cinch_tap *tap = arg;
    int version = tap->wire->agreed.version;

    tap->callback(event, tap->arg);
    if (event->kind != CINCH_WIRE_RECORD || !tap->inside)
        return;
    tap->last_size = event->size;
    tap->was_protected[event->sender] = event->is_protected;
    if (event->sender == tap->side)
        tell_hidden(tap, event->record, event->is_protected);
    /* In TLS 1.2 the record says itself what is inside, and libssl shows no data. */
    if (event->is_protected && event->content_type == SSL3_RT_APPLICATION_DATA && version != 0 &&
        version < TLS1_3_VERSION)
        tell_data(tap, event->sender);
}

static void tell_shown(cinch_tap *tap, note *head, const unsigned char *bytes)
{
    cinch_wire_side from = sender(tap, head->sent);

    if (head->sent && head->type == SSL3_RT_HEADER)
        tap->heads++;
    head->record = tap->heads > 0 ? tap->heads - 1 : 0;
    if (head->sent && head->record >= tap->wire->ways[from].records)
        write_note(tap, &tap->hidden, *head, bytes);
    else if (tap->was_protected[from])
        tell_inside(tap, head, bytes);
}

static void tell_note(cinch_tap *tap, note *head, const unsigned char *bytes)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (head->kind == PASSED)
        (void)cinch_wire_feed(tap->wire, sender(tap, head->sent), bytes, head->size, &err);
    else if (head->kind == ENDED)
        (void)cinch_wire_end(tap->wire, sender(tap, 0), &err);
    else
        tell_shown(tap, head, bytes);
    if (err.cause == CINCH_CAUSE_MEMORY)
        tap->lost = 1;
}

static void tell_loss(cinch_tap *tap)
{
    static const cinch_wire_event loss = {
        .kind = CINCH_WIRE_PROBLEM,
        .is_malformed = 0,
        .name = "problem",
        .text = "memory ran out: nothing more is shown",
        .note = "the connection goes on",
    };

    cinch_wire_free(tap->wire);
    tap->wire = NULL;
    cinch_buffer_free(&tap->notes);
    cinch_buffer_free(&tap->hidden);
    tap->callback(&loss, tap->arg);
}

void cinch_tap_tell(cinch_tap *tap)
{
    const unsigned char *bytes;
    note head;

    if (tap == NULL || tap->wire == NULL)
        return;
    while (!tap->lost && first_note(&tap->notes, &head, &bytes)) {
        tell_note(tap, &head, bytes);
        cinch_buffer_consume(&tap->notes, sizeof head + head.size);
    }
    if (tap->lost)
        tell_loss(tap);
    else
        cinch_buffer_idle(&tap->notes);
}

void cinch_tap_free(cinch_tap *tap)
{
    if (tap == NULL)
        return;
    cinch_tap_tell(tap);
    cinch_wire_free(tap->wire);
    cinch_buffer_free(&tap->notes);
    cinch_buffer_free(&tap->hidden);
    cinch_release(tap);
}

static cinch_tap *make(const cinch_conn *conn, cinch_wire_callback callback, void *arg, int flags,
                       cinch_error *err)
{
    cinch_tap *tap = cinch_alloc(sizeof *tap);

    if (tap == NULL) {
        (void)cinch_fail_memory(err, "looking at a connection");
        return NULL;
    }
    tap->callback = callback;
    tap->arg = arg;
    tap->inside = (flags & CINCH_WIRE_INSIDE) != 0;
    tap->side = conn->link.derived->settings->is_server ? CINCH_WIRE_SERVER : CINCH_WIRE_CLIENT;
    tap->wire = cinch_wire_new(see, tap, err);
    if (tap->wire == NULL) {
        cinch_release(tap);
        return NULL;
    }
    return tap;
}

cinch_status cinch_conn_wire(cinch_conn *conn, cinch_wire_callback callback, void *arg, int flags,
                             cinch_error *err)
{
    cinch_tap *tap = NULL;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (conn == NULL)
        return cinch_fail_null(err, "connection");
    if ((flags & ~CINCH_WIRE_INSIDE) != 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "there is no flag %d", flags);
    if (callback != NULL && (conn->begun || conn->state != CINCH_STATE_HANDSHAKING))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the handshake has begun: who looks from now on understands nothing");
    if (callback != NULL && (tap = make(conn, callback, arg, flags, err)) == NULL)
        return CINCH_FAILED;
    cinch_tap_free(conn->tap);
    conn->tap = tap;
    return CINCH_OK;
}
