/*
 * Lessons 20 and 21: what a stream puts on the wire, with the attacker listening, and what it lets
 * somebody do who says nothing at all.
 */
#define _GNU_SOURCE
#include "duo.h"
#include "lesson.h"
#include "net.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void put(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* ---- 20 ---- */

/* Between a stream and its peer, which is a conn that the test drives: keeps all that was sent. */
typedef struct tap {
    int fd;
    cinch_conn *peer;
    unsigned char sent[65536]; /* by the stream */
    size_t size;
} tap;

static void take_up(tap *t, int flags)
{
    void *space;
    size_t room;
    ssize_t n;

    while ((n = recv(t->fd, t->sent + t->size, sizeof t->sent - t->size, flags)) > 0) {
        const unsigned char *from = t->sent + t->size;

        t->size += (size_t)n;
        while (n > 0 && cinch_conn_recv_space(t->peer, &space, &room, NULL) == CINCH_OK &&
               room > 0) {
            size_t part = (size_t)n < room ? (size_t)n : room;

            memcpy(space, from, part);
            assert_int_equal(cinch_conn_recv_commit(t->peer, part, NULL), CINCH_OK);
            from += part;
            n -= (ssize_t)part;
        }
    }
}

static void answer(tap *t)
{
    const void *bytes;
    size_t size;

    while (cinch_conn_send_bytes(t->peer, &bytes, &size, NULL) == CINCH_OK && size > 0) {
        put(t->fd, bytes, size);
        assert_int_equal(cinch_conn_send_consume(t->peer, size, NULL), CINCH_OK);
    }
}

/* All that was sent is records, and none of it can be read on the way. */
static void is_protected(const tap *t)
{
    size_t at = 0;

    while (at < t->size) {
        assert_true(t->size - at >= 5);
        assert_in_range(t->sent[at], 20, 23);
        assert_int_equal(t->sent[at + 1], 3);
        at += 5 + ((size_t)t->sent[at + 3] << 8 | t->sent[at + 4]);
    }
    assert_int_equal(at, t->size);
    assert_null(memmem(t->sent, t->size, "secret", 6));
}

#define TRIED (15 + 17 + 16)

/* Every way to send something. */
static void try_to_send(cinch_stream *s, int may)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *dir = pki_tmpdir(), *path = pki_path(dir, "secret", "");
    size_t n = 0;
    off_t sent = 0;

    assert_true(pki_write(path, "secret in a file", 0600));
    int file = open(path, O_RDONLY | O_CLOEXEC);
    cinch_status results[4];
    results[0] = cinch_stream_write(s, "secret, written", 15, &n, &err);
    cinch_error_clear(&err);
    results[1] = cinch_stream_write_all(s, "secret, all of it", 17, &err);
    cinch_error_clear(&err);
    results[2] = cinch_stream_send_file(s, file, 0, -1, &sent, &err);
    cinch_error_clear(&err);
    results[3] = cinch_stream_flush(s, &err);
    for (int i = 0; i < 3; i++)
        if ((results[i] == CINCH_OK) != may)
            fail_msg("way %d: %s", i, cinch_status_name(results[i]));
    if (!may)
        assert_int_equal(n + (size_t)sent, 0);
    close(file);
    free(path);
    pki_rmtree(dir);
}

/* The handshake, without a thread: the stream does not wait. */
static cinch_stream *open_tap(tap *t, cinch_tls_version version, cinch_context *client)
{
    int fds[2];
    size_t n;
    char byte;
    cinch_status status = CINCH_WANT_READ;

    net_pair(fds);
    lesson_limit(client, version);
    *t = (tap){.fd = fds[1], .peer = cinch_conn_new(both.server, NULL, NULL)};
    cinch_stream *s = cinch_stream_wrap_adopt(client, fds[0], "localhost", NULL);
    assert_int_equal(cinch_stream_nonblocking(s, 1, NULL), CINCH_OK);
    for (int i = 0; i < 20 && status == CINCH_WANT_READ; i++) {
        status = cinch_stream_handshake(s, NULL);
        take_up(t, MSG_DONTWAIT);
        assert_int_not_equal(cinch_conn_read(t->peer, &byte, 1, &n, NULL), CINCH_OK);
        answer(t);
    }
    assert_int_equal(cinch_stream_nonblocking(s, 0, NULL), CINCH_OK);
    return s;
}

/* The stream's end: the peer has had DATA bytes, and nothing else was ever sent. */
static void close_tap(tap *t, cinch_stream *s, int unwrapped, size_t data)
{
    int fd = unwrapped ? cinch_stream_fd(s) : -1;
    char buf[256];
    size_t n, got = 0;

    cinch_stream_free(s);
    if (unwrapped)
        close(fd);
    take_up(t, 0);
    is_protected(t);
    while (cinch_conn_read(t->peer, buf, sizeof buf, &n, NULL) == CINCH_OK)
        got += n;
    assert_int_equal(got, data);
    cinch_conn_free(t->peer);
    close(t->fd);
}

enum {
    STILL_OPEN,
    AFTER_CLOSE,
    AFTER_BOTH_CLOSED,
    AFTER_UNWRAP,
    AFTER_CUT,
    AFTER_DAMAGE,
    ENDS
};

