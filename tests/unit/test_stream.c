/* Streams that work, that wait, and that refuse to be misused. How they end: test_stream_end.c. */
#include "duo.h"
#include "net.h"

#include "conn/conn.h"
#include "stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static duo both;
static char say_hello[] = "hello";
static char say_digits[] = "0123456789";

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

static void read_all_of(cinch_stream *s, const char *want, cinch_error *err)
{
    char buf[256];
    size_t used = 0, n = 0;

    while (used < strlen(want) &&
           cinch_stream_read(s, buf + used, sizeof buf - 1 - used, &n, err) == CINCH_OK)
        used += n;
    buf[used] = 0;
    assert_fine(err);
    assert_string_equal(want, buf);
}

/* ---- Both ways ---- */

static void talk(int fds[2])
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    char byte;
    size_t n = 9;

    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap(both.client, fds[0], "localhost", &err);
    assert_fine(&err);
    assert_int_equal(fds[0], cinch_stream_fd(s));
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    cinch_peer *peer = cinch_stream_peer(s, &err);
    assert_fine(&err);
    assert_string_equal("TLSv1.3", peer->version);
    assert_true(peer->verified);
    assert_int_equal(-1, peer->timing.resolved_us);
    assert_int_equal(-1, peer->timing.connected_us);
    cinch_peer_free(peer);
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "good morning", 12, &err));
    read_all_of(s, "good morning", &err);
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "", 0, &err));
    assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
    assert_int_equal(CINCH_EOF, cinch_stream_read(s, &byte, 1, &n, &err));
    assert_int_equal(0, n);
    assert_int_equal(CINCH_EOF, cinch_stream_read(s, &byte, 1, &n, &err));
    assert_fine(&err);
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "x", 1, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_stream_free(s);
    close(fds[0]);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void works_over_tcp(void **state)
{
    int fds[2];

    (void)state;
    net_pair(fds);
    talk(fds);
}

static void works_over_unix_sockets(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    talk(fds);
}

static void the_first_read_does_the_handshake(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_say, say_hello);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_contains(cinch_stream_address(s), "127.0.0.1:");
    assert_non_null(cinch_stream_conn(s));
    read_all_of(s, "hello", &err);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void a_wrapped_descriptor_stays_as_it_is(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];

    (void)state;
    for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
        net_pair(fds);
        int flags = fcntl(fds[0], F_GETFL) | (nonblocking ? O_NONBLOCK : 0);
        assert_int_equal(0, fcntl(fds[0], F_SETFL, flags));
        duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
        cinch_stream *s = cinch_stream_wrap(both.client, fds[0], "localhost", &err);
        assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "abc", 3, &err));
        read_all_of(s, "abc", &err);
        assert_int_equal(flags, fcntl(fds[0], F_GETFL));
        cinch_stream_free(s);
        assert_int_equal(flags, fcntl(fds[0], F_GETFL));
        duo_wait(&server);
        assert_fine(&server.err);
        close(fds[0]);
    }
}

