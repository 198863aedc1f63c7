/*
 * A server whose certificate is replaced on disk again and again while sixteen clients connect to
 * it: nobody notices anything but the certificate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "duo.h"
#include "net.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLIENTS 16
#define SWAPS 51 /* odd: the last one is new */
#define LATE 4   /* connections of each client after the last swap */

static duo both;
static pki_cert *renewed;
static char *old_pem, *new_pem;
static unsigned char old_der[4096], new_der[4096];
static size_t old_size, new_size;

static atomic_int done, failures, connections, saw_old, saw_new, wrong;
static cinch_error first_failure;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static char *pem_of(const pki_cert *leaf)
{
    char *key = pki_pem_key(leaf, NULL), *cert = pki_pem_cert(leaf);
    char *issuer = pki_pem_cert(both.family->intermediate);
    char *all = pki_pem_concat(key, cert, issuer, (char *)NULL);

    free(key), free(cert), free(issuer);
    return all;
}

static void der_of(const pki_cert *leaf, unsigned char *into, size_t *size)
{
    unsigned char *der = pki_der_cert(leaf, size);

    assert_true(*size <= 4096);
    memcpy(into, der, *size);
    free(der);
}

static int set_up(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    duo_open(&both);
    /* A resumed session shows what it was made with, whatever the server has now. */
    assert_int_equal(cinch_context_resumption(both.client, 0, &err), CINCH_OK);
    renewed = pki_make(&(pki_spec){.cn = "renewed"}, both.family->intermediate);
    old_pem = pem_of(both.family->good), new_pem = pem_of(renewed);
    der_of(both.family->good, old_der, &old_size);
    der_of(renewed, new_der, &new_size);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(old_pem), free(new_pem);
    pki_free(renewed);
    duo_close(&both);
    return 0;
}

static void note_failure(const cinch_error *err)
{
    pthread_mutex_lock(&lock);
    if (failures++ == 0)
        first_failure = *err;
    pthread_mutex_unlock(&lock);
}

/* One whole connection. MUST_BE_NEW: the swapping is over. */
static void connect_once(int must_be_new)
{
    cinch_error err = CINCH_ERROR_INIT;
    duo_player server;
    int fds[2];

    net_pair(fds);
    duo_play(&server, both.server, NULL, fds[1], duo_only_handshake, NULL);
    cinch_stream *s = cinch_stream_wrap_adopt(both.client, fds[0], "localhost", &err);
    char buf[16];
    size_t n;
    if (cinch_stream_handshake(s, &err) == CINCH_OK) {
        cinch_peer *peer = cinch_stream_peer(s, &err);
        const cinch_certificate *leaf = peer != NULL ? peer->chain[0] : NULL;
        int is_new =
            leaf != NULL && leaf->der_size == new_size && memcmp(leaf->der, new_der, new_size) == 0;
        int is_old =
            leaf != NULL && leaf->der_size == old_size && memcmp(leaf->der, old_der, old_size) == 0;

        wrong += is_new + is_old != 1 || (must_be_new && !is_new);
        saw_new += is_new;
        saw_old += is_old;
        cinch_peer_free(peer);
        if (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_EOF)
            cinch_stream_close_write(s, &err);
    }
    cinch_stream_free(s);
    duo_wait(&server);
    pthread_mutex_lock(&lock);
    connections++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (cinch_error_is_set(&err))
        note_failure(&err);
    if (cinch_error_is_set(&server.err))
        note_failure(&server.err);
}

static void *be_client(void *nothing)
{
    while (!done)
        connect_once(0);
    for (int i = 0; i < LATE; i++)
        connect_once(1);
    return nothing;
}

static atomic_int taken, refused;

static void hear(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    (void)path, (void)arg;
    pthread_mutex_lock(&lock);
    taken += status == CINCH_OK;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (status != CINCH_OK && refused++ == 0)
        cinch_error_report(err, stderr);
}

/* Until *COUNT is WANTED. */
static void wait_for(const atomic_int *count, int wanted)
{
    struct timespec until;
    int late = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&lock);
    while (*count < wanted && !late)
        late = pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
    assert_int_equal(late, 0);
}

static void test_swaps(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *dir = pki_tmpdir(), *path = pki_path(dir, "site.pem", ""),
         *fresh = pki_path(dir, "fresh.pem", "");
    pthread_t clients[CLIENTS];

    (void)state;
    assert_true(pki_write(path, old_pem, 0600));
    cinch_watch *watch = cinch_watch_new(hear, NULL, &err);
    assert_int_equal(
        cinch_watch_identity(watch, both.server, &(cinch_identity_source){.file = path}, &err),
        CINCH_OK);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, be_client, NULL), 0);
    for (int i = 0; i < SWAPS; i++) {
        assert_true(pki_write(fresh, i % 2 == 0 ? new_pem : old_pem, 0600));
        assert_int_equal(rename(fresh, path), 0);
        /* Some are left to the watch itself, some are asked for. */
        if (i % 3 != 0)
            assert_int_equal(cinch_watch_now(watch, NULL, &err), CINCH_OK);
        wait_for(&taken, i + 1);
        wait_for(&connections, connections + CLIENTS / 2);
    }
    done = 1;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_join(clients[i], NULL), 0);
    cinch_watch_free(watch);
    if (failures != 0)
        cinch_error_report(&first_failure, stderr);
    assert_int_equal(failures, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(refused, 0);
    assert_int_equal(taken, SWAPS);
    assert_true(saw_old >= CLIENTS && saw_new >= CLIENTS * LATE);
    assert_int_equal(saw_old + saw_new, connections);
    free(path), free(fresh);
    pki_rmtree(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swaps),
    };

    return cmocka_run_group_tests_name("watch under load", tests, set_up, tear_down);
}
