/* Data in several pieces: one record where they fit, the same bytes however they are split. */
#include "duo.h"
#include "net.h"

#include "conn/conn.h"
#include "stream/stream.h"

#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define RECORD ((size_t)16384)
#define AROUND ((size_t)22) /* a record of TLS 1.3 is so much longer than its data */
#define MUCH ((size_t)300000)

static duo both;
static unsigned char data[MUCH], got[MUCH];

static int set_up(void **state)
{
    (void)state;
    duo_open(&both);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = (unsigned char)(i * 13 + i / 255);
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

/* SIZE bytes of the data in three pieces, cut at A and B. */
static void cut(struct iovec parts[3], size_t a, size_t b, size_t size)
{
    parts[0] = (struct iovec){data, a};
    parts[1] = (struct iovec){b == a ? NULL : data + a, b - a};
    parts[2] = (struct iovec){data + b, size - b};
}

/* ---- In memory ---- */

static void move(cinch_conn *from, cinch_conn *to, size_t *moved)
{
    const void *bytes;
    void *space;
    size_t size, room;

    *moved = 0;
    while (cinch_conn_send_bytes(from, &bytes, &size, NULL) == CINCH_OK && size > 0) {
        assert_int_equal(CINCH_OK, cinch_conn_recv_space(to, &space, &room, NULL));
        if (room == 0)
            return;
        room = room < size ? room : size;
        memcpy(space, bytes, room);
        assert_int_equal(CINCH_OK, cinch_conn_recv_commit(to, room, NULL));
        assert_int_equal(CINCH_OK, cinch_conn_send_consume(from, room, NULL));
        *moved += room;
    }
}

static void open_conns(cinch_conn **client, cinch_conn **server)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t n;

    *client = cinch_conn_new(both.client, "localhost", &err);
    *server = cinch_conn_new(both.server, NULL, &err);
    for (int i = 0; i < 4; i++) {
        assert_true(cinch_conn_handshake(*client, &err) <= CINCH_WANT_WRITE);
        move(*client, *server, &n);
        assert_true(cinch_conn_handshake(*server, &err) <= CINCH_WANT_WRITE);
        move(*server, *client, &n);
    }
    assert_fine(&err);
    assert_int_equal(CINCH_STATE_OPEN, cinch_conn_state_now(*client));
    assert_int_equal(CINCH_STATE_OPEN, cinch_conn_state_now(*server));
}

/* Writes SIZE bytes cut at A and B, reads them, and tells how many bytes of records there were. */
static size_t send_cut(cinch_conn *from, cinch_conn *to, size_t a, size_t b, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct iovec parts[3];
    size_t n = 0, moved, all = 0, total = 0;

    cut(parts, a, b, size);
    assert_int_equal(CINCH_OK, cinch_conn_writev(from, parts, 3, &n, &err));
    assert_int_equal(size, n);
    do {
        move(from, to, &moved);
        all += moved;
        while (cinch_conn_read(to, got + total, sizeof got - total, &n, &err) == CINCH_OK)
            total += n;
    } while (moved > 0);
    assert_fine(&err);
    assert_int_equal(size, total);
    assert_memory_equal(data, got, size);
    return all;
}

static void every_split_of_a_little_is_one_record(void **state)
{
    cinch_conn *client, *server;

    (void)state;
    open_conns(&client, &server);
    for (size_t size = 1; size <= 24; size += 23)
        for (size_t b = 0; b <= size; b++)
            for (size_t a = 0; a <= b; a++)
                assert_int_equal(size + AROUND, send_cut(client, server, a, b, size));
    cinch_conn_free(client);
    cinch_conn_free(server);
}

/* Near the borders of records; their number is that of one piece. */
static void records_are_filled_across_pieces(void **state)
{
    static const size_t at[] = {0, 1, RECORD - 1, RECORD, RECORD + 1, 2 * RECORD, 40000, 100000};
    const size_t count = sizeof at / sizeof at[0];
    cinch_conn *client, *server;

    (void)state;
    open_conns(&client, &server);
    for (size_t s = 1; s < count; s++)
        for (size_t b = 0; b <= s; b++)
            for (size_t a = 0; a <= b; a++) {
                size_t records = (at[s] + RECORD - 1) / RECORD;

                assert_int_equal(at[s] + records * AROUND,
                                 send_cut(client, server, at[a], at[b], at[s]));
            }
    cinch_conn_free(client);
    cinch_conn_free(server);
}

