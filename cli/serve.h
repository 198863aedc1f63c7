/* serve.h: what the files of `cinch serve` share. */
#ifndef CINCH_CLI_SERVE_H
#define CINCH_CLI_SERVE_H

#include "http.h"
#include "identity.h"

#include <sys/stat.h>

typedef struct serve_settings {
    int root; /* the directory served; -1 for an echo */
    bool echo;
    bool json;
} serve_settings;

/* ---- serve_connection.c ---- */

/* serve_connection does all for one client; STREAM stays the caller's. */
void serve_connection(const serve_settings *settings, cinch_stream *stream);

/* ---- serve_files.c ---- */

/* serve_file answers REQUEST from the directory ROOT. False if the connection is of no use now. */
bool serve_file(http_client *client, const http_request *request, int root);

/* ---- serve_index.c ---- */

/* serve_index answers with a list of what is in the directory DIR; PATH is what it is called. */
bool serve_index(http_client *client, const http_request *request, int dir, const char *path);

/* ---- serve_range.c ---- */

/* Which part of a file to send. */
typedef struct serve_part {
    int status; /* 200, 206, 304 or 416 */
    off_t from;
    off_t length;
} serve_part;

/* What identifies a state of a file (RFC 9110, 8.8). */
typedef struct serve_validators {
    char etag[64];
    char modified[30];
    time_t modified_at;
} serve_validators;

void serve_validate(const struct stat *st, serve_validators *validators);

/* serve_choose decides by the request's conditions and range. */
serve_part serve_choose(const http_request *request, const serve_validators *validators,
                        off_t size);

/* ---- serve_types.c ---- */

/* serve_type gives the media type for a file of this name. */
const char *serve_type(const char *name);

/* ---- serve_pool.c: one thread per connection, a limited number of them ---- */

/*
 * serve_pool_prepare makes SIGINT and SIGTERM stop LISTENER, from here to the end of serve_pool_run(),
 * which has to follow.
 */
bool serve_pool_prepare(cinch_listener *listener, cinch_error *err);

/*
 * serve_pool_run serves until the listener is stopped, or one connection is done if ONCE, and then
 * ends what is still running.
 */
void serve_pool_run(const serve_settings *settings, cinch_listener *listener, bool once,
                    cinch_error *err);

/* ---- serve_watch.c ---- */

/*
 * serve_watch_new gives the COUNT identities, the first as its own, to CTX, and again whenever their
 * files change; one line tells of it, and of a change of the files CLIENT_CA and CRL (may be NULL).
 * Never NULL.
 */
typedef struct serve_watch serve_watch;

serve_watch *serve_watch_new(cinch_context *ctx, const cli_identity *identities, size_t count,
                             const char *client_ca, const char *crl, bool json, cinch_error *err);

void serve_watch_free(serve_watch *watch);

/* ---- serve_identity.c ---- */

/*
 * serve_development_identity makes a certificate for HOST (may be NULL) and this machine, on the
 * spot, and the CA in DIR (NULL: the usual one) if there is none. *CA is set to the file to trust,
 * malloc'd; *MADE to whether the CA is new.
 */
bool serve_development_identity(cinch_context *ctx, const char *dir, const char *host, char **ca,
                                bool *made, cinch_error *err);

#endif
