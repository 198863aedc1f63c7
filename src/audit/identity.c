/* identity.c: our own certificate: is it in its time, strong, complete, and for the right names? */
#include "audit/audit.h"

#include "base/clock.h"
#include "base/openssl.h"
#include "base/x509_text.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define DAY INT64_C(86400)
#define WEAK_BITS 112
#define URGENT (7 * DAY)
#define SOON (30 * DAY)
#define LONGEST_LIFE (398 * DAY)

/*
 * How long before the end it should have been renewed. A life of six days has a week's warning all the
 * time; such a certificate is renewed at two thirds of its life.
 */
static int64_t shorter(int64_t span, int64_t life, int part)
{
    return span < life / part ? span : life / part;
}

static void look_at_time(cinch_audit_work *work, const cinch_certificate *leaf)
{
    int64_t left = leaf->not_after - work->now, life = leaf->not_after - leaf->not_before;
    char text[32];

    if (work->now < leaf->not_before) {
        cinch_audit_add(work, "identity-not-yet-valid", "the certificate is not valid before %s",
                        cinch_clock_text(leaf->not_before, text));
        return;
    }
    cinch_clock_text(leaf->not_after, text);
    if (left < 0)
        cinch_audit_add(work, "identity-expired", "the certificate has expired on %s", text);
    else if (left < shorter(URGENT, life, 6))
        cinch_audit_add(work, "identity-expires", "the certificate expires on %s", text);
    else if (left < shorter(SOON, life, 3))
        cinch_audit_add(work, "identity-expires-soon", "the certificate expires on %s", text);
}

static int is_below(const char *name, const char *domain)
{
    size_t size = strlen(name), part = strlen(domain);

    return size >= part && strcasecmp(name + size - part, domain) == 0 &&
           (size == part || name[size - part - 1] == '.');
}

int cinch_audit_public_name(const char *name)
{
    /* RFC 6761, RFC 6762, RFC 8375 and ICANN's "internal": nobody gets public certificates there. */
    static const char *const private_domains[] = {
        "test",      "localhost", "invalid",  "example",     "local",       "internal",
        "home.arpa", "lan",       "intranet", "example.com", "example.net", "example.org"};

    if (strchr(name, '.') == NULL)
        return 0;
    for (size_t i = 0; i < sizeof private_domains / sizeof private_domains[0]; i++)
        if (is_below(name, private_domains[i]))
            return 0;
    return 1;
}

static void look_at_names(cinch_audit_work *work, const cinch_certificate *leaf)
{
    cinch_audit_names wild = {0};
    int is_public = 0, named = 0;

    for (size_t i = 0; i < leaf->name_count; i++) {
        const cinch_name *name = &leaf->names[i];

        named |= name->kind == CINCH_NAME_DNS || name->kind == CINCH_NAME_IP;
        if (name->kind != CINCH_NAME_DNS)
            continue;
        is_public |= cinch_audit_public_name(name->text);
        if (name->text[0] == '*')
            cinch_audit_name(&wild, name->text);
    }
    if (!named)
        cinch_audit_add(work, "identity-no-names", NULL);
    if (wild.count > 0)
        cinch_audit_add_names(work, "identity-wildcard", &wild);
    /* The last second counts as well (RFC 5280, 4.1.2.5). */
    if (is_public && leaf->not_after - leaf->not_before + 1 > LONGEST_LIFE)
        cinch_audit_add(work, "identity-long-validity", "the certificate is valid for %lld days",
                        (long long)((leaf->not_after - leaf->not_before) / DAY));
}

/* Only a signature that somebody verifies counts: not that of a certificate on itself. */
static int is_signed_weakly(X509 *x)
{
    int bits = 0;

    return X509_self_signed(x, 0) != 1 &&
           X509_get_signature_info(x, NULL, NULL, &bits, NULL) == 1 && bits < WEAK_BITS;
}

static void look_at_strength(cinch_audit_work *work, const cinch_identity *identity)
{
    int weak = is_signed_weakly(identity->leaf);
    char type[64], group[64];

    for (int i = 0; i < sk_X509_num(identity->chain); i++)
        weak |= is_signed_weakly(sk_X509_value(identity->chain, i));
    if (weak)
        cinch_audit_add(work, "identity-weak-signature", NULL);
    if (EVP_PKEY_get_security_bits(identity->key) >= WEAK_BITS)
        return;
    int bits = cinch_x509_key(identity->leaf, type, sizeof type, group, sizeof group);
    cinch_audit_add(work, "identity-weak-key", "the certificate's key is weak: %s, %d bits", type,
                    bits);
}

static void look_at_chain(cinch_audit_work *work, const cinch_identity *identity)
{
    const cinch_certificate *leaf = identity->certificates[0];
    int purpose = work->settings->is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
    int alone = identity->certificate_count < 2;

    int fits = X509_check_purpose(identity->leaf, purpose, 0);
    if (fits < 0 && cinch_openssl_out_of_memory(ERR_peek_error()))
        work->failed = 1;
    else if (fits != 1)
        cinch_audit_add(work, "identity-purpose", "the certificate is not for a %s",
                        work->settings->is_server ? "server" : "client");
    if (X509_self_signed(identity->leaf, 0) == 1)
        cinch_audit_add(work, "identity-self-signed", NULL);
    else if (alone && leaf->issuer_url[0] != 0)
        /* Who tells where the issuer's certificate can be fetched does not mean an anchor. */
        cinch_audit_add(work, "identity-incomplete",
                        "the intermediate certificate is missing: %.200s", leaf->issuer);
}

void cinch_audit_identity(cinch_audit_work *work, const cinch_identity *identity)
{
    look_at_time(work, identity->certificates[0]);
    if (work->settings->is_server)
        look_at_names(work, identity->certificates[0]);
    look_at_strength(work, identity);
    look_at_chain(work, identity);
    cinch_audit_must_staple(work, identity);
}
