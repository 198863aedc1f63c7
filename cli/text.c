/* text.c: memory and texts of the command. */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void *cli_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);

    if (memory == NULL) {
        fputs("cinch: out of memory\n", stderr);
        exit(CLI_OTHER); // NOLINT(concurrency-mt-unsafe): nothing can be cleaned up any more
    }
    return memory;
}

char *cli_text(const char *format, ...)
{
    va_list args;
    va_list again;
    int length;
    char *text;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = cli_alloc(length < 0 ? 1 : (size_t)length + 1);
    if (length >= 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *cli_copy(const char *text, size_t length)
{
    char *copy = cli_alloc(length + 1);

    memcpy(copy, text, length);
    return copy;
}

static bool is_port(const char *text)
{
    size_t length = strlen(text);

    return length >= 1 && length <= 32 && strpbrk(text, "/:[]@?# ") == NULL;
}

bool cli_split_host(const char *text, const char *default_port, char **host, char **port)
{
    static const char scheme[] = "https://";
    const char *colon;
    char *rest;
    bool ok = false;

    *host = NULL;
    *port = NULL;
    if (strncasecmp(text, scheme, strlen(scheme)) == 0) {
        text += strlen(scheme);
        rest = cli_copy(text, strcspn(text, "/?#"));
    } else {
        rest = cli_copy(text, strlen(text));
    }
    if (rest[0] == '[') {
        char *end = strchr(rest, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            goto out;
        *host = cli_copy(rest + 1, (size_t)(end - rest) - 1);
        colon = end[1] == ':' ? end + 1 : NULL;
    } else {
        colon = strchr(rest, ':');
        /* More than one colon and no brackets: an IPv6 address as it is. */
        if (colon != NULL && strchr(colon + 1, ':') != NULL)
            colon = NULL;
        *host = cli_copy(rest, colon != NULL ? (size_t)(colon - rest) : strlen(rest));
    }
    /* "user@host" and "http://host" are not what they look like here. */
    if (strpbrk(*host, "/@?# ") != NULL)
        goto out;
    *port = cli_copy(colon != NULL ? colon + 1 : default_port,
                     strlen(colon != NULL ? colon + 1 : default_port));
    ok = is_port(*port);
out:
    free(rest);
    if (!ok) {
        free(*host);
        free(*port);
        *host = NULL;
        *port = NULL;
    }
    return ok;
}
