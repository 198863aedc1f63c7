/* serve_identity.c: a development certificate made on the spot. Its key is never written down. */
#define _DEFAULT_SOURCE /* realpath() */

#include "ca.h"
#include "serve.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names that cannot be in a certificate, an odd host name of this machine's say, are left out. */
static bool is_usable(const char *name)
{
    cinch_error ignored = CINCH_ERROR_INIT;
    unsigned char address[16];
    char *ascii;

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return true;
    ascii = ca_ascii_name(name, &ignored);
    free(ascii);
    return ascii != NULL;
}

static void add_name(ca_request *request, char **names, const char *name)
{
    if (name == NULL || name[0] == '\0' || !is_usable(name))
        return;
    for (size_t i = 0; i < request->count; i++) {
        if (strcmp(names[i], name) == 0)
            return;
    }
    names[request->count++] = cli_copy(name, strlen(name));
}

static bool use(cinch_context *ctx, const ca_authority *authority, const ca_request *request,
                cinch_error *err)
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    BIO *pem = NULL;
    cinch_identity *identity = NULL;
    bool ok = false;

    if (ca_make_leaf(authority, request, &key, &cert, err))
        pem = ca_pem(key, cert, err);
    if (pem != NULL) {
        char *bytes = NULL;
        long size = BIO_get_mem_data(pem, &bytes);

        identity = cinch_identity_pem(bytes, (size_t)size, NULL, err);
        ok = cinch_context_identity(ctx, identity, err) == CINCH_OK;
    }
    cinch_identity_free(identity);
    BIO_free(pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

bool serve_development_identity(cinch_context *ctx, const char *dir, const char *host, char **ca,
                                bool *made, cinch_error *err)
{
    char machine[256] = "";
    char *names[5] = {NULL};
    ca_request request = {.names = names, .days = CA_DAYS_DEFAULT};
    char *directory = ca_directory(dir, err);
    ca_authority *authority = NULL;
    bool ok = false;

    *ca = NULL;
    *made = false;
    if (directory == NULL)
        return false;
    if (gethostname(machine, sizeof(machine) - 1) != 0)
        machine[0] = '\0';
    add_name(&request, names, host);
    add_name(&request, names, "localhost");
    add_name(&request, names, "127.0.0.1");
    add_name(&request, names, "::1");
    add_name(&request, names, machine);
    if (!ca_exists(directory)) {
        cinch_error first = CINCH_ERROR_INIT;

        /* Another process may be doing the same: then there is one now. */
        *made = ca_create(directory, false, &first);
        if (!*made && !ca_exists(directory))
            *err = first;
    }
    if (!cinch_error_is_set(err))
        authority = ca_open(directory, err);
    if (authority != NULL) {
        *ca = realpath(authority->cert_path, NULL);
        if (*ca == NULL)
            *ca = cli_copy(authority->cert_path, strlen(authority->cert_path));
        ok = use(ctx, authority, &request, err);
    }
    for (size_t i = 0; i < request.count; i++)
        free(names[i]);
    ca_free(authority);
    free(directory);
    return ok;
}
