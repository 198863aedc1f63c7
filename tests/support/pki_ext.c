/* The extensions of the factory's certificates. */
#include "pki.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

static void add_value(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;

    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    pki_need(extension != NULL, value);
    pki_need(X509_add_ext(cert, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static void add_prefixed(X509 *cert, int nid, const char *prefix, const char *rest)
{
    char value[1024];
    int len = snprintf(value, sizeof(value), "%s%s", prefix, rest);

    pki_need(len > 0 && (size_t)len < sizeof(value), "extension value too long");
    add_value(cert, nid, value);
}

static void add_struct(X509 *cert, int nid, void *value, bool critical)
{
    pki_need(X509_add1_ext_i2d(cert, nid, value, critical, X509V3_ADD_APPEND) == 1,
             OBJ_nid2ln(nid));
}

static void push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();

    pki_need(name != NULL && value != NULL, "subject alternative name");
    GENERAL_NAME_set0_value(name, type, value);
    pki_need(sk_GENERAL_NAME_push(names, name) > 0, "subject alternative name");
}

/* Set as bytes, not through the configuration syntax: commas and NUL bytes must get through. */
static void push_text(GENERAL_NAMES *names, int type, const char *text, size_t len)
{
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    pki_need(value != NULL && ASN1_STRING_set(value, text, (int)len) == 1, "name");
    push_name(names, type, value);
}

static void push_default_names(GENERAL_NAMES *names)
{
    push_text(names, GEN_DNS, "localhost", strlen("localhost"));
    push_name(names, GEN_IPADD, a2i_IPADDRESS("127.0.0.1"));
    push_name(names, GEN_IPADD, a2i_IPADDRESS("::1"));
}

static void add_names(X509 *cert, const pki_spec *spec)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool critical = X509_NAME_entry_count(X509_get_subject_name(cert)) == 0;

    pki_need(names != NULL, "subject alternative names");
    for (size_t i = 0; i < 8 && spec->dns[i] != NULL; i++)
        push_text(names, GEN_DNS, spec->dns[i], strlen(spec->dns[i]));
    if (spec->dns_raw != NULL)
        push_text(names, GEN_DNS, spec->dns_raw, spec->dns_raw_len);
    for (size_t i = 0; i < 4 && spec->ip[i] != NULL; i++)
        push_name(names, GEN_IPADD, a2i_IPADDRESS(spec->ip[i]));
    if (spec->email != NULL)
        push_text(names, GEN_EMAIL, spec->email, strlen(spec->email));
    if (spec->uri != NULL)
        push_text(names, GEN_URI, spec->uri, strlen(spec->uri));
    if (sk_GENERAL_NAME_num(names) == 0 && !spec->is_ca)
        push_default_names(names);
    if (sk_GENERAL_NAME_num(names) > 0) {
        /* RFC 5280, 4.2.1.6: critical when there is no other name. */
        add_struct(cert, NID_subject_alt_name, names, critical);
    }
    GENERAL_NAMES_free(names);
}

/* RFC 5280, 4.2.1.2, method 1: SHA-1 as a name for the key; nothing depends on its strength. */
static void add_subject_key_id(X509 *cert)
{
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    pki_need(id != NULL && X509_pubkey_digest(cert, EVP_sha1(), digest, &len) == 1, "key id");
    pki_need(ASN1_OCTET_STRING_set(id, digest, (int)len) == 1, "key id");
    add_struct(cert, NID_subject_key_identifier, id, false);
    ASN1_OCTET_STRING_free(id);
}

/* Read with X509_get_ext_d2i because the issuer may be this certificate, not yet encoded. */
static void add_authority_key_id(X509 *cert, X509 *issuer)
{
    AUTHORITY_KEYID *authority;
    ASN1_OCTET_STRING *id;

    id = X509_get_ext_d2i(issuer, NID_subject_key_identifier, NULL, NULL);
    if (id == NULL)
        return;
    authority = AUTHORITY_KEYID_new();
    pki_need(authority != NULL, "authority key identifier");
    authority->keyid = id;
    add_struct(cert, NID_authority_key_identifier, authority, false);
    AUTHORITY_KEYID_free(authority);
}

static void add_basic_constraints(X509 *cert, const pki_spec *spec)
{
    const char *authority = spec->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE";

    if (spec->pathlen == NULL) {
        add_value(cert, NID_basic_constraints, authority);
    } else {
        char value[128];

        snprintf(value, sizeof(value), "%s,pathlen:%s", authority, spec->pathlen);
        add_value(cert, NID_basic_constraints, value);
    }
}

static const char *default_key_usage(const X509 *cert, const pki_spec *spec)
{
    if (spec->is_ca)
        return "critical,keyCertSign,cRLSign";
    /* RSA key transport, before TLS 1.3, is encryption with the certificate's key. */
    if (EVP_PKEY_is_a(X509_get0_pubkey(cert), "RSA"))
        return "critical,digitalSignature,keyEncipherment";
    return "critical,digitalSignature";
}

static void add_standard(X509 *cert, X509 *issuer, const pki_spec *spec)
{
    if (!spec->no_basic_constraints)
        add_basic_constraints(cert, spec);
    if (!spec->no_key_usage) {
        add_value(cert, NID_key_usage,
                  spec->key_usage != NULL ? spec->key_usage : default_key_usage(cert, spec));
    }
    if (!spec->no_eku && (spec->eku != NULL || !spec->is_ca))
        add_value(cert, NID_ext_key_usage, spec->eku != NULL ? spec->eku : "serverAuth,clientAuth");
    if (!spec->no_ski)
        add_subject_key_id(cert);
    if (!spec->no_aki)
        add_authority_key_id(cert, issuer);
    if (!spec->no_san)
        add_names(cert, spec);
    if (spec->aia_ca_issuers != NULL)
        add_prefixed(cert, NID_info_access, "caIssuers;URI:", spec->aia_ca_issuers);
    if (spec->crl_url != NULL)
        add_prefixed(cert, NID_crl_distribution_points, "URI:", spec->crl_url);
    if (spec->name_constraints != NULL)
        add_value(cert, NID_name_constraints, spec->name_constraints);
}

static void add_raw(X509 *cert, const pki_raw_extension *raw)
{
    ASN1_OBJECT *object = OBJ_txt2obj(raw->oid, 0);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension;

    pki_need(object != NULL && value != NULL, raw->oid);
    pki_need(ASN1_OCTET_STRING_set(value, raw->der, (int)raw->der_len) == 1, raw->oid);
    extension = X509_EXTENSION_create_by_OBJ(NULL, object, raw->critical, value);
    pki_need(extension != NULL && X509_add_ext(cert, extension, -1) == 1, raw->oid);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static void toggle_critical(X509 *cert, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 0);
    X509_EXTENSION *extension;
    int position;

    pki_need(object != NULL, oid);
    position = X509_get_ext_by_OBJ(cert, object, -1);
    pki_need(position >= 0, "toggle_critical names an extension that is not there");
    extension = X509_get_ext(cert, position);
    pki_need(X509_EXTENSION_set_critical(extension, !X509_EXTENSION_get_critical(extension)) == 1,
             oid);
    ASN1_OBJECT_free(object);
}

void pki_add_extensions(X509 *cert, X509 *issuer, const pki_spec *spec)
{
    if (spec->version == 0 || spec->version == 3)
        add_standard(cert, issuer, spec);
    for (size_t i = 0; i < 8 && spec->raw[i].oid != NULL; i++)
        add_raw(cert, &spec->raw[i]);
    for (size_t i = 0; i < 4 && spec->toggle_critical[i] != NULL; i++)
        toggle_critical(cert, spec->toggle_critical[i]);
}
