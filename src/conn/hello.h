/* hello.h: a ClientHello, taken apart (RFC 8446, 4.1.2). */
#ifndef CINCH_CONN_HELLO_H
#define CINCH_CONN_HELLO_H

#include <stddef.h>

/* Some bytes inside the message; empty where the message does not have it. */
typedef struct cinch_span {
    const unsigned char *bytes;
    size_t size;
} cinch_span;

typedef struct cinch_hello {
    int legacy_version;
    cinch_span ciphers;  /* pairs of bytes */
    cinch_span versions; /* pairs; empty: only legacy_version counts */
    cinch_span groups;   /* pairs */
    cinch_span sigalgs;  /* pairs */
    cinch_span alpn;     /* as on the wire, without the length of the list */
} cinch_hello;

/* cinch_hello_parse reads the handshake message of SIZE bytes. 1, or 0 if it is not well-formed. */
int cinch_hello_parse(cinch_hello *hello, const unsigned char *message, size_t size);

/* cinch_hello_has tells whether VALUE is among the pairs of SPAN. */
int cinch_hello_has(cinch_span span, int value);

/* The names of what the pairs in SPAN stand for, "a, b and 4 more"; each returns BUF. */
char *cinch_hello_versions(const cinch_hello *hello, char *buf, size_t size);
char *cinch_hello_groups(cinch_span span, char *buf, size_t size);
char *cinch_hello_sigalgs(cinch_span span, char *buf, size_t size);

/* cinch_version_text gives "TLS 1.3" for 0x0304, and "0x0a0a" in BUF for what has no name. */
const char *cinch_version_text(int version, char buf[static 16]);

/* cinch_list_pairs writes names of all pairs in SPAN with NAME_OF, which returns NULL for unknown. */
char *cinch_list_pairs(cinch_span span, const char *(*name_of)(int value, void *arg), void *arg,
                       char *buf, size_t size);

#endif
