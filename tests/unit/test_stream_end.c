/* How streams end: well, cut short, reset, refused, unwrapped. */
#include "duo.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static duo both;
static char say_bye[] = "bye";

static int set_up(void **state)
{
    (void)state;
    /* The library must not need the program to ignore SIGPIPE: here it would end the test. */
    (void)signal(SIGPIPE, SIG_DFL);
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

static cinch_stream *client_on(int fd, cinch_error *err)
{
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fd, "localhost", err);

    assert_fine(err);
    return s;
}

/* A part that leaves in a way of its own: what a stream would do politely is left out. */
typedef struct rude {
    const char *say;
    int reset; /* else: FIN */
} rude;

static void leave_rudely(cinch_stream *stream, void *arg, cinch_error *err)
{
    const rude *how = arg;

    if (cinch_stream_handshake(stream, err) != CINCH_OK)
        return;
    if (how->say != NULL && cinch_stream_write_all(stream, how->say, strlen(how->say), err) != 0)
        return;
    /* A connect() to nowhere cuts a TCP connection with a reset, and leaves the stream nothing. */
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    if (how->reset)
        (void)connect(cinch_stream_fd(stream), &nowhere, sizeof nowhere);
    else
        (void)shutdown(cinch_stream_fd(stream), SHUT_WR);
}

/* ---- FIN ---- */

static void assert_truncated(cinch_stream *s)
{
    for (int i = 0; i < 2; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        char byte;
        size_t n = 7;

        assert_int_equal(CINCH_TRUNCATED, cinch_stream_read(s, &byte, 1, &n, &err));
        assert_int_equal(0, n);
        assert_int_equal(CINCH_TRUNCATED, err.status);
        assert_int_equal(CINCH_CATEGORY_CLOSED, err.category);
    }
}

static void a_cut_connection_is_truncated(void **state)
{
    static const char *const says[2] = {NULL, "half of it"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        rude how = {.say = says[i]};
        duo_player server;
        char buf[64];
        size_t n = 0;
        int fds[2];

        net_pair(fds);
        duo_play(&server, both.server, NULL, fds[1], leave_rudely, &how);
        cinch_stream *s = client_on(fds[0], &err);
        assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
        if (says[i] != NULL) {
            assert_int_equal(CINCH_OK, cinch_stream_read(s, buf, sizeof buf, &n, &err));
            assert_memory_equal(says[i], buf, n);
        }
        assert_truncated(s);
        cinch_stream_free(s);
        duo_wait(&server);
        assert_fine(&server.err);
    }
}

static void an_end_before_the_hello_is_told(void **state)
{
    (void)state;
    for (int server = 0; server < 2; server++) {
        cinch_error err = CINCH_ERROR_INIT;
        int fds[2];

        net_pair(fds);
        cinch_stream *s = cinch_stream_wrap_adopt(server ? both.server : both.client, fds[0],
                                                  server ? NULL : "localhost", &err);
        assert_int_equal(0, shutdown(fds[1], SHUT_WR));
        assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, &err));
        assert_int_equal(CINCH_CAUSE_CLOSED_IN_HANDSHAKE, err.cause);
        assert_contains(err.what, server ? "client" : "server");
        cinch_stream_free(s);
        close(fds[1]);
    }
}

/* ---- RST ---- */

static void a_reset_in_the_handshake_is_told(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    char buf[16];
    int fds[2];

    (void)state;
    net_pair(fds);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_nonblocking(s, 1, &err));
    assert_int_equal(CINCH_WANT_READ, cinch_stream_handshake(s, &err));
    net_readable(fds[1]);
    assert_true(recv(fds[1], buf, sizeof buf, 0) > 0);
    net_reset(fds[1]);
    net_readable(fds[0]);
    assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_CAUSE_RESET, err.cause);
    assert_int_equal(ECONNRESET, err.system_error);
    assert_contains(err.what, "waiting for the server's hello");
    assert_contains(err.evidence, "127.0.0.1:");
    cinch_stream_free(s);
}

static void a_reset_before_the_first_byte_is_told(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    int fds[2];

    (void)state;
    net_pair(fds);
    cinch_stream *s = client_on(fds[0], &err);
    net_reset(fds[1]);
    net_readable(fds[0]);
    assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_CAUSE_RESET, err.cause);
    cinch_stream_free(s);
}

