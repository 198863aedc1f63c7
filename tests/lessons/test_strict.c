/*
 * The last paragraph of the lessons: what OpenSSL's chain check lets pass, also with
 * X509_V_FLAG_X509_STRICT, and RFC 5280 or the profile of the Web PKI forbids. Each certificate here is
 * given to OpenSSL first, which says yes (or no, where it is known to differ), then shown to a client
 * in a handshake, which names the rule, where it stands, and how to do without it. Each has a twin that
 * is as it should be, and is let in.
 */
#include "lesson.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define RAW(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})
#define TWENTY "7f000102030405060708090a0b0c0d0e0f101112"

typedef struct forbidden {
    const char *name;
    cinch_rule rule;
    int openssl_refuses; /* it has learned that since */
    cinch_rule other;    /* is broken as well, if it is not 0 */
    pki_spec root, ca, leaf;
    pki_spec twin_root, twin_ca, twin_leaf;
} forbidden;

/* OpenSSL's own answer about the chain, as strict as it can be. */
static int openssl_accepts(const pki_cert *root, const pki_cert *ca, const pki_cert *leaf)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *sent = sk_X509_new_null();

    assert_true(X509_STORE_add_cert(store, root->cert) == 1 && sk_X509_push(sent, ca->cert) > 0);
    assert_int_equal(X509_STORE_CTX_init(ctx, store, leaf->cert, sent), 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set1_host(param, "localhost", 0);
    int accepts = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    sk_X509_free(sent);
    X509_STORE_free(store);
    ERR_clear_error();
    return accepts;
}

static pki_cert *make(pki_spec spec, const char *cn, int is_ca, const pki_cert *issuer)
{
    if (spec.cn == NULL && !spec.empty_subject)
        spec.cn = cn;
    spec.is_ca = spec.is_ca || is_ca;
    return pki_make(&spec, issuer);
}

static void one_chain(const forbidden *f, int twin, cinch_tls_version version)
{
    pki_cert *root = make(twin ? f->twin_root : f->root, "Root", 1, NULL);
    pki_cert *ca = make(twin ? f->twin_ca : f->ca, "Issuer", 1, root);
    pki_cert *leaf = make(twin ? f->twin_leaf : f->leaf, "leaf", 0, ca);
    cinch_context *client = pair_client_context(root);
    SSL_CTX *libssl = lesson_libssl(1, version);
    char name[64];

    if (!twin && openssl_accepts(root, ca, leaf) == f->openssl_refuses)
        fail_msg("%s: OpenSSL says something else today", f->name);
    lesson_libssl_show(libssl, leaf, ca);
    for (int relaxed = 0; relaxed < 2; relaxed++) {
        SSL *ssl = SSL_new(libssl);
        cinch_conn *conn;

        if (relaxed)
            assert_int_equal(cinch_context_insecure_relax(client, f->rule, 1, NULL), CINCH_OK);
        if (relaxed && f->other != 0)
            assert_int_equal(cinch_context_insecure_relax(client, f->other, 1, NULL), CINCH_OK);
        conn = cinch_conn_new(client, "localhost", NULL);
        SSL_set_accept_state(ssl);
        lesson_talk t = lesson_against(conn, ssl);
        if (twin || (relaxed && !f->openssl_refuses)) {
            if (!t.client.open)
                fail_msg("%s, %s: %s", f->name, twin ? "the twin" : "relaxed", t.client.err.what);
            lesson_opened(t);
        } else if (!relaxed) {
            int alert = f->rule == CINCH_RULE_EKU_REQUIRED || f->rule == CINCH_RULE_KEY_USAGE
                            ? SSL_AD_UNSUPPORTED_CERTIFICATE
                            : SSL_AD_BAD_CERTIFICATE;

            print_message("  %s: %s\n", f->name, t.client.err.what);
            lesson_refused(t, THE_CLIENT, CINCH_CAUSE_CHAIN_RULE, alert);
            snprintf(name, sizeof name, "\"%s\"", cinch_rule_name(f->rule));
            assert_non_null(strstr(t.client.err.what, name));
            assert_non_null(strstr(t.client.err.evidence, "the rule stands in: "));
            assert_non_null(strstr(t.client.err.remedy, "cinch_context_insecure_relax"));
        }
        cinch_conn_free(conn);
        SSL_free(ssl);
    }
    SSL_CTX_free(libssl);
    cinch_context_free(client);
    pki_free(leaf);
    pki_free(ca);
    pki_free(root);
}

static void refuse_all(const forbidden *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        EACH_VERSION(version)
        {
            one_chain(&list[i], 0, version);
            one_chain(&list[i], 1, version);
        }
}

#define REFUSE(...)                                                                                \
    do {                                                                                           \
        const forbidden list_[] = {__VA_ARGS__};                                                   \
        (void)state;                                                                               \
        refuse_all(list_, sizeof list_ / sizeof list_[0]);                                         \
    } while (0)

