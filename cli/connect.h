/* connect.h: what the files of `cinch connect` share. */
#ifndef CINCH_CLI_CONNECT_H
#define CINCH_CLI_CONNECT_H

#include "cli.h"

/*
 * connect_report prints to stderr what was agreed with PEER, the chain and the times. UPGRADED is the
 * protocol that began in the clear, NULL for none.
 */
void connect_report(const cinch_peer *peer, const char *address, const char *upgraded);

/* connect_evidence prints to stderr what a server sent that was not accepted. */
void connect_evidence(const cinch_peer *peer);

/* How long connect_join() waits, in milliseconds. */
typedef struct connect_patience {
    int nothing_asked; /* input ended and nothing was sent: for the server to speak first */
    int answer;        /* for the first byte of an answer to what was sent last */
    int silence;       /* between the parts of an answer, and for the end after close_notify */
} connect_patience;

/*
 * connect_join copies INPUT (-1: nothing) to STREAM and what comes back to OUTPUT (-1: nowhere),
 * until the server ends, or the input has ended and PATIENCE is over. False with ERR on failure.
 */
bool connect_join(cinch_stream *stream, int input, int output, const connect_patience *patience,
                  cinch_error *err);

#endif
