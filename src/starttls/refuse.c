/* refuse.c: why there is no TLS, in words; what the server said so far is the evidence. */
#include "starttls/upgrade.h"

#include "base/fail.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cinch_upgrade_speaks_tls(const cinch_upgrade *upgrade)
{
    /* A handshake or an alert (RFC 8446, 5.1); nothing else begins a TLS connection. */
    return upgrade->total > 0 && (upgrade->first[0] == 21 || upgrade->first[0] == 22) &&
           (upgrade->total < 2 || upgrade->first[1] == 3);
}

const char *cinch_upgrade_waits_for(const cinch_upgrade *upgrade, char *buf, size_t size)
{
    const cinch_dialect *dialect = upgrade->dialect;

    if (upgrade->step == CINCH_STEP_GREETING)
        (void)snprintf(buf, size, "its greeting");
    else
        (void)snprintf(buf, size, "its answer to %s",
                       upgrade->step == CINCH_STEP_OFFER ? dialect->offers : dialect->request);
    return buf;
}

const char *cinch_upgrade_show(char *buf, size_t buf_size, const void *in, size_t size)
{
    const char *bytes = in;
    char joined[3 * CINCH_UPGRADE_HEARD];
    size_t used = 0;

    while (size >= 2 && memcmp(bytes + size - 2, "\r\n", 2) == 0)
        size -= 2;
    for (size_t i = 0; i < size && used + 3 < sizeof joined; i++) {
        if (i + 1 < size && memcmp(bytes + i, "\r\n", 2) == 0) {
            joined[used++] = ' ';
            joined[used++] = '|';
            joined[used++] = ' ';
            i++;
        } else {
            joined[used++] = bytes[i];
        }
    }
    (void)cinch_text_clean(buf, buf_size, joined, used, 0);
    return buf;
}

/* Everything that a server says before TLS may be somebody else's words, and the reader should know. */
static void show_heard(const cinch_upgrade *upgrade, cinch_error *err)
{
    char shown[600];

    if (upgrade->heard_size == 0)
        cinch_fail_evidence(err, "it has not said anything");
    else
        cinch_fail_evidence(
            err, "%s, in the clear and so unauthenticated: %s",
            upgrade->total > upgrade->heard_size ? "it said last" : "it said",
            cinch_upgrade_show(shown, sizeof shown, upgrade->heard, upgrade->heard_size));
}

static void elsewhere(const cinch_upgrade *upgrade, char *buf, size_t size)
{
    if (upgrade->dialect->implicit != NULL)
        (void)snprintf(buf, size,
                       "use the port where %s has TLS from the first byte on (usually %s)",
                       upgrade->dialect->title, upgrade->dialect->implicit);
    else
        (void)snprintf(buf, size, "have TLS enabled at the server");
}

static void odd_tls(cinch_upgrade *upgrade)
{
    cinch_fail(&upgrade->failed, CINCH_CAUSE_STARTTLS_DIALOGUE,
               "the server speaks TLS at once, not %s", upgrade->dialect->title);
    show_heard(upgrade, &upgrade->failed);
    cinch_fail_remedy(&upgrade->failed,
                      "connect without STARTTLS: this port has TLS from the first byte on");
}

