/*
 * xml.h: the few things that have to be known of the XML of an XMPP stream (RFC 6120, 11): elements,
 * their names and namespaces. What XMPP forbids (comments, CDATA, DOCTYPE, processing instructions) is
 * refused where it begins, so that nothing can hide in it.
 */
#ifndef CINCH_STARTTLS_XML_H
#define CINCH_STARTTLS_XML_H

#include <stddef.h>

enum {
    CINCH_XML_DEPTH = 12,    /* elements within each other */
    CINCH_XML_NAME = 64,     /* one name, with its NUL */
    CINCH_XML_PREFIXES = 16, /* namespace prefixes in force */
};

/* The namespaces that matter. */
typedef enum cinch_xml_space {
    CINCH_XML_OTHER,
    CINCH_XML_STREAMS, /* http://etherx.jabber.org/streams */
    CINCH_XML_TLS      /* urn:ietf:params:xml:ns:xmpp-tls */
} cinch_xml_space;

typedef struct cinch_xml_element {
    char name[CINCH_XML_NAME]; /* as written, with its prefix */
    cinch_xml_space space;
    cinch_xml_space without_prefix; /* the default namespace inside */
    size_t prefixes;                /* how many were in force outside */
} cinch_xml_element;

typedef struct cinch_xml {
    cinch_xml_element open[CINCH_XML_DEPTH];
    size_t depth;
    struct {
        char name[CINCH_XML_NAME];
        cinch_xml_space space;
    } prefix[CINCH_XML_PREFIXES];
    size_t prefixes;
    int begun;       /* something other than the XML declaration has come */
    int has_version; /* the element read last has an attribute "version" */
    char quote;      /* within a tag: the quote that ends the value, 0 outside of values */
} cinch_xml;

/* What one tag did. */
typedef enum cinch_xml_event {
    CINCH_XML_NOTHING, /* the XML declaration */
    CINCH_XML_BEGIN,   /* an element: open[depth - 1] */
    CINCH_XML_END,     /* the end of one, which is still at open[depth] */
    CINCH_XML_BOTH,    /* an empty element, which is still at open[depth] */
    CINCH_XML_BAD      /* no XML, or none that XMPP allows */
} cinch_xml_event;

/* cinch_xml_tag reads the whole tag at TEXT, SIZE bytes from '<' to '>'; TEXT ends with a NUL. */
cinch_xml_event cinch_xml_tag(cinch_xml *xml, const char *text, size_t size);

/*
 * cinch_xml_byte takes one BYTE of a tag that has begun: 1 if it is the last, 0 if not, -1 if it
 * cannot be there. BEFORE counts the bytes of the tag so far.
 */
int cinch_xml_byte(cinch_xml *xml, unsigned char byte, size_t before);

/* cinch_xml_local gives the name of ELEMENT without its prefix. */
const char *cinch_xml_local(const cinch_xml_element *element);

#endif
