/* capture.h: captures in the formats of libpcap and Wireshark, down to the bytes that TCP carries. */
#ifndef CINCH_CLI_CAPTURE_H
#define CINCH_CLI_CAPTURE_H

#include "cli.h"

#include <stdint.h>

/* One end of a connection: an address of IPv4 or IPv6, and a port. */
typedef struct capture_end {
    unsigned char address[16];
    uint8_t size; /* of the address: 4 or 16 */
    uint16_t port;
} capture_end;

/* A piece of a connection as it was on the wire. */
typedef struct capture_segment {
    capture_end from;
    capture_end to;
    uint32_t sequence;
    bool syn;
    bool ack;
    bool fin; /* or a reset */
    const unsigned char *bytes;
    size_t size;  /* as many as were captured */
    size_t whole; /* as many as there were */
    int64_t when; /* in microseconds since 1970 */
} capture_segment;

typedef void (*capture_callback)(const capture_segment *segment, void *arg);

/* What a capture had that is no piece of a connection. */
typedef struct capture_counts {
    size_t packets;
    size_t other;     /* not TCP over IP */
    size_t fragments; /* of IP: not put together */
} capture_counts;

/*
 * capture_read tells CALLBACK of each piece in the file PATH ("-": standard input). False with ERR if it
 * cannot be read to its end; what came before was told of.
 */
bool capture_read(const char *path, capture_callback callback, void *arg, capture_counts *counts,
                  cinch_error *err);

/* capture_end_text writes "127.0.0.1:443" or "[::1]:443" into BUF and returns it. */
const char *capture_end_text(const capture_end *end, char *buf, size_t size);

#endif
