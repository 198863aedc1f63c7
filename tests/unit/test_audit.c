/* Every finding is caused on purpose, and must be absent from its nearest harmless neighbour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/audit.h"
#include "audit_ids.h"
#include "pair.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400L

static pki_cert *root, *weak_root, *leaf;
/* Which ids were caused by some test. */
static char caused[96];
static size_t causes;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Audit Root", .is_ca = true}, NULL);
    weak_root =
        pki_make(&(pki_spec){.cn = "Weak Root", .is_ca = true, .key_type = PKI_KEY_RSA}, NULL);
    leaf = pki_make(&(pki_spec){.cn = "a", .dns = {"a.example.test"}}, root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(root);
    pki_free(weak_root);
    pki_free(leaf);
    return 0;
}

static size_t number_of(const char *id)
{
    for (size_t i = 0; cinch_audit_known(i) != NULL; i++)
        if (strcmp(cinch_audit_known(i)->id, id) == 0)
            return i;
    fail_msg("the table has no %s", id);
    return 0;
}

/* The text of finding ID in CTX; NULL if it is not there. Static. */
static const char *found(cinch_context *ctx, const char *id)
{
    static char text[1500];
    cinch_error err = CINCH_ERROR_INIT;
    cinch_audit *audit = cinch_context_audit(ctx, &err);
    const char *result = NULL;

    if (audit == NULL) {
        cinch_error_report(&err, stderr);
        fail();
    }
    for (size_t i = 0; i < audit->count; i++)
        if (strcmp(audit->findings[i].id, id) == 0) {
            snprintf(text, sizeof text, "%s", audit->findings[i].what);
            result = text;
        }
    cinch_audit_free(audit);
    assert_true(ERR_peek_error() == 0);
    return result;
}

static void has(cinch_context *ctx, const char *id, const char *words)
{
    const char *text = found(ctx, id);

    if (text == NULL || strstr(text, words) == NULL)
        fail_msg("%s: wanted \"%s\", got \"%s\"", id, words, text == NULL ? "nothing" : text);
    if (caused[number_of(id)]++ == 0)
        causes++;
}

static void has_not(cinch_context *ctx, const char *id)
{
    (void)number_of(id);
    if (found(ctx, id) != NULL)
        fail_msg("%s is a false alarm: %s", id, found(ctx, id));
}

static void has_nothing(cinch_context *ctx)
{
    cinch_audit *audit = cinch_context_audit(ctx, NULL);

    assert_non_null(audit);
    for (size_t i = 0; i < audit->count; i++)
        fail_msg("%s: %s", audit->findings[i].id, audit->findings[i].what);
    cinch_audit_free(audit);
}

static void use(cinch_context *ctx, const pki_cert *cert, const pki_cert *issuer)
{
    cinch_identity *identity = pair_identity(cert, issuer);
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_context_identity(ctx, identity, &err) != CINCH_OK) {
        cinch_error_report(&err, stderr);
        fail();
    }
    cinch_identity_free(identity);
}

static cinch_context *server(void)
{
    cinch_context *ctx = cinch_context_server(NULL);

    use(ctx, leaf, NULL);
    return ctx;
}

static void set(cinch_context *ctx, cinch_policy *policy)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_context_policy(ctx, policy, &err) != CINCH_OK) {
        cinch_error_report(&err, stderr);
        fail();
    }
    cinch_policy_free(policy);
}

static void trust(cinch_context *ctx, const pki_cert *anchor)
{
    char *pem = pki_pem_cert(anchor);

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), NULL), CINCH_OK);
    free(pem);
}

