/*
 * Lesson 12, CVE-2025-14819: what was read and checked once is kept for others with the same settings,
 * and with other settings it counts for nothing.
 */
#include "lesson.h"

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

/* Whether A's session may be used with B: so only if the settings are the same. */
static int shares(cinch_context *a, cinch_context *b, cinch_context *with)
{
    pair p = {0};

    pair_start(&p, a, with, "localhost");
    lesson_talk t = lesson_drive(p.client.conn, p.server.conn);
    lesson_opened(t);
    cinch_session *session = cinch_conn_session(p.client.conn, NULL);
    assert_non_null(session);
    pair_stop(&p);
    pair_start(&p, b, with, "localhost");
    int accepted = cinch_conn_resume(p.client.conn, session, NULL) == CINCH_OK;
    t = lesson_drive(p.client.conn, p.server.conn);
    int resumed = t.client.resumed;
    assert_int_equal(accepted, resumed);
    pair_stop(&p);
    cinch_session_free(session);
    return resumed;
}

/*
 * The anchor is an intermediate, in a file that is parsed once for everybody. Who takes it for an
 * anchor and who wants a root take turns, and so do those with a list of what is revoked, with other
 * limits, and with no checks at all.
 */
static void test_settings_of_one_context_never_hold_in_another(void **state)
{
    char *dir = pki_tmpdir(), *other_pem = pki_pem_cert(family->intermediate);
    char *path = pki_path(dir, "intermediate", ".pem");
    pki_crl_spec revoked = {.certs = {family->good}};
    char *list = pki_crl(family->intermediate, &revoked);
    cinch_context *with = pair_server_context(family->good, family->intermediate);
    cinch_context *ctx[5];

    (void)state;
    assert_true(pki_write(path, other_pem, 0600));
    for (int i = 0; i < 5; i++) {
        ctx[i] = cinch_context_client(NULL);
        assert_int_equal(cinch_context_trust_file(ctx[i], path, NULL), CINCH_OK);
        assert_int_equal(cinch_context_resumption(ctx[i], 0, NULL), CINCH_OK);
    }
    assert_int_equal(cinch_context_partial_chain(ctx[1], 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_crl_pem(ctx[2], list, strlen(list), NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_verification(ctx[3], 1, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_name(ctx[3], 1, NULL), CINCH_OK);
    cinch_context *impostor = pair_server_context(family->unknown_ca, NULL);
    EACH_VERSION(version)
    {
        lesson_limit(with, version);
        lesson_limit(impostor, version);
        for (int round = 0; round < 2; round++) {
            lesson_opens(ctx[0], with, "localhost");
            lesson_refuses(ctx[1], with, "localhost", THE_CLIENT, CINCH_CAUSE_UNKNOWN_ISSUER,
                           SSL_AD_UNKNOWN_CA);
            lesson_opens(ctx[3], impostor, "elsewhere.test");
            lesson_refuses(ctx[2], with, "localhost", THE_CLIENT, CINCH_CAUSE_REVOKED,
                           SSL_AD_CERTIFICATE_REVOKED);
            lesson_refuses(ctx[4], impostor, "localhost", THE_CLIENT, CINCH_CAUSE_UNKNOWN_ISSUER,
                           SSL_AD_UNKNOWN_CA);
            lesson_opens(ctx[4], with, "localhost");
            lesson_refuses(ctx[0], with, "elsewhere.test", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                           SSL_AD_BAD_CERTIFICATE);
        }
    }
    for (int i = 0; i < 5; i++)
        cinch_context_free(ctx[i]);
    cinch_context_free(with);
    cinch_context_free(impostor);
    free(list);
    free(path);
    free(other_pem);
    pki_rmtree(dir);
}

/* A session is what a context learned under its settings: equal ones share it, different ones do not. */
static void test_equal_settings_share_and_different_never_do(void **state)
{
    cinch_context *with = pair_server_context(family->good, family->intermediate);
    cinch_context *a = pair_client_context(family->root), *b = pair_client_context(family->root);
    char pin[65] = {0}, reserve[65] = {0}, *list_pem = pki_crl(family->intermediate, NULL);
    char *other_pem = pki_pem_cert(family->intermediate);

    (void)state;
    memset(pin, 'a', 64), memset(reserve, 'b', 64);
    lesson_limit(with, CINCH_TLS_1_3);
    assert_true(shares(a, b, with));
    for (int change = 0; change < 8; change++) {
        cinch_context *c = cinch_context_dup(a, NULL);
        cinch_status status = CINCH_OK;

        assert_true(shares(a, c, with));
        if (change == 0)
            status = cinch_context_partial_chain(c, 0, NULL);
        else if (change == 1)
            status = cinch_context_verify_depth(c, 5, NULL);
        else if (change == 2)
            status = cinch_context_crl_pem(c, list_pem, strlen(list_pem), NULL);
        else if (change == 3)
            status = cinch_context_trust_pem(c, other_pem, strlen(other_pem), NULL);
        else if (change == 4)
            status = cinch_context_insecure_skip_name(c, 1, NULL);
        else if (change == 5)
            status = cinch_context_insecure_relax(c, CINCH_RULE_SERIAL, 1, NULL);
        else if (change == 6)
            status = cinch_context_pin(c, pin, reserve, NULL);
        else
            lesson_show(c, family->client, family->intermediate);
        assert_int_equal(status, CINCH_OK);
        if (shares(a, c, with))
            fail_msg("change %d is not seen", change);
        /* And the copy's change is not the original's. */
        assert_true(shares(a, b, with));
        cinch_context_free(c);
    }
    cinch_context_free(a);
    cinch_context_free(b);
    cinch_context_free(with);
    free(list_pem);
    free(other_pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_of_one_context_never_hold_in_another),
        cmocka_unit_test(test_equal_settings_share_and_different_never_do),
    };

    return cmocka_run_group_tests_name("lessons: equal", tests, set_up, tear_down);
}