void cinch_upgrade_odd(cinch_upgrade *upgrade, const char *format, ...)
{
    char what[CINCH_ERROR_WHAT];
    char waits[64];
    va_list arguments;

    if (cinch_error_is_set(&upgrade->failed))
        return;
    if (cinch_upgrade_speaks_tls(upgrade)) {
        odd_tls(upgrade);
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    cinch_fail(&upgrade->failed, CINCH_CAUSE_STARTTLS_DIALOGUE, "%s", what);
    cinch_fail_evidence(&upgrade->failed, "waiting for %s, as %s has it\n",
                        cinch_upgrade_waits_for(upgrade, waits, sizeof waits),
                        upgrade->dialect->title);
    show_heard(upgrade, &upgrade->failed);
}

static void not_offered(cinch_upgrade *upgrade, const char *danger)
{
    char port[128];

    show_heard(upgrade, &upgrade->failed);
    cinch_fail_evidence(&upgrade->failed,
                        "\nanybody on the path can take the offer out of the server's words");
    elsewhere(upgrade, port, sizeof port);
    cinch_fail_remedy(&upgrade->failed, "do not go on in the clear: %s; %s", danger, port);
}

void cinch_upgrade_not_offered(cinch_upgrade *upgrade)
{
    if (cinch_error_is_set(&upgrade->failed))
        return;
    cinch_fail(&upgrade->failed, CINCH_CAUSE_STARTTLS_NOT_OFFERED,
               "the server does not offer %s, so there is no TLS", upgrade->dialect->request);
    not_offered(upgrade, "this may be an attack");
}

void cinch_upgrade_preauth(cinch_upgrade *upgrade)
{
    if (cinch_error_is_set(&upgrade->failed))
        return;
    cinch_fail(&upgrade->failed, CINCH_CAUSE_STARTTLS_NOT_OFFERED,
               "the server takes us as logged in already (PREAUTH), so TLS cannot begin any more");
    not_offered(upgrade, "an attacker can say PREAUTH to keep a client from STARTTLS");
}

void cinch_upgrade_refused(cinch_upgrade *upgrade, const char *what, const void *why, size_t size)
{
    char shown[600];

    if (cinch_error_is_set(&upgrade->failed))
        return;
    cinch_fail(&upgrade->failed, CINCH_CAUSE_STARTTLS_REFUSED, "%s", what);
    if (size > 0)
        cinch_fail_evidence(
            &upgrade->failed, "it says, in the clear and so unauthenticated: %s",
            cinch_upgrade_show(shown, sizeof shown, why,
                               size < CINCH_UPGRADE_HEARD ? size : CINCH_UPGRADE_HEARD));
    else
        show_heard(upgrade, &upgrade->failed);
}

cinch_status cinch_injection_fail(cinch_error *err, const char *who, const char *where,
                                  const void *bytes, size_t size)
{
    char shown[400];

    cinch_fail(err, CINCH_CAUSE_STARTTLS_INJECTION, "%zu byte%s came in the clear %s", size,
               size == 1 ? "" : "s", where);
    (void)cinch_text_clean(shown, sizeof shown, bytes, size, 0);
    cinch_fail_evidence(
        err,
        "they are: %s\nan attacker on the path puts words there, to have them taken for "
        "what the %s says under TLS",
        shown, who);
    return err != NULL ? err->status : CINCH_FAILED;
}

void cinch_upgrade_injected(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    char where[128];
    char waits[64];

    if (cinch_error_is_set(&upgrade->failed))
        return;
    if (upgrade->done && upgrade->protocol == CINCH_STARTTLS_MYSQL) {
        /* Its greeting is all the consent there is. */
        (void)cinch_injection_fail(&upgrade->failed, "server", "behind the server's greeting",
                                   bytes, size);
        return;
    }
    if (upgrade->done) {
        (void)cinch_injection_fail(&upgrade->failed, "server", "behind the server's consent to TLS",
                                   bytes, size);
        return;
    }
    (void)snprintf(where, sizeof where, "from the server before it was asked for %s",
                   cinch_upgrade_waits_for(upgrade, waits, sizeof waits));
    (void)cinch_injection_fail(&upgrade->failed, "server", where, bytes, size);
}

/* ---- ends from outside ---- */

cinch_status cinch_upgrade_end(cinch_upgrade *upgrade, cinch_error *err)
{
    char waits[64];

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (upgrade == NULL)
        return cinch_fail_null(err, "upgrade");
    if (!cinch_error_is_set(&upgrade->failed)) {
        if (cinch_upgrade_speaks_tls(upgrade)) {
            odd_tls(upgrade);
        } else if (upgrade->protocol == CINCH_STARTTLS_POSTGRES && upgrade->line_size > 0) {
            cinch_upgrade_refused(upgrade, "the server answers SSLRequest with an error",
                                  upgrade->line + 1, upgrade->line_size - 1);
        } else {
            cinch_fail(&upgrade->failed, CINCH_CAUSE_TRUNCATED,
                       "the server closed the connection before TLS began, while we waited for %s",
                       cinch_upgrade_waits_for(upgrade, waits, sizeof waits));
            show_heard(upgrade, &upgrade->failed);
            cinch_fail_remedy(&upgrade->failed,
                              "check that this port is for %s, and look at the server's log",
                              upgrade->dialect->title);
        }
    }
    return cinch_fail_keep(err, &upgrade->failed);
}

cinch_status cinch_upgrade_late(cinch_upgrade *upgrade, int milliseconds, cinch_error *err)
{
    char waits[64];

    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (upgrade == NULL)
        return cinch_fail_null(err, "upgrade");
    if (!cinch_error_is_set(&upgrade->failed)) {
        cinch_fail(&upgrade->failed, CINCH_CAUSE_TIMEOUT,
                   "timed out after %d ms while waiting for the server: %s", milliseconds,
                   cinch_upgrade_waits_for(upgrade, waits, sizeof waits));
        show_heard(upgrade, &upgrade->failed);
        if (upgrade->total == 0)
            cinch_fail_remedy(&upgrade->failed,
                              "check that this port is for %s: where TLS is spoken from the first "
                              "byte on, the server waits for the client and says nothing; connect "
                              "without STARTTLS there",
                              upgrade->dialect->title);
    }
    return cinch_fail_keep(err, &upgrade->failed);
}
