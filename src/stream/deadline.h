/* deadline.h: how long a call may wait, as a moment on the clock that never goes back. */
#ifndef CINCH_STREAM_DEADLINE_H
#define CINCH_STREAM_DEADLINE_H

#include <cinch/stream.h>
#include <stdint.h>

/* A moment of cinch_clock_us(), or CINCH_NEVER. */
#define CINCH_NEVER INT64_MAX

/* cinch_deadline_in gives the moment MILLISECONDS from now; CINCH_NEVER for CINCH_FOREVER. */
int64_t cinch_deadline_in(int milliseconds);

/* cinch_deadline_after gives the moment MILLISECONDS after NOW; CINCH_NEVER for CINCH_FOREVER. */
int64_t cinch_deadline_after(int64_t now, int milliseconds);

/* cinch_deadline_first gives the earlier of two moments. */
int64_t cinch_deadline_first(int64_t a, int64_t b);

/* cinch_deadline_passed tells whether DEADLINE has come. 1 or 0. */
int cinch_deadline_passed(int64_t deadline);

/* cinch_deadline_poll gives what poll() wants: milliseconds, rounded up; -1 for CINCH_NEVER. */
int cinch_deadline_poll(int64_t deadline);

/*
 * cinch_wait waits until FD is ready for EVENTS (as for poll()), across interruptions by signals.
 * 1 when it is, 0 when DEADLINE passed, -1 with errno on failure.
 */
int cinch_wait(int fd, short events, int64_t deadline);

/* cinch_duration_text writes a duration of MICROSECONDS as "250 ms" or "15 s"; returns BUF. */
#define CINCH_DURATION_TEXT 32
const char *cinch_duration_text(int64_t microseconds, char buf[static CINCH_DURATION_TEXT]);

/*
 * cinch_timeouts_fill copies FROM (or NULL) to TO with the standard values where FROM has 0. An
 * error for negative values other than CINCH_FOREVER; TO stays then.
 */
cinch_status cinch_timeouts_fill(cinch_timeouts *to, const cinch_timeouts *from, cinch_error *err);

#endif
