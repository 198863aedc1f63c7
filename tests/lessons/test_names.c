/*
 * Lessons 1 to 4: names in certificates that mean another host to a careless reader. The attacker has
 * got each of them from a CA that is trusted, so nothing but the comparison of names is in his way;
 * the rule of the profile that would refuse such names altogether is relaxed.
 */
#include "lesson.h"

#include <time.h>

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

/* A client that takes certificates with odd names, as long as one of them is the right one. */
static cinch_context *tolerant_client(cinch_tls_version version)
{
    cinch_context *ctx = pair_client_context(family->root);

    lesson_limit(ctx, version);
    assert_int_equal(cinch_context_insecure_relax(ctx, CINCH_RULE_SUBJECT_ALT_NAME, 1, NULL),
                     CINCH_OK);
    return ctx;
}

/*
 * The server with the certificate SPEC is not HOST to anybody, and is HONEST, a name that is in the
 * same certificate. A client with the default profile does not even let it in as HONEST, if ODD.
 */
static void is_not(pki_spec spec, const char *host, const char *honest, int odd)
{
    if (spec.cn == NULL)
        spec.cn = "somebody";
    pki_cert *leaf = pki_make(&spec, family->intermediate);
    cinch_context *server = pair_server_context(leaf, family->intermediate);
    int is_address = strchr("0123456789", host[0]) != NULL;

    EACH_VERSION(version)
    {
        cinch_context *client = tolerant_client(version), *usual = cinch_context_dup(client, NULL);

        lesson_refuses(client, server, host, THE_CLIENT,
                       is_address ? CINCH_CAUSE_WRONG_IP : CINCH_CAUSE_WRONG_HOST_NAME,
                       SSL_AD_BAD_CERTIFICATE);
        lesson_opens(client, server, honest);
        assert_int_equal(cinch_context_insecure_relax(usual, CINCH_RULE_SUBJECT_ALT_NAME, 0, NULL),
                         CINCH_OK);
        if (odd)
            lesson_refuses(usual, server, honest, THE_CLIENT, CINCH_CAUSE_CHAIN_RULE,
                           SSL_AD_BAD_CERTIFICATE);
        else
            lesson_opens(usual, server, honest);
        cinch_context_free(client);
        cinch_context_free(usual);
    }
    cinch_context_free(server);
    pki_free(leaf);
}

#define RAW(text) .dns_raw = (text), .dns_raw_len = sizeof(text) - 1

/* 1: CVE-2009-2417, CVE-2013-4238. The CA has checked who owns attacker.test. */
static void test_a_nul_in_a_name_matches_nothing(void **state)
{
    (void)state;
    is_not((pki_spec){.dns = {"honest.test"}, RAW("bank.test\0.attacker.test")}, "bank.test",
           "honest.test", 1);
    is_not((pki_spec){.dns = {"honest.test"}, RAW("*.bank.test\0.attacker.test")}, "www.bank.test",
           "honest.test", 1);
    is_not((pki_spec){.dns = {"honest.test"}, RAW("attacker.test\0bank.test")}, "bank.test",
           "honest.test", 1);
    is_not((pki_spec){.dns = {"honest.test"}, RAW("bank.test\0")}, "bank.test", "honest.test", 1);
    is_not((pki_spec){.dns = {"honest.test"}, RAW("\0bank.test")}, "bank.test", "honest.test", 1);
    is_not((pki_spec){.dns = {"honest.test"}, RAW("192.0.2.1\0.attacker.test")}, "192.0.2.1",
           "honest.test", 1);
}

/* 1 again: the subject's CN, which is where the NUL was in the first of these attacks. */
static void test_a_nul_in_the_common_name_matches_nothing(void **state)
{
    (void)state;
    is_not((pki_spec){.cn = "bank.test\0.attacker.test", .cn_len = 24, .dns = {"honest.test"}},
           "bank.test", "honest.test", 0);
}

