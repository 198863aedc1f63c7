/* Our provider in a process that others use too: each test has a process, and an OpenSSL, of its own. */
#include "accel/accel.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinch/version.h>
#include <cmocka.h>
#include <openssl/conf.h>
#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#define SKIPPED 77

static void in_child(int (*run)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        (void)alarm(60);
        _exit(run());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int is_provided(const OSSL_PROVIDER *provider, const char *name)
{
    return provider != NULL && strcmp(OSSL_PROVIDER_get0_name(provider), name) == 0;
}

static int cipher_is_of(const char *provider)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    int is = cipher != NULL && is_provided(EVP_CIPHER_get0_provider(cipher), provider);

    EVP_CIPHER_free(cipher);
    return is;
}

static int one_is_of(const char *name, const char *provider)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    int is = kdf != NULL && is_provided(EVP_KDF_get0_provider(kdf), provider);

    EVP_KDF_free(kdf);
    return is;
}

static int keys_are_of(const char *provider)
{
    return one_is_of("TLS13-KDF", provider) && one_is_of("TLS1-PRF", provider);
}

static int has_keys(void)
{
    EVP_KDF *kdf = cinch_accel_fetch_keys("TLS13-KDF");

    EVP_KDF_free(kdf);
    return kdf != NULL;
}

/* ---- somebody's code, called by OpenSSL while it makes our SSL_CTX ---- */

static int calls, strange;

static void look_around(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                        void *more)
{
    (void)parent;
    (void)pointer;
    (void)data;
    (void)index;
    (void)number;
    (void)more;
    calls++;
    strange += !cipher_is_of("default") || !keys_are_of("default");
}

static int with_callback(void)
{
    if (CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, look_around, NULL, NULL) < 0)
        return 1;
    SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_client_method(), 0);
    SSL_CTX_free(ctx);
    if (ctx == NULL || calls == 0)
        return 2;
    /* What they found is remembered for everybody. */
    return strange != 0 || !cipher_is_of("default") || !keys_are_of("default") ? 3 : 0;
}

static void callbacks_of_others_find_what_they_had(void **state)
{
    (void)state;
    in_child(with_callback);
}

/* ---- somebody walks through all there is, or asks more than OpenSSL can remember ---- */

static int walked, ours_among_them;

static void see_cipher(EVP_CIPHER *cipher, void *arg)
{
    (void)arg;
    walked++;
    ours_among_them +=
        strstr(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(cipher)), "cinch") != NULL;
}

static void see_derivation(EVP_KDF *kdf, void *arg)
{
    (void)arg;
    walked++;
    ours_among_them += strstr(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf)), "cinch") != NULL;
}

static int walk(void)
{
    EVP_CIPHER_do_all_provided(NULL, see_cipher, NULL);
    EVP_KDF_do_all_provided(NULL, see_derivation, NULL);
    return walked > 100 && ours_among_them == 0;
}

static int with_curious_ones(void)
{
    SSL_CTX_free(cinch_accel_ssl_ctx(TLS_client_method(), 0));
    if (!walk())
        return 1;
    for (int i = 0; i < 2000; i++) {
        char query[40];

        (void)snprintf(query, sizeof query, "?some.thing=%d", i);
        EVP_KDF_free(EVP_KDF_fetch(NULL, i == 1 ? "TLS1-PRF" : "TLS13-KDF", query));
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", query);
        see_cipher(cipher, NULL);
        EVP_CIPHER_free(cipher);
    }
    SSL_CTX_free(cinch_accel_ssl_ctx(TLS_client_method(), 0));
    return !walk() || !cipher_is_of("default") || !keys_are_of("default") ? 2 : 0;
}

static void walks_do_not_come_by(void **state)
{
    (void)state;
    in_child(with_curious_ones);
}

/* ---- what OpenSSL remembered of our questions is lost, and asked for by a connection first ---- */

static int after_forgetting(void)
{
    if (!has_keys())
        return SKIPPED;
    EVP_CIPHER *before = cinch_accel_fetch("AES-128-GCM");
    EVP_CIPHER_free(before);
    for (int i = 0; i < 3; i++) {
        if (EVP_set_default_properties(NULL, "") != 1)
            return 1;
        /* As libssl does it, for a connection that is open, in a thread that makes no SSL_CTX. */
        char query[CINCH_PROVIDER_QUERY];
        cinch_accel_wish(query);
        EVP_KDF_free(EVP_KDF_fetch(NULL, i == 1 ? "TLS1-PRF" : "TLS13-KDF", query));
        EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-128-GCM", query));
        SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_client_method(), 0);
        SSL_CTX_free(ctx);
        if (ctx == NULL || !has_keys())
            return 2;
        EVP_CIPHER *after = cinch_accel_fetch("AES-128-GCM");
        EVP_CIPHER_free(after);
        if ((before == NULL) != (after == NULL))
            return 3;
    }
    return ERR_peek_error() != 0;
}

