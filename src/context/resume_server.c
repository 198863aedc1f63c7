/*
 * resume_server.c: the tickets of a server. They are sealed with keys that the ring derives for the
 * digest of the host, so a ticket of another host, or of this one under other rules, has a name that
 * is unknown here (CVE-2025-23419). Inside are the same digest once more, the time of the full handshake
 * at the start, and the client's certificates as they were verified.
 */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/openssl.h"
#include "context/access.h"
#include "context/extras.h"
#include "context/resume.h"
#include "context/revocation.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

/* What is inside a ticket beside libssl's own: digest, start, certificates above the leaf. */
#define DATA_FIXED (32 + 8)
/* A client sends its ticket in its first flight, so it must not become long. */
#define DATA_LARGEST 4096

static int hash_names(const cinch_identity *identity, EVP_MD_CTX *md)
{
    int ok = 1;

    if (identity == NULL)
        return 1;
    const cinch_certificate *leaf = identity->certificates[0];
    for (size_t i = 0; ok && i < leaf->name_count; i++)
        ok = EVP_DigestUpdate(md, leaf->names[i].text, strlen(leaf->names[i].text) + 1) == 1;
    return ok;
}

static int hash_rules(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {s->is_server,      (int)s->client_auth,      s->verify_depth,
                         (int)s->alpn_rule, (int)s->server_name_rule, s->roots_only};
    unsigned char trust[32] = {0};

    if (s->trust != NULL)
        cinch_trust_digest(s->trust, trust);
    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           EVP_DigestUpdate(md, trust, sizeof trust) == 1 &&
           (s->alpn == NULL || EVP_DigestUpdate(md, s->alpn, s->alpn_size) == 1) &&
           cinch_extras_hash_rules(s, md) && cinch_access_hash(s, md) &&
           cinch_revocation_bind(s, md) && cinch_policy_hash(s->policy, md) == 1 &&
           hash_names(s->identity, md);
}

cinch_status cinch_resume_digest(const cinch_settings *settings, unsigned char digest[32],
                                 cinch_error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    cinch_status status = CINCH_OK;

    if (md == NULL || sha256 == NULL || EVP_DigestInit_ex2(md, sha256, NULL) != 1 ||
        !hash_rules(settings, md) || EVP_DigestFinal_ex(md, digest, NULL) != 1)
        status = cinch_fail_crypto(err, "naming the sessions of a server");
    EVP_MD_free(sha256);
    EVP_MD_CTX_free(md);
    return status;
}

static void install_ids(const cinch_settings *settings, SSL_CTX *ctx)
{
    if (settings->session_ids == 0) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        return;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, (long)settings->session_ids);
}

static cinch_status install_server(const cinch_settings *settings,
                                   const unsigned char session_digest[32], SSL_CTX *ctx,
                                   cinch_error *err)
{
    if (SSL_CTX_set_session_id_context(ctx, session_digest, 32) != 1 ||
        /* None in the handshake; see cinch_resume_give(). */
        SSL_CTX_set_num_tickets(ctx, 0) != 1)
        return cinch_fail_crypto(err, "setting up resumption");
    install_ids(settings, ctx);
    /*
     * Always: libssl asks the first SSL_CTX of a connection, which may be without tickets while the
     * host that it turns out to be for is not; and without a callback it has a key of its own, for ever.
     */
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, cinch_resume_ticket_key) != 1 ||
        SSL_CTX_set_session_ticket_cb(ctx, cinch_resume_ticket_data, cinch_resume_ticket_opened,
                                      NULL) != 1)
        return cinch_fail_crypto(err, "setting up resumption");
    if (settings->tickets == NULL || !settings->resumption) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        return CINCH_OK;
    }
    SSL_CTX_set_timeout(ctx, cinch_ring_lifetime(settings->tickets));
    return CINCH_OK;
}

