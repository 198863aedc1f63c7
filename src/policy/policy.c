/* policy.c: the policies with a name, and picking from them by hand. */
#include "policy/policy.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "policy/parts.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* Forward secrecy and AEAD only (RFC 9325, 4.2). */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

#define GROUPS "?X25519MLKEM768:X25519:P-256:P-384"

/* No SHA-1 (RFC 9155), no SHA-224; the names are those of RFC 8446, 4.2.3. */
#define SIGALGS                                                                                    \
    "ecdsa_secp256r1_sha256:ed25519:rsa_pss_rsae_sha256:rsa_pss_pss_sha256:rsa_pkcs1_sha256:"      \
    "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384:rsa_pss_pss_sha384:rsa_pkcs1_sha384:"              \
    "ecdsa_secp521r1_sha512:rsa_pss_rsae_sha512:rsa_pss_pss_sha512:rsa_pkcs1_sha512:ed448"

/* What TLS 1.0 and 1.1 need besides: they know neither AEAD nor SHA-256 in signatures. */
#define OLD_CIPHERS                                                                                \
    ":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
#define OLD_SIGALGS ":ECDSA+SHA1:RSA+SHA1"

static const struct {
    const char *listed;
    const char *name; /* what the policy is called once it is made */
    int min;
} policies[] = {
    {"default", "cinch-2026", CINCH_TLS_1_2},
    {"cinch-2026", "cinch-2026", CINCH_TLS_1_2},
    {"modern", "modern", CINCH_TLS_1_3},
};

#define POLICIES (sizeof policies / sizeof policies[0])

static const char *policy_name(size_t index, const void *arg)
{
    (void)arg;
    return cinch_policy_list(index);
}

const char *cinch_policy_list(size_t index)
{
    return index < POLICIES ? policies[index].listed : NULL;
}

static cinch_policy *make(const cinch_policy *from, cinch_error *err)
{
    cinch_policy *policy = cinch_alloc(sizeof *policy);

    if (policy == NULL)
        goto failed;
    *policy = *from;
    if (policy->dh != NULL && EVP_PKEY_up_ref(policy->dh) != 1)
        policy->dh = NULL;
    policy->ciphers = cinch_copy_text(from->ciphers);
    policy->suites = cinch_copy_text(from->suites);
    policy->groups = cinch_copy_text(from->groups);
    policy->sigalgs = cinch_copy_text(from->sigalgs);
    policy->client_sigalgs = cinch_copy_text(from->client_sigalgs);
    if ((policy->dh == NULL) == (from->dh == NULL) &&
        (policy->client_sigalgs == NULL) == (from->client_sigalgs == NULL) &&
        policy->ciphers != NULL && policy->suites != NULL && policy->groups != NULL &&
        policy->sigalgs != NULL)
        return policy;
failed:
    cinch_policy_free(policy);
    cinch_fail_memory(err, "making a policy");
    return NULL;
}

static cinch_status no_such_policy(const char *name, cinch_error *err)
{
    const char *near =
        strlen(name) < CINCH_POLICY_WORD ? cinch_word_near(name, policy_name, NULL) : NULL;

    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "there is no policy \"%.64s\"", name);
    cinch_fail_evidence(err, "the policies are:");
    for (size_t i = 0; i < POLICIES; i++)
        cinch_fail_evidence(err, "%s %s", i > 0 ? "," : "", policies[i].listed);
    if (near != NULL)
        cinch_fail_remedy(err, "did you mean \"%s\"?", near);
    return CINCH_FAILED;
}

cinch_policy *cinch_policy_new(const char *name, cinch_error *err)
{
    char ciphers[] = CIPHERS, suites[] = SUITES, groups[] = GROUPS, sigalgs[] = SIGALGS;
    cinch_policy policy = {
        .max = CINCH_TLS_1_3,
        .level = CINCH_POLICY_LEVEL,
        .ciphers = ciphers,
        .suites = suites,
        .groups = groups,
        .sigalgs = sigalgs,
    };
    const char *wanted = name == NULL ? "default" : name;

    if (!cinch_enter(err))
        return NULL;
    for (size_t i = 0; i < POLICIES; i++) {
        if (strcmp(policies[i].listed, wanted) != 0)
            continue;
        snprintf(policy.name, sizeof policy.name, "%s", policies[i].name);
        policy.min = policies[i].min;
        return make(&policy, err);
    }
    (void)no_such_policy(wanted, err);
    return NULL;
}

cinch_policy *cinch_policy_copy(const cinch_policy *policy, cinch_error *err)
{
    return make(policy, err);
}

void cinch_policy_free(cinch_policy *policy)
{
    if (policy == NULL)
        return;
    cinch_release(policy->ciphers);
    cinch_release(policy->suites);
    cinch_release(policy->groups);
    cinch_release(policy->sigalgs);
    cinch_release(policy->client_sigalgs);
    EVP_PKEY_free(policy->dh);
    cinch_release(policy);
}

void cinch_policy_now_custom(cinch_policy *policy)
{
    snprintf(policy->name, sizeof policy->name, "custom");
}

