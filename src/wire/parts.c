/* parts.c: bytes read by the tables of parts.h. */
#include "wire/parts.h"

#include "base/certificate.h"
#include "base/openssl.h"
#include "base/text.h"
#include "base/x509_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int cinch_wire_take(const cinch_wire_build *b, cinch_wire_span *in, unsigned width, size_t *value)
{
    if (in->end - in->at < width)
        return 0;
    *value = 0;
    for (unsigned i = 0; i < width; i++)
        *value = *value << 8 | b->bytes[in->at + i];
    in->at += width;
    return 1;
}

/* Takes a vector whose size is in the first WIDTH bytes; *ALL is it with them. */
static int take_vector(const cinch_wire_build *b, cinch_wire_span *in, unsigned width,
                       cinch_wire_span *all, cinch_wire_span *content)
{
    size_t start = in->at, size;

    if (!cinch_wire_take(b, in, width, &size) || in->end - in->at < size) {
        in->at = start;
        return 0;
    }
    *content = (cinch_wire_span){in->at, in->at + size};
    in->at += size;
    *all = (cinch_wire_span){start, in->at};
    return 1;
}

static int cut_short(cinch_wire_build *b, cinch_wire_span *in, const char *name)
{
    b->malformed = 1;
    cinch_wire_add(b, name, *in, cinch_wire_say(b, "cut short: %s", cinch_wire_hex(b, *in)));
    in->at = in->end;
    return 0;
}

void cinch_wire_left(cinch_wire_build *b, cinch_wire_span in)
{
    if (in.at == in.end)
        return;
    b->malformed = 1;
    cinch_wire_add(b, "left_over", in, cinch_wire_hex(b, in));
}

static void read_text(cinch_wire_build *b, const char *name, cinch_wire_span all,
                      cinch_wire_span content)
{
    char text[400];

    cinch_text_clean(text, sizeof text, b->bytes + content.at, content.end - content.at, 0);
    cinch_wire_add(b, name, all, cinch_wire_say(b, "%s", text));
}

static void read_list(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span all,
                      cinch_wire_span content)
{
    size_t value, start;

    cinch_wire_add(b, part->name, all, content.at == content.end ? "empty" : "");
    b->depth++;
    while (start = content.at, cinch_wire_take(b, &content, part->each, &value))
        cinch_wire_add(b, part->item, (cinch_wire_span){start, content.at},
                       cinch_wire_number(b, part->registry, part->each, (unsigned)value));
    cinch_wire_left(b, content);
    b->depth--;
}

static int read_vector(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span all,
                       cinch_wire_span content)
{
    int fits = 1;

    cinch_wire_add(b, part->name, all, content.at == content.end ? "empty" : "");
    b->depth++;
    while (fits && content.at < content.end) {
        size_t before = content.at;

        fits = cinch_wire_read(b, part->inside, &content) && content.at > before;
    }
    b->depth--;
    return fits;
}

static void read_extension(cinch_wire_build *b, unsigned type, cinch_wire_span all,
                           cinch_wire_span content)
{
    const char *name = cinch_number_name(CINCH_NUMBERS_EXTENSION, type);
    const cinch_wire_part *parts = cinch_wire_extension(type, b->place);
    int known = parts != NULL && parts->form != CINCH_WIRE_DONE;

    if (name == NULL || cinch_is_grease(type))
        name = cinch_wire_say(b, "%s (0x%04x)", name != NULL ? name : "extension", type);
    cinch_wire_add(b, name, all,
                   known && content.at < content.end ? "" : cinch_wire_hex(b, content));
    b->depth++;
    if (parts != NULL && (content.at < content.end || known) && cinch_wire_read(b, parts, &content))
        cinch_wire_left(b, content);
    b->depth--;
}

static int read_extensions(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span all,
                           cinch_wire_span content)
{
    cinch_wire_add(b, part->name, all, content.at == content.end ? "empty" : "");
    b->depth++;
    while (content.at < content.end) {
        cinch_wire_span whole, body, rest = content;
        size_t type;

        if (!cinch_wire_take(b, &rest, 2, &type) || !take_vector(b, &rest, 2, &whole, &body)) {
            (void)cut_short(b, &content, "extension");
            break;
        }
        whole.at = content.at;
        read_extension(b, (unsigned)type, whole, body);
        content.at = rest.at;
    }
    b->depth--;
    return 1;
}

static const char *date(cinch_wire_build *b, int64_t when)
{
    time_t seconds = (time_t)when;
    char text[40];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "not readable";
    return cinch_wire_say(b, "%s", text);
}

