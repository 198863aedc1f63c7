/*
 * policy.h: which algorithms?
 *
 * A policy is a named set of protocol versions, cipher suites, key exchange groups and signature
 * algorithms, the most wanted first. It does not depend on how the distribution built OpenSSL.
 *
 *   "default"     today "cinch-2026": TLS 1.2 and 1.3, forward secrecy and AEAD only;
 *                 X25519MLKEM768 where OpenSSL has it, X25519, P-256, P-384; AES-128-GCM first
 *   "cinch-2026"  the same, and it will stay what it is
 *   "modern"      TLS 1.3 only, otherwise as "default"
 *
 * A policy may be changed until it is given to a context, which keeps a copy. One thread at a time.
 */
#ifndef CINCH_POLICY_H
#define CINCH_POLICY_H

#include <cinch/context.h>

CINCH_BEGIN_DECLS

typedef struct cinch_policy cinch_policy;

/* Protocol versions, with their number on the wire. */
typedef enum cinch_tls_version {
    CINCH_TLS_1_0 = 0x0301, /* insecure: RFC 8996 */
    CINCH_TLS_1_1 = 0x0302, /* insecure: RFC 8996 */
    CINCH_TLS_1_2 = 0x0303,
    CINCH_TLS_1_3 = 0x0304
} cinch_tls_version;

/*
 * cinch_policy_new makes a copy of the policy NAME to hand-pick from; NULL means "default". Returns
 * NULL and sets ERR if there is no policy of that name. Free it with cinch_policy_free().
 */
CINCH_API cinch_policy *cinch_policy_new(const char *name, cinch_error *err);

/* cinch_policy_free drops POLICY. NULL is fine. */
CINCH_API void cinch_policy_free(cinch_policy *policy);

/* cinch_policy_list gives the name of policy number INDEX, from 0, and NULL beyond the last. */
CINCH_API const char *cinch_policy_list(size_t index);

/*
 * cinch_policy_versions allows the protocol versions from MIN to MAX: CINCH_TLS_1_2 or
 * CINCH_TLS_1_3.
 */
CINCH_API cinch_status cinch_policy_versions(cinch_policy *policy, cinch_tls_version min,
                                             cinch_tls_version max, cinch_error *err);

/*
 * cinch_policy_ciphers sets the TLS 1.2 cipher suites, in OpenSSL's list language:
 * "ECDHE+AESGCM:ECDHE+CHACHA20". A list from which nothing remains is an error. Suites without
 * encryption or without authentication are refused, and so is a word that means nothing to this
 * OpenSSL. The list cannot change the security level.
 */
CINCH_API cinch_status cinch_policy_ciphers(cinch_policy *policy, const char *list,
                                            cinch_error *err);

/*
 * cinch_policy_suites sets the TLS 1.3 cipher suites, separated by colons:
 * "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256". An unknown name is an error.
 */
CINCH_API cinch_status cinch_policy_suites(cinch_policy *policy, const char *list,
                                           cinch_error *err);

/*
 * cinch_policy_groups sets the key exchange groups, separated by colons: "X25519:P-256". A name
 * after "?" is left out where OpenSSL does not know it; else an unknown name is an error.
 */
CINCH_API cinch_status cinch_policy_groups(cinch_policy *policy, const char *list,
                                           cinch_error *err);

/*
 * cinch_policy_sigalgs sets the signature algorithms, separated by colons:
 * "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", by their names in RFC 8446 or as OpenSSL has them
 * ("ECDSA+SHA256"). An unknown name is an error, and so is SHA-1 unless the versions need it.
 */
CINCH_API cinch_status cinch_policy_sigalgs(cinch_policy *policy, const char *list,
                                            cinch_error *err);

/*
 * cinch_policy_client_sigalgs sets the signature algorithms for certificates of clients, where they
 * are to differ from those for servers: what a server asks its clients for, and what a client offers
 * to sign with. NULL makes them the same again.
 */
