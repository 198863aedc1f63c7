/* Errors: the first wins, every cause is complete, texts are clean, printing never overruns. */
#include "base/fail.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/err.h>

static void test_first_wins(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_false(cinch_error_is_set(&err));
    assert_true(cinch_enter(&err));
    assert_int_equal(cinch_fail(&err, CINCH_CAUSE_DNS, "first %d", 1), CINCH_FAILED);
    assert_int_equal(cinch_fail(&err, CINCH_CAUSE_EXPIRED, "second"), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_DNS);
    assert_string_equal(err.what, "first 1");
    assert_false(cinch_enter(&err));
    cinch_error_clear(&err);
    assert_true(cinch_enter(&err));
    assert_int_equal(cinch_fail(&err, CINCH_CAUSE_TIMEOUT, "t"), CINCH_TIMEOUT);
    cinch_error_clear(&err);
    assert_int_equal(cinch_fail(&err, CINCH_CAUSE_TRUNCATED, "t"), CINCH_TRUNCATED);
}

static void test_null(void **state)
{
    (void)state;
    cinch_error_clear(NULL);
    assert_false(cinch_error_is_set(NULL));
    assert_true(cinch_enter(NULL));
    assert_int_equal(cinch_fail(NULL, CINCH_CAUSE_DNS, "x"), CINCH_FAILED);
    cinch_fail_evidence(NULL, "x");
    cinch_fail_remedy(NULL, "x");
    cinch_fail_system(NULL, 2);
    cinch_fail_openssl(NULL);
    assert_int_equal(cinch_error_report(NULL, stderr), 0);
    assert_int_equal(cinch_error_exit_code(NULL), 0);
    assert_int_equal(cinch_error_print(NULL, NULL, 0), 0);
}

/* Nothing in a table is missing, twice there, or without a remedy. */
static void test_causes(void **state)
{
    (void)state;
    for (int a = 1; a < CINCH_CAUSE_COUNT; a++) {
        const cinch_cause_entry *entry = cinch_cause_lookup((cinch_cause)a);

        assert_non_null(entry->name);
        assert_true(entry->remedy[0] != 0);
        assert_true(entry->category > CINCH_CATEGORY_NONE &&
                    entry->category <= CINCH_CATEGORY_INTERNAL);
        if (a != CINCH_CAUSE_INTERNAL)
            assert_string_not_equal(entry->name, "internal");
        assert_string_equal(cinch_cause_name((cinch_cause)a), entry->name);
        for (int b = a + 1; b < CINCH_CAUSE_COUNT; b++)
            assert_string_not_equal(entry->name, cinch_cause_name((cinch_cause)b));
    }
    assert_string_equal(cinch_cause_name((cinch_cause)-1), "unknown");
    assert_string_equal(cinch_cause_name(CINCH_CAUSE_COUNT), "unknown");
    assert_string_equal(cinch_status_name((cinch_status)99), "unknown");
    assert_string_equal(cinch_category_name((cinch_category)99), "unknown");
    assert_string_equal(cinch_category_name(CINCH_CATEGORY_INTERNAL), "internal");
}

