/* Revocation lists: what is read, what is refused, and what they say of a certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "pki.h"
#include "revocation/lists.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY 86400

static pki_family *family;
static int64_t now;

/* A clock on which each look is a second later, so that every refresh is due. */
static int64_t now_us = 1000000;

int64_t cinch_clock_us(void)
{
    return now_us += 1000000;
}

int64_t cinch_clock_wall(void)
{
    return (int64_t)time(NULL);
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    snprintf(buf, 32, "%lld", (long long)when);
    return buf;
}

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    now = (int64_t)time(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static cinch_crls *read_text(const cinch_crls *base, const char *text)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_crls *set = cinch_crls_with_bytes(base, text, strlen(text), &err);

    assert_int_equal(cinch_error_report(&err, stderr), 0);
    assert_non_null(set);
    return set;
}

static cinch_crls *make(const cinch_crls *base, const pki_cert *issuer, const pki_crl_spec *spec)
{
    char *text = pki_crl(issuer, spec);
    cinch_crls *set = read_text(base, text);

    free(text);
    return set;
}

static cinch_crl_verdict look(cinch_crls *set, const pki_cert *x, const pki_cert *issuer,
                              int64_t when, cinch_crl_finding *finding)
{
    cinch_crl_verdict verdict = cinch_crls_check(set, x->cert, issuer->cert, when, finding);

    assert_int_equal(ERR_peek_error(), 0);
    return verdict;
}

static cinch_crl_verdict verdict_of(const pki_crl_spec *spec, int64_t when)
{
    cinch_crls *set = make(NULL, family->intermediate, spec);
    cinch_crl_verdict verdict = look(set, family->good, family->intermediate, when, NULL);

    cinch_crls_unref(set);
    return verdict;
}

static void test_listed_and_not(void **state)
{
    cinch_crl_finding finding;
    cinch_crls *set =
        make(NULL, family->intermediate, &(pki_crl_spec){.certs = {family->good}, .reason = 2});

    (void)state;
    assert_int_equal(look(set, family->good, family->intermediate, now, &finding),
                     CINCH_CRL_REVOKED);
    assert_int_equal(finding.reason, CRL_REASON_KEY_COMPROMISE);
    assert_string_equal(cinch_crl_reason(finding.reason), "its key was compromised");
    assert_string_equal(finding.where, "memory");
    assert_true(finding.revoked_at > now - 4000 && finding.revoked_at < now);
    assert_int_equal(look(set, family->client, family->intermediate, now, &finding),
                     CINCH_CRL_GOOD);
    /* The list of one issuer says nothing of another's certificates. */
    assert_int_equal(look(set, family->under_root, family->root, now, &finding), CINCH_CRL_UNKNOWN);
    assert_string_equal(finding.why_not, "");
    cinch_crls_unref(set);
}

static void test_a_list_out_of_time_is_no_proof_of_goodness_but_of_revocation(void **state)
{
    cinch_crl_finding finding;

    (void)state;
    const pki_crl_spec lists[] = {
        {.this_update = -9 * DAY, .next_update = -DAY},
        {.this_update = DAY, .next_update = 2 * DAY},
        {.no_next_update = true},
    };
    for (size_t i = 0; i < 3; i++) {
        pki_crl_spec spec = lists[i];

        assert_int_equal(verdict_of(&spec, now), CINCH_CRL_UNKNOWN);
        spec.certs[0] = family->good;
        assert_int_equal(verdict_of(&spec, now), CINCH_CRL_REVOKED);
    }
    cinch_crls *set = make(NULL, family->intermediate, &lists[0]);
    (void)look(set, family->good, family->intermediate, now, &finding);
    assert_non_null(strstr(finding.why_not, "ran out on"));
    cinch_crls_unref(set);
}

static void test_signature_and_signer(void **state)
{
    const pki_crl_spec listed = {.certs = {family->good}};
    cinch_crl_finding finding;

    (void)state;
    assert_int_equal(
        verdict_of(&(pki_crl_spec){.certs = {family->good}, .corrupt_signature = true}, now),
        CINCH_CRL_UNKNOWN);
    /* A namesake with another key; and an issuer that may not sign lists. */
    pki_cert *namesake =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Intermediate", .is_ca = true},
                 family->root);
    cinch_crls *set = make(NULL, namesake, &listed);
    assert_int_equal(look(set, family->good, family->intermediate, now, &finding),
                     CINCH_CRL_UNKNOWN);
    assert_non_null(strstr(finding.why_not, "not signed by this issuer"));
    cinch_crls_unref(set);
    pki_cert *no_right = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=No Lists",
                                              .is_ca = true,
                                              .key_usage = "critical,keyCertSign"},
                                  family->root);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x"}, no_right);
    set = make(NULL, no_right, &(pki_crl_spec){.number = 1});
    assert_int_equal(look(set, leaf, no_right, now, NULL), CINCH_CRL_UNKNOWN);
    cinch_crls_unref(set);
    pki_free(leaf);
    pki_free(no_right);
    pki_free(namesake);
}