static void assert_refused(int fd, const char *why)
{
    cinch_error err = CINCH_ERROR_INIT;
    char number[32];

    assert_null(cinch_stream_wrap(both.client, fd, "localhost", &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    (void)snprintf(number, sizeof number, "descriptor %d ", fd);
    assert_contains(err.what, number);
    assert_contains(err.what, why);
}

static void only_connected_stream_sockets_are_wrapped(void **state)
{
    uint16_t port = 0;
    int pipes[2];
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    int alone = socket(AF_INET, SOCK_STREAM, 0);
    int listener = net_listening("127.0.0.1", &port);

    (void)state;
    assert_int_equal(0, pipe(pipes));
    assert_refused(-1, "is not open");
    assert_refused(pipes[0], "is not a socket");
    assert_refused(udp, "is not a stream socket");
    assert_refused(alone, "is not connected");
    assert_refused(listener, "is not connected");
    close(udp);
    assert_refused(udp, "is not open");
    close(pipes[0]);
    close(pipes[1]);
    close(alone);
    close(listener);
}

static void an_adopted_descriptor_is_always_closed(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t fds = net_open_fds();

    (void)state;
    assert_null(cinch_stream_wrap_adopt(both.client, socket(AF_INET, SOCK_STREAM, 0), "h", &err));
    assert_null(cinch_stream_wrap_adopt(both.client, socket(AF_INET, SOCK_STREAM, 0), "h", &err));
    assert_null(cinch_stream_wrap_adopt(NULL, socket(AF_INET, SOCK_STREAM, 0), "h", NULL));
    assert_null(cinch_stream_wrap_adopt(both.client, -1, "h", NULL));
    assert_int_equal(fds, net_open_fds());
}

/* ---- Much data ---- */

#define MUCH ((size_t)6 * 1024 * 1024)

typedef struct flood {
    size_t got;
    size_t wrong;
} flood;

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

static void check_flood(cinch_stream *stream, void *arg, cinch_error *err)
{
    flood *f = arg;
    unsigned char buf[3000];
    size_t n;

    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        for (size_t i = 0; i < n; i++)
            f->wrong += buf[i] != byte_at(f->got++);
}

static unsigned char *make_flood(void)
{
    unsigned char *data = malloc(MUCH);

    assert_non_null(data);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = byte_at(i);
    return data;
}

static void small_buffers(int fd)
{
    int size = 4096;

    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size));
}

static void much_arrives_in_order(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    flood f = {0, 0};
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    small_buffers(fds[0]);
    small_buffers(fds[1]);
    duo_play(&server, both.server, NULL, fds[1], check_flood, &f);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    /* Every call to the system that waits is interrupted sooner or later. */
    net_interruptions(true);
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, data, MUCH, &err));
    net_interruptions(false);
    assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
    duo_wait(&server);
    cinch_stream_free(s);
    assert_fine(&server.err);
    assert_int_equal(MUCH, f.got);
    assert_int_equal(0, f.wrong);
    free(data);
}

static void write_flood(cinch_stream *stream, void *arg, cinch_error *err)
{
    if (cinch_stream_write_all(stream, arg, MUCH, err) == CINCH_OK)
        (void)cinch_stream_close_write(stream, err);
}

static void interruptions_do_not_disturb_reading(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    flood f = {0, 0};
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], write_flood, data);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    net_interruptions(true);
    check_flood(s, &f, &err);
    net_interruptions(false);
    assert_fine(&err);
    duo_wait(&server);
    assert_fine(&server.err);
    assert_int_equal(MUCH, f.got);
    assert_int_equal(0, f.wrong);
    cinch_stream_free(s);
    free(data);
}

static void a_write_of_any_size_says_how_much(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    size_t got = 0, sent = 0;
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_swallow, &got);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    for (size_t size = 1; size < MUCH; size *= 7) {
        size_t n = 0;

        assert_int_equal(CINCH_OK, cinch_stream_write(s, data, size, &n, &err));
        assert_in_range(n, 1, size);
        sent += n;
    }
    size_t none = 9;
    assert_int_equal(CINCH_OK, cinch_stream_write(s, data, 0, &none, &err));
    assert_int_equal(0, none);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_fine(&server.err);
    assert_int_equal(sent, got);
    free(data);
}

/* ---- Time ---- */

static void assert_timeout(cinch_status status, const cinch_error *err, const char *phase)
{
    assert_int_equal(CINCH_TIMEOUT, status);
    assert_int_equal(CINCH_TIMEOUT, err->status);
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err->cause);
    assert_int_equal(CINCH_CATEGORY_TIMEOUT, err->category);
    assert_contains(err->what, "timed out");
    assert_contains(err->what, phase);
}

