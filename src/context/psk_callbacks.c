/*
 * psk_callbacks.c: pre-shared keys as libssl wants them. For TLS 1.3 it calls a connection with one
 * resumed, which it is not: a mark on the session tells the two apart. An unknown name is answered
 * with a secret that nobody knows, so that it looks like a known one with a wrong secret (RFC 4279, 2;
 * RFC 9257, 7): a stranger cannot find out who has an account here.
 */
#include "base/fail.h"
#include "base/openssl.h"
#include "context/psk.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/sslerr.h>
#include <string.h>

/* The only suite of TLS 1.2 with a key exchange, a shared secret and AEAD that OpenSSL has. */
#define SUITE_1_2 "ECDHE-PSK-CHACHA20-POLY1305"

static atomic_int mark_place = -1;
static char mark[] = "made of a pre-shared key";

/* What libssl takes for the secret KEY with TLS 1.3. NULL if there is no memory. */
static SSL_SESSION *make_session(SSL *ssl, const unsigned char *key, size_t size)
{
    static const unsigned char suite[] = {0x13, 0x01}; /* for its digest, SHA-256 */
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
    SSL_SESSION *session = SSL_SESSION_new();
    int place = cinch_ex_place(&mark_place, CRYPTO_EX_INDEX_SSL_SESSION, NULL, NULL);

    if (session != NULL && cipher != NULL && place >= 0 &&
        SSL_SESSION_set1_master_key(session, key, size) == 1 &&
        SSL_SESSION_set_cipher(session, cipher) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
        SSL_SESSION_set_ex_data(session, place, mark) == 1)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* ---- client ---- */

static const cinch_psk_entry *ours(const cinch_link *link)
{
    const cinch_psk *psk = link == NULL ? NULL : link->derived->settings->psk;

    return psk == NULL || psk->count == 0 ? NULL : psk->entries + psk->count - 1;
}

/* Whom the client of LINK says that it is, "" if it says nothing. */
static const char *our_name(const cinch_link *link)
{
    const cinch_psk_entry *entry = ours(link);

    return entry != NULL ? entry->identity : link->psk_text;
}

/* Writes our secret into KEY, of CINCH_PSK_LARGEST bytes, and its name into LINK. 0 if there is none. */
static size_t choose(cinch_link *link, const char *hint, unsigned char *key)
{
    const cinch_psk *psk = link->derived->settings->psk;
    const cinch_psk_entry *entry = ours(link);
    size_t found = 0;

    link->psk_identity = NULL;
    if (entry != NULL) {
        memcpy(key, entry->key, entry->size);
        link->psk_identity = entry->identity;
        return entry->size;
    }
    if (psk == NULL || psk->offer == NULL)
        return 0;
    memset(link->psk_text, 0, sizeof link->psk_text);
    found = psk->offer(hint, link->psk_text, sizeof link->psk_text, key, CINCH_PSK_LARGEST,
                       psk->offer_arg);
    link->psk_text[sizeof link->psk_text - 1] = 0;
    if (found == 0 || !cinch_psk_fits(psk, link->psk_text, strlen(link->psk_text), found))
        return 0;
    link->psk_identity = link->psk_text;
    return found;
}

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **identity, size_t *size,
                       SSL_SESSION **session)
{
    cinch_link *link = cinch_link_of(ssl);
    unsigned char key[CINCH_PSK_LARGEST] = {0};
    int ok = 1;

    *session = NULL;
    if (link == NULL || (md != NULL && !EVP_MD_is_a(md, "SHA256")))
        return 1;
    size_t found = choose(link, NULL, key);
    if (found > 0) {
        *session = make_session(ssl, key, found);
        *identity = (const unsigned char *)link->psk_identity;
        *size = strlen(link->psk_identity);
        ok = *session != NULL;
    }
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

static unsigned use_key(SSL *ssl, const char *hint, char *identity, unsigned identity_size,
                        unsigned char *key, unsigned key_size)
{
    cinch_link *link = cinch_link_of(ssl);
    unsigned char copy[CINCH_PSK_LARGEST] = {0};

    /* For its ClientHello libssl asks here as well where use_session() has nothing for TLS 1.3. */
    if (link == NULL || SSL_get_state(ssl) != TLS_ST_CW_KEY_EXCH)
        return 0;
    size_t found = choose(link, hint, copy);
    if (found > key_size || (found > 0 && strlen(link->psk_identity) >= identity_size))
        found = 0;
    if (found > 0) {
        memcpy(identity, link->psk_identity, strlen(link->psk_identity) + 1);
        memcpy(key, copy, found);
    }
    OPENSSL_cleanse(copy, sizeof copy);
    return (unsigned)found;
}

/* ---- server ---- */

/* Writes the secret of IDENTITY into KEY, of CINCH_PSK_LARGEST bytes. 0 if there is none. */
static size_t look_up(cinch_link *link, const void *identity, size_t size, unsigned char *key)
{
    const cinch_psk *psk = link->derived->settings->psk;
    size_t found = 0;

    link->psk_identity = NULL;
    if (psk == NULL || !cinch_psk_fits(psk, identity, size, 0))
        return 0;
    memcpy(link->psk_text, identity, size);
    link->psk_text[size] = 0;
    for (size_t i = 0; i < psk->count; i++)
        if (strcmp(psk->entries[i].identity, link->psk_text) == 0) {
            memcpy(key, psk->entries[i].key, psk->entries[i].size);
            found = psk->entries[i].size;
        }
    if (found == 0 && psk->lookup != NULL)
        found = psk->lookup(link->psk_text, key, CINCH_PSK_LARGEST, psk->lookup_arg);
    if (found == 0 || !cinch_psk_fits(psk, identity, size, found))
        return 0;
    link->psk_identity = link->psk_text;
    return found;
}

static size_t decoy(cinch_link *link, unsigned char *key)
{
    link->psk_unknown = 1;
    return RAND_priv_bytes(key, 32) == 1 ? 32 : 0;
}

static int find_session(SSL *ssl, const unsigned char *identity, size_t size, SSL_SESSION **session)
{
    cinch_link *link = cinch_link_of(ssl);
    unsigned char key[CINCH_PSK_LARGEST] = {0};
    int ok = 1;

    *session = NULL;
    if (link == NULL || link->derived->settings->psk == NULL)
        return 1;
    size_t found = look_up(link, identity, size, key);
    int last = --link->psk_offers <= 0;
    if (found == 0)
        link->psk_unknown = 1;
    /* Only for the last one: the secret of another may be known. */
    if (found == 0 && last && cinch_psk_only(link->derived->settings))
        found = decoy(link, key);
    if (found > 0) {
        *session = make_session(ssl, key, found);
        ok = *session != NULL;
    }
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

static unsigned find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned size)
{
    cinch_link *link = cinch_link_of(ssl);
    unsigned char copy[CINCH_PSK_LARGEST] = {0};

    /* With TLS 1.3 libssl asks here for what find_session() does not have. */
    if (link == NULL || link->derived->settings->psk == NULL || SSL_version(ssl) >= TLS1_3_VERSION)
        return 0;
    size_t found = identity == NULL ? 0 : look_up(link, identity, strlen(identity), copy);
    if (found == 0)
        found = decoy(link, copy);
    if (found > size)
        found = 0;
    memcpy(key, copy, found);
    OPENSSL_cleanse(copy, sizeof copy);
    return (unsigned)found;
}

void cinch_psk_see_hello(cinch_link *link, SSL *ssl)
{
    const unsigned char *in;
    size_t size;

    link->psk_offers = 0;
    link->psk_identity = NULL;
    if (link->derived->settings->psk == NULL ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &in, &size) != 1 || size < 2)
        return;
    /* OfferedPsks (RFC 8446, 4.2.11): each identity has 2 bytes of length and 4 of age. */
    size_t end = 2 + (size_t)(in[0] << 8 | in[1]);
    for (size_t at = 2; end <= size && at + 2 <= end; link->psk_offers++)
        at += 2 + (size_t)(in[at] << 8 | in[at + 1]) + 4;
}

