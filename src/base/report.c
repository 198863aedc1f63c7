/* report.c: a cinch_error as text and as JSON, without allocating: it may be about memory. */
#include "base/fail.h"

#include <openssl/x509_vfy.h>
#include <stdarg.h>
#include <string.h>

/* Where a text goes: as much as fits into BUF, counted in full. */
typedef struct output {
    char *buf;
    size_t size;
    size_t length;
} output;

static void put(output *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++, out->length++)
        if (out->length + 1 < out->size)
            out->buf[out->length] = text[i];
}

static void put_text(output *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_format(output *out, const char *format, ...) CINCH_PRINTF(2, 3);

static void put_format(output *out, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0)
        put_text(out, text);
}

static size_t finish(output *out)
{
    if (out->size > 0)
        out->buf[out->length < out->size ? out->length : out->size - 1] = 0;
    return out->length;
}

/* Every line of TEXT behind a label, the later ones indented as far. */
static void put_lines(output *out, const char *label, const char *text)
{
    if (*text == 0)
        return;
    for (int first = 1; *text != 0; first = 0) {
        size_t size = strcspn(text, "\n");

        put_format(out, "%-9s ", first ? label : "");
        put(out, text, size);
        put(out, "\n", 1);
        text += size;
        text += *text == '\n';
    }
}

static void put_alert(output *out, const char *label, int alert)
{
    if (alert != 0)
        put_format(out, "%-9s alert %d, %s: %s\n", label, alert, cinch_alert_name(alert),
                   cinch_alert_meaning(alert));
}

size_t cinch_error_print(const cinch_error *err, char *buf, size_t size)
{
    output out = {buf, buf == NULL ? 0 : size, 0};

    if (cinch_error_is_set(err)) {
        put_lines(&out, "error:", err->what);
        put_lines(&out, "because:", err->evidence);
        put_lines(&out, "remedy:", err->remedy);
        put_alert(&out, "received:", err->alert_received);
        put_alert(&out, "sent:", err->alert_sent);
        if (err->verify_code != 0)
            put_format(&out, "%-9s certificate check %d at depth %d: %s\n",
                       "detail:", err->verify_code, err->verify_depth,
                       X509_verify_cert_error_string(err->verify_code));
        put_lines(&out, "detail:", err->detail);
    }
    return finish(&out);
}

static void put_json_string(output *out, const char *text)
{
    put(out, "\"", 1);
    for (; *text != 0; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            put_format(out, "\\%c", c);
        else if (c < 0x20)
            put_format(out, "\\u%04x", c);
        else
            put(out, text, 1);
    }
    put(out, "\"", 1);
}

static void put_json_text(output *out, const char *name, const char *text)
{
    put_format(out, ",\"%s\":", name);
    put_json_string(out, text);
}

static void put_json_alert(output *out, const char *name, int alert)
{
    if (alert == 0)
        return;
    put_format(out, ",\"%s\":{\"number\":%d", name, alert);
    put_json_text(out, "name", cinch_alert_name(alert));
    put_json_text(out, "meaning", cinch_alert_meaning(alert));
    put_text(out, "}");
}

size_t cinch_error_json(const cinch_error *err, char *buf, size_t size)
{
    output out = {buf, buf == NULL ? 0 : size, 0};
    cinch_status status = err == NULL ? CINCH_OK : err->status;

    put_text(&out, "{\"status\":");
    put_json_string(&out, cinch_status_name(status));
    if (err != NULL && status != CINCH_OK) {
        put_json_text(&out, "category", cinch_category_name(err->category));
        put_json_text(&out, "cause", cinch_cause_name(err->cause));
        put_format(&out, ",\"exit_code\":%d", cinch_error_exit_code(err));
        put_json_text(&out, "what", err->what);
        put_json_text(&out, "evidence", err->evidence);
        put_json_text(&out, "remedy", err->remedy);
        put_json_alert(&out, "alert_sent", err->alert_sent);
        put_json_alert(&out, "alert_received", err->alert_received);
        if (err->verify_code != 0)
            put_format(&out, ",\"verify_code\":%d,\"verify_depth\":%d", err->verify_code,
                       err->verify_depth);
        if (err->system_error != 0)
            put_format(&out, ",\"system_error\":%d", err->system_error);
        if (err->openssl_code != 0)
            put_format(&out, ",\"openssl_code\":%lu", err->openssl_code);
        put_json_text(&out, "detail", err->detail);
    }
    put_text(&out, "}");
    return finish(&out);
}

int cinch_error_report(const cinch_error *err, FILE *out)
{
    char text[4096];

    if (out != NULL && cinch_error_is_set(err)) {
        (void)cinch_error_print(err, text, sizeof text);
        (void)fputs(text, out);
    }
    return cinch_error_exit_code(err);
}

int cinch_error_exit_code(const cinch_error *err)
{
    if (!cinch_error_is_set(err))
        return 0;
    switch (err->category) {
    case CINCH_CATEGORY_USAGE:
    case CINCH_CATEGORY_FILE:
        return 2;
    case CINCH_CATEGORY_NETWORK:
        return 3;
    case CINCH_CATEGORY_NEGOTIATION:
        return 4;
    case CINCH_CATEGORY_TRUST:
        return 5;
    case CINCH_CATEGORY_NAME:
        return 6;
    case CINCH_CATEGORY_VALIDITY:
        return 7;
    case CINCH_CATEGORY_CLIENT_CERTIFICATE:
        return 8;
    case CINCH_CATEGORY_TIMEOUT:
        return 9;
    default:
        return 10;
    }
}
