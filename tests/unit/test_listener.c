/* Listeners, and dialling them. */
#include "duo.h"
#include "net.h"

#include "stream/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
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

static cinch_listener *listen_on(const char *host)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = cinch_listen(both.server, host, "0", &err);

    assert_fine(&err);
    assert_non_null(l);
    return l;
}

static const char *port_text(const cinch_listener *l)
{
    static char text[8];

    (void)snprintf(text, sizeof text, "%d", cinch_listener_port(l));
    return text;
}

/* ---- A thread that accepts and echoes, one client after the other ---- */

typedef struct echo_server {
    pthread_t thread;
    cinch_listener *listener;
    int accepted;
    cinch_error accept_error;
    cinch_error last; /* of a client */
} echo_server;

static void *run_echo(void *arg)
{
    echo_server *server = arg;
    cinch_stream *s;

    while ((s = cinch_listener_accept(server->listener, &server->accept_error)) != NULL) {
        server->accepted++;
        cinch_error_clear(&server->last);
        duo_echo(s, NULL, &server->last);
        cinch_stream_free(s);
    }
    return NULL;
}

static void start_echo(echo_server *server, cinch_listener *listener)
{
    *server = (echo_server){.listener = listener};
    assert_int_equal(0, pthread_create(&server->thread, NULL, run_echo, server));
}

static void stop_echo(echo_server *server)
{
    cinch_listener_stop(server->listener);
    assert_int_equal(0, pthread_join(server->thread, NULL));
    assert_fine(&server->accept_error);
}

static void talk_to(cinch_stream *s, cinch_error *err)
{
    char buf[16];
    size_t n;

    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "ping", 4, err));
    assert_int_equal(CINCH_OK, cinch_stream_read(s, buf, sizeof buf, &n, err));
    assert_memory_equal("ping", buf, n);
}

/* ---- Dialling ---- */

static void a_dialled_stream_works(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    echo_server server;
    cinch_listener *l = listen_on("127.0.0.1");
    int on = 0;
    socklen_t size = sizeof on;

    (void)state;
    start_echo(&server, l);
    cinch_stream *s = cinch_dial(both.client, "localhost", port_text(l), &err);
    assert_fine(&err);
    talk_to(s, &err);
    assert_string_equal(cinch_listener_address(l, 0), cinch_stream_address(s));
    assert_int_equal(0, getsockopt(cinch_stream_fd(s), IPPROTO_TCP, TCP_NODELAY, &on, &size));
    assert_int_not_equal(0, on);
    cinch_peer *peer = cinch_stream_peer(s, &err);
    assert_fine(&err);
    assert_string_equal("localhost", peer->host);
    assert_true(peer->timing.resolved_us >= 0);
    assert_true(peer->timing.connected_us >= 0);
    assert_true(peer->timing.hello_us >= 0);
    assert_true(peer->timing.finished_us >= 0);
    cinch_peer_free(peer);
    cinch_stream_free(s);
    s = cinch_dial(both.client, "127.0.0.1", port_text(l), &err);
    assert_fine(&err);
    talk_to(s, &err);
    cinch_stream_free(s);
    stop_echo(&server);
    assert_int_equal(2, server.accepted);
    cinch_listener_free(l);
}

static void loopback_look_up(void *arg, int family, const char *name, cinch_answer *answer)
{
    cinch_address address;

    (void)arg;
    (void)name;
    if (family != AF_INET) {
        answer->error = EAI_NONAME;
        return;
    }
    memset(&address, 0, sizeof address);
    address.u.v4.sin_family = AF_INET;
    address.u.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof address.u.v4;
    cinch_answer_add(answer, &address);
}

static const cinch_resolver loopback = {loopback_look_up, NULL};

