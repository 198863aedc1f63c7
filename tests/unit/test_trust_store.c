/* Chains verified by OpenSSL through a store of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"
#include "trust/proved.h"
#include "trust/trust.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pki_family *family;

static int make_family(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int free_family(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static cinch_trust *trust_in(const char *pem)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_trust *trust = cinch_trust_with_bytes(NULL, pem, strlen(pem), &err);

    if (trust == NULL)
        fail_msg("%s", err.what);
    return trust;
}

static cinch_trust *trust_certificates(const pki_cert *a, const pki_cert *b)
{
    const pki_cert *chain[] = {a, b};
    char *pem = pki_pem_chain(chain, b == NULL ? 1 : 2);
    cinch_trust *trust = trust_in(pem);

    free(pem);
    return trust;
}

/* Verifies LEAF as a TLS client does, at most with FLAGS besides; the anchor of the chain in *END. */
static int verify_in(X509_STORE *store, X509 *leaf, X509 *intermediate, unsigned long flags,
                     X509 **end)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();

    assert_non_null(ctx);
    if (intermediate != NULL)
        sk_X509_push(untrusted, intermediate);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf, untrusted), 1);
    assert_int_equal(X509_STORE_CTX_set_default(ctx, "ssl_server"), 1);
    X509_STORE_CTX_set_flags(ctx, flags);
    int ok = X509_verify_cert(ctx), code = X509_STORE_CTX_get_error(ctx);
    assert_int_equal(ok == 1, code == X509_V_OK);
    if (end != NULL) {
        const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
        *end = ok == 1 ? sk_X509_value(chain, sk_X509_num(chain) - 1) : NULL;
        if (*end != NULL)
            X509_up_ref(*end);
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(untrusted);
    ERR_clear_error();
    return code;
}

static int verify(cinch_trust *trust, const pki_cert *leaf, const pki_cert *intermediate,
                  unsigned long flags)
{
    X509_STORE *store = cinch_trust_store(trust, NULL);

    assert_non_null(store);
    int code =
        verify_in(store, leaf->cert, intermediate == NULL ? NULL : intermediate->cert, flags, NULL);
    X509_STORE_free(store);
    return code;
}

static void test_good_and_bad_chains(void **state)
{
    (void)state;
    cinch_trust *trust = trust_certificates(family->root, NULL);
    const pki_cert *middle = family->intermediate;

    assert_int_equal(verify(trust, family->good, middle, 0), X509_V_OK);
    assert_int_equal(verify(trust, family->under_root, NULL, 0), X509_V_OK);
    assert_int_equal(verify(trust, family->good, NULL, 0),
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    assert_int_equal(verify(trust, family->unknown_ca, NULL, 0),
                     X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    assert_int_equal(verify(trust, family->unknown_ca, family->other_root, 0),
                     X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    assert_int_equal(verify(trust, family->self_signed, NULL, 0),
                     X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    assert_int_equal(verify(trust, family->expired, middle, 0), X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verify(trust, family->client_only_eku, middle, 0), X509_V_ERR_INVALID_PURPOSE);
    cinch_trust_unref(trust);
}

/* A root with the name of ours and a key of its own is not ours. */
static void test_forged_root(void **state)
{
    (void)state;
    pki_cert *forged =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Root", .is_ca = true}, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost"}, forged);
    cinch_trust *trust = trust_certificates(family->root, NULL);

    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(forged->cert),
                                   X509_get_subject_name(family->root->cert)),
                     0);
    assert_int_not_equal(verify(trust, leaf, NULL, 0), X509_V_OK);
    assert_int_not_equal(verify(trust, leaf, forged, 0), X509_V_OK);
    assert_int_not_equal(verify(trust, leaf, forged, X509_V_FLAG_PARTIAL_CHAIN), X509_V_OK);
    assert_int_not_equal(verify(trust, forged, NULL, 0), X509_V_OK);
    cinch_trust_unref(trust);
    pki_free(forged);
    pki_free(leaf);
}

/* A certificate that is trusted itself: self-signed at once, another with a partial chain. */
static void test_trusted_leaf(void **state)
{
    (void)state;
    cinch_trust *trust = trust_certificates(family->self_signed, family->good);

    assert_int_equal(verify(trust, family->self_signed, NULL, 0), X509_V_OK);
    assert_int_not_equal(verify(trust, family->good, NULL, 0), X509_V_OK);
    assert_int_equal(verify(trust, family->good, NULL, X509_V_FLAG_PARTIAL_CHAIN), X509_V_OK);
    assert_int_not_equal(verify(trust, family->wrong_name, NULL, X509_V_FLAG_PARTIAL_CHAIN),
                         X509_V_OK);
    cinch_trust_unref(trust);
    trust = trust_certificates(family->intermediate, NULL);
    assert_int_not_equal(verify(trust, family->good, NULL, 0), X509_V_OK);
    assert_int_equal(verify(trust, family->good, NULL, X509_V_FLAG_PARTIAL_CHAIN), X509_V_OK);
    cinch_trust_unref(trust);
}

