#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "context/access.h"
#include "context/context.h"
#include "context/extras.h"
#include "context/hosts.h"
#include "context/revocation.h"

#include <openssl/evp.h>

#define DEFAULT_DEPTH 10

cinch_settings *cinch_settings_new(int is_server, cinch_error *err)
{
    cinch_settings *settings = cinch_alloc(sizeof *settings);

    if (settings == NULL) {
        (void)cinch_fail_memory(err, "making a context");
        return NULL;
    }
    settings->is_server = is_server;
    settings->trusts_system = !is_server;
    settings->verify_depth = DEFAULT_DEPTH;
    settings->send_server_name = 1;
    settings->resumption = 1;
    settings->ticket_count = 1;
    settings->record_size = CINCH_RECORD_LARGEST;
    settings->policy = cinch_policy_new(NULL, err);
    if (settings->policy == NULL) {
        cinch_settings_free(settings);
        return NULL;
    }
    return settings;
}

cinch_settings *cinch_settings_copy(const cinch_settings *settings, cinch_error *err)
{
    cinch_settings *copy = cinch_alloc(sizeof *copy);

    if (copy == NULL) {
        (void)cinch_fail_memory(err, "copying the settings of a context");
        return NULL;
    }
    *copy = *settings;
    copy->trust = settings->trust == NULL ? NULL : cinch_trust_ref(settings->trust);
    copy->identity = settings->identity == NULL ? NULL : cinch_identity_ref(settings->identity);
    copy->tickets = settings->tickets == NULL ? NULL : cinch_ring_ref(settings->tickets);
    cinch_revocation_share(copy);
    int extras = cinch_extras_copy(copy, settings);
    int access = cinch_access_copy(copy, settings);
    copy->hosts = settings->hosts == NULL ? NULL : cinch_hosts_ref(settings->hosts);
    copy->policy = cinch_policy_copy(settings->policy, err);
    copy->alpn =
        settings->alpn == NULL ? NULL : cinch_copy_bytes(settings->alpn, settings->alpn_size);
    if (!extras || !access || copy->policy == NULL ||
        (copy->alpn == NULL) != (settings->alpn == NULL)) {
        cinch_settings_free(copy);
        (void)cinch_fail_memory(err, "copying the settings of a context");
        return NULL;
    }
    return copy;
}

void cinch_settings_free(cinch_settings *settings)
{
    if (settings == NULL)
        return;
    if (settings->trust != NULL)
        cinch_trust_unref(settings->trust);
    cinch_identity_free(settings->identity);
    cinch_tickets_free(settings->tickets);
    cinch_revocation_free(settings);
    cinch_extras_free(settings);
    cinch_hosts_unref(settings->hosts);
    cinch_policy_free(settings->policy);
    cinch_release(settings->alpn);
    cinch_release(settings->allow);
    cinch_release(settings);
}

/*
 * Every field counts, in a fixed order and with its size in front where it has one: what is left out
 * here would leak from one context into another (CVE-2025-14819 was of this kind).
 */
static int hash_settings(const cinch_settings *s, EVP_MD_CTX *md)
{
    const int plain[] = {
        s->is_server,      s->trusts_system,    s->trust != NULL,     s->identity != NULL,
        (int)s->alpn_size, (int)s->alpn_rule,   (int)s->client_auth,  (int)s->server_name_rule,
        s->verify_depth,   s->send_server_name, s->skip_verification, s->skip_name,
        s->resumption,     s->ticket_count,     (int)s->session_ids,  s->first_was_added,
        s->roots_only};
    unsigned char trust[32] = {0};
    const uintptr_t shared[] = {(uintptr_t)s->tickets, (uintptr_t)s->hosts, (uintptr_t)s->choose,
                                (uintptr_t)s->choose_arg};

    if (s->trust != NULL)
        cinch_trust_digest(s->trust, trust);
    return EVP_DigestUpdate(md, plain, sizeof plain) == 1 &&
           EVP_DigestUpdate(md, trust, sizeof trust) == 1 &&
           /* These have no content to compare by: the same ones or others. */
           EVP_DigestUpdate(md, shared, sizeof shared) == 1 &&
           (s->identity == NULL ||
            EVP_DigestUpdate(md, s->identity->digest, sizeof s->identity->digest) == 1) &&
           (s->alpn == NULL || EVP_DigestUpdate(md, s->alpn, s->alpn_size) == 1) &&
           cinch_extras_hash(s, md) && cinch_access_hash(s, md) && cinch_revocation_hash(s, md) &&
           cinch_policy_hash(s->policy, md) == 1;
}

cinch_status cinch_settings_digest(const cinch_settings *settings, unsigned char digest[32],
                                   cinch_error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    cinch_status status = CINCH_OK;

    if (md == NULL || sha256 == NULL || EVP_DigestInit_ex2(md, sha256, NULL) != 1 ||
        !hash_settings(settings, md) || EVP_DigestFinal_ex(md, digest, NULL) != 1)
        status = cinch_fail_crypto(err, "comparing settings");
    EVP_MD_free(sha256);
    EVP_MD_CTX_free(md);
    return status;
}
