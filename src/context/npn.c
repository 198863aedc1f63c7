/*
 * npn.c: the predecessor of ALPN (draft-agl-tls-nextprotoneg), for TLS 1.2 and older. The server lists
 * what it speaks and the client says, protected, what it takes. Without a protocol that both have the
 * handshake fails: whoever asks for something so old means it.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "context/extras.h"
#include "context/link.h"

#include <cinch/binding.h>
#include <string.h>

#ifndef OPENSSL_NO_NEXTPROTONEG

static int advertise(SSL *ssl, const unsigned char **out, unsigned *out_size, void *arg)
{
    const cinch_link *link = cinch_link_of(ssl);

    (void)arg;
    if (link == NULL || link->derived->settings->npn == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    *out = link->derived->settings->npn;
    *out_size = (unsigned)link->derived->settings->npn_size;
    return SSL_TLSEXT_ERR_OK;
}

/* Whether the SIZE bytes at NAME are in LIST, which may be empty and end anywhere (CVE-2024-5642). */
static int listed(const unsigned char *list, size_t list_size, const unsigned char *name,
                  size_t size)
{
    for (size_t at = 0; at < list_size; at += 1 + (size_t)list[at]) {
        if (list[at] > list_size - at - 1)
            return 0;
        if (list[at] == size && memcmp(list + at + 1, name, size) == 0)
            return 1;
    }
    return 0;
}

static int choose(SSL *ssl, unsigned char **out, unsigned char *out_size, const unsigned char *in,
                  unsigned in_size, void *arg)
{
    cinch_link *link = cinch_link_of(ssl);
    char ours[256], theirs[256];

    (void)arg;
    if (link == NULL)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    const cinch_settings *settings = link->derived->settings;
    for (size_t at = 0; at < settings->npn_size; at += 1 + (size_t)settings->npn[at])
        if (listed(in, in_size, settings->npn + at + 1, settings->npn[at])) {
            *out = settings->npn + at + 1;
            *out_size = settings->npn[at];
            return SSL_TLSEXT_ERR_OK;
        }
    (void)cinch_fail(link->report, CINCH_CAUSE_NO_COMMON_ALPN,
                     "the server speaks no application protocol (NPN) that this client wants");
    cinch_fail_evidence(link->report, "the server speaks: %s\nthis client wants: %s",
                        cinch_alpn_text(in, in_size, theirs, sizeof theirs),
                        cinch_alpn_text(settings->npn, settings->npn_size, ours, sizeof ours));
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

cinch_status cinch_npn_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    (void)err;
    if (settings->npn == NULL)
        return CINCH_OK;
    if (settings->is_server)
        SSL_CTX_set_next_protos_advertised_cb(ctx, advertise, NULL);
    else
        SSL_CTX_set_next_proto_select_cb(ctx, choose, NULL);
    return CINCH_OK;
}

const unsigned char *cinch_npn_result(const SSL *ssl, unsigned *size)
{
    const unsigned char *name = NULL;

    *size = 0;
    SSL_get0_next_proto_negotiated(ssl, &name, size);
    return name;
}

cinch_status cinch_npn_check(const cinch_settings *settings, const SSL *ssl, cinch_error *err)
{
    unsigned size;
    const unsigned char *name = cinch_npn_result(ssl, &size);
    unsigned char entry[256];
    char theirs[256 * 4];

    if (size == 0 || size > 255 ||
        (settings->npn != NULL && listed(settings->npn, settings->npn_size, name, size)))
        return CINCH_OK;
    entry[0] = (unsigned char)size;
    memcpy(entry + 1, name, size);
    return cinch_fail(err, CINCH_CAUSE_NO_COMMON_ALPN,
                      "the client chose an application protocol (NPN) that was not offered: \"%s\"",
                      cinch_alpn_text(entry, size + 1, theirs, sizeof theirs));
}

#else

cinch_status cinch_npn_install(const cinch_settings *settings, SSL_CTX *ctx, cinch_error *err)
{
    (void)ctx;
    if (settings->npn == NULL)
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "this OpenSSL was built without NPN");
}

const unsigned char *cinch_npn_result(const SSL *ssl, unsigned *size)
{
    (void)ssl;
    *size = 0;
    return NULL;
}

cinch_status cinch_npn_check(const cinch_settings *settings, const SSL *ssl, cinch_error *err)
{
    (void)settings;
    (void)ssl;
    (void)err;
    return CINCH_OK;
}

#endif

static cinch_status change_npn(cinch_settings *settings, const void *value, cinch_error *err)
{
    cinch_release(settings->npn);
    settings->npn = NULL;
    settings->npn_size = 0;
    if (value == NULL)
        return CINCH_OK;
    cinch_status status =
        cinch_protocols_wire("NPN", value, &settings->npn, &settings->npn_size, err);
    return status == CINCH_OK ? cinch_settings_check(settings, err) : status;
}

cinch_status cinch_context_npn(cinch_context *ctx, const char *protocols, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_npn, protocols, err);
}
