/*
 * One connection from its beginning to its end, between two contexts, in memory: handshake, report,
 * data both ways, close. Nothing is asserted and nothing aborts, so that it can run in threads and
 * without memory; what may never happen, whatever fails, is told in `complaint`.
 */
#ifndef CINCH_TESTS_TALK_H
#define CINCH_TESTS_TALK_H

#include <cinch/cinch.h>
#include <stdbool.h>

#define TALK_REPORT 16384

typedef struct talk_end {
    cinch_conn *conn;
    cinch_error err;          /* the first error of this end */
    bool opened;              /* its handshake was complete at some time */
    bool verified;            /* some report of it said so */
    bool ended;               /* the end of data was told in good order */
    char report[TALK_REPORT]; /* everything that its report on the peer said; "" without one */
} talk_end;

typedef struct talk {
    cinch_context *client_context;
    cinch_context *server_context;
    const char *host;
    size_t piece; /* at most so many bytes are moved at once; 0: all there are */
    size_t data;  /* how many bytes each side writes */
    /* Told whose handshake goes on now: the context of that end, NULL for what both do. */
    void (*turn)(const cinch_context *whose, void *arg);
    void *turn_arg;

    talk_end client;
    talk_end server;
    bool complete; /* all of it was done, at both ends */
    char complaint[400];
} talk;

/* talk_run does it. Set the part above first, and the rest to 0. */
void talk_run(talk *t);

/* talk_blame notes what may never happen; the first one stays. */
void talk_blame(talk *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * talk_check_error blames what a call returned and left behind: a failure without an error, an error
 * without a cause or a sentence, an OpenSSL error queue that is not empty.
 */
void talk_check_error(talk *t, const char *call, bool failed, const cinch_error *err);

/* talk_certificate writes every field of CERTIFICATE as text, at most SIZE bytes. The length. */
size_t talk_certificate(const cinch_certificate *certificate, char *buf, size_t size);

#endif
