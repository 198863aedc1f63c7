/* wire_keys.h: what is inside of protected records, for who has a key log of the connection. */
#ifndef CINCH_CLI_WIRE_KEYS_H
#define CINCH_CLI_WIRE_KEYS_H

#include "cli.h"

#include <stdint.h>

/* A key log in the format of NSS (SSLKEYLOGFILE). */
typedef struct wire_keys wire_keys;

/* wire_keys_read reads the file PATH. NULL with ERR if it cannot. */
wire_keys *wire_keys_read(const char *path, cinch_error *err);

/* wire_keys_find gives the secret LABEL of the connection that CLIENT_RANDOM names; its size, 0 for none. */
size_t wire_keys_find(const wire_keys *keys, const char *label, const unsigned char *client_random,
                      unsigned char secret[static 64]);

/* wire_keys_free wipes and frees it. NULL is fine. */
void wire_keys_free(wire_keys *keys);

/* One connection of which there may be keys. */
typedef struct wire_reader wire_reader;

/* wire_reader_new makes one; KEYS must stay. wire_reader_free wipes and frees it. */
wire_reader *wire_reader_new(const wire_keys *keys);
void wire_reader_free(wire_reader *reader);

/* wire_reader_see learns from clear messages what the keys depend on. */
void wire_reader_see(wire_reader *reader, const cinch_wire_event *event);

/*
 * wire_reader_open opens the protected record EVENT: *INSIDE (of malloc()), *SIZE and *TYPE are what is in
 * it. False if there is no key for it: that is how it stays closed.
 */
bool wire_reader_open(wire_reader *reader, const cinch_wire_event *event, unsigned char **inside,
                      size_t *size, int *type);

#endif
