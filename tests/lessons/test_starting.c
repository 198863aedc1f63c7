/*
 * Lessons 5, 6 and 17: what is there before TLS. The attacker has the wire, before the handshake and
 * instead of it.
 */
#define _GNU_SOURCE
#include "duo.h"
#include "lesson.h"
#include "net.h"

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

static cinch_stream *wrap(int as_server, int fd)
{
    cinch_stream *s = cinch_stream_wrap_adopt(as_server ? both.server : both.client, fd,
                                              as_server ? NULL : "localhost", NULL);

    assert_non_null(s);
    return s;
}

static void put(int fd, const void *bytes, size_t size)
{
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* No call gives any data, now or later, and all of them say that this is an error for CAUSE. */
static void gives_nothing(cinch_stream *s, cinch_cause cause)
{
    char buf[64];
    size_t n = 7;

    for (int i = 0; i < 3; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        if (cinch_stream_read(s, buf, sizeof buf, &n, &err) < CINCH_TRUNCATED)
            fail_msg("it can be read from, and gives \"%.*s\"", (int)n, buf);
        if (err.cause != cause)
            fail_msg("%s: %s", cinch_cause_name(err.cause), err.what);
        assert_int_equal(n, 0);
        cinch_error_clear(&err);
        assert_int_equal(cinch_stream_write_all(s, "secret", 6, &err), CINCH_FAILED);
        cinch_error_clear(&err);
        n = 7;
        assert_int_equal(cinch_stream_unwrap(s, buf, sizeof buf, &n, &err), CINCH_FAILED);
        assert_int_equal(n, 0);
    }
    assert_int_equal(cinch_stream_pending(s), 0);
    assert_null(cinch_stream_peer(s, NULL));
}

/* Whatever has arrived at FD, up to the end or as long as it comes: at most an alert in a record. */
static void got_an_alert_at_most(int fd, int after_hello)
{
    unsigned char buf[8192];
    ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n <= 0)
        return;
    size_t at = after_hello && buf[0] == 22 ? 5 + ((size_t)buf[3] << 8 | buf[4]) : 0;
    assert_true(at <= (size_t)n);
    if (at < (size_t)n)
        assert_int_equal(buf[at], 21);
    assert_null(memmem(buf, (size_t)n, "secret", 6));
}

/* ---- 5: CVE-2023-40217 ---- */

/* The bytes of a protocol, of a record of data in the clear, and of a handshake in which data come. */
static const struct {
    const char *bytes;
    size_t size;
    cinch_cause cause;
} in_the_clear[] = {
    {"DELETE /everything HTTP/1.1\r\n\r\n", 31, CINCH_CAUSE_NOT_TLS},
    {"x", 1, CINCH_CAUSE_NOT_TLS},
    {"\x17\x03\x03\x00\x04"
     "data",
     9, CINCH_CAUSE_PROTOCOL},
    {"\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x04"
     "data",
     15, CINCH_CAUSE_PROTOCOL},
};

/* Plain bytes and the end of the connection are there before the handshake has begun. */
static void test_plain_bytes_before_a_close_are_never_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof in_the_clear / sizeof in_the_clear[0]; i++)
        for (int how = 0; how < 4; how++) {
            int as_server = how & 1, fds[2];
            duo_player honest;

            net_pair(fds);
            put(fds[1], in_the_clear[i].bytes, in_the_clear[i].size);
            /* Before it is wrapped, or while it waits for its handshake. */
            if (how & 2)
                assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
            cinch_stream *s = wrap(as_server, fds[0]);
            if (!(how & 2))
                assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
            gives_nothing(s, in_the_clear[i].cause);
            got_an_alert_at_most(fds[1], !as_server);
            cinch_stream_free(s);
            close(fds[1]);
            /* The same words, said as they should be, arrive. */
            char buf[64];
            size_t n;
            static char words[] = "DELETE /everything";
            net_pair(fds);
            duo_play(&honest, as_server ? both.client : both.server, as_server ? "localhost" : NULL,
                     fds[1], duo_say, words);
            s = wrap(as_server, fds[0]);
            assert_int_equal(cinch_stream_read(s, buf, sizeof buf, &n, NULL), CINCH_OK);
            assert_memory_equal(buf, words, n);
            cinch_stream_free(s);
            duo_wait(&honest);
        }
}

/* A client without a certificate sends data as if it were through, right behind its first message. */
static void test_data_before_the_handshake_is_done_are_never_read(void **state)
{
    static const char forged[] = "\x17\x03\x03\x00\x04"
                                 "data";

    (void)state;
    EACH_VERSION(version)
    {
        cinch_context *client = pair_client_context(both.family->root),
                      *server = pair_server_context(both.family->good, both.family->intermediate);

        lesson_limit(client, version);
        lesson_demand(server, both.family->root);
        for (int attack = 0; attack < 2; attack++) {
            pair p = {0};
            void *space;
            size_t room, n = 7;
            char buf[16];

            pair_start(&p, client, server, "localhost");
            /* One flight each way: the server waits for what proves the client. */
            assert_int_equal(cinch_conn_handshake(p.client.conn, NULL), CINCH_WANT_READ);
            pair_move(&p);
            assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, NULL),
                             CINCH_WANT_READ);
            if (attack) {
                assert_int_equal(cinch_conn_recv_space(p.server.conn, &space, &room, NULL),
                                 CINCH_OK);
                memcpy(space, forged, sizeof forged - 1);
                assert_int_equal(cinch_conn_recv_commit(p.server.conn, sizeof forged - 1, NULL),
                                 CINCH_OK);
                assert_int_equal(cinch_conn_read(p.server.conn, buf, sizeof buf, &n, &p.server.err),
                                 CINCH_FAILED);
                assert_int_equal(p.server.err.category, CINCH_CATEGORY_PROTOCOL);
                assert_int_not_equal(p.server.err.alert_sent, 0);
                assert_int_equal(n, 0);
            }
            lesson_talk t = lesson_drive(p.client.conn, p.server.conn);
            assert_false(t.server.open || t.server.got > 0 || t.client.got > 0);
            pair_stop(&p);
        }
        lesson_show(client, both.family->client, both.family->intermediate);
        lesson_opens(client, server, "localhost");
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

