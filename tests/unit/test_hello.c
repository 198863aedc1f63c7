/* A ClientHello taken apart for explanations: every cut of one, and lists made fit for reading. */
#include "conn/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* TLS 1.3 with GREASE, two suites, versions, groups, signature algorithms and ALPN. */
static const unsigned char hello[] = {
    1,    0,    0,    109, /* client_hello, length */
    3,    3,               /* legacy_version */
    0,    1,    2,    3,    4,    5,    6,    7,    8,  9, 10,  11,  12, 13,  14,  15, /* random */
    0,    1,    2,    3,    4,    5,    6,    7,    8,  9, 10,  11,  12, 13,  14,  15,
    0,                                                     /* session id */
    0,    6,    0x0a, 0x0a, 0x13, 0x01, 0xc0, 0x2b, 1,  0, /* compression */
    0,    62,                                              /* extensions */
    0x1a, 0x1a, 0,    0,                                   /* GREASE */
    0,    43,   0,    7,    6,    0x3a, 0x3a, 3,    4,  3, 3,   0,   10, 0,   8,   0,
    6,    0x11, 0xec, 0,    0x1d, 0,    0x17, 0,    13, 0, 8,   0,   6,  4,   3,   8,
    4,    0xfe, 0xfe, 0,    16,   0,    14,   0,    12, 2, 'h', '2', 8,  'h', 't', 't',
    'p',  '/',  '1',  '.',  '1',  0x7a, 0x7a, 0,    1,  0, /* GREASE */
};

static void test_parse(void **state)
{
    cinch_hello h;
    char text[200];

    (void)state;
    assert_int_equal(sizeof hello, 113);
    assert_true(cinch_hello_parse(&h, hello, sizeof hello));
    assert_int_equal(h.legacy_version, 0x0303);
    assert_int_equal(h.ciphers.size, 6);
    assert_true(cinch_hello_has(h.ciphers, 0x1301));
    assert_false(cinch_hello_has(h.ciphers, 0x0113));
    assert_string_equal(cinch_hello_versions(&h, text, sizeof text), "TLS 1.3, TLS 1.2");
    assert_string_equal(cinch_hello_groups(h.groups, text, sizeof text),
                        "X25519MLKEM768, X25519, P-256");
    assert_string_equal(cinch_hello_sigalgs(h.sigalgs, text, sizeof text),
                        "ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, 0xfefe");
    assert_int_equal(h.alpn.size, 12);
}

/* Cut anywhere, in memory of that size; every byte changed: never beyond the end. */
static void test_cut(void **state)
{
    cinch_hello h;

    (void)state;
    for (size_t size = 0; size < sizeof hello; size++) {
        unsigned char *copy = malloc(size > 0 ? size : 1);

        memcpy(copy, hello, size);
        assert_false(cinch_hello_parse(&h, copy, size));
        free(copy);
    }
    for (size_t at = 0; at < sizeof hello; at++)
        for (int value = 0; value < 256; value += 51) {
            unsigned char *copy = malloc(sizeof hello);
            char text[64];

            memcpy(copy, hello, sizeof hello);
            copy[at] = (unsigned char)value;
            if (cinch_hello_parse(&h, copy, sizeof hello)) {
                (void)cinch_hello_versions(&h, text, sizeof text);
                (void)cinch_hello_groups(h.groups, text, sizeof text);
                (void)cinch_hello_sigalgs(h.sigalgs, text, sizeof text);
                (void)cinch_hello_has(h.ciphers, 0x1301);
            }
            free(copy);
        }
}

static void test_lists(void **state)
{
    unsigned char many[400], odd[] = {0, 0x1d, 0};
    cinch_span span = {many, sizeof many};
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof many; i += 2) {
        many[i] = 0;
        many[i + 1] = 0x1d;
    }
    (void)cinch_hello_groups(span, text, sizeof text);
    assert_non_null(strstr(text, "X25519, X25519"));
    assert_non_null(strstr(text, " and 186 more"));
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, '#', sizeof text);
        (void)cinch_hello_groups(span, text, size);
        assert_true(strlen(text) < size);
        assert_int_equal(text[size], '#');
    }
    assert_string_equal(cinch_hello_groups((cinch_span){odd, sizeof odd}, text, sizeof text),
                        "X25519");
    assert_string_equal(cinch_hello_groups((cinch_span){NULL, 0}, text, sizeof text), "");
}

static void test_versions(void **state)
{
    cinch_hello old = {.legacy_version = 0x0301}, strange = {.legacy_version = 0x7f1c};
    char text[64], number[16];

    (void)state;
    assert_string_equal(cinch_hello_versions(&old, text, sizeof text), "TLS 1.0 and older");
    assert_string_equal(cinch_hello_versions(&strange, text, sizeof text), "0x7f1c and older");
    assert_string_equal(cinch_version_text(0x0304, number), "TLS 1.3");
    assert_string_equal(cinch_version_text(0x0a0a, number), "0x0a0a");
    assert_string_equal(cinch_version_text(-1, number), "0xffffffff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
