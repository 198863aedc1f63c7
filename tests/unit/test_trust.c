/* Reading trust anchors, and finding them by their subject. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"
#include "trust/cache.h"
#include "trust/der.h"
#include "trust/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pki_cert *one, *two;

static int make_certificates(void **state)
{
    (void)state;
    one = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=One", .is_ca = true}, NULL);
    two = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Two", .is_ca = true}, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    pki_free(one);
    pki_free(two);
    return 0;
}

static cinch_trust *with_text(const char *text, cinch_error *err)
{
    return cinch_trust_with_bytes(NULL, text, strlen(text), err);
}

static size_t count_found(cinch_trust *trust, const X509 *x)
{
    STACK_OF(X509) *found = cinch_trust_by_subject(trust, X509_get_subject_name(x));

    assert_non_null(found);
    size_t count = (size_t)sk_X509_num(found);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(X509_NAME_cmp(X509_get_subject_name(sk_X509_value(found, (int)i)),
                                       X509_get_subject_name(x)),
                         0);
    sk_X509_pop_free(found, X509_free);
    return count;
}

static size_t count_all(cinch_trust *trust)
{
    STACK_OF(X509) *all = cinch_trust_all(trust, NULL);

    assert_non_null(all);
    size_t count = (size_t)sk_X509_num(all);
    sk_X509_pop_free(all, X509_free);
    return count;
}

/* TEXT must be taken, as COUNT anchors, and ONE be among them. */
static void takes(const char *text, size_t count)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_trust *trust = with_text(text, &err);

    if (trust == NULL)
        fail_msg("%s: %s", err.what, err.evidence);
    assert_int_equal(count_all(trust), count);
    assert_int_equal(count_found(trust, one->cert), 1);
    cinch_trust_unref(trust);
}

