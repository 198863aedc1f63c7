/* gcm_iv.c: where IVs come from. The same one twice under one key gives away both texts and the key of the tag. */
#include "accel/gcm.h"

#include "base/openssl.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define COUNTER EVP_GCM_TLS_EXPLICIT_IV_LEN

static int make_random(cinch_gcm *gcm, size_t from)
{
    return RAND_bytes_ex(cinch_library_context(), gcm->iv + from, gcm->iv_size - from, 0) > 0;
}

int cinch_gcm_make_iv(cinch_gcm *gcm)
{
    /* 96 random bits at least (SP 800-38D, 8.2.2). */
    if (!gcm->encrypts || gcm->has_record || gcm->iv_size < CINCH_GCM_IV || !make_random(gcm, 0))
        return 0;
    gcm->iv_state = CINCH_GCM_IV_SET;
    return 1;
}

int cinch_gcm_begin(cinch_gcm *gcm)
{
    if (!gcm->has_key || gcm->iv_state == CINCH_GCM_IV_USED)
        return 0;
    if (gcm->iv_state == CINCH_GCM_IV_IN_USE)
        return 1;
    if (gcm->iv_state == CINCH_GCM_IV_NONE && !cinch_gcm_make_iv(gcm))
        return 0;
    /* A copy: a counted one goes on to the next already. */
    memcpy(gcm->nonce, gcm->iv, gcm->iv_size);
    gcm->has_text = 0;
    gcm->text_size = 0;
    gcm->aad_size = 0;
    gcm->iv_state = CINCH_GCM_IV_IN_USE;
    return 1;
}

int cinch_gcm_fix_iv(cinch_gcm *gcm, const unsigned char *fixed, size_t size)
{
    if (size == (size_t)-1) {
        /* OpenSSL's way to say: all of it, as it was when it was asked for. */
        memcpy(gcm->iv, fixed, gcm->iv_size);
    } else {
        if (size < EVP_GCM_TLS_FIXED_IV_LEN || size > gcm->iv_size || gcm->iv_size - size < COUNTER)
            return 0;
        memcpy(gcm->iv, fixed, size);
        if (gcm->encrypts && !make_random(gcm, size))
            return 0;
    }
    gcm->iv_is_counted = 1;
    gcm->iv_state = CINCH_GCM_IV_SET;
    return 1;
}

int cinch_gcm_next_iv(cinch_gcm *gcm, unsigned char *out, size_t size)
{
    if (!gcm->iv_is_counted || !gcm->has_key || gcm->iv_size < COUNTER)
        return 0;
    gcm->iv_state = CINCH_GCM_IV_SET;
    if (!cinch_gcm_begin(gcm))
        return 0;
    if (size == 0 || size > gcm->iv_size)
        size = gcm->iv_size;
    memcpy(out, gcm->iv + gcm->iv_size - size, size);
    /* Eight bytes do not come round in the life of a key. */
    for (size_t at = gcm->iv_size; at > gcm->iv_size - COUNTER; at--)
        if (++gcm->iv[at - 1] != 0)
            break;
    return 1;
}

int cinch_gcm_received_iv(cinch_gcm *gcm, const unsigned char *in, size_t size)
{
    if (!gcm->iv_is_counted || !gcm->has_key || gcm->encrypts || size > gcm->iv_size)
        return 0;
    memcpy(gcm->iv + gcm->iv_size - size, in, size);
    gcm->iv_state = CINCH_GCM_IV_SET;
    return cinch_gcm_begin(gcm);
}