static void a_silent_peer_ends_the_handshake(void **state)
{
    static const char *const phases[2] = {"waiting for the server's hello",
                                          "waiting for the client's hello"};
    cinch_timeouts limits = {.handshake_ms = 60};

    (void)state;
    for (int server = 0; server < 2; server++) {
        cinch_error err = CINCH_ERROR_INIT, again = CINCH_ERROR_INIT;
        int fds[2];

        net_pair(fds);
        cinch_stream *s = cinch_stream_wrap_adopt(server ? both.server : both.client, fds[0],
                                                  server ? NULL : "localhost", &err);
        assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
        int64_t began = net_ms();
        assert_timeout(cinch_stream_handshake(s, &err), &err, phases[server]);
        assert_in_range(net_ms() - began, 59, 8000);
        assert_contains(err.evidence, cinch_stream_address(s));
        /* A failed connection stays failed. */
        assert_timeout(cinch_stream_write_all(s, "x", 1, &again), &again, phases[server]);
        cinch_stream_free(s);
        close(fds[1]);
    }
}

/* Sends the first byte of what looks like a handshake, now and then, as long as it is taken. */
static void *drip(void *arg)
{
    int fd = *(int *)arg;
    unsigned char record[4000] = {22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xf0};
    struct pollfd one = {.fd = fd, .events = 0};

    for (size_t i = 0; i < sizeof record && send(fd, record + i, 1, MSG_NOSIGNAL) == 1; i++)
        if (poll(&one, 1, 5) != 0)
            break;
    return NULL;
}

static void a_dripping_peer_ends_the_handshake(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts limits = {.handshake_ms = 100};
    pthread_t thread;
    int fds[2];

    (void)state;
    net_pair(fds);
    assert_int_equal(0, pthread_create(&thread, NULL, drip, &fds[1]));
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
    assert_timeout(cinch_stream_handshake(s, &err), &err, "waiting for");
    cinch_stream_free(s);
    assert_int_equal(0, pthread_join(thread, NULL));
    close(fds[1]);
}

static void a_read_timeout_leaves_the_connection_good(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts limits = {.read_ms = 40};
    duo_player server;
    char byte;
    size_t n = 3;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
    int64_t began = net_ms();
    assert_timeout(cinch_stream_read(s, &byte, 1, &n, &err), &err, "waiting for data");
    assert_int_equal(0, n);
    assert_in_range(net_ms() - began, 39, 8000);
    cinch_error_clear(&err);
    net_interruptions(true);
    began = net_ms();
    assert_timeout(cinch_stream_read(s, &byte, 1, &n, &err), &err, "waiting for data");
    net_interruptions(false);
    assert_in_range(net_ms() - began, 39, 8000);
    cinch_error_clear(&err);
    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, NULL, &err));
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "still here", 10, &err));
    read_all_of(s, "still here", &err);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_fine(&server.err);
}

typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
} meeting;

static void sit_still(cinch_stream *stream, void *arg, cinch_error *err)
{
    meeting *m = arg;

    if (cinch_stream_handshake(stream, err) != CINCH_OK)
        return;
    pthread_mutex_lock(&m->lock);
    while (!m->over)
        pthread_cond_wait(&m->changed, &m->lock);
    pthread_mutex_unlock(&m->lock);
}

static void end_meeting(meeting *m)
{
    pthread_mutex_lock(&m->lock);
    m->over = true;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

#define MEETING                                                                                    \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false                                 \
    }

static void a_write_timeout_ends_the_connection(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts limits = {.write_ms = 60};
    meeting m = MEETING;
    duo_player server;
    char byte;
    size_t n;
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    duo_play(&server, both.server, NULL, fds[1], sit_still, &m);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
    assert_timeout(cinch_stream_write_all(s, data, MUCH, &err), &err, "sending data");
    cinch_error_clear(&err);
    assert_timeout(cinch_stream_write_all(s, "x", 1, &err), &err, "sending data");
    cinch_error_clear(&err);
    assert_timeout(cinch_stream_read(s, &byte, 1, &n, &err), &err, "sending data");
    cinch_stream_free(s);
    end_meeting(&m);
    duo_wait(&server);
    free(data);
}

