/* arena.h: many small pieces that live and die together. */
#ifndef CINCH_BASE_ARENA_H
#define CINCH_BASE_ARENA_H

#include <stddef.h>

/* All 0 is an empty arena. */
typedef struct cinch_arena {
    struct cinch_arena_block *blocks;
} cinch_arena;

/* Each gives memory that lasts until cinch_arena_free(), zeroed or copied; NULL if there is none. */
void *cinch_arena_take(cinch_arena *arena, size_t size);
const char *cinch_arena_text(cinch_arena *arena, const char *text);
const void *cinch_arena_bytes(cinch_arena *arena, const void *bytes, size_t size);

void cinch_arena_free(cinch_arena *arena);

#endif
