/*
 * Every allocation on the side of a signer fails once. Whatever happens, it is a clean failure or a
 * whole success, and a wrong signature never leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc.h"
#include "pair.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* The allocation that fails, counted from 1; 0 for none. */
static size_t failing, counted;
static int on;

static int fails_now(void)
{
    return on && failing != 0 && ++counted == failing;
}

static void *my_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *my_realloc(void *old, size_t size, const char *file, int line)
{
    return fails_now() ? alloc_refuse(old, file, line) : realloc(old, size);
}

static void my_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

static pki_cert *root, *leaf;
static char *pem;
static cinch_context *client;
static int lies;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    leaf = pki_make(&(pki_spec){.cn = "leaf"}, root);
    pem = pki_pem_cert(leaf);
    client = pair_client_context(root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cinch_context_free(client);
    free(pem);
    pki_free(leaf);
    pki_free(root);
    return 0;
}

/* The memory of who has the key never runs out: it may be another machine's. */
static cinch_status hold(const cinch_signing *what, unsigned char *signature, size_t *size,
                         char *reason, size_t reason_size, void *arg)
{
    int was = on;

    (void)reason;
    (void)reason_size;
    (void)arg;
    on = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok =
        EVP_DigestSignInit_ex(ctx, NULL, what->digest_name, NULL, NULL, leaf->key, NULL) == 1 &&
        EVP_DigestSign(ctx, signature, size, what->message, what->message_size) == 1;
    EVP_MD_CTX_free(ctx);
    if (lies)
        signature[*size - 1] ^= 1;
    on = was;
    return ok ? CINCH_OK : CINCH_FAILED;
}

/* 1 if the server's side of it worked, from the identity to the open connection. */
static int serve(cinch_error *err)
{
    pair p = {0};
    int opened = 0;

    p.client.conn = cinch_conn_new(client, "localhost", NULL);
    assert_non_null(p.client.conn);
    on = 1;
    cinch_identity *identity = cinch_identity_signer(pem, strlen(pem), hold, NULL, err);
    cinch_context *server = cinch_context_server(err);
    cinch_status status = cinch_context_identity(server, identity, err);
    p.server.conn = cinch_conn_new(server, NULL, err);
    assert_true(status == CINCH_OK || p.server.conn == NULL || !cinch_error_is_set(err));
    on = 0;
    for (int i = 0; p.server.conn != NULL && i < 10; i++) {
        p.client.status = cinch_conn_handshake(p.client.conn, &p.client.err);
        (void)pair_move(&p);
        on = 1;
        status = cinch_conn_handshake(p.server.conn, err);
        on = 0;
        (void)pair_move(&p);
        if (status == CINCH_OK && p.client.status == CINCH_OK)
            opened = 1;
    }
    if (lies)
        assert_int_not_equal(cinch_conn_state_now(p.client.conn), CINCH_STATE_OPEN);
    pair_stop(&p);
    cinch_context_free(server);
    cinch_identity_free(identity);
    return opened;
}

static void sweep(int wanted, size_t step)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t at, failed = 0;

    failing = 0;
    assert_int_equal(serve(&err), wanted);
    for (at = 1; at < 200000; at += step) {
        cinch_error_clear(&err);
        counted = 0;
        failing = at;
        int ok = serve(&err);
        size_t seen = counted;
        failing = 0;
        if (!wanted && ok)
            fail_msg("accepted, with allocation %zu failing", at);
        if (ok == cinch_error_is_set(&err)) {
            cinch_error_report(&err, stdout);
            fail_msg("%s, with allocation %zu failing", ok ? "opened" : "no error", at);
        }
        if (ERR_peek_error() != 0)
            fail_msg("OpenSSL's queue is not empty, with allocation %zu failing", at);
        failed += !ok;
        if (seen < at)
            break;
    }
    assert_true(at < 200000 && at > 10 && failed > 5);
    cinch_error_clear(&err);
    assert_int_equal(serve(&err), wanted);
}

static void right_signatures(void **state)
{
    (void)state;
    lies = 0;
    sweep(1, 5);
}

static void wrong_signatures(void **state)
{
    (void)state;
    lies = 1;
    sweep(0, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_signatures),
        cmocka_unit_test(wrong_signatures),
    };

    if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
        return 1;
    return cmocka_run_group_tests_name("fault_signer", tests, set_up, tear_down);
}
