#include "session/session.h"

#include "base/certificate.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <string.h>

/* RFC 8446, 4.6.1: no ticket is used after seven days, whatever the server says. */
#define LONGEST_LIFE 604800

/* "cinch session, form 1": changes with every change of what follows. */
static const unsigned char magic[8] = {'c', 'i', 'n', 'c', 'h', 's', 0, 1};

cinch_session *cinch_session_ref(cinch_session *session)
{
    atomic_fetch_add(&session->references, 1);
    return session;
}

void cinch_session_free(cinch_session *session)
{
    if (session == NULL || atomic_fetch_sub(&session->references, 1) != 1)
        return;
    SSL_SESSION_free(session->session);
    sk_X509_pop_free(session->chain, X509_free);
    cinch_release(session);
}

cinch_session *cinch_session_make(SSL_SESSION *ssl_session, STACK_OF(X509) * chain,
                                  const unsigned char settings[32], const unsigned char key[32],
                                  int64_t began, int verified)
{
    cinch_session *session = cinch_alloc(sizeof *session);
    STACK_OF(X509) *copy = chain == NULL ? sk_X509_new_null() : X509_chain_up_ref(chain);

    if (session == NULL || copy == NULL) {
        cinch_release(session);
        sk_X509_pop_free(copy, X509_free);
        return NULL;
    }
    atomic_init(&session->references, 1);
    session->session = ssl_session;
    session->chain = copy;
    memcpy(session->settings, settings, 32);
    memcpy(session->key, key, 32);
    session->began = began;
    session->verified = verified;
    return session;
}

int cinch_session_usable(const cinch_session *session, int64_t now)
{
    return SSL_SESSION_is_resumable(session->session) == 1 && cinch_session_in_time(session, now);
}

int cinch_session_in_time(const cinch_session *session, int64_t now)
{
    int64_t made = cinch_ssl_session_time(session->session);
    int64_t life = (int64_t)SSL_SESSION_get_timeout(session->session);

    /* A clock that was set back makes a session come from the future: then nothing is certain. */
    if (now <= 0 || now < made || now - made >= life || now - session->began >= LONGEST_LIFE)
        return 0;
    for (int i = 0; i < sk_X509_num(session->chain); i++) {
        int64_t not_before, not_after;

        if (!cinch_x509_times(sk_X509_value(session->chain, i), &not_before, &not_after) ||
            now < not_before || now > not_after)
            return 0;
    }
    return 1;
}

/* ---- as bytes: magic, settings, key, began, verified, SSL_SESSION, certificates ---- */

typedef struct writer {
    unsigned char *at; /* NULL: only count */
    size_t used;
} writer;

static void put(writer *out, const void *bytes, size_t size)
{
    if (out->at != NULL)
        memcpy(out->at + out->used, bytes, size);
    out->used += size;
}

static void put_number(writer *out, uint64_t number)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (56 - 8 * i));
    put(out, bytes, sizeof bytes);
}

/* A vector with its size in front, from what an i2d function made; 0 if it failed. */
static int put_der(writer *out, int size, unsigned char *der)
{
    if (size > 0) {
        put_number(out, (uint64_t)size);
        put(out, der, (size_t)size);
    }
    OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
    return size > 0;
}

static int put_all(writer *out, const cinch_session *session)
{
    unsigned char *der = NULL;
    int ok;

    put(out, magic, sizeof magic);
    put(out, session->settings, 32);
    put(out, session->key, 32);
    put_number(out, (uint64_t)session->began);
    put_number(out, (uint64_t)session->verified);
    int size = i2d_SSL_SESSION(session->session, &der);
    ok = put_der(out, size, der);
    put_number(out, (uint64_t)sk_X509_num(session->chain));
    for (int i = 0; ok && i < sk_X509_num(session->chain); i++) {
        der = NULL;
        size = i2d_X509(sk_X509_value(session->chain, i), &der);
        ok = put_der(out, size, der);
    }
    return ok;
}

