/*
 * signer.h: how are keys used that are somewhere else?
 *
 * The private key may stay in another process, a module or a machine: an identity is then made of
 * the certificates and a callback that signs, or of a URI that an OpenSSL provider understands.
 *
 * Every signature of a callback is checked with the certificate's public key before it leaves
 * (RFC 8446, 4.4.3): one that is wrong, perhaps because a device was disturbed, would give the
 * peer what it needs to compute an RSA key.
 *
 * A callback signs before it returns, or has it done and the answer comes later. Then nothing waits
 * but the one connection: its calls return CINCH_WANT_SIGNATURE.
 *
 * Threads: a callback is called on the thread that drives the connection, by several at once.
 */
#ifndef CINCH_SIGNER_H
#define CINCH_SIGNER_H

#include <cinch/identity.h>
#include <stddef.h>

CINCH_BEGIN_DECLS

/*
 * What has to be signed. Valid until the callback returns; of an asynchronous one, until the request
 * is answered.
 */
typedef struct cinch_signing {
    int scheme;                   /* SignatureScheme of TLS (RFC 8446, 4.2.3), such as 0x0403 */
    const char *scheme_name;      /* "ecdsa_secp256r1_sha256" */
    const char *digest_name;      /* "SHA2-256", as OpenSSL's; "" with Ed25519 and Ed448 */
    const unsigned char *message; /* what is to be signed, not hashed yet */
    size_t message_size;
    const unsigned char *digest; /* its digest, for signers that want one; NULL with Ed25519 */
    size_t digest_size;
} cinch_signing;

/*
 * cinch_sign_callback signs WHAT: it writes the signature, at most *SIZE bytes, into SIGNATURE, sets
 * *SIZE and returns CINCH_OK. Anything else ends the handshake, and the connection fails with
 * CINCH_CAUSE_SIGNER; the text that it wrote into REASON, at most REASON_SIZE bytes with the NUL,
 * then stands in the error. The signature is DER for ECDSA (RFC 8422, 5.4), and else the bytes as
 * they are; PSS salts are as long as the digest. In TLS 1.2 the curve in an ECDSA scheme's name says
 * nothing about the key (RFC 8446, 4.2.3). ARG is what cinch_identity_signer() was given.
 */
typedef cinch_status (*cinch_sign_callback)(const cinch_signing *what, unsigned char *signature,
                                            size_t *size, char *reason, size_t reason_size,
                                            void *arg);

/*
 * cinch_identity_signer makes an identity of the certificates in PEM, which is copied, and CALLBACK,
 * which signs with the key of the first of them: RSA, ECDSA, Ed25519 or Ed448. The callback is not
 * tried here. ARG must be valid as long as the identity and every context and connection that uses
 * it. Returns NULL and sets ERR on failure; free it with cinch_identity_free().
 */
CINCH_API cinch_identity *cinch_identity_signer(const void *pem, size_t pem_size,
                                                cinch_sign_callback callback, void *arg,
                                                cinch_error *err);

/*
 * One signature that the program owes. It belongs to the program until it is given to exactly one of
 * cinch_signature_answer() and cinch_signature_refuse(), also when its connection is long gone.
 */
typedef struct cinch_signature_request cinch_signature_request;

/*
 * cinch_sign_async_callback has WHAT signed and returns. It answers REQUEST itself or keeps it for
 * later: until then cinch_conn_handshake(), _read() and _write() return CINCH_WANT_SIGNATURE, and the
 * calls on a stream do or, if it is blocking, wait within its time limits. It is called inside of one
 * of these calls, on the same thread and stack, so the program knows for which connection; it does
 * nothing with that one. ARG is what cinch_identity_signer_async() was given.
 */
typedef void (*cinch_sign_async_callback)(const cinch_signing *what,
                                          cinch_signature_request *request, void *arg);

/*
 * cinch_identity_signer_async is cinch_identity_signer() with a CALLBACK that may answer later. The
 * handshakes that may need it run on stacks of 256 KiB, the program's other callbacks with them. Make
 * it before the connections that use it: one that began when the process had no such identity cannot
 * wait. Fails on systems without ucontext.
 */
CINCH_API cinch_identity *cinch_identity_signer_async(const void *pem, size_t pem_size,
                                                      cinch_sign_async_callback callback, void *arg,
                                                      cinch_error *err);

/*
 * cinch_signature_answer gives the SIZE bytes of SIGNATURE, as cinch_sign_callback describes them, to
 * the connection that asked, and ends REQUEST. From any thread. The connection goes on when its call
 * is made again; one that is gone does not matter. CINCH_OK says nothing about whether the signature
 * is right. A failure, also one from before in ERR, ends the request as refused.
 */
CINCH_API cinch_status cinch_signature_answer(cinch_signature_request *request,
                                              const void *signature, size_t size, cinch_error *err);

/*
 * cinch_signature_refuse ends REQUEST without a signature, from any thread: the connection fails with
 * CINCH_CAUSE_SIGNER and REASON (may be NULL) in its error. NULL is fine.
 */
CINCH_API void cinch_signature_refuse(cinch_signature_request *request, const char *reason);

/*
 * cinch_identity_uri makes an identity of the certificates in PEM (NULL: they are at URI too) and the
 * private key at URI, "pkcs11:token=web;object=key" (RFC 7512) or "file:/path", which some provider
 * of OpenSSL understands that the system's openssl.cnf loads. PASSWORD is the PIN, NULL for none. It
 * is given away once at most, as tokens lock themselves, and nobody is asked for one. The key is tried
 * here. Returns NULL and sets ERR on failure; free it with cinch_identity_free().
 */
CINCH_API cinch_identity *cinch_identity_uri(const char *uri, const void *pem, size_t pem_size,
                                             const char *password, cinch_error *err);

CINCH_END_DECLS

#endif