cinch_status cinch_resume_install(const cinch_settings *settings,
                                  const unsigned char session_digest[32], SSL_CTX *ctx,
                                  cinch_error *err)
{
    if (settings->is_server)
        return install_server(settings, session_digest, ctx, err);
    /* A server's key for TLS 1.2 tickets may be years old, and opens what was recorded. */
    if (!settings->old_tickets)
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (!settings->resumption) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        return CINCH_OK;
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, cinch_resume_new_session);
    return CINCH_OK;
}

/* Whether the hello on the way asks for TLS 1.3 and it is allowed here. */
static int will_be_1_3(const cinch_link *link, SSL *ssl)
{
    const unsigned char *versions;
    size_t size;

    if (link->derived->settings->policy->max < TLS1_3_VERSION ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &versions, &size) != 1)
        return 0;
    for (size_t at = 1; at + 1 < size; at += 2)
        if (versions[at] == 3 && versions[at + 1] == 4)
            return 1;
    return 0;
}

/*
 * Sessions are bound to the host, and with TLS 1.2 to the name asked for as well: there a server must
 * not resume under another one (RFC 6066, 3).
 */
static int bind_sessions(const cinch_link *link, SSL *ssl, int is_1_3)
{
    unsigned char bytes[32 + CINCH_HOST_TEXT], digest[32];
    size_t length = strlen(link->asked);

    memcpy(digest, link->session_digest, 32);
    if (!is_1_3) {
        memcpy(bytes, digest, 32);
        memcpy(bytes + 32, link->asked, length);
        if (!cinch_openssl_sha256(bytes, 32 + length, digest))
            return 0;
    }
    return SSL_set_session_id_context(ssl, digest, 32) == 1;
}

int cinch_resume_prepare(cinch_link *link, SSL *ssl)
{
    const cinch_settings *settings = link->derived->settings;
    int is_1_3 = will_be_1_3(link, ssl);

    if (settings->resumption && settings->tickets != NULL && !is_1_3 && !settings->old_tickets)
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
    if (bind_sessions(link, ssl, is_1_3))
        return 1;
    (void)cinch_fail_crypto(link->report, "naming the sessions of a host");
    return 0;
}

void cinch_resume_give(cinch_link *link, SSL *ssl)
{
    const cinch_settings *settings = link->derived->settings;

    if (link->gave_tickets)
        return;
    link->gave_tickets = 1;
    if (!settings->is_server || !settings->resumption || settings->tickets == NULL ||
        SSL_version(ssl) < TLS1_3_VERSION || !cinch_ring_can_issue(settings->tickets))
        return;
    for (int i = 0; i < settings->ticket_count; i++)
        (void)SSL_new_session_ticket(ssl);
}

static int set_keys(const cinch_ticket_keys *keys, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int sealing)
{
    unsigned char mac_key[sizeof keys->mac];
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof mac_key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    memcpy(mac_key, keys->mac, sizeof mac_key);
    int ok = EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), keys->cipher, iv, sealing, NULL) == 1 &&
             EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(mac_key, sizeof mac_key);
    return ok;
}

int cinch_resume_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
                            EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
    cinch_link *link = cinch_link_of(ssl);
    cinch_ticket_keys keys = {0};
    int result = 0;

    if (link == NULL || link->derived->settings->tickets == NULL ||
        !link->derived->settings->resumption)
        return 0;
    cinch_tickets *ring = link->derived->settings->tickets;
    const unsigned char *digest = link->session_digest;
    if (sealing) {
        if (!cinch_ring_issue(ring, digest, &keys))
            return 0;
        memcpy(name, keys.name, sizeof keys.name);
        result = RAND_bytes(iv, 16) == 1 && set_keys(&keys, iv, cipher, mac, 1) ? 1 : -1;
    } else if (cinch_ring_open(ring, digest, name, &keys)) {
        /*
         * "Renew": else a client could resume only as often as it was given tickets at first. TLS 1.2
         * uses one again and again, until the key is gone.
         */
        int good = SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;

        result = set_keys(&keys, iv, cipher, mac, 0) ? good : -1;
    }
    OPENSSL_cleanse(&keys, sizeof keys);
    cinch_openssl_clear();
    return result;
}