/* The last step of a setter: everything before it may fail, this may not leave half a change. */
static cinch_status replace(cinch_policy *policy, char **field, const char *list, unsigned picked,
                            cinch_error *err)
{
    char *copy = cinch_copy_text(list);

    ERR_clear_error();
    if (copy == NULL)
        return cinch_fail_memory(err, "changing a policy");
    cinch_release(*field);
    *field = copy;
    policy->picked |= picked;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

cinch_status cinch_policy_take_list(cinch_policy *policy, char **field, const char *list,
                                    cinch_error *err)
{
    if (list != NULL)
        return replace(policy, field, list, 0, err);
    cinch_release(*field);
    *field = NULL;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

/* The STATUS of a check that may have failed for want of memory only: that makes no list a bad one. */
static cinch_status honest(cinch_status status, cinch_error *err)
{
    int starved = cinch_openssl_take_errors().out_of_memory;

    if (status == CINCH_OK || !starved)
        return status;
    cinch_error_clear(err);
    return cinch_fail_memory(err, "checking a policy");
}

cinch_status cinch_policy_ciphers(cinch_policy *policy, const char *list, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = honest(cinch_policy_check_ciphers(list, policy->level, err), err);
    if (status != CINCH_OK)
        return status;
    return replace(policy, &policy->ciphers, list, CINCH_PICKED_CIPHERS, err);
}

cinch_status cinch_policy_suites(cinch_policy *policy, const char *list, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = honest(cinch_policy_check_suites(list, err), err);
    if (status != CINCH_OK)
        return status;
    return replace(policy, &policy->suites, list, CINCH_PICKED_SUITES, err);
}

cinch_status cinch_policy_groups(cinch_policy *policy, const char *list, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = honest(cinch_policy_check_groups(list, err), err);
    if (status != CINCH_OK)
        return status;
    return replace(policy, &policy->groups, list, 0, err);
}

cinch_status cinch_policy_sigalgs(cinch_policy *policy, const char *list, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = honest(cinch_policy_check_sigalgs(list, policy->level, err), err);
    if (status != CINCH_OK)
        return status;
    return replace(policy, &policy->sigalgs, list, 0, err);
}

static char *with_end(const char *list, const char *ending, int wanted)
{
    size_t length = strlen(list), extra = strlen(ending);
    char *text;

    if (length > extra && strcmp(list + length - extra, ending) == 0)
        length -= extra;
    text = cinch_alloc(length + extra + 1);
    if (text == NULL)
        return NULL;
    snprintf(text, length + extra + 1, "%.*s%s", (int)length, list, wanted ? ending : "");
    return text;
}

/* Sets the range, and adds what versions before 1.2 need or takes it out again. */
static cinch_status set_versions(cinch_policy *policy, int min, int max, cinch_error *err)
{
    int old = min < CINCH_TLS_1_2;
    char *ciphers = with_end(policy->ciphers, OLD_CIPHERS, old);
    char *sigalgs = with_end(policy->sigalgs, OLD_SIGALGS, old);

    if (ciphers == NULL || sigalgs == NULL) {
        cinch_release(ciphers);
        cinch_release(sigalgs);
        return cinch_fail_memory(err, "changing a policy");
    }
    cinch_release(policy->ciphers);
    cinch_release(policy->sigalgs);
    policy->ciphers = ciphers;
    policy->sigalgs = sigalgs;
    policy->min = min;
    policy->max = max;
    /* Handshakes of TLS 1.0 and 1.1 are signed with MD5 and SHA-1, which level 1 forbids. */
    policy->level = old                                          ? 0
                    : (policy->picked & CINCH_PICKED_LEVEL) != 0 ? policy->picked_level
                                                                 : CINCH_POLICY_LEVEL;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

static int is_version(int version)
{
    return version >= CINCH_TLS_1_0 && version <= CINCH_TLS_1_3;
}

static cinch_status check_range(int min, int max, cinch_error *err)
{
    if (!is_version(min) || !is_version(max))
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "0x%04x is not the number of a TLS version",
                          (unsigned)(is_version(min) ? max : min));
    if (min > max)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "the lowest version (TLS 1.%d) is above the highest (TLS 1.%d)",
                          min - CINCH_TLS_1_0, max - CINCH_TLS_1_0);
    return CINCH_OK;
}

cinch_status cinch_policy_versions(cinch_policy *policy, cinch_tls_version min,
                                   cinch_tls_version max, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    if (check_range((int)min, (int)max, err) != CINCH_OK)
        return CINCH_FAILED;
    if (min < CINCH_TLS_1_2) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "TLS 1.%d is broken (RFC 8996)",
                   (int)min - CINCH_TLS_1_0);
        cinch_fail_remedy(err, "use TLS 1.2 or 1.3; equipment that speaks nothing newer needs "
                               "cinch_policy_insecure_versions()");
        return CINCH_FAILED;
    }
    return set_versions(policy, (int)min, (int)max, err);
}

cinch_status cinch_policy_insecure_versions(cinch_policy *policy, cinch_tls_version min,
                                            cinch_tls_version max, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    if (check_range((int)min, (int)max, err) != CINCH_OK)
        return CINCH_FAILED;
    return set_versions(policy, (int)min, (int)max, err);
}
