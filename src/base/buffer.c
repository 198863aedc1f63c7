#include "base/buffer.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

/* A first allocation holds one whole record (RFC 8446, 5.2: 16,384 + 256 and a header of 5). */
#define FIRST_CAPACITY 16709u

size_t cinch_buffer_used(const cinch_buffer *buffer)
{
    return buffer->end - buffer->start;
}

const unsigned char *cinch_buffer_bytes(const cinch_buffer *buffer)
{
    return buffer->data + buffer->start;
}

static void move_to_front(cinch_buffer *buffer)
{
    size_t used = cinch_buffer_used(buffer);

    if (buffer->start == 0)
        return;
    if (used > 0)
        memmove(buffer->data, buffer->data + buffer->start, used);
    buffer->start = 0;
    buffer->end = used;
}

unsigned char *cinch_buffer_space(cinch_buffer *buffer, size_t want, size_t *size)
{
    size_t used = cinch_buffer_used(buffer);

    if (want > SIZE_MAX / 4 - used)
        return NULL;
    if (buffer->capacity - buffer->end < want) {
        move_to_front(buffer);
        if (buffer->capacity < used + want) {
            size_t capacity = buffer->capacity == 0 ? FIRST_CAPACITY : buffer->capacity * 2;

            if (capacity < used + want)
                capacity = used + want;
            unsigned char *data = cinch_grow(buffer->data, capacity);
            if (data == NULL)
                return NULL;
            buffer->data = data;
            buffer->capacity = capacity;
        }
    }
    *size = buffer->capacity - buffer->end;
    return buffer->data + buffer->end;
}

void cinch_buffer_commit(cinch_buffer *buffer, size_t n)
{
    buffer->end += n;
}

int cinch_buffer_append(cinch_buffer *buffer, const void *bytes, size_t n)
{
    size_t size;

    if (n == 0)
        return 1;
    unsigned char *space = cinch_buffer_space(buffer, n, &size);
    if (space == NULL)
        return 0;
    memcpy(space, bytes, n);
    cinch_buffer_commit(buffer, n);
    return 1;
}

void cinch_buffer_consume(cinch_buffer *buffer, size_t n)
{
    buffer->start += n;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void cinch_buffer_idle(cinch_buffer *buffer)
{
    if (cinch_buffer_used(buffer) == 0)
        cinch_buffer_free(buffer);
}

void cinch_buffer_free(cinch_buffer *buffer)
{
    cinch_release(buffer->data);
    *buffer = (cinch_buffer){0};
}