static void a_reset_before_wrapping_is_no_misuse(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    int fds[2];

    (void)state;
    net_pair(fds);
    net_reset(fds[1]);
    net_readable(fds[0]);
    assert_null(cinch_stream_wrap_adopt(both.server, fds[0], NULL, &err));
    assert_int_equal(CINCH_CAUSE_RESET, err.cause);
    assert_int_equal(ECONNRESET, err.system_error);
}

static void a_reset_truncates_what_is_read(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    rude how = {.say = "some", .reset = 1};
    duo_player server;
    char buf[64];
    size_t n;
    cinch_status status;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], leave_rudely, &how);
    cinch_stream *s = client_on(fds[0], &err);
    while ((status = cinch_stream_read(s, buf, sizeof buf, &n, &err)) == CINCH_OK)
        ;
    assert_int_equal(CINCH_TRUNCATED, status);
    assert_int_equal(CINCH_TRUNCATED, err.status);
    assert_int_equal(CINCH_CAUSE_RESET, err.cause);
    assert_truncated(s);
    cinch_stream_free(s);
    duo_wait(&server);
}

static void writing_to_nobody_raises_no_signal(void **state)
{
    (void)state;
    for (int reset = 0; reset < 2; reset++) {
        cinch_error err = CINCH_ERROR_INIT;
        rude how = {.reset = reset};
        duo_player server;
        static char data[100000];
        cinch_status status = CINCH_OK;
        int fds[2];

        net_pair(fds);
        duo_play(&server, both.server, NULL, fds[1], leave_rudely, &how);
        cinch_stream *s = client_on(fds[0], &err);
        assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
        duo_wait(&server);
        for (int i = 0; i < 1000 && status == CINCH_OK; i++)
            status = cinch_stream_write_all(s, data, sizeof data, &err);
        assert_true(status == CINCH_FAILED);
        assert_int_equal(CINCH_CAUSE_RESET, err.cause);
        assert_contains(err.what, "sending data");
        cinch_error_clear(&err);
        assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "x", 1, &err));
        assert_int_equal(CINCH_CAUSE_RESET, err.cause);
        cinch_stream_free(s);
    }
}

/* ---- Alerts ---- */

static void the_peer_learns_why_it_was_refused(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    cinch_context *stranger = cinch_context_client(&err);
    char *root = pki_pem_cert(both.family->other_root);
    int fds[2];

    (void)state;
    assert_int_equal(CINCH_OK, cinch_context_trust_pem(stranger, root, strlen(root), &err));
    for (int i = 0; i < 20; i++) {
        net_pair(fds);
        duo_play(&server, both.server, NULL, fds[1], duo_swallow, NULL);
        cinch_stream *s = cinch_stream_wrap_adopt(stranger, fds[0], "localhost", &err);
        assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, &err));
        assert_int_equal(CINCH_CATEGORY_TRUST, err.category);
        assert_int_not_equal(0, err.alert_sent);
        cinch_peer *evidence = cinch_stream_evidence(s, NULL);
        assert_non_null(evidence);
        assert_false(evidence->verified);
        cinch_peer_free(evidence);
        cinch_stream_free(s);
        duo_wait(&server);
        assert_int_equal(err.alert_sent, server.err.alert_received);
        cinch_error_clear(&err);
    }
    free(root);
    cinch_context_free(stranger);
}

static cinch_context *strict_server(void)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_dup(both.server, &err);
    char *root = pki_pem_cert(both.family->root);

    assert_int_equal(CINCH_OK, cinch_context_trust_pem(ctx, root, strlen(root), &err));
    assert_int_equal(CINCH_OK, cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, &err));
    free(root);
    return ctx;
}

static void a_late_refusal_is_explained_to_a_reader(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = strict_server();
    duo_player server;
    char byte;
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, ctx, NULL, fds[1], duo_swallow, NULL);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_FAILED, cinch_stream_read(s, &byte, 1, &n, &err));
    assert_int_equal(CINCH_CATEGORY_CLIENT_CERTIFICATE, err.category);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_int_equal(CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING, server.err.cause);
    cinch_context_free(ctx);
}

static void a_late_refusal_is_explained_to_a_writer(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = strict_server();
    duo_player server;
    static char data[100000];
    cinch_status status = CINCH_OK;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, ctx, NULL, fds[1], duo_swallow, NULL);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    duo_wait(&server);
    /* It never reads: only the reset tells it to look for what the server had said. */
    for (int i = 0; i < 1000 && status == CINCH_OK; i++)
        status = cinch_stream_write_all(s, data, sizeof data, &err);
    assert_int_equal(CINCH_FAILED, status);
    assert_int_equal(CINCH_CATEGORY_CLIENT_CERTIFICATE, err.category);
    assert_int_not_equal(0, err.alert_received);
    cinch_stream_free(s);
    cinch_context_free(ctx);
}

