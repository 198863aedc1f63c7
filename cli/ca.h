/* ca.h: a certification authority for development: one root, kept in a directory of the user's. */
#ifndef CINCH_CLI_CA_H
#define CINCH_CLI_CA_H

#include "cli.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/types.h>

typedef struct ca_authority {
    EVP_PKEY *key;
    X509 *cert;
    char *cert_path; /* the certificate alone, for everybody to trust */
} ca_authority;

/* What kind of key a certificate is for. */
typedef enum ca_key {
    CA_KEY_P256 = 0,
    CA_KEY_P384,
    CA_KEY_RSA2048,
    CA_KEY_RSA3072,
    CA_KEY_ED25519
} ca_key;

/* A certificate to make. */
typedef struct ca_request {
    char *const *names; /* DNS names (also *.example.test), IP addresses; e-mail and URI: clients */
    size_t count;
    bool client; /* for a client alone; else for a server, and as a client */
    long days;   /* how long it is valid; negative: it expired that many days ago */
    long start;  /* in how many days that begins; 0: five minutes ago */
    ca_key key;
} ca_request;

enum {
    CA_DAYS_DEFAULT = 90,
    CA_DAYS_MOST = 397
};

/* ---- ca_make.c: keys and certificates, no files ---- */

/* ca_make_root makes a new authority. */
bool ca_make_root(EVP_PKEY **key, X509 **cert, cinch_error *err);

/* ca_make_leaf makes a key and a certificate for it that AUTHORITY issues. */
bool ca_make_leaf(const ca_authority *authority, const ca_request *request, EVP_PKEY **key,
                  X509 **cert, cinch_error *err);

/* ca_pem gives KEY, unless it is NULL, and CERT as PEM. In memory that is wiped when freed. */
BIO *ca_pem(EVP_PKEY *key, X509 *cert, cinch_error *err);

/* ---- ca_name.c ---- */

/* ca_add_names adds the names of REQUEST to CERT, as they are written in certificates. */
bool ca_add_names(X509 *cert, const ca_request *request, cinch_error *err);

/* ca_ascii_name gives the A-labels of the DNS name NAME, malloc'd; NULL and ERR if it is none. */
char *ca_ascii_name(const char *name, cinch_error *err);

/* ---- ca_store.c: the directory ---- */

/* ca_directory gives the directory to use, malloc'd: GIVEN if it is not NULL. */
char *ca_directory(const char *given, cinch_error *err);

/*
 * ca_create makes a new authority in DIR, and DIR itself if need be. One that is there already is
 * an error unless FORCE.
 */
bool ca_create(const char *dir, bool force, cinch_error *err);

/* ca_exists tells whether there is an authority in DIR. */
bool ca_exists(const char *dir);

/* ca_open reads the authority in DIR; NULL if there is none, or its key is open to others. */
ca_authority *ca_open(const char *dir, cinch_error *err);

void ca_free(ca_authority *authority);

/* ---- ca_file.c ---- */

/* What ca_write_file() does with a file that is there already. */
typedef enum ca_replace {
    CA_KEEP,
    CA_REPLACE
} ca_replace;

/*
 * ca_write_file writes a file so that nobody ever sees half of it, and nobody but the user a
 * private one (MODE 0600). *EXISTED, for CA_KEEP, tells that this is why it failed; may be NULL.
 */
bool ca_write_file(const char *path, BIO *content, mode_t mode, ca_replace replace, bool *existed,
                   cinch_error *err);

/* ca_read_file gives the content of a file as a memory BIO. *MODE, if not NULL, are its rights. */
BIO *ca_read_file(const char *path, mode_t *mode, cinch_error *err);

/* ca_parse_cert and ca_parse_key give the next one in PEM; NULL if there is none. */
X509 *ca_parse_cert(BIO *pem);
EVP_PKEY *ca_parse_key(BIO *pem);

#endif
