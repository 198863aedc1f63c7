/* Streams and listeners in somebody else's event loop. */
#include "duo.h"
#include "net.h"

#include "stream/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

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

static void assert_fine(const cinch_error *err)
{
    if (cinch_error_is_set(err)) {
        (void)cinch_error_report(err, stderr);
        fail_msg("%s", err->what);
    }
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static int ready(int fd, int ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int n;

    while ((n = poll(&one, 1, ms)) < 0 && errno == EINTR)
        ;
    return n == 1 && (one.revents & POLLIN) != 0;
}

/* ---- The handshake of a stream that does not wait has its limit all the same ---- */

static cinch_stream *begin(cinch_context *ctx, int fd, const char *host, int limit_ms)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts limits = {.handshake_ms = limit_ms};
    cinch_stream *s = cinch_stream_wrap_adopt(ctx, fd, host, &err);

    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
    assert_int_equal(CINCH_OK, cinch_stream_nonblocking(s, 1, &err));
    assert_int_equal(CINCH_WANT_READ, cinch_stream_handshake(s, &err));
    assert_fine(&err);
    return s;
}

/* Waits as a loop does until a handshake that was begun has to be over. */
static void let_pass(const cinch_stream *s, int ms)
{
    for (int64_t until = net_ms() + ms; net_ms() < until;)
        (void)ready(cinch_stream_fd(s), (int)(until - net_ms()));
}

typedef cinch_status (*a_call)(cinch_stream *s, cinch_error *err);

static cinch_status by_read(cinch_stream *s, cinch_error *err)
{
    char byte;
    size_t n;

    return cinch_stream_read(s, &byte, 1, &n, err);
}

static cinch_status by_write(cinch_stream *s, cinch_error *err)
{
    size_t n;

    return cinch_stream_write(s, "x", 1, &n, err);
}

static void a_handshake_ends_at_the_next_call(void **state)
{
    static const a_call calls[] = {cinch_stream_handshake, by_read, by_write, cinch_stream_flush,
                                   cinch_stream_close_write};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof calls / sizeof calls[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        int fds[2], is_server = i % 2 == 1;

        net_pair(fds);
        cinch_stream *s = begin(is_server ? both.server : both.client, fds[0],
                                is_server ? NULL : "localhost", 30);
        let_pass(s, 31);
        assert_int_equal(CINCH_TIMEOUT, calls[i / 2](s, &err));
        assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
        assert_contains(err.what,
                        is_server ? "waiting for the client's hello" : "waiting for the server's");
        /* A failed connection stays failed. */
        cinch_error_clear(&err);
        assert_int_equal(CINCH_TIMEOUT, cinch_stream_handshake(s, &err));
        cinch_stream_free(s);
        close(fds[1]);
    }
}

/* An answer that comes when the time is over comes too late, and one in time does not. */
static void the_answer_has_to_be_in_time(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        cinch_error err = CINCH_ERROR_INIT;
        duo_player server;
        int fds[2];
        static char hello[] = "hello";
        cinch_status status;

        net_pair(fds);
        cinch_stream *s = begin(both.client, fds[0], "localhost", late ? 30 : CINCH_FOREVER);
        let_pass(s, 31);
        duo_play(&server, both.server, NULL, fds[1], duo_say, hello);
        net_readable(cinch_stream_fd(s));
        while ((status = cinch_stream_handshake(s, &err)) == CINCH_WANT_READ)
            assert_true(ready(cinch_stream_fd(s), 10000));
        assert_int_equal(late ? CINCH_TIMEOUT : CINCH_OK, status);
        cinch_stream_free(s);
        duo_wait(&server);
    }
}

static void the_limit_is_for_the_handshake_alone(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];
    char buf[16];
    size_t n = 0;
    cinch_status status;

    (void)state;
    net_pair(fds);
    cinch_stream *s = begin(both.client, fds[0], "localhost", CINCH_FOREVER);
    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    while ((status = cinch_stream_handshake(s, &err)) == CINCH_WANT_READ)
        assert_true(ready(cinch_stream_fd(s), 10000));
    assert_int_equal(CINCH_OK, status);
    s->handshake_deadline = s->handshake_began; /* as if it had passed since then */
    assert_int_equal(CINCH_OK, cinch_stream_write(s, "ping", 4, &n, &err));
    while ((status = cinch_stream_read(s, buf, sizeof buf, &n, &err)) == CINCH_WANT_READ)
        assert_true(ready(cinch_stream_fd(s), 10000));
    assert_int_equal(CINCH_OK, status);
    assert_memory_equal("ping", buf, n);
    cinch_stream_free(s);
    duo_wait(&server);
}

/* ---- A listener in a loop ---- */

static cinch_listener *listen_on(const char *host)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = cinch_listen(both.server, host, "0", &err);

    assert_fine(&err);
    assert_non_null(l);
    return l;
}

static int plain_client(const cinch_listener *l)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)cinch_listener_port(l))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static int plain_client_v6(const cinch_listener *l)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_addr = in6addr_loopback,
                                   .sin6_port = htons((uint16_t)cinch_listener_port(l))};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void take_one(cinch_listener *l)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_stream *s = NULL;

    assert_true(ready(cinch_listener_fd(l), 10000));
    assert_int_equal(CINCH_OK, cinch_listener_accept_within(l, 0, &s, &err));
    assert_non_null(s);
    cinch_stream_free(s);
}

static void nobody_is_there(cinch_listener *l)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_stream *s = NULL;

    assert_false(ready(cinch_listener_fd(l), 0));
    assert_int_equal(CINCH_TIMEOUT, cinch_listener_accept_within(l, 0, &s, &err));
    assert_fine(&err);
    assert_null(s);
}