static void test_a_server_says_that_it_is_one(void **state)
{
    REFUSE({"no purpose", CINCH_RULE_EKU_REQUIRED, .leaf = {.no_eku = true},
            .twin_leaf = {.eku = "serverAuth"}},
           {"any purpose besides", CINCH_RULE_EKU_REQUIRED, .other = CINCH_RULE_EKU_PURE,
            .leaf = {.eku = "serverAuth,anyExtendedKeyUsage"}},
           {"server and more", CINCH_RULE_EKU_PURE, .leaf = {.eku = "serverAuth,codeSigning"},
            .twin_leaf = {.eku = "serverAuth,clientAuth"}});
}

static void test_name_constraints_are_for_issuers_and_well_formed(void **state)
{
    REFUSE(
        {"in a leaf", CINCH_RULE_NAME_CONSTRAINTS,
         .leaf = {.name_constraints = "permitted;DNS:localhost"},
         .twin_ca = {.name_constraints = "critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/"
                                         "255.0.0.0"},
         .twin_leaf = {.dns = {"localhost"}}},
        {"an empty one", CINCH_RULE_NAME_CONSTRAINTS,
         .ca = {.raw = {{"nameConstraints", true, RAW(0x30, 0)}}}},
        {"a wildcard", CINCH_RULE_NAME_CONSTRAINTS,
         .ca = {.name_constraints = "critical,excluded;DNS:*.bad.test"},
         .twin_ca = {.name_constraints = "critical,excluded;DNS:bad.test"}},
        {"a mask with a gap", CINCH_RULE_NAME_CONSTRAINTS,
         .ca = {.name_constraints = "critical,excluded;IP:10.0.0.0/255.0.255.0"},
         .twin_ca = {.name_constraints = "critical,excluded;IP:10.0.0.0/255.255.0.0"}});
}

static void test_serial_numbers_are_positive_and_short(void **state)
{
    REFUSE(
        {"zero", CINCH_RULE_SERIAL, .leaf = {.serial = "00"}, .twin_leaf = {.serial = "01"}},
        {"negative", CINCH_RULE_SERIAL, .leaf = {.serial = "-01"}, .twin_leaf = {.serial = "7f"}},
        {"21 bytes", CINCH_RULE_SERIAL, .leaf = {.serial = TWENTY "13"},
         .twin_leaf = {.serial = TWENTY}},
        {"an issuer's zero", CINCH_RULE_SERIAL, .ca = {.serial = "00"}});
}

static void test_key_identifiers_are_there_and_in_their_place(void **state)
{
    REFUSE({"none of the issuer in a leaf", CINCH_RULE_KEY_IDENTIFIERS, 1, .leaf = {.no_aki = true},
            .twin_leaf = {.no_ski = true}},
           {"none of the issuer in an issuer", CINCH_RULE_KEY_IDENTIFIERS, 1,
            .ca = {.no_aki = true}, .twin_root = {.no_aki = true}},
           {"critical", CINCH_RULE_KEY_IDENTIFIERS, 1,
            .ca = {.toggle_critical = {"subjectKeyIdentifier"}}});
}

static void test_alternative_names_are_there_and_critical_when_alone(void **state)
{
    REFUSE({"not critical beside no subject", CINCH_RULE_SUBJECT_ALT_NAME, 1,
            .leaf = {.empty_subject = true, .toggle_critical = {"subjectAltName"}},
            .twin_leaf = {.empty_subject = true}},
           {"critical beside a subject", CINCH_RULE_SUBJECT_ALT_NAME,
            .leaf = {.toggle_critical = {"subjectAltName"}}});
}

static void test_a_leaf_is_no_issuer(void **state)
{
    REFUSE({"the CA bit", CINCH_RULE_LEAF_NOT_CA,
            .leaf = {.is_ca = true,
                     .dns = {"localhost"},
                     .eku = "serverAuth",
                     .key_usage = "critical,digitalSignature,keyCertSign"}},
           {"keyCertSign alone", CINCH_RULE_LEAF_NOT_CA, 1,
            .leaf = {.key_usage = "critical,digitalSignature,keyCertSign"},
            .twin_leaf = {.key_usage = "critical,digitalSignature"}});
}

static void test_keys_are_of_a_usual_kind_and_size(void **state)
{
    REFUSE({"RSA of 2050 bits", CINCH_RULE_KEY_KIND,
            .leaf = {.key_type = PKI_KEY_RSA, .key_bits = 2050},
            .twin_leaf = {.key_type = PKI_KEY_RSA, .key_bits = 2048}});
}