static void the_next_ssl_ctx_has_ours_again(void **state)
{
    (void)state;
    in_child(after_forgetting);
}

/* ---- the end of the process ---- */

static int after_cleanup(void)
{
    SSL_CTX_free(cinch_accel_ssl_ctx(TLS_client_method(), 0));
    OPENSSL_cleanup();
    return cinch_accel_ssl_ctx(TLS_client_method(), 0) != NULL || has_keys();
}

static void nothing_is_made_after_openssl_ended(void **state)
{
    (void)state;
    in_child(after_cleanup);
}

/* ---- another libcinch in the process ---- */

typedef const char *tells(void);

static tells *find(void *library, const char *name)
{
    void *address = dlsym(library, name);
    tells *function;

    memcpy(&function, &address, sizeof function);
    return function;
}

static void *open_another(void)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/src/libcinch.so", getenv("CINCH_BUILD"));
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static int both(int other_first)
{
    void *library = open_another();

    if (library == NULL)
        return 1;
    tells *keys = find(library, "cinch_version_keys"),
          *ciphers = find(library, "cinch_version_accel");
    char first_keys[96] = "", first_ciphers[96] = "";
    for (int round = 0; round < 2; round++) {
        /* It is the first call that decides who is the first. */
        int other = (round == 0) == other_first;
        const char *k = other ? keys() : cinch_version_keys();
        const char *c = other ? ciphers() : cinch_version_accel();

        if (round == 0) {
            (void)snprintf(first_keys, sizeof first_keys, "%s", k);
            (void)snprintf(first_ciphers, sizeof first_ciphers, "%s", c);
        } else if (strcmp(first_keys, k) != 0 || strcmp(first_ciphers, c) != 0) {
            (void)fprintf(stderr, "%s, %s; then %s, %s\n", first_keys, first_ciphers, k, c);
            return 2;
        }
    }
    return strcmp(first_keys, "libcinch") != 0                                          ? SKIPPED
           : strcmp(keys(), "libcinch") != 0 || !has_keys() || !cipher_is_of("default") ? 3
                                                                                        : 0;
}

static int after_another(void)
{
    return both(1);
}

static int before_another(void)
{
    return both(0);
}

static void two_of_us_are_not_in_each_others_way(void **state)
{
    (void)state;
    in_child(after_another);
    in_child(before_another);
}

/* OpenSSL goes on asking the provider of a plugin that was closed; its path may lead nowhere by then. */
static int closed(void)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/src", getenv("CINCH_BUILD"));
    if (chdir(path) != 0)
        return 1;
    void *library = dlopen("./libcinch.so", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || chdir("/") != 0)
        return 2;
    int used = strcmp(find(library, "cinch_version_keys")(), "libcinch") == 0;
    if (dlclose(library) != 0)
        return 3;
    return used != has_keys() || !cipher_is_of("default") || !keys_are_of("default") ||
                   EVP_set_default_properties(NULL, "") != 1 || !cipher_is_of("default")
               ? 4
               : 0;
}

static void a_plugin_can_be_closed(void **state)
{
    (void)state;
    in_child(closed);
}

/* ---- what openssl.cnf says ---- */

/* Makes an SSL_CTX with this openssl.cnf, as the first thing that the process does with OpenSSL. */
static int configure(const char *sections)
{
    char path[] = "/tmp/cinch-test-XXXXXX";
    int file = mkstemp(path), ok = 0;

    if (file < 0)
        return 0;
    ok = write(file, sections, strlen(sections)) == (ssize_t)strlen(sections) && close(file) == 0 &&
         setenv("OPENSSL_CONF", path, 1) == 0;
    SSL_CTX *ctx = ok ? cinch_accel_ssl_ctx(TLS_client_method(), 0) : NULL;
    (void)unlink(path);
    SSL_CTX_free(ctx);
    return ok;
}

