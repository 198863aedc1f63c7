/* connect_report.c: what was agreed, as a small picture. */
#include "connect.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

/* When to say it louder. */
enum {
    DAYS_SOON = 14
};

/* What people call a certificate: its common name, else its first name, else its subject. */
static const char *title(const cinch_certificate *certificate)
{
    if (certificate->common_name[0] != '\0')
        return certificate->common_name;
    if (certificate->name_count > 0)
        return certificate->names[0].text;
    return certificate->subject[0] != '\0' ? certificate->subject : "(no name)";
}

/* Columns, not bytes: UTF-8 continuation bytes take no room. */
static int width(const char *text)
{
    int columns = 0;

    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static void put_validity(const cinch_certificate *certificate, cli_look look)
{
    int64_t now = (int64_t)time(NULL);
    char date[16];
    char days[48];
    const char *word = "expires";
    int64_t when = certificate->not_after;
    cli_paint paint = CLI_DIM;

    if (certificate->not_before > now) {
        word = "starts";
        when = certificate->not_before;
        paint = CLI_RED;
    } else if (when < now) {
        word = "expired";
        paint = CLI_RED;
    } else if (when - now < (int64_t)DAYS_SOON * DAY) {
        paint = CLI_YELLOW;
    }
    fprintf(stderr, "%s%s %s (%s)%s", cli_on(look, paint), word,
            cli_days(when, now, days, sizeof(days)), cli_date(when, date, sizeof(date)),
            cli_off(look));
}

/*
 *   localhost                  expires in 89 days (2027-02-19)
 *   └─ Some CA                 expires in 3649 days (2036-11-18), trusted
 */
static void put_chain(cinch_certificate *const *chain, size_t count, bool trusted, cli_look look)
{
    const char *corner = look.utf8 ? "\u2514\u2500 " : "`- ";
    int widest = 0;

    for (size_t i = 0; i < count; i++) {
        int columns = width(title(chain[i])) + (i > 0 ? 3 * (int)i : 0);

        widest = columns > widest ? columns : widest;
    }
    for (size_t i = 0; i < count; i++) {
        int indent = i > 0 ? 3 * (int)i : 0;

        fprintf(stderr, "  %*s%s%s%*s  ", i > 0 ? indent - 3 : 0, "", i > 0 ? corner : "",
                title(chain[i]), widest - indent - width(title(chain[i])), "");
        put_validity(chain[i], look);
        if (trusted && i + 1 == count)
            fputs(", trusted", stderr);
        fputc('\n', stderr);
    }
}

/* "0.4 ms", "12 ms", "1.5 s". */
static void put_time(const char *name, int64_t us, bool *first)
{
    if (us < 0)
        return;
    fputs(*first ? "  " : ", ", stderr);
    *first = false;
    if (us < 9950)
        fprintf(stderr, "%s %.1f ms", name, (double)us / 1e3);
    else if (us < 999500)
        fprintf(stderr, "%s %.0f ms", name, (double)us / 1e3);
    else
        fprintf(stderr, "%s %.1f s", name, (double)us / 1e6);
}

static void put_times(const cinch_timing *timing)
{
    bool first = true;

    put_time("dns", timing->resolved_us, &first);
    put_time("tcp", timing->connected_us, &first);
    put_time("hello", timing->hello_us, &first);
    put_time("certificate", timing->certificate_us, &first);
    put_time("finished", timing->finished_us, &first);
    if (!first)
        fputc('\n', stderr);
}

void connect_report(const cinch_peer *peer, const char *address, const char *upgraded)
{
    cli_look look = cli_look_at(stderr);
    cli_paint paint = peer->verified ? CLI_GREEN : CLI_RED;

    fprintf(stderr, "%s%s%s %s (%s): %s, %s%s%s%s%s%s%s%s\n", cli_on(look, paint),
            peer->verified ? "verified" : "NOT VERIFIED", cli_off(look), peer->host, address,
            peer->version, peer->cipher, peer->group[0] != '\0' ? ", " : "", peer->group,
            peer->alpn[0] != '\0' ? ", " : "", peer->alpn, peer->resumed ? ", resumed" : "",
            upgraded != NULL ? ", upgraded from " : "", upgraded != NULL ? upgraded : "");
    if (peer->verified && peer->chain_count > 0)
        put_chain(peer->chain, peer->chain_count, true, look);
    else
        put_chain(peer->sent, peer->sent_count, false, look);
    put_times(&peer->timing);
    fflush(stderr);
}

void connect_evidence(const cinch_peer *peer)
{
    cli_look look = cli_look_at(stderr);

    if (peer == NULL || peer->sent_count == 0)
        return;
    fprintf(stderr, "%snot verified:%s what the server sent\n", cli_on(look, CLI_YELLOW),
            cli_off(look));
    put_chain(peer->sent, peer->sent_count, false, look);
    fflush(stderr);
}
