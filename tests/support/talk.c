#include "talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#define LARGEST_DATA 70000

void talk_blame(talk *t, const char *format, ...)
{
    va_list arguments;

    if (t->complaint[0] != 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(t->complaint, sizeof t->complaint, format, arguments);
    va_end(arguments);
}

void talk_check_error(talk *t, const char *call, bool failed, const cinch_error *err)
{
    unsigned long code = ERR_peek_error();

    if (code != 0)
        talk_blame(t, "%s left OpenSSL's error queue with %lx (%s)", call, code,
                   ERR_reason_error_string(code));
    ERR_clear_error();
    if (failed != (cinch_error_is_set(err) != 0))
        talk_blame(t, "%s %s and its error is %s", call, failed ? "failed" : "did not fail",
                   failed ? "not set" : err->what);
    if (!failed)
        return;
    if (err->cause <= CINCH_CAUSE_NONE || err->cause >= CINCH_CAUSE_COUNT ||
        err->category == CINCH_CATEGORY_NONE || err->what[0] == 0 || err->remedy[0] == 0)
        talk_blame(t, "%s left an error without cause, sentence or remedy: %d %d \"%s\" \"%s\"",
                   call, (int)err->cause, (int)err->category, err->what, err->remedy);
}

/* The result of one call of one end. */
static cinch_status note(talk *t, talk_end *end, const char *call, cinch_status status,
                         const cinch_error *err)
{
    bool failed = status >= CINCH_TRUNCATED;

    talk_check_error(t, call, failed, err);
    if (failed && err->status != status)
        talk_blame(t, "%s returned %d and its error says %d", call, (int)status, (int)err->status);
    if (failed && !cinch_error_is_set(&end->err))
        end->err = *err;
    if (cinch_conn_state_now(end->conn) >= CINCH_STATE_OPEN &&
        cinch_conn_state_now(end->conn) <= CINCH_STATE_CLOSED)
        end->opened = true;
    return status;
}

/* Behind what is in BUF already. */
static size_t add(char *buf, size_t size, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static size_t add(char *buf, size_t size, size_t at, const char *format, ...)
{
    va_list arguments;

    if (at + 1 >= size)
        return at;
    va_start(arguments, format);
    int n = vsnprintf(buf + at, size - at, format, arguments);
    va_end(arguments);
    return n < 0 ? at : at + (size_t)n < size ? at + (size_t)n : size - 1;
}

static size_t add_bytes(char *buf, size_t size, size_t at, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        at = add(buf, size, at, "%02x", bytes[i]);
    return add(buf, size, at, "\n");
}

size_t talk_certificate(const cinch_certificate *c, char *buf, size_t size)
{
    size_t at = add(buf, size, 0, "%s|%s|%s|%s|%d|%lld|%lld|%d|%d|%s|%s|%d|%s|%s|%s\n", c->subject,
                    c->issuer, c->common_name, c->serial, c->version, (long long)c->not_before,
                    (long long)c->not_after, c->is_ca, c->is_self_issued, c->key_type, c->key_group,
                    c->key_bits, c->signature_algorithm, c->ocsp_url, c->issuer_url);

    at = add_bytes(buf, size, at, c->sha256, sizeof c->sha256);
    at = add_bytes(buf, size, at, c->spki_sha256, sizeof c->spki_sha256);
    for (size_t i = 0; i < c->name_count; i++)
        at = add(buf, size, at, "%d %s\n", (int)c->names[i].kind, c->names[i].text);
    return add(buf, size, at, "%zu bytes of DER\n", c->der_size);
}

static void describe(talk *t, talk_end *end, const cinch_peer *peer)
{
    char *buf = end->report;
    size_t size = sizeof end->report;
    size_t at = add(buf, size, 0, "%s|%s|%s|%s|%d|%d\n", peer->version, peer->alpn,
                    peer->server_name, peer->host, peer->resumed, peer->verified);

    /* Which of the algorithms offered is agreed on may depend on what there was memory for. */
    if (peer->cipher[0] == 0 || peer->cipher_bits < 128 || peer->group[0] == 0)
        talk_blame(t, "a connection without a cipher suite or a group: \"%s\", %d, \"%s\"",
                   peer->cipher, peer->cipher_bits, peer->group);

    for (size_t i = 0; i < peer->chain_count; i++)
        at += talk_certificate(peer->chain[i], buf + at, size - at);
    for (size_t i = 0; i < peer->sent_count; i++)
        at += talk_certificate(peer->sent[i], buf + at, size - at);
}

static bool report(talk *t, talk_end *end)
{
    cinch_error err = CINCH_ERROR_INIT;
    bool open = end->opened && cinch_conn_state_now(end->conn) != CINCH_STATE_FAILED;
    cinch_peer *peer =
        open ? cinch_conn_peer(end->conn, &err) : cinch_conn_evidence(end->conn, &err);

    talk_check_error(t, "reporting on the peer", peer == NULL, &err);
    if (peer != NULL && peer->verified)
        end->verified = true;
    if (peer != NULL && open)
        describe(t, end, peer);
    if (peer == NULL && !cinch_error_is_set(&end->err))
        end->err = err;
    cinch_peer_free(peer);
    return peer != NULL && open;
}

/* One piece on its way; how many bytes. A receiver without memory ends the talk, as it would. */
static size_t move_one(talk *t, talk_end *from, talk_end *to)
{
    cinch_error err = CINCH_ERROR_INIT;
    const void *bytes = NULL;
    void *space = NULL;
    size_t size = 0, room = 0;

    (void)note(t, from, "cinch_conn_send_bytes",
               cinch_conn_send_bytes(from->conn, &bytes, &size, &err), &err);
    if (size == 0)
        return 0;
    if (t->piece != 0 && size > t->piece)
        size = t->piece;
    if (note(t, to, "cinch_conn_recv_space", cinch_conn_recv_space(to->conn, &space, &room, &err),
             &err) != CINCH_OK ||
        room == 0)
        return 0;
    size = size < room ? size : room;
    memcpy(space, bytes, size);
    (void)note(t, to, "cinch_conn_recv_commit", cinch_conn_recv_commit(to->conn, size, &err), &err);
    (void)note(t, from, "cinch_conn_send_consume", cinch_conn_send_consume(from->conn, size, &err),
               &err);
    return size;
}

static size_t move(talk *t)
{
    return move_one(t, &t->client, &t->server) + move_one(t, &t->server, &t->client);
}

static void take_turn(talk *t, const talk_end *end)
{
    if (t->turn != NULL)
        t->turn(end == NULL         ? NULL
                : end == &t->client ? t->client_context
                                    : t->server_context,
                t->turn_arg);
}

static void handshake(talk *t, talk_end *end)
{
    cinch_error err = CINCH_ERROR_INIT;

    take_turn(t, end);
    if (cinch_conn_state_now(end->conn) == CINCH_STATE_HANDSHAKING)
        (void)note(t, end, "cinch_conn_handshake", cinch_conn_handshake(end->conn, &err), &err);
}

static void handshakes(talk *t)
{
    do {
        handshake(t, &t->client);
        handshake(t, &t->server);
        take_turn(t, NULL);
    } while (move(t) > 0);
}

static unsigned char data_at(size_t i)
{
    return (unsigned char)(i * 31 + i / 253);
}

/* FROM writes and TO reads; whether all of it arrived. */
static bool transfer(talk *t, talk_end *from, talk_end *to)
{
    unsigned char data[2048];
    size_t written = 0, got = 0, n = 0;

    while (got < t->data) {
        size_t before = written + got, part = 0;
        cinch_error err = CINCH_ERROR_INIT;

        for (; part < sizeof data && written + part < t->data; part++)
            data[part] = data_at(written + part);
        if (part > 0 && note(t, from, "cinch_conn_write",
                             cinch_conn_write(from->conn, data, part, &n, &err), &err) >= CINCH_EOF)
            return false;
        written += part > 0 ? n : 0;
        size_t moved = move(t);
        cinch_status status = note(t, to, "cinch_conn_read",
                                   cinch_conn_read(to->conn, data, sizeof data, &n, &err), &err);
        for (size_t i = 0; i < n; i++)
            if (data[i] != data_at(got + i))
                talk_blame(t, "byte %zu arrived as another one", got + i);
        got += n;
        if ((status != CINCH_OK && status != CINCH_WANT_READ) ||
            (moved == 0 && written + got == before))
            return false;
    }
    return true;
}

/* With TLS 1.3 a client learns only by reading that it was refused. */
static void look(talk *t, talk_end *end)
{
    cinch_error err = CINCH_ERROR_INIT;
    unsigned char byte;
    size_t n;

    if (!end->opened || cinch_conn_state_now(end->conn) == CINCH_STATE_FAILED)
        return;
    cinch_status status =
        note(t, end, "cinch_conn_read", cinch_conn_read(end->conn, &byte, 1, &n, &err), &err);
    if (status == CINCH_OK)
        talk_blame(t, "a byte arrived that nobody wrote");
    if (status == CINCH_EOF)
        end->ended = true;
}

static void say_close(talk *t, talk_end *end)
{
    cinch_error err = CINCH_ERROR_INIT;

    (void)note(t, end, "cinch_conn_close", cinch_conn_close(end->conn, &err), &err);
}

static bool begin(talk *t)
{
    cinch_error err = CINCH_ERROR_INIT;

    t->client.conn = cinch_conn_new(t->client_context, t->host, &err);
    talk_check_error(t, "cinch_conn_new", t->client.conn == NULL, &err);
    t->client.err = err;
    cinch_error_clear(&err);
    t->server.conn = cinch_conn_new(t->server_context, NULL, &err);
    talk_check_error(t, "cinch_conn_new", t->server.conn == NULL, &err);
    t->server.err = err;
    return t->client.conn != NULL && t->server.conn != NULL;
}

static void go(talk *t)
{
    handshakes(t);
    look(t, &t->client);
    look(t, &t->server);
    bool reports = report(t, &t->client) & report(t, &t->server);
    if (!reports || !transfer(t, &t->client, &t->server) || !transfer(t, &t->server, &t->client))
        return;
    say_close(t, &t->client);
    say_close(t, &t->server);
    while (move(t) > 0)
        ;
    look(t, &t->client);
    look(t, &t->server);
    t->complete = t->client.ended && t->server.ended && !cinch_error_is_set(&t->client.err) &&
                  !cinch_error_is_set(&t->server.err);
}

void talk_run(talk *t)
{
    if (t->data > LARGEST_DATA)
        t->data = LARGEST_DATA;
    if (begin(t))
        go(t);
    cinch_conn_free(t->client.conn);
    cinch_conn_free(t->server.conn);
    t->client.conn = t->server.conn = NULL;
}
