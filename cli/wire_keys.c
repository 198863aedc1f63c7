/* wire_keys.c: key logs, line by line: LABEL, the client's random, and the secret, in hexadecimal. */
#define _DEFAULT_SOURCE /* getline, explicit_bzero */
#include "wire_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RANDOM = 32,
    SECRET = 64,
    LABEL = 40
};

typedef struct entry {
    char label[LABEL];
    unsigned char random[RANDOM];
    unsigned char secret[SECRET];
    size_t size;
} entry;

struct wire_keys {
    entry *entries;
    size_t count;
    size_t room;
};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes of the hexadecimal word at *TEXT, which is moved behind it. 0 if it is none, or too long. */
static size_t take_hex(const char **text, unsigned char *out, size_t most)
{
    size_t size = 0;

    for (;; *text += 2) {
        int high = digit((*text)[0]);
        int low = high >= 0 ? digit((*text)[1]) : -1;

        if (low < 0)
            return size;
        if (size == most)
            return 0;
        out[size++] = (unsigned char)(high * 16 + low);
    }
}

static bool read_line(const char *line, entry *found)
{
    size_t label = strcspn(line, " ");

    memset(found, 0, sizeof(*found));
    if (label == 0 || label >= LABEL || line[label] != ' ')
        return false;
    memcpy(found->label, line, label);
    line += label + 1;
    if (take_hex(&line, found->random, RANDOM) != RANDOM || *line++ != ' ')
        return false;
    found->size = take_hex(&line, found->secret, SECRET);
    return found->size >= 32 && (*line == '\0' || *line == '\n' || *line == '\r');
}

static void add(wire_keys *keys, const entry *found)
{
    if (keys->count == keys->room) {
        size_t room = keys->room > 0 ? 2 * keys->room : 64;
        entry *larger = cli_alloc(room * sizeof(*larger));

        if (keys->count > 0) {
            memcpy(larger, keys->entries, keys->count * sizeof(*larger));
            explicit_bzero(keys->entries, keys->count * sizeof(*larger));
        }
        free(keys->entries);
        keys->entries = larger;
        keys->room = room;
    }
    keys->entries[keys->count++] = *found;
}

wire_keys *wire_keys_read(const char *path, cinch_error *err)
{
    FILE *file = fopen(path, "re");
    wire_keys *keys = NULL;
    char *line = NULL;
    size_t room = 0;
    entry found;

    if (file == NULL) {
        int number = errno;

        (void)cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "check the path and its permissions",
                       "cannot read the key log %s", path);
        cli_fail_errno(err, number);
        return NULL;
    }
    keys = cli_alloc(sizeof(*keys));
    while (getline(&line, &room, file) >= 0)
        if (read_line(line, &found))
            add(keys, &found);
    explicit_bzero(&found, sizeof(found));
    if (line != NULL)
        explicit_bzero(line, room);
    free(line);
    (void)fclose(file);
    if (keys->count > 0)
        return keys;
    (void)cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                   "have the program write one: most do if SSLKEYLOGFILE names a file",
                   "there is no secret in the key log %s", path);
    wire_keys_free(keys);
    return NULL;
}

size_t wire_keys_find(const wire_keys *keys, const char *label, const unsigned char *client_random,
                      unsigned char secret[static 64])
{
    for (size_t i = 0; i < keys->count; i++) {
        const entry *found = &keys->entries[i];

        if (strcmp(found->label, label) != 0 || memcmp(found->random, client_random, RANDOM) != 0)
            continue;
        memcpy(secret, found->secret, found->size);
        return found->size;
    }
    return 0;
}

void wire_keys_free(wire_keys *keys)
{
    if (keys == NULL)
        return;
    if (keys->entries != NULL)
        explicit_bzero(keys->entries, keys->room * sizeof(*keys->entries));
    free(keys->entries);
    free(keys);
}
