/* constants.c: the numbers and names that ssl.py makes its enums of. */
#include "extension.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>

/* What the default policy of libcinch offers for TLS 1.2. */
#define DEFAULT_CIPHERS                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

#ifdef OPENSSL_NO_TLS1
#define TLSV1 0
#else
#define TLSV1 1
#endif
#ifdef OPENSSL_NO_TLS1_1
#define TLSV1_1 0
#else
#define TLSV1_1 1
#endif

typedef struct constant {
    const char *name;
    long long value;
} constant;

#define ALERT(name)                                                                                \
    {                                                                                              \
        "ALERT_DESCRIPTION_" #name, SSL_AD_##name                                                  \
    }
#define OPTION(name)                                                                               \
    {                                                                                              \
        "OP_" #name, SSL_OP_##name                                                                 \
    }
#define HOST_FLAG(name)                                                                            \
    {                                                                                              \
        "HOSTFLAG_" #name, X509_CHECK_FLAG_##name                                                  \
    }

static const constant numbers[] = {
    {"SSL_ERROR_ZERO_RETURN", PYTHON_ERROR_ZERO_RETURN},
    {"SSL_ERROR_WANT_READ", PYTHON_ERROR_WANT_READ},
    {"SSL_ERROR_WANT_WRITE", PYTHON_ERROR_WANT_WRITE},
    {"SSL_ERROR_WANT_X509_LOOKUP", PYTHON_ERROR_WANT_X509_LOOKUP},
    {"SSL_ERROR_SYSCALL", PYTHON_ERROR_SYSCALL},
    {"SSL_ERROR_SSL", PYTHON_ERROR_SSL},
    {"SSL_ERROR_WANT_CONNECT", PYTHON_ERROR_WANT_CONNECT},
    {"SSL_ERROR_EOF", PYTHON_ERROR_EOF},
    {"SSL_ERROR_INVALID_ERROR_CODE", PYTHON_ERROR_INVALID},
    {"CERT_NONE", 0},
    {"CERT_OPTIONAL", 1},
    {"CERT_REQUIRED", 2},
    {"VERIFY_DEFAULT", 0},
    {"VERIFY_CRL_CHECK_LEAF", X509_V_FLAG_CRL_CHECK},
    {"VERIFY_CRL_CHECK_CHAIN", X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL},
    {"VERIFY_X509_STRICT", X509_V_FLAG_X509_STRICT},
    {"VERIFY_ALLOW_PROXY_CERTS", X509_V_FLAG_ALLOW_PROXY_CERTS},
    {"VERIFY_X509_TRUSTED_FIRST", X509_V_FLAG_TRUSTED_FIRST},
    {"VERIFY_X509_PARTIAL_CHAIN", X509_V_FLAG_PARTIAL_CHAIN},
    ALERT(CLOSE_NOTIFY),
    ALERT(UNEXPECTED_MESSAGE),
    ALERT(BAD_RECORD_MAC),
    ALERT(RECORD_OVERFLOW),
    ALERT(DECOMPRESSION_FAILURE),
    ALERT(HANDSHAKE_FAILURE),
    ALERT(BAD_CERTIFICATE),
    ALERT(UNSUPPORTED_CERTIFICATE),
    ALERT(CERTIFICATE_REVOKED),
    ALERT(CERTIFICATE_EXPIRED),
    ALERT(CERTIFICATE_UNKNOWN),
    ALERT(ILLEGAL_PARAMETER),
    ALERT(UNKNOWN_CA),
    ALERT(ACCESS_DENIED),
    ALERT(DECODE_ERROR),
    ALERT(DECRYPT_ERROR),
    ALERT(PROTOCOL_VERSION),
    ALERT(INSUFFICIENT_SECURITY),
    ALERT(INTERNAL_ERROR),
    ALERT(USER_CANCELLED),
    ALERT(NO_RENEGOTIATION),
    ALERT(UNSUPPORTED_EXTENSION),
    ALERT(CERTIFICATE_UNOBTAINABLE),
    ALERT(UNRECOGNIZED_NAME),
    ALERT(BAD_CERTIFICATE_STATUS_RESPONSE),
    ALERT(BAD_CERTIFICATE_HASH_VALUE),
    ALERT(UNKNOWN_PSK_IDENTITY),
    {"PROTOCOL_SSLv23", 2},
    {"PROTOCOL_TLS", 2},
    {"PROTOCOL_TLS_CLIENT", 16},
    {"PROTOCOL_TLS_SERVER", 17},
    {"PROTOCOL_TLSv1", 3},
    {"PROTOCOL_TLSv1_1", 4},
    {"PROTOCOL_TLSv1_2", 5},
    {"OP_ALL", SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS},
    OPTION(NO_SSLv2),
    OPTION(NO_SSLv3),
    OPTION(NO_TLSv1),
    OPTION(NO_TLSv1_1),
    OPTION(NO_TLSv1_2),
    OPTION(NO_TLSv1_3),
    OPTION(CIPHER_SERVER_PREFERENCE),
    OPTION(SINGLE_DH_USE),
    OPTION(NO_TICKET),
    OPTION(SINGLE_ECDH_USE),
    OPTION(NO_COMPRESSION),
    OPTION(ENABLE_MIDDLEBOX_COMPAT),
    OPTION(NO_RENEGOTIATION),
    OPTION(IGNORE_UNEXPECTED_EOF),
#if PY_VERSION_HEX >= 0x030C0000
    OPTION(ENABLE_KTLS),
    OPTION(LEGACY_SERVER_CONNECT),
#endif
    HOST_FLAG(ALWAYS_CHECK_SUBJECT),
    HOST_FLAG(NEVER_CHECK_SUBJECT),
    HOST_FLAG(NO_WILDCARDS),
    HOST_FLAG(NO_PARTIAL_WILDCARDS),
    HOST_FLAG(MULTI_LABEL_WILDCARDS),
    HOST_FLAG(SINGLE_LABEL_SUBDOMAINS),
    {"ENCODING_PEM", X509_FILETYPE_PEM},
    {"ENCODING_DER", X509_FILETYPE_ASN1},
    {"PROTO_MINIMUM_SUPPORTED", -2},
    {"PROTO_MAXIMUM_SUPPORTED", -1},
    {"PROTO_SSLv3", SSL3_VERSION},
    {"PROTO_TLSv1", TLS1_VERSION},
    {"PROTO_TLSv1_1", TLS1_1_VERSION},
    {"PROTO_TLSv1_2", TLS1_2_VERSION},
    {"PROTO_TLSv1_3", TLS1_3_VERSION},
};