/* SIZE bytes must be refused for CAUSE, in words that hold WORDS. */
static void refuses_bytes(const void *bytes, size_t size, cinch_cause cause, const char *words)
{
    cinch_error err = CINCH_ERROR_INIT;
    char text[4096];

    assert_null(cinch_trust_with_bytes(NULL, bytes, size, &err));
    cinch_error_print(&err, text, sizeof text);
    if (err.cause != cause || strstr(text, words) == NULL)
        fail_msg("expected %s with \"%s\", got %s", cinch_cause_name(cause), words, text);
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuses(const char *text, cinch_cause cause, const char *words)
{
    refuses_bytes(text, strlen(text), cause, words);
}

/* TEXT with the first FROM in it replaced by TO. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    assert_non_null(at);
    char *head = strndup(text, (size_t)(at - text));
    char *whole = pki_pem_concat(head, to, at + strlen(from), (char *)NULL);
    free(head);
    return whole;
}

/* TEXT with the line ends TO. */
static char *with_line_ends(const char *text, const char *to)
{
    char *out = calloc(strlen(text) * 3 + 1, 1);

    assert_non_null(out);
    for (char *at = out; *text != 0; text++) {
        const char piece[] = {*text, 0};
        const char *what = *text == '\n' ? to : piece;

        memcpy(at, what, strlen(what));
        at += strlen(what);
    }
    return out;
}

static void test_forms_of_pem(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    char *both = pki_pem_concat(a, b, (char *)NULL);
    char *text = pki_pem_concat("# anchors\r\n\n -----BEGIN nothing\nCN=x\n", a, "\nmore: text\n",
                                b, "the end", (char *)NULL);
    char *twice = pki_pem_concat(a, b, a, a, (char *)NULL);
    char *bom = pki_pem_concat("\xef\xbb\xbf", a, (char *)NULL);
    char *crlf = with_line_ends(both, "\r\n"), *blanks = with_line_ends(both, " \t\n\n");
    char *open_end = strndup(both, strlen(both) - 1);
    char *old_name = replaced(a, "BEGIN CERT", "BEGIN X509 CERT");
    char *old = replaced(old_name, "END CERT", "END X509 CERT");

    takes(a, 1);
    takes(both, 2);
    takes(text, 2);
    takes(twice, 2);
    takes(bom, 1);
    takes(crlf, 2);
    takes(blanks, 2);
    takes(open_end, 2);
    takes(old, 1);
    free(a), free(b), free(both), free(text), free(twice), free(bom), free(crlf), free(blanks);
    free(open_end), free(old_name), free(old);
}

static void test_all_on_one_line(void **state)
{
    (void)state;
    size_t size;
    unsigned char *der = pki_der_cert(one, &size);
    char *base64 = calloc(size * 2 + 4, 1);

    EVP_EncodeBlock((unsigned char *)base64, der, (int)size);
    char *pem = pki_pem_concat("-----BEGIN CERTIFICATE-----\n", base64,
                               "\n-----END CERTIFICATE-----\n", (char *)NULL);
    takes(pem, 1);
    /* One group less, one character less, one more, padding in the middle. */
    size_t length = strlen(base64);
    char *cut = strndup(base64, length - 1);
    char *bad = replaced(pem, base64, cut);
    refuses(bad, CINCH_CAUSE_BAD_CERTIFICATE, "line 1 of the trust anchors given in memory");
    free(cut), free(bad);
    cut = strndup(base64, length - 4);
    bad = replaced(pem, base64, cut);
    refuses(bad, CINCH_CAUSE_BAD_CERTIFICATE, "is no X.509 certificate");
    free(cut), free(bad);
    char *longer = pki_pem_concat(base64, "A", (char *)NULL);
    bad = replaced(pem, base64, longer);
    refuses(bad, CINCH_CAUSE_BAD_CERTIFICATE, "memory ");
    free(longer), free(bad);
    bad = strdup(pem);
    strstr(bad, "\nMII")[8] = '=';
    refuses(bad, CINCH_CAUSE_BAD_CERTIFICATE, "line 2 ");
    free(bad), free(pem), free(base64), free(der);
}

static void test_der(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    size_t a_size, b_size;
    unsigned char *a = pki_der_cert(one, &a_size), *b = pki_der_cert(two, &b_size);
    unsigned char *both = malloc(a_size + b_size);

    memcpy(both, a, a_size);
    memcpy(both + a_size, b, b_size);
    cinch_trust *trust = cinch_trust_with_bytes(NULL, a, a_size, &err);
    assert_int_equal(count_all(trust), 1);
    cinch_trust_unref(trust);
    trust = cinch_trust_with_bytes(NULL, both, a_size + b_size, &err);
    assert_int_equal(count_all(trust), 2);
    assert_int_equal(count_found(trust, two->cert), 1);
    cinch_trust_unref(trust);
    /* Cut anywhere, it is refused: the first as no certificate at all, the second as damage. */
    for (size_t size = 0; size < a_size + b_size; size++) {
        if (size == a_size)
            continue;
        cinch_error_clear(&err);
        assert_null(cinch_trust_with_bytes(NULL, both, size, &err));
        assert_int_equal(err.cause, size == 0       ? CINCH_CAUSE_NO_CERTIFICATE
                                    : size < a_size ? CINCH_CAUSE_NOT_PEM
                                                    : CINCH_CAUSE_BAD_CERTIFICATE);
    }
    free(a), free(b), free(both);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    char *both = pki_pem_concat(a, b, (char *)NULL);
    size_t whole = strlen(both);

    /* From the second BEGIN line on: never the first certificate alone. */
    for (size_t size = strlen(a) + strlen("-----BEGIN "); size < whole - 1; size++) {
        cinch_error err = CINCH_ERROR_INIT;

        assert_null(cinch_trust_with_bytes(NULL, both, size, &err));
        assert_int_equal(err.cause, CINCH_CAUSE_BAD_CERTIFICATE);
    }
    free(a), free(b), free(both);
}

static void test_damage(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    char *both = pki_pem_concat("# one line\n", a, b, (char *)NULL);
    const struct {
        const char *from, *to, *words;
    } damages[] = {
        {"-----END CERTIFICATE-----\n", "", "line 2 of"},
        {"-----END CERTIFICATE-----\n", "", "no END line"},
        {"-----END CERTIFICATE-----", "-----END X509 CRL-----", "another kind"},
        {"-----END CERTIFICATE-----", "-----END CERTIFICATE----", "no complete END line"},
        {"-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE----", "no complete BEGIN line"},
        {"-----BEGIN CERTIFICATE-----\n", "", "does not begin"},
        {"\nMII", "\nM\x01I", "line 3 of"},
        {"\nMII", "\nM*I", "cannot stand there"},
        {"\nMII", "\nProc-Type: 4,ENCRYPTED\n\nMII", "line 3 of"},
        {"\nMII", "\nMIIA", "line "},
        {"\nMII", "\nMIIAAAA", "is no X.509 certificate"},
        {"\nMII", "\nAAAAMII", "is no X.509 certificate"},
    };

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        char *bad = replaced(both, damages[i].from, damages[i].to);

        refuses(bad, CINCH_CAUSE_BAD_CERTIFICATE, damages[i].words);
        free(bad);
    }
    free(a), free(b), free(both);
}