/* A digest in which collisions can be made is good enough to revoke, and for nothing else. */
static void test_weak_digest(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(&(pki_crl_spec){.digest = "sha1"}, now), CINCH_CRL_UNKNOWN);
    assert_int_equal(verdict_of(&(pki_crl_spec){.digest = "sha1", .certs = {family->good}}, now),
                     CINCH_CRL_REVOKED);
}

static void test_scope(void **state)
{
    static const struct {
        const char *scope;
        cinch_crl_verdict leaf, ca;
    } cases[] = {
        {"critical,onlyuser:TRUE", CINCH_CRL_GOOD, CINCH_CRL_UNKNOWN},
        {"critical,onlyCA:TRUE", CINCH_CRL_UNKNOWN, CINCH_CRL_GOOD},
        {"critical,onlysomereasons:keyCompromise", CINCH_CRL_UNKNOWN, CINCH_CRL_UNKNOWN},
        {"critical,fullname:URI:http://crl.test/1", CINCH_CRL_GOOD, CINCH_CRL_UNKNOWN},
        {"critical,fullname:URI:http://crl.test/2", CINCH_CRL_UNKNOWN, CINCH_CRL_UNKNOWN},
    };
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "x", .crl_url = "http://crl.test/1"}, family->root);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cinch_crls *set =
            make(NULL, family->root, &(pki_crl_spec){.scope = cases[i].scope, .number = 1});
        assert_int_equal(look(set, leaf, family->root, now, NULL), cases[i].leaf);
        assert_int_equal(look(set, family->intermediate, family->root, now, NULL), cases[i].ca);
        cinch_crls_unref(set);
        /* Outside its scope or not: listed is listed. */
        set = make(NULL, family->root,
                   &(pki_crl_spec){.scope = cases[i].scope, .certs = {leaf, family->intermediate}});
        assert_int_equal(look(set, leaf, family->root, now, NULL), CINCH_CRL_REVOKED);
        assert_int_equal(look(set, family->intermediate, family->root, now, NULL),
                         CINCH_CRL_REVOKED);
        cinch_crls_unref(set);
    }
    pki_free(leaf);
}

static void test_holds_end_and_revocations_do_not(void **state)
{
    (void)state;
    for (int hold = 0; hold < 2; hold++)
        for (int newer_first = 0; newer_first < 2; newer_first++) {
            const pki_crl_spec old = {.this_update = -2 * DAY,
                                      .certs = {family->good},
                                      .reason = hold ? 7 : 5},
                               newer = {.this_update = -DAY};
            cinch_crls *one = make(NULL, family->intermediate, newer_first ? &newer : &old);
            cinch_crls *both = make(one, family->intermediate, newer_first ? &old : &newer);

            assert_int_equal(look(both, family->good, family->intermediate, now, NULL),
                             hold ? CINCH_CRL_GOOD : CINCH_CRL_REVOKED);
            /* The newer list has run out: nothing ends the hold. */
            assert_int_equal(look(both, family->good, family->intermediate, now + 30 * DAY, NULL),
                             CINCH_CRL_REVOKED);
            cinch_crls_unref(one);
            cinch_crls_unref(both);
        }
    /* removeFromCRL has no place on a full list: listed is listed. */
    assert_int_equal(verdict_of(&(pki_crl_spec){.certs = {family->good}, .reason = 9}, now),
                     CINCH_CRL_REVOKED);
}

static void refused(const char *text, size_t size, cinch_cause cause, const char *what)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_crls *set = cinch_crls_with_bytes(NULL, text, size, &err);

    if (set != NULL || err.cause != cause || strstr(err.what, what) == NULL)
        (void)cinch_error_report(&err, stderr);
    assert_null(set);
    assert_int_equal(err.cause, cause);
    assert_non_null(strstr(err.what, what));
    assert_int_equal(ERR_peek_error(), 0);
}