static const constant booleans[] = {
    {"HAS_SNI", 1},           {"HAS_TLS_UNIQUE", 1}, {"HAS_ECDH", 1},    {"HAS_NPN", 0},
    {"HAS_ALPN", 1},          {"HAS_SSLv2", 0},      {"HAS_SSLv3", 0},   {"HAS_TLSv1", TLSV1},
    {"HAS_TLSv1_1", TLSV1_1}, {"HAS_TLSv1_2", 1},    {"HAS_TLSv1_3", 1},
#if PY_VERSION_HEX >= 0x030D0000
    {"HAS_PSK", 1},
#endif
#if PY_VERSION_HEX >= 0x030E0000
    {"HAS_PHA", 1},
#endif
#if PY_VERSION_HEX >= 0x030F0000
    {"HAS_PSK_TLS13", 1},
#endif
};

/* VALUE is given away, and may be NULL with an exception set. */
static int add(PyObject *module, const char *name, PyObject *value)
{
    int result = value == NULL ? -1 : PyModule_AddObjectRef(module, name, value);

    Py_XDECREF(value);
    return result;
}

/* OpenSSL's version as Python tells it: major, minor, fix, patch, status. */
static PyObject *version_parts(unsigned long version)
{
    return Py_BuildValue("(kkkkk)", version >> 28 & 0xFF, version >> 20 & 0xFF,
                         version >> 12 & 0xFF, version >> 4 & 0xFF, version & 0xF);
}

int add_constants(PyObject *module, module_state *state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (add(module, numbers[i].name, PyLong_FromLongLong(numbers[i].value)) < 0)
            return -1;
    for (size_t i = 0; i < sizeof booleans / sizeof booleans[0]; i++)
        if (add(module, booleans[i].name, PyBool_FromLong((long)booleans[i].value)) < 0)
            return -1;
    if (PyModule_AddStringConstant(module, "_DEFAULT_CIPHERS", DEFAULT_CIPHERS) < 0 ||
        PyModule_AddStringConstant(module, "OPENSSL_VERSION", OpenSSL_version(OPENSSL_VERSION)) <
            0 ||
        PyModule_AddStringConstant(module, "CINCH_VERSION", cinch_version()) < 0 ||
        add(module, "OPENSSL_VERSION_NUMBER", PyLong_FromUnsignedLong(OpenSSL_version_num())) < 0 ||
        add(module, "OPENSSL_VERSION_INFO", version_parts(OpenSSL_version_num())) < 0 ||
        add(module, "_OPENSSL_API_VERSION", version_parts(OPENSSL_VERSION_NUMBER)) < 0)
        return -1;
    return 0;
}
