/* Streams that wait for a signature, within their time limits, or say that they would. */
#include "duo.h"
#include "net.h"
#include "office.h"

#include "base/fiber.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cinch/binding.h>
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

/* A context whose signer is CALLBACK, for the family's own root: no intermediate is needed. */
static cinch_context *signed_by(cinch_sign_async_callback callback, void *arg, int is_server)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *leaf = pki_pem_cert(both.family->good);
    char *issuer = pki_pem_cert(both.family->intermediate);
    char *root = pki_pem_cert(both.family->root);
    char *all = pki_pem_concat(leaf, issuer, (char *)NULL);
    cinch_context *ctx = is_server ? cinch_context_server(&err) : cinch_context_client(&err);
    cinch_identity *identity = cinch_identity_signer_async(all, strlen(all), callback, arg, &err);

    (void)cinch_context_identity(ctx, identity, &err);
    (void)cinch_context_trust_pem(ctx, root, strlen(root), &err);
    if (!is_server)
        (void)cinch_context_late_certificate(ctx, 1, &err);
    assert_fine(&err);
    cinch_identity_free(identity);
    free(leaf);
    free(issuer);
    free(root);
    free(all);
    return ctx;
}

/* One piece of work at a time, for whoever comes for it. */
typedef struct desk {
    pthread_mutex_t lock;
    pthread_cond_t change;
    office_work work;
} desk;

static void put_on_desk(const cinch_signing *what, cinch_signature_request *request, void *arg)
{
    desk *d = arg;

    pthread_mutex_lock(&d->lock);
    d->work = (office_work){request, what};
    pthread_cond_broadcast(&d->change);
    pthread_mutex_unlock(&d->lock);
}

static office_work take_from_desk(desk *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->work.request == NULL)
        pthread_cond_wait(&d->change, &d->lock);
    office_work work = d->work;
    d->work.request = NULL;
    pthread_mutex_unlock(&d->lock);
    return work;
}

static void *sign_one(void *arg)
{
    (void)office_answer(both.family->good, take_from_desk(arg), 0);
    return NULL;
}

#define DESK                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER                      \
    }

static void a_blocking_stream_waits(void **state)
{
    desk d = DESK;
    cinch_context *server = signed_by(put_on_desk, &d, 1);
    cinch_error err = CINCH_ERROR_INIT;
    duo_player client;
    pthread_t signer;
    char buf[16];
    size_t n;
    int fds[2];

    (void)state;
    net_pair(fds);
    assert_int_equal(pthread_create(&signer, NULL, sign_one, &d), 0);
    static char hello[] = "hello";
    duo_play(&client, both.client, "localhost", fds[1], duo_say, hello);
    cinch_stream *s = cinch_stream_wrap_adopt(server, fds[0], NULL, &err);
    assert_int_equal(cinch_stream_read(s, buf, sizeof buf, &n, &err), CINCH_OK);
    assert_fine(&err);
    assert_int_equal(n, 5);
    cinch_stream_free(s);
    duo_wait(&client);
    assert_fine(&client.err);
    assert_int_equal(pthread_join(signer, NULL), 0);
    cinch_context_free(server);
}

/* Limits of the handshake and deadlines end it; the answer then comes to nobody. */
static void waiting_has_its_limits(void **state)
{
    (void)state;
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        desk d = DESK;
        cinch_context *server = signed_by(put_on_desk, &d, 1);
        cinch_timeouts limits = {.handshake_ms = 60};
        cinch_error err = CINCH_ERROR_INIT;
        duo_player client;
        int fds[2];

        net_pair(fds);
        duo_play(&client, both.client, "localhost", fds[1], duo_only_handshake, NULL);
        net_readable(fds[0]);
        cinch_stream *s = cinch_stream_wrap_adopt(server, fds[0], NULL, &err);
        if (by_deadline)
            (void)cinch_stream_deadline(s, 60, &err);
        else
            (void)cinch_stream_timeouts(s, &limits, &err);
        int64_t before = net_ms();
        assert_int_equal(cinch_stream_handshake(s, &err), CINCH_TIMEOUT);
        assert_in_range(net_ms() - before, 50, 10000);
        assert_int_equal(err.cause, CINCH_CAUSE_TIMEOUT);
        assert_non_null(strstr(err.what, "waiting for the signature of our certificate"));
        assert_int_equal(cinch_stream_handshake(s, NULL), CINCH_TIMEOUT);
        cinch_stream_free(s);
        assert_int_equal(office_answer(both.family->good, take_from_desk(&d), 0), CINCH_OK);
        duo_wait(&client);
        assert_true(cinch_error_is_set(&client.err));
        cinch_context_free(server);
    }
}

