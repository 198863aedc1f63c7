#include "base/certificate.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"
#include "base/x509_text.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* One allocation holds the struct, and another all its texts and bytes, so that freeing is simple. */
typedef struct description {
    cinch_certificate certificate; /* first: the public pointer is this one's */
    cinch_arena arena;
} description;

static int describe_times(cinch_certificate *c, const X509 *x)
{
    /* A date that cannot be read is shown as 1970 and refused by the verification. */
    (void)cinch_x509_times(x, &c->not_before, &c->not_after);
    return 1;
}

static int describe_names(cinch_certificate *c, cinch_arena *arena, const X509 *x)
{
    char text[CINCH_NAME_TEXT];
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    int count = sk_GENERAL_NAME_num(names);
    cinch_name *list = cinch_arena_take(arena, (count < 1 ? 1 : (size_t)count) * sizeof *list);
    int ok = list != NULL;

    for (int i = 0; ok && i < count; i++) {
        list[i].kind = cinch_general_name_text(sk_GENERAL_NAME_value(names, i), text, sizeof text);
        list[i].text = cinch_arena_text(arena, text);
        ok = list[i].text != NULL;
    }
    GENERAL_NAMES_free(names);
    c->names = list;
    c->name_count = count < 0 ? 0 : (size_t)count;
    return ok;
}

static int describe_subject(cinch_certificate *c, cinch_arena *arena, const X509 *x)
{
    char text[CINCH_NAME_TEXT];

    c->subject = cinch_arena_text(arena, cinch_x509_subject(x, text, sizeof text));
    c->issuer = cinch_arena_text(arena, cinch_x509_issuer(x, text, sizeof text));
    c->common_name =
        cinch_arena_text(arena, cinch_name_common(X509_get_subject_name(x), text, sizeof text));
    c->serial = cinch_arena_text(arena, cinch_x509_serial(x, text, sizeof text));
    c->is_self_issued = X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0;
    return c->subject != NULL && c->issuer != NULL && c->common_name != NULL && c->serial != NULL;
}

static int describe_key(cinch_certificate *c, cinch_arena *arena, const X509 *x)
{
    char type[64], group[64];
    int nid = X509_get_signature_nid(x);

    c->key_bits = cinch_x509_key(x, type, sizeof type, group, sizeof group);
    c->key_type = cinch_arena_text(arena, type);
    c->key_group = cinch_arena_text(arena, group);
    c->signature_algorithm = nid == NID_undef ? "unknown" : OBJ_nid2ln(nid);
    return c->key_type != NULL && c->key_group != NULL;
}

static int describe_urls(cinch_certificate *c, cinch_arena *arena, const X509 *x)
{
    char text[CINCH_NAME_TEXT];

    c->issuer_url =
        cinch_arena_text(arena, cinch_x509_access(x, NID_ad_ca_issuers, text, sizeof text));
    c->ocsp_url = cinch_arena_text(arena, cinch_x509_access(x, NID_ad_OCSP, text, sizeof text));
    return c->issuer_url != NULL && c->ocsp_url != NULL;
}

int cinch_x509_key_digest(const X509 *x, unsigned char digest[32])
{
    unsigned char *spki = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    int ok = size > 0 && cinch_openssl_sha256(spki, (size_t)size, digest);

    OPENSSL_free(spki);
    return ok;
}

static int describe_digests(cinch_certificate *c, cinch_arena *arena, const X509 *x)
{
    unsigned char *der = NULL, *spki = NULL;
    int size = i2d_X509(x, &der);
    int spki_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    int ok = size > 0 && spki_size > 0;

    if (ok) {
        c->der = cinch_arena_bytes(arena, der, (size_t)size);
        c->der_size = (size_t)size;
        ok = c->der != NULL && cinch_openssl_sha256(der, (size_t)size, c->sha256) &&
             cinch_openssl_sha256(spki, (size_t)spki_size, c->spki_sha256);
    }
    OPENSSL_free(der);
    OPENSSL_free(spki);
    return ok;
}

