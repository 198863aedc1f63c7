/*
 * OCSP responses, as a server may staple them. The certificate and its issuer are fixed (the ones that
 * the corpus was made for are gone, with their keys), so nothing that arrives here is good.
 */
#include "revocation/ocsp.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static X509 *leaf, *issuer;

static X509 *make(const char *name, EVP_PKEY *key, EVP_PKEY *signer)
{
    X509 *x = X509_new();
    X509_NAME *subject = X509_NAME_new(), *by = X509_NAME_new();

    must(x != NULL && subject != NULL && by != NULL);
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0) == 1);
    must(X509_NAME_add_entry_by_txt(by, "CN", MBSTRING_ASC, (const unsigned char *)"Issuer", -1, -1,
                                    0) == 1);
    must(X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 7) == 1);
    must(X509_set_subject_name(x, subject) == 1 && X509_set_issuer_name(x, by) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(x), -60) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(x), 86400) != NULL);
    must(X509_set_pubkey(x, key) == 1 && X509_sign(x, signer, EVP_sha256()) > 0);
    X509_NAME_free(subject);
    X509_NAME_free(by);
    return x;
}

static void make_both(void)
{
    EVP_PKEY *upper = EVP_EC_gen("P-256"), *lower = EVP_EC_gen("P-256");

    must(upper != NULL && lower != NULL);
    issuer = make("Issuer", upper, upper);
    leaf = make("localhost", lower, upper);
    EVP_PKEY_free(upper);
    EVP_PKEY_free(lower);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_ocsp_finding finding;

    if (size == 0)
        return 0;
    if (leaf == NULL)
        make_both();
    cinch_ocsp_verdict verdict =
        cinch_ocsp_check(data, size, leaf, issuer, NULL, 1800000000, &finding);
    must(verdict == CINCH_OCSP_BAD || verdict == CINCH_OCSP_FAILED);
    must(ERR_peek_error() == 0);
    /* Without a look at the signature, so that what is behind it is reached. */
    (void)cinch_ocsp_check(data, size, leaf, NULL, NULL, 1800000000, &finding);
    must(ERR_peek_error() == 0);
    return 0;
}
