/* profile_extensions.c: the rules on extensions other than names. */
#include "context/profile.h"

#include <openssl/x509v3.h>

/* A section that several checks name. */
static const char basic_constraints[] = "RFC 5280, 4.2.1.9";
static const char extended_key_usage[] = "RFC 5280, 4.2.1.12";

/* Whether a critical extension of this kind is one that is obeyed here, in this place. */
static int is_obeyed(int nid, int is_leaf)
{
    switch (nid) {
    case NID_basic_constraints:
    case NID_key_usage:
    case NID_ext_key_usage:
    case NID_subject_alt_name:
    case NID_certificate_policies:
    case NID_crl_distribution_points:
        return 1;
    case NID_name_constraints:
    case NID_policy_mappings:
    case NID_policy_constraints:
    case NID_inhibit_any_policy:
        return !is_leaf;
    case NID_subject_key_identifier:
    case NID_authority_key_identifier:
        return 1; /* a rule of its own says no */
    default:
        return 0;
    }
}

/* Where it is written that the extension is critical; NULL: it need not be. */
static const char *section_that_says_critical(int nid)
{
    switch (nid) {
    case NID_policy_constraints:
        return "RFC 5280, 4.2.1.11";
    case NID_inhibit_any_policy:
        return "RFC 5280, 4.2.1.14";
    case NID_ct_precert_poison: /* no certificate, but the announcement of one */
        return "RFC 6962, 3.1";
    default:
        return NULL;
    }
}

int cinch_rule_critical(const cinch_suspect *s)
{
    char text[64];

    for (int i = 0; i < X509_get_ext_count(s->x); i++) {
        X509_EXTENSION *extension = X509_get_ext(s->x, i);
        const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
        int nid = OBJ_obj2nid(object);
        int critical = X509_EXTENSION_get_critical(extension);

        OBJ_obj2txt(text, sizeof text, object, 0);
        if (critical && !is_obeyed(nid, s->is_leaf))
            return cinch_broken(s, CINCH_RULE_CRITICAL_EXTENSIONS, "RFC 5280, 4.2",
                                "its critical extension %s is not understood%s", text,
                                is_obeyed(nid, 0) ? " in a certificate that issues none" : "");
        /* Where it is not critical, others pass over the limit that it sets. */
        const char *section = critical ? NULL : section_that_says_critical(nid);
        if (section != NULL)
            return cinch_broken(s, CINCH_RULE_CRITICAL_EXTENSIONS, section,
                                "its extension %s is not critical", text);
    }
    return 1;
}

static int check_authority(const cinch_suspect *s, const BASIC_CONSTRAINTS *constraints,
                           int critical)
{
    if (constraints == NULL)
        return cinch_broken(s, CINCH_RULE_BASIC_CONSTRAINTS, basic_constraints,
                            "it issues certificates and has no readable basicConstraints");
    if (!constraints->ca)
        return cinch_broken(s, CINCH_RULE_BASIC_CONSTRAINTS, basic_constraints,
                            "it issues certificates and its basicConstraints say that it is no CA");
    if (!critical)
        return cinch_broken(s, CINCH_RULE_BASIC_CONSTRAINTS, basic_constraints,
                            "it is a CA and its basicConstraints are not critical");
    if (constraints->pathlen != NULL &&
        ASN1_STRING_type(constraints->pathlen) == V_ASN1_NEG_INTEGER)
        return cinch_broken(s, CINCH_RULE_BASIC_CONSTRAINTS, basic_constraints,
                            "the path length in its basicConstraints is negative");
    return 1;
}

/* The bits of keyUsage, as X509v3_KU_...; -1 if there is no such extension, -2 if it is damaged. */
static int key_usage_of(const X509 *x)
{
    int there, bits = 0;
    ASN1_BIT_STRING *usage = cinch_extension(x, NID_key_usage, &there, NULL);

    if (usage == NULL)
        return there ? -2 : -1;
    if (ASN1_STRING_length(usage) > 0)
        bits = ASN1_STRING_get0_data(usage)[0];
    if (ASN1_STRING_length(usage) > 1)
        bits |= ASN1_STRING_get0_data(usage)[1] << 8;
    ASN1_BIT_STRING_free(usage);
    return bits;
}