static void the_name_dialled_is_verified(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    echo_server server;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_peer *evidence = NULL;
    cinch_dial_options options = {.evidence = &evidence};
    size_t fds = net_open_fds();

    (void)state;
    start_echo(&server, l);
    cinch_stream *s = cinch_dial_through(both.client, "WWW.example.test", port_text(l), &options,
                                         &loopback, &err);
    assert_fine(&err);
    assert_null(evidence);
    cinch_stream_free(s);

    s = cinch_dial_through(both.client, "example.org", port_text(l), &options, &loopback, &err);
    assert_null(s);
    assert_int_equal(CINCH_CAUSE_WRONG_HOST_NAME, err.cause);
    assert_contains(err.evidence, cinch_listener_address(l, 0));
    assert_true(evidence != NULL && !evidence->verified && evidence->sent_count > 0 &&
                evidence->timing.connected_us >= 0);
    cinch_peer_free(evidence);
    cinch_error_clear(&err);

    options.server_name = "localhost";
    s = cinch_dial_through(both.client, "example.org", port_text(l), &options, &loopback, &err);
    assert_fine(&err);
    talk_to(s, &err);
    cinch_stream_free(s);
    stop_echo(&server);
    while (net_open_fds() > fds) /* the threads that looked names up */
        sched_yield();
    cinch_listener_free(l);
}

static void the_handshake_can_wait(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_timeouts limits = {.handshake_ms = 50};
    cinch_dial_options options = {.no_handshake = 1, .timeouts = &limits};
    cinch_stream *s = cinch_dial_with(both.client, "127.0.0.1", port_text(l), &options, &err);

    (void)state;
    assert_fine(&err);
    assert_null(cinch_stream_peer(s, &err));
    cinch_error_clear(&err);
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_handshake(s, &err));
    assert_contains(err.what, "waiting for the server's hello");
    cinch_stream_free(s);
    /* Nobody accepts, and dialling with a handshake runs into the same limit. */
    cinch_error_clear(&err);
    options.no_handshake = 0;
    assert_null(cinch_dial_with(both.client, "127.0.0.1", port_text(l), &options, &err));
    assert_int_equal(CINCH_TIMEOUT, err.status);
    cinch_listener_free(l);
}

static void dialling_checks_before_it_connects(void **state)
{
    cinch_timeouts bad = {.connect_ms = -3};
    cinch_dial_options options = {.timeouts = &bad};
    static const struct {
        const char *host, *port;
        cinch_cause cause;
    } cases[] = {
        {NULL, "443", CINCH_CAUSE_NO_HOST_NAME},
        {"", "443", CINCH_CAUSE_NO_HOST_NAME},
        {"a b", "443", CINCH_CAUSE_BAD_HOST_NAME},
        {"1.1.1.1 ; x", "443", CINCH_CAUSE_BAD_HOST_NAME},
        {"localhost", NULL, CINCH_CAUSE_BAD_SETTING},
        {"localhost", "0", CINCH_CAUSE_BAD_SETTING},
        {"localhost", "htps", CINCH_CAUSE_BAD_SETTING},
    };
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_null(cinch_dial(both.client, cases[i].host, cases[i].port, &err));
        assert_int_equal(cases[i].cause, err.cause);
        cinch_error_clear(&err);
    }
    assert_null(cinch_dial_with(both.client, "localhost", "443", &options, &err));
    assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    /* The first error wins. */
    assert_null(cinch_dial(NULL, "localhost", "443", &err));
    assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    assert_null(cinch_dial(NULL, "localhost", "443", NULL));
    assert_null(cinch_dial(both.client, "localhost", "443 ", NULL));
}

static void a_closed_port_is_refused(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    uint16_t port = 0;
    int closed = net_bound("127.0.0.1", &port);
    char text[8];

    (void)state;
    (void)snprintf(text, sizeof text, "%u", port);
    assert_null(cinch_dial(both.client, "127.0.0.1", text, &err));
    assert_int_equal(CINCH_CAUSE_REFUSED, err.cause);
    assert_int_equal(3, cinch_error_exit_code(&err));
    close(closed);
}

/* ---- Listening ---- */

static void a_free_port_is_found(void **state)
{
    cinch_listener *l = listen_on("127.0.0.1");
    char want[32];

    (void)state;
    assert_in_range(cinch_listener_port(l), 1, 65535);
    (void)snprintf(want, sizeof want, "127.0.0.1:%d", cinch_listener_port(l));
    assert_string_equal(want, cinch_listener_address(l, 0));
    assert_null(cinch_listener_address(l, 1));
    cinch_listener_free(l);
    assert_int_equal(-1, cinch_listener_port(NULL));
    assert_null(cinch_listener_address(NULL, 0));
    cinch_listener_free(NULL);
    cinch_listener_stop(NULL);
}

