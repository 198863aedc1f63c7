/* The dialogue before TLS on sockets, with TLS behind it: both sides, and what may wait there. */
#include "duo.h"
#include "net.h"
#include "starttls_script.h"

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

/* A server in a thread: a script, and then TLS that says "hello" and hears the client's end. */
typedef struct scripted {
    pthread_t thread;
    const script *s;
    int listening; /* -1: fd is connected already */
    int fd;
    int consents; /* the last words are left to cinch_starttls_accept() */
    cinch_error err;
} scripted;

static void send_bytes(int fd, const void *bytes, size_t size)
{
    assert_int_equal(size, send(fd, bytes, size, MSG_NOSIGNAL));
}

static size_t read_some(int fd, char *buf, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(fd, buf + used, size - used);

        if (got <= 0)
            break;
        used += (size_t)got;
    }
    return used;
}

static void *serve(void *arg)
{
    scripted *me = arg;
    const script *s = me->s;
    static const cinch_starttls_options options = {.tag = "c2", .message_id = 1};
    cinch_status status = CINCH_OK;
    char heard[1024];
    int fd = me->fd;

    if (me->listening >= 0)
        fd = accept(me->listening, NULL, NULL);
    for (size_t turn = 0; s->server[turn].bytes != NULL; turn++) {
        int last = s->server[turn + 1].bytes == NULL;

        if (!last || !me->consents || s->protocol == CINCH_STARTTLS_MYSQL)
            send_bytes(fd, s->server[turn].bytes, script_size(&s->server[turn]));
        else
            status = cinch_starttls_accept(fd, s->protocol, "", 0, &options, &me->err);
        size_t size = script_size(&s->client[turn]);
        if (read_some(fd, heard, size) != size ||
            (size > 0 && memcmp(heard, s->client[turn].bytes, size) != 0))
            break;
    }
    if (me->consents && s->protocol == CINCH_STARTTLS_MYSQL)
        status = cinch_starttls_accept(fd, s->protocol, NULL, 0, NULL, &me->err);
    cinch_stream *stream = NULL;
    if (status == CINCH_OK)
        stream = cinch_stream_wrap_adopt(both.server, fd, NULL, &me->err);
    else
        close(fd);
    size_t n;
    cinch_stream_write_all(stream, "hello", 5, &me->err);
    cinch_stream_close_write(stream, &me->err);
    while (stream != NULL &&
           cinch_stream_read(stream, heard, sizeof heard, &n, &me->err) == CINCH_OK)
        ;
    cinch_stream_free(stream);
    return NULL;
}

static void start(scripted *server, const script *s, int listening, int fd, int consents)
{
    *server = (scripted){.s = s, .listening = listening, .fd = fd, .consents = consents};
    assert_int_equal(0, pthread_create(&server->thread, NULL, serve, server));
}

static void finish(scripted *server)
{
    assert_int_equal(0, pthread_join(server->thread, NULL));
}

static void assert_fine(const cinch_error *err)
{
    if (cinch_error_is_set(err)) {
        (void)cinch_error_report(err, stderr);
        fail_msg("%s", err->what);
    }
}

/* Hears "hello" under TLS and says goodbye. */
static void hear_hello(cinch_stream *stream, cinch_error *err)
{
    char buf[16];
    size_t used = 0, n = 0;

    while (used < 5 &&
           cinch_stream_read(stream, buf + used, sizeof buf - used, &n, err) == CINCH_OK)
        used += n;
    assert_fine(err);
    assert_int_equal(5, used);
    assert_memory_equal("hello", buf, 5);
    assert_int_equal(CINCH_EOF, cinch_stream_read(stream, buf, sizeof buf, &n, err));
    assert_int_equal(CINCH_OK, cinch_stream_close_write(stream, err));
}

