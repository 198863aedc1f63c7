/*
 * curl.h: how does libcurl use a context?
 *
 * Everything that TLS is about then comes from the context, not from libcurl's own options: whom to
 * trust, the rules on certificates, the policy, the identity. The functions here are compiled into the
 * program; libcinch is not linked with libcurl. They want libcurl 7.76 or later, with OpenSSL 3 behind it
 * ("curl --version" tells; Debian's libcurl4, not libcurl3-gnutls), and are an error elsewhere.
 *
 *   - HTTPS, and SMTP, IMAP, POP3 and FTP both from the start (smtps: and so on) and by STARTTLS, which
 *     is insisted on. Nothing goes in clear: URLs without TLS are refused, redirects to them too.
 *   - The certificate has to be for the host of the URL, a name or an address.
 *   - Contexts of other settings never share a connection or a session, in whatever cache libcurl keeps
 *     them; those with equal settings do.
 *   - An HTTPS proxy is verified with the same context, and has to have a name. HTTP/3 is left out.
 *
 * This header is not part of cinch.h. Threads: one at a time for each handle, as libcurl has it.
 */
#ifndef CINCH_CURL_H
#define CINCH_CURL_H

#include <cinch/context.h>
#include <cinch/openssl.h>
#include <curl/curl.h>
#include <string.h>

CINCH_BEGIN_DECLS

/* What is allowed; others of libcurl's have no TLS, or one that a context cannot be put into. */
#define CINCH_CURL_PROTOCOLS "https,smtp,smtps,imap,imaps,pop3,pop3s,ftp,ftps"

/* Part of the below: an address as the host of a URL is not in the handshake, so it is given. */
static inline int cinch_curl_is_address(const char *host)
{
    return host != NULL && (host[0] == '[' || host[strspn(host, "0123456789.")] == 0);
}

/* Part of the below: libcurl calls it for each new connection. */
static inline CURLcode cinch_curl_connects(CURL *curl, void *ssl_ctx, void *ctx)
{
    cinch_error why = CINCH_ERROR_INIT;
    char *url = NULL, *host = NULL;
    CURLU *parts = curl_url();

    if (parts != NULL && curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK &&
        url != NULL && curl_url_set(parts, CURLUPART_URL, url, CURLU_GUESS_SCHEME) == CURLUE_OK)
        (void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
    if (cinch_context_openssl_apply((cinch_context *)ctx, (SSL_CTX *)ssl_ctx,
                                    cinch_curl_is_address(host) ? host : NULL, &why) == CINCH_OK)
        (void)cinch_openssl_remember((SSL_CTX *)ssl_ctx, curl, &why);
    cinch_openssl_keep(curl, &why);
    curl_free(host);
    curl_url_cleanup(parts);
    return cinch_error_is_set(&why) ? CURLE_SSL_CERTPROBLEM : CURLE_OK;
}

/* Part of the below: what libcurl would do itself with certificates. */
static inline CURLcode cinch_curl_clear(CURL *curl)
{
    CURLcode code = curl_easy_setopt(curl, CURLOPT_CAINFO, NULL);

    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_CRLFILE, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_ISSUERCERT, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSLCERT, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSLKEY, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, NULL);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_ISSUERCERT_BLOB, NULL);
#if LIBCURL_VERSION_NUM >= 0x074d00
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, NULL);
#endif
    return code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSL_OPTIONS, 0L);
}

/* Part of the below: TLS or nothing. */
static inline CURLcode cinch_curl_insist(CURL *curl)
{
    CURLcode code = curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);

    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_SSL_VERIFYSTATUS, 0L);
    code = code != CURLE_OK
               ? code
               : curl_easy_setopt(curl, CURLOPT_FTP_SSL_CCC, (long)CURLFTPSSL_CCC_NONE);
#if LIBCURL_VERSION_NUM >= 0x075500
    code = code != CURLE_OK ? code
                            : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, CINCH_CURL_PROTOCOLS);
    return code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
    code = code != CURLE_OK
               ? code
               : curl_easy_setopt(curl, CURLOPT_PROTOCOLS,
                                  (long)(CURLPROTO_HTTPS | CURLPROTO_SMTP | CURLPROTO_SMTPS |
                                         CURLPROTO_IMAP | CURLPROTO_IMAPS | CURLPROTO_POP3 |
                                         CURLPROTO_POP3S | CURLPROTO_FTP | CURLPROTO_FTPS));
    return code != CURLE_OK
               ? code
               : curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
}

/*
 * cinch_curl_use has CURL take CTX, a client's context, for its transfers from now on, and copies of CURL
 * that curl_easy_duphandle() makes as well. CTX must stay until they are freed or have taken another; a
 * change of it counts for connections made later. Call it after other options, again after
 * curl_easy_reset(), and again where connections from before a change of CTX are not to be used any more.
 *
 * It sets CURLOPT_SSL_CTX_FUNCTION and its data, CURLOPT_USE_SSL, the protocols allowed, verification
 * (peer and host), and takes libcurl's own anchors, certificates and keys out. Do not set these
 * afterwards. Fails, with the library's name in ERR, if libcurl has no OpenSSL behind it.
 */
