/* Identities whose key is found by a URI: files, and a token that wants a PIN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION(id, function)                                                                     \
    {                                                                                              \
        id, (void (*)(void))function                                                               \
    }

/* ---- a token: its key is at vault:key and wants the PIN 1234 ---- */

static pki_cert *root, *leaf, *other;
static char *certificate, *key_text, *locked_text, *public_text, *folder;
static int pin_asked, ended;
static OSSL_PROVIDER *providers[2];

static void *vault_open(void *provctx, const char *uri)
{
    (void)provctx;
    ended = strcmp(uri, "vault:key") != 0;
    return &ended;
}

static int vault_load(void *ctx, OSSL_CALLBACK *found, void *arg, OSSL_PASSPHRASE_CALLBACK *ask,
                      void *ask_arg)
{
    char pin[64];
    size_t size = 0;
    unsigned char *der = NULL;
    int type = OSSL_OBJECT_PKEY, ok = 0;

    (void)ctx;
    ended = 1;
    /* As tokens do that want to know it twice. */
    for (int i = 0; i < 2 && !ok; i++) {
        pin_asked++;
        ok = ask(pin, sizeof pin, &size, NULL, ask_arg) == 1 && size == 4 &&
             memcmp(pin, "1234", 4) == 0;
    }
    if (!ok)
        return 0;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(leaf->key);
    int length = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_OBJECT_PARAM_TYPE, &type),
        OSSL_PARAM_octet_string(OSSL_OBJECT_PARAM_DATA, der, (size_t)length),
        OSSL_PARAM_END,
    };
    ok = found(params, arg);
    PKCS8_PRIV_KEY_INFO_free(info);
    OPENSSL_free(der);
    return ok;
}

static int vault_eof(void *ctx)
{
    (void)ctx;
    return ended;
}

static int vault_close(void *ctx)
{
    (void)ctx;
    return 1;
}

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
    static const OSSL_DISPATCH functions[] = {
        FUNCTION(OSSL_FUNC_STORE_OPEN, vault_open),
        FUNCTION(OSSL_FUNC_STORE_LOAD, vault_load),
        FUNCTION(OSSL_FUNC_STORE_EOF, vault_eof),
        FUNCTION(OSSL_FUNC_STORE_CLOSE, vault_close),
        {0, NULL},
    };
    static const OSSL_ALGORITHM stores[] = {{"vault", "provider=vault", functions, NULL},
                                            {NULL, NULL, NULL, NULL}};

    (void)provctx;
    *no_cache = 0;
    return operation == OSSL_OP_STORE ? stores : NULL;
}

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                 void **provctx)
{
    static const OSSL_DISPATCH functions[] = {
        FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
        {0, NULL},
    };

    (void)handle;
    (void)in;
    *out = functions;
    *provctx = NULL;
    return 1;
}

static char *file_uri(const char *name, const char *text)
{
    char *path = pki_path(folder, name, ""), *uri;

    assert_true(pki_write(path, text, 0600));
    uri = pki_pem_concat("file:", path, (char *)NULL);
    free(path);
    return uri;
}

static char *key_uri, *locked_uri, *public_uri, *all_uri;

static int set_up(void **state)
{
    unsigned char *der = NULL;

    (void)state;
    assert_int_equal(OSSL_PROVIDER_add_builtin(NULL, "vault", start), 1);
    assert_non_null(providers[0] = OSSL_PROVIDER_load(NULL, "default"));
    assert_non_null(providers[1] = OSSL_PROVIDER_load(NULL, "vault"));
    folder = pki_tmpdir();
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    leaf = pki_make(&(pki_spec){.cn = "leaf"}, root);
    other = pki_make(&(pki_spec){.cn = "other"}, root);
    certificate = pki_pem_cert(leaf);
    key_text = pki_pem_key(leaf, NULL);
    locked_text = pki_pem_key(leaf, "secret");
    int size = i2d_PUBKEY(leaf->key, &der);
    public_text = calloc(1, 4096);
    strncat(public_text, "-----BEGIN PUBLIC KEY-----\n", 100);
    EVP_EncodeBlock((unsigned char *)public_text + strlen(public_text), der, size);
    strncat(public_text, "\n-----END PUBLIC KEY-----\n", 100);
    OPENSSL_free(der);
    char *all = pki_pem_concat(key_text, certificate, (char *)NULL);
    key_uri = file_uri("key.pem", key_text);
    locked_uri = file_uri("locked.pem", locked_text);
    public_uri = file_uri("public.pem", public_text);
    all_uri = file_uri("all.pem", all);
    free(all);
    return 0;
}

