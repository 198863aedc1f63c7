#define _GNU_SOURCE /* secure_getenv */
#include <cinch/helpers.h>

#include "base/fail.h"
#include "base/openssl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#define LARGEST_DERIVED ((size_t)1024)
#define SMALLEST_SALT ((size_t)16)
#define FEWEST_ITERATIONS 1000u

cinch_status cinch_random(void *buf, size_t size, cinch_error *err)
{
    cinch_status status = CINCH_OK;

    if (buf != NULL)
        memset(buf, 0, size);
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (buf == NULL && size > 0)
        return cinch_fail_null(err, "buffer for random bytes");
    if (size > 0 && RAND_priv_bytes_ex(cinch_library_context(), buf, size, 0) != 1) {
        OPENSSL_cleanse(buf, size);
        status = cinch_fail(err, CINCH_CAUSE_INTERNAL, "there are no random bytes to be had");
        cinch_fail_openssl(err);
    }
    ERR_clear_error();
    return status;
}

int cinch_equal(const void *a, const void *b, size_t size)
{
    return a != NULL && b != NULL && CRYPTO_memcmp(a, b, size) == 0;
}

void cinch_wipe(void *buf, size_t size)
{
    if (buf != NULL)
        OPENSSL_cleanse(buf, size);
}

static cinch_status check_pbkdf2(const char *digest, size_t salt_size, unsigned iterations,
                                 size_t size, cinch_error *err)
{
    if (strcmp(digest, "SHA256") != 0 && strcmp(digest, "SHA384") != 0 &&
        strcmp(digest, "SHA512") != 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "\"%s\" is no digest for PBKDF2: SHA256, SHA384 or SHA512", digest);
    if (salt_size < SMALLEST_SALT || salt_size > INT_MAX)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "a salt of %zu bytes is too %s; make one of 16 with cinch_random()",
                          salt_size, salt_size < SMALLEST_SALT ? "short" : "long");
    if (iterations < FEWEST_ITERATIONS || iterations > INT_MAX)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "PBKDF2 with %u iterations; at least %u are needed, and 600000 are usual",
                          iterations, FEWEST_ITERATIONS);
    if (size == 0 || size > LARGEST_DERIVED)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "PBKDF2 gives 1 to %zu bytes, not %zu",
                          LARGEST_DERIVED, size);
    return CINCH_OK;
}

cinch_status cinch_pbkdf2(const char *password, size_t password_size, const void *salt,
                          size_t salt_size, const char *digest, unsigned iterations, void *buf,
                          size_t size, cinch_error *err)
{
    if (buf != NULL)
        memset(buf, 0, size);
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (password == NULL || salt == NULL || digest == NULL || buf == NULL)
        return cinch_fail_null(err, password == NULL ? "password"
                                    : salt == NULL   ? "salt"
                                    : digest == NULL ? "digest"
                                                     : "buffer for the key");
    cinch_status status =
        password_size > INT_MAX
            ? cinch_fail(err, CINCH_CAUSE_MISUSE, "a password of %zu bytes", password_size)
            : check_pbkdf2(digest, salt_size, iterations, size, err);
    if (status != CINCH_OK)
        return status;
    EVP_MD *md = EVP_MD_fetch(cinch_library_context(), digest, NULL);
    if (md == NULL || PKCS5_PBKDF2_HMAC(password, (int)password_size, salt, (int)salt_size,
                                        (int)iterations, md, (int)size, buf) != 1) {
        OPENSSL_cleanse(buf, size);
        status = cinch_fail_crypto(err, "deriving a key from a password");
    }
    EVP_MD_free(md);
    ERR_clear_error();
    return status;
}

/* The first certificate in PEM as DER; freed with OPENSSL_free(). NULL if there is none. */
static unsigned char *first_certificate(const char *pem, size_t size, long *der_size)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    unsigned char *der = NULL;
    char *name = NULL, *header = NULL;

    while (bio != NULL && PEM_read_bio(bio, &name, &header, &der, der_size) == 1) {
        int found = strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0;

        OPENSSL_free(name);
        OPENSSL_free(header);
        if (found)
            break;
        /* It may have been a key. */
        OPENSSL_clear_free(der, (size_t)*der_size);
        der = NULL;
    }
    BIO_free(bio);
    return der;
}

