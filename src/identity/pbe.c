/* pbe.c: how something is encrypted with a password (RFC 8018, RFC 7292), before it is tried. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

/* A number of rounds that no limit allows. */
#define TOO_MANY UINT64_MAX

static int algorithm_nid(const X509_ALGOR *algorithm)
{
    const ASN1_OBJECT *object = NULL;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    return object == NULL ? NID_undef : OBJ_obj2nid(object);
}

static void *parameters(const X509_ALGOR *algorithm, const ASN1_ITEM *item)
{
    if (algorithm->parameter == NULL || algorithm->parameter->type != V_ASN1_SEQUENCE)
        return NULL;
    return ASN1_TYPE_unpack_sequence(item, algorithm->parameter);
}

/* What a missing or negative number asks for is an error later on; it must not be cheap here. */
static uint64_t number(const ASN1_INTEGER *integer)
{
    uint64_t value = 0;

    if (integer == NULL || ASN1_INTEGER_get_uint64(&value, integer) != 1)
        return TOO_MANY;
    return value;
}

static uint64_t product(uint64_t a, uint64_t b)
{
    return a != 0 && b > TOO_MANY / a ? TOO_MANY : a * b;
}

static uint64_t scrypt_rounds(const X509_ALGOR *algorithm)
{
    uint64_t rounds = 0;
#ifndef OPENSSL_NO_SCRYPT
    SCRYPT_PARAMS *p = parameters(algorithm, ASN1_ITEM_rptr(SCRYPT_PARAMS));

    if (p == NULL)
        return 0;
    /* RFC 7914, 4: N times p mixes of 2 r blocks, each about as costly as a round of PBKDF2. */
    rounds = product(product(number(p->costParameter), number(p->parallelizationParameter)),
                     product(2, number(p->blockSize)));
    SCRYPT_PARAMS_free(p);
#else
    (void)algorithm;
#endif
    return rounds;
}

static uint64_t pbkdf2_rounds(const X509_ALGOR *algorithm)
{
    PBKDF2PARAM *p = parameters(algorithm, ASN1_ITEM_rptr(PBKDF2PARAM));

    if (p == NULL)
        return 0;
    uint64_t rounds = number(p->iter);
    PBKDF2PARAM_free(p);
    return rounds;
}

/* 0 if it is neither, or its parameters are damaged. */
static uint64_t derivation_rounds(const X509_ALGOR *function)
{
    int nid = algorithm_nid(function);

    if (nid == NID_id_pbkdf2)
        return pbkdf2_rounds(function);
    return nid == NID_id_scrypt ? scrypt_rounds(function) : 0;
}

uint64_t cinch_pbe_mac_rounds(const X509_ALGOR *algorithm)
{
    uint64_t rounds = 0;

    if (algorithm_nid(algorithm) != NID_pbmac1)
        return 0;
    /* PBMAC1-params has the shape of PBES2-params: a derivation function and one more algorithm. */
    PBE2PARAM *p = parameters(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
    if (p != NULL)
        rounds = derivation_rounds(p->keyfunc);
    PBE2PARAM_free(p);
    return rounds;
}

int cinch_pbe_has_cipher(const char *cipher)
{
    EVP_CIPHER *fetched = EVP_CIPHER_fetch(cinch_library_context(), cipher, NULL);
    int has = fetched != NULL || cinch_openssl_memory();

    EVP_CIPHER_free(fetched);
    ERR_clear_error();
    return has;
}

cinch_status cinch_pbe_cipher_missing(cinch_error *err, const char *cipher, const char *name)
{
    cinch_fail(err, CINCH_CAUSE_BAD_KEY,
               "%s is encrypted with %s, which OpenSSL no longer uses by default", name, cipher);
    cinch_fail_evidence(err, "%s is broken; OpenSSL 3 has it in its legacy provider only", cipher);
    cinch_fail_remedy(err, "encrypt the file anew: PKCS#12 with `openssl pkcs12 -legacy -in OLD "
                           "-nodes -out PLAIN.pem` and `openssl pkcs12 -export -in PLAIN.pem -out "
                           "NEW`, a key with `openssl pkey -provider legacy -provider default -in "
                           "OLD -aes256 -out NEW`");
    return CINCH_FAILED;
}

static cinch_status unknown(cinch_error *err, const X509_ALGOR *algorithm, const char *name)
{
    char oid[80] = "";
    const ASN1_OBJECT *object = NULL;

    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    if (object != NULL)
        OBJ_obj2txt(oid, sizeof oid, object, 0);
    cinch_fail(err, CINCH_CAUSE_BAD_KEY, "%s is encrypted in a way that is not known here", name);
    cinch_fail_evidence(err, "the algorithm is \"%s\", or its parameters are damaged", oid);
    cinch_fail_remedy(err,
                      "encrypt the key anew with `openssl pkcs8 -topk8`, or get the file again "
                      "from where it came");
    return CINCH_FAILED;
}

/* The cipher's name and the rounds; 0 if the algorithm or its parameters make no sense. */
static int look(const X509_ALGOR *algorithm, const char **cipher, const char **function,
                uint64_t *rounds)
{
    int nid = algorithm_nid(algorithm), cipher_nid = NID_undef;

    *rounds = 0;
    if (nid == NID_pbes2) {
        PBE2PARAM *p = parameters(algorithm, ASN1_ITEM_rptr(PBE2PARAM));

        if (p == NULL)
            return 0;
        cipher_nid = algorithm_nid(p->encryption);
        *function = OBJ_nid2ln(algorithm_nid(p->keyfunc));
        *rounds = derivation_rounds(p->keyfunc);
        PBE2PARAM_free(p);
    } else {
        PBEPARAM *p = parameters(algorithm, ASN1_ITEM_rptr(PBEPARAM));

        if (p == NULL || EVP_PBE_find(EVP_PBE_TYPE_OUTER, nid, &cipher_nid, NULL, NULL) != 1) {
            PBEPARAM_free(p);
            return 0;
        }
        /* PKCS#12 derives the key and the vector apart, with several blocks each (RFC 7292, B.2). */
        *rounds = product(3, number(p->iter));
        *function = OBJ_nid2ln(nid);
        PBEPARAM_free(p);
    }
    *cipher = OBJ_nid2sn(cipher_nid);
    return cipher_nid != NID_undef && *cipher != NULL && *rounds != 0;
}

cinch_status cinch_pbe_check(const X509_ALGOR *algorithm, const char *name,
                             cinch_password *password, char *text, size_t size, cinch_error *err)
{
    const char *cipher = NULL, *function = NULL;
    uint64_t rounds = 0;

    if (!look(algorithm, &cipher, &function, &rounds)) {
        if (cinch_openssl_memory())
            return cinch_fail_memory(err, "reading an encrypted key");
        ERR_clear_error();
        return unknown(err, algorithm, name);
    }
    if (!cinch_pbe_has_cipher(cipher))
        return cinch_pbe_cipher_missing(err, cipher, name);
    snprintf(text, size, "%s, %s with %llu rounds", cipher, function == NULL ? "" : function,
             (unsigned long long)rounds);
    return cinch_password_charge(password, rounds, name, err);
}
