/* Lists of the whole process: equal content is parsed once, and a signature is verified once. */
#include "revocation/lists.h"
#include "base/certificate.h"
#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

/* Guards the list, the counts, and who signed a list. No file is read under it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_crl_lists *all;

static cinch_crl_lists *find_locked(const unsigned char digest[32])
{
    for (cinch_crl_lists *lists = all; lists != NULL; lists = lists->next)
        if (memcmp(lists->digest, digest, sizeof lists->digest) == 0) {
            lists->references++;
            return lists;
        }
    return NULL;
}

cinch_crl_lists *cinch_crl_lists_ref(cinch_crl_lists *lists)
{
    if (lists == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    lists->references++;
    pthread_mutex_unlock(&lock);
    return lists;
}

void cinch_crl_lists_unref(cinch_crl_lists *lists)
{
    if (lists == NULL)
        return;
    pthread_mutex_lock(&lock);
    int last = --lists->references == 0;
    for (cinch_crl_lists **at = &all; last && *at != NULL; at = &(*at)->next)
        if (*at == lists) {
            *at = lists->next;
            break;
        }
    pthread_mutex_unlock(&lock);
    if (last)
        cinch_crl_lists_free(lists);
}

cinch_crl_lists *cinch_crl_lists_of(const unsigned char *bytes, size_t size, const char *where,
                                    int *others, cinch_error *err)
{
    unsigned char digest[32];

    if (others != NULL)
        *others = 0;
    if (!cinch_openssl_sha256(bytes, size, digest)) {
        (void)cinch_fail_crypto(err, "hashing a revocation list");
        return NULL;
    }
    pthread_mutex_lock(&lock);
    cinch_crl_lists *lists = find_locked(digest);
    pthread_mutex_unlock(&lock);
    if (lists != NULL)
        return lists;
    cinch_crl_lists *fresh = cinch_crl_lists_read(bytes, size, where, others, err);
    if (fresh == NULL)
        return NULL;
    memcpy(fresh->digest, digest, sizeof digest);
    fresh->references = 1;
    pthread_mutex_lock(&lock);
    lists = find_locked(digest);
    if (lists == NULL) {
        fresh->next = all;
        all = lists = fresh;
        fresh = NULL;
    }
    pthread_mutex_unlock(&lock);
    cinch_crl_lists_free(fresh);
    return lists;
}

/*
 * 1 if KEY has signed CRL, 0 if not, -1 when memory runs out. OpenSSL does not always say that it was
 * memory, and "not signed" would mean "does not count": so no is asked for twice.
 */
static int verify(X509_CRL *crl, EVP_PKEY *key)
{
    int result = 0;

    for (int i = 0; i < 2 && result != 1; i++) {
        ERR_clear_error();
        result = X509_CRL_verify(crl, key);
        if (result != 1 && (cinch_openssl_out_of_memory(ERR_peek_error()) ||
                            cinch_openssl_out_of_memory(ERR_peek_last_error())))
            result = -1;
        else if (result != 1)
            result = 0;
    }
    ERR_clear_error();
    return result;
}

int cinch_crl_signed(cinch_crl *crl, X509 *issuer)
{
    unsigned char print[32];
    unsigned size = 0;

    /* Of the whole certificate: its key, and that it may sign lists. */
    if (X509_digest(issuer, EVP_sha256(), print, &size) != 1 || size != sizeof print)
        return -1;
    pthread_mutex_lock(&lock);
    int known = crl->is_signed && memcmp(crl->signer, print, sizeof print) == 0;
    pthread_mutex_unlock(&lock);
    if (known)
        return 1;
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (key == NULL)
        return -1;
    /* RFC 5280, 6.3.3 (f): whoever has key usage needs cRLSign. Without the extension: all ones. */
    if ((X509_get_key_usage(issuer) & X509v3_KU_CRL_SIGN) == 0)
        return 0;
    int result = verify(crl->crl, key);
    if (result < 0)
        return -1;
    if (result == 0)
        return 0;
    pthread_mutex_lock(&lock);
    memcpy(crl->signer, print, sizeof print);
    crl->is_signed = 1;
    pthread_mutex_unlock(&lock);
    return 1;
}
