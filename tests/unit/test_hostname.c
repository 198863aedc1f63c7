/* Names and addresses: what is one, and which certificate is for it (RFC 9525, lessons 1 to 4). */
#include "base/hostname.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

typedef struct parsed {
    const char *given;
    const char *text; /* NULL: refused */
    int ip_size;
} parsed;

static void test_parse(void **state)
{
    static const parsed table[] = {
        {"example.com", "example.com", 0},
        {"Example.COM", "example.com", 0},
        {"example.com.", "example.com", 0},
        {"localhost", "localhost", 0},
        {"a_b.example", "a_b.example", 0},
        {"b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example", 0},
        {"B\xc3\x9c"
         "CHER.example",
         "xn--bcher-kva.example", 0},
        {"fa\xc3\x9f.example", "xn--fa-hia.example", 0}, /* non-transitional: not "fass" */
        {"xn--bcher-kva.example", "xn--bcher-kva.example", 0},
        {"127.0.0.1", "127.0.0.1", 4},
        {"255.255.255.255", "255.255.255.255", 4},
        {"::1", "::1", 16},
        {"[::1]", "::1", 16},
        {"2001:DB8:0:0::1", "2001:db8::1", 16},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", 16},
        /* Anything that merely resembles one. */
        {"", NULL, 0},
        {".", NULL, 0},
        {"..", NULL, 0},
        {"a..b", NULL, 0},
        {".a", NULL, 0},
        {"a.b..", NULL, 0},
        {"-a.example", NULL, 0},
        {"a-.example", NULL, 0},
        {"a b.example", NULL, 0},
        {"a.example\n", NULL, 0},
        {"a/b", NULL, 0},
        {"user@example.com", NULL, 0},
        {"example.com:443", NULL, 0},
        {"*.example.com", NULL, 0},
        {"1.1.1.1 ; junk", NULL, 0}, /* curl, CVE-2014-0139 and its family */
        {"1.1.1.1 ", NULL, 0},
        {" 1.1.1.1", NULL, 0},
        {"1.1.1", NULL, 0},
        {"1.1.1.1.1", NULL, 0},
        {"256.1.1.1", NULL, 0},
        {"0x7f000001", NULL, 0},
        {"0x7f.1", NULL, 0},
        {"2130706433", NULL, 0},
        {"127.1", NULL, 0},
        {"a.1", NULL, 0},
        {"[127.0.0.1]", NULL, 0},
        {"[::1", NULL, 0},
        {"::1]", NULL, 0},
        {"::1%lo", NULL, 0},
        {"1::2::3", NULL, 0},
        {"\xff\xfe.example", NULL, 0},
        {"a\xe2\x80\xae.example", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        cinch_host host;
        cinch_error err = CINCH_ERROR_INIT;
        cinch_status status = cinch_host_parse(&host, table[i].given, &err);

        if ((status == CINCH_OK) != (table[i].text != NULL))
            fail_msg("\"%s\": %s", table[i].given, status == CINCH_OK ? host.text : err.what);
        if (table[i].text != NULL) {
            assert_string_equal(host.text, table[i].text);
            assert_int_equal(host.ip_size, table[i].ip_size);
        } else {
            assert_int_equal(err.cause, table[i].given[0] == 0 ? CINCH_CAUSE_NO_HOST_NAME
                                                               : CINCH_CAUSE_BAD_HOST_NAME);
            assert_string_equal(host.text, "");
        }
    }
}

static void test_lengths(void **state)
{
    char label[70], name[300] = "";
    cinch_host host;

    (void)state;
    memset(label, 'a', sizeof label);
    label[63] = 0;
    assert_int_equal(cinch_host_parse(&host, label, NULL), CINCH_OK);
    label[63] = 'a';
    label[64] = 0;
    assert_int_equal(cinch_host_parse(&host, label, NULL), CINCH_FAILED);
    for (int i = 0; i < 126; i++)
        memcpy(name + 2 * i, "a.", 3);
    memcpy(name + 252, "a", 2); /* 253 bytes, the most */
    assert_int_equal(cinch_host_parse(&host, name, NULL), CINCH_OK);
    memcpy(name + 252, "aa", 3);
    assert_int_equal(cinch_host_parse(&host, name, NULL), CINCH_FAILED);
}

static void test_covers(void **state)
{
    static const struct {
        const char *name;
        const char *pattern;
        size_t size; /* 0: its length */
        int covers;
    } table[] = {
        {"www.example.com", "www.example.com", 0, 1},
        {"www.example.com", "WWW.Example.Com", 0, 1},
        {"www.example.com", "*.example.com", 0, 1},
        {"example.com", "*.example.com", 0, 0},
        {"a.b.example.com", "*.example.com", 0, 0},
        {"www.example.com", "*", 0, 0},
        {"www.example.com", "*.", 0, 0},
        {"example.com", "*.com", 0, 0},
        {"www.example.com", "*.*.com", 0, 0},
        {"www.example.com", "w*.example.com", 0, 0},
        {"www.example.com", "*w.example.com", 0, 0},
        {"www.example.com", "www.*.com", 0, 0},
        {"www.example.com", "www.example.*", 0, 0},
        {"xn--bcher-kva.example", "x*.example", 0, 0}, /* CVE-2013-7440 */
        {"xn--bcher-kva.example", "xn--*.example", 0, 0},
        {"www.example.com", "www.example.com.", 0, 0},
        {"www.example.com", ".example.com", 0, 0},
        {"www.example.com", "", 0, 0},
        {"www.example.com", "www.example.com\0.evil.test", 26, 0}, /* CVE-2009-2417 */
        {"www.example.com", "*.example.com\0x", 15, 0},
        {"www.example.com", "*..com", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        cinch_host host;
        size_t size = table[i].size != 0 ? table[i].size : strlen(table[i].pattern);

        assert_int_equal(cinch_host_parse(&host, table[i].name, NULL), CINCH_OK);
        if (cinch_host_covers(&host, table[i].pattern, size) != table[i].covers)
            fail_msg("%s against %s", table[i].name, table[i].pattern);
    }
}

/* CVE-2013-2099: many wildcards took exponential time. */
static void test_many_wildcards(void **state)
{
    cinch_host host;
    char pattern[2001];

    (void)state;
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(pattern + i, "*a", 2);
    assert_int_equal(cinch_host_parse(&host, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", NULL),
                     CINCH_OK);
    for (int i = 0; i < 1000; i++)
        assert_false(cinch_host_covers(&host, pattern, 2000));
}

static int matches(const char *name, const pki_spec *spec)
{
    cinch_host host;
    pki_cert *cert = pki_make(spec, NULL);

    assert_int_equal(cinch_host_parse(&host, name, NULL), CINCH_OK);
    int result = cinch_host_matches(&host, cert->cert);
    pki_free(cert);
    ERR_clear_error();
    return result;
}

static void test_certificates(void **state)
{
    (void)state;
    assert_true(matches("a.test", &(pki_spec){.dns = {"b.test", "a.test"}}));
    assert_true(matches("192.0.2.1", &(pki_spec){.ip = {"192.0.2.1"}}));
    assert_true(matches("2001:db8::1", &(pki_spec){.ip = {"2001:db8::1"}}));
    /* Addresses match iPAddress entries only, and names dNSName entries only. */
    assert_false(matches("192.0.2.1", &(pki_spec){.dns = {"192.0.2.1"}}));
    assert_false(matches("192.0.2.1", &(pki_spec){.dns = {"*.0.2.1"}}));
    assert_false(matches("192.0.2.1", &(pki_spec){.ip = {"192.0.2.2"}}));
    assert_false(matches("192.0.2.1", &(pki_spec){.ip = {"::ffff:192.0.2.1"}}));
    /* The subject's common name never counts, with or without other names. */
    assert_false(matches("a.test", &(pki_spec){.cn = "a.test", .no_san = true}));
    assert_false(matches("a.test", &(pki_spec){.cn = "a.test", .email = "x@b.test"}));
    /* A NUL inside a name. */
    assert_false(matches(
        "a.test",
        &(pki_spec){.dns_raw = "a.test\0.evil.test", .dns_raw_len = 17, .dns = {"other.test"}}));
    /* Names that cannot be read are no names. */
    static const unsigned char broken[] = {0x30, 0x05, 0x82, 0x7f, 'a', 'b', 'c'};
    assert_false(
        matches("a.test",
                &(pki_spec){.no_san = true, .raw = {{"2.5.29.17", false, broken, sizeof broken}}}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_covers),       cmocka_unit_test(test_many_wildcards),
        cmocka_unit_test(test_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
