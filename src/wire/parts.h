/*
 * parts.h: how the messages of TLS are laid out, as tables, and what reads bytes by them. The bytes are a
 * stranger's: whatever they are, nothing is read outside of them, and what does not fit is said.
 */
#ifndef CINCH_WIRE_PARTS_H
#define CINCH_WIRE_PARTS_H

#include "base/arena.h"
#include "base/numbers.h"

#include <cinch/wire.h>

typedef enum cinch_wire_form {
    CINCH_WIRE_DONE = 0,    /* ends a table */
    CINCH_WIRE_NUMBER,      /* `width` bytes, named by `registry` */
    CINCH_WIRE_BYTES,       /* `width` bytes that mean nothing to us */
    CINCH_WIRE_OPAQUE,      /* the same, their count in the first `width` bytes */
    CINCH_WIRE_TEXT,        /* text, its length in the first `width` bytes */
    CINCH_WIRE_LIST,        /* numbers of `each` bytes, their size in the first `width` */
    CINCH_WIRE_VECTOR,      /* `inside` again and again, the size of all in the first `width` */
    CINCH_WIRE_EXTENSIONS,  /* RFC 8446, 4.2; their size in the first `width` */
    CINCH_WIRE_CERTIFICATE, /* DER of one, its size in the first `width` */
    CINCH_WIRE_DN,          /* DER of a name, its size in the first `width` */
    CINCH_WIRE_REST         /* all that is left, if anything is */
} cinch_wire_form;

typedef struct cinch_wire_part {
    cinch_wire_form form;
    const char *name;
    unsigned width;
    cinch_registry registry;
    unsigned each;
    const char *item; /* the name of one in a list */
    const struct cinch_wire_part *inside;
    int optional; /* may be missing at the end */
} cinch_wire_part;

/* Which message an extension stands in: the same number has another form in each. */
typedef enum cinch_wire_place {
    CINCH_WIRE_IN_CLIENT_HELLO = 0,
    CINCH_WIRE_IN_SERVER_HELLO, /* or in EncryptedExtensions */
    CINCH_WIRE_IN_RETRY,
    CINCH_WIRE_IN_CERTIFICATE,
    CINCH_WIRE_IN_REQUEST,
    CINCH_WIRE_IN_TICKET,
    CINCH_WIRE_PLACES
} cinch_wire_place;

/* What is made of the bytes of one event. All 0 is ready to begin. */
typedef struct cinch_wire_build {
    cinch_wire_field *fields;
    size_t count;
    size_t room;
    cinch_arena texts;
    const unsigned char *bytes;
    unsigned depth;
    cinch_wire_place place;
    int no_memory;
    int malformed;
} cinch_wire_build;

/* Some of the bytes of the event. */
typedef struct cinch_wire_span {
    size_t at;
    size_t end;
} cinch_wire_span;

/* cinch_wire_begin forgets the event before and begins one about BYTES. */
void cinch_wire_begin(cinch_wire_build *b, const unsigned char *bytes);

/* cinch_wire_build_free gives back all memory. */
void cinch_wire_build_free(cinch_wire_build *b);

/* cinch_wire_say makes a text that lasts as long as the event; "" and `no_memory` if there is none. */
const char *cinch_wire_say(cinch_wire_build *b, const char *format, ...) CINCH_PRINTF(2, 3);

/* cinch_wire_add adds a field, VALUE of cinch_wire_say() or constant. */
void cinch_wire_add(cinch_wire_build *b, const char *name, cinch_wire_span where,
                    const char *value);

/* cinch_wire_hex gives bytes as text, the first of them if they are many. */
const char *cinch_wire_hex(cinch_wire_build *b, cinch_wire_span where);

/* cinch_wire_number gives a number as text, with its name in REGISTRY. */
const char *cinch_wire_number(cinch_wire_build *b, cinch_registry registry, unsigned width,
                              unsigned value);

/* cinch_wire_read reads PARTS from IN, whose start it moves: 1, or 0 where they do not fit. */
int cinch_wire_read(cinch_wire_build *b, const cinch_wire_part *parts, cinch_wire_span *in);

/* cinch_wire_left says what is left over in IN, which is an error of the sender. */
void cinch_wire_left(cinch_wire_build *b, cinch_wire_span in);

/* cinch_wire_take takes WIDTH bytes off IN as a number: 1, or 0 if there are not as many. */
int cinch_wire_take(const cinch_wire_build *b, cinch_wire_span *in, unsigned width, size_t *value);

/* cinch_wire_extension gives the form of the body of extension TYPE in PLACE; NULL if it is not known. */
const cinch_wire_part *cinch_wire_extension(unsigned type, cinch_wire_place place);

/* cinch_wire_find gives the value of the first field NAME, NULL if there is none. */
const char *cinch_wire_find(const cinch_wire_build *b, const char *name);

/* cinch_wire_join gives the values of all fields NAME, "a, b", at most MOST; "" for none. */
const char *cinch_wire_join(cinch_wire_build *b, const char *name, size_t most);

#endif
