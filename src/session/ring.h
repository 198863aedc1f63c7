/* ring.h: the inside of a ring of ticket secrets. */
#ifndef CINCH_SESSION_RING_H
#define CINCH_SESSION_RING_H

#include <cinch/tickets.h>
#include <stdint.h>

#define CINCH_RING_NAME 16

/* What a host seals its tickets with: derived from a secret of the ring, and wiped with it. */
typedef struct cinch_ticket_keys {
    unsigned char name[CINCH_RING_NAME];
    unsigned char cipher[32]; /* AES-256-CBC */
    unsigned char mac[32];    /* HMAC-SHA256 */
} cinch_ticket_keys;

cinch_tickets *cinch_ring_ref(cinch_tickets *ring);

/* cinch_ring_can_issue tells whether there is a secret to issue with now. */
int cinch_ring_can_issue(cinch_tickets *ring);

/*
 * cinch_ring_issue gives the keys that the host with DIGEST seals tickets with now: 1, or 0 if there
 * is no secret to issue with, which is a reason to give no ticket and not to fail. The caller wipes
 * KEYS.
 */
int cinch_ring_issue(cinch_tickets *ring, const unsigned char digest[32], cinch_ticket_keys *keys);

/*
 * cinch_ring_open gives the keys for a ticket with NAME of the host with DIGEST: 1, or 0 if no secret
 * that is in its time derives that name for that host. The caller wipes KEYS.
 */
int cinch_ring_open(cinch_tickets *ring, const unsigned char digest[32],
                    const unsigned char name[CINCH_RING_NAME], cinch_ticket_keys *keys);

/* The windows in force. */
int cinch_ring_lifetime(const cinch_tickets *ring);
int cinch_ring_lineage(const cinch_tickets *ring);

/* For tests: another clock (seconds that never go back), and a turn of the ring by hand. */
void cinch_ring_test_clock(int64_t (*clock)(void));
void cinch_ring_test_turn(cinch_tickets *ring);

/* For tests: where the secrets are. */
const void *cinch_ring_test_memory(const cinch_tickets *ring, size_t *size);

#endif
