/* Revocation lists, PEM or DER: what can be read is asked about certificates. */
#include "revocation/lists.h"

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

/* An issuer whose name is LIST's and whose key is another: nothing may count. */
static void ask(cinch_crls *set, const cinch_crl *list)
{
    static EVP_PKEY *key;
    X509 *x = X509_new();
    const STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(list->crl);
    cinch_crl_finding finding;

    if (key == NULL)
        key = EVP_EC_gen("P-256");
    must(x != NULL && key != NULL && X509_set_pubkey(x, key) == 1);
    must(X509_set_subject_name(x, X509_CRL_get_issuer(list->crl)) == 1);
    must(X509_set_issuer_name(x, X509_CRL_get_issuer(list->crl)) == 1);
    if (sk_X509_REVOKED_num(entries) > 0)
        must(X509_set_serialNumber(x, (ASN1_INTEGER *)(uintptr_t)X509_REVOKED_get0_serialNumber(
                                          sk_X509_REVOKED_value(entries, 0))) == 1);
    /* Parsed anew, so that what OpenSSL keeps of it is made as for one from the wire. */
    X509_sign(x, key, EVP_sha256());
    cinch_crl_verdict verdict = cinch_crls_check(set, x, x, 1800000000, &finding);
    must(verdict == CINCH_CRL_UNKNOWN || verdict == CINCH_CRL_FAILED);
    X509_free(x);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;
    char text[128];

    /* The size of a buffer of libFuzzer's may be 0 and its address NULL. */
    if (size == 0)
        return 0;
    cinch_crls *set = cinch_crls_with_bytes(NULL, data, size, &err);
    must((set == NULL) == (err.status != CINCH_OK));
    must(ERR_peek_error() == 0);
    if (set == NULL)
        return 0;
    const cinch_crl_lists *lists = set->sources[0].files[0].lists;
    must(lists->count > 0);
    for (size_t i = 0; i < lists->count && i < 4; i++)
        ask(set, &lists->items[i]);
    (void)cinch_crls_describe(set, text, sizeof text);
    cinch_crls_unref(set);
    return 0;
}