/* Nothing of ours is used, whatever is configured. */
static int is_off(const char *keys)
{
    return strstr(keys, "for 3.0") != NULL || strstr(keys, "built without") != NULL ||
           strstr(keys, "CINCH_ACCEL") != NULL;
}

static int without_default(void)
{
    if (!configure("openssl_conf = all\n[all]\nproviders = some\n"
                   "[some]\nbase = on\n[on]\nactivate = 1\n"))
        return 1;
    EVP_CIPHER *cipher = cinch_accel_fetch("AES-128-GCM");
    EVP_CIPHER_free(cipher);
    /* Who takes AES-GCM out of a process does not get it back from us. */
    return cipher != NULL || has_keys() ||
           (strstr(cinch_version_keys(), "providers") == NULL && !is_off(cinch_version_keys()));
}

static void providers_that_are_not_loaded_are_not_replaced(void **state)
{
    (void)state;
    in_child(without_default);
}

static int inside;

static int make_connections(CONF_IMODULE *module, const CONF *config)
{
    (void)module;
    (void)config;
    SSL_CTX *ctx = cinch_accel_ssl_ctx(TLS_client_method(), 0);
    SSL_CTX_free(ctx);
    inside = ctx != NULL;
    return 1;
}

static int while_configuring(void)
{
    return CONF_module_add("connects", make_connections, NULL) != 1 ||
           !configure("openssl_conf = all\n[all]\nconnects = yes\n") || !inside;
}

/* A module, or a provider that talks to its key store by way of us. */
static void what_the_configuration_loads_may_use_us(void **state)
{
    (void)state;
    in_child(while_configuring);
}

/* ---- somebody else's algorithms that are wanted ---- */

static OSSL_ALGORITHM of_another[2];
static OSSL_PROVIDER *the_default;
static int wanted_operation;

static const OSSL_ALGORITHM *answer(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    return operation == wanted_operation ? of_another : NULL;
}

static int start_other(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                       const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))answer}, {0, NULL}};

    (void)handle;
    (void)in;
    *out = functions;
    *context = OSSL_PROVIDER_get0_provider_ctx(the_default);
    return 1;
}

/* A provider that has the default one's NAME as its own. It is preferred. */
static int prefer_another(int operation, const char *name)
{
    int no_cache;

    wanted_operation = operation;
    the_default = OSSL_PROVIDER_try_load(NULL, "default", 1);
    const OSSL_ALGORITHM *all = OSSL_PROVIDER_query_operation(the_default, operation, &no_cache);
    while (all->algorithm_names != NULL && strncmp(all->algorithm_names, name, strlen(name)) != 0)
        all++;
    of_another[0] = (OSSL_ALGORITHM){name, "provider=other", all->implementation, NULL};
    return OSSL_PROVIDER_add_builtin(NULL, "other", start_other) == 1 &&
           OSSL_PROVIDER_try_load(NULL, "other", 1) != NULL &&
           EVP_set_default_properties(NULL, "?provider=other") == 1;
}

static int with_a_wish(void)
{
    if (!prefer_another(OSSL_OP_CIPHER, "AES-128-GCM") || !cipher_is_of("other"))
        return 1;
    EVP_CIPHER *cipher = cinch_accel_fetch("AES-128-GCM");
    EVP_CIPHER_free(cipher);
    return cipher != NULL || cinch_version_accel()[0] != 'O';
}

/* A derivation of keys that hashes by itself takes the place of the hash functions, too. */
static int with_a_hash(void)
{
    if (!has_keys())
        return SKIPPED;
    return !prefer_another(OSSL_OP_DIGEST, "SHA2-384") || !keys_are_of("default") || has_keys();
}

static void what_is_preferred_to_openssls_is_to_ours(void **state)
{
    (void)state;
    in_child(with_a_wish);
    in_child(with_a_hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callbacks_of_others_find_what_they_had),
        cmocka_unit_test(walks_do_not_come_by),
        cmocka_unit_test(the_next_ssl_ctx_has_ours_again),
        cmocka_unit_test(nothing_is_made_after_openssl_ended),
        cmocka_unit_test(two_of_us_are_not_in_each_others_way),
        cmocka_unit_test(a_plugin_can_be_closed),
        cmocka_unit_test(providers_that_are_not_loaded_are_not_replaced),
        cmocka_unit_test(what_the_configuration_loads_may_use_us),
        cmocka_unit_test(what_is_preferred_to_openssls_is_to_ours),
    };

    return cmocka_run_group_tests_name("accel_others", tests, NULL, NULL);
}