static void upgrades(void **state)
{
    (void)state;
    for (size_t i = 0; i < script_right_count; i++)
        for (int consents = 0; consents < 2; consents++)
            for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
                const script *s = &script_right[i];
                cinch_error err = CINCH_ERROR_INIT;
                scripted server;
                int fds[2];

                net_pair(fds);
                if (nonblocking)
                    assert_int_equal(0, fcntl(fds[0], F_SETFL, O_NONBLOCK));
                start(&server, s, -1, fds[1], consents);
                assert_int_equal(CINCH_OK,
                                 cinch_starttls(fds[0], s->protocol, &script_options, &err));
                cinch_stream *stream = cinch_stream_wrap(both.client, fds[0], "localhost", &err);
                hear_hello(stream, &err);
                cinch_stream_free(stream);
                close(fds[0]);
                finish(&server);
                assert_fine(&server.err);
            }
}

/* The whole way by name; the name is checked as always. */
static void dials(void **state)
{
    (void)state;
    for (size_t i = 0; i < script_right_count; i++) {
        const script *s = &script_right[i];
        cinch_error err = CINCH_ERROR_INIT;
        scripted server;
        uint16_t port = 0;
        char text[8];
        int listening = net_listening("127.0.0.1", &port);

        (void)snprintf(text, sizeof text, "%u", port);
        start(&server, s, listening, -1, 1);
        cinch_stream *stream =
            cinch_dial_starttls(both.client, "127.0.0.1", text, s->protocol, &script_options, &err);
        assert_fine(&err);
        cinch_peer *peer = cinch_stream_peer(stream, &err);
        assert_true(peer->verified);
        cinch_peer_free(peer);
        hear_hello(stream, &err);
        cinch_stream_free(stream);
        finish(&server);
        assert_fine(&server.err);
        close(listening);
    }
}

static void checks_the_name(void **state)
{
    const cinch_dial_options dial = {.server_name = "elsewhere.test"};
    cinch_starttls_options options = script_options;
    cinch_error err = CINCH_ERROR_INIT;
    scripted server;
    uint16_t port = 0;
    char text[8];
    int listening = net_listening("127.0.0.1", &port);

    (void)state;
    (void)snprintf(text, sizeof text, "%u", port);
    options.dial = &dial;
    start(&server, &script_right[0], listening, -1, 1);
    assert_null(
        cinch_dial_starttls(both.client, "127.0.0.1", text, CINCH_STARTTLS_SMTP, &options, &err));
    assert_int_equal(CINCH_CAUSE_WRONG_HOST_NAME, err.cause);
    finish(&server);
    close(listening);
}

/* One limit for what is said before TLS and the handshake; its evidence says where it was. */
static void dial_has_limits(void **state)
{
    const cinch_timeouts timeouts = {.handshake_ms = 60};
    const cinch_dial_options dial = {.timeouts = &timeouts};
    cinch_starttls_options options = script_options;
    uint16_t port = 0;
    char text[8];
    int listening = net_listening("127.0.0.1", &port);

    (void)state;
    (void)snprintf(text, sizeof text, "%u", port);
    options.dial = &dial;
    for (int step = 0; step < 2; step++) {
        cinch_error err = CINCH_ERROR_INIT;
        int64_t began = net_ms();

        assert_null(cinch_dial_starttls(both.client, "127.0.0.1", text,
                                        step ? CINCH_STARTTLS_LDAP : CINCH_STARTTLS_SMTP, &options,
                                        &err));
        assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
        assert_int_equal(CINCH_TIMEOUT, err.status);
        assert_true(net_ms() - began < 5000);
        assert_non_null(strstr(err.evidence, "not said anything"));
        assert_non_null(strstr(err.evidence, "connected to 127.0.0.1"));
    }
    close(listening);
}

static cinch_error try_client(const void *said, size_t size, cinch_starttls_protocol protocol)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_starttls_options options = script_options;
    int fds[2];

    options.timeout_ms = 50;
    net_pair(fds);
    if (size > 0)
        send_bytes(fds[1], said, size);
    assert_true(cinch_starttls(fds[0], protocol, &options, &err) >= CINCH_TRUNCATED);
    close(fds[0]);
    close(fds[1]);
    return err;
}