static void the_descriptor_tells_of_clients(void **state)
{
    size_t fds = net_open_fds();
    cinch_listener *l = listen_on("127.0.0.1");

    (void)state;
    nobody_is_there(l);
    int one = plain_client(l), two = plain_client(l);
    take_one(l);
    take_one(l);
    nobody_is_there(l);
    close(one);
    close(two);
    assert_int_equal(-1, cinch_listener_fd(NULL));
    cinch_listener_free(l);
    assert_int_equal(fds, net_open_fds());
}

static void it_tells_of_every_address(void **state)
{
    cinch_listener *l = listen_on(NULL);
    int one = plain_client(l);

    (void)state;
    take_one(l);
    close(one);
    if (net_has_ipv6()) {
        one = plain_client_v6(l);
        take_one(l);
        close(one);
    }
    nobody_is_there(l);
    cinch_listener_free(l);
}

static void it_tells_of_an_adopted_socket(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    uint16_t port = 0;
    cinch_listener *l = cinch_listen_adopt(both.server, net_listening("127.0.0.1", &port), &err);

    (void)state;
    assert_fine(&err);
    nobody_is_there(l);
    int one = plain_client(l);
    take_one(l);
    close(one);
    cinch_listener_free(l);
}

static void it_tells_of_a_stop(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_stream *s = NULL;

    (void)state;
    cinch_listener_stop(l);
    for (int i = 0; i < 2; i++) {
        assert_true(ready(cinch_listener_fd(l), 10000));
        assert_int_equal(CINCH_EOF, cinch_listener_accept_within(l, 0, &s, &err));
        assert_fine(&err);
    }
    cinch_listener_free(l);
}

/* No descriptor numbers from FROM on; what there was before. */
static struct rlimit limit_descriptors(int from)
{
    struct rlimit before, none;

    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = (rlim_t)from;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    return before;
}

static int next_descriptor(void)
{
    int next = dup(0);

    assert_true(next >= 0);
    close(next);
    return next;
}

/* The client stays in the queue of the socket: a loop must not turn at full speed until it can go. */
static void a_shortage_does_not_heat_the_loop(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    int client = plain_client(l), turns = 0;
    cinch_stream *s = NULL;

    (void)state;
    assert_true(ready(cinch_listener_fd(l), 10000));
    struct rlimit before = limit_descriptors(next_descriptor());
    int64_t until = net_ms() + 160;
    do {
        turns++;
        assert_int_equal(CINCH_TIMEOUT, cinch_listener_accept_within(l, 0, &s, &err));
        while (net_ms() < until && !ready(cinch_listener_fd(l), (int)(until - net_ms())))
            ;
    } while (net_ms() < until);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_fine(&err);
    assert_in_range(turns, 1, 5);
    /* It comes back to that client by itself, and then goes on as before. */
    take_one(l);
    nobody_is_there(l);
    close(client);
    client = plain_client(l);
    take_one(l);
    nobody_is_there(l);
    close(client);
    cinch_listener_free(l);
}

/* ---- No descriptors to look a name up with ---- */

static void a_shortage_is_not_a_dns_error(void **state)
{
    static const int spare[] = {0, 1};

    (void)state;
    for (size_t i = 0; i < sizeof spare / sizeof spare[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        int next = next_descriptor();
        struct rlimit before = limit_descriptors(next + spare[i]);
        cinch_stream *s = cinch_dial(both.client, "no-such-host.invalid", "443", &err);

        assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
        assert_null(s);
        assert_int_equal(CINCH_CAUSE_SYSTEM, err.cause);
        assert_int_equal(EMFILE, err.system_error);
        assert_contains(err.what, "no-such-host.invalid");
        assert_contains(err.remedy, "raise the limit of open files");
        while (next_descriptor() != next) /* the threads that looked the name up */
            sched_yield();
    }
}

static void nor_is_one_while_connecting_or_listening(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct rlimit before = limit_descriptors(next_descriptor());

    (void)state;
    assert_null(cinch_dial(both.client, "127.0.0.1", "443", &err));
    assert_int_equal(CINCH_CAUSE_SYSTEM, err.cause);
    assert_contains(err.remedy, "raise the limit of open files");
    /* A listener takes three beside its sockets, then it looks for the name. */
    for (int left = 0; left < 4; left++) {
        cinch_error_clear(&err);
        assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
        (void)limit_descriptors(next_descriptor() + left);
        cinch_listener *l = cinch_listen(both.server, "no-such-host.invalid", "0", &err);
        assert_null(l);
        assert_int_equal(CINCH_CAUSE_SYSTEM, err.cause);
        assert_int_equal(EMFILE, err.system_error);
        assert_contains(err.remedy, "raise the limit of open files");
    }
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_ends_at_the_next_call),
        cmocka_unit_test(the_answer_has_to_be_in_time),
        cmocka_unit_test(the_limit_is_for_the_handshake_alone),
        cmocka_unit_test(the_descriptor_tells_of_clients),
        cmocka_unit_test(it_tells_of_every_address),
        cmocka_unit_test(it_tells_of_an_adopted_socket),
        cmocka_unit_test(it_tells_of_a_stop),
        cmocka_unit_test(a_shortage_does_not_heat_the_loop),
        cmocka_unit_test(a_shortage_is_not_a_dns_error),
        cmocka_unit_test(nor_is_one_while_connecting_or_listening),
    };

    return cmocka_run_group_tests_name("stream_loop", tests, set_up, tear_down);
}