static void test_exit_codes(void **state)
{
    static const struct {
        cinch_cause cause;
        int code;
    } table[] = {
        {CINCH_CAUSE_MISUSE, 2},
        {CINCH_CAUSE_FILE_UNREADABLE, 2},
        {CINCH_CAUSE_NO_ANCHORS, 2},
        {CINCH_CAUSE_DNS, 3},
        {CINCH_CAUSE_REFUSED, 3},
        {CINCH_CAUSE_NOT_TLS, 4},
        {CINCH_CAUSE_NO_COMMON_VERSION, 4},
        {CINCH_CAUSE_UNKNOWN_ISSUER, 5},
        {CINCH_CAUSE_WRONG_HOST_NAME, 6},
        {CINCH_CAUSE_WRONG_IP, 6},
        {CINCH_CAUSE_EXPIRED, 7},
        {CINCH_CAUSE_NOT_YET_VALID, 7},
        {CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED, 8},
        {CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED, 8},
        {CINCH_CAUSE_TIMEOUT, 9},
        {CINCH_CAUSE_TRUNCATED, 10},
        {CINCH_CAUSE_DAMAGED_RECORD, 10},
        {CINCH_CAUSE_MEMORY, 10},
        {CINCH_CAUSE_INTERNAL, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        cinch_error err = CINCH_ERROR_INIT;

        (void)cinch_fail(&err, table[i].cause, "x");
        assert_int_equal(cinch_error_exit_code(&err), table[i].code);
    }
}

static void test_alerts(void **state)
{
    (void)state;
    assert_string_equal(cinch_alert_name(0), "close_notify");
    assert_string_equal(cinch_alert_name(48), "unknown_ca");
    assert_string_equal(cinch_alert_name(116), "certificate_required");
    assert_string_equal(cinch_alert_name(120), "no_application_protocol");
    assert_string_equal(cinch_alert_name(-1), "unknown alert");
    assert_string_equal(cinch_alert_name(255), "unknown alert");
    assert_non_null(cinch_alert_meaning(255));
}

static void full_error(cinch_error *err)
{
    char text[5000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    memcpy(text, "\"quoted\" \\ and \t and \x01\x1b[31m", 27);
    (void)cinch_fail(err, CINCH_CAUSE_EXPIRED, "%s", text);
    cinch_fail_evidence(err, "one\ntwo\n%s", text);
    cinch_fail_remedy(err, "%s", text);
    cinch_fail_system(err, 2);
    err->alert_received = 45;
    err->alert_sent = 255;
    err->verify_code = 10;
    err->openssl_code = 167772294;
}

static void check_printer(size_t (*print)(const cinch_error *, char *, size_t),
                          const cinch_error *err)
{
    size_t whole = print(err, NULL, 0);
    char *text = malloc(whole + 2);

    for (size_t size = 0; size <= whole + 1; size++) {
        memset(text, '#', whole + 2);
        assert_int_equal(print(err, text, size), whole);
        assert_int_equal(text[size], '#');
        if (size > 0)
            assert_int_equal(strlen(text), size - 1 < whole ? size - 1 : whole);
    }
    free(text);
}

static void test_printing(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    full_error(&err);
    check_printer(cinch_error_print, &err);
    check_printer(cinch_error_json, &err);
    assert_null(strchr(err.what, '\x1b'));
    assert_null(strchr(err.evidence, '\x1b'));
    assert_non_null(strstr(err.what, "\\x1b[31m"));
    assert_non_null(strchr(err.evidence, '\n'));
}

static void test_json(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    char text[8192];
    json_error_t why;

    (void)state;
    assert_true(cinch_error_json(&err, text, sizeof text) < sizeof text);
    json_t *json = json_loads(text, 0, &why);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "status")), "ok");
    json_decref(json);
    full_error(&err);
    assert_true(cinch_error_json(&err, text, sizeof text) < sizeof text);
    json = json_loads(text, 0, &why);
    if (json == NULL)
        fail_msg("%s: %s", why.text, text);
    assert_string_equal(json_string_value(json_object_get(json, "what")), err.what);
    assert_string_equal(json_string_value(json_object_get(json, "evidence")), err.evidence);
    assert_string_equal(json_string_value(json_object_get(json, "cause")), "expired");
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 7);
    json_decref(json);
}

static void test_clean(void **state)
{
    static const struct {
        const char *in;
        size_t size;
        const char *out;
    } table[] = {
        {"plain", 5, "plain"},
        {"a\0b", 3, "a\\x00b"},
        {"a\nb", 3, "a\\x0ab"},
        {"\x1b]0;x\x07", 6, "\\x1b]0;x\\x07"},
        {"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
        {"\xc3", 1, "\\xc3"},
        {"\xc0\x80", 2, "\\xc0\\x80"},          /* an overlong NUL */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80"}, /* a surrogate */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"},
        {"\xc2\x85", 2, "\\xc2\\x85"},          /* a C1 control */
        {"\xe2\x80\xae", 3, "\\xe2\\x80\\xae"}, /* right-to-left override */
        {"\xe2\x80\x8b", 3, "\\xe2\\x80\\x8b"}, /* zero width space */
        {"\xf0\x9f\x94\x92", 4, "\xf0\x9f\x94\x92"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char out[64];

        assert_int_equal(cinch_text_clean(out, sizeof out, table[i].in, table[i].size, 0),
                         strlen(table[i].out));
        assert_string_equal(out, table[i].out);
    }
}

/* Whatever the room, the result ends, is cut at a character, and nothing is written behind it. */
static void test_cut(void **state)
{
    static const char in[] = "\xc3\xbc\xe2\x82\xac"
                             "a\x01\xf0\x9f\x94\x92\xc3\xbcxyz";

    (void)state;
    for (size_t size = 1; size < 40; size++) {
        char out[48], again[48];

        memset(out, '#', sizeof out);
        size_t length = cinch_text_clean(out, size, in, sizeof in - 1, 0);
        assert_int_equal(length, strlen(out));
        assert_true(length < size);
        assert_int_equal(out[size], '#');
        /* Clean already: a character cut in two would be escaped now. */
        cinch_text_clean(again, sizeof again, out, length, 0);
        assert_string_equal(again, out);
    }
}

static void test_hex(void **state)
{
    char out[16];

    (void)state;
    assert_string_equal(cinch_text_hex(out, sizeof out, "\x00\xab\xff", 3, 0), "00abff");
    assert_string_equal(cinch_text_hex(out, sizeof out, "\x00\xab\xff", 3, ':'), "00:ab:ff");
    /* Room for all of it, and for nothing more. */
    assert_string_equal(cinch_text_hex(out, 7, "\x00\xab\xff", 3, 0), "00abff");
    assert_string_equal(cinch_text_hex(out, 9, "\x00\xab\xff", 3, ':'), "00:ab:ff");
    for (size_t size = 1; size < 12; size++) {
        memset(out, '#', sizeof out);
        cinch_text_hex(out, size, "\x01\x02\x03\x04", 4, ':');
        assert_true(strlen(out) < size);
        assert_int_equal(out[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_wins), cmocka_unit_test(test_null),
        cmocka_unit_test(test_causes),     cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_alerts),     cmocka_unit_test(test_printing),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_clean),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