/* Two anchors of one name, in either order, without key identifiers to tell them apart. */
static void test_new_key_under_old_name(void **state)
{
    (void)state;
    const pki_spec spec = {
        .subject = "/O=Cinch Tests/CN=Twice", .is_ca = true, .no_ski = true, .no_aki = true};
    pki_cert *old = pki_make(&spec, NULL), *fresh = pki_make(&spec, NULL);
    pki_cert *by_old = pki_make(&(pki_spec){.no_aki = true}, old);
    pki_cert *by_fresh = pki_make(&(pki_spec){.no_aki = true}, fresh);

    for (int order = 0; order < 2; order++) {
        cinch_trust *trust = trust_certificates(order ? old : fresh, order ? fresh : old);

        assert_int_equal(verify(trust, by_old, NULL, 0), X509_V_OK);
        assert_int_equal(verify(trust, by_fresh, NULL, 0), X509_V_OK);
        cinch_trust_unref(trust);
    }
    pki_free(old), pki_free(fresh), pki_free(by_old), pki_free(by_fresh);
}

/* LEAF with its last byte changed, which is one of the signature. */
static X509 *damaged(const pki_cert *leaf)
{
    unsigned char *der = NULL;
    int size = i2d_X509(leaf->cert, &der);

    assert_true(size > 0);
    der[size - 1] ^= 1;
    const unsigned char *at = der;
    X509 *x = d2i_X509(NULL, &at, size);
    assert_non_null(x);
    OPENSSL_free(der);
    return x;
}

/* Signatures are computed once for a chain, and for every other chain, however alike. */
static void test_signatures_are_remembered(void **state)
{
    (void)state;
    pki_cert *root =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Remembered", .is_ca = true}, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost"}, root);
    pki_cert *next = pki_make(&(pki_spec){.cn = "localhost"}, root);
    X509 *bad = damaged(leaf);
    cinch_trust *trust = trust_certificates(root, NULL);
    X509_STORE *store = cinch_trust_store(trust, NULL);
    size_t before = cinch_proved_test_spared();

    assert_int_equal(verify_in(store, leaf->cert, NULL, 0, NULL), X509_V_OK);
    assert_int_equal(cinch_proved_test_spared(), before);
    assert_int_equal(verify_in(store, leaf->cert, NULL, 0, NULL), X509_V_OK);
    assert_int_equal(cinch_proved_test_spared(), before + 1);
    assert_int_equal(verify_in(store, bad, NULL, 0, NULL), X509_V_ERR_CERT_SIGNATURE_FAILURE);
    assert_int_equal(verify_in(store, bad, NULL, 0, NULL), X509_V_ERR_CERT_SIGNATURE_FAILURE);
    assert_int_equal(verify_in(store, next->cert, NULL, 0, NULL), X509_V_OK);
    assert_int_equal(cinch_proved_test_spared(), before + 1);
    /* Under other rules, it is another question. */
    assert_int_equal(verify_in(store, leaf->cert, NULL, X509_V_FLAG_CHECK_SS_SIGNATURE, NULL),
                     X509_V_OK);
    assert_int_equal(cinch_proved_test_spared(), before + 1);
    /* Another store with the same anchor may use what is known; one without it refuses all the same. */
    cinch_trust *others = trust_certificates(family->root, NULL);
    assert_int_equal(verify(trust, leaf, NULL, 0), X509_V_OK);
    assert_int_equal(cinch_proved_test_spared(), before + 2);
    assert_int_not_equal(verify(others, leaf, NULL, 0), X509_V_OK);
    assert_int_not_equal(verify(others, leaf, root, 0), X509_V_OK);
    cinch_trust_unref(others);
    cinch_trust_unref(trust);
    X509_STORE_free(store);
    X509_free(bad);
    pki_free(root), pki_free(leaf), pki_free(next);
}

