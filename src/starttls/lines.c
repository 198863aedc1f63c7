/*
 * lines.c: answers that are lines. A line ends with CR LF and has neither of them inside, nor a NUL:
 * what one program takes for an end and another does not is how lines are smuggled.
 */
#include "starttls/upgrade.h"

#include <stdlib.h>
#include <string.h>

/*
 * Sieve (RFC 5804, 1.2): a line that ends with {n} or {n+} goes on after n bytes that may be anything,
 * lines that look like answers included. They are passed over; "" stands for them. 1 if so.
 */
static int begin_literal(cinch_upgrade *upgrade)
{
    char *line = (char *)upgrade->line;
    char *brace = strrchr(line, '{');
    char *end;

    if (upgrade->protocol != CINCH_STARTTLS_SIEVE || brace == NULL ||
        line[upgrade->line_size - 1] != '}' || brace[1] < '0' || brace[1] > '9')
        return 0;
    unsigned long size = strtoul(brace + 1, &end, 10);
    if (*end == '+')
        end++;
    if (end != line + upgrade->line_size - 1)
        return 0;
    if (size > CINCH_UPGRADE_TOTAL) {
        cinch_upgrade_odd(upgrade, "the server announces %lu bytes in one text", size);
        return 1;
    }
    memcpy(brace, "\"\"", 3);
    upgrade->line_size = (size_t)(brace - line) + 2;
    upgrade->literal = size;
    return 1;
}

static size_t pass_literal(cinch_upgrade *upgrade, size_t size)
{
    size_t n = size < upgrade->literal ? size : upgrade->literal;

    upgrade->literal -= n;
    return n;
}

/* The line is here, with its CR. */
static void end_line(cinch_upgrade *upgrade)
{
    char *line = (char *)upgrade->line;

    if (upgrade->line_size == 0 || line[upgrade->line_size - 1] != '\r') {
        cinch_upgrade_odd(upgrade, "a line of the server ends with LF alone");
        return;
    }
    line[--upgrade->line_size] = 0;
    if (upgrade->line_size > 0 && begin_literal(upgrade))
        return;
    size_t size = upgrade->line_size;
    upgrade->line_size = 0;
    upgrade->dialect->line(upgrade, line, size);
}

size_t cinch_lines_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];

        if (upgrade->literal > 0)
            return i + pass_literal(upgrade, size - i);
        if (c == '\n') {
            end_line(upgrade);
            return i + 1;
        }
        if (c == 0 || (upgrade->line_size > 0 && upgrade->line[upgrade->line_size - 1] == '\r')) {
            cinch_upgrade_odd(upgrade, c == 0 ? "there is a NUL in a line of the server"
                                              : "there is a CR within a line of the server");
            return i + 1;
        }
        if (upgrade->line_size + 2 >= sizeof upgrade->line) {
            cinch_upgrade_odd(upgrade, "a line of the server is longer than %zu bytes",
                              sizeof upgrade->line - 2);
            return i + 1;
        }
        upgrade->line[upgrade->line_size++] = c;
    }
    return size;
}
