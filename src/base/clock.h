/* clock.h: the two clocks. Tests may put others in place. */
#ifndef CINCH_BASE_CLOCK_H
#define CINCH_BASE_CLOCK_H

#include <stdint.h>

/* cinch_clock_us is the time since some fixed moment, in microseconds; it never goes back. */
int64_t cinch_clock_us(void);

/* cinch_clock_wall is the time in seconds since 1970-01-01 00:00:00 UTC; -1 if it cannot be told. */
int64_t cinch_clock_wall(void);

/* cinch_clock_text writes WHEN as "2026-11-21 09:30:00 UTC" into BUF and returns BUF. */
const char *cinch_clock_text(int64_t when, char buf[static 32]);

#endif
