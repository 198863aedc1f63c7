/*
 * upgrade.c: the dialogue that ends in TLS, without I/O. Whose turn it is is always known: a byte that
 * comes while something of ours is still to be said, or behind the consent, was not asked for.
 */
#include "starttls/upgrade.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Fits between spaces and quotes of the protocols: nothing in a name may end a line or a value. */
static int is_fit(const char *name, int ascii)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];

        if (c <= ' ' || c == 0x7f || (ascii && c >= 0x80) || strchr("<>&'\"", c) != NULL)
            return 0;
    }
    return size > 0 && size <= CINCH_UPGRADE_NAME;
}

static cinch_status take_name(char to[static CINCH_UPGRADE_NAME + 1], const char *name, int ascii,
                              const char *what, cinch_error *err)
{
    if (!is_fit(name, ascii)) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%s\" cannot be %s", name, what);
        cinch_fail_remedy(err, "give a host name or an address literal, without spaces or quotes");
        return CINCH_FAILED;
    }
    memcpy(to, name, strlen(name) + 1);
    return CINCH_OK;
}

static cinch_status take_options(cinch_upgrade *upgrade, const cinch_starttls_options *options,
                                 cinch_error *err)
{
    int xmpp =
        upgrade->protocol == CINCH_STARTTLS_XMPP || upgrade->protocol == CINCH_STARTTLS_XMPP_SERVER;
    /* As a name it says nothing about this machine, and servers that want a full name take it. */
    const char *client_name = options->client_name != NULL ? options->client_name : "[127.0.0.1]";

    if (options->domain == NULL && xmpp) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "XMPP wants to know whose server is asked");
        cinch_fail_remedy(err, "set domain in cinch_starttls_options to the domain of the server");
        return CINCH_FAILED;
    }
    if (options->domain != NULL && xmpp &&
        take_name(upgrade->domain, options->domain, 0, "the domain of an XMPP server", err) !=
            CINCH_OK)
        return CINCH_FAILED;
    if (options->greeting == NULL && options->greeting_size > 0)
        return cinch_fail_null(err, "place for the greeting");
    upgrade->mysql_flags = options->mysql_flags;
    upgrade->greeting = options->greeting;
    upgrade->greeting_size = options->greeting_size;
    upgrade->greeting_used = options->greeting_used;
    if (upgrade->greeting_used != NULL)
        *upgrade->greeting_used = 0;
    return take_name(upgrade->client_name, client_name, 1, "the name that a client goes by", err);
}

cinch_upgrade *cinch_upgrade_new(cinch_starttls_protocol protocol,
                                 const cinch_starttls_options *options, cinch_error *err)
{
    static const cinch_starttls_options nothing = {0};
    const cinch_dialect *dialect = cinch_dialect_of(protocol);

    if (!cinch_enter(err))
        return NULL;
    if (dialect == NULL) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%d is no protocol with STARTTLS", (int)protocol);
        cinch_fail_remedy(err, "give one of cinch_starttls_protocol");
        return NULL;
    }
    cinch_upgrade *upgrade = cinch_alloc(sizeof *upgrade);
    if (upgrade == NULL) {
        cinch_fail_memory(err, "preparing to upgrade a connection");
        return NULL;
    }
    upgrade->protocol = protocol;
    upgrade->dialect = dialect;
    if (take_options(upgrade, options != NULL ? options : &nothing, err) != CINCH_OK) {
        cinch_release(upgrade);
        return NULL;
    }
    dialect->begin(upgrade);
    return upgrade;
}

void cinch_upgrade_free(cinch_upgrade *upgrade)
{
    cinch_release(upgrade);
}

/* ---- what dialects do ---- */

void cinch_greeted_begin(cinch_upgrade *upgrade)
{
    upgrade->step = CINCH_STEP_GREETING;
}

void cinch_upgrade_say(cinch_upgrade *upgrade, cinch_upgrade_step step, const void *bytes,
                       size_t size)
{
    if (size > sizeof upgrade->say) {
        cinch_fail(&upgrade->failed, CINCH_CAUSE_INTERNAL, "a request has no room");
        return;
    }
    memcpy(upgrade->say, bytes, size);
    upgrade->say_start = 0;
    upgrade->say_end = size;
    upgrade->step = step;
}

void cinch_upgrade_say_name(cinch_upgrade *upgrade, cinch_upgrade_step step, const char *before,
                            const char *name, const char *after)
{
    char text[CINCH_UPGRADE_SAY];
    int size = snprintf(text, sizeof text, "%s%s%s", before, name, after);

    cinch_upgrade_say(upgrade, step, text, (size_t)size);
}

void cinch_upgrade_ask(cinch_upgrade *upgrade, const char *text)
{
    if (!upgrade->offered)
        cinch_upgrade_not_offered(upgrade);
    else
        cinch_upgrade_say(upgrade, CINCH_STEP_CONSENT, text, strlen(text));
}

void cinch_upgrade_consented(cinch_upgrade *upgrade)
{
    upgrade->done = 1;
}

