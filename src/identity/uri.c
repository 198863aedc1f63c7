/* uri.c: an identity from wherever an OpenSSL provider finds keys (ossl_store(7)). */
#include "base/fail.h"
#include "base/openssl.h"
#include "identity/parts.h"

#include <cinch/signer.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/storeerr.h>
#include <openssl/ui.h>
#include <string.h>

/* A token may hold thousands of objects; nobody means all of them. */
#define MOST_OBJECTS 1000

/* One URI while it is read. */
typedef struct finding {
    const char *uri;
    char name[200]; /* for errors: in quotes and without the PIN */
    const char *password;
    int asked; /* somebody wanted a password */
    int given; /* and got it */
    int public_keys;
    int objects;
    int wants_certificates;
} finding;

/* RFC 7512, 2.4: a PIN may stand in the URI. It does not belong into logs. */
static void name_it(finding *f)
{
    static const char pin[] = "pin-value=";
    const char *found = strstr(f->uri, pin);
    size_t shown = found == NULL ? strlen(f->uri) : (size_t)(found - f->uri) + sizeof pin - 1;
    int limit = shown > 180 ? 180 : (int)shown;

    snprintf(f->name, sizeof f->name, "\"%.*s%s\"", limit, f->uri,
             found != NULL || shown > 180 ? "..." : "");
}

/* RFC 3986, 3.1. 0 if there is none. */
static size_t scheme_size(const char *uri)
{
    size_t size = 0;

    if (!isalpha((unsigned char)uri[0]))
        return 0;
    while (isalnum((unsigned char)uri[size]) || (uri[size] != 0 && strchr("+-.", uri[size])))
        size++;
    return uri[size] == ':' ? size : 0;
}

static int in_token(const finding *f)
{
    return strncmp(f->uri, "pkcs11:", 7) == 0;
}

/*
 * A provider that hears of a failure may ask at the terminal itself: pkcs11-provider 1.0 does. It takes an
 * empty PIN for "none", and does not try it. A file is not opened by an empty password either.
 */
static int have_none(const finding *f, char *buf, int size)
{
    if (size <= 0 || !in_token(f))
        return -1;
    buf[0] = 0;
    return 0;
}

/* In place of OpenSSL's own, which asks at the terminal. */
static int answer(char *buf, int size, int writing, void *arg)
{
    finding *f = arg;
    size_t length = f->password == NULL ? 0 : strlen(f->password);

    (void)writing;
    f->asked = 1;
    if (f->password == NULL || f->given || size <= 0 || length >= (size_t)size)
        return have_none(f, buf, size);
    f->given = 1;
    memcpy(buf, f->password, length + 1);
    return (int)length;
}

static cinch_status no_provider(const finding *f, cinch_error *err)
{
    int size = (int)scheme_size(f->uri);

    (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "no provider of OpenSSL understands the URI %s",
                     f->name);
    cinch_fail_evidence(err, "none that is loaded knows the scheme \"%.*s:\"",
                        size > 40 ? 40 : size, f->uri);
    if (size == 6 && memcmp(f->uri, "pkcs11", 6) == 0)
        cinch_fail_remedy(err, "install the package pkcs11-provider, and activate the provider "
                               "\"pkcs11\" in openssl.cnf with the path of the token's module");
    else
        cinch_fail_remedy(err, "install the provider for it and activate it in openssl.cnf; see "
                               "config(5)");
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status unreadable(const finding *f, cinch_error *err)
{
    if (cinch_openssl_memory())
        return cinch_fail_memory(err, "reading a key");
    if (f->given && in_token(f)) {
        (void)cinch_fail(err, CINCH_CAUSE_PASSWORD_WRONG,
                         "the PIN for %s is wrong, or there is no key", f->name);
        cinch_fail_evidence(err, "the token shows nothing; the provider does not tell why");
        cinch_fail_remedy(err, "check the PIN, and that the URI names a key in the token");
    } else if (f->given)
        (void)cinch_fail(err, CINCH_CAUSE_PASSWORD_WRONG,
                         "the password or PIN for %s is wrong, or does not suffice", f->name);
    else if (f->asked)
        (void)cinch_fail(err, CINCH_CAUSE_PASSWORD_MISSING, "%s wants a password or PIN that %s",
                         f->name, f->password == NULL ? "was not given" : "is too long");
    else {
        (void)cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "the key at %s cannot be read", f->name);
        cinch_fail_remedy(err, "check the URI, and that what it names is there");
    }
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status take(finding *f, OSSL_STORE_INFO *info, cinch_material *material,
                         cinch_error *err)
{
    EVP_PKEY *key;
    X509 *x;

    switch (OSSL_STORE_INFO_get_type(info)) {
    case OSSL_STORE_INFO_PKEY:
        key = OSSL_STORE_INFO_get1_PKEY(info);
        return key == NULL ? cinch_fail_memory(err, "reading a key")
                           : cinch_material_key(material, key, f->name, err);
    case OSSL_STORE_INFO_PUBKEY:
        f->public_keys++;
        return CINCH_OK;
    case OSSL_STORE_INFO_CERT:
        if (!f->wants_certificates)
            return CINCH_OK;
        x = OSSL_STORE_INFO_get1_CERT(info);
        return x == NULL ? cinch_fail_memory(err, "reading certificates")
                         : cinch_material_certificate(material, x, f->name, err);
    default:
        return CINCH_OK;
    }
}

static cinch_status load_all(finding *f, OSSL_STORE_CTX *store, cinch_material *material,
                             cinch_error *err)
{
    cinch_status status = CINCH_OK;
    int rounds = 0;

    while (status == CINCH_OK && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        /* The loader of files calls its end an error, and says nothing more. */
        if (info == NULL && OSSL_STORE_error(store) &&
            (!OSSL_STORE_eof(store) || ERR_peek_error() != 0))
            return unreadable(f, err);
        if (info != NULL) {
            f->objects++;
            status = take(f, info, material, err);
        }
        OSSL_STORE_INFO_free(info);
        if (status == CINCH_OK && ++rounds > MOST_OBJECTS)
            status = cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "more than %d objects are at %s",
                                MOST_OBJECTS, f->name);
    }
    return status;
}

