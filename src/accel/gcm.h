/*
 * gcm.h: one AES-GCM cipher as libcrypto drives it: the state behind an EVP_CIPHER_CTX. It behaves as OpenSSL's
 * own in everything that a caller can see; libipsec-mb computes.
 */
#ifndef CINCH_ACCEL_GCM_H
#define CINCH_ACCEL_GCM_H

#include "accel/imb.h"

#include <openssl/core.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#define CINCH_GCM_IV 12
#define CINCH_GCM_LARGEST_IV 128
#define CINCH_GCM_TAG 16

typedef enum cinch_gcm_iv {
    CINCH_GCM_IV_NONE,
    CINCH_GCM_IV_SET,    /* for the next message */
    CINCH_GCM_IV_IN_USE, /* by the message that has begun */
    CINCH_GCM_IV_USED,   /* it must never be used again under this key */
} cinch_gcm_iv;

typedef struct cinch_gcm {
    alignas(64) struct gcm_key_data key;
    struct gcm_context_data state;
    void *memory; /* what was allocated; the structure is inside, where 64 divides the address */
    const cinch_imb *imb;
    size_t key_size;
    int has_key;
    int encrypts;

    cinch_gcm_iv iv_state;
    int iv_is_counted; /* its last 8 bytes count (SP 800-38D, 8.2.1) */
    size_t iv_size;
    unsigned char iv[CINCH_GCM_LARGEST_IV];

    /* The message that has begun. libipsec-mb wants all additional data at once, before the text. */
    unsigned char nonce[CINCH_GCM_LARGEST_IV];
    int has_text;
    uint64_t text_size;
    size_t aad_size;
    size_t aad_room; /* in AAD_MORE; 0 while AAD_FEW is enough */
    unsigned char *aad_more;
    unsigned char aad_few[32];

    size_t tag_size; /* 0: none yet */
    unsigned char tag[CINCH_GCM_TAG];

    /* TLS 1.2: the next call has one whole record. */
    int has_record;
    size_t record_pad;
    unsigned char record[13];
    uint64_t records;
} cinch_gcm;

/* gcm.c: for the provider's table, see provider-cipher(7). */
cinch_gcm *cinch_gcm_new(const cinch_imb *imb, size_t key_size);
void cinch_gcm_free(void *gcm);
void *cinch_gcm_dup(void *gcm);
int cinch_gcm_encrypt_init(void *gcm, const unsigned char *key, size_t key_size,
                           const unsigned char *iv, size_t iv_size, const OSSL_PARAM params[]);
int cinch_gcm_decrypt_init(void *gcm, const unsigned char *key, size_t key_size,
                           const unsigned char *iv, size_t iv_size, const OSSL_PARAM params[]);
int cinch_gcm_update(void *gcm, unsigned char *out, size_t *done, size_t room,
                     const unsigned char *in, size_t size);
int cinch_gcm_final(void *gcm, unsigned char *out, size_t *done, size_t room);
int cinch_gcm_cipher(void *gcm, unsigned char *out, size_t *done, size_t room,
                     const unsigned char *in, size_t size);

/* gcm_params.c */
int cinch_gcm_get_params(void *gcm, OSSL_PARAM params[]);
int cinch_gcm_set_params(void *gcm, const OSSL_PARAM params[]);
const OSSL_PARAM *cinch_gcm_gettable(void *gcm, void *provider);
const OSSL_PARAM *cinch_gcm_settable(void *gcm, void *provider);

/*
 * gcm_iv.c: cinch_gcm_begin starts a message with the IV that is set, making a random one where there is none.
 * The others are for a counted one: the fixed part, the next one to be sent, the one that was received. 1 or 0.
 */
int cinch_gcm_begin(cinch_gcm *gcm);
int cinch_gcm_make_iv(cinch_gcm *gcm);
int cinch_gcm_fix_iv(cinch_gcm *gcm, const unsigned char *fixed, size_t size);
int cinch_gcm_next_iv(cinch_gcm *gcm, unsigned char *out, size_t size);
int cinch_gcm_received_iv(cinch_gcm *gcm, const unsigned char *in, size_t size);

/* gcm_record.c: a record of TLS 1.2 (RFC 5288): its header as additional data, and then the record in one call. */
int cinch_gcm_expect_record(cinch_gcm *gcm, const unsigned char *header, size_t size);
int cinch_gcm_record(cinch_gcm *gcm, unsigned char *out, size_t *done, const unsigned char *in,
                     size_t size);

#endif