/* ---- 6: CVE-2011-0411, CVE-2021-22947 ---- */

/*
 * What was said before TLS is put in front of an honest peer's handshake by somebody between the two.
 * What cinch_starttls() does about it is in unit/starttls; a program that speaks the protocol itself
 * wraps its socket, as here, and may leave bytes in it. The honest control is that of the test above.
 */
static void test_bytes_pipelined_before_tls_are_an_error(void **state)
{
    static const char *const pipelined[] = {
        "MAIL FROM:<attacker@example.test>\r\n", /* to a server, after its "220 go ahead" */
        "* OK you may log in in the clear\r\n",  /* to a client, behind "OK begin TLS" */
        "\r\n",
    };

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        int as_server = i % 2 == 0, fds[2];
        duo_player honest;

        net_pair(fds);
        put(fds[1], pipelined[i / 2], strlen(pipelined[i / 2]));
        duo_play(&honest, as_server ? both.client : both.server, as_server ? "localhost" : NULL,
                 fds[1], duo_only_handshake, NULL);
        cinch_stream *s = wrap(as_server, fds[0]);
        gives_nothing(s, CINCH_CAUSE_NOT_TLS);
        cinch_stream_free(s);
        duo_wait(&honest);
        /* It does not go unnoticed at the other end either. */
        assert_true(cinch_error_is_set(&honest.err));
    }
}

/*
 * CVE-2016-0772, curl CVE-2021-22946: a program that does not look whether the upgrade came about goes on
 * in the clear. With one error for all calls it says nothing more.
 */
static void test_a_failed_starttls_is_the_end(void **state)
{
    static const char *const answers[] = {
        "220 mail\r\n",          /* and then silence */
        "554 not for you\r\n",   /* refused */
        "* PREAUTH welcome\r\n", /* nonsense */
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const cinch_starttls_options options = {.timeout_ms = 50};
        cinch_error err = CINCH_ERROR_INIT;
        char heard[256] = "";
        int fds[2];

        net_pair(fds);
        put(fds[1], answers[i], strlen(answers[i]));
        assert_int_not_equal(CINCH_OK, cinch_starttls(fds[0], CINCH_STARTTLS_SMTP, &options, &err));
        cinch_stream *s = cinch_stream_wrap(both.client, fds[0], "localhost", &err);
        assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "AUTH PLAIN secret", 17, &err));
        assert_null(s);
        close(fds[0]);
        ssize_t got = recv(fds[1], heard, sizeof heard - 1, 0);
        assert_int_equal(i == 0 ? strlen("EHLO [127.0.0.1]\r\n") : 0, got);
        close(fds[1]);
    }
}

/* ---- 17: CVE-2018-8970; what memory has to do with it is in test_alloc_names.c ---- */

static void test_no_name_is_an_error(void **state)
{
    static const char *const empty[] = {NULL, "", ".", " "};
    uint16_t port = 0;
    int listener = net_listening("127.0.0.1", &port), fds[2];
    char text[8];

    (void)state;
    snprintf(text, sizeof text, "%u", (unsigned)port);
    for (size_t i = 0; i < 4; i++) {
        cinch_cause cause = i < 2 ? CINCH_CAUSE_NO_HOST_NAME : CINCH_CAUSE_BAD_HOST_NAME;
        cinch_error err = CINCH_ERROR_INIT;

        assert_null(cinch_conn_new(both.client, empty[i], &err));
        assert_int_equal(err.cause, cause);
        cinch_error_clear(&err);
        net_pair(fds);
        assert_null(cinch_stream_wrap_adopt(both.client, fds[0], empty[i], &err));
        assert_int_equal(err.cause, cause);
        close(fds[1]);
        cinch_error_clear(&err);
        assert_null(cinch_dial(both.client, empty[i], text, &err));
        assert_int_equal(err.cause, cause);
        /* A name to verify that is empty is not the same as none, which means the host. */
        cinch_error_clear(&err);
        cinch_dial_options options = {.server_name = empty[i], .no_handshake = 1};
        cinch_stream *s = cinch_dial_with(both.client, "127.0.0.1", text, &options, &err);
        assert_int_equal(s != NULL, empty[i] == NULL);
        if (i > 0)
            assert_int_equal(err.cause, cause);
        cinch_stream_free(s);
    }
    close(listener);
    /* Names that are lost on the way are the certificate's, too: no names, nobody. */
    EACH_VERSION(version)
    {
        cinch_context *client = pair_client_context(both.family->root),
                      *server = pair_server_context(both.family->no_san, both.family->intermediate);

        lesson_limit(client, version);
        lesson_refuses(client, server, "localhost", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                       SSL_AD_BAD_CERTIFICATE);
        lesson_opens(client, both.server, "localhost");
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_bytes_before_a_close_are_never_data),
        cmocka_unit_test(test_data_before_the_handshake_is_done_are_never_read),
        cmocka_unit_test(test_bytes_pipelined_before_tls_are_an_error),
        cmocka_unit_test(test_a_failed_starttls_is_the_end),
        cmocka_unit_test(test_no_name_is_an_error),
    };

    return cmocka_run_group_tests_name("lessons: starting", tests, set_up, tear_down);
}
