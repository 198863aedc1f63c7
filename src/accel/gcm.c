/* gcm.c: AES-GCM (SP 800-38D) over libipsec-mb, in pieces of any size. */
#include "accel/gcm.h"

#include "base/memory.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/proverr.h>
#include <string.h>

#define ALIGNMENT 64
/* The counter has 32 bits, and its first two values are not for text. */
#define LARGEST_TEXT (((uint64_t)1 << 36) - 32)

static cinch_gcm *allocate(void)
{
    unsigned char *memory = cinch_alloc(sizeof(cinch_gcm) + ALIGNMENT - 1);

    if (memory == NULL)
        return NULL;
    size_t beyond = (uintptr_t)memory % ALIGNMENT;
    cinch_gcm *gcm = (cinch_gcm *)(void *)(memory + (beyond == 0 ? 0 : ALIGNMENT - beyond));
    gcm->memory = memory;
    return gcm;
}

cinch_gcm *cinch_gcm_new(const cinch_imb *imb, size_t key_size)
{
    cinch_gcm *gcm = allocate();

    if (gcm == NULL)
        return NULL;
    gcm->imb = imb;
    gcm->key_size = key_size;
    gcm->iv_size = CINCH_GCM_IV;
    return gcm;
}

void cinch_gcm_free(void *context)
{
    cinch_gcm *gcm = context;

    if (gcm == NULL)
        return;
    void *memory = gcm->memory;
    cinch_release(gcm->aad_more);
    OPENSSL_cleanse(gcm, sizeof *gcm);
    cinch_release(memory);
}

void *cinch_gcm_dup(void *context)
{
    const cinch_gcm *gcm = context;
    cinch_gcm *copy = allocate();

    if (copy == NULL)
        return NULL;
    void *memory = copy->memory;
    *copy = *gcm;
    copy->memory = memory;
    if (gcm->aad_more != NULL) {
        copy->aad_more = cinch_alloc(gcm->aad_room);
        if (copy->aad_more == NULL) {
            cinch_gcm_free(copy);
            return NULL;
        }
        memcpy(copy->aad_more, gcm->aad_more, gcm->aad_size);
    }
    return copy;
}

static int start(cinch_gcm *gcm, const unsigned char *key, size_t key_size, const unsigned char *iv,
                 size_t iv_size, const OSSL_PARAM params[])
{
    if (iv != NULL) {
        if (iv_size == 0 || iv_size > sizeof gcm->iv) {
            ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_IV_LENGTH);
            return 0;
        }
        gcm->iv_size = iv_size;
        memcpy(gcm->iv, iv, iv_size);
        gcm->iv_state = CINCH_GCM_IV_SET;
    }
    if (key != NULL) {
        if (key_size != gcm->key_size) {
            ERR_raise(ERR_LIB_PROV, PROV_R_INVALID_KEY_LENGTH);
            return 0;
        }
        gcm->imb->expand(key, &gcm->key);
        gcm->has_key = 1;
        gcm->records = 0;
        /* What was begun is over. The key may be the one before: with its IV again, both texts would be given away. */
        if (gcm->iv_state == CINCH_GCM_IV_IN_USE)
            gcm->iv_state = CINCH_GCM_IV_USED;
    }
    return cinch_gcm_set_params(gcm, params);
}

int cinch_gcm_encrypt_init(void *context, const unsigned char *key, size_t key_size,
                           const unsigned char *iv, size_t iv_size, const OSSL_PARAM params[])
{
    cinch_gcm *gcm = context;

    gcm->encrypts = 1;
    return start(gcm, key, key_size, iv, iv_size, params);
}

int cinch_gcm_decrypt_init(void *context, const unsigned char *key, size_t key_size,
                           const unsigned char *iv, size_t iv_size, const OSSL_PARAM params[])
{
    cinch_gcm *gcm = context;

    gcm->encrypts = 0;
    return start(gcm, key, key_size, iv, iv_size, params);
}

