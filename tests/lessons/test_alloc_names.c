/*
 * Lesson 17, the part that memory plays: libssl loses the name that it was told to expect when one
 * allocation fails in its verification, and lets anybody in who has some certificate. The server here
 * has one that is trusted, and for another name. Every single allocation fails once, in both versions,
 * where the client meets that server for the first time; and every fifth where it has a session of the
 * right server that the attacker does not take, so that it has to fall back to certificates.
 */
#include "alloc.h"
#include "lesson.h"
#include "talk.h"

static pki_family *family;

typedef struct trial {
    cinch_context *client;
    cinch_context *honest;
    cinch_context *attacker;
    int has_session;
    int full; /* refused for the name, and not because memory ran out */
    talk talk;
} trial;

/* The server is what is attacked with: it never lacks memory. */
static void spare_the_server(const cinch_context *whose, void *arg)
{
    const trial *tr = arg;

    alloc_spare(whose == tr->attacker || whose == tr->honest);
}

static void be_honest(trial *tr)
{
    alloc_spare(true);
    (void)cinch_context_session_forget(tr->client, NULL);
    tr->talk = (talk){.client_context = tr->client,
                      .server_context = tr->honest,
                      .host = "localhost",
                      .data = 10};
    talk_run(&tr->talk);
    if (!tr->talk.complete || cinch_context_session_count(tr->client) != 1)
        talk_blame(&tr->talk, "the honest server gave no session");
    alloc_spare(false);
}

static const char *meet_the_attacker(void *arg, bool *complete)
{
    trial *tr = arg;
    talk *t = &tr->talk;

    if (tr->has_session) {
        be_honest(tr);
        if (t->complaint[0] != 0)
            return t->complaint;
    }
    *t = (talk){.client_context = tr->client,
                .server_context = tr->attacker,
                .host = "localhost",
                .data = 10,
                .turn = spare_the_server,
                .turn_arg = tr};
    talk_run(t);
    (void)cinch_context_session_forget(tr->client, NULL);
    if (t->client.opened || t->client.verified || t->complete)
        talk_blame(t, "a server with another name was let in");
    if (t->server.ended || t->client.report[0] != 0)
        talk_blame(t, "a server with another name is reported on");
    *complete = t->client.err.cause == CINCH_CAUSE_WRONG_HOST_NAME &&
                t->client.err.alert_sent == SSL_AD_BAD_CERTIFICATE;
    tr->full += *complete;
    return t->complaint[0] == 0 ? NULL : t->complaint;
}

static void sweep(const char *name, cinch_tls_version version, int has_session, size_t stride)
{
    trial *tr = calloc(1, sizeof *tr);

    tr->client = pair_client_context(family->root);
    tr->honest = pair_server_context(family->good, family->intermediate);
    tr->attacker = pair_server_context(family->wrong_name, family->intermediate);
    tr->has_session = has_session;
    lesson_limit(tr->client, version);
    assert_int_equal(cinch_context_session_ids(tr->honest, 10, NULL), CINCH_OK);
    /* The control: the same client with memory enough and the right server. */
    lesson_opens(tr->client, tr->honest, "localhost");
    const char *wrong = alloc_sweep(&(alloc_trial){name, meet_the_attacker, tr, stride});
    if (wrong != NULL)
        fail_msg("%s", wrong);
    assert_true(tr->full > 0);
    cinch_context_free(tr->client);
    cinch_context_free(tr->honest);
    cinch_context_free(tr->attacker);
    free(tr);
}

static void test_a_name_lost_with_memory_lets_nobody_in(void **state)
{
    (void)state;
    sweep("TLS 1.2, another name", CINCH_TLS_1_2, 0, 1);
    sweep("TLS 1.3, another name", CINCH_TLS_1_3, 0, 1);
}

static void test_a_name_lost_beside_a_session_lets_nobody_in(void **state)
{
    (void)state;
    sweep("TLS 1.2, another name beside a session", CINCH_TLS_1_2, 1, 5);
    sweep("TLS 1.3, another name beside a session", CINCH_TLS_1_3, 1, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_lost_with_memory_lets_nobody_in),
        cmocka_unit_test(test_a_name_lost_beside_a_session_lets_nobody_in),
    };

    alloc_install();
    family = pki_family_new();
    int failed = cmocka_run_group_tests_name("lessons: names and memory", tests, NULL, NULL);
    pki_family_free(family);
    return failed;
}
