/* race.h: the state of a race between addresses; between eyeballs.c and its error texts only. */
#ifndef CINCH_STREAM_RACE_H
#define CINCH_STREAM_RACE_H

#include "stream/eyeballs.h"

enum {
    RACE_V6 = 0,
    RACE_V4 = 1,
    RACE_FAMILIES = 2
};

/* One attempt to connect. */
typedef struct cinch_attempt {
    int fd;    /* -1 when it is over */
    int error; /* errno once it failed */
    cinch_address address;
} cinch_attempt;

typedef struct cinch_race {
    const cinch_target *target;
    int64_t began;
    int64_t deadline;
    cinch_lookup *lookup; /* NULL for an address, or when both answers are here */
    int answered[RACE_FAMILIES];
    cinch_answer answers[RACE_FAMILIES];
    size_t next[RACE_FAMILIES]; /* the first address of each family that was not tried yet */
    int last;                   /* the family tried last */
    int64_t wait_v6;            /* until when an answer for IPv6 is waited for; 0: not begun */
    int64_t resolved;           /* when the first attempt began; 0: not yet */
    int64_t next_start;         /* when the next attempt may begin */
    cinch_attempt attempts[RACE_FAMILIES * CINCH_ADDRESSES];
    size_t count;
    size_t alive;
} cinch_race;

/* cinch_race_timed_out, _lost and _unknown set ERR for a race that ended without a winner. */
cinch_status cinch_race_timed_out(const cinch_race *race, cinch_error *err);
cinch_status cinch_race_lost(const cinch_race *race, cinch_error *err);
cinch_status cinch_race_unknown(const cinch_race *race, cinch_error *err);

#endif
