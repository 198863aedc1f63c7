#include "base/fail.h"
#include "base/openssl.h"
#include "base/text.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

int cinch_enter(cinch_error *err)
{
    if (cinch_error_is_set(err))
        return 0;
    cinch_openssl_clear();
    return 1;
}

int cinch_enter_plain(const cinch_error *err)
{
    return !cinch_error_is_set(err);
}

void cinch_error_begin(cinch_error *local)
{
    memset(local, 0, offsetof(cinch_error, what) + 1);
    local->evidence[0] = local->remedy[0] = local->detail[0] = 0;
}

void cinch_error_clear(cinch_error *err)
{
    if (err != NULL)
        *err = (cinch_error)CINCH_ERROR_INIT;
}

int cinch_error_is_set(const cinch_error *err)
{
    return err != NULL && err->status != CINCH_OK;
}

/*
 * Formats behind what TEXT holds already. Strangers' control characters do not get through; LINES
 * tells whether there may be several: what a stranger wrote must not look like a line of its own.
 */
static void add_text(char *text, size_t size, int lines, const char *format, va_list arguments)
    CINCH_PRINTF(4, 0);

static void add_text(char *text, size_t size, int lines, const char *format, va_list arguments)
{
    char raw[CINCH_ERROR_EVIDENCE];
    size_t used = strlen(text);
    int length = vsnprintf(raw, sizeof raw, format, arguments);

    if (length > 0 && used + 1 < size)
        cinch_text_clean(text + used, size - used, raw, strlen(raw), lines);
}

static cinch_status status_of(cinch_cause cause)
{
    switch (cause) {
    case CINCH_CAUSE_TIMEOUT:
        return CINCH_TIMEOUT;
    case CINCH_CAUSE_TRUNCATED:
        return CINCH_TRUNCATED;
    default:
        return CINCH_FAILED;
    }
}

static void wipe_behind(char *text, size_t size)
{
    size_t used = strlen(text);

    memset(text + used, 0, size - used);
}

cinch_status cinch_fail(cinch_error *err, cinch_cause cause, const char *format, ...)
{
    const cinch_cause_entry *entry = cinch_cause_lookup(cause);
    va_list arguments;

    if (err == NULL)
        return status_of(cause);
    if (cinch_error_is_set(err))
        return err->status;
    wipe_behind(err->what, sizeof err->what);
    wipe_behind(err->evidence, sizeof err->evidence);
    wipe_behind(err->remedy, sizeof err->remedy);
    wipe_behind(err->detail, sizeof err->detail);
    err->status = status_of(cause);
    err->category = entry->category;
    err->cause = cause;
    va_start(arguments, format);
    add_text(err->what, sizeof err->what, 0, format, arguments);
    va_end(arguments);
    cinch_fail_remedy(err, "%s", entry->remedy);
    return err->status;
}

cinch_status cinch_error_set(cinch_error *err, cinch_cause cause, const char *what,
                             const char *evidence, const char *remedy)
{
    if (cinch_error_is_set(err))
        return err->status;
    cinch_status status = cinch_fail(err, cause, "%s", what == NULL ? "" : what);
    if (evidence != NULL)
        cinch_fail_evidence(err, "%s", evidence);
    if (remedy != NULL)
        cinch_fail_remedy(err, "%s", remedy);
    return status;
}

void cinch_fail_evidence(cinch_error *err, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return;
    va_start(arguments, format);
    add_text(err->evidence, sizeof err->evidence, 1, format, arguments);
    va_end(arguments);
}

void cinch_fail_remedy(cinch_error *err, const char *format, ...)
{
    va_list arguments;

    if (err == NULL)
        return;
    err->remedy[0] = 0;
    va_start(arguments, format);
    add_text(err->remedy, sizeof err->remedy, 0, format, arguments);
    va_end(arguments);
}

static void add_detail(cinch_error *err, const char *format, ...) CINCH_PRINTF(2, 3);

static void add_detail(cinch_error *err, const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(err->detail);

    if (used > 0 && used + 3 < sizeof err->detail)
        memcpy(err->detail + used, "; ", 3);
    va_start(arguments, format);
    add_text(err->detail, sizeof err->detail, 0, format, arguments);
    va_end(arguments);
}

void cinch_fail_system(cinch_error *err, int number)
{
    if (err == NULL || number == 0)
        return;
    err->system_error = number;
    add_detail(err, "system: %s (errno %d)", strerror(number), number);
}

void cinch_fail_openssl_code(cinch_error *err, unsigned long code)
{
    char text[160];

    if (err == NULL || code == 0)
        return;
    err->openssl_code = code;
    ERR_error_string_n(code, text, sizeof text);
    add_detail(err, "OpenSSL: %s", text);
}

void cinch_fail_openssl(cinch_error *err)
{
    cinch_fail_openssl_code(err, ERR_peek_last_error());
    cinch_openssl_clear();
}

cinch_status cinch_fail_memory(cinch_error *err, const char *what)
{
    cinch_openssl_clear();
    return cinch_fail(err, CINCH_CAUSE_MEMORY, "out of memory while %s", what);
}

cinch_status cinch_fail_crypto(cinch_error *err, const char *what)
{
    cinch_openssl_errors errors = cinch_openssl_take_errors();

    if (errors.out_of_memory)
        return cinch_fail_memory(err, what);
    cinch_status status = cinch_fail(err, CINCH_CAUSE_INTERNAL, "OpenSSL failed while %s", what);
    cinch_fail_openssl_code(err, errors.last);
    return status;
}

cinch_status cinch_fail_null(cinch_error *err, const char *name)
{
    return cinch_fail(err, CINCH_CAUSE_MISUSE, "the %s is NULL", name);
}

cinch_status cinch_fail_keep(cinch_error *err, const cinch_error *from)
{
    if (err != NULL && !cinch_error_is_set(err))
        *err = *from;
    return from->status;
}
