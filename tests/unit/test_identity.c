/* Every cause that reading an identity can end with, by causing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cinch/identity.h>

#include "pki.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pki_family *family;
static char *dir;
static char good_pem[8192], good_key[2048], good_cert[4096], locked_key[2048];

static void keep(char *to, size_t size, char *text)
{
    assert_true(strlen(text) < size);
    memcpy(to, text, strlen(text) + 1);
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    dir = pki_tmpdir();
    keep(good_key, sizeof good_key, pki_pem_key(family->good, NULL));
    keep(locked_key, sizeof locked_key, pki_pem_key(family->good, "secret"));
    keep(good_cert, sizeof good_cert,
         pki_pem_chain((const pki_cert *[]){family->good, family->intermediate}, 2));
    keep(good_pem, sizeof good_pem, pki_pem_concat(good_key, good_cert, (char *)NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    pki_rmtree(dir);
    return 0;
}

/* What is in ERR: the cause, and TEXT somewhere in what a person reads. */
static void expect(const cinch_error *err, cinch_cause cause, const char *text)
{
    char all[4096];

    cinch_error_print(err, all, sizeof all);
    if (err->cause != cause || strstr(all, text) == NULL)
        fail_msg("wanted %s with \"%s\", got %s:\n%s", cinch_cause_name(cause), text,
                 cinch_cause_name(err->cause), all);
    assert_int_equal(err->status, CINCH_FAILED);
    assert_true(err->remedy[0] != 0);
    assert_true(ERR_peek_error() == 0);
}

static void load_fails(const cinch_identity_source *source, cinch_cause cause, const char *text)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_identity_load(source, &err) != NULL)
        fail_msg("loaded, wanted %s with \"%s\"", cinch_cause_name(cause), text);
    expect(&err, cause, text);
    /* Without anybody to tell it to, it fails all the same. */
    assert_null(cinch_identity_load(source, NULL));
}

static void pem_fails(const char *pem, size_t size, cinch_cause cause, const char *text)
{
    load_fails(&(cinch_identity_source){.pem = pem, .pem_size = size}, cause, text);
}

static cinch_identity *loads(const cinch_identity_source *source)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = cinch_identity_load(source, &err);

    if (identity == NULL) {
        cinch_error_report(&err, stderr);
        fail();
    }
    assert_int_equal(err.status, CINCH_OK);
    assert_true(ERR_peek_error() == 0);
    return identity;
}

static void good_file_loads(void **state)
{
    char *path = pki_path(dir, "good", ".pem");
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_true(pki_write(path, good_pem, 0600));
    cinch_identity *identity = cinch_identity_file(path, NULL, &err);
    assert_non_null(identity);
    assert_string_equal(cinch_identity_certificate(identity, 1)->common_name,
                        "Cinch Test Intermediate");
    assert_int_equal(cinch_identity_certificate(identity, 0)->is_ca, 0);
    assert_null(cinch_identity_certificate(identity, 2));
    cinch_identity_free(identity);
    free(path);
}

static void unreadable_file(void **state)
{
    (void)state;
    load_fails(&(cinch_identity_source){.file = "/nonexistent/site.pem"},
               CINCH_CAUSE_FILE_UNREADABLE, "/nonexistent/site.pem");
    load_fails(&(cinch_identity_source){.file = dir}, CINCH_CAUSE_FILE_UNREADABLE, "directory");
    load_fails(&(cinch_identity_source){.pem = good_cert,
                                        .pem_size = strlen(good_cert),
                                        .key_file = "/nonexistent/key.pem"},
               CINCH_CAUSE_FILE_UNREADABLE, "/nonexistent/key.pem");
}

static void not_pem(void **state)
{
    size_t size;
    unsigned char *der = pki_der_cert(family->good, &size);

    (void)state;
    pem_fails((char *)der, size, CINCH_CAUSE_NOT_PEM, "a certificate in DER");
    pem_fails((char *)der, size, CINCH_CAUSE_NOT_PEM, "openssl x509 -inform DER");
    free(der);
    der = pki_pkcs12(family->good, NULL, 0, "x", &size);
    pem_fails((char *)der, size, CINCH_CAUSE_NOT_PEM, "cinch_identity_pkcs12()");
    free(der);
    unsigned char *key = NULL;
    int length = i2d_PrivateKey(family->good->key, &key);
    assert_true(length > 0);
    pem_fails((char *)key, (size_t)length, CINCH_CAUSE_NOT_PEM, "a private key in DER");
    OPENSSL_free(key);
    pem_fails("hello, world", 12, CINCH_CAUSE_NOT_PEM, "beginning with \"hello, world\"");
    pem_fails("\x01\x02\x03\x04", 4, CINCH_CAUSE_NOT_PEM, "01 02 03 04");
    pem_fails("", 0, CINCH_CAUSE_NOT_PEM, "is empty");
    pem_fails("\xff\xfe-\0-\0", 6, CINCH_CAUSE_NOT_PEM, "UTF-16");
    pem_fails("MIIBszCCAVk", 11, CINCH_CAUSE_NOT_PEM, "base64 without the lines");
}

