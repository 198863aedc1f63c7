/* replies.c: the protocols that answer with numbers: SMTP, LMTP, FTP and NNTP. */
#include "starttls/upgrade.h"

#include <stdio.h>
#include <string.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The code at the start of LINE, 0 if there is none; *LAST is 0 if more lines of it follow. */
static int read_code(const char *line, size_t size, int *last)
{
    if (size < 3 || line[0] < '1' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]))
        return 0;
    if (size > 3 && line[3] != ' ' && line[3] != '-')
        return 0;
    *last = size == 3 || line[3] == ' ';
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* SMTP: each line of a reply has the same code (RFC 5321, 4.2.1). 0 if it has none, or another. */
static int read_reply(cinch_upgrade *upgrade, const char *line, size_t size, int *last)
{
    int code = read_code(line, size, last);

    if (code == 0)
        cinch_upgrade_odd(upgrade, "an answer of the server does not begin with a number");
    else if (upgrade->code != 0 && upgrade->code != code)
        cinch_upgrade_odd(upgrade, "the lines of one answer begin with %d and with %d",
                          upgrade->code, code);
    upgrade->code = *last ? 0 : code;
    return cinch_error_is_set(&upgrade->failed) ? 0 : code;
}

/* Neither what was hoped for nor a refusal. */
static void unexpected(cinch_upgrade *upgrade, int code)
{
    char waits[64];

    cinch_upgrade_odd(upgrade, "the server says %d as %s", code,
                      cinch_upgrade_waits_for(upgrade, waits, sizeof waits));
}

static void turned_away(cinch_upgrade *upgrade, int code, const char *line, size_t size)
{
    if (code >= 400)
        cinch_upgrade_refused(upgrade, "the server does not serve us", line, size);
    else
        unexpected(upgrade, code);
}

static void answer_consent(cinch_upgrade *upgrade, int code, int wanted, const char *line,
                           size_t size)
{
    if (code == wanted)
        cinch_upgrade_consented(upgrade);
    else if (code >= 400)
        cinch_upgrade_refused(upgrade, "the server refuses to begin TLS", line, size);
    else
        unexpected(upgrade, code);
}

void cinch_smtp_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    int last = 1;
    int first = upgrade->code == 0;
    int code = read_reply(upgrade, line, size, &last);

    if (code == 0)
        return;
    if (upgrade->step == CINCH_STEP_OFFER) {
        /* The first line has the server's name (RFC 5321, 4.1.1.1). */
        if (code == 250 && !first && size > 4 && cinch_word(line + 4, "STARTTLS"))
            upgrade->offered = 1;
        if (!last)
            return;
        if (code == 250)
            cinch_upgrade_ask(upgrade, "STARTTLS\r\n");
        else if (code >= 500)
            cinch_upgrade_not_offered(upgrade);
        else
            turned_away(upgrade, code, line, size);
        return;
    }
    if (!last)
        return;
    if (upgrade->step == CINCH_STEP_CONSENT)
        answer_consent(upgrade, code, 220, line, size);
    else if (code != 220)
        turned_away(upgrade, code, line, size);
    else
        cinch_upgrade_say_name(upgrade, CINCH_STEP_OFFER,
                               upgrade->protocol == CINCH_STARTTLS_LMTP ? "LHLO " : "EHLO ",
                               upgrade->client_name, "\r\n");
}

/* FTP: between the first line, "220-", and the last, "220 ", anything may stand (RFC 959, 4.2). */
void cinch_ftp_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    int last = 1;
    int code = read_code(line, size, &last);

    if (upgrade->code != 0 && (code != upgrade->code || !last))
        return;
    if (code == 0) {
        cinch_upgrade_odd(upgrade, "an answer of the server does not begin with a number");
        return;
    }
    upgrade->code = last ? 0 : code;
    if (!last)
        return;
    if (upgrade->step == CINCH_STEP_CONSENT) {
        answer_consent(upgrade, code, 234, line, size);
        return;
    }
    /* "Service ready in nnn minutes", and then 220. */
    if (code == 120)
        return;
    if (code != 220) {
        turned_away(upgrade, code, line, size);
        return;
    }
    /* FEAT would tell (RFC 4217, 6), but a server without AUTH says so to AUTH as well. */
    upgrade->offered = 1;
    cinch_upgrade_ask(upgrade, "AUTH TLS\r\n");
}

static void nntp_list(cinch_upgrade *upgrade, const char *line)
{
    if (strcmp(line, ".") != 0) {
        if (cinch_word(line, "STARTTLS"))
            upgrade->offered = 1;
        return;
    }
    upgrade->listing = 0;
    cinch_upgrade_ask(upgrade, "STARTTLS\r\n");
}

void cinch_nntp_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    int last = 1;

    if (upgrade->listing) {
        nntp_list(upgrade, line);
        return;
    }
    int code = read_code(line, size, &last);
    if (code == 0 || !last) {
        cinch_upgrade_odd(upgrade, "an answer of the server does not begin with a number");
        return;
    }
    if (upgrade->step == CINCH_STEP_CONSENT)
        answer_consent(upgrade, code, 382, line, size);
    else if (upgrade->step == CINCH_STEP_OFFER && code == 101)
        upgrade->listing = 1;
    else if (upgrade->step == CINCH_STEP_OFFER && code >= 500)
        cinch_upgrade_not_offered(upgrade);
    else if (upgrade->step == CINCH_STEP_GREETING && (code == 200 || code == 201))
        cinch_upgrade_say(upgrade, CINCH_STEP_OFFER, "CAPABILITIES\r\n", 14);
    else
        turned_away(upgrade, code, line, size);
}
