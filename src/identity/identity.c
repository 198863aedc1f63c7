/* identity.c: an identity out of its sources, and its life. */
#include "identity/parts.h"

#include "base/certificate.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <string.h>

typedef struct field {
    const char *name;
    int set;
} field;

/* Fails if not exactly one (or, with OPTIONAL, at most one) of the COUNT fields is set. */
static cinch_status check_one(const field *fields, size_t count, int optional, const char *what,
                              cinch_error *err)
{
    const char *first = NULL, *second = NULL;

    for (size_t i = 0; i < count; i++) {
        if (fields[i].set && first != NULL)
            second = second == NULL ? fields[i].name : second;
        else if (fields[i].set)
            first = fields[i].name;
    }
    if (second != NULL)
        return cinch_fail(
            err, CINCH_CAUSE_MISUSE,
            "the identity source sets both `%s` and `%s`, and only one of them can be "
            "%s",
            first, second, what);
    if (first == NULL && !optional)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the identity source names no certificate: none of `file`, `pem`, "
                          "`pkcs12_file` and `pkcs12` is set");
    return CINCH_OK;
}

static cinch_status check_source(const cinch_identity_source *source, cinch_error *err)
{
    const field certificates[] = {
        {"file", source->file != NULL},
        {"pem", source->pem != NULL},
        {"pkcs12_file", source->pkcs12_file != NULL},
        {"pkcs12", source->pkcs12 != NULL},
    };
    const field keys[] = {
        {"key_file", source->key_file != NULL},
        {"key_pem", source->key_pem != NULL},
    };
    const field passwords[] = {
        {"password", source->password != NULL},
        {"ask", source->ask != NULL},
    };
    const field sizes[] = {
        {"pem", source->pem == NULL && source->pem_size != 0},
        {"key_pem", source->key_pem == NULL && source->key_pem_size != 0},
        {"pkcs12", source->pkcs12 == NULL && source->pkcs12_size != 0},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].set)
            return cinch_fail(err, CINCH_CAUSE_MISUSE,
                              "the identity source sets `%s_size`, and `%s` is NULL", sizes[i].name,
                              sizes[i].name);
    if (check_one(certificates, 4, 0, "the certificate", err) != CINCH_OK ||
        check_one(keys, 2, 1, "the key", err) != CINCH_OK ||
        check_one(passwords, 2, 1, "the password", err) != CINCH_OK)
        return CINCH_FAILED;
    if ((certificates[2].set || certificates[3].set) && (keys[0].set || keys[1].set))
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the identity source sets `%s` beside `%s`: PKCS#12 has its key inside",
                          keys[keys[0].set ? 0 : 1].name,
                          certificates[certificates[2].set ? 2 : 3].name);
    if (source->pem_size > CINCH_FILE_LARGEST || source->key_pem_size > CINCH_FILE_LARGEST ||
        source->pkcs12_size > CINCH_FILE_LARGEST)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the identity source is larger than %u bytes",
                          CINCH_FILE_LARGEST);
    return CINCH_OK;
}

static cinch_status open_origin(cinch_origin *origin, const char *path, const void *bytes,
                                size_t size, const char *what, const char *name, cinch_error *err)
{
    if (path != NULL)
        return cinch_origin_file(origin, path, what, err);
    cinch_origin_memory(origin, bytes, size, name);
    return CINCH_OK;
}

static void show_others(cinch_error *err, const cinch_material *material)
{
    if (material->others[0] != 0)
        cinch_fail_evidence(err, "it holds %s", material->others);
    if (strstr(material->others, "CERTIFICATE REQUEST") != NULL)
        cinch_fail_remedy(err, "a certificate request goes to a certificate authority; use the "
                               "certificate that comes back");
}

static cinch_status no_certificate(cinch_error *err, const cinch_material *material,
                                   const char *name, int separate)
{
    if (separate && material->keys_seen > 0)
        return cinch_fail(err, CINCH_CAUSE_KEY_WHERE_CERTIFICATE,
                          "%s holds a private key where the certificate belongs", name);
    cinch_fail(err, CINCH_CAUSE_NO_CERTIFICATE, "%s holds no certificate%s", name,
               material->keys_seen > 0 ? ", only a private key" : "");
    show_others(err, material);
    return CINCH_FAILED;
}

