/* What an audit says of who is let in and of what was withdrawn; the rest is in test_audit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit_ids.h"
#include "pair.h"
#include "pki_ocsp.h"

#include <cinch/audit.h>
#include <cinch/binding.h>
#include <cinch/psk.h>
#include <cinch/revocation.h>
#include <cinch/signer.h>
#include <cinch/verify.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400L

static const char *const ids[] = {AUDIT_CHECK_IDS};
static char caused[sizeof ids / sizeof ids[0]];
static pki_cert *root, *leaf;

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Audit Root", .is_ca = true}, NULL);
    leaf = pki_make(&(pki_spec){.cn = "a", .dns = {"a.example.test"}}, root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(root);
    pki_free(leaf);
    return 0;
}

/* Writes what CTX has of finding ID into TEXT: 1, or 0 if it is not there. */
static int found(cinch_context *ctx, const char *id, char *text, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_audit *audit = cinch_context_audit(ctx, &err);
    int there = 0;

    assert_int_equal(cinch_error_report(&err, stderr), 0);
    for (size_t i = 0; i < audit->count; i++)
        if (strcmp(audit->findings[i].id, id) == 0) {
            there = 1;
            snprintf(text, size, "%s", audit->findings[i].what);
        }
    cinch_audit_free(audit);
    assert_true(ERR_peek_error() == 0);
    return there;
}

static void has(cinch_context *ctx, const char *id, const char *words)
{
    char text[1500] = "nothing";

    if (!found(ctx, id, text, sizeof text) || strstr(text, words) == NULL)
        fail_msg("%s: wanted \"%s\", got \"%s\"", id, words, text);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (strcmp(ids[i], id) == 0)
            caused[i] = 1;
}

static void has_not(cinch_context *ctx, const char *id)
{
    char text[1500];

    if (found(ctx, id, text, sizeof text))
        fail_msg("%s is a false alarm: %s", id, text);
}

static void has_nothing(cinch_context *ctx)
{
    cinch_audit *audit = cinch_context_audit(ctx, NULL);

    assert_non_null(audit);
    for (size_t i = 0; i < audit->count; i++)
        fail_msg("%s: %s", audit->findings[i].id, audit->findings[i].what);
    cinch_audit_free(audit);
}

static cinch_context *server_with(const pki_cert *cert)
{
    cinch_context *ctx = cinch_context_server(NULL);
    cinch_identity *identity = pair_identity(cert, root);

    assert_int_equal(cinch_context_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    return ctx;
}

static cinch_context *mutual(cinch_client_auth mode)
{
    cinch_context *ctx = server_with(leaf);

    pair_trust(ctx, root);
    assert_int_equal(cinch_context_client_auth(ctx, mode, NULL), CINCH_OK);
    return ctx;
}

/* ---- Revocation lists ---- */

static void add_list(cinch_context *ctx, const pki_crl_spec *spec)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *pem = pki_crl(root, spec);

    (void)cinch_context_crl_pem(ctx, pem, strlen(pem), &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(pem);
}

/* A client with such a list under the rule LEAF has the finding ID, or with NULL nothing to report. */
static void list_has(const pki_crl_spec *spec, const char *id)
{
    cinch_context *ctx = cinch_context_client(NULL);

    add_list(ctx, spec);
    assert_int_equal(cinch_context_crl_rule(ctx, CINCH_CRL_LEAF, NULL), CINCH_OK);
    if (id != NULL)
        has(ctx, id, ": memory");
    else
        has_nothing(ctx);
    cinch_context_free(ctx);
}

static void lists(void **state)
{
    (void)state;
    list_has(&(pki_crl_spec){.number = 1}, NULL);
    list_has(&(pki_crl_spec){.this_update = -9 * DAY, .next_update = -9}, "crl-expired");
    list_has(&(pki_crl_spec){.this_update = -6 * DAY, .next_update = DAY / 2}, "crl-expires");
    list_has(&(pki_crl_spec){.this_update = -6 * DAY, .next_update = 2 * DAY}, NULL);
    /* A list of a day, renewed every few hours. */
    list_has(&(pki_crl_spec){.this_update = -DAY / 2, .next_update = DAY / 2}, NULL);
    list_has(&(pki_crl_spec){.this_update = -DAY, .next_update = 3600}, "crl-expires");
    list_has(&(pki_crl_spec){.no_next_update = true}, "crl-endless");
    list_has(&(pki_crl_spec){.digest = "sha1"}, "crl-weak-signature");
}

static void an_old_list_beside_its_successor(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);
    const pki_crl_spec old = {.this_update = -9 * DAY, .next_update = -9, .number = 1};

    (void)state;
    add_list(ctx, &old);
    assert_int_equal(cinch_context_crl_rule(ctx, CINCH_CRL_LEAF, NULL), CINCH_OK);
    has(ctx, "crl-expired", "run out");
    /* One for other certificates is no successor. */
    add_list(ctx, &(pki_crl_spec){.number = 2, .scope = "critical,onlyCA:TRUE"});
    has(ctx, "crl-expired", "run out");
    add_list(ctx, &(pki_crl_spec){.number = 3});
    has_nothing(ctx);
    cinch_context_free(ctx);
}