/* ---- Half close ---- */

static void answer_at_the_end(cinch_stream *stream, void *arg, cinch_error *err)
{
    char buf[1000];
    size_t n, all = 0;
    cinch_status status;

    (void)arg;
    while ((status = cinch_stream_read(stream, buf, sizeof buf, &n, err)) == CINCH_OK)
        all += n;
    if (status != CINCH_EOF)
        return;
    (void)snprintf(buf, sizeof buf, "%zu bytes", all);
    if (cinch_stream_write_all(stream, buf, strlen(buf), err) == CINCH_OK)
        (void)cinch_stream_close_write(stream, err);
}

static void the_other_half_stays_open(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    static char data[50000];
    char buf[64];
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], answer_at_the_end, NULL);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, data, sizeof data, &err));
    assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_read(s, buf, sizeof buf, &n, &err));
    assert_memory_equal("50000 bytes", buf, n);
    assert_int_equal(CINCH_EOF, cinch_stream_read(s, buf, sizeof buf, &n, &err));
    cinch_stream_free(s);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void closing_after_the_peer_has_gone_is_fine(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        duo_player server;
        char buf[64];
        size_t n;
        int fds[2];

        net_pair(fds);
        duo_play(&server, both.server, NULL, fds[1], duo_say, say_bye);
        cinch_stream *s = client_on(fds[0], &err);
        assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
        while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
            ;
        duo_wait(&server);
        assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
        assert_fine(&err);
        cinch_stream_free(s);
    }
}

static void nothing_leaves_in_the_clear(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    char byte;
    size_t n;
    int fds[2], copy;

    (void)state;
    net_pair(fds);
    copy = dup(fds[1]);
    duo_play(&server, both.server, NULL, fds[1], duo_only_handshake, NULL);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    duo_wait(&server);
    assert_int_equal(CINCH_OK, cinch_stream_close_write(s, &err));
    while (recv(copy, &byte, 1, MSG_DONTWAIT) > 0)
        ;
    assert_int_equal(CINCH_FAILED, cinch_stream_write(s, "plain", 5, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "plain", 5, NULL));
    assert_int_equal(CINCH_OK, cinch_stream_flush(s, NULL));
    cinch_stream_free(s);
    assert_true(recv(copy, &byte, 1, MSG_DONTWAIT) <= 0);
    close(copy);
}

/* ---- Unwrapping ---- */

typedef struct plain {
    const char *after; /* is sent behind close_notify, in the clear */
    const char *unread;
    char heard[64]; /* in the clear: what came along with close_notify, or later */
} plain;

static void unwrap_and_talk(cinch_stream *stream, void *arg, cinch_error *err)
{
    plain *p = arg;
    size_t n = 0;

    if (cinch_stream_handshake(stream, err) != CINCH_OK)
        return;
    if (p->unread != NULL &&
        cinch_stream_write_all(stream, p->unread, strlen(p->unread), err) != CINCH_OK)
        return;
    if (p->after != NULL) {
        /* Behind its close_notify, before the other side has seen that. */
        if (cinch_stream_close_write(stream, err) != CINCH_OK)
            return;
        (void)send(cinch_stream_fd(stream), p->after, strlen(p->after), MSG_NOSIGNAL);
    }
    if (cinch_stream_unwrap(stream, p->heard, sizeof p->heard - 1, &n, err) != CINCH_OK)
        return;
    int fd = cinch_stream_fd(stream);
    if (n == 0)
        (void)recv(fd, p->heard, sizeof p->heard - 1, 0);
    close(fd);
}

