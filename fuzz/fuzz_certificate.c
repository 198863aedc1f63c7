/*
 * Any bytes as a certificate to describe: every text ends, is UTF-8 and has nothing that a terminal
 * would obey; the PEM says the same bytes; no host is matched by a kind of name that is not shown.
 */
#include "base/certificate.h"
#include "base/hostname.h"
#include "base/openssl.h"
#include "base/text.h"

#include <cinch/certificate.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* A text that has been cleaned stays the same when it is cleaned again. */
static void check_text(const char *text)
{
    char again[4096];
    size_t length = strlen(text);

    must(length < sizeof again);
    must(cinch_text_clean(again, sizeof again, text, length, 0) == length);
    must(strcmp(again, text) == 0);
}

static void check_pem(const cinch_certificate *c)
{
    size_t length = cinch_certificate_pem(c, NULL, 0);
    char *pem = malloc(length + 1), *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size = 0;

    must(pem != NULL && cinch_certificate_pem(c, pem, length + 1) == length);
    must(strlen(pem) == length);
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    must(PEM_read_bio(bio, &name, &header, &der, &size) == 1);
    must((size_t)size == c->der_size && memcmp(der, c->der, c->der_size) == 0);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    free(pem);
}

static int shows(const cinch_certificate *c, cinch_name_kind kind)
{
    for (size_t i = 0; i < c->name_count; i++)
        if (c->names[i].kind == kind)
            return 1;
    return 0;
}

static void check_hosts(const cinch_certificate *c, const X509 *x)
{
    static const char *const hosts[] = {"localhost", "www.example.test", "127.0.0.1", "::1"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        cinch_host host;

        must(cinch_host_parse(&host, hosts[i], NULL) == CINCH_OK);
        if (cinch_host_matches(&host, x))
            must(shows(c, host.ip_size == 0 ? CINCH_NAME_DNS : CINCH_NAME_IP));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_certificate *c = cinch_certificate_der(data, size, &err);
    char text[512];

    must((c == NULL) == cinch_error_is_set(&err));
    must(ERR_peek_error() == 0);
    if (c == NULL)
        return 0;
    const char *const texts[] = {c->subject,  c->issuer,     c->common_name,
                                 c->serial,   c->key_type,   c->key_group,
                                 c->ocsp_url, c->issuer_url, c->signature_algorithm};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_text(texts[i]);
    for (size_t i = 0; i < c->name_count; i++)
        check_text(c->names[i].text);
    must(c->der_size > 0 && c->version >= 0 && c->version <= 3);
    check_pem(c);

    X509 *x = cinch_x509_read(data, size);
    must(x != NULL);
    check_hosts(c, x);
    check_text(cinch_x509_names(x, text, sizeof text, 5));
    X509_free(x);
    ERR_clear_error();
    cinch_certificate_free(c);
    return 0;
}