/* The certificates between the leaf, which libssl keeps itself, and the anchor, which we have. */
static size_t put_intermediates(const STACK_OF(X509) * chain, unsigned char *out, size_t room)
{
    size_t at = 0;

    for (int i = 1; i < sk_X509_num(chain); i++) {
        unsigned char *der = NULL;
        int size = i2d_X509(sk_X509_value(chain, i), &der);

        if (size <= 0 || (size_t)size + 2 > room - at || size > 0xffff) {
            OPENSSL_free(der);
            return SIZE_MAX;
        }
        out[at++] = (unsigned char)(size >> 8);
        out[at++] = (unsigned char)size;
        memcpy(out + at, der, (size_t)size);
        at += (size_t)size;
        OPENSSL_free(der);
    }
    return at;
}

int cinch_resume_ticket_data(SSL *ssl, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);
    unsigned char data[DATA_LARGEST];

    (void)arg;
    if (link == NULL)
        return 0;
    int64_t began = link->began != 0 ? link->began : cinch_clock_wall();
    /* libssl has put the first context's there; each ring has its own. */
    if (link->derived->settings->tickets == NULL ||
        SSL_SESSION_set_timeout(SSL_get_session(ssl),
                                cinch_ring_lifetime(link->derived->settings->tickets)) != 1)
        return 0;
    memcpy(data, link->session_digest, 32);
    for (int i = 0; i < 8; i++)
        data[32 + i] = (unsigned char)((uint64_t)began >> (56 - 8 * i));
    STACK_OF(X509) *chain = link->resumed_chain != NULL ? link->resumed_chain
                            : link->chain_is_verified   ? SSL_get0_verified_chain(ssl)
                                                        : NULL;
    size_t size = put_intermediates(chain, data + DATA_FIXED, sizeof data - DATA_FIXED);
    /* A chain that does not fit: the ticket is marked so that it opens nothing. */
    if (size == SIZE_MAX) {
        memset(data, 0, 32);
        size = 0;
    }
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, DATA_FIXED + size);
}

/* The chain as it was verified; NULL if it cannot be put together again. */
static STACK_OF(X509) * take_chain(X509 *leaf, const unsigned char *at, size_t left)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    int ok = chain != NULL && X509_up_ref(leaf) == 1;

    if (ok && sk_X509_push(chain, leaf) <= 0) {
        X509_free(leaf);
        ok = 0;
    }
    while (ok && left > 0) {
        size_t size = left < 2 ? SIZE_MAX : (size_t)(at[0] << 8 | at[1]);
        X509 *x = left < 2 || size > left - 2 ? NULL : cinch_x509_read(at + 2, size);

        ok = x != NULL && sk_X509_push(chain, x) > 0;
        if (!ok) {
            X509_free(x);
            break;
        }
        at += 2 + size;
        left -= 2 + size;
    }
    if (ok)
        return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

static int in_time(const STACK_OF(X509) * chain, int64_t now)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t not_before, not_after;

        if (!cinch_x509_times(sk_X509_value(chain, i), &not_before, &not_after) ||
            now < not_before || now > not_after)
            return 0;
    }
    return 1;
}

