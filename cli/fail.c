/* fail.c: failures of the command's own, told like the library's. */
#include "cli.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <string.h>

static cinch_category category_of(cinch_cause cause)
{
    switch (cause) {
    case CINCH_CAUSE_MISUSE:
    case CINCH_CAUSE_BAD_SETTING:
    case CINCH_CAUSE_BAD_HOST_NAME:
        return CINCH_CATEGORY_USAGE;
    case CINCH_CAUSE_FILE_UNREADABLE:
    case CINCH_CAUSE_NO_KEY:
    case CINCH_CAUSE_NO_CERTIFICATE:
    case CINCH_CAUSE_KEY_MISMATCH:
    case CINCH_CAUSE_PASSWORD_MISSING:
        return CINCH_CATEGORY_FILE;
    case CINCH_CAUSE_NOT_TLS:
        return CINCH_CATEGORY_NEGOTIATION;
    case CINCH_CAUSE_MEMORY:
        return CINCH_CATEGORY_MEMORY;
    default:
        return CINCH_CATEGORY_INTERNAL;
    }
}

bool cli_fail(cinch_error *err, cinch_cause cause, const char *remedy, const char *format, ...)
{
    va_list args;

    if (cinch_error_is_set(err))
        return false;
    err->status = CINCH_FAILED;
    err->cause = cause;
    err->category = category_of(cause);
    va_start(args, format);
    vsnprintf(err->what, sizeof(err->what), format, args);
    va_end(args);
    snprintf(err->remedy, sizeof(err->remedy), "%s", remedy != NULL ? remedy : "");
    return false;
}

void cli_fail_errno(cinch_error *err, int number)
{
    char text[128];

    if (err->system_error != 0)
        return;
    err->system_error = number;
    if (strerror_r(number, text, sizeof(text)) != 0)
        snprintf(text, sizeof(text), "errno %d", number);
    snprintf(err->detail, sizeof(err->detail), "%s", text);
}

bool cli_fail_crypto(cinch_error *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    bool memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;

    if (!cinch_error_is_set(err)) {
        cli_fail(err, memory ? CINCH_CAUSE_MEMORY : CINCH_CAUSE_INTERNAL,
                 memory ? "free some memory" : "report it, with the output of `cinch version -v`",
                 "OpenSSL failed at %s", what);
        err->openssl_code = code;
        if (code != 0)
            ERR_error_string_n(code, err->detail, sizeof(err->detail));
    }
    ERR_clear_error();
    return false;
}
