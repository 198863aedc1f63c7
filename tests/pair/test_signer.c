/* Keys that are somewhere else: what must not leave this side, and what must work. */
#include "office.h"
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

static pki_cert *root, *client_leaf;

/* Who has the key, and what is wrong with him. */
typedef struct holder {
    const pki_cert *cert;
    int calls;
    int scheme; /* of the last call */
    enum {
        HOLDER_GOOD = 0,
        HOLDER_FLIPS,   /* a bit of the signature */
        HOLDER_OTHER,   /* another key of the kind */
        HOLDER_EMPTY,   /* says OK and gives nothing */
        HOLDER_LARGE,   /* says that more was written than there was room for */
        HOLDER_SHORT,   /* cuts it */
        HOLDER_FAILS,   /* and says why */
        HOLDER_SILENT,  /* fails without a word */
        HOLDER_STRANGE, /* returns what it must not */
        HOLDER_NOISY    /* works, and leaves errors in OpenSSL's queue */
    } mood;
    pki_cert *other;
} holder;

/* The digest is the message's. */
static int digest_fits(const cinch_signing *what)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size;

    if (what->digest == NULL)
        return what->digest_size == 0 && what->digest_name[0] == 0;
    return EVP_Digest(what->message, what->message_size, digest, &size,
                      EVP_get_digestbyname(what->digest_name), NULL) == 1 &&
           size == what->digest_size && memcmp(digest, what->digest, size) == 0;
}

static cinch_status hold(const cinch_signing *what, unsigned char *signature, size_t *size,
                         char *reason, size_t reason_size, void *arg)
{
    holder *h = arg;
    size_t room = *size;

    h->calls++;
    h->scheme = what->scheme;
    if (h->mood == HOLDER_FAILS) {
        snprintf(reason, reason_size, "the token is\033 not there");
        return CINCH_FAILED;
    }
    if (h->mood == HOLDER_SILENT)
        return CINCH_FAILED;
    if (!digest_fits(what) ||
        !office_sign(h->mood == HOLDER_OTHER ? h->other : h->cert, what, signature, size))
        return CINCH_FAILED;
    if (h->mood == HOLDER_FLIPS)
        signature[*size / 2] ^= 1;
    if (h->mood == HOLDER_EMPTY)
        *size = 0;
    if (h->mood == HOLDER_LARGE)
        *size = room + 1;
    if (h->mood == HOLDER_SHORT)
        *size /= 2;
    if (h->mood == HOLDER_NOISY)
        ERR_raise(ERR_LIB_USER, 1);
    return h->mood == HOLDER_STRANGE ? (cinch_status)77 : CINCH_OK;
}

static cinch_identity *signer_of(holder *h, cinch_error *err)
{
    char *pem = pki_pem_cert(h->cert);
    cinch_identity *identity = cinch_identity_signer(pem, strlen(pem), hold, h, err);

    free(pem);
    return identity;
}

static void use(cinch_context *ctx, holder *h)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_identity *identity = signer_of(h, &err);

    (void)cinch_context_identity(ctx, identity, &err);
    assert_int_equal(cinch_error_report(&err, stderr), 0);
    cinch_identity_free(identity);
}

