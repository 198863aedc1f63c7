/*
 * ja4.c: JA4, a name for a kind of client by how its ClientHello looks, whatever order it shuffles
 * its extensions into. As FoxIO describes it, with values of RFC 8701 left out.
 */
#include "base/memory.h"
#include "base/openssl.h"
#include "context/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXTENSION_SERVER_NAME 0x0000
#define EXTENSION_ALPN 0x0010

static const char *version_code(const cinch_client_hello *hello)
{
    unsigned highest = 0;

    for (size_t i = 0; i < hello->versions.count; i++)
        if (hello->versions.numbers[i] > highest)
            highest = hello->versions.numbers[i];
    switch (highest) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    case 0x0002:
        return "s2";
    default:
        return "00";
    }
}

static int is_alphanumeric(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* The first and last character; of the bytes in hexadecimal where one is not a letter or digit. */
static void alpn_code(const unsigned char *name, size_t size, char code[static 3])
{
    static const char digits[] = "0123456789abcdef";

    memcpy(code, "00", 3);
    if (size == 0)
        return;
    int first = name[0], last = name[size - 1];
    int plain = is_alphanumeric(first) && is_alphanumeric(last);
    code[0] = plain ? (char)first : digits[first >> 4];
    code[1] = plain ? (char)last : digits[last & 15];
}

static int by_number(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static size_t write_list(char *out, const uint16_t *list, size_t count)
{
    size_t at = 0;

    for (size_t i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, 6, "%s%04x", i > 0 ? "," : "", (unsigned)list[i]);
    return at;
}

/* The first twelve hexadecimal digits of the SHA-256 of TEXT. */
static int short_hash(const char *text, size_t size, char out[static 13])
{
    unsigned char digest[32];

    if (!cinch_openssl_sha256(text, size, digest))
        return 0;
    for (size_t i = 0; i < 6; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return 1;
}

/* The hash of LIST, sorted, and of THEN, as it is. Empty: zeros. */
static int hash_lists(cinch_numbers list, cinch_numbers then, int skip, char out[static 13])
{
    uint16_t *sorted = cinch_alloc_array(list.count + 1, sizeof *sorted);
    char *text = cinch_alloc((list.count + then.count) * 5 + 8);
    size_t count = 0, at;
    int ok = 0;

    if (sorted == NULL || text == NULL)
        goto out;
    for (size_t i = 0; i < list.count; i++)
        if (!skip ||
            (list.numbers[i] != EXTENSION_SERVER_NAME && list.numbers[i] != EXTENSION_ALPN))
            sorted[count++] = list.numbers[i];
    memcpy(out, "000000000000", 13);
    ok = 1;
    if (count == 0)
        goto out;
    qsort(sorted, count, sizeof *sorted, by_number);
    at = write_list(text, sorted, count);
    if (then.count > 0) {
        text[at++] = '_';
        at += write_list(text + at, then.numbers, then.count);
    }
    ok = short_hash(text, at, out);
out:
    cinch_release(text);
    cinch_release(sorted);
    return ok;
}

static unsigned at_most_99(size_t count)
{
    return count > 99 ? 99 : (unsigned)count;
}

int cinch_ja4(const cinch_client_hello *hello, const unsigned char *first, size_t first_size,
              char text[static CINCH_JA4_TEXT])
{
    char alpn[3], suites[13], extensions[13];
    int names = 0;

    for (size_t i = 0; i < hello->extensions.count; i++)
        names |= hello->extensions.numbers[i] == EXTENSION_SERVER_NAME;
    alpn_code(first, first_size, alpn);
    if (!hash_lists(hello->suites, (cinch_numbers){0}, 0, suites) ||
        !hash_lists(hello->extensions, hello->sigalgs, 1, extensions))
        return 0;
    /* "t": over TCP; this library does neither QUIC nor DTLS. */
    return snprintf(text, CINCH_JA4_TEXT, "t%s%c%02u%02u%s_%s_%s", version_code(hello),
                    names ? 'd' : 'i', at_most_99(hello->suites.count),
                    at_most_99(hello->extensions.count), alpn, suites,
                    extensions) == CINCH_JA4_TEXT - 1;
}