static void the_deadline_is_over_all_calls(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    char byte;
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_deadline(s, 40, &err));
    int64_t began = net_ms();
    assert_timeout(cinch_stream_read(s, &byte, 1, &n, &err), &err, "waiting for data");
    assert_in_range(net_ms() - began, 39, 8000);
    cinch_error_clear(&err);
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_read(s, &byte, 1, &n, &err));
    assert_contains(err.what, "deadline of the stream");
    cinch_error_clear(&err);
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_write(s, "x", 1, &n, NULL));
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_write_all(s, "x", 1, NULL));
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_flush(s, NULL));
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_close_write(s, NULL));
    assert_int_equal(CINCH_TIMEOUT, cinch_stream_handshake(s, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_deadline(s, -7, &err));
    cinch_error_clear(&err);
    assert_int_equal(CINCH_OK, cinch_stream_deadline(s, CINCH_FOREVER, &err));
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "go on", 5, &err));
    read_all_of(s, "go on", &err);
    cinch_stream_free(s);
    duo_wait(&server);
}

/* ---- Non-blocking ---- */

/* One side of a connection that a loop drives. */
typedef struct side {
    cinch_stream *stream;
    size_t sent, got, wrong, most_unsent;
    bool closed, ended;
} side;

static void wait_for_one(const cinch_stream *s, cinch_status why, struct pollfd *one)
{
    one->fd = cinch_stream_fd(s);
    one->events = why == CINCH_WANT_WRITE ? POLLOUT : POLLIN;
}

/* Everything that can be done now; the status of what cannot. */
static cinch_status drive(side *me, const unsigned char *data, cinch_error *err)
{
    unsigned char buf[5000];
    cinch_status writing = CINCH_OK, reading = CINCH_OK;
    size_t n;

    while (writing == CINCH_OK && me->sent < MUCH / 4) {
        writing = cinch_stream_write(me->stream, data + me->sent, MUCH / 4 - me->sent, &n, err);
        me->sent += n;
    }
    if (writing == CINCH_OK)
        writing = cinch_stream_flush(me->stream, err);
    if (writing == CINCH_OK && !me->closed) {
        writing = cinch_stream_close_write(me->stream, err);
        me->closed = writing == CINCH_OK;
    }
    while (!me->ended && reading == CINCH_OK) {
        reading = cinch_stream_read(me->stream, buf, sizeof buf, &n, err);
        for (size_t i = 0; i < n; i++)
            me->wrong += buf[i] != byte_at(me->got++);
    }
    me->ended = me->ended || reading == CINCH_EOF;
    if (writing == CINCH_WANT_WRITE)
        return CINCH_WANT_WRITE;
    return me->ended && me->closed ? CINCH_OK : CINCH_WANT_READ;
}

