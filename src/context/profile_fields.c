/* profile_fields.c: the rules on the fields of a certificate that are no extensions. */
#include "context/profile.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* No certificate has more; comparing each with each stays cheap. */
#define MOST_EXTENSIONS 64

int cinch_rule_version(const cinch_suspect *s)
{
    static const char section[] = "RFC 5280, 4.2";
    int count = X509_get_ext_count(s->x);
    const ASN1_OBJECT *objects[MOST_EXTENSIONS];
    const ASN1_BIT_STRING *issuer_id = NULL, *subject_id = NULL;

    /* Versions 1 and 2 cannot say whether they are a CA: whoever has one could issue with it. */
    if (X509_get_version(s->x) != 2)
        return cinch_broken(s, CINCH_RULE_VERSION, "RFC 5280, 4.1.2.1",
                            "it is of version %ld, not 3", X509_get_version(s->x) + 1);
    X509_get0_uids(s->x, &issuer_id, &subject_id);
    if (issuer_id != NULL || subject_id != NULL)
        return cinch_broken(s, CINCH_RULE_VERSION, "RFC 5280, 4.1.2.8",
                            "it has a unique identifier beside the name of its %s",
                            subject_id != NULL ? "subject" : "issuer");
    if (count > MOST_EXTENSIONS)
        return cinch_broken(s, CINCH_RULE_VERSION, section, "it has %d extensions; %d are the most",
                            count, MOST_EXTENSIONS);
    for (int i = 0; i < count; i++) {
        objects[i] = X509_EXTENSION_get_object(X509_get_ext(s->x, i));
        for (int k = 0; k < i; k++)
            if (objects[i] == NULL || OBJ_cmp(objects[i], objects[k]) == 0)
                return cinch_broken(s, CINCH_RULE_VERSION, section,
                                    "it has the same extension twice");
    }
    return 1;
}

int cinch_rule_serial(const cinch_suspect *s)
{
    static const char section[] = "RFC 5280, 4.1.2.2";
    const ASN1_INTEGER *serial = X509_get0_serialNumber(s->x);

    if (s->is_anchor && !s->is_leaf)
        return 1;
    if (serial == NULL)
        return cinch_broken(s, CINCH_RULE_SERIAL, section, "it has no serial number");
    const unsigned char *bytes = ASN1_STRING_get0_data(serial);
    int size = ASN1_STRING_length(serial), zero = 1;
    for (int i = 0; i < size; i++)
        zero = zero && bytes[i] == 0;
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
        return cinch_broken(s, CINCH_RULE_SERIAL, section, "its serial number is negative");
    if (zero)
        return cinch_broken(s, CINCH_RULE_SERIAL, section, "its serial number is zero");
    if (size > 20)
        return cinch_broken(s, CINCH_RULE_SERIAL, section,
                            "its serial number has %d bytes; 20 are the most", size);
    return 1;
}

/* Those of ECDSA and EdDSA have none: what is allowed to stand there could be anything. */
static int has_foreign_parameters(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;
    int kind = V_ASN1_UNDEF, key = NID_undef;

    X509_ALGOR_get0(&object, &kind, NULL, algorithm);
    (void)OBJ_find_sigid_algs(OBJ_obj2nid(object), NULL, &key);
    return kind != V_ASN1_UNDEF &&
           (key == NID_X9_62_id_ecPublicKey || key == NID_ED25519 || key == NID_ED448);
}

int cinch_rule_signature(const cinch_suspect *s)
{
    const X509_ALGOR *outside = NULL;

    X509_get0_signature(NULL, &outside, s->x);
    if (outside == NULL || X509_ALGOR_cmp(outside, X509_get0_tbs_sigalg(s->x)) != 0)
        return cinch_broken(s, CINCH_RULE_SIGNATURE, "RFC 5280, 4.1.1.2",
                            "its two fields for the signature algorithm differ");
    if (!(s->is_anchor && !s->is_leaf) && has_foreign_parameters(outside))
        return cinch_broken(s, CINCH_RULE_SIGNATURE, "RFC 5758, 3.2",
                            "its signature algorithm has parameters, which this one has not");
    return 1;
}

/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ: no fractions, no other zones, no seconds left out. */
static const char *fault_of(const ASN1_TIME *time)
{
    const unsigned char *text = time == NULL ? NULL : ASN1_STRING_get0_data(time);
    int is_general, size;

    if (text == NULL)
        return "is not there";
    is_general = ASN1_STRING_type(time) == V_ASN1_GENERALIZEDTIME;
    size = is_general ? 15 : 13;
    if (ASN1_STRING_length(time) != size || text[size - 1] != 'Z')
        return "is not written to the second in UTC";
    for (int i = 0; i < size - 1; i++)
        if (text[i] < '0' || text[i] > '9')
            return "is not written in digits";
    if (is_general && memcmp(text, "2050", 4) < 0)
        return "is a GeneralizedTime, though before 2050";
    return NULL;
}

int cinch_rule_dates(const cinch_suspect *s)
{
    if (s->is_anchor && !s->is_leaf)
        return 1;
    const char *from = fault_of(X509_get0_notBefore(s->x));
    const char *to = fault_of(X509_get0_notAfter(s->x));
    if (from == NULL && to == NULL)
        return 1;
    return cinch_broken(s, CINCH_RULE_DATES, "RFC 5280, 4.1.2.5", "its %s %s",
                        from != NULL ? "notBefore" : "notAfter", from != NULL ? from : to);
}

