/* peer.c HOST PORT [CA]: what was agreed, and who is there? */
#include <cinch/cinch.h>
#include <stdio.h>

static void show(const cinch_peer *peer)
{
    printf("%s, %s, %s, ALPN \"%s\"\n", peer->version, peer->cipher, peer->group, peer->alpn);
    printf("verified: %s\n", peer->verified ? "yes" : "no");
    for (size_t i = 0; i < peer->chain_count; i++) /* empty unless verified */
        printf("%*s%s\n", (int)i, "", peer->chain[i]->subject);
    printf("the handshake took %lld microseconds\n",
           (long long)(peer->timing.hello_us + peer->timing.certificate_us +
                       peer->timing.finished_us));
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *evidence = NULL;

    if (argc < 3) {
        fprintf(stderr, "usage: peer HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);

    cinch_dial_options options = {.evidence = &evidence};
    cinch_stream *s = cinch_dial_with(ctx, argv[1], argv[2], &options, &err);
    cinch_peer *peer = s != NULL ? cinch_stream_peer(s, &err) : NULL;

    if (peer != NULL)
        show(peer);
    else if (evidence != NULL && evidence->sent_count > 0) /* not verified: only for looking at */
        printf("refused: %s\n", evidence->sent[0]->subject);

    cinch_peer_free(peer);
    cinch_peer_free(evidence);
    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
