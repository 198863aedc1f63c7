/* cli.h: what the files of the command share. The command sees include/cinch/ only. */
#ifndef CINCH_CLI_H
#define CINCH_CLI_H

#include <cinch/cinch.h>
#include <stdbool.h>
#include <stddef.h>

/* cinch_error_exit_code() says what the others are. */
#define CLI_USAGE 2
#define CLI_OTHER 10

/* ---- options.c: one table per subcommand gives both the parser and --help ---- */

typedef struct cli_option {
    int key; /* what cli_next() returns; a letter is the short option as well */
    const char *name;
    const char *argument; /* its name in --help; NULL: takes none */
    const char *help;     /* lines separated by \n */
} cli_option;

typedef struct cli_command {
    const char *name; /* without "cinch": "ca issue" */
    const char *usage;
    const char *summary;
    const char *more;          /* paragraphs for --help; NULL: none */
    const cli_option *options; /* ends with an entry whose name is NULL */
    int (*run)(int argc, char **argv);
} cli_command;

/* Keys of options without a letter start here. */
enum {
    CLI_LONG_ONLY = 256
};

/* What cli_next() returns besides keys. --help is done by then. */
enum {
    CLI_END = -1,
    CLI_HELP = -2,
    CLI_WRONG = -3
};

/* cli_next gives the key of the next option; its argument is in getopt's optarg. */
int cli_next(const cli_command *command, int argc, char **argv);

/* cli_stop turns CLI_HELP and CLI_WRONG into an exit code. */
int cli_stop(int key);

/* cli_help prints the help of COMMAND. */
void cli_help(const cli_command *command, FILE *out);

/* cli_usage tells what is wrong with the command line and where help is; returns CLI_USAGE. */
int cli_usage(const cli_command *command, const char *format, ...) CINCH_PRINTF(2, 3);

/*
 * cli_number reads a whole number from MIN to MAX, with nothing before or after it. False, with a
 * message as from cli_usage(), if TEXT is none.
 */
bool cli_number(const cli_command *command, const char *option, const char *text, long min,
                long max, long *value);

/* cli_nearest gives the one of COUNT names that is most like WORD; NULL if none is like it. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);

/* ---- text.c ---- */

/* Like malloc() and printf(); they end the program when memory runs out. */
void *cli_alloc(size_t size);
char *cli_text(const char *format, ...) CINCH_PRINTF(1, 2);
char *cli_copy(const char *text, size_t length);

/*
 * cli_split_host reads "HOST", "HOST:PORT", "[ADDRESS]:PORT" or an https URL, whose path is passed
 * over. Both results are malloc'd; *PORT is DEFAULT_PORT if none is given, *HOST may be empty.
 * False if it is none of these.
 */
bool cli_split_host(const char *text, const char *default_port, char **host, char **port);

/* ---- failures of the command's own (fail.c) ---- */

/* cli_fail sets ERR, if it is not set, to CAUSE, the remedy REMEDY and a sentence. Returns false. */
bool cli_fail(cinch_error *err, cinch_cause cause, const char *remedy, const char *format, ...)
    CINCH_PRINTF(4, 5);

/* cli_fail_errno adds errno NUMBER. */
void cli_fail_errno(cinch_error *err, int number);

/* cli_fail_crypto is for a call of libcrypto that failed while doing WHAT. Returns false. */
bool cli_fail_crypto(cinch_error *err, const char *what);

/* ---- the subcommands ---- */

extern const cli_command audit_command;
extern const cli_command bench_command;
extern const cli_command connect_command;
extern const cli_command serve_command;
extern const cli_command ca_command;
extern const cli_command verify_command;
extern const cli_command version_command;
extern const cli_command wire_command;

#endif
