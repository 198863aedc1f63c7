/*
 * Checking an OCSP response. OCSP_basic_verify() would build a chain of its own for the responder;
 * here there are two cases only, which can be seen at a glance: the issuer has signed it, or somebody
 * whom the issuer itself has certified for that (RFC 6960, 4.2.2.2).
 */
#include "revocation/ocsp.h"

#include "base/certificate.h"
#include "base/clock.h"
#include "base/openssl.h"
#include "base/x509_text.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <string.h>

#define CLOCK_TOLERANCE_S 300
#define MOST_CERTIFICATES 10
#define MOST_ANSWERS 100

typedef struct ocsp_look {
    OCSP_BASICRESP *basic;
    X509 *leaf;
    X509 *issuer;
    cinch_crls *crls;
    int64_t now;
    cinch_ocsp_finding *finding;
} ocsp_look;

static cinch_ocsp_verdict bad(ocsp_look *look, const char *why)
{
    if (cinch_openssl_out_of_memory(ERR_peek_error()) ||
        cinch_openssl_out_of_memory(ERR_peek_last_error()))
        return CINCH_OCSP_FAILED;
    snprintf(look->finding->why, sizeof look->finding->why, "%s", why);
    return CINCH_OCSP_BAD;
}

/* Whether the response says that X has signed it. */
static int is_named(const ocsp_look *look, const X509 *x)
{
    const ASN1_OCTET_STRING *hash = NULL;
    const X509_NAME *name = NULL;
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (OCSP_resp_get0_id(look->basic, &hash, &name) != 1)
        return 0;
    if (name != NULL)
        return X509_NAME_cmp(name, X509_get_subject_name(x)) == 0;
    /* RFC 6960, 4.2.1: always SHA-1; a name for a key, not a proof. */
    return X509_pubkey_digest(x, EVP_sha1(), print, &size) == 1 &&
           ASN1_STRING_length(hash) == (int)size &&
           memcmp(ASN1_STRING_get0_data(hash), print, size) == 0;
}

static int is_signed_by(const ocsp_look *look, X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(x);

    return key != NULL && ASN1_item_verify_ex(ASN1_ITEM_rptr(OCSP_RESPDATA),
                                              OCSP_resp_get0_tbs_sigalg(look->basic),
                                              OCSP_resp_get0_signature(look->basic),
                                              OCSP_resp_get0_respdata(look->basic), NULL, key,
                                              cinch_library_context(), NULL) == 1;
}

/* Whether the issuer has certified X for answering in its name, and X may do so now. */
static int is_delegate(const ocsp_look *look, X509 *x)
{
    EVP_PKEY *key = X509_get0_pubkey(look->issuer);
    uint32_t usage = X509_get_extended_key_usage(x);
    uint32_t flags = X509_get_extension_flags(x);
    int64_t not_before, not_after;

    /* Without the extension it says "anything"; that is not enough here. */
    if (usage == UINT32_MAX || (usage & XKU_OCSP_SIGN) == 0 ||
        (flags & (EXFLAG_INVALID | EXFLAG_CRITICAL)) != 0 ||
        (X509_get_key_usage(x) & X509v3_KU_DIGITAL_SIGNATURE) == 0)
        return 0;
    if (!cinch_x509_times(x, &not_before, &not_after) || look->now < not_before ||
        look->now > not_after)
        return 0;
    if (key == NULL || X509_check_issued(look->issuer, x) != X509_V_OK || X509_verify(x, key) != 1)
        return 0;
    cinch_crl_verdict verdict =
        look->crls == NULL ? CINCH_CRL_UNKNOWN
                           : cinch_crls_check(look->crls, x, look->issuer, look->now, NULL);
    return verdict == CINCH_CRL_UNKNOWN || verdict == CINCH_CRL_GOOD;
}

static int digest_is_weak(const ocsp_look *look)
{
    const ASN1_OBJECT *algorithm = NULL;
    int digest = NID_undef;

    X509_ALGOR_get0(&algorithm, NULL, NULL, OCSP_resp_get0_tbs_sigalg(look->basic));
    (void)OBJ_find_sigid_algs(OBJ_obj2nid(algorithm), &digest, NULL);
    return digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2;
}

