/* output.c: how the command looks. */
#include "output.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

cli_look cli_look_at(FILE *out)
{
    cli_look look = {false, false};
    const char *no_color = getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    const char *term = getenv("TERM");         // NOLINT(concurrency-mt-unsafe): nobody sets it
    const char *charset = nl_langinfo(CODESET);

    look.colour = isatty(fileno(out)) && (no_color == NULL || no_color[0] == '\0') &&
                  term != NULL && strcmp(term, "dumb") != 0;
    look.utf8 = charset != NULL && strcmp(charset, "UTF-8") == 0;
    return look;
}

const char *cli_on(cli_look look, cli_paint paint)
{
    static const char *const codes[] = {
        [CLI_BOLD] = "\x1b[1m",   [CLI_DIM] = "\x1b[2m",     [CLI_RED] = "\x1b[1;31m",
        [CLI_GREEN] = "\x1b[32m", [CLI_YELLOW] = "\x1b[33m",
    };

    return look.colour ? codes[paint] : "";
}

const char *cli_off(cli_look look)
{
    return look.colour ? "\x1b[0m" : "";
}

/* The library's text, "label: words" line by line, with the labels painted. */
static void print_labelled(cli_look look, const char *text, FILE *out)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        size_t label = *text != ' ' ? strcspn(text, ": \n") + 1 : 0;
        cli_paint paint = CLI_DIM;

        if (label > length || text[label - (label > 0)] != ':')
            label = 0;
        if (strncmp(text, "error:", label) == 0)
            paint = CLI_RED;
        else if (strncmp(text, "remedy:", label) == 0)
            paint = CLI_GREEN;
        if (label > 0)
            fprintf(out, "%s%.*s%s", cli_on(look, paint), (int)label, text, cli_off(look));
        fprintf(out, "%.*s\n", (int)(length - label), text + label);
        text += length + (text[length] == '\n');
    }
}

int cli_report(const cinch_error *err, FILE *out)
{
    size_t size = cinch_error_print(err, NULL, 0) + 1;
    char *text = cli_alloc(size);

    cinch_error_print(err, text, size);
    print_labelled(cli_look_at(out), text, out);
    fflush(out);
    free(text);
    return cinch_error_exit_code(err);
}

void cli_warn(const char *format, ...)
{
    cli_look look = cli_look_at(stderr);
    va_list args;

    fprintf(stderr, "%swarning:%s ", cli_on(look, CLI_YELLOW), cli_off(look));
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

const char *cli_date(int64_t when, char *buf, size_t size)
{
    time_t seconds = (time_t)when;
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || strftime(buf, size, "%Y-%m-%d", &tm) == 0)
        snprintf(buf, size, "?");
    return buf;
}

const char *cli_days(int64_t when, int64_t now, char *buf, size_t size)
{
    int64_t away = when > now ? when - now : now - when;
    const char *unit = "day";
    int64_t count = away / DAY;

    if (away < HOUR) {
        unit = "minute";
        count = away / MINUTE;
    } else if (away < 2 * (int64_t)DAY) {
        unit = "hour";
        count = away / HOUR;
    }
    snprintf(buf, size, "%s%lld %s%s%s", when > now ? "in " : "", (long long)count, unit,
             count == 1 ? "" : "s", when > now ? "" : " ago");
    return buf;
}
