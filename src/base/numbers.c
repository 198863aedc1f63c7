/* numbers.c: names for the numbers of TLS, as IANA's registries have them. Suites are elsewhere. */
#include "base/numbers.h"

#include <cinch/error.h>
#include <string.h>

static const cinch_number versions[] = {
    {0x0304, "TLS 1.3"}, {0x0303, "TLS 1.2"}, {0x0302, "TLS 1.1"},
    {0x0301, "TLS 1.0"}, {0x0300, "SSL 3.0"}, {0x0002, "SSL 2.0"},
};

static const cinch_number groups[] = {
    {0x0013, "secp192r1"},
    {0x0015, "secp224r1"},
    {0x0016, "secp256k1"},
    {0x0017, "secp256r1"},
    {0x0018, "secp384r1"},
    {0x0019, "secp521r1"},
    {0x001a, "brainpoolP256r1"},
    {0x001b, "brainpoolP384r1"},
    {0x001c, "brainpoolP512r1"},
    {0x001d, "x25519"},
    {0x001e, "x448"},
    {0x001f, "brainpoolP256r1tls13"},
    {0x0020, "brainpoolP384r1tls13"},
    {0x0021, "brainpoolP512r1tls13"},
    {0x0029, "curveSM2"},
    {0x0100, "ffdhe2048"},
    {0x0101, "ffdhe3072"},
    {0x0102, "ffdhe4096"},
    {0x0103, "ffdhe6144"},
    {0x0104, "ffdhe8192"},
    {0x0200, "MLKEM512"},
    {0x0201, "MLKEM768"},
    {0x0202, "MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
    {0x6399, "X25519Kyber768Draft00"},
    {0xff01, "arbitrary_explicit_prime_curves"},
    {0xff02, "arbitrary_explicit_char2_curves"},
};

static const cinch_number sigalgs[] = {
    {0x0201, "rsa_pkcs1_sha1"},
    {0x0202, "dsa_sha1"},
    {0x0203, "ecdsa_sha1"},
    {0x0301, "rsa_pkcs1_sha224"},
    {0x0302, "dsa_sha224"},
    {0x0303, "ecdsa_sha224"},
    {0x0401, "rsa_pkcs1_sha256"},
    {0x0402, "dsa_sha256"},
    {0x0403, "ecdsa_secp256r1_sha256"},
    {0x0420, "rsa_pkcs1_sha256_legacy"},
    {0x0501, "rsa_pkcs1_sha384"},
    {0x0502, "dsa_sha384"},
    {0x0503, "ecdsa_secp384r1_sha384"},
    {0x0520, "rsa_pkcs1_sha384_legacy"},
    {0x0601, "rsa_pkcs1_sha512"},
    {0x0602, "dsa_sha512"},
    {0x0603, "ecdsa_secp521r1_sha512"},
    {0x0620, "rsa_pkcs1_sha512_legacy"},
    {0x0708, "sm2sig_sm3"},
    {0x0804, "rsa_pss_rsae_sha256"},
    {0x0805, "rsa_pss_rsae_sha384"},
    {0x0806, "rsa_pss_rsae_sha512"},
    {0x0807, "ed25519"},
    {0x0808, "ed448"},
    {0x0809, "rsa_pss_pss_sha256"},
    {0x080a, "rsa_pss_pss_sha384"},
    {0x080b, "rsa_pss_pss_sha512"},
    {0x081a, "ecdsa_brainpoolP256r1tls13_sha256"},
    {0x081b, "ecdsa_brainpoolP384r1tls13_sha384"},
    {0x081c, "ecdsa_brainpoolP512r1tls13_sha512"},
    {0x0904, "mldsa44"},
    {0x0905, "mldsa65"},
    {0x0906, "mldsa87"},
};

static const cinch_number extensions[] = {
    {0, "server_name"},
    {1, "max_fragment_length"},
    {2, "client_certificate_url"},
    {3, "trusted_ca_keys"},
    {4, "truncated_hmac"},
    {5, "status_request"},
    {6, "user_mapping"},
    {9, "cert_type"},
    {10, "supported_groups"},
    {11, "ec_point_formats"},
    {12, "srp"},
    {13, "signature_algorithms"},
    {14, "use_srtp"},
    {15, "heartbeat"},
    {16, "application_layer_protocol_negotiation"},
    {17, "status_request_v2"},
    {18, "signed_certificate_timestamp"},
    {19, "client_certificate_type"},
    {20, "server_certificate_type"},
    {21, "padding"},
    {22, "encrypt_then_mac"},
    {23, "extended_master_secret"},
    {24, "token_binding"},
    {25, "cached_info"},
    {27, "compress_certificate"},
    {28, "record_size_limit"},
    {34, "delegated_credential"},
    {35, "session_ticket"},
    {41, "pre_shared_key"},
    {42, "early_data"},
    {43, "supported_versions"},
    {44, "cookie"},
    {45, "psk_key_exchange_modes"},
    {47, "certificate_authorities"},
    {48, "oid_filters"},
    {49, "post_handshake_auth"},
    {50, "signature_algorithms_cert"},
    {51, "key_share"},
    {52, "transparency_info"},
    {54, "connection_id"},
    {55, "external_id_hash"},
    {56, "external_session_id"},
    {57, "quic_transport_parameters"},
    {58, "ticket_request"},
    {59, "dnssec_chain"},
    {62, "tls_flags"},
    {13172, "next_protocol_negotiation"},
    {17513, "application_settings (old)"},
    {17613, "application_settings"},
    {30032, "channel_id"},
    {64768, "ech_outer_extensions"},
    {65037, "encrypted_client_hello"},
    {65281, "renegotiation_info"},
};

static const cinch_number contents[] = {
    {20, "change_cipher_spec"}, {21, "alert"},     {22, "handshake"},
    {23, "application_data"},   {24, "heartbeat"},
};

static const cinch_number handshakes[] = {
    {0, "HelloRequest"},        {1, "ClientHello"},
    {2, "ServerHello"},         {3, "HelloVerifyRequest"},
    {4, "NewSessionTicket"},    {5, "EndOfEarlyData"},
    {6, "HelloRetryRequest"},   {8, "EncryptedExtensions"},
    {11, "Certificate"},        {12, "ServerKeyExchange"},
    {13, "CertificateRequest"}, {14, "ServerHelloDone"},
    {15, "CertificateVerify"},  {16, "ClientKeyExchange"},
    {20, "Finished"},           {21, "CertificateURL"},
    {22, "CertificateStatus"},  {23, "SupplementalData"},
    {24, "KeyUpdate"},          {25, "CompressedCertificate"},
    {67, "NextProtocol"},       {254, "MessageHash"},
};

static const cinch_number compressions[] = {{0, "null"}, {1, "DEFLATE"}, {64, "LZS"}};

static const cinch_number point_formats[] = {
    {0, "uncompressed"},
    {1, "ansiX962_compressed_prime"},
    {2, "ansiX962_compressed_char2"},
};

static const cinch_number curve_types[] = {
    {1, "explicit_prime"},
    {2, "explicit_char2"},
    {3, "named_curve"},
};

static const cinch_number psk_modes[] = {{0, "psk_ke"}, {1, "psk_dhe_ke"}};

static const cinch_number name_types[] = {{0, "host_name"}};

static const cinch_number status_types[] = {{1, "ocsp"}, {2, "ocsp_multi"}};

static const cinch_number client_certificates[] = {
    {1, "rsa_sign"},          {2, "dss_sign"},      {3, "rsa_fixed_dh"},
    {4, "dss_fixed_dh"},      {64, "ecdsa_sign"},   {65, "rsa_fixed_ecdh"},
    {66, "ecdsa_fixed_ecdh"}, {67, "gost_sign256"}, {68, "gost_sign512"},
};

static const cinch_number certificate_types[] = {{0, "X509"}, {1, "OpenPGP"}, {2, "RawPublicKey"}};

static const cinch_number certificate_compressions[] = {{1, "zlib"}, {2, "brotli"}, {3, "zstd"}};

static const cinch_number key_updates[] = {{0, "update_not_requested"}, {1, "update_requested"}};

static const cinch_number fragment_lengths[] = {
    {1, "512 bytes"},
    {2, "1024 bytes"},
    {3, "2048 bytes"},
    {4, "4096 bytes"},
};

static const cinch_number kdfs[] = {{1, "HKDF-SHA256"}, {2, "HKDF-SHA384"}, {3, "HKDF-SHA512"}};

static const cinch_number aeads[] = {
    {1, "AES-128-GCM"},
    {2, "AES-256-GCM"},
    {3, "ChaCha20Poly1305"},
};

static const cinch_number hello_kinds[] = {{0, "outer"}, {1, "inner"}};

static const cinch_number alert_levels[] = {{1, "warning"}, {2, "fatal"}};

static const cinch_number ssl2_suites[] = {
    {0x010080, "SSL_CK_RC4_128_WITH_MD5"},
    {0x020080, "SSL_CK_RC4_128_EXPORT40_WITH_MD5"},
    {0x030080, "SSL_CK_RC2_128_CBC_WITH_MD5"},
    {0x040080, "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5"},
    {0x050080, "SSL_CK_IDEA_128_CBC_WITH_MD5"},
    {0x060040, "SSL_CK_DES_64_CBC_WITH_MD5"},
    {0x0700c0, "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"},
};

#define TABLE(list)                                                                                \
    {                                                                                              \
        list, sizeof(list) / sizeof((list)[0])                                                     \
    }

static const struct {
    const cinch_number *list;
    size_t count;
} tables[] = {
    [CINCH_NUMBERS_VERSION] = TABLE(versions),
    [CINCH_NUMBERS_GROUP] = TABLE(groups),
    [CINCH_NUMBERS_SIGALG] = TABLE(sigalgs),
    [CINCH_NUMBERS_EXTENSION] = TABLE(extensions),
    [CINCH_NUMBERS_CONTENT] = TABLE(contents),
    [CINCH_NUMBERS_HANDSHAKE] = TABLE(handshakes),
    [CINCH_NUMBERS_COMPRESSION] = TABLE(compressions),
    [CINCH_NUMBERS_POINT_FORMAT] = TABLE(point_formats),
    [CINCH_NUMBERS_CURVE_TYPE] = TABLE(curve_types),
    [CINCH_NUMBERS_PSK_MODE] = TABLE(psk_modes),
    [CINCH_NUMBERS_NAME_TYPE] = TABLE(name_types),
    [CINCH_NUMBERS_STATUS_TYPE] = TABLE(status_types),
    [CINCH_NUMBERS_CLIENT_CERTIFICATE] = TABLE(client_certificates),
    [CINCH_NUMBERS_CERTIFICATE_TYPE] = TABLE(certificate_types),
    [CINCH_NUMBERS_CERTIFICATE_COMPRESSION] = TABLE(certificate_compressions),
    [CINCH_NUMBERS_KEY_UPDATE] = TABLE(key_updates),
    [CINCH_NUMBERS_FRAGMENT_LENGTH] = TABLE(fragment_lengths),
    [CINCH_NUMBERS_KDF] = TABLE(kdfs),
    [CINCH_NUMBERS_AEAD] = TABLE(aeads),
    [CINCH_NUMBERS_HELLO_KIND] = TABLE(hello_kinds),
    [CINCH_NUMBERS_ALERT_LEVEL] = TABLE(alert_levels),
    [CINCH_NUMBERS_SSL2_SUITE] = TABLE(ssl2_suites),
};

/* Where GREASE may stand (RFC 8701, 3). */
static int may_be_grease(cinch_registry registry)
{
    return registry == CINCH_NUMBERS_VERSION || registry == CINCH_NUMBERS_SUITE ||
           registry == CINCH_NUMBERS_GROUP || registry == CINCH_NUMBERS_SIGALG ||
           registry == CINCH_NUMBERS_EXTENSION;
}

const char *cinch_number_name(cinch_registry registry, unsigned value)
{
    if (may_be_grease(registry) && cinch_is_grease(value))
        return "GREASE";
    if (registry == CINCH_NUMBERS_PSK_MODE && value < 0x100 && value % 0x1f == 0x0b)
        return "GREASE";
    if (registry == CINCH_NUMBERS_SUITE)
        return cinch_suite_name(value);
    if (registry == CINCH_NUMBERS_ALERT) {
        const char *name = cinch_alert_name((int)value);

        return strcmp(name, "unknown alert") == 0 ? NULL : name;
    }
    for (size_t i = 0; i < tables[registry].count; i++)
        if (tables[registry].list[i].value == value)
            return tables[registry].list[i].name;
    return NULL;
}

const char *cinch_group_common_name(unsigned value)
{
    static const cinch_number common[] = {
        {0x0013, "P-192"}, {0x0015, "P-224"},  {0x0017, "P-256"}, {0x0018, "P-384"},
        {0x0019, "P-521"}, {0x001d, "X25519"}, {0x001e, "X448"},
    };

    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        if (common[i].value == value)
            return common[i].name;
    return cinch_number_name(CINCH_NUMBERS_GROUP, value);
}
