/* The small helpers, each with what is easily got wrong. */
#include "duo.h"
#include "net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

static duo both;

static int set_up(void **state)
{
    (void)state;
    duo_open(&both);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    duo_close(&both);
    return 0;
}

static void test_random(void **state)
{
    unsigned char a[64] = {0}, b[64] = {0};
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_random(a, sizeof a, &err), CINCH_OK);
    assert_int_equal(cinch_random(b, sizeof b, &err), CINCH_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(cinch_random(NULL, 0, &err), CINCH_OK);
    assert_int_equal(cinch_random(NULL, 1, NULL), CINCH_FAILED);
    /* After an error nothing of before is left to be taken for random. */
    assert_int_equal(cinch_random(NULL, 1, &err), CINCH_FAILED);
    assert_int_equal(cinch_random(a, sizeof a, &err), CINCH_FAILED);
    for (size_t i = 0; i < sizeof a; i++)
        assert_int_equal(a[i], 0);
}

static void test_equal_and_wipe(void **state)
{
    unsigned char a[4] = {1, 0, 2, 3}, b[4] = {1, 0, 2, 4};

    (void)state;
    assert_int_equal(cinch_equal(a, a, 4), 1);
    assert_int_equal(cinch_equal(a, b, 4), 0); /* a NUL ends nothing */
    assert_int_equal(cinch_equal(a, b, 3), 1);
    assert_int_equal(cinch_equal(a, b, 0), 1);
    assert_int_equal(cinch_equal(NULL, b, 4), 0);
    assert_int_equal(cinch_equal(a, NULL, 4), 0);
    assert_int_equal(cinch_equal(NULL, NULL, 0), 0);
    cinch_wipe(a, 3);
    assert_memory_equal(a, "\0\0\0\3", 4);
    cinch_wipe(NULL, 5);
}

static void hex(const unsigned char *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* RFC 6070's fifth vector with other digests; the values were computed by Python's hashlib. */
static void test_pbkdf2(void **state)
{
    static const char password[] = "passwordPASSWORDpassword";
    static const char salt[] = "saltSALTsaltSALTsaltSALTsaltSALTsalt";
    unsigned char key[64];
    char text[129];

    (void)state;
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, "SHA256", 4096, key, 40, NULL), CINCH_OK);
    hex(key, 40, text);
    assert_string_equal(text, "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1"
                              "c635518c7dac47e9");
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, "SHA512", 4096, key, 64, NULL), CINCH_OK);
    hex(key, 64, text);
    assert_string_equal(text, "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
                              "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8");
    memset(key, 7, sizeof key);
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 15, "SHA256", 4096, key, 32, NULL),
                     CINCH_FAILED);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(key[i], 0);
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, "SHA256", 999, key, 32, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, "SHA1", 4096, key, 32, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, "SHA256", 4096, key, 0, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2(NULL, 24, salt, 36, "SHA256", 4096, key, 32, NULL), CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2(password, 24, NULL, 36, "SHA256", 4096, key, 32, NULL),
                     CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2(password, 24, salt, 36, NULL, 4096, key, 32, NULL), CINCH_FAILED);
    assert_int_equal(cinch_pbkdf2("", 0, salt, 36, "SHA384", 1000, key, 32, NULL), CINCH_OK);
}

