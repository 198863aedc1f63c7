/* Who looks at a conn: both ends see the same on the wire, and what was inside in its place. */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#define LOG 16384

typedef struct watcher {
    char outside[LOG]; /* records and clear messages */
    char all[LOG];
    char certificate[256]; /* the text of the last Certificate */
} watcher;

static pki_family *family;

static int set_up(void **state)
{
    (void)state;
    family = pki_family_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_family_free(family);
    return 0;
}

static void put(char log[LOG], const cinch_wire_event *event)
{
    size_t used = strlen(log);

    (void)snprintf(
        log + used, LOG - used, "%c%s%s%s%s%s", event->sender == CINCH_WIRE_CLIENT ? 'C' : 'S',
        event->kind == CINCH_WIRE_RECORD    ? "-"
        : event->kind == CINCH_WIRE_PROBLEM ? "!"
        : event->is_inside                  ? "|"
                                            : ":",
        event->kind == CINCH_WIRE_PROBLEM ? event->text : event->name,
        event->is_protected ? "*" : "", event->is_malformed ? "?" : "",
        event->kind == CINCH_WIRE_MESSAGE && event->content_type == 23 ? event->text : "");
    (void)snprintf(log + strlen(log), LOG - strlen(log), "\n");
}

static void see(const cinch_wire_event *event, void *arg)
{
    watcher *w = arg;

    if (!event->is_inside)
        put(w->outside, event);
    put(w->all, event);
    if (strcmp(event->name, "Certificate") == 0)
        (void)snprintf(w->certificate, sizeof w->certificate, "%s", event->text);
}

