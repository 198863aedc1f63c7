/* buffer.h: a queue of bytes: put in at the end, taken from the start, memory only while in use. */
#ifndef CINCH_BASE_BUFFER_H
#define CINCH_BASE_BUFFER_H

#include <stddef.h>

typedef struct cinch_buffer {
    unsigned char *data;
    size_t start; /* first byte in use */
    size_t end;   /* behind the last byte in use */
    size_t capacity;
} cinch_buffer;

/* cinch_buffer_used counts the bytes inside. */
size_t cinch_buffer_used(const cinch_buffer *buffer);

/* cinch_buffer_bytes gives the first byte inside. */
const unsigned char *cinch_buffer_bytes(const cinch_buffer *buffer);

/*
 * cinch_buffer_space makes room for at least WANT more bytes and gives the room, and its size in
 * *SIZE (WANT or more). NULL if there is no memory; the content stays.
 */
unsigned char *cinch_buffer_space(cinch_buffer *buffer, size_t want, size_t *size);

/* cinch_buffer_commit takes N bytes of the room into use; there must be as many. */
void cinch_buffer_commit(cinch_buffer *buffer, size_t n);

/* cinch_buffer_append copies N bytes to the end; 0 if there is no memory, else 1. */
int cinch_buffer_append(cinch_buffer *buffer, const void *bytes, size_t n);

/* cinch_buffer_consume drops the first N bytes; there must be as many. */
void cinch_buffer_consume(cinch_buffer *buffer, size_t n);

/* cinch_buffer_idle gives the memory back if nothing is inside. */
void cinch_buffer_idle(cinch_buffer *buffer);

/* cinch_buffer_free drops the content and the memory. */
void cinch_buffer_free(cinch_buffer *buffer);

#endif
