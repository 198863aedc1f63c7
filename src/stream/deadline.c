#include "stream/deadline.h"

#include "base/clock.h"
#include "base/fail.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

int64_t cinch_deadline_in(int milliseconds)
{
    return milliseconds < 0 ? CINCH_NEVER : cinch_deadline_after(cinch_clock_us(), milliseconds);
}

int64_t cinch_deadline_after(int64_t now, int milliseconds)
{
    return milliseconds < 0 ? CINCH_NEVER : now + (int64_t)milliseconds * 1000;
}

int64_t cinch_deadline_first(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int cinch_deadline_passed(int64_t deadline)
{
    return deadline != CINCH_NEVER && cinch_clock_us() >= deadline;
}

int cinch_deadline_poll(int64_t deadline)
{
    if (deadline == CINCH_NEVER)
        return -1;
    int64_t left = deadline - cinch_clock_us();
    if (left <= 0)
        return 0;
    left = (left + 999) / 1000;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int cinch_wait(int fd, short events, int64_t deadline)
{
    struct pollfd one = {.fd = fd, .events = events};

    for (;;) {
        int ready = poll(&one, 1, cinch_deadline_poll(deadline));

        if (ready > 0 && (one.revents & POLLNVAL)) {
            errno = EBADF;
            return -1;
        }
        if (ready > 0)
            return 1;
        if (ready < 0 && errno != EINTR)
            return -1;
        if (cinch_deadline_passed(deadline))
            return 0;
    }
}

const char *cinch_duration_text(int64_t microseconds, char buf[static CINCH_DURATION_TEXT])
{
    long long ms = (microseconds + 500) / 1000;

    if (ms < 1000)
        (void)snprintf(buf, CINCH_DURATION_TEXT, "%lld ms", ms);
    else if (ms % 1000 == 0 || ms >= 100000)
        (void)snprintf(buf, CINCH_DURATION_TEXT, "%lld s", ms / 1000);
    else
        (void)snprintf(buf, CINCH_DURATION_TEXT, "%lld.%lld s", ms / 1000, ms % 1000 / 100);
    return buf;
}

static int fill_one(int *to, int from, int standard)
{
    *to = from == 0 ? standard : from;
    return from >= CINCH_FOREVER;
}

cinch_status cinch_timeouts_fill(cinch_timeouts *to, const cinch_timeouts *from, cinch_error *err)
{
    static const cinch_timeouts standard = {15000, 15000, 300000, 60000};
    cinch_timeouts filled;

    if (from == NULL)
        from = &standard;
    if (!fill_one(&filled.connect_ms, from->connect_ms, standard.connect_ms) ||
        !fill_one(&filled.handshake_ms, from->handshake_ms, standard.handshake_ms) ||
        !fill_one(&filled.read_ms, from->read_ms, standard.read_ms) ||
        !fill_one(&filled.write_ms, from->write_ms, standard.write_ms)) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "a timeout is negative");
        cinch_fail_evidence(err, "connect %d ms, handshake %d ms, read %d ms, write %d ms",
                            from->connect_ms, from->handshake_ms, from->read_ms, from->write_ms);
        cinch_fail_remedy(err, "give milliseconds, 0 for the standard, or CINCH_FOREVER (-1)");
        return CINCH_FAILED;
    }
    *to = filled;
    return CINCH_OK;
}
