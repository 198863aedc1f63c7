/*
 * A context in another library's SSL_CTX, while each allocation fails once, on the library's side: it
 * connects, or it fails; nobody is believed who is not to be, no session is resumed that is not ours.
 */
#include "alloc.h"
#include "foreign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

typedef struct question {
    cinch_context *ctx, *ours;
    const char *host;    /* NULL: the SSL_CTX is a server's */
    SSL_SESSION *offers; /* NULL: none */
    int opens;           /* what is right */
    int resumes;
} question;

static bool open_once(const question *q, SSL_CTX *made, const char **wrong, bool *complete)
{
    foreign f;

    foreign_start(&f, made, q->host == NULL, q->ours);
    /* A copy: a handshake that fails spoils the session. */
    alloc_spare(true);
    SSL_SESSION *offered = q->offers == NULL ? NULL : SSL_SESSION_dup(q->offers);
    if (offered != NULL && SSL_set_session(f.ssl, offered) != 1)
        *wrong = "the session could not be set";
    SSL_SESSION_free(offered);
    alloc_spare(false);
    bool open = foreign_handshake(&f) && foreign_talk(&f);
    int resumed = open && SSL_session_reused(f.ssl);
    /* The explanation as well is made with what memory there is. */
    cinch_error err = CINCH_ERROR_INIT;
    bool explained = cinch_openssl_explain(f.ssl, &err) != CINCH_OK;
    if (open && !q->opens)
        *wrong = "it was opened";
    if (resumed && !q->resumes)
        *wrong = "a session was resumed that is not ours";
    if (explained != (cinch_error_is_set(&err) != 0))
        *wrong = "status and error do not agree";
    *complete = open == q->opens && resumed == q->resumes && (open || explained);
    foreign_stop(&f);
    return open;
}

static const char *run(void *arg, bool *complete)
{
    const question *q = arg;
    cinch_error err = CINCH_ERROR_INIT;
    const char *wrong = NULL;
    static const char key;

    alloc_spare(true);
    SSL_CTX *made = foreign_ctx(q->host == NULL);
    alloc_spare(false);
    cinch_status status = cinch_context_openssl_apply(q->ctx, made, q->host, &err);
    if ((status == CINCH_OK) == (cinch_error_is_set(&err) != 0))
        wrong = "status and error do not agree";
    (void)cinch_openssl_remember(made, &key, NULL);
    /* After a failure too: then nothing may come of it. */
    bool open = status == CINCH_OK || SSL_CTX_get_info_callback(made) != NULL
                    ? open_once(q, made, &wrong, complete)
                    : (SSL_CTX_free(made), false);
    if (open && status != CINCH_OK)
        wrong = "it was opened though the context could not be applied";
    (void)cinch_openssl_recall(&key, NULL);
    ERR_clear_error();
    return wrong;
}

static pki_family *family;
static SSL_SESSION *session;

static int keep_session(SSL *ssl, SSL_SESSION *made)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = made;
    return 1;
}

/* A session of a connection with CTX applied, or without anything (NULL). */
static void make_session(cinch_context *ctx, cinch_context *server)
{
    SSL_CTX *made = foreign_ctx(0);
    foreign f;

    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, keep_session);
    if (ctx != NULL)
        assert_int_equal(cinch_context_openssl_apply(ctx, made, "localhost", NULL), CINCH_OK);
    foreign_start(&f, made, 0, server);
    assert_true(foreign_handshake(&f) && foreign_talk(&f));
    foreign_stop(&f);
    assert_non_null(session);
}

static void sweep(const char *name, question *q, size_t stride)
{
    const alloc_trial trial = {.name = name, .run = run, .arg = q, .stride = stride};
    const char *wrong = alloc_sweep(&trial);

    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static void test_sweeps(void **state)
{
    cinch_context *client = pair_client_context(family->root),
                  *server = pair_server_context(family->good, family->intermediate);

    (void)state;
    question right = {.ctx = client, .ours = server, .host = "localhost", .opens = 1},
             wrong = {.ctx = client, .ours = server, .host = "other.example"},
             serving = {.ctx = server, .ours = client, .opens = 1}, unknown = right, known = right;
    assert_int_equal(cinch_context_resumption(server, 1, NULL), CINCH_OK);
    sweep("a client", &right, 5);
    sweep("a client that has to refuse", &wrong, 5);
    make_session(NULL, server);
    unknown.offers = session;
    sweep("a client with a session of nobody's", &unknown, 7);
    session = NULL;
    make_session(client, server);
    known.offers = session;
    known.resumes = 1;
    sweep("a client with a session", &known, 7);
    SSL_SESSION_free(unknown.offers);
    SSL_SESSION_free(known.offers);
    assert_int_equal(cinch_context_resumption(client, 0, NULL), CINCH_OK);
    sweep("a server", &serving, 5);
    cinch_context_free(client);
    cinch_context_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sweeps)};

    alloc_install();
    foreign_spare = alloc_spare;
    family = pki_family_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pki_family_free(family);
    return failed;
}
