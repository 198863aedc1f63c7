/* install.c: a policy into an SSL_CTX, and whether its parts fit together. */
#include "policy/policy.h"

#include "base/fail.h"
#include "base/openssl.h"
#include "policy/parts.h"

#include <openssl/err.h>
#include <string.h>

/*
 * openssl.cnf may set any option for every SSL_CTX of the process. These turn versions off, which
 * is the policy's to decide, or weaken what the policy promises.
 */
#define UNWANTED                                                                                   \
    (SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 |                   \
     SSL_OP_NO_TLSv1_3 | SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | \
     SSL_OP_ALLOW_CLIENT_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ALLOW_NO_DHE_KEX |  \
     SSL_OP_NO_EXTENDED_MASTER_SECRET | SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_PRIORITIZE_CHACHA |    \
     SSL_OP_NO_ANTI_REPLAY | SSL_OP_CRYPTOPRO_TLSEXT_BUG | SSL_OP_TLS_ROLLBACK_BUG |               \
     SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS)

/*
 * No compression: CRIME (RFC 7525, 3.3). No renegotiation: RFC 5746 is right, and nobody needs it;
 * it lets a client make the server work. The server's order, because ours has reasons.
 */
#define WANTED (SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE)

static void set_options(const cinch_policy *policy, SSL_CTX *ctx)
{
    SSL_CTX_clear_options(ctx, UNWANTED);
    SSL_CTX_set_options(ctx, WANTED);
    if (policy->any_order)
        SSL_CTX_clear_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (policy->legacy_server)
        SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_security_level(ctx, policy->level);
}

/* For hand-picked DHE suites: the program's parameters, or those of RFC 7919 that fit the level. */
static int set_dh(const cinch_policy *policy, SSL_CTX *ctx)
{
    if (SSL_CTX_set_dh_auto(ctx, policy->dh == NULL) != 1)
        return 0;
    if (policy->dh == NULL)
        return 1;
    if (EVP_PKEY_up_ref(policy->dh) != 1)
        return 0;
    if (SSL_CTX_set0_tmp_dh_pkey(ctx, policy->dh) == 1)
        return 1;
    EVP_PKEY_free(policy->dh);
    return 0;
}

static int set_versions(const cinch_policy *policy, SSL_CTX *ctx)
{
    /* Open the range first: bounds that are there already may contradict a new one. */
    return SSL_CTX_set_min_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, policy->max) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, policy->min) == 1;
}

cinch_status cinch_policy_install(const cinch_policy *policy, SSL_CTX *ctx, cinch_error *err)
{
    ERR_clear_error();
    set_options(policy, ctx);
    if (!set_versions(policy, ctx))
        return cinch_fail_crypto(err, "setting the protocol versions");
    if (!cinch_ssl_set_ciphers(ctx, policy->ciphers) || !cinch_ssl_set_suites(ctx, policy->suites))
        return cinch_fail_crypto(err, "setting the cipher suites");
    if (!cinch_ssl_set_groups(ctx, policy->groups))
        return cinch_fail_crypto(err, "setting the groups");
    if (SSL_CTX_set1_sigalgs_list(ctx, policy->sigalgs) != 1 ||
        SSL_CTX_set1_client_sigalgs_list(
            ctx, policy->client_sigalgs != NULL ? policy->client_sigalgs : policy->sigalgs) != 1)
        return cinch_fail_crypto(err, "setting the signature algorithms");
    if (!set_dh(policy, ctx))
        return cinch_fail_crypto(err, "setting the Diffie-Hellman parameters");
    ERR_clear_error();
    return CINCH_OK;
}

/* Whether SUITE can be used in VERSION: suites of TLS 1.3 only there, AEAD ones not before 1.2. */
static int fits(const SSL_CIPHER *suite, int version)
{
    const char *from = SSL_CIPHER_get_version(suite);

    if (strcmp(from, "TLSv1.3") == 0)
        return version == CINCH_TLS_1_3;
    if (version == CINCH_TLS_1_3)
        return 0;
    return version == CINCH_TLS_1_2 || strcmp(from, "TLSv1.2") != 0;
}

/* SUITES are what can be used with the range and the level. */
static cinch_status check_versions(const cinch_policy *policy, STACK_OF(SSL_CIPHER) * suites,
                                   cinch_error *err)
{
    for (int version = policy->min; version <= policy->max; version++) {
        int found = 0;

        for (int i = 0; !found && i < sk_SSL_CIPHER_num(suites); i++)
            found = fits(sk_SSL_CIPHER_value(suites, i), version);
        if (found)
            continue;
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "the policy allows TLS 1.%d and no cipher suite for it",
                   version - CINCH_TLS_1_0);
        cinch_fail_evidence(err, "cipher suites: %s\nTLS 1.3 suites: %s\nsecurity level: %d",
                            policy->ciphers, policy->suites, policy->level);
        cinch_fail_remedy(err, "add a cipher suite of that version, or leave the version out");
        return CINCH_FAILED;
    }
    return CINCH_OK;
}

static cinch_status check_picked(const cinch_policy *policy, cinch_error *err)
{
    if ((policy->picked & CINCH_PICKED_CIPHERS) != 0 && policy->min == CINCH_TLS_1_3)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "a list of TLS 1.2 cipher suites was set, and the policy allows TLS 1.3 "
                          "only");
    if ((policy->picked & CINCH_PICKED_SUITES) != 0 && policy->max < CINCH_TLS_1_3)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "a list of TLS 1.3 cipher suites was set, and the policy does not allow "
                          "TLS 1.3");
    return CINCH_OK;
}