static inline cinch_status cinch_curl_use(CURL *curl, cinch_context *ctx, cinch_error *err)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    char place[CINCH_OPENSSL_DIGEST_TEXT + 16] = "/dev/null/cinch-";
    size_t head = strlen(place);

    if (cinch_error_is_set(err))
        return CINCH_FAILED;
    if (curl == NULL)
        return cinch_error_set(err, CINCH_CAUSE_MISUSE, "there is no CURL handle", NULL, NULL);
    /* No file is there: it only makes libcurl keep apart what belongs to other settings. */
    cinch_status status = cinch_context_openssl_digest(ctx, place + head, sizeof place - head, err);
    if (status != CINCH_OK)
        return status;
    (void)cinch_openssl_recall(curl, NULL);
    CURLcode code =
        version->ssl_version != NULL && strstr(version->ssl_version, "OpenSSL/3") != NULL
            ? curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, cinch_curl_connects)
            : CURLE_NOT_BUILT_IN;
    if (code != CURLE_OK)
        return cinch_error_set(
            err, CINCH_CAUSE_BAD_SETTING,
            "libcurl cannot use a context: OpenSSL 3 is not what it has for TLS",
            version->ssl_version != NULL ? version->ssl_version : "it has no TLS",
            "link with a libcurl that is built with OpenSSL 3, in Debian that of "
            "libcurl4-openssl-dev");
    code = curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, ctx);
    code = code != CURLE_OK ? code : cinch_curl_clear(curl);
    code = code != CURLE_OK ? code : curl_easy_setopt(curl, CURLOPT_CAPATH, place);
    code = code != CURLE_OK ? code : cinch_curl_insist(curl);
    return code == CURLE_OK
               ? CINCH_OK
               : cinch_error_set(err, CINCH_CAUSE_INTERNAL, "libcurl does not take an option",
                                 curl_easy_strerror(code), NULL);
}

/*
 * cinch_curl_result tells in ERR why a transfer of CURL failed with CODE, as curl_easy_perform() or
 * curl_multi_info_read() give it: what Cinch knows of its handshake, otherwise what libcurl says.
 * CINCH_OK if CODE is CURLE_OK. Call it once after each transfer, before CURL is freed.
 */
static inline cinch_status cinch_curl_result(CURL *curl, CURLcode code, cinch_error *err)
{
    cinch_cause cause = CINCH_CAUSE_NETWORK;
    const char *what = "libcurl's transfer failed", *remedy = NULL;

    if (code == CURLE_OK || cinch_error_is_set(err)) {
        (void)cinch_openssl_recall(curl, NULL);
        return code == CURLE_OK && !cinch_error_is_set(err) ? CINCH_OK : CINCH_FAILED;
    }
    cinch_status status = cinch_openssl_recall(curl, err);
    if (status != CINCH_OK)
        return status;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
        cause = CINCH_CAUSE_DNS;
    else if (code == CURLE_OPERATION_TIMEDOUT)
        cause = CINCH_CAUSE_TIMEOUT;
    else if (code == CURLE_OUT_OF_MEMORY)
        cause = CINCH_CAUSE_MEMORY;
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        cause = CINCH_CAUSE_WRONG_HOST_NAME;
    else if (code == CURLE_SSL_CONNECT_ERROR)
        cause = CINCH_CAUSE_HANDSHAKE_REFUSED;
    else if (code == CURLE_USE_SSL_FAILED) {
        cause = CINCH_CAUSE_NOT_TLS;
        what = "the server does not go over to TLS, and nothing is sent without";
        remedy =
            "have the server offer STARTTLS (AUTH TLS), or use its port for implicit TLS; if it "
            "did offer it before, somebody between takes it out";
    } else if (code == CURLE_UNSUPPORTED_PROTOCOL) {
        cause = CINCH_CAUSE_BAD_SETTING;
        what = "the URL, or one that it leads to, has no TLS";
        remedy = "use one of: " CINCH_CURL_PROTOCOLS;
    } else if (code != CURLE_COULDNT_CONNECT && code != CURLE_SEND_ERROR &&
               code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING)
        remedy = "this is not about TLS: see what the server answers, and libcurl-errors(3)";
    return cinch_error_set(err, cause, what, curl_easy_strerror(code), remedy);
}

/*
 * cinch_curl_perform does the transfer that CURL is set up for, with CTX: cinch_curl_use(),
 * curl_easy_perform() and cinch_curl_result() in one. Nothing of CTX is needed afterwards. An error that
 * is set does not let it begin.
 */
static inline cinch_status cinch_curl_perform(CURL *curl, cinch_context *ctx, cinch_error *err)
{
    cinch_status status = cinch_curl_use(curl, ctx, err);

    return status != CINCH_OK ? status : cinch_curl_result(curl, curl_easy_perform(curl), err);
}

CINCH_END_DECLS

#endif
