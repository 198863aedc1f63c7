/*
 * hello_view.c: a ClientHello as a callback sees it. It is taken from the message itself, because
 * libssl tells only of the extensions that it knows. The bytes are a stranger's.
 */
#include "base/memory.h"
#include "base/numbers.h"
#include "context/hosts.h"

#include <openssl/tls1.h>
#include <string.h>

typedef struct span {
    const unsigned char *bytes;
    size_t size;
} span;

/* The parts of the message, still as on the wire. */
typedef struct parts {
    unsigned legacy_version;
    span suites;
    span extensions;
    span versions;
    span groups;
    span sigalgs;
    span alpn;
    size_t extension_count;
} parts;

/* One block of memory, so that one call frees it. */
typedef struct view {
    cinch_client_hello hello;
    char ja4[CINCH_JA4_TEXT];
    char name[CINCH_HOST_TEXT];
} view;

static int take_number(span *in, size_t count, unsigned *number)
{
    if (in->size < count)
        return 0;
    *number = 0;
    for (size_t i = 0; i < count; i++)
        *number = *number << 8 | in->bytes[i];
    in->bytes += count;
    in->size -= count;
    return 1;
}

static int take_vector(span *in, size_t count, span *vector)
{
    unsigned size;

    if (!take_number(in, count, &size) || in->size < size)
        return 0;
    *vector = (span){in->bytes, size};
    in->bytes += size;
    in->size -= size;
    return 1;
}

static int take_whole(span *in, size_t count, span *vector)
{
    return take_vector(in, count, vector) && in->size == 0;
}

/* A body that is malformed counts as empty: libssl refuses what it cannot do without. */
static void see_extension(unsigned type, span body, parts *p)
{
    span list = {0};

    switch (type) {
    case TLSEXT_TYPE_supported_versions:
        if (take_whole(&body, 1, &list))
            p->versions = list;
        break;
    case TLSEXT_TYPE_supported_groups:
        if (take_whole(&body, 2, &list))
            p->groups = list;
        break;
    case TLSEXT_TYPE_signature_algorithms:
        if (take_whole(&body, 2, &list))
            p->sigalgs = list;
        break;
    case TLSEXT_TYPE_application_layer_protocol_negotiation:
        if (take_whole(&body, 2, &list))
            p->alpn = list;
        break;
    default:
        break;
    }
}

/* RFC 8446, 4.1.2. */
static int split(span in, parts *p)
{
    span body, ignored, rest, extension;
    unsigned type;

    *p = (parts){0};
    if (!take_number(&in, 1, &type) || type != 1 || !take_whole(&in, 3, &body) ||
        !take_number(&body, 2, &p->legacy_version) || body.size < 32)
        return 0;
    body.bytes += 32;
    body.size -= 32;
    if (!take_vector(&body, 1, &ignored) || !take_vector(&body, 2, &p->suites) ||
        !take_vector(&body, 1, &ignored))
        return 0;
    if (body.size == 0)
        return 1;
    if (!take_whole(&body, 2, &p->extensions))
        return 0;
    for (rest = p->extensions; rest.size > 0; p->extension_count++) {
        if (!take_number(&rest, 2, &type) || !take_vector(&rest, 2, &extension))
            return 0;
        see_extension(type, extension, p);
    }
    return 1;
}

static cinch_numbers numbers(span in, uint16_t **out)
{
    cinch_numbers list = {*out, 0};
    unsigned value;

    while (take_number(&in, 2, &value))
        if (!cinch_is_grease(value))
            (*out)[list.count++] = (uint16_t)value;
    *out += list.count;
    return list;
}

static cinch_numbers types(span in, uint16_t **out)
{
    cinch_numbers list = {*out, 0};
    unsigned type;
    span body;

    while (take_number(&in, 2, &type) && take_vector(&in, 2, &body))
        if (!cinch_is_grease(type))
            (*out)[list.count++] = (uint16_t)type;
    *out += list.count;
    return list;
}

/* Versions count by the extension; before TLS 1.3 there was one number (RFC 8446, 4.2.1). */
static cinch_numbers versions(const parts *p, uint16_t **out)
{
    if (p->versions.size > 0)
        return numbers(p->versions, out);
    cinch_numbers list = {*out, 1};
    *(*out)++ = (uint16_t)p->legacy_version;
    return list;
}

/*
 * The protocols as texts. One with a NUL in it is left out: as a text it would be another protocol
 * than on the wire (as CVE-2013-4238 was for names).
 */
static void protocols(span in, const char **list, char *text)
{
    span name;

    while (take_vector(&in, 1, &name)) {
        if (name.size == 0 || memchr(name.bytes, 0, name.size) != NULL ||
            (name.size == 2 && cinch_is_grease((unsigned)(name.bytes[0] << 8 | name.bytes[1]))))
            continue;
        memcpy(text, name.bytes, name.size);
        text[name.size] = 0;
        *list++ = text;
        text += name.size + 1;
    }
    *list = NULL;
}

static size_t count_protocols(span in)
{
    size_t count = 0;
    span name;

    while (take_vector(&in, 1, &name))
        count++;
    return count;
}

static size_t round_up(size_t size)
{
    return (size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
}

cinch_client_hello *cinch_hello_view_new(const unsigned char *message, size_t size,
                                         const char *name)
{
    parts p;
    span first = {0}, list;

    if (message == NULL || !split((span){message, size}, &p) || strlen(name) >= CINCH_HOST_TEXT)
        return NULL;
    size_t pairs = (p.suites.size + p.versions.size + p.groups.size + p.sigalgs.size) / 2 +
                   p.extension_count + 1;
    size_t texts = (count_protocols(p.alpn) + 1) * sizeof(char *);
    /* The texts are as long as in the message: a NUL behind each for the length in front. */
    size_t room = round_up(sizeof(view)) + texts + round_up(pairs * sizeof(uint16_t));
    unsigned char *memory = cinch_alloc(room + p.alpn.size);
    if (memory == NULL)
        return NULL;
    view *v = (void *)memory;
    const char **alpn = (void *)(memory + round_up(sizeof(view)));
    uint16_t *out = (void *)(memory + round_up(sizeof(view)) + texts);

    memcpy(v->name, name, strlen(name) + 1);
    protocols(p.alpn, alpn, (char *)memory + room);
    v->hello.server_name = v->name;
    v->hello.alpn = alpn;
    v->hello.suites = numbers(p.suites, &out);
    v->hello.versions = versions(&p, &out);
    v->hello.groups = numbers(p.groups, &out);
    v->hello.sigalgs = numbers(p.sigalgs, &out);
    v->hello.extensions = types(p.extensions, &out);
    v->hello.ja4 = v->ja4;
    list = p.alpn;
    if (!take_vector(&list, 1, &first))
        first = (span){0};
    if (!cinch_ja4(&v->hello, first.bytes, first.size, v->ja4)) {
        cinch_release(memory);
        return NULL;
    }
    return &v->hello;
}
