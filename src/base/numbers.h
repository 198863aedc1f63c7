/* numbers.h: the numbers of TLS and their names (IANA, "Transport Layer Security Parameters"). */
#ifndef CINCH_BASE_NUMBERS_H
#define CINCH_BASE_NUMBERS_H

#include <stddef.h>

typedef struct cinch_number {
    unsigned value;
    const char *name;
} cinch_number;

/* What a number stands for. */
typedef enum cinch_registry {
    CINCH_NUMBERS_NONE = 0, /* just a number */
    CINCH_NUMBERS_VERSION,
    CINCH_NUMBERS_SUITE,
    CINCH_NUMBERS_GROUP,
    CINCH_NUMBERS_SIGALG,
    CINCH_NUMBERS_EXTENSION,
    CINCH_NUMBERS_CONTENT,
    CINCH_NUMBERS_HANDSHAKE,
    CINCH_NUMBERS_COMPRESSION,
    CINCH_NUMBERS_POINT_FORMAT,
    CINCH_NUMBERS_CURVE_TYPE,
    CINCH_NUMBERS_PSK_MODE,
    CINCH_NUMBERS_NAME_TYPE,
    CINCH_NUMBERS_STATUS_TYPE,
    CINCH_NUMBERS_CLIENT_CERTIFICATE,
    CINCH_NUMBERS_CERTIFICATE_TYPE,
    CINCH_NUMBERS_CERTIFICATE_COMPRESSION,
    CINCH_NUMBERS_KEY_UPDATE,
    CINCH_NUMBERS_FRAGMENT_LENGTH,
    CINCH_NUMBERS_KDF,
    CINCH_NUMBERS_AEAD,
    CINCH_NUMBERS_HELLO_KIND,
    CINCH_NUMBERS_ALERT_LEVEL,
    CINCH_NUMBERS_ALERT,
    CINCH_NUMBERS_SSL2_SUITE
} cinch_registry;

/* cinch_number_name gives IANA's name for VALUE, "GREASE" where it means nothing; NULL for none. */
const char *cinch_number_name(cinch_registry registry, unsigned value);

/* cinch_group_common_name gives the name that people use for a group: "P-256"; NULL for none. */
const char *cinch_group_common_name(unsigned value);

/* cinch_suite_name gives IANA's name of a cipher suite; NULL for none. */
const char *cinch_suite_name(unsigned value);

/*
 * cinch_is_grease tells whether VALUE is one of those that mean nothing and are sent so that servers do
 * not forget how to ignore (RFC 8701).
 */
static inline int cinch_is_grease(unsigned value)
{
    return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

#endif