static cinch_status no_key(cinch_error *err, const cinch_material *material, const char *name,
                           int separate)
{
    if (separate && material->certificates_seen > 0)
        return cinch_fail(err, CINCH_CAUSE_CERTIFICATE_WHERE_KEY,
                          "%s holds a certificate where the private key belongs", name);
    cinch_fail(err, CINCH_CAUSE_NO_KEY, "%s holds no private key%s", name,
               material->certificates_seen > 0 ? ", only certificates" : "");
    show_others(err, material);
    return CINCH_FAILED;
}

/* Describes the certificates and makes the digest of all of them. */
static cinch_status describe(cinch_identity *identity, cinch_error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    size_t count = 1 + (size_t)sk_X509_num(identity->chain);
    cinch_status status = CINCH_OK;
    int ok = md != NULL && sha256 != NULL && EVP_DigestInit_ex2(md, sha256, NULL) == 1;

    identity->certificates = cinch_alloc_array(count, sizeof(void *));
    if (!ok || identity->certificates == NULL) {
        status = cinch_fail_memory(err, "describing certificates");
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const X509 *x = i == 0 ? identity->leaf : sk_X509_value(identity->chain, (int)i - 1);

        identity->certificates[i] = cinch_certificate_x509(x, err);
        if (identity->certificates[i] == NULL) {
            status = CINCH_FAILED;
            goto out;
        }
        identity->certificate_count++;
        ok = ok && EVP_DigestUpdate(md, identity->certificates[i]->sha256, 32) == 1;
    }
    if (!ok || EVP_DigestFinal_ex(md, identity->digest, NULL) != 1)
        status = cinch_fail_crypto(err, "describing certificates");
out:
    EVP_MD_CTX_free(md);
    EVP_MD_free(sha256);
    return status;
}

cinch_status cinch_identity_mark(cinch_identity *identity, const void *bytes, size_t size,
                                 cinch_error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_MD *sha256 = EVP_MD_fetch(cinch_library_context(), "SHA256", NULL);
    cinch_status status = CINCH_OK;

    if (md == NULL || sha256 == NULL || EVP_DigestInit_ex2(md, sha256, NULL) != 1 ||
        EVP_DigestUpdate(md, identity->digest, sizeof identity->digest) != 1 ||
        EVP_DigestUpdate(md, bytes, size) != 1 ||
        EVP_DigestFinal_ex(md, identity->digest, NULL) != 1)
        status = cinch_fail_crypto(err, "telling identities apart");
    EVP_MD_CTX_free(md);
    EVP_MD_free(sha256);
    return status;
}

cinch_identity *cinch_identity_assemble(const cinch_material *material, EVP_PKEY *key,
                                        const EVP_PKEY *public_key, const char *name,
                                        const char *key_name, cinch_error *err)
{
    cinch_identity *identity = cinch_alloc(sizeof *identity);

    if (identity == NULL) {
        (void)cinch_fail_memory(err, "making an identity");
        return NULL;
    }
    atomic_init(&identity->references, 1);
    EVP_PKEY_up_ref(key);
    identity->key = key;
    if (cinch_chain_sort(material->certificates, public_key == NULL ? key : public_key, name,
                         &identity->leaf, &identity->chain, err) != CINCH_OK ||
        /* A signer is not tried: it may be slow, or ask somebody. What it signs is checked. */
        (public_key == NULL && cinch_key_proof(key, identity->leaf, key_name, err) != CINCH_OK) ||
        describe(identity, err) != CINCH_OK) {
        cinch_identity_free(identity);
        return NULL;
    }
    return identity;
}

static cinch_identity *assemble(const cinch_material *material, const char *name,
                                const char *key_name, cinch_error *err)
{
    EVP_PKEY *key = NULL;

    if (cinch_chain_key(material, name, key_name, &key, err) != CINCH_OK)
        return NULL;
    return cinch_identity_assemble(material, key, NULL, name, key_name, err);
}