/* 1 if SESSION was made under the rules of LINK and its lineage is not over. */
static int belongs(cinch_link *link, SSL_SESSION *session)
{
    const cinch_settings *settings = link->derived->settings;
    unsigned char *data = NULL;
    size_t size = 0;
    int64_t now = cinch_clock_wall(), began = 0;
    X509 *leaf = SSL_SESSION_get0_peer(session);

    if (SSL_SESSION_get0_ticket_appdata(session, (void **)&data, &size) != 1 || size < DATA_FIXED ||
        CRYPTO_memcmp(data, link->session_digest, 32) != 0)
        return 0;
    for (int i = 0; i < 8; i++)
        began = began << 8 | data[32 + i];
    if (now <= 0 || began > now + 60 || now - began >= cinch_ring_lineage(settings->tickets))
        return 0;
    if (leaf == NULL)
        return settings->client_auth != CINCH_CLIENT_AUTH_REQUIRED && size == DATA_FIXED
                   ? (link->began = began, 1)
                   : 0;
    STACK_OF(X509) *chain = take_chain(leaf, data + DATA_FIXED, size - DATA_FIXED);
    if (chain == NULL || !in_time(chain, now) || settings->client_auth == CINCH_CLIENT_AUTH_NONE ||
        /* The full handshake that follows says why. */
        !cinch_access_holds(settings, chain, NULL)) {
        sk_X509_pop_free(chain, X509_free);
        return 0;
    }
    sk_X509_pop_free(link->resumed_chain, X509_free);
    link->resumed_chain = chain;
    link->began = began;
    return 1;
}

SSL_TICKET_RETURN cinch_resume_ticket_opened(SSL *ssl, SSL_SESSION *session,
                                             const unsigned char *name, size_t name_size,
                                             SSL_TICKET_STATUS status, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);

    (void)name;
    (void)name_size;
    (void)arg;
    if (link == NULL || (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    if (!belongs(link, session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* ---- session ids of TLS 1.2: libssl keeps the session itself, the chain hangs on it ---- */

static atomic_int chain_place = -1;

static void free_chain(void *parent, void *chain, CRYPTO_EX_DATA *data, int index, long number,
                       void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    sk_X509_pop_free(chain, X509_free);
}

/* libssl copies sessions now and then: each copy has references of its own. */
static int copy_chain(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **chain, int index,
                      long number, void *pointer)
{
    (void)to;
    (void)from;
    (void)index;
    (void)number;
    (void)pointer;
    if (*chain == NULL)
        return 1;
    *chain = X509_chain_up_ref(*chain);
    return *chain != NULL;
}

int cinch_resume_remember(const cinch_link *link, SSL *ssl, STACK_OF(X509) * chain)
{
    const cinch_settings *settings = link->derived->settings;

    if (!settings->is_server || settings->session_ids == 0 || SSL_version(ssl) >= TLS1_3_VERSION)
        return 1;
    int place = cinch_ex_place(&chain_place, CRYPTO_EX_INDEX_SSL_SESSION, copy_chain, free_chain);
    STACK_OF(X509) *copy = X509_chain_up_ref(chain);
    if (copy != NULL && place >= 0 &&
        SSL_SESSION_set_ex_data(SSL_get_session(ssl), place, copy) == 1)
        return 1;
    sk_X509_pop_free(copy, X509_free);
    return 0;
}

static STACK_OF(X509) * remembered_chain(SSL_SESSION *session)
{
    int place = atomic_load(&chain_place);
    STACK_OF(X509) *chain = place < 0 ? NULL : SSL_SESSION_get_ex_data(session, place);

    if (chain == NULL || !in_time(chain, cinch_clock_wall()))
        return NULL;
    return X509_chain_up_ref(chain);
}

int cinch_resume_accept_server(cinch_link *link, SSL *ssl)
{
    const cinch_settings *settings = link->derived->settings;
    const X509 *leaf = SSL_get0_peer_certificate(ssl);

    if (!settings->resumption)
        return 0;
    if (leaf == NULL)
        return settings->client_auth != CINCH_CLIENT_AUTH_REQUIRED;
    if (link->resumed_chain == NULL)
        link->resumed_chain = remembered_chain(SSL_get_session(ssl));
    if (link->resumed_chain == NULL || sk_X509_num(link->resumed_chain) < 1 ||
        X509_cmp(sk_X509_value(link->resumed_chain, 0), leaf) != 0 ||
        !cinch_access_holds(settings, link->resumed_chain, link->report))
        return 0;
    link->verified = 1;
    link->verified_at = cinch_clock_us();
    return 1;
}
