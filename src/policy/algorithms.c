/* algorithms.c: groups and signature algorithms. */
#include "policy/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
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

/*
 * An SSL_CTX that was made with too little memory lacks algorithms, without a word of why (OpenSSL's
 * ssl_setup_sigalgs): WORD is not to blame for that, so a second one is asked.
 */
static cinch_status refuse_sigalg(const char *word, cinch_error *err)
{
    SSL_CTX *scratch = cinch_policy_scratch(err);
    int taken = scratch != NULL && word[0] != '?' && SSL_CTX_set1_sigalgs_list(scratch, word) == 1;

    if (scratch == NULL)
        return CINCH_FAILED;
    SSL_CTX_free(scratch);
    if (taken)
        return cinch_fail_memory(err, "checking a policy");
    return cinch_word_unknown(err, "signature algorithm", word,
                              cinch_word_near(word, name_of, sigalgs));
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
            status = refuse_sigalg(word, err);
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

int cinch_policy_bits(int level)
{
    /* openssl, SSL_CTX_set_security_level(3). */
    static const int bits[] = {0, 80, 112, 128, 192, 256};

    return level < 0 ? 0 : bits[level > 5 ? 5 : level];
}

typedef struct group_search {
    const char *name;
    int bits;
} group_search;

/* One group of a provider: its names and what it is worth. */
static int see_group(const OSSL_PARAM params[], void *arg)
{
    static const char *const keys[] = {OSSL_CAPABILITY_TLS_GROUP_NAME,
                                       OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL};
    group_search *search = arg;
    const OSSL_PARAM *bits =
        OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_SECURITY_BITS);

    for (size_t i = 0; i < 2; i++) {
        const OSSL_PARAM *name = OSSL_PARAM_locate_const(params, keys[i]);
        const char *text = NULL;
        unsigned value = 0;

        if (name == NULL || bits == NULL || !OSSL_PARAM_get_utf8_string_ptr(name, &text) ||
            !cinch_word_same(text, search->name) || !OSSL_PARAM_get_uint(bits, &value))
            continue;
        search->bits = (int)value;
        break;
    }
    return 1;
}

static int see_provider(OSSL_PROVIDER *provider, void *arg)
{
    (void)OSSL_PROVIDER_get_capabilities(provider, "TLS-GROUP", see_group, arg);
    return 1;
}

int cinch_policy_group_bits(const char *name)
{
    group_search search = {.name = name + (name[0] == '?')};

    int all = OSSL_PROVIDER_do_all(cinch_library_context(), see_provider, &search);
    ERR_clear_error();
    return all == 1 ? search.bits : -1;
}

int cinch_policy_sigalg_bits(const char *name)
{
    static const struct {
        const char *ending;
        int bits;
    } known[] = {{"md5", 0},      {"sha1", 63},    {"sha224", 112},  {"sha256", 128},
                 {"sha384", 192}, {"sha512", 256}, {"ed25519", 128}, {"ed448", 224}};
    size_t length = strlen(name);

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t size = strlen(known[i].ending);

        if (length >= size && cinch_word_same(name + length - size, known[i].ending))
            return known[i].bits;
    }
    return 0;
}

int cinch_policy_list_has(const char *list, int (*bits_of)(const char *), int bits)
{
    char word[CINCH_POLICY_WORD];

    while (cinch_word_next(&list, ":", word) > 0) {
        int found = bits_of(word);

        /* What is not known here is for libssl to judge, unless it was optional. */
        if (found >= bits || (found <= 0 && word[0] != '?'))
            return 1;
    }
    return 0;
}