static int add_aad(cinch_gcm *gcm, const unsigned char *in, size_t size)
{
    if (gcm->has_text || size > SIZE_MAX / 4 - gcm->aad_size)
        return 0;
    size_t wanted = gcm->aad_size + size;
    if (wanted > sizeof gcm->aad_few) {
        if (wanted > gcm->aad_room) {
            unsigned char *more = cinch_grow(gcm->aad_more, wanted * 2);

            if (more == NULL)
                return 0;
            gcm->aad_more = more;
            gcm->aad_room = wanted * 2;
        }
        if (gcm->aad_size <= sizeof gcm->aad_few)
            memcpy(gcm->aad_more, gcm->aad_few, gcm->aad_size);
    }
    unsigned char *to = wanted > sizeof gcm->aad_few ? gcm->aad_more : gcm->aad_few;
    memcpy(to + gcm->aad_size, in, size);
    gcm->aad_size = wanted;
    return 1;
}

static void start_text(cinch_gcm *gcm)
{
    const unsigned char *aad = gcm->aad_size > sizeof gcm->aad_few ? gcm->aad_more : gcm->aad_few;

    if (gcm->has_text)
        return;
    if (gcm->iv_size == CINCH_GCM_IV)
        gcm->imb->start(&gcm->key, &gcm->state, gcm->nonce, aad, gcm->aad_size);
    else
        gcm->imb->start_of(&gcm->key, &gcm->state, gcm->nonce, gcm->iv_size, aad, gcm->aad_size);
    gcm->has_text = 1;
}

static int add_text(cinch_gcm *gcm, unsigned char *out, const unsigned char *in, size_t size)
{
    if (size > LARGEST_TEXT - gcm->text_size)
        return 0;
    gcm->text_size += size;
    start_text(gcm);
    (gcm->encrypts ? gcm->imb->encrypt : gcm->imb->decrypt)(&gcm->key, &gcm->state, out, in, size);
    return 1;
}

static int finish(cinch_gcm *gcm)
{
    unsigned char tag[CINCH_GCM_TAG];
    int ok = 1;

    if (!gcm->encrypts && gcm->tag_size == 0) {
        ERR_raise(ERR_LIB_PROV, PROV_R_TAG_NOT_SET);
        return 0;
    }
    start_text(gcm);
    if (gcm->encrypts) {
        gcm->imb->encrypt_end(&gcm->key, &gcm->state, gcm->tag, sizeof gcm->tag);
        gcm->tag_size = sizeof gcm->tag;
    } else {
        gcm->imb->decrypt_end(&gcm->key, &gcm->state, tag, sizeof tag);
        ok = CRYPTO_memcmp(tag, gcm->tag, gcm->tag_size) == 0;
        OPENSSL_cleanse(tag, sizeof tag);
    }
    gcm->iv_state = CINCH_GCM_IV_USED;
    return ok;
}

static int go_on(cinch_gcm *gcm, unsigned char *out, size_t *done, const unsigned char *in,
                 size_t size)
{
    int ok;

    *done = 0;
    if (gcm->has_record)
        return cinch_gcm_record(gcm, out, done, in, size);
    if (!cinch_gcm_begin(gcm))
        return 0;
    if (in == NULL)
        return finish(gcm);
    ok = out == NULL ? add_aad(gcm, in, size) : add_text(gcm, out, in, size);
    if (ok)
        *done = size;
    return ok;
}

int cinch_gcm_update(void *context, unsigned char *out, size_t *done, size_t room,
                     const unsigned char *in, size_t size)
{
    *done = 0;
    if (size == 0)
        return 1;
    if (room < size) {
        ERR_raise(ERR_LIB_PROV, PROV_R_OUTPUT_BUFFER_TOO_SMALL);
        return 0;
    }
    if (!go_on(context, out, done, in, size)) {
        ERR_raise(ERR_LIB_PROV, PROV_R_CIPHER_OPERATION_FAILED);
        return 0;
    }
    return 1;
}

int cinch_gcm_final(void *context, unsigned char *out, size_t *done, size_t room)
{
    (void)room;
    return go_on(context, out, done, NULL, 0);
}

int cinch_gcm_cipher(void *context, unsigned char *out, size_t *done, size_t room,
                     const unsigned char *in, size_t size)
{
    if (room < size) {
        ERR_raise(ERR_LIB_PROV, PROV_R_OUTPUT_BUFFER_TOO_SMALL);
        return 0;
    }
    if (!go_on(context, out, done, in, size))
        return 0;
    *done = size;
    return 1;
}