/* What nobody weakened has nothing to report. */
static void defaults_are_clean(void **state)
{
    cinch_context *client = cinch_context_client(NULL), *ours = server();

    (void)state;
    has_nothing(client);
    has_nothing(ours);
    assert_int_equal(cinch_context_policy_named(client, "modern", NULL), CINCH_OK);
    has_nothing(client);
    trust(client, root);
    has_nothing(client);
    trust(ours, root);
    assert_int_equal(cinch_context_client_auth(ours, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    assert_int_equal(cinch_context_alpn(ours, "h2", NULL), CINCH_OK);
    has_nothing(ours);
    /* Also once connections can be made: the ring of tickets is there then. */
    assert_int_equal(cinch_context_check(ours, NULL), CINCH_OK);
    has_nothing(ours);
    cinch_context_free(client);
    cinch_context_free(ours);
}

static void versions(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_policy_insecure_versions(p, CINCH_TLS_1_1, CINCH_TLS_1_2, NULL),
                     CINCH_OK);
    set(ctx, p);
    has_not(ctx, "tls-1.0");
    has(ctx, "tls-1.1", "TLS 1.1");
    has(ctx, "tls-1.3-missing", "TLS 1.3");
    has(ctx, "security-level-none", "is 0");
    has(ctx, "signature-sha1", "RSA+SHA1");
    has(ctx, "cipher-cbc", "ECDHE-ECDSA-AES128-SHA");
    has(ctx, "cipher-sha1-mac", "ECDHE-ECDSA-AES128-SHA");
    has_not(ctx, "cipher-no-forward-secrecy");
    p = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_insecure_versions(p, CINCH_TLS_1_0, CINCH_TLS_1_0, NULL),
                     CINCH_OK);
    set(ctx, p);
    has(ctx, "tls-1.0", "TLS 1.0");
    has_not(ctx, "tls-1.1");
    p = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_insecure_versions(p, CINCH_TLS_1_2, CINCH_TLS_1_3, NULL),
                     CINCH_OK);
    set(ctx, p);
    has_nothing(ctx);
    cinch_context_free(ctx);
}

static void ciphers(cinch_context *ctx, const char *list)
{
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_ciphers(p, list, NULL), CINCH_OK);
    set(ctx, p);
}

/* From 3.2 on OpenSSL counts a tag of 64 bits as 64 bits of security, which only level 0 takes. */
static void short_tag(cinch_context *ctx, const char *list, const char *suites_1_3)
{
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_insecure_security_level(p, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_ciphers(p, list, NULL), CINCH_OK);
    if (suites_1_3 != NULL)
        assert_int_equal(cinch_policy_suites(p, suites_1_3, NULL), CINCH_OK);
    set(ctx, p);
    has(ctx, "cipher-short-tag", suites_1_3 == NULL ? list : suites_1_3);
}

static void suites(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    ciphers(ctx, "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256");
    has(ctx, "cipher-no-forward-secrecy", ": AES128-GCM-SHA256");
    has_not(ctx, "cipher-cbc");
    ciphers(ctx, "ECDHE-RSA-AES128-SHA256");
    has(ctx, "cipher-cbc", "ECDHE-RSA-AES128-SHA256");
    has_not(ctx, "cipher-sha1-mac");
    has_not(ctx, "cipher-no-forward-secrecy");
    ciphers(ctx, "ECDHE-RSA-AES128-SHA");
    has(ctx, "cipher-sha1-mac", "ECDHE-RSA-AES128-SHA");
    ciphers(ctx, "DHE-RSA-AES128-GCM-SHA256");
    has(ctx, "cipher-dhe", "DHE-RSA-AES128-GCM-SHA256");
    has_not(ctx, "cipher-no-forward-secrecy");
    short_tag(ctx, "ECDHE-ECDSA-AES128-CCM8", NULL);
    ciphers(ctx, "ECDHE-ECDSA-AES128-CCM");
    has_nothing(ctx);
    /* More than anybody wants to read. */
    ciphers(ctx, "AES:!aNULL:!PSK:!SRP");
    has(ctx, "cipher-cbc", " more");
    short_tag(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_AES_128_CCM_8_SHA256");
    cinch_context_free(ctx);
}

static void suite_is(int cipher, int exchange, int digest, int aead, const char *wanted)
{
    const cinch_suite_facts facts = {cipher, exchange, digest, aead};
    const char *ids[6];
    char text[200] = "";

    cinch_audit_suite(&facts, ids);
    for (size_t i = 0; ids[i] != NULL; i++) {
        size_t used = strlen(text);

        (void)number_of(ids[i]);
        snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "", ids[i]);
        if (caused[number_of(ids[i])]++ == 0)
            causes++;
    }
    assert_string_equal(text, wanted);
}