static cinch_ocsp_verdict check_signature(ocsp_look *look)
{
    const STACK_OF(X509) *sent = OCSP_resp_get0_certs(look->basic);

    if (digest_is_weak(look))
        return bad(look, "is signed with a digest that is too weak");
    if (is_named(look, look->issuer) && is_signed_by(look, look->issuer))
        return CINCH_OCSP_GOOD;
    for (int i = 0; i < sk_X509_num(sent) && i < MOST_CERTIFICATES; i++) {
        X509 *x = sk_X509_value(sent, i);

        if (is_named(look, x) && is_delegate(look, x) && is_signed_by(look, x))
            return CINCH_OCSP_GOOD;
    }
    return bad(look,
               "is not signed by the certificate's issuer, nor by a responder that the issuer "
               "has certified for this");
}

/* 1 if the answer with ID is about our certificate, 0 if not, -1 if it could not be found out. */
static int is_about_us(const ocsp_look *look, const OCSP_CERTID *id)
{
    ASN1_OCTET_STRING *name_hash;
    ASN1_OBJECT *algorithm;
    ASN1_INTEGER *serial;
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    /* libcrypto only looks, and does not say so in the type. */
    union {
        const OCSP_CERTID *in;
        OCSP_CERTID *out;
    } pointer = {id};

    if (OCSP_id_get0_info(&name_hash, &algorithm, NULL, &serial, pointer.out) != 1)
        return -1;
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(look->leaf)) != 0)
        return 0;
    int kind = OBJ_obj2nid(algorithm);
    const EVP_MD *md = kind == NID_sha1 ? EVP_sha1() : kind == NID_sha256 ? EVP_sha256() : NULL;
    if (md == NULL)
        return 0;
    if (look->issuer != NULL) {
        OCSP_CERTID *ours = OCSP_cert_to_id(md, look->leaf, look->issuer);
        int same = ours == NULL ? -1 : OCSP_id_cmp(ours, id) == 0;

        OCSP_CERTID_free(ours);
        return same;
    }
    if (X509_NAME_digest(X509_get_issuer_name(look->leaf), md, print, &size) != 1)
        return -1;
    return ASN1_STRING_length(name_hash) == (int)size &&
           memcmp(ASN1_STRING_get0_data(name_hash), print, size) == 0;
}

static cinch_ocsp_verdict check_times(ocsp_look *look, const ASN1_GENERALIZEDTIME *from,
                                      const ASN1_GENERALIZEDTIME *until)
{
    cinch_ocsp_finding *finding = look->finding;
    char text[32], why[128];

    if (from == NULL || !cinch_asn1_seconds(from, &finding->this_update))
        return bad(look, "has a thisUpdate that cannot be read");
    if (until == NULL)
        return bad(look, "does not say until when it holds (nextUpdate)");
    if (!cinch_asn1_seconds(until, &finding->next_update))
        return bad(look, "has a nextUpdate that cannot be read");
    if (finding->this_update > look->now + CLOCK_TOLERANCE_S) {
        snprintf(why, sizeof why, "is from the future: it begins on %s",
                 cinch_clock_text(finding->this_update, text));
        return bad(look, why);
    }
    if (finding->next_update < look->now - CLOCK_TOLERANCE_S) {
        snprintf(why, sizeof why, "ran out on %s", cinch_clock_text(finding->next_update, text));
        return bad(look, why);
    }
    return CINCH_OCSP_GOOD;
}

/* One answer that is about our certificate. */
static cinch_ocsp_verdict check_answer(ocsp_look *look, OCSP_SINGLERESP *answer)
{
    ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *until = NULL;
    int reason = -1;
    int status = OCSP_single_get0_status(answer, &reason, &revoked, &from, &until);

    /* Also one that is out of time: what is revoked stays so. */
    if (status == V_OCSP_CERTSTATUS_REVOKED) {
        look->finding->reason = reason;
        if (revoked == NULL || !cinch_asn1_seconds(revoked, &look->finding->revoked_at))
            look->finding->revoked_at = 0;
        (void)check_times(look, from, until);
        return CINCH_OCSP_REVOKED;
    }
    if (status != V_OCSP_CERTSTATUS_GOOD)
        return bad(look, "says that its responder does not know the certificate");
    if (OCSP_SINGLERESP_get_ext_by_critical(answer, 1, -1) >= 0)
        return bad(look, "has a critical extension that is not understood");
    return check_times(look, from, until);
}