static cinch_status read_store(finding *f, cinch_material *material, cinch_error *err)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(answer, 0);
    cinch_status status;

    if (ui == NULL)
        return cinch_fail_memory(err, "reading a key");
    ERR_clear_error();
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(f->uri, cinch_library_context(), NULL, ui, f, NULL, NULL, NULL);
    if (store != NULL) {
        status = load_all(f, store, material, err);
    } else {
        unsigned long code = ERR_peek_last_error();
        int reason = ERR_GET_LIB(code) == ERR_LIB_OSSL_STORE ? ERR_GET_REASON(code) : 0;

        status = reason == OSSL_STORE_R_UNREGISTERED_SCHEME || reason == ERR_R_UNSUPPORTED ||
                         reason == OSSL_STORE_R_INVALID_SCHEME
                     ? no_provider(f, err)
                     : unreadable(f, err);
    }
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    return status;
}

static cinch_status check_found(const finding *f, const cinch_material *material, cinch_error *err)
{
    if (material->key_count == 0 && f->asked)
        return unreadable(f, err);
    if (material->key_count == 0) {
        (void)cinch_fail(err, CINCH_CAUSE_NO_KEY, "there is no private key at %s%s", f->name,
                         f->public_keys > 0 ? ", only a public one" : "");
        cinch_fail_evidence(err, "%d objects were found", f->objects);
        cinch_fail_remedy(err, "check the URI; a token shows private keys only with the PIN");
        return CINCH_FAILED;
    }
    if (sk_X509_num(material->certificates) > 0)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_NO_CERTIFICATE, "there is no certificate at %s", f->name);
    cinch_fail_remedy(err, "give the certificates as PEM beside the URI");
    return CINCH_FAILED;
}

static cinch_identity *make(const finding *f, const cinch_material *material,
                            const char *certificates_name, cinch_error *err)
{
    EVP_PKEY *key = NULL;

    if (cinch_chain_key(material, certificates_name, f->name, &key, err) != CINCH_OK)
        return NULL;
    cinch_identity *identity =
        cinch_identity_assemble(material, key, NULL, certificates_name, f->name, err);
    if (identity != NULL &&
        cinch_identity_mark(identity, f->uri, strlen(f->uri), err) != CINCH_OK) {
        cinch_identity_free(identity);
        return NULL;
    }
    return identity;
}

cinch_identity *cinch_identity_uri(const char *uri, const void *pem, size_t pem_size,
                                   const char *password, cinch_error *err)
{
    finding f = {.uri = uri, .password = password, .wants_certificates = pem == NULL};
    cinch_origin origin = {0};
    cinch_material material = {0};
    cinch_identity *identity = NULL;
    cinch_status status = CINCH_OK;

    if (!cinch_enter(err))
        return NULL;
    if (uri == NULL || (pem == NULL && pem_size != 0)) {
        (void)cinch_fail_null(err, uri == NULL ? "URI of the key" : "PEM");
        return NULL;
    }
    name_it(&f);
    if (scheme_size(uri) == 0) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%s is no URI: it has no scheme", f.name);
        cinch_fail_remedy(err, "give a URI such as pkcs11:token=web;object=key or file:/path");
        return NULL;
    }
    if (pem != NULL)
        status = cinch_material_pem(&material, &origin, pem, pem_size, err);
    if (status == CINCH_OK)
        status = read_store(&f, &material, err);
    if (status == CINCH_OK)
        status = check_found(&f, &material, err);
    if (status == CINCH_OK)
        identity = make(&f, &material, pem == NULL ? f.name : origin.name, err);
    cinch_material_free(&material);
    cinch_origin_close(&origin);
    ERR_clear_error();
    return identity;
}
