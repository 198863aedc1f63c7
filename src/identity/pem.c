/*
 * pem.c: the blocks of a PEM text (RFC 7468), with the line of everything. libcrypto has a reader
 * too; it passes over damage silently (a block without an end is no block) and knows no lines.
 */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/text.h"

#include <string.h>

static const char dashes[] = "-----";
static const char begin[] = "-----BEGIN";
static const char end[] = "-----END";

typedef struct span {
    const unsigned char *start;
    size_t size;
} span;

static int is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* The next line without its end and without blanks around it; 0 behind the last. */
static int next_line(cinch_pem_scan *scan, span *line)
{
    const unsigned char *bytes = scan->origin->bytes;
    size_t size = scan->origin->size, stop = scan->at;

    if (scan->at >= size)
        return 0;
    while (stop < size && bytes[stop] != '\n' && bytes[stop] != '\r')
        stop++;
    *line = (span){bytes + scan->at, stop - scan->at};
    while (line->size > 0 && is_blank(line->start[line->size - 1]))
        line->size--;
    while (line->size > 0 && is_blank(line->start[0])) {
        line->start++;
        line->size--;
    }
    if (stop + 1 < size && bytes[stop] == '\r' && bytes[stop + 1] == '\n')
        stop++;
    scan->at = stop < size ? stop + 1 : size;
    scan->line++;
    return 1;
}

static int starts_with(span line, const char *word)
{
    size_t size = strlen(word);

    return line.size >= size && memcmp(line.start, word, size) == 0;
}

/* Copies what stands between WORD and the five dashes at the end; 0 if that is no label. */
static int read_label(span line, const char *word, char label[64])
{
    size_t size = strlen(word);

    if (line.size < size + 1 + 1 + 5 || line.start[size] != ' ' ||
        memcmp(line.start + line.size - 5, dashes, 5) != 0)
        return 0;
    size_t length = line.size - size - 1 - 5;
    const unsigned char *from = line.start + size + 1;
    if (length >= 64)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (from[i] < ' ' || from[i] > '~' ||
            (from[i] == '-' && i + 1 < length && from[i + 1] == '-'))
            return 0;
    memcpy(label, from, length);
    label[length] = 0;
    return 1;
}

cinch_status cinch_pem_fail(cinch_error *err, const cinch_origin *origin,
                            const cinch_pem_block *block, size_t line, const char *problem)
{
    int key = strstr(block->label, "KEY") != NULL;

    cinch_fail(err, key ? CINCH_CAUSE_BAD_KEY : CINCH_CAUSE_BAD_CERTIFICATE,
               "%s in %s is damaged: %s", key ? "a private key" : "a certificate", origin->name,
               problem);
    cinch_fail_evidence(err, "block %zu of %s (%s) begins in line %zu", block->number, origin->name,
                        block->label, block->line);
    if (line != block->line && line != 0)
        cinch_fail_evidence(err, ", the damage is in line %zu", line);
    return CINCH_FAILED;
}

static cinch_status bad_begin(cinch_error *err, const cinch_origin *origin, cinch_pem_block *block,
                              span line)
{
    /* In place of a label: it tells a key from a certificate as well as one. */
    cinch_text_clean(block->label, sizeof block->label, line.start, line.size, 0);
    cinch_pem_fail(err, origin, block, block->line, "a line with BEGIN is not as it has to be");
    cinch_fail_remedy(err,
                      "put each -----BEGIN ...----- and -----END ...----- on a line of its own; "
                      "the line breaks may have been lost or written as \"\\n\" on the way");
    return CINCH_FAILED;
}

