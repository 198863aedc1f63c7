/* Hosts come, change and go on one thread while others are served: for the thread sanitizer. */
#include "pair.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SERVED 25

static pki_family *family;
static cinch_context *server, *client, *host, *spare;
static cinch_identity *identity;
static atomic_int at_work, wrong;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    server = pair_server_context(family->good, family->intermediate);
    host = pair_server_context(family->good, family->intermediate);
    spare = pair_server_context(family->good, family->intermediate);
    client = pair_client_context(family->root);
    identity = pair_identity(family->good, family->intermediate);
    return cinch_context_host(server, "a.example.test", host, NULL) != CINCH_OK;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_identity_free(identity);
    cinch_context_free(server);
    cinch_context_free(host);
    cinch_context_free(spare);
    cinch_context_free(client);
    pki_family_free(family);
    return 0;
}

static cinch_context *choose(const cinch_client_hello *hello, int *refuse, void *arg)
{
    (void)refuse;
    return hello->server_name[0] == 'b' ? arg : NULL;
}

static void *change(void *arg)
{
    int ok = 1;

    (void)arg;
    for (int i = 0; atomic_load(&at_work) > 0; i++) {
        cinch_context *made = cinch_context_dup(spare, NULL);

        ok &= cinch_context_host(server, "c.example.test", i % 2 ? made : NULL, NULL) == CINCH_OK;
        cinch_context_free(made);
        ok &= cinch_context_add_identity(server, identity, NULL) == CINCH_OK;
        ok &= cinch_context_choose(server, i % 2 ? choose : NULL, host, NULL) == CINCH_OK;
        ok &= cinch_context_alpn(host, i % 2 ? "h2" : NULL, NULL) == CINCH_OK;
        /* Crosswise, so that one of the two must be refused at any time. */
        ok &= cinch_context_host(spare, "x.test", host, NULL) == CINCH_OK;
        ok &= cinch_context_host(host, "x.test", spare, NULL) == CINCH_FAILED;
    }
    if (!ok)
        atomic_fetch_add(&wrong, 1);
    return NULL;
}

static void *serve(void *arg)
{
    static const char *const names[] = {"localhost", "a.example.test", "b.example.test",
                                        "c.example.test"};

    (void)arg;
    for (int i = 0; i < SERVED; i++) {
        pair p = {0};

        pair_start(&p, client, server, names[i % 4]);
        pair_handshake(&p);
        if (p.client.status != CINCH_OK || p.server.status != CINCH_OK)
            atomic_fetch_add(&wrong, 1);
        pair_stop(&p);
    }
    atomic_fetch_sub(&at_work, 1);
    return NULL;
}

static void test_changes_while_serving(void **state)
{
    pthread_t threads[3], changer;

    (void)state;
    atomic_store(&at_work, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve, NULL), 0);
    assert_int_equal(pthread_create(&changer, NULL, change, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_join(changer, NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_while_serving),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
