/* imb.h: the few functions of libipsec-mb that are used, found when the process first needs them. */
#ifndef CINCH_ACCEL_IMB_H
#define CINCH_ACCEL_IMB_H

/* Old names of its own, which are in the way of OpenSSL's headers. */
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>

/* AES-GCM with a key of one size. The key data has to be aligned to 64 bytes. */
typedef struct cinch_imb {
    aes_gcm_pre_t expand;
    aes_gcm_init_t start;           /* nonces of 12 bytes */
    aes_gcm_init_var_iv_t start_of; /* nonces of any other size */
    aes_gcm_enc_dec_update_t encrypt;
    aes_gcm_enc_dec_update_t decrypt;
    aes_gcm_enc_dec_finalize_t encrypt_end;
    aes_gcm_enc_dec_finalize_t decrypt_end;
    aes_gcm_enc_dec_t seal;
    aes_gcm_enc_dec_t open;
} cinch_imb;

typedef enum cinch_imb_outcome {
    CINCH_IMB_READY,
    CINCH_IMB_NO_MEMORY, /* may be tried again */
    CINCH_IMB_MISSING,   /* there is no such library */
    CINCH_IMB_UNFIT,     /* it lacks what is needed, or does not compute what it should */
} cinch_imb_outcome;

extern cinch_imb cinch_imb_128;
extern cinch_imb cinch_imb_256;

/* cinch_imb_version is "libipsec-mb 1.3.0" after cinch_imb_load(). */
extern char cinch_imb_version[32];

/*
 * cinch_imb_load fills the tables above, once; the caller has a lock. BY_MANAGER takes the longer way, for those
 * versions of the library that do not export the functions: 4 ms instead of a few microseconds.
 */
cinch_imb_outcome cinch_imb_load(int by_manager);

/*
 * cinch_imb_computes tells whether the functions compute a known answer, each that TLS uses, and write nothing else. 1
 * or 0. One call at a time.
 */
int cinch_imb_computes(const cinch_imb *with_128, const cinch_imb *with_256);

#endif
