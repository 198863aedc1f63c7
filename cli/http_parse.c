/* http_parse.c: requests. The grammar is Debian's libhttp-parser's; the limits are here. */
#include "http.h"

#include <http_parser.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

/* What the parser's callbacks gather. */
typedef struct gathering {
    http_request *request;
    http_text target;
    http_text field;
    http_text value;
    int hosts;
    bool folded;
    bool has_body;
    bool complete;
} gathering;

static bool field_is(http_text field, const char *name)
{
    return field.length == strlen(name) && strncasecmp(field.at, name, field.length) == 0;
}

/* The value of the field before is complete now. */
static void keep_field(gathering *g)
{
    if (g->field.at == NULL || g->value.at == NULL)
        return;
    /* White space behind a value is no part of it (RFC 9112, 5.1). */
    while (g->value.length > 0 && strchr(" \t", g->value.at[g->value.length - 1]) != NULL)
        g->value.length--;
    if (field_is(g->field, "host"))
        g->hosts++;
    else if (field_is(g->field, "range"))
        g->request->range = g->value;
    else if (field_is(g->field, "if-range"))
        g->request->if_range = g->value;
    else if (field_is(g->field, "if-none-match"))
        g->request->if_none_match = g->value;
    else if (field_is(g->field, "if-modified-since"))
        g->request->if_modified_since = g->value;
    else if (field_is(g->field, "transfer-encoding"))
        g->has_body = true;
    g->field = (http_text){NULL, 0};
    g->value = (http_text){NULL, 0};
}

/* Pieces of one text that follow each other; a folded line leaves a gap (RFC 9112, 5.2). */
static void extend(http_text *text, const char *at, size_t length, bool *gap)
{
    if (text->at == NULL)
        text->at = at;
    else if (text->at + text->length != at)
        *gap = true;
    text->length += length;
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    gathering *g = parser->data;

    extend(&g->target, at, length, &g->folded);
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t length)
{
    gathering *g = parser->data;

    if (g->value.at != NULL)
        keep_field(g);
    extend(&g->field, at, length, &g->folded);
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t length)
{
    gathering *g = parser->data;

    extend(&g->value, at, length, &g->folded);
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    gathering *g = parser->data;

    keep_field(g);
    if ((parser->flags & F_CHUNKED) != 0 ||
        (parser->content_length != ULLONG_MAX && parser->content_length > 0))
        g->has_body = true;
    return 1; /* no body is read here */
}

static int on_message_complete(http_parser *parser)
{
    gathering *g = parser->data;

    g->complete = true;
    return 0;
}

/* The path of "/path?query" and of "https://host/path" (RFC 9112, 3.2.1 and 3.2.2). */
static int find_path(http_text target, http_request *request)
{
    struct http_parser_url url;

    http_parser_url_init(&url);
    if (target.length > HTTP_TARGET_MOST)
        return 414;
    if (http_parser_parse_url(target.at, target.length, 0, &url) != 0)
        return 400;
    if ((url.field_set & (1 << UF_PATH)) == 0) {
        if (target.at[0] == '/')
            return 400;
        request->path = (http_text){"/", 1};
        return HTTP_OK;
    }
    request->path =
        (http_text){target.at + url.field_data[UF_PATH].off, url.field_data[UF_PATH].len};
    return request->path.at[0] == '/' ? HTTP_OK : 400;
}

static int judge(const http_parser *parser, const gathering *g, http_request *request)
{
    enum http_errno number = HTTP_PARSER_ERRNO(parser);

    if (number == HPE_INVALID_METHOD)
        return 501;
    if (number == HPE_INVALID_VERSION)
        return 505;
    if (number != HPE_OK || g->folded || g->target.at == NULL)
        return 400;
    if (parser->http_major != 1)
        return 505;
    request->is_head = parser->method == HTTP_HEAD;
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD)
        return 405;
    /* More than one is how requests are smuggled past a proxy (RFC 9112, 3.2). */
    if (g->hosts > 1 || (g->hosts == 0 && parser->http_minor >= 1))
        return 400;
    if (g->has_body)
        return 413;
    if (!g->complete)
        return 400;
    request->keep_alive = http_should_keep_alive(parser) != 0;
    return find_path(g->target, request);
}

int http_parse(const char *head, size_t size, http_request *request)
{
    http_parser_settings settings;
    http_parser parser;
    gathering g = {.request = request};

    *request = (http_request){0};
    /* The parser lets it pass in values; other programs end a text there (RFC 9110, 5.5). */
    if (memchr(head, '\0', size) != NULL)
        return 400;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_header_field = on_header_field;
    settings.on_header_value = on_header_value;
    settings.on_headers_complete = on_headers_complete;
    settings.on_message_complete = on_message_complete;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &g;
    (void)http_parser_execute(&parser, &settings, head, size);
    return judge(&parser, &g, request);
}

/* The size of the head at the start of TEXT, its empty line included; 0 if it is not all there. */
static size_t head_size(const char *text, size_t size)
{
    for (size_t i = 1; i < size; i++) {
        if (text[i] != '\n')
            continue;
        if (text[i - 1] == '\n' || (i >= 2 && text[i - 1] == '\r' && text[i - 2] == '\n'))
            return i + 1;
    }
    return 0;
}

/* Drops what is answered, and empty lines before a request (RFC 9112, 2.2). */
static void forget_done(http_client *client)
{
    while (client->done < client->used &&
           (client->buf[client->done] == '\r' || client->buf[client->done] == '\n'))
        client->done++;
    memmove(client->buf, client->buf + client->done, client->used - client->done);
    client->used -= client->done;
    client->done = 0;
}

int http_read(http_client *client, http_request *request)
{
    cinch_error err = CINCH_ERROR_INIT;
    size_t size;

    /* For the whole head: a client that sends a byte now and then holds a thread no longer. */
    if (cinch_stream_deadline(client->stream, HTTP_IDLE_MS, &err) != CINCH_OK)
        return HTTP_END;
    for (;;) {
        size_t n = 0;
        cinch_status status;

        forget_done(client);
        size = head_size(client->buf, client->used);
        if (size > 0)
            break;
        *request = (http_request){0};
        if (client->used == sizeof(client->buf))
            return 431;
        status = cinch_stream_read(client->stream, client->buf + client->used,
                                   sizeof(client->buf) - client->used, &n, &err);
        if (status == CINCH_TIMEOUT && client->used > 0)
            return 408;
        if (status != CINCH_OK)
            return HTTP_END;
        client->used += n;
    }
    if (cinch_stream_deadline(client->stream, CINCH_FOREVER, &err) != CINCH_OK)
        return HTTP_END;
    client->done = size;
    return http_parse(client->buf, size, request);
}
