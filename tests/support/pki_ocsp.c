#include "pki_ocsp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

static unsigned char *as_der(OCSP_RESPONSE *response, size_t *len)
{
    unsigned char *der = NULL;
    int size = i2d_OCSP_RESPONSE(response, &der);

    pki_need(size > 0, "OCSP response as DER");
    unsigned char *copy = malloc((size_t)size);
    pki_need(copy != NULL, "memory");
    memcpy(copy, der, (size_t)size);
    *len = (size_t)size;
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    return copy;
}

static void add_answer(OCSP_BASICRESP *basic, const pki_cert *cert, const pki_cert *issuer,
                       const pki_ocsp_spec *spec)
{
    const EVP_MD *md = EVP_get_digestbyname(spec->id_digest != NULL ? spec->id_digest : "sha1");
    ASN1_TIME *from = X509_gmtime_adj(NULL, spec->this_update != 0 ? spec->this_update : -3600);
    ASN1_TIME *until = X509_gmtime_adj(NULL, spec->next_update != 0 ? spec->next_update : 86400);
    ASN1_TIME *revoked = NULL;
    int status = V_OCSP_CERTSTATUS_GOOD;

    if (spec->status != NULL && strcmp(spec->status, "revoked") == 0) {
        status = V_OCSP_CERTSTATUS_REVOKED;
        revoked = X509_gmtime_adj(NULL, -7200);
    } else if (spec->status != NULL && strcmp(spec->status, "unknown") == 0) {
        status = V_OCSP_CERTSTATUS_UNKNOWN;
    }
    OCSP_CERTID *id = OCSP_cert_to_id(md, cert->cert, issuer->cert);
    pki_need(id != NULL && OCSP_basic_add1_status(basic, id, status, spec->reason, revoked, from,
                                                  spec->no_next_update ? NULL : until) != NULL,
             "OCSP answer");
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
}

static void add_critical(OCSP_BASICRESP *basic)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

    pki_need(value != NULL && ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05", 2) == 1,
             "extension");
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    pki_need(OCSP_BASICRESP_add_ext(basic, extension, -1) == 1, "extension");
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

unsigned char *pki_ocsp(const pki_cert *cert, const pki_cert *issuer, const pki_ocsp_spec *spec,
                        size_t *len)
{
    static const pki_ocsp_spec usual;
    const pki_ocsp_spec *wanted = spec != NULL ? spec : &usual;
    const pki_cert *signer = wanted->signer != NULL ? wanted->signer : issuer;
    unsigned long flags = (wanted->by_key ? OCSP_RESPID_KEY : 0) |
                          (wanted->without_signer || signer == issuer ? OCSP_NOCERTS : 0);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    STACK_OF(X509) *others = sk_X509_new_null();

    if (wanted->error != 0) {
        OCSP_BASICRESP_free(basic);
        sk_X509_free(others);
        return as_der(OCSP_response_create(wanted->error, NULL), len);
    }
    pki_need(basic != NULL && others != NULL, "OCSP response");
    for (size_t i = 0; i < 4 && wanted->others[i] != NULL; i++) {
        pki_need(sk_X509_push(others, wanted->others[i]->cert) > 0, "memory");
        flags &= ~(unsigned long)OCSP_NOCERTS;
    }
    add_answer(basic, wanted->about != NULL ? wanted->about : cert, issuer, wanted);
    if (wanted->critical)
        add_critical(basic);
    pki_need(OCSP_basic_sign(basic, signer->cert, signer->key,
                             pki_signing_digest(signer->key, wanted->digest), others, flags) == 1,
             "OCSP signature");
    if (wanted->corrupt_signature) {
        const ASN1_OCTET_STRING *signature = OCSP_resp_get0_signature(basic);

        /* The last byte belongs to the number, whatever the key. */
        ((unsigned char *)(uintptr_t)ASN1_STRING_get0_data(
            signature))[ASN1_STRING_length(signature) - 1] ^= 1;
    }
    sk_X509_free(others);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    pki_need(response != NULL, "OCSP response");
    OCSP_BASICRESP_free(basic);
    return as_der(response, len);
}
