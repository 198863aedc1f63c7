/* Servers that do not begin TLS, and what they are not to get away with: each with its cause. */
#include "starttls_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOT_OFFERED CINCH_CAUSE_STARTTLS_NOT_OFFERED
#define REFUSED CINCH_CAUSE_STARTTLS_REFUSED
#define ODD CINCH_CAUSE_STARTTLS_DIALOGUE
#define TLS_SPACE "urn:ietf:params:xml:ns:xmpp-tls"
#define STREAM                                                                                     \
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "        \
    "version='1.0'>"
#define FEATURES "<stream:features><starttls xmlns='" TLS_SPACE "'/></stream:features>"
#define BINARY(text)                                                                               \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

typedef struct row {
    cinch_starttls_protocol protocol;
    script_part server[4];
    cinch_cause cause;
    const char *part; /* stands in what happened, or in the evidence */
} row;

/* Plays what the server says; after each turn the client says what it wants. */
static cinch_status play(cinch_starttls_protocol protocol, const script_part *server, int single,
                         cinch_error *err)
{
    cinch_upgrade *upgrade = cinch_upgrade_new(protocol, &script_options, err);
    cinch_status status = cinch_upgrade_state(upgrade, err);

    for (size_t turn = 0; turn < 4 && server[turn].bytes != NULL; turn++) {
        const void *bytes = NULL;
        size_t size = 0;
        size_t said = script_size(&server[turn]);

        for (size_t i = 0; i < said && status == CINCH_WANT_READ;) {
            size_t piece = single ? 1 : said;

            status = cinch_upgrade_receive(upgrade, server[turn].bytes + i, piece, err);
            i += piece;
        }
        if (status != CINCH_WANT_WRITE)
            continue;
        assert_int_equal(CINCH_OK, cinch_upgrade_send_bytes(upgrade, &bytes, &size, err));
        status = cinch_upgrade_send_consume(upgrade, size, err);
    }
    if (status == CINCH_WANT_READ)
        status = cinch_upgrade_end(upgrade, err);
    cinch_upgrade_free(upgrade);
    return status;
}

static void check(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int single = 0; single < 2; single++) {
            cinch_error err = CINCH_ERROR_INIT;
            cinch_status status = play(rows[i].protocol, rows[i].server, single, &err);

            if (status < CINCH_TRUNCATED || err.cause != rows[i].cause ||
                (strstr(err.what, rows[i].part) == NULL &&
                 strstr(err.evidence, rows[i].part) == NULL)) {
                (void)cinch_error_report(&err, stderr);
                fail_msg("row %zu (%s, \"%s\"): %s, %s", i, cinch_starttls_name(rows[i].protocol),
                         rows[i].part, cinch_status_name(status), cinch_cause_name(err.cause));
            }
            if (rows[i].cause == NOT_OFFERED) {
                assert_non_null(strstr(err.remedy, "do not go on in the clear"));
                assert_non_null(strstr(err.evidence, "path can take the offer out"));
            }
            if (rows[i].cause == REFUSED)
                assert_non_null(strstr(err.evidence, "in the clear and so unauthenticated"));
        }
}