static void end_it(tap *t, cinch_stream *s, int how)
{
    char buf[64];
    size_t n;

    if (how == AFTER_BOTH_CLOSED || how == AFTER_UNWRAP) {
        assert_int_equal(cinch_conn_close(t->peer, NULL), CINCH_OK);
        answer(t);
    }
    if (how == AFTER_UNWRAP) {
        assert_int_equal(cinch_stream_unwrap(s, buf, sizeof buf, &n, NULL), CINCH_OK);
        return;
    }
    if (how == AFTER_CUT)
        assert_int_equal(shutdown(t->fd, SHUT_WR), 0);
    if (how == AFTER_DAMAGE)
        put(t->fd, "\x17\x03\x03\x00\x14 not what was said ", 25);
    if (how == AFTER_CUT || how == AFTER_DAMAGE)
        assert_true(cinch_stream_read(s, buf, sizeof buf, &n, NULL) >= CINCH_TRUNCATED);
    if (how == AFTER_CLOSE || how == AFTER_BOTH_CLOSED)
        assert_int_equal(cinch_stream_close_write(s, NULL), CINCH_OK);
    if (how == AFTER_BOTH_CLOSED)
        assert_int_equal(cinch_stream_read(s, buf, sizeof buf, &n, NULL), CINCH_EOF);
}

static void test_nothing_leaves_a_stream_in_the_clear(void **state)
{
    tap *t = malloc(sizeof *t);

    (void)state;
    EACH_VERSION(version)
    {
        for (int how = 0; how < ENDS; how++) {
            cinch_context *client = pair_client_context(both.family->root);
            cinch_stream *s = open_tap(t, version, client);

            assert_non_null(s);
            assert_int_equal(cinch_stream_handshake(s, NULL), CINCH_OK);
            try_to_send(s, 1);
            end_it(t, s, how);
            try_to_send(s, how == STILL_OPEN);
            close_tap(t, s, how == AFTER_UNWRAP, how == STILL_OPEN ? 2 * TRIED : TRIED);
            cinch_context_free(client);
        }
        /* The handshake fails, as nobody that the client trusts stands behind the server. */
        cinch_context *stranger = pair_client_context(both.family->other_root);
        cinch_stream *s = open_tap(t, version, stranger);
        try_to_send(s, 0);
        close_tap(t, s, 0, 0);
        cinch_context_free(stranger);
    }
    free(t);
}

/* ---- 21: CVE-2023-38200 ---- */

static void test_a_silent_client_holds_up_nobody(void **state)
{
    static const char half[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    enum {
        SILENT = 5
    };
    cinch_listener *listener = cinch_listen(both.server, "127.0.0.1", "0", NULL);
    cinch_timeouts limits = {.handshake_ms = 100};
    cinch_stream *streams[SILENT + 1];
    duo_player honest;
    char port[8], buf[64];
    size_t n;

    (void)state;
    assert_non_null(listener);
    assert_int_equal(cinch_listener_timeouts(listener, &limits, NULL), CINCH_OK);
    snprintf(port, sizeof port, "%d", cinch_listener_port(listener));
    cinch_dial_options raw = {.no_handshake = 1};
    cinch_stream *attackers[SILENT];
    for (int i = 0; i < SILENT; i++) {
        attackers[i] = cinch_dial_with(both.client, "127.0.0.1", port, &raw, NULL);
        assert_non_null(attackers[i]);
        if (i % 2 == 1) /* or one that begins and goes no further */
            put(cinch_stream_fd(attackers[i]), half, sizeof half - 1);
    }
    cinch_stream *late = cinch_dial_with(both.client, "127.0.0.1", port, &raw, NULL);
    int fd = dup(cinch_stream_fd(late));
    static char hello[] = "hello";
    duo_play(&honest, both.client, "localhost", fd, duo_say, hello);
    /* One thread accepts them all, without limits, and serves the last one first. */
    int64_t before = net_ms();
    for (int i = 0; i <= SILENT; i++) {
        streams[i] = cinch_listener_accept(listener, NULL);
        assert_non_null(streams[i]);
    }
    assert_true(net_ms() - before < 5000);
    assert_int_equal(cinch_stream_timeouts(streams[SILENT], NULL, NULL), CINCH_OK);
    assert_int_equal(cinch_stream_read(streams[SILENT], buf, sizeof buf, &n, NULL), CINCH_OK);
    assert_memory_equal(buf, "hello", n);
    duo_wait(&honest);
    cinch_stream_free(late);
    /* The silent ones are given up when their time is over, and say why. */
    for (int i = 0; i < SILENT; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        before = net_ms();
        assert_int_equal(cinch_stream_read(streams[i], buf, sizeof buf, &n, &err), CINCH_TIMEOUT);
        assert_int_equal(err.cause, CINCH_CAUSE_TIMEOUT);
        assert_int_equal(n, 0);
        assert_true(net_ms() - before < 5000);
        /* And stay given up, even if they begin now. */
        put(cinch_stream_fd(attackers[i]), half, sizeof half - 1);
        cinch_error_clear(&err);
        assert_int_equal(cinch_stream_handshake(streams[i], &err), CINCH_TIMEOUT);
        cinch_stream_free(streams[i]);
        cinch_stream_free(attackers[i]);
    }
    cinch_stream_free(streams[SILENT]);
    cinch_listener_free(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_leaves_a_stream_in_the_clear),
        cmocka_unit_test(test_a_silent_client_holds_up_nobody),
    };

    return cmocka_run_group_tests_name("lessons: wire", tests, set_up, tear_down);
}
