/*
 * signer_sign.c: a signature of somebody else. libssl asks for it as for any other; who has the key
 * is asked to make it, and what comes back is checked before libssl sees it.
 */
#include "identity/signer.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <string.h>

/*
 * Looked at once in each signature, before it may pause: a compiler may go on using the address that
 * this has on one thread.
 */
static _Thread_local cinch_signer_turn *thread_turn;

cinch_signer_turn *cinch_signer_enter(cinch_signer_turn *turn)
{
    cinch_signer_turn *before = thread_turn;

    thread_turn = turn;
    return before;
}

/* Where a failure is explained now. */
static cinch_error *report_of(const cinch_signer_turn *turn)
{
    return turn == NULL ? NULL : turn->report;
}

/* What TLS calls the ways to sign (RFC 8446, 4.2.3). The old digests are not among them. */
typedef struct scheme {
    int number;
    const char *name;
    const char *type;
    const char *digest; /* NULL: none */
    int pss;
} scheme;

static const scheme schemes[] = {
    {0x0401, "rsa_pkcs1_sha256", "RSA", "SHA256", 0},
    {0x0501, "rsa_pkcs1_sha384", "RSA", "SHA384", 0},
    {0x0601, "rsa_pkcs1_sha512", "RSA", "SHA512", 0},
    {0x0804, "rsa_pss_rsae_sha256", "RSA", "SHA256", 1},
    {0x0805, "rsa_pss_rsae_sha384", "RSA", "SHA384", 1},
    {0x0806, "rsa_pss_rsae_sha512", "RSA", "SHA512", 1},
    {0x0403, "ecdsa_secp256r1_sha256", "EC", "SHA256", 0},
    {0x0503, "ecdsa_secp384r1_sha384", "EC", "SHA384", 0},
    {0x0603, "ecdsa_secp521r1_sha512", "EC", "SHA512", 0},
    {0x0807, "ed25519", "ED25519", NULL, 0},
    {0x0808, "ed448", "ED448", NULL, 0},
};

/* One signature in the making. */
typedef struct signature {
    const cinch_signer_key *key; /* libcrypto keeps it alive */
    EVP_MD *md;                  /* NULL: none */
    EVP_MD *mgf1;                /* NULL: as md */
    int padding;
    int salt;
} signature;

static void *new_signature(void *provctx, const char *properties)
{
    (void)provctx;
    (void)properties;
    return cinch_alloc(sizeof(signature));
}

static void free_signature(void *arg)
{
    signature *s = arg;

    if (s == NULL)
        return;
    EVP_MD_free(s->md);
    EVP_MD_free(s->mgf1);
    cinch_release(s);
}

/* ---- what libssl sets ---- */

typedef struct word {
    const char *name;
    int value;
} word;

/* A parameter may be a number or one of WORDS. 1 or 0. */
static int number_of(const OSSL_PARAM *param, const word *words, size_t count, int *value)
{
    const char *text = NULL;

    if (param->data_type != OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_int(param, value);
    if (OSSL_PARAM_get_utf8_string_ptr(param, &text) != 1 || text == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i].name) == 0) {
            *value = words[i].value;
            return 1;
        }
    return 0;
}

static int set_params(void *arg, const OSSL_PARAM params[])
{
    static const word paddings[] = {
        {OSSL_PKEY_RSA_PAD_MODE_PKCSV15, RSA_PKCS1_PADDING},
        {OSSL_PKEY_RSA_PAD_MODE_PSS, RSA_PKCS1_PSS_PADDING},
    };
    static const word salts[] = {
        {OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST, RSA_PSS_SALTLEN_DIGEST},
    };
    signature *s = arg;
    const OSSL_PARAM *param;

    if (params == NULL)
        return 1;
    param = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
    if (param != NULL && (!number_of(param, paddings, 2, &s->padding) ||
                          (s->padding != RSA_PKCS1_PADDING && s->padding != RSA_PKCS1_PSS_PADDING)))
        return 0;
    param = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
    if (param != NULL && !number_of(param, salts, 1, &s->salt))
        return 0;
    param = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
    if (param != NULL) {
        const char *name = NULL;

        EVP_MD_free(s->mgf1);
        s->mgf1 = NULL;
        if (OSSL_PARAM_get_utf8_string_ptr(param, &name) != 1 ||
            (s->mgf1 = EVP_MD_fetch(cinch_library_context(), name, NULL)) == NULL)
            return 0;
    }
    return 1;
}

static const OSSL_PARAM *settable(void *arg, void *provctx)
{
    static const OSSL_PARAM table[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
        OSSL_PARAM_END,
    };

    (void)arg;
    (void)provctx;
    return table;
}

static int begin(void *arg, const char *digest, void *keydata, const OSSL_PARAM params[])
{
    signature *s = arg;

    if (keydata != NULL)
        s->key = keydata;
    if (s->key == NULL || !cinch_signer_signs(&s->key->signer))
        return 0;
    s->padding = RSA_PKCS1_PADDING;
    s->salt = RSA_PSS_SALTLEN_DIGEST;
    EVP_MD_free(s->md);
    s->md = NULL;
    int plain = strncmp(s->key->type, "ED", 2) == 0;
    if (!plain) {
        const char *name = digest == NULL || digest[0] == 0 ? "SHA256" : digest;

        s->md = EVP_MD_fetch(cinch_library_context(), name, NULL);
        if (s->md == NULL)
            return 0;
    }
    return set_params(s, params);
}

/* ---- signing ---- */