/* Suites that OpenSSL as Debian builds it does not have. */
static void suites_by_their_facts(void **state)
{
    (void)state;
    suite_is(NID_aes_128_gcm, NID_kx_ecdhe, NID_undef, 1, "");
    suite_is(NID_aes_128_gcm, NID_kx_any, NID_undef, 1, "");
    suite_is(NID_rc4, NID_kx_rsa, NID_md5, 0, "cipher-rc4 cipher-no-forward-secrecy");
    suite_is(NID_undef, NID_kx_ecdhe, NID_sha1, 0, "cipher-null cipher-sha1-mac");
    suite_is(NID_des_ede3_cbc, NID_kx_ecdhe, NID_sha1, 0, "cipher-64-bit-block cipher-sha1-mac");
    suite_is(NID_aes_128_cbc, NID_kx_dhe, NID_sha256, 0, "cipher-cbc cipher-dhe");
    suite_is(NID_chacha20_poly1305, NID_kx_psk, NID_undef, 1, "cipher-no-forward-secrecy");
    suite_is(NID_chacha20_poly1305, NID_kx_ecdhe_psk, NID_undef, 1, "");
}

static void strength(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    for (int level = 0; level < 4; level++) {
        cinch_policy *p = cinch_policy_new(NULL, NULL);

        assert_int_equal(cinch_policy_insecure_security_level(p, level, NULL), CINCH_OK);
        /* A weak group counts only where the level lets it through. */
        assert_int_equal(cinch_policy_groups(p, "X25519:P-192", NULL), CINCH_OK);
        set(ctx, p);
        if (level == 0)
            has(ctx, "security-level-none", "0");
        else
            has_not(ctx, "security-level-none");
        if (level == 1)
            has(ctx, "security-level-low", "1");
        else
            has_not(ctx, "security-level-low");
        has_not(ctx, "signature-sha1");
        if (level == 0)
            has(ctx, "group-weak", "P-192");
        if (level >= 2)
            has_not(ctx, "group-weak");
    }
    cinch_context_free(ctx);
}

static void signatures(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    for (int client = 0; client < 2; client++) {
        cinch_policy *p = cinch_policy_new(NULL, NULL);

        assert_int_equal(cinch_policy_insecure_security_level(p, 0, NULL), CINCH_OK);
        assert_int_equal((client ? cinch_policy_client_sigalgs : cinch_policy_sigalgs)(
                             p, "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA1", NULL),
                         CINCH_OK);
        set(ctx, p);
        has(ctx, "signature-sha1", "RSA+SHA1");
        /* SHA-1 stays in the list, and the level does not let it through. */
        p = cinch_policy_copy(ctx->settings->policy, NULL);
        assert_int_equal(cinch_policy_security_level(p, 2, NULL), CINCH_OK);
        set(ctx, p);
        has_not(ctx, "signature-sha1");
    }
    cinch_context_free(ctx);
}

static char *dh(const char *group)
{
    char name[32], *data;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("group", name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    BIO *bio = BIO_new(BIO_s_mem());

    snprintf(name, sizeof name, "%s", group);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEY_PARAMETERS, params), 1);
    assert_int_equal(PEM_write_bio_Parameters(bio, key), 1);
    long size = BIO_get_mem_data(bio, &data);
    char *pem = calloc(1, (size_t)size + 1);

    memcpy(pem, data, (size_t)size);
    BIO_free(bio);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    return pem;
}