static cinch_status read_pem(const cinch_identity_source *source, cinch_origin *main,
                             cinch_origin *key, cinch_password *password, cinch_material *material,
                             cinch_error *err)
{
    int separate = source->key_file != NULL || source->key_pem != NULL;
    int take = CINCH_TAKE_CERTIFICATES | (separate ? 0 : CINCH_TAKE_KEYS);
    cinch_status status = open_origin(main, source->file, source->pem, source->pem_size,
                                      "the certificate", "the PEM in memory", err);

    if (status == CINCH_OK)
        status = cinch_pem_read(main, take, password, material, err);
    if (status != CINCH_OK)
        return status;
    if (sk_X509_num(material->certificates) <= 0)
        return no_certificate(err, material, main->name, separate);
    if (!separate)
        return material->key_count == 0 ? no_key(err, material, main->name, 0) : CINCH_OK;
    status = open_origin(key, source->key_file, source->key_pem, source->key_pem_size,
                         "the private key", "the key in memory", err);
    if (status != CINCH_OK)
        return status;
    material->certificates_seen = 0;
    material->others[0] = 0;
    status = cinch_pem_read(key, CINCH_TAKE_KEYS, password, material, err);
    if (status == CINCH_OK && material->key_count == 0)
        status = no_key(err, material, key->name, 1);
    return status;
}

static cinch_status read_pkcs12(const cinch_identity_source *source, cinch_origin *main,
                                cinch_password *password, cinch_material *material,
                                cinch_error *err)
{
    cinch_status status = open_origin(main, source->pkcs12_file, source->pkcs12,
                                      source->pkcs12_size, "PKCS#12", "the PKCS#12 in memory", err);

    if (status == CINCH_OK)
        status = cinch_pkcs12_read(main, password, material, err);
    if (status != CINCH_OK)
        return status;
    if (sk_X509_num(material->certificates) <= 0)
        return no_certificate(err, material, main->name, 0);
    return material->key_count == 0 ? no_key(err, material, main->name, 0) : CINCH_OK;
}

cinch_identity *cinch_identity_load(const cinch_identity_source *source, cinch_error *err)
{
    cinch_origin main = {0}, key = {0};
    cinch_material material = {0};
    cinch_password password = {0};
    cinch_identity *identity = NULL;
    cinch_status status;

    if (!cinch_enter(err))
        return NULL;
    if (source == NULL) {
        cinch_fail_null(err, "identity source");
        return NULL;
    }
    if (check_source(source, err) != CINCH_OK)
        return NULL;
    password =
        (cinch_password){.given = source->password, .ask = source->ask, .arg = source->ask_arg};
    if (source->file != NULL || source->pem != NULL)
        status = read_pem(source, &main, &key, &password, &material, err);
    else
        status = read_pkcs12(source, &main, &password, &material, err);
    if (status == CINCH_OK)
        identity = assemble(&material, main.name, key.name[0] != 0 ? key.name : main.name, err);
    cinch_password_done(&password);
    cinch_material_free(&material);
    cinch_origin_close(&key);
    cinch_origin_close(&main);
    ERR_clear_error();
    return identity;
}

cinch_identity *cinch_identity_file(const char *path, const char *password, cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (path == NULL) {
        cinch_fail_null(err, "path of the identity");
        return NULL;
    }
    return cinch_identity_load(&(cinch_identity_source){.file = path, .password = password}, err);
}

cinch_identity *cinch_identity_pem(const void *pem, size_t size, const char *password,
                                   cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (pem == NULL) {
        cinch_fail_null(err, "PEM");
        return NULL;
    }
    return cinch_identity_load(
        &(cinch_identity_source){.pem = pem, .pem_size = size, .password = password}, err);
}

cinch_identity *cinch_identity_pkcs12(const void *pkcs12, size_t size, const char *password,
                                      cinch_error *err)
{
    if (!cinch_enter(err))
        return NULL;
    if (pkcs12 == NULL) {
        cinch_fail_null(err, "PKCS#12");
        return NULL;
    }
    return cinch_identity_load(
        &(cinch_identity_source){.pkcs12 = pkcs12, .pkcs12_size = size, .password = password}, err);
}

cinch_identity *cinch_identity_ref(cinch_identity *identity)
{
    if (identity != NULL)
        atomic_fetch_add(&identity->references, 1);
    return identity;
}

void cinch_identity_free(cinch_identity *identity)
{
    if (identity == NULL || atomic_fetch_sub(&identity->references, 1) != 1)
        return;
    EVP_PKEY_free(identity->key);
    X509_free(identity->leaf);
    sk_X509_pop_free(identity->chain, X509_free);
    for (size_t i = 0; i < identity->certificate_count; i++)
        cinch_certificate_free(identity->certificates[i]);
    cinch_release(identity->certificates);
    cinch_release(identity);
}

const cinch_certificate *cinch_identity_certificate(const cinch_identity *identity, size_t depth)
{
    if (identity == NULL || depth >= identity->certificate_count)
        return NULL;
    return identity->certificates[depth];
}