static int64_t cpu_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 2: CVE-2013-2099. As many wildcards as go into a handshake message, and a host that almost fits. */
static void test_many_wildcards_take_no_time(void **state)
{
    enum {
        SIZE = 60000
    };
    char *many = malloc(SIZE), host[] = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b";

    (void)state;
    for (size_t i = 0; i < SIZE; i += 4)
        memcpy(many + i, "*a*.", 4);
    int64_t before = cpu_ms();
    is_not((pki_spec){.dns = {"honest.test", "*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.a",
                              "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a.b"},
                      .dns_raw = many,
                      .dns_raw_len = SIZE - 1},
           host, "honest.test", 1);
    /* Eight connections and one certificate; exponential time would never come to an end. */
    assert_true(cpu_ms() - before < 20000);
    free(many);
}

/* 2: what a wildcard is. The control is that it works where it is one. */
static void test_a_wildcard_is_the_whole_left_most_label(void **state)
{
    static const char *const no_wildcards[] = {
        "*",
        "*.",
        "*.test",
        "www.*.test",
        "www.bank.*",
        "*.*.test",
        "**.bank.test",
        "*w.bank.test",
        "w*.bank.test",
        "w*w.bank.test",
        "*www.bank.test",
        "www*.bank.test",
        "*.www.bank.test",
        "*..bank.test",
        "?ww.bank.test",
        "*bank.test",
    };

    (void)state;
    for (size_t i = 0; i < sizeof no_wildcards / sizeof no_wildcards[0]; i++) {
        int odd = strcmp(no_wildcards[i], "*.www.bank.test") != 0 &&
                  strcmp(no_wildcards[i], "*.test") != 0;

        is_not((pki_spec){.dns = {"honest.test", no_wildcards[i]}}, "www.bank.test", "honest.test",
               odd);
    }
    is_not((pki_spec){.dns = {"*.bank.test"}}, "bank.test", "www.bank.test", 0);
    is_not((pki_spec){.dns = {"*.bank.test"}}, "a.www.bank.test", "WWW.Bank.TEST", 0);
}

/* 3: CVE-2013-7440, CVE-2023-28321. "xn--" would let x* stand for every name beyond ASCII. */
static void test_a_partial_wildcard_never_stands_for_an_a_label(void **state)
{
    static const char *const patterns[] = {"x*.example.test",    "xn--*.example.test",
                                           "*-kva.example.test", "xn--b*kva.example.test",
                                           "b*.example.test",    "*her.example.test"};

    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        is_not((pki_spec){.dns = {"honest.test", patterns[i]}},
               "b\xc3\xbc"
               "cher.example.test",
               "honest.test", 1);
        is_not((pki_spec){.dns = {"honest.test", patterns[i]}}, "xn--bcher-kva.example.test",
               "honest.test", 1);
    }
}

/* 3: the name in Unicode and the A-label are the same host, whichever of them is asked for. */
static void test_names_beyond_ascii_are_compared_as_a_labels(void **state)
{
    (void)state;
    is_not((pki_spec){.dns = {"xn--bcher-kva.example.test"}}, "bucher.example.test",
           "b\xc3\xbc"
           "cher.example.test",
           0);
    is_not((pki_spec){.dns = {"xn--bcher-kva.example.test"}},
           "b\xc3\xbc"
           "che.example.test",
           "B\xc3\x9c"
           "CHER.example.test",
           0);
    /* As bytes in the certificate they are no name of any host (RFC 5280, 7.2). */
    is_not((pki_spec){.dns = {"honest.test", "b\xc3\xbc"
                                             "cher.example.test"}},
           "b\xc3\xbc"
           "cher.example.test",
           "honest.test", 1);
}

