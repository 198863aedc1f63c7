/* mail.c: the protocols of mailboxes, which answer with words: IMAP, POP3 and ManageSieve. */
#include "starttls/upgrade.h"

#include <string.h>
#include <strings.h>

/* Tags of ours; a server's answer has the tag of the command that it answers. */
#define TAG_OFFER "c1"
#define TAG_CONSENT "c2"

/* ---- IMAP (RFC 9051) ---- */

/* "* " begins what belongs to no command; it may come at any time, and only some of it matters here. */
static void imap_untagged(cinch_upgrade *upgrade, const char *text, const char *line, size_t size)
{
    if (cinch_word(text, "BYE"))
        cinch_upgrade_refused(upgrade, "the server says goodbye before TLS", line, size);
    else if (cinch_word(text, "PREAUTH"))
        cinch_upgrade_preauth(upgrade);
    else if (upgrade->step == CINCH_STEP_OFFER && cinch_word(text, "CAPABILITY"))
        upgrade->offered = cinch_has_word(text, "STARTTLS");
    else if (upgrade->step == CINCH_STEP_GREETING && cinch_word(text, "OK"))
        cinch_upgrade_say(upgrade, CINCH_STEP_OFFER, TAG_OFFER " CAPABILITY\r\n",
                          sizeof TAG_OFFER " CAPABILITY\r\n" - 1);
    else if (upgrade->step == CINCH_STEP_GREETING)
        cinch_upgrade_odd(upgrade, "the server does not greet as an IMAP server does");
}

static void imap_tagged(cinch_upgrade *upgrade, const char *text, const char *line, size_t size)
{
    int consent = upgrade->step == CINCH_STEP_CONSENT;

    if (cinch_word(text, "OK") && consent)
        cinch_upgrade_consented(upgrade);
    else if (cinch_word(text, "OK"))
        cinch_upgrade_ask(upgrade, TAG_CONSENT " STARTTLS\r\n");
    else if (!cinch_word(text, "NO") && !cinch_word(text, "BAD"))
        cinch_upgrade_odd(upgrade, "the server's answer is none of OK, NO and BAD");
    else if (consent)
        cinch_upgrade_refused(upgrade, "the server refuses to begin TLS", line, size);
    else
        cinch_upgrade_not_offered(upgrade);
}

void cinch_imap_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    const char *tag = upgrade->step == CINCH_STEP_CONSENT ? TAG_CONSENT : TAG_OFFER;

    if (strncmp(line, "* ", 2) == 0)
        imap_untagged(upgrade, line + 2, line, size);
    else if (upgrade->step == CINCH_STEP_GREETING)
        cinch_upgrade_odd(upgrade, "the server does not greet as an IMAP server does");
    else if (strncmp(line, tag, strlen(tag)) == 0 && line[strlen(tag)] == ' ')
        imap_tagged(upgrade, line + strlen(tag) + 1, line, size);
    else
        cinch_upgrade_odd(
            upgrade, "the server answers another command than ours, which has the tag %s", tag);
}

/* ---- POP3 (RFC 2595, RFC 2449) ---- */

void cinch_pop3_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    /* Unlike most words these are in capitals in every version of the protocol. */
    int fine = strncmp(line, "+OK", 3) == 0 && (line[3] == 0 || line[3] == ' ');
    int no = strncmp(line, "-ERR", 4) == 0 && (line[4] == 0 || line[4] == ' ');

    if (upgrade->listing) {
        if (strcmp(line, ".") != 0) {
            if (cinch_word(line, "STLS"))
                upgrade->offered = 1;
            return;
        }
        upgrade->listing = 0;
        cinch_upgrade_ask(upgrade, "STLS\r\n");
    } else if (!fine && !no) {
        cinch_upgrade_odd(upgrade, "the server's answer is neither +OK nor -ERR");
    } else if (upgrade->step == CINCH_STEP_GREETING) {
        if (fine)
            cinch_upgrade_say(upgrade, CINCH_STEP_OFFER, "CAPA\r\n", 6);
        else
            cinch_upgrade_refused(upgrade, "the server does not serve us", line, size);
    } else if (upgrade->step == CINCH_STEP_OFFER) {
        upgrade->listing = fine;
        if (no)
            cinch_upgrade_not_offered(upgrade);
    } else if (fine) {
        cinch_upgrade_consented(upgrade);
    } else {
        cinch_upgrade_refused(upgrade, "the server refuses to begin TLS", line, size);
    }
}

/* ---- ManageSieve (RFC 5804) ---- */

/* The length of the quoted text at LINE, with its quotes; 0 if it has no end. */
static size_t quoted(const char *line)
{
    for (size_t i = 1; line[i] != 0; i++) {
        if (line[i] == '"')
            return i + 1;
        if (line[i] == '\\' && line[i + 1] != 0)
            i++;
    }
    return 0;
}

static int quotes_are_closed(const char *line)
{
    while ((line = strchr(line, '"')) != NULL) {
        size_t size = quoted(line);

        if (size == 0)
            return 0;
        line += size;
    }
    return 1;
}

void cinch_sieve_line(cinch_upgrade *upgrade, const char *line, size_t size)
{
    int consent = upgrade->step == CINCH_STEP_CONSENT;

    if (!quotes_are_closed(line)) {
        cinch_upgrade_odd(upgrade, "a text in a line of the server has no end");
    } else if (cinch_word(line, "NO") || cinch_word(line, "BYE")) {
        cinch_upgrade_refused(
            upgrade, consent ? "the server refuses to begin TLS" : "the server does not serve us",
            line, size);
    } else if (cinch_word(line, "OK")) {
        if (consent)
            cinch_upgrade_consented(upgrade);
        else
            cinch_upgrade_ask(upgrade, "STARTTLS\r\n");
    } else if (!consent && line[0] == '"') {
        if (strncasecmp(line, "\"STARTTLS\"", 10) == 0)
            upgrade->offered = 1;
    } else {
        cinch_upgrade_odd(upgrade, "the server's answer is none of OK, NO and BYE");
    }
}
