/* algorithms.c: groups and signature algorithms. */
#include "policy/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <string.h>

/* Only for suggestions: what can be used is what OpenSSL takes. */
static const char *const groups[] = {"X25519",
                                     "P-256",
                                     "P-384",
                                     "P-521",
                                     "X448",
                                     "X25519MLKEM768",
                                     "SecP256r1MLKEM768",
                                     "MLKEM768",
                                     "MLKEM1024",
                                     "ffdhe2048",
                                     "ffdhe3072",
                                     "SecP384r1MLKEM1024",
                                     "ffdhe4096",
                                     "ffdhe6144",
                                     "ffdhe8192",
                                     "secp256r1",
                                     "secp384r1",
                                     "secp521r1",
                                     "brainpoolP256r1",
                                     "brainpoolP384r1",
                                     "prime256v1",
                                     "MLKEM512",
                                     "brainpoolP512r1",
                                     NULL};

/* RFC 8446, 4.2.3. */
static const char *const sigalgs[] = {"ecdsa_secp256r1_sha256",
                                      "ecdsa_secp384r1_sha384",
                                      "ecdsa_secp521r1_sha512",
                                      "ed25519",
                                      "ed448",
                                      "rsa_pss_rsae_sha256",
                                      "rsa_pss_rsae_sha384",
                                      "rsa_pss_rsae_sha512",
                                      "rsa_pss_pss_sha256",
                                      "rsa_pss_pss_sha384",
                                      "rsa_pss_pss_sha512",
                                      "rsa_pkcs1_sha256",
                                      "rsa_pkcs1_sha384",
                                      "rsa_pkcs1_sha512",
                                      "ECDSA+SHA256",
                                      "ECDSA+SHA384",
                                      "ECDSA+SHA512",
                                      "RSA+SHA256",
                                      "RSA+SHA384",
                                      "RSA+SHA512",
                                      "RSA-PSS+SHA256",
                                      "RSA-PSS+SHA384",
                                      "RSA-PSS+SHA512",
                                      NULL};

static const char *name_of(size_t index, const void *arg)
{
    const char *const *names = arg;

    return names[index];
}

SSL_CTX *cinch_policy_scratch(cinch_error *err)
{
    SSL_CTX *scratch = SSL_CTX_new_ex(cinch_library_context(), NULL, TLS_method());

    if (scratch == NULL)
        (void)cinch_fail_crypto(err, "preparing to check a setting");
    return scratch;
}

/* OpenSSL 3.5 gives meaning to characters that no name of a group has. */
static int is_name(const char *word)
{
    return word[0] != 0 &&
           word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                             "0123456789_.-")] == 0 &&
           word[0] != '-' && !cinch_word_same(word, "DEFAULT");
}

cinch_status cinch_policy_check_groups(const char *list, cinch_error *err)
{
    char word[CINCH_POLICY_WORD];
    const char *rest = list;
    size_t usable = 0;
    cinch_status status = cinch_list_check("groups", list, err);
    int found;

    if (status != CINCH_OK)
        return status;
    SSL_CTX *scratch = cinch_policy_scratch(err);
    if (scratch == NULL)
        return CINCH_FAILED;
    while ((found = cinch_word_next(&rest, ":", word)) != 0) {
        const char *name = word + (word[0] == '?');

        if (found < 0 || !is_name(name)) {
            status = cinch_word_unknown(err, "group", word, NULL);
            break;
        }
        if (cinch_ssl_set_groups(scratch, name)) {
            usable++;
        } else if (name == word) {
            status = cinch_word_unknown(err, "group", word, cinch_word_near(word, name_of, groups));
            break;
        }
    }
    if (status == CINCH_OK && usable == 0)
        status = cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                            "this OpenSSL knows none of the groups \"%s\"", list);
    SSL_CTX_free(scratch);
    return status;
}

/* SHA-1 and MD5 have known collisions: RFC 9155. */
static int is_broken(const char *word)
{
    const char *digest = strrchr(word, '+') != NULL ? strrchr(word, '+') : strrchr(word, '_');

    return digest != NULL &&
           (cinch_word_same(digest + 1, "SHA1") || cinch_word_same(digest + 1, "MD5") ||
            cinch_word_same(digest + 1, "SHA"));
}

cinch_status cinch_policy_check_sigalgs(const char *list, int level, cinch_error *err)
{
    char word[CINCH_POLICY_WORD];
    const char *rest = list;
    cinch_status status = cinch_list_check("signature algorithms", list, err);
    int found;

    if (status != CINCH_OK)
        return status;
    SSL_CTX *scratch = cinch_policy_scratch(err);
    if (scratch == NULL)
        return CINCH_FAILED;
    while (status == CINCH_OK && (found = cinch_word_next(&rest, ":", word)) != 0) {
        if (found < 0 || word[0] == '?' || SSL_CTX_set1_sigalgs_list(scratch, word) != 1) {
            status = cinch_word_unknown(err, "signature algorithm", word,
                                        cinch_word_near(word, name_of, sigalgs));
        } else if (level > 0 && is_broken(word)) {
            status = cinch_fail(err, CINCH_CAUSE_BAD_SETTING,
                                "the signature algorithm \"%s\" is broken (RFC 9155)", word);
            cinch_fail_remedy(err, "leave it out; equipment that knows nothing better needs "
                                   "cinch_policy_insecure_versions()");
        }
    }
    SSL_CTX_free(scratch);
    return status;
}
