/* Certificates as plain data: what is right is told exactly, what is hostile is told harmlessly. */
#include "base/certificate.h"
#include "pki.h"

#include <cinch/certificate.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/sha.h>

static cinch_certificate *describe(const pki_cert *cert)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;
    unsigned char *der = pki_der_cert(cert, &size);
    cinch_certificate *c = cinch_certificate_der(der, size, &err);

    if (c == NULL)
        (void)cinch_error_report(&err, stderr);
    assert_non_null(c);
    assert_int_equal(c->der_size, size);
    assert_memory_equal(c->der, der, size);
    assert_int_equal(ERR_peek_error(), 0);
    free(der);
    return c;
}

static cinch_certificate *make(const pki_spec *spec)
{
    pki_cert *cert = pki_make(spec, NULL);
    cinch_certificate *c = describe(cert);

    pki_free(cert);
    return c;
}

static void check_name(const cinch_certificate *c, size_t i, cinch_name_kind kind, const char *text)
{
    assert_true(i < c->name_count);
    assert_int_equal(c->names[i].kind, kind);
    assert_string_equal(c->names[i].text, text);
}

static void test_fields(void **state)
{
    pki_cert *root = pki_make(&(pki_spec){.subject = "/O=A\\/B/CN=Root, the", .is_ca = true}, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.subject = "/O=X/CN=one/CN=two",
                                          .dns = {"b.test", "*.a.test"},
                                          .ip = {"192.0.2.1", "2001:db8::1"},
                                          .email = "x@y.test",
                                          .uri = "spiffe://y.test/z",
                                          .serial = "01ff",
                                          .aia_ca_issuers = "http://ca.test/i.der"},
                              root);
    unsigned char digest[32];

    (void)state;
    cinch_certificate *c = describe(leaf);
    assert_string_equal(c->subject, "CN=two,CN=one,O=X");
    assert_string_equal(c->issuer, "CN=Root\\, the,O=A/B");
    assert_string_equal(c->common_name, "two");
    assert_string_equal(c->serial, "01ff");
    assert_int_equal(c->version, 3);
    assert_int_equal(c->not_after - c->not_before, 90 * 86400 + 3600);
    assert_false(c->is_ca);
    assert_false(c->is_self_issued);
    assert_string_equal(c->key_type, "EC");
    assert_string_equal(c->key_group, "P-256");
    assert_int_equal(c->key_bits, 256);
    assert_string_equal(c->signature_algorithm, "ecdsa-with-SHA256");
    assert_string_equal(c->issuer_url, "http://ca.test/i.der");
    assert_string_equal(c->ocsp_url, "");
    assert_int_equal(c->name_count, 6);
    check_name(c, 0, CINCH_NAME_DNS, "b.test");
    check_name(c, 1, CINCH_NAME_DNS, "*.a.test");
    SHA256(c->der, c->der_size, digest);
    assert_memory_equal(c->sha256, digest, sizeof digest);
    cinch_certificate_free(c);

    c = describe(root);
    assert_true(c->is_ca);
    assert_true(c->is_self_issued);
    assert_int_equal(c->name_count, 0);
    cinch_certificate_free(c);
    pki_free(leaf);
    pki_free(root);
}

static void test_keys(void **state)
{
    static const struct {
        pki_key_type type;
        const char *name, *group;
        int bits;
    } table[] = {
        {PKI_KEY_P256, "EC", "P-256", 256},
        {PKI_KEY_P384, "EC", "P-384", 384},
        {PKI_KEY_RSA, "RSA", "", 2048},
        {PKI_KEY_ED25519, "ED25519", "", 256},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        cinch_certificate *c = make(&(pki_spec){.key_type = table[i].type});

        assert_string_equal(c->key_type, table[i].name);
        assert_string_equal(c->key_group, table[i].group);
        assert_int_equal(c->key_bits, table[i].bits);
        cinch_certificate_free(c);
    }
}

