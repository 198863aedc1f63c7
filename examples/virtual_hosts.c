/*
 * virtual_hosts.c IDENTITY MEMBERS-IDENTITY CLIENT-CA PORT: two hosts on one port. The first is for
 * everybody; the second, members.test, is for clients with a certificate of CLIENT-CA, and no session
 * of the first one opens it.
 */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

#define MEMBERS "members.test"

/* The host is chosen by name; this sees all clients before, and turns old ones away. */
static cinch_context *look(const cinch_client_hello *hello, int *refuse, void *arg)
{
    size_t modern = 0;

    (void)arg;
    for (size_t i = 0; i < hello->versions.count; i++)
        modern += hello->versions.numbers[i] == CINCH_TLS_1_3;
    printf("a client for \"%s\" looks like %s\n", hello->server_name, hello->ja4);
    fflush(stdout);
    if (modern == 0)
        *refuse = 49; /* access_denied */
    return NULL;      /* the host of that name */
}

static void serve(cinch_stream *s)
{
    cinch_error err = CINCH_ERROR_INIT;
    char answer[512] = "";
    cinch_peer *peer = NULL;

    cinch_stream_deadline(s, 5000, &err);
    if (cinch_stream_handshake(s, &err) == CINCH_OK)
        peer = cinch_stream_peer(s, &err);
    if (peer != NULL) {
        snprintf(answer, sizeof answer, "%s welcomes %s%s\n", peer->server_name,
                 peer->verified ? peer->chain[0]->subject : "a guest",
                 peer->resumed ? " back" : "");
        cinch_stream_write_all(s, answer, strlen(answer), &err);
    }
    cinch_stream_close_write(s, &err);
    cinch_error_report(&err, stderr);
    cinch_peer_free(peer);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 5) {
        fprintf(stderr, "usage: virtual_hosts IDENTITY MEMBERS-IDENTITY CLIENT-CA PORT\n");
        return 2;
    }
    cinch_context *members = cinch_context_server(&err);
    cinch_context_identity_file(members, argv[2], NULL, &err);
    cinch_context_trust_file(members, argv[3], &err);
    cinch_context_client_auth(members, CINCH_CLIENT_AUTH_REQUIRED, &err);

    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_add_identity_file(ctx, argv[1], NULL, &err);
    cinch_context_server_name_rule(ctx, CINCH_SERVER_NAME_KNOWN, &err);
    cinch_context_host(ctx, MEMBERS, members, &err);
    cinch_context_choose(ctx, look, NULL, &err);
    cinch_context_free(members); /* the name keeps it */

    cinch_listener *l = cinch_listen(ctx, "localhost", argv[4], &err);
    cinch_context_free(ctx); /* and the listener this one */
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        serve(s);

    cinch_listener_free(l);
    return cinch_error_report(&err, stderr);
}