cinch_status cinch_session_export(const cinch_session *session, void *buf, size_t size, size_t *n,
                                  cinch_error *err)
{
    writer out = {NULL, 0};

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (session == NULL || n == NULL)
        return cinch_fail_null(err, session == NULL ? "session" : "place for the size");
    *n = 0;
    if (!put_all(&out, session))
        return cinch_fail_crypto(err, "writing a session");
    *n = out.used;
    if (buf == NULL && size == 0)
        return CINCH_OK;
    if (buf == NULL || size < out.used)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "a session of %zu bytes does not fit into %zu",
                          out.used, size);
    out = (writer){buf, 0};
    if (!put_all(&out, session))
        return cinch_fail_crypto(err, "writing a session");
    return CINCH_OK;
}

typedef struct reader {
    const unsigned char *at;
    size_t left;
} reader;

static int take(reader *in, void *bytes, size_t size)
{
    if (in->left < size)
        return 0;
    memcpy(bytes, in->at, size);
    in->at += size;
    in->left -= size;
    return 1;
}

static int take_number(reader *in, uint64_t *number)
{
    unsigned char bytes[8];

    if (!take(in, bytes, sizeof bytes))
        return 0;
    *number = 0;
    for (int i = 0; i < 8; i++)
        *number = *number << 8 | bytes[i];
    return 1;
}

static int take_vector(reader *in, const unsigned char **bytes, size_t *size)
{
    uint64_t number;

    if (!take_number(in, &number) || number > in->left)
        return 0;
    *bytes = in->at;
    *size = (size_t)number;
    in->at += *size;
    in->left -= *size;
    return 1;
}

static SSL_SESSION *take_session(reader *in)
{
    const unsigned char *bytes;
    size_t size;

    if (!take_vector(in, &bytes, &size) || size > INT32_MAX)
        return NULL;
    const unsigned char *at = bytes;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)size);
    if (session != NULL && at != bytes + size) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

static STACK_OF(X509) * take_chain(reader *in)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    uint64_t count;
    int ok = chain != NULL && take_number(in, &count) && count <= 100;

    for (uint64_t i = 0; ok && i < count; i++) {
        const unsigned char *bytes;
        size_t size;
        X509 *x = take_vector(in, &bytes, &size) ? cinch_x509_read(bytes, size) : NULL;

        ok = x != NULL && sk_X509_push(chain, x) > 0;
        if (!ok)
            X509_free(x);
    }
    if (ok)
        return chain;
    sk_X509_pop_free(chain, X509_free);
    return NULL;
}

cinch_session *cinch_session_import(const void *bytes, size_t size, cinch_error *err)
{
    reader in = {bytes, size};
    unsigned char start[sizeof magic], settings[32], key[32];
    uint64_t began = 0, verified = 0;
    SSL_SESSION *ssl_session = NULL;
    STACK_OF(X509) *chain = NULL;
    cinch_session *session = NULL;

    if (!cinch_enter(err))
        return NULL;
    if (bytes == NULL) {
        (void)cinch_fail_null(err, "session");
        return NULL;
    }
    if (take(&in, start, sizeof start) && memcmp(start, magic, sizeof magic) == 0 &&
        take(&in, settings, 32) && take(&in, key, 32) && take_number(&in, &began) &&
        take_number(&in, &verified) && verified <= 1 && began < INT64_MAX)
        ssl_session = take_session(&in);
    if (ssl_session != NULL)
        chain = take_chain(&in);
    if (chain != NULL && in.left == 0)
        session =
            cinch_session_make(ssl_session, chain, settings, key, (int64_t)began, (int)verified);
    sk_X509_pop_free(chain, X509_free);
    if (session != NULL) {
        ERR_clear_error();
        return session;
    }
    SSL_SESSION_free(ssl_session);
    if (cinch_openssl_out_of_memory(ERR_peek_error()))
        (void)cinch_fail_memory(err, "reading a session");
    else
        (void)cinch_fail(
            err, CINCH_CAUSE_BAD_SETTING,
            "the %zu bytes given are not a session, or one of another version of Cinch", size);
    ERR_clear_error();
    return NULL;
}

SSL_SESSION *cinch_session_openssl(const cinch_session *session)
{
    return session == NULL ? NULL : session->session;
}
