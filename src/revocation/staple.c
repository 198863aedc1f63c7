/* staple.c: the response that a server has in a file. */
#include "base/certificate.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "revocation/ocsp.h"
#include "trust/cache.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_SUBJECTS 6
#define TEXT 256

struct cinch_staple {
    atomic_uint references;
    char *path;
    cinch_file_mark mark;
    int settled;
    unsigned char digest[32];
    unsigned char print[32]; /* SHA-256 of the certificate that it is for */
    X509 *leaf;
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
    X509_free(staple->leaf);
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

/* One about none of them: which are there? */
static void show(const cinch_shown_list *shown, cinch_error *err)
{
    char subject[TEXT];

    for (size_t i = 0; i < shown->count && i < MOST_SUBJECTS; i++)
        cinch_fail_evidence(err, "%s%s", i == 0 ? "this server has: " : "; ",
                            cinch_x509_subject(shown->list[i].leaf, subject, sizeof subject));
    if (shown->count > MOST_SUBJECTS)
        cinch_fail_evidence(err, "; and more");
}

/*
 * Which of SHOWN the response is for, NULL if it cannot be used. Of a server that is running already,
 * one that says "revoked" is passed on: its clients should hear it.
 */
static const cinch_shown *match(const char *path, const cinch_content *content,
                                const cinch_shown_list *shown, int running, int64_t now,
                                cinch_ocsp_finding *finding, cinch_error *err)
{
    const cinch_shown *found = NULL;
    cinch_ocsp_verdict verdict =
        cinch_ocsp_find(content->bytes, content->size, shown, &found, finding);

    if (found != NULL)
        verdict = cinch_ocsp_check(content->bytes, content->size, found->leaf, found->issuer, NULL,
                                   now, finding);
    if (running && verdict == CINCH_OCSP_REVOKED)
        return found;
    if (judge(path, verdict, finding, err) == CINCH_OK)
        return found;
    if (found == NULL && verdict == CINCH_OCSP_BAD)
        show(shown, err);
    return NULL;
}

/* Reads the file PATH, and refuses it unless it is for one of SHOWN. */
static cinch_staple *read_staple(const char *path, const cinch_shown_list *shown, int running,
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
    const cinch_shown *found = match(path, &content, shown, running, now, &finding, err);
    if (found == NULL)
        goto failed;
    staple->settled = cinch_cached_settled(staple->mark.changed_s, now);
    staple->this_update = finding.this_update;
    staple->next_update = finding.next_update;
    staple->path = cinch_copy_text(path);
    staple->bytes = cinch_copy_bytes(content.bytes, content.size);
    staple->size = content.size;
    staple->leaf = X509_up_ref(found->leaf) == 1 ? found->leaf : NULL;
    memcpy(staple->print, found->print, sizeof staple->print);
    if (staple->path == NULL || staple->bytes == NULL || staple->leaf == NULL ||
        !cinch_openssl_sha256(staple->bytes, staple->size, staple->digest))
        goto no_memory;
    cinch_content_free(&content);
    return staple;
no_memory:
    (void)cinch_fail_memory(err, "reading an OCSP response");
failed:
    cinch_content_free(&content);
    cinch_staple_unref(staple);
    return NULL;
}

cinch_staple *cinch_staple_open(const char *path, const cinch_shown_list *shown, cinch_error *err)
{
    char whole[PATH_MAX];

    if (path[0] != '/' && path[0] != 0 && getcwd(whole, sizeof whole) != NULL &&
        strlen(whole) + strlen(path) + 2 < sizeof whole) {
        size_t at = strlen(whole);

        snprintf(whole + at, sizeof whole - at, "/%s", path);
        path = whole;
    }
    return read_staple(path, shown, 0, err);
}

static int order_of_prints(const void *key, const void *shown)
{
    return memcmp(key, ((const cinch_shown *)shown)->print, 32);
}

static int is_shown(const cinch_staple *staple, const cinch_shown_list *shown)
{
    if (shown->count == 0)
        return 0;
    return order_of_prints(staple->print, &shown->list[0]) == 0 ||
           bsearch(staple->print, shown->list + 1, shown->count - 1, sizeof *shown->list,
                   order_of_prints) != NULL;
}

cinch_staple *cinch_staple_refresh(cinch_staple *staple, const cinch_shown_list *shown)
{
    cinch_file_mark mark;

    /* Another certificate than before: what was refused for that one may be right for this one. */
    if (is_shown(staple, shown) && staple->settled && cinch_file_look(staple->path, &mark) &&
        cinch_file_mark_same(&mark, &staple->mark))
        return cinch_staple_ref(staple);
    cinch_staple *fresh = read_staple(staple->path, shown, 1, NULL);
    return fresh != NULL ? fresh : cinch_staple_ref(staple);
}

size_t cinch_staple_bytes(const cinch_staple *staple, int64_t now, const unsigned char **bytes)
{
    if (now <= 0 || now > staple->next_update)
        return 0;
    *bytes = staple->bytes;
    return staple->size;
}

void cinch_staple_times(const cinch_staple *staple, int64_t *from, int64_t *until)
{
    *from = staple->this_update;
    *until = staple->next_update;
}

const unsigned char *cinch_staple_print(const cinch_staple *staple)
{
    return staple->print;
}

const unsigned char *cinch_staple_digest(const cinch_staple *staple)
{
    return staple->digest;
}

int cinch_staple_order(const cinch_staple *a, const cinch_staple *b)
{
    int order = memcmp(a->print, b->print, sizeof a->print);

    return order != 0 ? order : strcmp(a->path, b->path);
}

/* For the same names, with the same kind of key. */
static int is_renewal(const X509 *fresh, const X509 *old)
{
    int a = X509_get_ext_by_NID(fresh, NID_subject_alt_name, -1);
    int b = X509_get_ext_by_NID(old, NID_subject_alt_name, -1);

    return a >= 0 && b >= 0 &&
           ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(X509_get_ext(fresh, a)),
                                 X509_EXTENSION_get_data(X509_get_ext(old, b))) == 0 &&
           EVP_PKEY_get_base_id(X509_get0_pubkey(fresh)) ==
               EVP_PKEY_get_base_id(X509_get0_pubkey(old));
}

int cinch_staple_replaces(const cinch_staple *fresh, const cinch_staple *old,
                          const cinch_shown_list *shown)
{
    return strcmp(fresh->path, old->path) == 0 ||
           memcmp(fresh->print, old->print, sizeof fresh->print) == 0 ||
           (!is_shown(old, shown) && is_renewal(fresh->leaf, old->leaf));
}
