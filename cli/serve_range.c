/* serve_range.c: conditions and ranges of requests (RFC 9110, 13 and 14). */
#include "serve.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void serve_validate(const struct stat *st, serve_validators *validators)
{
    snprintf(validators->etag, sizeof(validators->etag), "\"%llx-%llx-%lx\"",
             (unsigned long long)st->st_size, (unsigned long long)st->st_mtim.tv_sec,
             (unsigned long)st->st_mtim.tv_nsec);
    validators->modified_at = st->st_mtim.tv_sec;
    http_date(st->st_mtim.tv_sec, validators->modified, sizeof(validators->modified));
}

static bool text_is(http_text text, const char *what)
{
    return text.at != NULL && text.length == strlen(what) &&
           memcmp(text.at, what, text.length) == 0;
}

/* Whether LIST, "*" or entity tags with commas between, has ETAG. Weak ones count (13.1.2). */
static bool has_etag(http_text list, const char *etag)
{
    size_t size = strlen(etag);

    if (text_is(list, "*"))
        return true;
    for (size_t i = 0; i + size <= list.length; i++) {
        if (memcmp(list.at + i, etag, size) == 0)
            return true;
    }
    return false;
}

static bool is_unchanged(const http_request *request, const serve_validators *validators)
{
    time_t since;

    if (request->if_none_match.at != NULL)
        return has_etag(request->if_none_match, validators->etag);
    since = http_parse_date(request->if_modified_since);
    return since != -1 && validators->modified_at <= since;
}

/* If-Range: the range counts only for the very state that the client has a part of. */
static bool range_counts(const http_request *request, const serve_validators *validators)
{
    if (request->range.at == NULL)
        return false;
    return request->if_range.at == NULL || text_is(request->if_range, validators->etag) ||
           text_is(request->if_range, validators->modified);
}

/* Digits at *AT, moved behind them. -1 if there are none; the largest number if there are many. */
static off_t read_digits(const char **at, const char *end)
{
    const off_t largest = ((off_t)1 << (sizeof(off_t) * 8 - 2));
    off_t value = -1;

    for (; *at < end && isdigit((unsigned char)**at); (*at)++) {
        if (value < 0)
            value = 0;
        value = value > largest / 10 - 10 ? largest / 10 : value * 10 + (**at - '0');
    }
    return value;
}

/* One range; several, other units and nonsense are passed over, as the RFC allows (14.2). */
static bool read_range(http_text text, off_t size, serve_part *part)
{
    static const char unit[] = "bytes=";
    const char *at = text.at;
    const char *end = text.at + text.length;
    off_t first;
    off_t last;

    if (text.length < sizeof(unit) - 1 || strncasecmp(at, unit, sizeof(unit) - 1) != 0)
        return false;
    at += sizeof(unit) - 1;
    first = read_digits(&at, end);
    if (at == end || *at++ != '-')
        return false;
    last = read_digits(&at, end);
    if (at != end || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
        return false;
    if (first < 0) { /* the last so many bytes */
        first = last < size ? size - last : 0;
        *part = (serve_part){last > 0 && size > 0 ? 206 : 416, first, size - first};
        return true;
    }
    if (last < 0 || last >= size)
        last = size - 1;
    *part = (serve_part){first < size ? 206 : 416, first, last - first + 1};
    return true;
}

serve_part serve_choose(const http_request *request, const serve_validators *validators, off_t size)
{
    serve_part part = {200, 0, size};

    if (is_unchanged(request, validators))
        return (serve_part){304, 0, 0};
    if (!request->is_head && range_counts(request, validators))
        (void)read_range(request->range, size, &part);
    return part;
}
