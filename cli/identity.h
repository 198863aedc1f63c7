/* identity.h: the options that say who we are, shared by connect and serve. */
#ifndef CINCH_CLI_IDENTITY_H
#define CINCH_CLI_IDENTITY_H

#include "cli.h"

typedef struct cli_identity {
    const char *cert_file; /* PEM, with or without the key; or PKCS#12 by its name: .p12, .pfx */
    const char *key_file;
    const char *key_uri;       /* instead of it, where a provider of OpenSSL finds the key */
    const char *password_file; /* its first line; NULL: ask on the terminal */
} cli_identity;

/* cli_password is a cinch_password_callback for the cli_identity ARG. */
int cli_password(char *buf, size_t size, const char *what, void *arg);

/* cli_identity_source sets the files of SOURCE, which are borrowed. */
void cli_identity_source(const cli_identity *identity, cinch_identity_source *source);

/* cli_identity_check gives CLI_USAGE, with a message, for options that make no sense together, or 0. */
int cli_identity_check(const cli_command *command, const cli_identity *identity);

/* cli_identity_is_given is true if any of the options says where the identity is. */
bool cli_identity_is_given(const cli_identity *identity);

/*
 * cli_identity_use reads the identity and gives it to CTX. Nothing happens if none is named.
 */
bool cli_identity_use(cinch_context *ctx, const cli_identity *identity, cinch_error *err);

/*
 * cli_trust_use makes CTX trust the file or hashed directory PATH.
 */
bool cli_trust_use(cinch_context *ctx, const char *path, cinch_error *err);

/*
 * cli_crl_use names the revocation lists in the file or directory PATH.
 */
bool cli_crl_use(cinch_context *ctx, const char *path, cinch_error *err);

#endif
