/*
 * Handshakes that wait for a signature, in which each allocation fails once, the stacks that they
 * pause on among them.
 */
#include "alloc.h"
#include "office.h"
#include "pair.h"

#include "base/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>

static pki_cert *root, *leaf;
static cinch_context *client;
static char *pem;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    leaf = pki_make(&(pki_spec){.cn = "leaf"}, root);
    pem = pki_pem_cert(leaf);
    client = pair_client_context(root);
    return cinch_context_resumption(client, 0, NULL) != CINCH_OK;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_context_free(client);
    free(pem);
    pki_free(leaf);
    pki_free(root);
    return 0;
}

typedef struct trial {
    office office;
    int as; /* the office's mood */
    bool give_up;
    char complaint[1400];
} trial;

/* The server's step. The memory of who has the key never runs out: it may be another machine's. */
static void step(trial *t, pair *p, cinch_error *err)
{
    p->server.status = cinch_conn_handshake(p->server.conn, err);
    if (p->server.status != CINCH_WANT_SIGNATURE || t->give_up)
        return;
    alloc_spare(true);
    while (t->office.waiting > 0)
        (void)office_answer(leaf, office_take(&t->office), t->as == OFFICE_LIES);
    alloc_spare(false);
}

static const char *run(void *arg, bool *complete)
{
    trial *t = arg;
    cinch_error err = CINCH_ERROR_INIT;
    pair p = {0};

    t->complaint[0] = 0;
    t->office = (office){.cert = leaf, .pem = pem};
    alloc_spare(true);
    cinch_context *server = cinch_context_server(NULL);
    p.client.conn = cinch_conn_new(client, "localhost", NULL);
    alloc_spare(false);
    cinch_identity *identity = office_identity(&t->office, &err);
    (void)cinch_context_identity(server, identity, &err);
    p.server.conn = cinch_conn_new(server, NULL, &err);
    for (int i = 0; p.server.conn != NULL && i < 10; i++) {
        alloc_spare(true);
        p.client.status = cinch_conn_handshake(p.client.conn, &p.client.err);
        (void)pair_move(&p);
        alloc_spare(false);
        step(t, &p, &err);
        alloc_spare(true);
        (void)pair_move(&p);
        alloc_spare(false);
    }
    bool open = cinch_conn_state_now(p.server.conn) == CINCH_STATE_OPEN &&
                cinch_conn_state_now(p.client.conn) == CINCH_STATE_OPEN;
    bool waits = p.server.status == CINCH_WANT_SIGNATURE;
    if ((open || waits) == cinch_error_is_set(&err) || waits != (t->office.waiting > 0))
        snprintf(t->complaint, sizeof t->complaint, "%s: %s (server: %s; client: %s, %s)",
                 open ? "open" : "not open", err.what, cinch_status_name(p.server.status),
                 cinch_status_name(p.client.status), p.client.err.what);
    if (open && t->as == OFFICE_LIES)
        snprintf(t->complaint, sizeof t->complaint, "open, with a wrong signature");
    *complete = t->as == OFFICE_LIES ? err.cause == CINCH_CAUSE_SIGNER : open || waits;
    pair_stop(&p);
    while (t->office.waiting > 0)
        cinch_signature_refuse(office_take(&t->office).request, NULL);
    if (ERR_peek_error() != 0)
        snprintf(t->complaint, sizeof t->complaint, "OpenSSL's queue is not empty");
    cinch_identity_free(identity);
    cinch_context_free(server);
    return t->complaint[0] != 0 ? t->complaint : NULL;
}

static void sweep(int as, bool give_up, size_t stride)
{
    static trial t;
    const alloc_trial sweeping = {"a signature that comes later", run, &t, stride};

    t.as = as;
    t.give_up = give_up;
    const char *problem = alloc_sweep(&sweeping);

    if (problem != NULL)
        fail_msg("%s", problem);
}

static void right_signatures(void **state)
{
    (void)state;
    sweep(OFFICE_LATER, false, 3);
}

static void wrong_signatures(void **state)
{
    (void)state;
    sweep(OFFICE_LIES, false, 5);
}

static void freed_while_waiting(void **state)
{
    (void)state;
    sweep(OFFICE_LATER, true, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_signatures),
        cmocka_unit_test(wrong_signatures),
        cmocka_unit_test(freed_while_waiting),
    };

    alloc_install();
    return CINCH_FIBERS ? cmocka_run_group_tests(tests, set_up, tear_down) : 0;
}
