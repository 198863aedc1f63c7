#include "office_pair.h"

#include <openssl/err.h>
#include <stdlib.h>

/* This library is linked with programs that are no cmocka tests as well. */
static void must(int holds)
{
    if (!holds)
        abort();
}

pki_cert *office_root, *office_client;

const pki_key_type office_kinds[OFFICE_KINDS] = {PKI_KEY_P256, PKI_KEY_P384, PKI_KEY_RSA,
                                                 PKI_KEY_ED25519};

const cinch_tls_version office_versions[2] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
pki_cert *office_leaves[OFFICE_KINDS];

int office_set_up(void **state)
{
    (void)state;
    office_root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    office_client = pki_make(&(pki_spec){.cn = "client"}, office_root);
    for (size_t i = 0; i < OFFICE_KINDS; i++)
        office_leaves[i] =
            pki_make(&(pki_spec){.cn = "leaf", .key_type = office_kinds[i]}, office_root);
    return 0;
}

int office_tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < OFFICE_KINDS; i++)
        pki_free(office_leaves[i]);
    pki_free(office_client);
    pki_free(office_root);
    return 0;
}

void office_limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    must(cinch_policy_versions(policy, version, version, NULL) == CINCH_OK);
    must(cinch_context_policy(ctx, policy, NULL) == CINCH_OK);
    cinch_policy_free(policy);
}

pair office_meet(office *o, int as_server, cinch_tls_version version)
{
    pair p = {0};
    cinch_context *client = pair_client_context(office_root);
    cinch_context *server =
        as_server ? cinch_context_server(NULL) : pair_server_context(office_client, NULL);

    office_limit(client, version);
    office_use(o, as_server ? server : client);
    if (!as_server) {
        pair_trust(server, office_root);
        must(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL) == CINCH_OK);
    }
    pair_start(&p, client, server, "localhost");
    cinch_context_free(client);
    cinch_context_free(server);
    pair_handshake(&p);
    must(ERR_peek_error() == 0);
    return p;
}

void office_assert_open(pair *p)
{
    (void)cinch_error_report(&p->client.err, stderr);
    (void)cinch_error_report(&p->server.err, stderr);
    must(p->client.status == CINCH_OK);
    must(p->server.status == CINCH_OK);
    must(pair_send(p, &p->client, &p->server, "ping", 4));
    must(pair_send(p, &p->server, &p->client, "pong", 4));
    must(ERR_peek_error() == 0);
}
