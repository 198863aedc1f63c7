/* OCSP responses: who may say what, and when it counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki_ocsp.h"
#include "revocation/ocsp.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

static pki_family *family;
static pki_cert *delegate;
static int64_t now;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    delegate = pki_make(&(pki_spec){.cn = "Responder", .eku = "OCSPSigning"}, family->intermediate);
    now = (int64_t)time(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(delegate);
    pki_family_free(family);
    return 0;
}

static cinch_ocsp_finding finding;

static cinch_ocsp_verdict look(const pki_ocsp_spec *spec, cinch_crls *crls)
{
    size_t size;
    unsigned char *der = pki_ocsp(family->good, family->intermediate, spec, &size);
    cinch_ocsp_verdict verdict = cinch_ocsp_check(der, size, family->good->cert,
                                                  family->intermediate->cert, crls, now, &finding);

    free(der);
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(verdict != CINCH_OCSP_BAD || finding.why[0] != 0);
    return verdict;
}

static void bad(const pki_ocsp_spec *spec, const char *why)
{
    assert_int_equal(look(spec, NULL), CINCH_OCSP_BAD);
    if (strstr(finding.why, why) == NULL)
        fprintf(stderr, "%s\n", finding.why);
    assert_non_null(strstr(finding.why, why));
}

static void test_good(void **state)
{
    (void)state;
    assert_int_equal(look(NULL, NULL), CINCH_OCSP_GOOD);
    assert_true(finding.next_update > now && finding.next_update <= now + DAY + 5);
    assert_int_equal(look(&(pki_ocsp_spec){.by_key = true}, NULL), CINCH_OCSP_GOOD);
    assert_int_equal(look(&(pki_ocsp_spec){.id_digest = "sha256"}, NULL), CINCH_OCSP_GOOD);
    assert_int_equal(look(&(pki_ocsp_spec){.signer = delegate}, NULL), CINCH_OCSP_GOOD);
    assert_int_equal(look(&(pki_ocsp_spec){.signer = delegate, .by_key = true}, NULL),
                     CINCH_OCSP_GOOD);
}

static void test_revoked(void **state)
{
    (void)state;
    assert_int_equal(look(&(pki_ocsp_spec){.status = "revoked", .reason = 1}, NULL),
                     CINCH_OCSP_REVOKED);
    assert_int_equal(finding.reason, 1);
    assert_true(finding.revoked_at > 0 && finding.revoked_at < now);
    /* What is revoked stays so, however old the news. */
    assert_int_equal(
        look(
            &(pki_ocsp_spec){.status = "revoked", .this_update = -9 * DAY, .next_update = -8 * DAY},
            NULL),
        CINCH_OCSP_REVOKED);
    bad(&(pki_ocsp_spec){.status = "revoked", .corrupt_signature = true}, "not signed");
}

static void test_times(void **state)
{
    (void)state;
    bad(&(pki_ocsp_spec){.this_update = -3 * DAY, .next_update = -DAY}, "ran out on");
    bad(&(pki_ocsp_spec){.this_update = DAY, .next_update = 2 * DAY}, "from the future");
    bad(&(pki_ocsp_spec){.no_next_update = true}, "until when");
    /* Clocks differ a little. */
    assert_int_equal(look(&(pki_ocsp_spec){.this_update = 200}, NULL), CINCH_OCSP_GOOD);
    assert_int_equal(look(&(pki_ocsp_spec){.this_update = -DAY, .next_update = -200}, NULL),
                     CINCH_OCSP_GOOD);
}

static void test_what_it_says(void **state)
{
    (void)state;
    bad(&(pki_ocsp_spec){.status = "unknown"}, "does not know");
    bad(&(pki_ocsp_spec){.about = family->client}, "another certificate");
    bad(&(pki_ocsp_spec){.id_digest = "sha512"}, "another certificate");
    bad(&(pki_ocsp_spec){.critical = true}, "critical extension");
    bad(&(pki_ocsp_spec){.error = 3}, "error of the responder: trylater");
}