static void a_full_conn_takes_a_part(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct iovec parts[3];
    cinch_conn *client, *server;
    size_t n = 0, more = 1, moved, total = 0;

    (void)state;
    open_conns(&client, &server);
    cut(parts, 7, 100000, MUCH);
    assert_int_equal(CINCH_OK, cinch_conn_writev(client, parts, 3, &n, &err));
    assert_in_range(n, CINCH_OUT_HIGH - RECORD, MUCH - 1);
    assert_int_equal(CINCH_WANT_WRITE, cinch_conn_writev(client, parts, 3, &more, &err));
    assert_int_equal(0, more);
    do {
        move(client, server, &moved);
        while (cinch_conn_read(server, got + total, sizeof got - total, &more, &err) == CINCH_OK)
            total += more;
    } while (moved > 0);
    assert_int_equal(n, total);
    assert_memory_equal(data, got, n);
    cinch_conn_free(client);
    cinch_conn_free(server);
}

/* ---- On sockets ---- */

static void read_back(cinch_stream *s, size_t size, cinch_error *err)
{
    size_t total = 0, n;

    while (total < size && cinch_stream_read(s, got + total, size - total, &n, err) == CINCH_OK)
        total += n;
    assert_fine(err);
    assert_memory_equal(data, got, size);
}

static void a_blocking_stream_writes_all(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    for (size_t size = 1; size <= 70000; size = size * 5 + 3) {
        struct iovec parts[3];
        size_t n = 0;

        cut(parts, size / 3, size / 2, size);
        (void)cinch_stream_writev_all(s, parts, 3, &err);
        read_back(s, size, &err);
        assert_int_equal(CINCH_OK, cinch_stream_writev(s, parts, 3, &n, &err));
        assert_int_equal(size, n);
        read_back(s, size, &err);
    }
    (void)cinch_stream_writev_all(s, NULL, 0, &err);
    cinch_stream_free(s);
    assert_fine(&err);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void small_buffer(int fd)
{
    int size = 4096;

    assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
}

/* Moves PARTS on by N bytes; gives how many of them are left. */
static int go_on(struct iovec **parts, int count, size_t n)
{
    while (count > 0 && n >= (*parts)->iov_len) {
        n -= (*parts)->iov_len;
        (*parts)++;
        count--;
    }
    if (count > 0) {
        (*parts)->iov_base = (unsigned char *)(*parts)->iov_base + n;
        (*parts)->iov_len -= n;
    }
    return count;
}

static void wait_for(const cinch_stream *s, cinch_status why)
{
    struct pollfd one = {.fd = cinch_stream_fd(s),
                         .events = why == CINCH_WANT_WRITE ? POLLOUT : POLLIN};

    assert_true(poll(&one, 1, 10000) == 1);
}

typedef struct sum {
    size_t count;
    size_t wrong;
} sum;

static void compare(cinch_stream *stream, void *arg, cinch_error *err)
{
    unsigned char buf[3000];
    sum *s = arg;
    size_t n;

    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        for (size_t i = 0; i < n; i++, s->count++)
            s->wrong += s->count >= MUCH || buf[i] != data[s->count];
}

static void a_non_blocking_stream_says_how_much(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    struct iovec list[300], *parts = list;
    int fds[2], count = 300, partial = 0;
    cinch_status status;
    sum s = {0, 0};

    (void)state;
    for (int i = 0; i < count; i++)
        list[i] = (struct iovec){data + (size_t)i * 1000, 1000};
    net_pair(fds);
    small_buffer(fds[0]);
    duo_play(&server, both.server, NULL, fds[1], compare, &s);
    cinch_stream *stream = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_nonblocking(stream, 1, &err));
    while (count > 0) {
        size_t n = 0;

        status = cinch_stream_writev(stream, parts, count, &n, &err);
        if (status == CINCH_WANT_READ || status == CINCH_WANT_WRITE) {
            assert_int_equal(0, n);
            wait_for(stream, status);
            continue;
        }
        assert_int_equal(CINCH_OK, status);
        assert_true(n > 0);
        count = go_on(&parts, count, n);
        partial += count > 0;
    }
    assert_true(partial > 0);
    while ((status = cinch_stream_close_write(stream, &err)) == CINCH_WANT_WRITE)
        wait_for(stream, status);
    cinch_stream_free(stream);
    assert_fine(&err);
    duo_wait(&server);
    assert_fine(&server.err);
    assert_int_equal(MUCH, s.count);
    assert_int_equal(0, s.wrong);
}