static void both_sides_unwrap(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    plain p = {0};
    duo_player server;
    char byte;
    size_t n = 9;
    off_t sent;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], unwrap_and_talk, &p);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_FAILED, cinch_stream_unwrap(s, NULL, 0, &n, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_error_clear(&err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_unwrap(s, NULL, 0, &n, &err));
    assert_int_equal(0, n);
    assert_int_equal(CINCH_FAILED, cinch_stream_read(s, &byte, 1, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write(s, "x", 1, &n, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_write_all(s, "x", 1, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_handshake(s, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_close_write(s, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_flush(s, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, 0, 0, -1, &sent, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_unwrap(s, NULL, 0, &n, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    assert_int_equal(0, cinch_stream_pending(s));
    assert_int_equal(fds[0], cinch_stream_fd(s));
    cinch_stream_free(s);
    assert_int_equal(5, send(fds[0], "plain", 5, MSG_NOSIGNAL));
    duo_wait(&server);
    assert_fine(&server.err);
    assert_string_equal("plain", p.heard);
    close(fds[0]);
}

static void what_follows_close_notify_is_handed_back(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    plain p = {.after = "220 plain again"};
    duo_player server;
    char buf[64] = "";
    size_t n = 0, used = 0;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], unwrap_and_talk, &p);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_EOF, cinch_stream_read(s, buf, sizeof buf, &n, &err));
    /* Whether the plain bytes came along with close_notify is up to the system. */
    if (cinch_stream_unwrap(s, buf, 1, &n, &err) != CINCH_OK) {
        assert_contains(err.what, "received after close_notify");
        assert_int_equal(0, n);
        cinch_error_clear(&err);
        assert_int_equal(CINCH_OK, cinch_stream_unwrap(s, buf, sizeof buf - 1, &n, &err));
    }
    used = n;
    while (used < strlen(p.after)) {
        ssize_t got = recv(fds[0], buf + used, sizeof buf - 1 - used, 0);

        assert_true(got > 0);
        used += (size_t)got;
    }
    buf[used] = 0;
    assert_string_equal("220 plain again", buf);
    cinch_stream_free(s);
    assert_int_equal(2, send(fds[0], "ok", 2, MSG_NOSIGNAL));
    close(fds[0]);
    duo_wait(&server);
    assert_fine(&server.err);
    assert_string_equal("ok", p.heard);
}

static void unread_data_is_never_dropped_silently(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    plain p = {.unread = "important"};
    duo_player server;
    char buf[64];
    size_t n = 0;
    int fds[2];

    (void)state;
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], unwrap_and_talk, &p);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_FAILED, cinch_stream_unwrap(s, buf, sizeof buf, &n, &err));
    assert_contains(err.what, "not read");
    assert_int_equal(0, n);
    assert_int_equal(CINCH_FAILED, cinch_stream_read(s, buf, sizeof buf, &n, NULL));
    cinch_stream_free(s);
    duo_wait(&server);
}

static void unwrapping_waits_no_longer_than_a_read(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts limits = {.read_ms = 40};
    int fds[2];
    duo_player server;
    size_t n;
    rude how = {0};

    (void)state;
    net_pair(fds);
    int copy = dup(fds[1]); /* keeps the connection open when the server has gone */
    duo_play(&server, both.server, NULL, fds[1], leave_rudely, &how);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_OK, cinch_stream_handshake(s, &err));
    assert_int_equal(CINCH_OK, cinch_stream_timeouts(s, &limits, &err));
    cinch_status status = cinch_stream_unwrap(s, NULL, 0, &n, &err);
    assert_true(status == CINCH_TRUNCATED || status == CINCH_TIMEOUT);
    cinch_stream_free(s);
    duo_wait(&server);
    close(copy);
}

/* ---- Files ---- */

static int make_file(size_t size)
{
    char name[] = "/tmp/cinch-test-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    assert_int_equal(0, unlink(name));
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)(i % 251);

        assert_int_equal(1, write(fd, &byte, 1));
    }
    return fd;
}

typedef struct catcher {
    size_t first; /* of the file's bytes */
    size_t got, wrong;
} catcher;

static void catch_file(cinch_stream *stream, void *arg, cinch_error *err)
{
    catcher *c = arg;
    unsigned char buf[4096];
    size_t n;

    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        for (size_t i = 0; i < n; i++)
            c->wrong += buf[i] != (c->first + c->got++) % 251;
}

static void files_are_sent(void **state)
{
    enum {
        SIZE = 200000
    };
    static const struct {
        off_t offset, count, sent;
    } cases[] = {{0, -1, SIZE}, {0, SIZE, SIZE},      {1000, -1, SIZE - 1000},
                 {7, 100, 100}, {SIZE - 1, -1, 1},    {SIZE, -1, 0},
                 {0, 0, 0},     {65535, 65537, 65537}};
    int file = make_file(SIZE);

    (void)state;
    assert_int_equal(12, lseek(file, 12, SEEK_SET));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        catcher c = {.first = (size_t)cases[i].offset};
        duo_player server;
        off_t sent = -1;
        int fds[2];

        net_pair(fds);
        duo_play(&server, both.server, NULL, fds[1], catch_file, &c);
        cinch_stream *s = client_on(fds[0], &err);
        assert_int_equal(CINCH_OK, cinch_stream_send_file(s, file, cases[i].offset, cases[i].count,
                                                          &sent, &err));
        assert_int_equal(cases[i].sent, sent);
        assert_int_equal(12, lseek(file, 0, SEEK_CUR));
        cinch_stream_free(s);
        duo_wait(&server);
        assert_fine(&server.err);
        assert_int_equal(cases[i].sent, c.got);
        assert_int_equal(0, c.wrong);
    }
    close(file);
}

