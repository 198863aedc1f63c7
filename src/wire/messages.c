/* messages.c: how the handshake messages of all versions are laid out. */
#include "wire/messages.h"

#include <string.h>

#define NUMBER(name, width, registry)                                                              \
    {                                                                                              \
        CINCH_WIRE_NUMBER, name, width, registry, 0, NULL, NULL, 0                                 \
    }
#define BYTES(name, width)                                                                         \
    {                                                                                              \
        CINCH_WIRE_BYTES, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                        \
    }
#define OPAQUE(name, width)                                                                        \
    {                                                                                              \
        CINCH_WIRE_OPAQUE, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                       \
    }
#define TEXT(name, width)                                                                          \
    {                                                                                              \
        CINCH_WIRE_TEXT, name, width, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                         \
    }
#define REST(name)                                                                                 \
    {                                                                                              \
        CINCH_WIRE_REST, name, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                             \
    }
#define LIST(name, width, item, each, registry)                                                    \
    {                                                                                              \
        CINCH_WIRE_LIST, name, width, registry, each, item, NULL, 0                                \
    }
#define VECTOR(name, width, inside)                                                                \
    {                                                                                              \
        CINCH_WIRE_VECTOR, name, width, CINCH_NUMBERS_NONE, 0, NULL, inside, 0                     \
    }
#define EXTENSIONS                                                                                 \
    {                                                                                              \
        CINCH_WIRE_EXTENSIONS, "extensions", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 1               \
    }
#define DONE                                                                                       \
    {                                                                                              \
        CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                             \
    }

typedef cinch_wire_part part;

static const part nothing[] = {DONE};

static const part client_hello[] = {
    NUMBER("legacy_version", 2, CINCH_NUMBERS_VERSION),
    BYTES("random", 32),
    OPAQUE("legacy_session_id", 1),
    LIST("cipher_suites", 2, "cipher_suite", 2, CINCH_NUMBERS_SUITE),
    LIST("legacy_compression_methods", 1, "compression_method", 1, CINCH_NUMBERS_COMPRESSION),
    EXTENSIONS,
    DONE,
};

static const part server_hello[] = {
    NUMBER("legacy_version", 2, CINCH_NUMBERS_VERSION),
    BYTES("random", 32),
    OPAQUE("legacy_session_id_echo", 1),
    NUMBER("cipher_suite", 2, CINCH_NUMBERS_SUITE),
    NUMBER("legacy_compression_method", 1, CINCH_NUMBERS_COMPRESSION),
    EXTENSIONS,
    DONE,
};

static const part verify_request[] = {
    NUMBER("server_version", 2, CINCH_NUMBERS_VERSION),
    OPAQUE("cookie", 1),
    DONE,
};

static const part ticket[] = {
    NUMBER("ticket_lifetime", 4, CINCH_NUMBERS_NONE),
    OPAQUE("ticket", 2),
    DONE,
};

static const part ticket_13[] = {
    NUMBER("ticket_lifetime", 4, CINCH_NUMBERS_NONE),
    NUMBER("ticket_age_add", 4, CINCH_NUMBERS_NONE),
    OPAQUE("ticket_nonce", 1),
    OPAQUE("ticket", 2),
    EXTENSIONS,
    DONE,
};

static const part encrypted_extensions[] = {EXTENSIONS, DONE};