int cinch_word(const char *line, const char *word)
{
    size_t size = strlen(word);

    return strncasecmp(line, word, size) == 0 && (line[size] == 0 || line[size] == ' ');
}

int cinch_has_word(const char *line, const char *word)
{
    for (; *line != 0; line += strcspn(line, " ")) {
        line += strspn(line, " ");
        if (cinch_word(line, word))
            return 1;
    }
    return 0;
}

/* ---- the calls ---- */

static cinch_status enter(const cinch_upgrade *upgrade, cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (upgrade == NULL)
        return cinch_fail_null(err, "upgrade");
    return CINCH_OK;
}

static cinch_status state(const cinch_upgrade *upgrade, cinch_error *err)
{
    if (cinch_error_is_set(&upgrade->failed))
        return cinch_fail_keep(err, &upgrade->failed);
    if (upgrade->say_start < upgrade->say_end)
        return CINCH_WANT_WRITE;
    return upgrade->done ? CINCH_OK : CINCH_WANT_READ;
}

cinch_status cinch_upgrade_state(const cinch_upgrade *upgrade, cinch_error *err)
{
    cinch_status status = enter(upgrade, err);

    return status == CINCH_OK ? state(upgrade, err) : status;
}

cinch_status cinch_upgrade_send_bytes(const cinch_upgrade *upgrade, const void **bytes,
                                      size_t *size, cinch_error *err)
{
    cinch_status status = enter(upgrade, err);

    if (status != CINCH_OK)
        return status;
    if (bytes == NULL || size == NULL)
        return cinch_fail_null(err, "place for the bytes to send");
    *bytes = upgrade->say + upgrade->say_start;
    /* What failed says no more: it might be heard as if all were well. */
    *size = cinch_error_is_set(&upgrade->failed) ? 0 : upgrade->say_end - upgrade->say_start;
    return CINCH_OK;
}

cinch_status cinch_upgrade_send_consume(cinch_upgrade *upgrade, size_t n, cinch_error *err)
{
    cinch_status status = enter(upgrade, err);

    if (status != CINCH_OK)
        return status;
    if (n > upgrade->say_end - upgrade->say_start)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%zu bytes cannot have been sent of %zu", n,
                          upgrade->say_end - upgrade->say_start);
    upgrade->say_start += n;
    return state(upgrade, err);
}

/* Keeps the last of what came, for the error. */
static void remember(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    size_t most = sizeof upgrade->heard;

    for (size_t i = 0; i < size && upgrade->total + i < sizeof upgrade->first; i++)
        upgrade->first[upgrade->total + i] = bytes[i];
    upgrade->total += size;
    if (size >= most) {
        memcpy(upgrade->heard, bytes + size - most, most);
        upgrade->heard_size = most;
        return;
    }
    if (upgrade->heard_size + size > most) {
        size_t drop = upgrade->heard_size + size - most;

        memmove(upgrade->heard, upgrade->heard + drop, upgrade->heard_size - drop);
        upgrade->heard_size -= drop;
    }
    memcpy(upgrade->heard + upgrade->heard_size, bytes, size);
    upgrade->heard_size += size;
}

/* One answer, or a piece of it: how many bytes that was. */
static size_t take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    if (upgrade->done || upgrade->say_start < upgrade->say_end) {
        cinch_upgrade_injected(upgrade, bytes, size);
        return size;
    }
    if (upgrade->total >= 2 && cinch_upgrade_speaks_tls(upgrade)) {
        cinch_upgrade_odd(upgrade, "the server speaks TLS at once");
        return size;
    }
    size_t n = upgrade->dialect->take(upgrade, bytes, size);
    if (upgrade->total > CINCH_UPGRADE_TOTAL)
        cinch_upgrade_odd(upgrade, "the server says more than %d bytes before TLS",
                          (int)CINCH_UPGRADE_TOTAL);
    return n;
}

cinch_status cinch_upgrade_receive(cinch_upgrade *upgrade, const void *bytes, size_t size,
                                   cinch_error *err)
{
    const unsigned char *at = bytes;
    cinch_status status = enter(upgrade, err);

    if (status != CINCH_OK)
        return status;
    if (bytes == NULL && size > 0)
        return cinch_fail_null(err, "data received");
    while (size > 0 && !cinch_error_is_set(&upgrade->failed)) {
        /* In small pieces, so that what is remembered ends about where it went wrong. */
        size_t piece = size < 64 ? size : 64;

        if (!upgrade->done && upgrade->say_start == upgrade->say_end) {
            remember(upgrade, at, piece);
            size_t n = take(upgrade, at, piece);

            /* What is behind the answer is not part of it. */
            if (n < piece) {
                upgrade->total -= piece - n;
                upgrade->heard_size -= piece - n;
            }
            piece = n;
        } else {
            piece = take(upgrade, at, size);
        }
        at += piece;
        size -= piece;
    }
    return state(upgrade, err);
}
