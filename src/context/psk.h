/*
 * psk.h: pre-shared keys. A set of them never changes once it is made; settings share it. Whoever
 * proves one is verified without a certificate, so what is proved is looked at twice: by the
 * callbacks, and once more at the end of the handshake.
 */
#ifndef CINCH_CONTEXT_PSK_H
#define CINCH_CONTEXT_PSK_H

#include "context/link.h"

#include <cinch/psk.h>
#include <openssl/evp.h>

#define CINCH_PSK_SMALLEST ((size_t)16)
#define CINCH_PSK_LARGEST ((size_t)64)

cinch_psk *cinch_psk_ref(cinch_psk *psk);
void cinch_psk_unref(cinch_psk *psk);

/* cinch_psk_hash feeds all that matters of PSK, which may be NULL, to MD. 1 or 0. */
int cinch_psk_hash(const cinch_psk *psk, EVP_MD_CTX *md);

/* cinch_psk_only tells whether nothing but a shared secret counts under SETTINGS. */
int cinch_psk_only(const cinch_settings *settings);

/* cinch_psk_install puts the callbacks, and suites that go with them, into CTX; after the policy. */
cinch_status cinch_psk_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err);

/* cinch_psk_carry does the same for SSL of a server, which has got settings of another context. */
void cinch_psk_carry(const cinch_settings *settings, SSL *ssl);

/* cinch_psk_see_hello counts the identities in the ClientHello that SSL has here. */
void cinch_psk_see_hello(cinch_link *link, SSL *ssl);

/* cinch_psk_proved tells whether the peer of SSL has proved the secret that LINK has a name of. */
int cinch_psk_proved(const cinch_link *link, SSL *ssl);

/* cinch_psk_refuse explains that the server came with a certificate where only a secret counts. */
void cinch_psk_refuse(const cinch_link *link);

/*
 * cinch_psk_explain says in ERR why a handshake failed if a secret is the likely reason: 1; else 0.
 * ALERT is the one received or 0, REASON is libssl's or 0.
 */
int cinch_psk_explain(const cinch_link *link, int alert, int reason, cinch_error *err);

/* ---- between psk.c and psk_callbacks.c ---- */

typedef struct cinch_psk_entry {
    char identity[CINCH_PSK_TEXT];
    size_t size;
    unsigned char key[CINCH_PSK_LARGEST];
} cinch_psk_entry;

struct cinch_psk {
    atomic_uint references;
    cinch_psk_entry *entries; /* the newest last; in secret memory */
    size_t count;
    cinch_psk_callback lookup;
    void *lookup_arg;
    cinch_psk_offer_callback offer;
    void *offer_arg;
    int weak; /* what callbacks give may be short, and names empty */
    int fallback;
    unsigned char digest[32]; /* of the entries */
};

/*
 * cinch_psk_fits tells whether PSK takes KEY_SIZE bytes from a callback, for an IDENTITY of SIZE bytes.
 * KEY_SIZE 0: only the identity is looked at.
 */
int cinch_psk_fits(const cinch_psk *psk, const void *identity, size_t size, size_t key_size);

/* cinch_psk_identity_fits tells whether SIZE bytes can be an identity: 1 to 128 of clean text. */
int cinch_psk_identity_fits(const void *identity, size_t size);

#endif
