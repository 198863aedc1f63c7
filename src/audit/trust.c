/* trust.c: the anchors that were named. What the system trusts is for the system to put in order. */
#include "audit/audit.h"

#include "base/certificate.h"
#include "base/openssl.h"
#include "base/x509_text.h"
#include "trust/trust.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define WEAK_BITS 112

/* Names an anchor so that it can be found. */
static void name(cinch_audit_work *work, cinch_audit_names *names, const X509 *anchor)
{
    char text[256];

    (void)cinch_x509_subject(anchor, text, sizeof text);
    /* A name that cannot be written, for want of memory. */
    work->failed |= text[0] == 0 && X509_NAME_entry_count(X509_get_subject_name(anchor)) > 0;
    cinch_audit_name(names, text);
}

static int is_ca(X509 *anchor)
{
    /* A certificate of version 1 cannot say so; a root that old is one. */
    return cinch_x509_is_ca(anchor) || X509_get_version(anchor) == 0;
}

/*
 * A certificate whose key could not be read when it was parsed may have come out of a moment without
 * memory, and libcrypto does not tell: it is read once more. A kind of key that this OpenSSL does not
 * have verifies nothing, and is no danger.
 */
static int has_weak_key(cinch_audit_work *work, const X509 *anchor)
{
    const EVP_PKEY *key = X509_get0_pubkey(anchor);
    X509 *again = NULL;

    if (key == NULL || EVP_PKEY_get_bits(key) <= 0) {
        again = X509_dup(anchor);
        work->failed |= again == NULL;
        key = again == NULL ? NULL : X509_get0_pubkey(again);
    }
    int weak =
        key != NULL && EVP_PKEY_get_bits(key) > 0 && EVP_PKEY_get_security_bits(key) < WEAK_BITS;
    X509_free(again);
    return weak;
}

static void look_at_anchors(cinch_audit_work *work, const STACK_OF(X509) * anchors)
{
    cinch_audit_names expired = {0}, weak = {0}, no_ca = {0};

    for (int i = 0; i < sk_X509_num(anchors); i++) {
        X509 *anchor = sk_X509_value(anchors, i);
        int64_t from, until;

        /*
         * What an anchor is signed with does not matter: nobody verifies it (RFC 5280, 6.1). Its key
         * does.
         */
        if (cinch_x509_times(anchor, &from, &until) && until < work->now)
            name(work, &expired, anchor);
        if (has_weak_key(work, anchor))
            name(work, &weak, anchor);
        if (!is_ca(anchor))
            name(work, &no_ca, anchor);
        /* What could not be read for want of memory is neither weak nor sound. */
        work->failed |= cinch_openssl_out_of_memory(ERR_peek_error());
    }
    if (expired.count > 0)
        cinch_audit_add_names(work, "anchor-expired", &expired);
    if (weak.count > 0)
        cinch_audit_add_names(work, "anchor-weak-key", &weak);
    if (no_ca.count > 0)
        cinch_audit_add_names(work, "anchor-not-ca", &no_ca);
}

cinch_status cinch_audit_trust(cinch_audit_work *work, cinch_error *err)
{
    cinch_trust *trust = work->settings->trust;

    if (trust == NULL)
        return CINCH_OK;
    if (cinch_trust_has_system(trust)) {
        if (work->settings->is_server && work->settings->client_auth != CINCH_CLIENT_AUTH_NONE)
            cinch_audit_add(work, "clients-by-system-trust", NULL);
        return CINCH_OK;
    }
    STACK_OF(X509) *anchors = cinch_trust_all(trust, err);
    if (anchors == NULL)
        return CINCH_FAILED;
    look_at_anchors(work, anchors);
    sk_X509_pop_free(anchors, X509_free);
    return CINCH_OK;
}
