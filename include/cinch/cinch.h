/* cinch.h: all of libcinch. Each header answers one question; see libcinch(3). */
#ifndef CINCH_H
#define CINCH_H

#include <cinch/audit.h>
#include <cinch/binding.h>
#include <cinch/certificate.h>
#include <cinch/conn.h>
#include <cinch/context.h>
#include <cinch/error.h>
#include <cinch/export.h>
#include <cinch/helpers.h>
#include <cinch/host.h>
#include <cinch/identity.h>
#include <cinch/listener.h>
#include <cinch/peer.h>
#include <cinch/policy.h>
#include <cinch/psk.h>
#include <cinch/revocation.h>
#include <cinch/session.h>
#include <cinch/signer.h>
#include <cinch/starttls.h>
#include <cinch/stream.h>
#include <cinch/tickets.h>
#include <cinch/trust.h>
#include <cinch/verify.h>
#include <cinch/version.h>
#include <cinch/watch.h>
#include <cinch/wire.h>

#endif
