/* http.h: HTTP/1.1 requests and replies on a stream (RFC 9110, RFC 9112). */
#ifndef CINCH_CLI_HTTP_H
#define CINCH_CLI_HTTP_H

#include "cli.h"

#include <sys/types.h>
#include <time.h>

enum {
    HTTP_HEAD_MOST = 16384,  /* bytes of a request up to its empty line */
    HTTP_TARGET_MOST = 8192, /* bytes of what is asked for */
    HTTP_IDLE_MS = 30000,    /* for a whole request to arrive */
};

/* A piece of the request; not ended by a NUL. */
typedef struct http_text {
    const char *at; /* NULL: was not there */
    size_t length;
} http_text;

typedef struct http_request {
    bool is_head;
    bool keep_alive;
    http_text path; /* as sent, percent signs and all, without the query */
    http_text range;
    http_text if_range;
    http_text if_none_match;
    http_text if_modified_since;
} http_request;

/* One client. Requests point into BUF and are valid until the next one is read. */
typedef struct http_client {
    cinch_stream *stream;
    size_t used; /* bytes in BUF */
    size_t done; /* of them: belong to requests that were answered */
    char buf[HTTP_HEAD_MOST];
} http_client;

/* What http_read() says besides a status code to refuse the request with. */
enum {
    HTTP_OK = 0,
    HTTP_END = -1
};

/* http_read reads the next request: HTTP_OK, HTTP_END if none comes any more, or 4xx, 5xx. */
int http_read(http_client *client, http_request *request);

/* http_parse reads the head of a request, with its empty line, as http_read() does. */
int http_parse(const char *head, size_t size, http_request *request);

/* A reply before its body. */
typedef struct http_reply {
    int status;
    const char *type;    /* Content-Type; NULL: none */
    off_t length;        /* Content-Length; -1: none, as in 304 */
    const char *headers; /* more lines, each with its \r\n; NULL: none */
} http_reply;

/* http_send_head sends the head of REPLY. False if the connection cannot be used any more. */
bool http_send_head(http_client *client, const http_request *request, const http_reply *reply);

/* http_send sends REPLY with the body BODY, but for HEAD. */
bool http_send(http_client *client, const http_request *request, const http_reply *reply,
               const char *body);

/* http_send_status sends a short page that says what STATUS means. HEADERS as in http_reply. */
bool http_send_status(http_client *client, const http_request *request, int status,
                      const char *headers);

/* http_reason gives the phrase of a status code. */
const char *http_reason(int status);

/* http_date writes WHEN as IMF-fixdate (RFC 9110, 5.6.7) into BUF, of 30 bytes at least. */
const char *http_date(time_t when, char *buf, size_t size);

/* http_parse_date reads an IMF-fixdate; -1 if TEXT is none. */
time_t http_parse_date(http_text text);

#endif