/* Whom it is for, as far as there is room. */
static const char *names(cinch_wire_build *b, const cinch_certificate *certificate)
{
    char text[600] = "";
    size_t used = 0, i = 0;

    for (; i < certificate->name_count; i++) {
        const char *name = certificate->names[i].text;

        if (used + strlen(name) + 32 > sizeof text)
            break;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "", name);
    }
    if (i < certificate->name_count)
        (void)snprintf(text + used, sizeof text - used, "%s%zu more", i > 0 ? " and " : "",
                       certificate->name_count - i);
    return cinch_wire_say(b, "%s", text);
}

static void add_certificate(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span all,
                            cinch_wire_span content)
{
    cinch_error why = CINCH_ERROR_INIT;
    X509 *x = cinch_x509_read(b->bytes + content.at, content.end - content.at);
    cinch_certificate *certificate = x == NULL ? NULL : cinch_certificate_x509(x, &why);
    cinch_wire_span none = {content.at, content.at};

    if (certificate == NULL) {
        cinch_openssl_errors errors = cinch_openssl_take_errors();

        b->no_memory |= why.cause == CINCH_CAUSE_MEMORY || errors.out_of_memory;
        b->malformed = 1;
        cinch_wire_add(b, part->name, all,
                       cinch_wire_say(b, "no certificate: %s", cinch_wire_hex(b, content)));
    } else {
        cinch_wire_add(b, part->name, all, "");
        b->depth++;
        cinch_wire_add(b, "subject", none, cinch_wire_say(b, "%s", certificate->subject));
        cinch_wire_add(b, "issuer", none, cinch_wire_say(b, "%s", certificate->issuer));
        cinch_wire_add(b, "serial", none, cinch_wire_say(b, "%s", certificate->serial));
        cinch_wire_add(b, "names", none, names(b, certificate));
        cinch_wire_add(b, "not_before", none, date(b, certificate->not_before));
        cinch_wire_add(b, "not_after", none, date(b, certificate->not_after));
        b->depth--;
    }
    cinch_certificate_free(certificate);
    X509_free(x);
    cinch_openssl_clear();
}

static void add_name(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span all,
                     cinch_wire_span content)
{
    const unsigned char *at = b->bytes + content.at;
    X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)(content.end - content.at));
    char text[CINCH_NAME_TEXT];
    int whole = name != NULL && at == b->bytes + content.end;

    if (whole) {
        cinch_wire_add(b, part->name, all,
                       cinch_wire_say(b, "%s", cinch_name_text(name, text, sizeof text)));
    } else {
        b->malformed = 1;
        cinch_wire_add(b, part->name, all,
                       cinch_wire_say(b, "no name: %s", cinch_wire_hex(b, content)));
    }
    b->no_memory |= cinch_openssl_take_errors().out_of_memory;
    X509_NAME_free(name);
}

/* A part of which the first `width` bytes are its size. */
static int read_sized(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span *in)
{
    cinch_wire_span all, content;

    if (!take_vector(b, in, part->width, &all, &content))
        return cut_short(b, in, part->name);
    switch (part->form) {
    case CINCH_WIRE_TEXT:
        read_text(b, part->name, all, content);
        return 1;
    case CINCH_WIRE_LIST:
        read_list(b, part, all, content);
        return 1;
    case CINCH_WIRE_VECTOR:
        return read_vector(b, part, all, content);
    case CINCH_WIRE_EXTENSIONS:
        return read_extensions(b, part, all, content);
    case CINCH_WIRE_CERTIFICATE:
        add_certificate(b, part, all, content);
        return 1;
    case CINCH_WIRE_DN:
        add_name(b, part, all, content);
        return 1;
    default:
        cinch_wire_add(b, part->name, all, cinch_wire_hex(b, content));
        return 1;
    }
}

static int read_part(cinch_wire_build *b, const cinch_wire_part *part, cinch_wire_span *in)
{
    cinch_wire_span here = *in;
    size_t value;

    switch (part->form) {
    case CINCH_WIRE_NUMBER:
        if (!cinch_wire_take(b, in, part->width, &value))
            return cut_short(b, in, part->name);
        here.end = in->at;
        cinch_wire_add(b, part->name, here,
                       cinch_wire_number(b, part->registry, part->width, (unsigned)value));
        return 1;
    case CINCH_WIRE_BYTES:
        if (in->end - in->at < part->width)
            return cut_short(b, in, part->name);
        in->at += part->width;
        here.end = in->at;
        cinch_wire_add(b, part->name, here, cinch_wire_hex(b, here));
        return 1;
    case CINCH_WIRE_REST:
        in->at = in->end;
        if (here.at < here.end)
            cinch_wire_add(b, part->name, here, cinch_wire_hex(b, here));
        return 1;
    default:
        return read_sized(b, part, in);
    }
}

int cinch_wire_read(cinch_wire_build *b, const cinch_wire_part *parts, cinch_wire_span *in)
{
    for (; parts->form != CINCH_WIRE_DONE; parts++) {
        if (parts->optional && in->at == in->end)
            continue;
        if (!read_part(b, parts, in))
            return 0;
    }
    return 1;
}
