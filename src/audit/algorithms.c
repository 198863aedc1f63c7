/* algorithms.c: what a policy allows that it better did not. */
#include "audit/audit.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/objects.h>
#include <string.h>

#define WEAK_BITS 112

static void look_at_versions(cinch_audit_work *work, const cinch_policy *policy)
{
    if (policy->min <= CINCH_TLS_1_0)
        cinch_audit_add(work, "tls-1.0", NULL);
    if (policy->min <= CINCH_TLS_1_1 && policy->max >= CINCH_TLS_1_1)
        cinch_audit_add(work, "tls-1.1", NULL);
    if (policy->max < CINCH_TLS_1_3)
        cinch_audit_add(work, "tls-1.3-missing", NULL);
    if (policy->level == 0)
        cinch_audit_add(work, "security-level-none", NULL);
    else if (policy->level == 1)
        cinch_audit_add(work, "security-level-low", NULL);
    if (policy->legacy_server && !work->settings->is_server)
        cinch_audit_add(work, "legacy-server", NULL);
}

static int has_small_blocks(int cipher)
{
    return cipher == NID_des_cbc || cipher == NID_des_ede3_cbc || cipher == NID_idea_cbc ||
           cipher == NID_rc2_cbc;
}

/* RFC 9325, 4.1: neither static RSA nor a shared secret alone; TLS 1.3 has NID_kx_any. */
static int lacks_forward_secrecy(int exchange)
{
    return exchange == NID_kx_rsa || exchange == NID_kx_psk || exchange == NID_kx_rsa_psk ||
           exchange == NID_kx_srp || exchange == NID_kx_gost || exchange == NID_kx_gost18;
}

void cinch_audit_suite(const cinch_suite_facts *facts, const char *ids[6])
{
    size_t n = 0;

    if (facts->cipher == NID_undef)
        ids[n++] = "cipher-null";
    if (facts->cipher == NID_rc4)
        ids[n++] = "cipher-rc4";
    if (has_small_blocks(facts->cipher))
        ids[n++] = "cipher-64-bit-block";
    else if (!facts->is_aead && facts->cipher != NID_undef && facts->cipher != NID_rc4)
        ids[n++] = "cipher-cbc";
    if (lacks_forward_secrecy(facts->exchange))
        ids[n++] = "cipher-no-forward-secrecy";
    if (facts->exchange == NID_kx_dhe || facts->exchange == NID_kx_dhe_psk)
        ids[n++] = "cipher-dhe";
    if (facts->digest == NID_sha1)
        ids[n++] = "cipher-sha1-mac";
    ids[n] = NULL;
}

/* OpenSSL has the length of the tag in the name alone. */
static int has_short_tag(const SSL_CIPHER *suite)
{
    const char *name = SSL_CIPHER_get_name(suite);

    return strstr(name, "CCM8") != NULL || strstr(name, "CCM_8") != NULL;
}

static int suite_has(const SSL_CIPHER *suite, const char *id)
{
    const char *ids[6];
    const cinch_suite_facts facts = {
        .cipher = SSL_CIPHER_get_cipher_nid(suite),
        .exchange = SSL_CIPHER_get_kx_nid(suite),
        .digest = SSL_CIPHER_get_digest_nid(suite),
        .is_aead = SSL_CIPHER_is_aead(suite),
    };

    if (strcmp(id, "cipher-short-tag") == 0)
        return has_short_tag(suite);
    cinch_audit_suite(&facts, ids);
    for (size_t i = 0; ids[i] != NULL; i++)
        if (strcmp(ids[i], id) == 0)
            return 1;
    return 0;
}

static cinch_status look_at_suites(cinch_audit_work *work, const cinch_policy *policy,
                                   cinch_error *err)
{
    static const char *const ids[] = {
        "cipher-null", "cipher-rc4",      "cipher-64-bit-block", "cipher-no-forward-secrecy",
        "cipher-cbc",  "cipher-sha1-mac", "cipher-short-tag",    "cipher-dhe"};
    STACK_OF(SSL_CIPHER) *suites = NULL;
    cinch_status status = cinch_policy_usable(policy, &suites, err);

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        cinch_audit_names names = {0};

        for (int j = 0; j < sk_SSL_CIPHER_num(suites); j++)
            if (suite_has(sk_SSL_CIPHER_value(suites, j), ids[i]))
                cinch_audit_name(&names, SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, j)));
        if (names.count > 0)
            cinch_audit_add_names(work, ids[i], &names);
    }
    sk_SSL_CIPHER_free(suites);
    return status;
}

/* Not knowing a group and not having looked are different things. */
static int group_bits(cinch_audit_work *work, const char *name)
{
    int bits = cinch_policy_group_bits(name);

    work->failed |= bits < 0;
    return bits;
}

static int is_post_quantum(const char *name)
{
    return strstr(name, "MLKEM") != NULL || strstr(name, "mlkem") != NULL;
}

static void look_at_groups(cinch_audit_work *work, const cinch_policy *policy)
{
    cinch_audit_names weak = {0};
    const char *list = policy->groups;
    int post_quantum = 0, least = cinch_policy_bits(policy->level);
    char word[80];

    while (cinch_policy_word(&list, word)) {
        int bits = group_bits(work, word);

        post_quantum |= is_post_quantum(word);
        if (bits > 0 && bits >= least && bits < WEAK_BITS)
            cinch_audit_name(&weak, word);
    }
    if (weak.count > 0)
        cinch_audit_add_names(work, "group-weak", &weak);
    /* ML-KEM (FIPS 203), where this OpenSSL has it. */
    if (!post_quantum && policy->max >= CINCH_TLS_1_3 && group_bits(work, "X25519MLKEM768") > 0)
        cinch_audit_add(work, "group-no-post-quantum", NULL);
}

/* SHA-1 in the list counts only if the level lets it through. */
static void look_at_signatures(cinch_audit_work *work, const cinch_policy *policy)
{
    const char *lists[] = {policy->sigalgs, policy->client_sigalgs};
    int least = cinch_policy_bits(policy->level);
    cinch_audit_names weak = {0};
    char word[80];

    for (size_t i = 0; i < 2; i++)
        while (lists[i] != NULL && cinch_policy_word(&lists[i], word)) {
            int bits = cinch_policy_sigalg_bits(word);

            if (bits > 0 && bits >= least && bits < WEAK_BITS && strstr(weak.text, word) == NULL)
                cinch_audit_name(&weak, word);
        }
    if (weak.count > 0)
        cinch_audit_add_names(work, "signature-sha1", &weak);
}

cinch_status cinch_audit_policy(cinch_audit_work *work, cinch_error *err)
{
    const cinch_policy *policy = work->settings->policy;

    look_at_versions(work, policy);
    look_at_groups(work, policy);
    look_at_signatures(work, policy);
    if (policy->dh != NULL && EVP_PKEY_get_bits(policy->dh) < 2048)
        cinch_audit_add(work, "dh-small", "the Diffie-Hellman parameters have %d bits",
                        EVP_PKEY_get_bits(policy->dh));
    return look_at_suites(work, policy, err);
}
