#include "conn/pace.h"

/* With 29 bytes around it (TLS 1.2; 22 with TLS 1.3) a record of 1,300, which fits any packet. */
#define SMALL_DATA ((size_t)1271)
#define SMALL_FOR ((size_t)64 * 1024)

/* TCP begins slowly again after a pause of about a round trip's time (RFC 5681, 4.1). */
#define PAUSE_US 1000000

size_t cinch_pace_next(cinch_pace *pace, size_t largest, int quick, int64_t now)
{
    if (!quick)
        return largest;
    if (pace->last_at == 0 || now - pace->last_at > PAUSE_US)
        pace->small_left = SMALL_FOR;
    return pace->small_left > 0 && largest > SMALL_DATA ? SMALL_DATA : largest;
}

void cinch_pace_sent(cinch_pace *pace, size_t n, int64_t now)
{
    pace->small_left -= n < pace->small_left ? n : pace->small_left;
    pace->last_at = now;
}