static void rules_for_lists(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL), *ours = server_with(leaf);

    (void)state;
    add_list(ctx, NULL);
    has(ctx, "crl-soft", "none has to be there");
    assert_int_equal(cinch_context_crl_rule(ctx, CINCH_CRL_CHAIN, NULL), CINCH_OK);
    has_nothing(ctx);
    add_list(ours, NULL);
    has(ours, "crl-unused", "no certificate is asked for");
    has_not(ours, "crl-soft");
    cinch_context_free(ours);
    ours = mutual(CINCH_CLIENT_AUTH_REQUIRED);
    add_list(ours, NULL);
    has_not(ours, "crl-unused");
    has(ours, "crl-soft", "none has to be there");
    cinch_context_free(ctx);
    cinch_context_free(ours);
}

/* ---- Stapled responses ---- */

static void staple(cinch_context *ctx, const char *path, const pki_cert *cert,
                   const pki_ocsp_spec *spec)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;
    unsigned char *der = pki_ocsp(cert, root, spec, &size);

    assert_true(pki_write_bytes(path, der, size, 0644));
    (void)cinch_context_ocsp_file(ctx, path, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    free(der);
}

static void responses(void **state)
{
    static const unsigned char demand[] = {0x30, 3, 2, 1, 5}, other[] = {0x30, 3, 2, 1, 17};
    const pki_spec spec = {.cn = "b",
                           .dns = {"b.example.test"},
                           .raw = {{.oid = "1.3.6.1.5.5.7.1.24", .der = demand, .der_len = 5}}};
    pki_spec harmless = spec;
    pki_cert *demanding, *not_demanding;
    char *dir = pki_tmpdir(), *path = pki_path(dir, "response", ".der");

    (void)state;
    harmless.raw[0].der = other;
    demanding = pki_make(&spec, root);
    not_demanding = pki_make(&harmless, root);
    cinch_context *ctx = server_with(demanding);
    has(ctx, "must-staple", "demands an OCSP response");
    staple(ctx, path, demanding, &(pki_ocsp_spec){.next_update = 5 * DAY});
    has_nothing(ctx);
    staple(ctx, path, demanding, &(pki_ocsp_spec){.this_update = -5 * DAY, .next_update = 3600});
    has(ctx, "ocsp-expires", "runs out on 20");
    has_not(ctx, "must-staple");
    has_not(ctx, "ocsp-not-sent");
    /* Another certificate than the one that the response is for. */
    cinch_identity *identity = pair_identity(leaf, root);
    assert_int_equal(cinch_context_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
    has(ctx, "ocsp-not-sent", "for another certificate");
    has_not(ctx, "must-staple");
    cinch_context_free(ctx);
    ctx = server_with(not_demanding);
    has_nothing(ctx);
    cinch_context_free(ctx);
    pki_free(demanding);
    pki_free(not_demanding);
    free(path);
    pki_rmtree(dir);
}

/* ---- Who is let in ---- */

static int let_in(cinch_certificate *const *chain, size_t count, char *why, size_t size, void *arg)
{
    (void)chain;
    (void)count;
    (void)why;
    (void)size;
    (void)arg;
    return 1;
}

static void pins_and_callbacks(void **state)
{
    static const char one[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char two[] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    assert_int_equal(cinch_context_pin(ctx, one, two, NULL), CINCH_OK);
    assert_int_equal(cinch_context_allow_if(ctx, let_in, NULL, NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_insecure_skip_verification(ctx, 1, NULL), CINCH_OK);
    has(ctx, "pins-unverified", "key is compared");
    has(ctx, "allow-unverified", "nobody verified");
    /* The server's own key is proved: not everybody can pose as it. */
    has_not(ctx, "verification-off");
    assert_int_equal(cinch_context_pin(ctx, NULL, NULL, NULL), CINCH_OK);
    assert_int_equal(cinch_context_allow_if(ctx, NULL, NULL, NULL), CINCH_OK);
    has_not(ctx, "pins-unverified");
    has_not(ctx, "allow-unverified");
    has(ctx, "verification-off", "not verified");
    cinch_context_free(ctx);
}

static void rules_for_clients(void **state)
{
    cinch_context *ctx = mutual(CINCH_CLIENT_AUTH_REQUIRED);

    (void)state;
    assert_int_equal(cinch_context_allow(ctx, CINCH_MATCH_DNS, "a.example.test", NULL), CINCH_OK);
    assert_int_equal(cinch_context_allow(ctx, CINCH_MATCH_EMAIL, "a@example.test", NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_allow(ctx, CINCH_MATCH_COMMON_NAME, "alice", NULL), CINCH_OK);
    has(ctx, "allow-common-name", "common name");
    assert_int_equal(cinch_context_allow_all(ctx, NULL), CINCH_OK);
    has_nothing(ctx);
    cinch_context_free(ctx);
    ctx = mutual(CINCH_CLIENT_AUTH_OPTIONAL);
    has_not(ctx, "allow-optional");
    assert_int_equal(cinch_context_allow(ctx, CINCH_MATCH_DNS, "a.example.test", NULL), CINCH_OK);
    has(ctx, "allow-optional", "without a certificate");
    cinch_context_free(ctx);
}

static size_t no_secret(const char *identity, unsigned char *key, size_t size, void *arg)
{
    (void)identity;
    (void)key;
    (void)size;
    (void)arg;
    return 0;
}

static size_t no_offer(const char *hint, char *identity, size_t identity_size, unsigned char *key,
                       size_t size, void *arg)
{
    (void)hint;
    (void)identity_size;
    return no_secret(identity, key, size, arg);
}

static void secrets_of_callbacks(void **state)
{
    cinch_context *server = cinch_context_server(NULL), *client = cinch_context_client(NULL);
    unsigned char good[32];

    (void)state;
    for (size_t i = 0; i < sizeof good; i++)
        good[i] = (unsigned char)(i * 37 + 3);
    assert_int_equal(cinch_context_psk_lookup(server, no_secret, NULL, 0, NULL), CINCH_OK);
    has_not(server, "psk-unchecked");
    assert_int_equal(cinch_context_insecure_psk_lookup(server, no_secret, NULL, 0, NULL), CINCH_OK);
    has(server, "psk-unchecked", "of any size");
    /* Without a callback those that were set are all there are. */
    assert_int_equal(cinch_context_psk(server, "good", good, 32, 0, NULL), CINCH_OK);
    has(server, "psk-unchecked", "of any size");
    assert_int_equal(cinch_context_insecure_psk_lookup(server, NULL, NULL, 0, NULL), CINCH_OK);
    has_not(server, "psk-unchecked");
    assert_int_equal(cinch_context_insecure_psk_offer(client, no_offer, NULL, 0, NULL), CINCH_OK);
    has(client, "psk-unchecked", "of any size");
    cinch_context_free(server);
    cinch_context_free(client);
}

static void shared_secrets(void **state)
{
    static const char password[] = "correct horse battery staple etc";
    static const unsigned char same[32] = {1, 2, 3, 1, 2, 3};
    unsigned char good[32];
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof good; i++)
        good[i] = (unsigned char)(i * 37 + 3);
    assert_int_equal(cinch_context_psk(ctx, "good", good, 32, 0, NULL), CINCH_OK);
    has_nothing(ctx);
    assert_int_equal(cinch_context_psk(ctx, "good", good, 31, 0, NULL), CINCH_OK);
    has(ctx, "psk-short", ": good");
    has_not(ctx, "psk-guessable");
    assert_int_equal(cinch_context_psk(ctx, NULL, NULL, 0, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(ctx, "word", password, 32, 0, NULL), CINCH_OK);
    has(ctx, "psk-guessable", ": word");
    has_not(ctx, "psk-short");
    assert_int_equal(cinch_context_psk(ctx, NULL, NULL, 0, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_psk(ctx, "same", same, 32, 0, NULL), CINCH_OK);
    has(ctx, "psk-guessable", ": same");
    cinch_context_free(ctx);
}

static cinch_status nobody_signs(const cinch_signing *what, unsigned char *signature, size_t *size,
                                 char *reason, size_t reason_size, void *arg)
{
    (void)what;
    (void)signature;
    (void)size;
    (void)reason;
    (void)reason_size;
    (void)arg;
    return CINCH_FAILED;
}

/* A key that is somewhere else is held to what other keys are held to. */
static void keys_that_are_elsewhere(void **state)
{
    static const int bits[] = {1024, 2048};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cinch_error err = CINCH_ERROR_INIT;
        pki_cert *cert = pki_make(
            &(pki_spec){
                .cn = "s", .dns = {"s.example.test"}, .key_type = PKI_KEY_RSA, .key_bits = bits[i]},
            root);
        char *pem = pki_pem_cert(cert);
        cinch_context *ctx = cinch_context_server(&err);
        cinch_policy *policy = cinch_policy_new(NULL, &err);
        cinch_identity *identity =
            cinch_identity_signer(pem, strlen(pem), nobody_signs, NULL, &err);

        cinch_policy_insecure_security_level(policy, 1, &err);
        cinch_context_policy(ctx, policy, &err);
        cinch_context_identity(ctx, identity, &err);
        assert_int_equal(cinch_error_report(&err, stderr), 0);
        if (bits[i] < 2048)
            has(ctx, "identity-weak-key", "RSA, 1024 bits");
        else
            has_not(ctx, "identity-weak-key");
        cinch_identity_free(identity);
        cinch_policy_free(policy);
        cinch_context_free(ctx);
        pki_free(cert);
        free(pem);
    }
}

static void records(void **state)
{
    cinch_context *ctx = cinch_context_client(NULL);

    (void)state;
    assert_int_equal(cinch_context_record_size(ctx, 1023, 0, NULL), CINCH_OK);
    has(ctx, "records-small", "1023 bytes");
    assert_int_equal(cinch_context_record_size(ctx, 1024, 1, NULL), CINCH_OK);
    has_nothing(ctx);
    cinch_context_free(ctx);
}

/* Behind the others. */
static void all_were_caused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (!caused[i])
            fail_msg("no test causes %s", ids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(an_old_list_beside_its_successor),
        cmocka_unit_test(rules_for_lists),
        cmocka_unit_test(responses),
        cmocka_unit_test(pins_and_callbacks),
        cmocka_unit_test(rules_for_clients),
        cmocka_unit_test(shared_secrets),
        cmocka_unit_test(secrets_of_callbacks),
        cmocka_unit_test(keys_that_are_elsewhere),
        cmocka_unit_test(records),
        cmocka_unit_test(all_were_caused),
    };

    return cmocka_run_group_tests_name("audit_checks", tests, set_up, tear_down);
}
