/*
 * trust.h: whom do we believe?
 *
 * A trust anchor is a certificate that is believed without proof. A client context trusts the
 * system's anchors until one of these calls names something; from then on it trusts only what was
 * named, and several calls add up. A server context trusts nobody until told.
 *
 * Files and directories are looked at again when they change: connections made after that use the
 * new content. A file that cannot be used any more (half written, emptied) changes nothing: the last
 * good content stays in force. What was read is shared by all the contexts of the process.
 *
 * Threads: as context.h.
 */
#ifndef CINCH_TRUST_H
#define CINCH_TRUST_H

#include <cinch/certificate.h>
#include <cinch/context.h>

CINCH_BEGIN_DECLS

/*
 * cinch_context_trust_system trusts the anchors of the operating system: the file that the
 * environment variable SSL_CERT_FILE names, else OpenSSL's default file, else the bundle of the
 * well-known distributions; and the hashed directory that SSL_CERT_DIR names (several separated by
 * colons), else OpenSSL's default directory, else the well-known ones. The variables are ignored in
 * programs that run with more rights than their user. Fails with CINCH_CAUSE_NO_ANCHORS, with a
 * list of the places looked at, if there is no anchor in any of them, or if a variable names
 * something that cannot be used.
 */
CINCH_API cinch_status cinch_context_trust_system(cinch_context *ctx, cinch_error *err);

/*
 * cinch_context_trust_file trusts every certificate in the PEM file PATH (or the one in a DER file).
 * Text between the blocks is passed over; a block that is damaged or a file without certificates is
 * an error, and so is a private key: it does not belong where others read it.
 */
CINCH_API cinch_status cinch_context_trust_file(cinch_context *ctx, const char *path,
                                                cinch_error *err);

/*
 * cinch_context_trust_dir trusts the certificates in the directory PATH, in files named by the hash
 * of their subject as `openssl rehash` makes them (0a1b2c3d.0). They are opened when needed. A
 * directory without any such file is an error.
 */
CINCH_API cinch_status cinch_context_trust_dir(cinch_context *ctx, const char *path,
                                               cinch_error *err);

/*
 * cinch_context_trust_pem trusts every certificate in SIZE bytes at PEM, in PEM or in DER (one or
 * more, end to end). The bytes are copied.
 */
CINCH_API cinch_status cinch_context_trust_pem(cinch_context *ctx, const void *pem, size_t size,
                                               cinch_error *err);

/*
 * cinch_context_trust_nobody forgets whatever CTX trusts, the system's anchors too: every peer is
 * refused that has to be verified, until other calls name somebody. A server may ask for certificates
 * with it and look at what comes by itself.
 */
CINCH_API cinch_status cinch_context_trust_nobody(cinch_context *ctx, cinch_error *err);

/* What cinch_context_anchors() returns; read only. */
typedef struct cinch_anchors {
    size_t count;
    cinch_certificate **certificates;
} cinch_anchors;

/*
 * cinch_context_anchors lists the anchors that CTX trusts now, every one parsed, files of hashed
 * directories included; each certificate once. This takes its time with large stores. Returns NULL
 * and sets ERR on failure; free it with cinch_anchors_free().
 */
CINCH_API cinch_anchors *cinch_context_anchors(cinch_context *ctx, cinch_error *err);

/* cinch_anchors_free frees what cinch_context_anchors() returned. NULL is fine. */
CINCH_API void cinch_anchors_free(cinch_anchors *anchors);

CINCH_END_DECLS

#endif
