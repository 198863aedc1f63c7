/* STARTTLS while each allocation fails: it is a clean failure or a whole success. */
#include "alloc.h"
#include "duo.h"
#include "net.h"
#include "starttls_script.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static duo both;

/* MySQL's: the server says all that it has to say first, so that nobody has to answer. */
static const script *greeting(void)
{
    const script *s = &script_right[script_right_count - 1];

    assert_int_equal(CINCH_STARTTLS_MYSQL, s->protocol);
    return s;
}

static const char *judge(int succeeded, const cinch_error *err, bool *complete)
{
    *complete = succeeded && !cinch_error_is_set(err);
    if (succeeded == cinch_error_is_set(err))
        return "success with an error, or a failure without one";
    /* OpenSSL does not always say that it was memory. */
    if (succeeded || err->cause == CINCH_CAUSE_MEMORY || err->cause == CINCH_CAUSE_INTERNAL)
        return NULL;
    return cinch_cause_name(err->cause);
}

static const char *on_a_socket(void *arg, bool *complete)
{
    cinch_error err = CINCH_ERROR_INIT;
    const script *s = greeting();
    int fds[2];

    (void)arg;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    assert_int_equal(s->server[0].size, write(fds[1], s->server[0].bytes, s->server[0].size));
    cinch_status status = cinch_starttls(fds[0], s->protocol, NULL, &err);
    cinch_stream *stream = cinch_stream_wrap(both.client, fds[0], "localhost", &err);
    const char *complaint = judge(status == CINCH_OK && stream != NULL, &err, complete);
    cinch_stream_free(stream);
    close(fds[0]);
    close(fds[1]);
    return complaint;
}

/* For each client the greeting, until the listening socket is shut down. */
static void *greet(void *arg)
{
    const script *s = greeting();
    int listening = *(int *)arg;
    char heard[64];

    for (int fd; (fd = accept(listening, NULL, NULL)) >= 0; close(fd))
        if (send(fd, s->server[0].bytes, s->server[0].size, MSG_NOSIGNAL) > 0)
            while (read(fd, heard, sizeof heard) > 0)
                ;
    return NULL;
}

static const char *by_name(void *arg, bool *complete)
{
    const cinch_dial_options dial = {.no_handshake = 1, .server_name = "localhost"};
    const cinch_starttls_options options = {.dial = &dial};
    cinch_error err = CINCH_ERROR_INIT;
    cinch_stream *stream =
        cinch_dial_starttls(both.client, "127.0.0.1", arg, greeting()->protocol, &options, &err);
    const char *complaint = judge(stream != NULL, &err, complete);

    cinch_stream_free(stream);
    return complaint;
}

static void sweep(const char *name, const char *(*run)(void *, bool *), void *arg)
{
    const char *complaint = alloc_sweep(&(alloc_trial){name, run, arg, 1});

    if (complaint != NULL)
        fail_msg("%s", complaint);
}

static void starttls(void **state)
{
    (void)state;
    sweep("starttls", on_a_socket, NULL);
}

static void dial_starttls(void **state)
{
    pthread_t thread;
    uint16_t port = 0;
    char text[8];
    int listening = net_listening("127.0.0.1", &port);

    (void)state;
    (void)snprintf(text, sizeof text, "%u", (unsigned)port);
    assert_int_equal(0, pthread_create(&thread, NULL, greet, &listening));
    sweep("dial_starttls", by_name, text);
    (void)shutdown(listening, SHUT_RDWR);
    assert_int_equal(0, pthread_join(thread, NULL));
    close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starttls),
        cmocka_unit_test(dial_starttls),
    };

    alloc_install();
    duo_open(&both);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    duo_close(&both);
    return failed;
}