int cinch_rule_names(const cinch_suspect *s)
{
    if (X509_NAME_entry_count(X509_get_issuer_name(s->x)) < 1)
        return cinch_broken(s, CINCH_RULE_NAMES, "RFC 5280, 4.1.2.4", "its issuer has no name");
    if (!s->is_leaf && X509_NAME_entry_count(X509_get_subject_name(s->x)) < 1)
        return cinch_broken(s, CINCH_RULE_NAMES, "RFC 5280, 4.1.2.6", "it is a CA without a name");
    return 1;
}

/* The INTEGER that stands at *AT is positive and odd; *AT is moved behind it. */
static int is_odd_number(const unsigned char **at, const unsigned char *end)
{
    size_t content, header = cinch_der_header(*at, (size_t)(end - *at), &content);
    const unsigned char *bytes = *at + header;

    if (header == 0 || **at != V_ASN1_INTEGER || content == 0 || bytes[0] >= 0x80)
        return 0;
    *at = bytes + content;
    return bytes[content - 1] & 1;
}

/*
 * Modulus and exponent and nothing else, beside NULL. OpenSSL passes over signs and over what follows;
 * with an even number nothing can be proved.
 */
static int is_rsa_as_written(const X509 *x)
{
    X509_ALGOR *algorithm = NULL;
    const unsigned char *at = NULL;
    int size = 0, kind = V_ASN1_UNDEF;
    size_t content;

    if (X509_PUBKEY_get0_param(NULL, &at, &size, &algorithm, X509_get_X509_PUBKEY(x)) != 1)
        return 0;
    X509_ALGOR_get0(NULL, &kind, NULL, algorithm);
    if (OBJ_obj2nid(algorithm->algorithm) == NID_rsaEncryption && kind != V_ASN1_NULL)
        return 0;
    const unsigned char *end = at + size;
    size_t header = cinch_der_header(at, (size_t)size, &content);
    if (header == 0 || at[0] != 0x30 || header + content != (size_t)size)
        return 0;
    at += header;
    int modulus = is_odd_number(&at, end);
    int exponent = modulus && is_odd_number(&at, end);
    return exponent && at == end;
}

static int check_rsa(const cinch_suspect *s, const EVP_PKEY *key)
{
    static const char section[] = "BR, 6.1.5 and 6.1.6";
    int bits = EVP_PKEY_get_bits(key);
    BIGNUM *exponent = NULL;

    /* A policy that was made weaker on purpose has OpenSSL decide on the lower end. */
    if ((bits < 2048 && s->settings->policy->level >= 2) || bits > 8192 || bits % 8 != 0)
        return cinch_broken(s, CINCH_RULE_KEY_KIND, section,
                            "its RSA key has %d bits, not 2048 to 8192 in whole bytes", bits);
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
        return cinch_broken(s, CINCH_RULE_KEY_KIND, section, "its RSA key cannot be read");
    /* With an exponent of 1 everything is its own signature. */
    int good = BN_is_odd(exponent) && !BN_is_one(exponent) && !BN_is_negative(exponent);
    BN_free(exponent);
    if (!good)
        return cinch_broken(s, CINCH_RULE_KEY_KIND, section,
                            "its RSA key has 1 or an even number for an exponent");
    if (!is_rsa_as_written(s->x))
        return cinch_broken(s, CINCH_RULE_KEY_KIND, "RFC 3279, 2.3.1",
                            "its RSA key is not written as two odd numbers beside NULL");
    return 1;
}

static int check_ec(const cinch_suspect *s, const EVP_PKEY *key)
{
    static const char *const curves[] = {"prime256v1", "P-256",     "secp384r1",
                                         "P-384",      "secp521r1", "P-521"};
    char group[64] = "";
    int is_explicit = 0, known = 0;

    /* Parameters written out may be those of a curve that was made for forging (CVE-2020-0601). */
    (void)EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                 &is_explicit);
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1)
        for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
            known |= strcmp(group, curves[i]) == 0;
    if (!known || is_explicit)
        return cinch_broken(s, CINCH_RULE_KEY_KIND, "BR, 6.1.5",
                            "its key is on the curve %s, not on P-256, P-384 or P-521%s", group,
                            is_explicit ? " by name" : "");
    return 1;
}

int cinch_rule_key_kind(const cinch_suspect *s)
{
    EVP_PKEY *key = X509_get0_pubkey(s->x);
    const char *type = key == NULL ? NULL : EVP_PKEY_get0_type_name(key);

    if (type == NULL)
        return cinch_broken(s, CINCH_RULE_KEY_KIND, "RFC 5280, 4.1.2.7",
                            "its public key cannot be read");
    if (strcmp(type, "RSA") == 0 || strcmp(type, "RSA-PSS") == 0)
        return check_rsa(s, key);
    if (strcmp(type, "EC") == 0)
        return check_ec(s, key);
    if (strcmp(type, "ED25519") == 0 || strcmp(type, "ED448") == 0 ||
        strncmp(type, "ML-DSA-", 7) == 0)
        return 1;
    return cinch_broken(s, CINCH_RULE_KEY_KIND, "BR, 6.1.5", "its key is of the kind %s", type);
}