int cinch_rule_basic_constraints(const cinch_suspect *s)
{
    int there, critical, usage;

    if (s->is_leaf)
        return 1;
    BASIC_CONSTRAINTS *constraints =
        cinch_extension(s->x, NID_basic_constraints, &there, &critical);
    int good = check_authority(s, constraints, critical);
    BASIC_CONSTRAINTS_free(constraints);
    if (!good)
        return 0;
    usage = key_usage_of(s->x);
    if (usage == -1 && s->is_anchor)
        return 1;
    if (usage < 0 || !(usage & KU_KEY_CERT_SIGN))
        return cinch_broken(s, CINCH_RULE_BASIC_CONSTRAINTS, "RFC 5280, 4.2.1.3",
                            "it is a CA and its keyUsage does not say keyCertSign");
    return 1;
}

int cinch_rule_leaf_not_ca(const cinch_suspect *s)
{
    int there, usage = key_usage_of(s->x);

    /* A certificate that was named as an anchor is believed to be the peer's: it is in no chain. */
    if (!s->is_leaf || s->is_anchor)
        return 1;
    BASIC_CONSTRAINTS *constraints = cinch_extension(s->x, NID_basic_constraints, &there, NULL);
    int damaged = there && constraints == NULL;
    int ca = constraints != NULL && constraints->ca;
    int limited = constraints != NULL && constraints->pathlen != NULL;
    BASIC_CONSTRAINTS_free(constraints);
    if (damaged)
        return cinch_broken(s, CINCH_RULE_LEAF_NOT_CA, basic_constraints,
                            "its basicConstraints cannot be read");
    if (ca)
        return cinch_broken(s, CINCH_RULE_LEAF_NOT_CA, "BR, 7.1.2.7.8",
                            "it is a CA's, not a server's or client's");
    if (limited)
        return cinch_broken(s, CINCH_RULE_LEAF_NOT_CA, basic_constraints,
                            "it is no CA and has a path length");
    if (usage == -2 || (usage > 0 && usage & KU_KEY_CERT_SIGN))
        return cinch_broken(s, CINCH_RULE_LEAF_NOT_CA, basic_constraints,
                            "it is no CA and its keyUsage says keyCertSign");
    return 1;
}

int cinch_rule_key_usage(const cinch_suspect *s)
{
    int usage = key_usage_of(s->x);

    if (usage == -1)
        return 1;
    if (usage <= 0)
        return cinch_broken(s, CINCH_RULE_KEY_USAGE, "RFC 5280, 4.2.1.3",
                            "its keyUsage allows nothing");
    if (s->is_leaf && !s->is_anchor && !(usage & KU_DIGITAL_SIGNATURE))
        return cinch_broken(s, CINCH_RULE_KEY_USAGE, "RFC 8446, 4.4.2.2",
                            "its keyUsage does not allow digitalSignature, which the handshake is");
    return 1;
}

static int has_purpose(const EXTENDED_KEY_USAGE *purposes, int nid)
{
    for (int i = 0; i < sk_ASN1_OBJECT_num(purposes); i++)
        if (OBJ_obj2nid(sk_ASN1_OBJECT_value(purposes, i)) == nid)
            return 1;
    return 0;
}

int cinch_rule_eku_required(const cinch_suspect *s)
{
    int there, is_client = s->settings->is_server;
    EXTENDED_KEY_USAGE *purposes = cinch_extension(s->x, NID_ext_key_usage, &there, NULL);
    int any = has_purpose(purposes, NID_anyExtendedKeyUsage);
    int fits = has_purpose(purposes, is_client ? NID_client_auth : NID_server_auth);
    const char *wanted = is_client ? "clientAuth" : "serverAuth";

    sk_ASN1_OBJECT_pop_free(purposes, ASN1_OBJECT_free);
    if (!there && (!s->is_leaf || s->is_anchor))
        return 1;
    if (!there)
        return cinch_broken(s, CINCH_RULE_EKU_REQUIRED, "BR, 7.1.2.7.6",
                            "it does not say what it is for: there is no extendedKeyUsage");
    /* OpenSSL takes purposes of the last century for serverAuth (server gated cryptography). */
    if (!fits && (s->is_leaf || !any))
        return cinch_broken(s, CINCH_RULE_EKU_REQUIRED, extended_key_usage,
                            "its extendedKeyUsage does not have %s", wanted);
    if (s->is_leaf && any)
        return cinch_broken(s, CINCH_RULE_EKU_REQUIRED, "BR, 7.1.2.7.10",
                            "its extendedKeyUsage has anyExtendedKeyUsage");
    return 1;
}

