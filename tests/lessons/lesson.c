#include "lesson.h"

#include <openssl/err.h>

#define WORD "a word"
#define WORD_SIZE 6

void lesson_limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

void lesson_show(cinch_context *ctx, const pki_cert *leaf, const pki_cert *intermediate)
{
    cinch_identity *identity = pair_identity(leaf, intermediate);

    assert_int_equal(cinch_context_identity(ctx, identity, NULL), CINCH_OK);
    cinch_identity_free(identity);
}

void lesson_demand(cinch_context *ctx, const pki_cert *anchor)
{
    pair_trust(ctx, anchor);
    assert_int_equal(cinch_context_client_auth(ctx, CINCH_CLIENT_AUTH_REQUIRED, NULL), CINCH_OK);
}

/* One end on its way: the handshake, a word once it is open, and whatever arrives. */
static void go_on(cinch_conn *conn, lesson_end *end, int *said)
{
    cinch_conn_state state = cinch_conn_state_now(conn);
    unsigned char buf[256];
    size_t n = 0;

    if (state == CINCH_STATE_HANDSHAKING && cinch_conn_handshake(conn, &end->err) == CINCH_OK)
        end->open = 1;
    if (!end->open)
        return;
    if (!*said && cinch_conn_write(conn, WORD, WORD_SIZE, &n, &end->err) == CINCH_OK)
        *said = 1;
    if (cinch_conn_read(conn, buf, sizeof buf, &n, &end->err) == CINCH_OK)
        end->got += n;
}

static void look(const cinch_conn *conn, lesson_end *end)
{
    cinch_peer *peer = cinch_conn_evidence(conn, NULL);

    assert_non_null(peer);
    end->resumed = peer->resumed;
    end->verified = peer->verified;
    end->alert = end->err.alert_received;
    snprintf(end->alpn, sizeof end->alpn, "%s", peer->alpn);
    if (peer->sent_count > 0 && peer->sent[0]->name_count > 0)
        snprintf(end->leaf, sizeof end->leaf, "%s", peer->sent[0]->names[0].text);
    cinch_peer_free(peer);
    assert_int_equal(ERR_peek_error(), 0);
}

static size_t move(cinch_conn *from, cinch_conn *to)
{
    const void *bytes;
    void *space;
    size_t size, room;

    if (cinch_conn_send_bytes(from, &bytes, &size, NULL) != CINCH_OK || size == 0 ||
        cinch_conn_recv_space(to, &space, &room, NULL) != CINCH_OK || room == 0)
        return 0;
    size = size < room ? size : room;
    memcpy(space, bytes, size);
    assert_int_equal(cinch_conn_recv_commit(to, size, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_send_consume(from, size, NULL), CINCH_OK);
    return size;
}

lesson_talk lesson_drive(cinch_conn *client, cinch_conn *server)
{
    lesson_talk t = {0};
    int said[2] = {0, 0};

    do {
        go_on(client, &t.client, &said[0]);
        go_on(server, &t.server, &said[1]);
    } while (move(client, server) + move(server, client) > 0);
    look(client, &t.client);
    look(server, &t.server);
    return t;
}

lesson_talk lesson_connect(cinch_context *client, cinch_context *server, const char *host)
{
    pair p = {0};

    pair_start(&p, client, server, host);
    lesson_talk t = lesson_drive(p.client.conn, p.server.conn);
    pair_stop(&p);
    return t;
}

/* ---- somebody with libssl ---- */

static int take_anything(int preverified, X509_STORE_CTX *store_ctx)
{
    (void)preverified;
    (void)store_ctx;
    return 1;
}

SSL_CTX *lesson_libssl(int is_server, cinch_tls_version version)
{
    SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());

    assert_non_null(ctx);
    SSL_CTX_set_min_proto_version(ctx, (int)version);
    SSL_CTX_set_max_proto_version(ctx, (int)version);
    SSL_CTX_set_security_level(ctx, 0);
    if (!is_server)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, take_anything);
    return ctx;
}

void lesson_libssl_show(SSL_CTX *ctx, const pki_cert *leaf, const pki_cert *intermediate)
{
    assert_int_equal(SSL_CTX_use_certificate(ctx, leaf->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, leaf->key), 1);
    if (intermediate != NULL)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, intermediate->cert), 1);
}