/* Reads on to the END line; the block began in block->line. */
static cinch_status find_end(cinch_pem_scan *scan, cinch_pem_block *block, cinch_error *err)
{
    char label[64];
    span line;

    block->body = scan->origin->bytes + scan->at;
    for (;;) {
        size_t before = scan->at;

        if (!next_line(scan, &line))
            return cinch_pem_fail(err, scan->origin, block, scan->line,
                                  "the text ends before its END line");
        if (starts_with(line, end)) {
            block->size = (size_t)(scan->origin->bytes + before - block->body);
            if (!read_label(line, end, label))
                return cinch_pem_fail(err, scan->origin, block, scan->line,
                                      "its END line is not a line of its own");
            if (strcmp(label, block->label) != 0)
                return cinch_pem_fail(err, scan->origin, block, scan->line,
                                      "its END line names something else than its BEGIN line");
            return CINCH_OK;
        }
        if (starts_with(line, begin))
            return cinch_pem_fail(err, scan->origin, block, scan->line,
                                  "the next block begins before its END line");
    }
}

cinch_status cinch_pem_next(cinch_pem_scan *scan, cinch_pem_block *block, cinch_error *err)
{
    span line;

    /* A byte order mark, which some editors write. */
    if (scan->at == 0 && scan->origin->size >= 3 &&
        memcmp(scan->origin->bytes, "\xef\xbb\xbf", 3) == 0)
        scan->at = 3;
    while (next_line(scan, &line)) {
        if (!starts_with(line, begin))
            continue;
        *block = (cinch_pem_block){.number = ++scan->blocks, .line = scan->line};
        if (!read_label(line, begin, block->label))
            return bad_begin(err, scan->origin, block, line);
        return find_end(scan, block, err);
    }
    return CINCH_EOF;
}

/* 0 to 63, 64 for padding, 65 for white space, 66 for anything else. */
static unsigned base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    switch (c) {
    case '+':
        return 62;
    case '/':
        return 63;
    case '=':
        return 64;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return 65;
    default:
        return 66;
    }
}

/* Copies the header lines, if the body starts with any, and gives the size of them and of the empty
 * line after them in *SKIP. 0 if there is no end of them or no room. */
static int read_header(const cinch_pem_block *block, char *header, size_t room, size_t *skip)
{
    const unsigned char *colon = memchr(block->body, ':', block->size);
    const unsigned char *newline = memchr(block->body, '\n', block->size);
    size_t used = 0, line = 0;

    header[0] = 0;
    *skip = 0;
    if (colon == NULL || newline == NULL || colon > newline)
        return 1;
    for (size_t i = 0; i < block->size; i++) {
        unsigned char c = block->body[i];

        if (c == '\r')
            continue;
        if (c == '\n' && line == 0) {
            header[used] = 0;
            *skip = i + 1;
            return 1;
        }
        line = c == '\n' ? 0 : line + 1;
        if (c == 0 || used + 1 >= room)
            return 0;
        header[used++] = (char)c;
    }
    return 0;
}

cinch_status cinch_pem_decode(const cinch_origin *origin, const cinch_pem_block *block,
                              unsigned char *out, size_t *n, char *header, size_t header_size,
                              cinch_error *err)
{
    size_t line = block->line + 1, symbols = 0, padding = 0, skip;
    uint32_t bits = 0;

    *n = 0;
    if (!read_header(block, header, header_size, &skip))
        return cinch_pem_fail(err, origin, block, line, "its header lines do not end");
    for (size_t i = 0; i < block->size; i++) {
        unsigned value = i < skip ? 65 : base64_value(block->body[i]);

        if (block->body[i] == '\n' ||
            (block->body[i] == '\r' && (i + 1 == block->size || block->body[i + 1] != '\n')))
            line++;
        if (value == 65)
            continue;
        if (value == 66 || (value < 64 && padding > 0))
            return cinch_pem_fail(err, origin, block, line,
                                  "a character that does not belong there");
        bits = bits << 6 | (value & 63u);
        padding += value == 64;
        if (++symbols % 4 != 0)
            continue;
        for (size_t byte = 0; byte < 3 && byte + padding < 3; byte++)
            out[(*n)++] = (unsigned char)(bits >> (16 - 8 * byte));
    }
    if (symbols % 4 != 0 || padding > 2)
        return cinch_pem_fail(err, origin, block, line, "characters are missing at its end");
    if (symbols == 0)
        return cinch_pem_fail(err, origin, block, line, "nothing is in it");
    return CINCH_OK;
}
