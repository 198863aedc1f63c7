/* Waiting for data with few calls to the system: on a descriptor of the stream's own, or for ever. */
#include "duo.h"
#include "net.h"

#include "stream/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
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

static long limit_of(int fd)
{
    struct timeval limit = {0, 0};
    socklen_t size = sizeof limit;

    assert_int_equal(0, getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size));
    return limit.tv_sec * 1000 + limit.tv_usec / 1000;
}

static void trip(cinch_stream *s, cinch_error *err)
{
    char buf[8] = "";
    size_t used = 0, n;

    (void)cinch_stream_write_all(s, "there", 5, err);
    while (used < 5 && cinch_stream_read(s, buf + used, 5 - used, &n, err) == CINCH_OK)
        used += n;
    assert_fine(err);
    assert_string_equal("there", buf);
}

static int64_t time_out(cinch_stream *s, cinch_error *err)
{
    int64_t began = net_ms();
    char byte;
    size_t n;

    assert_int_equal(CINCH_TIMEOUT, cinch_stream_read(s, &byte, 1, &n, err));
    cinch_error_clear(err);
    return net_ms() - began;
}

enum {
    OWN = 1,
    FOR_EVER = 2,
    NEVER_BLOCKS = 4,
    DEADLINE = 8,
    KINDS = 16
};

static void limit(cinch_stream *s, int kind, int ms, cinch_error *err)
{
    cinch_timeouts limits = {.read_ms = (kind & FOR_EVER) ? CINCH_FOREVER : ms};

    (void)cinch_stream_timeouts(s, &limits, err);
    (void)cinch_stream_deadline(s, (kind & DEADLINE) ? ms : CINCH_FOREVER, err);
    assert_fine(err);
}

/* Interrupted every millisecond or not, a limit holds, and data gets through. */
static void try_kind(int kind, bool interrupted)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];

    net_pair(fds);
    if (kind & NEVER_BLOCKS)
        assert_int_equal(0, fcntl(fds[0], F_SETFL, O_NONBLOCK));
    duo_play(&server, both.server, NULL, fds[1], duo_echo, NULL);
    cinch_stream *s = (kind & OWN) ? cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err)
                                   : cinch_stream_wrap(both.client, fds[0], "localhost", &err);
    net_interruptions(interrupted);
    limit(s, kind, 20000, &err);
    for (int i = 0; i < 50; i++)
        trip(s, &err);
    if (!(kind & FOR_EVER) || (kind & DEADLINE)) {
        limit(s, kind, 30, &err);
        assert_in_range(time_out(s, &err), 29, 8000);
        limit(s, kind, 20000, &err);
        trip(s, &err);
    }
    net_interruptions(false);
    if (!(kind & OWN))
        assert_int_equal(0, limit_of(fds[0]));
    cinch_stream_free(s);
    if (!(kind & OWN))
        close(fds[0]);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void limits_hold_for_every_kind_of_descriptor(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        try_kind(kind, false);
        try_kind(kind, true);
    }
}

static void unwrap_part(cinch_stream *stream, void *arg, cinch_error *err)
{
    char byte;
    size_t n;

    (void)arg;
    if (cinch_stream_read(stream, &byte, 1, &n, err) == CINCH_OK &&
        cinch_stream_write_all(stream, &byte, 1, err) == CINCH_OK &&
        cinch_stream_unwrap(stream, NULL, 0, &n, err) == CINCH_OK)
        (void)close(cinch_stream_fd(stream));
}

/* A limit of the program's own is there again: what is read in the clear may count on it. */
static void unwrap_with_limit(long ms)
{
    cinch_error err = CINCH_ERROR_INIT;
    struct timeval before = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    duo_player server;
    char byte;
    size_t n;
    int fds[2];

    net_pair(fds);
    assert_int_equal(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &before, sizeof before));
    duo_play(&server, both.server, NULL, fds[1], unwrap_part, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    assert_int_equal(CINCH_OK, cinch_stream_write_all(s, "x", 1, &err));
    assert_int_equal(CINCH_OK, cinch_stream_read(s, &byte, 1, &n, &err));
    assert_int_equal(300000, limit_of(fds[0]));
    assert_int_equal(CINCH_OK, cinch_stream_unwrap(s, NULL, 0, &n, &err));
    cinch_stream_free(s);
    assert_int_equal(ms, limit_of(fds[0]));
    close(fds[0]);
    duo_wait(&server);
    assert_fine(&server.err);
}

static void an_unwrapped_descriptor_has_the_limit_that_it_had(void **state)
{
    (void)state;
    unwrap_with_limit(0);
    unwrap_with_limit(7240);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_for_every_kind_of_descriptor),
        cmocka_unit_test(an_unwrapped_descriptor_has_the_limit_that_it_had),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
