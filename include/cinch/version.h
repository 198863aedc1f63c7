#ifndef CINCH_VERSION_H
#define CINCH_VERSION_H

#include <cinch/export.h>

CINCH_BEGIN_DECLS

/* The version of the headers that the program was compiled with. */
#define CINCH_VERSION_STRING "0.1.0"

/*
 * cinch_version returns the version of the library that the program runs
 * with, such as "0.1.0". It is never NULL and lives as long as the process.
 * Any thread may call it.
 */
CINCH_API const char *cinch_version(void);

/*
 * cinch_version_accel returns whose AES-GCM new connections use: "libipsec-mb 1.3.0", or "OpenSSL's
 * own: " and why. CINCH_ACCEL=0 in the environment makes it OpenSSL's. It is never NULL and lives as long as the
 * process. Any thread may call it.
 */
CINCH_API const char *cinch_version_accel(void);

/*
 * cinch_version_keys returns whose derivation of keys (RFC 8446, 7.1; RFC 5246, 5) new connections use: "libcinch",
 * or "OpenSSL's own" and maybe why. Otherwise it is like cinch_version_accel.
 */
CINCH_API const char *cinch_version_keys(void);

CINCH_END_DECLS

#endif
