/* serve_connection.c: one client, from the handshake to the end. */
#include "json.h"
#include "output.h"
#include "serve.h"

#include <stdlib.h>
#include <string.h>

enum {
    REQUESTS_MOST = 1000, /* per connection */
    LINGER_MS = 1000,
    LINGER_MOST = 1 << 20,
};

/* What a client certificate is for, in one word. */
static const char *client_name(const cinch_peer *peer)
{
    if (peer->chain_count == 0)
        return NULL;
    return peer->chain[0]->name_count > 0 ? peer->chain[0]->names[0].text : peer->chain[0]->subject;
}

static char *agreed_line(const cinch_peer *peer, const char *address)
{
    const char *client = client_name(peer);

    return cli_text("%s  %s %s%s%s%s%s%s%s%s%s%s\n", address, peer->version, peer->cipher,
                    peer->group[0] != '\0' ? " " : "", peer->group,
                    peer->alpn[0] != '\0' ? " " : "", peer->alpn,
                    peer->server_name[0] != '\0' ? " for " : "", peer->server_name,
                    client != NULL ? ", client " : "", client != NULL ? client : "",
                    peer->resumed ? ", resumed" : "");
}

/* One call of stdio per line: it locks, so that threads do not mix their lines. */
static void tell_agreed(const serve_settings *settings, const cinch_stream *stream)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_peer *peer = cinch_stream_peer(stream, &err);
    const char *address = cinch_stream_address(stream);
    char *line;

    if (peer == NULL)
        return;
    if (settings->json) {
        json_t *object = json_pack("{s:s, s:o, s:o}", "event", "connection", "address",
                                   cli_json_text(address), "peer", cli_json_peer(peer));

        cli_json_print(object, stdout);
    } else {
        line = agreed_line(peer, address);
        fputs(line, stdout);
        fflush(stdout);
        free(line);
    }
    cinch_peer_free(peer);
}

static void tell_failed(const serve_settings *settings, const char *address, const cinch_error *err)
{
    if (settings->json) {
        cli_json_print(json_pack("{s:s, s:o, s:o}", "event", "failed", "address",
                                 cli_json_text(address), "error", cli_json_error(err)),
                       stdout);
        return;
    }
    printf("%s  failed: %s (%s)\n", address, err->what, cinch_cause_name(err->cause));
    fflush(stdout);
}

static void echo(cinch_stream *stream, cinch_error *err)
{
    char buf[16384];
    size_t n;

    while (cinch_stream_read(stream, buf, sizeof(buf), &n, err) == CINCH_OK) {
        if (cinch_stream_write_all(stream, buf, n, err) != CINCH_OK)
            return;
    }
    if (!cinch_error_is_set(err))
        (void)cinch_stream_close_write(stream, err);
}

/*
 * Says that nothing more comes, and reads on for a moment: closing a socket with unread bytes in it
 * would reset the connection, and the client lose the reply (RFC 9112, 9.6).
 */
static void linger(cinch_stream *stream)
{
    cinch_error err = CINCH_ERROR_INIT;
    char buf[4096];
    size_t total = 0;
    size_t n;

    if (cinch_stream_close_write(stream, &err) != CINCH_OK ||
        cinch_stream_deadline(stream, LINGER_MS, &err) != CINCH_OK)
        return;
    while (total < LINGER_MOST && cinch_stream_read(stream, buf, sizeof(buf), &n, &err) == CINCH_OK)
        total += n;
}

static void http(const serve_settings *settings, cinch_stream *stream)
{
    http_client *client = cli_alloc(sizeof(*client));
    bool ok = true;
    bool replied = false;

    client->stream = stream;
    for (int i = 1; ok && i <= REQUESTS_MOST; i++) {
        http_request request;
        int status = http_read(client, &request);

        if (status == HTTP_END)
            break;
        if (i == REQUESTS_MOST || status != HTTP_OK)
            request.keep_alive = false;
        replied = true;
        if (status == HTTP_OK)
            ok = serve_file(client, &request, settings->root);
        else
            ok = http_send_status(client, &request, status,
                                  status == 405 ? "Allow: GET, HEAD\r\n" : NULL);
        if (!request.keep_alive)
            break;
    }
    if (ok && replied)
        linger(stream);
    free(client);
}

void serve_connection(const serve_settings *settings, cinch_stream *stream)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (cinch_stream_handshake(stream, &err) != CINCH_OK) {
        tell_failed(settings, cinch_stream_address(stream), &err);
        return;
    }
    tell_agreed(settings, stream);
    if (!settings->echo) {
        http(settings, stream);
        return;
    }
    echo(stream, &err);
    if (cinch_error_is_set(&err))
        tell_failed(settings, cinch_stream_address(stream), &err);
}
