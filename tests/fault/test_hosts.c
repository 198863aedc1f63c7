/*
 * Memory runs out while a connection goes over to a host: at each allocation in turn. A client gets
 * into the closed host without its certificate at none of them, and never sees another host's.
 */
#include "alloc.h"
#include "pair.h"
#include "trust/proved.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

/* More than any scenario here makes. */
#define MOST 20000

static long count = -1, fail_at = -1;
static int fail_on; /* all from there on, not just the one */

static int fails(void)
{
    if (count < 0)
        return 0;
    count++;
    return count == fail_at || (fail_on && fail_at > 0 && count > fail_at);
}

static void *my_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 || fails() ? NULL : malloc(size);
}

static void *my_realloc(void *old, size_t size, const char *file, int line)
{
    if (old == NULL) {
        void *fresh = my_malloc(size, file, line);
        return fresh == NULL && size > 0 ? alloc_refuse(old, file, line) : fresh;
    }
    if (size == 0) {
        free(old);
        return NULL;
    }
    return fails() ? NULL : realloc(old, size);
}

static void my_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static pki_family *family;
static cinch_identity *first, *second, *third;

static cinch_identity *identity_for(const char *name)
{
    pki_spec spec = {.cn = name, .dns = {name}};
    pki_cert *leaf = pki_make(&spec, family->intermediate);
    cinch_identity *identity = pair_identity(leaf, family->intermediate);

    pki_free(leaf);
    return identity;
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    first = identity_for("first.test");
    second = identity_for("closed.test");
    third = identity_for("added.test");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_identity_free(first);
    cinch_identity_free(second);
    cinch_identity_free(third);
    pki_family_free(family);
    return 0;
}

static cinch_context *closed_host(void)
{
    cinch_context *ctx = cinch_context_server(NULL);

    assert_int_equal(cinch_context_identity(ctx, second, NULL), CINCH_OK);
    pair_trust(ctx, family->root);
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    return ctx;
}

static cinch_context *server_with(cinch_context *host)
{
    cinch_context *ctx = cinch_context_server(NULL);

    assert_int_equal(cinch_context_identity(ctx, first, NULL), CINCH_OK);
    assert_int_equal(cinch_context_add_identity(ctx, third, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(ctx, "closed.test", host, NULL), CINCH_OK);
    return ctx;
}

static cinch_context *client_for(cinch_tls_version version)
{
    cinch_context *ctx = pair_client_context(family->root);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    return ctx;
}

static cinch_context *pass(const cinch_client_hello *hello, int *refuse, void *arg)
{
    (void)refuse;
    assert_true(strlen(hello->ja4) == 36);
    return arg;
}

/* Runs short where the ClientHello is taken in: there the host is made and gone over to. */
static void serve(pair *p, long at)
{
    p->client.status = cinch_conn_handshake(p->client.conn, &p->client.err);
    pair_move(p);
    count = 0;
    fail_at = at;
    p->server.status = cinch_conn_handshake(p->server.conn, &p->server.err);
    fail_at = -1;
}

/* LETS: whether the client is let in when nothing fails. */
static void sweep(const char *name, cinch_tls_version version, int lets, int by_callback)
{
    for (fail_on = 0; fail_on < 2; fail_on++)
        for (long at = 1;; at++) {
            cinch_context *host = closed_host(), *server = server_with(host);
            cinch_context *client = client_for(version);
            pair p = {0};

            assert_true(at < MOST);
            cinch_proved_forget();
            if (by_callback)
                assert_int_equal(cinch_context_choose(server, pass, host, NULL), CINCH_OK);
            pair_start(&p, client, server, name);
            serve(&p, at);
            long made = count;
            count = -1;
            pair_handshake(&p);
            if (!lets)
                assert_int_equal(p.server.status, CINCH_FAILED);
            if (p.server.status == CINCH_OK)
                assert_int_equal(p.client.status, CINCH_OK);
            else
                assert_true(cinch_error_is_set(&p.server.err));
            if (made < at && lets)
                assert_int_equal(p.server.status, CINCH_OK);
            if (made < at && !lets)
                assert_int_equal(p.server.err.cause, CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING);
            assert_int_equal(ERR_peek_error(), 0);
            pair_stop(&p);
            cinch_context_free(client);
            cinch_context_free(server);
            cinch_context_free(host);
            if (made < at) {
                assert_true(at > 50);
                break;
            }
        }
}

static void a_closed_host_stays_closed(void **state)
{
    (void)state;
    sweep("closed.test", CINCH_TLS_1_3, 0, 0);
    sweep("closed.test", CINCH_TLS_1_2, 0, 0);
}

static void so_does_one_that_a_callback_chose(void **state)
{
    (void)state;
    sweep("closed.test", CINCH_TLS_1_3, 0, 1);
}

/* The client checks the name: an identity of another host would fail there. */
static void an_identity_is_the_right_one(void **state)
{
    (void)state;
    sweep("added.test", CINCH_TLS_1_3, 1, 0);
}

/* Setters: all or nothing. */
static void setters_change_all_or_nothing(void **state)
{
    (void)state;
    for (fail_on = 0; fail_on < 2; fail_on++)
        for (long at = 1;; at++) {
            cinch_context *host = closed_host(), *server = server_with(host);
            cinch_context *client = client_for(CINCH_TLS_1_3);
            cinch_error err = CINCH_ERROR_INIT;
            pair p = {0};

            count = 0;
            fail_at = at;
            cinch_status added = cinch_context_add_identity(server, second, &err);
            cinch_status named = cinch_context_host(server, "closed.test", NULL, &err);
            cinch_status dropped = cinch_context_choose(server, pass, NULL, &err);
            fail_at = -1;
            long made = count;
            count = -1;
            assert_int_equal(added == CINCH_OK && named == CINCH_OK && dropped == CINCH_OK,
                             !cinch_error_is_set(&err));
            pair_start(&p, client, server, "closed.test");
            pair_handshake(&p);
            /* Only without the name is it the identity, which asks for nothing. */
            assert_int_equal(p.server.status == CINCH_OK, added == CINCH_OK && named == CINCH_OK);
            pair_stop(&p);
            cinch_context_free(client);
            cinch_context_free(server);
            cinch_context_free(host);
            if (made < at) {
                assert_int_equal(dropped, CINCH_OK);
                break;
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_host_stays_closed),
        cmocka_unit_test(so_does_one_that_a_callback_chose),
        cmocka_unit_test(an_identity_is_the_right_one),
        cmocka_unit_test(setters_change_all_or_nothing),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