static void silent(void **state)
{
    cinch_error err = try_client(NULL, 0, CINCH_STARTTLS_IMAP);

    (void)state;
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
    assert_non_null(strstr(err.what, "50 ms"));
    err = try_client("* OK hel", 8, CINCH_STARTTLS_IMAP);
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
    assert_non_null(strstr(err.evidence, "* OK hel"));
}

static void cut_or_reset(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        cinch_error err = CINCH_ERROR_INIT;
        int fds[2];

        net_pair(fds);
        if (reset)
            net_reset(fds[1]);
        else
            close(fds[1]);
        net_readable(fds[0]);
        assert_true(cinch_starttls(fds[0], CINCH_STARTTLS_POP3, NULL, &err) >= CINCH_TRUNCATED);
        assert_int_equal(reset ? CINCH_CAUSE_RESET : CINCH_CAUSE_TRUNCATED, err.cause);
        close(fds[0]);
    }
}

/* What waits behind the consent, in the same piece or left in the socket, is never TLS's first byte. */
static void injected(void **state)
{
    char said[2048];
    cinch_error err;

    (void)state;
    err = try_client("* OK\r\nc1 OK\r\n", 13, CINCH_STARTTLS_IMAP);
    assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, err.cause);
    /* The whole greeting, and a byte or two. */
    for (size_t behind = 1; behind < 3; behind++) {
        int fds[2];
        cinch_error mine = CINCH_ERROR_INIT;
        cinch_starttls_options options = {.timeout_ms = 5000};
        const script *mysql = &script_right[script_right_count - 1];
        size_t size = 4 + 600;

        memset(said, 'x', sizeof said);
        memcpy(said, mysql->server[0].bytes, mysql->server[0].size);
        said[0] = (char)(600 & 0xff);
        said[1] = (char)(600 >> 8);
        net_pair(fds);
        send_bytes(fds[1], said, size + behind);
        net_readable(fds[0]);
        assert_int_equal(CINCH_FAILED,
                         cinch_starttls(fds[0], CINCH_STARTTLS_MYSQL, &options, &mine));
        assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, mine.cause);
        close(fds[0]);
        close(fds[1]);
    }
}

/* As many bytes as one recv() takes are the consent, so that what is behind it stays in the socket. */
static void *consent_and_more(void *arg)
{
    int fd = *(int *)arg;
    char heard[8];
    char line[1025];

    send_bytes(fd, "+OK\r\n", 5);
    (void)read_some(fd, heard, 6);
    send_bytes(fd, "+OK\r\nSTLS\r\n.\r\n", 14);
    (void)read_some(fd, heard, 6);
    memset(line, 'x', sizeof line);
    memcpy(line, "+OK ", 4);
    memcpy(line + 1022, "\r\n!", 3);
    send_bytes(fd, line, sizeof line);
    return NULL;
}

static void injected_behind(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    pthread_t thread;
    int fds[2];

    (void)state;
    net_pair(fds);
    assert_int_equal(0, pthread_create(&thread, NULL, consent_and_more, &fds[1]));
    assert_int_equal(CINCH_FAILED, cinch_starttls(fds[0], CINCH_STARTTLS_POP3, NULL, &err));
    assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, err.cause);
    assert_non_null(strstr(err.evidence, "they are: !\n"));
    assert_int_equal(0, pthread_join(thread, NULL));
    close(fds[0]);
    close(fds[1]);
}

/* ---- Servers ---- */

static void accept_refuses(const char *rest, const char *waiting, cinch_starttls_protocol protocol,
                           cinch_status want)
{
    const cinch_starttls_options options = {.tag = "a", .message_id = 70000};
    cinch_error err = CINCH_ERROR_INIT;
    char byte;
    int fds[2];

    net_pair(fds);
    if (waiting[0] != 0) {
        send_bytes(fds[0], waiting, strlen(waiting));
        net_readable(fds[1]);
    }
    assert_int_equal(want,
                     cinch_starttls_accept(fds[1], protocol, rest, strlen(rest), &options, &err));
    if (want != CINCH_OK) {
        assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, err.cause);
        assert_non_null(strstr(err.evidence, "RSET"));
        /* The client was told nothing. */
        assert_int_equal(-1, recv(fds[0], &byte, 1, MSG_DONTWAIT));
    }
    close(fds[0]);
    close(fds[1]);
}