static int tear_down(void **state)
{
    char *texts[] = {certificate, key_text,   locked_text, public_text,
                     key_uri,     locked_uri, public_uri,  all_uri};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    pki_free(leaf);
    pki_free(other);
    pki_free(root);
    pki_rmtree(folder);
    for (int i = 0; i < 2; i++)
        OSSL_PROVIDER_unload(providers[i]);
    return 0;
}

static cinch_error from(const char *uri, const char *pem, const char *password)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity =
        cinch_identity_uri(uri, pem, pem == NULL ? 0 : strlen(pem), password, &err);

    assert_int_equal(identity == NULL, cinch_error_is_set(&err));
    assert_int_equal(ERR_peek_error(), 0);
    cinch_identity_free(identity);
    return err;
}

static void test_what_is_wrong_is_said(void **state)
{
    char *pem = pki_pem_cert(other);
    const struct {
        const char *uri, *pem, *password;
        cinch_cause cause;
    } cases[] = {
        {NULL, NULL, NULL, CINCH_CAUSE_MISUSE},
        {"", NULL, NULL, CINCH_CAUSE_BAD_SETTING},
        {"/etc/key.pem", NULL, NULL, CINCH_CAUSE_BAD_SETTING},
        {"nosuch:key", certificate, NULL, CINCH_CAUSE_BAD_SETTING},
        {"file:/nonexistent/key.pem", certificate, NULL, CINCH_CAUSE_FILE_UNREADABLE},
        {key_uri, NULL, NULL, CINCH_CAUSE_NO_CERTIFICATE},
        {key_uri, key_text, NULL, CINCH_CAUSE_KEY_WHERE_CERTIFICATE},
        {key_uri, pem, NULL, CINCH_CAUSE_KEY_MISMATCH},
        {public_uri, certificate, NULL, CINCH_CAUSE_NO_KEY},
        {locked_uri, certificate, NULL, CINCH_CAUSE_PASSWORD_MISSING},
        {locked_uri, certificate, "wrong", CINCH_CAUSE_PASSWORD_WRONG},
        {"vault:nothing", certificate, NULL, CINCH_CAUSE_NO_KEY},
        {"vault:key", certificate, NULL, CINCH_CAUSE_PASSWORD_MISSING},
        {"vault:key", NULL, "1234", CINCH_CAUSE_NO_CERTIFICATE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cinch_error err = from(cases[i].uri, cases[i].pem, cases[i].password);

        if (err.cause != cases[i].cause)
            fail_msg("%s: %s (%s)", cases[i].uri, cinch_cause_name(err.cause), err.what);
    }
    free(pem);
}

/* A token locks itself after some wrong PINs: one attempt is one. */
static void test_a_pin_is_given_once(void **state)
{
    (void)state;
    pin_asked = 0;
    assert_int_equal(from("vault:key", certificate, "4321").cause, CINCH_CAUSE_PASSWORD_WRONG);
    assert_int_equal(pin_asked, 2);
}

static void test_a_pin_is_not_shown(void **state)
{
    cinch_error err = from("pkcs11:object=key;pin-value=TopSecret", certificate, NULL);
    char text[8192];

    (void)state;
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_SETTING);
    assert_non_null(strstr(err.remedy, "pkcs11-provider"));
    assert_true(cinch_error_json(&err, text, sizeof text) < sizeof text);
    assert_null(strstr(text, "TopSecret"));
}

static void test_right_ones_work(void **state)
{
    const struct {
        const char *uri, *pem, *password;
    } cases[] = {
        {key_uri, certificate, NULL},
        {key_uri, certificate, "not needed"},
        {all_uri, NULL, NULL},
        {locked_uri, certificate, "secret"},
        {"vault:key", certificate, "1234"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cinch_error err = from(cases[i].uri, cases[i].pem, cases[i].password);

        assert_int_equal(cinch_error_report(&err, stderr), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_a_pin_is_given_once),
        cmocka_unit_test(test_a_pin_is_not_shown),
        cmocka_unit_test(test_right_ones_work),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
