/* dialects.c: the protocols, one entry each. */
#include "starttls/upgrade.h"

#include <string.h>
#include <strings.h>

static const cinch_dialect dialects[CINCH_STARTTLS_COUNT] = {
    [CINCH_STARTTLS_SMTP] = {.name = "smtp",
                             .title = "SMTP",
                             .port = "25",
                             .implicit = "port 465",
                             .request = "STARTTLS",
                             .offers = "EHLO",
                             .begin = cinch_greeted_begin,
                             .take = cinch_lines_take,
                             .line = cinch_smtp_line,
                             .consent = "220 2.0.0 Ready to start TLS\r\n"},
    [CINCH_STARTTLS_LMTP] = {.name = "lmtp",
                             .title = "LMTP",
                             .port = "24",
                             .request = "STARTTLS",
                             .offers = "LHLO",
                             .begin = cinch_greeted_begin,
                             .take = cinch_lines_take,
                             .line = cinch_smtp_line,
                             .consent = "220 2.0.0 Ready to start TLS\r\n"},
    [CINCH_STARTTLS_IMAP] = {.name = "imap",
                             .title = "IMAP",
                             .port = "143",
                             .implicit = "port 993",
                             .request = "STARTTLS",
                             .offers = "CAPABILITY",
                             .begin = cinch_greeted_begin,
                             .take = cinch_lines_take,
                             .line = cinch_imap_line,
                             .consent = " OK Begin TLS negotiation now\r\n"},
    [CINCH_STARTTLS_POP3] = {.name = "pop3",
                             .title = "POP3",
                             .port = "110",
                             .implicit = "port 995",
                             .request = "STLS",
                             .offers = "CAPA",
                             .begin = cinch_greeted_begin,
                             .take = cinch_lines_take,
                             .line = cinch_pop3_line,
                             .consent = "+OK Begin TLS negotiation now\r\n"},
    [CINCH_STARTTLS_SIEVE] = {.name = "sieve",
                              .title = "ManageSieve",
                              .port = "4190",
                              .request = "STARTTLS",
                              .begin = cinch_greeted_begin,
                              .take = cinch_lines_take,
                              .line = cinch_sieve_line,
                              .consent = "OK \"Begin TLS negotiation now.\"\r\n"},
    [CINCH_STARTTLS_FTP] = {.name = "ftp",
                            .title = "FTP",
                            .port = "21",
                            .implicit = "port 990",
                            .request = "AUTH TLS",
                            .begin = cinch_greeted_begin,
                            .take = cinch_lines_take,
                            .line = cinch_ftp_line,
                            .consent = "234 Begin TLS negotiation now\r\n"},
    [CINCH_STARTTLS_NNTP] = {.name = "nntp",
                             .title = "NNTP",
                             .port = "119",
                             .implicit = "port 563",
                             .request = "STARTTLS",
                             .offers = "CAPABILITIES",
                             .begin = cinch_greeted_begin,
                             .take = cinch_lines_take,
                             .line = cinch_nntp_line,
                             .consent = "382 Continue with TLS negotiation\r\n"},
    [CINCH_STARTTLS_XMPP] = {.name = "xmpp",
                             .title = "XMPP",
                             .port = "5222",
                             .implicit = "port 5223",
                             .request = "<starttls/>",
                             .offers = "the stream header",
                             .begin = cinch_xmpp_begin,
                             .take = cinch_xmpp_take,
                             .consent = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
    [CINCH_STARTTLS_XMPP_SERVER] = {.name = "xmpp-server",
                                    .title = "XMPP",
                                    .port = "5269",
                                    .implicit = "port 5270",
                                    .request = "<starttls/>",
                                    .offers = "the stream header",
                                    .begin = cinch_xmpp_begin,
                                    .take = cinch_xmpp_take,
                                    .consent =
                                        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
    [CINCH_STARTTLS_LDAP] = {.name = "ldap",
                             .title = "LDAP",
                             .port = "389",
                             .implicit = "port 636",
                             .request = "StartTLS",
                             .begin = cinch_ldap_begin,
                             .take = cinch_ldap_take},
    [CINCH_STARTTLS_POSTGRES] = {.name = "postgres",
                                 .title = "PostgreSQL",
                                 .port = "5432",
                                 .request = "SSLRequest",
                                 .begin = cinch_postgres_begin,
                                 .take = cinch_postgres_take,
                                 .consent = "S"},
    [CINCH_STARTTLS_MYSQL] = {.name = "mysql",
                              .title = "MySQL",
                              .port = "3306",
                              .request = "SSLRequest",
                              .begin = cinch_greeted_begin,
                              .take = cinch_mysql_take,
                              .consent = ""},
};

const cinch_dialect *cinch_dialect_of(cinch_starttls_protocol protocol)
{
    if ((unsigned)protocol >= CINCH_STARTTLS_COUNT || dialects[protocol].name == NULL)
        return NULL;
    return &dialects[protocol];
}

const char *cinch_starttls_name(cinch_starttls_protocol protocol)
{
    const cinch_dialect *dialect = cinch_dialect_of(protocol);

    return dialect != NULL ? dialect->name : NULL;
}

const char *cinch_starttls_port(cinch_starttls_protocol protocol)
{
    const cinch_dialect *dialect = cinch_dialect_of(protocol);

    return dialect != NULL ? dialect->port : NULL;
}

cinch_starttls_protocol cinch_starttls_named(const char *name)
{
    for (int i = CINCH_STARTTLS_NONE + 1; name != NULL && i < CINCH_STARTTLS_COUNT; i++)
        if (strcasecmp(name, dialects[i].name) == 0)
            return (cinch_starttls_protocol)i;
    return CINCH_STARTTLS_NONE;
}