static void a_nonblocking_stream_says_so(void **state)
{
    static office o;
    cinch_error err = CINCH_ERROR_INIT;
    duo_player client;
    cinch_status status;
    char buf[16];
    size_t n, answered = 0;
    int fds[2];

    (void)state;
    o = (office){.cert = both.family->good};
    cinch_context *server = cinch_context_server(&err);
    net_pair(fds);
    cinch_identity *identity = office_identity(&o, &err);
    assert_int_equal(cinch_context_identity(server, identity, &err), CINCH_OK);
    cinch_identity_free(identity);
    cinch_context *trusting = cinch_context_client(&err);
    char *issuer = pki_pem_cert(both.family->intermediate);
    (void)cinch_context_trust_pem(trusting, issuer, strlen(issuer), &err);
    free(issuer);
    duo_play(&client, trusting, "localhost", fds[1], duo_echo, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(server, fds[0], NULL, &err);
    assert_int_equal(cinch_stream_nonblocking(s, 1, &err), CINCH_OK);
    while ((status = cinch_stream_handshake(s, &err)) != CINCH_OK) {
        assert_fine(&err);
        if (status != CINCH_WANT_SIGNATURE) {
            net_readable(fds[0]);
            continue;
        }
        assert_int_equal(cinch_stream_read(s, buf, 1, &n, &err), CINCH_WANT_SIGNATURE);
        assert_int_equal(cinch_stream_write(s, "x", 1, &n, &err), CINCH_WANT_SIGNATURE);
        assert_int_equal(office_answer(o.cert, office_take(&o), 0), CINCH_OK);
        answered++;
    }
    assert_int_equal(answered, 1);
    assert_int_equal(cinch_stream_close_write(s, &err), CINCH_OK);
    assert_fine(&err);
    (void)cinch_stream_nonblocking(s, 0, &err);
    assert_int_equal(cinch_stream_read(s, buf, 1, &n, &err), CINCH_EOF);
    cinch_stream_free(s);
    duo_wait(&client);
    assert_fine(&client.err);
    cinch_context_free(server);
    cinch_context_free(trusting);
}

/* The server's part: asks late, sends a word, and reads one. */
static void ask_late(cinch_stream *stream, void *arg, cinch_error *err)
{
    char byte;
    size_t n;

    (void)arg;
    if (cinch_stream_handshake(stream, err) != CINCH_OK)
        return;
    (void)cinch_stream_ask_certificate(stream, err);
    (void)cinch_stream_write_all(stream, "w", 1, err);
    if (cinch_stream_read(stream, &byte, 1, &n, err) != CINCH_OK)
        return;
    cinch_peer *peer = cinch_stream_peer(stream, err);
    if (peer != NULL && !peer->verified)
        abort();
    cinch_peer_free(peer);
}

/* A client's certificate that is asked for late: its reads and writes wait. */
static void late_certificates_are_waited_for(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    char *root = pki_pem_cert(both.family->root);
    assert_int_equal(cinch_context_trust_pem(both.server, root, strlen(root), &err), CINCH_OK);
    free(root);
    for (int blocking = 0; blocking < 2; blocking++) {
        desk d = DESK;
        cinch_context *client = signed_by(put_on_desk, &d, 0);
        duo_player server;
        pthread_t signer;
        cinch_status status;
        char byte;
        size_t n;
        int fds[2];

        net_pair(fds);
        if (blocking)
            assert_int_equal(pthread_create(&signer, NULL, sign_one, &d), 0);
        duo_play(&server, both.server, NULL, fds[1], ask_late, NULL);
        cinch_stream *s = cinch_stream_wrap_adopt(client, fds[0], "localhost", &err);
        assert_int_equal(cinch_stream_handshake(s, &err), CINCH_OK);
        (void)cinch_stream_nonblocking(s, !blocking, &err);
        while ((status = cinch_stream_read(s, &byte, 1, &n, &err)) != CINCH_OK) {
            assert_fine(&err);
            assert_int_equal(blocking, 0);
            if (status != CINCH_WANT_SIGNATURE) {
                net_readable(fds[0]);
                continue;
            }
            assert_int_equal(cinch_stream_write(s, "x", 1, &n, &err), CINCH_WANT_SIGNATURE);
            assert_int_equal(office_answer(both.family->good, take_from_desk(&d), 0), CINCH_OK);
        }
        assert_int_equal(cinch_stream_write(s, "r", 1, &n, &err), CINCH_OK);
        assert_fine(&err);
        duo_wait(&server);
        assert_fine(&server.err);
        cinch_stream_free(s);
        if (blocking)
            assert_int_equal(pthread_join(signer, NULL), 0);
        cinch_context_free(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocking_stream_waits),
        cmocka_unit_test(waiting_has_its_limits),
        cmocka_unit_test(a_nonblocking_stream_says_so),
        cmocka_unit_test(late_certificates_are_waited_for),
    };

    return CINCH_FIBERS ? cmocka_run_group_tests(tests, set_up, tear_down) : 0;
}
