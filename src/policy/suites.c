/*
 * suites.c: cipher suites. OpenSSL's list language passes over what it does not know: a misspelt
 * suite is simply not there, and a misspelt "!name" excludes nothing. Here every word is looked at.
 */
#include "policy/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

static const char separators[] = ":, ;";

/*
 * Words that stand for a property of suites. A build of OpenSSL may have no suite for some of them,
 * and "!RC4" is right all the same. From openssl-ciphers(1).
 */
static const char *const properties[] = {"ALL",
                                         "COMPLEMENTOFALL",
                                         "COMPLEMENTOFDEFAULT",
                                         "DEFAULT",
                                         "HIGH",
                                         "MEDIUM",
                                         "LOW",
                                         "EXP",
                                         "EXPORT",
                                         "EXPORT40",
                                         "EXPORT56",
                                         "eNULL",
                                         "NULL",
                                         "aNULL",
                                         "kRSA",
                                         "aRSA",
                                         "RSA",
                                         "kDHr",
                                         "kDHd",
                                         "kDH",
                                         "DH",
                                         "DHE",
                                         "EDH",
                                         "kDHE",
                                         "kEDH",
                                         "ADH",
                                         "kEECDH",
                                         "kECDHE",
                                         "kECDH",
                                         "kECDHr",
                                         "kECDHe",
                                         "ECDH",
                                         "ECDHE",
                                         "EECDH",
                                         "AECDH",
                                         "aDSS",
                                         "DSS",
                                         "aDH",
                                         "aECDH",
                                         "aECDSA",
                                         "ECDSA",
                                         "SSLv2",
                                         "SSLv3",
                                         "TLSv1",
                                         "TLSv1.0",
                                         "TLSv1.2",
                                         "AES128",
                                         "AES256",
                                         "AES",
                                         "AESGCM",
                                         "AESCCM",
                                         "AESCCM8",
                                         "ARIA",
                                         "ARIA128",
                                         "ARIA256",
                                         "ARIAGCM",
                                         "CAMELLIA",
                                         "CBC",
                                         "3DES",
                                         "DES",
                                         "CAMELLIA128",
                                         "CAMELLIA256",
                                         "CHACHA20",
                                         "RC4",
                                         "RC2",
                                         "IDEA",
                                         "SEED",
                                         "MD5",
                                         "SHA1",
                                         "SHA",
                                         "SHA256",
                                         "SHA384",
                                         "aGOST",
                                         "aGOST01",
                                         "kGOST",
                                         "GOST94",
                                         "GOST89MAC",
                                         "PSK",
                                         "kPSK",
                                         "kECDHEPSK",
                                         "kDHEPSK",
                                         "kRSAPSK",
                                         "aPSK",
                                         "SRP",
                                         "aSRP",
                                         "kSRP",
                                         "FIPS",
                                         NULL};

static const char *const tls13[] = {"TLS_AES_128_GCM_SHA256",       "TLS_AES_256_GCM_SHA384",
                                    "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
                                    "TLS_AES_128_CCM_8_SHA256",     NULL};

static int listed(const char *const *names, const char *word)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, word) == 0)
            return 1;
    return 0;
}

static int is_tls13(const SSL_CIPHER *suite)
{
    return strcmp(SSL_CIPHER_get_version(suite), "TLSv1.3") == 0;
}

/* Every suite of TLS 1.2 and older that this OpenSSL has, for finding what was meant. */
static SSL_CTX *all_suites(cinch_error *err)
{
    SSL_CTX *all = cinch_policy_scratch(err);

    if (all == NULL || cinch_ssl_set_ciphers(all, "ALL:COMPLEMENTOFALL"))
        return all;
    SSL_CTX_free(all);
    (void)cinch_fail_crypto(err, "listing cipher suites");
    return NULL;
}

/* Suites first, then words. */
static const char *old_names(size_t index, const void *arg)
{
    const STACK_OF(SSL_CIPHER) *suites = arg;
    size_t count = (size_t)sk_SSL_CIPHER_num(suites);

    if (index < count)
        return SSL_CIPHER_get_name(sk_SSL_CIPHER_value(suites, (int)index));
    return properties[index - count];
}

static const char *new_names(size_t index, const void *arg)
{
    (void)arg;
    return tls13[index];
}

/* Finds a suite by its name in OpenSSL or in the RFCs. */
static const SSL_CIPHER *find_suite(STACK_OF(SSL_CIPHER) * suites, const char *word)
{
    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);
        const char *standard = SSL_CIPHER_standard_name(suite);

        if (strcmp(SSL_CIPHER_get_name(suite), word) == 0 ||
            (standard != NULL && strcmp(standard, word) == 0))
            return suite;
    }
    return NULL;
}

static cinch_status unknown_cipher(SSL_CTX *all, const char *word, cinch_error *err)
{
    STACK_OF(SSL_CIPHER) *suites = SSL_CTX_get_ciphers(all);
    const SSL_CIPHER *found = find_suite(suites, word);

    if (listed(tls13, word)) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "\"%s\" is a suite of TLS 1.3, and this list is for TLS 1.2", word);
        cinch_fail_remedy(err, "give it to cinch_policy_suites()");
        return CINCH_FAILED;
    }
    return cinch_word_unknown(err, "cipher suite", word,
                              found != NULL ? SSL_CIPHER_get_name(found)
                                            : cinch_word_near(word, old_names, suites));
}

static int is_known(SSL_CTX *scratch, const char *word)
{
    return listed(properties, word) || cinch_ssl_set_ciphers(scratch, word);
}

