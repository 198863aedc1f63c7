/*
 * Any bytes as a certificate, in each place of a chain, through all rules of the profile and all that
 * looks at a client's names: nothing is read beyond its end, every refusal names its rule.
 */
#include "base/openssl.h"
#include "context/access.h"
#include "context/profile.h"

#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void try_chain(const cinch_settings *settings, X509 *const certificates[3])
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    cinch_finding finding = {0};

    for (int i = 0; i < 3; i++)
        must(sk_X509_push(chain, certificates[i]) > 0);
    int holds = cinch_profile_fits(NULL, certificates[0], chain, &finding) &&
                cinch_profile_check(settings, chain, &finding);
    must(holds == !finding.found);
    must(holds || (finding.what[0] != 0 && finding.section != NULL &&
                   strcmp(cinch_rule_name(finding.rule), "unknown") != 0));
    sk_X509_free(chain);
}

static void try_names(const X509 *x)
{
    static const struct {
        cinch_match what;
        const char *text;
    } rules[] = {
        {CINCH_MATCH_DNS, "*.example.test"},
        {CINCH_MATCH_EMAIL, "a@example.test"},
        {CINCH_MATCH_URI, "spiffe://example.test/"},
        {CINCH_MATCH_COMMON_NAME, "x"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        (void)cinch_match_holds(rules[i].what, (const unsigned char *)rules[i].text,
                                strlen(rules[i].text), x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cinch_settings client, server;

    if (client.policy == NULL) {
        client.policy = server.policy = cinch_policy_new(NULL, NULL);
        server.is_server = 1;
    }
    X509 *x = cinch_x509_read(data, size);
    ERR_clear_error();
    if (x == NULL)
        return 0;
    X509 *const chain[] = {x, x, x};
    /* With each rule relaxed in turn, the ones behind it are reached. */
    for (unsigned relaxed = 0; relaxed < CINCH_RULE_COUNT; relaxed++) {
        client.relaxed = server.relaxed = (1u << relaxed) - 1;
        try_chain(&client, chain);
        try_chain(&server, chain);
    }
    try_names(x);
    ERR_clear_error();
    X509_free(x);
    return 0;
}