/* Everybody who is not the issuer and has not been certified by it for this. */
static void test_who_may_not_sign(void **state)
{
    const pki_spec specs[] = {
        {.cn = "Responder"},                                          /* no purpose */
        {.cn = "Responder", .no_eku = true},                          /* "anything" */
        {.cn = "Responder", .eku = "anyExtendedKeyUsage"},            /* the same in words */
        {.cn = "Responder", .eku = "OCSPSigning", .not_after = -60},  /* too old */
        {.cn = "Responder", .eku = "OCSPSigning", .not_before = 600}, /* too young */
        {.cn = "Responder", .eku = "OCSPSigning", .corrupt_signature = true},
        {.cn = "Responder", .eku = "OCSPSigning", .key_usage = "keyAgreement"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        pki_cert *signer = pki_make(&specs[i], family->intermediate);
        bad(&(pki_ocsp_spec){.signer = signer}, "not signed by");
        pki_free(signer);
    }
    /* The server itself; the issuer's issuer; somebody else's responder, its chain included. */
    pki_cert *foreign =
        pki_make(&(pki_spec){.cn = "Responder", .eku = "OCSPSigning"}, family->other_root);
    pki_cert *uncle = pki_make(&(pki_spec){.cn = "Responder", .eku = "OCSPSigning"}, family->root);
    pki_cert *namesake = pki_make(
        &(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Intermediate", .is_ca = true}, NULL);
    bad(&(pki_ocsp_spec){.signer = family->good}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = family->root}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = uncle, .others = {family->root}}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = foreign, .others = {family->other_root}}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = namesake, .others = {namesake}}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = delegate, .without_signer = true}, "not signed by");
    pki_free(foreign);
    pki_free(uncle);
    pki_free(namesake);
    bad(&(pki_ocsp_spec){.corrupt_signature = true}, "not signed by");
    bad(&(pki_ocsp_spec){.signer = delegate, .corrupt_signature = true}, "not signed by");
    bad(&(pki_ocsp_spec){.digest = "sha1"}, "too weak");
}

static void test_a_revoked_responder_does_not_count(void **state)
{
    char *text = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {delegate}});
    cinch_crls *crls = cinch_crls_with_bytes(NULL, text, strlen(text), NULL);

    (void)state;
    assert_non_null(crls);
    assert_int_equal(look(&(pki_ocsp_spec){.signer = delegate}, crls), CINCH_OCSP_BAD);
    assert_int_equal(look(NULL, crls), CINCH_OCSP_GOOD);
    cinch_crls_unref(crls);
    free(text);
}

static void test_damage(void **state)
{
    size_t size;
    unsigned char *der = pki_ocsp(family->good, family->intermediate, NULL, &size);
    unsigned char *longer = malloc(size + 1);
    X509 *leaf = family->good->cert, *issuer = family->intermediate->cert;

    (void)state;
    for (size_t n = 0; n < size; n++)
        assert_int_equal(cinch_ocsp_check(der, n, leaf, issuer, NULL, now, &finding),
                         CINCH_OCSP_BAD);
    memcpy(longer, der, size);
    longer[size] = 0;
    assert_int_equal(cinch_ocsp_check(longer, size + 1, leaf, issuer, NULL, now, &finding),
                     CINCH_OCSP_BAD);
    for (size_t n = 0; n < size; n++) {
        der[n] ^= 0x10;
        cinch_ocsp_verdict verdict = cinch_ocsp_check(der, size, leaf, issuer, NULL, now, &finding);
        /* The bytes of the outer shell can say the same in another way; never anything else. */
        assert_int_not_equal(verdict, CINCH_OCSP_REVOKED);
        assert_int_not_equal(verdict, CINCH_OCSP_FAILED);
        der[n] ^= 0x10;
    }
    free(longer);
    free(der);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_revoked),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_who_may_not_sign),
        cmocka_unit_test(test_a_revoked_responder_does_not_count),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests_name("ocsp", tests, set_up, tear_down);
}
