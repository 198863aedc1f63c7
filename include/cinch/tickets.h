/*
 * tickets.h: how do the keys of session tickets live and die?
 *
 * A server that gives out tickets keeps a secret that opens them. Who gets that secret can pose as
 * the server to resuming clients, so it lives shortly: a ring of secrets rotates by the clock, and a
 * timer wipes each one when its time is over, whether or not anybody connects. Secrets are never
 * written to disk, are locked in memory and left out of core dumps.
 *
 * From each secret every virtual host derives keys of its own, bound to its names, rules for
 * clients, trust and policy: a ticket of one host is unknown to another, and a change of policy
 * makes old tickets worthless. However often a session is resumed, its chain of resumptions ends
 * after the lineage's age, or with the client's certificate.
 *
 * A ring is shared by threads, by contexts, and by processes forked after it was made.
 *
 * Threads: every call may come from any thread.
 */
#ifndef CINCH_TICKETS_H
#define CINCH_TICKETS_H

#include <cinch/context.h>
#include <stddef.h>
#include <stdint.h>

CINCH_BEGIN_DECLS

typedef struct cinch_tickets cinch_tickets;

/* The windows of a ring, in seconds; 0 for the value beside it. */
typedef struct cinch_ticket_windows {
    int rotation;  /* a secret issues tickets for so long; 0: 3,600 */
    int lifetime;  /* a ticket can be used for so long; 0: 7,200 */
    int lead;      /* the next secret is there so long before its use; 0: half of rotation */
    int tolerance; /* difference between clocks; 0: 60, at most half of rotation */
    int lineage;   /* a session resumed again and again ends after; 0: 86,400 */
} cinch_ticket_windows;

/*
 * cinch_tickets_new makes a ring with WINDOWS, NULL for the standard ones. Refused if a secret would
 * live longer than 24 hours. Returns NULL and sets ERR on failure. Free it with cinch_tickets_free().
 */
CINCH_API cinch_tickets *cinch_tickets_new(const cinch_ticket_windows *windows, cinch_error *err);

/*
 * cinch_tickets_free drops RING; contexts that have it keep it. The secrets are wiped when the last
 * user is gone. NULL is fine.
 */
CINCH_API void cinch_tickets_free(cinch_tickets *ring);

/*
 * cinch_context_tickets makes the server context CTX use RING in place of the one that it makes by
 * itself. NULL goes back to a ring of its own.
 */
CINCH_API cinch_status cinch_context_tickets(cinch_context *ctx, cinch_tickets *ring,
                                             cinch_error *err);

/*
 * cinch_context_ticket_count sets how many tickets a server gives to each TLS 1.3 connection, 0 to
 * 8. The default is 1. They leave with the first data that the server writes.
 */
CINCH_API cinch_status cinch_context_ticket_count(cinch_context *ctx, int count, cinch_error *err);

/*
 * cinch_tickets_rotate makes the next secret issue tickets from now on; WIPE not 0 also wipes every
 * older one at once, as after a suspected leak.
 */
CINCH_API cinch_status cinch_tickets_rotate(cinch_tickets *ring, int wipe, cinch_error *err);

/* What cinch_tickets_look() tells of one secret; the secret itself is never shown. */
typedef struct cinch_ticket_key {
    unsigned char name[16]; /* a digest, for telling secrets apart */
    int64_t use_at;         /* seconds since 1970: issues from here */
    int64_t issue_until;    /* to here */
    int64_t accept_until;   /* opens tickets until here, and is wiped then */
} cinch_ticket_key;

/* cinch_tickets_look copies at most MOST entries of RING to KEYS and sets *COUNT. */
CINCH_API cinch_status cinch_tickets_look(cinch_tickets *ring, cinch_ticket_key *keys, size_t most,
                                          size_t *count, cinch_error *err);

CINCH_END_DECLS

#endif