static void numbers(void **state)
{
    static const row rows[] = {
        {CINCH_STARTTLS_SMTP, {{"554 no\r\n", 0}}, REFUSED, "554 no"},
        {CINCH_STARTTLS_SMTP, {{"250 no\r\n", 0}}, ODD, "the server says 250 as its greeting"},
        {CINCH_STARTTLS_SMTP, {{"+OK hello\r\n", 0}}, ODD, "+OK hello"},
        {CINCH_STARTTLS_SMTP, {{"220x\r\n", 0}}, ODD, "number"},
        {CINCH_STARTTLS_SMTP, {{"22\r\n", 0}}, ODD, "number"},
        {CINCH_STARTTLS_SMTP, {{"620 x\r\n", 0}}, ODD, "number"},
        {CINCH_STARTTLS_SMTP, {{"220-a\r\n250 b\r\n", 0}}, ODD, "with 220 and with 250"},
        {CINCH_STARTTLS_SMTP,
         {{"220 a\r\n", 0}, {"250-b\r\n220 STARTTLS\r\n", 0}},
         ODD,
         "with 250 and"},
        {CINCH_STARTTLS_SMTP, {{"220 a\r\n", 0}, {"502 what?\r\n", 0}}, NOT_OFFERED, "502"},
        {CINCH_STARTTLS_SMTP, {{"220 a\r\n", 0}, {"421 bye\r\n", 0}}, REFUSED, "421"},
        {CINCH_STARTTLS_SMTP, {{"220 a\r\n", 0}, {"250 STARTTLS\r\n", 0}}, NOT_OFFERED, "STARTTLS"},
        {CINCH_STARTTLS_SMTP,
         {{"220 a\r\n", 0},
          {"250-a\r\n250-XSTARTTLS\r\n250-AUTH STARTTLS\r\n250 STARTTLSX\r\n", 0}},
         NOT_OFFERED,
         "does not offer STARTTLS"},
        {CINCH_STARTTLS_SMTP,
         {{"220 a\r\n", 0}, {"250-a\r\n250 STARTTLS\r\n", 0}, {"454 later\r\n", 0}},
         REFUSED,
         "454"},
        {CINCH_STARTTLS_SMTP,
         {{"220 a\r\n", 0}, {"250-a\r\n250 STARTTLS\r\n", 0}, {"250 fine\r\n", 0}},
         ODD,
         "says 250 as its answer to STARTTLS"},
        {CINCH_STARTTLS_LMTP, {{"220 a\r\n", 0}, {"500 what?\r\n", 0}}, NOT_OFFERED, "500"},
        {CINCH_STARTTLS_FTP, {{"220 a\r\n", 0}, {"502 no\r\n", 0}}, REFUSED, "502 no"},
        {CINCH_STARTTLS_FTP, {{"220 a\r\n", 0}, {"334 go on\r\n", 0}}, ODD, "334"},
        {CINCH_STARTTLS_FTP, {{"421 full\r\n", 0}}, REFUSED, "421"},
        {CINCH_STARTTLS_FTP, {{"hello\r\n", 0}}, ODD, "number"},
        {CINCH_STARTTLS_NNTP, {{"400 no\r\n", 0}}, REFUSED, "400"},
        {CINCH_STARTTLS_NNTP, {{"200 a\r\n", 0}, {"500 what?\r\n", 0}}, NOT_OFFERED, "500"},
        {CINCH_STARTTLS_NNTP,
         {{"200 a\r\n", 0}, {"101 x\r\nREADER\r\n.\r\n", 0}},
         NOT_OFFERED,
         "READER"},
        {CINCH_STARTTLS_NNTP,
         {{"200 a\r\n", 0}, {"101 x\r\nSTARTTLS\r\n.\r\n", 0}, {"580 no\r\n", 0}},
         REFUSED,
         "580"},
        {CINCH_STARTTLS_NNTP, {{"200-a\r\n", 0}}, ODD, "number"},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void words(void **state)
{
    static const row rows[] = {
        {CINCH_STARTTLS_IMAP, {{"* PREAUTH hello\r\n", 0}}, NOT_OFFERED, "PREAUTH"},
        {CINCH_STARTTLS_IMAP, {{"* BYE full\r\n", 0}}, REFUSED, "full"},
        {CINCH_STARTTLS_IMAP, {{"c1 OK\r\n", 0}}, ODD, "greet"},
        {CINCH_STARTTLS_IMAP, {{"* OKAY\r\n", 0}}, ODD, "greet"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY IMAP4\r\nc1 OK\r\n", 0}},
         NOT_OFFERED,
         "IMAP4"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"c1 OK [CAPABILITY STARTTLS]\r\n", 0}},
         NOT_OFFERED,
         "STARTTLS"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc1 BAD\r\n", 0}},
         NOT_OFFERED,
         "BAD"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc2 OK\r\n", 0}},
         ODD,
         "tag c1"},
        {CINCH_STARTTLS_IMAP, {{"* OK\r\n", 0}, {"+ go on\r\n", 0}}, ODD, "another command"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc1 OK\r\n", 0}, {"c2 NO later\r\n", 0}},
         REFUSED,
         "later"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc1 OK\r\n", 0}, {"c1 OK fine\r\n", 0}},
         ODD,
         "tag c2"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc1 OK\r\n", 0}, {"* PREAUTH\r\n", 0}},
         NOT_OFFERED,
         "PREAUTH"},
        {CINCH_STARTTLS_IMAP,
         {{"* OK\r\n", 0}, {"* CAPABILITY STARTTLS\r\nc1 OK\r\n", 0}, {"c2 OKAY\r\n", 0}},
         ODD,
         "none of OK"},
        {CINCH_STARTTLS_POP3, {{"-ERR full\r\n", 0}}, REFUSED, "full"},
        {CINCH_STARTTLS_POP3, {{"220 x\r\n", 0}}, ODD, "neither"},
        {CINCH_STARTTLS_POP3, {{"+ok\r\n", 0}}, ODD, "neither"},
        {CINCH_STARTTLS_POP3, {{"+OK\r\n", 0}, {"-ERR what?\r\n", 0}}, NOT_OFFERED, "what?"},
        {CINCH_STARTTLS_POP3, {{"+OK\r\n", 0}, {"+OK\r\nUIDL\r\n.\r\n", 0}}, NOT_OFFERED, "STLS"},
        {CINCH_STARTTLS_POP3,
         {{"+OK\r\n", 0}, {"+OK\r\nSTLS\r\n.\r\n", 0}, {"-ERR no\r\n", 0}},
         REFUSED,
         "-ERR no"},
        {CINCH_STARTTLS_SIEVE, {{"OK\r\n", 0}}, NOT_OFFERED, "OK"},
        {CINCH_STARTTLS_SIEVE, {{"\"SASL\" \"\"\r\nBYE \"x\"\r\n", 0}}, REFUSED, "BYE"},
        {CINCH_STARTTLS_SIEVE, {{"* OK\r\n", 0}}, ODD, "none of OK"},
        {CINCH_STARTTLS_SIEVE, {{"\"X\" \"STARTTLS\"\r\nOK\r\n", 0}}, NOT_OFFERED, "STARTTLS"},
        {CINCH_STARTTLS_SIEVE,
         {{"\"X\" {12}\r\n\"STARTTLS\"\r\n\r\nOK\r\n", 0}},
         NOT_OFFERED,
         "STARTTLS"},
        {CINCH_STARTTLS_SIEVE, {{"\"X\" \"\r\n\"STARTTLS\"\r\nOK\r\n", 0}}, ODD, "no end"},
        {CINCH_STARTTLS_SIEVE, {{"\"X\" {99999999}\r\n", 0}}, ODD, "99999999"},
        {CINCH_STARTTLS_SIEVE, {{"\"STARTTLS\"\r\nOK\r\n", 0}, {"NO \"x\"\r\n", 0}}, REFUSED, "NO"},
        {CINCH_STARTTLS_SIEVE,
         {{"\"STARTTLS\"\r\nOK\r\n", 0}, {"\"X\"\r\n", 0}},
         ODD,
         "none of OK"},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

/* What an attacker, or a parser that is less strict, might make of XML. */
static void xmpp(void **state)
{
    static const row rows[] = {
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<stream:features/>", 0}}, NOT_OFFERED, "features"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<stream:features><x a='<starttls xmlns=\"" TLS_SPACE "\"/>'/>", 0}},
         ODD,
         "XML"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0},
          {STREAM "<stream:features><x a=\"starttls xmlns='" TLS_SPACE "'/>\"/></stream:features>",
           0}},
         NOT_OFFERED,
         "features"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0},
          {STREAM "<stream:features><x><starttls xmlns='" TLS_SPACE "'/></x></stream:features>",
           0}},
         NOT_OFFERED,
         "features"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<stream:features><starttls xmlns='urn:x'/></stream:features>", 0}},
         NOT_OFFERED,
         "features"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<stream:features><starttls/></stream:features>", 0}},
         NOT_OFFERED,
         "features"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<stream:features><!-- <starttls xmlns='" TLS_SPACE "'/> -->", 0}},
         ODD,
         "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<stream:features><![CDATA[x]]>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"<!DOCTYPE x>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<?xml version='1.0'?>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {" <?xml version='1.0'?>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"<?php x?>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<stream:features></features>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<other:features/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<a xmlns='x' xmlns='y'/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<a xmlns:b='x' xmlns:b='y'/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<a b=c/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<a b='c'd='e'/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "< a/>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"<>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"</a>", 0}}, ODD, "XML"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"hello", 0}}, ODD, "between the elements"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "hello", 0}}, ODD, "between the elements"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<a><b><c><d><e><f><g><h><i><j><k><l><m>", 0}},
         ODD,
         "a"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {"<html xmlns='x'>", 0}}, ODD, "stream"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {"<stream xmlns='http://etherx.jabber.org/streams' version='1'/>", 0}},
         ODD,
         "empty"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {"<stream xmlns='http://etherx.jabber.org/streams'>", 0}},
         NOT_OFFERED,
         "stream"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM "<message/>", 0}}, ODD, "<message>"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<proceed xmlns='" TLS_SPACE "'/>", 0}},
         ODD,
         "<proceed>"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "<stream:error><host-unknown/></stream:error>", 0}},
         REFUSED,
         "host-unknown"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM "</stream:stream>", 0}},
         REFUSED,
         "ends the stream"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM FEATURES, 0}, {"<failure xmlns='" TLS_SPACE "'/>", 0}},
         REFUSED,
         "failure"},
        {CINCH_STARTTLS_XMPP, {{"", 0}, {STREAM FEATURES, 0}, {"<proceed/>", 0}}, ODD, "<proceed>"},
        {CINCH_STARTTLS_XMPP,
         {{"", 0}, {STREAM FEATURES, 0}, {"<proceed xmlns='" TLS_SPACE "'><x/></proceed>", 0}},
         ODD,
         "within"},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

