/* fine.c: what of a policy is more than a list: the security level, preference, Diffie-Hellman. */
#include "policy/policy.h"

#include "base/fail.h"
#include "base/openssl.h"
#include "policy/parts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* RFC 7919 has nothing larger, and checking larger ones takes minutes. */
#define DH_LARGEST 8192
#define DH_SMALLEST 2048
/* Below, one precomputation breaks every connection there ever was (Logjam, CVE-2015-4000). */
#define DH_INSECURE 1024
#define DH_PEM 65536

#define LEVEL_HIGHEST 5

static cinch_status set_level(cinch_policy *policy, int level, cinch_error *err)
{
    if (policy->min < CINCH_TLS_1_2 && level > 0) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "the policy allows TLS 1.%d, which needs security level 0, not %d",
                   policy->min - CINCH_TLS_1_0, level);
        cinch_fail_remedy(err, "call cinch_policy_versions() first");
        return CINCH_FAILED;
    }
    policy->level = policy->picked_level = level;
    policy->picked |= CINCH_PICKED_LEVEL;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

static cinch_status check_level(int level, int lowest, cinch_error *err)
{
    if (level >= lowest && level <= LEVEL_HIGHEST)
        return CINCH_OK;
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
               "the security level cannot be %d: %d to %d are allowed", level, lowest,
               LEVEL_HIGHEST);
    if (level >= 0 && level < lowest)
        cinch_fail_remedy(err, "stay at 2 or above; equipment that cannot needs "
                               "cinch_policy_insecure_security_level()");
    return CINCH_FAILED;
}

cinch_status cinch_policy_security_level(cinch_policy *policy, int level, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = check_level(level, CINCH_POLICY_LEVEL, err);
    return status == CINCH_OK ? set_level(policy, level, err) : status;
}

cinch_status cinch_policy_insecure_security_level(cinch_policy *policy, int level, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = check_level(level, 0, err);
    return status == CINCH_OK ? set_level(policy, level, err) : status;
}

static cinch_status set_flag(cinch_policy *policy, int *flag, int on)
{
    *flag = on;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

cinch_status cinch_policy_server_preference(cinch_policy *policy, int on, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    return set_flag(policy, &policy->any_order, on == 0);
}

cinch_status cinch_policy_insecure_legacy_server(cinch_policy *policy, int on, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    return set_flag(policy, &policy->legacy_server, on != 0);
}

cinch_status cinch_policy_curve(cinch_policy *policy, const char *name, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    if (name == NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the name of the curve is NULL");
    if (strpbrk(name, ":?") != NULL) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%.64s\" is not the name of one curve", name);
        cinch_fail_remedy(err, "give a list to cinch_policy_groups()");
        return CINCH_FAILED;
    }
    return cinch_policy_groups(policy, name, err);
}

cinch_status cinch_policy_client_sigalgs(cinch_policy *policy, const char *list, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status =
        list == NULL ? CINCH_OK : cinch_policy_check_sigalgs(list, policy->level, err);
    ERR_clear_error();
    if (status != CINCH_OK)
        return status;
    return cinch_policy_take_list(policy, &policy->client_sigalgs, list, err);
}

/* Whether PARAMETERS can be used: a prime that is none, or a small subgroup, gives the secret away. */
static cinch_status check_dh(EVP_PKEY *parameters, int smallest, cinch_error *err)
{
    int bits = EVP_PKEY_get_bits(parameters), safe = 0;

    if (!EVP_PKEY_is_a(parameters, "DH") && !EVP_PKEY_is_a(parameters, "DHX"))
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "these are parameters for %s, not for DH",
                          EVP_PKEY_get0_type_name(parameters));
    if (bits < smallest || bits > DH_LARGEST) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "the Diffie-Hellman parameters have %d bits: %d to %d are allowed", bits,
                   smallest, DH_LARGEST);
        cinch_fail_remedy(err, "leave them out: those of RFC 7919 are then used");
        return CINCH_FAILED;
    }
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(cinch_library_context(), parameters, NULL);
    if (check == NULL)
        return cinch_fail_crypto(err, "checking Diffie-Hellman parameters");
    safe = EVP_PKEY_param_check(check) == 1;
    EVP_PKEY_CTX_free(check);
    if (safe)
        return CINCH_OK;
    if (cinch_openssl_out_of_memory(ERR_peek_error()))
        return cinch_fail_memory(err, "checking Diffie-Hellman parameters");
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the Diffie-Hellman parameters are not safe");
    cinch_fail_openssl(err);
    cinch_fail_remedy(err, "leave them out: those of RFC 7919 are then used");
    return CINCH_FAILED;
}

static cinch_status read_dh(const void *pem, size_t size, int smallest, EVP_PKEY **out,
                            cinch_error *err)
{
    BIO *bio = NULL;
    EVP_PKEY *parameters = NULL;
    cinch_status status = CINCH_FAILED;

    if (size == 0 || size > DH_PEM)
        return cinch_fail(
            err, CINCH_CAUSE_BAD_SETTING,
            "the PEM with Diffie-Hellman parameters has %zu bytes: 1 to %d are allowed", size,
            DH_PEM);
    bio = BIO_new_mem_buf(pem, (int)size);
    if (bio == NULL)
        return cinch_fail_memory(err, "reading Diffie-Hellman parameters");
    parameters = PEM_read_bio_Parameters_ex(bio, NULL, cinch_library_context(), NULL);
    if (parameters != NULL) {
        status = check_dh(parameters, smallest, err);
    } else if (cinch_openssl_out_of_memory(ERR_peek_error())) {
        status = cinch_fail_memory(err, "reading Diffie-Hellman parameters");
    } else {
        status = cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                            "the PEM has no Diffie-Hellman parameters that can be read");
        cinch_fail_openssl(err);
        cinch_fail_remedy(err, "give a block that begins with BEGIN DH PARAMETERS");
    }
    BIO_free(bio);
    if (status == CINCH_OK)
        *out = parameters;
    else
        EVP_PKEY_free(parameters);
    return status;
}

static cinch_status set_dh(cinch_policy *policy, const void *pem, size_t size, int smallest,
                           cinch_error *err)
{
    EVP_PKEY *parameters = NULL;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (policy == NULL)
        return cinch_fail_null(err, "policy");
    cinch_status status = pem == NULL ? CINCH_OK : read_dh(pem, size, smallest, &parameters, err);
    ERR_clear_error();
    if (status != CINCH_OK)
        return status;
    EVP_PKEY_free(policy->dh);
    policy->dh = parameters;
    cinch_policy_now_custom(policy);
    return CINCH_OK;
}

cinch_status cinch_policy_dh_pem(cinch_policy *policy, const void *pem, size_t size,
                                 cinch_error *err)
{
    return set_dh(policy, pem, size, DH_SMALLEST, err);
}

cinch_status cinch_policy_insecure_dh_pem(cinch_policy *policy, const void *pem, size_t size,
                                          cinch_error *err)
{
    return set_dh(policy, pem, size, DH_INSECURE, err);
}
