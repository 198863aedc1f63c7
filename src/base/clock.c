#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t cinch_clock_us(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t cinch_clock_wall(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    return (int64_t)now.tv_sec;
}

const char *cinch_clock_text(int64_t when, char buf[static 32])
{
    time_t seconds = (time_t)when;
    struct tm parts;

    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(buf, 32, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
        snprintf(buf, 32, "%lld", (long long)when);
    return buf;
}
