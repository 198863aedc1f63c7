/*
 * Lesson 19: somebody cuts the connection where it suits him. Whatever reads says that it was cut, and
 * never that it was the end.
 */
#include "duo.h"
#include "lesson.h"
#include "net.h"

#include <sys/socket.h>
#include <unistd.h>

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

/* What the one who cuts does after "half of it". */
enum {
    FIN,
    RST,
    FORGED_CLOSE,      /* a close_notify in the clear, and FIN */
    FORGED_BAD_RECORD, /* as much as an attacker can make of a record, and FIN */
    HALF_A_RECORD,     /* the beginning of a real one, and FIN */
    HONEST,            /* a real close_notify, and FIN */
    WAYS
};

/* The end of a stream that is played by hand, so that it can be cut at any byte. */
typedef struct cutter {
    int fd;
    cinch_conn *conn;
} cutter;

static void exchange(cutter *c)
{
    const void *bytes;
    void *space;
    size_t size, room;

    while (cinch_conn_send_bytes(c->conn, &bytes, &size, NULL) == CINCH_OK && size > 0) {
        assert_int_equal(send(c->fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
        assert_int_equal(cinch_conn_send_consume(c->conn, size, NULL), CINCH_OK);
    }
    if (cinch_conn_recv_space(c->conn, &space, &room, NULL) != CINCH_OK || room == 0)
        return;
    ssize_t n = recv(c->fd, space, room, MSG_DONTWAIT);
    if (n > 0)
        assert_int_equal(cinch_conn_recv_commit(c->conn, (size_t)n, NULL), CINCH_OK);
}

/* Both ends are open, and "half of it" is on its way. */
static cinch_stream *begin(cutter *c, cinch_context *ctx, cinch_context *other, const char *host)
{
    int fds[2];
    size_t n;
    cinch_status ours = CINCH_WANT_READ, theirs = CINCH_WANT_READ;

    net_pair(fds);
    c->fd = fds[1];
    c->conn = cinch_conn_new(other, host == NULL ? "localhost" : NULL, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(ctx, fds[0], host, NULL);
    assert_int_equal(cinch_stream_nonblocking(s, 1, NULL), CINCH_OK);
    for (int i = 0; i < 1000 && (ours != CINCH_OK || theirs != CINCH_OK); i++) {
        ours = cinch_stream_handshake(s, NULL);
        theirs = cinch_conn_handshake(c->conn, NULL);
        exchange(c);
    }
    assert_int_equal(ours, CINCH_OK);
    assert_int_equal(theirs, CINCH_OK);
    assert_int_equal(cinch_conn_write(c->conn, "half of it", 10, &n, NULL), CINCH_OK);
    exchange(c);
    return s;
}

static void cut(cutter *c, int way)
{
    const void *bytes;
    size_t size, n;

    if (way == FORGED_CLOSE)
        assert_int_equal(send(c->fd, "\x15\x03\x03\x00\x02\x01\x00", 7, MSG_NOSIGNAL), 7);
    if (way == FORGED_BAD_RECORD)
        assert_int_equal(send(c->fd, "\x15\x03\x03\x00\x13 close, close, clos", 24, MSG_NOSIGNAL),
                         24);
    if (way == HALF_A_RECORD) {
        assert_int_equal(cinch_conn_write(c->conn, "the rest", 8, &n, NULL), CINCH_OK);
        assert_int_equal(cinch_conn_send_bytes(c->conn, &bytes, &size, NULL), CINCH_OK);
        assert_int_equal(send(c->fd, bytes, size - 1, MSG_NOSIGNAL), (ssize_t)size - 1);
    }
    if (way == HONEST) {
        assert_int_equal(cinch_conn_close(c->conn, NULL), CINCH_OK);
        exchange(c);
    }
    cinch_conn_free(c->conn);
    if (way == RST)
        net_reset(c->fd);
    else
        close(c->fd);
}

/* What reads. Each returns what was said at the end. */
static cinch_status by_reading(cinch_stream *s, size_t *got, cinch_error *err)
{
    char buf[64];
    size_t n;
    cinch_status status;

    while ((status = cinch_stream_read(s, buf, sizeof buf, &n, err)) == CINCH_OK)
        *got += n;
    assert_int_equal(n, 0);
    return status;
}

static cinch_status byte_by_byte(cinch_stream *s, size_t *got, cinch_error *err)
{
    char byte;
    size_t n;
    cinch_status status;

    assert_int_equal(cinch_stream_nonblocking(s, 1, NULL), CINCH_OK);
    do {
        status = cinch_stream_read(s, &byte, 1, &n, err);
        *got += n;
        if (status == CINCH_WANT_READ)
            net_readable(cinch_stream_fd(s));
    } while (status == CINCH_OK || status == CINCH_WANT_READ);
    return status;
}

static cinch_status after_our_close(cinch_stream *s, size_t *got, cinch_error *err)
{
    (void)cinch_stream_close_write(s, NULL);
    return by_reading(s, got, err);
}

static cinch_status by_unwrapping(cinch_stream *s, size_t *got, cinch_error *err)
{
    char buf[64];
    size_t n = 0;

    /* What was written is read first, so that only the end is left. */
    assert_int_equal(cinch_stream_read(s, buf, 10, got, NULL), CINCH_OK);
    cinch_status status = cinch_stream_unwrap(s, buf, sizeof buf, &n, err);
    assert_int_equal(n, 0);
    if (status == CINCH_OK)
        close(cinch_stream_fd(s));
    return status == CINCH_OK ? CINCH_EOF : status;
}

typedef cinch_status (*reader)(cinch_stream *s, size_t *got, cinch_error *err);

static void try_one(cinch_tls_version version, int as_server, reader read, int way)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_error err = CINCH_ERROR_INIT;
    size_t got = 0;
    cutter c;

    lesson_limit(client, version);
    cinch_stream *s = begin(&c, as_server ? server : client, as_server ? client : server,
                            as_server ? NULL : "localhost");
    cut(&c, way);
    assert_int_equal(cinch_stream_nonblocking(s, 0, NULL), CINCH_OK);
    cinch_status status = read(s, &got, &err);
    /* A reset may take with it what had arrived; else that is read. */
    assert_true(got == 10 || (way == RST && got == 0));
    if (way == HONEST) {
        assert_int_equal(status, CINCH_EOF);
        assert_false(cinch_error_is_set(&err));
    } else if (way == FORGED_CLOSE || way == FORGED_BAD_RECORD) {
        assert_int_equal(status, CINCH_FAILED);
        assert_int_equal(err.category, CINCH_CATEGORY_PROTOCOL);
    } else if (way == RST && read == after_our_close && status == CINCH_FAILED) {
        /* The writing of close_notify has met the reset first. */
        assert_int_equal(err.cause, CINCH_CAUSE_RESET);
    } else {
        assert_int_equal(status, CINCH_TRUNCATED);
        assert_int_equal(err.status, CINCH_TRUNCATED);
        assert_int_equal(err.category, CINCH_CATEGORY_CLOSED);
    }
    /* And it stays so: nobody who asks again is told that it was the end. */
    char byte;
    size_t n;
    if (way != HONEST)
        for (int i = 0; i < 2; i++)
            assert_int_equal(cinch_stream_read(s, &byte, 1, &n, NULL), status);
    cinch_stream_free(s);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_a_cut_is_never_the_end(void **state)
{
    static const reader readers[] = {by_reading, byte_by_byte, after_our_close, by_unwrapping};

    (void)state;
    EACH_VERSION(version)
    {
        for (int as_server = 0; as_server < 2; as_server++)
            for (size_t i = 0; i < 4; i++)
                for (int way = 0; way < WAYS; way++)
                    /* With a reset there may be nothing left to read before. */
                    if (readers[i] != by_unwrapping || way != RST)
                        try_one(version, as_server, readers[i], way);
    }
}

/* The same for programs with a loop of their own. */
static void test_a_cut_is_never_the_end_for_a_conn(void **state)
{
    (void)state;
    EACH_VERSION(version)
    {
        for (int honest = 0; honest < 2; honest++)
            for (int to_server = 0; to_server < 2; to_server++) {
                cinch_context *client = pair_client_context(family->root);
                cinch_context *server = pair_server_context(family->good, family->intermediate);
                pair p = {0};
                char buf[16];
                size_t n;

                lesson_limit(client, version);
                pair_start(&p, client, server, "localhost");
                pair_handshake(&p);
                pair_end *from = to_server ? &p.client : &p.server,
                         *to = to_server ? &p.server : &p.client;
                assert_true(pair_send(&p, from, to, "half of it", 10));
                if (honest) {
                    assert_int_equal(cinch_conn_close(from->conn, NULL), CINCH_OK);
                    pair_move(&p);
                }
                assert_int_equal(cinch_conn_recv_end(to->conn, NULL), CINCH_OK);
                for (int i = 0; i < 2; i++) {
                    assert_int_equal(cinch_conn_read(to->conn, buf, sizeof buf, &n, NULL),
                                     honest ? CINCH_EOF : CINCH_TRUNCATED);
                    assert_int_equal(n, 0);
                }
                assert_int_equal(cinch_conn_state_now(to->conn),
                                 honest ? CINCH_STATE_PEER_CLOSED : CINCH_STATE_FAILED);
                assert_int_equal(cinch_conn_rest(to->conn, buf, sizeof buf, &n, NULL) == CINCH_OK,
                                 honest);
                pair_stop(&p);
                cinch_context_free(client);
                cinch_context_free(server);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cut_is_never_the_end),
        cmocka_unit_test(test_a_cut_is_never_the_end_for_a_conn),
    };

    return cmocka_run_group_tests_name("lessons: ends", tests, set_up, tear_down);
}
