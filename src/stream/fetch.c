/* fetch.c: what certificate does a server show? */
#include <cinch/helpers.h>

#include "base/fail.h"

#include <cinch/session.h>
#include <cinch/stream.h>

/* All that makes a client refuse a server is turned off, for this connection only. */
static cinch_context *careless_context(cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(err);

    if (cinch_context_insecure_skip_verification(ctx, 1, err) == CINCH_OK &&
        cinch_context_insecure_skip_name(ctx, 1, err) == CINCH_OK &&
        cinch_context_resumption(ctx, 0, err) == CINCH_OK)
        return ctx;
    cinch_context_free(ctx);
    return NULL;
}

static cinch_certificate *leaf_of(const cinch_peer *peer, cinch_error *err)
{
    if (peer == NULL || peer->sent_count == 0)
        return NULL;
    return cinch_certificate_der(peer->sent[0]->der, peer->sent[0]->der_size, err);
}

cinch_certificate *cinch_fetch_certificate(const char *host, const char *port, int timeout_ms,
                                           cinch_error *err)
{
    cinch_timeouts limits = {.connect_ms = timeout_ms, .handshake_ms = timeout_ms};
    cinch_error local = CINCH_ERROR_INIT;
    cinch_peer *peer = NULL;

    if (!cinch_enter(err))
        return NULL;
    cinch_context *ctx = careless_context(&local);
    cinch_dial_options options = {.timeouts = &limits, .evidence = &peer};
    cinch_stream *stream = cinch_dial_with(ctx, host, port, &options, &local);
    if (stream != NULL)
        peer = cinch_stream_peer(stream, &local);
    cinch_certificate *certificate = NULL;
    /* A server that wants a certificate of ours has shown its own before. */
    if (peer != NULL && peer->sent_count > 0) {
        cinch_error_clear(&local);
        certificate = leaf_of(peer, &local);
    } else if (!cinch_error_is_set(&local)) {
        (void)cinch_fail(&local, CINCH_CAUSE_NO_CERTIFICATE, "the server showed no certificate");
    }
    cinch_peer_free(peer);
    cinch_stream_free(stream);
    cinch_context_free(ctx);
    if (certificate == NULL)
        (void)cinch_fail_keep(err, &local);
    return certificate;
}
