/* origin.c: the bytes of a source, and what they are when they are not PEM. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs7.h>
#include <string.h>

cinch_status cinch_origin_file(cinch_origin *origin, const char *path, const char *what,
                               cinch_error *err)
{
    size_t length = strlen(path);
    int is_long = length > 100;

    *origin = (cinch_origin){0};
    /* The end of a long path tells more than its beginning. */
    snprintf(origin->name, sizeof origin->name, "\"%s%s\"", is_long ? "..." : "",
             is_long ? path + length - 100 : path);
    cinch_status status = cinch_file_read(path, what, &origin->content, NULL, err);
    if (status != CINCH_OK)
        return status;
    origin->bytes = origin->content.bytes;
    origin->size = origin->content.size;
    return CINCH_OK;
}

void cinch_origin_memory(cinch_origin *origin, const void *bytes, size_t size, const char *name)
{
    *origin = (cinch_origin){.bytes = bytes, .size = size};
    snprintf(origin->name, sizeof origin->name, "%s", name);
}

void cinch_origin_close(cinch_origin *origin)
{
    cinch_content_free(&origin->content);
    *origin = (cinch_origin){0};
}

typedef struct kind {
    const char *name;
    const char *remedy;
} kind;

static int starts_with(const cinch_origin *origin, const char *bytes, size_t size)
{
    return origin->size >= size && memcmp(origin->bytes, bytes, size) == 0;
}

static int is_pkcs12(const unsigned char *at, long size)
{
    PKCS12 *p12 = d2i_PKCS12(NULL, &at, size);

    PKCS12_free(p12);
    return p12 != NULL;
}

static int is_certificate(const unsigned char *at, long size)
{
    X509 *x = d2i_X509(NULL, &at, size);

    X509_free(x);
    return x != NULL;
}

static int is_pkcs8(const unsigned char *at, long size)
{
    const unsigned char *again = at;
    PKCS8_PRIV_KEY_INFO *key = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, size);
    X509_SIG *locked = key != NULL ? NULL : d2i_X509_SIG(NULL, &again, size);
    int is = key != NULL || locked != NULL;

    PKCS8_PRIV_KEY_INFO_free(key);
    X509_SIG_free(locked);
    return is;
}

static int is_key(const unsigned char *at, long size)
{
    EVP_PKEY *key = d2i_AutoPrivateKey_ex(NULL, &at, size, cinch_library_context(), NULL);

    EVP_PKEY_free(key);
    return key != NULL;
}

static int is_pkcs7(const unsigned char *at, long size)
{
    PKCS7 *p7 = d2i_PKCS7(NULL, &at, size);

    PKCS7_free(p7);
    return p7 != NULL;
}

static const kind *der_kind(const cinch_origin *origin)
{
    static const kind kinds[] = {
        {"PKCS#12",
         "read it with cinch_identity_pkcs12(), or with `pkcs12_file` in cinch_identity_load()"},
        {"a certificate in DER, not in PEM",
         "convert it with `openssl x509 -inform DER -in FILE -out FILE.pem`"},
        {"a private key in DER, not in PEM",
         "convert it with `openssl pkey -inform DER -in FILE -out FILE.pem`"},
        {"a bundle of certificates (PKCS#7) in DER",
         "convert it with `openssl pkcs7 -inform DER -in FILE -print_certs -out FILE.pem`"},
    };
    const unsigned char *bytes = origin->bytes;
    long size = (long)origin->size;

    /* A SEQUENCE; everything else cannot be any of these. */
    if (origin->size < 2 || bytes[0] != 0x30)
        return NULL;
    if (is_pkcs12(bytes, size))
        return &kinds[0];
    if (is_certificate(bytes, size))
        return &kinds[1];
    if (is_pkcs8(bytes, size) || is_key(bytes, size))
        return &kinds[2];
    return is_pkcs7(bytes, size) ? &kinds[3] : NULL;
}

static const kind *text_kind(const cinch_origin *origin)
{
    static const kind kinds[] = {
        {"text in UTF-16", "save it as UTF-8 or plain ASCII"},
        {"base64 without the lines around it",
         "put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- around it"},
        {"an SSH public key", "give a certificate; SSH keys are not used in TLS"},
    };

    if (starts_with(origin, "\xff\xfe", 2) || starts_with(origin, "\xfe\xff", 2))
        return &kinds[0];
    if (starts_with(origin, "MII", 3))
        return &kinds[1];
    if (starts_with(origin, "ssh-", 4) || starts_with(origin, "---- BEGIN SSH2", 15))
        return &kinds[2];
    return NULL;
}

/* Never more than a glimpse: what stands there may be a secret in a form that is not known here. */
static void show_beginning(cinch_error *err, const cinch_origin *origin)
{
    size_t size = origin->size < 16 ? origin->size : 16, printable = 0;
    char text[80];

    for (size_t i = 0; i < size; i++)
        printable += origin->bytes[i] >= ' ' && origin->bytes[i] <= '~';
    if (printable * 4 >= size * 3) {
        cinch_text_clean(text, sizeof text, origin->bytes, size, 0);
        cinch_fail_evidence(err, "%zu bytes, beginning with \"%s\"", origin->size, text);
    } else {
        cinch_text_hex(text, sizeof text, origin->bytes, size, ' ');
        cinch_fail_evidence(err, "%zu bytes, beginning with the bytes %s", origin->size, text);
    }
}

cinch_status cinch_fail_not_pem(cinch_error *err, const cinch_origin *origin)
{
    if (origin->size == 0)
        return cinch_fail(err, CINCH_CAUSE_NOT_PEM, "%s is empty", origin->name);
    const kind *found = der_kind(origin);
    ERR_clear_error();
    if (found == NULL)
        found = text_kind(origin);
    if (found == NULL) {
        cinch_fail(err, CINCH_CAUSE_NOT_PEM, "%s is not PEM", origin->name);
    } else {
        cinch_fail(err, CINCH_CAUSE_NOT_PEM, "%s is %s", origin->name, found->name);
        cinch_fail_remedy(err, "%s", found->remedy);
    }
    show_beginning(err, origin);
    return CINCH_FAILED;
}