static void diffie_hellman(void **state)
{
    cinch_context *ctx = server();
    char *small = dh("modp_1536"), *good = dh("modp_2048");
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_policy_insecure_security_level(p, 1, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_insecure_dh_pem(p, small, strlen(small), NULL), CINCH_OK);
    set(ctx, p);
    has(ctx, "dh-small", "1536 bits");
    p = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_dh_pem(p, good, strlen(good), NULL), CINCH_OK);
    set(ctx, p);
    has_nothing(ctx);
    free(small);
    free(good);
    cinch_context_free(ctx);
}

static void groups(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_policy *p = cinch_policy_new(NULL, NULL);
    int known = cinch_policy_group_bits("X25519MLKEM768") > 0;

    (void)state;
    assert_int_equal(cinch_policy_groups(p, "X25519:P-256", NULL), CINCH_OK);
    set(ctx, p);
    if (known)
        has(ctx, "group-no-post-quantum", "post-quantum");
    else
        has_not(ctx, "group-no-post-quantum");
    p = cinch_policy_new(NULL, NULL);
    assert_int_equal(cinch_policy_groups(p, "?X25519MLKEM768:X25519", NULL), CINCH_OK);
    set(ctx, p);
    has_nothing(ctx);
    /* One that cannot be caused with every OpenSSL. */
    if (!known && caused[number_of("group-no-post-quantum")]++ == 0)
        causes++;
    cinch_context_free(ctx);
}

static void legacy(void **state)
{
    cinch_context *client = cinch_context_client(NULL), *ours = server();
    cinch_policy *p = cinch_policy_new(NULL, NULL), *same;

    (void)state;
    assert_int_equal(cinch_policy_insecure_legacy_server(p, 1, NULL), CINCH_OK);
    same = cinch_policy_copy(p, NULL);
    set(client, p);
    has(client, "legacy-server", "renegotiation");
    set(ours, same);
    has_nothing(ours);
    cinch_context_free(client);
    cinch_context_free(ours);
}