static void test_private_keys(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one);
    char *keys[] = {pki_pem_key(one, NULL), pki_pem_key(one, "secret"),
                    pki_pem_key_traditional(one, NULL), pki_pem_key_traditional(one, "secret")};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *before = pki_pem_concat(keys[i], a, (char *)NULL);
        char *after = pki_pem_concat(a, keys[i], (char *)NULL);

        refuses(before, CINCH_CAUSE_KEY_WHERE_CERTIFICATE, "line 1 ");
        refuses(after, CINCH_CAUSE_KEY_WHERE_CERTIFICATE, "PRIVATE KEY\"");
        refuses(keys[i], CINCH_CAUSE_KEY_WHERE_CERTIFICATE, "only trust anchors belong");
        free(before), free(after), free(keys[i]);
    }
    free(a);
}

static void test_other_things(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *crl = pki_crl(one, NULL);
    char *with_crl = pki_pem_concat(crl, a, crl, (char *)NULL);
    unsigned char *der_key = NULL;
    int key_size = i2d_PrivateKey(one->key, &der_key);

    takes(with_crl, 1);
    refuses(crl, CINCH_CAUSE_NO_CERTIFICATE, "\"X509 CRL\"");
    refuses("", CINCH_CAUSE_NO_CERTIFICATE, "it is empty");
    refuses("hello, world\n", CINCH_CAUSE_NOT_PEM, "it begins with \"hello, world\"");
    refuses("0 s:CN = x\n", CINCH_CAUSE_NOT_PEM, "it begins with \"0 s:CN = x\"");
    refuses("\x1b[31mred", CINCH_CAUSE_NOT_PEM, "1b 5b 33 31");
    assert_true(key_size > 0);
    refuses_bytes(der_key, (size_t)key_size, CINCH_CAUSE_NOT_PEM, "30 ");
    char *half = replaced(with_crl, "-----END X509 CRL-----\n", "");
    refuses(half, CINCH_CAUSE_BAD_CERTIFICATE, "no END line");
    OPENSSL_free(der_key);
    free(a), free(crl), free(with_crl), free(half);
}

/* What stands in the file may be a secret: an error shows a glance of it, not the whole. */
static void test_no_secret_in_errors(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    char text[4096];

    assert_null(with_text("correct horse battery staple, my password\n", &err));
    cinch_error_print(&err, text, sizeof text);
    assert_null(strstr(text, "staple"));
}

static void test_null(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;

    assert_null(cinch_trust_with_bytes(NULL, NULL, 3, &err));
    assert_int_equal(err.category, CINCH_CATEGORY_USAGE);
    assert_null(cinch_trust_with_file(NULL, NULL, NULL));
    assert_null(cinch_trust_with_dir(NULL, NULL, NULL));
    assert_null(cinch_trust_all(NULL, NULL));
    assert_null(cinch_trust_store(NULL, NULL));
    assert_null(cinch_trust_of(NULL));
    cinch_trust_unref(NULL);
}

/* A certificate with the subject NAME, self-signed. */
static X509 *make_named(const X509_NAME *name)
{
    X509 *x = X509_dup(one->cert);

    assert_non_null(x);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    assert_int_equal(X509_set_issuer_name(x, name), 1);
    assert_true(X509_sign(x, one->key, EVP_sha256()) > 0);
    return x;
}

static cinch_trust *trust_in(X509 *x)
{
    unsigned char *der = NULL;
    int size = i2d_X509(x, &der);

    assert_true(size > 0);
    cinch_trust *trust = cinch_trust_with_bytes(NULL, der, (size_t)size, NULL);
    OPENSSL_free(der);
    return trust;
}

typedef struct spelling {
    int type;
    const char *bytes;
    int size;
} spelling;

