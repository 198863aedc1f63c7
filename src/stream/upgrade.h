/* upgrade.h: the dialogue before TLS on a socket. */
#ifndef CINCH_STREAM_UPGRADE_H
#define CINCH_STREAM_UPGRADE_H

#include <cinch/starttls.h>
#include <stdint.h>

/*
 * cinch_upgrade_run does the dialogue of UPGRADE on FD, within LIMIT_MS that end at DEADLINE. After
 * CINCH_OK nothing was read of what follows the consent, and nothing had come there.
 */
cinch_status cinch_upgrade_run(cinch_upgrade *upgrade, int fd, int limit_ms, int64_t deadline,
                               cinch_error *err);

#endif