static void refused_list(const pki_crl_spec *spec, const char *what)
{
    char *good = pki_crl(family->root, NULL), *bad = pki_crl(family->root, spec);
    char *both = pki_pem_concat("# lists\n", good, bad, (char *)NULL);

    refused(both, strlen(both), CINCH_CAUSE_BAD_REVOCATION, what);
    /* The line is that of the bad one. */
    char line[32];
    size_t number = 2;
    for (const char *at = good; *at != 0; at++)
        number += *at == '\n';
    snprintf(line, sizeof line, "at line %zu of", number);
    refused(both, strlen(both), CINCH_CAUSE_BAD_REVOCATION, line);
    free(good);
    free(bad);
    free(both);
}

static void test_what_is_not_understood_is_refused_at_once(void **state)
{
    (void)state;
    refused_list(&(pki_crl_spec){.critical = "1.3.6.1.4.1.55555.1"}, "critical extension");
    refused_list(&(pki_crl_spec){.critical_number = true}, "a number that is critical");
    refused_list(&(pki_crl_spec){.delta = true}, "delta");
    refused_list(&(pki_crl_spec){.scope = "critical,indirectCRL:TRUE"}, "indirect");
    refused_list(&(pki_crl_spec){.scope = "critical,onlyAA:TRUE"}, "attribute certificates");
    refused_list(&(pki_crl_spec){.scope = "critical,onlyuser:TRUE,onlyCA:TRUE"}, "contradicts");
    refused_list(&(pki_crl_spec){.certs = {family->good}, .indirect_entry = true}, "indirect");
}

static void test_damaged_files(void **state)
{
    char *text = pki_crl(family->root, NULL), *cert = pki_pem_cert(family->good);
    char *key = pki_pem_key(family->good, NULL);
    char *with_key = pki_pem_concat(text, key, (char *)NULL);

    (void)state;
    for (size_t size = 0; size + 1 < strlen(text); size += 7) {
        cinch_error err = CINCH_ERROR_INIT;
        assert_null(cinch_crls_with_bytes(NULL, text, size, &err));
        assert_int_equal(err.category, CINCH_CATEGORY_FILE);
    }
    refused("", 0, CINCH_CAUSE_BAD_REVOCATION, "there is no revocation list");
    refused("hello\n", 6, CINCH_CAUSE_NOT_PEM, "neither PEM nor");
    refused(cert, strlen(cert), CINCH_CAUSE_BAD_REVOCATION, "there is no revocation list");
    refused(with_key, strlen(with_key), CINCH_CAUSE_KEY_WHERE_CERTIFICATE, "a private key");
    free(with_key);
    free(key);
    free(cert);
    free(text);
}

static unsigned char *der_of(const char *text, size_t *size)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int n = i2d_X509_CRL(crl, &der);

    assert_true(n > 0);
    *size = (size_t)n;
    X509_CRL_free(crl);
    BIO_free(bio);
    return der;
}

static void test_der_and_several(void **state)
{
    char *text = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->good}});
    size_t size;
    unsigned char *der = der_of(text, &size), *two = malloc(2 * size);
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    memcpy(two, der, size);
    memcpy(two + size, der, size);
    cinch_crls *set = cinch_crls_with_bytes(NULL, two, 2 * size, &err);
    assert_non_null(set);
    assert_int_equal(set->sources[0].files[0].lists->count, 2);
    assert_int_equal(look(set, family->good, family->intermediate, now, NULL), CINCH_CRL_REVOKED);
    assert_null(cinch_crls_with_bytes(NULL, two, 2 * size - 1, &err));
    assert_non_null(strstr(err.what, "at byte"));
    cinch_crls_unref(set);
    OPENSSL_free(der);
    free(two);
    free(text);
}

static void write_text(const char *path, const char *text)
{
    /* As tools do it: a new file takes the place of the old one. */
    char *fresh = pki_path(path, "", "tmp");

    fresh[strlen(path)] = '-';
    assert_true(pki_write(fresh, text, 0644));
    assert_int_equal(rename(fresh, path), 0);
    free(fresh);
}