/* ---- both ---- */

/* TLS 1.3 binds a secret to a digest; suites with another one would make it useless. */
static cinch_status set_suites(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    char list[1024] = "";
    size_t used = 0;

    for (const char *at = settings->policy->suites; *at != 0;) {
        size_t size = strcspn(at, ":");

        if ((size < 6 || memcmp(at + size - 6, "SHA384", 6) != 0) &&
            used + size + 2 < sizeof list) {
            if (used > 0)
                list[used++] = ':';
            memcpy(list + used, at, size);
            used += size;
            list[used] = 0;
        }
        at += size + (at[size] == ':');
    }
    if (used == 0 && settings->policy->max >= TLS1_3_VERSION) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "a pre-shared key needs a TLS 1.3 suite with SHA-256, and the policy has "
                         "none");
        cinch_fail_evidence(err, "TLS 1.3 suites: %s", settings->policy->suites);
        return CINCH_FAILED;
    }
    if (!cinch_ssl_set_suites(ctx, list))
        return cinch_fail_crypto(err, "setting the suites for a pre-shared key");
    return CINCH_OK;
}

static cinch_status set_ciphers(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    char list[sizeof SUITE_1_2 + 4096 + 2] = SUITE_1_2;
    size_t size = strlen(settings->policy->ciphers);

    if (settings->psk->fallback && size + sizeof SUITE_1_2 + 2 < sizeof list) {
        list[sizeof SUITE_1_2 - 1] = ':';
        memcpy(list + sizeof SUITE_1_2, settings->policy->ciphers, size + 1);
    }
    if (!cinch_ssl_set_ciphers(ctx, list))
        return cinch_fail_crypto(err, "setting the suites for a pre-shared key");
    return CINCH_OK;
}

