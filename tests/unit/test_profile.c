/*
 * The rules of the profile "strict": for each a chain that breaks it and its nearest neighbour that
 * does not. A chain is refused for the rule named, and passes when exactly the rules in RELAX are
 * relaxed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki.h"

#include <cinch/cinch.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSES (-1)
#define BIT(r) (1u << CINCH_RULE_##r)
#define NEVER 0u /* OpenSSL refuses it as well */
#define RULE(r) (int)CINCH_RULE_##r, BIT(r)
#define RAW(...) (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

typedef struct row {
    const char *name;
    int rule;       /* which one it breaks, or PASSES */
    unsigned relax; /* what makes it pass */
    int depth;      /* of the certificate that breaks it */
    const char *host;
    int client; /* it is a client's */
    pki_spec root, intermediate, leaf;
} row;

#define TWENTY "7f000102030405060708090a0b0c0d0e0f101112"
#define LEAF .leaf =
#define CA .depth = 1, .intermediate =
#define ROOT .depth = 2, .root =

/* Beside policy constraints: OpenSSL 3.0 leaks those of a certificate that has no policies. */
#define ANY_POLICY                                                                                 \
    {                                                                                              \
        "certificatePolicies", false, RAW(0x30, 8, 0x30, 6, 6, 4, 0x55, 0x1d, 0x20, 0)             \
    }