static void test_files_are_read_again(void **state)
{
    char *dir = pki_tmpdir(), *path = pki_path(dir, "list.pem", "");
    char *empty = pki_crl(family->intermediate, NULL);
    char *listed = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->good}});
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    write_text(path, empty);
    cinch_crls *set = cinch_crls_with_file(NULL, path, &err), *same = NULL;
    assert_non_null(set);
    assert_int_equal(look(set, family->good, family->intermediate, now, NULL), CINCH_CRL_GOOD);
    same = cinch_crls_refresh(set);
    assert_ptr_equal(same, set);
    cinch_crls_unref(same);
    write_text(path, listed);
    cinch_crls *fresh = cinch_crls_refresh(set);
    assert_int_equal(look(fresh, family->good, family->intermediate, now, NULL), CINCH_CRL_REVOKED);
    assert_memory_not_equal(fresh->digest, set->digest, 32);
    /* The old set stays what it was. */
    assert_int_equal(look(set, family->good, family->intermediate, now, NULL), CINCH_CRL_GOOD);
    cinch_crls_unref(set);
    /* Half written, emptied, gone: the last good content stays. */
    char *half = strndup(empty, strlen(empty) / 2);
    const char *const wrong[] = {half, "", "text"};
    for (size_t i = 0; i < 4; i++) {
        if (i < 3)
            write_text(path, wrong[i]);
        else
            assert_int_equal(unlink(path), 0);
        same = cinch_crls_refresh(fresh);
        assert_ptr_equal(same, fresh);
        cinch_crls_unref(same);
    }
    write_text(path, empty);
    set = cinch_crls_refresh(fresh);
    assert_int_equal(look(set, family->good, family->intermediate, now, NULL), CINCH_CRL_GOOD);
    cinch_crls_unref(set);
    cinch_crls_unref(fresh);
    free(half);
    free(empty);
    free(listed);
    free(path);
    pki_rmtree(dir);
}

static void test_directories(void **state)
{
    char *dir = pki_tmpdir(), *first = pki_path(dir, "a1b2c3d4.r0", "");
    char *second = pki_path(dir, "other.crl", ""), *cert_path = pki_path(dir, "ca.pem", "");
    char *of_root = pki_crl(family->root, NULL), *cert = pki_pem_cert(family->root);
    char *listed = pki_crl(family->intermediate, &(pki_crl_spec){.certs = {family->good}});
    cinch_error err = CINCH_ERROR_INIT;
    char text[256];

    (void)state;
    assert_null(cinch_crls_with_dir(NULL, dir, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_BAD_REVOCATION);
    cinch_error_clear(&err);
    write_text(first, of_root);
    write_text(cert_path, cert);
    cinch_crls *set = cinch_crls_with_dir(NULL, dir, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    assert_non_null(strstr(cinch_crls_describe(set, text, sizeof text), "(1 list)"));
    assert_int_equal(look(set, family->good, family->intermediate, now, NULL), CINCH_CRL_UNKNOWN);
    /* A new file counts, */
    write_text(second, listed);
    cinch_crls *fresh = cinch_crls_refresh(set);
    assert_ptr_not_equal(fresh, set);
    assert_int_equal(look(fresh, family->good, family->intermediate, now, NULL), CINCH_CRL_REVOKED);
    cinch_crls_unref(set);
    /* a bad one changes nothing, */
    write_text(first, "rubbish");
    set = cinch_crls_refresh(fresh);
    assert_ptr_equal(set, fresh);
    cinch_crls_unref(set);
    /* and at the start it is refused with its name. */
    assert_null(cinch_crls_with_dir(NULL, dir, &err));
    assert_non_null(strstr(err.what, "a1b2c3d4.r0"));
    cinch_crls_unref(fresh);
    free(first);
    free(second);
    free(cert_path);
    free(of_root);
    free(cert);
    free(listed);
    pki_rmtree(dir);
}

static void test_equal_content_is_parsed_once(void **state)
{
    char *text = pki_crl(family->root, NULL);
    cinch_crls *a = read_text(NULL, text), *b = read_text(NULL, text);

    (void)state;
    assert_ptr_equal(a->sources[0].files[0].lists, b->sources[0].files[0].lists);
    assert_memory_equal(a->digest, b->digest, 32);
    cinch_crls_unref(a);
    cinch_crls_unref(b);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listed_and_not),
        cmocka_unit_test(test_a_list_out_of_time_is_no_proof_of_goodness_but_of_revocation),
        cmocka_unit_test(test_signature_and_signer),
        cmocka_unit_test(test_weak_digest),
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_holds_end_and_revocations_do_not),
        cmocka_unit_test(test_what_is_not_understood_is_refused_at_once),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_der_and_several),
        cmocka_unit_test(test_files_are_read_again),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_equal_content_is_parsed_once),
    };

    return cmocka_run_group_tests_name("crl", tests, set_up, tear_down);
}