/* The same text as OpenSSL's, and nothing behind the room given. */
static void test_pem(void **state)
{
    /* Names of different lengths, so that the last line has every length. */
    (void)state;
    for (size_t extra = 0; extra < 50; extra++) {
        char name[80] = "a";

        memset(name, 'a', 1 + extra);
        pki_cert *cert = pki_make(&(pki_spec){.cn = "x", .dns = {name}}, NULL);
        cinch_certificate *c = describe(cert);
        char *expected = pki_pem_cert(cert), *buf = malloc(4096);
        size_t length = strlen(expected);

        assert_int_equal(cinch_certificate_pem(c, NULL, 0), length);
        assert_int_equal(cinch_certificate_pem(c, buf, 4096), length);
        assert_string_equal(buf, expected);
        for (size_t size = 1; size <= length + 1; size += extra == 0 ? 1 : 97) {
            memset(buf, '#', 4096);
            assert_int_equal(cinch_certificate_pem(c, buf, size), length);
            assert_int_equal(strlen(buf), size - 1);
            assert_memory_equal(buf, expected, size - 1);
            assert_int_equal(buf[size], '#');
        }
        free(expected);
        free(buf);
        cinch_certificate_free(c);
        pki_free(cert);
    }
}

static void test_hostile_texts(void **state)
{
    (void)state;
    cinch_certificate *c = make(&(pki_spec){.cn = "good.test\0.evil.test",
                                            .cn_len = 20,
                                            .dns_raw = "good.test\0.evil.test",
                                            .dns_raw_len = 20});
    assert_string_equal(c->common_name, "good.test\\x00.evil.test");
    assert_int_equal(c->name_count, 1);
    check_name(c, 0, CINCH_NAME_DNS, "good.test\\x00.evil.test");
    assert_null(strchr(c->subject, '\n'));
    cinch_certificate_free(c);

    c = make(
        &(pki_spec){.cn = "\x1b[2J\nerror: x", .dns_raw = "\xff\xfe\n\x1b]", .dns_raw_len = 5});
    assert_null(strpbrk(c->subject, "\n\x1b"));
    assert_null(strpbrk(c->common_name, "\n\x1b"));
    check_name(c, 0, CINCH_NAME_DNS, "\\xff\\xfe\\x0a\\x1b]");
    cinch_certificate_free(c);

    c = make(&(pki_spec){.empty_subject = true, .no_san = true});
    assert_string_equal(c->subject, "");
    assert_string_equal(c->common_name, "");
    assert_int_equal(c->name_count, 0);
    cinch_certificate_free(c);
}

