/*
 * pace.h: how large the records of a connection are. A record can be read only when all of it is
 * there: at the start, while TCP's window is small, one of 16 KiB waits for several round trips.
 */
#ifndef CINCH_CONN_PACE_H
#define CINCH_CONN_PACE_H

#include <stddef.h>
#include <stdint.h>

typedef struct cinch_pace {
    size_t small_left; /* so many bytes go in small records yet */
    int64_t last_at;   /* 0: nothing was sent before */
} cinch_pace;

/* cinch_pace_next gives the most data for the next record at NOW, in microseconds, if that is QUICK. */
size_t cinch_pace_next(cinch_pace *pace, size_t largest, int quick, int64_t now);

/* cinch_pace_sent counts N bytes that were sent at NOW. */
void cinch_pace_sent(cinch_pace *pace, size_t n, int64_t now);

#endif
