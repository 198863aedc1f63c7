/* The anchors of the operating system. */
#define _GNU_SOURCE
#include "trust/set.h"

#include "base/fail.h"
#include "base/memory.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

/* After OpenSSL's own: where the distributions have them that build OpenSSL for another place. */
static const char *const well_known_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Gentoo, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* the same, newer */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE, SLES */
    "/etc/ssl/cert.pem",                                 /* Alpine, OpenBSD */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
    "/etc/openssl/certs/ca-certificates.crt",            /* NetBSD */
};

static const char *const well_known_dirs[] = {
    "/etc/ssl/certs", "/etc/pki/tls/certs", "/usr/local/share/certs",
    "/system/etc/security/cacerts", /* Android */
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef cinch_status adder(cinch_trust *trust, const char *path, int is_system, cinch_error *err);

/* Why a place did not serve, for the evidence. */
static void note(cinch_error *why, const char *path, const cinch_error *err)
{
    cinch_fail_evidence(why, "%s%s: %s", why->evidence[0] != 0 ? "\n" : "", path,
                        err->system_error != 0 ? strerror(err->system_error) : err->what);
}

/* What a variable names has to serve: it was put there for a reason. */
static cinch_status add_named(cinch_trust *trust, const char *variable, const char *path,
                              adder *add, cinch_error *err)
{
    cinch_error inner = CINCH_ERROR_INIT;

    if (add(trust, path, 1, &inner) == CINCH_OK)
        return CINCH_OK;
    if (inner.category != CINCH_CATEGORY_FILE)
        return cinch_fail_keep(err, &inner);
    cinch_fail(err, CINCH_CAUSE_NO_ANCHORS,
               "the environment variable %s names \"%s\", which cannot be used", variable, path);
    cinch_fail_evidence(err, "%s", inner.what);
    cinch_fail_remedy(err, "correct the variable %s, or unset it to use the system's own anchors",
                      variable);
    if (inner.system_error != 0)
        cinch_fail_system(err, inner.system_error);
    return CINCH_FAILED;
}

/* Every directory of the list in SSL_CERT_DIR. */
static cinch_status add_named_dirs(cinch_trust *trust, const char *list, cinch_error *err)
{
    cinch_status status = CINCH_OK;
    char *copy = cinch_copy_text(list);

    if (copy == NULL)
        return cinch_fail_memory(err, "reading SSL_CERT_DIR");
    for (char *path = copy, *next; status == CINCH_OK && path != NULL; path = next) {
        next = strchr(path, ':');
        if (next != NULL)
            *next++ = 0;
        if (path[0] != 0)
            status = add_named(trust, "SSL_CERT_DIR", path, cinch_trust_add_dir, err);
    }
    cinch_release(copy);
    return status;
}

/*
 * The first of PLACES that serves. That none does is noted in WHY. What is not the place's fault, such
 * as want of memory, is an error: passing over the bundle for it would trust less than it should.
 */
static cinch_status add_first(cinch_trust *trust, const char *const *places, adder *add,
                              cinch_error *why, cinch_error *err)
{
    for (; *places != NULL; places++) {
        cinch_error inner = CINCH_ERROR_INIT;

        if (add(trust, *places, 1, &inner) == CINCH_OK)
            return CINCH_OK;
        if (inner.category != CINCH_CATEGORY_FILE)
            return cinch_fail_keep(err, &inner);
        note(why, *places, &inner);
    }
    return CINCH_OK;
}

static int is_set(const char *variable)
{
    return variable != NULL && variable[0] != 0;
}

static size_t count_dirs(const char *list)
{
    size_t count = 1;

    for (; *list != 0; list++)
        count += *list == ':';
    return count;
}

cinch_trust *cinch_trust_with_places(const cinch_trust *base, const cinch_trust_places *places,
                                     cinch_error *err)
{
    int file_named = is_set(places->file_variable), dirs_named = is_set(places->dir_variable);
    cinch_error why = CINCH_ERROR_INIT;
    cinch_status status;

    cinch_trust *trust =
        cinch_trust_extend(base, 2 + (dirs_named ? count_dirs(places->dir_variable) : 0), err);
    if (trust == NULL)
        return NULL;
    size_t before = trust->count;
    cinch_fail(&why, CINCH_CAUSE_NO_ANCHORS,
               "no trust anchors were found on this system: nothing can be verified");
    status = file_named ? add_named(trust, "SSL_CERT_FILE", places->file_variable,
                                    cinch_trust_add_file, err)
                        : add_first(trust, places->files, cinch_trust_add_file, &why, err);
    if (status == CINCH_OK)
        status = dirs_named ? add_named_dirs(trust, places->dir_variable, err)
                            : add_first(trust, places->dirs, cinch_trust_add_dir, &why, err);
    /* An empty set would refuse every peer, and nobody could see why. */
    if (status == CINCH_OK && trust->count == before)
        status = cinch_fail_keep(err, &why);
    if (status == CINCH_OK)
        return cinch_trust_finish(trust, err);
    cinch_trust_unref(trust);
    return NULL;
}

cinch_trust *cinch_trust_with_system(const cinch_trust *base, cinch_error *err)
{
    const char *files[COUNT(well_known_files) + 2] = {X509_get_default_cert_file()};
    const char *dirs[COUNT(well_known_dirs) + 2] = {X509_get_default_cert_dir()};

    memcpy(files + 1, well_known_files, sizeof well_known_files);
    memcpy(dirs + 1, well_known_dirs, sizeof well_known_dirs);
    /* Not in programs that run with more rights than their user: he could choose whom they trust. */
    cinch_trust_places places = {
        .file_variable = secure_getenv(X509_get_default_cert_file_env()),
        .dir_variable = secure_getenv(X509_get_default_cert_dir_env()),
        .files = files,
        .dirs = dirs,
    };
    return cinch_trust_with_places(base, &places, err);
}