cinch_status cinch_pem_to_der(const char *pem, size_t pem_size, void *buf, size_t size, size_t *n,
                              cinch_error *err)
{
    long der_size = 0;
    cinch_status status = CINCH_OK;

    if (n != NULL)
        *n = 0;
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (pem == NULL || n == NULL || (buf == NULL && size > 0))
        return cinch_fail_null(err, pem == NULL ? "PEM" : "buffer for the certificate");
    unsigned char *der = pem_size > INT_MAX ? NULL : first_certificate(pem, pem_size, &der_size);
    /* Whatever is between the lines could be anything: it has to be a certificate. */
    X509 *certificate = der == NULL ? NULL : cinch_x509_read(der, (size_t)der_size);
    if (cinch_openssl_out_of_memory(ERR_peek_last_error()))
        status = cinch_fail_memory(err, "reading a certificate");
    else if (der == NULL)
        status = cinch_fail(err, CINCH_CAUSE_NO_CERTIFICATE, "there is no certificate in this PEM");
    else if (certificate == NULL)
        status =
            cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE, "the certificate in this PEM is damaged");
    else
        *n = (size_t)der_size;
    if (status == CINCH_OK && *n > size)
        status = cinch_fail(err, CINCH_CAUSE_MISUSE,
                            "the certificate has %zu bytes and the buffer %zu", *n, size);
    else if (status == CINCH_OK && buf != NULL && der != NULL)
        memcpy(buf, der, *n);
    X509_free(certificate);
    OPENSSL_free(der);
    ERR_clear_error();
    return status;
}

/* Two digits at TEXT, the first of which may be a space; -1 for anything else. */
static int two_digits(const char *text, int space)
{
    int tens = text[0] == ' ' && space ? 0 : text[0] - '0';

    if (tens < 0 || tens > 9 || text[1] < '0' || text[1] > '9')
        return -1;
    return tens * 10 + (text[1] - '0');
}

static int days_in(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] +
           (month == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 1 : 0);
}

/* "Jan  5 09:34:43 2018 GMT" has one form only: each part is at its place. */
static int parse_time(const char *t, int64_t *seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int month = 0;

    if (strlen(t) != 24 || t[3] != ' ' || t[6] != ' ' || t[9] != ':' || t[12] != ':' ||
        t[15] != ' ' || strcmp(t + 20, " GMT") != 0)
        return 0;
    while (month < 12 && memcmp(months + (size_t)month * 3, t, 3) != 0)
        month++;
    int day = two_digits(t + 4, 1), hour = two_digits(t + 7, 0), minute = two_digits(t + 10, 0);
    int second = two_digits(t + 13, 0), century = two_digits(t + 16, 0);
    int year = two_digits(t + 18, 0);
    if (month == 12 || century < 0 || year < 0)
        return 0;
    year += century * 100;
    if (day < 1 || day > days_in(month, year) || hour < 0 || hour > 23 || minute < 0 ||
        minute > 59 || second < 0 || second > 60)
        return 0;
    int64_t days = day - 1;
    for (int m = 0; m < month; m++)
        days += days_in(m, year);
    /* Leap days before this year, since the year 0. */
    int before = year - 1;
    days += (int64_t)year * 365 + before / 4 - before / 100 + before / 400 + (year > 0) - 719528;
    *seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    return 1;
}

cinch_status cinch_time_parse(const char *text, int64_t *seconds, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (text == NULL || seconds == NULL)
        return cinch_fail_null(err, text == NULL ? "time" : "place for the seconds");
    if (parse_time(text, seconds))
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_MISUSE,
                      "\"%.40s\" is not a time such as \"Jan  5 09:34:43 2018 GMT\"", text);
}

static const char *or_default(const char *from_environment, const char *by_default)
{
    return from_environment != NULL && from_environment[0] != 0 ? from_environment : by_default;
}

cinch_verify_paths cinch_verify_paths_default(void)
{
    cinch_verify_paths paths = {
        .file_variable = X509_get_default_cert_file_env(),
        .dir_variable = X509_get_default_cert_dir_env(),
        .openssl_file = X509_get_default_cert_file(),
        .openssl_dir = X509_get_default_cert_dir(),
    };

    paths.file = or_default(secure_getenv(paths.file_variable), paths.openssl_file);
    paths.dir = or_default(secure_getenv(paths.dir_variable), paths.openssl_dir);
    return paths;
}
