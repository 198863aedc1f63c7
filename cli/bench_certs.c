/*
 * bench_certs.c: an authority for one benchmark. Private keys are in memory only. The file that
 * clients trust has no name any more when this returns, so that nothing is left behind however the
 * program ends.
 */
#include "bench.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KIND_COUNT = CA_KEY_ED25519 + 1,
};

struct bench_certs {
    ca_authority authority;
    BIO *pem[KIND_COUNT]; /* key and certificate */
    int trust;            /* the file with the authority's certificate */
    char path[32];        /* its name in this process and its children */
};

static bool fail_file(cinch_error *err, const char *path, int number)
{
    cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "name another directory in TMPDIR",
             "cannot write a temporary file: %s", path);
    cli_fail_errno(err, number);
    return false;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool make_trust(bench_certs *certs, cinch_error *err)
{
    const char *dir = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    char *path = cli_text("%s/cinch-bench-XXXXXX", dir != NULL && dir[0] != '\0' ? dir : "/tmp");
    BIO *pem = ca_pem(NULL, certs->authority.cert, err);
    char *bytes = NULL;
    long size = pem != NULL ? BIO_get_mem_data(pem, &bytes) : 0;
    bool ok = false;

    if (pem == NULL)
        goto out;
    certs->trust = mkstemp(path);
    if (certs->trust >= 0)
        (void)unlink(path);
    ok = certs->trust >= 0 && write_all(certs->trust, bytes, (size_t)size);
    if (!ok)
        fail_file(err, path, errno);
    snprintf(certs->path, sizeof(certs->path), "/dev/fd/%d", certs->trust);
out:
    BIO_free(pem);
    free(path);
    return ok;
}

static bool make_leaf(bench_certs *certs, ca_key kind, cinch_error *err)
{
    char name[] = "localhost";
    char *names[] = {name};
    ca_request request = {.names = names, .count = 1, .days = 1, .key = kind};
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;

    if (ca_make_leaf(&certs->authority, &request, &key, &cert, err))
        certs->pem[kind] = ca_pem(key, cert, err);
    X509_free(cert);
    EVP_PKEY_free(key);
    return certs->pem[kind] != NULL;
}

bench_certs *bench_certs_make(const bench_case *cases, size_t count, cinch_error *err)
{
    bench_certs *certs = cli_alloc(sizeof(*certs));
    bool ok;

    certs->trust = -1;
    ok = ca_make_root(&certs->authority.key, &certs->authority.cert, err) && make_trust(certs, err);
    for (size_t i = 0; ok && i < count; i++) {
        if (certs->pem[cases[i].key->kind] == NULL)
            ok = make_leaf(certs, cases[i].key->kind, err);
    }
    if (ok)
        return certs;
    bench_certs_free(certs);
    return NULL;
}

void bench_certs_free(bench_certs *certs)
{
    if (certs == NULL)
        return;
    for (size_t i = 0; i < KIND_COUNT; i++)
        BIO_free(certs->pem[i]);
    X509_free(certs->authority.cert);
    EVP_PKEY_free(certs->authority.key);
    if (certs->trust >= 0)
        (void)close(certs->trust);
    free(certs);
}

cinch_status bench_certs_trust(const bench_certs *certs, cinch_context *ctx, cinch_error *err)
{
    return cinch_context_trust_file(ctx, certs->path, err);
}

cinch_status bench_certs_identity(const bench_certs *certs, ca_key kind, cinch_context *ctx,
                                  cinch_error *err)
{
    char *bytes = NULL;
    long size = BIO_get_mem_data(certs->pem[kind], &bytes);
    cinch_identity *identity = cinch_identity_pem(bytes, (size_t)size, NULL, err);
    cinch_status status = cinch_context_identity(ctx, identity, err);

    cinch_identity_free(identity);
    return status;
}