static X509_NAME *spell(const spelling *value)
{
    X509_NAME *name = X509_NAME_new();

    assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_countryName, V_ASN1_PRINTABLESTRING,
                                                (const unsigned char *)"CH", -1, -1, 0),
                     1);
    /* No conversion: the type and bytes as they are. */
    X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(NULL, NID_commonName, V_ASN1_UTF8STRING,
                                                           (const unsigned char *)"x", 1);
    ASN1_STRING *string = X509_NAME_ENTRY_get_data(entry);
    ASN1_STRING *exact = ASN1_STRING_type_new(value->type);
    assert_int_equal(ASN1_STRING_set(exact, value->bytes, value->size), 1);
    assert_int_equal(ASN1_STRING_copy(string, exact), 1);
    assert_int_equal(X509_NAME_add_entry(name, entry, -1, 0), 1);
    ASN1_STRING_free(exact);
    X509_NAME_ENTRY_free(entry);
    /* Through DER, as a name comes from a peer. */
    unsigned char *der = NULL;
    int size = i2d_X509_NAME(name, &der);
    const unsigned char *at = der;
    X509_NAME *read = d2i_X509_NAME(NULL, &at, size);
    assert_non_null(read);
    OPENSSL_free(der);
    X509_NAME_free(name);
    return read;
}

/* Every pair that OpenSSL calls equal is found, the one as an anchor, the other as an issuer. */
static void test_canonical_names(void **state)
{
    (void)state;
    static const spelling spellings[] = {
        {V_ASN1_UTF8STRING, "Acme Root 1", 11},
        {V_ASN1_PRINTABLESTRING, "Acme Root 1", 11},
        {V_ASN1_PRINTABLESTRING, "ACME ROOT 1", 11},
        {V_ASN1_UTF8STRING, "  acme \t  root 1 ", 17},
        {V_ASN1_IA5STRING, "aCME rOOT 1", 11},
        {V_ASN1_T61STRING, "Acme Root 1", 11},
        {V_ASN1_BMPSTRING, "\0A\0c\0m\0e\0 \0R\0o\0o\0t\0 \0 \0001", 24},
        {V_ASN1_UNIVERSALSTRING,
         "\0\0\0a\0\0\0c\0\0\0m\0\0\0e\0\0\0 \0\0\0R\0\0\0o\0\0\0o\0\0\0t"
         "\0\0\0 \0\0\0001",
         44},
        {V_ASN1_UTF8STRING, "Acme Root 2", 11},
        {V_ASN1_UTF8STRING, "AcmeRoot1", 9},
        {V_ASN1_UTF8STRING, "Acme-Root-1", 11},
        {V_ASN1_UTF8STRING, "Acme Root 1\0", 12},
        {V_ASN1_NUMERICSTRING, "1", 1},
        {V_ASN1_UTF8STRING, "1", 1},
        {V_ASN1_UTF8STRING, "Acm\xc3\xa9", 5},
        {V_ASN1_T61STRING, "Acm\xe9", 4},
        {V_ASN1_BMPSTRING, "\0A\0c\0m\0\xe9", 8},
    };
    size_t count = sizeof spellings / sizeof spellings[0], equal = 0;

    for (size_t i = 0; i < count; i++) {
        X509_NAME *anchor_name = spell(&spellings[i]);
        X509 *anchor = make_named(anchor_name);
        cinch_trust *trust = trust_in(anchor);

        assert_non_null(trust);
        for (size_t k = 0; k < count; k++) {
            X509_NAME *name = spell(&spellings[k]);
            int same = X509_NAME_cmp(anchor_name, name) == 0;
            STACK_OF(X509) *found = cinch_trust_by_subject(trust, name);

            assert_non_null(found);
            if ((sk_X509_num(found) == 1) != same)
                fail_msg("spelling %zu as an anchor, %zu looked up: OpenSSL says %d", i, k, same);
            equal += same && i != k;
            sk_X509_pop_free(found, X509_free);
            X509_NAME_free(name);
        }
        cinch_trust_unref(trust);
        X509_free(anchor);
        X509_NAME_free(anchor_name);
    }
    /* 8 ways to write the first, 3 the last: the test would be worth little without them. */
    assert_int_equal(equal, 8 * 7 + 3 * 2);
}

static void add(X509_NAME *name, const char *field, const char *value, int set)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                                (const unsigned char *)value, -1, -1, set),
                     1);
}

