/* The standard family of test certificates. */
#include "pki.h"

#include <stdlib.h>

#define DAY 86400L

/* What a leaf is for when the point of it is not its names. */
#define GOOD_NAMES .dns = {"localhost", "*.example.test"}, .ip = {"127.0.0.1", "::1"}
#define GOOD .subject = "/O=Cinch Tests/CN=localhost", GOOD_NAMES

/* Which field of the family holds a leaf, and whether the intermediate issued it. */
typedef struct leaf_entry {
    const char *name;
    size_t offset;
    bool via_intermediate;
} leaf_entry;

static const leaf_entry leaves[] = {
    {"good", offsetof(pki_family, good), true},
    {"expired", offsetof(pki_family, expired), true},
    {"not-yet-valid", offsetof(pki_family, not_yet_valid), true},
    {"wrong-name", offsetof(pki_family, wrong_name), true},
    {"self-signed", offsetof(pki_family, self_signed), false},
    {"weak-rsa1024", offsetof(pki_family, weak_rsa1024), true},
    {"sha1-signed", offsetof(pki_family, sha1_signed), true},
    {"client-only-eku", offsetof(pki_family, client_only_eku), true},
    {"client", offsetof(pki_family, client), true},
    {"unknown-ca", offsetof(pki_family, unknown_ca), false},
    {"no-san", offsetof(pki_family, no_san), true},
    {"aia", offsetof(pki_family, aia), true},
    {"under-root", offsetof(pki_family, under_root), false},
};

static pki_cert *leaf_at(const pki_family *family, const leaf_entry *entry)
{
    return *(pki_cert *const *)(const void *)((const char *)family + entry->offset);
}

/* The CAs are old and long-lived enough to cover every leaf, the expired one included. */
static void make_authorities(pki_family *family)
{
    family->root = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Root",
                                        .is_ca = true,
                                        .not_before = -730 * DAY,
                                        .not_after = 3650 * DAY},
                            NULL);
    family->intermediate =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Cinch Test Intermediate",
                             .is_ca = true,
                             .pathlen = "0",
                             .not_before = -365 * DAY,
                             .not_after = 1825 * DAY},
                 family->root);
    family->other_root = pki_make(&(pki_spec){.subject = "/O=Somebody Else/CN=Somebody Else Root",
                                              .is_ca = true,
                                              .not_before = -730 * DAY,
                                              .not_after = 3650 * DAY},
                                  NULL);
}

static void make_leaves(pki_family *family)
{
    const pki_cert *issuer = family->intermediate;

    family->good = pki_make(&(pki_spec){GOOD}, issuer);
    family->expired =
        pki_make(&(pki_spec){GOOD, .not_before = -91 * DAY, .not_after = -DAY}, issuer);
    family->not_yet_valid =
        pki_make(&(pki_spec){GOOD, .not_before = DAY, .not_after = 91 * DAY}, issuer);
    family->wrong_name = pki_make(
        &(pki_spec){.subject = "/O=Cinch Tests/CN=other.example", .dns = {"other.example"}},
        issuer);
    family->self_signed = pki_make(&(pki_spec){GOOD}, NULL);
    family->weak_rsa1024 =
        pki_make(&(pki_spec){GOOD, .key_type = PKI_KEY_RSA, .key_bits = 1024}, issuer);
    family->sha1_signed = pki_make(&(pki_spec){GOOD, .digest = "sha1"}, issuer);
    family->client_only_eku = pki_make(&(pki_spec){GOOD, .eku = "clientAuth"}, issuer);
    family->client = pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=Test Client",
                                          .email = PKI_FAMILY_CLIENT_EMAIL,
                                          .uri = PKI_FAMILY_CLIENT_URI,
                                          .eku = "clientAuth"},
                              issuer);
    family->unknown_ca = pki_make(&(pki_spec){GOOD}, family->other_root);
    family->no_san =
        pki_make(&(pki_spec){.subject = "/O=Cinch Tests/CN=localhost", .no_san = true}, issuer);
    family->aia = pki_make(&(pki_spec){GOOD, .aia_ca_issuers = PKI_FAMILY_AIA_URL}, issuer);
    family->under_root = pki_make(&(pki_spec){GOOD}, family->root);
}

pki_family *pki_family_new(void)
{
    pki_family *family = calloc(1, sizeof(*family));

    pki_need(family != NULL, "memory");
    make_authorities(family);
    make_leaves(family);
    return family;
}

void pki_family_free(pki_family *family)
{
    if (family == NULL)
        return;
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
        pki_free(leaf_at(family, &leaves[i]));
    pki_free(family->other_root);
    pki_free(family->intermediate);
    pki_free(family->root);
    free(family);
}

bool pki_family_leaf(const pki_family *family, size_t index, pki_leaf *leaf)
{
    if (index >= sizeof(leaves) / sizeof(leaves[0]))
        return false;
    leaf->name = leaves[index].name;
    leaf->cert = leaf_at(family, &leaves[index]);
    leaf->intermediate = leaves[index].via_intermediate ? family->intermediate : NULL;
    return true;
}
