/* staple.c: the response that a server has in a file. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "revocation/ocsp.h"
#include "trust/cache.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFRESH_US 1000000

struct cinch_staple {
    atomic_uint references;
    _Atomic(int64_t) look_us;
    char *path;
    cinch_file_mark mark;
    int settled;
    unsigned char digest[32];
    unsigned char leaf[32]; /* SHA-256 of the certificate that it is for */
    int64_t this_update;
    int64_t next_update;
    unsigned char *bytes;
    size_t size;
};

cinch_staple *cinch_staple_ref(cinch_staple *staple)
{
    if (staple != NULL)
        atomic_fetch_add(&staple->references, 1);
    return staple;
}

void cinch_staple_unref(cinch_staple *staple)
{
    if (staple == NULL || atomic_fetch_sub(&staple->references, 1) != 1)
        return;
    cinch_release(staple->path);
    cinch_release(staple->bytes);
    cinch_release(staple);
}

/* What came of a look at the response, for whoever set the file. */
static cinch_status judge(const char *path, cinch_ocsp_verdict verdict,
                          const cinch_ocsp_finding *finding, cinch_error *err)
{
    char since[32];

    if (verdict == CINCH_OCSP_GOOD)
        return CINCH_OK;
    if (verdict == CINCH_OCSP_FAILED)
        return cinch_fail_memory(err, "reading an OCSP response");
    if (verdict == CINCH_OCSP_REVOKED) {
        (void)cinch_fail(err, CINCH_CAUSE_REVOKED,
                         "the OCSP response in \"%s\" says that our certificate is revoked", path);
        cinch_fail_evidence(err, "since %s: %s", cinch_clock_text(finding->revoked_at, since),
                            cinch_crl_reason(finding->reason));
        cinch_fail_remedy(err, "have a new certificate issued, for a new key");
        return CINCH_FAILED;
    }
    (void)cinch_fail(err, CINCH_CAUSE_BAD_REVOCATION, "the OCSP response in \"%s\" %s", path,
                     finding->why);
    cinch_fail_remedy(err, "get a new response from the issuer's responder, in DER, for the "
                           "certificate that this server has");
    return CINCH_FAILED;
}

static int hash_all(cinch_staple *staple, const X509 *leaf)
{
    unsigned size = 0;

    return X509_digest(leaf, EVP_sha256(), staple->leaf, &size) == 1 && size == 32 &&
           EVP_Q_digest(cinch_library_context(), "SHA256", NULL, staple->bytes, staple->size,
                        staple->digest, NULL) == 1;
}

/*
 * Reads the file PATH, and refuses it unless it is for LEAF. Of a server that is running already, one
 * that says "revoked" is passed on: its clients should hear it.
 */
static cinch_staple *read_staple(const char *path, X509 *leaf, X509 *issuer, int running,
                                 cinch_error *err)
{
    cinch_content content = {0};
    cinch_ocsp_finding finding;
    cinch_staple *staple = cinch_alloc(sizeof *staple);
    int64_t now = cinch_clock_wall();

    if (staple == NULL)
        goto no_memory;
    atomic_init(&staple->references, 1);
    if (cinch_file_read(path, "the OCSP response", &content, &staple->mark, err) != CINCH_OK)
        goto failed;
    cinch_ocsp_verdict verdict =
        cinch_ocsp_check(content.bytes, content.size, leaf, issuer, NULL, now, &finding);
    if (!(running && verdict == CINCH_OCSP_REVOKED) &&
        judge(path, verdict, &finding, err) != CINCH_OK)
        goto failed;
    staple->settled = cinch_cached_settled(staple->mark.changed_s, now);
    staple->this_update = finding.this_update;
    staple->next_update = finding.next_update;
    staple->path = cinch_copy_text(path);
    staple->bytes = cinch_copy_bytes(content.bytes, content.size);
    staple->size = content.size;
    if (staple->path == NULL || staple->bytes == NULL || !hash_all(staple, leaf))
        goto no_memory;
    atomic_init(&staple->look_us, cinch_clock_us() + REFRESH_US);
    cinch_content_free(&content);
    return staple;
no_memory:
    (void)cinch_fail_memory(err, "reading an OCSP response");
failed:
    cinch_content_free(&content);
    cinch_staple_unref(staple);
    return NULL;
}

cinch_staple *cinch_staple_open(const char *path, X509 *leaf, X509 *issuer, cinch_error *err)
{
    char whole[PATH_MAX];

    if (path[0] != '/' && path[0] != 0 && getcwd(whole, sizeof whole) != NULL &&
        strlen(whole) + strlen(path) + 2 < sizeof whole) {
        size_t at = strlen(whole);

        snprintf(whole + at, sizeof whole - at, "/%s", path);
        path = whole;
    }
    return read_staple(path, leaf, issuer, 0, err);
}

cinch_staple *cinch_staple_refresh(cinch_staple *staple, X509 *leaf, X509 *issuer)
{
    int64_t now = cinch_clock_us(), due = atomic_load(&staple->look_us);
    unsigned char print[32] = {0};
    unsigned size = 0;
    cinch_file_mark mark;

    if (now < due || !atomic_compare_exchange_strong(&staple->look_us, &due, now + REFRESH_US))
        return cinch_staple_ref(staple);
    /* Another certificate than before: what was refused for that one may be right for this one. */
    int same_leaf = X509_digest(leaf, EVP_sha256(), print, &size) == 1 &&
                    memcmp(print, staple->leaf, sizeof print) == 0;
    if (same_leaf && staple->settled && cinch_file_look(staple->path, &mark) &&
        cinch_file_mark_same(&mark, &staple->mark))
        return cinch_staple_ref(staple);
    cinch_staple *fresh = read_staple(staple->path, leaf, issuer, 1, NULL);
    return fresh != NULL ? fresh : cinch_staple_ref(staple);
}

size_t cinch_staple_bytes(const cinch_staple *staple, const X509 *leaf, int64_t now,
                          const unsigned char **bytes)
{
    unsigned char print[32];
    unsigned size = 0;

    if (leaf == NULL || now <= 0 || now > staple->next_update ||
        X509_digest(leaf, EVP_sha256(), print, &size) != 1 ||
        memcmp(print, staple->leaf, sizeof print) != 0)
        return 0;
    *bytes = staple->bytes;
    return staple->size;
}

void cinch_staple_times(const cinch_staple *staple, int64_t *from, int64_t *until)
{
    *from = staple->this_update;
    *until = staple->next_update;
}

void cinch_staple_digest(const cinch_staple *staple, unsigned char digest[32])
{
    memcpy(digest, staple->digest, 32);
}