static void checks_that_are_off(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    assert_int_equal(cinch_context_insecure_skip_name(ctx, 1, NULL), CINCH_OK);
    has(ctx, "name-check-off", "name");
    has_not(ctx, "verification-off");
    assert_int_equal(cinch_context_insecure_skip_name(ctx, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_skip_verification(ctx, 1, NULL), CINCH_OK);
    has(ctx, "verification-off", "not verified");
    has_not(ctx, "name-check-off");
    assert_int_equal(cinch_context_insecure_skip_verification(ctx, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_relax(ctx, CINCH_RULE_SERIAL, 1, NULL), CINCH_OK);
    has(ctx, "rules-relaxed", cinch_rule_name(CINCH_RULE_SERIAL));
    assert_int_equal(cinch_context_insecure_relax(ctx, CINCH_RULE_SERIAL, 0, NULL), CINCH_OK);
    has_nothing(ctx);
    cinch_context_free(ctx);
}

static void secrets(void **state)
{
    static const unsigned char key[32] = {1};
    cinch_context *ctx = server();
    char *dir = pki_tmpdir(), *path = pki_path(dir, "keys", "");

    (void)state;
    assert_int_equal(cinch_context_insecure_key_log(ctx, path, NULL), CINCH_OK);
    has(ctx, "key-log", "written to a file");
    assert_int_equal(cinch_context_insecure_key_log(ctx, NULL, NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_psk(ctx, "me", key, sizeof key, 1, NULL), CINCH_OK);
    has(ctx, "psk-fallback", "certificates count");
    assert_int_equal(cinch_context_psk(ctx, "me", key, sizeof key, 0, NULL), CINCH_OK);
    has_not(ctx, "psk-fallback");
    cinch_context_free(ctx);
    free(path);
    pki_rmtree(dir);
}

static void anchor_has(const pki_spec *spec, const char *id, const char *words)
{
    cinch_context *ctx = cinch_context_client(NULL);
    pki_cert *anchor = pki_make(spec, NULL);

    trust(ctx, anchor);
    if (words != NULL)
        has(ctx, id, words);
    else
        has_nothing(ctx);
    cinch_context_free(ctx);
    pki_free(anchor);
}

static void anchors(void **state)
{
    (void)state;
    anchor_has(
        &(pki_spec){.cn = "Old Root", .is_ca = true, .not_before = -2 * DAY, .not_after = -9},
        "anchor-expired", "CN=Old Root");
    anchor_has(&(pki_spec){.cn = "r", .is_ca = true, .not_after = 60}, "anchor-expired", NULL);
    anchor_has(&(pki_spec){.cn = "w", .is_ca = true, .key_type = PKI_KEY_RSA, .key_bits = 1024},
               "anchor-weak-key", "CN=w");
    anchor_has(&(pki_spec){.cn = "w", .is_ca = true, .key_type = PKI_KEY_RSA}, "anchor-weak-key",
               NULL);
    anchor_has(&(pki_spec){.cn = "leaf"}, "anchor-not-ca", "CN=leaf");
    /* Nobody verifies what an anchor is signed with. */
    anchor_has(&(pki_spec){.cn = "s", .is_ca = true, .digest = "sha1"}, "anchor-weak-key", NULL);
    /* A root of version 1 cannot say that it is one. */
    anchor_has(&(pki_spec){.cn = "v1", .version = 1, .no_san = true}, "anchor-not-ca", NULL);
}

static void clients(void **state)
{
    cinch_context *ctx = server();

    (void)state;
    trust(ctx, root);
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_OPTIONAL, NULL), CINCH_OK);
    has(ctx, "client-auth-optional", "not required");
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    has_nothing(ctx);
    cinch_context_free(ctx);
}

static void clients_by_the_systems_trust(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = server();
    char *dir = pki_tmpdir(), *path = pki_path(dir, "ca.pem", ""), *pem = pki_pem_cert(root);

    (void)state;
    assert_true(pki_write(path, pem, 0644));
    setenv("SSL_CERT_FILE", path, 1);
    unsetenv("SSL_CERT_DIR");
    if (cinch_context_trust_system(ctx, &err) != CINCH_OK) {
        cinch_error_report(&err, stderr);
        fail();
    }
    has_nothing(ctx);
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    has(ctx, "clients-by-system-trust", "system's");
    unsetenv("SSL_CERT_FILE");
    cinch_context_free(ctx);
    free(pem);
    free(path);
    pki_rmtree(dir);
}

/* A server with such a certificate has the finding ID, or with WORDS NULL no finding at all. */
static void identity_has(const pki_spec *spec, const pki_cert *issuer, const char *id,
                         const char *words)
{
    cinch_context *ctx = cinch_context_server(NULL);
    pki_cert *cert = pki_make(spec, issuer);

    if (id != NULL && words != NULL) {
        cinch_policy *p = cinch_policy_new(NULL, NULL);

        /* What is too weak for level 2 cannot be used with it at all. */
        assert_int_equal(cinch_policy_insecure_security_level(p, 0, NULL), CINCH_OK);
        set(ctx, p);
    }
    use(ctx, cert, NULL);
    if (words != NULL)
        has(ctx, id, words);
    else if (id != NULL)
        has_not(ctx, id);
    else
        has_nothing(ctx);
    cinch_context_free(ctx);
    pki_free(cert);
}

#define NAMED .cn = "a", .dns = {"a.example.test"}

static void identity_time(void **state)
{
    static const struct {
        long before, after;
        const char *id;
    } cases[] = {
        {-90 * DAY, 40 * DAY, NULL},
        {-90 * DAY, 29 * DAY, "identity-expires-soon"},
        {-90 * DAY, 6 * DAY, "identity-expires"},
        {-90 * DAY, -9, "identity-expired"},
        {DAY, 90 * DAY, "identity-not-yet-valid"},
        /* A life of six days: renewed when a third of it is left. */
        {-DAY, 5 * DAY, NULL},
        {-5 * DAY, DAY + DAY / 2, "identity-expires-soon"},
        {-5 * DAY, DAY / 2, "identity-expires"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        identity_has(&(pki_spec){NAMED, .not_before = cases[i].before, .not_after = cases[i].after},
                     root, cases[i].id, cases[i].id == NULL ? NULL : "20");
}

static void identity_strength(void **state)
{
    (void)state;
    identity_has(&(pki_spec){NAMED, .key_type = PKI_KEY_RSA, .key_bits = 1024}, root,
                 "identity-weak-key", "RSA, 1024 bits");
    identity_has(&(pki_spec){NAMED, .key_type = PKI_KEY_RSA}, root, NULL, NULL);
    identity_has(&(pki_spec){NAMED, .digest = "sha1"}, root, "identity-weak-signature", "digest");
    identity_has(&(pki_spec){NAMED, .digest = "md5"}, weak_root, "identity-weak-signature",
                 "digest");
    identity_has(&(pki_spec){NAMED, .digest = "sha384"}, root, NULL, NULL);
}

/* SHA-1 on the intermediate counts, on a root sent along by mistake it does not. */
static void weak_signatures_above(void **state)
{
    pki_cert *middle = pki_make(&(pki_spec){.cn = "m", .is_ca = true, .digest = "sha1"}, root);
    pki_cert *top = pki_make(&(pki_spec){.cn = "t", .is_ca = true, .digest = "sha1"}, NULL);
    pki_cert *a = pki_make(&(pki_spec){NAMED}, middle), *b = pki_make(&(pki_spec){NAMED}, top);
    cinch_context *ctx = cinch_context_server(NULL);
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_policy_insecure_security_level(p, 0, NULL), CINCH_OK);
    set(ctx, p);
    use(ctx, a, middle);
    has(ctx, "identity-weak-signature", "digest");
    use(ctx, b, top);
    has_not(ctx, "identity-weak-signature");
    cinch_context_free(ctx);
    pki_free(a);
    pki_free(b);
    pki_free(middle);
    pki_free(top);
}

static void identity_names(void **state)
{
    (void)state;
    identity_has(&(pki_spec){.cn = "localhost", .no_san = true}, root, "identity-no-names",
                 "no subject");
    identity_has(&(pki_spec){.cn = "x", .email = "a@example.test", .no_san = true}, root,
                 "identity-no-names", "no subject");
    identity_has(&(pki_spec){.cn = "x", .ip = {"192.0.2.1"}}, root, NULL, NULL);
    identity_has(&(pki_spec){.cn = "x", .dns = {"a.example.test", "*.example.test"}}, root,
                 "identity-wildcard", ": *.example.test");
    identity_has(&(pki_spec){.cn = "x", .dns = {"www.cinch-audit.net"}, .not_after = 400 * DAY},
                 root, "identity-long-validity", "400 days");
    identity_has(&(pki_spec){.cn = "x",
                             .dns = {"www.cinch-audit.net"},
                             .not_before = -DAY,
                             .not_after = 397 * DAY - 1},
                 root, NULL, NULL);
    identity_has(&(pki_spec){NAMED, .not_after = 4000 * DAY}, root, NULL, NULL);
}

static void public_names(void **state)
{
    (void)state;
    assert_true(cinch_audit_public_name("www.cinch-audit.net"));
    assert_true(cinch_audit_public_name("*.contest"));
    assert_true(cinch_audit_public_name("nolocal.de"));
    assert_false(cinch_audit_public_name("localhost"));
    assert_false(cinch_audit_public_name("a.TEST"));
    assert_false(cinch_audit_public_name("printer.local"));
    assert_false(cinch_audit_public_name("www.example.com"));
    assert_false(cinch_audit_public_name("db.internal"));
    assert_false(cinch_audit_public_name(""));
}

static void identity_chain(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    pki_cert *server_only = pki_make(&(pki_spec){NAMED, .eku = "serverAuth"}, root);

    (void)state;
    identity_has(&(pki_spec){NAMED}, NULL, "identity-self-signed", "by itself");
    identity_has(&(pki_spec){NAMED, .aia_ca_issuers = "http://ca.example.test/ca.der"}, root,
                 "identity-incomplete", "CN=Audit Root");
    identity_has(&(pki_spec){NAMED, .eku = "clientAuth"}, root, "identity-purpose", "a server");
    identity_has(&(pki_spec){NAMED, .eku = "serverAuth"}, root, NULL, NULL);
    use(ctx, server_only, NULL);
    has(ctx, "identity-purpose", "a client");
    /* The names of a client are its own affair. */
    has_not(ctx, "identity-no-names");
    cinch_context_free(ctx);
    ctx = cinch_context_server(NULL);
    has(ctx, "identity-missing", "no certificate");
    cinch_context_free(ctx);
    pki_free(server_only);
}

static void names_and_protocols(void **state)
{
    cinch_context *ctx = server();
    pki_cert *wild = pki_make(&(pki_spec){.cn = "w", .dns = {"*.example.test"}}, root);

    (void)state;
    assert_int_equal(cinch_context_alpn_rule(ctx, CINCH_ALPN_OPTIONAL, NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_alpn(ctx, "h2", NULL), CINCH_OK);
    has(ctx, "alpn-optional", "ALPN");
    assert_int_equal(cinch_context_alpn_rule(ctx, CINCH_ALPN_OVERLAP, NULL), CINCH_OK);
    has_nothing(ctx);
    use(ctx, wild, NULL);
    has(ctx, "server-name-any", "many names");
    assert_int_equal(cinch_context_server_name_rule(ctx, CINCH_SERVER_NAME_KNOWN, NULL), CINCH_OK);
    has_not(ctx, "server-name-any");
    pki_free(wild);
    cinch_context_free(ctx);
}

static void resumption(void **state)
{
    cinch_context *ctx = server();
    const cinch_ticket_windows long_ones = {.lineage = (int)(10 * DAY)}, short_ones = {0};
    cinch_tickets *ring = cinch_tickets_new(&long_ones, NULL);
    cinch_policy *p;

    (void)state;
    assert_non_null(ring);
    assert_int_equal(cinch_context_tickets(ctx, ring, NULL), CINCH_OK);
    has(ctx, "tickets-lineage", "10 days");
    assert_int_equal(cinch_context_resumption(ctx, 0, NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_resumption(ctx, 1, NULL), CINCH_OK);
    cinch_tickets_free(ring);
    ring = cinch_tickets_new(&short_ones, NULL);
    assert_int_equal(cinch_context_tickets(ctx, ring, NULL), CINCH_OK);
    has_nothing(ctx);
    cinch_tickets_free(ring);
    assert_int_equal(cinch_context_session_ids(ctx, 100, NULL), CINCH_OK);
    has(ctx, "session-ids", "TLS 1.2");
    assert_int_equal(cinch_context_session_ids(ctx, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_tls12_tickets(ctx, 1, NULL), CINCH_OK);
    has(ctx, "tls12-tickets", "TLS 1.2");
    p = cinch_policy_new("modern", NULL);
    set(ctx, p);
    has_nothing(ctx);
    cinch_context_free(ctx);
}

/* A host may be weaker than the first one, and says which it is. */
static void hosts(void **state)
{
    cinch_context *ctx = server(), *inner = server();
    pki_cert *old = pki_make(&(pki_spec){.cn = "b",
                                         .dns = {"b.example.test", "c.example.test"},
                                         .not_before = -90 * DAY,
                                         .not_after = -9},
                             root);
    cinch_identity *identity = pair_identity(old, NULL);

    (void)state;
    assert_int_equal(cinch_context_add_identity(ctx, identity, NULL), CINCH_OK);
    has(ctx, "identity-expired", ".example.test: the certificate has expired");
    has(ctx, "identity-expired", "; also: ");
    cinch_identity_free(identity);
    trust(inner, root);
    assert_int_equal(cinch_context_client_auth(inner, CINCH_CLIENT_AUTH_OPTIONAL, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(ctx, "d.example.test", inner, NULL), CINCH_OK);
    assert_int_equal(cinch_context_host(ctx, "e.example.test", inner, NULL), CINCH_OK);
    has(ctx, "client-auth-optional", ".example.test: client certificates are asked for");
    assert_int_equal(cinch_context_client_auth(inner, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
    has_not(ctx, "client-auth-optional");
    cinch_context_free(inner);
    cinch_context_free(ctx);
    pki_free(old);
}

static void the_worst_first(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    cinch_policy *p = cinch_policy_new(NULL, NULL);

    (void)state;
    assert_int_equal(cinch_policy_insecure_versions(p, CINCH_TLS_1_0, CINCH_TLS_1_2, NULL),
                     CINCH_OK);
    set(ctx, p);
    assert_int_equal(cinch_context_insecure_skip_name(ctx, 1, NULL), CINCH_OK);
    cinch_audit *audit = cinch_context_audit(ctx, NULL);
    assert_true(audit->count > 5);
    assert_int_equal(audit->findings[0].severity, CINCH_SEVERITY_DANGER);
    assert_int_equal(audit->findings[audit->count - 1].severity, CINCH_SEVERITY_NOTE);
    for (size_t i = 1; i < audit->count; i++)
        assert_true(audit->findings[i].severity <= audit->findings[i - 1].severity);
    cinch_audit_free(audit);
    cinch_context_free(ctx);
}

static void the_table(void **state)
{
    static const char *const elsewhere[] = {AUDIT_CHECK_IDS};
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        assert_int_equal(caused[number_of(elsewhere[i])]++, 0);
        causes++;
    }
    for (const cinch_audit_finding *f; (f = cinch_audit_known(count)) != NULL; count++) {
        assert_int_equal(number_of(f->id), count);
        assert_true(f->id[0] != 0 && f->what[0] != 0 && f->why[0] != 0);
        assert_true(f->source[0] != 0 && f->remedy[0] != 0);
        assert_true(f->since[0] == 0 || (strlen(f->since) == 7 && f->since[4] == '-'));
        assert_string_not_equal(cinch_severity_name(f->severity), "unknown");
        if (caused[count] == 0)
            fail_msg("no test causes %s", f->id);
    }
    assert_int_equal(count, causes);
    assert_null(cinch_audit_known((size_t)-1));
    assert_string_equal(cinch_severity_name(CINCH_SEVERITY_NOTE), "note");
    assert_string_equal(cinch_severity_name(CINCH_SEVERITY_WARNING), "warning");
    assert_string_equal(cinch_severity_name(CINCH_SEVERITY_DANGER), "danger");
    assert_string_equal(cinch_severity_name((cinch_severity)7), "unknown");
}

static void misuse(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    assert_null(cinch_context_audit(NULL, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    /* A set error stops everything. */
    assert_null(cinch_context_audit(ctx, &err));
    assert_null(cinch_context_audit(NULL, NULL));
    cinch_audit_free(NULL);
    cinch_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_clean),
        cmocka_unit_test(versions),
        cmocka_unit_test(suites),
        cmocka_unit_test(suites_by_their_facts),
        cmocka_unit_test(strength),
        cmocka_unit_test(signatures),
        cmocka_unit_test(diffie_hellman),
        cmocka_unit_test(groups),
        cmocka_unit_test(legacy),
        cmocka_unit_test(checks_that_are_off),
        cmocka_unit_test(secrets),
        cmocka_unit_test(anchors),
        cmocka_unit_test(clients),
        cmocka_unit_test(clients_by_the_systems_trust),
        cmocka_unit_test(identity_time),
        cmocka_unit_test(identity_strength),
        cmocka_unit_test(weak_signatures_above),
        cmocka_unit_test(identity_names),
        cmocka_unit_test(public_names),
        cmocka_unit_test(identity_chain),
        cmocka_unit_test(names_and_protocols),
        cmocka_unit_test(resumption),
        cmocka_unit_test(hosts),
        cmocka_unit_test(the_worst_first),
        /* Behind the others: everything in the table was caused by then. */
        cmocka_unit_test(the_table),
        cmocka_unit_test(misuse),
    };

    return cmocka_run_group_tests_name("audit", tests, set_up, tear_down);
}
