/* main.c: cinch, the command. One file per subcommand; this one only finds it. */
#include "cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_command *const commands[] = {
    &connect_command, &serve_command, &ca_command,   &verify_command,
    &audit_command,   &bench_command, &wire_command, &version_command,
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const cli_command main_command = {"", "SUBCOMMAND [ARGUMENT...]", "", NULL, NULL, NULL};

static const cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static void help(FILE *out)
{
    fputs("usage: cinch SUBCOMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`cinch SUBCOMMAND --help` says more, `man cinch` says everything.\n", out);
}

static int unknown(const char *word)
{
    const char *names[COMMAND_COUNT];
    const char *near;

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i]->name;
    near = cli_nearest(word, names, COMMAND_COUNT);
    if (near != NULL)
        return cli_usage(&main_command, "there is no subcommand %s; did you mean %s?", word, near);
    return cli_usage(&main_command, "there is no subcommand %s", word);
}

static int run(const cli_command *command, int argc, char **argv)
{
    int code = command->run(argc, argv);

    /* What could not be written, to a full disk say, did not happen. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("cinch: cannot write to standard output\n", stderr);
        if (code == 0)
            code = CLI_OTHER;
    }
    return code;
}

/* Started with one of them closed, a socket or key file would take its number. */
static bool have_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

int main(int argc, char **argv)
{
    const cli_command *command;

    if (!have_standard_files())
        return CLI_OTHER;

    /* Only the character set: dates and numbers stay as protocols want them. */
    setlocale(LC_CTYPE, "");
    if (argc < 2) {
        help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        if (argc < 3) {
            help(stdout);
            return 0;
        }
        command = find(argv[2]);
        if (command == NULL)
            return unknown(argv[2]);
        cli_help(command, stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return run(&version_command, 1, argv);
    if (argv[1][0] == '-')
        return cli_usage(&main_command, "options come after a subcommand: %s", argv[1]);
    command = find(argv[1]);
    if (command == NULL)
        return unknown(argv[1]);
    return run(command, argc - 1, argv + 1);
}
