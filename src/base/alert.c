/* alert.c: the alerts of TLS (RFC 8446, 6, and the registry of IANA), in words. */
#include "base/fail.h"

#include <stddef.h>

static const struct {
    int number;
    const char *name;
    const char *meaning;
} alerts[] = {
    {0, "close_notify", "the connection ends here, in good order"},
    {10, "unexpected_message", "a message came out of turn"},
    {20, "bad_record_mac", "a record was damaged or made with other keys"},
    {21, "decryption_failed", "a record could not be decrypted"},
    {22, "record_overflow", "a record was longer than allowed"},
    {30, "decompression_failure", "compressed data could not be unpacked"},
    {40, "handshake_failure", "no acceptable set of parameters was found"},
    {41, "no_certificate", "no certificate was given"},
    {42, "bad_certificate", "a certificate was damaged or did not verify"},
    {43, "unsupported_certificate", "a certificate is of a type or for a purpose not accepted"},
    {44, "certificate_revoked", "a certificate was revoked by its issuer"},
    {45, "certificate_expired", "a certificate has expired or is not valid yet"},
    {46, "certificate_unknown", "a certificate was not accepted for some other reason"},
    {47, "illegal_parameter", "a field of the handshake is out of range or contradicts another"},
    {48, "unknown_ca", "a certificate does not lead to a trusted issuer"},
    {49, "access_denied", "the certificate is good, but whoever has it is not let in"},
    {50, "decode_error", "a message could not be read"},
    {51, "decrypt_error", "a signature or a Finished message did not verify"},
    {60, "export_restriction", "export-grade ciphers were attempted"},
    {70, "protocol_version", "the protocol versions offered are not supported"},
    {71, "insufficient_security", "stronger parameters are required than were offered"},
    {80, "internal_error", "something failed inside the sender, unrelated to the peer"},
    {86, "inappropriate_fallback", "the client retried with an older version than needed"},
    {90, "user_canceled", "the user gave the handshake up"},
    {100, "no_renegotiation", "renegotiation is refused"},
    {109, "missing_extension", "an extension that is required was not sent"},
    {110, "unsupported_extension", "an extension was sent that had not been asked for"},
    {111, "certificate_unobtainable", "a certificate could not be fetched from the URL given"},
    {112, "unrecognized_name", "the server does not know the name it was asked for"},
    {113, "bad_certificate_status_response", "the stapled OCSP response is not acceptable"},
    {114, "bad_certificate_hash_value", "a fetched certificate does not match its digest"},
    {115, "unknown_psk_identity", "the pre-shared key's name is not known"},
    {116, "certificate_required", "a client certificate is required and none was given"},
    {120, "no_application_protocol", "no application protocol (ALPN) in common"},
    {121, "ech_required", "Encrypted Client Hello is required"},
};

#define ALERT_COUNT (sizeof alerts / sizeof alerts[0])

const char *cinch_alert_name(int description)
{
    for (size_t i = 0; i < ALERT_COUNT; i++)
        if (alerts[i].number == description)
            return alerts[i].name;
    return "unknown alert";
}

const char *cinch_alert_meaning(int description)
{
    for (size_t i = 0; i < ALERT_COUNT; i++)
        if (alerts[i].number == description)
            return alerts[i].meaning;
    return "no alert of that number is registered";
}