static void a_loop_drives_both_sides(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    side sides[2] = {{0}, {0}};
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    small_buffers(fds[0]);
    small_buffers(fds[1]);
    sides[0].stream = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    sides[1].stream = cinch_stream_wrap_adopt(both.server, fds[1], NULL, &err);
    for (int i = 0; i < 2; i++)
        assert_int_equal(CINCH_OK, cinch_stream_nonblocking(sides[i].stream, 1, &err));
    assert_int_equal(CINCH_WANT_READ, cinch_stream_handshake(sides[0].stream, &err));
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(sides[0].stream, "x", 1, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_error_clear(&err);

    cinch_status status[2] = {CINCH_WANT_READ, CINCH_WANT_READ};
    for (int rounds = 0; status[0] != CINCH_OK || status[1] != CINCH_OK; rounds++) {
        struct pollfd polled[2];

        assert_true(rounds < 1000000);
        for (int i = 0; i < 2; i++) {
            status[i] = drive(&sides[i], data, &err);
            assert_fine(&err);
            wait_for_one(sides[i].stream, status[i], &polled[i]);
        }
        if (status[0] != CINCH_OK && status[1] != CINCH_OK)
            assert_true(poll(polled, 2, 10000) > 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(MUCH / 4, sides[i].got);
        assert_int_equal(0, sides[i].wrong);
        cinch_stream_free(sides[i].stream);
    }
    free(data);
}

static void non_blocking_calls_do_not_wait(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    meeting m = MEETING;
    duo_player server;
    char byte;
    size_t n;
    cinch_status status = CINCH_OK;
    int fds[2];
    unsigned char *data = make_flood();

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    duo_play(&server, both.server, NULL, fds[1], sit_still, &m);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_nonblocking(s, 1, &err));
    while ((status = cinch_stream_read(s, &byte, 1, &n, &err)) == CINCH_OK)
        ;
    assert_int_equal(CINCH_WANT_READ, status);
    for (size_t sent = 0; sent < MUCH && status != CINCH_WANT_WRITE; sent += n)
        status = cinch_stream_write(s, data, MUCH - sent, &n, &err);
    assert_int_equal(CINCH_WANT_WRITE, status);
    assert_int_equal(CINCH_WANT_WRITE, cinch_stream_flush(s, &err));
    assert_int_equal(CINCH_WANT_WRITE, cinch_stream_close_write(s, &err));
    assert_fine(&err);
    cinch_stream_free(s);
    end_meeting(&m);
    duo_wait(&server);
    free(data);
}

static void pending_tells_what_select_cannot(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    char buf[16];
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_say, say_digits);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(0, cinch_stream_pending(s));
    assert_int_equal(CINCH_OK, cinch_stream_read(s, buf, 4, &n, &err));
    assert_int_equal(4, n);
    assert_true(cinch_stream_pending(s) >= 6);
    assert_int_equal(CINCH_OK, cinch_stream_read(s, buf, sizeof buf, &n, &err));
    assert_memory_equal("456789", buf, n);
    cinch_stream_free(s);
    duo_wait(&server);
}

/* ---- A peer that wants to fill our memory ---- */

static void update_keys_for_ever(cinch_stream *stream, void *arg, cinch_error *err)
{
    size_t *updates = arg;
    SSL *ssl = stream->conn->ssl;
    cinch_timeouts limits = {.write_ms = 1000};

    /* Until the client stops reading: then a flush takes too long, and that ends it. */
    if (cinch_stream_timeouts(stream, &limits, err) != CINCH_OK ||
        cinch_stream_handshake(stream, err) != CINCH_OK)
        return;
    while (*updates < 60000 && SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
           SSL_do_handshake(ssl) == 1 && cinch_stream_flush(stream, err) == CINCH_OK)
        /* With data now and then: without any, it would be over after a few. */
        if (++*updates % 16 == 0 && cinch_stream_write_all(stream, "x", 1, err) != CINCH_OK)
            return;
}

static void answers_that_nobody_reads_are_bounded(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    size_t updates = 0;
    char byte;
    size_t n;
    int fds[2];

    (void)state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    small_buffers(fds[0]);
    duo_play(&server, both.server, NULL, fds[1], update_keys_for_ever, &updates);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    while (cinch_stream_read(s, &byte, 1, &n, &err) == CINCH_OK)
        ;
    assert_true(cinch_buffer_used(&s->conn->out) < 2 * CINCH_OUT_HIGH);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_true(updates > 1000);
}

/* ---- Nobody there ---- */

