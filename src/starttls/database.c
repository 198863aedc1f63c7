/* database.c: PostgreSQL and MySQL, whose messages have lengths of their own. */
#include "starttls/upgrade.h"

#include "base/fail.h"

#include <string.h>

/* ---- PostgreSQL ---- */

void cinch_postgres_begin(cinch_upgrade *upgrade)
{
    /* A length, and where others have the version, 1234.5679. */
    static const unsigned char request[] = {0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f};

    cinch_upgrade_say(upgrade, CINCH_STEP_CONSENT, request, sizeof request);
}

/*
 * Collects an error, 'E': from old servers a text up to NUL or LF, else a length and fields. It ends
 * where that is plain, or when there is no room; it is for people to read, and nothing follows.
 */
static void postgres_error(cinch_upgrade *upgrade, unsigned char c)
{
    unsigned char *line = upgrade->line;
    size_t n = upgrade->line_size;

    line[n++] = c;
    upgrade->line_size = n;
    int old = n >= 2 && line[1] != 0;
    size_t length = n >= 5 ? (size_t)line[3] << 8 | line[4] : CINCH_UPGRADE_HEARD;
    if ((old && (c == 0 || c == '\n')) || n == CINCH_UPGRADE_HEARD || (!old && n == length + 1))
        cinch_upgrade_refused(upgrade, "the server answers SSLRequest with an error", line + 1,
                              n - 1);
}

size_t cinch_postgres_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    (void)size;
    if (upgrade->line_size > 0 || bytes[0] == 'E')
        postgres_error(upgrade, bytes[0]);
    else if (bytes[0] == 'S')
        cinch_upgrade_consented(upgrade);
    else if (bytes[0] == 'N')
        cinch_upgrade_not_offered(upgrade);
    else
        cinch_upgrade_odd(upgrade, "the server's answer is neither S nor N");
    return 1;
}

/* ---- MySQL and MariaDB ---- */

enum {
    MYSQL_HEADER = 4,
    MYSQL_GREETING_MOST = 768,
    MYSQL_VERSION = 10,
    MYSQL_ERROR = 0xff,
    MYSQL_BEFORE_FLAGS = 4 + 8 + 1, /* connection ID, first part of the challenge, a filler */
    MYSQL_BETWEEN = 2 + 1 + 2,      /* low flags, character set, status */
    MYSQL_UTF8 = 45,                /* utf8mb4_general_ci */
    MYSQL_REQUEST = 32
};

/* Capability flags. */
#define MYSQL_LONG_PASSWORD 0x1u
#define MYSQL_PROTOCOL_41 0x200u
#define MYSQL_SSL 0x800u
#define MYSQL_SECURE_CONNECTION 0x8000u
#define MYSQL_PLUGIN_AUTH 0x80000u

static void put_little(unsigned char *out, unsigned value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> (8 * i));
}

static void mysql_request(cinch_upgrade *upgrade, unsigned offered)
{
    unsigned char request[MYSQL_HEADER + MYSQL_REQUEST] = {MYSQL_REQUEST, 0, 0, 1};
    unsigned wanted =
        MYSQL_LONG_PASSWORD | MYSQL_SECURE_CONNECTION | MYSQL_PLUGIN_AUTH | upgrade->mysql_flags;

    put_little(request + 4, (wanted & offered) | MYSQL_PROTOCOL_41 | MYSQL_SSL);
    put_little(request + 8, 1u << 24); /* the largest packet */
    request[12] = MYSQL_UTF8;
    cinch_upgrade_say(upgrade, CINCH_STEP_CONSENT, request, sizeof request);
    /* There is no answer: TLS follows what was said. */
    upgrade->done = 1;
}

/* The flags in a greeting of SIZE bytes. 0 if it has none. */
static int mysql_flags(const unsigned char *greeting, size_t size, unsigned *flags)
{
    const unsigned char *end = memchr(greeting + 1, 0, size - 1);

    if (end == NULL)
        return 0;
    size_t at = (size_t)(end - greeting) + 1 + MYSQL_BEFORE_FLAGS;
    if (at + 2 > size)
        return 0;
    *flags = (unsigned)greeting[at] | (unsigned)greeting[at + 1] << 8;
    at += MYSQL_BETWEEN;
    if (at + 2 <= size)
        *flags |= (unsigned)greeting[at] << 16 | (unsigned)greeting[at + 1] << 24;
    return 1;
}

/* A program logs in with the challenge that is in it, and the server does not say it again. */
static int hand_greeting(cinch_upgrade *upgrade, const unsigned char *greeting, size_t size)
{
    if (upgrade->greeting == NULL)
        return 1;
    if (size > upgrade->greeting_size) {
        cinch_fail(&upgrade->failed, CINCH_CAUSE_BAD_SETTING,
                   "the server's greeting has %zu bytes, and there is room for %zu", size,
                   upgrade->greeting_size);
        cinch_fail_remedy(&upgrade->failed, "give room for %d bytes", (int)MYSQL_GREETING_MOST);
        return 0;
    }
    memcpy(upgrade->greeting, greeting, size);
    if (upgrade->greeting_used != NULL)
        *upgrade->greeting_used = size;
    return 1;
}

static void mysql_greeting(cinch_upgrade *upgrade, const unsigned char *greeting, size_t size)
{
    unsigned flags = 0;

    if (greeting[0] == MYSQL_ERROR)
        cinch_upgrade_refused(upgrade, "the server does not serve us", greeting + 1, size - 1);
    else if (greeting[0] != MYSQL_VERSION)
        cinch_upgrade_odd(upgrade, "the server speaks version %d of the protocol, not %d",
                          greeting[0], MYSQL_VERSION);
    else if (!mysql_flags(greeting, size, &flags))
        cinch_upgrade_odd(upgrade, "the server's greeting is too short");
    else if ((flags & MYSQL_SSL) == 0 || (flags & MYSQL_PROTOCOL_41) == 0)
        cinch_upgrade_not_offered(upgrade);
    else if (hand_greeting(upgrade, greeting, size))
        mysql_request(upgrade, flags);
}

size_t cinch_mysql_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    const unsigned char *line = upgrade->line;

    for (size_t i = 0; i < size; i++) {
        upgrade->line[upgrade->line_size++] = bytes[i];
        if (upgrade->line_size < MYSQL_HEADER)
            continue;
        size_t length = (size_t)line[0] | (size_t)line[1] << 8 | (size_t)line[2] << 16;
        if (line[3] != 0 || length == 0 || length > MYSQL_GREETING_MOST) {
            cinch_upgrade_odd(upgrade, "the server does not greet as a MySQL server does");
            return i + 1;
        }
        if (upgrade->line_size == MYSQL_HEADER + length) {
            upgrade->line_size = 0;
            mysql_greeting(upgrade, line + MYSQL_HEADER, length);
            return i + 1;
        }
    }
    return size;
}