static void server_refuses_injection(void **state)
{
    (void)state;
    for (int i = CINCH_STARTTLS_NONE + 1; i < CINCH_STARTTLS_COUNT; i++) {
        cinch_starttls_protocol protocol = (cinch_starttls_protocol)i;

        accept_refuses("", "", protocol, CINCH_OK);
        accept_refuses("RSET\r\n", "", protocol, CINCH_FAILED);
        accept_refuses("", "RSET\r\n", protocol, CINCH_FAILED);
        accept_refuses("RSET\r\n", "MAIL", protocol, CINCH_FAILED);
    }
    accept_refuses("", "\x16\x03\x01", CINCH_STARTTLS_MYSQL, CINCH_OK);
}

static void bad_consents(void **state)
{
    static const char *const tags[] = {"",    "a b", "a\r\n* BYE", "*", "+",
                                       "a\"", "a{",  "\x80",       NULL};
    char longest[80];
    char buf[CINCH_STARTTLS_CONSENT];
    size_t n = 0;

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    for (size_t i = 0; i < sizeof tags / sizeof tags[0] + 1; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_starttls_options options = {.tag =
                                              i < sizeof tags / sizeof tags[0] ? tags[i] : longest};

        assert_int_equal(CINCH_FAILED, cinch_starttls_consent(CINCH_STARTTLS_IMAP, NULL, 0,
                                                              &options, buf, &n, &err));
        assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
        assert_int_equal(0, n);
    }
    for (int id = -1; id < 1; id++) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_starttls_options options = {.message_id = id};

        assert_int_equal(CINCH_FAILED, cinch_starttls_consent(CINCH_STARTTLS_LDAP, NULL, 0,
                                                              &options, buf, &n, &err));
        assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    }
    assert_int_equal(CINCH_FAILED,
                     cinch_starttls_consent(CINCH_STARTTLS_NONE, NULL, 0, NULL, buf, &n, NULL));
    assert_int_equal(CINCH_FAILED,
                     cinch_starttls_consent(CINCH_STARTTLS_SMTP, NULL, 1, NULL, buf, &n, NULL));
    assert_int_equal(CINCH_FAILED,
                     cinch_starttls_consent(CINCH_STARTTLS_SMTP, NULL, 0, NULL, NULL, &n, NULL));
}

static void bad_descriptors(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    int fds[2];

    (void)state;
    assert_int_equal(CINCH_FAILED, cinch_starttls(-1, CINCH_STARTTLS_SMTP, NULL, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_error_clear(&err);
    assert_int_equal(CINCH_FAILED,
                     cinch_starttls_accept(-1, CINCH_STARTTLS_SMTP, NULL, 0, NULL, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_error_clear(&err);
    net_pair(fds);
    assert_int_equal(CINCH_FAILED,
                     cinch_starttls(fds[0], CINCH_STARTTLS_SMTP,
                                    &(cinch_starttls_options){.timeout_ms = -2}, &err));
    assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    assert_null(
        cinch_dial_starttls(both.client, "localhost", NULL, CINCH_STARTTLS_NONE, NULL, NULL));
    assert_null(cinch_dial_starttls(NULL, "localhost", NULL, CINCH_STARTTLS_SMTP, NULL, NULL));
    assert_null(cinch_dial_starttls(both.client, NULL, NULL, CINCH_STARTTLS_SMTP, NULL, NULL));
    assert_null(cinch_dial_starttls(both.client, NULL, NULL, CINCH_STARTTLS_XMPP, NULL, NULL));
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upgrades),
        cmocka_unit_test(dials),
        cmocka_unit_test(checks_the_name),
        cmocka_unit_test(dial_has_limits),
        cmocka_unit_test(silent),
        cmocka_unit_test(cut_or_reset),
        cmocka_unit_test(injected),
        cmocka_unit_test(injected_behind),
        cmocka_unit_test(server_refuses_injection),
        cmocka_unit_test(bad_consents),
        cmocka_unit_test(bad_descriptors),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