static const part one_certificate[] = {
    {CINCH_WIRE_CERTIFICATE, "certificate", 3, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    DONE,
};

static const part certificate[] = {VECTOR("certificate_list", 3, one_certificate), DONE};

static const part certificate_entry[] = {
    {CINCH_WIRE_CERTIFICATE, "certificate", 3, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    {CINCH_WIRE_EXTENSIONS, "extensions", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    DONE,
};

static const part certificate_13[] = {
    OPAQUE("certificate_request_context", 1),
    VECTOR("certificate_list", 3, certificate_entry),
    DONE,
};

static const part authority[] = {
    {CINCH_WIRE_DN, "distinguished_name", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0},
    DONE,
};

static const part request_11[] = {
    LIST("certificate_types", 1, "certificate_type", 1, CINCH_NUMBERS_CLIENT_CERTIFICATE),
    VECTOR("certificate_authorities", 2, authority),
    DONE,
};

static const part request[] = {
    LIST("certificate_types", 1, "certificate_type", 1, CINCH_NUMBERS_CLIENT_CERTIFICATE),
    LIST("supported_signature_algorithms", 2, "signature_scheme", 2, CINCH_NUMBERS_SIGALG),
    VECTOR("certificate_authorities", 2, authority),
    DONE,
};

static const part request_13[] = {
    OPAQUE("certificate_request_context", 1),
    EXTENSIONS,
    DONE,
};

static const part verify_11[] = {OPAQUE("signature", 2), DONE};

static const part verify[] = {
    NUMBER("algorithm", 2, CINCH_NUMBERS_SIGALG),
    OPAQUE("signature", 2),
    DONE,
};

static const part finished[] = {REST("verify_data"), DONE};

static const part status[] = {
    NUMBER("status_type", 1, CINCH_NUMBERS_STATUS_TYPE),
    OPAQUE("response", 3),
    DONE,
};

static const part key_update[] = {
    NUMBER("request_update", 1, CINCH_NUMBERS_KEY_UPDATE),
    DONE,
};

static const part compressed[] = {
    NUMBER("algorithm", 2, CINCH_NUMBERS_CERTIFICATE_COMPRESSION),
    NUMBER("uncompressed_length", 3, CINCH_NUMBERS_NONE),
    OPAQUE("compressed_certificate_message", 3),
    DONE,
};

static const part next_protocol[] = {TEXT("selected_protocol", 1), OPAQUE("padding", 1), DONE};

static const part unknown[] = {REST("content"), DONE};

/* The key exchanges of TLS 1.2 and before (RFC 8422, 5.4; RFC 5246, 7.4.3; RFC 4279; RFC 5489). */
#define POINT                                                                                      \
    NUMBER("curve_type", 1, CINCH_NUMBERS_CURVE_TYPE),                                             \
        NUMBER("named_curve", 2, CINCH_NUMBERS_GROUP), OPAQUE("public", 1)
#define PRIME OPAQUE("dh_p", 2), OPAQUE("dh_g", 2), OPAQUE("dh_Ys", 2)
#define SIGNED NUMBER("algorithm", 2, CINCH_NUMBERS_SIGALG), OPAQUE("signature", 2)
#define HINT OPAQUE("psk_identity_hint", 2)
#define PSK OPAQUE("psk_identity", 2)

static const part key_ecdhe[] = {POINT, SIGNED, DONE};
static const part key_ecdhe_11[] = {POINT, OPAQUE("signature", 2), DONE};
static const part key_ecdh_anon[] = {POINT, DONE};
static const part key_dhe[] = {PRIME, SIGNED, DONE};
static const part key_dhe_11[] = {PRIME, OPAQUE("signature", 2), DONE};
static const part key_dh_anon[] = {PRIME, DONE};
static const part key_psk[] = {HINT, DONE};
static const part key_ecdhe_psk[] = {HINT, POINT, DONE};
static const part key_dhe_psk[] = {HINT, PRIME, DONE};

static const part answer_ecdhe[] = {OPAQUE("ecdh_Yc", 1), DONE};
static const part answer_dhe[] = {OPAQUE("dh_Yc", 2), DONE};
static const part answer_rsa[] = {OPAQUE("encrypted_premaster_secret", 2), DONE};
static const part answer_psk[] = {PSK, DONE};
static const part answer_ecdhe_psk[] = {PSK, OPAQUE("ecdh_Yc", 1), DONE};
static const part answer_dhe_psk[] = {PSK, OPAQUE("dh_Yc", 2), DONE};
static const part answer_rsa_psk[] = {PSK, OPAQUE("encrypted_premaster_secret", 2), DONE};

/* By how the name of the suite begins; the longer beginnings first. */
static const struct {
    const char *start;
    const part *server;
    const part *server_11; /* NULL: the same */
    const part *client;
} exchanges[] = {
    {"TLS_ECDHE_PSK_", key_ecdhe_psk, NULL, answer_ecdhe_psk},
    {"TLS_ECDHE_", key_ecdhe, key_ecdhe_11, answer_ecdhe},
    {"TLS_ECDH_anon_", key_ecdh_anon, NULL, answer_ecdhe},
    {"TLS_ECDH_", unknown, NULL, answer_ecdhe},
    {"TLS_DHE_PSK_", key_dhe_psk, NULL, answer_dhe_psk},
    {"TLS_DHE_", key_dhe, key_dhe_11, answer_dhe},
    {"TLS_DH_anon_", key_dh_anon, NULL, answer_dhe},
    {"TLS_RSA_PSK_", key_psk, NULL, answer_rsa_psk},
    {"TLS_RSA_", unknown, NULL, answer_rsa},
    {"TLS_PSK_", key_psk, NULL, answer_psk},
};

static const part *key_exchange(const cinch_wire_agreed *agreed, int of_server)
{
    const char *name = cinch_suite_name(agreed->suite);

    for (size_t i = 0; name != NULL && i < sizeof exchanges / sizeof exchanges[0]; i++) {
        if (strncmp(name, exchanges[i].start, strlen(exchanges[i].start)) != 0)
            continue;
        if (!of_server)
            return exchanges[i].client;
        return agreed->version != 0 && agreed->version < 0x0303 && exchanges[i].server_11 != NULL
                   ? exchanges[i].server_11
                   : exchanges[i].server;
    }
    return unknown;
}

/* What each type is before TLS 1.2, in it, and after; the extensions in it. */
static const struct {
    unsigned type;
    const part *old;
    const part *usual;
    const part *new;
    cinch_wire_place place;
} messages[] = {
    {0, nothing, nothing, nothing, CINCH_WIRE_IN_CLIENT_HELLO},
    {1, client_hello, client_hello, client_hello, CINCH_WIRE_IN_CLIENT_HELLO},
    {2, server_hello, server_hello, server_hello, CINCH_WIRE_IN_SERVER_HELLO},
    {3, verify_request, verify_request, verify_request, CINCH_WIRE_IN_SERVER_HELLO},
    {4, ticket, ticket, ticket_13, CINCH_WIRE_IN_TICKET},
    {5, nothing, nothing, nothing, CINCH_WIRE_IN_CLIENT_HELLO},
    {8, encrypted_extensions, encrypted_extensions, encrypted_extensions,
     CINCH_WIRE_IN_SERVER_HELLO},
    {11, certificate, certificate, certificate_13, CINCH_WIRE_IN_CERTIFICATE},
    {13, request_11, request, request_13, CINCH_WIRE_IN_REQUEST},
    {14, nothing, nothing, nothing, CINCH_WIRE_IN_SERVER_HELLO},
    {15, verify_11, verify, verify, CINCH_WIRE_IN_CERTIFICATE},
    {20, finished, finished, finished, CINCH_WIRE_IN_SERVER_HELLO},
    {22, status, status, status, CINCH_WIRE_IN_CERTIFICATE},
    {24, key_update, key_update, key_update, CINCH_WIRE_IN_SERVER_HELLO},
    {25, compressed, compressed, compressed, CINCH_WIRE_IN_CERTIFICATE},
    {67, next_protocol, next_protocol, next_protocol, CINCH_WIRE_IN_CLIENT_HELLO},
};

static const part *layout(cinch_wire_build *b, const cinch_wire_agreed *agreed, unsigned type)
{
    if (type == 12 || type == 16)
        return key_exchange(agreed, type == 12);
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        if (messages[i].type != type)
            continue;
        b->place = messages[i].place;
        if (agreed->version == 0x0304)
            return messages[i].new;
        return agreed->version != 0 && agreed->version < 0x0303 ? messages[i].old
                                                                : messages[i].usual;
    }
    return unknown;
}

void cinch_wire_handshake(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                          cinch_wire_event *event)
{
    unsigned type = event->bytes[0];
    const char *name = cinch_number_name(CINCH_NUMBERS_HANDSHAKE, type);
    cinch_wire_span body = {4, event->size};
    cinch_server_hello hello;

    cinch_wire_begin(b, event->bytes);
    const part *parts = layout(b, agreed, type);
    if (type == 2 && cinch_server_hello_read(&hello, event->bytes, event->size) && hello.is_retry) {
        name = "HelloRetryRequest";
        b->place = CINCH_WIRE_IN_RETRY;
    }
    event->name = name != NULL ? name : cinch_wire_say(b, "handshake message %u", type);
    cinch_wire_add(b, "msg_type", (cinch_wire_span){0, 1},
                   cinch_wire_number(b, CINCH_NUMBERS_HANDSHAKE, 1, type));
    cinch_wire_add(b, "length", (cinch_wire_span){1, 4}, cinch_wire_say(b, "%zu", event->size - 4));
    if (cinch_wire_read(b, parts, &body))
        cinch_wire_left(b, body);
    cinch_wire_explain(b, agreed, event);
}
