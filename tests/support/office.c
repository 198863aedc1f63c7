#include "office.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

int office_sign(const pki_cert *cert, const cinch_signing *what, unsigned char *signature,
                size_t *size)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    const char *digest = what->digest_name[0] == 0 ? NULL : what->digest_name;
    int pss = strstr(what->scheme_name, "pss") != NULL;
    int ok = EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, cert->key, NULL) == 1 &&
             (!pss || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
             EVP_DigestSign(ctx, signature, size, what->message, what->message_size) == 1;

    EVP_MD_CTX_free(ctx);
    return ok;
}

cinch_status office_answer(const pki_cert *cert, office_work work, int lie)
{
    unsigned char signature[1024];
    size_t size = sizeof signature;

    if (!office_sign(cert, work.what, signature, &size)) {
        cinch_signature_refuse(work.request, "the test could not sign");
        return CINCH_FAILED;
    }
    if (lie)
        signature[size / 2] ^= 1;
    return cinch_signature_answer(work.request, signature, size, NULL);
}

static void ask(const cinch_signing *what, cinch_signature_request *request, void *arg)
{
    office *o = arg;
    office_work work = {request, what};

    o->calls++;
    if (o->mood == OFFICE_REFUSES)
        cinch_signature_refuse(request, "the office is\033 closed");
    else if (o->mood == OFFICE_AT_ONCE || o->mood == OFFICE_LIES)
        (void)office_answer(o->cert, work, o->mood == OFFICE_LIES);
    else if (o->waiting == OFFICE_WORK)
        abort();
    else
        o->work[o->waiting++] = work;
}

cinch_identity *office_identity(office *o, cinch_error *err)
{
    char *made = o->pem == NULL ? pki_pem_cert(o->cert) : NULL;
    const char *pem = o->pem == NULL ? made : o->pem;
    cinch_identity *identity = cinch_identity_signer_async(pem, strlen(pem), ask, o, err);

    free(made);
    return identity;
}

void office_use(office *o, cinch_context *ctx)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = office_identity(o, &err);

    (void)cinch_context_identity(ctx, identity, &err);
    cinch_identity_free(identity);
    if (cinch_error_report(&err, stderr) != 0)
        abort();
}

office_work office_take(office *o)
{
    if (o->waiting == 0)
        abort();
    office_work work = o->work[0];
    memmove(o->work, o->work + 1, --o->waiting * sizeof o->work[0]);
    return work;
}