static void binary(void **state)
{
    static const row rows[] = {
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x02\x04\0\x04\x02no")},
         NOT_OFFERED,
         "StartTLS"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0e\x02\x01\x01\x78\x09\x0a\x01\x34\x04\0\x04\x02no")},
         REFUSED,
         "result 52, unavailable"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x11\x02\x01\x01\x78\x0c\x0a\x01\x0a\x04\0\x04\0\xa3\x03\x04\x01x")},
         REFUSED,
         "another one (referral, 10)"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\0\x04\0\x04\0")},
         ODD,
         "message 2"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0e\x02\x01\0\x78\x09\x0a\x01\0\x04\0\x04\x02go")},
         REFUSED,
         "go"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0f\x02\x01\x01\x78\x0a\x0a\x01\0\x04\0\x04\0\x8a\x01x")},
         ODD,
         "another operation"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\0\x04\0\x04\0")},
         ODD,
         "extended"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0d\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0x")},
         ODD,
         "LDAP"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0e\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0\x05\0")},
         ODD,
         "left over"},
        {CINCH_STARTTLS_LDAP,
         {{"", 0}, BINARY("\x30\x0c\x02\x01\x01\x78\x08\x0a\x01\0\x04\0\x04\0")},
         ODD,
         "extended"},
        {CINCH_STARTTLS_LDAP, {{"", 0}, BINARY("\x30\x80")}, ODD, "no LDAP"},
        {CINCH_STARTTLS_LDAP, {{"", 0}, BINARY("\x30\x84\x7f\xff\xff\xff")}, ODD, "2147483647"},
        {CINCH_STARTTLS_LDAP, {{"", 0}, BINARY("\x30\x85\0\0\0\0\x01")}, ODD, "no LDAP"},
        {CINCH_STARTTLS_LDAP, {{"", 0}, BINARY("\x30\0")}, ODD, "no LDAP"},
        {CINCH_STARTTLS_LDAP, {{"", 0}, {"220 x\r\n", 0}}, ODD, "no LDAP"},
        {CINCH_STARTTLS_POSTGRES, {{"", 0}, {"N", 0}}, NOT_OFFERED, "SSLRequest"},
        {CINCH_STARTTLS_POSTGRES, {{"", 0}, {"x", 0}}, ODD, "neither S nor N"},
        {CINCH_STARTTLS_POSTGRES,
         {{"", 0}, {"Eunsupported frontend protocol\n", 0}},
         REFUSED,
         "unsupported frontend"},
        {CINCH_STARTTLS_POSTGRES, {{"", 0}, BINARY("E\0\0\0\x0cMtoo\\ many\0\0")}, REFUSED, "Mtoo"},
        {CINCH_STARTTLS_POSTGRES, {{"", 0}, BINARY("E\0\0\x01\0Mcut")}, REFUSED, "Mcut"},
        {CINCH_STARTTLS_MYSQL,
         {BINARY("\x09\0\0\0\xff\x10\x04"
                 "Too ma")},
         REFUSED,
         "Too ma"},
        {CINCH_STARTTLS_MYSQL, {BINARY("\x02\0\0\0\x09x")}, ODD, "version 9"},
        {CINCH_STARTTLS_MYSQL, {BINARY("\x02\0\0\0\x0ax")}, ODD, "too short"},
        {CINCH_STARTTLS_MYSQL, {BINARY("\x02\0\0\x01\x0ax")}, ODD, "does not greet"},
        {CINCH_STARTTLS_MYSQL, {BINARY("\0\0\0\0")}, ODD, "does not greet"},
        {CINCH_STARTTLS_MYSQL, {{"220 mail\r\n", 0}}, ODD, "does not greet"},
        {CINCH_STARTTLS_MYSQL,
         {BINARY("\x12\0\0\0\x0a"
                 "8\0"
                 "1234"
                 "12345678"
                 "\0"
                 "\xff\xf7")},
         NOT_OFFERED,
         "SSLRequest"},
    };

    (void)state;
    check(rows, sizeof rows / sizeof rows[0]);
}