CINCH_API cinch_status cinch_policy_client_sigalgs(cinch_policy *policy, const char *list,
                                                   cinch_error *err);

/* cinch_policy_curve sets a single group for the key exchange: "P-256", "prime256v1", "X25519". */
CINCH_API cinch_status cinch_policy_curve(cinch_policy *policy, const char *name, cinch_error *err);

/*
 * cinch_policy_server_preference says whose order of cipher suites counts on a server: its own (ON
 * not 0: the default), or the client's (0), which knows whether its processor is fast with AES.
 */
CINCH_API cinch_status cinch_policy_server_preference(cinch_policy *policy, int on,
                                                      cinch_error *err);

/*
 * cinch_policy_security_level sets OpenSSL's security level, which algorithms, keys and signatures
 * have to reach: 2 is 112 bits (RSA and DH from 2048, no SHA-1) and the default, 3 is 128 bits (RSA
 * from 3072), 4 is 192, 5 is 256. Lists that have nothing for the level are refused when the policy
 * is given to a context.
 */
CINCH_API cinch_status cinch_policy_security_level(cinch_policy *policy, int level,
                                                   cinch_error *err);

/*
 * cinch_policy_dh_pem sets the Diffie-Hellman parameters that a server uses with hand-picked DHE
 * suites of TLS 1.2, from SIZE bytes of PEM: 2048 to 8192 bits, and safe, which is checked. PEM NULL
 * goes back to the default: parameters of RFC 7919 that fit.
 */
CINCH_API cinch_status cinch_policy_dh_pem(cinch_policy *policy, const void *pem, size_t size,
                                           cinch_error *err);

/*
 * cinch_policy_insecure_dh_pem does the same with parameters from 1024 bits on, which states can
 * break (Logjam, CVE-2015-4000). They need a security level of 0 or 1 as well.
 */
CINCH_API cinch_status cinch_policy_insecure_dh_pem(cinch_policy *policy, const void *pem,
                                                    size_t size, cinch_error *err);

/*
 * cinch_policy_insecure_security_level sets any security level, 0 to 5. 1 is 80 bits: RSA keys of 1024
 * bits, which have been broken or soon will be. 0 is no limit: SHA-1 and MD5 signatures count.
 */
CINCH_API cinch_status cinch_policy_insecure_security_level(cinch_policy *policy, int level,
                                                            cinch_error *err);

/*
 * cinch_policy_insecure_legacy_server lets a client talk to servers that do not know secure
 * renegotiation (RFC 5746; ON not 0), or refuses them again (0: the default). Somebody between the
 * two can then put words of his own before those of the client (CVE-2009-3555).
 */
CINCH_API cinch_status cinch_policy_insecure_legacy_server(cinch_policy *policy, int on,
                                                           cinch_error *err);

/*
 * cinch_policy_insecure_versions allows any protocol versions from MIN to MAX, TLS 1.0 and 1.1
 * among them, with the cipher suites and SHA-1 signatures that these need. Both are broken (RFC
 * 8996): for talking to equipment that cannot be replaced, over networks that are otherwise safe.
 * Lists that are set after this call are taken as they are; cinch_policy_versions() undoes it.
 */
CINCH_API cinch_status cinch_policy_insecure_versions(cinch_policy *policy, cinch_tls_version min,
                                                      cinch_tls_version max, cinch_error *err);

/*
 * cinch_context_policy makes a copy of POLICY the policy of CTX. Refused if nothing would be left to
 * negotiate or the context's identity is too weak for it.
 */
CINCH_API cinch_status cinch_context_policy(cinch_context *ctx, const cinch_policy *policy,
                                            cinch_error *err);

/* cinch_context_policy_named makes the policy NAME the policy of CTX. */
CINCH_API cinch_status cinch_context_policy_named(cinch_context *ctx, const char *name,
                                                  cinch_error *err);

CINCH_END_DECLS

#endif