/* RFC 8446, 4.2.3: PKCS#1 v1.5 and SHA-1 are for certificates, they do not sign TLS 1.3. */
static cinch_status check_signatures(const cinch_policy *policy, cinch_error *err)
{
    const char *rest = policy->sigalgs;
    char word[CINCH_POLICY_WORD];

    if (policy->max < CINCH_TLS_1_3)
        return CINCH_OK;
    while (cinch_word_next(&rest, ":", word) > 0)
        if (strncmp(word, "rsa_pkcs1", 9) != 0 && strncmp(word, "RSA+", 4) != 0 &&
            strstr(word, "SHA1") == NULL)
            return CINCH_OK;
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
               "the policy allows TLS 1.3 and no signature algorithm for it");
    cinch_fail_evidence(err, "signature algorithms: %s", policy->sigalgs);
    cinch_fail_remedy(err,
                      "add rsa_pss_rsae_sha256 or ecdsa_secp256r1_sha256, or leave TLS 1.3 out");
    return CINCH_FAILED;
}

static cinch_status check_level(const cinch_policy *policy, cinch_error *err)
{
    int bits = cinch_policy_bits(policy->level);
    const char *client = policy->client_sigalgs != NULL ? policy->client_sigalgs : policy->sigalgs;

    if (policy->dh != NULL && EVP_PKEY_get_security_bits(policy->dh) < bits) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "Diffie-Hellman parameters of %d bits are not enough for security level %d",
                   EVP_PKEY_get_bits(policy->dh), policy->level);
        cinch_fail_remedy(err, "take larger parameters, or none: those of RFC 7919 are then used");
        return CINCH_FAILED;
    }
    const char *what = NULL, *list = NULL;
    if (!cinch_policy_list_has(policy->groups, cinch_policy_group_bits, bits)) {
        what = "group";
        list = policy->groups;
    } else if (!cinch_policy_list_has(policy->sigalgs, cinch_policy_sigalg_bits, bits) ||
               !cinch_policy_list_has(client, cinch_policy_sigalg_bits, bits)) {
        what = "signature algorithm";
        list = policy->sigalgs;
    }
    if (what == NULL)
        return CINCH_OK;
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "no %s of the policy reaches security level %d", what,
               policy->level);
    cinch_fail_evidence(err, "%ss: %s\nwanted: %d bits of security", what, list, bits);
    cinch_fail_remedy(err, "add a stronger one, or take a lower level");
    return CINCH_FAILED;
}

cinch_status cinch_policy_usable(const cinch_policy *policy, STACK_OF(SSL_CIPHER) * *suites,
                                 cinch_error *err)
{
    SSL *ssl = NULL;
    cinch_status status = CINCH_FAILED;
    SSL_CTX *scratch = cinch_policy_scratch(err);

    *suites = NULL;
    if (scratch == NULL || cinch_policy_install(policy, scratch, err) != CINCH_OK)
        goto out;
    ssl = SSL_new(scratch);
    if (ssl == NULL) {
        cinch_fail_memory(err, "checking a policy");
        goto out;
    }
    ERR_clear_error();
    *suites = SSL_get1_supported_ciphers(ssl);
    /* None, or a list that could not grow, of which OpenSSL 3.5 says nothing: it could, this time. */
    if (*suites == NULL && ERR_peek_error() == 0)
        *suites = SSL_get1_supported_ciphers(ssl);
    status = CINCH_OK;
    if (*suites == NULL && ERR_peek_error() != 0)
        status = cinch_fail_crypto(err, "checking a policy");
out:
    SSL_free(ssl);
    SSL_CTX_free(scratch);
    ERR_clear_error();
    return status;
}

cinch_status cinch_policy_check(const cinch_policy *policy, cinch_error *err)
{
    STACK_OF(SSL_CIPHER) *suites = NULL;
    cinch_status status = check_picked(policy, err);

    if (status == CINCH_OK)
        status = check_signatures(policy, err);
    if (status == CINCH_OK)
        status = check_level(policy, err);
    if (status == CINCH_OK)
        status = cinch_policy_usable(policy, &suites, err);
    if (status == CINCH_OK)
        status = check_versions(policy, suites, err);
    sk_SSL_CIPHER_free(suites);
    return status;
}

static int hash_text(EVP_MD_CTX *md, const char *text)
{
    /* With the NUL, so that no two lists run into each other. */
    return EVP_DigestUpdate(md, text, strlen(text) + 1);
}

/* The parameters as DER, with their size in front. */
static int hash_dh(EVP_MD_CTX *md, const EVP_PKEY *dh)
{
    unsigned char *der = NULL;
    int size = dh == NULL ? 0 : i2d_KeyParams(dh, &der);
    int ok = size >= 0 && (dh == NULL) == (size == 0) &&
             EVP_DigestUpdate(md, &size, sizeof size) == 1 &&
             (size == 0 || EVP_DigestUpdate(md, der, (size_t)size) == 1);

    OPENSSL_free(der);
    return ok;
}

int cinch_policy_hash(const cinch_policy *policy, EVP_MD_CTX *md)
{
    const unsigned char numbers[] = {
        (unsigned char)(policy->min >> 8),    (unsigned char)policy->min,
        (unsigned char)(policy->max >> 8),    (unsigned char)policy->max,
        (unsigned char)policy->level,         (unsigned char)policy->any_order,
        (unsigned char)policy->legacy_server, policy->client_sigalgs != NULL,
    };

    return EVP_DigestUpdate(md, numbers, sizeof numbers) == 1 &&
           hash_text(md, policy->ciphers) == 1 && hash_text(md, policy->suites) == 1 &&
           hash_text(md, policy->groups) == 1 && hash_text(md, policy->sigalgs) == 1 &&
           (policy->client_sigalgs == NULL || hash_text(md, policy->client_sigalgs) == 1) &&
           hash_dh(md, policy->dh);
}
