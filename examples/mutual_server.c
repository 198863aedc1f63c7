/*
 * mutual_server.c IDENTITY CLIENT-CA CLIENT PORT: a service for one named client and nobody else.
 *
 * Both ends are restrictive: TLS 1.3 only, one private CA, the protocol must be "orders/1", the
 * client must show a certificate and ask for a name that this server has.
 */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

/* A good certificate says who it is; whether that one may come in is for the service to say. */
static int is_allowed(const cinch_peer *peer, const char *client)
{
    if (!peer->verified || peer->chain_count == 0)
        return 0;
    const cinch_certificate *leaf = peer->chain[0];
    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_EMAIL && strcmp(leaf->names[i].text, client) == 0)
            return 1;
    return 0;
}

static void serve(cinch_stream *s, const char *client)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *peer = NULL;

    cinch_stream_deadline(s, 5000, &err);
    if (cinch_stream_handshake(s, &err) == CINCH_OK)
        peer = cinch_stream_peer(s, &err);
    if (peer != NULL) {
        const char *answer = is_allowed(peer, client) ? "welcome\n" : "you may not do this\n";
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
        fprintf(stderr, "usage: mutual_server IDENTITY CLIENT-CA CLIENT PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    cinch_context_policy_named(ctx, "modern", &err);
    cinch_context_trust_file(ctx, argv[2], &err);
    cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, &err);
    cinch_context_alpn(ctx, "orders/1", &err);
    cinch_context_alpn_rule(ctx, CINCH_ALPN_REQUIRED, &err);
    cinch_context_server_name_rule(ctx, CINCH_SERVER_NAME_REQUIRED, &err);

    cinch_listener *l = cinch_listen(ctx, "localhost", argv[4], &err);
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        serve(s, argv[3]);

    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
