/*
 * What is inside a ticket, as if somebody had the key: a real session of a client with a certificate
 * whose data is replaced. It opens nothing but what is right to the last byte.
 */
#include "conn.h"
#include "conn/conn.h"
#include "context/resume.h"

typedef struct made {
    pair p;
    SSL_SESSION *session;
    unsigned char *data;
    size_t size;
} made;

/* A connection with a client certificate, and the session that the server made of it. */
static made *connection(void)
{
    static made m;
    void *data;

    if (m.session != NULL)
        return &m;
    pki_cert *root = pki_make(&(pki_spec){.cn = "Root", .is_ca = true}, NULL);
    pki_cert *middle = pki_make(&(pki_spec){.cn = "Middle", .is_ca = true}, root);
    pki_cert *leaf = pki_make(&(pki_spec){.cn = "localhost"}, middle);
    cinch_context *client = pair_client_context(root);
    cinch_context *server = pair_server_context(leaf, middle);
    cinch_identity *identity = pair_identity(leaf, middle);
    pair_trust(server, root);
    must(cinch_context_client_auth(server, CINCH_CLIENT_AUTH_REQUIRED, NULL) == CINCH_OK);
    must(cinch_context_identity(client, identity, NULL) == CINCH_OK);
    pair_start(&m.p, client, server, "localhost");
    pair_handshake(&m.p);
    must(pair_send(&m.p, &m.p.server, &m.p.client, "x", 1));
    SSL *ssl = m.p.server.conn->ssl;
    must(cinch_resume_ticket_data(ssl, NULL) == 1);
    m.session = SSL_SESSION_dup(SSL_get_session(ssl));
    must(SSL_SESSION_get0_ticket_appdata(m.session, &data, &m.size) == 1);
    m.data = malloc(m.size);
    memcpy(m.data, data, m.size);
    cinch_identity_free(identity);
    cinch_context_free(client);
    cinch_context_free(server);
    pki_free(root);
    pki_free(middle);
    pki_free(leaf);
    return &m;
}

static SSL_TICKET_RETURN open_with(made *m, const void *data, size_t size)
{
    unsigned char name[16] = {0};

    must(SSL_SESSION_set1_ticket_appdata(m->session, data, size) == 1);
    SSL_TICKET_RETURN result = cinch_resume_ticket_opened(
        m->p.server.conn->ssl, m->session, name, sizeof name, SSL_TICKET_SUCCESS_RENEW, NULL);
    ERR_clear_error();
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    made *m = connection();
    unsigned char bytes[8192];
    /* The first byte says how much of the right data stays in front. */
    size_t kept = size == 0 ? m->size : data[0] * m->size / 255, rest = size == 0 ? 0 : size - 1;

    if (kept + rest > sizeof bytes)
        return 0;
    memcpy(bytes, m->data, kept);
    if (rest > 0)
        memcpy(bytes + kept, data + 1, rest);
    SSL_TICKET_RETURN result = open_with(m, bytes, kept + rest);
    if (kept + rest == m->size && memcmp(bytes, m->data, m->size) == 0)
        must(result == SSL_TICKET_RETURN_USE_RENEW);
    /* A digest of other rules opens nothing, whatever follows. */
    if (kept + rest < 32 || memcmp(bytes, m->data, 32) != 0)
        must(result == SSL_TICKET_RETURN_IGNORE_RENEW);
    return 0;
}
