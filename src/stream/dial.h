/* dial.h: dialling with another way to find addresses; tests put their own in place. */
#ifndef CINCH_STREAM_DIAL_H
#define CINCH_STREAM_DIAL_H

#include "stream/resolve.h"

#include <cinch/starttls.h>

/* cinch_dial_through is cinch_dial_with() that asks RESOLVER for the addresses of names. */
cinch_stream *cinch_dial_through(cinch_context *ctx, const char *host, const char *port,
                                 const cinch_dial_options *options, const cinch_resolver *resolver,
                                 cinch_error *err);

/* cinch_dial_upgrading does so, with the dialogue of UPGRADE, unless that is NULL, before TLS. */
cinch_stream *cinch_dial_upgrading(cinch_context *ctx, const char *host, const char *port,
                                   const cinch_dial_options *options,
                                   const cinch_resolver *resolver, cinch_upgrade *upgrade,
                                   cinch_error *err);

#endif
