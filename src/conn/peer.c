/* peer.c: the report on what was agreed and who is there. */
#include <cinch/peer.h>

#include "accel/accel.h"
#include "base/arena.h"
#include "base/certificate.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"
#include "conn/conn.h"
#include "context/extras.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

typedef struct report {
    cinch_peer peer; /* first: the public pointer is this one's */
    cinch_arena arena;
} report;

void cinch_peer_free(cinch_peer *peer)
{
    report *r = (report *)(void *)peer;

    if (r == NULL)
        return;
    cinch_certificate_list_free(peer->chain, peer->chain_count);
    cinch_certificate_list_free(peer->sent, peer->sent_count);
    cinch_arena_free(&r->arena);
    cinch_release(r);
}

static int fill_agreed(cinch_peer *peer, cinch_arena *arena, const cinch_conn *conn)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(conn->ssl);

    if (conn->answered) {
        peer->version_number = SSL_version(conn->ssl);
        peer->version = cinch_arena_text(arena, SSL_get_version(conn->ssl));
    }
    if (cipher != NULL) {
        peer->cipher = cinch_arena_text(arena, SSL_CIPHER_standard_name(cipher));
        peer->cipher_bits = SSL_CIPHER_get_bits(cipher, NULL);
    }
    if (conn->handshake_done) {
        peer->group = cinch_arena_text(arena, cinch_ssl_group(conn->ssl));
        peer->signature_algorithm = cinch_arena_text(arena, cinch_ssl_peer_signature(conn->ssl));
        /* To libssl a connection with an external secret is a resumed one. */
        peer->resumed = SSL_session_reused(conn->ssl) && conn->link.psk_identity == NULL;
        peer->verified = conn->link.verified && conn->late == CINCH_LATE_NONE;
    }
    peer->accel = cinch_arena_text(arena, cinch_accel_name(conn->ssl));
    return peer->version != NULL && peer->cipher != NULL && peer->group != NULL &&
           peer->signature_algorithm != NULL && peer->accel != NULL;
}

/* What both sides have, in the client's order. Compression is never among what is agreed on. */
static int fill_shared(cinch_peer *peer, cinch_arena *arena, const cinch_conn *conn)
{
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(conn->ssl);
    STACK_OF(SSL_CIPHER) *theirs = NULL;
    char text[2048] = "";
    size_t used = 0;

    if (conn->link.derived->settings->is_server)
        theirs = SSL_get_client_ciphers(conn->ssl);
    for (int i = 0; i < sk_SSL_CIPHER_num(theirs) && used < sizeof text; i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(theirs, i);
        const char *name = SSL_CIPHER_standard_name(cipher);

        for (int k = 0; k < sk_SSL_CIPHER_num(ours); k++)
            if (SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ours, k)) == SSL_CIPHER_get_id(cipher)) {
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                         used > 0 ? ", " : "", name);
                break;
            }
    }
    peer->shared_ciphers = cinch_arena_text(arena, text);
    return peer->shared_ciphers != NULL;
}

static int fill_names(cinch_peer *peer, cinch_arena *arena, const cinch_conn *conn)
{
    const unsigned char *alpn = NULL;
    unsigned size = 0;
    char text[256 * 4];
    const char *name = SSL_get_servername(conn->ssl, TLSEXT_NAMETYPE_host_name);

    SSL_get0_alpn_selected(conn->ssl, &alpn, &size);
    cinch_text_clean(text, sizeof text, alpn, size, 0);
    peer->alpn = cinch_arena_text(arena, text);
    const unsigned char *npn = cinch_npn_result(conn->ssl, &size);
    cinch_text_clean(text, sizeof text, npn, size, 0);
    peer->npn = cinch_arena_text(arena, text);
    const char *secret = conn->handshake_done ? conn->link.psk_identity : NULL;
    peer->psk_identity = cinch_arena_text(arena, secret == NULL ? "" : secret);
    peer->host = cinch_arena_text(arena, conn->link.host.text);
    if (conn->link.derived->settings->is_server)
        name = conn->link.asked;
    if (name == NULL)
        name = "";
    cinch_text_clean(text, sizeof text, name, strlen(name), 0);
    peer->server_name = cinch_arena_text(arena, text);
    return peer->alpn != NULL && peer->npn != NULL && peer->psk_identity != NULL &&
           peer->host != NULL && peer->server_name != NULL;
}

