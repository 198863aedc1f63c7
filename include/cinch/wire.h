/*
 * wire.h: what does an observer see?
 *
 * A decoder takes the bytes that the two sides of a connection send, in pieces of any size, and tells
 * a callback of every record and of every message that is in clear, part by part. It does no I/O, has
 * no keys and no clock: the bytes may come from a tap, from a capture (cinch-wire(1)), or from a conn,
 * which feeds one by itself after cinch_conn_wire().
 *
 * It reads SSL 3.0 to TLS 1.3 and the hello of SSL 2.0, over a stream; neither DTLS nor QUIC. It
 * believes nobody: whatever comes, it is told as a record, a message or a problem.
 *
 * Threads: a decoder is used by one thread at a time.
 */
#ifndef CINCH_WIRE_H
#define CINCH_WIRE_H

#include <cinch/stream.h>
#include <stdint.h>

CINCH_BEGIN_DECLS

typedef struct cinch_wire cinch_wire;

/* Who sent something: the client is whoever began. */
typedef enum cinch_wire_side {
    CINCH_WIRE_CLIENT = 0,
    CINCH_WIRE_SERVER = 1
} cinch_wire_side;

typedef enum cinch_wire_kind {
    CINCH_WIRE_RECORD = 1,  /* a whole record (RFC 8446, 5.1) */
    CINCH_WIRE_MESSAGE = 2, /* a handshake message, an alert, a change_cipher_spec, data */
    CINCH_WIRE_PROBLEM = 3  /* what is not as TLS has it, or cannot be read any further */
} cinch_wire_kind;

/* A part of a record or message. Those inside of it follow, one deeper. */
typedef struct cinch_wire_field {
    const char *name; /* as the RFCs and IANA have it: "cipher_suites" */
    const char
        *value;    /* text fit for a terminal, names of numbers included; "" for a mere holder */
    size_t offset; /* of its first byte in the event's bytes; a vector's length belongs to it */
    size_t size;
    unsigned depth; /* 0: a part of the event itself */
} cinch_wire_field;

/* What passed by. Lent to the callback, until it returns. Fields may be added at the end. */
typedef struct cinch_wire_event {
    cinch_wire_kind kind;
    cinch_wire_side sender;
    uint64_t position; /* of the record's first byte among all that SENDER sent, from 0 */
    uint64_t record;   /* its number among SENDER's, from 0; of a message: where it ends */
    int content_type;  /* of the record, as it says; of a message: what it is */
    int version;       /* the record's, as it says: 0x0303 */
    int is_protected;  /* a record that only the two ends can read */
    int is_inside;     /* a message from inside of one: see cinch_wire_inside() */
    int is_malformed;  /* its parts are not as they should be */
    const char *name;  /* "handshake", "ClientHello", "alert" */
    const char *text;  /* the essence in a line, "" if there is none: "for www.example.com" */
    const char *note;  /* what an observer should know about it; "" if nothing */
    const unsigned char *bytes; /* the record with its header; the message with its own */
    size_t size;
    const cinch_wire_field *fields;
    size_t field_count;
} cinch_wire_event;

/*
 * cinch_wire_callback is told of EVENT. It must not call anything on the decoder or the conn; but when it is
 * told of a protected record, cinch_wire_inside() may be called for it, after which EVENT is of no use.
 */
typedef void (*cinch_wire_callback)(const cinch_wire_event *event, void *arg);

/*
 * cinch_wire_new makes a decoder that tells CALLBACK, with ARG, of one connection. Returns NULL and
 * sets ERR on failure. Free it with cinch_wire_free().
 */
CINCH_API cinch_wire *cinch_wire_new(cinch_wire_callback callback, void *arg, cinch_error *err);

/* cinch_wire_free frees a decoder; CALLBACK is not called any more. NULL is fine. */
CINCH_API void cinch_wire_free(cinch_wire *wire);

/*
 * cinch_wire_feed tells that SENDER sent SIZE BYTES more. Both sides' bytes should come in the order
 * in which they passed by: what is protected depends on what the other side said before. Fails only
 * for misuse and when memory runs out; after that it tells of nothing more.
 */
CINCH_API cinch_status cinch_wire_feed(cinch_wire *wire, cinch_wire_side sender, const void *bytes,
                                       size_t size, cinch_error *err);

/*
 * cinch_wire_end tells that SENDER sends nothing more. What ends in the middle of a record or of a
 * message is a problem.
 */
CINCH_API cinch_status cinch_wire_end(cinch_wire *wire, cinch_wire_side sender, cinch_error *err);

/*
 * cinch_wire_inside tells what was inside of the protected record of SENDER that was told of last:
 * SIZE BYTES of CONTENT_TYPE, known to somebody with the keys. BYTES may be NULL for data of which only
 * the size is known. The messages are told of with `is_inside`.
 */
CINCH_API cinch_status cinch_wire_inside(cinch_wire *wire, cinch_wire_side sender, int content_type,
                                         const void *bytes, size_t size, cinch_error *err);

/* What cinch_conn_wire() shows beside what any observer sees. */
#define CINCH_WIRE_INSIDE 1 /* the handshake inside of protected records, and the size of data */

/*
 * cinch_conn_wire has CALLBACK told, with ARG, of all that CONN sends and takes from now on; before
 * the handshake begins. FLAGS is 0, or CINCH_WIRE_INSIDE to show protected messages as well, which
 * only the two ends should know: certificates, and tickets with which a session is resumed. CALLBACK
 * NULL stops it. CALLBACK is called within calls on CONN, cinch_conn_free() among them; ARG must stay
 * valid as long as CONN. If memory runs out the connection goes on, and CALLBACK is told of that
 * problem and of nothing more.
 */
CINCH_API cinch_status cinch_conn_wire(cinch_conn *conn, cinch_wire_callback callback, void *arg,
                                       int flags, cinch_error *err);

/* cinch_stream_wire is cinch_conn_wire() for the connection of STREAM (see no_handshake, stream.h). */
CINCH_API cinch_status cinch_stream_wire(cinch_stream *stream, cinch_wire_callback callback,
                                         void *arg, int flags, cinch_error *err);

CINCH_END_DECLS

#endif