/* In an RDN of several attributes their order does not count (X.690, 11.6 sorts them). */
static void test_order_in_rdn(void **state)
{
    (void)state;
    X509_NAME *a = X509_NAME_new(), *b = X509_NAME_new(), *c = X509_NAME_new();

    add(a, "O", "Acme", 0), add(a, "OU", "pki", -1), add(a, "CN", "R", 0);
    add(b, "OU", "PKI", 0), add(b, "O", "acme", -1), add(b, "CN", "r", 0);
    add(c, "OU", "PKI", 0), add(c, "O", "acme", 0), add(c, "CN", "r", 0);
    X509 *x = make_named(a);
    cinch_trust *trust = trust_in(x);
    X509_NAME *names[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        unsigned char *der = NULL;
        int size = i2d_X509_NAME(names[i], &der);
        uint64_t key;

        assert_int_equal(cinch_der_name_key(der, (size_t)size, &key), 1);
        assert_true(key == cinch_name_key(names[i]));
        STACK_OF(X509) *found = cinch_trust_by_subject(trust, names[i]);
        assert_int_equal(sk_X509_num(found), X509_NAME_cmp(names[i], a) == 0);
        sk_X509_pop_free(found, X509_free);
        OPENSSL_free(der);
    }
    for (size_t i = 0; i < 3; i++)
        X509_NAME_free(names[i]);
    cinch_trust_unref(trust);
    X509_free(x);
}

