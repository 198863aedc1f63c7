/* explain_not_tls.c: what a peer speaks that does not speak TLS, told from its first bytes. */
#include "base/fail.h"
#include "base/text.h"
#include "conn/conn.h"

#include <string.h>

static const struct {
    const char *start;
    const char *name;
    const char *remedy;
} protocols[] = {
    {"HTTP/", "plain HTTP", "connect to the port for HTTPS (usually 443), or use http://"},
    {"GET ", "plain HTTP", "have the client use https://"},
    {"HEAD ", "plain HTTP", "have the client use https://"},
    {"POST ", "plain HTTP", "have the client use https://"},
    {"PUT ", "plain HTTP", "have the client use https://"},
    {"OPTIONS ", "plain HTTP", "have the client use https://"},
    {"DELETE ", "plain HTTP", "have the client use https://"},
    {"PATCH ", "plain HTTP", "have the client use https://"},
    {"CONNECT ", "HTTP for a proxy", "have the client use this server as a server, not as a proxy"},
    {"PRI * HTTP/2", "HTTP/2 without TLS", "have the client use https://"},
    {"SSH-", "SSH", "connect to the port of the TLS service; this one is SSH (usually 22)"},
    {"220", "plain SMTP or FTP",
     "use the port for implicit TLS (SMTP 465, FTP 990), or upgrade with STARTTLS first"},
    {"EHLO ", "plain SMTP", "have the client use implicit TLS on this port"},
    {"HELO ", "plain SMTP", "have the client use implicit TLS on this port"},
    {"+OK", "plain POP3", "use the port for implicit TLS (995), or upgrade with STLS first"},
    {"* OK", "plain IMAP", "use the port for implicit TLS (993), or upgrade with STARTTLS first"},
    {"* PREAUTH", "plain IMAP", "use the port for implicit TLS (993)"},
    {"* BYE", "plain IMAP", "use the port for implicit TLS (993)"},
    {"200 ", "plain NNTP", "use the port for implicit TLS (563), or upgrade with STARTTLS first"},
    {"201 ", "plain NNTP", "use the port for implicit TLS (563), or upgrade with STARTTLS first"},
    {"<?xml", "plain XMPP or XML", "upgrade with STARTTLS first, or use the port for direct TLS"},
    {"<stream", "plain XMPP", "upgrade with STARTTLS first, or use the port for direct TLS"},
    {"RFB ", "VNC", "check the port: this one is VNC"},
    {"-ERR", "plain POP3 or Redis", "use the port for TLS"},
    {"<html", "plain HTTP", "connect to the port for HTTPS (usually 443), or use http://"},
    {"<!DOC", "plain HTTP", "connect to the port for HTTPS (usually 443), or use http://"},
    {"PROXY ", "the PROXY protocol", "take the PROXY protocol header off before TLS begins"},
};

/* A record of TLS begins with its type and a version 3.x (RFC 8446, 5.1); SSL 2.0's hello differs. */
static int is_tls(const unsigned char *bytes, size_t size)
{
    return bytes[0] >= 20 && bytes[0] <= 24 && (size < 2 || bytes[1] == 3);
}

int cinch_explain_not_tls(const cinch_conn *conn, cinch_error *local)
{
    const cinch_opening *opening = conn->opening;
    const char *peer = conn->link.derived->settings->is_server ? "client" : "server";
    char shown[240];

    if (opening == NULL || opening->first_size == 0 || is_tls(opening->first, opening->first_size))
        return 0;
    cinch_text_clean(shown, sizeof shown, opening->first, opening->first_size, 0);
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        size_t size = strlen(protocols[i].start);

        if (opening->first_size < size || memcmp(opening->first, protocols[i].start, size) != 0)
            continue;
        (void)cinch_fail(local, CINCH_CAUSE_NOT_TLS, "the %s does not speak TLS but %s", peer,
                         protocols[i].name);
        cinch_fail_evidence(local, "its first bytes are: %s", shown);
        cinch_fail_remedy(local, "%s", protocols[i].remedy);
        return 1;
    }
    (void)cinch_fail(local, CINCH_CAUSE_NOT_TLS, "the %s does not speak TLS", peer);
    cinch_fail_evidence(local, "its first bytes are: %s", shown);
    return 1;
}
