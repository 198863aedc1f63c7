#include "trust/bundle.h"

#include <stdint.h>
#include <string.h>

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LONGEST_LABEL 64u

/* A Base64 character's value (RFC 4648, 4) with VALID set; 0 for any other byte. */
#define VALID 0x40u
#define V(value) (VALID | (value))

static const unsigned char base64[256] = {
    ['A'] = V(0),  ['B'] = V(1),  ['C'] = V(2),  ['D'] = V(3),  ['E'] = V(4),  ['F'] = V(5),
    ['G'] = V(6),  ['H'] = V(7),  ['I'] = V(8),  ['J'] = V(9),  ['K'] = V(10), ['L'] = V(11),
    ['M'] = V(12), ['N'] = V(13), ['O'] = V(14), ['P'] = V(15), ['Q'] = V(16), ['R'] = V(17),
    ['S'] = V(18), ['T'] = V(19), ['U'] = V(20), ['V'] = V(21), ['W'] = V(22), ['X'] = V(23),
    ['Y'] = V(24), ['Z'] = V(25), ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29),
    ['e'] = V(30), ['f'] = V(31), ['g'] = V(32), ['h'] = V(33), ['i'] = V(34), ['j'] = V(35),
    ['k'] = V(36), ['l'] = V(37), ['m'] = V(38), ['n'] = V(39), ['o'] = V(40), ['p'] = V(41),
    ['q'] = V(42), ['r'] = V(43), ['s'] = V(44), ['t'] = V(45), ['u'] = V(46), ['v'] = V(47),
    ['w'] = V(48), ['x'] = V(49), ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53),
    ['2'] = V(54), ['3'] = V(55), ['4'] = V(56), ['5'] = V(57), ['6'] = V(58), ['7'] = V(59),
    ['8'] = V(60), ['9'] = V(61), ['+'] = V(62), ['/'] = V(63),
};

size_t cinch_bundle_line(const unsigned char *bytes, size_t at)
{
    size_t line = 1;

    for (size_t i = 0; i < at; i++)
        line += bytes[i] == '\n';
    return line;
}

int cinch_bundle_is(const cinch_bundle *pem, const char *label)
{
    return pem->label_size == strlen(label) && memcmp(pem->label, label, pem->label_size) == 0;
}

int cinch_bundle_ends(const cinch_bundle *pem, const char *ending)
{
    size_t size = strlen(ending);

    return pem->label_size >= size &&
           memcmp(pem->label + pem->label_size - size, ending, size) == 0;
}

