#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * Reads one character of valid UTF-8 (RFC 3629: shortest form, no surrogates) of at most SIZE bytes.
 * Returns its length, 0 if the bytes are not one.
 */
static size_t read_character(const unsigned char *in, size_t size, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = in[0] < 0x80   ? 1
                    : in[0] < 0xc0 ? 0
                    : in[0] < 0xe0 ? 2
                    : in[0] < 0xf0 ? 3
                    : in[0] < 0xf8 ? 4
                                   : 0;

    if (length == 0 || length > size)
        return 0;
    uint32_t c = length == 1 ? in[0] : in[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (in[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return length;
}

/* What a terminal would obey, or what would make a text read otherwise than it is written. */
static int is_fit(uint32_t c, int keep_lines)
{
    if (c == '\n')
        return keep_lines;
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return 0;
    return !((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
             (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x61c);
}

static void cut(char *out, size_t out_size)
{
    if (out_size < 4)
        return;
    /* Back to the start of the character that has to go for the dots. */
    size_t at = out_size - 4;
    while (at > 0 && ((unsigned char)out[at] & 0xc0) == 0x80)
        at--;
    memcpy(out + at, "...", 4);
}

size_t cinch_text_clean(char *out, size_t out_size, const void *in, size_t size, int keep_lines)
{
    const unsigned char *bytes = in;
    size_t at = 0;

    if (out_size == 0)
        return 0;
    memset(out, 0, out_size);
    for (size_t i = 0; i < size;) {
        char piece[20];
        uint32_t c = 0;
        size_t length = read_character(bytes + i, size - i, &c);
        size_t piece_length = 0;

        if (length > 0 && is_fit(c, keep_lines)) {
            memcpy(piece, bytes + i, length);
            piece_length = length;
        } else {
            if (length == 0)
                length = 1;
            for (size_t k = 0; k < length; k++)
                piece_length += (size_t)snprintf(piece + piece_length, sizeof piece - piece_length,
                                                 "\\x%02x", bytes[i + k]);
        }
        if (piece_length > out_size - 1 - at) {
            memset(out + at, 0, out_size - at);
            if (at + 4 > out_size)
                cut(out, out_size);
            else
                memcpy(out + at, "...", 4);
            return strlen(out);
        }
        memcpy(out + at, piece, piece_length);
        at += piece_length;
        i += length;
    }
    return at;
}

char *cinch_text_hex(char *out, size_t out_size, const void *in, size_t size, char separator)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = in;
    size_t at = 0;

    if (out_size == 0)
        return out;
    for (size_t i = 0; i < size; i++) {
        int between = separator != 0 && i > 0;

        if (at + (between ? 3 : 2) >= out_size)
            break;
        if (between)
            out[at++] = separator;
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 15];
    }
    out[at] = 0;
    return out;
}
