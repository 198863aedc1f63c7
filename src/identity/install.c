/* install.c: an identity into an SSL_CTX. */
#include "identity/identity.h"

#include "base/certificate.h"
#include "base/fail.h"
#include "identity/parts.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

/* What OpenSSL's security levels ask for (SSL_CTX_set_security_level(3)). */
static const struct {
    int bits; /* of security: the work of breaking it is 2 to the power of this */
    const char *keys;
} levels[] = {
    {0, "any key"},
    {80, "RSA with at least 1024 bits, or EC with at least 160"},
    {112, "RSA with at least 2048 bits, or EC with at least 224"},
    {128, "RSA with at least 3072 bits, or EC with at least 256"},
    {192, "RSA with at least 7680 bits, or EC with at least 384"},
    {256, "RSA with at least 15360 bits, or EC with at least 512"},
};

static cinch_status weak_key(cinch_error *err, const char *subject, const EVP_PKEY *key, int level)
{
    char group[48] = "";

    (void)EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
    cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY,
               "the key of the certificate \"%s\" is too weak: %s%s%s with %d bits", subject,
               EVP_PKEY_get0_type_name(key), group[0] != 0 ? " " : "", group,
               EVP_PKEY_get_bits(key));
    cinch_fail_evidence(err, "it has %d bits of security; security level %d asks for %d: %s",
                        EVP_PKEY_get_security_bits(key), level, levels[level].bits,
                        levels[level].keys);
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status weak_digest(cinch_error *err, const char *subject, X509 *x, int bits, int level)
{
    int digest = NID_undef;

    (void)X509_get_signature_info(x, &digest, NULL, NULL, NULL);
    cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY,
               "the signature on the certificate \"%s\" is too weak: %s", subject,
               OBJ_nid2sn(X509_get_signature_nid(x)));
    cinch_fail_evidence(err,
                        "its digest %s has %d bits of security; security level %d asks for %d: "
                        "SHA-256 or better",
                        OBJ_nid2sn(digest), bits, level, levels[level].bits);
    cinch_fail_remedy(err, "have the certificate issued again, signed with SHA-256 or better");
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

/* CINCH_OK if X is strong enough. */
static cinch_status check_one(X509 *x, int level, cinch_error *err)
{
    const EVP_PKEY *key = X509_get0_pubkey(x);
    char subject[120];
    int bits = -1;
    uint32_t flags = 0;

    cinch_x509_subject(x, subject, sizeof subject);
    if (key != NULL && EVP_PKEY_get_security_bits(key) < levels[level].bits)
        return weak_key(err, subject, key, level);
    /* A self-signed certificate is not judged by its signature: nobody checks that. */
    if ((X509_get_extension_flags(x) & EXFLAG_SS) == 0 &&
        X509_get_signature_info(x, NULL, NULL, &bits, &flags) == 1 && bits < levels[level].bits)
        return weak_digest(err, subject, x, bits, level);
    return CINCH_OK;
}

static int level_of(const SSL_CTX *ctx)
{
    int level = SSL_CTX_get_security_level(ctx);

    return level > 5 ? 5 : level;
}

/* OpenSSL 3.0 does this itself; 3.5 does not look at the digests of our own certificates any more. */
static cinch_status check_strength(const cinch_identity *identity, int level, cinch_error *err)
{
    cinch_status status = check_one(identity->leaf, level, err);

    for (int i = 0; status == CINCH_OK && i < sk_X509_num(identity->chain); i++)
        status = check_one(sk_X509_value(identity->chain, i), level, err);
    return status;
}

static cinch_status refused(const SSL_CTX *ctx, cinch_error *err)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());

    if (reason != SSL_R_EE_KEY_TOO_SMALL && reason != SSL_R_CA_KEY_TOO_SMALL &&
        reason != SSL_R_CA_MD_TOO_WEAK)
        return cinch_fail_crypto(err, "taking a certificate and its key into use");
    cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY,
               "a certificate is too weak for security level %d of the policy", level_of(ctx));
    cinch_fail_openssl(err);
    return CINCH_FAILED;
}

static cinch_status unusable(cinch_error *err, const EVP_PKEY *key)
{
    const char *type = EVP_PKEY_get0_type_name(key);

    cinch_fail(err, CINCH_CAUSE_WEAK_IDENTITY, "a key of the kind %s cannot be used in TLS",
               type == NULL ? "unknown" : type);
    cinch_fail_evidence(err, "TLS 1.2 and 1.3 sign with RSA, ECDSA or EdDSA (RFC 8446, 4.2.3; RFC "
                             "9155 for DSA)");
    return CINCH_FAILED;
}

cinch_status cinch_identity_install(const cinch_identity *identity, SSL_CTX *ctx, cinch_error *err)
{
    const EVP_PKEY *key = identity->key;

    if (!EVP_PKEY_is_a(key, "RSA") && !EVP_PKEY_is_a(key, "RSA-PSS") && !EVP_PKEY_is_a(key, "EC") &&
        !EVP_PKEY_is_a(key, "ED25519") && !EVP_PKEY_is_a(key, "ED448"))
        return unusable(err, key);
    ERR_clear_error();
    if (check_strength(identity, level_of(ctx), err) != CINCH_OK)
        return CINCH_FAILED;
    /* Takes all of it or nothing, and checks every certificate against the security level. */
    if (SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->chain, 1) != 1)
        return refused(ctx, err);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return cinch_fail_crypto(err, "checking the key against the certificate");
    ERR_clear_error();
    return CINCH_OK;
}