int cinch_rule_eku_pure(const cinch_suspect *s)
{
    static const int foreign[] = {NID_code_sign, NID_email_protect,       NID_time_stamp,
                                  NID_OCSP_sign, NID_anyExtendedKeyUsage, NID_ct_precert_signer};
    int there, critical, mixed = NID_undef;
    EXTENDED_KEY_USAGE *purposes = cinch_extension(s->x, NID_ext_key_usage, &there, &critical);

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (has_purpose(purposes, foreign[i]))
            mixed = foreign[i];
    int damaged = there && purposes == NULL;
    sk_ASN1_OBJECT_pop_free(purposes, ASN1_OBJECT_free);
    if (!there)
        return 1;
    if (damaged)
        return cinch_broken(s, CINCH_RULE_EKU_PURE, extended_key_usage,
                            "its extendedKeyUsage cannot be read");
    if (s->is_anchor && !s->is_leaf && s->is_self_issued)
        return cinch_broken(s, CINCH_RULE_EKU_PURE, "BR, 7.1.2.1.2",
                            "it is a root and has an extendedKeyUsage");
    if (!s->is_leaf || s->settings->is_server)
        return 1;
    if (critical)
        return cinch_broken(s, CINCH_RULE_EKU_PURE, "BR, 7.1.2.7.6",
                            "its extendedKeyUsage is critical");
    if (mixed != NID_undef)
        return cinch_broken(s, CINCH_RULE_EKU_PURE, "BR, 7.1.2.7.10",
                            "it is a server's and for %s as well", OBJ_nid2ln(mixed));
    return 1;
}

static int check_authority_id(const cinch_suspect *s, const AUTHORITY_KEYID *id)
{
    static const char section[] = "RFC 5280, 4.2.1.1";
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(s->x);

    if (id->keyid == NULL)
        return cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "its authorityKeyIdentifier has no keyIdentifier");
    if (s->is_leaf || !s->is_anchor || !s->is_self_issued)
        return 1;
    if (id->issuer != NULL || id->serial != NULL)
        return cinch_broken(
            s, CINCH_RULE_KEY_IDENTIFIERS, "BR, 7.1.2.1.3",
            "it is a root and its authorityKeyIdentifier names an issuer or serial");
    if (own == NULL || ASN1_OCTET_STRING_cmp(own, id->keyid) != 0)
        return cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, "BR, 7.1.2.1.3",
                            "it is a root and its two key identifiers differ");
    return 1;
}

static int check_subject_id(const cinch_suspect *s)
{
    static const char section[] = "RFC 5280, 4.2.1.2";
    int there, critical;
    ASN1_OCTET_STRING *id = cinch_extension(s->x, NID_subject_key_identifier, &there, &critical);
    int size = id == NULL ? 0 : ASN1_STRING_length(id);

    ASN1_OCTET_STRING_free(id);
    if (!there && !s->is_leaf)
        return cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "it is a CA without a subjectKeyIdentifier");
    if (there && size < 1)
        return cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "its subjectKeyIdentifier is empty or damaged");
    if (critical)
        return cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "its subjectKeyIdentifier is critical");
    return 1;
}

int cinch_rule_key_identifiers(const cinch_suspect *s)
{
    static const char section[] = "RFC 5280, 4.2.1.1";
    int there, critical, good = 1;
    AUTHORITY_KEYID *id = cinch_extension(s->x, NID_authority_key_identifier, &there, &critical);

    if (there && id == NULL)
        good = cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "its authorityKeyIdentifier is damaged");
    else if (critical)
        good = cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "its authorityKeyIdentifier is critical");
    else if (id != NULL)
        good = check_authority_id(s, id);
    else if (!(s->is_anchor && (s->is_self_issued || s->is_leaf)))
        good = cinch_broken(s, CINCH_RULE_KEY_IDENTIFIERS, section,
                            "it has no authorityKeyIdentifier");
    AUTHORITY_KEYID_free(id);
    return good && check_subject_id(s);
}