static const scheme *scheme_of(const signature *s)
{
    int pss = s->padding == RSA_PKCS1_PSS_PADDING;

    if (pss && ((s->salt != RSA_PSS_SALTLEN_DIGEST && s->salt != EVP_MD_get_size(s->md)) ||
                (s->mgf1 != NULL && !EVP_MD_is_a(s->mgf1, EVP_MD_get0_name(s->md)))))
        return NULL;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const scheme *one = schemes + i;

        if (strcmp(one->type, s->key->type) == 0 && one->pss == pss &&
            (one->digest == NULL || EVP_MD_is_a(s->md, one->digest)))
            return one;
    }
    return NULL;
}

/* RESULT is 1 or 0; -1 if it could not be found out. */
static int is_right(const signature *s, const unsigned char *bytes, size_t size,
                    const cinch_signing *what)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    const char *digest = s->md == NULL ? NULL : EVP_MD_get0_name(s->md);
    int result = -1;

    if (ctx != NULL &&
        EVP_DigestVerifyInit_ex(ctx, &pctx, digest, cinch_library_context(), NULL,
                                s->key->signer.public_key, NULL) == 1 &&
        (s->padding != RSA_PKCS1_PSS_PADDING ||
         (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)))
        result = EVP_DigestVerify(ctx, bytes, size, what->message, what->message_size) == 1;
    if (result == 0 && cinch_openssl_out_of_memory(ERR_peek_last_error()))
        result = -1;
    EVP_MD_CTX_free(ctx);
    return result;
}

static int failed(cinch_status status, const char *reason, const cinch_signing *what,
                  cinch_error *report)
{
    (void)cinch_fail(report, CINCH_CAUSE_SIGNER, "the signer of our certificate failed%s%s",
                     reason[0] != 0 ? ": " : "", reason);
    cinch_fail_evidence(report, "it was asked for a signature %s and answered %s",
                        what->scheme_name, cinch_status_name(status));
    return 0;
}

static int wrong(const char *problem, size_t size, const cinch_signing *what, cinch_error *report)
{
    (void)cinch_fail(report, CINCH_CAUSE_SIGNER, "the signer gave a signature that %s", problem);
    cinch_fail_evidence(report, "it was asked for %s and gave %zu bytes; nothing of them was sent",
                        what->scheme_name, size);
    return 0;
}

static cinch_status ask_now(const cinch_signer *signer, cinch_signer_turn *turn,
                            const cinch_signing *what, unsigned char *bytes, size_t *size,
                            char *reason, size_t reason_size)
{
    /* What it does with OpenSSL and Cinch is its own affair. */
    ERR_set_mark();
    cinch_status status = signer->callback(what, bytes, size, reason, reason_size, signer->arg);
    ERR_pop_to_mark();
    (void)cinch_signer_enter(turn);
    return status;
}

/* The signer's turn. *SIZE is the room in BYTES, and then how much of it is used. */
static int ask(const signature *s, cinch_signer_turn *turn, const cinch_signing *what,
               unsigned char *bytes, size_t *size)
{
    const cinch_signer *signer = &s->key->signer;
    char reason[CINCH_ERROR_DETAIL] = "";
    size_t room = *size;
    cinch_status status = (signer->later != NULL ? cinch_signer_ask_later : ask_now)(
        signer, turn, what, bytes, size, reason, sizeof reason);
    cinch_error *report = report_of(turn);

    reason[sizeof reason - 1] = 0;
    if (status != CINCH_OK)
        return failed(status, reason, what, report);
    if (*size == 0 || *size > room)
        return wrong(*size == 0 ? "is empty" : "is larger than it can be", *size, what, report);
    ERR_set_mark();
    int right = is_right(s, bytes, *size, what);
    if (right == 1) {
        ERR_pop_to_mark();
        return 1;
    }
    ERR_clear_last_mark();
    if (right == 0)
        return wrong("does not verify", *size, what, report);
    (void)cinch_fail_memory(report, "checking a signature");
    return 0;
}

static int sign(void *arg, unsigned char *bytes, size_t *size, size_t room,
                const unsigned char *message, size_t message_size)
{
    const signature *s = arg;
    cinch_signer_turn *turn = thread_turn;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_size = 0;
    int largest = s->key == NULL ? 0 : EVP_PKEY_get_size(s->key->signer.public_key);

    if (largest <= 0)
        return 0;
    if (bytes == NULL) {
        *size = (size_t)largest;
        return 1;
    }
    const scheme *one = scheme_of(s);
    if (room < (size_t)largest || one == NULL) {
        (void)cinch_fail(report_of(turn), CINCH_CAUSE_INTERNAL,
                         "OpenSSL asks for a signature of an unknown kind");
        return 0;
    }
    cinch_signing what = {.scheme = one->number,
                          .scheme_name = one->name,
                          .digest_name = s->md == NULL ? "" : EVP_MD_get0_name(s->md),
                          .message = message,
                          .message_size = message_size};
    if (s->md != NULL) {
        if (EVP_Digest(message, message_size, digest, &digest_size, s->md, NULL) != 1)
            return 0;
        what.digest = digest;
        what.digest_size = digest_size;
    }
    size_t used = (size_t)largest;
    if (!ask(s, turn, &what, bytes, &used)) {
        /* A wrong signature stays here. */
        OPENSSL_cleanse(bytes, (size_t)largest);
        return 0;
    }
    *size = used;
    return 1;
}

#define FUNCTION(id, function)                                                                     \
    {                                                                                              \
        id, (void (*)(void))(function)                                                             \
    }

const OSSL_DISPATCH cinch_signer_functions[] = {
    FUNCTION(OSSL_FUNC_SIGNATURE_NEWCTX, new_signature),
    FUNCTION(OSSL_FUNC_SIGNATURE_FREECTX, free_signature),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, begin),
    FUNCTION(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
    FUNCTION(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_params),
    FUNCTION(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, settable),
    {0, NULL},
};