cinch_certificate *cinch_certificate_x509(const X509 *x, cinch_error *err)
{
    description *d = cinch_alloc(sizeof *d);

    if (d == NULL) {
        (void)cinch_fail_memory(err, "describing a certificate");
        return NULL;
    }
    /* OpenSSL says "no such extension" and "no memory to read it" alike; the queue knows better. */
    ERR_clear_error();
    cinch_certificate *c = &d->certificate;
    long version = X509_get_version(x) + 1;
    c->version = version >= 1 && version <= 3 ? (int)version : 0;
    c->is_ca = cinch_x509_is_ca(x);
    if (!describe_times(c, x) || !describe_digests(c, &d->arena, x) ||
        !describe_subject(c, &d->arena, x) || !describe_names(c, &d->arena, x) ||
        !describe_key(c, &d->arena, x) || !describe_urls(c, &d->arena, x) ||
        cinch_openssl_take_errors().out_of_memory) {
        cinch_certificate_free(c);
        ERR_clear_error();
        (void)cinch_fail_memory(err, "describing a certificate");
        return NULL;
    }
    return c;
}

cinch_certificate *cinch_certificate_der(const void *der, size_t size, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (der == NULL) {
        (void)cinch_fail_null(err, "certificate");
        return NULL;
    }
    X509 *x = cinch_x509_read(der, size);
    if (x == NULL) {
        cinch_openssl_errors errors = cinch_openssl_take_errors();

        if (errors.out_of_memory) {
            (void)cinch_fail_memory(err, "reading a certificate");
        } else {
            (void)cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                             "the %zu bytes given are not one certificate in DER", size);
            cinch_fail_openssl_code(err, errors.last);
        }
        return NULL;
    }
    cinch_certificate *c = cinch_certificate_x509(x, err);
    X509_free(x);
    return c;
}

void cinch_certificate_free(cinch_certificate *certificate)
{
    description *d = (description *)(void *)certificate;

    if (d == NULL)
        return;
    cinch_arena_free(&d->arena);
    cinch_release(d);
}

cinch_status cinch_certificate_list(const STACK_OF(X509) * stack, cinch_certificate ***list,
                                    size_t *count, cinch_error *err)
{
    int size = sk_X509_num(stack);

    *list = NULL;
    *count = 0;
    if (size <= 0)
        return CINCH_OK;
    cinch_certificate **all = cinch_alloc_array((size_t)size, sizeof(cinch_certificate *));
    if (all == NULL)
        return cinch_fail_memory(err, "describing certificates");
    for (int i = 0; i < size; i++) {
        all[i] = cinch_certificate_x509(sk_X509_value(stack, i), err);
        if (all[i] == NULL) {
            cinch_certificate_list_free(all, (size_t)i);
            return CINCH_FAILED;
        }
    }
    *list = all;
    *count = (size_t)size;
    return CINCH_OK;
}

void cinch_certificate_list_free(cinch_certificate **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cinch_certificate_free(list[i]);
    cinch_release((void *)list);
}

size_t cinch_certificate_pem(const cinch_certificate *certificate, char *buf, size_t size)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const char end[] = "-----END CERTIFICATE-----\n";
    char line[80];
    size_t length = 0;

    if (size > 0)
        buf[0] = 0;
    if (certificate == NULL)
        return 0;
    for (size_t at = 0, stop = 0; !stop;) {
        const char *text = at == 0 && length == 0 ? begin : line;

        if (text == line) {
            size_t left = certificate->der_size - at, part = left < 48 ? left : 48;

            if (part == 0) {
                text = end;
                stop = 1;
            } else {
                int n = EVP_EncodeBlock((unsigned char *)line, certificate->der + at, (int)part);
                line[n] = '\n';
                line[n + 1] = 0;
                at += part;
            }
        }
        size_t n = strlen(text);
        if (length < size) {
            size_t fits = size - length - 1 < n ? size - length - 1 : n;
            memcpy(buf + length, text, fits);
            buf[length + fits] = 0;
        }
        length += n;
    }
    return length;
}
