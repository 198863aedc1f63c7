/* gcm_record.c: whole records of TLS 1.2: explicit nonce, text, tag (RFC 5288, 3), in place. */
#include "accel/gcm.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/proverr.h>
#include <string.h>

#define NONCE EVP_GCM_TLS_EXPLICIT_IV_LEN

int cinch_gcm_expect_record(cinch_gcm *gcm, const unsigned char *header, size_t size)
{
    if (size != sizeof gcm->record)
        return 0;
    memcpy(gcm->record, header, size);
    /* The additional data has the size of the text; libssl wrote that of what is in the record. */
    size_t length = (size_t)header[11] << 8 | header[12];
    size_t around = NONCE + (gcm->encrypts ? 0 : CINCH_GCM_TAG);
    if (length < around)
        return 0;
    length -= around;
    gcm->record[11] = (unsigned char)(length >> 8);
    gcm->record[12] = (unsigned char)length;
    gcm->has_record = 1;
    gcm->record_pad = CINCH_GCM_TAG;
    return 1;
}

static int seal(cinch_gcm *gcm, unsigned char *bytes, size_t size)
{
    unsigned char *text = bytes + NONCE;

    /* One message less than there are nonces. */
    if (++gcm->records == 0) {
        ERR_raise(ERR_LIB_PROV, PROV_R_TOO_MANY_RECORDS);
        return 0;
    }
    if (!cinch_gcm_next_iv(gcm, bytes, NONCE))
        return 0;
    gcm->imb->seal(&gcm->key, &gcm->state, text, text, size, gcm->nonce, gcm->record,
                   sizeof gcm->record, text + size, CINCH_GCM_TAG);
    return 1;
}

static int unseal(cinch_gcm *gcm, unsigned char *bytes, size_t size)
{
    unsigned char *text = bytes + NONCE;
    unsigned char tag[CINCH_GCM_TAG];

    if (!cinch_gcm_received_iv(gcm, bytes, NONCE))
        return 0;
    gcm->imb->open(&gcm->key, &gcm->state, text, text, size, gcm->nonce, gcm->record,
                   sizeof gcm->record, tag, sizeof tag);
    int right = CRYPTO_memcmp(tag, text + size, sizeof tag) == 0;
    /* Nobody may see what was not authentic, and nobody the tag that it should have had. */
    if (!right)
        OPENSSL_cleanse(text, size);
    OPENSSL_cleanse(tag, sizeof tag);
    return right;
}

int cinch_gcm_record(cinch_gcm *gcm, unsigned char *out, size_t *done, const unsigned char *in,
                     size_t size)
{
    int ok = 0;

    *done = 0;
    if (gcm->has_key && out != NULL && out == in && size >= NONCE + CINCH_GCM_TAG &&
        gcm->iv_size == CINCH_GCM_IV) {
        size_t text = size - NONCE - CINCH_GCM_TAG;

        ok = gcm->encrypts ? seal(gcm, out, text) : unseal(gcm, out, text);
        if (ok)
            *done = gcm->encrypts ? size : text;
    }
    gcm->iv_state = CINCH_GCM_IV_USED;
    gcm->has_record = 0;
    return ok;
}
