/*
 * Memory runs out while somebody looks: what is told is a beginning of what there was to tell, and that
 * the rest is missing is said. A connection goes on without its observer.
 */
#include "alloc.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#define LOG 65536

typedef struct watcher {
    char log[LOG];
    size_t used;
    bool lost; /* it was told that memory ran out */
} watcher;

/* What a whole TLS 1.2 connection is made of. */
typedef struct recording {
    unsigned char bytes[LOG];
    size_t size[64];
    cinch_wire_side sender[64];
    size_t count;
    size_t used;
} recording;

static pki_family *family;
static cinch_context *client, *server;
static recording tape;
static watcher whole;
static char complaint[400];

static void see(const cinch_wire_event *event, void *arg)
{
    watcher *w = arg;

    if (strstr(event->text, "memory ran out") != NULL) {
        w->lost = true;
        return;
    }
    w->used += (size_t)snprintf(w->log + w->used, LOG - w->used, "%d %d %s %s %s\n", event->kind,
                                event->sender, event->name, event->text, event->note);
    for (size_t i = 0; i < event->field_count; i++)
        w->used += (size_t)snprintf(w->log + w->used, LOG - w->used, "%s=%s\n",
                                    event->fields[i].name, event->fields[i].value);
}

static void record(const cinch_wire_event *event, void *arg)
{
    recording *r = arg;

    if (event->kind != CINCH_WIRE_RECORD)
        return;
    memcpy(r->bytes + r->used, event->bytes, event->size);
    r->used += event->size;
    r->size[r->count] = event->size;
    r->sender[r->count++] = event->sender;
}

static int set_up(void **state)
{
    pair p = {0};

    (void)state;
    family = pki_family_new();
    client = pair_client_context(family->root);
    server = pair_server_context(family->good, family->intermediate);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    pair_start(&p, client, server, "localhost");
    assert_int_equal(cinch_conn_wire(p.client.conn, record, &tape, 0, NULL), CINCH_OK);
    pair_handshake(&p);
    pair_stop(&p);
    assert_true(tape.count > 5);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_context_free(client);
    cinch_context_free(server);
    pki_family_free(family);
    return 0;
}

static cinch_status play(watcher *w, cinch_error *err)
{
    cinch_wire *wire = cinch_wire_new(see, w, err);
    cinch_status status = wire == NULL ? CINCH_FAILED : CINCH_OK;
    size_t at = 0;

    for (size_t i = 0; i < tape.count && status == CINCH_OK; at += tape.size[i++]) {
        /* In two parts, so that something is kept. */
        status = cinch_wire_feed(wire, tape.sender[i], tape.bytes + at, 3, err);
        if (status == CINCH_OK)
            status =
                cinch_wire_feed(wire, tape.sender[i], tape.bytes + at + 3, tape.size[i] - 3, err);
    }
    cinch_wire_free(wire);
    return status;
}

static const char *decode(void *arg, bool *complete)
{
    static watcher w;
    cinch_error err = CINCH_ERROR_INIT;

    (void)arg;
    w.used = 0;
    w.log[0] = 0;
    cinch_status status = play(&w, &err);
    *complete = status == CINCH_OK;
    complaint[0] = 0;
    if (status == CINCH_OK && strcmp(w.log, whole.log) != 0)
        (void)snprintf(complaint, sizeof complaint, "something is missing, and nothing was said");
    if (status != CINCH_OK && err.cause != CINCH_CAUSE_MEMORY)
        (void)snprintf(complaint, sizeof complaint, "failed: %s", err.what);
    size_t same = 0;
    while (same < w.used && w.log[same] == whole.log[same])
        same++;
    if (same < w.used)
        (void)snprintf(complaint, sizeof complaint, "told: %.150s, and not %.150s", w.log + same,
                       whole.log + same);
    if (ERR_peek_error() != 0)
        (void)snprintf(complaint, sizeof complaint, "OpenSSL's queue is not empty");
    return complaint[0] != 0 ? complaint : NULL;
}

static void a_decoder(void **state)
{
    const alloc_trial trial = {"a decoder", decode, NULL, 3};

    (void)state;
    assert_int_equal(play(&whole, NULL), CINCH_OK);
    assert_non_null(strstr(whole.log, "subject=CN=localhost"));
    const char *problem = alloc_sweep(&trial);
    if (problem != NULL)
        fail_msg("%s", problem);
}

/* Only what the observer allocates fails: all that the conn itself does has memory. */
static const char *look(void *arg, bool *complete)
{
    static watcher w;
    cinch_error err = CINCH_ERROR_INIT;
    pair p = {0};

    (void)arg;
    w = (watcher){.used = 0};
    complaint[0] = 0;
    alloc_spare(true);
    pair_start(&p, client, server, "localhost");
    alloc_spare(false);
    if (cinch_conn_wire(p.client.conn, see, &w, CINCH_WIRE_INSIDE, &err) != CINCH_OK) {
        if (err.cause != CINCH_CAUSE_MEMORY)
            (void)snprintf(complaint, sizeof complaint, "failed: %s", err.what);
        *complete = false;
        pair_stop(&p);
        return complaint[0] != 0 ? complaint : NULL;
    }
    for (int i = 0; i < 6; i++) {
        const void *bytes;
        size_t size;

        alloc_spare(true);
        p.client.status = cinch_conn_handshake(p.client.conn, &p.client.err);
        alloc_spare(false);
        /* Here all is told. */
        if (cinch_conn_send_bytes(p.client.conn, &bytes, &size, NULL) != CINCH_OK)
            (void)snprintf(complaint, sizeof complaint, "no bytes to send");
        alloc_spare(true);
        (void)pair_move(&p);
        p.server.status = cinch_conn_handshake(p.server.conn, &p.server.err);
        (void)pair_move(&p);
        alloc_spare(false);
    }
    *complete = !w.lost;
    if (cinch_conn_state_now(p.client.conn) != CINCH_STATE_OPEN)
        (void)snprintf(complaint, sizeof complaint, "the connection failed: %s", p.client.err.what);
    else if (!w.lost && strstr(w.log, "Finished") == NULL)
        (void)snprintf(complaint, sizeof complaint, "something is missing, and nothing was said");
    pair_stop(&p);
    return complaint[0] != 0 ? complaint : NULL;
}

static void a_connection(void **state)
{
    const alloc_trial trial = {"a connection that is looked at", look, NULL, 3};
    const char *problem = alloc_sweep(&trial);

    (void)state;
    if (problem != NULL)
        fail_msg("%s", problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decoder),
        cmocka_unit_test(a_connection),
    };

    alloc_install();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
