/* hosts_pick.c: which identity of a context is for a name, with a key that the client can verify? */
#include "context/hosts.h"

#include <openssl/objects.h>
#include <openssl/tls1.h>
#include <string.h>

/* ---- what the client can verify ---- */

static int has(const unsigned char *pairs, size_t size, int value)
{
    for (size_t at = 0; at + 1 < size; at += 2)
        if ((pairs[at] << 8 | pairs[at + 1]) == value)
            return 1;
    return 0;
}

/* The list inside extension TYPE, behind its length of COUNT bytes; *SIZE is 0 if there is none. */
static const unsigned char *list_of(SSL *ssl, unsigned type, size_t count, size_t *size)
{
    const unsigned char *in;

    if (SSL_client_hello_get0_ext(ssl, type, &in, size) != 1 || *size < count) {
        *size = 0;
        return NULL;
    }
    *size -= count;
    return in + count;
}

/* Signature algorithms (RFC 8446, 4.2.3) for a key; TLS 1.3 ties ECDSA's to the curve. */
static int signs_with(const cinch_identity *identity, cinch_key_kind kind, int is_1_3, int sigalg)
{
    const char *group = identity->certificates[0]->key_group;
    int low = sigalg & 0xff, high = sigalg >> 8;

    switch (kind) {
    case CINCH_KEY_EC:
        if (!is_1_3)
            return low == 3 && high >= 2 && high <= 6;
        return sigalg == (strcmp(group, "P-256") == 0   ? 0x0403
                          : strcmp(group, "P-384") == 0 ? 0x0503
                          : strcmp(group, "P-521") == 0 ? 0x0603
                                                        : 0);
    case CINCH_KEY_ED25519:
        return sigalg == 0x0807;
    case CINCH_KEY_ED448:
        return sigalg == 0x0808;
    case CINCH_KEY_RSA:
        return (sigalg >= 0x0804 && sigalg <= 0x0806) || (!is_1_3 && low == 1 && high <= 6);
    default:
        return sigalg >= 0x0809 && sigalg <= 0x080b;
    }
}

/* Whether the policy, which names algorithms in either of OpenSSL's ways, signs with KIND at all. */
static int policy_signs(const cinch_policy *policy, cinch_key_kind kind)
{
    static const char *const words[CINCH_KEY_KINDS][3] = {
        [CINCH_KEY_EC] = {"ecdsa", "ECDSA", NULL},
        [CINCH_KEY_ED25519] = {"ed25519", "Ed25519", "ED25519"},
        [CINCH_KEY_ED448] = {"ed448", "Ed448", "ED448"},
        [CINCH_KEY_RSA] = {"rsa_p", "RSA", NULL},
        [CINCH_KEY_RSA_PSS] = {"rsa_pss_pss", "RSA-PSS", "PSS+"},
    };
    int found = 0;

    for (size_t i = 0; i < 3 && !found; i++)
        found = words[kind][i] != NULL && strstr(policy->sigalgs, words[kind][i]) != NULL;
    return found;
}

/* TLS 1.2 says with the cipher suite which kind of key there is (RFC 5246, 7.4.2; RFC 8422, 5.3). */
static int suites_allow(SSL *ssl, cinch_key_kind kind)
{
    const unsigned char *theirs;
    size_t size = SSL_client_hello_get0_ciphers(ssl, &theirs);
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(ssl);
    int auth = kind == CINCH_KEY_RSA || kind == CINCH_KEY_RSA_PSS ? NID_auth_rsa : NID_auth_ecdsa;

    for (int i = 0; i < sk_SSL_CIPHER_num(ours); i++) {
        const SSL_CIPHER *suite = sk_SSL_CIPHER_value(ours, i);

        if (SSL_CIPHER_get_auth_nid(suite) == auth &&
            has(theirs, size, SSL_CIPHER_get_protocol_id(suite)))
            return 1;
    }
    return 0;
}

static int is_supported(const cinch_link *link, SSL *ssl, const cinch_identity *identity,
                        cinch_key_kind kind)
{
    const cinch_policy *policy = link->derived->settings->policy;
    size_t size;
    const unsigned char *list = list_of(ssl, TLSEXT_TYPE_supported_versions, 1, &size);
    int is_1_3 = policy->max >= TLS1_3_VERSION && has(list, size, TLS1_3_VERSION);

    if (!policy_signs(policy, kind) || (!is_1_3 && !suites_allow(ssl, kind)))
        return 0;
    list = list_of(ssl, TLSEXT_TYPE_signature_algorithms, 2, &size);
    if (size == 0)
        return !is_1_3;
    for (size_t at = 0; at + 1 < size; at += 2)
        if (signs_with(identity, kind, is_1_3, list[at] << 8 | list[at + 1]))
            return 1;
    return 0;
}

/* ---- identities ---- */

/* The kinds of keys that there are for a name, as it stands or by a wildcard. */
typedef struct candidates {
    cinch_identity *of[CINCH_KEY_KINDS];
} candidates;

/* The first identity is not in the table unless it was added; is it for NAME in this way? */
static int covers(const cinch_identity *identity, const cinch_host *name, int wild)
{
    const cinch_certificate *leaf = identity->certificates[0];

    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS && (leaf->names[i].text[0] == '*') == wild &&
            cinch_host_covers(name, leaf->names[i].text, strlen(leaf->names[i].text)))
            return 1;
    return 0;
}

static candidates gather(const cinch_settings *settings, const cinch_host_entry *entry,
                         const cinch_host *name, int wild)
{
    candidates c = {{NULL}};

    if (entry != NULL)
        memcpy(c.of, entry->identities, sizeof c.of);
    /* A server with nothing but shared secrets has none. */
    if (settings->identity == NULL)
        return c;
    cinch_key_kind kind = cinch_identity_kind(settings->identity);
    if (c.of[kind] == NULL && covers(settings->identity, name, wild))
        c.of[kind] = settings->identity;
    return c;
}

static cinch_identity *best(const cinch_link *link, SSL *ssl, const candidates *c, int any)
{
    for (size_t i = 0; i < CINCH_KEY_KINDS; i++)
        if (c->of[i] != NULL && (any || is_supported(link, ssl, c->of[i], (cinch_key_kind)i)))
            return c->of[i];
    return NULL;
}

cinch_identity *cinch_hosts_identity(const cinch_link *link, SSL *ssl, const cinch_host *name)
{
    const cinch_settings *settings = link->derived->settings;
    char key[CINCH_HOST_TEXT + 2];
    const cinch_host_entry *exact = cinch_hosts_find(settings->hosts, name->text);
    const cinch_host_entry *wild =
        cinch_host_wildcard(key, name->text) ? cinch_hosts_find(settings->hosts, key) : NULL;
    candidates c[2] = {gather(settings, exact, name, 0), gather(settings, wild, name, 1)};
    cinch_identity *identity = NULL;

    for (size_t i = 0; i < 4 && identity == NULL; i++)
        identity = best(link, ssl, &c[i % 2], i >= 2);
    return identity;
}

cinch_identity *cinch_hosts_fallback(const cinch_link *link, SSL *ssl)
{
    cinch_identity *first = link->derived->settings->identity;
    cinch_host name;

    if (first == NULL || is_supported(link, ssl, first, cinch_identity_kind(first)))
        return first;
    const cinch_certificate *leaf = first->certificates[0];
    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS && leaf->names[i].text[0] != '*' &&
            cinch_host_parse(&name, leaf->names[i].text, NULL) == CINCH_OK && name.ip_size == 0) {
            cinch_identity *other = cinch_hosts_identity(link, ssl, &name);

            return other == NULL ? first : other;
        }
    return first;
}
