#include "base/arena.h"

#include "base/memory.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Holds the texts of a usual certificate and its DER in one block. */
#define BLOCK_SIZE 4096u

struct cinch_arena_block {
    struct cinch_arena_block *next;
    size_t used;
    size_t size;
    max_align_t start[];
};

void *cinch_arena_take(cinch_arena *arena, size_t size)
{
    struct cinch_arena_block *block = arena->blocks;
    size_t unit = sizeof(max_align_t);

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + unit - 1) / unit * unit;
    if (block == NULL || block->size - block->used < size) {
        size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = cinch_alloc(sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->size = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = (char *)block->start + block->used;
    block->used += size;
    return memory;
}

const void *cinch_arena_bytes(cinch_arena *arena, const void *bytes, size_t size)
{
    void *memory = cinch_arena_take(arena, size);

    if (memory != NULL && size > 0)
        memcpy(memory, bytes, size);
    return memory;
}

const char *cinch_arena_text(cinch_arena *arena, const char *text)
{
    return cinch_arena_bytes(arena, text, strlen(text) + 1);
}

void cinch_arena_free(cinch_arena *arena)
{
    while (arena->blocks != NULL) {
        struct cinch_arena_block *next = arena->blocks->next;

        cinch_release(arena->blocks);
        arena->blocks = next;
    }
}