static void every_call_takes_null(void **state)
{
    char byte;
    size_t n = 5;
    off_t sent;

    (void)state;
    for (int set = 0; set < 2; set++) {
        for (int call = 0; call < 14; call++) {
            cinch_error err = CINCH_ERROR_INIT;
            cinch_status status = CINCH_FAILED;

            if (set)
                assert_null(cinch_dial(NULL, NULL, NULL, &err));
            switch (call) {
            case 0:
                status = cinch_stream_nonblocking(NULL, 1, &err);
                break;
            case 1:
                status = cinch_stream_timeouts(NULL, NULL, &err);
                break;
            case 2:
                status = cinch_stream_deadline(NULL, 1, &err);
                break;
            case 3:
                status = cinch_stream_handshake(NULL, &err);
                break;
            case 4:
                status = cinch_stream_read(NULL, &byte, 1, &n, &err);
                assert_int_equal(0, n);
                break;
            case 5:
                status = cinch_stream_write(NULL, &byte, 1, &n, &err);
                break;
            case 6:
                status = cinch_stream_write_all(NULL, &byte, 1, &err);
                break;
            case 7:
                status = cinch_stream_flush(NULL, &err);
                break;
            case 8:
                status = cinch_stream_send_file(NULL, 0, 0, -1, &sent, &err);
                break;
            case 9:
                status = cinch_stream_close_write(NULL, &err);
                break;
            case 10:
                status = cinch_stream_unwrap(NULL, NULL, 0, &n, &err);
                break;
            case 11:
                assert_null(cinch_stream_peer(NULL, &err));
                break;
            case 12:
                assert_null(cinch_stream_evidence(NULL, &err));
                break;
            default:
                assert_null(cinch_stream_wrap(NULL, 0, "h", &err));
                break;
            }
            assert_int_equal(CINCH_FAILED, status);
            assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
        }
    }
    assert_int_equal(-1, cinch_stream_fd(NULL));
    assert_int_equal(0, cinch_stream_pending(NULL));
    assert_null(cinch_stream_conn(NULL));
    assert_string_equal("", cinch_stream_address(NULL));
    cinch_stream_free(NULL);
    assert_int_equal(CINCH_FAILED, cinch_stream_handshake(NULL, NULL));
}

static void nothing_is_sent_once_an_error_is_set(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    size_t got = 0, n = 4;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_swallow, &got);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_null(cinch_stream_wrap(both.client, -1, "h", &err));
    assert_int_equal(CINCH_FAILED, cinch_stream_write(s, "secret", 6, &n, &err));
    assert_int_equal(0, n);
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "secret", 6, &err));
    cinch_stream_free(s);
    duo_wait(&server);
    assert_int_equal(0, got);
}

static void arguments_are_checked(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    char byte;
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_swallow, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_FAILED, cinch_stream_read(s, &byte, 0, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_read(s, NULL, 1, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write(s, NULL, 1, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write(s, "x", 1, NULL, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, NULL, 1, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_unwrap(s, NULL, 1, &n, NULL));
    assert_int_equal(CINCH_FAILED,
                     cinch_stream_timeouts(s, &(cinch_timeouts){.write_ms = -5}, NULL));
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "fine", 4, &err));
    cinch_stream_free(s);
    duo_wait(&server);
    assert_fine(&server.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_over_tcp),
        cmocka_unit_test(works_over_unix_sockets),
        cmocka_unit_test(the_first_read_does_the_handshake),
        cmocka_unit_test(a_wrapped_descriptor_stays_as_it_is),
        cmocka_unit_test(only_connected_stream_sockets_are_wrapped),
        cmocka_unit_test(an_adopted_descriptor_is_always_closed),
        cmocka_unit_test(much_arrives_in_order),
        cmocka_unit_test(interruptions_do_not_disturb_reading),
        cmocka_unit_test(a_write_of_any_size_says_how_much),
        cmocka_unit_test(a_silent_peer_ends_the_handshake),
        cmocka_unit_test(a_dripping_peer_ends_the_handshake),
        cmocka_unit_test(a_read_timeout_leaves_the_connection_good),
        cmocka_unit_test(a_write_timeout_ends_the_connection),
        cmocka_unit_test(the_deadline_is_over_all_calls),
        cmocka_unit_test(a_loop_drives_both_sides),
        cmocka_unit_test(non_blocking_calls_do_not_wait),
        cmocka_unit_test(pending_tells_what_select_cannot),
        cmocka_unit_test(answers_that_nobody_reads_are_bounded),
        cmocka_unit_test(every_call_takes_null),
        cmocka_unit_test(nothing_is_sent_once_an_error_is_set),
        cmocka_unit_test(arguments_are_checked),
    };

    return cmocka_run_group_tests_name("stream", tests, set_up, tear_down);
}
