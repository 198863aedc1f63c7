#include "starttls/xml.h"

#include <string.h>

/* One tag, as it is read. */
typedef struct tag {
    const char *at;
    const char *end; /* at the '>' or the '/' before it */
} tag;

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("_-.:", c) != NULL) || (unsigned char)c >= 0x80;
}

static int skip_space(tag *t)
{
    const char *start = t->at;

    while (t->at < t->end && is_space(*t->at))
        t->at++;
    return t->at > start;
}

/* A name, with one prefix at most. 0 if there is none here, or it is too long. */
static int read_name(tag *t, char name[static CINCH_XML_NAME])
{
    size_t size = 0;

    while (t->at + size < t->end && is_name(t->at[size]))
        size++;
    if (size == 0 || size >= CINCH_XML_NAME)
        return 0;
    memcpy(name, t->at, size);
    name[size] = 0;
    t->at += size;
    const char *colon = strchr(name, ':');
    return colon == NULL || (colon != name && colon[1] != 0 && strchr(colon + 1, ':') == NULL);
}

/* A value in quotes; "<" cannot be in it. 0 if it is none. */
static int read_value(tag *t, const char **value, size_t *size)
{
    if (t->at >= t->end || (*t->at != '"' && *t->at != '\''))
        return 0;
    char quote = *t->at++;
    *value = t->at;
    while (t->at < t->end && *t->at != quote)
        if (*t->at++ == '<')
            return 0;
    if (t->at >= t->end)
        return 0;
    *size = (size_t)(t->at - *value);
    t->at++;
    return 1;
}

/* As it is written: one with references in it is not what it stands for, which is the safe side. */
static cinch_xml_space space_of(const char *value, size_t size)
{
    static const char streams[] = "http://etherx.jabber.org/streams";
    static const char tls[] = "urn:ietf:params:xml:ns:xmpp-tls";

    if (size == sizeof streams - 1 && memcmp(value, streams, size) == 0)
        return CINCH_XML_STREAMS;
    if (size == sizeof tls - 1 && memcmp(value, tls, size) == 0)
        return CINCH_XML_TLS;
    return CINCH_XML_OTHER;
}

/* The prefix NAME, from the innermost element outwards; those below FROM are not looked at. */
static int find_prefix(const cinch_xml *xml, const char *name, size_t size, size_t from)
{
    for (size_t i = xml->prefixes; i > from; i--)
        if (strlen(xml->prefix[i - 1].name) == size &&
            memcmp(xml->prefix[i - 1].name, name, size) == 0)
            return (int)(i - 1);
    return -1;
}

static int add_prefix(cinch_xml *xml, const cinch_xml_element *element, const char *name,
                      cinch_xml_space space)
{
    if (xml->prefixes == CINCH_XML_PREFIXES ||
        find_prefix(xml, name, strlen(name), element->prefixes) >= 0)
        return 0;
    memcpy(xml->prefix[xml->prefixes].name, name, strlen(name) + 1);
    xml->prefix[xml->prefixes].space = space;
    xml->prefixes++;
    return 1;
}

/* 0 if an attribute is none, or declares a namespace twice. */
static int read_attributes(cinch_xml *xml, cinch_xml_element *element, tag *t)
{
    char name[CINCH_XML_NAME];
    const char *value = NULL;
    size_t size = 0;
    int declared = 0;

    xml->has_version = 0;
    for (;;) {
        int apart = skip_space(t);

        if (t->at >= t->end)
            return 1;
        if (!apart || !read_name(t, name))
            return 0;
        (void)skip_space(t);
        if (t->at >= t->end || *t->at++ != '=')
            return 0;
        (void)skip_space(t);
        if (!read_value(t, &value, &size))
            return 0;
        if (strcmp(name, "xmlns") == 0) {
            if (declared)
                return 0;
            declared = 1;
            element->without_prefix = space_of(value, size);
        } else if (strncmp(name, "xmlns:", 6) == 0) {
            if (!add_prefix(xml, element, name + 6, space_of(value, size)))
                return 0;
        } else if (strcmp(name, "version") == 0) {
            xml->has_version = 1;
        }
    }
}

static int resolve(const cinch_xml *xml, cinch_xml_element *element)
{
    const char *colon = strchr(element->name, ':');

    element->space = element->without_prefix;
    if (colon == NULL)
        return 1;
    int at = find_prefix(xml, element->name, (size_t)(colon - element->name), 0);
    if (at < 0)
        return 0;
    element->space = xml->prefix[at].space;
    return 1;
}

static cinch_xml_event begin(cinch_xml *xml, tag *t, int empty)
{
    if (xml->depth == CINCH_XML_DEPTH)
        return CINCH_XML_BAD;
    cinch_xml_element *element = &xml->open[xml->depth];
    *element = (cinch_xml_element){.prefixes = xml->prefixes};
    if (xml->depth > 0)
        element->without_prefix = xml->open[xml->depth - 1].without_prefix;
    if (!read_name(t, element->name) || !read_attributes(xml, element, t) || !resolve(xml, element))
        return CINCH_XML_BAD;
    if (empty) {
        xml->prefixes = element->prefixes;
        return CINCH_XML_BOTH;
    }
    xml->depth++;
    return CINCH_XML_BEGIN;
}

static cinch_xml_event end(cinch_xml *xml, tag *t)
{
    char name[CINCH_XML_NAME];

    if (!read_name(t, name) || xml->depth == 0 || strcmp(name, xml->open[xml->depth - 1].name) != 0)
        return CINCH_XML_BAD;
    (void)skip_space(t);
    if (t->at != t->end)
        return CINCH_XML_BAD;
    xml->depth--;
    xml->prefixes = xml->open[xml->depth].prefixes;
    return CINCH_XML_END;
}

cinch_xml_event cinch_xml_tag(cinch_xml *xml, const char *text, size_t size)
{
    tag t = {text + 1, text + size - 1};
    int begun = xml->begun;

    xml->begun = 1;
    if (size < 3)
        return CINCH_XML_BAD;
    if (*t.at == '?')
        /* "<?xml" and a space: the declaration, which is only possible at the start. */
        return !begun && size > 7 && memcmp(text, "<?xml", 5) == 0 && is_space(text[5]) &&
                       text[size - 2] == '?'
                   ? CINCH_XML_NOTHING
                   : CINCH_XML_BAD;
    if (*t.at == '/') {
        t.at++;
        return end(xml, &t);
    }
    int empty = t.end[-1] == '/';
    if (empty)
        t.end--;
    return begin(xml, &t, empty);
}

int cinch_xml_byte(cinch_xml *xml, unsigned char byte, size_t before)
{
    if (byte == 0 || (before == 1 && byte == '!') || (before > 0 && byte == '<'))
        return -1;
    if (xml->quote != 0) {
        if (byte == (unsigned char)xml->quote)
            xml->quote = 0;
        return 0;
    }
    if (byte == '"' || byte == '\'')
        xml->quote = (char)byte;
    return byte == '>';
}

const char *cinch_xml_local(const cinch_xml_element *element)
{
    const char *colon = strchr(element->name, ':');

    return colon != NULL ? colon + 1 : element->name;
}