/* A client and a server that speak VERSION. */
static void open_pair(pair *p, cinch_tls_version version, int ask, watcher *of_client,
                      watcher *of_server)
{
    cinch_context *client = pair_client_context(family->root);
    cinch_context *server = pair_server_context(family->good, family->intermediate);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    if (ask) {
        cinch_identity *identity = pair_identity(family->client, family->intermediate);

        pair_trust(server, family->root);
        assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                         CINCH_OK);
        assert_int_equal(cinch_context_identity(client, identity, NULL), CINCH_OK);
        cinch_identity_free(identity);
    }
    pair_start(p, client, server, "localhost");
    assert_int_equal(cinch_conn_wire(p->client.conn, see, of_client, CINCH_WIRE_INSIDE, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_conn_wire(p->server.conn, see, of_server, CINCH_WIRE_INSIDE, NULL),
                     CINCH_OK);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void talk(pair *p)
{
    char byte[1];
    size_t n;

    pair_handshake(p);
    assert_int_equal(p->client.status, CINCH_OK);
    assert_int_equal(p->server.status, CINCH_OK);
    assert_true(pair_send(p, &p->client, &p->server, "hello", 5));
    assert_int_equal(cinch_conn_close(p->client.conn, NULL), CINCH_OK);
    (void)pair_move(p);
    assert_int_equal(cinch_conn_read(p->server.conn, byte, sizeof byte, &n, NULL), CINCH_EOF);
    (void)pair_move(p);
}

/* Lines of TEXT that begin with SIDE: what each side sends is in order, what both do is not. */
static void lines_of(const char *text, char side, char out[LOG])
{
    size_t used = 0;

    for (size_t size; *text != 0; text += size) {
        size = strcspn(text, "\n") + 1;
        if (text[0] == side) {
            memcpy(out + used, text, size);
            used += size;
        }
    }
    out[used] = 0;
}

static void sends(const char *log, char side, const char *wanted)
{
    static char lines[LOG];

    lines_of(log, side, lines);
    assert_string_equal(lines, wanted);
}

static void tls_13(void **state)
{
    static watcher client, server;

    (void)state;
    for (size_t piece = 0; piece < 300; piece += 97) {
        pair p = {.piece = piece};

        client = server = (watcher){.outside = ""};
        open_pair(&p, CINCH_TLS_1_3, 1, &client, &server);
        talk(&p);
        pair_stop(&p);
        static const char said[] =
            "C-handshake\nC:ClientHello\n"
            "C-application_data*\nC|Certificate\nC-application_data*\nC|CertificateVerify\n"
            "C-application_data*\nC|Finished\n"
            "C-application_data*\nC|application_data5 bytes\n"
            "C-application_data*\nC|alert\n";
        sends(client.all, 'C', said);
        sends(server.all, 'C', said);
        static char begun[LOG];
        lines_of(client.all, 'S', begun);
        assert_true(strncmp(begun,
                            "S-handshake\nS:ServerHello\n"
                            "S-application_data*\nS|EncryptedExtensions\n"
                            "S-application_data*\nS|CertificateRequest\n"
                            "S-application_data*\nS|Certificate\n",
                            strlen("S-handshake\nS:ServerHello\n"
                                   "S-application_data*\nS|EncryptedExtensions\n"
                                   "S-application_data*\nS|CertificateRequest\n"
                                   "S-application_data*\nS|Certificate\n")) == 0);
        sends(server.all, 'S', begun);
        assert_null(strstr(client.outside, "Certificate"));
    }
}

static void tls_12(void **state)
{
    static watcher client, server;
    pair p = {0};

    (void)state;
    client = server = (watcher){.outside = ""};
    open_pair(&p, CINCH_TLS_1_2, 0, &client, &server);
    talk(&p);
    pair_stop(&p);
    sends(client.all, 'C',
          "C-handshake\nC:ClientHello\nC-handshake\nC:ClientKeyExchange\n"
          "C-change_cipher_spec\nC:change_cipher_spec\nC-handshake*\nC|Finished\n"
          "C-application_data*\nC|application_data5 bytes\nC-alert*\nC|alert\n");
    sends(client.all, 'S',
          "S-handshake\nS:ServerHello\nS-handshake\nS:Certificate\nS-handshake\n"
          "S:ServerKeyExchange\nS-handshake\nS:ServerHelloDone\n"
          "S-change_cipher_spec\nS:change_cipher_spec\nS-handshake*\nS|Finished\n");
    assert_non_null(strstr(client.certificate, "CN=localhost"));
    static char lines[LOG];
    for (const char *side = "CS"; *side != 0; side++) {
        lines_of(client.all, *side, lines);
        sends(server.all, *side, lines);
    }
}

/* Without the flag nothing of the inside is told, and what is outside is the same. */
static void only_outside(void **state)
{
    static watcher client, server;
    pair p = {0};

    (void)state;
    client = server = (watcher){.outside = ""};
    open_pair(&p, CINCH_TLS_1_3, 0, &client, &server);
    assert_int_equal(cinch_conn_wire(p.client.conn, see, &client, 0, NULL), CINCH_OK);
    talk(&p);
    pair_stop(&p);
    assert_string_equal(client.all, client.outside);
    assert_null(strstr(client.all, "Certificate"));
    static char lines[LOG];
    lines_of(server.outside, 'S', lines);
    sends(client.outside, 'S', lines);
}

/* A failure keeps its reason although somebody looks, and the alert is seen. */
static void a_failure(void **state)
{
    static watcher client, server;
    pair p = {0};

    (void)state;
    client = server = (watcher){.outside = ""};
    cinch_context *trusting = pair_client_context(family->other_root);
    cinch_context *site = pair_server_context(family->good, family->intermediate);
    pair_start(&p, trusting, site, "localhost");
    assert_int_equal(cinch_conn_wire(p.client.conn, see, &client, CINCH_WIRE_INSIDE, NULL),
                     CINCH_OK);
    assert_int_equal(cinch_conn_wire(p.server.conn, see, &server, 0, NULL), CINCH_OK);
    pair_handshake(&p);
    assert_int_equal(p.client.err.category, CINCH_CATEGORY_TRUST);
    assert_true(p.client.err.openssl_code != 0 || p.client.err.verify_code != 0);
    assert_true(ERR_peek_error() == 0);
    assert_int_equal(p.server.err.alert_received, 48);
    /* It has no keys of its own yet: everybody sees why it ends. */
    assert_non_null(strstr(client.all, "C-alert\nC:alert\n"));
    assert_non_null(strstr(server.all, "C-alert\nC:alert\n"));
    pair_stop(&p);
    cinch_context_free(trusting);
    cinch_context_free(site);
}

static void not_tls(void **state)
{
    static watcher client;
    cinch_context *ctx = pair_client_context(family->root);
    cinch_error err = CINCH_ERROR_INIT;
    cinch_conn *conn = cinch_conn_new(ctx, "localhost", NULL);
    void *space;
    size_t size;

    (void)state;
    client = (watcher){.outside = ""};
    assert_int_equal(cinch_conn_wire(conn, see, &client, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_WANT_READ);
    assert_int_equal(cinch_conn_recv_space(conn, &space, &size, NULL), CINCH_OK);
    memcpy(space, "HTTP/1.0 400", 12);
    assert_int_equal(cinch_conn_recv_commit(conn, 12, NULL), CINCH_OK);
    assert_int_equal(cinch_conn_handshake(conn, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_NOT_TLS);
    cinch_conn_free(conn);
    assert_non_null(strstr(client.all, "S!the server does not speak TLS but plain HTTP?\n"));
    cinch_context_free(ctx);
}

static void misuse(void **state)
{
    static watcher client, server;
    pair p = {0};
    cinch_error err = CINCH_ERROR_INIT;

    (void)state;
    client = server = (watcher){.outside = ""};
    assert_int_equal(cinch_conn_wire(NULL, see, NULL, 0, NULL), CINCH_FAILED);
    assert_int_equal(cinch_stream_wire(NULL, see, NULL, 0, NULL), CINCH_FAILED);
    open_pair(&p, CINCH_TLS_1_3, 0, &client, &server);
    assert_int_equal(cinch_conn_wire(p.client.conn, see, &client, 2, NULL), CINCH_FAILED);
    /* Nobody looks any more, and later nobody can begin. */
    assert_int_equal(cinch_conn_wire(p.client.conn, NULL, NULL, 0, NULL), CINCH_OK);
    pair_handshake(&p);
    assert_int_equal(cinch_conn_wire(p.client.conn, see, &client, 0, &err), CINCH_FAILED);
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    assert_string_equal(client.all, "");
    assert_string_not_equal(server.all, "");
    assert_int_equal(cinch_conn_wire(p.server.conn, NULL, NULL, 0, NULL), CINCH_OK);
    pair_stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_13),    cmocka_unit_test(tls_12),  cmocka_unit_test(only_outside),
        cmocka_unit_test(a_failure), cmocka_unit_test(not_tls), cmocka_unit_test(misuse),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
