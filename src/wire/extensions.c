/* extensions.c: how the bodies of extensions are laid out, in each message that they stand in. */
#include "wire/parts.h"

#define NUMBER(name, width, registry)                                                              \
    {                                                                                              \
        CINCH_WIRE_NUMBER, name, width, registry, 0, NULL, NULL, 0                                 \
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
#define DONE                                                                                       \
    {                                                                                              \
        CINCH_WIRE_DONE, NULL, 0, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0                             \
    }

typedef cinch_wire_part part;

static const part nothing[] = {DONE};
static const part server_name[] = {NUMBER("name_type", 1, CINCH_NUMBERS_NAME_TYPE),
                                   TEXT("host_name", 2), DONE};
static const part server_names[] = {VECTOR("server_name_list", 2, server_name), DONE};
static const part fragment_length[] = {
    NUMBER("max_fragment_length", 1, CINCH_NUMBERS_FRAGMENT_LENGTH), DONE};
static const part status_request[] = {NUMBER("status_type", 1, CINCH_NUMBERS_STATUS_TYPE),
                                      OPAQUE("responder_id_list", 2),
                                      OPAQUE("request_extensions", 2), DONE};
static const part status[] = {NUMBER("status_type", 1, CINCH_NUMBERS_STATUS_TYPE),
                              OPAQUE("response", 3), DONE};
static const part groups[] = {LIST("named_group_list", 2, "named_group", 2, CINCH_NUMBERS_GROUP),
                              DONE};
static const part point_formats[] = {
    LIST("ec_point_format_list", 1, "ec_point_format", 1, CINCH_NUMBERS_POINT_FORMAT), DONE};
static const part sigalgs[] = {
    LIST("supported_signature_algorithms", 2, "signature_scheme", 2, CINCH_NUMBERS_SIGALG), DONE};
static const part protocol[] = {TEXT("protocol_name", 1), DONE};
static const part protocols[] = {VECTOR("protocol_name_list", 2, protocol), DONE};
static const part scts_inside[] = {OPAQUE("signed_certificate_timestamp", 2), DONE};
static const part scts[] = {VECTOR("sct_list", 2, scts_inside), DONE};
static const part type_list[] = {
    LIST("certificate_types", 1, "certificate_type", 1, CINCH_NUMBERS_CERTIFICATE_TYPE), DONE};
static const part type_one[] = {NUMBER("certificate_type", 1, CINCH_NUMBERS_CERTIFICATE_TYPE),
                                DONE};
static const part padding[] = {REST("padding"), DONE};
static const part compress[] = {
    LIST("algorithms", 1, "algorithm", 2, CINCH_NUMBERS_CERTIFICATE_COMPRESSION), DONE};
static const part size_limit[] = {NUMBER("record_size_limit", 2, CINCH_NUMBERS_NONE), DONE};
static const part ticket[] = {REST("ticket"), DONE};
static const part identity[] = {OPAQUE("identity", 2),
                                NUMBER("obfuscated_ticket_age", 4, CINCH_NUMBERS_NONE), DONE};
static const part binder[] = {OPAQUE("binder", 1), DONE};
static const part offered_psks[] = {VECTOR("identities", 2, identity), VECTOR("binders", 2, binder),
                                    DONE};
static const part selected_psk[] = {NUMBER("selected_identity", 2, CINCH_NUMBERS_NONE), DONE};
static const part early_size[] = {NUMBER("max_early_data_size", 4, CINCH_NUMBERS_NONE), DONE};
static const part versions[] = {LIST("versions", 1, "version", 2, CINCH_NUMBERS_VERSION), DONE};
static const part selected_version[] = {NUMBER("selected_version", 2, CINCH_NUMBERS_VERSION), DONE};
static const part cookie[] = {OPAQUE("cookie", 2), DONE};
static const part psk_modes[] = {LIST("ke_modes", 1, "ke_mode", 1, CINCH_NUMBERS_PSK_MODE), DONE};
static const part authority[] = {
    {CINCH_WIRE_DN, "distinguished_name", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0}, DONE};
static const part authorities[] = {VECTOR("authorities", 2, authority), DONE};
static const part share[] = {NUMBER("group", 2, CINCH_NUMBERS_GROUP), OPAQUE("key_exchange", 2),
                             DONE};
static const part shares[] = {VECTOR("client_shares", 2, share), DONE};
static const part selected_group[] = {NUMBER("selected_group", 2, CINCH_NUMBERS_GROUP), DONE};
static const part quic[] = {REST("transport_parameters"), DONE};
static const part connection_id[] = {OPAQUE("cid", 1), DONE};
static const part next_protocols[] = {
    TEXT("protocol_name", 1), {.form = CINCH_WIRE_REST, .name = "more_protocols"}, DONE};
static const part renegotiation[] = {OPAQUE("renegotiated_connection", 1), DONE};
static const part heartbeat[] = {NUMBER("mode", 1, CINCH_NUMBERS_NONE), DONE};
static const part anything[] = {REST("content"), DONE};

/* The outer one (draft-ietf-tls-esni): what is protected, and for which key of the server. */
static const part hello_outer[] = {
    NUMBER("type", 1, CINCH_NUMBERS_HELLO_KIND),
    {CINCH_WIRE_NUMBER, "kdf", 2, CINCH_NUMBERS_KDF, 0, NULL, NULL, 1},
    {CINCH_WIRE_NUMBER, "aead", 2, CINCH_NUMBERS_AEAD, 0, NULL, NULL, 1},
    {CINCH_WIRE_NUMBER, "config_id", 1, CINCH_NUMBERS_NONE, 0, NULL, NULL, 1},
    {CINCH_WIRE_OPAQUE, "enc", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 1},
    {CINCH_WIRE_OPAQUE, "payload", 2, CINCH_NUMBERS_NONE, 0, NULL, NULL, 1},
    DONE,
};
static const part hello_retry[] = {
    {CINCH_WIRE_BYTES, "confirmation", 8, CINCH_NUMBERS_NONE, 0, NULL, NULL, 0}, DONE};
static const part hello_configs[] = {OPAQUE("retry_configs", 2), DONE};

/* ClientHello, ServerHello, HelloRetryRequest, Certificate, CertificateRequest, NewSessionTicket. */
static const struct {
    unsigned type;
    const part *in[CINCH_WIRE_PLACES];
} extensions[] = {
    {0, {server_names, nothing}},
    {1, {fragment_length, fragment_length}},
    {5, {status_request, nothing, NULL, status, status_request}},
    {10, {groups, groups}},
    {11, {point_formats, point_formats}},
    {13, {sigalgs, NULL, NULL, NULL, sigalgs}},
    {15, {heartbeat, heartbeat}},
    {16, {protocols, protocols}},
    {18, {nothing, scts, NULL, scts, nothing}},
    {19, {type_list, type_one}},
    {20, {type_list, type_one}},
    {21, {padding}},
    {22, {nothing, nothing}},
    {23, {nothing, nothing}},
    {27, {compress, NULL, NULL, NULL, compress}},
    {28, {size_limit, size_limit}},
    {34, {sigalgs}},
    {35, {ticket, nothing}},
    {41, {offered_psks, selected_psk}},
    {42, {nothing, nothing, NULL, NULL, NULL, early_size}},
    {43, {versions, selected_version, selected_version}},
    {44, {cookie, NULL, cookie}},
    {45, {psk_modes}},
    {47, {authorities, NULL, NULL, NULL, authorities}},
    {49, {nothing}},
    {50, {sigalgs, NULL, NULL, NULL, sigalgs}},
    {51, {shares, share, selected_group}},
    {54, {connection_id, connection_id}},
    {57, {quic, quic}},
    {13172, {nothing, next_protocols}},
    {17513, {protocols}},
    {17613, {protocols}},
    {65037, {hello_outer, hello_configs, hello_retry}},
    {65281, {renegotiation, renegotiation}},
};

const cinch_wire_part *cinch_wire_extension(unsigned type, cinch_wire_place place)
{
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (extensions[i].type == type)
            return extensions[i].in[place] != NULL ? extensions[i].in[place] : anything;
    return NULL;
}