static void what_is_no_file_is_refused(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    off_t sent = 5;
    int fds[2], pipes[2];
    int file = make_file(10);
    int dir = open("/tmp", O_RDONLY);

    (void)state;
    assert_int_equal(0, pipe(pipes));
    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_swallow, NULL);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, pipes[0], 0, -1, &sent, NULL));
    assert_int_equal(0, sent);
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, dir, 0, -1, &sent, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, -1, 0, -1, &sent, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, file, -1, -1, &sent, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, file, 0, -2, &sent, NULL));
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, file, 11, -1, &sent, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    cinch_error_clear(&err);
    /* Fewer bytes than asked for: those that are there have left. */
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, file, 4, 100, &sent, &err));
    assert_int_equal(6, sent);
    assert_int_equal(CINCH_CAUSE_FILE_UNREADABLE, err.cause);
    assert_contains(err.what, "shorter");
    assert_contains(err.evidence, "at byte 10");
    cinch_stream_free(s);
    duo_wait(&server);
    close(pipes[0]);
    close(pipes[1]);
    close(dir);
    close(file);
}

typedef struct shrink {
    int file;
    size_t got;
} shrink;

static void read_and_cut(cinch_stream *stream, void *arg, cinch_error *err)
{
    shrink *how = arg;
    char buf[1024];
    size_t n;

    if (cinch_stream_read(stream, buf, sizeof buf, &n, err) != CINCH_OK ||
        ftruncate(how->file, 1) != 0)
        return;
    how->got += n;
    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        how->got += n;
}

static void a_file_that_shrinks_is_an_error(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int file = make_file(1);
    shrink how = {.file = file};
    off_t sent = 0;
    int fds[2];
    const off_t size = (off_t)64 * 1024 * 1024;

    (void)state;
    /* A hole: as large as it says, and quickly made. */
    assert_int_equal(0, ftruncate(file, size));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    duo_play(&server, both.server, NULL, fds[1], read_and_cut, &how);
    cinch_stream *s = client_on(fds[0], &err);
    assert_int_equal(CINCH_FAILED, cinch_stream_send_file(s, file, 0, -1, &sent, &err));
    assert_int_equal(CINCH_CAUSE_FILE_UNREADABLE, err.cause);
    assert_true(sent > 0 && sent < size);
    cinch_stream_free(s);
    duo_wait(&server);
    assert_int_equal(sent, how.got);
    close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_connection_is_truncated),
        cmocka_unit_test(an_end_before_the_hello_is_told),
        cmocka_unit_test(a_reset_in_the_handshake_is_told),
        cmocka_unit_test(a_reset_before_the_first_byte_is_told),
        cmocka_unit_test(a_reset_before_wrapping_is_no_misuse),
        cmocka_unit_test(a_reset_truncates_what_is_read),
        cmocka_unit_test(writing_to_nobody_raises_no_signal),
        cmocka_unit_test(the_peer_learns_why_it_was_refused),
        cmocka_unit_test(a_late_refusal_is_explained_to_a_reader),
        cmocka_unit_test(a_late_refusal_is_explained_to_a_writer),
        cmocka_unit_test(the_other_half_stays_open),
        cmocka_unit_test(closing_after_the_peer_has_gone_is_fine),
        cmocka_unit_test(nothing_leaves_in_the_clear),
        cmocka_unit_test(both_sides_unwrap),
        cmocka_unit_test(what_follows_close_notify_is_handed_back),
        cmocka_unit_test(unread_data_is_never_dropped_silently),
        cmocka_unit_test(unwrapping_waits_no_longer_than_a_read),
        cmocka_unit_test(files_are_sent),
        cmocka_unit_test(what_is_no_file_is_refused),
        cmocka_unit_test(a_file_that_shrinks_is_an_error),
    };

    return cmocka_run_group_tests_name("stream_end", tests, set_up, tear_down);
}