/* 4: an address with something behind or before it is not an address, and no other name either. */
static void test_junk_beside_an_address_is_refused(void **state)
{
    static const char *const junk[] = {
        "192.0.2.1 ; junk", "192.0.2.1;junk",   "192.0.2.1 ",   " 192.0.2.1",    "192.0.2.1\n",
        "192.0.2.1/32",     "192.0.2.1:443",    "192.0.2.1#",   "192.0.2.1 #x",  "192.0.2",
        "192.2.1",          "0xc0.0.2.1",       "0300.0.2.1",   "3221225985",    "192.0.2.01",
        "192.0.2.256",      "192.0.2.1.",       "[192.0.2.1]",  "2001:db8::1 x", "[2001:db8::1]x",
        "2001:db8::1%eth0", "[2001:db8::1",     "2001:db8::1]", "2001:db8:::1",  "1::2::3",
        "192.0.2.1@a.test", "a.test@192.0.2.1",
    };
    pki_cert *leaf = pki_make(&(pki_spec){.dns = {"a.test"}, .ip = {"192.0.2.1", "2001:db8::1"}},
                              family->intermediate);
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(leaf, family->intermediate);

    (void)state;
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_conn *conn = cinch_conn_new(client, junk[i], &err);

        if (conn != NULL)
            fail_msg("\"%s\" is an address or a name", junk[i]);
        assert_int_equal(err.cause, CINCH_CAUSE_BAD_HOST_NAME);
        /* Nor where the network comes first: nobody is looked up or connected to. */
        cinch_error_clear(&err);
        assert_null(cinch_dial(client, junk[i], "1", &err));
        assert_int_equal(err.cause, CINCH_CAUSE_BAD_HOST_NAME);
    }
    EACH_VERSION(version)
    {
        static const char *const right[] = {"192.0.2.1", "2001:db8::1", "[2001:DB8:0::1]"};

        lesson_limit(client, version);
        for (size_t i = 0; i < 3; i++)
            lesson_opens(client, server, right[i]);
    }
    cinch_context_free(client);
    cinch_context_free(server);
    pki_free(leaf);
}

/* 4: CVE-2014-0139. Whatever looks like the address, in a place that is not for addresses. */
static void test_an_address_matches_entries_for_addresses_only(void **state)
{
    (void)state;
    is_not((pki_spec){.dns = {"honest.test", "192.0.2.1"}}, "192.0.2.1", "honest.test", 0);
    is_not((pki_spec){.dns = {"honest.test", "*.0.2.1"}}, "192.0.2.1", "honest.test", 0);
    is_not((pki_spec){.dns = {"honest.test", "*.2.1"}}, "192.0.2.1", "honest.test", 0);
    is_not((pki_spec){.cn = "192.0.2.1", .dns = {"honest.test"}}, "192.0.2.1", "honest.test", 0);
    is_not((pki_spec){.dns = {"honest.test"}, .uri = "https://192.0.2.1/"}, "192.0.2.1",
           "honest.test", 0);
    is_not((pki_spec){.dns = {"honest.test"}, .ip = {"::ffff:192.0.2.1"}}, "192.0.2.1",
           "honest.test", 0);
    is_not((pki_spec){.dns = {"honest.test"}, .ip = {"192.0.2.10"}}, "192.0.2.1", "honest.test", 0);
    is_not((pki_spec){.ip = {"192.0.2.1"}}, "2001:db8::1", "192.0.2.1", 0);
    /* And a name matches no address: the bytes of 97.46.116.101 spell "a.te". */
    is_not((pki_spec){.ip = {"97.46.116.101"}}, "a.te", "97.46.116.101", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_nul_in_a_name_matches_nothing),
        cmocka_unit_test(test_a_nul_in_the_common_name_matches_nothing),
        cmocka_unit_test(test_many_wildcards_take_no_time),
        cmocka_unit_test(test_a_wildcard_is_the_whole_left_most_label),
        cmocka_unit_test(test_a_partial_wildcard_never_stands_for_an_a_label),
        cmocka_unit_test(test_names_beyond_ascii_are_compared_as_a_labels),
        cmocka_unit_test(test_junk_beside_an_address_is_refused),
        cmocka_unit_test(test_an_address_matches_entries_for_addresses_only),
    };

    return cmocka_run_group_tests_name("lessons: names", tests, set_up, tear_down);
}
