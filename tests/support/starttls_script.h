/* What servers say before TLS, as scripts; the machine of starttls.h is the client in them. */
#ifndef CINCH_TESTS_STARTTLS_SCRIPT_H
#define CINCH_TESTS_STARTTLS_SCRIPT_H

#include <cinch/starttls.h>

/* Bytes; a text's size is 0 here, binary ones say theirs. */
typedef struct script_part {
    const char *bytes;
    size_t size;
} script_part;

/* The server says `server[0]`, then hears `client[0]`, and so on. Who does not begin has "" first. */
typedef struct script {
    cinch_starttls_protocol protocol;
    script_part server[5];
    script_part client[5];
} script;

/* One for each protocol, and some for what servers do differently, that end in TLS. */
extern const script script_right[];
extern const size_t script_right_count;

size_t script_size(const script_part *part);

/* The options that every script is written for. */
extern const cinch_starttls_options script_options;

#endif
