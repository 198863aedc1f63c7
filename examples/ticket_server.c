/*
 * ticket_server.c IDENTITY PORT ROTATION LIFETIME: tells each client whether it resumed; the ticket
 * secrets change every ROTATION seconds and open tickets for LIFETIME seconds after that.
 */
#include <cinch/cinch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void serve(cinch_stream *s)
{
    cinch_error err = CINCH_ERROR_INIT;

    cinch_stream_deadline(s, 5000, &err);
    cinch_status shaken = cinch_stream_handshake(s, &err);
    cinch_peer *peer = shaken == CINCH_OK ? cinch_stream_peer(s, &err) : NULL;
    if (peer != NULL) {
        const char *answer = peer->resumed ? "resumed\n" : "from the beginning\n";

        /* The ticket leaves with this. */
        cinch_stream_write_all(s, answer, strlen(answer), &err);
    }
    cinch_stream_close_write(s, &err);
    cinch_peer_free(peer);
    cinch_error_report(&err, stderr);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 5) {
        fprintf(stderr, "usage: ticket_server IDENTITY PORT ROTATION LIFETIME\n");
        return 2;
    }
    cinch_ticket_windows windows = {.rotation = (int)strtol(argv[3], NULL, 10),
                                    .lifetime = (int)strtol(argv[4], NULL, 10)};
    cinch_tickets *ring = cinch_tickets_new(&windows, &err);
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    cinch_context_tickets(ctx, ring, &err);
    cinch_tickets_free(ring); /* the context keeps it */

    cinch_listener *l = cinch_listen(ctx, "localhost", argv[2], &err);
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        serve(s);
    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
