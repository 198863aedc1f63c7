/*
 * Two contexts that fit together, and a thread that plays one side of a connection while the test
 * plays the other. The thread never asserts: it leaves its error for the test to look at.
 */
#ifndef CINCH_TESTS_DUO_H
#define CINCH_TESTS_DUO_H

#include "pki.h"

#include <cinch/cinch.h>
#include <pthread.h>

typedef struct duo {
    pki_family *family;
    cinch_context *client; /* trusts the family's root */
    cinch_context *server; /* is `good`: localhost, *.example.test, 127.0.0.1, ::1 */
} duo;

void duo_open(duo *d);
void duo_close(duo *d);

/* duo_identity gives a leaf of the family, with its intermediate, to a context. */
void duo_identity(const duo *d, cinch_context *ctx, const pki_cert *leaf);

/* What a thread does with its stream, which is freed afterwards. */
typedef void (*duo_part)(cinch_stream *stream, void *arg, cinch_error *err);

typedef struct duo_player {
    pthread_t thread;
    cinch_context *ctx;
    const char *host; /* NULL: a server */
    int fd;
    duo_part part;
    void *arg;
    cinch_error err; /* for the test, after duo_wait() */
} duo_player;

/* duo_play starts a thread that wraps `fd`, which becomes its own, and plays `part`. */
void duo_play(duo_player *player, cinch_context *ctx, const char *host, int fd, duo_part part,
              void *arg);

/* duo_wait waits for the thread's end. */
void duo_wait(duo_player *player);

/* Parts. */

/* duo_echo writes back what it reads, until the peer's close_notify, and closes. */
void duo_echo(cinch_stream *stream, void *arg, cinch_error *err);

/* duo_swallow reads everything and adds up the bytes in *(size_t *)arg, if it is not NULL. */
void duo_swallow(cinch_stream *stream, void *arg, cinch_error *err);

/* duo_only_handshake does that and closes. */
void duo_only_handshake(cinch_stream *stream, void *arg, cinch_error *err);

/* duo_say writes the text `arg` and closes. */
void duo_say(cinch_stream *stream, void *arg, cinch_error *err);

#endif
