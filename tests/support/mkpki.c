/*
 * mkpki DIR: writes the standard family of test certificates into an existing directory, for tests
 * that are not C.
 *
 *     root.pem, intermediate.pem, other-root.pem   the authorities
 *     NAME.pem                                     the leaf alone
 *     NAME-chain.pem                               the leaf and, where it has one, the intermediate
 *     NAME.key                                     the key, not encrypted
 *     NAME-all.pem                                 key and chain in one file
 *     NAME-encrypted.key, NAME.p12                 under the password "cinch"
 */
#include "pki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD "cinch"
#define PUBLIC 0644
#define PRIVATE 0600

static bool put_bytes(const char *dir, const char *name, const char *suffix, const void *data,
                      size_t len, mode_t mode)
{
    char *path = pki_path(dir, name, suffix);
    bool ok = pki_write_bytes(path, data, len, mode);

    if (!ok)
        fprintf(stderr, "mkpki: cannot write %s: %s\n", path, strerror(errno));
    free(path);
    return ok;
}

static bool put(const char *dir, const char *name, const char *suffix, const char *text,
                mode_t mode)
{
    return put_bytes(dir, name, suffix, text, strlen(text), mode);
}

static bool put_authority(const char *dir, const char *name, const pki_cert *cert)
{
    char *pem = pki_pem_cert(cert);
    bool ok = put(dir, name, ".pem", pem, PUBLIC);

    free(pem);
    return ok;
}

static bool put_leaf(const char *dir, const pki_leaf *leaf)
{
    const pki_cert *chain[2] = {leaf->cert, leaf->intermediate};
    size_t n = leaf->intermediate != NULL ? 2 : 1;
    size_t bundle_len = 0;
    unsigned char *bundle = pki_pkcs12(leaf->cert, &chain[1], n - 1, PASSWORD, &bundle_len);
    char *cert = pki_pem_cert(leaf->cert);
    char *certs = pki_pem_chain(chain, n);
    char *key = pki_pem_key(leaf->cert, NULL);
    char *encrypted = pki_pem_key(leaf->cert, PASSWORD);
    char *all = pki_pem_concat(key, certs, (char *)NULL);
    bool ok = put(dir, leaf->name, ".pem", cert, PUBLIC) &&
              put(dir, leaf->name, "-chain.pem", certs, PUBLIC) &&
              put(dir, leaf->name, ".key", key, PRIVATE) &&
              put(dir, leaf->name, "-all.pem", all, PRIVATE) &&
              put(dir, leaf->name, "-encrypted.key", encrypted, PRIVATE) &&
              put_bytes(dir, leaf->name, ".p12", bundle, bundle_len, PRIVATE);

    free(bundle);
    free(cert);
    free(certs);
    free(key);
    free(encrypted);
    free(all);
    return ok;
}

int main(int argc, char **argv)
{
    pki_family *family;
    pki_leaf leaf;
    bool ok;

    if (argc != 2) {
        fprintf(stderr, "usage: mkpki DIR\n");
        return 1;
    }
    family = pki_family_new();
    ok = put_authority(argv[1], "root", family->root) &&
         put_authority(argv[1], "intermediate", family->intermediate) &&
         put_authority(argv[1], "other-root", family->other_root);
    for (size_t i = 0; ok && pki_family_leaf(family, i, &leaf); i++)
        ok = put_leaf(argv[1], &leaf);
    pki_family_free(family);
    return ok ? 0 : 1;
}
