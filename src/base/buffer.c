#include "base/buffer.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/*
 * A piece of memory for bytes on their way. Connections that have nothing on its way hold none, so busy ones
 * would take and give back the same large pieces all the time, and the allocator with the system; a few
 * are therefore kept here for the next that needs one.
 */
typedef struct piece {
    size_t capacity;
    unsigned char data[];
} piece;

/* One whole record (RFC 8446, 5.2: 16,384 + 256 and a header of 5), and a little. */
#define PIECE ((size_t)17 * 1024)
/* A larger piece is rare, and not kept. */
#define LARGEST_KEPT (20 * PIECE)
#define PLACES 8

/* Threads begin at different places, each in a cache line of its own. */
static struct place {
    _Alignas(64) _Atomic(piece *) kept;
} places[PLACES];

static size_t first_place(void)
{
    return ((uintptr_t)pthread_self() >> 12) % PLACES;
}

static piece *take_piece(size_t want)
{
    size_t first = first_place(), capacity = (want + PIECE - 1) / PIECE * PIECE;

    for (size_t i = 0; i < PLACES; i++) {
        _Atomic(piece *) *place = &places[(first + i) % PLACES].kept;

        if (atomic_load_explicit(place, memory_order_relaxed) == NULL)
            continue;
        piece *found = atomic_exchange_explicit(place, NULL, memory_order_acquire);
        if (found == NULL)
            continue;
        if (found->capacity >= want)
            return found;
        /* Too small; what is needed now will be needed again. */
        cinch_release(found);
    }
    piece *fresh = cinch_grow(NULL, sizeof *fresh + capacity);
    if (fresh != NULL)
        fresh->capacity = capacity;
    return fresh;
}

static void give_piece(unsigned char *data)
{
    size_t first = first_place();

    if (data == NULL)
        return;
    piece *p = (piece *)(void *)(data - offsetof(piece, data));
    for (size_t i = 0; i < PLACES && p->capacity <= LARGEST_KEPT; i++) {
        piece *none = NULL;

        if (atomic_compare_exchange_strong_explicit(&places[(first + i) % PLACES].kept, &none, p,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    cinch_release(p);
}

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
    if (buffer->capacity - buffer->end < want && buffer->capacity >= used + want)
        move_to_front(buffer);
    if (buffer->capacity - buffer->end < want) {
        size_t twice = used == 0 ? 0 : buffer->capacity * 2;
        piece *larger = take_piece(used + want > twice ? used + want : twice);

        if (larger == NULL)
            return NULL;
        if (used > 0)
            memcpy(larger->data, buffer->data + buffer->start, used);
        give_piece(buffer->data);
        *buffer = (cinch_buffer){larger->data, 0, used, larger->capacity};
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
    give_piece(buffer->data);
    *buffer = (cinch_buffer){0};
}