static void limit(cinch_context *ctx, cinch_tls_version version)
{
    cinch_policy *policy = cinch_policy_new(NULL, NULL);

    assert_int_equal(cinch_policy_versions(policy, version, version, NULL), CINCH_OK);
    assert_int_equal(cinch_context_policy(ctx, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
}

/* The kinds of keys, and how each side signs with them in TLS 1.2 and 1.3. */
static const struct {
    pki_key_type type;
    int scheme[2];
} kinds[] = {
    {PKI_KEY_P256, {0x0403, 0x0403}},
    {PKI_KEY_P384, {0, 0x0503}}, /* the peer's order decides in TLS 1.2 */
    {PKI_KEY_RSA, {0x0804, 0x0804}},
    {PKI_KEY_ED25519, {0x0807, 0x0807}},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static const cinch_tls_version versions[] = {CINCH_TLS_1_2, CINCH_TLS_1_3};
static pki_cert *leaves[KINDS], *others[KINDS];

static int set_up(void **state)
{
    (void)state;
    root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    client_leaf = pki_make(&(pki_spec){.cn = "client"}, root);
    for (size_t i = 0; i < KINDS; i++) {
        leaves[i] = pki_make(&(pki_spec){.cn = "leaf", .key_type = kinds[i].type}, root);
        others[i] = pki_make(&(pki_spec){.cn = "other", .key_type = kinds[i].type}, root);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        pki_free(leaves[i]);
        pki_free(others[i]);
    }
    pki_free(client_leaf);
    pki_free(root);
    return 0;
}

/* A handshake in which H signs as the server or the client. */
static pair meet(holder *h, int as_server, cinch_tls_version version)
{
    pair p = {0};
    cinch_context *client = pair_client_context(root);
    cinch_context *server =
        as_server ? cinch_context_server(NULL) : pair_server_context(client_leaf, NULL);

    limit(client, version);
    use(as_server ? server : client, h);
    if (!as_server) {
        pair_trust(server, root);
        assert_int_equal(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL),
                         CINCH_OK);
    }
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    cinch_context_free(client);
    cinch_context_free(server);
    assert_int_equal(ERR_peek_error(), 0);
    return p;
}

/* ---- attacks ---- */

static void assert_refused(holder *h, int as_server, cinch_tls_version version, const char *words)
{
    pair p = meet(h, as_server, version);
    pair_end *ours = as_server ? &p.server : &p.client;
    pair_end *theirs = as_server ? &p.client : &p.server;

    assert_int_equal(ours->status, CINCH_FAILED);
    assert_int_equal(ours->err.cause, CINCH_CAUSE_SIGNER);
    if (strstr(ours->err.what, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", ours->err.what, words);
    assert_int_equal(cinch_conn_state_now(ours->conn), CINCH_STATE_FAILED);
    assert_int_not_equal(cinch_conn_state_now(theirs->conn), CINCH_STATE_OPEN);
    /* It learns no more than that something went wrong here: internal_error. */
    assert_int_equal(theirs->err.alert_received, 80);
    assert_int_equal(h->calls, 1);
    pair_stop(&p);
}

static void test_wrong_signatures_stay_here(void **state)
{
    static const struct {
        int mood;
        const char *words;
    } moods[] = {
        {HOLDER_FLIPS, "does not verify"}, {HOLDER_OTHER, "does not verify"},
        {HOLDER_SHORT, "does not verify"}, {HOLDER_EMPTY, "is empty"},
        {HOLDER_LARGE, "is larger"},       {HOLDER_STRANGE, "failed"},
        {HOLDER_SILENT, "failed"},         {HOLDER_FAILS, "failed: the token is\\x1b not there"},
    };

    (void)state;
    for (size_t m = 0; m < sizeof moods / sizeof moods[0]; m++)
        for (size_t i = 0; i < KINDS; i++)
            for (int v = 0; v < 2; v++)
                for (int as_server = 0; as_server < 2; as_server++) {
                    holder h = {.cert = leaves[i], .other = others[i]};

                    h.mood = moods[m].mood;
                    assert_refused(&h, as_server, versions[v], moods[m].words);
                }
}

static void test_a_key_cannot_be_had_for_less(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    holder h = {.cert = leaves[0]};
    char *key = pki_pem_key(leaves[0], NULL);
    static const char nothing[] = "no PEM at all";

    (void)state;
    assert_null(cinch_identity_signer(NULL, 0, hold, &h, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    cinch_error_clear(&err);
    assert_null(cinch_identity_signer(key, strlen(key), NULL, &h, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_MISUSE);
    cinch_error_clear(&err);
    assert_null(cinch_identity_signer(key, strlen(key), hold, &h, &err));
    assert_int_equal(err.cause, CINCH_CAUSE_KEY_WHERE_CERTIFICATE);
    cinch_error_clear(&err);
    assert_null(cinch_identity_signer(nothing, sizeof nothing - 1, hold, &h, &err));
    assert_int_equal(err.category, CINCH_CATEGORY_FILE);
    assert_int_equal(h.calls, 0);
    free(key);
}

/* Equal certificates with different signers are different settings. */
static void test_signers_are_not_mixed_up(void **state)
{
    holder one = {.cert = leaves[0]}, other = {.cert = leaves[0]};
    cinch_context *client = pair_client_context(root);
    cinch_context *first = cinch_context_server(NULL), *second = cinch_context_server(NULL);
    cinch_context *ordinary = pair_server_context(leaves[0], NULL);

    (void)state;
    use(first, &one);
    use(second, &other);
    for (int i = 0; i < 3; i++) {
        pair p = {0};

        pair_start(&p, client, i == 0 ? first : i == 1 ? second : ordinary, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_int_equal(one.calls, 1);
        assert_int_equal(other.calls, i > 0);
        pair_stop(&p);
    }
    cinch_context_free(client);
    cinch_context_free(first);
    cinch_context_free(second);
    cinch_context_free(ordinary);
}

/* ---- what must work ---- */

static void test_every_kind_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        for (int v = 0; v < 2; v++)
            for (int as_server = 0; as_server < 2; as_server++) {
                holder h = {.cert = leaves[i], .mood = as_server ? HOLDER_GOOD : HOLDER_NOISY};
                pair p = meet(&h, as_server, versions[v]);

                (void)cinch_error_report(&p.client.err, stderr);
                (void)cinch_error_report(&p.server.err, stderr);
                assert_int_equal(p.client.status, CINCH_OK);
                assert_int_equal(p.server.status, CINCH_OK);
                assert_true(pair_send(&p, &p.client, &p.server, "ping", 4));
                assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
                assert_int_equal(h.calls, 1);
                if (kinds[i].scheme[v] != 0)
                    assert_int_equal(h.scheme, kinds[i].scheme[v]);
                pair_stop(&p);
            }
}

/* RSA without PSS is for TLS 1.2 only. */
static void test_rsa_without_pss(void **state)
{
    holder h = {.cert = leaves[2]};
    cinch_context *client = pair_client_context(root), *server = cinch_context_server(NULL);
    cinch_policy *policy = cinch_policy_new(NULL, NULL);
    pair p = {0};

    (void)state;
    use(server, &h);
    assert_int_equal(cinch_policy_versions(policy, CINCH_TLS_1_2, CINCH_TLS_1_2, NULL), CINCH_OK);
    assert_int_equal(cinch_policy_sigalgs(policy, "rsa_pkcs1_sha384:ecdsa_secp256r1_sha256", NULL),
                     CINCH_OK);
    assert_int_equal(cinch_context_policy(client, policy, NULL), CINCH_OK);
    cinch_policy_free(policy);
    pair_start(&p, client, server, "localhost");
    pair_handshake(&p);
    (void)cinch_error_report(&p.client.err, stderr);
    assert_int_equal(p.client.status, CINCH_OK);
    assert_int_equal(h.scheme, 0x0501);
    pair_stop(&p);
    cinch_context_free(client);
    cinch_context_free(server);
}

static void test_one_identity_in_two_contexts(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    holder h = {.cert = leaves[1]};
    cinch_identity *identity = signer_of(&h, &err);
    cinch_context *client = pair_client_context(root);
    cinch_context *servers[2] = {cinch_context_server(NULL), cinch_context_server(NULL)};

    (void)state;
    assert_int_equal(cinch_context_alpn(servers[1], "h2", NULL), CINCH_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cinch_context_identity(servers[i], identity, &err), CINCH_OK);
    cinch_identity_free(identity);
    for (int i = 0; i < 2; i++) {
        pair p = {0};

        pair_start(&p, client, servers[i], "localhost");
        cinch_context_free(servers[i]);
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_int_equal(h.calls, i + 1);
        pair_stop(&p);
    }
    cinch_context_free(client);
}

/* Nobody is asked for a signature when a session is resumed. */
static void test_resumption_needs_no_signature(void **state)
{
    holder h = {.cert = leaves[0]};
    cinch_context *client = pair_client_context(root), *server = cinch_context_server(NULL);

    (void)state;
    use(server, &h);
    for (int i = 0; i < 2; i++) {
        pair p = {0};

        pair_start(&p, client, server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.client.status, CINCH_OK);
        assert_true(pair_send(&p, &p.server, &p.client, "pong", 4));
        cinch_peer *peer = cinch_conn_peer(p.client.conn, NULL);
        assert_int_equal(peer->resumed, i);
        cinch_peer_free(peer);
        assert_int_equal(h.calls, 1);
        pair_stop(&p);
    }
    cinch_context_free(client);
    cinch_context_free(server);
}

/* A server may ask for the client's certificate while the connection is open. */
static void test_late_certificates(void **state)
{
    (void)state;
    for (int wrong = 0; wrong < 2; wrong++) {
        holder h = {.cert = leaves[1], .mood = wrong ? HOLDER_FLIPS : HOLDER_GOOD};
        cinch_context *client = pair_client_context(root);
        cinch_context *server = pair_server_context(client_leaf, NULL);
        pair p = {0};
        char byte;
        size_t n;

        use(client, &h);
        pair_trust(server, root);
        assert_int_equal(cinch_context_late_certificate(client, 1, NULL), CINCH_OK);
        pair_start(&p, client, server, "localhost");
        pair_handshake(&p);
        assert_int_equal(p.server.status, CINCH_OK);
        assert_int_equal(h.calls, 0);
        assert_int_equal(cinch_conn_ask_certificate(p.server.conn, NULL), CINCH_OK);
        (void)pair_move(&p);
        p.client.status = cinch_conn_read(p.client.conn, &byte, 1, &n, &p.client.err);
        (void)pair_move(&p);
        p.server.status = cinch_conn_read(p.server.conn, &byte, 1, &n, &p.server.err);
        assert_int_equal(h.calls, 1);
        assert_int_equal(p.client.status, wrong ? CINCH_FAILED : CINCH_WANT_READ);
        assert_int_equal(p.client.err.cause, wrong ? CINCH_CAUSE_SIGNER : CINCH_CAUSE_NONE);
        assert_int_equal(p.server.status, wrong ? CINCH_FAILED : CINCH_WANT_READ);
        cinch_peer *peer = cinch_conn_evidence(p.server.conn, NULL);
        assert_int_equal(peer->verified, !wrong);
        cinch_peer_free(peer);
        pair_stop(&p);
        cinch_context_free(client);
        cinch_context_free(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_certificates),
        cmocka_unit_test(test_resumption_needs_no_signature),
        cmocka_unit_test(test_wrong_signatures_stay_here),
        cmocka_unit_test(test_a_key_cannot_be_had_for_less),
        cmocka_unit_test(test_signers_are_not_mixed_up),
        cmocka_unit_test(test_every_kind_signs),
        cmocka_unit_test(test_rsa_without_pss),
        cmocka_unit_test(test_one_identity_in_two_contexts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