static int is_space(unsigned char c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

static cinch_bundle_found damaged(cinch_bundle *pem, size_t at, const char *damage)
{
    pem->begin = at;
    pem->damage = damage;
    return CINCH_BUNDLE_DAMAGED;
}

static int starts(const cinch_bundle *pem, size_t at, const char *word)
{
    size_t size = strlen(word);

    return pem->size - at >= size && memcmp(pem->bytes + at, word, size) == 0;
}

/* The byte behind the line that AT is in. */
static size_t next_line(const cinch_bundle *pem, size_t at)
{
    const unsigned char *end = memchr(pem->bytes + at, '\n', pem->size - at);

    return end == NULL ? pem->size : (size_t)(end - pem->bytes) + 1;
}

/* The label between WORD and the dashes in the line at AT; 0 if the line does not have this form. */
static int read_label(const cinch_bundle *pem, size_t at, const char *word, const char **label,
                      size_t *size)
{
    size_t start = at + strlen(word), end = next_line(pem, at);

    while (end > start && is_space(pem->bytes[end - 1]))
        end--;
    if (end < start + strlen(DASHES) + 1 || !starts(pem, end - strlen(DASHES), DASHES))
        return 0;
    *label = (const char *)pem->bytes + start;
    *size = end - strlen(DASHES) - start;
    return *size <= LONGEST_LABEL;
}

/* Finds the END line of the block whose body starts at pem->body. */
static cinch_bundle_found find_end(cinch_bundle *pem)
{
    const char *label;
    size_t label_size;

    /* There is no dash in Base64: memchr() leaps from the first line to the last. */
    for (size_t at = pem->body; at < pem->size; at++) {
        const unsigned char *dash = memchr(pem->bytes + at, '-', pem->size - at);

        if (dash == NULL)
            break;
        at = (size_t)(dash - pem->bytes);
        if (pem->bytes[at - 1] != '\n' || !starts(pem, at, DASHES))
            continue;
        if (!starts(pem, at, END))
            break;
        if (!read_label(pem, at, END, &label, &label_size))
            return damaged(pem, at, "is no complete END line");
        if (label_size != pem->label_size || memcmp(label, pem->label, label_size) != 0)
            return damaged(pem, at, "ends another kind of block than the one before it begins");
        pem->body_size = at - pem->body;
        pem->at = next_line(pem, at);
        return CINCH_BUNDLE_BLOCK;
    }
    /* Taking what is there would trust less, or more, than the whole file says. */
    return damaged(pem, pem->begin, "begins a block that has no END line");
}

cinch_bundle_found cinch_bundle_next(cinch_bundle *pem)
{
    /* Editors of other systems mark UTF-8 in this way. */
    if (pem->at == 0 && starts(pem, 0, "\xef\xbb\xbf"))
        pem->at = 3;
    for (; pem->at < pem->size; pem->at = next_line(pem, pem->at)) {
        if (pem->bytes[pem->at] != '-')
            continue;
        if (starts(pem, pem->at, END))
            return damaged(pem, pem->at, "ends a block that does not begin anywhere");
        if (!starts(pem, pem->at, BEGIN))
            continue;
        pem->begin = pem->at;
        if (!read_label(pem, pem->at, BEGIN, &pem->label, &pem->label_size))
            return damaged(pem, pem->at, "is no complete BEGIN line");
        pem->body = next_line(pem, pem->at);
        return find_end(pem);
    }
    return CINCH_BUNDLE_NONE;
}

/* One character at a time, for the ends of lines and of the block. */
typedef struct base64_group {
    uint32_t bits;
    unsigned count;   /* characters, padding included: 0 to 4 */
    unsigned padding; /* of them '=' */
} base64_group;

/* Takes C into GROUP; 0 if it may not stand here. */
static int take(base64_group *group, unsigned char c)
{
    if (c == '=' && group->count >= 2 && group->count < 4)
        group->padding++;
    else if (base64[c] == 0 || group->padding > 0)
        return 0;
    group->bits = group->bits << 6 | (base64[c] & 0x3fu);
    group->count++;
    return 1;
}

/* Writes the bytes of a full GROUP. Padding stays set: nothing may follow it. */
static size_t put(base64_group *group, unsigned char *out)
{
    size_t n = 3 - group->padding;

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(group->bits >> (16 - 8 * i));
    group->count = 0;
    group->bits = 0;
    return n;
}

/* Decodes whole groups of four from *AT as long as there is nothing but Base64. */
static size_t decode_fast(const unsigned char *in, size_t size, size_t *at, unsigned char *out)
{
    const unsigned char *p = in + *at, *end = in + size;
    unsigned char *o = out;

    for (; end - p >= 4; p += 4, o += 3) {
        unsigned a = base64[p[0]], b = base64[p[1]], c = base64[p[2]], d = base64[p[3]];

        if ((a & b & c & d & VALID) == 0)
            break;
        uint32_t bits = (a & 0x3f) << 18 | (b & 0x3f) << 12 | (c & 0x3f) << 6 | (d & 0x3f);
        o[0] = (unsigned char)(bits >> 16);
        o[1] = (unsigned char)(bits >> 8);
        o[2] = (unsigned char)bits;
    }
    *at = (size_t)(p - in);
    return (size_t)(o - out);
}

int cinch_bundle_decode(cinch_bundle *pem, unsigned char *out, size_t *size)
{
    const unsigned char *in = pem->bytes + pem->body;
    base64_group group = {0, 0, 0};
    size_t at = 0, n = 0;

    while (at < pem->body_size) {
        if (group.count == 0 && group.padding == 0)
            n += decode_fast(in, pem->body_size, &at, out + n);
        if (at == pem->body_size)
            break;
        unsigned char c = in[at];
        if (!is_space(c)) {
            if (!take(&group, c)) {
                damaged(pem, pem->body + at, "has a character that cannot stand there in Base64");
                return 0;
            }
            if (group.count == 4)
                n += put(&group, out + n);
        }
        at++;
    }
    if (group.count != 0) {
        damaged(pem, pem->begin, "begins a block whose Base64 is cut off: its length is wrong");
        return 0;
    }
    *size = n;
    return 1;
}