/* The wrong port: TLS from the first byte on. */
static void tls_at_once(void **state)
{
    (void)state;
    for (int i = CINCH_STARTTLS_NONE + 1; i < CINCH_STARTTLS_COUNT; i++) {
        int greets = i != CINCH_STARTTLS_XMPP && i != CINCH_STARTTLS_XMPP_SERVER &&
                     i != CINCH_STARTTLS_LDAP && i != CINCH_STARTTLS_POSTGRES;
        row r = {(cinch_starttls_protocol)i,
                 {{"", 0}, BINARY("\x15\x03\x01\0\x02\x02\x46")},
                 ODD,
                 "speaks TLS at once"};

        if (greets)
            r.server[0] = r.server[1];
        check(&r, 1);
    }
}

/* Lines that no program should take, from servers of every kind that has lines. */
static void bad_lines(void **state)
{
    static char endless[40000];
    static const script_part bad[] = {
        BINARY("220 a\n"), BINARY("22\0000 a\r\n"), BINARY("220 a\rb\r\n"),   BINARY("220 a\r\r\n"),
        BINARY("\n"),      BINARY("\r\n"),          {endless, sizeof endless}};

    (void)state;
    memset(endless, 'a', sizeof endless);
    for (int i = CINCH_STARTTLS_SMTP; i <= CINCH_STARTTLS_NNTP; i++)
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            row r = {(cinch_starttls_protocol)i, {bad[k]}, ODD, "line"};

            if (k == 5)
                r.part = "greeting";
            check(&r, 1);
        }
}

