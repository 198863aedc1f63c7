/*
 * ca_store.c: the authority's directory.
 *
 * cinch-ca.key holds key and certificate, so that they can only change together; cinch-ca.pem is
 * the certificate alone, derived from it, for everybody to read.
 */
#include "ca.h"

#include <errno.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_NAME "cinch-ca.key"
#define CERT_NAME "cinch-ca.pem"
#define OPEN_TO_MANY (S_IRWXG | S_IRWXO)

char *ca_directory(const char *given, cinch_error *err)
{
    const char *data = getenv("XDG_DATA_HOME"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    const char *home = getenv("HOME");          // NOLINT(concurrency-mt-unsafe): nobody sets it

    if (given != NULL)
        return cli_copy(given, strlen(given));
    /* The specification has relative paths ignored. */
    if (data != NULL && data[0] == '/')
        return cli_text("%s/cinch", data);
    if (home == NULL || home[0] != '/') {
        const struct passwd *user = getpwuid(getuid()); // NOLINT(concurrency-mt-unsafe): one thread

        home = user != NULL ? user->pw_dir : NULL;
    }
    if (home != NULL && home[0] == '/')
        return cli_text("%s/.local/share/cinch", home);
    cli_fail(err, CINCH_CAUSE_BAD_SETTING, "name a directory with --dir, or set HOME",
             "there is no home directory to keep the development CA in");
    return NULL;
}

static bool make_directory(const char *dir, cinch_error *err)
{
    char *path = cli_copy(dir, strlen(dir));
    bool ok = true;

    for (char *at = path + 1; ok; at++) {
        char saved = *at;

        if (saved != '/' && saved != '\0')
            continue;
        *at = '\0';
        ok = mkdir(path, 0700) == 0 || errno == EEXIST || errno == EISDIR;
        if (!ok) {
            int number = errno;

            cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "check the path and its permissions",
                     "cannot make the directory %s", path);
            cli_fail_errno(err, number);
        }
        *at = saved;
        if (saved == '\0')
            break;
    }
    free(path);
    return ok;
}

static bool write_public(const char *dir, X509 *cert, cinch_error *err)
{
    char *path = cli_text("%s/%s", dir, CERT_NAME);
    BIO *pem = ca_pem(NULL, cert, err);
    bool ok = pem != NULL && ca_write_file(path, pem, 0644, CA_REPLACE, NULL, err);

    BIO_free(pem);
    free(path);
    return ok;
}

bool ca_create(const char *dir, bool force, cinch_error *err)
{
    char *path = cli_text("%s/%s", dir, SECRET_NAME);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    BIO *pem = NULL;
    bool existed = false;
    bool ok = false;

    if (dir[0] == '\0') {
        cli_fail(err, CINCH_CAUSE_BAD_SETTING, "name a directory", "the name of --dir is empty");
        goto out;
    }
    if (!make_directory(dir, err) || !ca_make_root(&key, &cert, err))
        goto out;
    pem = ca_pem(key, cert, err);
    if (pem == NULL)
        goto out;
    if (!ca_write_file(path, pem, 0600, force ? CA_REPLACE : CA_KEEP, &existed, err)) {
        if (existed)
            cli_fail(err, CINCH_CAUSE_BAD_SETTING,
                     "use the one that is there; or, with --force, make a new one: certificates of "
                     "the old one are then worth nothing",
                     "there is a development CA already, in %s", dir);
        goto out;
    }
    ok = write_public(dir, cert, err);
out:
    BIO_free(pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    free(path);
    return ok;
}

bool ca_exists(const char *dir)
{
    char *path = cli_text("%s/%s", dir, SECRET_NAME);
    struct stat st;
    bool exists = stat(path, &st) == 0;

    free(path);
    return exists;
}

/* Key and certificate from PEM; they belong together and the time is not over. */
static bool parse(ca_authority *authority, BIO *pem, const char *path, cinch_error *err)
{
    authority->key = ca_parse_key(pem);
    authority->cert = ca_parse_cert(pem);
    if (authority->key == NULL || authority->cert == NULL)
        return cli_fail(err,
                        authority->key == NULL ? CINCH_CAUSE_NO_KEY : CINCH_CAUSE_NO_CERTIFICATE,
                        "make a new development CA: cinch ca init --force",
                        "%s does not hold a key and its certificate", path);
    if (X509_check_private_key(authority->cert, authority->key) != 1)
        return cli_fail(err, CINCH_CAUSE_KEY_MISMATCH,
                        "make a new development CA: cinch ca init --force",
                        "the key in %s does not belong to the certificate in it", path);
    if (X509_cmp_current_time(X509_get0_notAfter(authority->cert)) <= 0)
        return cli_fail(err, CINCH_CAUSE_BAD_SETTING, "make a new one: cinch ca init --force",
                        "the development CA in %s has expired", path);
    return true;
}

/* Somebody may have deleted the derived file, or a crash come between the two. */
static bool refresh_public(const ca_authority *authority, const char *dir, cinch_error *err)
{
    cinch_error ignored = CINCH_ERROR_INIT;
    BIO *pem = ca_read_file(authority->cert_path, NULL, &ignored);
    X509 *there = pem != NULL ? ca_parse_cert(pem) : NULL;
    bool same = there != NULL && X509_cmp(there, authority->cert) == 0;

    X509_free(there);
    BIO_free(pem);
    return same || write_public(dir, authority->cert, err);
}

ca_authority *ca_open(const char *dir, cinch_error *err)
{
    char *path = cli_text("%s/%s", dir, SECRET_NAME);
    ca_authority *authority = cli_alloc(sizeof(*authority));
    BIO *pem = NULL;
    mode_t mode = 0;
    bool ok = false;

    authority->cert_path = cli_text("%s/%s", dir, CERT_NAME);
    if (!ca_exists(dir)) {
        cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "make one: cinch ca init",
                 "there is no development CA in %s", dir);
        goto out;
    }
    pem = ca_read_file(path, &mode, err);
    if (pem == NULL)
        goto out;
    /* Who can read this key can pose as any server to everybody who trusts this authority. */
    if ((mode & OPEN_TO_MANY) != 0) {
        cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                 "if others may have read it, make a new one: cinch ca init --force; if not, "
                 "chmod 600 that file",
                 "the CA's private key %s is open to other users (mode %04o)", path,
                 (unsigned)(mode & 07777));
        goto out;
    }
    ok = parse(authority, pem, path, err) && refresh_public(authority, dir, err);
out:
    BIO_free(pem);
    free(path);
    if (!ok) {
        ca_free(authority);
        authority = NULL;
    }
    return authority;
}

void ca_free(ca_authority *authority)
{
    if (authority == NULL)
        return;
    EVP_PKEY_free(authority->key);
    X509_free(authority->cert);
    free(authority->cert_path);
    free(authority);
}