static void test_unknown_critical_extensions_are_refused_everywhere(void **state)
{
    REFUSE({"in an anchor", CINCH_RULE_CRITICAL_EXTENSIONS, 1,
            .root = {.raw = {{"1.2.3.4", true, RAW(5, 0)}}},
            .twin_root = {.raw = {{"1.2.3.4", false, RAW(5, 0)}}}},
           {"in an issuer", CINCH_RULE_CRITICAL_EXTENSIONS, 1,
            .ca = {.raw = {{"1.2.3.4", true, RAW(5, 0)}}},
            .twin_ca = {.raw = {{"1.2.3.4", false, RAW(5, 0)}}}},
           {"in a leaf", CINCH_RULE_CRITICAL_EXTENSIONS, 1,
            .leaf = {.raw = {{"1.2.3.4", true, RAW(5, 0)}}},
            .twin_leaf = {.raw = {{"1.2.3.4", false, RAW(5, 0)}}}},
           {"one of Netscape's", CINCH_RULE_CRITICAL_EXTENSIONS,
            .leaf = {.raw = {{"nsCertType", true, RAW(3, 2, 6, 0x40)}}},
            .twin_leaf = {.raw = {{"nsCertType", false, RAW(3, 2, 6, 0x40)}}}});
}

/* With X509_V_FLAG_PARTIAL_CHAIN, which is on by default here, an anchor is spared nothing it is for. */
static void test_an_anchor_is_not_spared_because_it_is_named(void **state)
{
    pki_cert *leaf_like = pki_make(&(pki_spec){.cn = "no CA", .dns = {"x.test"}}, NULL);
    pki_cert *under = pki_make(&(pki_spec){.cn = "x"}, leaf_like);
    pki_cert *old = pki_make(&(pki_spec){.cn = "Old", .is_ca = true, .not_after = -60}, NULL);
    pki_cert *under_old = pki_make(&(pki_spec){.cn = "x"}, old);
    pki_family *family = pki_family_new();

    EACH_VERSION(version)
    {
        const pki_cert *anchors[] = {leaf_like, old, family->intermediate};
        const pki_cert *leaves[] = {under, under_old, family->good};

        for (size_t i = 0; i < 3; i++) {
            cinch_context *client = pair_client_context(anchors[i]);
            cinch_context *server = pair_server_context(leaves[i], NULL);

            lesson_limit(client, version);
            lesson_talk t = lesson_connect(client, server, "localhost");
            if (i == 2)
                lesson_opened(t);
            else
                assert_false(t.client.open || t.client.verified || t.client.got > 0);
            if (i == 1)
                lesson_refused(t, THE_CLIENT, CINCH_CAUSE_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED);
            cinch_context_free(client);
            cinch_context_free(server);
        }
    }
    REFUSE({"basic constraints not critical", CINCH_RULE_BASIC_CONSTRAINTS, 1,
            .root = {.toggle_critical = {"basicConstraints"}}});
    pki_free(under), pki_free(leaf_like), pki_free(under_old), pki_free(old);
    pki_family_free(family);
}

static void test_the_common_name_never_counts(void **state)
{
    pki_family *family = pki_family_new();
    pki_cert *mail = pki_make(&(pki_spec){.cn = "localhost", .no_san = true, .email = "a@b.test"},
                              family->intermediate);
    const pki_cert *leaves[] = {family->no_san, mail};

    (void)state;
    EACH_VERSION(version)
    {
        for (size_t i = 0; i < 2; i++) {
            cinch_context *client = pair_client_context(family->root);
            cinch_context *server = pair_server_context(leaves[i], family->intermediate);

            lesson_limit(client, version);
            /* OpenSSL by itself falls back to the CN where there are no names of hosts. */
            assert_int_equal(X509_check_host(leaves[i]->cert, "localhost", 0, 0, NULL), 1);
            lesson_refuses(client, server, "localhost", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                           SSL_AD_BAD_CERTIFICATE);
            for (int rule = 0; rule < CINCH_RULE_COUNT; rule++)
                assert_int_equal(cinch_context_insecure_relax(client, (cinch_rule)rule, 1, NULL),
                                 CINCH_OK);
            lesson_refuses(client, server, "localhost", THE_CLIENT, CINCH_CAUSE_WRONG_HOST_NAME,
                           SSL_AD_BAD_CERTIFICATE);
            lesson_show(server, family->good, family->intermediate);
            lesson_opens(client, server, "localhost");
            cinch_context_free(client);
            cinch_context_free(server);
        }
    }
    pki_free(mail);
    pki_family_free(family);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_says_that_it_is_one),
        cmocka_unit_test(test_name_constraints_are_for_issuers_and_well_formed),
        cmocka_unit_test(test_serial_numbers_are_positive_and_short),
        cmocka_unit_test(test_key_identifiers_are_there_and_in_their_place),
        cmocka_unit_test(test_alternative_names_are_there_and_critical_when_alone),
        cmocka_unit_test(test_a_leaf_is_no_issuer),
        cmocka_unit_test(test_keys_are_of_a_usual_kind_and_size),
        cmocka_unit_test(test_unknown_critical_extensions_are_refused_everywhere),
        cmocka_unit_test(test_an_anchor_is_not_spared_because_it_is_named),
        cmocka_unit_test(test_the_common_name_never_counts),
    };

    return cmocka_run_group_tests_name("lessons: strict", tests, NULL, NULL);
}