static void assert_misuse(cinch_status status, cinch_error *err, const char *what)
{
    assert_int_equal(CINCH_FAILED, status);
    assert_int_equal(CINCH_CAUSE_MISUSE, err->cause);
    if (strstr(err->what, what) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", what, err->what);
    cinch_error_clear(err);
}

static void arguments_are_checked(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct iovec parts[3] = {{data, 1}, {NULL, 1}, {data, SIZE_MAX}};
    cinch_conn *client, *server;
    duo_player echo;
    size_t n = 9;
    int fds[2];

    (void)state;
    open_conns(&client, &server);
    assert_misuse(cinch_conn_writev(NULL, parts, 1, &n, &err), &err, "connection is NULL");
    assert_int_equal(0, n);
    assert_misuse(cinch_conn_writev(client, NULL, 1, &n, &err), &err, "list of parts");
    assert_misuse(cinch_conn_writev(client, parts, -1, &n, &err), &err, "-1 parts");
    assert_misuse(cinch_conn_writev(client, parts, 2, &n, &err), &err, "part 1 ");
    assert_misuse(cinch_conn_writev(client, parts, 1, NULL, &err), &err, "place for");
    parts[1] = (struct iovec){data, 0};
    assert_misuse(cinch_conn_writev(client, parts, 3, &n, &err), &err, "longer than memory");
    assert_int_equal(CINCH_OK, cinch_conn_writev(client, NULL, 0, &n, &err));
    assert_int_equal(CINCH_STATE_OPEN, cinch_conn_state_now(client));
    assert_int_equal(CINCH_OK, cinch_conn_close(client, &err));
    assert_misuse(cinch_conn_writev(client, parts, 1, &n, &err), &err, "after close");
    cinch_conn_free(client);
    cinch_conn_free(server);

    net_pair(fds);
    duo_play(&echo, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_misuse(cinch_stream_writev(NULL, parts, 1, &n, &err), &err, "stream is NULL");
    assert_misuse(cinch_stream_writev(s, parts, 3, &n, &err), &err, "longer than memory");
    assert_misuse(cinch_stream_writev(s, parts, 1, NULL, &err), &err, "place for");
    assert_misuse(cinch_stream_writev_all(s, NULL, 2, &err), &err, "list of parts");
    assert_int_equal(CINCH_OK, cinch_stream_nonblocking(s, 1, &err));
    assert_misuse(cinch_stream_writev_all(s, parts, 1, &err), &err,
                  "cinch_stream_writev_all() on a non-blocking");
    /* An error that is set stops everything. */
    (void)cinch_stream_writev_all(NULL, NULL, 0, &err);
    assert_int_equal(CINCH_FAILED, cinch_stream_writev(s, parts, 1, &n, &err));
    cinch_stream_free(s);
    duo_wait(&echo);
    assert_fine(&echo.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_of_a_little_is_one_record),
        cmocka_unit_test(records_are_filled_across_pieces),
        cmocka_unit_test(a_full_conn_takes_a_part),
        cmocka_unit_test(a_blocking_stream_writes_all),
        cmocka_unit_test(a_non_blocking_stream_says_how_much),
        cmocka_unit_test(arguments_are_checked),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