void cinch_psk_carry(const cinch_settings *settings, SSL *ssl)
{
    SSL_set_psk_find_session_callback(ssl, settings->psk == NULL ? NULL : find_session);
    SSL_set_psk_server_callback(ssl, settings->psk == NULL ? NULL : find_key);
}

cinch_status cinch_psk_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    if (settings->psk == NULL)
        return CINCH_OK;
    if (cinch_psk_only(settings) && settings->client_auth != CINCH_CLIENT_AUTH_NONE) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                         "nothing but a pre-shared key counts, and client certificates are to be "
                         "checked: with a pre-shared key there are none");
        cinch_fail_remedy(err, "allow the fallback to certificates, or do not ask for them");
        return CINCH_FAILED;
    }
    if (settings->is_server) {
        SSL_CTX_set_psk_find_session_callback(ctx, find_session);
        SSL_CTX_set_psk_server_callback(ctx, find_key);
    } else {
        SSL_CTX_set_psk_use_session_callback(ctx, use_session);
        SSL_CTX_set_psk_client_callback(ctx, use_key);
    }
    cinch_status status = set_suites(settings, ctx, err);
    return status == CINCH_OK ? set_ciphers(settings, ctx, err) : status;
}

int cinch_psk_proved(const cinch_link *link, SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const SSL_SESSION *session = SSL_get_session(ssl);

    if (link->derived->settings->psk == NULL || link->psk_identity == NULL || cipher == NULL ||
        session == NULL)
        return 0;
    if (SSL_version(ssl) < TLS1_3_VERSION)
        return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk && SSL_session_reused(ssl) == 0;
    int place = atomic_load(&mark_place);
    return SSL_session_reused(ssl) == 1 && place >= 0 &&
           SSL_SESSION_get_ex_data(session, place) == mark;
}

void cinch_psk_refuse(const cinch_link *link)
{
    (void)cinch_fail(link->report, CINCH_CAUSE_HANDSHAKE_REFUSED,
                     "the server shows a certificate and does not prove the pre-shared key \"%s\"",
                     our_name(link));
    cinch_fail_evidence(link->report, "here nothing but the pre-shared key counts");
    cinch_fail_remedy(link->report, "check that the server knows this key by this name; do not go "
                                    "on with a certificate unless that is what you want");
}

static int explain_client(const cinch_link *link, int alert, cinch_error *err)
{
    if (!cinch_psk_only(link->derived->settings) ||
        (alert != SSL_AD_HANDSHAKE_FAILURE && alert != SSL_AD_ILLEGAL_PARAMETER &&
         alert != SSL_AD_DECRYPT_ERROR && alert != SSL_AD_BAD_RECORD_MAC &&
         alert != SSL_AD_UNKNOWN_PSK_IDENTITY && alert != SSL_AD_MISSING_EXTENSION))
        return 0;
    (void)cinch_fail(err, CINCH_CAUSE_HANDSHAKE_REFUSED,
                     "the server does not accept the pre-shared key \"%s\"", our_name(link));
    cinch_fail_evidence(err,
                        "it sent the alert %s (%d); a server does not say whether it does not "
                        "know the name, has another secret, or wants certificates",
                        cinch_alert_name(alert), alert);
    cinch_fail_remedy(err, "check name and secret on both sides, and that the server uses them");
    return 1;
}

int cinch_psk_explain(const cinch_link *link, int alert, int reason, cinch_error *err)
{
    const cinch_settings *settings = link->derived->settings;
    int wrong = reason == SSL_R_BINDER_DOES_NOT_VERIFY || reason == SSL_R_DIGEST_CHECK_FAILED ||
                reason == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC;
    int nothing =
        reason == SSL_R_NO_SHARED_CIPHER || reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM;

    if (settings->psk == NULL)
        return 0;
    if (!settings->is_server)
        return explain_client(link, alert, err);
    if (wrong && (link->psk_identity != NULL || link->psk_unknown)) {
        (void)cinch_fail(err, CINCH_CAUSE_HANDSHAKE_REFUSED,
                         link->psk_identity != NULL
                             ? "the client's secret for the pre-shared key \"%s\" is another one"
                             : "the client offers the pre-shared key \"%s\", which is not known",
                         link->psk_text);
        cinch_fail_remedy(err, "check name and secret on both sides; if nobody should know this "
                               "name, somebody is guessing");
        return 1;
    }
    if (!nothing || !cinch_psk_only(settings))
        return 0;
    (void)cinch_fail(err, CINCH_CAUSE_HANDSHAKE_REFUSED,
                     "the client offers no pre-shared key, and here nothing else counts");
    cinch_fail_remedy(err, "give the client a pre-shared key, or allow the fallback to "
                           "certificates");
    return 1;
}