/* Times are looked at each time, and what has run out is told as it is the first time. */
static void test_times_are_not_remembered(void **state)
{
    (void)state;
    pki_cert *root =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=In Time", .is_ca = true}, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost", .not_after = 3600}, root);
    cinch_trust *trust = trust_certificates(root, NULL);
    X509_STORE *store = cinch_trust_store(trust, NULL);
    const struct {
        time_t later;
        int code;
    } times[] = {{0, X509_V_OK},
                 {0, X509_V_OK},
                 {7200, X509_V_ERR_CERT_HAS_EXPIRED},
                 {-86400 * 365, X509_V_ERR_CERT_NOT_YET_VALID},
                 {60, X509_V_OK}};

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();

        assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf->cert, NULL), 1);
        X509_STORE_CTX_set_time(ctx, 0, time(NULL) + times[i].later);
        assert_int_equal(X509_verify_cert(ctx), times[i].code == X509_V_OK);
        assert_int_equal(X509_STORE_CTX_get_error(ctx), times[i].code);
        X509_STORE_CTX_free(ctx);
        ERR_clear_error();
    }
    X509_STORE_free(store);
    cinch_trust_unref(trust);
    pki_free(root), pki_free(leaf);
}

/* A renewed root: the same name and key, the old one out of date, the next one not valid yet. */
static void test_renewed_root(void **state)
{
    (void)state;
    pki_spec spec = {.subject = "/O=Cinch Tests/CN=Renewed", .is_ca = true, .not_after = -60};
    pki_cert *old = pki_make(&spec, NULL);
    spec.key_of = old;
    spec.not_after = 7200;
    pki_cert *fresh = pki_make(&spec, NULL);
    spec.not_before = 3600;
    spec.not_after = 0;
    pki_cert *next = pki_make(&spec, NULL);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost", .not_after = 3600}, fresh);
    const pki_cert *pairs[][2] = {{old, fresh}, {fresh, old}, {next, fresh}, {fresh, next}};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        cinch_trust *trust = trust_certificates(pairs[i][0], pairs[i][1]);
        X509_STORE *store = cinch_trust_store(trust, NULL);
        X509 *end;

        assert_int_equal(verify_in(store, leaf->cert, NULL, 0, &end), X509_V_OK);
        assert_int_equal(X509_cmp(end, fresh->cert), 0);
        X509_free(end);
        X509_STORE_free(store);
        cinch_trust_unref(trust);
    }
    cinch_trust *trust = trust_certificates(old, NULL);
    assert_int_equal(verify(trust, leaf, NULL, 0), X509_V_ERR_CERT_HAS_EXPIRED);
    cinch_trust_unref(trust);
    pki_free(old), pki_free(fresh), pki_free(next), pki_free(leaf);
}

/* A self-signed certificate and its renewal, with the same key: each verifies as itself. */
static void test_renewed_self_signed(void **state)
{
    (void)state;
    pki_spec spec = {.cn = "localhost", .not_after = 3600};
    pki_cert *shorter = pki_make(&spec, NULL);
    spec.key_of = shorter;
    spec.not_after = 7200;
    pki_cert *longer = pki_make(&spec, NULL);

    for (int order = 0; order < 2; order++) {
        cinch_trust *trust = trust_certificates(order ? shorter : longer, order ? longer : shorter);

        assert_int_equal(verify(trust, shorter, NULL, 0), X509_V_OK);
        assert_int_equal(verify(trust, longer, NULL, 0), X509_V_OK);
        cinch_trust_unref(trust);
    }
    pki_free(shorter), pki_free(longer);
}

/* CERT as OpenSSL's "TRUSTED CERTIFICATE", for or against the purpose that NID is. */
static char *with_settings(const pki_cert *cert, int trusted, int rejected)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *x = X509_dup(cert->cert);
    char *data;

    if (trusted != NID_undef)
        assert_int_equal(X509_add1_trust_object(x, OBJ_nid2obj(trusted)), 1);
    if (rejected != NID_undef)
        assert_int_equal(X509_add1_reject_object(x, OBJ_nid2obj(rejected)), 1);
    assert_int_equal(PEM_write_bio_X509_AUX(bio, x), 1);
    long size = BIO_get_mem_data(bio, &data);
    char *pem = calloc(1, (size_t)size + 1);

    memcpy(pem, data, (size_t)size);
    X509_free(x);
    BIO_free(bio);
    return pem;
}

/* Trust settings hold, also beside the same certificate without any, in any order and source. */
static void test_trust_settings(void **state)
{
    (void)state;
    const struct {
        int trusted, rejected, code;
    } cases[] = {
        {NID_undef, NID_server_auth, X509_V_ERR_CERT_REJECTED},
        {NID_undef, NID_client_auth, X509_V_OK},
        {NID_server_auth, NID_undef, X509_V_OK},
        {NID_client_auth, NID_undef, X509_V_ERR_CERT_REJECTED},
        {NID_server_auth, NID_server_auth, X509_V_ERR_CERT_REJECTED},
    };
    char *plain = pki_pem_cert(family->root);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *set = with_settings(family->root, cases[i].trusted, cases[i].rejected);
        char *first = pki_pem_concat(set, plain, (char *)NULL);
        char *last = pki_pem_concat(plain, set, (char *)NULL);
        cinch_trust *trusts[5] = {trust_in(set), trust_in(first), trust_in(last)};

        assert_non_null(strstr(set, "BEGIN TRUSTED CERTIFICATE"));
        cinch_trust *without = trust_in(plain);
        trusts[3] = cinch_trust_with_bytes(without, set, strlen(set), NULL);
        trusts[4] = cinch_trust_with_bytes(trusts[0], plain, strlen(plain), NULL);
        assert_int_equal(verify(without, family->good, family->intermediate, 0), X509_V_OK);
        for (size_t k = 0; k < 5; k++) {
            assert_int_equal(verify(trusts[k], family->good, family->intermediate, 0),
                             cases[i].code);
            cinch_trust_unref(trusts[k]);
        }
        cinch_trust_unref(without);
        free(set), free(first), free(last);
    }
    free(plain);
}