/*
 * What the peer sent, leaf first. OpenSSL's list has the leaf on a client and lacks it on a server;
 * of a refused chain it keeps nothing, so the verification did.
 */
static int fill_sent(cinch_peer *peer, const cinch_conn *conn)
{
    STACK_OF(X509) *sent = conn->link.sent;
    STACK_OF(X509) *whole = NULL;
    X509 *leaf = SSL_get0_peer_certificate(conn->ssl);
    int ok = 1;

    if (sent == NULL && leaf != NULL) {
        sent = SSL_get_peer_cert_chain(conn->ssl);
        if (sent == NULL || sk_X509_num(sent) == 0 || sk_X509_value(sent, 0) != leaf) {
            whole = sent == NULL ? sk_X509_new_null() : sk_X509_dup(sent);
            ok = whole != NULL && sk_X509_unshift(whole, leaf) > 0;
            sent = whole;
        }
    }
    ok = ok && cinch_certificate_list(sent, &peer->sent, &peer->sent_count, NULL) == CINCH_OK;
    sk_X509_free(whole);
    return ok;
}

static int fill_chain(cinch_peer *peer, const cinch_conn *conn)
{
    STACK_OF(X509) *chain = conn->link.resumed_chain;

    if (!conn->link.verified || conn->late != CINCH_LATE_NONE || conn->link.psk_identity != NULL ||
        (chain == NULL && !conn->link.chain_is_verified))
        return 1;
    if (chain == NULL)
        chain = SSL_get0_verified_chain(conn->ssl);
    return cinch_certificate_list(chain, &peer->chain, &peer->chain_count, NULL) == CINCH_OK;
}

static void fill_timing(cinch_timing *timing, const cinch_conn *conn)
{
    int64_t last = conn->started_at;

    *timing = (cinch_timing){-1, -1, -1, -1, -1};
    if (conn->hello_at != 0) {
        timing->hello_us = conn->hello_at - last;
        last = conn->hello_at;
    }
    if (conn->link.verified_at != 0) {
        timing->certificate_us = conn->link.verified_at - last;
        last = conn->link.verified_at;
    }
    if (conn->finished_at != 0)
        timing->finished_us = conn->finished_at - last;
}

cinch_peer *cinch_conn_evidence(const cinch_conn *conn, cinch_error *err)
{
    if (conn == NULL) {
        (void)cinch_fail_null(err, "connection");
        return NULL;
    }
    report *r = cinch_alloc(sizeof *r);
    if (r == NULL) {
        (void)cinch_fail_memory(err, "reporting on the peer");
        return NULL;
    }
    cinch_peer *peer = &r->peer;
    peer->version = peer->cipher = peer->group = peer->signature_algorithm = "";
    fill_timing(&peer->timing, conn);
    if (!fill_agreed(peer, &r->arena, conn) || !fill_names(peer, &r->arena, conn) ||
        !fill_shared(peer, &r->arena, conn) || !fill_sent(peer, conn) || !fill_chain(peer, conn)) {
        cinch_peer_free(peer);
        ERR_clear_error();
        (void)cinch_fail_memory(err, "reporting on the peer");
        return NULL;
    }
    ERR_clear_error();
    return peer;
}

cinch_peer *cinch_conn_peer(const cinch_conn *conn, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (conn != NULL && !conn->handshake_done) {
        (void)cinch_fail(err, CINCH_CAUSE_MISUSE,
                         "the peer was asked about before the handshake was complete");
        return NULL;
    }
    return cinch_conn_evidence(conn, err);
}