/* One element: a word, or several joined by "+", after "!", "-" or "+". */
static cinch_status check_element(SSL_CTX *scratch, SSL_CTX *all, const char *element,
                                  cinch_error *err)
{
    const char *body = element + strspn(element, "!-+");
    int excludes = body != element;
    const char *rest = body;
    char word[CINCH_POLICY_WORD];

    if (element[0] == '@') {
        if (strcmp(element, "@STRENGTH") == 0)
            return CINCH_OK;
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%s\" cannot stand in a list of cipher suites",
                   element);
        cinch_fail_remedy(err, "leave it out; the security level belongs to the policy");
        return CINCH_FAILED;
    }
    /* SUITEB128 and its like change the curves and the level behind our back. */
    if (strncmp(body, "SUITEB", 6) == 0 || body - element > 1 || body[0] == 0)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                          "\"%s\" cannot stand in a list of cipher suites", element);
    while (cinch_word_next(&rest, "+", word) > 0)
        if (!is_known(scratch, word))
            return unknown_cipher(all, word, err);
    if (excludes || cinch_ssl_set_ciphers(scratch, body))
        return CINCH_OK;
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "this OpenSSL has no cipher suite that is \"%s\"",
               body);
    return CINCH_FAILED;
}

static cinch_status refuse_suite(cinch_error *err, const char *name, const char *why,
                                 const char *remedy)
{
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the list contains %s, a suite without %s", name, why);
    cinch_fail_remedy(err, "append \"%s\" to the list, or name single suites", remedy);
    return CINCH_FAILED;
}

/* What the list as a whole means. */
static cinch_status check_result(SSL_CTX *scratch, const char *list, cinch_error *err)
{
    STACK_OF(SSL_CIPHER) * suites;

    if (!cinch_ssl_set_ciphers(scratch, list))
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "nothing remains of the cipher list \"%s\"",
                          list);
    suites = SSL_CTX_get_ciphers(scratch);
    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);

        if (is_tls13(suite))
            continue;
        if (SSL_CIPHER_get_cipher_nid(suite) == NID_undef)
            return refuse_suite(err, SSL_CIPHER_get_name(suite), "encryption", ":!eNULL");
        if (SSL_CIPHER_get_auth_nid(suite) == NID_auth_null)
            return refuse_suite(err, SSL_CIPHER_get_name(suite), "authentication", ":!aNULL");
    }
    return CINCH_OK;
}

cinch_status cinch_policy_check_ciphers(const char *list, int level, cinch_error *err)
{
    SSL_CTX *scratch = NULL, *all = NULL;
    char element[CINCH_POLICY_WORD];
    const char *rest = list;
    cinch_status status = cinch_list_check("cipher suites", list, err);
    int found;

    if (status != CINCH_OK)
        return status;
    status = CINCH_FAILED;
    if ((scratch = cinch_policy_scratch(err)) == NULL || (all = all_suites(err)) == NULL)
        goto out;
    SSL_CTX_set_security_level(scratch, level);
    while ((found = cinch_word_next(&rest, separators, element)) != 0) {
        if (found < 0) {
            status = cinch_word_unknown(err, "cipher suite", element, NULL);
            goto out;
        }
        if ((status = check_element(scratch, all, element, err)) != CINCH_OK)
            goto out;
    }
    status = check_result(scratch, list, err);
out:
    SSL_CTX_free(all);
    SSL_CTX_free(scratch);
    return status;
}

static cinch_status unknown_suite(const char *word, cinch_error *err)
{
    SSL_CTX *all = all_suites(err);

    if (all == NULL)
        return CINCH_FAILED;
    const SSL_CIPHER *old = find_suite(SSL_CTX_get_ciphers(all), word);
    if (old != NULL) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                   "\"%s\" is a suite of TLS 1.2, and this list is for TLS 1.3", word);
        cinch_fail_remedy(err, "give it to cinch_policy_ciphers() as \"%s\"",
                          SSL_CIPHER_get_name(old));
    } else {
        cinch_word_unknown(err, "TLS 1.3 cipher suite", word,
                           cinch_word_near(word, new_names, NULL));
    }
    SSL_CTX_free(all);
    return CINCH_FAILED;
}

/* OpenSSL 3.0 and newer differ in whether an unknown name is an error; look at what came of it. */
static cinch_status check_suite(SSL_CTX *scratch, const char *word, cinch_error *err)
{
    STACK_OF(SSL_CIPHER) * suites;

    if (!cinch_ssl_set_suites(scratch, word))
        return unknown_suite(word, err);
    suites = SSL_CTX_get_ciphers(scratch);
    for (int i = 0; i < sk_SSL_CIPHER_num(suites); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(suites, i);

        if (!is_tls13(suite) || strcmp(SSL_CIPHER_get_name(suite), word) != 0)
            continue;
        /* RFC 9150 has suites that only protect against changes. */
        if (SSL_CIPHER_get_cipher_nid(suite) == NID_undef)
            return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%s is a suite without encryption",
                              word);
        return CINCH_OK;
    }
    return unknown_suite(word, err);
}

cinch_status cinch_policy_check_suites(const char *list, cinch_error *err)
{
    char word[CINCH_POLICY_WORD];
    const char *rest = list;
    cinch_status status = cinch_list_check("TLS 1.3 cipher suites", list, err);
    int found;

    if (status != CINCH_OK)
        return status;
    SSL_CTX *scratch = cinch_policy_scratch(err);
    if (scratch == NULL)
        return CINCH_FAILED;
    while (status == CINCH_OK && (found = cinch_word_next(&rest, ":", word)) != 0)
        status = found < 0 ? cinch_word_unknown(err, "TLS 1.3 cipher suite", word, NULL)
                           : check_suite(scratch, word, err);
    SSL_CTX_free(scratch);
    return status;
}
