/* messages.h: what is in a message of TLS, and what it means to who sees it. */
#ifndef CINCH_WIRE_MESSAGES_H
#define CINCH_WIRE_MESSAGES_H

#include "wire/parts.h"

/* What was agreed before, which the form of messages depends on. 0: not known. */
typedef struct cinch_wire_agreed {
    int version;
    unsigned suite;
} cinch_wire_agreed;

/* What a ServerHello says. */
typedef struct cinch_server_hello {
    int version; /* of supported_versions, else the legacy one */
    unsigned suite;
    int is_retry;      /* a HelloRetryRequest */
    unsigned sentinel; /* the last byte of a downgrade sentinel plus 1; 0 if there is none */
} cinch_server_hello;

/* cinch_server_hello_read reads a handshake message (RFC 8446, 4.1.3): 1, or 0 if it is none. */
int cinch_server_hello_read(cinch_server_hello *hello, const unsigned char *message, size_t size);

/* cinch_wire_handshake makes fields, name, text and note of the handshake message in EVENT. */
void cinch_wire_handshake(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                          cinch_wire_event *event);

/* cinch_wire_other does so for alerts, change_cipher_spec, data and heartbeats. */
void cinch_wire_other(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                      cinch_wire_event *event);

/* cinch_wire_record does so for a record. */
void cinch_wire_record(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                       cinch_wire_event *event);

/* cinch_wire_old_hello does so for a ClientHello in the form of SSL 2.0 (RFC 5246, E.2). */
void cinch_wire_old_hello(cinch_wire_build *b, cinch_wire_event *event);

/* cinch_wire_explain fills text and note of a handshake message from its fields (essence.c). */
void cinch_wire_explain(cinch_wire_build *b, const cinch_wire_agreed *agreed,
                        cinch_wire_event *event);

/* What a peer speaks that does not speak TLS, told from its first bytes (other.c). */
typedef struct cinch_protocol {
    const char *start;
    const char *name;
    const char *remedy;
} cinch_protocol;

/* cinch_protocol_of finds it; NULL if it is none that is known. */
const cinch_protocol *cinch_protocol_of(const unsigned char *bytes, size_t size);

#endif