/* A subject alternative name as bytes: how many entries are told, of which kind, and as what. */
static void test_hostile_names(void **state)
{
    static const unsigned char empty[] = {0x30, 0x00};
    static const unsigned char cut[] = {0x30, 0x05, 0x82, 0x7f, 'a', 'b', 'c'};
    static const unsigned char no_sequence[] = {0x04, 0x02, 0x82, 0x00};
    static const unsigned char empty_dns[] = {0x30, 0x02, 0x82, 0x00};
    static const unsigned char odd_ip[] = {0x30, 0x05, 0x87, 0x03, 1, 2, 3};
    static const unsigned char empty_ip[] = {0x30, 0x02, 0x87, 0x00};
    static const unsigned char oid[] = {0x30, 0x05, 0x88, 0x03, 0x2a, 0x03, 0x04};
    static const unsigned char huge[] = {0x30, 0x84, 0xff, 0xff, 0xff, 0xff};
    static const struct {
        const unsigned char *der;
        size_t size;
        size_t count;
        cinch_name_kind kind;
        const char *text;
    } table[] = {
        {empty, sizeof empty, 0, CINCH_NAME_DNS, NULL},
        {cut, sizeof cut, 0, CINCH_NAME_DNS, NULL},
        {no_sequence, sizeof no_sequence, 0, CINCH_NAME_DNS, NULL},
        {empty_dns, sizeof empty_dns, 1, CINCH_NAME_DNS, ""},
        {odd_ip, sizeof odd_ip, 1, CINCH_NAME_IP, "address of 3 bytes"},
        {empty_ip, sizeof empty_ip, 1, CINCH_NAME_IP, "address of 0 bytes"},
        {oid, sizeof oid, 1, CINCH_NAME_OTHER, "1.2.3.4"},
        {huge, sizeof huge, 0, CINCH_NAME_DNS, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        cinch_certificate *c = make(&(pki_spec){
            .no_san = true, .raw = {{"2.5.29.17", false, table[i].der, table[i].size}}});

        assert_int_equal(c->name_count, table[i].count);
        if (table[i].count > 0)
            check_name(c, 0, table[i].kind, table[i].text);
        cinch_certificate_free(c);
    }
}

/* Broken extensions elsewhere: told as if they were not there. */
static void test_hostile_extensions(void **state)
{
    static const unsigned char junk[] = {0x30, 0x82, 0x01, 0x00, 0xff};
    static const char *const oids[] = {"2.5.29.19", "1.3.6.1.5.5.7.1.1", "2.5.29.37", "2.5.29.31",
                                       "2.5.29.35"};

    (void)state;
    for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++) {
        cinch_certificate *c = make(&(pki_spec){.no_basic_constraints = true,
                                                .no_eku = true,
                                                .no_aki = true,
                                                .raw = {{oids[i], true, junk, sizeof junk}}});

        assert_false(c->is_ca);
        assert_string_equal(c->issuer_url, "");
        cinch_certificate_free(c);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *given, *told;
    } serials[] = {{"00", "00"}, {"-01", "-01"}, {"7f", "7f"}, {"80", "80"}};

    (void)state;
    for (size_t i = 0; i < sizeof serials / sizeof serials[0]; i++) {
        cinch_certificate *c = make(&(pki_spec){.serial = serials[i].given});

        assert_string_equal(c->serial, serials[i].told);
        cinch_certificate_free(c);
    }
    for (int version = 1; version <= 3; version++) {
        cinch_certificate *c = make(&(pki_spec){.version = version});

        assert_int_equal(c->version, version);
        cinch_certificate_free(c);
    }
}

/* Every prefix of a certificate, a byte too many, no bytes: none of these is one. */
static void test_not_one(void **state)
{
    pki_cert *cert = pki_make(&(pki_spec){.cn = "x"}, NULL);
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;
    unsigned char *der = pki_der_cert(cert, &size);
    unsigned char *more = malloc(size + 1);

    (void)state;
    memcpy(more, der, size);
    more[size] = 0;
    for (size_t n = 0; n <= size + 1; n++) {
        /* A copy of that size, for the sanitizer to see where it ends. */
        unsigned char *copy = malloc(n > 0 ? n : 1);

        memcpy(copy, more, n);
        cinch_certificate *c = cinch_certificate_der(copy, n, &err);
        assert_int_equal(c != NULL, n == size);
        assert_int_equal(err.cause, n == size ? CINCH_CAUSE_NONE : CINCH_CAUSE_BAD_CERTIFICATE);
        assert_int_equal(ERR_peek_error(), 0);
        cinch_error_clear(&err);
        cinch_certificate_free(c);
        free(copy);
    }
    assert_null(cinch_certificate_der(der, SIZE_MAX, &err));
    free(der);
    free(more);
    pki_free(cert);
}

/* A list of names in an error: as many as asked for, cut where the room ends. */
static void test_list_of_names(void **state)
{
    pki_cert *cert = pki_make(
        &(pki_spec){.dns = {"a.test", "b.test", "c.test"}, .email = "x@y.test", .ip = {"::1"}},
        NULL);
    char buf[128];

    (void)state;
    assert_string_equal(cinch_x509_names(cert->cert, buf, sizeof buf, 2),
                        "a.test, b.test and 3 more");
    for (size_t size = 1; size < sizeof buf; size++) {
        memset(buf, '#', sizeof buf);
        cinch_x509_names(cert->cert, buf, size, 9);
        assert_true(strlen(buf) < size);
        assert_int_equal(buf[size], '#');
    }
    pki_free(cert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_pem),           cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_hostile_extensions),
        cmocka_unit_test(test_numbers),       cmocka_unit_test(test_not_one),
        cmocka_unit_test(test_list_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