static void test_pem_to_der(void **state)
{
    char *cert = pki_pem_cert(both.family->good), *key = pki_pem_key(both.family->good, NULL);
    char *all = pki_pem_concat(key, cert, (char *)NULL);
    size_t size, n = 99;
    unsigned char *der = pki_der_cert(both.family->good, &size), *buf = malloc(size);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    assert_int_equal(cinch_pem_to_der(all, strlen(all), buf, size, &n, NULL), CINCH_OK);
    assert_int_equal(n, size);
    assert_memory_equal(buf, der, size);
    assert_int_equal(cinch_pem_to_der(all, strlen(all), buf, size - 1, &n, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    assert_int_equal(n, size);
    cinch_error_clear(&err);
    assert_int_equal(cinch_pem_to_der(key, strlen(key), buf, size, &n, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NO_CERTIFICATE);
    assert_int_equal(n, 0);
    /* The lines alone do not make it one. */
    static const char empty[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    cinch_error_clear(&err);
    assert_int_equal(cinch_pem_to_der(empty, strlen(empty), buf, size, &n, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_CERTIFICATE);
    assert_int_equal(cinch_pem_to_der("", 0, buf, size, &n, NULL), CINCH_FAILED);
    assert_int_equal(cinch_pem_to_der(NULL, 0, buf, size, &n, NULL), CINCH_FAILED);
    for (size_t cut = 0; cut < strlen(cert) - 1; cut += 7)
        assert_int_equal(cinch_pem_to_der(cert, cut, buf, size, &n, NULL), CINCH_FAILED);
    assert_int_equal(ERR_peek_error(), 0);
    free(cert);
    free(key);
    free(all);
    free(der);
    free(buf);
}

static void test_time(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {
        {"Jan  5 09:34:43 2018 GMT", 1515144883},  {"Jan  1 00:00:00 1970 GMT", 0},
        {"Jan 05 09:34:43 2018 GMT", 1515144883},  {"Dec 31 23:59:60 2008 GMT", 1230768000},
        {"Feb 29 12:00:00 2000 GMT", 951825600},   {"Dec 31 23:59:59 1969 GMT", -1},
        {"Jan  1 00:00:00 2050 GMT", 2524608000},  {"Dec 31 23:59:59 9999 GMT", 253402300799},
        {"Mar  1 00:00:00 1900 GMT", -2203891200}, {"Jan  1 00:00:00 0001 GMT", -62135596800},
    };
    static const char *const bad[] = {
        "",
        "Jan  5 09:34:43 2018",
        "Jan  5 09:34:43 2018 UTC",
        "Jan 5 09:34:43 2018 GMT",
        "Jan  0 09:34:43 2018 GMT",
        "Feb 29 09:34:43 2018 GMT",
        "Feb 29 09:34:43 1900 GMT",
        "Apr 31 09:34:43 2018 GMT",
        "Jan  5 24:34:43 2018 GMT",
        "Jan  5 09:60:43 2018 GMT",
        "Jan  5 09:34:61 2018 GMT",
        "Jan  5  9:34:43 2018 GMT",
        "Jan  5 09:34:43 +018 GMT",
        "Jax  5 09:34:43 2018 GMT",
        "anF  5 09:34:43 2018 GMT",
        "Jan  5 09:34:43 2018 GMT ",
        " Jan  5 09:34:43 2018 GM",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t seconds = 7;
        assert_int_equal(cinch_time_parse(good[i].text, &seconds, NULL), CINCH_OK);
        assert_true(seconds == good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t seconds;
        assert_int_equal(cinch_time_parse(bad[i], &seconds, NULL), CINCH_FAILED);
    }
    assert_int_equal(cinch_time_parse(NULL, NULL, NULL), CINCH_FAILED);
}

static void test_verify_paths(void **state)
{
    (void)state;
    assert_int_equal(setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1), 0);
    assert_int_equal(setenv("SSL_CERT_DIR", "", 1), 0);
    cinch_verify_paths paths = cinch_verify_paths_default();
    assert_string_equal(paths.file, "/nowhere/ca.pem");
    assert_string_equal(paths.dir, paths.openssl_dir);
    assert_string_equal(paths.file_variable, "SSL_CERT_FILE");
    assert_string_equal(paths.dir_variable, "SSL_CERT_DIR");
    unsetenv("SSL_CERT_FILE");
    paths = cinch_verify_paths_default();
    assert_string_equal(paths.file, paths.openssl_file);
    unsetenv("SSL_CERT_DIR");
}

typedef struct served {
    cinch_listener *listener;
    cinch_error err;
} served;

static void *serve_one(void *arg)
{
    served *s = arg;
    cinch_stream *stream = cinch_listener_accept(s->listener, &s->err);

    if (cinch_stream_handshake(stream, &s->err) == CINCH_OK)
        cinch_stream_close_write(stream, &s->err);
    cinch_stream_free(stream);
    return NULL;
}

/* Also of a server that wants a certificate first, and gets none. */
static void test_fetch(void **state)
{
    (void)state;
    for (int mutual = 0; mutual < 2; mutual++) {
        cinch_error err = CINCH_ERROR_INIT;
        served s = {NULL, CINCH_ERROR_INIT};
        pthread_t thread;
        char *root = pki_pem_cert(both.family->root);
        cinch_context *ctx = cinch_context_dup(both.server, &err);

        if (mutual) {
            cinch_context_trust_pem(ctx, root, strlen(root), &err);
            cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, &err);
        }
        s.listener = cinch_listen(ctx, "127.0.0.1", "0", &err);
        assert_int_equal(cinch_error_report(&err, stderr), 0);
        char port[16];
        snprintf(port, sizeof port, "%d", cinch_listener_port(s.listener));
        assert_int_equal(pthread_create(&thread, NULL, serve_one, &s), 0);
        cinch_certificate *certificate = cinch_fetch_certificate("127.0.0.1", port, 0, &err);
        assert_int_equal(cinch_error_report(&err, stderr), 0);
        size_t size;
        unsigned char *der = pki_der_cert(both.family->good, &size);
        assert_int_equal(certificate->der_size, size);
        assert_memory_equal(certificate->der, der, size);
        free(der);
        free(root);
        cinch_certificate_free(certificate);
        pthread_join(thread, NULL);
        cinch_listener_free(s.listener);
        cinch_context_free(ctx);
    }
    cinch_error err = CINCH_ERROR_INIT;
    assert_null(cinch_fetch_certificate(NULL, "443", 0, &err));
    assert_true(cinch_error_is_set(&err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_equal_and_wipe),
        cmocka_unit_test(test_pbkdf2), cmocka_unit_test(test_pem_to_der),
        cmocka_unit_test(test_time),   cmocka_unit_test(test_verify_paths),
        cmocka_unit_test(test_fetch),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