/* BER allows strings in pieces; OpenSSL takes them, and so the index has to. */
static void test_string_in_pieces(void **state)
{
    (void)state;
    static const unsigned char plain[] = {0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55,
                                          0x04, 0x03, 0x0c, 0x04, 'A',  'b',  'c',  'd'};
    static const unsigned char pieces[] = {0x30, 0x13, 0x31, 0x11, 0x30, 0x0f, 0x06,
                                           0x03, 0x55, 0x04, 0x03, 0x2c, 0x08, 0x0c,
                                           0x02, 'a',  'b',  0x0c, 0x02, 'C',  'd'};
    static const unsigned char nonsense[] = {0x30, 0x04, 0x31, 0x02, 0x05, 0x00};
    uint64_t a, b;

    assert_int_equal(cinch_der_name_key(plain, sizeof plain, &a), 1);
    assert_int_equal(cinch_der_name_key(pieces, sizeof pieces, &b), 1);
    assert_true(a == b);
    assert_int_equal(cinch_der_name_key(nonsense, sizeof nonsense, &b), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static void test_empty_subject(void **state)
{
    (void)state;
    X509_NAME *empty = X509_NAME_new();
    X509 *x = make_named(empty);
    cinch_trust *trust = trust_in(x);

    assert_non_null(trust);
    assert_int_equal(count_found(trust, x), 1);
    assert_int_equal(count_found(trust, one->cert), 0);
    cinch_trust_unref(trust);
    X509_free(x);
    X509_NAME_free(empty);
}

static void test_same_subject_other_key(void **state)
{
    (void)state;
    pki_cert *again =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=One", .is_ca = true}, NULL);
    char *a = pki_pem_cert(one), *b = pki_pem_cert(again);
    char *both = pki_pem_concat(a, b, a, (char *)NULL);
    cinch_trust *trust = with_text(both, NULL);

    assert_int_equal(count_found(trust, one->cert), 2);
    /* In the order of the file, and from two sources as well as from one. */
    STACK_OF(X509) *found = cinch_trust_by_subject(trust, X509_get_subject_name(one->cert));
    assert_int_equal(X509_cmp(sk_X509_value(found, 0), one->cert), 0);
    assert_int_equal(X509_cmp(sk_X509_value(found, 1), again->cert), 0);
    sk_X509_pop_free(found, X509_free);
    cinch_trust *more = cinch_trust_with_bytes(trust, b, strlen(b), NULL);
    assert_int_equal(count_found(more, one->cert), 2);
    assert_int_equal(count_all(more), 2);
    cinch_trust_unref(trust);
    cinch_trust_unref(more);
    pki_free(again);
    free(a), free(b), free(both);
}

/* What walks like a certificate and cannot be parsed is no anchor, and a list of all says so. */
static void test_unparsable(void **state)
{
    (void)state;
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;
    unsigned char *der = pki_der_cert(one, &size);
    unsigned char *key = NULL;

    /* The tag of the public key's algorithm: the walk does not look there. */
    for (size_t i = 0; i + 9 < size && key == NULL; i++)
        if (memcmp(der + i, "\x30\x13\x06\x07\x2a\x86\x48\xce\x3d", 9) == 0)
            key = der + i;
    assert_non_null(key);
    key[0] = 0x04;
    cinch_trust *trust = cinch_trust_with_bytes(NULL, der, size, &err);
    assert_non_null(trust);
    assert_int_equal(count_found(trust, one->cert), 0);
    assert_int_equal(ERR_peek_error(), 0);
    assert_null(cinch_trust_all(trust, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_CERTIFICATE);
    assert_non_null(strstr(err.what, "certificate 1 of"));
    cinch_trust_unref(trust);
    free(der);
}

static void test_digests(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    cinch_trust *sets[] = {with_text(a, NULL), with_text(a, NULL), with_text(b, NULL),
                           cinch_trust_with_bytes(NULL, a, strlen(a) - 1, NULL), NULL};
    unsigned char digests[5][32];

    sets[4] = cinch_trust_with_bytes(sets[0], b, strlen(b), NULL);
    for (size_t i = 0; i < 5; i++)
        cinch_trust_digest(sets[i], digests[i]);
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(memcmp(digests[i], digests[k], 32) == 0, i == 1 && k == 0);
    for (size_t i = 0; i < 5; i++)
        cinch_trust_unref(sets[i]);
    free(a), free(b);
}

/* Lesson 12: what is equal is shared, down to the parsed certificate; what differs never is. */
static void test_sharing(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    cinch_trust *first = with_text(a, NULL), *second = with_text(a, NULL);
    cinch_trust *other = with_text(b, NULL);
    STACK_OF(X509) *x = cinch_trust_all(first, NULL), *y = cinch_trust_all(second, NULL);

    assert_ptr_equal(sk_X509_value(x, 0), sk_X509_value(y, 0));
    assert_int_equal(count_found(other, one->cert), 0);
    assert_int_equal(count_found(first, two->cert), 0);
    sk_X509_pop_free(x, X509_free);
    sk_X509_pop_free(y, X509_free);
    cinch_trust_unref(first);
    assert_int_equal(count_found(second, one->cert), 1);
    cinch_trust_unref(second);
    cinch_trust_unref(other);
    free(a), free(b);
}

static void test_many(void **state)
{
    (void)state;
    size_t size, count = 2000;
    unsigned char *der = pki_der_cert(one, &size), *all = malloc(size * count);

    /* Different in the last bytes of the signature only. */
    for (size_t i = 0; i < count; i++) {
        memcpy(all + i * size, der, size);
        all[i * size + size - 2] = (unsigned char)(i >> 8);
        all[i * size + size - 1] = (unsigned char)i;
    }
    cinch_trust *trust = cinch_trust_with_bytes(NULL, all, size * count, NULL);
    assert_non_null(trust);
    assert_int_equal(count_found(trust, one->cert), count);
    cinch_trust_unref(trust);
    free(der), free(all);
}

static void test_describe(void **state)
{
    (void)state;
    char *a = pki_pem_cert(one), *b = pki_pem_cert(two);
    char *both = pki_pem_concat(a, b, (char *)NULL), buf[64];
    cinch_trust *trust = with_text(a, NULL);
    cinch_trust *more = cinch_trust_with_bytes(trust, both, strlen(both), NULL);

    assert_string_equal(cinch_trust_describe(more, buf, sizeof buf),
                        "memory (1 anchor), memory (2 anchors)");
    assert_string_equal(cinch_trust_describe(more, buf, 8), "memory ");
    assert_string_equal(cinch_trust_describe(more, buf, 20), "memory (1 anchor), ");
    assert_string_equal(cinch_trust_describe(more, buf, 1), "");
    cinch_trust_unref(trust);
    cinch_trust_unref(more);
    free(a), free(b), free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_pem),  cmocka_unit_test(test_all_on_one_line),
        cmocka_unit_test(test_der),           cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_private_keys),
        cmocka_unit_test(test_other_things),  cmocka_unit_test(test_no_secret_in_errors),
        cmocka_unit_test(test_null),          cmocka_unit_test(test_canonical_names),
        cmocka_unit_test(test_order_in_rdn),  cmocka_unit_test(test_string_in_pieces),
        cmocka_unit_test(test_empty_subject), cmocka_unit_test(test_same_subject_other_key),
        cmocka_unit_test(test_unparsable),    cmocka_unit_test(test_digests),
        cmocka_unit_test(test_sharing),       cmocka_unit_test(test_many),
        cmocka_unit_test(test_describe),
    };

    return cmocka_run_group_tests_name("trust", tests, make_certificates, free_certificates);
}
