/* options.c: the command line, from tables. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 40
#define KEY_HELP 'h'

static size_t count_options(const cli_command *command)
{
    size_t n = 0;

    while (command->options != NULL && command->options[n].name != NULL && n < MAX_OPTIONS)
        n++;
    return n;
}

/* Fills what getopt_long() wants; SHORTS has room for two characters per option and some more. */
static void make_tables(const cli_command *command, struct option *longs, char *shorts)
{
    size_t n = count_options(command);
    size_t at = 0;

    shorts[at++] = ':'; /* a missing argument is told apart, and getopt itself prints nothing */
    for (size_t i = 0; i < n; i++) {
        const cli_option *option = &command->options[i];

        longs[i] = (struct option){
            .name = option->name,
            .has_arg = option->argument != NULL ? required_argument : no_argument,
            .val = option->key,
        };
        if (option->key < CLI_LONG_ONLY) {
            shorts[at++] = (char)option->key;
            if (option->argument != NULL)
                shorts[at++] = ':';
        }
    }
    longs[n] = (struct option){.name = "help", .val = KEY_HELP};
    shorts[at++] = KEY_HELP;
    shorts[at] = '\0';
}

static int unknown_option(const cli_command *command, const char *word)
{
    const char *names[MAX_OPTIONS + 1];
    size_t n = count_options(command);
    const char *near = NULL;

    for (size_t i = 0; i < n; i++)
        names[i] = command->options[i].name;
    names[n] = "help";
    if (strncmp(word, "--", 2) == 0)
        near = cli_nearest(word + 2, names, n + 1);
    if (near != NULL)
        cli_usage(command, "unknown option %s; did you mean --%s?", word, near);
    else
        cli_usage(command, "unknown option %s", word);
    return CLI_WRONG;
}

int cli_next(const cli_command *command, int argc, char **argv)
{
    struct option longs[MAX_OPTIONS + 2] = {{0}};
    char shorts[2 * MAX_OPTIONS + 4];
    /* A cluster of letters stays at the same word until its last: remember it before the call. */
    int word = optind > 0 ? optind : 1;
    int key;

    make_tables(command, longs, shorts);
    opterr = 0;
    key = getopt_long(argc, argv, shorts, longs, NULL);
    if (key == -1)
        return CLI_END;
    if (key == KEY_HELP) {
        cli_help(command, stdout);
        return CLI_HELP;
    }
    if (key == ':') {
        cli_usage(command, "%s needs an argument", argv[optind - 1]);
        return CLI_WRONG;
    }
    if (key != '?')
        return key;
    if (optopt != 0 && optopt < CLI_LONG_ONLY && strchr(shorts, optopt) == NULL) {
        cli_usage(command, "unknown option -%c", optopt);
        return CLI_WRONG;
    }
    if (optopt != 0) {
        cli_usage(command, "%s takes no argument", argv[optind - 1]);
        return CLI_WRONG;
    }
    return unknown_option(command, argv[optind > word ? optind - 1 : word]);
}

int cli_stop(int key)
{
    return key == CLI_HELP ? 0 : CLI_USAGE;
}

static void help_option(const cli_option *option, FILE *out)
{
    char left[64];
    const char *line = option->help;

    if (option->key < CLI_LONG_ONLY)
        snprintf(left, sizeof(left), "-%c, --%s%s%s", option->key, option->name,
                 option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
    else
        snprintf(left, sizeof(left), "    --%s%s%s", option->name,
                 option->argument != NULL ? " " : "",
                 option->argument != NULL ? option->argument : "");
    for (;;) {
        size_t length = strcspn(line, "\n");

        fprintf(out, "  %-27s %.*s\n", left, (int)length, line);
        if (line[length] == '\0')
            break;
        line += length + 1;
        left[0] = '\0';
    }
}

void cli_help(const cli_command *command, FILE *out)
{
    const cli_option help = {KEY_HELP, "help", NULL, "this"};
    size_t n = count_options(command);

    fprintf(out, "usage: cinch %s%s%s\n\n%s\n\n", command->name, command->usage[0] ? " " : "",
            command->usage, command->summary);
    for (size_t i = 0; i < n; i++)
        help_option(&command->options[i], out);
    help_option(&help, out);
    if (command->more != NULL)
        fprintf(out, "\n%s\n", command->more);
}

int cli_usage(const cli_command *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "cinch%s%s: ", command->name[0] ? " " : "", command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: cinch%s%s --help\n", command->name[0] ? " " : "", command->name);
    return CLI_USAGE;
}

bool cli_number(const cli_command *command, const char *option, const char *text, long min,
                long max, long *value)
{
    char *end = NULL;

    errno = 0;
    *value = strtol(text, &end, 10);
    /* Digits alone, or behind a minus: strtol() passes over spaces and a plus. */
    if (text[strspn(text, "-0123456789")] == '\0' && errno == 0 && end != text && *end == '\0' &&
        *value >= min && *value <= max)
        return true;
    cli_usage(command, "%s takes a number from %ld to %ld, not %s", option, min, max, text);
    return false;
}

/* How many letters to change, add or leave out; gives up where it is more than a slip. */
static size_t distance(const char *a, const char *b)
{
    enum {
        LONGEST = 32
    };
    size_t row[LONGEST + 1];
    size_t la = strlen(a);
    size_t lb = strlen(b);

    if (la > LONGEST || lb > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[lb];
}

const char *cli_nearest(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = 3;

    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, names[i]);

        if (far < best && far < strlen(names[i])) {
            best = far;
            nearest = names[i];
        }
    }
    return nearest;
}