static void one_in_place_of_the_other(void **state)
{
    size_t key_size = strlen(good_key), cert_size = strlen(good_cert);

    (void)state;
    load_fails(
        &(cinch_identity_source){
            .pem = good_key, .pem_size = key_size, .key_pem = good_key, .key_pem_size = key_size},
        CINCH_CAUSE_KEY_WHERE_CERTIFICATE, "the PEM in memory holds a private key");
    load_fails(&(cinch_identity_source){.pem = good_cert,
                                        .pem_size = cert_size,
                                        .key_pem = good_cert,
                                        .key_pem_size = cert_size},
               CINCH_CAUSE_CERTIFICATE_WHERE_KEY, "the key in memory holds a certificate");
    pem_fails(good_key, key_size, CINCH_CAUSE_NO_CERTIFICATE, "only a private key");
    pem_fails(good_cert, cert_size, CINCH_CAUSE_NO_KEY, "only certificates");
}

static void nothing_of_use(void **state)
{
    static const char request[] = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n"
                                  "-----END CERTIFICATE REQUEST-----\n";
    static const char other[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                                "-----END EC PARAMETERS-----\n";

    (void)state;
    pem_fails(request, strlen(request), CINCH_CAUSE_NO_CERTIFICATE,
              "goes to a certificate authority");
    pem_fails(other, strlen(other), CINCH_CAUSE_NO_CERTIFICATE, "EC PARAMETERS (line 1)");
    load_fails(&(cinch_identity_source){.pem = good_cert,
                                        .pem_size = strlen(good_cert),
                                        .key_pem = other,
                                        .key_pem_size = strlen(other)},
               CINCH_CAUSE_NO_KEY, "EC PARAMETERS (line 1)");
}

/* Runs CHANGE over a copy of the good PEM. */
static void damaged(const char *from, size_t cut, const char *find, const char *put,
                    cinch_cause cause, const char *text)
{
    char copy[8192];
    size_t size = strlen(from);

    memcpy(copy, from, size + 1);
    if (find != NULL) {
        char *at = strstr(copy, find);

        assert_non_null(at);
        memcpy(at, put, strlen(put));
    }
    size -= cut;
    copy[size] = 0;
    pem_fails(copy, size, cause, text);
}

static void damaged_blocks(void **state)
{
    (void)state;
    /* Cut off: in the last END line, and in the middle of the base64. */
    damaged(good_pem, 10, NULL, NULL, CINCH_CAUSE_BAD_CERTIFICATE, "END line");
    damaged(good_pem, 300, NULL, NULL, CINCH_CAUSE_BAD_CERTIFICATE, "the text ends before");
    damaged(good_key, 60, NULL, NULL, CINCH_CAUSE_BAD_KEY, "the text ends before");
    damaged(good_pem, 0, "-----END PRIVATE KEY", "----- end private key", CINCH_CAUSE_BAD_KEY,
            "the next block begins before its END line");
    damaged(good_pem, 0, "-----END PRIVATE KEY-----", "-----END CERTIFICAT----- ",
            CINCH_CAUSE_BAD_KEY, "names something else");
    damaged(good_pem, 0, "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE---- ",
            CINCH_CAUSE_BAD_CERTIFICATE, "BEGIN is not as it has to be");
    damaged(good_pem, 0, "-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nM!I",
            CINCH_CAUSE_BAD_CERTIFICATE, "the damage is in line 7");
    damaged(good_pem, 0, "-----BEGIN CERTIFICATE-----\nMII", "-----BEGIN CERTIFICATE-----\nAII",
            CINCH_CAUSE_BAD_CERTIFICATE, "not a certificate");
    damaged(good_pem, 0, "-----BEGIN PRIVATE KEY-----\nMIG", "-----BEGIN PRIVATE KEY-----\nMIF",
            CINCH_CAUSE_BAD_KEY, "block 1 of the PEM in memory (PRIVATE KEY) begins in line 1");
}

static void damage_in_base64(void **state)
{
    static const char *const bodies[][2] = {
        {"", "nothing is in it"},
        {"MIIB\nMI", "characters are missing"},
        {"MII=\nMIIB", "does not belong"},
        {"M===", "characters are missing"},
        {"Proc-Type: 4,ENCRYPTED", "header lines do not end"},
        {"MIIBAAA=", "260 bytes long, and 5 are there"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char *pem = pki_pem_concat("-----BEGIN CERTIFICATE-----\n", bodies[i][0],
                                   "\n-----END CERTIFICATE-----\n", (char *)NULL);
        pem_fails(pem, strlen(pem), CINCH_CAUSE_BAD_CERTIFICATE, bodies[i][1]);
        free(pem);
    }
}

/* The private number is changed, the public key beside it is not: only a signature shows it. */
static void a_key_that_does_not_fit_itself(void **state)
{
    unsigned char *der = NULL;
    int size = i2d_PrivateKey(family->good->key, &der);
    char *base64, *pem;

    (void)state;
    assert_true(size > 20);
    der[12] ^= 1;
    base64 = malloc((size_t)size * 2 + 8);
    EVP_EncodeBlock((unsigned char *)base64, der, size);
    pem = pki_pem_concat("-----BEGIN EC PRIVATE KEY-----\n", base64,
                         "\n-----END EC PRIVATE KEY-----\n", good_cert, (char *)NULL);
    pem_fails(pem, strlen(pem), CINCH_CAUSE_BAD_KEY, "no valid signatures");
    free(pem);
    free(base64);
    OPENSSL_free(der);
}

static void keys_of_other_programs(void **state)
{
    static const char ssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n"
                              "-----END OPENSSH PRIVATE KEY-----\n";

    (void)state;
    pem_fails(ssh, strlen(ssh), CINCH_CAUSE_BAD_KEY, "ssh-keygen");
}

static int calls;

static int give(char *buf, size_t size, const char *what, void *arg)
{
    const char *password = arg;

    calls++;
    assert_true(strstr(what, "memory") != NULL);
    if (password == NULL)
        return -1;
    assert_true(strlen(password) <= size);
    memcpy(buf, password, strlen(password));
    return (int)strlen(password);
}

static int give_too_much(char *buf, size_t size, const char *what, void *arg)
{
    (void)buf;
    (void)what;
    (void)arg;
    return (int)size + 1;
}

static void passwords(void **state)
{
    char *pem = pki_pem_concat(good_cert, locked_key, locked_key, (char *)NULL);
    cinch_identity_source source = {.pem = pem, .pem_size = strlen(pem)};
    char longest[1026] = {0};

    (void)state;
    load_fails(&source, CINCH_CAUSE_PASSWORD_MISSING, "no password was given");
    source.password = "wrong";
    load_fails(&source, CINCH_CAUSE_PASSWORD_WRONG, "PBKDF2 with 2048 rounds");
    source.password = "";
    load_fails(&source, CINCH_CAUSE_PASSWORD_WRONG, "AES-256-CBC");
    memset(longest, 'x', sizeof longest - 1);
    source.password = longest;
    load_fails(&source, CINCH_CAUSE_MISUSE, "1025 bytes long");
    source.password = "secret";
    cinch_identity_free(loads(&source));

    source.ask = give;
    load_fails(&source, CINCH_CAUSE_MISUSE, "both `password` and `ask`");
    source.password = NULL;
    calls = 0;
    load_fails(&source, CINCH_CAUSE_PASSWORD_MISSING, "gave no password");
    assert_int_equal(calls, 2); /* once for each of the two attempts */
    source.ask_arg = (char[]){"wrong"};
    load_fails(&source, CINCH_CAUSE_PASSWORD_WRONG, "a damaged key would look the same");
    source.ask_arg = (char[]){"secret"};
    calls = 0;
    cinch_identity_free(loads(&source));
    assert_int_equal(calls, 1); /* two blocks are locked */
    source.ask = give_too_much;
    load_fails(&source, CINCH_CAUSE_MISUSE, "1025 bytes into a buffer of 1024");
    free(pem);
}

static void traditional_passwords(void **state)
{
    char *key = pki_pem_key_traditional(family->good, "secret");
    char *pem = pki_pem_concat(good_cert, key, (char *)NULL);
    cinch_identity_source source = {.pem = pem, .pem_size = strlen(pem)};

    (void)state;
    load_fails(&source, CINCH_CAUSE_PASSWORD_MISSING, "no password was given");
    /* One in 256 wrong passwords makes good padding; none may pass for the right one. */
    for (int i = 0; i < 600; i++) {
        char password[24];

        snprintf(password, sizeof password, "wrong %d", i);
        source.password = password;
        load_fails(&source, CINCH_CAUSE_PASSWORD_WRONG, "EC PRIVATE KEY");
    }
    source.password = "secret";
    cinch_identity_free(loads(&source));
    free(key);
    free(pem);
}

static void work_is_bounded(void **state)
{
    /* An encrypted key whose PBKDF2 asks for 0x7fffffff rounds (the other bytes do not matter). */
    static const char costly[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MGEwSwYJKoZIhvcNAQUNMD4wHQYJKoZIhvcNAQUMMBAECAECAwQFBgcIAgR/////\n"
        "MB0GCWCGSAFlAwQBKgQQAAECAwQFBgcICQoLDA0ODwQSAAAAAAAAAAAAAAAAAAAA\n"
        "AAAA\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";

    (void)state;
    load_fails(&(cinch_identity_source){.pem = costly, .pem_size = strlen(costly), .password = "x"},
               CINCH_CAUSE_BAD_KEY, "2147483647 rounds");
}

static void key_mismatch(void **state)
{
    char *key = pki_pem_key(family->under_root, NULL);
    char *pem = pki_pem_concat(good_cert, key, (char *)NULL);

    (void)state;
    pem_fails(pem, strlen(pem), CINCH_CAUSE_KEY_MISMATCH, "does not belong to the certificate");
    pem_fails(pem, strlen(pem), CINCH_CAUSE_KEY_MISMATCH, "EC P-256, 256 bits, SPKI SHA-256");
    load_fails(&(cinch_identity_source){.pem = good_cert,
                                        .pem_size = strlen(good_cert),
                                        .key_pem = key,
                                        .key_pem_size = strlen(key)},
               CINCH_CAUSE_KEY_MISMATCH, "the private key in the key in memory");
    free(pem);
    /* Several keys: the one that fits is taken. */
    pem = pki_pem_concat(key, good_pem, (char *)NULL);
    cinch_identity_free(loads(&(cinch_identity_source){.pem = pem, .pem_size = strlen(pem)}));
    free(pem);
    /* Unless two fit. */
    char *cert = pki_pem_cert(family->under_root);
    pem = pki_pem_concat(key, cert, good_pem, (char *)NULL);
    pem_fails(pem, strlen(pem), CINCH_CAUSE_KEY_MISMATCH, "more than one belongs");
    free(pem);
    free(cert);
    free(key);
}

static void sources_that_make_no_sense(void **state)
{
    static const char *const a = "a";
    const struct {
        cinch_identity_source source;
        const char *text;
    } cases[] = {
        {{0}, "names no certificate"},
        {{.key_file = a}, "names no certificate"},
        {{.file = a, .pem = a, .pem_size = 1}, "both `file` and `pem`"},
        {{.file = a, .pkcs12_file = a}, "both `file` and `pkcs12_file`"},
        {{.pkcs12_file = a, .pkcs12 = a, .pkcs12_size = 1}, "both `pkcs12_file` and `pkcs12`"},
        {{.file = a, .key_file = a, .key_pem = a, .key_pem_size = 1},
         "both `key_file` and `key_pem`"},
        {{.pkcs12_file = a, .key_file = a}, "`key_file` beside `pkcs12_file`"},
        {{.pkcs12 = a, .pkcs12_size = 1, .key_pem = a, .key_pem_size = 1},
         "`key_pem` beside `pkcs12`"},
        {{.pem_size = 1}, "`pem` is NULL"},
        {{.file = a, .key_pem_size = 1}, "`key_pem` is NULL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        load_fails(&cases[i].source, CINCH_CAUSE_MISUSE, cases[i].text);
}

static void null_arguments(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_null(cinch_identity_load(NULL, &err));
    expect(&err, CINCH_CAUSE_MISUSE, "NULL");
    /* The first error wins, and nothing is done any more. */
    assert_null(cinch_identity_pem(good_pem, strlen(good_pem), NULL, &err));
    expect(&err, CINCH_CAUSE_MISUSE, "identity source");
    cinch_error_clear(&err);
    assert_null(cinch_identity_file(NULL, NULL, &err));
    expect(&err, CINCH_CAUSE_MISUSE, "NULL");
    cinch_error_clear(&err);
    assert_null(cinch_identity_pem(NULL, 1, NULL, &err));
    expect(&err, CINCH_CAUSE_MISUSE, "NULL");
    cinch_error_clear(&err);
    assert_null(cinch_identity_pkcs12(NULL, 1, NULL, &err));
    expect(&err, CINCH_CAUSE_MISUSE, "NULL");
    assert_null(cinch_identity_certificate(NULL, 0));
    cinch_identity_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_loads),
        cmocka_unit_test(unreadable_file),
        cmocka_unit_test(not_pem),
        cmocka_unit_test(one_in_place_of_the_other),
        cmocka_unit_test(nothing_of_use),
        cmocka_unit_test(damaged_blocks),
        cmocka_unit_test(damage_in_base64),
        cmocka_unit_test(a_key_that_does_not_fit_itself),
        cmocka_unit_test(keys_of_other_programs),
        cmocka_unit_test(passwords),
        cmocka_unit_test(traditional_passwords),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(key_mismatch),
        cmocka_unit_test(sources_that_make_no_sense),
        cmocka_unit_test(null_arguments),
    };

    return cmocka_run_group_tests_name("identity", tests, set_up, tear_down);
}
