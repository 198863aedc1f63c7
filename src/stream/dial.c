/* dial.c: from a name to a verified stream. */
#include "stream/dial.h"

#include "base/fail.h"
#include "conn/conn.h"
#include "context/resume.h"
#include "stream/eyeballs.h"
#include "stream/stream.h"
#include "stream/upgrade.h"

#include <string.h>
#include <unistd.h>

static cinch_status look_for_target(cinch_target *target, const char *host, const char *port,
                                    cinch_error *err)
{
    cinch_status status = cinch_host_parse(&target->host, host, err);

    target->typed = host;
    if (status == CINCH_OK)
        status = cinch_port_parse(&target->port, port, 0, err);
    return status;
}

/* A stream on a new TCP connection; CONN is the stream's when it succeeds. */
static cinch_stream *connect_stream(const cinch_target *target, cinch_conn *conn,
                                    const cinch_timeouts *timeouts, cinch_error *err)
{
    cinch_connected connected;
    char address[CINCH_ADDRESS_TEXT];

    if (cinch_connect(target, &connected, err) != CINCH_OK)
        return NULL;
    cinch_address_text(&connected.address.u.any, connected.address.size, address);
    cinch_stream *stream = cinch_stream_around(conn, connected.fd, 1, address, err);
    if (stream == NULL) {
        close(connected.fd);
        return NULL;
    }
    stream->timeouts = *timeouts;
    stream->resolved_us = connected.resolved_us;
    stream->connected_us = connected.connected_us;
    return stream;
}

static void tell_where(const cinch_stream *stream, cinch_error *err)
{
    /* A name may have many addresses: which machine was it? */
    if (err != NULL && strstr(err->evidence, stream->address) == NULL)
        cinch_fail_evidence(err, "%sconnected to %s", err->evidence[0] != 0 ? "\n" : "",
                            stream->address);
}

/* What is said in the clear, if anything, and the handshake, if wanted: within one limit for both. */
static cinch_status begin_tls(cinch_stream *stream, cinch_upgrade *upgrade, int handshake,
                              cinch_error *err)
{
    int64_t deadline = cinch_deadline_in(stream->timeouts.handshake_ms);

    if (upgrade != NULL && cinch_upgrade_run(upgrade, stream->fd, stream->timeouts.handshake_ms,
                                             deadline, err) != CINCH_OK)
        return CINCH_FAILED;
    if (!handshake)
        return CINCH_OK;
    (void)cinch_stream_handshake_waiting(stream);
    stream->handshake_deadline = cinch_deadline_first(stream->handshake_deadline, deadline);
    return cinch_stream_ready(stream, err);
}

cinch_stream *cinch_dial_upgrading(cinch_context *ctx, const char *host, const char *port,
                                   const cinch_dial_options *options,
                                   const cinch_resolver *resolver, cinch_upgrade *upgrade,
                                   cinch_error *err)
{
    static const cinch_dial_options nothing = {0};
    cinch_timeouts timeouts;
    cinch_target target = {.resolver = resolver};
    cinch_stream *stream = NULL;

    if (options == NULL)
        options = &nothing;
    if (options->evidence != NULL)
        *options->evidence = NULL;
    if (!cinch_enter(err))
        return NULL;
    if (ctx == NULL) {
        cinch_fail_null(err, "context");
        return NULL;
    }
    if (cinch_timeouts_fill(&timeouts, options->timeouts, err) != CINCH_OK ||
        look_for_target(&target, host, port, err) != CINCH_OK)
        return NULL;
    target.connect_ms = timeouts.connect_ms;

    /* Before anything is sent: a context that is not fit for it should not even ask for a name. */
    cinch_conn *conn =
        cinch_conn_new(ctx, options->server_name != NULL ? options->server_name : host, err);
    if (conn == NULL)
        return NULL;
    if (cinch_resume_key(&conn->link, target.host.text, target.port, err) == CINCH_OK)
        stream = connect_stream(&target, conn, &timeouts, err);
    if (stream == NULL) {
        cinch_conn_free(conn);
        return NULL;
    }
    if (begin_tls(stream, upgrade, !options->no_handshake, err) == CINCH_OK)
        return stream;
    tell_where(stream, err);
    if (options->evidence != NULL)
        *options->evidence = cinch_stream_evidence(stream, NULL);
    cinch_stream_free(stream);
    return NULL;
}

cinch_stream *cinch_dial_through(cinch_context *ctx, const char *host, const char *port,
                                 const cinch_dial_options *options, const cinch_resolver *resolver,
                                 cinch_error *err)
{
    return cinch_dial_upgrading(ctx, host, port, options, resolver, NULL, err);
}

cinch_stream *cinch_dial_with(cinch_context *ctx, const char *host, const char *port,
                              const cinch_dial_options *options, cinch_error *err)
{
    return cinch_dial_through(ctx, host, port, options, &cinch_resolver_system, err);
}

cinch_stream *cinch_dial(cinch_context *ctx, const char *host, const char *port, cinch_error *err)
{
    return cinch_dial_with(ctx, host, port, NULL, err);
}
