/* http_reply.c: replies. */
#define _DEFAULT_SOURCE   /* timegm() */
#define _XOPEN_SOURCE 700 /* strptime() */

#include "http.h"

#include <stdlib.h>
#include <string.h>

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

/* The locale's dates are not asked for: main() sets the character set only. */
const char *http_date(time_t when, char *buf, size_t size)
{
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(buf, size, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        snprintf(buf, size, "Thu, 01 Jan 1970 00:00:00 GMT");
    return buf;
}

time_t http_parse_date(http_text text)
{
    char copy[30];
    struct tm tm = {0};
    const char *end;

    if (text.at == NULL || text.length != sizeof(copy) - 1)
        return -1;
    memcpy(copy, text.at, text.length);
    copy[text.length] = '\0';
    end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end != NULL && *end == '\0' ? timegm(&tm) : -1;
}

static bool send_bytes(http_client *client, const char *bytes, size_t size)
{
    cinch_error err = CINCH_ERROR_INIT;

    return size == 0 || cinch_stream_write_all(client->stream, bytes, size, &err) == CINCH_OK;
}

/* Head and, unless BODY is NULL, body leave in one write: small replies are one record. */
static bool send_reply(http_client *client, const http_request *request, const http_reply *reply,
                       const char *body)
{
    char date[30];
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool ok;

    if (out == NULL)
        return false;
    fprintf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: cinch\r\n", reply->status,
            http_reason(reply->status), http_date(time(NULL), date, sizeof(date)));
    if (reply->type != NULL)
        fprintf(out, "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", reply->type);
    if (reply->length >= 0)
        fprintf(out, "Content-Length: %lld\r\n", (long long)reply->length);
    if (reply->headers != NULL)
        fputs(reply->headers, out);
    fprintf(out, "Connection: %s\r\n\r\n", request->keep_alive ? "keep-alive" : "close");
    if (body != NULL && !request->is_head)
        fwrite(body, 1, (size_t)reply->length, out);
    ok = ferror(out) == 0;
    ok = fclose(out) == 0 && ok && send_bytes(client, text, size);
    free(text);
    return ok;
}

bool http_send_head(http_client *client, const http_request *request, const http_reply *reply)
{
    return send_reply(client, request, reply, NULL);
}

bool http_send(http_client *client, const http_request *request, const http_reply *reply,
               const char *body)
{
    return send_reply(client, request, reply, body);
}

bool http_send_status(http_client *client, const http_request *request, int status,
                      const char *headers)
{
    char body[64];
    int length = snprintf(body, sizeof(body), "%d %s\n", status, http_reason(status));
    http_reply reply = {status, "text/plain; charset=utf-8", (off_t)length, headers};

    return send_reply(client, request, &reply, body);
}