/* Settings that are damaged refuse the certificate: without them it would be trusted for more. */
static void test_damaged_settings(void **state)
{
    (void)state;
    char *set = with_settings(family->root, NID_undef, NID_server_auth);
    BIO *bio = BIO_new_mem_buf(set, -1);
    char *name, *header;
    unsigned char *der;
    long size;

    assert_int_equal(PEM_read_bio(bio, &name, &header, &der, &size), 1);
    int certificate = i2d_X509(family->root->cert, NULL);
    assert_true(certificate > 0 && certificate < size);
    for (long at = certificate; at < size; at++) {
        BIO *out = BIO_new(BIO_s_mem());
        char *data;

        der[at] ^= 0x40;
        assert_true(PEM_write_bio(out, name, "", der, size) > 0);
        der[at] ^= 0x40;
        long pem_size = BIO_get_mem_data(out, &data);
        cinch_trust *trust = cinch_trust_with_bytes(NULL, data, (size_t)pem_size, NULL);
        /* The reserved or rejected purpose may now be another; it must not be none at all. */
        if (trust != NULL) {
            STACK_OF(X509) *found =
                cinch_trust_by_subject(trust, X509_get_subject_name(family->root->cert));

            for (int i = 0; i < sk_X509_num(found); i++)
                assert_true(X509_trusted(sk_X509_value(found, i)));
            sk_X509_pop_free(found, X509_free);
        }
        cinch_trust_unref(trust);
        BIO_free(out);
    }
    BIO_free(bio);
    OPENSSL_free(name), OPENSSL_free(header), OPENSSL_free(der);
    free(set);
}

/* The store holds the set; the set can be had back; nothing is ever put into the store. */
static void test_store_and_set(void **state)
{
    (void)state;
    cinch_trust *trust = trust_certificates(family->root, NULL);
    X509_STORE *store = cinch_trust_store(trust, NULL), *other = X509_STORE_new();

    assert_ptr_equal(cinch_trust_of(store), trust);
    assert_null(cinch_trust_of(other));
    cinch_trust_unref(trust);
    for (int i = 0; i < 3; i++)
        assert_int_equal(verify_in(store, family->good->cert, family->intermediate->cert, 0, NULL),
                         X509_V_OK);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(store)), 0);
    X509_STORE_up_ref(store);
    X509_STORE_free(store);
    assert_ptr_equal(cinch_trust_of(store), trust);
    X509_STORE_free(store);
    X509_STORE_free(other);
}

/* A store that lost its set is an error of the verification, not a store without anchors. */
static void test_lost_set(void **state)
{
    (void)state;
    cinch_trust *trust = trust_certificates(family->root, NULL);
    X509_STORE *store = cinch_trust_store(trust, NULL), *lost = X509_STORE_new();

    X509_STORE_set_lookup_certs(lost, X509_STORE_get_lookup_certs(store));
    X509_STORE_set_get_issuer(lost, X509_STORE_get_get_issuer(store));
    assert_int_equal(verify_in(lost, family->good->cert, family->intermediate->cert, 0, NULL),
                     X509_V_ERR_STORE_LOOKUP);
    X509_STORE_free(lost);
    X509_STORE_free(store);
    cinch_trust_unref(trust);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_and_bad_chains),
        cmocka_unit_test(test_forged_root),
        cmocka_unit_test(test_trusted_leaf),
        cmocka_unit_test(test_new_key_under_old_name),
        cmocka_unit_test(test_signatures_are_remembered),
        cmocka_unit_test(test_times_are_not_remembered),
        cmocka_unit_test(test_renewed_root),
        cmocka_unit_test(test_renewed_self_signed),
        cmocka_unit_test(test_trust_settings),
        cmocka_unit_test(test_damaged_settings),
        cmocka_unit_test(test_store_and_set),
        cmocka_unit_test(test_lost_set),
    };

    return cmocka_run_group_tests_name("trust store", tests, make_family, free_family);
}
