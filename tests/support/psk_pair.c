#include "psk_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* This library is linked with programs that are no cmocka tests as well. */
static void must_hold(int holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "psk_pair: not true: %s\n", what);
    abort();
}

#define must(holds) must_hold((holds), #holds)

pki_family *psk_family;
const unsigned char psk_right_key[32] = "0123456789abcdef0123456789abcde";
const cinch_tls_version psk_versions[2] = {CINCH_TLS_1_2, CINCH_TLS_1_3};

int psk_set_up(void **state)
{
    (void)state;
    psk_family = pki_family_new();
    return psk_family == NULL;
}

int psk_tear_down(void **state)
{
    (void)state;
    pki_family_free(psk_family);
    return 0;
}

void psk_limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    must(cinch_policy_versions(policy, version, version, NULL) == CINCH_OK);
    must(cinch_context_policy(ctx, policy, NULL) == CINCH_OK);
    cinch_policy_free(policy);
}

void psk_assert_refused(pair *p)
{
    char byte;
    size_t n;

    /* What became of the connection a TLS 1.3 client may learn with its first read only. */
    if (p->client.status == CINCH_OK)
        p->client.status = cinch_conn_read(p->client.conn, &byte, 1, &n, &p->client.err);
    must(cinch_conn_state_now(p->client.conn) == CINCH_STATE_FAILED);
    must(cinch_conn_state_now(p->server.conn) == CINCH_STATE_FAILED);
    for (int i = 0; i < 2; i++) {
        cinch_peer *peer = cinch_conn_evidence(i ? p->client.conn : p->server.conn, NULL);
        must(peer->verified == 0);
        must(strcmp(peer->psk_identity, "") == 0);
        cinch_peer_free(peer);
    }
    must(p->client.err.cause != CINCH_CAUSE_INTERNAL);
    must(p->server.err.cause != CINCH_CAUSE_INTERNAL);
    pair_stop(p);
}

void psk_assert_met(pair *p, const char *identity, int client_verified, int server_verified)
{
    (void)cinch_error_report(&p->client.err, stderr);
    (void)cinch_error_report(&p->server.err, stderr);
    must(p->client.status == CINCH_OK);
    must(p->server.status == CINCH_OK);
    must(pair_send(p, &p->client, &p->server, "ping", 4));
    must(pair_send(p, &p->server, &p->client, "pong", 4));
    cinch_peer *of_client = cinch_conn_peer(p->client.conn, NULL);
    cinch_peer *of_server = cinch_conn_peer(p->server.conn, NULL);
    must(strcmp(of_client->psk_identity, identity) == 0);
    must(strcmp(of_server->psk_identity, identity) == 0);
    must(of_client->verified == client_verified);
    must(of_server->verified == server_verified);
    /* libssl says that such a connection was resumed. */
    must(of_client->resumed == 0);
    must(of_server->resumed == 0);
    must((identity[0] == 0) == (of_client->chain_count > 0));
    must(strlen(of_client->group) > 0);
    cinch_peer_free(of_client);
    cinch_peer_free(of_server);
    pair_stop(p);
}