static void all_addresses_have_one_port(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    echo_server server;
    cinch_listener *l = listen_on(NULL);
    const char *port = port_text(l);
    static const char *const hosts[] = {"127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; cinch_listener_address(l, i) != NULL; i++)
        assert_string_equal(port, strrchr(cinch_listener_address(l, i), ':') + 1);
    start_echo(&server, l);
    for (size_t i = 0; i < (net_has_ipv6() ? 2 : 1); i++) {
        cinch_stream *s = cinch_dial(both.client, hosts[i], port, &err);

        assert_fine(&err);
        talk_to(s, &err);
        cinch_stream_free(s);
    }
    stop_echo(&server);
    cinch_listener_free(l);
}

static void a_port_in_use_is_told(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    size_t fds = net_open_fds();

    (void)state;
    assert_null(cinch_listen(both.server, "127.0.0.1", port_text(l), &err));
    assert_contains(err.what, cinch_listener_address(l, 0));
    assert_contains(err.what, "in use");
    assert_contains(err.remedy, "another port");
    assert_int_equal(EADDRINUSE, err.system_error);
    assert_int_equal(fds, net_open_fds());
    cinch_listener_free(l);
}

static void what_cannot_be_listened_on_is_told(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *naked = cinch_context_server(&err);

    (void)state;
    assert_null(cinch_listen(both.server, "192.0.2.1", "0", &err));
    assert_contains(err.what, "192.0.2.1");
    assert_int_equal(CINCH_CATEGORY_NETWORK, err.category);
    cinch_error_clear(&err);
    assert_null(cinch_listen(both.server, "127.0.0.1", "no-such", &err));
    assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    cinch_error_clear(&err);
    assert_null(cinch_listen(both.server, "not a name", "0", &err));
    assert_int_equal(CINCH_CAUSE_BAD_HOST_NAME, err.cause);
    cinch_error_clear(&err);
    assert_null(cinch_listen(naked, "127.0.0.1", "0", &err));
    assert_int_equal(CINCH_CAUSE_NO_IDENTITY, err.cause);
    cinch_error_clear(&err);
    assert_null(cinch_listen(NULL, "127.0.0.1", "0", &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_context_free(naked);
}

static void a_listening_socket_is_adopted(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    echo_server server;
    uint16_t port = 0;
    size_t fds = net_open_fds();
    int fd = net_listening("127.0.0.1", &port);
    cinch_listener *l = cinch_listen_adopt(both.server, fd, &err);

    (void)state;
    assert_fine(&err);
    assert_int_equal(port, cinch_listener_port(l));
    start_echo(&server, l);
    cinch_stream *s = cinch_dial(both.client, "127.0.0.1", port_text(l), &err);
    assert_fine(&err);
    talk_to(s, &err);
    cinch_stream_free(s);
    stop_echo(&server);
    cinch_listener_free(l);

    port = 0;
    assert_null(cinch_listen_adopt(both.server, net_bound("127.0.0.1", &port), &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    port = 0;
    assert_null(cinch_listen_adopt(both.server, net_listening("127.0.0.1", &port), &err));
    port = 0;
    assert_null(cinch_listen_adopt(NULL, net_listening("127.0.0.1", &port), NULL));
    assert_null(cinch_listen_adopt(both.server, -1, NULL));
    assert_int_equal(fds, net_open_fds());
}

static void unix_sockets_have_no_port(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char *dir = pki_tmpdir();
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    (void)snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", dir);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&name, sizeof name));
    assert_int_equal(0, listen(fd, 5));
    cinch_listener *l = cinch_listen_adopt(both.server, fd, &err);
    assert_fine(&err);
    assert_int_equal(-1, cinch_listener_port(l));
    assert_string_equal("", cinch_listener_address(l, 0));
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(0, connect(client, (struct sockaddr *)&name, sizeof name));
    cinch_stream *s = cinch_listener_accept(l, &err);
    assert_fine(&err);
    assert_string_equal("", cinch_stream_address(s));
    cinch_stream_free(s);
    close(client);
    cinch_listener_free(l);
    pki_rmtree(dir);
}

/* ---- Accepting ---- */

static void accepting_waits_as_long_as_told(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_stream *s = (cinch_stream *)&err;

    (void)state;
    assert_int_equal(CINCH_TIMEOUT, cinch_listener_accept_within(l, 0, &s, &err));
    assert_null(s);
    assert_fine(&err);
    net_interruptions(true);
    int64_t began = net_ms();
    assert_int_equal(CINCH_TIMEOUT, cinch_listener_accept_within(l, 50, &s, &err));
    net_interruptions(false);
    assert_in_range(net_ms() - began, 49, 8000);
    assert_fine(&err);
    assert_int_equal(CINCH_FAILED, cinch_listener_accept_within(l, 0, NULL, NULL));
    assert_int_equal(CINCH_FAILED, cinch_listener_accept_within(NULL, 0, &s, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    assert_int_equal(CINCH_FAILED, cinch_listener_accept_within(l, 0, &s, &err));
    assert_null(cinch_listener_accept(NULL, NULL));
    cinch_listener_free(l);
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

static void a_silent_client_holds_up_nobody(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    int silent = plain_client(l);
    int64_t began = net_ms();
    cinch_stream *first = cinch_listener_accept(l, &err);
    duo_player client;
    int second_fd = plain_client(l);
    static char hi[] = "hi";

    (void)state;
    assert_fine(&err);
    duo_play(&client, both.client, "localhost", second_fd, duo_say, hi);
    cinch_stream *second = cinch_listener_accept(l, &err);
    assert_fine(&err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(second, &err));
    assert_true(net_ms() - began < 14000); /* less than the handshake's own limit */
    assert_contains(cinch_stream_address(first), "127.0.0.1:");
    cinch_stream_free(second);
    cinch_stream_free(first);
    duo_wait(&client);
    close(silent);
    cinch_listener_free(l);
}

static void accepted_streams_have_the_listeners_limits(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_timeouts limits = {.handshake_ms = 30};
    int on = 0;
    socklen_t size = sizeof on;

    (void)state;
    assert_int_equal(CINCH_OK, cinch_listener_timeouts(l, &limits, &err));
    int silent = plain_client(l);
    cinch_stream *s = cinch_listener_accept(l, &err);
    assert_fine(&err);
    assert_int_equal(0, getsockopt(cinch_stream_fd(s), IPPROTO_TCP, TCP_NODELAY, &on, &size));
    assert_int_not_equal(0, on);
    assert_int_equal(FD_CLOEXEC, fcntl(cinch_stream_fd(s), F_GETFD));
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_handshake(s, &err));
    assert_contains(err.what, "waiting for the client's hello");
    cinch_stream_free(s);
    limits.read_ms = -9;
    assert_int_equal(CINCH_FAILED, cinch_listener_timeouts(l, &limits, NULL));
    assert_int_equal(CINCH_FAILED, cinch_listener_timeouts(NULL, &limits, NULL));
    close(silent);
    cinch_listener_free(l);
}

static void a_client_that_is_gone_is_no_error(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    cinch_stream *s = NULL;

    (void)state;
    net_reset(plain_client(l));
    cinch_status status = cinch_listener_accept_within(l, 100, &s, &err);
    assert_true(status == CINCH_OK || status == CINCH_TIMEOUT);
    assert_fine(&err);
    if (s != NULL)
        assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, &err));
    cinch_stream_free(s);
    cinch_listener_free(l);
}

static void *wait_for_stop(void *arg)
{
    cinch_stream *s = NULL;
    cinch_error err = CINCH_ERROR_INIT;
    cinch_status status = cinch_listener_accept_within(arg, CINCH_FOREVER, &s, &err);

    return status == CINCH_EOF && s == NULL && !cinch_error_is_set(&err) ? arg : NULL;
}

static void stopping_wakes_everybody(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_listener *l = listen_on("127.0.0.1");
    pthread_t threads[4];
    void *result;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(0, pthread_create(&threads[i], NULL, wait_for_stop, l));
    cinch_listener_stop(l);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(0, pthread_join(threads[i], &result));
        assert_ptr_equal(l, result);
    }
    cinch_listener_stop(l);
    assert_null(cinch_listener_accept(l, &err));
    assert_fine(&err);
    cinch_listener_free(l);
}

static cinch_listener *to_stop;

static void stop_from_handler(int number)
{
    (void)number;
    cinch_listener_stop(to_stop);
}

static void a_signal_handler_may_stop(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct sigaction action = {.sa_handler = stop_from_handler};
    struct itimerval soon = {{0, 0}, {0, 20000}};

    (void)state;
    to_stop = listen_on("127.0.0.1");
    assert_int_equal(0, sigaction(SIGALRM, &action, NULL));
    assert_int_equal(0, setitimer(ITIMER_REAL, &soon, NULL));
    assert_null(cinch_listener_accept(to_stop, &err));
    assert_fine(&err);
    cinch_listener_free(to_stop);
}

#define CLIENTS 64

static void *dial_and_talk(void *arg)
{
    cinch_listener *l = arg;
    cinch_error err = CINCH_ERROR_INIT;
    char port[8], buf[8];
    size_t good = 0;

    (void)snprintf(port, sizeof port, "%d", cinch_listener_port(l));
    for (int i = 0; i < CLIENTS / 4; i++) {
        cinch_stream *s = cinch_dial(both.client, "127.0.0.1", port, &err);
        size_t n = 0;

        if (cinch_stream_write_all(s, "ping", 4, &err) == CINCH_OK &&
            cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK && n == 4)
            good++;
        cinch_stream_free(s);
    }
    if (cinch_error_is_set(&err))
        (void)cinch_error_report(&err, stderr);
    return good == CLIENTS / 4 ? arg : NULL;
}

static void many_threads_accept(void **state)
{
    static echo_server servers[16];
    cinch_listener *l = listen_on("127.0.0.1");
    pthread_t clients[4];
    void *result;
    int accepted = 0;

    (void)state;
    for (size_t i = 0; i < 16; i++)
        start_echo(&servers[i], l);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(0, pthread_create(&clients[i], NULL, dial_and_talk, l));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(0, pthread_join(clients[i], &result));
        assert_ptr_equal(l, result);
    }
    for (size_t i = 0; i < 16; i++) {
        stop_echo(&servers[i]);
        accepted += servers[i].accepted;
    }
    assert_int_equal(CLIENTS, accepted);
    cinch_listener_free(l);
}

static void a_shortage_of_descriptors_is_waited_out(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct rlimit before, none;
    cinch_listener *l = listen_on("127.0.0.1");
    int client = plain_client(l);
    cinch_stream *s = NULL;

    (void)state;
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    int next = dup(client);
    close(next);
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    int64_t began = net_ms();
    struct timespec cpu_before, cpu_after;
    assert_int_equal(0, clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_before));
    cinch_status status = cinch_listener_accept_within(l, 180, &s, &err);
    assert_int_equal(0, clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_after));
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_int_equal(CINCH_TIMEOUT, status);
    assert_fine(&err);
    assert_in_range(net_ms() - began, 179, 8000);
    /* It waits and does not spin. */
    int64_t cpu_us = (cpu_after.tv_sec - cpu_before.tv_sec) * 1000000 +
                     (cpu_after.tv_nsec - cpu_before.tv_nsec) / 1000;
    assert_true(cpu_us < 90000);
    /* And the client is still there once it is over. */
    assert_int_equal(CINCH_OK, cinch_listener_accept_within(l, 10000, &s, &err));
    cinch_stream_free(s);
    close(client);
    cinch_listener_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dialled_stream_works),
        cmocka_unit_test(the_name_dialled_is_verified),
        cmocka_unit_test(the_handshake_can_wait),
        cmocka_unit_test(dialling_checks_before_it_connects),
        cmocka_unit_test(a_closed_port_is_refused),
        cmocka_unit_test(a_free_port_is_found),
        cmocka_unit_test(all_addresses_have_one_port),
        cmocka_unit_test(a_port_in_use_is_told),
        cmocka_unit_test(what_cannot_be_listened_on_is_told),
        cmocka_unit_test(a_listening_socket_is_adopted),
        cmocka_unit_test(unix_sockets_have_no_port),
        cmocka_unit_test(accepting_waits_as_long_as_told),
        cmocka_unit_test(a_silent_client_holds_up_nobody),
        cmocka_unit_test(accepted_streams_have_the_listeners_limits),
        cmocka_unit_test(a_client_that_is_gone_is_no_error),
        cmocka_unit_test(stopping_wakes_everybody),
        cmocka_unit_test(a_signal_handler_may_stop),
        cmocka_unit_test(many_threads_accept),
        cmocka_unit_test(a_shortage_of_descriptors_is_waited_out),
    };

    return cmocka_run_group_tests_name("listener", tests, set_up, tear_down);
}
