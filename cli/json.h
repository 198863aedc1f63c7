/* json.h: certificates, peers and errors as JSON. */
#ifndef CINCH_CLI_JSON_H
#define CINCH_CLI_JSON_H

#include "cli.h"

#include <jansson.h>

/* Each returns a new reference, never NULL. */
json_t *cli_json_text(const char *text);
json_t *cli_json_error(const cinch_error *err);
json_t *cli_json_peer(const cinch_peer *peer);

/* cli_json_print prints VALUE on one line of its own, drops the reference, and flushes. */
void cli_json_print(json_t *value, FILE *out);

#endif