static const row rows[] = {
    {"nothing wrong", PASSES, 0, LEAF{0}},
    {"a client, nothing wrong", PASSES, 0, .client = 1, LEAF{.no_san = true}},

    {"version: a client's of version 1", (int)CINCH_RULE_VERSION,
     BIT(VERSION) | BIT(EKU_REQUIRED) | BIT(KEY_IDENTIFIERS), .client = 1, LEAF{.version = 1}},
    {"version: a root of version 1", (int)CINCH_RULE_VERSION,
     BIT(VERSION) | BIT(BASIC_CONSTRAINTS) | BIT(KEY_IDENTIFIERS), .depth = 2,
     .root = {.version = 1},
     .intermediate = {.raw = {{"authorityKeyIdentifier", false, RAW(0x30, 3, 0x80, 1, 1)}}}},
    {"version: an extension twice", RULE(VERSION),
     LEAF{.raw = {{"1.2.3.4", false, RAW(5, 0)}, {"1.2.3.4", false, RAW(5, 0)}}}},
    {"version: two extensions", PASSES, 0,
     LEAF{.raw = {{"1.2.3.4", false, RAW(5, 0)}, {"1.2.3.5", false, RAW(5, 0)}}}},

    {"serial: zero", RULE(SERIAL), LEAF{.serial = "00"}},
    {"serial: negative", RULE(SERIAL), LEAF{.serial = "-01"}},
    {"serial: 21 bytes", RULE(SERIAL), LEAF{.serial = TWENTY "13"}},
    {"serial: 20 bytes", PASSES, 0, LEAF{.serial = TWENTY}},
    {"serial: an issuer's zero", RULE(SERIAL), CA{.serial = "00"}},
    {"serial: an anchor's zero", PASSES, 0, ROOT{.serial = "00"}},

    {"key identifiers: leaf without authority's", RULE(KEY_IDENTIFIERS), LEAF{.no_aki = true}},
    {"key identifiers: leaf without its own", PASSES, 0, LEAF{.no_ski = true}},
    {"key identifiers: issuer without authority's", RULE(KEY_IDENTIFIERS), CA{.no_aki = true}},
    {"key identifiers: root without authority's", PASSES, 0, ROOT{.no_aki = true}},
    {"key identifiers: root without its own", (int)CINCH_RULE_KEY_IDENTIFIERS, BIT(KEY_IDENTIFIERS),
     .depth = 2, .root = {.no_ski = true},
     .intermediate = {.no_aki = true,
                      .raw = {{"authorityKeyIdentifier", false, RAW(0x30, 3, 0x80, 1, 1)}}}},
    {"key identifiers: critical authority's", (int)CINCH_RULE_KEY_IDENTIFIERS, NEVER,
     CA{.toggle_critical = {"authorityKeyIdentifier"}}},
    {"key identifiers: critical, its own", (int)CINCH_RULE_KEY_IDENTIFIERS, NEVER,
     CA{.toggle_critical = {"subjectKeyIdentifier"}}},
    {"key identifiers: a root's critical", (int)CINCH_RULE_KEY_IDENTIFIERS, NEVER,
     ROOT{.toggle_critical = {"authorityKeyIdentifier"}}},
    {"key identifiers: authority's without the key's", RULE(KEY_IDENTIFIERS),
     LEAF{.no_aki = true, .raw = {{"authorityKeyIdentifier", false, RAW(0x30, 0)}}}},
    {"key identifiers: root that names a serial", RULE(KEY_IDENTIFIERS),
     ROOT{.no_aki = true, .raw = {{"authorityKeyIdentifier", false, RAW(0x30, 3, 0x80, 1, 1)}}}},

    {"names: empty subject, not critical", RULE(SUBJECT_ALT_NAME),
     LEAF{.empty_subject = true, .toggle_critical = {"subjectAltName"}}},
    {"names: empty subject, critical", PASSES, 0, LEAF{.empty_subject = true}},
    {"names: a subject and critical", RULE(SUBJECT_ALT_NAME),
     LEAF{.toggle_critical = {"subjectAltName"}}},
    {"names: nobody at all", RULE(SUBJECT_ALT_NAME), .client = 1,
     LEAF{.empty_subject = true, .no_san = true}},
    {"names: an empty list", (int)CINCH_RULE_SUBJECT_ALT_NAME, BIT(SUBJECT_ALT_NAME), .client = 1,
     LEAF{.no_san = true, .raw = {{"subjectAltName", false, RAW(0x30, 0)}}}},
    {"names: half a wildcard", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost", "ba*.example.test"}}},
    {"names: a wildcard in the middle", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost", "foo.*.example.test"}}},
    {"names: a wildcard alone", RULE(SUBJECT_ALT_NAME), LEAF{.dns = {"localhost", "*"}}},
    {"names: a dot in front", RULE(SUBJECT_ALT_NAME), LEAF{.dns = {"localhost", ".example.test"}}},
    {"names: a dot behind", RULE(SUBJECT_ALT_NAME), LEAF{.dns = {"localhost", "example.test."}}},
    {"names: a NUL", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost"}, .dns_raw = "a.test\0.example.test", .dns_raw_len = 20}},
    {"names: beyond ASCII", RULE(SUBJECT_ALT_NAME), LEAF{.dns = {"localhost", "b\xc3\xbc.test"}}},
    {"names: those in use", PASSES, 0,
     LEAF{.dns = {"localhost", "*.example.test", "a_b.test", "_x.test", "127.0.0.1",
                  "xn--bcher-kva.test"}}},
    {"names: an address of five bytes", RULE(SUBJECT_ALT_NAME),
     LEAF{.no_san = true,
          .raw = {{"subjectAltName", false,
                   RAW(0x30, 18, 0x82, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't', 0x87, 5, 1,
                       2, 3, 4, 5)}}}},
    {"names: two @", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost"}, .email = "a@b@example.test"}},
    {"names: a mailbox", PASSES, 0, LEAF{.dns = {"localhost"}, .email = "a.b+c@example.test"}},
    {"names: a URI that is none", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost"}, .uri = "here"}},
    {"names: a user before the host of a URI", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost"}, .uri = "https://a.test:x@b.test/"}},
    {"names: a query behind the host of a URI", RULE(SUBJECT_ALT_NAME),
     LEAF{.dns = {"localhost"}, .uri = "https://a.test?b"}},
    {"names: a URI with all that may be", PASSES, 0,
     LEAF{.dns = {"localhost"}, .uri = "https://[::1]:443/a@b?c#d"}},
    {"names: a URI without a host", PASSES, 0, LEAF{.dns = {"localhost"}, .uri = "sip:a@b.test"}},

    {"constraints: a root's not critical", RULE(BASIC_CONSTRAINTS),
     ROOT{.toggle_critical = {"basicConstraints"}}},
    {"constraints: an issuer's not critical", RULE(BASIC_CONSTRAINTS),
     CA{.toggle_critical = {"basicConstraints"}}},
    {"constraints: a root without", RULE(BASIC_CONSTRAINTS), ROOT{.no_basic_constraints = true}},
    {"constraints: an issuer without key usage", RULE(BASIC_CONSTRAINTS), CA{.no_key_usage = true}},
    {"constraints: a root without key usage", PASSES, 0, ROOT{.no_key_usage = true}},
    {"constraints: a negative path length", (int)CINCH_RULE_BASIC_CONSTRAINTS, NEVER,
     CA{.pathlen = "-1"}},
    {"constraints: a path length of 0", PASSES, 0, CA{.pathlen = "0"}},

    {"leaf: a CA", RULE(LEAF_NOT_CA),
     LEAF{.is_ca = true,
          .dns = {"localhost"},
          .eku = "serverAuth",
          .key_usage = "critical,digitalSignature,keyCertSign"}},
    {"leaf: may sign certificates", RULE(LEAF_NOT_CA),
     LEAF{.key_usage = "critical,digitalSignature,keyCertSign"}},
    {"leaf: a path length", RULE(LEAF_NOT_CA), LEAF{.pathlen = "0"}},
    {"leaf: no basic constraints", PASSES, 0, LEAF{.no_basic_constraints = true}},

    {"key usage: nothing", PASSES - 1, NEVER,
     LEAF{.no_key_usage = true, .raw = {{"keyUsage", true, RAW(3, 2, 7, 0)}}}},
    {"key usage: agreement only", RULE(KEY_USAGE), LEAF{.key_usage = "critical,keyAgreement"}},
    {"key usage: not critical", PASSES, 0, LEAF{.key_usage = "digitalSignature"}},
    {"key usage: none", PASSES, 0, LEAF{.no_key_usage = true}},

    {"purpose: not said", RULE(EKU_REQUIRED), LEAF{.no_eku = true}},
    {"purpose: not said, a client's", RULE(EKU_REQUIRED), .client = 1, LEAF{.no_eku = true}},
    {"purpose: any besides", (int)CINCH_RULE_EKU_REQUIRED, BIT(EKU_REQUIRED) | BIT(EKU_PURE),
     LEAF{.eku = "serverAuth,anyExtendedKeyUsage"}},
    {"purpose: of the last century", RULE(EKU_REQUIRED), LEAF{.eku = "msSGC"}},
    {"purpose: an issuer's of the last century", RULE(EKU_REQUIRED), CA{.eku = "msSGC"}},
    {"purpose: an issuer's", PASSES, 0, CA{.eku = "serverAuth,clientAuth"}},
    {"purpose: code as well", RULE(EKU_PURE), LEAF{.eku = "serverAuth,codeSigning"}},
    {"purpose: critical", RULE(EKU_PURE), LEAF{.eku = "critical,serverAuth"}},
    {"purpose: a root's", RULE(EKU_PURE), ROOT{.eku = "serverAuth"}},
    {"purpose: client and mail", PASSES, 0, .client = 1, LEAF{.eku = "clientAuth,emailProtection"}},

    {"name constraints: in a leaf", RULE(NAME_CONSTRAINTS),
     LEAF{.name_constraints = "permitted;DNS:localhost"}},
    {"name constraints: a dot in front", RULE(NAME_CONSTRAINTS), .host = "a.example.test",
     .leaf = {.dns = {"a.example.test"}},
     CA{.name_constraints = "critical,permitted;DNS:.example.test"}},
    {"name constraints: fine", PASSES, 0, .host = "a.example.test",
     .leaf = {.dns = {"a.example.test"}},
     CA{.name_constraints = "critical,permitted;DNS:example.test"}},
    {"name constraints: fine and not critical", PASSES, 0, .host = "a.example.test",
     .leaf = {.dns = {"a.example.test"}}, CA{.name_constraints = "permitted;DNS:example.test"}},
    {"name constraints: a wildcard", RULE(NAME_CONSTRAINTS),
     CA{.name_constraints = "critical,excluded;DNS:*.bad.test"}},
    {"name constraints: a mask with a gap", RULE(NAME_CONSTRAINTS),
     CA{.name_constraints = "critical,excluded;IP:10.0.0.0/255.0.255.0"}},
    {"name constraints: a network", PASSES, 0,
     CA{.name_constraints = "critical,excluded;IP:10.0.0.0/255.0.0.0"}},
    {"name constraints: no network", (int)CINCH_RULE_NAME_CONSTRAINTS, NEVER,
     CA{.raw = {{"nameConstraints", true, RAW(0x30, 10, 0xa1, 8, 0x30, 6, 0x87, 4, 10, 0, 0, 0)}}}},
    {"name constraints: empty", RULE(NAME_CONSTRAINTS),
     CA{.raw = {{"nameConstraints", true, RAW(0x30, 0)}}}},
    {"name constraints: two empty lists", RULE(NAME_CONSTRAINTS),
     CA{.raw = {{"nameConstraints", true, RAW(0x30, 4, 0xa0, 0, 0xa1, 0)}}}},
    {"name constraints: two @", RULE(NAME_CONSTRAINTS),
     CA{.name_constraints = "critical,permitted;email:a@b@example.test"}},

    {"critical: unknown in a leaf", (int)CINCH_RULE_CRITICAL_EXTENSIONS, NEVER,
     LEAF{.raw = {{"1.2.3.4", true, RAW(5, 0)}}}},
    {"critical: unknown in an issuer", (int)CINCH_RULE_CRITICAL_EXTENSIONS, NEVER,
     CA{.raw = {{"1.2.3.4", true, RAW(5, 0)}}}},
    {"critical: unknown in a root", (int)CINCH_RULE_CRITICAL_EXTENSIONS, NEVER,
     ROOT{.raw = {{"1.2.3.4", true, RAW(5, 0)}}}},
    {"critical: Netscape's", RULE(CRITICAL_EXTENSIONS),
     LEAF{.raw = {{"nsCertType", true, RAW(3, 2, 6, 0x40)}}}},
    {"critical: policy constraints that are not", RULE(CRITICAL_EXTENSIONS),
     CA{.raw = {{"policyConstraints", false, RAW(0x30, 3, 0x80, 1, 5)}, ANY_POLICY}}},
    {"critical: policy constraints", PASSES, 0,
     CA{.raw = {{"policyConstraints", true, RAW(0x30, 3, 0x80, 1, 5)}, ANY_POLICY}}},
    {"critical: a policy is required and there is none", PASSES - 1, NEVER,
     CA{.raw = {{"policyConstraints", true, RAW(0x30, 3, 0x80, 1, 0)}, ANY_POLICY}}},

    {"encoding: authorityInfoAccess", RULE(ENCODING),
     LEAF{.raw = {{"authorityInfoAccess", false, RAW('m', 'a', 'l')}}}},
    {"encoding: critical authorityInfoAccess", (int)CINCH_RULE_CRITICAL_EXTENSIONS, NEVER,
     LEAF{.aia_ca_issuers = "http://a.test/", .toggle_critical = {"authorityInfoAccess"}}},
    {"encoding: bytes behind the value", RULE(ENCODING),
     LEAF{.no_key_usage = true, .raw = {{"keyUsage", true, RAW(3, 2, 7, 0x80, 0)}}}},

    {"key: RSA of 2050 bits", RULE(KEY_KIND), LEAF{.key_type = PKI_KEY_RSA, .key_bits = 2050}},
    {"key: RSA of 2048 bits", PASSES, 0, LEAF{.key_type = PKI_KEY_RSA, .key_bits = 2048}},
    {"key: Ed25519", PASSES, 0, LEAF{.key_type = PKI_KEY_ED25519}},
    {"key: P-384", PASSES, 0, LEAF{.key_type = PKI_KEY_P384}},
};

#define ROWS (sizeof rows / sizeof rows[0])

static pki_cert *make(pki_spec spec, const char *cn, int is_ca, const pki_cert *issuer)
{
    if (spec.cn == NULL && spec.subject == NULL && !spec.empty_subject)
        spec.cn = cn;
    spec.is_ca = spec.is_ca || is_ca;
    return pki_make(&spec, issuer);
}

static cinch_status verify(cinch_context *ctx, const pki_cert *leaf, const pki_cert *intermediate,
                           const char *host, cinch_error *err)
{
    size_t sizes[2] = {0, 0};
    unsigned char *leaf_der = pki_der_cert(leaf, &sizes[0]);
    unsigned char *ca_der = intermediate == NULL ? NULL : pki_der_cert(intermediate, &sizes[1]);
    const unsigned char *der[] = {leaf_der, ca_der};
    cinch_status status =
        cinch_context_verify_chain(ctx, der, sizes, intermediate == NULL ? 1 : 2, host, -1, err);

    free(leaf_der);
    free(ca_der);
    return status;
}

static cinch_context *context_for(int client, const pki_cert *anchor)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = client ? cinch_context_server(&err) : cinch_context_client(&err);
    char *pem = pki_pem_cert(anchor);

    assert_int_equal(cinch_context_trust_pem(ctx, pem, strlen(pem), &err), CINCH_OK);
    free(pem);
    return ctx;
}

static void relax(cinch_context *ctx, unsigned bits)
{
    for (int rule = 0; rule < CINCH_RULE_COUNT; rule++)
        if (bits & 1u << rule)
            assert_int_equal(cinch_context_insecure_relax(ctx, (cinch_rule)rule, 1, NULL),
                             CINCH_OK);
}

static void expect_refusal(const row *r, const cinch_error *err)
{
    char name[64];

    if (err->cause != CINCH_CAUSE_CHAIN_RULE && r->rule != PASSES - 1)
        fail_msg("%s: %s\n%s", r->name, err->what, err->evidence);
    if (r->rule < 0)
        return;
    snprintf(name, sizeof name, "\"%s\"", cinch_rule_name((cinch_rule)r->rule));
    if (strstr(err->what, name) == NULL || err->verify_depth != r->depth ||
        err->verify_code != X509_V_ERR_APPLICATION_VERIFICATION)
        fail_msg("%s: %s, depth %d", r->name, err->what, err->verify_depth);
    assert_non_null(strstr(err->remedy, "cinch_context_insecure_relax"));
    assert_non_null(strstr(err->evidence, "the rule stands in: "));
}

static void test_row(void **state)
{
    const row *r = *state;
    const char *host = r->client ? NULL : r->host != NULL ? r->host : "localhost";
    cinch_error err = CINCH_ERROR_INIT;
    pki_cert *root = make(r->root, "Root", 1, NULL);
    pki_cert *ca = make(r->intermediate, "Intermediate", 1, root);
    pki_cert *leaf = make(r->leaf, "leaf", 0, ca);
    cinch_context *ctx = context_for(r->client, root);

    cinch_status status = verify(ctx, leaf, ca, host, &err);
    if (r->rule == PASSES) {
        if (status != CINCH_OK)
            fail_msg("%s: %s\n%s", r->name, err.what, err.evidence);
    } else {
        assert_int_equal(status, CINCH_FAILED);
        expect_refusal(r, &err);
        /* All the others relaxed: this one alone refuses it, */
        relax(ctx, ~r->relax);
        cinch_error_clear(&err);
        assert_int_equal(verify(ctx, leaf, ca, host, &err), CINCH_FAILED);
        /* and with it relaxed nothing does. */
        cinch_context_free(ctx);
        ctx = context_for(r->client, root);
        relax(ctx, r->relax);
        cinch_error_clear(&err);
        status = verify(ctx, leaf, ca, host, &err);
        if ((status == CINCH_OK) != (r->relax != NEVER))
            fail_msg("%s, relaxed: %s", r->name, err.what);
    }
    cinch_context_free(ctx);
    pki_free(leaf);
    pki_free(ca);
    pki_free(root);
}

int main(void)
{
    static struct CMUnitTest tests[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        /* The state is not written to. */
        union {
            const void *in;
            void *out;
        } pointer = {&rows[i]};

        tests[i] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, pointer.out};
    }
    return _cmocka_run_group_tests("profile", tests, ROWS, NULL, NULL);
}
