/*
 * Every allocation that libcinch itself makes for a stream fails once, from listening to the end of
 * a conversation. It is a clean failure or a whole success; a wrong name is never let through.
 */
#include "alloc.h"
#include "duo.h"
#include "net.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The allocation that fails, counted from 1; 0 for none. */
static size_t failing, counted;

static int fails_now(const char *file)
{
    /* libssl's own allocations fail one by one in the tests of the conn. */
    return failing != 0 && file != NULL && strstr(file, "base/memory.c") != NULL &&
           ++counted == failing;
}

static void *my_malloc(size_t size, const char *file, int line)
{
    (void)line;
    return fails_now(file) ? NULL : malloc(size);
}

static void *my_realloc(void *old, size_t size, const char *file, int line)
{
    return fails_now(file) ? alloc_refuse(old, file, line) : realloc(old, size);
}

static void my_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static duo both;

static int set_up(void **state)
{
    (void)state;
    duo_open(&both);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    duo_close(&both);
    return 0;
}

/* Both handshakes by turns in this thread. CINCH_OK when both are complete. */
static cinch_status shake(cinch_stream *client, cinch_stream *server, cinch_error *err)
{
    for (int rounds = 0; rounds < 100; rounds++) {
        cinch_status a = cinch_stream_handshake(client, err);
        cinch_status b = cinch_stream_handshake(server, err);

        if (a > CINCH_WANT_WRITE || b > CINCH_WANT_WRITE)
            return a > CINCH_WANT_WRITE ? a : b;
        if (a == CINCH_OK && b == CINCH_OK)
            return CINCH_OK;
        struct pollfd polled[2] = {{.fd = cinch_stream_fd(client), .events = POLLIN},
                                   {.fd = cinch_stream_fd(server), .events = POLLIN}};
        assert_true(poll(polled, 2, 5000) > 0);
    }
    return CINCH_FAILED;
}

static cinch_status talk(cinch_stream *client, cinch_stream *server, cinch_error *err)
{
    char buf[16];
    size_t n;
    cinch_status status = cinch_stream_nonblocking(client, 1, err);

    if (status == CINCH_OK)
        status = cinch_stream_nonblocking(server, 1, err);
    if (status == CINCH_OK)
        status = shake(client, server, err);
    if (status == CINCH_OK)
        status = cinch_stream_nonblocking(client, 0, err);
    if (status == CINCH_OK)
        status = cinch_stream_nonblocking(server, 0, err);
    if (status == CINCH_OK)
        status = cinch_stream_write_all(client, "ping", 4, err);
    if (status == CINCH_OK)
        status = cinch_stream_read(server, buf, sizeof buf, &n, err);
    if (status == CINCH_OK) {
        assert_memory_equal("ping", buf, n);
        status = cinch_stream_close_write(client, err);
    }
    if (status == CINCH_OK)
        status = cinch_stream_read(server, buf, sizeof buf, &n, err);
    return status;
}

/* CINCH_EOF is the good end. */
static cinch_status converse(const char *host, const char *name, cinch_error *err)
{
    cinch_timeouts limits = {2000, 2000, 2000, 2000};
    cinch_dial_options options = {.timeouts = &limits, .server_name = name, .no_handshake = 1};
    cinch_stream *server = NULL;
    char port[8];
    cinch_listener *l = cinch_listen(both.server, "127.0.0.1", "0", err);
    cinch_status status = l != NULL ? CINCH_OK : CINCH_FAILED;
    cinch_stream *client = NULL;

    if (status == CINCH_OK) {
        (void)snprintf(port, sizeof port, "%d", cinch_listener_port(l));
        client = cinch_dial_with(both.client, host, port, &options, err);
        status = client != NULL ? CINCH_OK : CINCH_FAILED;
    }
    if (status == CINCH_OK)
        status = cinch_listener_accept_within(l, 2000, &server, err);
    if (status == CINCH_OK)
        status = talk(client, server, err);
    cinch_stream_free(client);
    cinch_stream_free(server);
    cinch_listener_free(l);
    return status;
}

static void sweep(const char *host, const char *name, cinch_status end)
{
    size_t fds = net_open_fds();

    for (size_t i = 1;; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        failing = i;
        counted = 0;
        cinch_status status = converse(host, name, &err);
        size_t all = counted;
        failing = 0;
        if (status != CINCH_EOF) {
            assert_true(status >= CINCH_TRUNCATED);
            assert_true(cinch_error_is_set(&err));
            assert_int_not_equal(0, err.what[0]);
        } else {
            assert_int_equal(CINCH_EOF, end);
            assert_false(cinch_error_is_set(&err));
        }
        if (all < i) {
            assert_int_equal(end, status);
            assert_true(i > 10);
            break;
        }
    }
    while (net_open_fds() > fds) /* the threads that looked a name up */
        sched_yield();
}

static void an_address_is_dialled(void **state)
{
    (void)state;
    sweep("127.0.0.1", NULL, CINCH_EOF);
}

static void a_name_is_dialled(void **state)
{
    (void)state;
    sweep("localhost", NULL, CINCH_EOF);
}

static void a_wrong_name_is_never_let_through(void **state)
{
    (void)state;
    sweep("127.0.0.1", "somebody.else.example", CINCH_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_dialled),
        cmocka_unit_test(a_name_is_dialled),
        cmocka_unit_test(a_wrong_name_is_never_let_through),
    };

    if (!CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free))
        return 1;
    return cmocka_run_group_tests_name("stream", tests, set_up, tear_down);
}
