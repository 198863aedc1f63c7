/* xmpp.c: STARTTLS in XMPP streams (RFC 6120, 5). */
#include "starttls/upgrade.h"

#include <stdio.h>
#include <string.h>

#define TLS_SPACE "urn:ietf:params:xml:ns:xmpp-tls"
#define BEFORE "<?xml version='1.0'?><stream:stream to='"
#define BEHIND                                                                                     \
    "' version='1.0' xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:"

void cinch_xmpp_begin(cinch_upgrade *upgrade)
{
    cinch_upgrade_say_name(upgrade, CINCH_STEP_OFFER, BEFORE, upgrade->domain,
                           upgrade->protocol == CINCH_STARTTLS_XMPP ? BEHIND "client'>"
                                                                    : BEHIND "server'>");
}

static int is(const cinch_xml_element *element, cinch_xml_space space, const char *name)
{
    return element->space == space && strcmp(cinch_xml_local(element), name) == 0;
}

/* The stream itself. A server that has no version has no features either (RFC 6120, 4.7.5). */
static void begin_stream(cinch_upgrade *upgrade, const cinch_xml_element *element)
{
    if (!is(element, CINCH_XML_STREAMS, "stream"))
        cinch_upgrade_odd(upgrade, "the server does not begin an XMPP stream");
    else if (!upgrade->xml.has_version)
        cinch_upgrade_not_offered(upgrade);
}

static int fits(const cinch_upgrade *upgrade, const cinch_xml_element *element)
{
    if (is(element, CINCH_XML_STREAMS, "error"))
        return 1;
    if (upgrade->step == CINCH_STEP_OFFER)
        return is(element, CINCH_XML_STREAMS, "features");
    return is(element, CINCH_XML_TLS, "proceed") || is(element, CINCH_XML_TLS, "failure");
}

/* Element is within the stream, or within one that is. */
static void begin(cinch_upgrade *upgrade, size_t depth)
{
    const cinch_xml_element *element = &upgrade->xml.open[depth];

    if (depth == 0)
        begin_stream(upgrade, element);
    else if (depth == 1 && !fits(upgrade, element))
        cinch_upgrade_odd(upgrade, "the server says <%s>, which does not belong there",
                          element->name);
    else if (depth == 2 && is(&upgrade->xml.open[1], CINCH_XML_STREAMS, "features") &&
             is(element, CINCH_XML_TLS, "starttls"))
        upgrade->offered = 1;
    else if (depth == 2 && is(&upgrade->xml.open[1], CINCH_XML_TLS, "proceed"))
        cinch_upgrade_odd(upgrade, "there is something within the server's consent");
}

static void end(cinch_upgrade *upgrade, size_t depth)
{
    const cinch_xml_element *element = &upgrade->xml.open[depth];

    if (depth == 0)
        cinch_upgrade_refused(upgrade, "the server ends the stream before TLS", NULL, 0);
    else if (depth > 1)
        return;
    else if (is(element, CINCH_XML_STREAMS, "error"))
        cinch_upgrade_refused(upgrade, "the server refuses the stream", NULL, 0);
    else if (is(element, CINCH_XML_TLS, "failure"))
        cinch_upgrade_refused(upgrade, "the server refuses to begin TLS", NULL, 0);
    else if (is(element, CINCH_XML_TLS, "proceed"))
        cinch_upgrade_consented(upgrade);
    else
        cinch_upgrade_ask(upgrade, "<starttls xmlns='" TLS_SPACE "'/>");
}

static void end_tag(cinch_upgrade *upgrade)
{
    size_t size = upgrade->line_size;

    upgrade->line[size] = 0;
    upgrade->line_size = 0;
    cinch_xml_event event = cinch_xml_tag(&upgrade->xml, (const char *)upgrade->line, size);
    size_t depth = upgrade->xml.depth;

    if (event == CINCH_XML_BAD)
        cinch_upgrade_odd(upgrade, "the server's words are no XML as XMPP has it");
    if (event == CINCH_XML_BEGIN)
        begin(upgrade, depth - 1);
    if (event == CINCH_XML_BOTH)
        begin(upgrade, depth);
    if (event == CINCH_XML_END || (event == CINCH_XML_BOTH && depth > 0))
        end(upgrade, depth);
    else if (event == CINCH_XML_BOTH)
        cinch_upgrade_odd(upgrade, "the server's stream is empty");
}

/* Between tags; within features there may be text, elsewhere space only. */
static int may_be_text(const cinch_upgrade *upgrade, unsigned char byte)
{
    return byte != 0 && (upgrade->xml.depth > 1 || strchr(" \t\r\n", byte) != NULL);
}

size_t cinch_xmpp_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (upgrade->line_size == 0 && bytes[i] != '<') {
            if (!may_be_text(upgrade, bytes[i])) {
                cinch_upgrade_odd(upgrade, "the server says something between the elements");
                return i + 1;
            }
            /* Nothing, not even a space, may be before the XML declaration. */
            upgrade->xml.begun = 1;
            continue;
        }
        int last = cinch_xml_byte(&upgrade->xml, bytes[i], upgrade->line_size);
        if (last < 0 || upgrade->line_size + 2 >= sizeof upgrade->line) {
            cinch_upgrade_odd(upgrade, last < 0 ? "the server's words are no XML as XMPP has it"
                                                : "one tag of the server is too long");
            return i + 1;
        }
        upgrade->line[upgrade->line_size++] = bytes[i];
        if (last) {
            end_tag(upgrade);
            return i + 1;
        }
    }
    return size;
}