/* More than any honest server says, in answers that have no end. */
static void no_end(void **state)
{
    static char many[50000];
    static const struct {
        cinch_starttls_protocol protocol;
        const char *first, *more;
    } rows[] = {
        {CINCH_STARTTLS_SMTP, "", "220-x\r\n"},        {CINCH_STARTTLS_FTP, "220-x\r\n", "x\r\n"},
        {CINCH_STARTTLS_SIEVE, "", "\"X\" \"y\"\r\n"}, {CINCH_STARTTLS_XMPP, STREAM, "   \n"},
        {CINCH_STARTTLS_FTP, "", "120 soon\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t used = (size_t)snprintf(many, sizeof many, "%s", rows[i].first);

        while (used + 16 < sizeof many)
            used += (size_t)snprintf(many + used, sizeof many - used, "%s", rows[i].more);
        row r = {rows[i].protocol, {{many, used}}, ODD, "more than 32768 bytes"};
        if (rows[i].protocol == CINCH_STARTTLS_XMPP)
            r = (row){rows[i].protocol, {{"", 0}, {many, used}}, ODD, "more than 32768 bytes"};
        check(&r, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(words),       cmocka_unit_test(xmpp),
        cmocka_unit_test(binary),  cmocka_unit_test(tls_at_once), cmocka_unit_test(bad_lines),
        cmocka_unit_test(no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
