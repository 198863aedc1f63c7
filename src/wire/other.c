/* other.c: what somebody speaks that does not speak TLS, told from the first bytes. */
#include "wire/messages.h"

#include <string.h>

static const cinch_protocol protocols[] = {
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

const cinch_protocol *cinch_protocol_of(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        size_t start = strlen(protocols[i].start);

        if (size >= start && memcmp(bytes, protocols[i].start, start) == 0)
            return &protocols[i];
    }
    return NULL;
}
