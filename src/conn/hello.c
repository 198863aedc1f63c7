#include "conn/hello.h"

#include "base/numbers.h"

#include <openssl/tls1.h>
#include <stdio.h>
#include <string.h>

/* At most this many names of a list are shown. */
#define MOST_NAMES 14

/* Takes COUNT bytes off the front of IN as a number; 0 if there are not as many. */
static int take_number(cinch_span *in, size_t count, size_t *number)
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

/* Takes a vector whose length is in the first COUNT bytes. */
static int take_vector(cinch_span *in, size_t count, cinch_span *vector)
{
    size_t size;

    if (!take_number(in, count, &size) || in->size < size)
        return 0;
    *vector = (cinch_span){in->bytes, size};
    in->bytes += size;
    in->size -= size;
    return 1;
}

static int take_extension(cinch_span *in, cinch_hello *hello)
{
    size_t type;
    cinch_span body;

    if (!take_number(in, 2, &type) || !take_vector(in, 2, &body))
        return 0;
    switch (type) {
    case TLSEXT_TYPE_supported_versions:
        return take_vector(&body, 1, &hello->versions);
    case TLSEXT_TYPE_supported_groups:
        return take_vector(&body, 2, &hello->groups);
    case TLSEXT_TYPE_signature_algorithms:
        return take_vector(&body, 2, &hello->sigalgs);
    case TLSEXT_TYPE_application_layer_protocol_negotiation:
        return take_vector(&body, 2, &hello->alpn);
    default:
        return 1;
    }
}

int cinch_hello_parse(cinch_hello *hello, const unsigned char *message, size_t size)
{
    cinch_span in = {message, size}, body, ignored, extensions;
    size_t type, version;

    *hello = (cinch_hello){0};
    if (!take_number(&in, 1, &type) || type != 1 || !take_vector(&in, 3, &body) ||
        !take_number(&body, 2, &version) || body.size < 32)
        return 0;
    hello->legacy_version = (int)version;
    body.bytes += 32;
    body.size -= 32;
    if (!take_vector(&body, 1, &ignored) || !take_vector(&body, 2, &hello->ciphers) ||
        !take_vector(&body, 1, &ignored))
        return 0;
    if (body.size == 0)
        return 1;
    if (!take_vector(&body, 2, &extensions))
        return 0;
    while (extensions.size > 0)
        if (!take_extension(&extensions, hello))
            return 0;
    return 1;
}

static int pair(cinch_span span, size_t at)
{
    return span.bytes[at] << 8 | span.bytes[at + 1];
}

int cinch_hello_has(cinch_span span, int value)
{
    for (size_t at = 0; at + 1 < span.size; at += 2)
        if (pair(span, at) == value)
            return 1;
    return 0;
}

char *cinch_list_pairs(cinch_span span, const char *(*name_of)(int value, void *arg), void *arg,
                       char *buf, size_t size)
{
    size_t used = 0, shown = 0, more = 0;

    buf[0] = 0;
    for (size_t at = 0; at + 1 < span.size; at += 2) {
        int value = pair(span, at);
        const char *name = name_of(value, arg);
        char number[16];

        if (cinch_is_grease((unsigned)value) || (name != NULL && *name == 0))
            continue;
        if (name == NULL) {
            snprintf(number, sizeof number, "0x%04x", (unsigned)value);
            name = number;
        }
        if (shown >= MOST_NAMES || used + strlen(name) + 24 > size) {
            more++;
            continue;
        }
        used += (size_t)snprintf(buf + used, size - used, "%s%s", shown > 0 ? ", " : "", name);
        shown++;
    }
    if (more > 0)
        snprintf(buf + used, size - used, " and %zu more", more);
    return buf;
}

static const char *version_name(int value, void *arg)
{
    (void)arg;
    return cinch_number_name(CINCH_NUMBERS_VERSION, (unsigned)value);
}

const char *cinch_version_text(int version, char buf[static 16])
{
    const char *name = version_name(version, NULL);

    if (name != NULL && !cinch_is_grease((unsigned)version))
        return name;
    snprintf(buf, 16, "0x%04x", (unsigned)version);
    return buf;
}

char *cinch_hello_versions(const cinch_hello *hello, char *buf, size_t size)
{
    char text[16];

    if (hello->versions.size > 0)
        return cinch_list_pairs(hello->versions, version_name, NULL, buf, size);
    snprintf(buf, size, "%s and older", cinch_version_text(hello->legacy_version, text));
    return buf;
}

static const char *group_name(int value, void *arg)
{
    (void)arg;
    return cinch_group_common_name((unsigned)value);
}

char *cinch_hello_groups(cinch_span span, char *buf, size_t size)
{
    return cinch_list_pairs(span, group_name, NULL, buf, size);
}

static const char *sigalg_name(int value, void *arg)
{
    (void)arg;
    return cinch_number_name(CINCH_NUMBERS_SIGALG, (unsigned)value);
}

char *cinch_hello_sigalgs(cinch_span span, char *buf, size_t size)
{
    return cinch_list_pairs(span, sigalg_name, NULL, buf, size);
}
