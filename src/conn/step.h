/*
 * step.h: every call of libssl that moves a connection on. Where a signature may have to be waited
 * for it runs on a fiber, which pauses; the caller's buffers are not there then, so it is only the
 * handshake, and looking for what comes next, that runs there.
 *
 * Each gives libssl's result, not yet looked at, or CINCH_STEP_WAITS. LOCAL is where callbacks explain
 * their refusals.
 */
#ifndef CINCH_CONN_STEP_H
#define CINCH_CONN_STEP_H

#include "conn/conn.h"

/* The program owes a signature. No result of libssl. */
#define CINCH_STEP_WAITS (-1000)

int cinch_step_handshake(cinch_conn *conn, cinch_error *local);
int cinch_step_read(cinch_conn *conn, void *buf, size_t size, size_t *n, cinch_error *local);
int cinch_step_write(cinch_conn *conn, const void *data, size_t size, size_t *n,
                     cinch_error *local);
int cinch_step_shutdown(cinch_conn *conn, cinch_error *local);

/* cinch_step_waits tells whether CONN waits for a signature, here already or not. */
int cinch_step_waits(const cinch_conn *conn);

/* cinch_step_give_up ends the waiting with a failure that nobody asks about. */
void cinch_step_give_up(cinch_conn *conn);

#endif
