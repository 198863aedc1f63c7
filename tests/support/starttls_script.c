#include "starttls_script.h"

#include <string.h>

#define XML "<?xml version='1.0'?>"
#define STREAM_HEADER(kind)                                                                        \
    XML "<stream:stream to='example.test' version='1.0' xml:lang='en' "                            \
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:" kind "'>"
#define TLS_SPACE "urn:ietf:params:xml:ns:xmpp-tls"
#define WANT_TLS "<starttls xmlns='" TLS_SPACE "'/>"
#define LDAP_REQUEST                                                                               \
    "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"                                                         \
    "1.3.6.1.4.1.1466.20037"
/* Version 10, "8.0", connection, challenge, flags with SSL, and so on. */
#define MYSQL_GREETING                                                                             \
    "\x25\0\0\0\x0a"                                                                               \
    "8.0\0"                                                                                        \
    "\1\0\0\0"                                                                                     \
    "abcdefgh"                                                                                     \
    "\0"                                                                                           \
    "\xff\xff"                                                                                     \
    "\x2d"                                                                                         \
    "\2\0"                                                                                         \
    "\xff\xdf"                                                                                     \
    "\x15"                                                                                         \
    "0123456789"                                                                                   \
    "\0"
#define MYSQL_REQUEST                                                                              \
    "\x20\0\0\1"                                                                                   \
    "\x01\x8a\x08\0"                                                                               \
    "\0\0\0\1"                                                                                     \
    "\x2d"                                                                                         \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define BINARY(text)                                                                               \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

const cinch_starttls_options script_options = {.client_name = "client.test",
                                               .domain = "example.test"};

const script script_right[] = {
    {CINCH_STARTTLS_SMTP,
     {{"220-mail.example.test\r\n220 ESMTP\r\n", 0},
      {"250-mail.example.test\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 HELP\r\n", 0},
      {"220 2.0.0 Ready\r\n", 0}},
     {{"EHLO client.test\r\n", 0}, {"STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_SMTP,
     {{"220\r\n", 0}, {"250-\r\n250 starttls\r\n", 0}, {"220-a\r\n220\r\n", 0}},
     {{"EHLO client.test\r\n", 0}, {"STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_LMTP,
     {{"220 lmtp\r\n", 0}, {"250-x\r\n250 STARTTLS\r\n", 0}, {"220 2.0.0 Ready\r\n", 0}},
     {{"LHLO client.test\r\n", 0}, {"STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_IMAP,
     {{"* OK [CAPABILITY IMAP4rev1] hello\r\n", 0},
      {"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\nc1 OK done\r\n", 0},
      {"* OK still here\r\n* 3 EXISTS\r\nc2 OK Begin TLS\r\n", 0}},
     {{"c1 CAPABILITY\r\n", 0}, {"c2 STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_POP3,
     {{"+OK\r\n", 0}, {"+OK list\r\nTOP\r\nSTLS\r\nUIDL\r\n.\r\n", 0}, {"+OK go\r\n", 0}},
     {{"CAPA\r\n", 0}, {"STLS\r\n", 0}}},
    {CINCH_STARTTLS_SIEVE,
     {{"\"IMPLEMENTATION\" \"a \\\"b\\\" c\"\r\n\"SIEVE\" {17}\r\nOK\r\n\"X\"\r\nfileinto\r\n"
       "\"STARTTLS\"\r\nOK (TAG {5+}\r\nNO\r\nx) \"fine\"\r\n",
       0},
      {"OK \"Begin\"\r\n", 0}},
     {{"STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_FTP,
     {{"120 soon\r\n220-hello\r\n230 not the end\r\nfree text\r\n220 ready\r\n", 0},
      {"234 go\r\n", 0}},
     {{"AUTH TLS\r\n", 0}}},
    {CINCH_STARTTLS_NNTP,
     {{"201 read only\r\n", 0},
      {"101 list\r\nVERSION 2\r\nSTARTTLS\r\nREADER\r\n.\r\n", 0},
      {"382 go\r\n", 0}},
     {{"CAPABILITIES\r\n", 0}, {"STARTTLS\r\n", 0}}},
    {CINCH_STARTTLS_XMPP,
     {{"", 0},
      {XML "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
           "id='a>b' from=\"example.test\" version='1.0'>\n<stream:features><starttls "
           "xmlns='" TLS_SPACE "'><required/></starttls><mechanisms xmlns='urn:x'>"
           "<mechanism>PLAIN</mechanism></mechanisms></stream:features>",
       0},
      {"<proceed xmlns='" TLS_SPACE "'/>", 0}},
     {{STREAM_HEADER("client"), 0}, {WANT_TLS, 0}}},
    {CINCH_STARTTLS_XMPP_SERVER,
     {{"", 0},
      {"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:t='" TLS_SPACE
       "' version='1.0'><s:features><t:starttls/></s:features>",
       0},
      {"<t:proceed ></t:proceed>", 0}},
     {{STREAM_HEADER("server"), 0}, {WANT_TLS, 0}}},
    {CINCH_STARTTLS_LDAP,
     {{"", 0}, BINARY("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0")},
     {BINARY(LDAP_REQUEST)}},
    {CINCH_STARTTLS_LDAP,
     {{"", 0},
      BINARY("\x30\x84\0\0\0\x28\x02\x01\x01\x78\x84\0\0\0\x1f\x0a\x01\0\x04\0\x04\0\x8a\x16"
             "1.3.6.1.4.1.1466.20037")},
     {BINARY(LDAP_REQUEST)}},
    {CINCH_STARTTLS_POSTGRES, {{"", 0}, {"S", 0}}, {BINARY("\0\0\0\x08\x04\xd2\x16\x2f")}},
    {CINCH_STARTTLS_MYSQL, {BINARY(MYSQL_GREETING)}, {BINARY(MYSQL_REQUEST)}},
};

const size_t script_right_count = sizeof script_right / sizeof script_right[0];

size_t script_size(const script_part *part)
{
    if (part->bytes == NULL)
        return 0;
    return part->size != 0 ? part->size : strlen(part->bytes);
}