static cinch_ocsp_verdict check_answers(ocsp_look *look)
{
    int count = OCSP_resp_count(look->basic), found = 0;
    cinch_ocsp_verdict verdict = CINCH_OCSP_BAD, best = CINCH_OCSP_BAD;

    if (OCSP_BASICRESP_get_ext_by_critical(look->basic, 1, -1) >= 0)
        return bad(look, "has a critical extension that is not understood");
    if (count > MOST_ANSWERS)
        return bad(look, "has too many answers in it");
    for (int i = 0; i < count; i++) {
        OCSP_SINGLERESP *answer = OCSP_resp_get0(look->basic, i);
        int is_ours = is_about_us(look, OCSP_SINGLERESP_get0_id(answer));

        if (is_ours < 0)
            return CINCH_OCSP_FAILED;
        if (!is_ours)
            continue;
        found = 1;
        verdict = check_answer(look, answer);
        if (verdict == CINCH_OCSP_REVOKED || verdict == CINCH_OCSP_FAILED)
            return verdict;
        if (verdict == CINCH_OCSP_GOOD)
            best = verdict;
    }
    if (!found)
        return bad(look, "is about another certificate");
    return best;
}

static cinch_ocsp_verdict check_basic(ocsp_look *look)
{
    cinch_ocsp_verdict verdict = look->issuer == NULL ? CINCH_OCSP_GOOD : check_signature(look);

    if (verdict != CINCH_OCSP_GOOD)
        return verdict;
    ERR_clear_error();
    return check_answers(look);
}

/* The response of SIZE bytes at DER into look->basic, which is the caller's to free. */
static cinch_ocsp_verdict open_response(ocsp_look *look, const unsigned char *der, size_t size)
{
    const unsigned char *at = der;
    OCSP_RESPONSE *response = NULL;
    cinch_ocsp_verdict verdict = CINCH_OCSP_GOOD;

    if (size > 0 && size <= CINCH_OCSP_LARGEST)
        response = d2i_OCSP_RESPONSE(NULL, &at, (long)size);
    if (response == NULL || at != der + size) {
        verdict = bad(look, "cannot be read: it is damaged, cut short, or something else");
        goto out;
    }
    int status = OCSP_response_status(response);
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        char why[128];

        snprintf(why, sizeof why, "is no answer but an error of the responder: %s",
                 OCSP_response_status_str(status));
        verdict = bad(look, why);
        goto out;
    }
    look->basic = OCSP_response_get1_basic(response);
    if (look->basic == NULL)
        verdict = bad(look, "is of a kind that is not understood");
out:
    OCSP_RESPONSE_free(response);
    return verdict;
}

static void begin(cinch_ocsp_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    finding->reason = -1;
    ERR_clear_error();
}

cinch_ocsp_verdict cinch_ocsp_check(const unsigned char *der, size_t size, X509 *leaf, X509 *issuer,
                                    cinch_crls *crls, int64_t now, cinch_ocsp_finding *finding)
{
    ocsp_look look = {.leaf = leaf, .issuer = issuer, .crls = crls, .now = now, .finding = finding};

    begin(finding);
    if (leaf == NULL || now <= 0)
        return CINCH_OCSP_FAILED;
    cinch_ocsp_verdict verdict = open_response(&look, der, size);
    if (verdict == CINCH_OCSP_GOOD)
        verdict = check_basic(&look);
    OCSP_BASICRESP_free(look.basic);
    ERR_clear_error();
    return verdict;
}

/* 1, 0, or -1 if it could not be found out. */
static int is_about(ocsp_look *look, const cinch_shown *shown)
{
    int count = OCSP_resp_count(look->basic), result = 0;

    look->leaf = shown->leaf;
    look->issuer = shown->issuer;
    for (int i = 0; i < count && i < MOST_ANSWERS && result == 0; i++)
        result = is_about_us(look, OCSP_SINGLERESP_get0_id(OCSP_resp_get0(look->basic, i)));
    return result;
}

cinch_ocsp_verdict cinch_ocsp_find(const unsigned char *der, size_t size,
                                   const cinch_shown_list *shown, const cinch_shown **found,
                                   cinch_ocsp_finding *finding)
{
    ocsp_look look = {.finding = finding};

    begin(finding);
    *found = NULL;
    cinch_ocsp_verdict verdict = open_response(&look, der, size);
    for (size_t i = 0; verdict == CINCH_OCSP_GOOD && *found == NULL && i < shown->count; i++) {
        int result = is_about(&look, &shown->list[i]);

        if (result < 0)
            verdict = CINCH_OCSP_FAILED;
        else if (result == 1)
            *found = &shown->list[i];
    }
    if (verdict == CINCH_OCSP_GOOD && *found == NULL)
        verdict = bad(&look, shown->count == 1
                                 ? "is about another certificate"
                                 : "is about none of the certificates that this server has");
    OCSP_BASICRESP_free(look.basic);
    ERR_clear_error();
    return verdict;
}
