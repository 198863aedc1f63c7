/*
 * extras.h: the settings that most programs never touch: shared secrets, the key log, NPN, late
 * certificates, the size of records. What the common code does with all of them is in extras.c.
 */
#ifndef CINCH_CONTEXT_EXTRAS_H
#define CINCH_CONTEXT_EXTRAS_H

#include "context/context.h"

#include <openssl/evp.h>

#define CINCH_RECORD_SMALLEST 512
#define CINCH_RECORD_LARGEST 16384

/*
 * cinch_extras_copy replaces the pointers in COPY, which is a plain copy of SETTINGS, by references of
 * its own. 1, or 0 if memory ran out: then too COPY can be freed.
 */
int cinch_extras_copy(cinch_settings *copy, const cinch_settings *settings);
void cinch_extras_free(cinch_settings *settings);

/* For the digest of all settings, and for the one that the sessions of a server are bound to. */
int cinch_extras_hash(const cinch_settings *settings, EVP_MD_CTX *md);
int cinch_extras_hash_rules(const cinch_settings *settings, EVP_MD_CTX *md);

/* Last of all that goes into an SSL_CTX. */
cinch_status cinch_extras_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err);

/* key_log.c: one for each file in the whole process, so that equal settings are equal. */
cinch_key_log *cinch_key_log_ref(cinch_key_log *log);
void cinch_key_log_unref(cinch_key_log *log);
void cinch_key_log_callback(const SSL *ssl, const char *line);

/* adjust.c */
int cinch_adjust_hash(const cinch_settings *settings, EVP_MD_CTX *md);
cinch_status cinch_adjust_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err);

/* npn.c */
cinch_status cinch_npn_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err);

/* cinch_npn_check is for a server: a client can name a protocol that was never offered. */
cinch_status cinch_npn_check(const cinch_settings *settings, const SSL *ssl, cinch_error *err);

/* cinch_npn_result gives what was agreed on; *SIZE is 0 if nothing was. */
const unsigned char *cinch_npn_result(const SSL *ssl, unsigned *size);

/* setters.c: a list "h2,http/1.1" as on the wire into *WIRE, or NULL. */
cinch_status cinch_protocols_wire(const char *what, const char *list, unsigned char **wire,
                                  size_t *wire_size, cinch_error *err);

#endif