static int heard; /* the last fatal alert; tests here have one connection at a time */

static void hear(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        heard = value & 0xff;
}

static void go_on_libssl(SSL *ssl, lesson_end *end, int *said)
{
    char buf[256];
    int n;

    if (!end->open && SSL_do_handshake(ssl) == 1)
        end->open = 1;
    if (end->open && !*said)
        *said = SSL_write(ssl, WORD, WORD_SIZE) == WORD_SIZE;
    if (end->open && (n = SSL_read(ssl, buf, sizeof buf)) > 0)
        end->got += (size_t)n;
    ERR_clear_error();
}

static size_t move_libssl(SSL *ssl, cinch_conn *conn)
{
    const void *bytes;
    void *space;
    size_t size, room, moved = 0;

    if (cinch_conn_send_bytes(conn, &bytes, &size, NULL) == CINCH_OK && size > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(ssl), bytes, (int)size), (int)size);
        assert_int_equal(cinch_conn_send_consume(conn, size, NULL), CINCH_OK);
        moved += size;
    }
    if (BIO_pending(SSL_get_wbio(ssl)) > 0 &&
        cinch_conn_recv_space(conn, &space, &room, NULL) == CINCH_OK && room > 0) {
        int n = BIO_read(SSL_get_wbio(ssl), space, (int)room);

        assert_true(n > 0);
        assert_int_equal(cinch_conn_recv_commit(conn, (size_t)n, NULL), CINCH_OK);
        moved += (size_t)n;
    }
    return moved;
}

lesson_talk lesson_against(cinch_conn *conn, SSL *ssl)
{
    lesson_talk t = {0};
    int we_are_server = !SSL_is_server(ssl), said[2] = {0, 0};
    lesson_end *ours = we_are_server ? &t.server : &t.client;
    lesson_end *theirs = we_are_server ? &t.client : &t.server;

    heard = 0;
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_info_callback(ssl, hear);
    do {
        go_on_libssl(ssl, theirs, &said[0]);
        go_on(conn, ours, &said[1]);
    } while (move_libssl(ssl, conn) > 0);
    go_on_libssl(ssl, theirs, &said[0]);
    look(conn, ours);
    theirs->alert = heard;
    theirs->resumed = SSL_session_reused(ssl);
    return t;
}

/* ---- what must be true ---- */

static void say(const lesson_talk *t)
{
    const lesson_end *ends[2] = {&t->client, &t->server};

    for (int i = 0; i < 2; i++) {
        print_error("%s: open %d, bytes %zu, alert received %d, verified %d, resumed %d\n",
                    i == 0 ? "client" : "server", ends[i]->open, ends[i]->got, ends[i]->alert,
                    ends[i]->verified, ends[i]->resumed);
        (void)cinch_error_report(&ends[i]->err, stderr);
    }
}

static void must(int holds, const lesson_talk *t, const char *what, const char *file, int line)
{
    if (holds)
        return;
    say(t);
    print_error("%s\n", what);
    _fail(file, line);
}

void lesson_check_open(const lesson_talk *t, const char *file, int line)
{
    must(t->client.open && t->server.open, t, "it had to be let in", file, line);
    must(t->client.got == WORD_SIZE && t->server.got == WORD_SIZE, t, "data did not arrive", file,
         line);
    must(!cinch_error_is_set(&t->client.err) && !cinch_error_is_set(&t->server.err), t,
         "there is an error", file, line);
}

void lesson_check_refused(const lesson_talk *t, lesson_who who, cinch_cause cause, int alert,
                          const char *file, int line)
{
    const lesson_end *end = who == THE_CLIENT ? &t->client : &t->server;
    const lesson_end *other = who == THE_CLIENT ? &t->server : &t->client;

    must(!end->open && !end->verified, t, "it had to be refused", file, line);
    must(end->got == 0 && other->got == 0, t, "data got through", file, line);
    must(end->err.cause == cause, t, "it was refused for another cause", file, line);
    must(end->err.alert_sent == alert, t, "another alert was sent", file, line);
    must(other->alert == alert, t, "another alert arrived", file, line);
}
